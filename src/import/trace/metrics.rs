//! Azure Monitor's metrics of its models, as rows: how many requests and tokens there were in each step of time.
//!
//! `az monitor metrics list` prints an object whose `value` has a series for each metric, and for each value of the dimensions it was split by; the
//! table `AzureMetrics` of a Log Analytics workspace has a row for each metric and step. Either way requests, input tokens and output tokens
//! are joined by their times, and summed over dimensions. Series of requests that were refused or failed, by the dimension `StatusCode`, are left out and
//! counted, as their tokens are not there either. Source: Microsoft's reference of supported metrics for `Microsoft.CognitiveServices/accounts`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value;

use super::TraceError;
use super::forms::{Column, column};
use super::records::Records;
use crate::form::diagnose::quoted;

/// The columns of the rows: the time, the requests, the input tokens and the output tokens.
pub(super) const COLUMNS: [&str; 4] = [
    "timeStamp",
    "AzureOpenAIRequests",
    "ProcessedPromptTokens",
    "GeneratedTokens",
];

/// What each of the columns behind the time is called as a metric: of Azure OpenAI, and of all models.
const METRICS: [[&str; 2]; 3] = [
    [COLUMNS[1], "ModelRequests"],
    [COLUMNS[2], "InputTokens"],
    [COLUMNS[3], "OutputTokens"],
];

/// The most steps of time: ten years of minutes.
const MOST_STEPS: usize = 5_300_000;

/// Rows that are joined from series.
#[derive(Debug)]
pub(super) struct Metrics {
    header: Vec<String>,
    rows: std::vec::IntoIter<(String, [f64; 3])>,
    row: (String, [f64; 3]),
    given: u64,
    notes: Vec<String>,
}

/// How rows say metrics, and in which columns.
enum Form {
    /// All series of a metric: its name and the series.
    Printed(Column, Column),
    /// One step of a metric: its name, its sum and its time.
    Table(Column, Column, Column),
}

impl Form {
    /// The form of rows with this header; nothing if they are not metrics.
    fn of(header: &[String]) -> Option<Form> {
        let find = |name: &str| column(header, name, false).ok();
        if let Some((name, series)) = find("name.value").zip(find("timeseries")) {
            return Some(Form::Printed(name, series));
        }
        let time = find("TimeGenerated").or_else(|| find("TimeGenerated [UTC]"))?;
        Some(Form::Table(find("MetricName")?, find("Total")?, time))
    }

    /// Adds the row that `records` is at.
    fn add(&self, records: &dyn Records, to: &mut Joined) -> Result<(), String> {
        match self {
            Form::Printed(name, series) => to.add_series(&records.text(name), &records.text(series)),
            Form::Table(name, total, time) => {
                let Some(at) = to.place(&records.text(name)) else {
                    return Ok(());
                };
                let found = records.text(total);
                let total = found.parse().ok().filter(|total: &f64| total.is_finite());
                let total = total.ok_or_else(|| format!("Total: \"{}\" is not a number", quoted(&found)))?;
                to.add(at, &records.text(time), total)
            }
        }
    }
}

/// What has been read so far.
#[derive(Default)]
struct Joined {
    /// By time, as it is written: all of one file are written alike.
    steps: BTreeMap<String, [f64; 3]>,
    /// Which name of each column was met.
    names: [Option<usize>; 3],
    failed: f64,
    /// Whether some series of requests says their status.
    says_status: bool,
    /// All metrics that are there.
    met: Vec<String>,
}

impl Joined {
    /// Which column a metric is, if it is one of them.
    fn place(&mut self, metric: &str) -> Option<usize> {
        if !self.met.iter().any(|known| known == metric) {
            self.met.push(metric.to_owned());
        }
        for (at, names) in METRICS.iter().enumerate() {
            let Some(named) = names.iter().position(|name| name.eq_ignore_ascii_case(metric)) else {
                continue;
            };
            // Where both are there, they count the same requests: Azure OpenAI's own are taken.
            match self.names[at] {
                Some(known) if known < named => return None,
                Some(known) if known > named => self.steps.values_mut().for_each(|step| step[at] = 0.0),
                Some(_) | None => {}
            }
            self.names[at] = Some(named);
            return Some(at);
        }
        None
    }

