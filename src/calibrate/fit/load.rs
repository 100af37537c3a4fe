//! The effect of load on a server: how much longer a token takes beside others, from summaries at several loads below
//! saturation.
//!
//! The number of requests in flight is n = achieved rate × mean time of a request (Little's law); the time per output
//! token is (mean e2e − mean TTFT) / (mean output − 1). The tool's own TPOT is not used, since tools disagree on it and
//! inference-perf's KubeCon runs print half of what their own e2e implies. Both are taken relative to the least loaded
//! stage, whose time is the server's own, and become the table of `batching`. Beyond the last stage the table is
//! extrapolated along the line of the last two, up to `slots`, the most that are in service at once (vLLM's
//! `--max-num-seqs`): measurements below saturation do not show that number, so it has to be given.
//!
//! TTFT keeps its factor only while n is below `slots`: above, the wait for a slot is in it, which the model produces
//! by itself.

use crate::stats::sorting;
use schemars::JsonSchema;
use serde::Serialize;

use crate::calibrate::log::{Stage, Summary};

/// Pairs (share of values at or below, value).
type Quantiles = Vec<(f64, f64)>;

/// The ratio of loads of two stages from which on they show the effect of load.
const APART: f64 = 2.0;

/// The effect of load on a server.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct LoadCurve {
    /// The most requests in service at once, if that was given.
    pub slots: Option<u32>,
    /// Time per output token after the first, alone on the server, in seconds.
    pub per_token: f64,
    /// Factors on the time per output token: pairs (requests in flight, factor).
    pub step: Vec<(u32, f64)>,
    /// Factors on the time to first token: pairs (requests in flight, factor).
    pub ttft: Vec<(u32, f64)>,
}

/// The figures of one stage.
struct Point {
    in_flight: f64,
    per_token: f64,
    ttft: f64,
}

impl Point {
    /// Whether a new request is served at once.
    fn finds_a_slot(&self, slots: Option<u32>) -> bool {
        slots.is_none_or(|slots| self.in_flight < f64::from(slots))
    }
}

impl LoadCurve {
    /// The effect of load as far as `stages`, none of them saturated, show it; `None` if they are too few or too
    /// similar.
    pub(super) fn of(stages: &[&Stage], slots: Option<u32>) -> Option<LoadCurve> {
        let mut points: Vec<Point> = stages.iter().filter_map(|stage| point(stage)).collect();
        sorting::by(&mut points, |a, b| a.in_flight.total_cmp(&b.in_flight));
        let (first, last) = (points.first()?, points.last()?);
        if last.in_flight < APART * first.in_flight.max(1.0) {
            return None;
        }
        let place = |n: f64| n.round().max(1.0) as u32;
        // With more requests than slots, the others wait.
        let worked_on = |n: f64| slots.map_or(place(n), |slots| place(n).min(slots));
        let mut step: Vec<(u32, f64)> = points
            .iter()
            .map(|p| (worked_on(p.in_flight), p.per_token / first.per_token))
            .collect();
        step.dedup_by_key(|(n, _)| *n);
        if let (Some(slots), [.., (n0, f0), (n1, f1)]) = (slots, &step[..])
            && slots > *n1
        {
            let slope = (f1 - f0) / f64::from(n1 - n0);
            step.push((slots, f1 + slope.max(0.0) * f64::from(slots - n1)));
        }
        let mut ttft: Vec<(u32, f64)> = points
            .iter()
            .filter(|p| p.finds_a_slot(slots))
            .map(|p| (place(p.in_flight), p.ttft / first.ttft))
            .collect();
        ttft.dedup_by_key(|(n, _)| *n);
        Some(LoadCurve {
            slots,
            per_token: first.per_token,
            step,
            ttft,
        })
    }

    /// Quantiles of TTFT and of decode speed without the effect of load. TTFT: of every stage with a free slot, each
    /// divided by the factor of its load. Speed: of the least loaded stage, since the spread of the others is due to
    /// load, which the model produces by itself; and from the tool's TPOT or from the e2e, whichever is narrower,
    /// because a tool that counts the tokens of the text anew widens the one, and answers of different length the
    /// other.
    pub(super) fn alone(&self, stages: &[&Stage]) -> (Quantiles, Quantiles) {
        let mut points: Vec<(&Stage, Point)> = stages.iter().filter_map(|s| Some((*s, point(s)?))).collect();
        sorting::by(&mut points, |a, b| a.1.in_flight.total_cmp(&b.1.in_flight));
        let Some((stage, first)) = points.first() else {
            return (Vec::new(), Vec::new());
        };
        let with: Vec<(f64, Summary)> = (points.iter().filter(|(_, p)| p.finds_a_slot(self.slots)))
            .filter_map(|(stage, p)| {
                let factor = p.ttft / first.ttft;
                Some((stage.successes.max(1) as f64, scaled(stage.ttft.as_ref()?, 0.0, factor)))
            })
            .collect();
        let ttft = super::averaged(&with.iter().map(|(weight, s)| (*weight, s)).collect::<Vec<_>>());
        let as_told = stage
            .tpot
            .as_ref()
            .and_then(|tpot| Some(scaled(tpot, 0.0, tpot.mean? / self.per_token)));
        let as_e2e_says = stage.e2e.as_ref().and_then(|e2e| {
            let decoding = e2e.mean? - first.ttft;
            Some(scaled(e2e, first.ttft, decoding / self.per_token))
        });
        let tables = [as_told, as_e2e_says].into_iter().flatten();
        let tables = tables.map(|summary| super::averaged(&[(1.0, &summary)]));
        let narrow = tables
            .filter(|table| !table.is_empty())
            .min_by(|a, b| width(a).total_cmp(&width(b)))
            .unwrap_or_default();
        let speeds = narrow.into_iter().rev().map(|(share, x)| (1.0 - share, 1.0 / x));
        (ttft, speeds.collect())
    }

