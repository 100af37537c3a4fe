//! The common part of all readers: a log that is assembled row by row, rows left out and counted by reason, and the
//! mapping from an error's words to an [`Outcome`].
//!
//! Where a file does not say how many requests were in flight but has the start and the end of each, they are counted.

use crate::stats::sorting;
use std::collections::BTreeMap;

use super::zone::utc;
use super::{Mistake, sampled};
use crate::calibrate::log::{Log, Observation, Stage, Timing, Totals};
use crate::import::trace::instant;
use crate::provider::pricing::PerToken;
use crate::report::format::span;
use crate::words::{Outcome, Outcomes, outcome_of, outcome_of_words};

/// The name of the target in a log that does not name one.
pub(super) const ENDPOINT: &str = "endpoint";

/// An observation of which only the outcome is known.
pub(crate) fn observed(target: u16, outcome: Outcome) -> Observation {
    Observation {
        target,
        at: None,
        unix: None,
        dispatch: None,
        step: 0,
        in_flight: None,
        input: None,
        cached: None,
        output: None,
        reasoning: None,
        chunks: None,
        ttft: Timing::Unknown,
        tpot: None,
        e2e: Timing::Unknown,
        outcome,
        retry_after: None,
        quotas: None,
    }
}

/// A log that is being assembled.
#[derive(Debug, Default)]
pub(super) struct Gather {
    log: Log,
    counted: BTreeMap<String, u64>,
}

impl Gather {
    /// The index of the target of this name.
    pub(super) fn target(&mut self, name: &str) -> Result<u16, Mistake> {
        let place = match self.log.targets.iter().position(|t| t == name) {
            Some(place) => place,
            None => {
                self.log.targets.push(name.to_owned());
                self.log.targets.len() - 1
            }
        };
        u16::try_from(place).map_err(|_| Mistake::new("", "more than 65,536 targets"))
    }

    /// Sets the prices of a target; the last ones set hold.
    pub(super) fn price(&mut self, target: &str, prices: PerToken) {
        if self.log.set_prices(target, prices) {
            self.note(format!(
                "{target}: its prices changed between runs: those of the last are taken"
            ));
        }
    }

    /// Says what a target is.
    pub(super) fn endpoint(&mut self, target: &str, endpoint: &str) {
        self.log.endpoints.insert(target.to_owned(), endpoint.to_owned());
    }

    /// Counts a request that a gateway's response cache answered.
    pub(super) fn cache_hit(&mut self, target: &str) {
        *self.log.cache_hits.entry(target.to_owned()).or_default() += 1;
    }

    /// Adds a request.
    pub(super) fn push(&mut self, observation: Observation) {
        self.log.observations.push(observation);
    }

    /// Adds a warm-up request.
    pub(super) fn warmup(&mut self, observation: Observation) {
        self.log.warmups.push(observation);
    }

    /// Adds a summary.
    pub(super) fn stage(&mut self, stage: Stage) {
        self.log.stages.push(stage);
    }

    /// Adds the requests of one step, of which the file keeps a sample if there were more by its totals.
    pub(super) fn step(&mut self, mut observations: Vec<Observation>, totals: Totals) {
        sampled::weigh(&mut observations, totals, &mut self.log);
        self.log.observations.append(&mut observations);
    }

    /// Counts one more row to which something happened, for a note such as "rows left out: no start time".
    pub(super) fn count(&mut self, what: impl Into<String>) {
        *self.counted.entry(what.into()).or_default() += 1;
    }

    /// Adds a note on the file as a whole.
    pub(super) fn note(&mut self, what: impl Into<String>) {
        self.log.notes.push(what.into());
    }

    /// Notes the longest time without a request, if it is far beyond what chance leaves between requests: for n of them, spread
    /// evenly, one gap in a million logs is ln n + 14 times the mean one.
    pub(super) fn note_gaps(&mut self) {
        const CHANCE: f64 = 14.0;
        let mut times: Vec<f64> = self.log.observations.iter().filter_map(|o| o.unix).collect();
        times.sort_by(f64::total_cmp);
        let mut gaps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let longest = gaps.iter().copied().enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        gaps.sort_by(f64::total_cmp);
        let (Some(median), Some((place, longest))) = (gaps.get(gaps.len() / 2), longest) else {
            return;
        };
        let usual = median / std::f64::consts::LN_2 * (libm::log(gaps.len() as f64) + CHANCE);
        if gaps.len() >= 20 && longest > usual.max(60.0) {
            self.note(format!(
                "no request for {}, from {} on: a gap in the log, or in the traffic",
                span(longest),
                utc(times[place])
            ));
        }
    }

