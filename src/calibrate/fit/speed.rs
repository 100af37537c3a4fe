//! Decode speed: which answers show it.
//!
//! A decode speed is measured between the first token and the last. An answer that an endpoint or a proxy delivers in
//! one piece has none: what is measured then is how fast a socket is read, and 20 tokens become 45,305 tokens/s
//! (thefastest.ai's probes of groq, April 2024, of which every other one arrived like that). Such an answer says
//! nothing about the speed, and a short one too little; both are left out and counted. Where most answers arrived at
//! once, no speed goes into the model: the decode time lies before the first byte, and so in the law of TTFT. An answer
//! in two or three pieces keeps its speed, which makes a request of its length last as long as it did; but its first
//! piece holds many tokens, so the speed is too high, and a note says so.

use crate::calibrate::log::{Observation, Timing};
use crate::report::format::count;

/// The fewest output tokens from which an answer's own speed is meaningful.
pub(super) const TOKENS: u32 = 10;
/// Pieces of an answer: with fewer, the first holds a third of it or more, before its time began.
const PIECES: u32 = 4;
/// Seconds from the first token to the last below which several packets are read in one go.
const SPAN: f64 = 1e-3;
/// Tokens a second that no endpoint reaches: the fastest published are some 3,000 (Cerebras, 2025) and 17,000 (Taalas
/// HC1, 2026).
const FASTEST: f64 = 20_000.0;

/// What an answer shows of its decode speed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shown {
    /// A speed in tokens a second.
    Speed(f64),
    /// No speed: its tokens arrived at once.
    AtOnce,
    /// No speed: it has fewer than [`TOKENS`] tokens.
    TooShort,
    /// No speed: its tokens have no times.
    Untimed,
}

impl Shown {
    /// The speed that this answer shows.
    pub(super) fn by(o: &Observation) -> Shown {
        let Some(tpot) = o.tpot.filter(|tpot| tpot.is_finite() && *tpot >= 0.0) else {
            return Shown::Untimed;
        };
        if o.output.is_some_and(|n| n < TOKENS) {
            return Shown::TooShort;
        }
        let span = o.output.map(|n| tpot * f64::from(n - 1));
        let at_once = tpot * FASTEST < 1.0 || span.is_some_and(|s| s < SPAN) || o.chunks == Some(1);
        if at_once {
            Shown::AtOnce
        } else {
            Shown::Speed(1.0 / tpot)
        }
    }
}

/// The speeds that many answers show.
pub(super) struct Speeds {
    /// Each speed with its moment, in order; empty if most answers arrived at once.
    pub(super) timings: Vec<(Timing, Option<f64>)>,
    seen: usize,
    at_once: usize,
    coarse: usize,
    too_short: usize,
    longest: u32,
}

impl Speeds {
    /// The speeds of these answers.
    pub(super) fn of(used: &[&Observation]) -> Speeds {
        let shown: Vec<(&Observation, Shown)> = used.iter().map(|o| (*o, Shown::by(o))).collect();
        let many = |what: Shown| shown.iter().filter(|(_, found)| *found == what).count();
        let speed = |(o, shown): &(&Observation, Shown)| match shown {
            Shown::Speed(speed) => Some((Timing::Seen(*speed), o.unix)),
            Shown::AtOnce | Shown::TooShort | Shown::Untimed => None,
        };
        let coarse = |(o, shown): &&(&Observation, Shown)| {
            matches!(shown, Shown::Speed(_)) && o.chunks.is_some_and(|n| n < PIECES)
        };
        let timings: Vec<_> = shown.iter().filter_map(speed).collect();
        let short = shown.iter().filter(|(_, found)| *found == Shown::TooShort);
        let (seen, at_once) = (timings.len(), many(Shown::AtOnce));
        Speeds {
            timings: if at_once > seen { Vec::new() } else { timings },
            seen,
            at_once,
            coarse: shown.iter().filter(coarse).count(),
            too_short: many(Shown::TooShort),
            longest: short.filter_map(|(o, _)| o.output).max().unwrap_or(0),
        }
    }

    /// Notes on what was left out of a speed that is in the model.
    pub(super) fn notes(&self) -> Vec<String> {
        let all = self.seen + self.at_once + self.too_short;
        let mut notes = Vec::new();
        if self.timings.is_empty() {
            return notes;
        }
        if self.at_once > 0 {
            notes.push(format!(
                "Decode speed: {} of {} answers came at once ({}), which shows no speed: they are left out of its law",
                count(self.at_once as u64),
                count(all as u64),
                at_once()
            ));
        }
        if self.coarse > 0 {
            notes.push(format!(
                "Decode speed: {} of {} answers came in fewer than {PIECES} pieces, of which the first holds many tokens: their speed \
                 is too high, by a half for three pieces; the time of answers of like length is right all the same",
                count(self.coarse as u64),
                count(all as u64)
            ));
        }
        if self.too_short > 0 {
            notes.push(format!(
                "Decode speed: {} of {} answers have fewer than {TOKENS} tokens, too few to show one: they are left out of its law",
                count(self.too_short as u64),
                count(all as u64)
            ));
        }
        notes
    }

