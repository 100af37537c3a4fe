//! The probe pool: the answers of probes, and how many requests in flight (RIF) they found.

use crate::kernel::time::{Span, Time};

/// The answer of one probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) provider: usize,
    /// The time at which the answer came.
    pub(super) at: Time,
    /// The number of requests in flight (RIF).
    pub(super) rif: u32,
    pub(super) latency: Span,
    /// The number of times that it may still be used.
    pub(super) uses: u32,
}

impl Answer {
    pub(super) const BLANK: Answer = Answer {
        provider: 0,
        at: Time::ZERO,
        rif: 0,
        latency: Span::ZERO,
        uses: 0,
    };
}

/// The newest answer of each provider, the oldest first.
#[derive(Clone, Debug)]
pub(super) struct Pool {
    /// All answers that there is room for; what is beyond `number` is blank.
    answers: Vec<Answer>,
    number: usize,
}

impl Pool {
    pub(super) fn new(capacity: usize) -> Pool {
        Pool {
            answers: vec![Answer::BLANK; capacity],
            number: 0,
        }
    }

    fn kept(&self) -> &[Answer] {
        &self.answers[..self.number]
    }

    fn remove(&mut self, at: usize) {
        self.answers.copy_within(at + 1..self.number, at);
        self.number -= 1;
    }

    /// Takes in an answer that is newer than all others.
    #[inline]
    pub(super) fn insert(&mut self, answer: Answer) {
        self.forget(answer.provider);
        if self.number == self.answers.len() {
            self.remove(0);
        }
        self.answers[self.number] = answer;
        self.number += 1;
    }

    /// Drops the answer of `provider`, if there is one.
    #[inline]
    pub(super) fn forget(&mut self, provider: usize) {
        if let Some(at) = self.kept().iter().position(|a| a.provider == provider) {
            self.remove(at);
        }
    }

    /// Drops the answers that are older than `max_age`.
    #[inline]
    pub(super) fn expire(&mut self, now: Time, max_age: Span) {
        let old = self.kept().partition_point(|a| now.since(a.at) > max_age);
        if old > 0 {
            self.answers.copy_within(old..self.number, 0);
            self.number -= old;
        }
    }

    /// The place of the answer to go by, of those by providers that are `open`: the fastest cold one, else the one with
    /// the lowest RIF. `None` if fewer than two can be used.
    #[inline]
    pub(super) fn best(&self, hot: Option<u32>, open: impl Fn(usize) -> bool) -> Option<usize> {
        let mut best = None;
        let mut usable = 0;
        for (at, answer) in self.kept().iter().enumerate() {
            if !open(answer.provider) {
                continue;
            }
            usable += 1;
            let rif = u64::from(answer.rif);
            let rank = if is_hot(answer, hot) {
                (true, rif, answer.latency.nanos())
            } else {
                (false, answer.latency.nanos(), rif)
            };
            if best.is_none_or(|(lowest, _)| rank < lowest) {
                best = Some((rank, at));
            }
        }
        best.filter(|_| usable >= 2).map(|(_, at)| at)
    }

    /// Uses the answer at a place; returns its provider.
    #[inline]
    pub(super) fn take(&mut self, at: usize) -> usize {
        let answer = &mut self.answers[at];
        answer.rif = answer.rif.saturating_add(1);
        answer.uses = answer.uses.saturating_sub(1);
        let Answer { provider, uses, .. } = *answer;
        if uses == 0 {
            self.remove(at);
        }
        provider
    }

    pub(super) fn remove_oldest(&mut self) {
        if self.number > 0 {
            self.remove(0);
        }
    }

    /// Removes the hot answer with the highest RIF; if none is hot, the slowest.
    pub(super) fn remove_worst(&mut self, hot: Option<u32>) {
        let badness = |a: &Answer| match is_hot(a, hot) {
            true => (true, u64::from(a.rif)),
            false => (false, a.latency.nanos()),
        };
        if let Some(at) = (0..self.number).max_by_key(|&at| badness(&self.answers[at])) {
            self.remove(at);
        }
    }
}

fn is_hot(answer: &Answer, hot: Option<u32>) -> bool {
    hot.is_some_and(|most| answer.rif > most)
}

/// The number of RIFs that the quantile is taken of.
const HISTORY: usize = 128;

/// The last RIFs found, as they came and sorted.
#[derive(Clone, Debug)]
pub(super) struct History {
    came: [u32; HISTORY],
    sorted: [u32; HISTORY],
    number: usize,
    next: usize,
}

impl History {
    pub(super) const NEW: History = History {
        came: [0; HISTORY],
        sorted: [0; HISTORY],
        number: 0,
        next: 0,
    };

