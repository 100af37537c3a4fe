//! Answers to one request hang together: closed forms of what cascades gain then, one run against another, and measured models.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::common::traces::skipped;
use crate::common::{plan, replications};
use simcap::engine::tally::{ClassTally, Tally};
use simcap::engine::ties::SUPPOSED;
use simcap::kernel::chance::hash;
use simcap::kernel::copula::{both, given};
use simcap::{Options, run, run_file};

/// An experiment with one class and models of these names and qualities, asked in this order with these judges, and this said of
/// quality.
fn experiment(models: &[(&str, f64)], judges: &[&str], quality: &str, rest: &str) -> String {
    let (mut providers, mut stages) = (Vec::new(), Vec::new());
    for (i, (name, quality)) in models.iter().enumerate() {
        providers.push(format!(
            r#""{name}": {{ "response": {{ "constant": "1s" }}, "prices": {{ "per_request": {{ "price": "$1" }} }},
                "quality": {{ "all": {quality} }} }}"#
        ));
        let judge = judges.get(i).map(|judge| format!(r#", "judge": {{ {judge} }}"#));
        stages.push(format!(r#"{{ "providers": ["{name}"]{} }}"#, judge.unwrap_or_default()));
    }
    format!(
        r#"{{
        "name": "quality", {quality} {rest}
        "traffic": {{
            "arrivals": {{ "regular": {{ "rate": "20/s" }} }},
            "classes": {{ "all": {{ "input": {{ "constant": 1 }}, "output": {{ "constant": 1 }} }} }}
        }},
        "providers": {{ {} }},
        "policies": [ {{ "name": "only", "policy": {{ "cascade": {{ "stages": [ {} ] }} }} }} ],
        "plan": {{ "duration": "1000s", "warmup": "100s", "replications": 3 }}
    }}"#,
        providers.join(","),
        stages.join(",")
    )
}

