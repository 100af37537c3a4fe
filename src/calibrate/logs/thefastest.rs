//! thefastest.ai's `latest.json` (fixie-ai/thefastest.ai, `website/public/data`): runs of one region, each with a result a model.
//!
//! A result is the best of three requests with a warmed connection: it shows medians, regions and days, but not tails,
//! which a note says. A TTFT of 0 is a failed probe. A target is a model from a region.

use serde::Deserialize;

use super::gather::{Gather, clock, observed, seconds, seen, tokens, tpot};
use super::{Format, Look, Mistake, quoted, value};
use crate::calibrate::log::{Log, Observation};
use crate::words::Outcome;

pub(super) const FORMAT: Format = Format {
    name: "thefastest.ai results",
    is: |look| look.entry_has(&["time", "region", "results"]),
    read,
};

#[derive(Deserialize)]
struct Run {
    time: String,
    region: String,
    results: Vec<Outcomes>,
}

#[derive(Deserialize)]
struct Outcomes {
    model: String,
    ttft: Option<f64>,
    num_tokens: Option<f64>,
    total_time: Option<f64>,
}

fn read(look: Look<'_>) -> Result<(String, Log), Mistake> {
    let runs: Vec<Run> = value(look.whole.unwrap_or_default())?;
    let mut gather = Gather::default();
    for (i, run) in runs.iter().enumerate() {
        let time = clock(&run.time);
        let at = time.ok_or_else(|| {
            let what = format!(
                "\"{}\" is not a time like 2024-04-29T08:25:56.745424",
                quoted(&run.time)
            );
            Mistake::new(format!("[{i}].time"), what)
        })?;
        for result in &run.results {
            let target = gather.target(&format!("{} ({})", result.model, run.region))?;
            let ttft = seconds(result.ttft).filter(|s| *s > 0.0);
            let ended = if ttft.is_some() {
                Outcome::Success
            } else {
                Outcome::ServerError
            };
            let (ttft, e2e) = (seen(ttft), seen(result.total_time.filter(|_| ttft.is_some())));
            let output = tokens(result.num_tokens);
            gather.push(Observation {
                at: Some(at),
                unix: Some(at),
                in_flight: Some(1),
                output,
                ttft,
                tpot: tpot(ttft, e2e, output),
                e2e,
                ..observed(target, ended)
            });
        }
    }
    gather.note("each result is the best of three requests: medians can be trusted, tails cannot");
    Ok(("thefastest.ai results".to_owned(), gather.finish()))
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use crate::calibrate::log::Timing;
    use crate::words::Outcome;

    /// The first result of the version of 2024-04-29, and one that failed.
    #[test]
    fn results_become_observations() {
        let text = r#"[{"time": "2024-04-29T08:25:56.745424", "region": "cdg", "cmd": "--max-tokens=20", "results": [
          {"model": "openai/gpt-4-turbo", "ttr": 0.7504534721374512, "ttft": 1.0669138431549072, "tps": 13.058355735831533,
           "num_tokens": 20, "total_time": 2.521920919418335, "output": "Golden"},
          {"model": "x", "ttr": 0, "ttft": 0, "tps": 0, "num_tokens": 0, "total_time": 0, "output": ""}]}]"#;
        let log = read("t.json", text.as_bytes()).unwrap();
        assert_eq!(log.targets, ["openai/gpt-4-turbo (cdg)", "x (cdg)"]);
        let [ok, failed] = &log.observations[..] else { panic!() };
        assert_eq!(ok.ttft, Timing::Seen(1.066_913_843_154_907_2));
        // Its own figure of tokens a second, by the same definition.
        assert!((1.0 / ok.tpot.unwrap() - 13.058_355_735_831_533).abs() < 1e-9);
        assert!((ok.unix.unwrap() - 1_714_379_156.745_424).abs() < 1e-5);
        assert_eq!((failed.outcome, failed.e2e), (Outcome::ServerError, Timing::Unknown));
    }
}
