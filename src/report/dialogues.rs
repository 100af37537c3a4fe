//! What became of conversations and agent runs under a policy, in a line.

use super::{Metric, PolicyReport, format, shown};
use crate::words::Code;
use crate::words::metric::Statistic;

/// The line; nothing if the traffic has neither.
pub(crate) fn line(policy: &PolicyReport, code: Option<Code>) -> Option<String> {
    let one = |metric: &Metric| {
        let value = shown(policy, metric).0.value;
        let value = if value == f64::INFINITY {
            format::ENDLESS.to_owned()
        } else if value.is_finite() {
            format::value(metric.unit_in(code), value)
        } else {
            return None;
        };
        Some(match metric.statistic() {
            Statistic::Percentile(percentile) => format!("{percentile} {value}"),
            Statistic::Whole | Statistic::Mean | Statistic::Outcome(_) => {
                let what = metric.title();
                match what.split_once(" / ") {
                    // "3.00 turns", "$0.02": each is of one dialogue.
                    Some(("$", _)) => value,
                    Some((counted, _)) => format!("{value} {counted}"),
                    None => format!("{value} {}", what.trim_start_matches("dialogues ")),
                }
            }
        })
    };
    let parts: Vec<String> = Metric::OF_DIALOGUES.iter().filter_map(one).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