    /// The reason why there is no speed.
    pub(super) fn missing(&self) -> String {
        if self.at_once > self.seen {
            format!(
                "the decode speed: {} of {} answers came at once ({}); the time that writing them took is in TTFT, and the model \
                 has no further",
                count(self.at_once as u64),
                count((self.seen + self.at_once) as u64),
                at_once()
            )
        } else if self.too_short > 0 {
            format!(
                "the decode speed: {} answers have a time per token, but none has {TOKENS} tokens or more (the longest has {}): \
                 ask for longer ones",
                count(self.too_short as u64),
                self.longest
            )
        } else {
            format!("the decode speed: no answer of {TOKENS} tokens or more has a time per token")
        }
    }
}

/// The definition of arriving at once, in words.
fn at_once() -> String {
    format!(
        "in one piece, all within 1 ms, or at more than {} tokens/s, faster than any endpoint known",
        count(FASTEST as u64)
    )
}

/// The speeds of a summary, if they are plausible: pairs (share, tokens a second). If not, the reason.
pub(super) fn believable(table: Vec<(f64, f64)>) -> Result<Vec<(f64, f64)>, String> {
    let middle = table
        .iter()
        .min_by(|a, b| (a.0 - 0.5).abs().total_cmp(&(b.0 - 0.5).abs()));
    match middle {
        Some((_, speed)) if *speed > FASTEST => Err(format!(
            "the decode speed: the summaries say {} tokens/s, faster than any endpoint known ({}): the answers came at once, \
             and their time is in TTFT",
            count(speed.min(1e15) as u64),
            count(FASTEST as u64)
        )),
        _ => Ok(table),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::logs::gather::observed;
    use crate::words::Outcome;

    fn answer(output: u32, span: f64, chunks: Option<u32>) -> Observation {
        Observation {
            output: Some(output),
            tpot: Some(span / f64::from(output - 1)),
            chunks,
            ..observed(0, Outcome::Success)
        }
    }

    #[test]
    fn an_answer_shows_its_speed_if_it_came_bit_by_bit() {
        for (output, span, chunks, shown) in [
            (101, 2.0, None, Shown::Speed(50.0)),
            (101, 2.0, Some(4), Shown::Speed(50.0)),
            (101, 2.0, Some(1), Shown::AtOnce),
            (101, 0.0, None, Shown::AtOnce),
            // thefastest.ai's groq.com/llama3-70b-8192: 20 tokens in 0.42 ms, reported as 45,305 tokens/s.
            (20, 19.0 / 45_305.0, None, Shown::AtOnce),
            // 1.5 ms is more than a single packet, but 33,267 tokens/s is not a plausible speed.
            (50, 1.473e-3, None, Shown::AtOnce),
            // Faster than any today, and still plausible.
            (400, 0.0266, None, Shown::Speed(15_000.0)),
            (9, 1.0, None, Shown::TooShort),
        ] {
            match (Shown::by(&answer(output, span, chunks)), shown) {
                (Shown::Speed(found), Shown::Speed(wanted)) => assert!((found / wanted - 1.0).abs() < 1e-9),
                (found, wanted) => assert_eq!(found, wanted, "{output} {span} {chunks:?}"),
            }
        }
        assert_eq!(Shown::by(&observed(0, Outcome::Success)), Shown::Untimed);
    }

    #[test]
    fn where_most_came_at_once_there_is_no_speed() {
        let (slow, quick) = (answer(100, 2.0, None), answer(100, 1e-4, None));
        let of = |slows: usize, quicks: usize| {
            let slows = std::iter::repeat_n(&slow, slows);
            Speeds::of(&slows.chain(std::iter::repeat_n(&quick, quicks)).collect::<Vec<_>>())
        };
        let some = of(30, 20);
        assert_eq!(some.timings.len(), 30);
        assert!(
            some.notes()[0].contains("20 of 50 answers came at once"),
            "{:?}",
            some.notes()
        );
        let most = of(20, 30);
        assert!(most.timings.is_empty() && most.notes().is_empty());
        assert!(
            most.missing().contains("30 of 50 answers came at once"),
            "{}",
            most.missing()
        );
    }

    #[test]
    fn an_answer_in_few_pieces_keeps_its_speed_and_is_marked() {
        let speeds = Speeds::of(&[&answer(101, 2.0, Some(3)), &answer(101, 2.0, Some(4))]);
        assert_eq!(speeds.timings.len(), 2);
        let notes = speeds.notes();
        assert!(
            notes[0].contains("1 of 2 answers came in fewer than 4 pieces"),
            "{notes:?}"
        );
    }

    #[test]
    fn answers_too_short_for_a_speed_are_counted() {
        let short = answer(8, 0.14, None);
        let only = Speeds::of(&[&short; 30]);
        assert_eq!(
            only.missing(),
            "the decode speed: 30 answers have a time per token, but none has 10 tokens or more (the longest has 8): ask for \
             longer ones"
        );
        let long = answer(100, 2.0, None);
        let notes = Speeds::of(&[&short, &long]).notes();
        assert!(
            notes[0].contains("1 of 2 answers have fewer than 10 tokens"),
            "{notes:?}"
        );
    }

    #[test]
    fn a_summary_of_no_speed_is_not_believed() {
        let table = |speed: f64| vec![(0.1, 0.5 * speed), (0.5, speed), (0.9, 2.0 * speed)];
        assert_eq!(believable(table(60.0)), Ok(table(60.0)));
        assert!(believable(table(45_305.0)).is_err_and(|why| why.contains("45,305 tokens/s")));
    }
}
