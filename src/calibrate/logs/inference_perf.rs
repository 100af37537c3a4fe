//! inference-perf (kubernetes-sigs): `per_request_lifecycle_metrics.json` as requests (`inference_perf/apis/base.py`, and the
//! older form with the token times in `info` itself) and `stage_*` or `summary_lifecycle_metrics.json` as stages.
//!
//! Its clock is monotonic: times of a file are only comparable with each other. Tokens that the server counted go before those
//! that the tool counts again from the text. TTFT and TPOT are as here: to the first token, and from then to the last over the
//! tokens less one; `computed_metrics` has them where `info` was left out. A request that failed keeps no token times: if its
//! `response` has anything in it, or was left out, it may have had its first token. Requests do not say their stage.
//!
//! A stage names its percentiles p0.1 to p99.9 and `median`; all times are seconds. A random schedule is not at the rate that was
//! asked for: one that was kept and fell short of it asked for what was sent.

use crate::stats::sorting;
use serde::Deserialize;
use serde_json::Value;

use super::gather::{ENDPOINT, Gather, censor, observed, outcome, seconds, seen, status_after, tokens};
use super::{Format, Look, Mistake, value};
use crate::calibrate::log::{Log, Observation, Stage, Summary, Timing};
use crate::words::Outcome;

pub(super) const RECORDS: Format = Format {
    name: "inference-perf per_request_lifecycle_metrics.json",
    is: |look| {
        ["info", "computed_metrics"]
            .iter()
            .any(|of| look.entry_has(&["start_time", "end_time", of]))
    },
    read: records,
};

pub(super) const STAGE: Format = Format {
    name: "inference-perf stage_N_lifecycle_metrics.json",
    is: |look| look.has("load_summary") && look.has("successes"),
    read: stage,
};

/// The lateness up to which a schedule counts as kept, as a share of the time of sending.
const KEPT: f64 = 0.01;

/// The share of the requested rate below which a stage counts as saturated.
const SHORT: f64 = 0.97;

#[derive(Deserialize)]
struct Record {
    start_time: f64,
    end_time: f64,
    scheduled_time: Option<f64>,
    stage_id: Option<u32>,
    response: Option<String>,
    info: Option<Info>,
    computed_metrics: Option<Computed>,
    error: Option<Error>,
}

#[derive(Deserialize)]
struct Info {
    input_tokens: Option<f64>,
    output_tokens: Option<f64>,
    output_token_times: Option<Vec<f64>>,
    response_metrics: Option<Response>,
}

#[derive(Deserialize)]
struct Response {
    output_tokens: Option<f64>,
    output_token_times: Option<Vec<f64>>,
    server_usage: Option<Value>,
}

#[derive(Deserialize)]
struct Computed {
    time_to_first_token: Option<f64>,
    time_per_output_token: Option<f64>,
    input_tokens: Option<f64>,
    output_tokens: Option<f64>,
}

#[derive(Deserialize)]
struct Error {
    error_type: Option<String>,
    error_msg: Option<String>,
}

fn records(look: Look<'_>) -> Result<(String, Log), Mistake> {
    let records: Vec<Record> = value(look.whole.unwrap_or_default())?;
    let mut gather = Gather::default();
    let target = gather.target(ENDPOINT)?;
    for record in &records {
        let words = record.error.as_ref().map_or(String::new(), |e| {
            let part = |text: &Option<String>| text.clone().unwrap_or_default();
            format!("{} {} ", part(&e.error_type), part(&e.error_msg))
        });
        let ended = outcome(status_after(&words, "HTTP Error "), &words);
        gather.push(observation(target, record, ended));
    }
    Ok(("inference-perf requests".to_owned(), gather.finish()))
}

