//! Faults and weather through an experiment: what a client sees of them, and what is counted of an outage.

use crate::common::{assert_holds, interval, plan, replications};
use simcap::engine::scenario::Scenario;
use simcap::engine::tally::Tally;
use simcap::words::Outcome;

const OUTAGE: &str = include_str!("../experiments/outage.json");

/// The shipped experiment with five minutes of outage after five, and fifteen in all.
fn shortened() -> String {
    OUTAGE
        .replace(r#""from": "20m", "for": "15m""#, r#""from": "5m", "for": "5m""#)
        .replace(r#""duration": "1h""#, r#""duration": "15m", "warmup": "0s""#)
}

fn named<'a>(scenarios: &'a [Scenario], name: &str) -> &'a Scenario {
    scenarios.iter().find(|s| s.name == name).expect("it is there")
}

/// Without a breaker a third of 20 requests a second fails for 300 s: 2,000 attempts, and a third of the requests.
#[test]
fn without_a_breaker_an_outage_leaks_rate_times_share_times_length() {
    let plan = plan(&shortened());
    let tallies = replications(named(&plan.scenarios, "no-breaker"), 1, 20);
    let leaked = interval(&tallies, |t| t.incidents[0].leaked as f64);
    assert_holds("leaked", &leaked, 2000.0, 0.03);
    let failed = interval(&tallies, |t| {
        t.incidents[0].errors as f64 / t.incidents[0].requests as f64
    });
    assert_holds("requests failed", &failed, 1.0 / 3.0, 0.03);
    for tally in &tallies {
        assert_eq!(
            (tally.incidents[0].ejected, tally.incidents[0].seconds_to_eject()),
            (0, None)
        );
    }
}

