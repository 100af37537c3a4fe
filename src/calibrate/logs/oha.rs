//! oha (hatoo/oha), which times HTTP and knows nothing about tokens: requests as CSV (`--output-format csv`), and the
//! percentiles of its JSON as one stage (`src/printer.rs` and `src/client.rs` of 1.16; its SQLite file has no first
//! byte).
//!
//! `Response-delay` is from the start of a request, connecting included, to the first byte of the **body**, whatever that is: the
//! role of a stream, a comment, or the whole of an answer that does not stream. It stands for the TTFT, with a note, and is
//! never later. Where the whole answer came with its first byte, there is none. `request-duration` is to the last byte; with
//! `--latency-correction` it counts from when the request was due, which the file does not say. There are no tokens, so there
//! is no TPOT. The CSV has the requests that were answered to their end, with whatever status; the others are
//! nowhere, nor is the clock: times are from the start of the run.

use crate::stats::sorting;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::gather::{ENDPOINT, Gather, observed, outcome, seconds, seen};
use super::table::{mistake, table};
use super::{Format, Look, Mistake, value};
use crate::calibrate::log::{Log, Observation, Stage, Summary, Timing};
use crate::words::Outcome;

pub(super) const RECORDS: Format = Format {
    name: "oha CSV",
    is: |look| {
        let header = look.header();
        COLUMNS.iter().all(|name| header.iter().any(|h| h == name))
    },
    read: records,
};

pub(super) const SUMMARY: Format = Format {
    name: "oha JSON",
    is: |look| look.has("firstBytePercentiles") && look.has("statusCodeDistribution"),
    read: summary,
};

/// The columns of the CSV that are read.
const COLUMNS: [&str; 4] = ["request-start", "Response-delay", "request-duration", "status"];

/// The share of its time after the first byte up to which an answer counts as delivered whole.
const WHOLE: f64 = 0.01;

const FIRST_BYTE: &str = "oha timed the first byte of each body, which stands for the first token here: it comes sooner where a \
                          server sends anything before the token, if only the role";
const NO_STREAM: &str = "oha saw the answers come whole: no stream was asked for, so there is no first token";
const NO_FAILURES: &str = "oha's CSV leaves out requests that were not answered to their end: timeouts, connections that failed, \
                           streams that broke off";
const MIXED: &str =
    "oha's percentiles mix answers with refusals, and none is read: `--output-format csv` keeps single requests";

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "request-start")]
    start: f64,
    #[serde(rename = "Response-delay")]
    delay: f64,
    #[serde(rename = "request-duration")]
    duration: f64,
    status: u16,
}

fn records(look: Look<'_>) -> Result<(String, Log), Mistake> {
    let table = table(&look.bytes, &COLUMNS)?;
    let mut gather = Gather::default();
    let target = gather.target(ENDPOINT)?;
    let one = |(line, record): &(usize, csv::StringRecord)| {
        let row = record.deserialize(Some(&table.header));
        row.map_err(|e| Mistake::new(format!("line {line}"), mistake(&look.bytes, &e).what))
    };
    let rows: Vec<Row> = table.rows.iter().map(one).collect::<Result<_, _>>()?;
    let streamed = comes_in_parts(rows.iter().filter(|r| r.status == 200).map(|r| (r.delay, r.duration)));
    for row in &rows {
        // A body without a byte has a delay of 0.
        let first = Some(row.delay).filter(|d| streamed && *d > 0.0);
        let ended = outcome(Some(row.status), "");
        gather.push(Observation {
            at: seconds(Some(row.start)),
            ttft: first
                .filter(|_| ended == Outcome::Success)
                .map_or(Timing::Unknown, |d| seen(Some(d))),
            e2e: seen(Some(row.duration)),
            ..observed(target, ended)
        });
    }
    gather.note(if streamed { FIRST_BYTE } else { NO_STREAM });
    gather.note(NO_FAILURES);
    Ok(("oha CSV".to_owned(), gather.finish()))
}

/// Whether the answers, each with the times of its first and its last byte, arrived in parts.
fn comes_in_parts(answers: impl Iterator<Item = (f64, f64)>) -> bool {
    let mut rests: Vec<f64> = answers.map(|(first, last)| (last - first) / last).collect();
    rests.sort_by(f64::total_cmp);
    rests.get(rests.len() / 2).is_some_and(|rest| *rest >= WHOLE)
}

#[derive(Deserialize)]
struct Report {
    summary: Totals,
    #[serde(rename = "latencyPercentiles")]
    e2e: BTreeMap<String, Option<f64>>,
    #[serde(rename = "firstBytePercentiles")]
    first_byte: BTreeMap<String, Option<f64>>,
    #[serde(rename = "statusCodeDistribution")]
    statuses: BTreeMap<String, u64>,
    #[serde(rename = "errorDistribution", default)]
    errors: BTreeMap<String, u64>,
    #[serde(default)]
    details: Value,
}

#[derive(Deserialize)]
struct Totals {
    average: Option<f64>,
    #[serde(rename = "requestsPerSec")]
    rate: Option<f64>,
}

