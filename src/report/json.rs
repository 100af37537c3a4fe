//! `result.json`: the whole [`Report`] as JSON, read back, and its schema.
//!
//! Members stand in the order of the structs, so equal reports give equal bytes. JSON has no NaN: a number that does not
//! exist is `null`, and is read back as NaN wherever the report may hold one (RFC 8259, section 6). Left out: reading the
//! results of another format version; they are refused by name.

use schemars::generate::SchemaSettings;
use serde::{Deserialize, Deserializer, Serialize};

use super::{Comparison, Judgement, Report};
use crate::form::build::Refusal;
use crate::form::diagnose::{Error, Seg, parse};
use crate::stats::interval::nan_if_null;

/// The value of [`Report::format`] that this version writes and reads.
pub const FORMAT: &str = "simcap.result/2";

/// The report as indented JSON, with a newline at its end.
pub fn to_json(report: &Report) -> String {
    // A report has only structs, strings and numbers, which serde_json always writes; numbers without a value become null.
    let mut json = serde_json::to_string_pretty(report).unwrap_or_default();
    json.push('\n');
    json
}

/// What [`compared`] writes.
#[derive(Serialize)]
struct Compared<'a> {
    format: &'static str,
    version: &'a str,
    /// The names of what was compared: one experiment, or two results.
    experiments: Vec<&'a str>,
    /// Of two results whether both met the same requests, and whether a policy of the second fails an objective that it did not fail in the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    paired: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    now_fails: Option<bool>,
    /// What follows, in sentences.
    headline: &'a [String],
    comparisons: &'a [Comparison],
    objectives: &'a [Judgement],
}

/// The differences of each policy from the first, or of two results, as indented JSON with a newline at its end.
pub fn compared(report: &Report) -> String {
    let joined = report.joined.as_ref();
    let compared = Compared {
        format: "simcap.comparison/1",
        version: &report.version,
        experiments: report.each().into_iter().map(|one| one.experiment.as_str()).collect(),
        paired: joined.map(|joined| joined.paired),
        now_fails: joined.map(|joined| joined.now_fails),
        headline: &report.scorecard.headline,
        comparisons: &report.comparisons,
        objectives: &report.objectives,
    };
    let mut json = serde_json::to_string_pretty(&compared).unwrap_or_default();
    json.push('\n');
    json
}

/// Reads what [`to_json`] wrote; `file` is what errors call it.
///
/// # Errors
/// If the text is not JSON, is not a report, is one of another format, or speaks of policies that it does not have.
pub fn from_json(file: &str, text: &str) -> Result<Report, Error> {
    // Of another format, the format is the mistake, and not the first member that differs.
    let Format { format } = parse(file, text)?;
    if format != FORMAT {
        let path = [Seg::Key("format".into())];
        let hint = if format.starts_with("simcap.experiment/") {
            "this is an experiment, and not the result of one: run it, and give the result.json of its report"
        } else {
            "run the experiment again: figures of different formats cannot be compared"
        };
        return Err(Error::at(file, text, &path, format!("this is `{format}`, expected `{FORMAT}`")).with_hint(hint));
    }
    let report: Report = parse(file, text)?;
    checked(&report).map_err(|refusal| refusal.error(file, text))?;
    Ok(report)
}

/// What every result has: at least one policy, and every policy that it speaks of.
fn checked(report: &Report) -> Result<(), Refusal> {
    let names: Vec<String> = report.policies.iter().map(|policy| policy.name.clone()).collect();
    if names.is_empty() {
        return Err(Refusal::new("no policy: a result has the figures of at least one").at("policies"));
    }
    let known = |name: &str, member: &str, at: usize, list: &str| {
        if names.iter().any(|known| known == name) {
            return Ok(());
        }
        Err(Refusal::unknown("policy", name, &names).at(member).at(at).at(list))
    };
    for (at, comparison) in report.comparisons.iter().enumerate() {
        known(&comparison.policy, "policy", at, "comparisons")?;
        known(&comparison.baseline, "baseline", at, "comparisons")?;
    }
    for (at, row) in report.ranking.iter().flat_map(|ranking| &ranking.rows).enumerate() {
        known(&row.policy, "policy", at, "rows").map_err(|refusal| refusal.at("ranking"))?;
    }
    for (at, judgement) in report.objectives.iter().enumerate() {
        known(&judgement.policy, "policy", at, "objectives")?;
    }
    for (at, row) in report.scorecard.rows.iter().enumerate() {
        known(&row.policy, "policy", at, "rows").map_err(|refusal| refusal.at("scorecard"))?;
    }
    Ok(())
}

/// The JSON Schema (2020-12) of `result.json`.
pub fn schema() -> serde_json::Value {
    SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Report>()
        .to_value()
}

