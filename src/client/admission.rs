//! The way in: who may go now, who waits where, and who is turned away.

mod one_bucket;
mod poll;
mod queue;
mod window_poll;

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

/// An admission discipline, as it runs. It holds slots of requests and never sees what is behind them.
pub trait Admission: fmt::Debug + Send + Sync {
    /// The request in `slot` asks to be let in: on arrival, and again after a [`Offer::Sleep`].
    fn offer(&mut self, now: Time, slot: u32, ask: &Ask, gate: &mut Gate) -> Offer;

    /// Who of the waiting may go now. Asked again and again until it is nobody, whenever something has changed.
    fn next(&mut self, now: Time, gate: &mut Gate) -> Next;

    /// The request in `slot` has waited too long and is gone.
    fn remove(&mut self, slot: u32);

    /// How many wait.
    fn waiting(&self) -> usize;

    /// The most that may wait, if there is a bound.
    fn capacity(&self) -> Option<usize>;

    /// How long a request may wait before it is given up.
    fn max_wait(&self) -> Span;

    /// A copy in its initial state, for one replication. `own` is the randomness of its own choices.
    fn fresh(&self, own: Key) -> Box<dyn Admission>;
}

/// The answer to a request that asks to be let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It may go; the gate has counted it.
    Enter,
    /// It waits in the queue.
    Wait,
    /// It waits in the queue in place of the request in this slot, which is turned away.
    WaitInsteadOf(u32),
    /// It is to ask again at this time.
    Sleep(Time),
    /// It may go at this time without asking again; the gate has counted it.
    EnterAt(Time),
    /// It is turned away.
    Shed,
    /// It is turned away because a limiter would have it so.
    Rejected,
}

/// Whom the queue lets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The request in this slot; the gate has counted it.
    Enter(u32),
    /// The request in this slot is turned away and no longer waits.
    Shed(u32),
    /// So is this one, because a limiter would have it so.
    Rejected(u32),
    /// Nobody before this time.
    Until(Time),
    /// Nobody until a limiter hears that somebody inside is done.
    Held,
    /// Nobody until something else happens.
    Nobody,
}

/// What the file says of an admission discipline.
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
    /// How requests are let in.
    pub enum AdmissionSpec as BuildAdmission, kind admission in "admission/" of Box<dyn Admission> {
        queue => Queue,
        poll => Poll,
        one_bucket => OneBucket,
        window_poll => WindowPoll,
        own in "../form/own.rs" => Own,
    }
}

impl Default for AdmissionSpec {
    /// A queue with its defaults.
    fn default() -> Self {
        AdmissionSpec::queue(Queue::default())
    }
}
