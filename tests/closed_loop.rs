//! Closed loops of users, each of which asks again after an answer: against closed forms, each within the run's own 99
//! % interval, and the same for every policy.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::common::{assert_holds, interval, plan, replications};
use simcap::engine::run::{Control, run};
use simcap::routing::{Call, Fleet, Policy};

/// So many users of one exponential server of 25 ms behind a queue.
fn users(n: u32, think: &str, duration: &str) -> String {
    format!(
        r#"{{
        "name": "loop",
        "traffic": {{
            "arrivals": {{ "closed_loop": {{ "users": {n}, "think": {think} }} }},
            "classes": {{
                "short": {{ "share": 2, "input": {{ "uniform": {{ "min": 1, "max": 100 }} }}, "output": {{ "constant": 1 }} }},
                "long": {{ "share": 1, "input": {{ "uniform": {{ "min": 100, "max": 900 }} }}, "output": {{ "constant": 1 }} }}
            }}
        }},
        "providers": {{
            "server": {{ "response": {{ "exponential": {{ "mean": "25ms" }} }}, "prices": {{ "per_request": {{ "price": "$0" }} }} }},
            "slow": {{ "response": {{ "constant": "300ms" }}, "prices": {{ "per_request": {{ "price": "$0" }} }} }}
        }},
        "client": {{ "max_in_flight": 1, "admission": "queue" }},
        "policies": [ {{ "name": "only", "policy": {{ "single": {{ "provider": "server" }} }} }} ],
        "plan": {{ "duration": "{duration}", "warmup": "100s" }}
    }}"#
    )
}

/// Throughput a second and mean response in seconds of `n` users who think for `z`, at one server that takes `s`: exact mean
/// value analysis (Reiser and Lavenberg 1980).
fn theory(n: u32, z: f64, s: f64) -> (f64, f64) {
    let (mut throughput, mut response, mut queue) = (0.0, 0.0, 0.0);
    for users in 1..=n {
        response = s * (1.0 + queue);
        throughput = f64::from(users) / (response + z);
        queue = throughput * response;
    }
    (throughput, response)
}

