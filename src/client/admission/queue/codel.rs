//! Controlled delay (CoDel): Nichols and Jacobson 2012, as written down in RFC 8289, with requests for packets.
//!
//! A request that leaves the line for the gate is dropped, and the next one stands in for it, if for `interval` every
//! request that came there had waited at least `target` while more than one was left behind. From then on one is
//! dropped `interval/√count` after another, until one has waited less. A new spell of dropping that follows within 16
//! intervals goes on from the count that the last one added.
//!
//! CoDel was made for senders that slow down when something is dropped. Against senders that do not, and that send `r`
//! requests a second too many, it takes (r·interval)² drops, and 2·r·interval² of time, until it drops enough: with an
//! interval of a second and thirty too many that is a minute, and the wait swings by seconds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form::build::{Built, Refusal};
use crate::form::units::Duration;
use crate::kernel::time::{Span, Time};

/// Controlled delay (CoDel): drop from the line while the queueing delay stays above target.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Codel {
    /// The standing queueing delay that is accepted. Default: 5ms, which suits calls of milliseconds; for calls of
    /// seconds take a twentieth of the interval.
    pub target: Duration,
    /// The time for which the delay must stand before the first drop: about the longest that a burst causes, at least
    /// 1ms. Default: 100ms.
    pub interval: Duration,
}

impl Default for Codel {
    fn default() -> Self {
        Codel {
            target: Duration::from(Span::from_millis(5)),
            interval: Duration::from(Span::from_millis(100)),
        }
    }
}

impl Codel {
    pub(super) fn build(&self) -> Built<Control> {
        if self.interval.span() < Span::from_millis(1) {
            let text = format!("interval is {}, and must be at least 1ms", self.interval);
            return Err(Refusal::new(text).at("interval"));
        }
        Ok(Control {
            target: self.target.span(),
            interval: self.interval.span(),
            first_above: None,
            dropping: false,
            drop_next: Time::ZERO,
            count: 0,
            last_count: 0,
            dropped: Dropped::Nothing,
        })
    }
}

/// The controller, with the names of the RFC's variables.
#[derive(Clone, Copy, Debug)]
pub(super) struct Control {
    target: Span,
    interval: Span,
    first_above: Option<Time>,
    dropping: bool,
    drop_next: Time,
    count: u32,
    last_count: u32,
    dropped: Dropped,
}

/// What was done to the request before, if it left at the same turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dropped {
    Nothing,
    /// The request before was dropped to begin a spell.
    First,
    /// The request before was dropped in a spell.
    Further,
}

impl Control {
    /// Whether the request that has come to the gate after `waited`, with `left` behind it, is dropped.
    pub(super) fn drops(&mut self, now: Time, waited: Span, left: usize) -> bool {
        let may = self.may_drop(now, waited, left);
        match std::mem::replace(&mut self.dropped, Dropped::Nothing) {
            Dropped::First => false,
            Dropped::Further => {
                self.dropping = may;
                if may {
                    self.drop_next = self.law(self.drop_next);
                }
                self.drops_further(now)
            }
            Dropped::Nothing if self.dropping => {
                self.dropping = may;
                self.drops_further(now)
            }
            Dropped::Nothing if may => {
                self.dropping = true;
                let added = self.count.saturating_sub(self.last_count);
                let recent = now.since(self.drop_next) < self.interval.times(16);
                self.count = if added > 1 && recent { added } else { 1 };
                self.last_count = self.count;
                self.drop_next = self.law(now);
                self.dropped = Dropped::First;
                true
            }
            Dropped::Nothing => false,
        }
    }

    /// Called when no request waits any more.
    pub(super) fn emptied(&mut self) {
        self.first_above = None;
        if std::mem::replace(&mut self.dropped, Dropped::Nothing) == Dropped::Further {
            self.dropping = false;
        }
    }

    fn drops_further(&mut self, now: Time) -> bool {
        let drops = self.dropping && now >= self.drop_next;
        if drops {
            self.count = self.count.saturating_add(1);
            self.dropped = Dropped::Further;
        }
        drops
    }

    fn may_drop(&mut self, now: Time, waited: Span, left: usize) -> bool {
        if waited < self.target || left <= 1 {
            self.first_above = None;
            return false;
        }
        now >= *self.first_above.get_or_insert(now + self.interval)
    }

    /// The control law: the time of the next drop, `interval/√count` after `from`.
    fn law(&self, from: Time) -> Time {
        let nanos = self.interval.nanos() as f64 / f64::from(self.count).sqrt();
        from + Span::from_nanos(nanos as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand from the RFC's pseudo-code: at (ms), waited (ms), left behind, dropped, and the count after it.
    /// Above 5 ms since 10, so a spell begins at 110; the next drops are due at 210, 280.7 and 338.4.
    #[test]
    fn it_drops_faster_and_faster_while_the_wait_stands() {
        let mut it = Codel::default().build().unwrap();
        for (i, (ms, waited, left, dropped, count)) in [
            (0, 4, 9, false, 0),
            (10, 5, 9, false, 0),
            (109, 50, 9, false, 0),
            (110, 50, 9, true, 1),
            // The request after the first drop of a spell goes, whatever it waited.
            (110, 50, 9, false, 1),
            (209, 50, 9, false, 1),
            (210, 50, 9, true, 2),
            // Due next at 210 + 100/√2 = 280.7.
            (210, 50, 9, false, 2),
            (280, 50, 9, false, 2),
            // Late: two are due, at 280.7 and 338.4.
            (340, 50, 9, true, 3),
            (340, 50, 9, true, 4),
            (340, 50, 9, false, 4),
            // One that waited less ends the spell.
            (380, 4, 9, false, 4),
            (390, 50, 9, false, 4),
            // A new spell within 16 intervals goes on from the three that the last one added to 1.
            (490, 50, 9, true, 3),
            (490, 50, 9, false, 3),
            // Nearly no request left behind: no spell.
            (700, 50, 1, false, 3),
        ]
        .into_iter()
        .enumerate()
        {
            let now = Time::ZERO + Span::from_millis(ms);
            assert_eq!(it.drops(now, Span::from_millis(waited), left), dropped, "step {i}");
            assert_eq!(it.count, count, "step {i}");
        }
    }
}
