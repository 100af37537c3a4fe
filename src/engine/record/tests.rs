//! Random tallies of one shape: written and read, added in any order; and bytes that are not a tally.

use proptest::prelude::*;

use super::*;
use crate::engine::incident;
use crate::engine::lens::LensTally;
use crate::engine::scenario::Window;
use crate::engine::series::{BINS, Series};
use crate::engine::tally::{
    AlertTally, Bound, BudgetTally, ClassTally, DialogueTally, Effort, ProviderTally, RuleTally, Supposed,
};
use crate::engine::ties::SUPPOSED;
use crate::kernel::time::{Span, Time};
use crate::stats::histogram::Histogram;
use crate::words::metric::Times;
use crate::words::{BoundKind, Outcome, Spending};

const KEY: Key = Key {
    replication: 300,
    scenario: 2,
    again: false,
};

/// Numbers, one after the other: small and large, for whatever needs one.
struct Numbers(u64);

impl Numbers {
    /// The next number, below 2^56, so that sums of a few do not overflow.
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let bits = (self.0 >> 8) % 57;
        (self.0 >> 3) & ((1 << bits) - 1)
    }

    /// The same, for sums that are 128 bits wide.
    fn wide(&mut self) -> u128 {
        (u128::from(self.next()) << 40) + u128::from(self.next())
    }

    fn histogram(&mut self, values: usize) -> Histogram {
        let mut histogram = Histogram::new();
        (0..values).for_each(|_| histogram.record(Span::from_nanos(self.next())));
        histogram.pack();
        histogram
    }

    fn class(&mut self, values: usize, counts_tpot: bool) -> ClassTally {
        ClassTally {
            outcomes: [(); Outcome::COUNT].map(|()| self.next()),
            ttft: self.histogram(values),
            e2e: self.histogram(values),
            tpot: counts_tpot.then(|| self.histogram(values)),
            wait: self.histogram(values),
            rated: self.next(),
            quality: self.next(),
            supposed: [(); SUPPOSED.len()].map(|()| Supposed {
                weight: self.next(),
                quality: self.next(),
            }),
            hanging: self.next(),
            cost: self.wide(),
            spent: [(); Spending::ATTEMPTS].map(|()| self.wide()),
            hits: self.next(),
            wrong: self.next(),
            saved: self.wide(),
            dialogues: counts_tpot.then(|| self.dialogues(values)),
        }
    }

    fn dialogues(&mut self, values: usize) -> DialogueTally {
        DialogueTally {
            time: self.histogram(values),
            failed: self.next(),
            left: self.next(),
            cut: self.next(),
            turns: self.next(),
            cost: self.wide(),
        }
    }

    fn provider(&mut self) -> ProviderTally {
        ProviderTally {
            outcomes: [(); Outcome::COUNT].map(|()| self.next()),
            cost: self.wide(),
            spent: [(); Spending::ATTEMPTS].map(|()| self.wide()),
            reserved: self.wide(),
            idle: self.wide(),
            input: self.wide(),
            cached: self.wide(),
            output: self.wide(),
            busy: self.wide(),
            trips: self.next(),
            oversized: self.next(),
        }
    }

    /// What a lens counted that asks for every second kind of time.
    fn lens(&mut self, values: usize) -> LensTally {
        let mut asked = false;
        LensTally {
            outcomes: [(); Outcome::COUNT].map(|()| self.next()),
            attempts: [(); Outcome::COUNT].map(|()| self.next()),
            served: self.next(),
            good: self.next(),
            times: [(); Times::COUNT].map(|()| {
                asked = !asked;
                asked.then(|| self.histogram(values))
            }),
            rated: self.next(),
            quality: self.next(),
            cost: self.wide(),
            reserved: self.wide(),
            hits: self.next(),
            saved: self.wide(),
            counted: self.wide(),
            dialogues: Some(self.dialogues(values)),
        }
    }

    fn bound(&mut self, what: BoundKind, provider: Option<usize>, limit: Option<u64>) -> Bound {
        Bound {
            what,
            provider,
            limit,
            time: self.wide(),
        }
    }

    fn alert(&mut self) -> AlertTally {
        AlertTally {
            passed: self.next(),
            time: self.wide(),
        }
    }

    fn budget(&mut self) -> BudgetTally {
        BudgetTally {
            spent: self.next(),
            time: self.wide(),
            shut: self.next(),
            most_money: self.wide(),
            most_tokens: self.next(),
        }
    }

    fn rule(&mut self) -> RuleTally {
        let mut tally = RuleTally::default();
        for _ in 0..20 {
            let identity = (self.next() % 30) as u32;
            tally.ask(identity);
            if self.next().is_multiple_of(2) {
                tally.refuse(identity);
            }
        }
        tally.pack();
        tally
    }

    fn effort(&mut self) -> Effort {
        Effort {
            retries: self.next(),
            hedges: self.next(),
            hedges_won: self.next(),
            fallbacks: self.next(),
            denied: self.next(),
            shortened: self.next(),
            escalations: self.next(),
            mirrored: self.next(),
            hedges_planned: self.next(),
            hedges_stranded: self.next(),
        }
    }

    fn series(&mut self) -> Series {
        let mut series = Series::new(
            Window {
                warmup: Time::from_nanos(60_000_000_000),
                end: Time::from_nanos(7_260_000_000_000),
            },
            2,
        );
        for _ in 0..=BINS {
            series.send(1);
            if let Some(bin) = series.bin() {
                bin.arrivals = self.next();
                bin.successes = self.next();
                bin.failures = self.next();
                bin.e2e = self.wide();
                bin.cost = self.wide();
            }
            series.close_bin((self.next() & 0xFFFF) as usize);
        }
        series
    }

    /// A tally of two classes, of which one counts `tpot`, and two providers.
    fn tally(&mut self, values: usize) -> Tally {
        Tally {
            classes: vec![self.class(values, false), self.class(values / 2, true)],
            providers: vec![self.provider(), self.provider()],
            served: self.next(),
            good: self.next(),
            oversized: self.next(),
            clipped: self.next(),
            in_system_at_end: self.next(),
            bounds: vec![
                self.bound(BoundKind::InFlight, None, Some(64)),
                self.bound(BoundKind::Breaker, Some(1), None),
            ],
            used: vec![self.wide(), self.wide()],
            counted: self.wide(),
            effort: self.effort(),
            budgets: vec![self.budget()],
            alerts: vec![self.alert()],
            milestones: vec![self.alert(), self.alert()],
            mirrored: self.wide(),
            judging: self.wide(),
            identities: vec![self.rule()],
            incidents: vec![incident::counted([(); 9].map(|()| self.next()))],
            lenses: vec![self.lens(values)],
            ages: Some(self.histogram(values)),
            peak_in_system: (self.next() & 0xFFFF_FFFF) as usize,
            series: self.series(),
        }
    }
}