/// What says which format a file has.
#[derive(Deserialize)]
struct Format {
    format: String,
}

/// A list of numbers, null where one is NaN.
pub(super) fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let numbers = Vec::<Number>::deserialize(deserializer)?;
    Ok(numbers.into_iter().map(|Number(number)| number).collect())
}

/// A list of pairs of such numbers.
pub(super) fn points<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(f64, f64)>, D::Error> {
    let points = Vec::<(Number, Number)>::deserialize(deserializer)?;
    Ok(points.into_iter().map(|(Number(x), Number(y))| (x, y)).collect())
}

#[derive(Deserialize)]
struct Number(#[serde(deserialize_with = "nan_if_null")] f64);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::sample;
    use serde_json::Value;

    #[test]
    fn a_report_survives_json() {
        let report = sample();
        let back = from_json("result.json", &to_json(&report)).unwrap();
        // What never happened has no mean, and NaN is not equal to itself.
        assert_eq!(format!("{back:?}"), format!("{report:?}"));
    }

    #[test]
    fn numbers_that_do_not_exist_become_null_and_come_back() {
        let mut report = sample();
        let policy = &mut report.policies[0];
        policy.metrics[0].estimate.value = f64::NAN;
        policy.curves.ttft[0] = (f64::NAN, f64::INFINITY);
        policy.series[0].arrivals = f64::NAN;
        policy.series[0].in_system = f64::NAN;
        policy.series[0].sent[0] = f64::NAN;
        let json = to_json(&report);
        let policy = &serde_json::from_str::<Value>(&json).unwrap()["policies"][0];
        let found = [
            &policy["metrics"][0]["estimate"]["mean"],
            &policy["curves"]["ttft"][0][0],
            &policy["curves"]["ttft"][0][1],
            &policy["series"][0]["arrivals"],
            &policy["series"][0]["in_system"],
            &policy["series"][0]["sent"][0],
        ];
        assert_eq!(found, [&Value::Null; 6]);
        let back = from_json("result.json", &json).unwrap();
        assert!(back.policies[0].series[0].sent[0].is_nan() && back.policies[0].curves.ttft[0].1.is_nan());
        assert_eq!(to_json(&back), json);
    }

    #[test]
    fn a_result_has_every_policy_that_it_speaks_of() {
        let mut report = sample();
        let name = report.comparisons[0].policy.clone();
        report.comparisons[0].policy.push('x');
        let refused = |report: &Report| from_json("result.json", &to_json(report)).unwrap_err();
        let error = refused(&report);
        assert_eq!(
            (error.path.as_str(), error.message.as_str()),
            (
                "comparisons[0].policy",
                format!("there is no policy `{name}x`").as_str()
            )
        );
        assert!(error.to_string().contains(&format!("did you mean `{name}`")), "{error}");
        report.policies.clear();
        assert_eq!(refused(&report).path, "policies");
        let mut ranked = crate::report::sample::ranked();
        ranked.ranking.as_mut().unwrap().rows[1].policy = "other".into();
        assert_eq!(refused(&ranked).path, "ranking.rows[1].policy");
    }

    #[test]
    fn members_keep_their_order_and_the_text_ends_in_a_newline() {
        let json = to_json(&sample());
        assert!(json.starts_with("{\n  \"format\": \"simcap.result/2\",\n  \"version\": "));
        assert!(json.ends_with("\n}\n"));
    }

    #[test]
    fn another_format_is_refused_by_name() {
        let error = from_json("old.json", r#"{"format": "simcap.result/0"}"#).unwrap_err();
        assert_eq!(
            (error.path.as_str(), error.message.as_str()),
            ("format", "this is `simcap.result/0`, expected `simcap.result/2`")
        );
    }

    #[test]
    fn a_mistake_in_a_result_is_named_by_its_place() {
        let json = to_json(&sample()).replacen("\"value\": 0.4", "\"value\": \"0.4\"", 1);
        let error = from_json("result.json", &json).unwrap_err();
        assert_eq!(error.path, "policies[0].metrics[0].estimate.value");
    }

    #[test]
    fn the_schema_requires_every_member_and_allows_a_missing_value() {
        let schema = schema();
        let written = serde_json::to_value(sample()).unwrap();
        let written: Vec<&String> = written.as_object().unwrap().keys().collect();
        let mut required: Vec<&str> = schema["required"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        required.sort_unstable();
        assert_eq!(required, written);
        let value = &schema["$defs"]["Estimate"]["properties"]["value"]["type"];
        assert_eq!(value, &serde_json::json!(["number", "null"]));
        let verdict = schema["$defs"]["Verdict"].to_string();
        assert!(verdict.contains("\"cannot_tell\""), "{verdict}");
    }
}
