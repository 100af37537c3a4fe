//! In what two results differ before any figure of theirs does: their experiments and files, their traffic, and whether they met the same requests.

use crate::experiment::differs::differences;
use crate::report::{Report, format};

/// In what the experiments of the two results differ, and their other files: the first few places.
pub(super) fn differing(first: &Report, second: &Report) -> Option<String> {
    /// More places than this are counted.
    const MOST: usize = 4;
    let mut places: Vec<String> = match (&first.given, &second.given) {
        (Some(a), Some(b)) => differences(a, b).iter().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    // The experiment itself is the first of its files.
    let others = second.inputs.iter().skip(1);
    places.extend(others.filter_map(|now| {
        let before = first.inputs.iter().skip(1).find(|before| before.name == now.name);
        match before {
            Some(before) if before.sha256 == now.sha256 => None,
            Some(_) => Some(format!("the file {} (another content)", now.name)),
            None => Some(format!("the file {} (was not read)", now.name)),
        }
    }));
    let more = places.len().saturating_sub(MOST);
    places.truncate(MOST);
    match (places.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(format!("The experiments differ in: {}.", places.join(", "))),
        (false, more) => Some(format!(
            "The experiments differ in: {}, and {more} more.",
            places.join(", ")
        )),
    }
}

/// Requests a second in each, where they differ by two in a hundred and by more than chance: four standard deviations of Poisson counts.
pub(super) fn traffic(first: &Report, second: &Report) -> Option<[f64; 2]> {
    let of = |report: &Report| {
        let seconds = report.counted * report.replications_finished as f64;
        let requests = report.policies.first().map_or(0, |policy| policy.requests) as f64;
        (requests / seconds, requests / (seconds * seconds))
    };
    let ((a, of_a), (b, of_b)) = (of(first), of(second));
    let apart = (a - b).abs();
    (apart > 0.02 * a.max(b) && apart > 4.0 * (of_a + of_b).sqrt()).then_some([a, b])
}

/// Whether the two runs met the same requests in the same replications.
pub(super) fn is_paired(first: &Report, second: &Report) -> bool {
    let run = |report: &Report| {
        let times = [report.warmup, report.counted].map(f64::to_bits);
        (report.seed, report.replications_finished, times)
    };
    let arrivals = |report: &Report| -> Vec<u64> {
        let series = report.policies.first().into_iter().flat_map(|policy| &policy.series);
        series.map(|bin| bin.arrivals.to_bits()).collect()
    };
    let has_residuals = |report: &Report| {
        let all = report.policies.iter().flat_map(|policy| &policy.metrics);
        all.take(1)
            .all(|measured| measured.residuals.len() as u64 == report.replications_finished)
    };
    run(first) == run(second) && arrivals(first) == arrivals(second) && has_residuals(first) && has_residuals(second)
}

/// Why two results are not paired, and what would pair them.
pub(super) fn unpaired(first: &Report, second: &Report) -> String {
    let times = |name: &str, a: f64, b: f64, cure: &str| {
        let (a, b) = (format::span(a), format::span(b));
        (a != b).then(|| format!("{name} of {a} and of {b}{cure}"))
    };
    let seeds = (first.seed != second.seed).then(|| format!("seeds {} and {}", first.seed, second.seed));
    let many = [first, second].map(|report| report.replications_finished);
    let many = (many[0] != many[1]).then(|| format!("{} and {} replications", many[0], many[1]));
    let given = "; the same `plan.warmup` in both files pairs them";
    let reasons = [
        seeds,
        many,
        times("a warm-up", first.warmup, second.warmup, given),
        times("a length", first.counted, second.counted, ""),
    ];
    let reasons: Vec<String> = reasons.into_iter().flatten().collect();
    match reasons.is_empty() {
        true => "their traffic differs".to_owned(),
        false => reasons.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::sample;

    #[test]
    fn what_differs_in_the_experiments_is_named() {
        let (mut first, mut second) = (sample(), sample());
        assert_eq!(differing(&first, &second), None, "results of an earlier version");
        let given = |wait: &str| Some(serde_json::json!({ "name": wait, "client": { "wait": wait } }));
        (first.given, second.given) = (given("1s"), given("1s"));
        assert_eq!(differing(&first, &second), None);
        second.given = given("2s");
        let file = |of: &str| crate::report::Input {
            name: "prices.json".into(),
            sha256: of.into(),
        };
        first.inputs.push(file("a"));
        second.inputs.push(file("b"));
        assert_eq!(
            differing(&first, &second).unwrap(),
            "The experiments differ in: client.wait (2s, was 1s), the file prices.json (another content)."
        );
        let many = |n: u32| {
            Some(
                (0..n)
                    .map(|at| (format!("x{at}"), serde_json::Value::from(at)))
                    .collect(),
            )
        };
        (first.given, second.given) = (many(0), many(6));
        let text = differing(&first, &second).unwrap();
        assert!(text.ends_with("x3 (3, was not given), and 3 more."), "{text}");
    }

    #[test]
    fn what_keeps_two_runs_apart_is_named_with_what_would_pair_them() {
        let (first, mut second) = (sample(), sample());
        assert_eq!(unpaired(&first, &second), "their traffic differs");
        second.warmup = 21.0;
        assert_eq!(
            unpaired(&first, &second),
            "a warm-up of 60 s and of 21 s; the same `plan.warmup` in both files pairs them"
        );
        (second.seed, second.warmup) = (7, first.warmup);
        assert_eq!(unpaired(&first, &second), "seeds 42 and 7");
    }
}
