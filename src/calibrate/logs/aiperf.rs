//! NVIDIA's AIPerf and its predecessor GenAI-Perf: requests as JSON lines (`profile_export.jsonl`) and summaries as JSON
//! (`profile_export_aiperf.json`, `profile_export_genai_perf.json`), by AIPerf's pages "Working with profile exports" and
//! "JSON export schema" (0.13).
//!
//! Each figure names its unit. Times count from `request_start_ns`, by the clock; `credit_issued_ns` is when a request was due.
//! TTFT and latency are to the first and the last response with content or reasoning: neither a role nor the tokens used count.
//! Tokens are the endpoint's own (`usage_…`) where it told them: `input_sequence_length` and `output_sequence_length` are what
//! AIPerf's tokenizer makes of the text, reasoning included, unless it ran with `--use-server-token-count`. Its
//! `inter_token_latency` is over those; TPOT here is (latency − TTFT) / (tokens − 1).
//!
//! Requests of the warm-up phase are left out. A request that failed has none of these figures. One refused with a
//! status ends when it starts, which is not a duration; one that timed out after the first bytes (`request_ack_ns`)
//! ends with its last, and has had its first token, at an unknown time; whether one that AIPerf called off had it is
//! not recorded.
//!
//! A summary is one stage. Its rate is that of the answers while they came: their number, less the mean time of one,
//! over the time of the test; the requested rate is read only if that many requests must have had it ([`AT_ITS_RATE`]).
//! Its TPOT is the inter-token latency if the tokens behind it are the endpoint's; else it is the time after the first
//! token over the endpoint's tokens, if all answers had equally many; else it is unknown.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::gather::{ENDPOINT, Gather, answered_rate, censor, observed, outcome, seen, tokens, tpot};
use super::{Format, Look, Mistake, line, lines, quoted};
use crate::calibrate::log::{Log, Observation, Stage, Summary, Timing};
use crate::words::Outcome;

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

/// Requests from which on a random schedule is at its rate: that of `n` Poisson arrivals differs by 1/√n, and 3 % below
/// it would look like saturation.
const AT_ITS_RATE: f64 = 10_000.0;

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
    request_ack_ns: Option<u64>,
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
    for (number, bytes) in lines(&look.bytes) {
        let record: Record = line(number, bytes)?;
        if record.metadata.benchmark_phase.as_deref() == Some("warmup") {
            gather.count("requests of the warm-up left out");
            continue;
        }
        let words = record.error.as_ref().map_or(String::new(), |e| {
            let part = |text: &Option<String>| text.clone().unwrap_or_default();
            format!("{} {} ", part(&e.kind), part(&e.message))
        });
        // AIPerf uses 499 for a request that it called off itself.
        let status = record.error.as_ref().and_then(|e| e.code).filter(|code| *code != 499);
        let ended = if record.metadata.was_cancelled {
            Outcome::Cancelled
        } else {
            outcome(status, &words)
        };
        gather.push(observation(target, &record, ended, number)?);
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
        .filter(|ns| *ns > 0)
        .map(|ns| ns as f64 / 1e9);
    let counted = |theirs: &str, own: &str| Ok::<_, Mistake>(metric(theirs)?.or(metric(own)?));
    let mut observation = Observation {
        at: Some(at),
        unix: Some(at),
        dispatch: due.map(|due| (start - due) as f64 / 1e9),
        input: tokens(counted("usage_prompt_tokens", "input_sequence_length")?.or(metric("error_isl")?)),
        cached: tokens(metric("usage_prompt_cache_read_tokens")?),
        output: tokens(counted("usage_completion_tokens", "output_sequence_length")?),
        reasoning: tokens(counted("usage_reasoning_tokens", "reasoning_token_count")?),
        ttft: seen(metric("time_to_first_token")?),
        e2e: seen(metric("request_latency")?.or(wall)),
        ..observed(target, ended)
    };
    if ended == Outcome::Success {
        observation.tpot = tpot(observation.ttft, observation.e2e, observation.output);
    }
    censor(&mut observation);
    let may_have_begun = meta.request_ack_ns.is_some() || meta.was_cancelled;
    if may_have_begun && matches!(observation.ttft, Timing::AtLeast(_)) {
        observation.ttft = Timing::Unknown;
    }
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
                "\"{}\" is not a known unit: ns, us, ms, sec, tokens, requests, requests/sec",
                quoted(other)
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
    let model = [
        "/models/items/0/name",
        "/endpoint/model_names/0",
        "/model_names/0",
        "/model/0",
    ];
    let model = model.iter().find_map(|path| config.pointer(path)?.as_str());
    let phases = config.get("phases").and_then(Value::as_array);
    let is_measured = |phase: &&Value| phase.get("kind").and_then(Value::as_str) == Some("profiling");
    let phase = phases.and_then(|all| all.iter().find(is_measured));
    let older = ["/loadgen/request_rate", "/request_rate"];
    let asked = phase.and_then(|p| p.get("rate"));
    let asked = asked.or(older.iter().find_map(|path| config.pointer(path)));
    let is_random = phase.and_then(|p| p.get("type")).is_some_and(|kind| kind != "constant");
    let (e2e, input, output) = (
        metric("request_latency")?,
        metric("usage_prompt_tokens")?.or(metric("input_sequence_length")?),
        metric("usage_completion_tokens")?,
    );
    let answers = number("request_count")?.unwrap_or(0.0);
    let failures = number("error_request_count")?.unwrap_or(0.0);
    let mean = e2e.as_ref().and_then(|e| e.mean);
    let while_they_came = answered_rate(answers + failures, number("benchmark_duration")?, mean);
    let mut gather = Gather::default();
    let tpot = match (&output, metric("output_sequence_length")?) {
        (Some(theirs), Some(own)) if *theirs != own => {
            gather.note("AIPerf counted other tokens than the endpoint: those of the endpoint are taken");
            over_tokens(metric("decode_duration")?, theirs)
        }
        _ => metric("inter_token_latency")?,
    };
    let stage = Stage {
        target: gather.target(model.unwrap_or(ENDPOINT))?,
        name: String::new(),
        requested_rate: asked
            .and_then(Value::as_f64)
            .filter(|_| !is_random || answers + failures >= AT_ITS_RATE),
        achieved_rate: while_they_came.or(number("request_throughput")?),
        successes: answers as u64,
        failures: failures as u64,
        ttft: metric("time_to_first_token")?,
        tpot,
        e2e,
        input,
        output: output.or(metric("output_sequence_length")?),
    };
    gather.stage(stage);
    let version = report.get("aiperf_version").and_then(Value::as_str);
    let format = version.map_or("GenAI-Perf summary".to_owned(), |v| {
        format!("AIPerf {} summary", quoted(v))
    });
    Ok((format, gather.finish()))
}

