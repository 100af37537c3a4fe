//! Intervals hold the truth about as often as they say, and verdicts are rarely wrong: `examples/coverage.rs`, reduced.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

#[allow(dead_code, reason = "its main prints the whole study")]
#[path = "../examples/coverage.rs"]
mod study;

use study::{OFF, cover, known};

const SEEDS: u64 = 60;

/// Of some 900 intervals at 95 % that hang together within a seed, 855 are expected; far fewer than 92 % would be a fault of the method, and
/// nearly all would be one of its width.
#[test]
fn intervals_hold_the_truth_and_verdicts_are_rarely_wrong() {
    let (mut seeds, mut missed, mut judged, mut wrong) = (0, 0, 0, 0);
    for known in known() {
        // Two cells that take long, and say what the one between them says.
        if known.name.contains("0.5") || known.name.contains("0.9") {
            continue;
        }
        let (held, judgements) = cover(&known, SEEDS, 10).unwrap();
        for (held, (metric, _)) in held.iter().zip(&known.truths) {
            assert!(held.share() >= 0.85, "{} {metric}: {held:?}", known.name);
            seeds += held.seeds;
            missed += held.below + held.above;
        }
        for (judgement, off) in judgements.iter().zip(OFF) {
            // Those whose bound lies 1 % off the truth.
            if (0.98..1.02).contains(&off) {
                judged += judgement.all;
                wrong += judgement.wrong;
            }
        }
    }
    let share = f64::from(missed) / f64::from(seeds);
    assert!((0.01..0.08).contains(&share), "{missed} of {seeds} intervals missed");
    assert!(
        f64::from(wrong) <= 0.05 * f64::from(judged),
        "{wrong} of {judged} verdicts"
    );
}

/// A bound a quarter off the truth is decided on ten replications of a queue at load 0.8, rightly.
#[test]
fn verdicts_are_reached() {
    let known = known().into_iter().find(|known| known.name.contains("0.8")).unwrap();
    let (_, judgements) = cover(&known, 20, 20).unwrap();
    let last = judgements[OFF.len() - 1];
    assert!(last.wrong == 0 && last.decided >= 16, "{last:?}");
}
