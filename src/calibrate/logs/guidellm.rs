//! GuideLLM's JSON (0.4 and later; read off 0.8.1, `schemas/base/info.py` and `request_stats.py` of vllm-project/guidellm).
//!
//! `benchmarks[]` are steps of load, each with its requests by how they ended. Its `time_to_first_token_ms` counts reasoning, as
//! ours does. Its `time_per_output_token_ms` is the whole request over all tokens, the first included; what is called TPOT
//! here is its `inter_token_latency_ms`: from the first token to the last, over the tokens less one. Requests that were still
//! running when a benchmark ended (`incomplete`) are cancelled ones: at least so long.

use serde::Deserialize;
use serde_json::Value;

use super::gather::{ENDPOINT, Gather, censor, observed, outcome, seconds, seen, tokens, tpot};
use super::{Format, Look, Mistake, printable, value};
use crate::calibrate::log::{Log, Observation};
use crate::request::Outcome;

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
        for request in successful.into_iter().flatten() {
            gather.push(observation(target, step, &request, Outcome::Success));
        }
        for request in errored.into_iter().flatten() {
            let words = request.info.as_ref().and_then(|i| i.error.as_deref());
            match outcome(None, words.unwrap_or("unknown")) {
                Some(found) => gather.push(observation(target, step, &request, found)),
                None => gather.count("requests left out: refused as wrong"),
            }
        }
        for request in incomplete.into_iter().flatten() {
            // Those that never began say nothing.
            if request.request_start_time.is_some() {
                gather.push(observation(target, step, &request, Outcome::Cancelled));
            }
        }
    }
    let version = printable(&report.metadata.guidellm_version);
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
    use crate::request::Outcome;

    /// Field by field what GuideLLM 0.8.1 writes, cut down to what is read and one thing that is not.
    const REPORT: &str = r#"{
        "metadata": {"version": 1, "guidellm_version": "0.8.1", "platform": "Linux"},
        "benchmarks": [
          {"config": {"backend": {"model": "mock"}}, "requests": {"successful": [], "errored": null}},
          {"config": {"backend": {"model": "mock"}}, "requests": {
            "successful": [{
              "request_start_time": 1700000000.25, "request_end_time": 1700000001.25, "request_latency": 1.0,
              "prompt_tokens": 256, "output_tokens": 11, "cached_tokens": 128, "time_to_first_token_ms": 400.0,
              "time_to_first_output_token_ms": 700.0, "inter_token_latency_ms": 58.0, "time_per_output_token_ms": 90.9,
              "info": {"status": "completed", "error": null,
                       "timings": {"targeted_start": 1700000000.0, "request_start": 1700000000.25}}}],
            "errored": [{
              "request_start_time": 1700000002.0, "request_end_time": 1700000002.5, "request_latency": 0.5,
              "prompt_tokens": null, "output_tokens": null, "time_to_first_token_ms": null, "inter_token_latency_ms": null,
              "info": {"status": "errored", "error": "HTTPStatusError: 429 Too Many Requests", "timings": {}}}],
            "incomplete": [{
              "request_start_time": 1700000003.0, "request_end_time": 1700000007.0, "request_latency": null,
              "prompt_tokens": 256, "output_tokens": 3, "time_to_first_token_ms": null, "inter_token_latency_ms": null,
              "info": {"status": "cancelled", "error": null, "timings": null}}]
          }}]
    }"#;

    #[test]
    fn requests_become_observations_and_benchmarks_steps() {
        let log = read("g.json", REPORT.as_bytes()).unwrap();
        assert_eq!(log.sources[0].format, "GuideLLM 0.8.1 JSON");
        assert_eq!(log.targets, ["mock"]);
        let [ok, refused, cut] = &log.observations[..] else {
            panic!()
        };
        assert_eq!((ok.step, ok.at, ok.dispatch), (1, Some(0.0), Some(0.25)));
        assert_eq!((ok.unix, ok.in_flight), (Some(1_700_000_000.0), Some(1)));
        assert_eq!((ok.ttft, ok.e2e), (Timing::Seen(0.4), Timing::Seen(1.0)));
        // Not the 90.9 ms that count the first token.
        assert_eq!(ok.tpot, Some(0.058));
        assert_eq!((ok.input, ok.cached, ok.output), (Some(256), Some(128), Some(11)));
        assert_eq!(
            (refused.outcome, refused.e2e),
            (Outcome::RateLimited, Timing::Seen(0.5))
        );
        assert_eq!(cut.outcome, Outcome::Cancelled);
        assert_eq!((cut.ttft, cut.e2e), (Timing::AtLeast(4.0), Timing::AtLeast(4.0)));
    }

    #[test]
    fn a_wrong_type_is_named_by_path() {
        let wrong = REPORT.replace("\"request_latency\": 1.0", "\"request_latency\": \"1 s\"");
        assert_eq!(
            read("g.json", wrong.as_bytes()).unwrap_err().to_string(),
            "g.json: benchmarks[1].requests.successful[0].request_latency: invalid type: string \"1 s\", expected f64"
        );
    }
}