fn summary(look: Look<'_>) -> Result<(String, Log), Mistake> {
    let report: Report = value(look.whole.unwrap_or_default())?;
    let mut gather = Gather::default();
    let answers: u64 = report.statuses.values().sum();
    let good = |(status, n): (&String, &u64)| status.starts_with('2').then_some(*n);
    let successes: u64 = report.statuses.iter().filter_map(good).sum();
    let mean = report.details.pointer("/firstByte/average").and_then(Value::as_f64);
    let first_byte = quantiles(&report.first_byte, mean);
    let e2e = quantiles(&report.e2e, report.summary.average);
    let middle = |of: &Summary| of.quantiles.iter().find(|q| q.0 == 0.5).map(|q| q.1);
    let streamed = comes_in_parts(middle(&first_byte).zip(middle(&e2e)).into_iter());
    let unmixed = answers == successes;
    gather.note(match (unmixed, streamed) {
        (false, _) => MIXED,
        (true, true) => FIRST_BYTE,
        (true, false) => NO_STREAM,
    });
    let stage = Stage {
        target: gather.target(ENDPOINT)?,
        achieved_rate: report.summary.rate,
        successes,
        failures: answers - successes + report.errors.values().sum::<u64>(),
        ttft: Some(first_byte).filter(|_| unmixed && streamed),
        e2e: Some(e2e).filter(|_| unmixed),
        ..Stage::default()
    };
    gather.stage(stage);
    Ok(("oha JSON".to_owned(), gather.finish()))
}

/// The quantiles under `p50`, `p99.9` and the like.
fn quantiles(of: &BTreeMap<String, Option<f64>>, mean: Option<f64>) -> Summary {
    let read = |(name, x): (&String, &Option<f64>)| {
        let share = name.strip_prefix('p')?.parse::<f64>().ok()?;
        Some((share / 100.0, (*x)?)).filter(|_| (0.0..=100.0).contains(&share))
    };
    let mut quantiles: Vec<(f64, f64)> = of.iter().filter_map(read).collect();
    sorting::by(&mut quantiles, |a, b| a.0.total_cmp(&b.0));
    Summary { mean, quantiles }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    /// oha 1.16.0 against `simcap mock`, with faults: the first 20 lines.
    const RECORDS: &str = include_str!("samples/oha-1.16.0.csv");
    /// A sample of oha 1.16.0 without `stream`.
    const WHOLE: &str = include_str!("samples/oha-1.16.0-whole.csv");
    /// Percentiles of 100 streams, without the histograms.
    const SUMMARY: &str = include_str!("samples/oha-1.16.0.json");

    #[test]
    fn a_first_byte_stands_for_the_first_token_and_the_log_says_so() {
        let log = read("o.csv", RECORDS.as_bytes()).unwrap();
        assert_eq!(log.sources[0].format, "oha CSV");
        assert_eq!(log.notes, [FIRST_BYTE, NO_FAILURES]);
        let [first, second, ..] = &log.observations[..] else {
            panic!()
        };
        assert_eq!((first.at, first.in_flight, first.unix), (Some(0.0), Some(1), None));
        assert_eq!(
            (first.ttft, first.e2e, first.tpot),
            (Timing::Seen(0.351_932_177), Timing::Seen(0.747_980_591), None)
        );
        assert!((second.at.unwrap() - (0.094_611_788 - 0.034_581_785)).abs() < 1e-12);
        assert_eq!(second.in_flight, Some(2));
        // A refusal has a body too, and its first byte is not a token.
        let refused = &log.observations[3];
        assert_eq!(
            (refused.outcome, refused.ttft, refused.e2e),
            (Outcome::ServerError, Timing::Unknown, Timing::Seen(0.311_241_65))
        );
        let of = |outcome| log.observations.iter().filter(|o| o.outcome == outcome).count();
        let counts = [Outcome::Success, Outcome::ServerError, Outcome::RateLimited].map(of);
        assert_eq!((counts, log.observations.len()), ([16, 3, 1], 20));
    }

    #[test]
    fn an_answer_that_comes_whole_has_no_first_token() {
        let log = read("o.csv", WHOLE.as_bytes()).unwrap();
        assert_eq!(log.notes, [NO_STREAM, NO_FAILURES]);
        assert!(log.observations.iter().all(|o| o.ttft == Timing::Unknown));
        assert_eq!(log.observations[0].e2e, Timing::Seen(0.676_841_438));
    }

    #[test]
    fn percentiles_are_a_stage_unless_refusals_are_among_them() {
        let log = read("o.json", SUMMARY.as_bytes()).unwrap();
        let stage = &log.stages[0];
        assert_eq!(
            (stage.successes, stage.failures, &log.notes[..]),
            (100, 0, &[FIRST_BYTE.to_owned()][..])
        );
        let ttft = stage.ttft.as_ref().unwrap();
        assert_eq!((ttft.mean, ttft.quantiles[2]), (Some(0.3112020149), (0.5, 0.303866736)));
        assert_eq!(stage.e2e.as_ref().unwrap().quantiles[6], (0.99, 0.840481574));
        assert_eq!((stage.tpot.as_ref(), stage.output.as_ref()), (None, None));
        let mixed = SUMMARY.replace("{\"200\": 100}", "{\"200\": 99, \"429\": 1}");
        let log = read("o.json", mixed.as_bytes()).unwrap();
        let stage = &log.stages[0];
        assert_eq!(
            (stage.successes, stage.failures, &log.notes[..]),
            (99, 1, &[MIXED.to_owned()][..])
        );
        assert_eq!((stage.ttft.as_ref(), stage.e2e.as_ref()), (None, None));
    }

    #[test]
    fn a_wrong_cell_is_named_by_line_and_column() {
        let wrong = RECORDS.replace("0.288077884", "soon");
        assert_eq!(
            read("o.csv", wrong.as_bytes()).unwrap_err().to_string(),
            "o.csv: line 3: column 4: invalid float literal"
        );
    }
}
