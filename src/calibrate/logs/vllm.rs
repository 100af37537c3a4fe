//! vLLM's `bench serve` JSON: parallel lists of requests if it was run with `--save-detailed`, else percentiles as one stage.
//!
//! Times are seconds, those under names with `_ms` milliseconds. TTFT is to the first chunk with a choice in it: with
//! the backend `openai-chat` that is the role, where the server sends it alone (`lib/endpoint_request_func.py`). A
//! request's end is its TTFT plus the gaps between its chunks, as the tool computes TPOT; gaps are between chunks and
//! not between tokens, so TPOT is their sum over the tokens less one. `start_times` are by a monotonic clock. A request
//! failed if its `errors` entry has words, a reason ("Too Many Requests") or a traceback, whose last line counts; or if
//! it has no time at all, like one that was refused without a reason.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::gather::{ENDPOINT, Gather, answered_rate, censor, observed, outcome, seconds, seen, tokens, tpot};
use super::{Format, Look, Mistake, value};
use crate::calibrate::log::{Log, Observation, Stage, Summary};
use crate::words::Outcome;

pub(super) const FORMAT: Format = Format {
    name: "vLLM bench serve JSON",
    is: |look| (look.has("ttfts") && look.has("itls")) || (look.has("mean_ttft_ms") && look.has("request_throughput")),
    read,
};

/// Single requests, in parallel lists.
#[derive(Deserialize)]
pub(super) struct Detailed {
    ttfts: Vec<f64>,
    itls: Vec<Vec<f64>>,
    input_lens: Vec<f64>,
    output_lens: Vec<f64>,
    errors: Option<Vec<Option<String>>>,
    start_times: Option<Vec<f64>>,
    queue_times: Option<Vec<f64>>,
}

fn read(look: Look<'_>) -> Result<(String, Log), Mistake> {
    let report = look.whole.unwrap_or_default();
    let mut gather = Gather::default();
    let model = report.get("model_id").and_then(Value::as_str);
    let target = gather.target(model.unwrap_or(ENDPOINT))?;
    if report.get("ttfts").is_some() {
        requests(value(report)?, target, &mut gather)?;
    } else {
        gather.stage(stage(&report, target, "e2el"));
        gather.note("percentiles alone: `--save-detailed` would keep single requests");
    }
    Ok(("vLLM bench serve JSON".to_owned(), gather.finish()))
}

/// The requests of `--save-detailed`.
pub(super) fn requests(all: Detailed, target: u16, gather: &mut Gather) -> Result<(), Mistake> {
    let n = all.ttfts.len();
    let lists = [
        ("itls", Some(all.itls.len())),
        ("input_lens", Some(all.input_lens.len())),
        ("output_lens", Some(all.output_lens.len())),
        ("errors", all.errors.as_ref().map(Vec::len)),
        ("start_times", all.start_times.as_ref().map(Vec::len)),
        ("queue_times", all.queue_times.as_ref().map(Vec::len)),
    ];
    if let Some((name, Some(found))) = lists.into_iter().find(|(_, found)| found.is_some_and(|f| f != n)) {
        return Err(Mistake::new(name, format!("{found} entries, and `ttfts` has {n}")));
    }
    for i in 0..n {
        let words = all.errors.as_ref().and_then(|e| e[i].as_deref()).unwrap_or("");
        let told = words.trim_end().lines().last().unwrap_or("");
        let words = if told.is_empty() && all.ttfts[i] == 0.0 {
            "unknown"
        } else {
            told
        };
        let ended = outcome(None, words);
        let good = ended == Outcome::Success;
        let ttft = seen(Some(all.ttfts[i]).filter(|_| good));
        let e2e = seen(Some(all.ttfts[i] + all.itls[i].iter().sum::<f64>()).filter(|_| good));
        let output = tokens(Some(all.output_lens[i]));
        let dispatch = all.queue_times.as_ref().and_then(|q| seconds(Some(q[i])));
        let mut observation = Observation {
            at: all.start_times.as_ref().map(|s| s[i] - dispatch.unwrap_or(0.0)),
            dispatch,
            input: tokens(Some(all.input_lens[i])),
            output,
            ttft,
            tpot: tpot(ttft, e2e, output),
            e2e,
            ..observed(target, ended)
        };
        censor(&mut observation);
        gather.push(observation);
    }
    Ok(())
}

/// The percentiles of a result, whose end-to-end times have this name.
pub(super) fn stage(report: &Value, target: u16, e2e: &str) -> Stage {
    let number = |name: &str| report.get(name).and_then(Value::as_f64);
    let (completed, failed) = (number("completed").unwrap_or(0.0), number("failed").unwrap_or(0.0));
    let ms = |name: &str| number(name).map(|ms| ms / 1e3);
    // Whole requests are reported only if `--percentile-metrics` asks for them.
    let after_first = number("total_output_tokens").map(|n| (n / completed - 1.0).max(0.0));
    let decoding = ms("mean_tpot_ms").zip(after_first).map(|(tpot, n)| tpot * n);
    let mean = ms(&format!("mean_{e2e}_ms")).or(ms("mean_ttft_ms").zip(decoding).map(|(ttft, rest)| ttft + rest));
    Stage {
        target,
        requested_rate: number("request_rate").filter(|r| r.is_finite()),
        achieved_rate: answered_rate(completed + failed, number("duration"), mean).or(number("request_throughput")),
        successes: completed as u64,
        failures: failed as u64,
        ttft: summary(report, "ttft"),
        tpot: summary(report, "tpot"),
        e2e: summary(report, e2e),
        ..Stage::default()
    }
}

