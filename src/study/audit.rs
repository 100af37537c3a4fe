//! Whether published figures hold: each against the interval of what it is held against.
//!
//! A figure with its tolerance is a band. It holds if the interval meets the band and is not wider than it, and does not hold if the two are
//! apart; a wider interval that meets the band leaves it open. A bound holds if the whole interval keeps to it, and does not hold if the whole
//! interval breaks it. So no run that is too short makes a verdict; and of a rare failure that never happened the interval is that of
//! the report (Wilson's upper end), which refutes no figure below it.

use crate::experiment::claims::{Claims, Held, Seen, Sense, Simulated};
use crate::experiment::load::LoadError;
use crate::report::audit::{Audited, Claimed};
use crate::stats::interval::Estimate;
use crate::words::Holding;

/// Rounding of what a formula computes, as a share.
const ROUNDING: f64 = 1e-9;

/// Judges the claims of a file; `simulated` has the figures of runs.
///
/// # Errors
/// As [`Claims::hold`].
pub fn audit(claims: &Claims, simulated: &dyn Fn(&Simulated) -> Seen) -> Result<Audited, LoadError> {
    let held = claims.hold(simulated)?;
    Ok(Audited {
        name: claims.said.name.clone(),
        about: claims.said.about.clone(),
        file: claims.file.clone(),
        claims: held.iter().map(claimed).collect(),
    })
}

fn claimed(held: &Held<'_>) -> Claimed {
    let (holding, open) = judge(held);
    let note = held.note.clone().filter(|_| holding == Holding::Unknown);
    let finite = |end: f64| Some(end).filter(|end| *end != f64::NEG_INFINITY);
    Claimed {
        table: held.table.to_owned(),
        claim: held.claim.claim.clone(),
        sense: match held.sense {
            Sense::Equal => "published",
            Sense::AtMost => "at_most",
            Sense::AtLeast => "at_least",
        },
        published: held.published,
        within: held.within,
        found: held.found.map(|found| Estimate {
            value: found.value,
            lo: finite(found.lo),
            // An end that is above all numbers, under a figure that is not, is open.
            hi: Some(found.hi).filter(|hi| hi.is_finite()),
            ..Estimate::NONE
        }),
        unit: held.unit,
        factor: held.found.and_then(|found| factor(held.published, found.value)),
        holding,
        expected: held.claim.expect,
        why: note.or(open.map(str::to_owned)),
        note: held.claim.note.clone(),
        source: held.source.clone(),
    }
}

/// The published figure over the one that was found, where that is a number above 0.
fn factor(published: f64, found: f64) -> Option<f64> {
    Some(published / found).filter(|factor| *factor > 0.0 && factor.is_finite())
}

/// The verdict, and why it is open.
fn judge(held: &Held<'_>) -> (Holding, Option<&'static str>) {
    let Some(found) = held.found else {
        return (Holding::Unknown, Some("nothing to hold it against"));
    };
    if found.value.is_nan() || held.published.is_nan() {
        return (Holding::Unknown, Some("no value"));
    }
    let slack = held.within + ROUNDING * held.published.abs();
    let (least, most) = match held.sense {
        Sense::Equal => (held.published - slack, held.published + slack),
        Sense::AtMost => (f64::NEG_INFINITY, held.published + slack),
        Sense::AtLeast => (held.published - slack, f64::INFINITY),
    };
    if found.lo > most || found.hi < least {
        (Holding::Fails, None)
    } else if found.lo >= least && found.hi <= most || held.sense == Sense::Equal && found.hi - found.lo <= most - least
    {
        (Holding::Holds, None)
    } else if held.sense == Sense::Equal {
        (Holding::Unknown, Some("the interval is wider than the tolerance"))
    } else {
        (Holding::Unknown, Some("the interval holds the bound"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Unit;

    /// The verdict on a figure against a simulated one.
    fn verdict(claim: &str, estimate: Estimate) -> (Holding, Option<String>) {
        let text = format!(
            r#"{{ "format": "simcap.claims/1", "name": "x", "experiments": {{ "run": {{ "file": "x.json" }} }},
                 "claims": [ {{ "claim": "c", {claim}, "found": {{ "simulated": {{ "experiment": "run", "metric": "throughput" }} }} }} ] }}"#
        );
        let claims = Claims::from_bytes("claims.json", text.as_bytes()).unwrap_or_else(|why| panic!("{why}"));
        let seen = |_: &Simulated| Seen {
            estimate,
            unit: Unit::PerSecond,
            note: Some("noted".into()),
            source: String::new(),
        };
        let audited = audit(&claims, &seen).unwrap();
        (audited.claims[0].holding, audited.claims[0].why.clone())
    }

    fn of(value: f64, reach: f64) -> Estimate {
        Estimate::symmetric(value, Some(reach), 8, 0)
    }

    /// A band of 95 to 105 about 100, its width 10.
    #[test]
    fn an_interval_decides_only_if_it_is_narrower_than_the_tolerance() {
        for (estimate, expected) in [
            (of(100.0, 1.0), Holding::Holds),
            (of(106.0, 2.0), Holding::Holds),
            (of(108.0, 2.0), Holding::Fails),
            (of(100.0, 6.0), Holding::Unknown),
            (of(120.0, 14.0), Holding::Fails),
            (of(120.0, 16.0), Holding::Unknown),
            (Estimate::NONE, Holding::Unknown),
            (
                Estimate {
                    value: 100.0,
                    n: 1,
                    ..Estimate::NONE
                },
                Holding::Unknown,
            ),
        ] {
            let found = verdict(r#""published": "100/s""#, estimate).0;
            assert_eq!(found, expected, "{estimate:?}");
        }
    }

    #[test]
    fn a_bound_is_kept_or_broken_by_the_whole_interval() {
        for (claim, estimate, expected) in [
            (r#""at_most": "100/s""#, of(98.0, 2.0), Holding::Holds),
            (r#""at_most": "100/s""#, of(99.0, 2.0), Holding::Unknown),
            (r#""at_most": "100/s""#, of(103.0, 2.0), Holding::Fails),
            (r#""at_least": "100/s""#, of(102.0, 2.0), Holding::Holds),
            (r#""at_least": "100/s""#, of(97.0, 2.0), Holding::Fails),
            (r#""at_least": "100/s", "within": "5%""#, of(97.0, 2.0), Holding::Holds),
        ] {
            assert_eq!(verdict(claim, estimate).0, expected, "{claim}");
        }
    }

    /// 0 of n: nothing failed, and Wilson's upper end is 2 %.
    #[test]
    fn what_was_never_seen_refutes_nothing_below_its_upper_end() {
        let none = Estimate {
            value: 0.0,
            lo: Some(0.0),
            hi: Some(2.0),
            n: 8,
            undefined: 0,
        };
        assert_eq!(verdict(r#""published": "1/s""#, none).0, Holding::Unknown);
        assert_eq!(verdict(r#""published": "3/s""#, none).0, Holding::Fails);
    }

    #[test]
    fn what_is_open_says_why() {
        let why = |estimate| verdict(r#""published": "100/s""#, estimate).1;
        assert_eq!(why(Estimate::NONE).as_deref(), Some("noted"));
        assert_eq!(why(of(100.0, 1.0)), None);
    }
}
