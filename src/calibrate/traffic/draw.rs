//! Draws from a traffic model, by the parts that a run uses: times of arrival, and lengths.

use super::lengths::Class;
use crate::form::build::{Built, Names};
use crate::kernel::calendar::Calendar;
use crate::kernel::chance::{Chance, Purpose};
use crate::kernel::sampler::Sampler;
use crate::kernel::time::Span;
use crate::traffic::arrivals::ArrivalsSpec;

/// The arrivals of one replication before `until`, in nanoseconds, in rising order. It begins on Monday, 00:00 UTC.
#[cfg(test)]
pub(super) fn times(spec: &ArrivalsSpec, seed: u64, replication: u64, until: u64) -> Built<Vec<u64>> {
    times_from(0, spec, seed, replication, until)
}

/// The same, beginning `begins` nanoseconds into the week.
pub(super) fn times_from(begins: u64, spec: &ArrivalsSpec, seed: u64, replication: u64, until: u64) -> Built<Vec<u64>> {
    let names = Names {
        calendar: Calendar::starting(Span::from_nanos(begins)),
        ..Names::default()
    };
    let process = spec
        .as_dyn()
        .build(None, &names)
        .map_err(|refusal| refusal.at(spec.name()))?;
    let chance = Chance::new(seed, replication);
    let mut running = process.fresh(chance.surroundings(0));
    let mut times = Vec::new();
    for number in 0.. {
        match running.next(chance.request(number)) {
            Some(arrival) if arrival.at.nanos() < until => times.push(arrival.at.nanos()),
            Some(_) | None => break,
        }
    }
    Ok(times)
}

/// `n` pairs of input and output, as a run draws them.
pub(super) fn pairs(classes: &[Class], seed: u64, n: usize) -> Built<Vec<(u32, u32)>> {
    let names = Names::default();
    let mut samplers: Vec<(f64, Sampler, Sampler)> = Vec::new();
    let mut below = 0.0;
    for class in classes {
        below += class.share;
        let of = |law: &super::lengths::Fitted| law.law.tokens(&names);
        samplers.push((below, of(&class.input)?, of(&class.output)?));
    }
    let chance = Chance::new(seed, 0);
    let mut pairs = Vec::with_capacity(n);
    for number in 0..n as u64 {
        let key = chance.request(number);
        let share = crate::kernel::chance::unit(key.draw(Purpose::Class)) * below;
        let of = samplers.iter().find(|(up_to, ..)| share < *up_to).or(samplers.last());
        if let Some((_, of_input, of_output)) = of {
            pairs.push((
                of_input.count(key, Purpose::Input, 0),
                of_output.count(key, Purpose::Output, 1),
            ));
        }
    }
    Ok(pairs)
}

/// The inputs of pairs, and their outputs, each in rising order.
pub(super) fn sides(pairs: &[(u32, u32)]) -> [Vec<u32>; 2] {
    [|pair: &(u32, u32)| pair.0, |pair: &(u32, u32)| pair.1].map(|of: fn(&(u32, u32)) -> u32| {
        let mut side: Vec<u32> = pairs.iter().map(of).collect();
        side.sort_unstable();
        side
    })
}
