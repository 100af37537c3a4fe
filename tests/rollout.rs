//! Staged rollouts through the whole program: how long a good one takes, how many a bad one hurts before it is rolled back, how
//! often chance alone rolls back a good one, and what the report says.

use crate::common::{assert_holds, interval, plan, replications};
use rand::Rng;
use simcap::engine::tally::Tally;
use simcap::kernel::chance::{Chance, Purpose, threshold};

/// Twenty requests a second, Poisson, and a rollout by request from `old`, which answers in a second, to `new`.
fn experiment(new: &str, rollout: &str, duration: &str) -> String {
    let prices = r#""prices": { "per_request": { "price": "$0" } }"#;
    format!(
        r#"{{
        "name": "rollout",
        "traffic": {{
            "arrivals": {{ "poisson": {{ "rate": "20/s" }} }},
            "classes": {{ "all": {{ "input": {{ "constant": 1 }}, "output": {{ "constant": 1 }} }} }}
        }},
        "providers": {{ "old": {{ "response": {{ "constant": "1s" }}, {prices} }}, "new": {{ {new}, {prices} }} }},
        "policies": [ {{ "name": "staged", "policy": {{ "rollout": {{
            "old": {{ "single": {{ "provider": "old" }} }}, "new": {{ "single": {{ "provider": "new" }} }},
            "by": "request", {rollout} }} }} }} ],
        "plan": {{ "duration": "{duration}", "warmup": "0s" }}
    }}"#
    )
}

fn run(new: &str, rollout: &str, duration: &str, n: u64) -> Vec<Tally> {
    replications(&plan(&experiment(new, rollout, duration)).scenarios[0], 3, n)
}

const HEALTHY: &str = r#""response": { "constant": "1s" }"#;

/// The stages of the article on latency-based routing: 5, 25, 50 and 100 %.
const STAGES: &str = r#""stages": [ { "share": "5%", "hold": "200s" }, { "share": "25%", "hold": "100s" },
    { "share": "50%", "hold": "100s" }, { "share": "100%", "hold": "100s" } ]"#;

/// Seconds of a milestone, if it was passed.
fn at(tally: &Tally, milestone: usize) -> Option<f64> {
    let milestone = &tally.milestones[milestone];
    (milestone.passed > 0).then_some(milestone.time as f64 / 1e9)
}

fn attempts(tally: &Tally, provider: usize) -> f64 {
    tally.providers[provider].outcomes.iter().sum::<u64>() as f64
}

/// The standard deviation of the new side's 20·(10 + 25 + 50 + 100 + 100) requests is 75; those of half an hour go by `new` at the end.
#[test]
fn a_healthy_one_is_through_after_the_sum_of_the_holds() {
    let gates = r#", "gates": { "error_rate": { "at_most": "5%" }, "e2e": { "times_old": 1.2 } }"#;
    let tallies = run(HEALTHY, &format!("{STAGES}{gates}"), "600s", 3);
    for tally in &tallies {
        let passed: Vec<_> = (0..8).map(|m| at(tally, m)).collect();
        let holds = [0.0, 200.0, 300.0, 400.0, 500.0].map(Some);
        assert_eq!(passed[..5], holds);
        assert_eq!(passed[5..], [None; 3], "no gate fails, nothing is rolled back");
        let expected = 20.0 * (10.0 + 25.0 + 50.0 + 100.0 + 100.0);
        assert!(
            (attempts(tally, 1) - expected).abs() < 4.0 * 75.5,
            "{}",
            attempts(tally, 1)
        );
    }
}