    fn add(&mut self, at: usize, time: &str, total: f64) -> Result<(), String> {
        if self.steps.len() == MOST_STEPS {
            return Err(format!("more than {MOST_STEPS} steps of time"));
        }
        self.steps.entry(time.to_owned()).or_default()[at] += total;
        Ok(())
    }

    /// Adds all series of a metric.
    fn add_series(&mut self, metric: &str, series: &str) -> Result<(), String> {
        let Some(at) = self.place(metric) else { return Ok(()) };
        let all: Vec<Value> =
            serde_json::from_str(series).map_err(|_| "`timeseries` is not a list of series".to_owned())?;
        for one in &all {
            let status = if at == 0 { status(one) } else { None };
            self.says_status |= status.is_some();
            let has_failed = status.is_some_and(|status| status.starts_with(['4', '5']));
            let data = one.get("data").and_then(Value::as_array);
            for step in data.into_iter().flatten() {
                let Some(total) = step.get("total").and_then(Value::as_f64) else {
                    continue;
                };
                let time = step.get("timeStamp").and_then(Value::as_str);
                let time = time.ok_or("`data` has a step without `timeStamp`")?;
                match has_failed {
                    true => self.failed += total,
                    false => self.add(at, time, total)?,
                }
            }
        }
        Ok(())
    }
}

/// The status of the requests of a series, if it says one.
fn status(series: &Value) -> Option<&str> {
    let of = series.get("metadatavalues").and_then(Value::as_array);
    of.into_iter().flatten().find_map(|of| {
        let name = of.get("name")?.get("value")?.as_str()?;
        let value = of.get("value")?.as_str()?;
        (name.eq_ignore_ascii_case("StatusCode") && !value.is_empty()).then_some(value)
    })
}

impl Metrics {
    /// The rows that the series of `records` come to; nothing if these are not Azure Monitor's metrics.
    ///
    /// # Errors
    /// If a series is not one, there are more than ten years of minutes, or a metric that is needed is missing.
    pub(super) fn of(records: &mut dyn Records) -> Result<Option<Metrics>, TraceError> {
        let Some(form) = Form::of(records.header()?) else {
            return Ok(None);
        };
        let mut joined = Joined::default();
        while let Some(line) = records.next()? {
            let added = form.add(records, &mut joined);
            added.map_err(|what| TraceError::Row { line, what })?;
        }
        Metrics::joined(joined).map(Some)
    }

    fn joined(joined: Joined) -> Result<Metrics, TraceError> {
        for (names, found) in METRICS.iter().zip(joined.names) {
            if found.is_none() {
                return Err(TraceError::Source(format!(
                    "of Azure Monitor's metrics {} is missing ({} is its name for models that are not OpenAI's); it has: {}",
                    names[0],
                    names[1],
                    quoted(&joined.met.join(", "))
                )));
            }
        }
        let note = if joined.says_status {
            (joined.failed > 0.0).then(|| {
                format!(
                    "{} requests with a status of 400 and above are left out: their tokens are not in the metrics",
                    joined.failed
                )
            })
        } else {
            Some(
                "its requests are not split by `StatusCode`: those that were refused or failed are among them, and make the rate higher and the lengths \
                 lower than they are"
                    .to_owned(),
            )
        };
        Ok(Metrics {
            header: COLUMNS.map(str::to_owned).to_vec(),
            rows: joined.steps.into_iter().collect::<Vec<_>>().into_iter(),
            row: (String::new(), [0.0; 3]),
            given: 0,
            notes: note.into_iter().collect(),
        })
    }
}

impl Records for Metrics {
    fn header(&mut self) -> Result<&[String], TraceError> {
        Ok(&self.header)
    }

    fn next(&mut self) -> Result<Option<u64>, TraceError> {
        Ok(self.rows.next().map(|row| {
            self.row = row;
            self.given += 1;
            self.given
        }))
    }