fn tally(seed: u64, values: usize) -> Tally {
    Numbers(seed).tally(values)
}

fn sum(tallies: &[&Tally]) -> Tally {
    let mut sum = tallies[0].clone();
    tallies[1..].iter().for_each(|other| sum.merge(other));
    sum
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_read_is_what_was_written(seed: u64, values in 0..400_usize) {
        let tally = tally(seed, values);
        let bytes = write(KEY, &tally).unwrap();
        let (key, read) = read(&bytes).unwrap();
        prop_assert!(key == KEY && read == tally);
        prop_assert!(write(KEY, &read).unwrap() == bytes, "and its bytes are the same again");
    }

    #[test]
    fn tallies_add_up_in_any_order(seeds: [u64; 3], values in 0..100_usize) {
        let [a, b, c] = seeds.map(|seed| tally(seed, values));
        let whole = sum(&[&a, &b, &c]);
        prop_assert!(whole == sum(&[&c, &a, &b]) && whole == sum(&[&b, &c, &a]), "any order");
        prop_assert!(whole == sum(&[&a, &sum(&[&b, &c])]), "any grouping");
        // A sum is a tally like any other.
        prop_assert!(read(&write(KEY, &whole).unwrap()).unwrap().1 == whole);
    }

    #[test]
    fn bytes_that_are_missing_or_changed_are_noticed(seed: u64, at: prop::sample::Index, bit in 0..8_u32) {
        let mut bytes = write(KEY, &tally(seed, 20)).unwrap();
        let at = at.index(bytes.len());
        prop_assert_eq!(read(&bytes[..at]), Err(Broken::Truncated));
        bytes[at] ^= 1 << bit;
        prop_assert!(read(&bytes).is_err());
    }
}

#[test]
fn another_version_is_refused_and_named() {
    let mut bytes = write(KEY, &tally(1, 3)).unwrap();
    bytes[4] += 1;
    let refused = read(&bytes).unwrap_err();
    assert_eq!(refused, Broken::Version(VERSION + 1));
    assert_eq!(
        refused.to_string(),
        "a replication of version 11 of its form, where this simcap reads and writes version 10"
    );
}

#[test]
fn what_is_something_else_is_not_taken_for_one() {
    assert_eq!(read(b"{\"format\": \"simcap.result/2\"}"), Err(Broken::NotOne));
    assert_eq!(read(b""), Err(Broken::Truncated));
    // One byte too many, with the check of the body that it makes.
    let mut body = postcard::to_extend(&(KEY, tally(1, 3)), Vec::new()).unwrap();
    body.push(0);
    let head = Head {
        length: body.len() as u64,
        check: check(&body),
    };
    assert!(matches!(head.tally(&body), Err(Broken::Content(_))));
}

/// A histogram that nothing could have counted is refused: its buckets would be read beyond the last.
#[test]
fn a_histogram_that_cannot_be_is_refused() {
    let read = |sum: u128, max: u64, buckets: &[(u32, u64)]| {
        let bytes = postcard::to_extend(&(sum, max, buckets), Vec::new()).unwrap();
        postcard::from_bytes::<Histogram>(&bytes).is_ok()
    };
    assert!(read(12, 7, &[(5, 1), (2, 1)]));
    assert!(!read(12, 8, &[(5, 1), (2, 1)]), "the maximum in another bucket");
    assert!(!read(12, 5, &[(5, 1), (0, 1)]), "a bucket twice");
    assert!(!read(12, 7, &[(5, 1), (2, 0)]), "an empty bucket");
    assert!(
        !read(12, u64::MAX, &[(u32::MAX, 1), (u32::MAX, 1)]),
        "beyond the last bucket"
    );
    assert!(
        !read(12, 7, &[(5, u64::MAX), (2, 1)]),
        "more values than can be counted"
    );
}

/// Pinned on purpose: it differs if the form of a tally does. A change that is meant to change it raises [`VERSION`], and
/// then this line: an unfinished run of an older simcap must be refused, not misread.
#[test]
fn the_form_is_that_of_this_version() {
    let bytes = write(KEY, &tally(1, 50)).unwrap();
    let hash: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    insta::assert_snapshot!(format!("{VERSION} {hash}"), @"10 6f2d3502700cff16be21e6b63f678c5fa11c4bf996adeec44280cc6b5fcb2580");
}