fn observation(target: u16, record: &Record, ended: Outcome) -> Observation {
    let info = record.info.as_ref();
    let response = info.and_then(|i| i.response_metrics.as_ref());
    let usage = |path: &str| response?.server_usage.as_ref()?.pointer(path)?.as_f64();
    let times = response.and_then(|r| r.output_token_times.as_ref());
    let times = times.or(info.and_then(|i| i.output_token_times.as_ref()));
    let computed = record.computed_metrics.as_ref();
    let first_and_last = times.and_then(|t| Some((*t.first()?, *t.last()?)));
    let counted = response
        .and_then(|r| r.output_tokens)
        .or(info.and_then(|i| i.output_tokens))
        .or(computed.and_then(|c| c.output_tokens));
    let input = info
        .and_then(|i| i.input_tokens)
        .or(computed.and_then(|c| c.input_tokens));
    let dispatch = seconds(record.scheduled_time.map(|due| record.start_time - due));
    let output = tokens(usage("/completion_tokens").or(counted));
    let ttft = first_and_last.map(|(first, _)| first - record.start_time);
    let tpot = first_and_last.zip(output).and_then(|((first, last), n)| {
        let rest = n.checked_sub(1).filter(|n| *n > 0)?;
        seconds(Some((last - first) / f64::from(rest)))
    });
    let tpot = tpot.or(seconds(computed.and_then(|c| c.time_per_output_token)));
    let mut observation = Observation {
        at: Some(record.start_time - dispatch.unwrap_or(0.0)),
        dispatch,
        step: record.stage_id.unwrap_or(0),
        // For a failed request it writes an input of zero.
        input: tokens(usage("/prompt_tokens").or(input)).filter(|n| *n > 0),
        cached: tokens(usage("/prompt_tokens_details/cached_tokens")),
        output,
        reasoning: tokens(usage("/completion_tokens_details/reasoning_tokens")),
        ttft: seen(ttft.or(computed.and_then(|c| c.time_to_first_token))),
        tpot: tpot.filter(|_| ended == Outcome::Success),
        e2e: seen(Some(record.end_time - record.start_time)),
        ..observed(target, ended)
    };
    censor(&mut observation);
    if matches!(observation.ttft, Timing::AtLeast(_)) && record.response.as_deref() != Some("") {
        observation.ttft = Timing::Unknown;
    }
    observation
}

fn stage(look: Look<'_>) -> Result<(String, Log), Mistake> {
    let report = look.whole.unwrap_or_default();
    let number = |path: &str| report.pointer(path).and_then(Value::as_f64);
    let latency = |name: &str| summary(report.pointer(&format!("/successes/latency/{name}")));
    let mut gather = Gather::default();
    let (late, lasted) = (
        number("/load_summary/schedule_delay/max"),
        number("/load_summary/send_duration"),
    );
    let was_kept = late.zip(lasted).is_some_and(|(late, lasted)| late < KEPT * lasted);
    let (asked, sent) = (
        number("/load_summary/requested_rate"),
        number("/load_summary/achieved_rate"),
    );
    let by_chance = was_kept && sent.zip(asked).is_some_and(|(sent, asked)| sent < SHORT * asked);
    let stage = Stage {
        target: gather.target(ENDPOINT)?,
        name: String::new(),
        requested_rate: if by_chance { sent } else { asked },
        achieved_rate: sent,
        successes: number("/successes/count").map_or(0, |n| n as u64),
        failures: number("/failures/count").map_or(0, |n| n as u64),
        ttft: latency("time_to_first_token"),
        tpot: latency("time_per_output_token"),
        e2e: latency("request_latency"),
        // Version 0.7 writes the former, earlier versions the latter.
        input: summary(
            report
                .pointer("/successes/prompt_tokens")
                .or(report.pointer("/successes/prompt_len")),
        ),
        output: summary(report.pointer("/successes/output_len")),
    };
    gather.stage(stage);
    Ok(("inference-perf stage".to_owned(), gather.finish()))
}