    #[inline]
    pub(super) fn push(&mut self, rif: u32) {
        let gone = if self.number < HISTORY {
            self.number += 1;
            self.number - 1
        } else {
            let old = self.came[self.next];
            if old == rif {
                self.next = (self.next + 1) % HISTORY;
                return;
            }
            self.sorted.partition_point(|&r| r < old)
        };
        self.came[self.next] = rif;
        self.next = (self.next + 1) % HISTORY;
        // The place at `gone` is free: what lies between it and where the new one belongs moves by one.
        let below = self.sorted[..gone].partition_point(|&r| r <= rif);
        if below < gone {
            self.sorted.copy_within(below..gone, below + 1);
            self.sorted[below] = rif;
        } else {
            let upto = gone + 1 + self.sorted[gone + 1..self.number].partition_point(|&r| r <= rif);
            self.sorted.copy_within(gone + 1..upto, gone);
            self.sorted[upto - 1] = rif;
        }
    }

    #[inline]
    pub(super) fn quantile(&self, q: f64) -> Option<u32> {
        let last = self.number.checked_sub(1)?;
        Some(self.sorted[(last as f64 * q) as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::{Chance, Purpose, index};

    fn answer(provider: usize, millis: u64, rif: u32, latency: u64) -> Answer {
        Answer {
            provider,
            at: Time::ZERO + Span::from_millis(millis),
            rif,
            latency: Span::from_millis(latency),
            uses: 2,
        }
    }

    fn pool(capacity: usize, answers: &[Answer]) -> Pool {
        let mut pool = Pool::new(capacity);
        for &answer in answers {
            pool.insert(answer);
        }
        pool
    }

    fn providers(pool: &Pool) -> Vec<usize> {
        pool.kept().iter().map(|a| a.provider).collect()
    }

    /// The tables of `prequal-core`'s own tests.
    #[test]
    fn the_fastest_of_the_cold_wins_and_the_least_crowded_of_the_hot() {
        let best = |answers: &[Answer], open: &dyn Fn(usize) -> bool| {
            let pool = pool(16, answers);
            pool.best(Some(5), open).map(|at| pool.answers[at].provider)
        };
        let some = [answer(0, 0, 10, 1), answer(1, 0, 2, 50), answer(2, 0, 3, 20)];
        assert_eq!(best(&some, &|_| true), Some(2));
        assert_eq!(best(&some, &|p| p != 2), Some(1));
        assert_eq!(best(&some, &|p| p == 1), None, "one answer is not enough");
        assert_eq!(best(&[answer(0, 0, 10, 1), answer(1, 0, 8, 90)], &|_| true), Some(1));
    }

    #[test]
    fn one_answer_a_provider_and_the_oldest_goes() {
        let full = pool(
            2,
            &[
                answer(0, 1, 1, 1),
                answer(0, 2, 1, 1),
                answer(1, 3, 1, 1),
                answer(2, 4, 1, 1),
            ],
        );
        assert_eq!(providers(&full), [1, 2]);
    }

    #[test]
    fn a_use_counts_as_one_more_in_flight() {
        let mut pool = pool(16, &[answer(4, 0, 1, 1)]);
        assert_eq!(pool.take(0), 4);
        assert_eq!(pool.answers[0].rif, 2);
        pool.take(0);
        assert_eq!(providers(&pool), [0; 0]);
    }

    #[test]
    fn the_old_expire_and_the_worst_goes() {
        let mut pool = pool(16, &[answer(0, 0, 9, 1), answer(1, 500, 1, 99), answer(2, 900, 1, 5)]);
        pool.expire(Time::ZERO + Span::from_millis(1200), Span::from_secs(1));
        assert_eq!(providers(&pool), [1, 2]);
        pool.remove_worst(Some(5));
        assert_eq!(providers(&pool), [2]);
        pool.insert(answer(3, 1000, 7, 1));
        pool.remove_worst(Some(5));
        assert_eq!(providers(&pool), [2], "the hot one");
    }

    #[test]
    fn the_history_keeps_the_last_in_order() {
        let mut history = History::NEW;
        assert_eq!(history.quantile(0.5), None);
        let rif = |i: u64| index(Chance::new(1, 0).request(i).draw(Purpose::Route), 20) as u32;
        for i in 0..1000 {
            history.push(rif(i));
            let mut last: Vec<u32> = (i.saturating_sub(HISTORY as u64 - 1)..=i).map(rif).collect();
            last.sort_unstable();
            assert_eq!(history.sorted[..history.number], last);
            assert_eq!(
                history.quantile(0.84),
                Some(last[((last.len() - 1) as f64 * 0.84) as usize])
            );
        }
    }
}
