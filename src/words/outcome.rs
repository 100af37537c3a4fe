//! How a request, or one attempt at it, can end: what is known of each outcome, and sets of outcomes.
//!
//! [`Outcome::row`] is the one place that says which statuses and error codes an outcome comes with, whose fault it is,
//! whether another try may mend it, what a breaker takes it for and which fault of a provider makes it. Probes, log readers,
//! the mock, fits, retries, breakers and the names in files all read it.

// A match on outcomes that has a wildcard takes a new outcome for whatever stands there.
#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

mod read;
mod table;

pub use read::{outcome_of, outcome_of_words};
pub use table::Outcome;

use table::TABLE;

/// What is known of an outcome.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The outcome that the row is about.
    pub outcome: Outcome,
    /// The name of the outcome in files and reports.
    pub name: &'static str,
    /// The description of the outcome, a sentence that begins with a space.
    pub doc: &'static str,
    /// The HTTP statuses that the outcome comes with.
    pub statuses: Statuses,
    /// `type` and `code` of an error that the mock answers with, in OpenAI's form; none for a success and without a status.
    pub body: Option<(&'static str, Option<&'static str>)>,
    /// Parts of the `code`, `type` or `status` of an error, in lower case, that tell of it.
    pub kinds: &'static [&'static str],
    /// Parts of an error's message, in lower case, that tell of it where there is neither status nor code.
    pub words: &'static [&'static str],
    /// The party at fault: what has to change so that it does not happen again.
    pub blame: Blame,
    /// Whether another try may mend the failure.
    pub retryable: bool,
    /// What a breaker takes the outcome for.
    pub seen: Seen,
    /// The name of the fault in `random` that makes it, if there is one.
    pub fault: Option<&'static str>,
    /// Whether a request that ends so never got the answer that it was owed, so that a latency judged over all requests takes it for
    /// endless: what the provider or the gateway did. What the caller asked for and no one can answer (a bad request, too long,
    /// filtered) and copies that were called off stand apart.
    pub endless: bool,
}

/// The HTTP statuses that an outcome comes with. The first one is what the mock answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statuses {
    /// No status: there was no answer, or not yet.
    Never,
    /// Statuses each of which means this outcome, unless the error says otherwise.
    Of(&'static [u16]),
    /// Statuses each of which means this outcome only if the error says so.
    Said(&'static [u16]),
}

/// The party at fault for an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// No party: an answer, or a copy that was not needed any more.
    None,
    /// The provider, or the network on the way to it.
    Provider,
    /// The caller: what it asks, how often, or with which key.
    Caller,
    /// The client or gateway itself: it gave up, or did not send anything.
    Client,
}

/// What a breaker takes an outcome for, before its own list of failures is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The provider works.
    Success,
    /// The provider does not work.
    Failure,
    /// The provider works, and the caller's quota is used up.
    RateLimit,
    /// The provider works, and refuses this request for what it is.
    Refusal,
    /// The outcome says nothing of the provider, and is not counted.
    Nothing,
}

impl Outcome {
    /// The row of the outcome in the table.
    #[inline]
    pub const fn row(self) -> &'static Row {
        &TABLE[self.index()]
    }

    /// The index of the outcome in tables of counts.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name of the outcome in files and reports.
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// The outcome of this name.
    pub fn by_name(name: &str) -> Option<Outcome> {
        Outcome::ALL.into_iter().find(|o| o.name() == name)
    }

    /// The HTTP status that the outcome comes with, if it comes with one.
    pub const fn status(self) -> Option<u16> {
        match self.row().statuses {
            Statuses::Of(statuses) | Statuses::Said(statuses) => Some(statuses[0]),
            Statuses::Never => None,
        }
    }

    /// What a breaker takes the outcome for.
    #[inline]
    pub const fn seen(self) -> Seen {
        self.row().seen
    }

    /// Whether the provider is to blame as a breaker sees it: a 5xx or 408, a connection lost, an answer broken off, or no
    /// answer within the timeouts of an attempt. A 429 is not: it tells of the caller's quota. Nor is the timeout of the
    /// whole request, which may have been used up in the client: a breaker that is to see hangs needs a timeout of the
    /// attempt or of its first token.
    #[inline]
    pub const fn is_provider_failure(self) -> bool {
        Outcomes::PROVIDER_FAILURES.contains(self)
    }
}