    /// Completes the log: times from the first, in order of time if all have one, requests in flight counted.
    pub(super) fn finish(mut self) -> Log {
        let observations = &mut self.log.observations;
        let first = observations.iter().filter_map(|o| o.at).fold(f64::INFINITY, f64::min);
        for observation in observations.iter_mut().chain(&mut self.log.warmups) {
            observation.at = observation.at.map(|at| at - first);
        }
        if observations.iter().all(|o| o.at.is_some()) {
            sorting::by(observations, |a, b| a.at.unwrap_or(0.0).total_cmp(&b.at.unwrap_or(0.0)));
        }
        for target in 0..self.log.targets.len() {
            count_in_flight(observations, target as u16);
        }
        let counted = self.counted.into_iter();
        self.log.notes.extend(counted.map(|(what, n)| format!("{n} {what}")));
        self.log
    }
}

/// Counts the requests of the target under way when each was sent, if the file has the start of all and the end of all
/// that succeeded. A failure without a recorded end counts as instantaneous: most are refusals.
fn count_in_flight(observations: &mut [Observation], target: u16) {
    let span = |o: &Observation| {
        let sent = o.at? + o.dispatch.unwrap_or(0.0);
        match o.e2e {
            Timing::Seen(s) | Timing::AtLeast(s) => Some((sent, sent + s)),
            Timing::Unknown if o.outcome != Outcome::Success => Some((sent, sent)),
            Timing::Unknown => None,
        }
    };
    let of_target = observations.iter().filter(|o| o.target == target);
    let spans: Option<Vec<(f64, f64)>> = of_target.map(|o| span(o).filter(|_| o.in_flight.is_none())).collect();
    let Some(spans) = spans else { return };
    let (mut starts, mut ends): (Vec<f64>, Vec<f64>) = spans.iter().copied().unzip();
    starts.sort_by(f64::total_cmp);
    ends.sort_by(f64::total_cmp);
    let of_target = observations.iter_mut().filter(|o| o.target == target);
    for (observation, (sent, end)) in of_target.zip(spans) {
        let begun = starts.partition_point(|&s| s <= sent);
        // A request that takes no time has ended by its own start and is in flight all the same.
        let ended = ends.partition_point(|&e| e <= sent) - usize::from(end <= sent);
        observation.in_flight = u32::try_from(begun - ended).ok();
    }
}

/// A date with a time of day, in seconds since 1970: "2026-01-31 12:00:00.25", with `T`, with `Z` or an offset; UTC
/// without.
pub(super) fn clock(text: &str) -> Option<f64> {
    text.split_once([' ', 'T'])?;
    // In two parts: nanoseconds since 1970 do not fit a float.
    let second = 1_000_000_000;
    instant(text).map(|t| t.div_euclid(second) as f64 + t.rem_euclid(second) as f64 / 1e9)
}

/// A number of seconds, if it is a valid duration.
pub(super) fn seconds(x: Option<f64>) -> Option<f64> {
    x.filter(|s| s.is_finite() && *s >= 0.0)
}

/// A duration that was seen to its end (see [`seconds`]).
pub(super) fn seen(x: Option<f64>) -> Timing {
    seconds(x).map_or(Timing::Unknown, Timing::Seen)
}

/// A number of tokens, if it is valid: tools write them as floats too.
pub(super) fn tokens(x: Option<f64>) -> Option<u32> {
    x.filter(|n| (0.0..=f64::from(u32::MAX)).contains(n))
        .map(|n| n.round() as u32)
}

/// Time per output token after the first, in seconds.
pub(super) fn tpot(ttft: Timing, e2e: Timing, output: Option<u32>) -> Option<f64> {
    let (ttft, e2e) = (ttft.seen()?, e2e.seen()?);
    let rest = output?.checked_sub(1).filter(|n| *n > 0)?;
    seconds(Some((e2e - ttft) / f64::from(rest)))
}

