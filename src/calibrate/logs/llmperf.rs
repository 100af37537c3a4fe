//! llmperf's file of single requests (ray-project/llmperf and its leaderboard): a list, without times.
//!
//! Its `inter_token_latency_s` is the whole request over all tokens, the first and the wait for it included, and is not
//! read: TPOT is (end to end − TTFT) / (tokens − 1). Error −100 says that the answer was shorter than asked for, which
//! is not a failure of the endpoint. One file is one target, which it does not name.

use serde::Deserialize;

use super::gather::{ENDPOINT, Gather, observed, outcome, seconds, seen, tokens, tpot};
use super::{Format, Look, Mistake, value};
use crate::calibrate::log::{Log, Observation};
use crate::words::Outcome;

pub(super) const FORMAT: Format = Format {
    name: "llmperf individual responses",
    is: |look| look.entry_has(&["error_code", "ttft_s"]) || look.entry_has(&["error_code", "end_to_end_latency_s"]),
    read,
};

#[derive(Deserialize)]
struct Row {
    error_code: Option<i64>,
    error_msg: Option<String>,
    ttft_s: Option<f64>,
    end_to_end_latency_s: Option<f64>,
    number_output_tokens: Option<f64>,
    number_input_tokens: Option<f64>,
}

fn read(look: Look<'_>) -> Result<(String, Log), Mistake> {
    let rows: Vec<Row> = value(look.whole.unwrap_or_default())?;
    let mut gather = Gather::default();
    let target = gather.target(ENDPOINT)?;
    for row in rows {
        let ended = match row.error_code {
            None => Outcome::Success,
            Some(-100) => {
                gather.count("answers shorter than asked for (error -100): no failures");
                Outcome::Success
            }
            Some(code) => outcome(u16::try_from(code).ok(), row.error_msg.as_deref().unwrap_or("unknown")),
        };
        let good = ended == Outcome::Success;
        // A failed request has zeros in place of missing figures.
        let above_0 = |x: Option<f64>| seconds(x).filter(|s| *s > 0.0);
        let (ttft, e2e) = (
            seen(above_0(row.ttft_s).filter(|_| good)),
            seen(above_0(row.end_to_end_latency_s)),
        );
        let output = tokens(row.number_output_tokens);
        gather.push(Observation {
            input: tokens(row.number_input_tokens),
            output,
            ttft,
            tpot: tpot(ttft, e2e, output),
            e2e,
            ..observed(target, ended)
        });
    }
    Ok(("llmperf individual responses".to_owned(), gather.finish()))
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use crate::calibrate::log::Timing;
    use crate::words::Outcome;

    /// The first row is that of `anyscale_13b.json` of llmperf-leaderboard (2023-12-19), to the digits that matter.
    #[test]
    fn tpot_leaves_out_the_wait_for_the_first_token() {
        let text = r#"[
          {"error_code": null, "error_msg": "", "inter_token_latency_s": 0.009577, "ttft_s": 0.55756,
           "end_to_end_latency_s": 1.528151, "request_output_throughput_token_per_s": 34.0,
           "number_total_tokens": 701, "number_output_tokens": 151, "number_input_tokens": 550},
          {"error_code": -100, "error_msg": "", "ttft_s": 0.5, "end_to_end_latency_s": 0.5, "number_output_tokens": 1,
           "number_input_tokens": 550},
          {"error_code": 429, "error_msg": "slow down", "ttft_s": 0, "end_to_end_latency_s": 0, "number_output_tokens": 0,
           "number_input_tokens": 550}]"#;
        let log = read("anyscale.json", text.as_bytes()).unwrap();
        let [ok, short, refused] = &log.observations[..] else {
            panic!()
        };
        assert!((ok.tpot.unwrap() - 0.006_470_6).abs() < 1e-6);
        assert_eq!((ok.at, ok.in_flight), (None, None));
        assert_eq!((short.outcome, short.tpot), (Outcome::Success, None));
        assert_eq!(
            (refused.outcome, refused.ttft, refused.e2e),
            (Outcome::RateLimited, Timing::Unknown, Timing::Unknown)
        );
    }
}