/// The summary under `mean_NAME_ms`, `median_NAME_ms` and `pQ_NAME_ms`.
fn summary(report: &Value, name: &str) -> Option<Summary> {
    let end = format!("_{name}_ms");
    let mut found = Summary::default();
    let mut quantiles: BTreeMap<u32, f64> = BTreeMap::new();
    for (key, x) in report.as_object()? {
        let (Some(which), Some(ms)) = (key.strip_suffix(&end), x.as_f64()) else {
            continue;
        };
        match which {
            "mean" => found.mean = Some(ms / 1e3),
            "median" => drop(quantiles.insert(500_000, ms / 1e3)),
            which => {
                let share = which.strip_prefix('p').and_then(|p| p.parse::<f64>().ok());
                if let Some(share) = share.filter(|p| (0.0..=100.0).contains(p)) {
                    quantiles.insert((share * 1e4).round() as u32, ms / 1e3);
                }
            }
        }
    }
    found.quantiles = quantiles.into_iter().map(|(p, x)| (f64::from(p) / 1e6, x)).collect();
    (found != Summary::default()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use crate::calibrate::log::Timing;
    use crate::words::Outcome;

    /// The names are those of vLLM's `benchmarks/serve.py`.
    const DETAILED: &str = r#"{"date": "20260801-120000", "backend": "openai-chat", "model_id": "llama", "request_rate": "inf",
        "completed": 1, "request_throughput": 2.0, "mean_ttft_ms": 100.0,
        "input_lens": [100, 200], "output_lens": [5, 0], "ttfts": [0.1, 0.0], "itls": [[0.2, 0.2], []],
        "start_times": [50.0, 51.0], "errors": ["", "Traceback: aiohttp.ClientConnectorError"]}"#;

    #[test]
    fn lists_become_observations() {
        let log = read("v.json", DETAILED.as_bytes()).unwrap();
        assert_eq!(log.targets, ["llama"]);
        let [ok, failed] = &log.observations[..] else { panic!() };
        // Two chunks after the first carry the four tokens after it.
        assert!((ok.tpot.unwrap() - 0.1).abs() < 1e-12);
        assert_eq!((ok.at, ok.ttft), (Some(0.0), Timing::Seen(0.1)));
        assert_eq!(
            (failed.outcome, failed.ttft),
            (Outcome::ConnectionError, Timing::Unknown)
        );
    }

    #[test]
    fn a_failure_is_told_by_the_last_line_of_its_traceback_or_by_having_no_times() {
        let ending = |error: &str| {
            let text = DETAILED.replace("Traceback: aiohttp.ClientConnectorError", error);
            read("v.json", text.as_bytes()).unwrap().observations[1].outcome
        };
        let traceback = r#"Traceback\n  File \"client.py\", line 429, in post\naiohttp.ServerDisconnectedError: Server disconnected\n"#;
        assert_eq!(ending(traceback), Outcome::ConnectionError);
        assert_eq!(ending("Too Many Requests"), Outcome::RateLimited);
        assert_eq!(ending(""), Outcome::ServerError);
    }

    #[test]
    fn lists_of_unlike_length_are_refused() {
        let text = DETAILED.replace("[100, 200]", "[100]");
        assert_eq!(
            read("v.json", text.as_bytes()).unwrap_err().to_string(),
            "v.json: input_lens: 1 entries, and `ttfts` has 2"
        );
    }

    /// 300 requests at 15 a second, each 0.7 s long: `request_throughput` is of the time until the last is back.
    #[test]
    fn the_rate_is_that_of_the_answers_while_they_came() {
        let rate = |more: &str| {
            let text = format!(
                r#"{{"completed": 290, "failed": 10, "duration": 20.7, "request_rate": 15.0, "request_throughput": 14.0,
                "mean_ttft_ms": 300.0{more}}}"#
            );
            read("v.json", text.as_bytes()).unwrap().stages[0]
                .achieved_rate
                .unwrap()
        };
        assert!((rate(r#", "mean_e2el_ms": 700.0"#) - 15.0).abs() < 1e-9);
        assert!((rate(r#", "mean_tpot_ms": 10.0, "total_output_tokens": 11890"#) - 15.0).abs() < 1e-9);
        assert!((rate("") - 14.0).abs() < 1e-9);
    }

    #[test]
    fn percentiles_alone_are_a_stage() {
        let text = r#"{"model_id": "llama", "completed": 100, "request_rate": 4.0, "request_throughput": 3.9,
            "mean_ttft_ms": 120.0, "median_ttft_ms": 100.0, "p99_ttft_ms": 400.0, "mean_tpot_ms": 20.0, "std_tpot_ms": 1.0}"#;
        let log = read("v.json", text.as_bytes()).unwrap();
        let stage = &log.stages[0];
        assert_eq!(stage.ttft.as_ref().unwrap().quantiles, [(0.5, 0.1), (0.99, 0.4)]);
        assert_eq!(stage.tpot.as_ref().unwrap().mean, Some(0.02));
        assert_eq!(stage.e2e, None);
    }
}