/// The machine repairman, M/M/1//N: below saturation, at it (N* = 9) and far beyond. How think times are spread makes no
/// difference to either figure, only their mean does.
#[test]
fn users_of_one_server_get_through_as_mean_value_analysis_says() {
    for (n, think, z) in [
        (4, r#"{ "exponential": { "mean": "200ms" } }"#, 0.2),
        (10, r#"{ "exponential": { "mean": "200ms" } }"#, 0.2),
        (10, r#"{ "constant": "200ms" }"#, 0.2),
        (30, r#"{ "gamma": { "mean": "200ms", "shape": 0.5 } }"#, 0.2),
        (5, r#"{ "constant": "0s" }"#, 0.0),
    ] {
        let runs = replications(&plan(&users(n, think, "1000s")).scenarios[0], 5, 16);
        let (throughput, response) = theory(n, z, 0.025);
        let per_second = |t: &simcap::engine::tally::Tally| t.requests() as f64 * 1e9 / t.counted as f64;
        assert_holds(
            &format!("throughput of {n}, {think}"),
            &interval(&runs, per_second),
            throughput,
            0.01,
        );
        let mean = |t: &simcap::engine::tally::Tally| {
            let of =
                |f: fn(&simcap::stats::histogram::Histogram) -> f64| t.classes.iter().map(|c| f(&c.e2e)).sum::<f64>();
            of(|e2e| e2e.mean().unwrap().seconds() * e2e.count() as f64) / of(|e2e| e2e.count() as f64)
        };
        assert_holds(
            &format!("response of {n}, {think}"),
            &interval(&runs, mean),
            response,
            0.02,
        );
    }
}

/// The requests of each user in order: class and input tokens.
type Turns = BTreeMap<u32, Vec<(usize, u32)>>;

/// Notes each user's requests as they come, and sends all to one provider.
#[derive(Debug, Clone)]
struct Notes {
    to: usize,
    seen: Arc<Mutex<Turns>>,
}

impl Policy for Notes {
    fn choose(&mut self, call: &Call, _fleet: &Fleet<'_>) -> Option<usize> {
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        seen.entry(call.user).or_default().push((call.class, call.input));
        Some(self.to)
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

/// One provider answers in 25 ms on average, the other in 300 ms: so the users get further with the one, and what they ask for
/// is the same, turn by turn.
#[test]
fn every_policy_meets_the_same_turns() {
    let turns = |to: usize| {
        let mut plan = plan(&users(7, r#"{ "exponential": { "mean": "2s" } }"#, "300s"));
        let seen = Arc::new(Mutex::new(Turns::new()));
        plan.scenarios[0].policy = Box::new(Notes {
            to,
            seen: Arc::clone(&seen),
        });
        run(&plan.scenarios[0], 1, 0, &Control::default()).unwrap();
        seen.lock().unwrap().clone()
    };
    let (fast, slow) = (turns(0), turns(1));
    assert_eq!(fast.len(), 7);
    for (user, asked) in &slow {
        let of_fast = &fast[user];
        assert!(asked.len() > 50 && asked.len() < of_fast.len(), "user {user}");
        assert_eq!(asked[..], of_fast[..asked.len()], "user {user}");
    }
    assert_ne!(fast[&0][..50], fast[&1][..50], "users differ");
}

/// One user whose every request fails at once, since the breaker never closes again, and who does not think: it asks once in a
/// millisecond, and no request follows once the window is over.
#[test]
fn a_user_without_a_thought_does_not_ask_for_ever_at_one_instant() {
    let text = r#"{
        "name": "loop",
        "traffic": {
            "arrivals": { "closed_loop": { "users": 1, "think": { "constant": "0s" } } },
            "classes": { "c": { "input": { "constant": 1 }, "output": { "constant": 1 } } }
        },
        "providers": { "p": {
            "response": { "constant": "1s" }, "faults": [ { "random": { "server_error": 1 } } ],
            "prices": { "per_request": { "price": "$0" } }
        } },
        "client": { "breaker": { "consecutive": { "failures": 1, "open_for": "1h" } } },
        "policies": [ { "name": "only", "policy": { "single": { "provider": "p" } } } ],
        "plan": { "duration": "10s", "warmup": "0s" }
    }"#;
    let tally = run(&plan(text).scenarios[0], 1, 0, &Control::default()).unwrap();
    let failed = tally.ended(simcap::words::Outcome::BreakerOpen);
    // One request fails at the provider, after its network time: at most the whole answer's second.
    assert!((9_000..=10_000).contains(&failed), "{failed}");
    assert_eq!(tally.in_system_at_end, 0);
}

/// A reader who compares with open arrivals is told; and users are the loop's own.
#[test]
fn a_closed_loop_is_cautioned_about_and_has_its_own_users() {
    let text = users(3, r#"{ "constant": "1s" }"#, "100s");
    let closed = plan(&text);
    assert_eq!(closed.cautions.len(), 1);
    assert!(closed.cautions[0].contains("closed loop"), "{:?}", closed.cautions);
    let open = text.replace(
        r#"{ "closed_loop": { "users": 3, "think": { "constant": "1s" } } }"#,
        r#"{ "poisson": { "rate": "1/s" } }"#,
    );
    assert_eq!(plan(&open).cautions, [""; 0]);
    let twice = text.replace(r#""classes":"#, r#""users": { "count": 5 }, "classes":"#);
    let loaded = simcap::experiment::load::from_text("test.json", &twice).unwrap();
    let refused = simcap::experiment::assemble::assemble(&loaded).unwrap_err().to_string();
    assert!(
        refused.contains("traffic.users: `closed_loop` has users of its own, 3: leave this out"),
        "{refused}"
    );
    let sticky = text.replace(
        r#"{ "single": { "provider": "server" } }"#,
        r#"{ "sticky": { "policy": "round_robin" } }"#,
    );
    assert_eq!(plan(&sticky).scenarios.len(), 1, "policies that go by users know these");
}
