//! NVIDIA's AIPerf and its predecessor GenAI-Perf: requests as JSON lines (`profile_export.jsonl`) and summaries as JSON
//! (`profile_export_aiperf.json`, `profile_export_genai_perf.json`), by AIPerf's pages "Working with profile exports" and
//! "JSON export schema" (0.13).
//!
//! Each figure names its unit. Times count from `request_start_ns`, by the clock; `credit_issued_ns` is when a request was due.
//! `output_sequence_length` includes reasoning. Its `inter_token_latency` is a mean of one request that leaves out all tokens
//! of the first chunk; TPOT here is (latency − TTFT) / (tokens − 1). Requests of the warm-up phase are left out. A summary is
//! one stage, whose rate is that of the answers, and whose TPOT is its inter-token latency.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::gather::{ENDPOINT, Gather, censor, observed, outcome, seen, tokens, tpot};
use super::{Format, Look, Mistake, line, lines, printable};
use crate::calibrate::log::{Log, Observation, Stage, Summary};
use crate::request::Outcome;

pub(super) const RECORDS: Format = Format {
    name: "AIPerf profile_export.jsonl",
    is: |look| {
        let record = |v: &Value| v.get("metrics").is_some() && v.pointer("/metadata/request_start_ns").is_some();
        look.first.as_ref().is_some_and(record)
    },
    read: records,
};

pub(super) const SUMMARY: Format = Format {
    name: "AIPerf and GenAI-Perf summary JSON",
    is: |look| look.has("aiperf_version") || (look.has("request_throughput") && look.has("request_latency")),
    read: summary,
};

#[derive(Deserialize)]
struct Record {
    metadata: Metadata,
    #[serde(default)]
    metrics: Value,
    error: Option<Error>,
}

#[derive(Deserialize)]
struct Metadata {
    request_start_ns: u64,
    request_end_ns: Option<u64>,
    credit_issued_ns: Option<u64>,
    benchmark_phase: Option<String>,
    #[serde(default)]
    was_cancelled: bool,
}

#[derive(Deserialize)]
struct Error {
    code: Option<u16>,
    #[serde(rename = "type")]
    kind: Option<String>,
    message: Option<String>,
}

fn records(look: Look<'_>) -> Result<(String, Log), Mistake> {
    let mut gather = Gather::default();
    let target = gather.target(ENDPOINT)?;
    for (number, bytes) in lines(look.bytes) {
        let record: Record = line(number, bytes)?;
        if record.metadata.benchmark_phase.as_deref() == Some("warmup") {
            gather.count("requests of the warm-up left out");
            continue;
        }
        let words = record.error.as_ref().map_or(String::new(), |e| {
            let part = |text: &Option<String>| text.clone().unwrap_or_default();
            format!("{} {} ", part(&e.kind), part(&e.message))
        });
        // 499 is its own code for a request that it called off itself.
        let status = record.error.as_ref().and_then(|e| e.code).filter(|code| *code != 499);
        let ended = if record.metadata.was_cancelled {
            Some(Outcome::Cancelled)
        } else {
            outcome(status, &words)
        };
        match ended {
            Some(ended) => gather.push(observation(target, &record, ended, number)?),
            None => gather.count("requests left out: refused as wrong"),
        }
    }
    Ok(("AIPerf profile export".to_owned(), gather.finish()))
}

fn observation(target: u16, record: &Record, ended: Outcome, number: usize) -> Result<Observation, Mistake> {
    let metric = |name: &str| measure(record.metrics.get(name), "value", name).map_err(|m| m.under(number));
    let meta = &record.metadata;
    let start = meta.request_start_ns;
    let due = meta.credit_issued_ns.filter(|due| *due <= start);
    let at = due.unwrap_or(start) as f64 / 1e9;
    let wall = meta
        .request_end_ns
        .and_then(|end| end.checked_sub(start))
        .map(|ns| ns as f64 / 1e9);
    let mut observation = Observation {
        at: Some(at),
        unix: Some(at),
        dispatch: due.map(|due| (start - due) as f64 / 1e9),
        input: tokens(metric("input_sequence_length")?),
        output: tokens(metric("output_sequence_length")?),
        reasoning: tokens(metric("reasoning_token_count")?),
        ttft: seen(metric("time_to_first_token")?),
        e2e: seen(metric("request_latency")?.or(wall)),
        ..observed(target, ended)
    };
    if ended == Outcome::Success {
        observation.tpot = tpot(observation.ttft, observation.e2e, observation.output);
    }
    censor(&mut observation);
    Ok(observation)
}