    fn text(&self, column: &Column) -> Cow<'_, str> {
        match column.place.checked_sub(1) {
            None => Cow::Borrowed(&self.row.0),
            Some(at) => Cow::Owned(self.row.1[at].to_string()),
        }
    }

    fn notes(&self) -> Vec<String> {
        self.notes.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Trace, read};
    use super::*;
    use crate::kernel::time::Span;
    use crate::traffic::arrivals::Reading;

    fn series(metric: &str, status: &str, totals: [f64; 3]) -> String {
        let data = totals
            .iter()
            .enumerate()
            .map(|(minute, total)| format!(r#"{{ "timeStamp": "2026-03-02T09:0{minute}:00Z", "total": {total} }}"#));
        let data = data.collect::<Vec<_>>().join(", ");
        format!(
            r#"{{ "name": {{ "value": "{metric}", "localizedValue": "x" }}, "timeseries": [ {{ "data": [ {data} ],
                "metadatavalues": [ {{ "name": {{ "value": "statuscode" }}, "value": "{status}" }} ] }} ], "unit": "Count" }}"#
        )
    }

    fn printed(all: &[String]) -> Result<Trace, TraceError> {
        let text = format!(
            r#"{{ "cost": 3, "interval": "0:01:00", "timespan": "a/b", "value": [ {} ] }}"#,
            all.join(", ")
        );
        read(text.as_bytes(), &Reading::default())
    }

    #[test]
    fn minutes_become_as_many_requests_with_all_their_tokens() {
        let trace = printed(&[
            series("ProcessedPromptTokens", "", [1001.0, 0.0, 600.0]),
            series("AzureOpenAIRequests", "200", [4.0, 0.0, 2.0]),
            series("AzureOpenAIRequests", "429", [7.0, 0.0, 0.0]),
            series("GeneratedTokens", "", [400.0, 0.0, 50.0]),
            series("AzureOpenAITimeToResponse", "", [1.0, 1.0, 1.0]),
        ]);
        let trace = trace.unwrap();
        let rows: Vec<(f64, u32, u32)> = (trace.rows.iter())
            .map(|row| (row.at.seconds(), row.input, row.output))
            .collect();
        // The second minute has none; each minute's requests are spread over it.
        let expected = [
            (0.0, 251, 100),
            (15.0, 250, 100),
            (30.0, 250, 100),
            (45.0, 250, 100),
            (120.0, 300, 25),
            (150.0, 300, 25),
        ];
        assert_eq!(rows, expected);
        assert_eq!(trace.facts.form, Some("Azure Monitor's metrics"));
        let said = trace.notes.join("\n");
        assert!(
            said.contains("7 requests with a status of 400 and above are left out"),
            "{said}"
        );
        assert!(
            said.contains("each of its rows is several requests (`AzureOpenAIRequests`)"),
            "{said}"
        );
    }

    #[test]
    fn the_table_of_a_workspace_is_the_same() {
        let text = "TimeGenerated,MetricName,Total,TimeGrain\n\
            2026-03-02T09:00:00Z,ModelRequests,2.0,PT1M\n2026-03-02T09:00:00Z,InputTokens,30.0,PT1M\n\
            2026-03-02T09:01:00Z,ModelRequests,1.0,PT1M\n2026-03-02T09:01:00Z,InputTokens,7.0,PT1M\n\
            2026-03-02T09:01:00Z,OutputTokens,5.0,PT1M\n2026-03-02T09:00:00Z,OutputTokens,8.0,PT1M\n";
        let trace = read(text.as_bytes(), &Reading::default()).unwrap();
        let rows: Vec<_> = trace.rows.iter().map(|row| (row.at, row.input, row.output)).collect();
        let at = Span::from_secs;
        assert_eq!(rows, [(at(0), 15, 4), (at(30), 15, 4), (at(60), 7, 5)]);
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = printed(&[
            series("AzureOpenAIRequests", "200", [4.0, 0.0, 2.0]),
            series("TokenTransaction", "", [1.0, 0.0, 0.0]),
        ]);
        let error = error.unwrap_err().to_string();
        assert!(error.contains("ProcessedPromptTokens is missing"), "{error}");
        assert!(
            error.ends_with("it has: AzureOpenAIRequests, TokenTransaction"),
            "{error}"
        );
    }
}
