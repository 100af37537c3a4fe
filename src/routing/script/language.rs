//! The language of scripts: Rhai, with what a policy sees and nothing that differs from run to run.
//!
//! Left out of Rhai: modules, closures, clocks, sleeping, printing, `eval`, and every function that would go to the
//! system's maths library, whose digits depend on the processor; those that are here instead come from `libm`.

use std::sync::Arc;

use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicFnPackage, BasicIteratorPackage, BasicMapPackage, BasicStringPackage,
    LogicPackage, Package,
};
use rhai::{Dynamic, Engine, EvalAltResult, FLOAT, INT, ImmutableString, Position};

use super::work;
use crate::form::build::Names;
use crate::kernel::chance::{Key, Purpose, index, unit};
use crate::kernel::time::{Span, Time};
use crate::routing::{Call, Fleet};
use crate::words::{Ended, Outcome};

/// The result of a function that may fail while a script runs.
type Failing<T> = Result<T, Box<EvalAltResult>>;

/// The names and prices, which do not change while a script runs.
#[derive(Debug)]
pub(super) struct Fixed {
    providers: Vec<ImmutableString>,
    classes: Vec<ImmutableString>,
    /// The prices in dollars for a million tokens of input and of output.
    prices: Vec<Option<(f64, f64)>>,
    outcomes: Vec<ImmutableString>,
    /// The instant from which a script counts time.
    pub(super) origin: Time,
}

impl Fixed {
    pub(super) fn of(names: &Names<'_>) -> Fixed {
        let dollars = |pico: u64| pico as f64 / 1e6;
        let price = |p: usize| names.known.get(p).and_then(|known| known.price);
        Fixed {
            providers: names.providers.iter().map(ImmutableString::from).collect(),
            classes: names.classes.iter().map(ImmutableString::from).collect(),
            prices: (0..names.providers.len())
                .map(|p| price(p).map(|(input, output)| (dollars(input), dollars(output))))
                .collect(),
            outcomes: Outcome::ALL.iter().map(|o| ImmutableString::from(o.name())).collect(),
            origin: names.origin,
        }
    }

    /// The index of the provider of this name.
    pub(super) fn provider(&self, name: &str) -> Option<usize> {
        self.providers.iter().position(|provider| provider == name)
    }

    pub(super) fn name(&self, provider: usize) -> &str {
        &self.providers[provider]
    }
}

/// A script's view of the `request`.
#[derive(Clone, Debug)]
pub(super) struct CallView {
    fixed: Arc<Fixed>,
    class: usize,
    user: INT,
    priority: INT,
    input: INT,
    max_output: Option<u32>,
    attempts: INT,
    last: Option<usize>,
    failure: Outcome,
    rejected: INT,
    hedge: bool,
    attempt: Key,
}

impl CallView {
    pub(super) fn of(call: &Call, fixed: &Arc<Fixed>) -> CallView {
        CallView {
            fixed: Arc::clone(fixed),
            class: call.class,
            user: call.user.into(),
            priority: call.priority.into(),
            input: call.input.into(),
            max_output: call.max_output,
            attempts: call.attempts.into(),
            last: call.last,
            failure: call.failure,
            rejected: call.rejected.into(),
            hedge: call.hedge,
            attempt: call.attempt,
        }
    }

    fn draw(&self, k: INT) -> Failing<u64> {
        match u64::try_from(k) {
            Ok(0) => Ok(self.attempt.draw(Purpose::Route)),
            Ok(k) => Ok(self.attempt.part(k).draw(Purpose::Route)),
            Err(_) => fail(format!("there is no draw {k}: they are counted from 0")),
        }
    }

    fn pick(&self, n: INT, k: INT) -> Failing<INT> {
        match u32::try_from(n) {
            Ok(most @ 1..) => Ok(index(self.draw(k)?, most as usize) as INT),
            _ => fail(format!("there is no number below {n} to pick")),
        }
    }
}

/// The state of a provider, as the client sees it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) open: bool,
    pub(super) in_flight: u32,
    pub(super) in_line: u32,
}

/// The state of all providers that `fleet` shows.
#[derive(Debug)]
pub(super) struct Snapshot {
    fixed: Arc<Fixed>,
    pub(super) now: f64,
    pub(super) each: Vec<Seen>,
}

