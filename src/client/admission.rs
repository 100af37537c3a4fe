//! Admission control: which request may go now, which waits and where, and which is turned away.

mod each;
mod one_bucket;
mod poll;
mod queue;
mod window_poll;

pub use each::Each;
pub use one_bucket::OneBucket;
pub use poll::Poll;
pub use queue::Queue;
pub use window_poll::WindowPoll;

use crate::form::own::Own;
use crate::form::registry::registry;
use std::fmt;

use crate::form::build::{Built, Names};
use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};
use crate::words::Ask;

use super::gate::Gate;
use super::identity::Whose;

/// An admission discipline, as it runs. It holds slots of requests and never sees what is behind them.
pub trait Admission: fmt::Debug + Send + Sync {
    /// Decides on the request in `slot`, which asks to be let in: on arrival, and again after an [`Offer::Sleep`].
    fn offer(&mut self, now: Time, slot: u32, ask: &Ask, gate: &mut Gate) -> Offer;

    /// The next waiting request that may go now. Called after every change, until no request may go.
    fn next(&mut self, now: Time, gate: &mut Gate) -> Next;

    /// The request in `slot` has waited too long and has left.
    fn remove(&mut self, slot: u32);

    /// The number of requests that wait in line.
    fn waiting(&self) -> usize;

    /// The most requests that may wait, if there is a bound.
    fn capacity(&self) -> Option<usize>;

    /// The longest time that a request may wait before it is given up.
    fn max_wait(&self) -> Span;

    /// What it tells apart, if each identity has a line that can be full.
    fn tells_apart(&self) -> Option<&Whose> {
        None
    }

    /// A copy in its initial state, for one replication. `own` is the randomness of its own choices.
    fn fresh(&self, own: Key) -> Box<dyn Admission>;
}

/// The answer to a request that asks to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// The request may go; the gate has counted it.
    Enter,
    /// The request waits in the queue.
    Wait,
    /// The request waits in the queue in place of the one in this slot, which is turned away.
    WaitInsteadOf(u32),
    /// The request is to ask again at this time.
    Sleep(Time),
    /// The request may go at this time without asking again; the gate has counted it.
    EnterAt(Time),
    /// The request is turned away.
    Shed,
    /// The request is turned away because a limiter refuses it.
    Rejected,
}

/// The waiting request that the queue lets go, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The request in this slot; the gate has counted it.
    Enter(u32),
    /// The request in this slot is turned away and no longer waits.
    Shed(u32),
    /// The request in this slot is turned away because a limiter refuses it; it no longer waits.
    Rejected(u32),
    /// No request may go before this time.
    Until(Time),
    /// No request may go until a limiter hears that a request inside has ended.
    Held,
    /// No request may go until something else happens.
    NoRequest,
}

/// The parameters of an admission discipline, as the file gives them.
pub trait BuildAdmission {
    /// Checks the parameters and makes the discipline.
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Admission>>;
}

impl BuildAdmission for Own {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Admission>> {
        self.make("admission", names)
    }
}

registry! {
    /// The admission discipline, by which requests are let in.
    pub enum AdmissionSpec as BuildAdmission, kind admission in "admission/" of Box<dyn Admission> {
        queue => Queue,
        poll => Poll,
        one_bucket => OneBucket,
        window_poll => WindowPoll,
        each => Each,
        own in "../form/own.rs" => Own,
    }
}

impl Default for AdmissionSpec {
    /// The default discipline: a queue with its defaults.
    fn default() -> Self {
        AdmissionSpec::queue(Queue::default())
    }
}
