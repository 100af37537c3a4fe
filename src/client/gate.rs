//! The gate behind the queue: a cap on requests in flight, and the limiters, taken all at once or not at all.

use crate::kernel::clock::BoundClock;
use crate::kernel::time::Time;
use crate::words::Ask;

use super::limiter::{Done, Limiter, Ready};

/// The gate that a request must pass to be let in: a cap and limiters.
#[derive(Debug)]
pub struct Gate {
    limiters: Vec<Box<dyn Limiter>>,
    /// Whether any limiter wants to know which requests leave.
    listening: bool,
    in_flight: u32,
    cap: u32,
    full: BoundClock,
}

/// The reason for which a request may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// The cap is reached: as many requests are in flight as it allows.
    Full,
    /// A limiter says: not before a request inside has ended.
    Held,
    /// A limiter says: not before this time.
    Until(Time),
    /// A limiter turns the request away.
    Rejected,
    /// A limiter would never let the request pass.
    Never,
}

impl Blocked {
    /// What a limiter's answer means; `None` if it lets the request pass.
    #[inline]
    fn by(ready: Ready) -> Option<Blocked> {
        match ready {
            Ready::Now => None,
            Ready::At(at) => Some(Blocked::Until(at)),
            Ready::WhenOneLeaves => Some(Blocked::Held),
            Ready::Rejected => Some(Blocked::Rejected),
            Ready::Never => Some(Blocked::Never),
        }
    }