fn summary(found: Option<&Value>) -> Option<Summary> {
    let fields = found?.as_object()?;
    let mut quantiles: Vec<(f64, f64)> = Vec::new();
    for (key, x) in fields {
        let share = match key.as_str() {
            "min" => Some(0.0),
            "median" => Some(50.0),
            "max" => Some(100.0),
            key => key.strip_prefix('p').and_then(|p| p.parse::<f64>().ok()),
        };
        let share = share.filter(|p| (0.0..=100.0).contains(p));
        quantiles.extend(share.zip(x.as_f64()).map(|(p, x)| (p / 100.0, x)));
    }
    sorting::by(&mut quantiles, |a, b| a.0.total_cmp(&b.0));
    Some(Summary {
        mean: fields.get("mean").and_then(Value::as_f64),
        quantiles,
    })
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use crate::calibrate::log::Timing;
    use crate::words::Outcome;

    /// By `RequestLifecycleMetric` and `StreamedResponseMetrics` of `inference_perf/apis/base.py`.
    #[test]
    fn requests_become_observations() {
        let text = r#"[
          {"start_time": 100.5, "end_time": 102.5, "scheduled_time": 100.25, "request": "{}", "response": "", "stage_id": 2,
           "info": {"input_tokens": 200, "request_metrics": {"text": {"input_tokens": 200}}, "lora_adapter": null,
             "response_metrics": {"output_tokens": 3, "output_token_times": [101.0, 101.5, 102.25],
               "response_chunks": [], "server_usage": {"prompt_tokens": 210, "completion_tokens": 6,
               "prompt_tokens_details": {"cached_tokens": 64}}}}, "error": null},
          {"start_time": 103.0, "end_time": 103.25, "request": "{}", "response": null, "info": null,
           "error": {"error_type": "TimeoutError", "error_msg": ""}},
          {"start_time": 104.0, "end_time": 105.0, "request": "{}", "response": "",
           "info": {"input_tokens": 5, "output_tokens": 2, "output_token_times": [104.5, 104.75]}, "error": null}]"#;
        let log = read("r.json", text.as_bytes()).unwrap();
        let [ok, timeout, old] = &log.observations[..] else {
            panic!()
        };
        assert_eq!((ok.at, ok.dispatch, ok.step, ok.unix), (Some(0.0), Some(0.25), 2, None));
        assert_eq!(
            (ok.ttft, ok.e2e, ok.tpot),
            (Timing::Seen(0.5), Timing::Seen(2.0), Some(0.25))
        );
        assert_eq!((ok.input, ok.cached, ok.output), (Some(210), Some(64), Some(6)));
        assert_eq!(
            (timeout.outcome, timeout.e2e),
            (Outcome::TimeoutTotal, Timing::AtLeast(0.25))
        );
        assert_eq!((old.ttft, old.tpot), (Timing::Seen(0.5), Some(0.25)));
    }

    /// inference-perf 0.7.0 against `simcap mock`, with faults and a timeout: fewer requests, of each the first two token times and
    /// the last, and the beginning of the response.
    const REAL: &str = include_str!("samples/inference-perf-0.7.0.json");

    #[test]
    fn a_request_that_failed_may_have_had_its_first_token() {
        let log = read("r.json", REAL.as_bytes()).unwrap();
        let of = |outcome: Outcome| -> Vec<_> {
            let found = log.observations.iter().filter(|o| o.outcome == outcome);
            found.map(|o| (o.ttft, o.e2e, o.input)).collect()
        };
        let ok = log.observations.iter().find(|o| o.outcome == Outcome::Success).unwrap();
        assert!((ok.ttft.seen().unwrap() - 0.363_311_139).abs() < 1e-9);
        assert!((ok.tpot.unwrap() - 0.009_996_345_615).abs() < 1e-9);
        assert_eq!((ok.input, ok.output, ok.cached), (Some(60), Some(40), Some(0)));
        for refused in [
            Outcome::RateLimited,
            Outcome::ServerError,
            Outcome::Unavailable,
            Outcome::GatewayTimeout,
            Outcome::Overloaded,
            Outcome::ConnectionError,
            Outcome::Truncated,
        ] {
            let found = of(refused);
            assert_eq!(
                (found.len(), found[0].0, found[0].2),
                (1, Timing::Unknown, None),
                "{refused:?}"
            );
        }
        // Both waited in vain, and tokens had come for the first.
        let [begun, silent] = of(Outcome::TimeoutTotal)[..] else {
            panic!()
        };
        assert_eq!(
            (begun.0, begun.1),
            (
                Timing::Unknown,
                Timing::AtLeast(26_322.001_581_149 - 26_316.220_424_581)
            )
        );
        let waited = Timing::AtLeast(26_323.001_647_936 - 26_317.578_744_494);
        assert_eq!((silent.0, silent.1), (waited, waited));
    }

    /// By `build_per_request_lifecycle_entry` of `inference_perf/reportgen/base.py` (0.7.0), with `info` left out.
    #[test]
    fn computed_metrics_stand_in_for_what_was_left_out() {
        let text = r#"[{"start_time": 100.0, "end_time": 102.0, "computed_metrics": {"request_latency": 2.0,
            "time_to_first_token": 0.5, "time_per_output_token": 0.25, "input_tokens": 9, "output_tokens": 6}, "error": null}]"#;
        let log = read("r.json", text.as_bytes()).unwrap();
        let ok = &log.observations[0];
        assert_eq!(
            (ok.ttft, ok.e2e, ok.tpot),
            (Timing::Seen(0.5), Timing::Seen(2.0), Some(0.25))
        );
        assert_eq!((ok.input, ok.output), (Some(9), Some(6)));
    }

    /// The figures of a stage that inference-perf 0.7.0 wrote: 300 Poisson arrivals, none late.
    #[test]
    fn a_random_schedule_that_was_kept_asked_for_what_was_sent() {
        let text = r#"{"load_summary": {"count": 300, "schedule_delay": {"mean": 0.0004, "max": 0.0036}, "send_duration": 21.3016,
            "requested_rate": 15.0, "achieved_rate": 14.0835}, "successes": {"count": 300, "prompt_tokens": {"total": 18000.0,
            "cached": 0.0, "mean": 60.0, "median": 60.0}}, "failures": {"count": 0}}"#;
        let stage = |text: &str| read("s.json", text.as_bytes()).unwrap().stages.remove(0);
        let kept = stage(text);
        assert_eq!(
            (kept.requested_rate, kept.achieved_rate),
            (Some(14.0835), Some(14.0835))
        );
        assert_eq!(kept.input.unwrap().quantiles, [(0.5, 60.0)]);
        let late = stage(&text.replace("\"max\": 0.0036", "\"max\": 2.5"));
        assert_eq!(late.requested_rate, Some(15.0));
    }

    /// The first percentiles of a stage of inference-perf's demo for KubeCon NA 2025 (`vllm/results/stage_3`), cut down.
    #[test]
    fn a_stage_keeps_its_percentiles() {
        let text = r#"{"load_summary": {"count": 5531, "requested_rate": 92.19, "achieved_rate": 92.224},
          "successes": {"count": 5531, "latency": {
            "request_latency": {"mean": 1.021, "min": 0.562, "p0.1": 0.595, "median": 1.004, "p99.9": 1.465, "max": 1.511},
            "time_to_first_token": {"mean": 0.0505, "median": 0.0445}, "time_per_output_token": null},
          "prompt_len": {"mean": 204.1}}, "failures": {"count": 3, "request_latency": null}}"#;
        let log = read("stage_3.json", text.as_bytes()).unwrap();
        let stage = &log.stages[0];
        assert_eq!((stage.requested_rate, stage.achieved_rate), (Some(92.19), Some(92.224)));
        assert_eq!(
            (stage.successes, stage.failures, &stage.name[..]),
            (5531, 3, "stage_3.json")
        );
        let shares: Vec<f64> = stage.e2e.as_ref().unwrap().quantiles.iter().map(|q| q.0).collect();
        assert_eq!(shares.len(), 5);
        for (share, expected) in shares.iter().zip([0.0, 0.001, 0.5, 0.999, 1.0]) {
            assert!((share - expected).abs() < 1e-12);
        }
        assert_eq!(stage.tpot, None);
    }
}