/// The figure under `key` in the unit of its metric, times in seconds.
fn measure(metric: Option<&Value>, key: &str, name: &str) -> Result<Option<f64>, Mistake> {
    let Some(metric) = metric.filter(|m| !m.is_null()) else {
        return Ok(None);
    };
    let Some(x) = metric.get(key).and_then(Value::as_f64) else {
        return Ok(None);
    };
    let unit = metric.get("unit").and_then(Value::as_str).unwrap_or("");
    Ok(Some(match unit {
        "ns" | "nanoseconds" => x / 1e9,
        "us" | "µs" | "microseconds" => x / 1e6,
        "ms" | "milliseconds" => x / 1e3,
        "s" | "sec" | "seconds" | "tokens" | "requests" | "requests/sec" | "" => x,
        other => {
            let what = format!(
                "\"{}\" is no unit that is known: ns, us, ms, sec, tokens, requests, requests/sec",
                printable(other)
            );
            return Err(Mistake::new(format!("{name}.unit"), what));
        }
    }))
}

fn summary(look: Look<'_>) -> Result<(String, Log), Mistake> {
    let Some(Value::Object(report)) = look.whole else {
        return Err(Mistake::new("", "not a JSON object"));
    };
    let metric = |name: &str| summarised(report.get(name), name);
    let number = |name: &str| measure(report.get(name), "avg", name);
    let config = report.get("input_config").cloned().unwrap_or_default();
    let model = ["/endpoint/model_names/0", "/model_names/0", "/model/0"];
    let model = model.iter().find_map(|path| config.pointer(path)?.as_str());
    let mut gather = Gather::default();
    let rates = ["/loadgen/request_rate", "/request_rate"];
    let stage = Stage {
        target: gather.target(model.unwrap_or(ENDPOINT))?,
        name: String::new(),
        requested_rate: rates.iter().find_map(|path| config.pointer(path)?.as_f64()),
        achieved_rate: number("request_throughput")?,
        successes: number("request_count")?.map_or(0, |n| n as u64),
        failures: number("error_request_count")?.map_or(0, |n| n as u64),
        ttft: metric("time_to_first_token")?,
        tpot: metric("inter_token_latency")?,
        e2e: metric("request_latency")?,
        input: metric("input_sequence_length")?,
        output: metric("output_sequence_length")?,
    };
    gather.stage(stage);
    let version = report.get("aiperf_version").and_then(Value::as_str);
    let format = version.map_or("GenAI-Perf summary".to_owned(), |v| {
        format!("AIPerf {} summary", printable(v))
    });
    Ok((format, gather.finish()))
}