impl Snapshot {
    pub(super) fn new(fixed: Arc<Fixed>) -> Snapshot {
        Snapshot {
            now: 0.0,
            each: vec![Seen::default(); fixed.providers.len()],
            fixed,
        }
    }

    pub(super) fn look(&mut self, fleet: &Fleet<'_>) {
        self.now = fleet.now().seconds_after(self.fixed.origin);
        for (p, seen) in self.each.iter_mut().enumerate() {
            *seen = Seen {
                open: fleet.is_open_to_calls(p),
                in_flight: fleet.in_flight(p),
                in_line: fleet.in_line(p),
            };
        }
    }
}

/// A script's view of the `fleet`.
#[derive(Clone, Debug)]
pub(super) struct FleetView(pub(super) Arc<Snapshot>);

impl FleetView {
    fn number(&self, i: INT) -> Failing<usize> {
        let among = self.0.each.len();
        match usize::try_from(i) {
            Ok(p) if p < among => Ok(p),
            _ => fail(format!("there is no provider {i}: they are 0 to {}", among - 1)),
        }
    }

    fn seen(&self, i: INT) -> Failing<Seen> {
        Ok(self.0.each[self.number(i)?])
    }

    fn price(&self, i: INT, of: impl Fn((f64, f64)) -> f64) -> Failing<Dynamic> {
        Ok(known(self.0.fixed.prices[self.number(i)?].map(of)))
    }
}

/// A script's view of what `ended`.
#[derive(Clone, Debug)]
pub(super) struct EndedView {
    pub(super) fixed: Arc<Fixed>,
    pub(super) ended: Ended,
}

/// Fails with a run-time error of this message.
pub(super) fn fail<T>(message: String) -> Failing<T> {
    Err(EvalAltResult::ErrorRuntime(message.into(), Position::NONE).into())
}

/// The value for the script; `()` for what is not known.
fn known<T: Into<Dynamic>>(value: Option<T>) -> Dynamic {
    value.map_or(Dynamic::UNIT, Into::into)
}

/// The value of `span` in seconds; `None` for [`Span::FOREVER`].
fn seconds(span: Span) -> Option<f64> {
    (span != Span::FOREVER).then(|| span.seconds())
}

/// The engine that reads and runs scripts.
pub(super) fn engine() -> Engine {
    let mut engine = Engine::new_raw();
    ArithmeticPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicStringPackage::new().register_into_engine(&mut engine);
    BasicIteratorPackage::new().register_into_engine(&mut engine);
    BasicFnPackage::new().register_into_engine(&mut engine);
    BasicArrayPackage::new().register_into_engine(&mut engine);
    BasicMapPackage::new().register_into_engine(&mut engine);
    // `**` of floats goes to the system's maths library.
    for symbol in ["eval", "print", "debug", "**", "**="] {
        engine.disable_symbol(symbol);
    }
    engine
        .set_strict_variables(true)
        .set_max_call_levels(32)
        .set_max_expr_depths(64, 64)
        .set_max_functions(200)
        .set_max_variables(200)
        .set_max_string_size(10_000);
    work::bound(&mut engine);
    maths(&mut engine);
    calls(&mut engine);
    fleets(&mut engine);
    endings(&mut engine);
    engine
}

fn maths(engine: &mut Engine) {
    engine
        .register_fn("sqrt", libm::sqrt)
        .register_fn("exp", libm::exp)
        .register_fn("ln", libm::log)
        .register_fn("pow", libm::pow)
        .register_fn("floor", libm::floor)
        .register_fn("ceil", libm::ceil)
        .register_fn("round", libm::round)
        .register_fn("to_float", |x: INT| x as FLOAT)
        .register_fn("to_float", |x: FLOAT| x)
        .register_fn("to_int", |x: INT| x)
        .register_fn("to_int", |x: FLOAT| -> Failing<INT> {
            if x.is_finite() && x.abs() < 9.2e18 {
                Ok(x as INT)
            } else {
                fail(format!("{x} is not a whole number"))
            }
        });
}