    /// The effect of load in a sentence.
    pub(super) fn says(&self) -> String {
        let steps: Vec<String> = self.step.iter().map(|(n, f)| format!("{f:.2} at {n}")).collect();
        let beyond = match self.slots {
            Some(slots) => format!("; {slots} requests are served at once, and further ones wait"),
            None => "; what happens beyond cannot be told: say --slots, the most that the server works on at once"
                .to_owned(),
        };
        format!(
            "a token takes {:.2} ms alone, and beside others so many times as long: {}{beyond}",
            1e3 * self.per_token,
            steps.join(", ")
        )
    }
}

/// A copy of `summary` less `floor`, divided by `factor`.
fn scaled(summary: &Summary, floor: f64, factor: f64) -> Summary {
    let scale = |x: f64| (x - floor) / factor;
    Summary {
        mean: summary.mean.map(scale),
        quantiles: summary.quantiles.iter().map(|(share, x)| (*share, scale(*x))).collect(),
    }
}

/// The width of a table: its last value over its first.
fn width(table: &[(f64, f64)]) -> f64 {
    match table {
        [(_, first), .., (_, last)] => last / first,
        _ => f64::INFINITY,
    }
}

fn point(stage: &Stage) -> Option<Point> {
    let mean = |summary: &Option<Summary>| summary.as_ref()?.mean.filter(|mean| *mean > 0.0);
    let (e2e, ttft, output) = (mean(&stage.e2e)?, mean(&stage.ttft)?, mean(&stage.output)?);
    (output > 1.5 && e2e > ttft).then_some(Point {
        in_flight: stage.achieved_rate? * e2e,
        per_token: (e2e - ttft) / (output - 1.0),
        ttft,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stage with answers of 101 tokens, TTFT 0.1 s, `step` seconds for each further token, and `in_flight` requests
    /// in flight.
    fn stage(in_flight: f64, step: f64) -> Stage {
        let of = |mean: f64| {
            Some(Summary {
                mean: Some(mean),
                quantiles: vec![(0.25, 0.9 * mean), (0.5, mean), (0.75, 1.1 * mean)],
            })
        };
        let e2e = 0.1 + 100.0 * step;
        Stage {
            achieved_rate: Some(in_flight / e2e),
            successes: 100,
            ttft: of(0.1),
            tpot: of(step),
            e2e: of(e2e),
            output: of(101.0),
            ..Stage::default()
        }
    }

    #[test]
    fn the_line_of_the_last_two_goes_on_to_the_slots() {
        let stages = [stage(1.0, 0.01), stage(11.0, 0.012), stage(21.0, 0.015)];
        let stages: Vec<&Stage> = stages.iter().collect();
        let curve = LoadCurve::of(&stages, Some(41)).unwrap();
        assert!((curve.per_token - 0.01).abs() < 1e-12);
        let expected = [(1, 1.0), (11, 1.2), (21, 1.5), (41, 2.1)];
        for ((n, factor), (at, is)) in curve.step.iter().zip(expected) {
            assert!(*n == at && (factor - is).abs() < 1e-9, "{:?}", curve.step);
        }
        assert_eq!(curve.step.len(), 4);
        assert_eq!(LoadCurve::of(&stages, None).unwrap().step.len(), 3);
        let (ttft, speed) = curve.alone(&stages);
        assert!((ttft[1].1 - 0.1).abs() < 1e-9, "{ttft:?}");
        // 10 % of 1.1 s are 11 % of the decoding in it: the tool's own figure is narrower.
        assert!((speed[1].1 - 100.0).abs() < 1e-6, "{speed:?}");
        assert!((speed[2].1 - 100.0 / 0.9).abs() < 1e-6, "{speed:?}");
    }

    #[test]
    fn stages_of_one_load_say_nothing_of_load() {
        let stages = [stage(10.0, 0.01), stage(11.0, 0.012)];
        assert_eq!(LoadCurve::of(&stages.iter().collect::<Vec<_>>(), None), None);
    }
}