fn summarised(metric: Option<&Value>, name: &str) -> Result<Option<Summary>, Mistake> {
    let Some(Value::Object(fields)) = metric else {
        return Ok(None);
    };
    let mut quantiles: BTreeMap<u32, f64> = BTreeMap::new();
    for key in fields.keys() {
        let share = match key.as_str() {
            "min" => Some(0.0),
            "max" => Some(100.0),
            key => key.strip_prefix('p').and_then(|p| p.parse::<f64>().ok()),
        };
        if let Some(share) = share.filter(|p| (0.0..=100.0).contains(p))
            && let Some(x) = measure(metric, key, name)?
        {
            quantiles.insert((share * 1e4).round() as u32, x);
        }
    }
    Ok(Some(Summary {
        mean: measure(metric, "avg", name)?,
        quantiles: quantiles.into_iter().map(|(p, x)| (f64::from(p) / 1e6, x)).collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use crate::calibrate::log::Timing;
    use crate::request::Outcome;

    /// After the two records that AIPerf's page "Working with profile exports" shows, with fewer metrics.
    const RECORDS: &str = r#"{"metadata":{"session_num":0,"credit_issued_ns":1759813207000000000,"request_start_ns":1759813206900000000,"request_end_ns":1759813207200000000,"worker_id":"w","benchmark_phase":"warmup","was_cancelled":false},"metrics":{},"error":null}
{"metadata":{"session_num":45,"credit_issued_ns":1759813207500000000,"request_start_ns":1759813207532000000,"request_end_ns":1759813208532000000,"worker_id":"w","benchmark_phase":"profiling","was_cancelled":false},"metrics":{"input_sequence_length":{"value":550,"unit":"tokens"},"output_sequence_length":{"value":9,"unit":"tokens"},"request_latency":{"value":1000.0,"unit":"ms"},"time_to_first_token":{"value":255.5,"unit":"ms"},"inter_token_latency":{"value":297.0,"unit":"ms"}},"error":null}
{"metadata":{"session_num":80,"request_start_ns":1759813209000000000,"request_end_ns":1759813211000000000,"worker_id":"w","benchmark_phase":"profiling","was_cancelled":true},"metrics":{"error_isl":{"value":550,"unit":"tokens"}},"error":{"code":499,"type":"RequestCancellationError","message":"Request was cancelled after 2.000 seconds"}}
{"metadata":{"session_num":81,"request_start_ns":1759813210000000000,"request_end_ns":1759813210100000000,"worker_id":"w","benchmark_phase":"profiling","was_cancelled":false},"metrics":{},"error":{"code":503,"type":"Service Unavailable","message":"busy"}}
"#;

    #[test]
    fn records_become_observations() {
        let log = read("p.jsonl", RECORDS.as_bytes()).unwrap();
        let [ok, cut, refused] = &log.observations[..] else {
            panic!("{log:?}")
        };
        assert_eq!((ok.ttft, ok.e2e), (Timing::Seen(0.2555), Timing::Seen(1.0)));
        assert!((ok.tpot.unwrap() - (1.0 - 0.2555) / 8.0).abs() < 1e-12);
        assert!((ok.dispatch.unwrap() - 0.032).abs() < 1e-9);
        assert_eq!((ok.input, ok.output), (Some(550), Some(9)));
        assert_eq!((cut.outcome, cut.e2e), (Outcome::Cancelled, Timing::AtLeast(2.0)));
        assert_eq!(refused.outcome, Outcome::Unavailable);
        assert_eq!(log.notes, ["1 requests of the warm-up left out"]);
    }

    #[test]
    fn a_unit_that_is_not_known_is_refused() {
        let text = RECORDS.replace(
            "\"value\":255.5,\"unit\":\"ms\"",
            "\"value\":255.5,\"unit\":\"fortnights\"",
        );
        assert_eq!(
            read("p.jsonl", text.as_bytes()).unwrap_err().to_string(),
            "p.jsonl: line 2, time_to_first_token.unit: \"fortnights\" is no unit that is known: \
             ns, us, ms, sec, tokens, requests, requests/sec"
        );
    }

    /// After the example of AIPerf's page "JSON export schema".
    #[test]
    fn a_summary_is_a_stage() {
        let text = r#"{"schema_version":"1.4","aiperf_version":"0.13.0",
            "request_throughput":{"unit":"requests/sec","avg":4.9},"request_count":{"unit":"requests","avg":40.0},
            "request_latency":{"unit":"ms","avg":520.0,"p1":500.0,"p50":515.0,"p99":600.0,"min":499.0,"max":610.0,"std":9.0,"count":40},
            "time_to_first_token":{"unit":"ms","avg":206.0,"p50":205.0,"p99":230.0},
            "input_config":{"endpoint":{"model_names":["mock"]},"loadgen":{"request_rate":5.0}}}"#;
        let log = read("s.json", text.as_bytes()).unwrap();
        assert_eq!(
            (&log.sources[0].format[..], &log.targets[0][..]),
            ("AIPerf 0.13.0 summary", "mock")
        );
        let stage = &log.stages[0];
        assert_eq!(
            (stage.requested_rate, stage.achieved_rate, stage.successes),
            (Some(5.0), Some(4.9), 40)
        );
        let e2e = stage.e2e.as_ref().unwrap();
        assert_eq!(e2e.mean, Some(0.52));
        assert_eq!(
            e2e.quantiles,
            [(0.0, 0.499), (0.01, 0.5), (0.5, 0.515), (0.99, 0.6), (1.0, 0.61)]
        );
    }
}
