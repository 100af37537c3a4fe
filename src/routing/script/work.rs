//! The bounds on the work of a script's call: steps alone do not bound it, because a step that copies, compares or
//! measures a value takes as long as the value is large.
//!
//! Each time a variable that holds an array or a map is read, its elements are counted, in any depth, and so many of them count as
//! a step more; one that holds others deeper than [`DEEPEST`] is refused, since each level is a piece of memory of its own. What
//! the limits of Rhai bound is [`LARGEST`]: elements of arrays and of maps in one value, in any depth. Curried function
//! pointers, which those limits do not see, are switched off. Left out: `this`, whose fields are read without being counted;
//! only their size is bounded.

use rhai::{Dynamic, Engine, EvalAltResult, EvalContext, Map, Position};

/// The most steps that a call may take.
pub(super) const STEPS: u64 = 100_000;

/// The most elements of arrays, and of maps, that a value holds in any depth.
pub(super) const LARGEST: usize = 2_000;

/// The most levels of arrays and maps inside one another.
const DEEPEST: usize = 16;

/// The most elements that take as long as a step to copy.
const ELEMENTS_A_STEP: u64 = 64;

/// Bounds the calls of `engine`.
pub(super) fn bound(engine: &mut Engine) {
    engine
        .disable_symbol("curry")
        .set_max_operations(STEPS)
        .set_max_array_size(LARGEST)
        .set_max_map_size(LARGEST);
    #[expect(
        deprecated,
        reason = "Rhai marks so what may change; there is no other way to see a value"
    )]
    engine.on_var(|name, _, context| weigh_variable(name, context));
}

/// Counts the elements that the variable `name` holds as steps.
fn weigh_variable(
    name: &str,
    mut context: EvalContext<'_, '_, '_, '_, '_, '_>,
) -> Result<Option<Dynamic>, Box<EvalAltResult>> {
    let Some(value) = context.scope().get(name) else {
        return Ok(None);
    };
    let Some(elements) = weigh(value, DEEPEST) else {
        return Err(too_deep().into());
    };
    if elements > 0 {
        let steps = &mut context.global_runtime_state_mut().num_operations;
        *steps += elements / ELEMENTS_A_STEP;
        if *steps > STEPS {
            return Err(EvalAltResult::ErrorTooManyOperations(Position::NONE).into());
        }
    }
    Ok(None)
}

/// Whether `state`, what a script keeps in `this`, is nested no deeper than any value may be.
pub(super) fn check_state(state: &Dynamic) -> Result<(), Box<EvalAltResult>> {
    match weigh(state, DEEPEST + 1) {
        Some(_) => Ok(()),
        None => Err(too_deep().into()),
    }
}

fn too_deep() -> EvalAltResult {
    let message = format!("arrays and maps in one another are deeper than {DEEPEST}");
    EvalAltResult::ErrorRuntime(message.into(), Position::NONE)
}

/// The elements of `value` in any depth, 0 if it is not a container; `None` if there are more than `levels` levels.
fn weigh(value: &Dynamic, levels: usize) -> Option<u64> {
    if value.is_array() {
        let array = value.read_lock::<rhai::Array>()?;
        sum(array.iter(), array.len(), levels)
    } else if value.is_map() {
        let map = value.read_lock::<Map>()?;
        sum(map.values(), map.len(), levels)
    } else {
        Some(0)
    }
}

fn sum<'a>(mut values: impl Iterator<Item = &'a Dynamic>, count: usize, levels: usize) -> Option<u64> {
    let levels = levels.checked_sub(1)?;
    values.try_fold(count as u64, |sum, value| Some(sum + weigh(value, levels)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(levels: usize) -> Dynamic {
        (0..levels).fold(Dynamic::UNIT, |inner, _| vec![inner].into())
    }

    #[test]
    fn elements_are_counted_in_any_depth_and_levels_bounded() {
        let list: Dynamic = vec![Dynamic::ONE, vec![Dynamic::ONE; 3].into(), "text".into()].into();
        assert_eq!(weigh(&list, 2), Some(6));
        assert_eq!(weigh(&list, 1), None);
        assert_eq!(weigh(&Dynamic::ONE, 0), Some(0));
        assert_eq!(weigh(&nested(DEEPEST), DEEPEST), Some(DEEPEST as u64));
        assert_eq!(weigh(&nested(DEEPEST + 1), DEEPEST), None);
    }
}
