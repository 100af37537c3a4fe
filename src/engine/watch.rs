//! What a watcher is told of a replication, if there is one: each change in the state of a request, when it happens.
//!
//! A watcher changes nothing: it draws nothing, and the engine asks it nothing but whether it watches breakers. A replication that is
//! run again under its seed with a watcher takes the course that it took without ([`super::run::run_watched`]), so the story of a request need
//! not be kept while thousands of others are simulated. Without a watcher each of these places costs one look at a pointer.
//!
//! A request is named by its slot, which is its own from [`What::Arrived`] to [`What::Ended`] and another's afterwards; an attempt
//! by its number among those of its request. A hedge that a connection pool refuses gives its number back, so that a number may come
//! twice: the later one is then the one that goes on.

use std::fmt;

use crate::engine::tally::Hit;
use crate::kernel::time::{Span, Time};
use crate::provider::endpoint::Answer;
use crate::routing::{Call, Fleet, Grounds};
use crate::words::{Ask, Ended, Outcome};

/// What looks on while a replication runs.
pub trait Watch: fmt::Debug {
    /// Something happens at `now` to the request in `slot`.
    fn note(&mut self, now: Time, slot: u32, what: &What);

    /// A provider is to be chosen for the next attempt at the request in `slot`.
    fn choose(&mut self, _slot: u32, _choice: &Choice<'_>) {}

    /// Whether to be told of breakers ([`Watch::breaker`]). It is asked once.
    fn watches_breakers(&self) -> bool {
        false
    }

    /// Told of the breaker of every provider whenever one may have changed: after the end of each attempt.
    fn breaker(&mut self, _now: Time, _seen: &Seen) {}
}

/// What happens to a request.
#[derive(Clone, Copy, Debug)]
pub enum What {
    /// It has arrived.
    Arrived(Arrival),
    /// The response cache has an answer for it, which it is given after a time.
    Found {
        /// How long until it has the answer.
        after: Span,
        /// What it is.
        hit: Hit,
    },
    /// The response cache has nothing for it.
    Missed {
        /// How long the lookup takes, before it goes on.
        after: Span,
    },
    /// It sleeps before the gate, or inside it, and comes back by itself.
    Asleep(Held),
    /// It stands in the admission queue.
    Queued {
        /// How many stand there, it among them.
        queued: usize,
    },
    /// What is for each identity turns it away: its identity is over a limit.
    Limited {
        /// The number of the rule among [`crate::client::identity::Rules`].
        rule: u16,
        /// The number of the identity.
        identity: u32,
    },
    /// It has been let in, and is routed.
    LetIn,
    /// An attempt stands in line for a connection.
    InLine(Sending),
    /// An attempt was turned away: no connection is free, and the line is full or there is none.
    Refused(Sending),
    /// An attempt with a connection has gone to its provider.
    Sent(Sending, Fate),
    /// An attempt has left the line without a connection.
    LeftLine {
        /// The attempt's number.
        number: u32,
        /// What its wait came to.
        outcome: Outcome,
    },
    /// An attempt that had a connection is over, and billed.
    Closed(Ended),
    /// A try has failed, and the request tries again after a wait.
    TriesAgain {
        /// How the try failed.
        outcome: Outcome,
        /// How long it waits.
        after: Span,
        /// Whether it stays at the provider that failed.
        same: bool,
    },
    /// A budget of retries is spent, and denies the try that would have followed.
    Denied,
    /// A try has failed, and no other follows at this group of providers.
    GivesUp {
        /// How the try failed.
        outcome: Outcome,
        /// How long until the caller learns of it.
        after: Span,
    },
    /// It goes to the next group of providers, of this number.
    FallsBack(u8),
    /// The policy sends it elsewhere, now that its tries have failed.
    Detour,
    /// A judge looks at its answer.
    Looked {
        /// How long that takes.
        looks: Span,
        /// Pico-dollars that it costs.
        cost: u64,
    },
    /// The judge has turned its answer down: it is routed again.
    TurnedDown,
    /// It is over.
    Ended(Ending),
}

/// A request that arrives.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// What is asked, as it is sent.
    pub ask: Ask,
    /// Input tokens before what is too long was cut off.
    pub whole_input: u32,
    /// When its total timeout strikes.
    pub deadline: Time,
    /// The gateway at which it arrives, by number.
    pub gateway: u16,
    /// Whether it is the mirrored copy of another request.
    pub shadow: bool,
}