/// A set of outcomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcomes(u64);

const _: () = assert!(Outcome::COUNT <= 64, "a set of outcomes has a bit for each");

impl Outcomes {
    /// The empty set.
    pub const NONE: Outcomes = Outcomes(0);

    /// What a provider answers with a 5xx.
    pub const SERVER_ERRORS: Outcomes = Outcomes::with_status(500, 599);

    /// What a provider answers with a 4xx, 408 and 429 included.
    pub const CLIENT_ERRORS: Outcomes = Outcomes::with_status(400, 499);

    /// The timeouts of one attempt: the client has given up waiting.
    pub const TIMEOUTS: Outcomes = Outcomes::of(&[
        Outcome::TimeoutConnect,
        Outcome::TimeoutTtft,
        Outcome::TimeoutIdle,
        Outcome::TimeoutAttempt,
    ]);

    /// The failures of a provider: outcomes for which [`Outcome::is_provider_failure`] holds.
    pub const PROVIDER_FAILURES: Outcomes = Outcomes::seen_as(&[Seen::Failure]);

    /// What says nothing of the provider: the client ended it, or never sent it.
    pub const NOT_COUNTED: Outcomes = Outcomes::seen_as(&[Seen::Nothing]);

    /// What passes by itself: a provider's failures and its rate limit. What most breakers take for failures.
    pub const TRANSIENT: Outcomes = Outcomes::seen_as(&[Seen::Failure, Seen::RateLimit]);

    /// Every failure that an attempt can come back with, refusals of what the request says included.
    pub const ANY_FAILURE: Outcomes = Outcomes::seen_as(&[Seen::Failure, Seen::RateLimit, Seen::Refusal]);

    /// What another try may mend: what is transient, and a conflict (409).
    pub const RETRYABLE: Outcomes = Outcomes::retryable();

    /// The set of the given outcomes.
    pub const fn of(outcomes: &[Outcome]) -> Outcomes {
        let mut bits = 0;
        let mut i = 0;
        while i < outcomes.len() {
            bits |= 1 << outcomes[i].index();
            i += 1;
        }
        Outcomes(bits)
    }

    /// The outcomes that a breaker takes for one of these.
    const fn seen_as(seen: &[Seen]) -> Outcomes {
        let mut set = Outcomes::NONE;
        let mut i = 0;
        while i < Outcome::COUNT {
            let mut j = 0;
            while j < seen.len() {
                if TABLE[i].seen as u8 == seen[j] as u8 {
                    set = set.and(Outcomes::of(&[TABLE[i].outcome]));
                }
                j += 1;
            }
            i += 1;
        }
        set
    }

    /// The outcomes that come with a status from `least` to `most`.
    const fn with_status(least: u16, most: u16) -> Outcomes {
        let mut set = Outcomes::NONE;
        let mut i = 0;
        while i < Outcome::COUNT {
            if let Some(status) = TABLE[i].outcome.status()
                && least <= status
                && status <= most
            {
                set = set.and(Outcomes::of(&[TABLE[i].outcome]));
            }
            i += 1;
        }
        set
    }

    /// The outcomes that another try may mend.
    const fn retryable() -> Outcomes {
        let mut set = Outcomes::NONE;
        let mut i = 0;
        while i < Outcome::COUNT {
            if TABLE[i].retryable {
                set = set.and(Outcomes::of(&[TABLE[i].outcome]));
            }
            i += 1;
        }
        set
    }

    /// The union of both sets.
    #[must_use]
    pub const fn and(self, other: Outcomes) -> Outcomes {
        Outcomes(self.0 | other.0)
    }

