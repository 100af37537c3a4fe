//! simcap's own `probes.jsonl` ([`crate::calibrate::probe`]).
//!
//! A last line that was cut off, because the program that wrote it was stopped, is left out and noted; any other line
//! that cannot be read is an error. Warm-up probes are kept separate. TTFT is to the first token of reasoning or
//! content, whichever came first; TPOT is from then to the last token, over the tokens that the endpoint says it wrote,
//! less one: a chunk is not a token. A timeout is a right-censored time.

use serde_json::Value;

use super::gather::{Gather, censor, observed};
use super::{Format, Look, Mistake, line, lines, printable, quoted};
use crate::calibrate::log::{Log, Observation, Timing};
use crate::calibrate::probe::{self, Line, Probe, Run};
use crate::form::diagnose::nearest;
use crate::words::Outcome;

pub(super) const FORMAT: Format = Format {
    name: "simcap probes (JSON lines, `run` first)",
    is: |look| {
        let run = |v: &Value| v.get("run").and_then(|r| r.get("format")).is_some() || v.get("probe").is_some();
        look.first.as_ref().is_some_and(run)
    },
    read,
};

fn read(look: Look<'_>) -> Result<(String, Log), Mistake> {
    let mut gather = Gather::default();
    let mut run: Option<Run> = None;
    let last = lines(&look.bytes).last().map_or(0, |(number, _)| number);
    let ends = look.bytes.last() == Some(&b'\n');
    for (number, bytes) in lines(&look.bytes) {
        let read = match line::<Line>(number, bytes) {
            Err(_) if number == last && !ends && is_cut(bytes) => {
                gather.note(format!("line {number}, the last, is cut off and left out"));
                break;
            }
            read => read?,
        };
        match read {
            Line::Run(new) => run = Some(begin(number, new, &mut gather)?),
            // Whether it was answered is in the line of its end.
            Line::Sending(_) => {}
            Line::Probe(probe) => {
                let Some(run) = &run else {
                    let what = "a probe before any line that says what the run is: {\"run\": …}";
                    return Err(Mistake::new(format!("line {number}"), what));
                };
                if !run.targets.contains(&probe.target) {
                    return Err(unknown_target(number, &probe.target, run));
                }
                let target = gather.target(&probe.target)?;
                let observation = observation(target, run, &probe);
                if probe.warmup {
                    gather.count("warm-up probes left out");
                    gather.warmup(observation);
                } else {
                    gather.push(observation);
                }
            }
        }
    }
    let version = run.map_or(String::new(), |r| format!(" of simcap {}", quoted(&r.version)));
    Ok((format!("probes{version}"), gather.finish()))
}

/// Whether the line is incomplete, rather than wrong.
fn is_cut(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Value>(bytes).is_err_and(|e| e.is_eof()) || std::str::from_utf8(bytes).is_err()
}

fn begin(number: usize, run: Run, gather: &mut Gather) -> Result<Run, Mistake> {
    if run.format != probe::FORMAT {
        let what = format!(
            "\"{}\": this version of simcap reads \"{}\"",
            quoted(&run.format),
            probe::FORMAT
        );
        return Err(Mistake::new(format!("line {number}, run.format"), what));
    }
    for target in &run.targets {
        gather.target(target)?;
        if let Some(prices) = run.prices.get(target) {
            gather.price(target, prices.clone());
        }
        if let Some(endpoint) = run.endpoints.get(target) {
            gather.endpoint(target, endpoint);
        }
    }
    Ok(run)
}

fn unknown_target(number: usize, found: &str, run: &Run) -> Mistake {
    let names: Vec<&str> = run.targets.iter().map(String::as_str).collect();
    let meant =
        nearest(found, names.iter().copied()).map_or(String::new(), |n| format!(" (did you mean `{}`?)", quoted(n)));
    let what = format!(
        "\"{}\" is none of the run's targets: {}{meant}",
        quoted(found),
        printable(&names.join(", "))
    );
    Mistake::new(format!("line {number}, probe.target"), what)
}

