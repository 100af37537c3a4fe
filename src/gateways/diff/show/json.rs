//! The difference as JSON, for programs: `simcap.diff/1`.

use serde_json::{Value, json};

use super::super::{Diff, KeyChange, Simulated};
use super::{cautions, judged, keys, meets, place};
use crate::gateways::Gateway;
use crate::gateways::model::Case;
use crate::gateways::warning::Warning;

/// The difference as a JSON text. Times are in seconds, money in US dollars, shares from 0 to 1.
pub fn json(diff: &Diff<'_>, simulated: Option<&Simulated>) -> String {
    let warnings = |gateway: &Gateway, list: &[&Warning]| -> Vec<Value> {
        let one = |warning: &&Warning| {
            json!({
                "code": warning.kind.code, "level": warning.kind.level.name(), "subject": warning.subject,
                "at": place(gateway, warning.at), "means": warning.kind.means, "remedy": warning.kind.remedy,
            })
        };
        list.iter().map(one).collect()
    };
    let [not_simulated, approximated] = keys(diff).map(|(_, changes)| -> Vec<Value> {
        let one = |change: &KeyChange| {
            json!({
                "key": change.row.path, "gone": !change.is_new, "verdict": change.row.verdict.words(), "how": change.row.how,
                "at": place(if change.is_new { diff.new } else { diff.old }, Some(change.row.at)),
            })
        };
        changes.into_iter().map(one).collect()
    });
    let case = |case: &Case| json!({ "attempts": case.attempts, "seconds": [case.seconds.0, case.seconds.1], "then": case.then });
    let mut of = json!({
        "format": "simcap.diff/1",
        "old": { "product": diff.old.product.name, "version": diff.old.version, "files": diff.old.files },
        "new": { "product": diff.new.product.name, "version": diff.new.version, "files": diff.new.files },
        "one_product": diff.is_of_one_product(),
        "changes": diff.changes.iter().map(|change| json!({
            "of": change.subject, "setting": change.what, "old": change.old, "new": change.new,
        })).collect::<Vec<_>>(),
        "when": diff.cases.iter().map(|change| json!({
            "group": change.group, "when": change.when, "old": case(&change.old), "new": case(&change.new),
        })).collect::<Vec<_>>(),
        "not_simulated": not_simulated,
        "approximated": approximated,
        "warnings": { "new": warnings(diff.new, &diff.raised), "gone": warnings(diff.old, &diff.gone) },
    });
    if let Some(simulated) = simulated {
        of["simulated"] = of_both(simulated);
        of["objectives"] = simulated
            .judged()
            .iter()
            .map(|of| {
                json!({ "metric": of.metric.to_string(), "bound": of.bound, "old": of.old.map(meets), "new": meets(of.new) })
            })
            .collect();
    }
    format!("{of:#}\n")
}

fn of_both(simulated: &Simulated) -> Value {
    let figures = simulated.figures().into_iter().map(|of| {
        json!({
            "metric": of.metric.to_string(), "old": of.old, "new": of.new,
            "difference": of.difference.map(|d| d.difference), "relative": of.difference.and_then(|d| d.relative),
            "judged": judged(of.difference),
        })
    });
    json!({
        "paired": simulated.paired(),
        "seed": simulated.new.seed,
        "replications": simulated.new.replications_finished,
        "confidence": simulated.new.confidence,
        "figures": figures.collect::<Vec<_>>(),
        "sentences": simulated.joined.comparisons.iter().map(|c| &c.sentence).collect::<Vec<_>>(),
        "notes": cautions(simulated),
    })
}