/// At 5 % of 20/s the new side gets one request a second, so its n-th answer comes after n seconds on average (standard deviation
/// √n) and the time of an answer. With half of them failing the first judgement fails: of 100, fewer than 6 failures have a probability
/// of 10^-22. By then half of n are hurt.
#[test]
fn a_bad_one_is_rolled_back_as_soon_as_its_window_can_be_judged() {
    let faulty = r#""response": { "constant": "100ms" }, "faults": [ { "random": { "server_error": 0.5 } } ]"#;
    for (least, n) in [("", 100.0), (r#", "min_requests": 25"#, 25.0)] {
        let gates = format!(r#", "gates": {{ "error_rate": {{ "at_most": "5%"{least} }} }}"#);
        let tallies = run(faulty, &format!("{STAGES}{gates}"), "300s", 60);
        let back = interval(&tallies, |t| at(t, 6).expect("it is rolled back"));
        assert_holds("rolled back", &back, n + 0.1, 0.1);
        let hurt = interval(&tallies, |t| {
            (t.requests() - t.ended(simcap::words::Outcome::Success)) as f64
        });
        assert_holds("hurt", &hurt, n / 2.0 + 0.05, 0.1);
    }
}

/// Twice as slow: found at the first judgement, after 100 answers of 2 s. Those sent in these last 2 s come on top, and those
/// of the 60 s that the rollback takes.
#[test]
fn one_twice_as_slow_is_rolled_back_likewise_and_the_flag_takes_its_time() {
    let slow = r#""response": { "constant": "2s" }"#;
    let rest = r#", "gates": { "e2e": { "percentile": 0.95, "times_old": 1.5 } }, "rollback_takes": "60s""#;
    let tallies = run(slow, &format!("{STAGES}{rest}"), "300s", 60);
    assert_holds(
        "gate fails",
        &interval(&tallies, |t| at(t, 5).expect("it fails")),
        102.0,
        0.1,
    );
    assert_holds(
        "rolled back",
        &interval(&tallies, |t| at(t, 6).expect("it is back")),
        162.0,
        0.1,
    );
    assert_holds("hurt", &interval(&tallies, |t| attempts(t, 1)), 162.0, 0.1);
}

/// Probability of more than `most` failures of `n` with probability `p`.
fn above(most: u32, n: u32, p: f64) -> f64 {
    let mut term = (1.0 - p).powi(n as i32);
    let mut sum = term;
    for k in 1..=most {
        term *= f64::from(n - k + 1) / f64::from(k) * p / (1.0 - p);
        sum += term;
    }
    1.0 - sum
}

/// Share of `runs` in which some 100 in a row of `n` trials have more than 5 failures: counted here, without simcap's gates.
fn scanned(n: usize, p: f64, runs: u64) -> f64 {
    let found = |run: &u64| {
        let mut draws = Chance::new(99, *run).request(0).stream(Purpose::Route);
        let failed: Vec<bool> = (0..n).map(|_| draws.next_u64() < threshold(p)).collect();
        failed.windows(100).any(|w| w.iter().filter(|f| **f).count() > 5)
    };
    (0..runs).filter(found).count() as f64 / runs as f64
}

/// A true error rate of half the gate's. One look at 100 attempts rolls back 3.4 % (binomial); a look after each of 1,000
/// attempts ten times as many. Four standard deviations of a share p over n replications are 4·√(p(1 − p)/n).
#[test]
fn looking_after_each_attempt_rolls_back_ten_times_as_many_good_ones_as_one_look() {
    let faulty = r#""response": { "constant": "1ms" }, "faults": [ { "random": { "server_error": 0.025 } } ]"#;
    let measured = |requests: u64, duration: &str, n: u64| {
        let rollout = format!(
            r#""stages": [ {{ "share": 1, "hold": "0s", "min_requests": {requests} }} ],
               "gates": {{ "error_rate": {{ "at_most": "5%" }} }}"#
        );
        let tallies = run(faulty, &rollout, duration, n);
        let back = tallies.iter().filter(|t| at(t, 3).is_some()).count();
        let finished = tallies.iter().filter(|t| at(t, 1).is_some()).count();
        assert_eq!(back + finished, tallies.len(), "each is judged to its end");
        back as f64 / n as f64
    };
    let within = |share: f64, n: f64| 4.0 * (share * (1.0 - share) / n).sqrt();
    let (once, theory) = (measured(100, "20s", 1500), above(5, 100, 0.025));
    assert!(
        (once - theory).abs() < within(theory, 1500.0),
        "one look: {once}, binomial {theory}"
    );
    let (often, theory) = (measured(1000, "100s", 500), scanned(1000, 0.025, 4000));
    let margin = within(theory, 500.0) + within(theory, 4000.0);
    assert!(
        (often - theory).abs() < margin,
        "looking always: {often}, counted {theory}"
    );
    assert!(often > 6.0 * once, "{often} against {once}");
}

/// The seam from a policy's milestones to the report.
#[test]
#[allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]
fn milestones_are_in_the_terminal_in_a_csv_file_and_on_the_page() {
    let faulty = r#""response": { "constant": "100ms" }, "faults": [ { "random": { "server_error": 0.5 } } ]"#;
    let rest = r#", "gates": { "error_rate": { "at_most": "5%", "min_requests": 20 } }"#;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("x.json"),
        experiment(faulty, &format!("{STAGES}{rest}"), "60s"),
    )
    .unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_simcap"))
        .args(["run", "x.json", "--replications", "4", "--out", "out", "--full"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let from = printed
        .find("Milestones, first passed")
        .unwrap_or_else(|| panic!("{printed}"));
    let table = printed[from..].split("\n\n").next().unwrap();
    let trimmed: Vec<&str> = table.lines().map(str::trim_end).collect();
    insta::assert_snapshot!(trimmed.join("\n"), @r"
    Milestones, first passed
    policy  milestone                    after  replications
    ────────────────────────────────────────────────────────
    staged  5% on the new side        0 s ±0          4 of 4
    staged  25% on the new side         – ¹           0 of 4
    staged  50% on the new side         – ¹           0 of 4
    staged  100% on the new side        – ¹           0 of 4
    staged  finished                    – ¹           0 of 4
    staged  gate error_rate fails  21.2 s ±6.3        4 of 4
    staged  rolled back            21.2 s ±6.3        4 of 4
    ");
    let csv = std::fs::read_to_string(folder.path().join("out/milestones.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 7);
    assert!(csv.contains("staged,rolled back,4,seconds,"), "{csv}");
    let page = std::fs::read_to_string(folder.path().join("out/report.html")).unwrap();
    assert!(page.contains("gate error_rate fails"));
}