fn observation(target: u16, run: &Run, probe: &Probe) -> Observation {
    let seconds = |us: u64| us as f64 / 1e6;
    let usage = probe.usage.as_ref();
    let first = probe.first_reasoning_us.into_iter().chain(probe.first_content_us).min();
    let mut observation = Observation {
        at: Some(seconds(run.unix_us.saturating_add(probe.due_us))),
        unix: Some(seconds(run.unix_us.saturating_add(probe.due_us))),
        dispatch: Some(seconds(probe.dispatch_us)),
        step: probe.step,
        in_flight: Some(probe.in_flight),
        input: usage.map(|u| u.input),
        cached: usage.map(|u| u.cached),
        output: usage.map(|u| u.output),
        reasoning: usage.map(|u| u.reasoning),
        chunks: Some(probe.chunks).filter(|n| *n > 0),
        ttft: first.map_or(Timing::Unknown, |us| Timing::Seen(seconds(us))),
        tpot: tpot(probe, first),
        e2e: Timing::Seen(seconds(probe.end_us)),
        retry_after: probe.retry_after_us.map(seconds),
        quotas: probe.quotas,
        ..observed(target, probe.outcome.0)
    };
    censor(&mut observation);
    observation
}

fn tpot(probe: &Probe, first: Option<u64>) -> Option<f64> {
    let rest = probe.usage.as_ref()?.output.checked_sub(1).filter(|n| *n > 0)?;
    let took = probe.last_token_us?.checked_sub(first?)?;
    (probe.outcome.0 == Outcome::Success).then(|| took as f64 / 1e6 / f64::from(rest))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::read;
    use super::*;
    use crate::calibrate::probe::{Ending, Usage};

    fn run(unix_us: u64) -> String {
        let run = Run {
            format: probe::FORMAT.into(),
            version: "0.1.0".into(),
            unix_us,
            seed: 1,
            plan: "00".into(),
            targets: vec!["premium".into(), "cheap".into()],
            prices: BTreeMap::new(),
            endpoints: BTreeMap::new(),
        };
        serde_json::to_string(&Line::Run(run)).unwrap() + "\n"
    }

    fn probe(change: impl FnOnce(&mut Probe)) -> String {
        let mut probe = Probe {
            target: "cheap".into(),
            class: "all".into(),
            stream: true,
            due_us: 2_000_000,
            dispatch_us: 1_500,
            in_flight: 3,
            first_byte_us: Some(90_000),
            first_content_us: Some(500_000),
            last_token_us: Some(1_400_000),
            end_us: 1_410_000,
            chunks: 4,
            usage: Some(Usage {
                input: 100,
                cached: 64,
                output: 10,
                reasoning: 0,
            }),
            ..Probe::default()
        };
        change(&mut probe);
        serde_json::to_string(&Line::Probe(Box::new(probe))).unwrap() + "\n"
    }

    fn refused(text: &str) -> String {
        read("p.jsonl", text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_probe_is_an_observation() {
        let text = run(1_000_000_000_000_000) + &probe(|_| ()) + &probe(|p| p.due_us = 3_500_000);
        let log = read("p.jsonl", text.as_bytes()).unwrap();
        assert_eq!(log.targets, ["premium", "cheap"]);
        assert_eq!(log.sources[0].format, "probes of simcap 0.1.0");
        let o = &log.observations[0];
        assert_eq!((o.target, o.at, o.unix), (1, Some(0.0), Some(1_000_000_002.0)));
        assert_eq!(log.observations[1].at, Some(1.5));
        assert_eq!((o.dispatch, o.in_flight), (Some(0.0015), Some(3)));
        assert_eq!((o.input, o.cached, o.output), (Some(100), Some(64), Some(10)));
        assert_eq!((o.ttft, o.e2e), (Timing::Seen(0.5), Timing::Seen(1.41)));
        // 900 ms for the nine tokens after the first, in however many chunks.
        assert!((o.tpot.unwrap() - 0.1).abs() < 1e-12);
    }

    /// A line from before there were prices can still be read; of two that differ the last one's prices hold.
    #[test]
    fn the_prices_that_a_run_counted_with_are_kept() {
        let log = read("p.jsonl", (run(0) + &probe(|_| ())).as_bytes()).unwrap();
        assert!(log.prices.is_empty() && !run(0).contains("prices"));
        let priced = |input: &str| {
            let prices = format!(r#"{{"cheap":{{"input":"${input}/Mtok","output":"$4/Mtok"}}}}"#);
            run(0).replace("}}", &format!(",\"prices\":{prices}}}}}"))
        };
        let text = priced("1") + &probe(|_| ());
        let log = read("p.jsonl", text.as_bytes()).unwrap();
        assert_eq!(log.prices.keys().collect::<Vec<_>>(), ["cheap"]);
        assert_eq!(log.prices["cheap"].input.picodollars(), 1_000_000);
        assert_eq!(log.prices["cheap"].output.picodollars(), 4_000_000);
        assert!(log.notes.is_empty());
        let log = read("p.jsonl", (text + &priced("2")).as_bytes()).unwrap();
        assert_eq!(log.prices["cheap"].input.picodollars(), 2_000_000);
        assert_eq!(
            log.notes,
            ["cheap: its prices changed between runs: those of the last are taken"]
        );
    }

    #[test]
    fn reasoning_that_comes_first_is_the_first_token() {
        let text = run(0) + &probe(|p| p.first_reasoning_us = Some(200_000));
        let log = read("p.jsonl", text.as_bytes()).unwrap();
        assert_eq!(log.observations[0].ttft, Timing::Seen(0.2));
    }

    #[test]
    fn a_timeout_is_a_bound_and_a_refusal_says_when_to_come_back() {
        let timeout = probe(|p| {
            (p.first_content_us, p.last_token_us, p.usage) = (None, None, None);
            (p.end_us, p.outcome) = (30_000_000, Ending(Outcome::TimeoutTtft));
        });
        let refusal = probe(|p| {
            (p.first_content_us, p.end_us, p.outcome) = (None, 40_000, Ending(Outcome::RateLimited));
            p.retry_after_us = Some(2_000_000);
        });
        let log = read("p.jsonl", (run(0) + &timeout + &refusal).as_bytes()).unwrap();
        let (timeout, refusal) = (&log.observations[0], &log.observations[1]);
        assert_eq!(
            (timeout.ttft, timeout.e2e),
            (Timing::AtLeast(30.0), Timing::AtLeast(30.0))
        );
        assert_eq!((refusal.ttft, refusal.e2e), (Timing::Unknown, Timing::Seen(0.04)));
        assert_eq!((refusal.tpot, refusal.retry_after), (None, Some(2.0)));
    }

    #[test]
    fn warm_ups_and_a_line_that_is_cut_off_are_left_out_and_said() {
        let half = probe(|_| ());
        let text = run(0) + &probe(|p| p.warmup = true) + &probe(|_| ()) + &half[..half.len() / 2];
        let log = read("p.jsonl", text.as_bytes()).unwrap();
        assert_eq!((log.observations.len(), log.warmups.len()), (1, 1));
        assert_eq!(
            log.notes,
            ["line 4, the last, is cut off and left out", "1 warm-up probes left out"]
        );
    }

    #[test]
    fn a_run_that_goes_on_later_has_times_of_its_own() {
        let text = run(0) + &probe(|_| ()) + &run(60_000_000) + &probe(|_| ());
        let log = read("p.jsonl", text.as_bytes()).unwrap();
        let times: Vec<_> = log.observations.iter().filter_map(|o| o.at).collect();
        assert_eq!(times, [0.0, 60.0]);
    }

    #[test]
    fn mistakes_are_named_by_line() {
        let good = probe(|_| ());
        for (text, message) in [
            (
                good.clone(),
                "p.jsonl: line 1: a probe before any line that says what the run is: {\"run\": …}".to_owned(),
            ),
            (
                run(0).replace("probes/1", "probes/9"),
                "p.jsonl: line 1, run.format: \"simcap.probes/9\": this version of simcap reads \"simcap.probes/1\""
                    .to_owned(),
            ),
            (
                run(0) + &probe(|p| p.target = "chaep".into()),
                "p.jsonl: line 2, probe.target: \"chaep\" is none of the run's targets: premium, cheap \
                 (did you mean `cheap`?)"
                    .to_owned(),
            ),
            (
                run(0) + "{\"probe\": {\"id\": -1}}\n",
                "p.jsonl: line 2, column 18, probe.id: invalid value: integer `-1`, expected u64".to_owned(),
            ),
            (
                run(0) + &good[..good.len() / 2] + "\n" + &good,
                "p.jsonl: line 2, column".to_owned(),
            ),
        ] {
            let found = refused(&text);
            let whole = found == message || (message.ends_with("column") && found.starts_with(&message));
            assert!(whole, "{found}\n{message}");
        }
    }
}