fn calls(engine: &mut Engine) {
    engine
        .register_type_with_name::<CallView>("Request")
        .register_get("class", |c: &mut CallView| c.fixed.classes[c.class].clone())
        .register_get("user", |c: &mut CallView| c.user)
        .register_get("priority", |c: &mut CallView| c.priority)
        .register_get("input", |c: &mut CallView| c.input)
        .register_get("max_output", |c: &mut CallView| known(c.max_output.map(INT::from)))
        .register_get("attempts", |c: &mut CallView| c.attempts)
        .register_get("last", |c: &mut CallView| known(c.last.map(|p| p as INT)))
        .register_get("failure", |c: &mut CallView| {
            let failed = c.failure != Outcome::Success;
            known(failed.then(|| c.fixed.outcomes[c.failure.index()].clone()))
        })
        .register_get("rejected", |c: &mut CallView| c.rejected)
        .register_get("hedge", |c: &mut CallView| c.hedge)
        .register_fn("pick", |c: &mut CallView, n: INT| c.pick(n, 0))
        .register_fn("pick", |c: &mut CallView, n: INT, k: INT| c.pick(n, k))
        .register_fn("unit", |c: &mut CallView| c.draw(0).map(unit))
        .register_fn("unit", |c: &mut CallView, k: INT| c.draw(k).map(unit));
}

fn fleets(engine: &mut Engine) {
    engine
        .register_type_with_name::<FleetView>("Fleet")
        .register_get("now", |f: &mut FleetView| f.0.now)
        .register_fn("len", |f: &mut FleetView| f.0.each.len() as INT)
        .register_fn("name", |f: &mut FleetView, i: INT| -> Failing<ImmutableString> {
            Ok(f.0.fixed.providers[f.number(i)?].clone())
        })
        .register_fn("index", |f: &mut FleetView, name: &str| -> Failing<INT> {
            let found = f.0.fixed.provider(name);
            found.map_or_else(|| fail(format!("there is no provider `{name}`")), |p| Ok(p as INT))
        })
        .register_fn("open", |f: &mut FleetView, i: INT| f.seen(i).map(|s| s.open))
        .register_fn("in_flight", |f: &mut FleetView, i: INT| {
            f.seen(i).map(|s| INT::from(s.in_flight))
        })
        .register_fn("in_line", |f: &mut FleetView, i: INT| {
            f.seen(i).map(|s| INT::from(s.in_line))
        })
        .register_fn("load", |f: &mut FleetView, i: INT| {
            f.seen(i).map(|s| INT::from(s.in_flight) + INT::from(s.in_line))
        })
        .register_fn("input_price", |f: &mut FleetView, i: INT| f.price(i, |price| price.0))
        .register_fn("output_price", |f: &mut FleetView, i: INT| f.price(i, |price| price.1));
}

fn endings(engine: &mut Engine) {
    engine
        .register_type_with_name::<EndedView>("Ended")
        .register_get("now", |e: &mut EndedView| e.ended.now.seconds_after(e.fixed.origin))
        .register_get("provider", |e: &mut EndedView| e.ended.provider as INT)
        .register_get("name", |e: &mut EndedView| e.fixed.providers[e.ended.provider].clone())
        .register_get("outcome", |e: &mut EndedView| {
            e.fixed.outcomes[e.ended.outcome.index()].clone()
        })
        .register_get("ok", |e: &mut EndedView| e.ended.outcome == Outcome::Success)
        .register_get("took", |e: &mut EndedView| e.ended.took.seconds())
        .register_get("first_token", |e: &mut EndedView| known(seconds(e.ended.first_token)))
        .register_get("retry_after", |e: &mut EndedView| {
            known(e.ended.retry_after.and_then(seconds))
        })
        .register_get("input", |e: &mut EndedView| INT::from(e.ended.usage.input))
        .register_get("output", |e: &mut EndedView| INT::from(e.ended.usage.output))
        .register_get("cost", |e: &mut EndedView| e.ended.cost as FLOAT / 1e12)
        .register_get("class", |e: &mut EndedView| {
            e.fixed.classes[usize::from(e.ended.class)].clone()
        })
        .register_get("attempt", |e: &mut EndedView| INT::from(e.ended.attempt))
        .register_get("grade", |e: &mut EndedView| known(e.ended.grade));
}