    /// The one of two obstacles that lasts longer: for ever, a rejection, until a request leaves, the later time.
    #[inline]
    fn worse(self, other: Blocked) -> Blocked {
        let rank = |blocked| match blocked {
            Blocked::Until(at) => (0, at),
            Blocked::Full | Blocked::Held => (1, Time::ZERO),
            Blocked::Rejected => (2, Time::ZERO),
            Blocked::Never => (3, Time::ZERO),
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

impl Gate {
    /// A gate with no request in flight. `cap` is at least 1.
    pub fn new(limiters: Vec<Box<dyn Limiter>>, cap: u32) -> Gate {
        Gate {
            listening: limiters.iter().any(|l| l.listens()),
            limiters,
            in_flight: 0,
            cap,
            full: BoundClock::default(),
        }
    }

    /// Lets `ask` pass if the cap and every limiter agree; otherwise takes nothing.
    #[inline(always)]
    pub fn enter(&mut self, now: Time, ask: &Ask) -> Result<(), Blocked> {
        self.check(now, ask)?;
        self.pass(now, ask);
        Ok(())
    }

    /// Whether `ask` may pass now. Takes nothing, but a rejected request counts as turned away.
    #[inline(always)]
    pub fn check(&mut self, now: Time, ask: &Ask) -> Result<(), Blocked> {
        if self.in_flight >= self.cap {
            return Err(Blocked::Full);
        }
        for i in 0..self.limiters.len() {
            if let Some(blocked) = self.blocked_by(i, now, ask) {
                let mut worst = blocked;
                for other in i + 1..self.limiters.len() {
                    if let Some(blocked) = self.blocked_by(other, now, ask) {
                        worst = worst.worse(blocked);
                    }
                }
                return Err(worst);
            }
        }
        Ok(())
    }

    /// The reason for which limiter number `i` holds `ask` up, if any.
    #[inline(always)]
    fn blocked_by(&mut self, i: usize, now: Time, ask: &Ask) -> Option<Blocked> {
        let limiter = &mut self.limiters[i];
        let blocked = Blocked::by(limiter.ready(now, ask))?;
        if blocked == Blocked::Rejected {
            limiter.turned_away(now);
        }
        Some(blocked)
    }

    /// Lets `ask` pass, which [`Gate::check`] has just found possible.
    #[inline(always)]
    pub fn pass(&mut self, now: Time, ask: &Ask) {
        for limiter in &mut self.limiters {
            limiter.take(now, ask);
        }
        self.count_in(now);
    }

    /// Lets `ask` pass like [`Gate::enter`], but asks the limiters one after the other and keeps what the first ones
    /// gave when a later one refuses: the fault of a client that does not make its limits atomic.
    pub fn enter_piecemeal(&mut self, now: Time, ask: &Ask) -> Result<(), Blocked> {
        if self.in_flight >= self.cap {
            return Err(Blocked::Full);
        }
        for i in 0..self.limiters.len() {
            if let Some(blocked) = Blocked::by(self.limiters[i].ready(now, ask)) {
                if blocked == Blocked::Rejected {
                    self.limiters[i].turned_away(now);
                }
                for earlier in &mut self.limiters[..i] {
                    earlier.give_back();
                }
                return Err(blocked);
            }
            self.limiters[i].take(now, ask);
        }
        self.count_in(now);
        Ok(())
    }

    /// Whether a limiter will never let `ask` pass, however long it waits.
    pub fn never_passes(&mut self, now: Time, ask: &Ask) -> bool {
        self.limiters.iter_mut().any(|l| l.ready(now, ask) == Ready::Never)
    }

    /// The limiter, by number, that turned `ask` away when it was last asked about, and the identity whose limit that was: only of
    /// limiters that have one for each.
    pub fn refused(&self, ask: &Ask) -> Option<(usize, u32)> {
        let mut each = self.limiters.iter().enumerate();
        each.find_map(|(i, limiter)| Some((i, limiter.refused(ask)?)))
    }

    /// Lets one request pass whatever the cap and the limiters say.
    pub fn force(&mut self, now: Time) {
        self.count_in(now);
    }

    /// Called when a request that was let in has ended. Its description is computed only if a limiter wants to
    /// know.
    #[inline]
    pub fn leave(&mut self, now: Time, who: impl FnOnce() -> Done) {
        if self.in_flight == self.cap {
            self.full.leave(now);
        }
        self.in_flight -= 1;
        if self.listening {
            let done = who();
            for limiter in &mut self.limiters {
                limiter.leave(&done);
            }
        }
    }

    /// The number of requests in flight.
    #[inline]
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// The cap on requests in flight; `u32::MAX` for none.
    pub fn cap(&self) -> u32 {
        self.cap
    }

    /// The time for which as many requests were in flight as the cap allows.
    pub fn time_full(&self) -> &BoundClock {
        &self.full
    }

    #[inline]
    fn count_in(&mut self, now: Time) {
        self.in_flight += 1;
        if self.in_flight == self.cap {
            self.full.enter(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::limiter::LimiterSpec;
    use crate::form::build::Names;
    use crate::kernel::time::Span;

    fn gate() -> Gate {
        let limiters: Vec<LimiterSpec> = serde_json::from_str(
            r#"[{"token_bucket": {"unit": "requests", "rate": "1/s", "burst": 3}},
                {"token_bucket": {"unit": "tokens", "rate": "1/s", "burst": 10, "estimate": 10}}]"#,
        )
        .unwrap();
        Gate::new(
            limiters
                .iter()
                .map(|l| l.as_dyn().build(&Names::default()).unwrap())
                .collect(),
            2,
        )
    }

    /// The token bucket is empty after one request. Atomic: the request bucket keeps its two tokens. Piecemeal: each
    /// refusal costs one.
    #[test]
    fn a_refusal_costs_nothing_unless_limits_are_asked_piecemeal() {
        let (ask, now) = (Ask::default(), Time::ZERO);
        let (mut atomic, mut piecemeal) = (gate(), gate());
        assert!(atomic.enter(now, &ask).is_ok() && piecemeal.enter_piecemeal(now, &ask).is_ok());
        for _ in 0..2 {
            assert_eq!(
                atomic.enter(now, &ask),
                Err(Blocked::Until(Time::from_nanos(10_000_000_000)))
            );
            assert_eq!(
                piecemeal.enter_piecemeal(now, &ask),
                Err(Blocked::Until(Time::from_nanos(10_000_000_000)))
            );
        }
        assert_eq!(atomic.limiters[0].ready(now, &ask), Ready::Now);
        assert_eq!(
            piecemeal.limiters[0].ready(now, &ask),
            Ready::At(Time::from_nanos(1_000_000_000))
        );
    }

    #[test]
    fn time_at_the_cap_is_counted() {
        let mut gate = Gate::new(Vec::new(), 2);
        let at = Time::from_nanos;
        gate.force(at(5));
        assert!(gate.enter(at(10), &Ask::default()).is_ok());
        assert_eq!(gate.enter(at(11), &Ask::default()), Err(Blocked::Full));
        gate.leave(at(30), || Done::at(at(30)));
        assert_eq!(
            (gate.in_flight(), gate.time_full().total(at(100))),
            (1, Span::from_nanos(20))
        );
    }
}
