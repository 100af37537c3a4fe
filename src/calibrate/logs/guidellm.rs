//! GuideLLM's JSON (0.4 and later; read off 0.8.1, `schemas/base/info.py` and `request_stats.py` of vllm-project/guidellm).
//!
//! `benchmarks[]` are steps of load, each with its requests by how they ended. Its `time_to_first_token_ms` counts
//! reasoning, as here. Its `time_per_output_token_ms` is the whole request over all tokens, the first included; TPOT in
//! the sense used here is its `inter_token_latency_ms`: from the first token to the last, over the tokens less one.
//! It may keep a sample of the requests alone, so many of each way to end ([`super::sampled`]); `metrics.request_totals` says
//! how many there were. Requests that were still running when a benchmark ended (`incomplete`) count as cancelled, with right-censored
//! times.

use serde::Deserialize;
use serde_json::Value;

use super::gather::{ENDPOINT, Gather, censor, observed, outcome, seconds, seen, status_after, tokens, tpot};
use super::{Format, Look, Mistake, quoted, value};
use crate::calibrate::log::{Log, Observation, Totals};
use crate::words::Outcome;

pub(super) const FORMAT: Format = Format {
    name: "GuideLLM JSON",
    is: |look| {
        look.has("benchmarks")
            && look
                .whole
                .as_ref()
                .is_some_and(|v| v.pointer("/metadata/guidellm_version").is_some())
    },
    read,
};

#[derive(Deserialize)]
struct Report {
    metadata: Metadata,
    benchmarks: Vec<Benchmark>,
}

#[derive(Deserialize)]
struct Metadata {
    guidellm_version: String,
}

#[derive(Deserialize)]
struct Benchmark {
    #[serde(default)]
    config: Value,
    #[serde(default)]
    requests: Requests,
    #[serde(default)]
    metrics: Option<Metrics>,
    duration: Option<f64>,
}

#[derive(Deserialize)]
struct Metrics {
    request_totals: Option<RequestTotals>,
}

#[derive(Deserialize)]
struct RequestTotals {
    successful: Option<u64>,
    errored: Option<u64>,
    incomplete: Option<u64>,
}

#[derive(Default, Deserialize)]
struct Requests {
    #[serde(default)]
    successful: Option<Vec<Request>>,
    #[serde(default)]
    errored: Option<Vec<Request>>,
    #[serde(default)]
    incomplete: Option<Vec<Request>>,
}

#[derive(Deserialize)]
struct Request {
    request_start_time: Option<f64>,
    request_end_time: Option<f64>,
    request_latency: Option<f64>,
    request_dispatch_delay: Option<f64>,
    prompt_tokens: Option<f64>,
    output_tokens: Option<f64>,
    cached_tokens: Option<f64>,
    time_to_first_token_ms: Option<f64>,
    inter_token_latency_ms: Option<f64>,
    info: Option<Info>,
}

#[derive(Deserialize)]
struct Info {
    error: Option<String>,
    timings: Option<Timings>,
}

#[derive(Deserialize)]
struct Timings {
    targeted_start: Option<f64>,
    request_start: Option<f64>,
}

fn read(look: Look<'_>) -> Result<(String, Log), Mistake> {
    let report: Report = value(look.whole.unwrap_or_default())?;
    let mut gather = Gather::default();
    for (step, benchmark) in report.benchmarks.into_iter().enumerate() {
        let model = ["/backend/model", "/backend/args/model", "/model"];
        let model = model.iter().find_map(|path| benchmark.config.pointer(path)?.as_str());
        let target = gather.target(model.unwrap_or(ENDPOINT))?;
        let step = u32::try_from(step).unwrap_or(u32::MAX);
        let Requests {
            successful,
            errored,
            incomplete,
        } = benchmark.requests;
        let mut rows = Vec::new();
        for request in successful.into_iter().flatten() {
            rows.push(observation(target, step, &request, Outcome::Success));
        }
        for request in errored.into_iter().flatten() {
            let words = request.info.as_ref().and_then(|i| i.error.as_deref());
            let words = words.unwrap_or("unknown");
            // httpx: "Client error '429 Too Many Requests' for url …".
            let found = outcome(status_after(words, " error '"), words);
            rows.push(observation(target, step, &request, found));
        }
        for request in incomplete.into_iter().flatten() {
            // Requests that never began say nothing.
            if request.request_start_time.is_some() {
                rows.push(observation(target, step, &request, Outcome::Cancelled));
            }
        }
        match benchmark.metrics.and_then(|m| m.request_totals) {
            Some(all) => {
                let (successful, failed) = (all.successful.unwrap_or(0), all.errored.unwrap_or(0));
                let totals = Totals {
                    target,
                    step,
                    successful,
                    failed,
                    // Of these the reader leaves out those that never began, so that fewer need not mean a sample.
                    cancelled: 0,
                    rate: benchmark
                        .duration
                        .map(|lasts| (successful + failed + all.incomplete.unwrap_or(0)) as f64 / lasts),
                };
                gather.step(rows, totals);
            }
            None => rows.into_iter().for_each(|row| gather.push(row)),
        }
    }
    let version = quoted(&report.metadata.guidellm_version);
    Ok((format!("GuideLLM {version} JSON"), gather.finish()))
}

