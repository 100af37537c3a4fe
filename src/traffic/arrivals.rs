//! When requests come.

mod gamma;
mod poisson;
mod regular;
mod replay;

pub use gamma::Gamma;
pub use poisson::Poisson;
pub use regular::Regular;
pub use replay::{Replay, Row};

use crate::form::registry::registry;
use std::fmt;
use std::sync::Arc;

use crate::form::build::Built;
use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};

/// An arrival process, as it runs.
pub trait Arrivals: fmt::Debug + Send + Sync {
    /// The next arrival, never before the last; `None` when there are no more. `key` is that request's randomness.
    fn next(&mut self, key: Key) -> Option<Arrival>;

    /// A copy in its initial state, for one replication.
    fn fresh(&self) -> Box<dyn Arrivals>;
}

/// One arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When.
    pub at: Time,
    /// Input and output tokens, if the process knows them (a replayed trace does).
    pub tokens: Option<(u32, u32)>,
}

/// What the file says of an arrival process.
pub trait BuildArrivals {
    /// Checks the parameters and makes the process. `trace` holds the rows of the trace that [`BuildArrivals::trace`]
    /// names.
    fn build(&self, trace: Option<Arc<[Row]>>) -> Built<Box<dyn Arrivals>>;

    /// Mean arrivals a second, where the parameters say so.
    fn rate(&self) -> Option<f64>;

    /// The trace it replays, as the file names it.
    fn trace(&self) -> Option<&str> {
        None
    }
}

registry! {
    /// An arrival process.
    pub enum ArrivalsSpec as BuildArrivals {
        poisson => Poisson,
        regular => Regular,
        gamma => Gamma,
        replay => Replay,
    }
}

/// A renewal process: independent gaps of one law, in nanoseconds.
#[derive(Clone, Debug)]
struct Renewal {
    gap: crate::kernel::sampler::Sampler,
    now: Time,
}

impl Arrivals for Renewal {
    #[inline]
    fn next(&mut self, key: Key) -> Option<Arrival> {
        let gap = self.gap.draw(key, crate::kernel::chance::Purpose::Gap);
        self.now += Span::from_nanos((gap + 0.5) as u64);
        Some(Arrival {
            at: self.now,
            tokens: None,
        })
    }

    fn fresh(&self) -> Box<dyn Arrivals> {
        Box::new(self.clone())
    }
}