/// With answers in a millisecond nothing is under way when it begins, so that the fifth failure opens the breaker: five
/// gaps of 0.15 s and the 20 ms that a refusal takes. What is sent in those 20 ms leaks too. Then every 30 s, and a gap, and
/// 20 ms, there is a trial.
#[test]
fn a_breaker_ejects_on_the_fifth_failure_and_leaks_little_before() {
    let slow = r#""ttft": { "lognormal": { "median": "400ms", "sigma": 0.5 } },
      "tps": { "constant": 80 },"#;
    let text = shortened();
    assert!(text.contains(slow));
    let plan = plan(&text.replace(slow, r#""response": { "constant": "1ms" },"#));
    for name in ["published", "guarded"] {
        let tallies = replications(named(&plan.scenarios, name), 1, 60);
        assert!(tallies.iter().all(|t| t.incidents[0].ejected == 1), "{name}");
        let to_eject = interval(&tallies, |t| t.incidents[0].to_eject as f64 / 1e9);
        assert_holds(name, &to_eject, 0.77, 0.2);
        let leaked = interval(&tallies, |t| t.incidents[0].leaked as f64);
        assert_holds(name, &leaked, 5.0 + 0.02 / 0.15, 0.05);
    }
}

/// Without a breaker a third of the requests fails until the end. Going back from there the 11th failure is 33 requests away in
/// the mean; it has left the last hundred, and with it all but ten, after 101 − 33 = 68 more, at 20 a second. With one, one
/// request in 30 s fails, and the client is well all along.
#[test]
fn recovery_takes_until_the_failures_have_left_the_last_hundred_requests() {
    let slow = r#""ttft": { "lognormal": { "median": "400ms", "sigma": 0.5 } },
      "tps": { "constant": 80 },"#;
    let plan = plan(&shortened().replace(slow, r#""response": { "constant": "1ms" },"#));
    let seconds = |name: &str| {
        let tallies = replications(named(&plan.scenarios, name), 1, 60);
        assert!(tallies.iter().all(|t| t.incidents[0].recovered == 1), "{name}");
        interval(&tallies, |t| t.incidents[0].to_recover as f64 / 1e9)
    };
    assert_holds("recovery", &seconds("no-breaker"), 68.0 / 20.0, 0.1);
    assert_eq!(seconds("guarded").value, 0.0);
}

/// As published, half-open lets everything through until three calls succeed, which in an outage none does.
#[test]
fn the_published_breaker_leaks_for_the_rest_of_the_outage() {
    let plan = plan(&shortened());
    let failed = |name: &str| {
        let tallies = replications(named(&plan.scenarios, name), 1, 5);
        let errors: u64 = tallies.iter().map(|t| t.incidents[0].errors).sum();
        errors as f64 / tallies.iter().map(|t| t.incidents[0].requests).sum::<u64>() as f64
    };
    let (published, guarded) = (failed("published"), failed("guarded"));
    // Of 300 s, 30 s and the first second or two it keeps calls out; afterwards it is as if there were none.
    assert!((published - (1.0 / 3.0) * 0.9).abs() < 0.02, "{published}");
    assert!(guarded < 0.02, "{guarded}");
}

/// One replication of one second-by-second class at providers `a` and `b` in turns.
fn run(a: &str, b: &str, client: &str) -> Tally {
    let text = format!(
        r#"{{
        "name": "case",
        "traffic": {{ "arrivals": {{ "regular": {{ "rate": "1/s" }} }}, "classes": {{ "all": {{ "input": {{ "constant": 10 }}, "output": {{ "constant": 101 }} }} }} }},
        "providers": {{
            "a": {{ "ttft": {{ "constant": "100ms" }}, "tps": {{ "constant": 1000 }}, "faults": [{a}], "prices": {{ "per_token": {{ "input": "$0/Mtok", "output": "$1/Mtok" }} }} }},
            "b": {{ "ttft": {{ "constant": "100ms" }}, "tps": {{ "constant": 1000 }}, "faults": [{b}], "prices": {{ "per_request": {{ "price": "$0" }} }} }}
        }},
        "client": {{ {client} }},
        "policies": [ {{ "name": "only", "policy": "round_robin" }} ],
        "plan": {{ "duration": "20000s", "warmup": "0s" }}
    }}"#
    );
    replications(&plan(&text).scenarios[0], 1, 1).remove(0)
}

#[test]
fn each_silence_is_ended_by_its_own_timeout() {
    let down = |answer: &str| format!(r#"{{ "outage": {{ "from": "0s", "for": "20000s", "answer": "{answer}" }} }}"#);
    let timeouts = r#""timeouts": { "connect": "1s", "ttft": "2s", "idle": "3s", "attempt": "100s" }"#;
    let cases = [
        (down("unreachable"), Outcome::TimeoutConnect),
        (down("hang"), Outcome::TimeoutTtft),
        (r#"{ "random": { "stalled": 1 } }"#.to_owned(), Outcome::TimeoutIdle),
    ];
    for (fault, outcome) in cases {
        let tally = run(&fault, "", timeouts);
        let outcomes = tally.providers[0].outcomes;
        assert_eq!(outcomes[outcome.index()], outcomes.iter().sum::<u64>(), "{fault}");
    }
}

/// What was written before the break is billed: half of 100 further tokens in the mean, and the first.
#[test]
fn an_answer_that_breaks_off_is_billed_as_far_as_it_came() {
    let tally = run(r#"{ "random": { "truncated": 1 } }"#, "", "");
    let attempts = tally.providers[0].outcomes[Outcome::Truncated.index()];
    assert_eq!(attempts, tally.providers[0].outcomes.iter().sum::<u64>());
    // Four standard errors of a uniform mean over 10,000 are 1.2 tokens; whole tokens round down by half of one.
    let mean = tally.providers[0].output as f64 / attempts as f64;
    assert!((mean - 50.5).abs() < 1.2, "{mean}");
}

/// An attempt that would fail after three seconds is a timeout if the client waits for less, and is billed nothing either way.
#[test]
fn a_failure_that_takes_its_time_may_be_a_timeout_first() {
    let fault = r#"{ "random": { "server_error": { "share": 1, "after": "3s" } } }"#;
    for (attempt, outcome) in [
        ("1s", Outcome::TimeoutAttempt),
        ("2999ms", Outcome::TimeoutAttempt),
        ("3s", Outcome::ServerError),
    ] {
        let tally = run(fault, "", &format!(r#""timeouts": {{ "attempt": "{attempt}" }}"#));
        let one = &tally.providers[0];
        assert_eq!(
            one.outcomes[outcome.index()],
            one.outcomes.iter().sum::<u64>(),
            "{attempt}"
        );
        assert_eq!((one.output, one.cost), (0, 0), "{attempt}");
    }
}

/// Requests come each second and go to two providers in turns; one fails after three seconds. So 1.5 of its attempts are under way
/// in the mean.
#[test]
fn a_failure_occupies_its_provider_while_it_lasts() {
    let tally = run(
        r#"{ "random": { "server_error": { "share": 1, "after": "3s" } } }"#,
        "",
        "",
    );
    let in_flight = tally.providers[0].busy as f64 / tally.counted as f64;
    assert!((in_flight - 1.5).abs() < 0.001, "{in_flight}");
}

/// A 503 that asks for 30 s: with 29 s for the request there is no second try, with 31 s there is, and it fails like the first.
#[test]
fn a_retry_after_of_a_503_is_waited_for() {
    let fault = r#"{ "outage": { "from": "0s", "for": "30000s", "answer": "unavailable", "retry_after": "30s" } }"#;
    let of = |total: &str, rule: &str| {
        let tries = format!(r#""retry": {{ "exponential": {{ "tries": 2, "base": "1s", "retry_after": "{rule}" }} }}"#);
        run(
            fault,
            fault,
            &format!(r#"{tries}, "timeouts": {{ "total": "{total}" }}"#),
        )
    };
    for (total, rule, outcome, attempts) in [
        ("29s", "at_least", Outcome::TimeoutTotal, 1),
        ("31s", "at_least", Outcome::Unavailable, 2),
        ("29s", "ignore", Outcome::Unavailable, 2),
    ] {
        let tally = of(total, rule);
        assert_eq!(tally.ended(outcome), tally.requests(), "{total} {rule}");
        let sent: u64 = tally.providers.iter().map(|p| p.outcomes.iter().sum::<u64>()).sum();
        assert!(
            sent.abs_diff(attempts * tally.requests()) <= 60,
            "{total} {rule}: {sent}"
        );
    }
}

/// Whatever the caller did not wait for, it has not read: a breaker that heeds Retry-After is told of none by a timeout.
#[test]
fn a_caller_that_hangs_up_has_read_no_retry_after() {
    let fault = r#"{ "random": { "unavailable": { "share": 1, "after": "3s", "retry_after": "1h" } } }"#;
    let client = r#""breaker": "litellm_cooldown", "timeouts": { "attempt": "1s" }"#;
    // Five timeouts cool it for five seconds, not for an hour, so that it is tried again and again.
    let tally = run(fault, "", client);
    assert!(tally.providers[0].trips > 1000, "{}", tally.providers[0].trips);
}

/// Two providers, and two sources at one of them, go through regimes of their own: were they the same, the shares of failed
/// attempts would be.
#[test]
fn every_source_has_its_own_regimes() {
    let regimes = r#"{ "regimes": { "between": { "exponential": { "mean": "20m" } }, "repair": { "exponential": { "mean": "10m" } }, "outage_share": 1 } }"#;
    let nothing = r#"{ "random": {} }"#;
    let failed = |a: &str, b: &str| {
        let tally = run(a, b, "");
        [0, 1].map(|p: usize| tally.providers[p].outcomes[Outcome::Unavailable.index()])
    };
    let [first, second] = failed(regimes, regimes);
    let [later, same] = failed(&format!("{nothing}, {regimes}"), regimes);
    assert_eq!(second, same, "nothing of its own has changed");
    for (one, other) in [(first, second), (later, second), (first, later)] {
        assert!(one.abs_diff(other) > 50, "{one} and {other} of 10,000");
    }
}
