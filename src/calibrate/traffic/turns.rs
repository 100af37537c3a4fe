//! The conversations of a trace, where a column says which requests are of one: how many turns they have, and what lies between these.
//!
//! Requests with one value in that column are the turns of one conversation, however long lies between them; those without a value are of none. A trace
//! that is cut out of a longer one has conversations that began before it or go on behind it, so that turns are counted a little too low.

use schemars::JsonSchema;
use serde::Serialize;

use super::lengths::quantile;
use crate::import::trace::Trace;
use crate::traffic::kept::NO_VALUE;

/// The conversations of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Turns {
    /// How many there are.
    pub conversations: u64,
    /// The share of all requests that are of a conversation.
    pub share: f64,
    /// Turns of a conversation: the mean.
    pub mean: f64,
    /// Turns of a conversation: the standard deviation.
    pub sd: f64,
    /// Turns of a conversation: the median.
    pub p50: u64,
    /// Turns of a conversation: the 95th percentile.
    pub p95: u64,
    /// Turns of the longest.
    pub most: u64,
    /// Seconds from a turn's request to the next one's, answer and thinking together: the median. Absent where all have one turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_p50: Option<f64>,
    /// Seconds from a turn's request to the next one's: the 95th percentile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_p95: Option<f64>,
    /// Mean input tokens of first turns.
    pub first_input: f64,
    /// Mean input tokens of all further turns, which are more than those of first ones where what was said is sent again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub later_input: Option<f64>,
}

/// What is known of one conversation.
#[derive(Clone, Copy, Default)]
struct One {
    turns: u64,
    last: u64,
}

/// The conversations, of which the column that is kept as that of users says; nothing if none is kept, or no row says one.
pub(super) fn turns(trace: &Trace) -> Option<Turns> {
    let kept = trace.kept.as_ref()?;
    let names = kept.users.as_ref()?;
    let mut all = vec![One::default(); names.len()];
    let (mut gaps, mut requests) = (Vec::new(), 0_u64);
    // The number and the input tokens of first turns, and of further ones.
    let mut inputs = [(0_u64, 0_u64); 2];
    for (row, of) in trace.rows.iter().zip(&kept.of_row) {
        let at = kept.each[*of as usize][0] as usize;
        if &*names[at] == NO_VALUE {
            continue;
        }
        requests += 1;
        let one = &mut all[at];
        let now = row.at.nanos();
        if one.turns > 0 {
            gaps.push(now - one.last);
        }
        let of = &mut inputs[usize::from(one.turns > 0)];
        *of = (of.0 + 1, of.1 + u64::from(row.input));
        *one = One {
            turns: one.turns + 1,
            last: now,
        };
    }
    let mut counts: Vec<u64> = all.iter().map(|one| one.turns).filter(|turns| *turns > 0).collect();
    counts.sort_unstable();
    gaps.sort_unstable();
    let n = counts.len() as f64;
    let mean = requests as f64 / n;
    let squares: f64 = counts
        .iter()
        .map(|turns| (*turns as f64 - mean) * (*turns as f64 - mean))
        .sum();
    let later = inputs[1].0 > 0;
    let input = |(count, sum): (u64, u64)| sum as f64 / count as f64;
    Some(Turns {
        conversations: counts.len() as u64,
        share: requests as f64 / trace.rows.len() as f64,
        mean,
        sd: (squares / (n - 1.0).max(1.0)).sqrt(),
        p50: quantile(&counts, 0.5),
        p95: quantile(&counts, 0.95),
        most: *counts.last()?,
        next_p50: later.then(|| quantile(&gaps, 0.5) as f64 / 1e9),
        next_p95: later.then(|| quantile(&gaps, 0.95) as f64 / 1e9),
        first_input: input(inputs[0]),
        later_input: later.then(|| input(inputs[1])),
    })
}

impl Turns {
    /// What a model of single requests does not have, as the parameters of a process that does; nothing where conversations have one turn.
    pub(super) fn caution(&self) -> Option<String> {
        (self.mean > 1.05).then(|| {
            format!(
                "its requests are turns, which wait for answers; a fitted model sends them whether answers come or not. `conversations` with \"turns\": \
                 {{ \"mean\": {:.2}, \"sd\": {:.2} }} does not: its `think` is the time to the next turn without the answer's",
                self.mean, self.sd
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::trace;
    use crate::traffic::arrivals::Reading;
    use crate::traffic::kept::Keep;

    /// By hand: a has three turns, b and c one each, one row is of none.
    #[test]
    fn turns_are_counted_and_timed() {
        let text = "startTime,prompt_tokens,completion_tokens,session\n\
            2026-03-02T09:00:00Z,100,1,a\n2026-03-02T09:00:01Z,50,2,b\n2026-03-02T09:00:10Z,300,3,a\n\
            2026-03-02T09:00:11Z,9,9,\n2026-03-02T09:00:40Z,500,6,a\n2026-03-02T09:00:41Z,150,6,c\n";
        let keep = Keep {
            user: Some("session".into()),
            ..Keep::default()
        };
        let reading = Reading {
            keep: Some(keep),
            ..Reading::default()
        };
        let found = turns(&trace::read(text.as_bytes(), &reading).unwrap()).unwrap();
        assert_eq!((found.conversations, found.p50, found.p95, found.most), (3, 1, 3, 3));
        assert_eq!(found.share, 5.0 / 6.0);
        assert_eq!(found.mean, 5.0 / 3.0);
        // Counts 3, 1, 1 about 5/3.
        assert!((found.sd - (4.0_f64 / 3.0).sqrt()).abs() < 1e-12, "{}", found.sd);
        assert_eq!((found.next_p50, found.next_p95), (Some(10.0), Some(30.0)));
        assert_eq!((found.first_input, found.later_input), (100.0, Some(400.0)));
        assert!(found.caution().unwrap().contains("\"mean\": 1.67, \"sd\": 1.15"));
    }

    #[test]
    fn without_a_column_there_are_none() {
        let text = "startTime,prompt_tokens,completion_tokens\n2026-03-02T09:00:00Z,100,1\n";
        assert_eq!(turns(&trace::read(text.as_bytes(), &Reading::default()).unwrap()), None);
    }
}