/// Answers a second while they came: a test lasts until the last of its `n` requests is back, longer than the sending
/// by the time of one request. Otherwise a test of a minute whose answers take two seconds would seem to fall behind.
pub(super) fn answered_rate(n: f64, lasted: Option<f64>, mean: Option<f64>) -> Option<f64> {
    let rate = n / (lasted? - mean?);
    Some(rate).filter(|r| r.is_finite() && *r > 0.0)
}

/// Turns the times of a request that was cut short into lower bounds.
pub(super) fn censor(observation: &mut Observation) {
    const CUT: Outcomes = Outcomes::TIMEOUTS.and(Outcomes::of(&[Outcome::TimeoutTotal, Outcome::Cancelled]));
    if let (true, Timing::Seen(waited)) = (CUT.contains(observation.outcome), observation.e2e) {
        observation.e2e = Timing::AtLeast(waited);
        if observation.ttft == Timing::Unknown {
            observation.ttft = Timing::AtLeast(waited);
        }
    }
}

/// The outcome that a status and the words of an error tell of, as a probe would read them ([`outcome_of`]). No status and no
/// words are a success; a number that is not the status of an answer counts for none.
pub(super) fn outcome(status: Option<u16>, words: &str) -> Outcome {
    match status {
        Some(200..=299) if words.is_empty() => Outcome::Success,
        Some(status @ 300..=599) => outcome_of(Some(status), "", words),
        Some(_) | None => outcome_of_words(words),
    }
}

