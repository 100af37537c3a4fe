//! A closed loop as a log shows it: a number of workers, each of which sends the next request of the log when its last one has ended.
//!
//! Replayed at the recorded times, the requests of a closed loop would add up what a model's mean time of an answer is off by: the
//! queue before the slots would grow or shrink as no closed loop lets it. So they are sent as they were, one after another, in the
//! log's order and with its lengths; of the log's times only the first counts. A request that was not sent, because the client
//! waits, is sent 20 ms later by the same worker. Left out: workers that think.

use std::sync::Arc;

use super::stretch::{lasts, sent};
use crate::calibrate::log::Observation;
use crate::kernel::chance::Key;
use crate::kernel::time::{Span, Time};
use crate::traffic::arrivals::{Arrival, Arrivals, Row, Turn};
use crate::words::{Finished, Outcome};

/// Seconds within which a worker sends its next request.
const AT_ONCE: f64 = 0.02;

/// The share of requests that follow the end of another so soon, from which on they do because of it.
const MOST: f64 = 0.8;

/// The time until a worker looks again whether it may send.
const AGAIN: Span = Span::from_nanos(20_000_000);

/// The number of workers of a stretch, if it is a closed loop: most requests follow the end of another at once. It is the number in flight
/// that most of them found.
pub(super) fn of(stretch: &[&Observation]) -> Option<u32> {
    let mut counts: std::collections::BTreeMap<u32, usize> = std::collections::BTreeMap::new();
    for o in stretch {
        *counts.entry(o.in_flight?).or_default() += 1;
    }
    let workers = counts.into_iter().max_by_key(|(n, many)| (*many, *n))?.0.max(1);
    let mut ends: Vec<f64> = stretch
        .iter()
        .map(|o| Some(sent(o)? + lasts(o)))
        .collect::<Option<_>>()?;
    ends.sort_by(f64::total_cmp);
    let follows = |o: &&&Observation| {
        let at = sent(o).unwrap_or(0.0);
        let before = ends.partition_point(|end| *end <= at + 1e-3);
        before > 0 && at - ends[before - 1] <= AT_ONCE
    };
    let many = stretch.iter().filter(follows).count();
    let later = stretch.len().saturating_sub(workers as usize);
    (later >= 20 && many as f64 >= MOST * later as f64).then_some(workers)
}

/// The requests of a log, sent by workers.
#[derive(Clone, Debug)]
pub(super) struct Workers {
    rows: Arc<[Row]>,
    many: usize,
    next: usize,
    /// Requests of the first moment that have been sent.
    begun: usize,
}

impl Workers {
    /// So many workers, which begin at the time of the first row.
    pub(super) fn new(rows: Arc<[Row]>, many: u32) -> Workers {
        Workers {
            many: (many as usize).min(rows.len()),
            rows,
            next: 0,
            begun: 0,
        }
    }

    fn row(&mut self) -> Option<(u32, u32)> {
        let row = self.rows.get(self.next)?;
        self.next += 1;
        Some((row.input, row.output))
    }
}

impl Arrivals for Workers {
    fn next(&mut self, _key: Key) -> Option<Arrival> {
        if self.begun == self.many {
            return None;
        }
        let user = self.begun as u32;
        self.begun += 1;
        let at = Time::ZERO + self.rows.first()?.at;
        let tokens = Some(self.row()?);
        let turn = Some(Turn { user, number: 0 });
        Some(Arrival {
            at,
            tokens,
            turn,
            row: None,
        })
    }

    fn follows_ends(&self) -> bool {
        true
    }

    fn after(&mut self, ended: &Finished) -> Option<Arrival> {
        let turn = Some(Turn::of(ended.ask.id)?.next());
        if ended.outcome == Outcome::BreakerOpen {
            return Some(Arrival {
                at: ended.now + AGAIN,
                tokens: Some((ended.ask.input, ended.ask.output)),
                turn,
                row: None,
            });
        }
        let tokens = Some(self.row()?);
        // At the least a millisecond later: refusals may take no time at all.
        let at = ended.now.max(ended.arrived + Span::from_nanos(1_000_000));
        Some(Arrival {
            at,
            tokens,
            turn,
            row: None,
        })
    }

    fn fresh(&self, _own: Key) -> Box<dyn Arrivals> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::log::Timing;
    use crate::calibrate::logs::gather::observed;
    use crate::words::Ask;

    fn request(at: f64, e2e: f64, in_flight: u32) -> Observation {
        let mut o = observed(0, Outcome::Success);
        (o.at, o.e2e, o.in_flight) = (Some(at), Timing::Seen(e2e), Some(in_flight));
        o
    }

    /// Three workers whose answers take 0.7, 1.0 and 1.3 s, and requests every 0.33 s that follow nothing.
    #[test]
    fn a_closed_loop_is_told_from_an_open_one() {
        let worker = |takes: f64| (0..20).map(move |i| request(f64::from(i) * (takes + 0.001), takes, 3));
        let closed: Vec<Observation> = worker(0.7).chain(worker(1.0)).chain(worker(1.3)).collect();
        assert_eq!(of(&closed.iter().collect::<Vec<_>>()), Some(3));
        let open: Vec<Observation> = (0..60).map(|i| request(f64::from(i) * 0.33, 1.07, 3)).collect();
        assert_eq!(of(&open.iter().collect::<Vec<_>>()), None);
        assert_eq!(of(&closed.iter().take(20).collect::<Vec<_>>()), None);
    }

    #[test]
    fn each_row_is_sent_once_and_what_was_not_sent_again() {
        let row = |input| Row {
            at: Span::from_secs(5),
            input,
            output: 7,
        };
        let rows: Arc<[Row]> = [1, 2, 3].map(row).into();
        let mut workers = Workers::new(rows, 2);
        let first: Vec<Arrival> = std::iter::from_fn(|| workers.next(Key::NONE)).collect();
        let found = first.iter().map(|a| (a.at.nanos(), a.tokens)).collect::<Vec<_>>();
        assert_eq!(found, [(5_000_000_000, Some((1, 7))), (5_000_000_000, Some((2, 7)))]);
        let mut ended = |outcome, input| {
            let ended = Finished {
                now: Time::from_nanos(9_000_000_000),
                arrived: Time::from_nanos(5_000_000_000),
                ask: Ask {
                    id: first[0].turn.unwrap().id(),
                    input,
                    output: 7,
                    ..Ask::default()
                },
                outcome,
                ttft: Span::ZERO,
            };
            workers.after(&ended).map(|a| (a.at.nanos(), a.tokens))
        };
        assert_eq!(ended(Outcome::BreakerOpen, 1), Some((9_020_000_000, Some((1, 7)))));
        assert_eq!(ended(Outcome::Success, 1), Some((9_000_000_000, Some((3, 7)))));
        assert_eq!(ended(Outcome::Success, 3), None);
    }
}