fn correlated(correlation: f64) -> String {
    format!(r#""quality": {{ "correlation": {correlation} }},"#)
}

/// One replication of 20,000 requests.
fn tally(models: &[f64], judges: &[&str], quality: &str) -> Tally {
    let names = ["a", "b", "c", "d"];
    let models: Vec<(&str, f64)> = names.into_iter().zip(models.iter().copied()).collect();
    let plan = plan(&experiment(&models, judges, quality, ""));
    replications(&plan.scenarios[0], 1, 1).remove(0)
}

fn quality(class: &ClassTally) -> f64 {
    assert_eq!(class.rated, 20_000);
    class.quality as f64 / 1e6 / class.rated as f64
}

/// What would be reported under one of the supposed correlations, and the weight of a request.
fn supposed(class: &ClassTally, level: usize) -> (f64, f64) {
    let it = class.supposed[level];
    (
        it.quality as f64 / it.weight as f64,
        it.weight as f64 / 1e6 / class.rated as f64,
    )
}

fn near(what: &str, found: f64, expected: f64, within: f64) {
    assert!((found - expected).abs() <= within, "{what}: {found} not {expected}");
}

const PERFECT: &str = r#""takes_good": 1, "takes_bad": 0"#;
const FAIR: &str = r#""takes_good": 0.9, "takes_bad": 0.2"#;

/// A request is answered well by a cascade of these models, whose judges take good and bad answers with these probabilities and
/// err more on difficult requests by `hard`: the sum over 100,000 ranks of difficulty.
fn cascade(models: &[f64], (takes_good, takes_bad): (f64, f64), hard: f64, correlation: f64) -> f64 {
    let n = 100_000;
    let of_rank = |u: f64| {
        let errs = |error: f64| error * (1.0 + hard * (2.0 * u - 1.0));
        let (good, bad) = (1.0 - errs(1.0 - takes_good), errs(takes_bad));
        let (mut arrives, mut well) = (1.0, 0.0);
        for (i, &model) in models.iter().enumerate() {
            let q = given(model, correlation.sqrt(), u);
            let is_last = i + 1 == models.len();
            let (good, bad) = if is_last { (1.0, 1.0) } else { (good, bad) };
            well += arrives * q * good;
            arrives *= q * (1.0 - good) + (1.0 - q) * (1.0 - bad);
        }
        well
    };
    (0..n)
        .map(|i| of_rank((f64::from(i) + 0.5) / f64::from(n)))
        .sum::<f64>()
        / f64::from(n)
}

#[test]
fn no_correlation_is_what_is_simulated_without_a_word_of_it() {
    let models = [0.681, 0.806, 0.9];
    let without = tally(&models, &[FAIR, FAIR], "");
    for quality in [
        correlated(0.0),
        r#""quality": { "correlation": { "all": "0%" } },"#.to_owned(),
    ] {
        assert_eq!(without, tally(&models, &[FAIR, FAIR], &quality));
    }
    assert_ne!(without, tally(&models, &[FAIR, FAIR], &correlated(0.4)));
}

/// With a perfect judge a cascade of two is right where either is.
#[test]
fn two_models_gain_what_the_bivariate_law_says() {
    let (weak, strong) = (0.681, 0.806);
    for correlation in [0.0, 0.4, 0.679, 1.0] {
        let tally = tally(&[weak, strong], &[PERFECT], &correlated(correlation));
        let class = &tally.classes[0];
        let either = weak + strong - both(weak, strong, correlation);
        // An accepted answer counts 1, another what the strong model makes of it: at most a deviation of 0.47.
        near("either", quality(class), either, 4.0 * 0.47 / 20_000_f64.sqrt());
        let escalated = tally.effort.escalations as f64 / 20_000.0;
        near("escalated", escalated, 1.0 - weak, 4.0 * 0.47 / 20_000_f64.sqrt());
        // From the share that did escalate the rest follows without chance.
        let rest = (either - weak) / (1.0 - weak);
        near("exactly", quality(class), 1.0 - escalated * (1.0 - rest), 2e-4);
        for (level, supposed_correlation) in SUPPOSED.into_iter().enumerate() {
            let either = weak + strong - both(weak, strong, supposed_correlation);
            let rest = (either - weak) / (1.0 - weak);
            let (found, weight) = supposed(class, level);
            near("supposed", found, 1.0 - escalated * (1.0 - rest), 2e-4);
            near("weight", weight, 1.0, 1e-3);
        }
    }
}

/// Three stages with judges that err: what is simulated, and what runs at other correlations say of it.
#[test]
fn one_run_tells_what_another_correlation_would_give() {
    let models = [0.5, 0.7, 0.85];
    let at = |correlation: f64| tally(&models, &[FAIR, FAIR], &correlated(correlation));
    let closed = |correlation| cascade(&models, (0.9, 0.2), 0.0, correlation);
    for correlation in [0.0, 0.4, 0.8] {
        let tally = at(correlation);
        let class = &tally.classes[0];
        near(
            "simulated",
            quality(class),
            closed(correlation),
            4.0 * 0.3 / 20_000_f64.sqrt(),
        );
        for (level, other) in SUPPOSED.into_iter().enumerate() {
            let (found, weight) = supposed(class, level);
            near(
                &format!("{other} from {correlation}"),
                found,
                closed(other),
                4.0 * 0.4 / 20_000_f64.sqrt(),
            );
            near("weight", weight, 1.0, 0.02);
        }
    }
    // What a run at 0 says of 1 is what a run at 1 says.
    let (told, own) = (supposed(&at(0.0).classes[0], 2).0, quality(&at(1.0).classes[0]));
    near("at 1", told, own, 4.0 * 0.5 / 20_000_f64.sqrt());
}

#[test]
fn a_judge_that_errs_on_difficult_requests_gains_less() {
    let models = [0.6, 0.8];
    let hard = format!(r#"{FAIR}, "hard": 1"#);
    for correlation in [0.0, 0.5] {
        let found = tally(&models, &[&hard], &correlated(correlation));
        let expected = cascade(&models, (0.9, 0.2), 1.0, correlation);
        near(
            "hard",
            quality(&found.classes[0]),
            expected,
            4.0 * 0.35 / 20_000_f64.sqrt(),
        );
    }
    let easy = cascade(&models, (0.9, 0.2), 0.0, 0.5);
    assert!(easy - cascade(&models, (0.9, 0.2), 1.0, 0.5) > 0.01);
}

/// With "accept" a verdict tells nothing, and of one model nothing is asked again: quality hangs on no correlation.
#[test]
fn what_does_not_hang_on_it_is_not_touched() {
    let blind = |correlation| tally(&[0.6, 0.8], &[r#""accept": 0.5"#], &correlated(correlation));
    assert_eq!(blind(0.0), blind(0.7));
    assert_eq!(blind(0.7).classes[0].hanging, 0);
}

#[test]
fn the_report_says_what_it_assumes_and_what_would_be_otherwise() {
    let objective = r#""objectives": [ { "metric": "quality", "at_least": "90%" } ],"#;
    let models = [("a", 0.681), ("b", 0.806)];
    let text = |quality: &str| experiment(&models, &[PERFECT], quality, objective);
    let said = |text: &str| {
        let report = run(text, &Options::default()).expect("it runs");
        let found = report
            .warnings
            .into_iter()
            .find(|warning| warning.contains("quality assumes"));
        (found, report.policies.into_iter().next().expect("a policy").supposed)
    };
    let (sentence, all) = said(&text(""));
    insta::assert_snapshot!(sentence.expect("a sentence"), @"only: quality assumes independent answers: 93.8 %; at a correlation of 0.4 89.5 %, at 1 80.5 %; quality ≥ 90.0 % would fail at 0.4 and would fail at 1");
    assert_eq!(all.iter().map(|one| one.correlation).collect::<Vec<_>>(), SUPPOSED);
    assert!(all.iter().all(|one| one.quality.lo.is_some()));
    let observed =
        r#""quality": { "observed": { "weak": 0.681, "strong": 0.806, "strong_where_weak_wrong": 0.557 } },"#;
    insta::assert_snapshot!(said(&text(observed)).0.expect("a sentence"), @"only: quality assumes a correlation of 0.68 (observed): 85.9 %; at a correlation of 0 93.8 %, at 0.4 89.6 %, at 1 80.7 %; quality ≥ 90.0 % would pass at 0");
    let single = experiment(&models[..1], &[], "", "");
    assert_eq!(said(&single), (None, Vec::new()));
}

#[test]
fn what_makes_no_sense_is_refused_at_its_place() {
    let refused = |quality: &str, judge: &str| {
        let text = experiment(&[("a", 0.6), ("b", 0.8)], &[judge], quality, "");
        run(&text, &Options::default()).expect_err("it is refused").to_string()
    };
    for (quality, judge, expected) in [
        (
            r#""quality": {},"#,
            FAIR,
            "it takes exactly one of `correlation`, `observed` and `pairs`",
        ),
        (r#""quality": { "correlation": 1.5 },"#, FAIR, "1.5"),
        (r#""quality": { "correlation": { "b": 0.5 } },"#, FAIR, "`b`"),
        (r#""quality": { "pairs": "nowhere.csv" },"#, FAIR, "from a text alone"),
        (r#""quality": { "rho": 0.5 },"#, FAIR, "rho"),
        ("", r#""accept": 0.5, "hard": 0.5"#, "it can have no `hard`"),
        (
            "",
            r#""takes_good": 0.4, "takes_bad": 0.2, "hard": 1"#,
            "more than certain",
        ),
    ] {
        let message = refused(quality, judge);
        assert!(message.contains(expected), "{message}");
    }
}

/// The folder of measured answers, which lies beside that of the traces.
fn measured(file: &str) -> Option<String> {
    let traces = PathBuf::from(std::env::var_os("SIMCAP_TRACES").filter(|folder| !folder.is_empty())?);
    std::fs::read_to_string(traces.join("../quality").join(file)).ok()
}

/// The rows of `file` of one data set, if it has several, as columns of scores.
fn scores(file: &str, dataset: Option<&str>, models: &[&str]) -> Option<Vec<Vec<f64>>> {
    let Some(text) = measured(file) else {
        return skipped(&format!(
            "there is no ../quality/{file} beside the folder that SIMCAP_TRACES leads to"
        ));
    };
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next()?.split(',').collect();
    let place = |name: &str| header.iter().position(|column| *column == name);
    let places: Vec<usize> = models.iter().map(|model| place(model)).collect::<Option<_>>()?;
    let of = place("dataset");
    let rows = lines.map(|line| line.split(',').collect::<Vec<&str>>());
    let wanted = rows.filter(|row| dataset.is_none_or(|name| of.is_some_and(|of| row[of] == name)));
    Some(
        wanted
            .map(|row| {
                places
                    .iter()
                    .map(|&at| f64::from(u8::from(row[at].parse::<f64>().unwrap_or(0.0) >= 0.5)))
                    .collect()
            })
            .collect(),
    )
}

/// A correlation fitted to half of the prompts tells what a cascade gains on the other half, by a perfect judge and by one that errs.
#[test]
fn measured_models_gain_what_half_of_their_prompts_tell_of_the_other() {
    for (file, dataset, weak, strong) in [
        (
            "routellm-mmlu-gsm8k.csv",
            Some("mmlu"),
            "mixtral-8x7b-instruct",
            "gpt-4-1106-preview",
        ),
        (
            "routellm-mmlu-gsm8k.csv",
            Some("gsm8k"),
            "mixtral-8x7b-instruct",
            "gpt-4-1106-preview",
        ),
        (
            "routerarena-sub10.csv",
            None,
            "claude-3-haiku-20240307:score",
            "gemini-2.0-flash-001:score",
        ),
        (
            "llmrouter-nine-models.csv",
            None,
            "mistral-7b-instruct-v0.3",
            "llama-3.3-nemotron-super-49b-v1",
        ),
    ] {
        let Some(rows) = scores(file, dataset, &[weak, strong]) else {
            return;
        };
        let (fitted, held): (Vec<_>, Vec<_>) =
            (rows.iter().enumerate()).partition(|(i, _)| hash(*i as u64, 7).is_multiple_of(2));
        let mean = |of: &dyn Fn(&[f64]) -> f64, rows: &[(usize, &Vec<f64>)]| {
            rows.iter().map(|(_, row)| of(row)).sum::<f64>() / rows.len() as f64
        };
        let folder = tempfile::tempdir().expect("a folder");
        let mut pairs = "prompt,a,b\n".to_owned();
        for (i, row) in &fitted {
            writeln!(pairs, "{i},{},{}", row[0], row[1]).expect("a string");
        }
        std::fs::write(folder.path().join("pairs.csv"), pairs).expect("written");
        let models = [("a", mean(&|row| row[0], &fitted)), ("b", mean(&|row| row[1], &fitted))];
        for (judge, takes_good, takes_bad) in [(PERFECT, 1.0, 0.0), (FAIR, 0.9, 0.2)] {
            let text = experiment(&models, &[judge], r#""quality": { "pairs": "pairs.csv" },"#, "");
            let path = folder.path().join("experiment.json");
            std::fs::write(&path, text).expect("written");
            let report = run_file(&path, &Options::default()).expect("it runs");
            let class = report.policies[0].classes.first().expect("the class");
            let predicted = class.quality.value - models[1].1;
            let well = |row: &[f64]| {
                row[0] * (takes_good + (1.0 - takes_good) * row[1]) + (1.0 - row[0]) * (1.0 - takes_bad) * row[1]
            };
            let gain = |row: &[f64]| well(row) - row[1];
            let found = mean(&gain, &held);
            let variance = mean(&|row| (gain(row) - found).powi(2), &held);
            let deviation = (variance / held.len() as f64 + variance / fitted.len() as f64).sqrt();
            let independent = cascade(&[models[0].1, models[1].1], (takes_good, takes_bad), 0.0, 0.0) - models[1].1;
            println!(
                "{file} {dataset:?} {judge}: measured {:+.2} ± {:.2} points, predicted {:+.2}, independent {:+.2}",
                found * 100.0,
                deviation * 196.0,
                predicted * 100.0,
                independent * 100.0
            );
            near(file, predicted, found, (2.5 * deviation).max(0.01));
        }
    }
}

/// Of nine models at least one is right: one difficulty for all tells that far better than independent answers, and not exactly.
#[test]
fn what_nine_models_know_together_is_nearer_by_far_than_if_they_were_independent() {
    const NINE: [&str; 9] = [
        "codegemma-7b",
        "gemma-2-9b-it",
        "llama-3.1-8b-instruct",
        "llama-3.1-nemotron-51b-instruct",
        "llama-3.3-nemotron-super-49b-v1",
        "llama3-chatqa-1.5-70b",
        "llama3-chatqa-1.5-8b",
        "mistral-7b-instruct-v0.3",
        "qwen2.5-7b-instruct",
    ];
    let Some(rows) = scores("llmrouter-nine-models.csv", None, &NINE) else {
        return;
    };
    let n = rows.len() as f64;
    let share = |of: &dyn Fn(&Vec<f64>) -> f64| rows.iter().map(of).sum::<f64>() / n;
    let each: Vec<f64> = (0..9).map(|i| share(&|row| row[i])).collect();
    let mut correlations = vec![0.0; 81];
    for i in 0..9 {
        for j in 0..9 {
            let both = share(&|row| row[i] * row[j]);
            correlations[i * 9 + j] = simcap::kernel::copula::correlation(each[i], each[j], both).expect("told");
        }
    }
    let loadings = simcap::kernel::copula::loadings(&correlations, 9);
    let any = |loadings: &[f64]| {
        let none = |u: f64| {
            each.iter()
                .zip(loadings)
                .map(|(&q, &l)| 1.0 - given(q, l, u))
                .product::<f64>()
        };
        1.0 - (0..2000).map(|i| none((f64::from(i) + 0.5) / 2000.0)).sum::<f64>() / 2000.0
    };
    let measured = share(&|row| row.iter().copied().fold(0.0, f64::max));
    println!(
        "any of nine right: measured {measured:.3}, one difficulty {:.3}, independent {:.3}",
        any(&loadings),
        any(&[0.0; 9])
    );
    near("measured", measured, 0.797, 0.01);
    near("one difficulty", any(&loadings), measured, 0.05);
    assert!(any(&[0.0; 9]) > measured + 0.15);
}