/// The time after the first token, over the tokens after it, if every answer had equally many.
fn over_tokens(decoding: Option<Summary>, output: &Summary) -> Option<Summary> {
    let (least, most) = (output.quantiles.first()?.1, output.quantiles.last()?.1);
    let rest = Some(most - 1.0).filter(|n| least == most && *n > 0.0)?;
    let decoding = decoding?;
    Some(Summary {
        mean: decoding.mean.map(|x| x / rest),
        quantiles: decoding
            .quantiles
            .into_iter()
            .map(|(share, x)| (share, x / rest))
            .collect(),
    })
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
    use crate::calibrate::log::{Log, Timing};
    use crate::words::Outcome;

    /// AIPerf 0.13.0 against `simcap mock`, with faults, timeouts and requests called off; its tokenizer counts letters. Fewer
    /// requests and metrics.
    const RECORDS: &str = include_str!("samples/aiperf-0.13.0.jsonl");
    /// AIPerf's summary of 150 such requests, with fewer metrics.
    const SUMMARY: &str = include_str!("samples/aiperf-0.13.0-summary.json");

    fn records() -> Log {
        read("p.jsonl", RECORDS.as_bytes()).unwrap()
    }

    #[test]
    fn records_become_observations_with_the_tokens_of_the_endpoint() {
        let log = records();
        assert_eq!(log.notes, ["1 requests of the warm-up left out"]);
        let ok = log.observations.iter().find(|o| o.outcome == Outcome::Success).unwrap();
        assert_eq!(
            (ok.ttft, ok.e2e),
            (Timing::Seen(362.481_091 / 1e3), Timing::Seen(752.157_551 / 1e3))
        );
        // The endpoint's counts, not the 193 and 60 letters.
        assert_eq!((ok.output, ok.input), (Some(40), Some(13)));
        assert_eq!((ok.cached, ok.reasoning), (Some(0), Some(0)));
        assert!((ok.tpot.unwrap() - (0.752_157_551 - 0.362_481_091) / 39.0).abs() < 1e-12);
        assert!((ok.dispatch.unwrap() - 0.008_756_486).abs() < 1e-12);
        assert!((ok.unix.unwrap() - 1_795_290_031.820_071_3).abs() < 1e-6);
        assert!(log.observations.iter().all(|o| o.in_flight.is_some()));
    }

    #[test]
    fn failures_say_no_more_than_is_known() {
        let log = records();
        let of = |outcome: Outcome| -> Vec<_> {
            let found = log.observations.iter().filter(|o| o.outcome == outcome);
            found.map(|o| (o.ttft, o.e2e)).collect()
        };
        let nothing = (Timing::Unknown, Timing::Unknown);
        for refused in [
            Outcome::RateLimited,
            Outcome::ServerError,
            Outcome::Unavailable,
            Outcome::Overloaded,
        ] {
            assert_eq!(of(refused), [nothing], "{refused:?}");
        }
        assert_eq!(of(Outcome::Truncated), [(Timing::Unknown, Timing::Seen(0.322_984))]);
        assert_eq!(of(Outcome::ConnectionError).len(), 1);
        // The first tokens of the second were there.
        assert_eq!(
            of(Outcome::TimeoutTotal),
            [
                (Timing::AtLeast(3.000_196_291), Timing::AtLeast(3.000_196_291)),
                (Timing::Unknown, Timing::AtLeast(0.548_563_676))
            ]
        );
        assert_eq!(
            of(Outcome::Cancelled),
            [(Timing::Unknown, Timing::AtLeast(0.402_974_06))]
        );
    }

    #[test]
    fn a_unit_that_is_not_known_is_refused() {
        let text = RECORDS.replace(
            "\"value\": 264.90970699999997, \"unit\": \"ms\"",
            "\"value\": 264.90970699999997, \"unit\": \"fortnights\"",
        );
        assert_eq!(
            read("p.jsonl", text.as_bytes()).unwrap_err().to_string(),
            "p.jsonl: line 7, time_to_first_token.unit: \"fortnights\" is not a known unit: \
             ns, us, ms, sec, tokens, requests, requests/sec"
        );
    }

    #[test]
    fn a_summary_is_a_stage() {
        let log = read("s.json", SUMMARY.as_bytes()).unwrap();
        assert_eq!(
            (&log.sources[0].format[..], &log.targets[0][..]),
            ("AIPerf 0.13.0 summary", "rough")
        );
        let stage = &log.stages[0];
        assert_eq!((stage.successes, stage.failures), (79, 71));
        // 150 requests in 11.375 s, of which the mean one took 0.701 s. Of so few, 15 a second need not have been sent.
        assert!((stage.achieved_rate.unwrap() - 150.0 / (11.374_525_696 - 0.700_702_112_7)).abs() < 1e-6);
        assert_eq!(stage.requested_rate, None);
        let (ttft, tpot) = (stage.ttft.as_ref().unwrap(), stage.tpot.as_ref().unwrap());
        assert_eq!(
            (ttft.quantiles[0], ttft.quantiles[5].0),
            ((0.0, 221.339_247 / 1e3), 0.5)
        );
        assert!((ttft.quantiles[5].1 - 0.307_534_934).abs() < 1e-12);
        // Per token, not the 2.0 ms between letters.
        assert!((tpot.quantiles[5].1 - 0.389_826_282 / 39.0).abs() < 1e-12);
        assert_eq!(stage.output.as_ref().unwrap().mean, Some(40.0));
        assert_eq!(stage.input.as_ref().unwrap().mean, Some(12.0));
    }

    #[test]
    fn a_summary_says_no_rate_and_no_tpot_that_it_does_not_know() {
        let stage = |text: &str| read("s.json", text.as_bytes()).unwrap().stages.remove(0);
        let regular = stage(&SUMMARY.replace("\"poisson\"", "\"constant\""));
        assert_eq!(regular.requested_rate, Some(15.0));
        // The endpoint's tokens vary, and AIPerf counted others.
        let (start, end) = SUMMARY.split_once("\"usage_completion_tokens\": {").unwrap();
        let varied = format!(
            "{start}\"usage_completion_tokens\": {{{}",
            end.replacen("\"max\": 40.0", "\"max\": 41.0", 1)
        );
        assert_eq!(stage(&varied).tpot, None);
        // Where both counts agree, AIPerf's own figure is right.
        let server = SUMMARY.replace("\"usage_completion_tokens\"", "\"usage_other\"");
        assert_eq!(stage(&server).tpot.unwrap().mean, Some(1.940798607559725 / 1e3));
    }
}