fn observation(target: u16, step: u32, request: &Request, outcome: Outcome) -> Observation {
    let timings = request.info.as_ref().and_then(|i| i.timings.as_ref());
    let start = request.request_start_time.or(timings.and_then(|t| t.request_start));
    let due = timings.and_then(|t| t.targeted_start).zip(start);
    let dispatch = seconds(request.request_dispatch_delay.or(due.map(|(due, start)| start - due)));
    let at = start.map(|s| s - dispatch.unwrap_or(0.0));
    let e2e = request
        .request_latency
        .or(request.request_end_time.zip(start).map(|(end, start)| end - start));
    let mut observation = Observation {
        at,
        unix: at,
        dispatch,
        step,
        input: tokens(request.prompt_tokens),
        cached: tokens(request.cached_tokens),
        output: tokens(request.output_tokens),
        ttft: seen(request.time_to_first_token_ms.map(|ms| ms / 1e3)),
        e2e: seen(e2e),
        ..observed(target, outcome)
    };
    if outcome == Outcome::Success {
        let own = seconds(request.inter_token_latency_ms.map(|ms| ms / 1e3));
        observation.tpot = own.or(tpot(observation.ttft, observation.e2e, observation.output));
    }
    censor(&mut observation);
    observation
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use crate::calibrate::log::Timing;
    use crate::words::Outcome;

    /// GuideLLM 0.8.1 against `simcap mock`, with faults and a timeout, cut off after 10 s: fewer requests, no metrics.
    const REPORT: &str = include_str!("samples/guidellm-0.8.1.json");

    #[test]
    fn requests_become_observations() {
        let log = read("g.json", REPORT.as_bytes()).unwrap();
        assert_eq!(log.sources[0].format, "GuideLLM 0.8.1 JSON");
        assert_eq!(
            (&log.targets[..], log.observations.len()),
            (&["rough".to_owned()][..], 17)
        );
        let of = |outcome: Outcome| log.observations.iter().filter(move |o| o.outcome == outcome);
        let timings = |outcome: Outcome| -> Vec<_> { of(outcome).map(|o| (o.ttft, o.e2e)).collect() };
        let ok = of(Outcome::Success).next().unwrap();
        assert_eq!(ok.dispatch, Some(0.027_075_529_098_510_742));
        assert!((ok.unix.unwrap() - 1_795_289_752.450_587_3).abs() < 1e-6);
        assert_eq!(
            (ok.ttft, ok.e2e),
            (
                Timing::Seen(344.555_616_378_784_2 / 1e3),
                Timing::Seen(0.736_158_609_390_258_8)
            )
        );
        // The inter-token latency, not the 18.4 ms that count the first token.
        assert_eq!(ok.tpot, Some(9.986_119_392_590_645 / 1e3));
        assert_eq!((ok.input, ok.cached, ok.output), (Some(11), Some(0), Some(40)));
        assert_eq!(of(Outcome::Success).count(), 6);
        for refused in [
            Outcome::RateLimited,
            Outcome::ServerError,
            Outcome::Overloaded,
            Outcome::GatewayTimeout,
            Outcome::Unavailable,
            Outcome::ConnectionError,
        ] {
            assert_eq!(
                of(refused).map(|o| o.ttft).collect::<Vec<_>>(),
                [Timing::Unknown],
                "{refused:?}"
            );
        }
        assert_eq!(
            timings(Outcome::Truncated),
            [(
                Timing::Seen(300.802_707_672_119_14 / 1e3),
                Timing::Seen(0.354_523_658_752_441_4)
            )]
        );
        assert_eq!(
            timings(Outcome::TimeoutTotal),
            [
                (
                    Timing::Seen(323.140_859_603_881_84 / 1e3),
                    Timing::AtLeast(5.468_195_915_222_168)
                ),
                (
                    Timing::AtLeast(5.022_204_399_108_887),
                    Timing::AtLeast(5.022_204_399_108_887)
                ),
            ]
        );
        // The requests that were under way when it ended.
        assert_eq!(
            timings(Outcome::Cancelled),
            [
                (
                    Timing::Seen(251.268_386_840_820_3 / 1e3),
                    Timing::AtLeast(0.530_799_865_722_656_2)
                ),
                (
                    Timing::AtLeast(0.080_180_168_151_855_47),
                    Timing::AtLeast(0.080_180_168_151_855_47)
                ),
            ]
        );
    }

    #[test]
    fn benchmarks_are_steps() {
        let mut report: serde_json::Value = serde_json::from_str(REPORT).unwrap();
        let benchmarks = report["benchmarks"].as_array_mut().unwrap();
        benchmarks.push(benchmarks[0].clone());
        let log = read("g.json", report.to_string().as_bytes()).unwrap();
        let steps = [0, 1].map(|step| log.observations.iter().filter(|o| o.step == step).count());
        assert_eq!(steps, [17, 17]);
    }

    #[test]
    fn a_wrong_type_is_named_by_path() {
        let wrong = REPORT.replace(
            "\"request_latency\": 0.7361586093902588",
            "\"request_latency\": \"1 s\"",
        );
        assert_eq!(
            read("g.json", wrong.as_bytes()).unwrap_err().to_string(),
            "g.json: benchmarks[0].requests.successful[0].request_latency: invalid type: string \"1 s\", expected f64"
        );
    }
}