    /// This set without `other`.
    #[must_use]
    pub const fn without(self, other: Outcomes) -> Outcomes {
        Outcomes(self.0 & !other.0)
    }

    /// Whether `outcome` is in the set.
    #[inline]
    pub const fn contains(self, outcome: Outcome) -> bool {
        self.0 & (1 << outcome.index()) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(set: Outcomes) -> String {
        let members: Vec<&str> = Outcome::ALL
            .into_iter()
            .filter(|&o| set.contains(o))
            .map(Outcome::name)
            .collect();
        members.join(" ")
    }

    #[test]
    fn the_table_is_in_order_and_names_are_those_of_files() {
        for (i, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome.index(), i);
            assert_eq!(outcome.row().outcome, outcome);
            assert_eq!(Outcome::by_name(outcome.name()), Some(outcome));
            assert_eq!(
                serde_json::to_string(&outcome).unwrap(),
                format!("\"{}\"", outcome.name())
            );
            assert!(outcome.row().doc.split_whitespace().count() >= 3, "{outcome:?}");
        }
    }

    /// What follows from one column in another.
    #[test]
    fn the_columns_of_a_row_agree() {
        for row in Outcome::ALL.map(Outcome::row) {
            let it = row.outcome;
            let answers = row.outcome.status().is_some_and(|s| s != 200);
            assert_eq!(row.body.is_some(), answers, "{it:?}");
            assert!(
                row.kinds.is_empty() || answers,
                "{it:?} is read from an answer, and has none"
            );
            let blame = match row.seen {
                Seen::Success => Blame::None,
                Seen::Failure => Blame::Provider,
                Seen::RateLimit | Seen::Refusal => Blame::Caller,
                Seen::Nothing if it == Outcome::Cancelled => Blame::None,
                Seen::Nothing => Blame::Client,
            };
            assert_eq!(row.blame, blame, "{it:?}");
            // What the client has given up itself is not tried again.
            assert!(!row.retryable || row.seen != Seen::Nothing, "{it:?}");
            let lower = |text: &&str| text.to_lowercase() == **text;
            assert!(row.kinds.iter().all(lower) && row.words.iter().all(lower), "{it:?}");
        }
    }

    /// A status that means an outcome by itself means one only.
    #[test]
    fn a_status_means_one_outcome() {
        let mut of: Vec<u16> = Vec::new();
        for row in Outcome::ALL.map(Outcome::row) {
            if let Statuses::Of(statuses) = row.statuses {
                of.extend(statuses);
            }
        }
        let all = of.len();
        of.sort_unstable();
        of.dedup();
        assert_eq!(of.len(), all);
    }

    #[test]
    fn sets_are_what_their_names_say() {
        insta::assert_snapshot!(names(Outcomes::SERVER_ERRORS), @"server_error bad_gateway unavailable gateway_timeout overloaded");
        insta::assert_snapshot!(names(Outcomes::CLIENT_ERRORS), @"rate_limited request_timeout context_exceeded content_filtered unauthorized payment_required forbidden not_found conflict payload_too_large unprocessable bad_request");
        insta::assert_snapshot!(names(Outcomes::PROVIDER_FAILURES), @"server_error bad_gateway unavailable gateway_timeout overloaded request_timeout connection_error truncated timeout_connect timeout_ttft timeout_idle timeout_attempt");
        let rate_limit = Outcomes::of(&[Outcome::RateLimited]);
        assert_eq!(Outcomes::TRANSIENT, Outcomes::PROVIDER_FAILURES.and(rate_limit));
        assert_eq!(
            Outcomes::RETRYABLE,
            Outcomes::TRANSIENT.and(Outcomes::of(&[Outcome::Conflict]))
        );
        let refusals = Outcomes::ANY_FAILURE.without(Outcomes::TRANSIENT);
        insta::assert_snapshot!(names(refusals), @"context_exceeded content_filtered unauthorized payment_required forbidden not_found conflict payload_too_large unprocessable bad_request");
    }
}