/// The status between `before` and whatever follows its three digits, in the words of an error.
pub(super) fn status_after(words: &str, before: &str) -> Option<u16> {
    let (_, rest) = words.split_once(before)?;
    let (digits, rest) = rest.split_at_checked(3)?;
    let ends = !rest.starts_with(|c: char| c.is_ascii_digit());
    digits
        .parse()
        .ok()
        .filter(|status| ends && (100..=599).contains(status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::answer::error_of_body;

    #[test]
    fn requests_in_flight_are_counted_from_starts_and_ends() {
        let mut gather = Gather::default();
        gather.target("a").unwrap();
        for (at, e2e) in [(10.0, 5.0), (11.0, 1.0), (12.0, 4.0), (13.0, 0.0), (20.0, 1.0)] {
            let mut o = observed(0, Outcome::Success);
            (o.at, o.e2e) = (Some(at), Timing::Seen(e2e));
            gather.push(o);
        }
        let log = gather.finish();
        let counts: Vec<_> = log.observations.iter().map(|o| o.in_flight.unwrap()).collect();
        // At 12 the second has just ended; at 13 one that takes no time sees the first, the third and itself.
        assert_eq!(counts, [1, 2, 2, 3, 1]);
        assert_eq!(log.observations[4].at, Some(10.0));
    }

    /// One request a second, and none for an hour after the fiftieth.
    #[test]
    fn a_gap_is_said_with_its_place() {
        let of = |gap: f64| {
            let mut gather = Gather::default();
            for i in 0..100 {
                let mut o = observed(0, Outcome::Success);
                o.unix = Some(1_761_436_800.0 + f64::from(i) + if i < 50 { 0.0 } else { gap });
                gather.push(o);
            }
            gather.note_gaps();
            gather.finish().notes
        };
        assert_eq!(of(10.0), [""; 0]);
        let told = of(3_600.0);
        assert!(
            told[0].starts_with("no request for ") && told[0].contains("from 2025-10-26T00:00:49Z on"),
            "{told:?}"
        );
    }

    #[test]
    fn a_failure_without_an_end_does_not_keep_the_others_from_being_counted() {
        let mut gather = Gather::default();
        gather.target("a").unwrap();
        for (at, outcome, e2e) in [
            (0.0, Outcome::Success, Timing::Seen(5.0)),
            (1.0, Outcome::RateLimited, Timing::Unknown),
            (2.0, Outcome::Success, Timing::Seen(1.0)),
        ] {
            let mut o = observed(0, outcome);
            (o.at, o.e2e) = (Some(at), e2e);
            gather.push(o);
        }
        let counts: Vec<_> = gather.finish().observations.iter().map(|o| o.in_flight).collect();
        assert_eq!(counts, [Some(1), Some(2), Some(2)]);
    }

    #[test]
    fn a_status_is_three_digits_after_what_comes_before_it() {
        for (words, expected) in [
            ("Client error '429 Too Many Requests' for url", Some(429)),
            ("error '5030", None),
            ("error '42", None),
            ("error '700 odd'", None),
            ("nothing", None),
        ] {
            assert_eq!(status_after(words, "error '"), expected, "{words}");
        }
    }

    /// Python: datetime.fromisoformat(…).timestamp().
    #[test]
    fn clocks_are_read_with_their_offsets() {
        for (text, expected) in [
            ("2026-01-31 12:00:00.25", Some(1_769_860_800.25)),
            ("2026-01-31T12:00:00Z", Some(1_769_860_800.0)),
            ("2026-01-31T12:00:00+02:00", Some(1_769_853_600.0)),
            ("2026-01-31 12:00:00.5-0530", Some(1_769_880_600.5)),
            ("2026-01-31 12:00:00 UTC", Some(1_769_860_800.0)),
            ("noon", None),
            ("2026-01-31T12:00:00+é", None),
            ("2026-13-31T12:00:00", None),
        ] {
            assert_eq!(clock(text), expected, "{text}");
        }
    }

    #[test]
    fn what_a_failure_says_becomes_an_outcome() {
        for (status, words, expected) in [
            (Some(200), "", Outcome::Success),
            (None, "", Outcome::Success),
            (Some(429), "Too Many Requests", Outcome::RateLimited),
            (Some(500), "oops", Outcome::ServerError),
            (Some(529), "", Outcome::Overloaded),
            (Some(400), "code: context_length_exceeded", Outcome::ContextExceeded),
            (Some(404), "no such model", Outcome::NotFound),
            (Some(0), "Connection refused", Outcome::ConnectionError),
            (None, "litellm.RateLimitError: too fast", Outcome::RateLimited),
            (None, "asyncio.TimeoutError", Outcome::TimeoutTotal),
            (None, "504 Gateway Timeout", Outcome::GatewayTimeout),
            (None, "Server disconnected", Outcome::ConnectionError),
            (None, "Response payload is not completed", Outcome::Truncated),
            (None, "NullPointerException", Outcome::ServerError),
            // httpx 0.28, as GuideLLM 0.8.1 writes it.
            (
                None,
                "RemoteProtocolError('peer closed connection without sending complete message body (incomplete chunked read)')",
                Outcome::Truncated,
            ),
            (
                None,
                "error '500 Internal Server Error' for url 'http://127.0.0.1:15030/'",
                Outcome::ServerError,
            ),
        ] {
            assert_eq!(outcome(status, words), expected, "{status:?} {words}");
        }
    }

    /// Whatever a provider answers, a probe and the log of another tool tell the same of it: for every status there is, and for
    /// every error that the table of outcomes has a body for.
    #[test]
    fn probes_and_logs_agree_on_what_an_answer_is() {
        for status in 300..=599 {
            let probed = error_of_body(b"").outcome(Some(status));
            assert_eq!(outcome(Some(status), ""), probed, "{status}");
            assert_eq!(outcome(Some(status), "it did not work"), probed, "{status}");
        }
        for row in Outcome::ALL.map(Outcome::row) {
            let (Some((kind, code)), Some(status)) = (row.body, row.outcome.status()) else {
                continue;
            };
            let body = serde_json::json!({ "error": { "type": kind, "code": code, "message": "no" } }).to_string();
            assert_eq!(error_of_body(body.as_bytes()).outcome(Some(status)), row.outcome);
            assert_eq!(outcome(Some(status), &body), row.outcome, "{body}");
        }
    }

    #[test]
    fn whoever_gave_up_knows_how_long_it_took_at_least() {
        let mut o = observed(0, Outcome::TimeoutTotal);
        (o.ttft, o.e2e) = (Timing::Seen(1.0), Timing::Seen(30.0));
        censor(&mut o);
        assert_eq!((o.ttft, o.e2e), (Timing::Seen(1.0), Timing::AtLeast(30.0)));
    }
}