/// What holds a request back while it sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// A budget is spent: it asks again when the next window begins.
    Budget,
    /// A limiter says when to ask again.
    Limiter,
    /// It is let in, and paced: it goes at a time that is set already.
    Pace,
}

/// An attempt on its way.
#[derive(Clone, Copy, Debug)]
pub struct Sending {
    /// The attempt's number among those of its request.
    pub number: u32,
    /// The provider of the attempt, by number.
    pub provider: usize,
    /// Whether it is a further copy of a request under way.
    pub hedge: bool,
}

/// What is decided about an attempt when it reaches its provider.
#[derive(Clone, Copy, Debug)]
pub struct Fate {
    /// How it would end if the caller never hung up.
    pub answer: Answer,
    /// How long it waits in the provider's own queue; part of `answer.first_token`.
    pub wait: Span,
    /// Whether one of the provider's faults struck it.
    pub faulty: bool,
}

/// A request that is over.
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    /// What was asked.
    pub ask: Ask,
    /// When it arrived.
    pub arrived: Time,
    /// How it ended.
    pub outcome: Outcome,
    /// From its arrival to the first token, if it succeeded.
    pub ttft: Span,
    /// The time in the client's lines and asleep, as wait time counts it.
    pub waited: Span,
    /// Pico-dollars for all that was done for it.
    pub cost: u64,
    /// Whether it was the mirrored copy of another request.
    pub shadow: bool,
}

/// The choice of a provider.
#[derive(Debug)]
pub struct Choice<'a> {
    /// What is known of the request.
    pub call: &'a Call,
    /// The providers as the policy sees them, before the attempt is sent.
    pub fleet: &'a Fleet<'a>,
    /// What the policy said that it goes by.
    pub grounds: &'a Grounds,
    /// The provider that is chosen, and by what; nothing if none can take it.
    pub chosen: Option<(usize, By)>,
}

/// What names a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The retry rule: it stays where it was.
    Retry,
    /// The name of the policy.
    Policy,
    /// The order of its fallback group, since the policy takes none.
    Group,
    /// A budget that is spent and says where everything goes.
    Budget,
}

/// The breaker of one provider at one gateway.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// The gateway, by number.
    pub gateway: usize,
    /// The provider, by number.
    pub provider: usize,
    /// How often it has opened.
    pub trips: u64,
    /// How long it has been open so far.
    pub open_for: Span,
    /// Whether it is open.
    pub is_open: bool,
    /// Whether it is closed and stays so until an attempt ends; not every breaker says.
    pub is_closed: bool,
}

/// Two watchers of one replication.
#[derive(Debug)]
pub struct Both<'a>(pub &'a mut dyn Watch, pub &'a mut dyn Watch);

impl Watch for Both<'_> {
    fn note(&mut self, now: Time, slot: u32, what: &What) {
        self.0.note(now, slot, what);
        self.1.note(now, slot, what);
    }

    fn choose(&mut self, slot: u32, choice: &Choice<'_>) {
        self.0.choose(slot, choice);
        self.1.choose(slot, choice);
    }

    fn watches_breakers(&self) -> bool {
        self.0.watches_breakers() || self.1.watches_breakers()
    }

    fn breaker(&mut self, now: Time, seen: &Seen) {
        self.0.breaker(now, seen);
        self.1.breaker(now, seen);
    }
}
