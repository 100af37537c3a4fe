//! SGLang's `bench_serving`: a result a line in its `--output-file`, to which each run is appended ([`super::appended`]).
//!
//! Its names are vLLM's, from which it was made, but for end-to-end times: `mean_e2e_latency_ms` and so on, where vLLM writes
//! `mean_e2el_ms` (`sglang/bench_serving.py`). With `--output-details` there are the same lists of single requests as
//! vLLM's. A rate without a bound stands as `Infinity`. Nothing says how many requests failed, unless `num_prompts` does
//! beside `completed`.

use serde_json::Value;

use super::gather::{ENDPOINT, Gather};
use super::vllm::{requests, stage};
use super::{Format, Log, Look, Mistake, value};

pub(super) const FORMAT: Format = Format {
    name: "SGLang bench_serving JSON lines",
    is: |look| look.has("mean_e2e_latency_ms") && look.has("request_throughput"),
    read,
};

fn read(look: Look<'_>) -> Result<(String, Log), Mistake> {
    let report = look.whole.unwrap_or_default();
    let mut gather = Gather::default();
    let model = ["/model_id", "/server_info/model_path", "/server_info/served_model_name"];
    let model = model.iter().find_map(|path| report.pointer(path)?.as_str());
    let target = gather.target(model.unwrap_or(ENDPOINT))?;
    if report.get("ttfts").is_some_and(Value::is_array) {
        requests(value(report)?, target, &mut gather)?;
    } else {
        let mut stage = stage(&report, target, "e2e_latency");
        let asked = report.get("num_prompts").and_then(Value::as_u64);
        match asked.and_then(|asked| asked.checked_sub(stage.successes)) {
            Some(failed) => stage.failures = failed,
            None => gather.note("the result does not say how many requests failed: a rate of failures cannot be told"),
        }
        gather.stage(stage);
        gather.note("percentiles alone: `--output-details` would keep single requests");
    }
    Ok(("SGLang bench_serving JSON".to_owned(), gather.finish()))
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use crate::calibrate::log::{Log, Timing};

    /// A line of `bench_serving --output-file`, with the names of its source.
    fn line(rate: &str, ttft: [f64; 3]) -> String {
        let [mean, p50, p99] = ttft;
        format!(
            r#"{{"tag": null, "backend": "sglang", "dataset_name": "random", "request_rate": {rate}, "max_concurrency": 16,
            "duration": 40.0, "completed": 160, "total_input_tokens": 122880, "total_output_tokens": 30720,
            "request_throughput": 4.0, "mean_e2e_latency_ms": 3900.0, "median_e2e_latency_ms": 3800.0,
            "p90_e2e_latency_ms": 5000.0, "p99_e2e_latency_ms": 6100.0, "mean_ttft_ms": {mean}, "median_ttft_ms": {p50},
            "p99_ttft_ms": {p99}, "mean_tpot_ms": 19.0, "median_tpot_ms": 19.2, "p99_tpot_ms": 25.0}}"#
        )
        .replace('\n', "")
    }

    fn of(text: &str) -> Log {
        read("runs.jsonl", text.as_bytes()).unwrap()
    }

    #[test]
    fn a_line_is_a_stage_with_its_end_to_end_times() {
        let text = line("Infinity", [200.0, 150.0, 700.0]) + "\n" + &line("4.0", [110.0, 100.0, 260.0]) + "\n";
        let log = of(&text);
        assert_eq!(log.sources[0].format, "SGLang bench_serving JSON, 2 results");
        let told: Vec<_> = (log.stages.iter())
            .map(|s| {
                (
                    s.requested_rate,
                    s.ttft.clone().unwrap().quantiles,
                    s.e2e.clone().unwrap().quantiles,
                )
            })
            .collect();
        let e2e = vec![(0.5, 3.8), (0.9, 5.0), (0.99, 6.1)];
        let expected = [
            (None, vec![(0.5, 0.15), (0.99, 0.7)], e2e.clone()),
            (Some(4.0), vec![(0.5, 0.1), (0.99, 0.26)], e2e),
        ];
        assert_eq!(told, expected);
        assert_eq!(
            log.notes,
            [
                "the result does not say how many requests failed: a rate of failures cannot be told",
                "percentiles alone: `--output-details` would keep single requests",
                "1 figures that stand as NaN or Infinity, as Python writes them, count as missing",
            ]
        );
    }

    #[test]
    fn what_was_asked_for_beside_what_was_completed_says_how_many_failed() {
        let log =
            of(&line("4.0", [110.0, 100.0, 260.0]).replace("\"completed\"", "\"num_prompts\": 165, \"completed\""));
        assert_eq!((log.stages[0].successes, log.stages[0].failures), (160, 5));
    }

    #[test]
    fn details_are_single_requests() {
        let lists =
            r#", "input_lens": [10], "output_lens": [3], "ttfts": [0.1], "itls": [[0.1, 0.1]], "errors": [""]}"#;
        let text = line("4.0", [110.0, 100.0, 260.0]);
        let log = of(&(text[..text.len() - 1].to_owned() + lists));
        assert_eq!((log.stages.len(), log.observations[0].ttft), (0, Timing::Seen(0.1)));
    }
}
