//! Users that leave: against the birth-death chain of a queue with impatience (Erlang A), and against arithmetic.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use serde_json::{Value, json};
use simcap::decide;
use simcap::engine::replicate::replicate;
use simcap::engine::run::Control;
use simcap::engine::tally::Tally;
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::from_text;
use simcap::report::json;
use simcap::words::{Metric, Outcome};

use crate::common::command::{simcap, text};
use crate::common::{assert_holds, interval, plan, replications};

/// One provider, one class whose users have this patience, and what else is given.
fn experiment(rate: &str, patience: &Value, provider: &Value, client: &Value) -> Value {
    let mut provider = provider.clone();
    if provider.get("prices").is_none() {
        provider["prices"] = json!({ "per_request": { "price": "$0" } });
    }
    json!({
        "name": "patience",
        "traffic": {
            "arrivals": { "poisson": { "rate": rate } },
            "classes": { "all": { "input": 1000, "output": { "exponential": { "mean": 20_000 } }, "patience": patience } },
        },
        "providers": { "one": provider },
        "client": client,
        "policies": [ { "name": "only", "policy": { "single": { "provider": "one" } } } ],
        "plan": { "duration": "4000s", "warmup": "100s", "replications": 4 },
    })
}

fn run(experiment: &Value, count: u64) -> Vec<Tally> {
    replications(&plan(&experiment.to_string()).scenarios[0], 17, count)
}

fn left(tally: &Tally) -> f64 {
    tally.ended(Outcome::Abandoned) as f64 / tally.requests() as f64
}

/// The chain of M/M/c+M, in which each of those who wait leaves at the rate `theta`; or each of all, where the answer begins with its
/// end: the share of arrivals that leave, and the mean wait of all in seconds.
fn erlang_a(lambda: f64, mu: f64, c: f64, theta: f64, until_the_end: bool) -> (f64, f64) {
    let mut weights = vec![1.0_f64];
    for n in 1..400 {
        let n = f64::from(n);
        let impatient = if until_the_end { n } else { (n - c).max(0.0) };
        weights.push(weights[weights.len() - 1] * lambda / (n.min(c) * mu + impatient * theta));
    }
    let all: f64 = weights.iter().sum();
    let mean = |of: &dyn Fn(f64) -> f64| (0..400).map(|n| of(f64::from(n)) * weights[n as usize]).sum::<f64>() / all;
    let waiting = mean(&|n| (n - c).max(0.0));
    let impatient = if until_the_end { mean(&|n| n) } else { waiting };
    (theta * impatient / lambda, waiting / lambda)
}

/// Two servers at a load of 1, and users who wait 50 ms in the mean where a service takes 20 ms: more than a queue without impatience
/// can hold. The queue is the client's own, or the provider's, which forgets who has hung up.
#[test]
fn a_queue_with_impatience_is_erlangs() {
    let patience = json!({ "exponential": { "mean": "50ms" } });
    let service = json!({ "ttft": "0s", "tps": 1_000_000 });
    let (share, wait) = erlang_a(100.0, 50.0, 2.0, 20.0, false);
    let client = json!({ "max_in_flight": 2, "admission": "queue" });
    let runs = run(&experiment("100/s", &patience, &service, &client), 12);
    assert_holds("share that leaves", &interval(&runs, left), share, 0.02);
    let mean_wait = |t: &Tally| t.classes[0].wait.mean().unwrap().seconds();
    assert_holds("mean wait", &interval(&runs, mean_wait), wait, 0.02);
    // What leaves while it waits was never sent.
    assert!(runs.iter().all(|t| t.attempts() == t.ended(Outcome::Success)));

    let mut slots = service.clone();
    slots["load"] = json!([{ "slots": { "servers": 2, "on_hang_up": "abort" } }]);
    let runs = run(&experiment("100/s", &patience, &slots, &json!({})), 12);
    assert_holds(
        "share that leaves a provider's queue",
        &interval(&runs, left),
        share,
        0.02,
    );
    // Here it was, and its attempt is called off.
    let cancelled = |t: &Tally| t.providers[0].outcomes[Outcome::Cancelled.index()];
    assert!(runs.iter().all(|t| cancelled(t) == t.ended(Outcome::Abandoned)));

    // An answer that comes whole begins with its end: users leave while they are served, too.
    let whole = json!({ "response": { "exponential": { "mean": "20ms" } } });
    let (share, _) = erlang_a(100.0, 50.0, 2.0, 20.0, true);
    let runs = run(&experiment("100/s", &patience, &whole, &client), 12);
    assert_holds("share that leaves until the end", &interval(&runs, left), share, 0.02);
}

/// The first token comes after 1 s, before anybody leaves at 2 s, and half of the answers break off while they last 10 s: that is the
/// provider's failure, and no user has left.
#[test]
fn an_answer_that_had_begun_and_breaks_off_is_not_abandoned() {
    let breaking = json!({ "ttft": "1s", "tps": 2000, "faults": [{ "random": { "truncated": 0.5 } }] });
    let long = |patience: &str| {
        let mut of = experiment("1/s", &json!(patience), &breaking, &json!({}));
        of["traffic"]["classes"]["all"]["output"] = json!(20_000);
        run(&of, 1).remove(0)
    };
    let (impatient, patient) = (long("2s"), long("1000s"));
    assert_eq!(impatient.ended(Outcome::Abandoned), 0);
    assert_eq!(impatient.ended(Outcome::Truncated), patient.ended(Outcome::Truncated));
    assert!(patient.ended(Outcome::Truncated) > 1000);
}

/// Tries at 0, 1 and 2 s fail at once; the fourth would be at 3 s, and the user leaves at 2.5 s. With 3.5 s it comes.
#[test]
fn waits_between_tries_count() {
    let down = json!({ "response": "1s", "faults": [
        { "outage": { "from": "0s", "for": "20000s", "answer": "unavailable" } } ] });
    let retry = json!({ "retry": { "fixed": { "tries": 9, "wait": "1s" } } });
    for (patience, tries) in [("2500ms", 3), ("3500ms", 4)] {
        let tally = &run(&experiment("1/s", &json!(patience), &down, &retry), 1)[0];
        assert_eq!(left(tally), 1.0);
        assert_eq!(tally.attempts(), tries * tally.requests());
        let spans = tally.series.bins().iter().map(|bin| bin.failures).sum::<u64>();
        assert!(spans > 0);
    }
}

/// First token after 1 s, the last a second later. Who waits half a second costs what the provider bills of a call that was called off
/// before its first token; who waits a second, or more, has the answer.
#[test]
fn what_is_called_off_is_billed_as_the_provider_does() {
    let provider = |hung_up: &str| {
        json!({ "ttft": "1s", "tps": 100, "hung_up": hung_up,
            "prices": { "per_token": { "input": "$1/Mtok", "output": "$10/Mtok" } } })
    };
    for (hung_up, patience, dollars, leaves) in [
        ("written", "500ms", 0.001, true),
        ("whole", "500ms", 0.001 + 0.00101, true),
        ("nothing", "500ms", 0.0, true),
        ("written", "1s", 0.001 + 0.00101, false),
        ("nothing", "1500ms", 0.001 + 0.00101, false),
    ] {
        let mut experiment = experiment("1/s", &json!(patience), &provider(hung_up), &json!({}));
        experiment["traffic"]["classes"]["all"]["output"] = json!(101);
        let tally = &run(&experiment, 1)[0];
        assert_eq!(left(tally), if leaves { 1.0 } else { 0.0 }, "{hung_up} {patience}");
        let each = tally.cost() as f64 / 1e12 / tally.requests() as f64;
        assert!(
            (each - dollars).abs() < 1e-9,
            "{hung_up} {patience}: ${each}, not ${dollars}"
        );
        let ended = if leaves { Outcome::Cancelled } else { Outcome::Success };
        assert_eq!(tally.providers[0].outcomes[ended.index()], tally.requests());
    }
}

/// Half of the users of one class leave, which changes nothing of the other class where nothing is scarce: neither its arrivals nor what it
/// draws.
#[test]
fn others_are_as_they_were() {
    let with = |patience: Option<&str>| {
        let mut experiment = experiment(
            "20/s",
            &json!("1s"),
            &json!({ "ttft": { "exponential": { "mean": "1s" } }, "tps": 5000 }),
            &json!({}),
        );
        experiment["traffic"]["classes"] = json!({
            "calm": { "share": 1, "input": { "uniform": { "min": 1, "max": 900 } }, "output": 50 },
            "hasty": { "share": 1, "input": 10, "output": 50, "patience": patience },
        });
        if patience.is_none() {
            experiment["traffic"]["classes"]["hasty"]
                .as_object_mut()
                .unwrap()
                .remove("patience");
        }
        run(&experiment, 1).remove(0)
    };
    let (patient, hasty) = (with(None), with(Some("500ms")));
    assert_eq!(patient.classes[0], hasty.classes[0]);
    let abandoned = hasty.classes[1].outcomes[Outcome::Abandoned.index()];
    assert_eq!(hasty.requests(), patient.requests());
    // P(an exponential of 1 s is above 0.5 s) = e^(-0.5); those who stay have seen their first token by then.
    let share = abandoned as f64 / (hasty.requests() - hasty.classes[0].outcomes.iter().sum::<u64>()) as f64;
    assert!((share - 0.6065).abs() < 0.01, "{share}");
    assert!(hasty.classes[1].ttft.max().unwrap().seconds() <= 0.5005);
}

/// A hedge sent after a second, whose answer begins at once: its user has the first token at 1 s and stays, and the copy that has not
/// begun is called off; without a hedge all leave.
#[test]
fn a_copy_that_has_begun_keeps_its_user() {
    let price = |price: &str| json!({ "per_token": { "input": price, "output": price } });
    let slow = json!({ "ttft": "5s", "tps": 10, "prices": price("$1/Mtok") });
    let with = |client: &Value| {
        let mut experiment = experiment("1/s", &json!("2s"), &slow, client);
        experiment["traffic"]["classes"]["all"]["output"] = json!(101);
        experiment["providers"]["two"] = json!({ "ttft": "0s", "tps": 10, "prices": price("$2/Mtok") });
        experiment["policies"][0]["policy"] = json!("cheapest");
        run(&experiment, 1).remove(0)
    };
    assert_eq!(left(&with(&json!({}))), 1.0);
    for race in ["first_token", "answer"] {
        let tally = with(&json!({ "hedge": { "fixed": { "delay": "1s", "elsewhere": true, "race": race } } }));
        assert_eq!(tally.ended(Outcome::Success), tally.requests(), "{race}");
        assert_eq!(
            tally.providers[0].outcomes[Outcome::Cancelled.index()],
            tally.requests(),
            "{race}"
        );
    }
}

/// Turns whose users leave end their conversations, which have then been left, and not failed.
#[test]
fn a_turn_that_is_abandoned_ends_its_conversation() {
    let mut experiment = experiment("1/s", &json!("500ms"), &json!({ "ttft": "1s", "tps": 100 }), &json!({}));
    experiment["traffic"]["arrivals"] = json!({ "conversations": {
        "starts": { "regular": { "rate": "1/s" } }, "turns": 3, "think": "1s",
        "after_failure": { "share": 1.0, "after": "1s" } } });
    let tally = &run(&experiment, 1)[0];
    let dialogues = tally.classes[0].dialogues.as_ref().unwrap();
    assert_eq!((dialogues.left, dialogues.failed, dialogues.turns), (4000, 0, 4000));
}

/// On any number of threads the same, and the first screen says how many left; over all requests their times have no end.
#[test]
fn the_first_screen_says_who_left() {
    let patience = json!({ "exponential": { "mean": "50ms" } });
    let client = json!({ "max_in_flight": 2, "admission": "queue" });
    let mut experiment = experiment("100/s", &patience, &json!({ "ttft": "0s", "tps": 1_000_000 }), &client);
    experiment["plan"]["duration"] = json!("60s");
    let loaded = from_text("x.json", &experiment.to_string()).unwrap();
    let plan = assemble(&loaded).unwrap();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| replicate(&plan.scenarios, plan.seed, plan.replications, &Control::default()))
    };
    let report = decide::report(&loaded, &plan, &on(1));
    let written = json::to_json(&report);
    assert_eq!(written, json::to_json(&decide::report(&loaded, &plan, &on(4))));
    let policy = &report.policies[0];
    let share = policy
        .outcomes
        .iter()
        .find(|of| of.outcome == Outcome::Abandoned)
        .unwrap()
        .share
        .value;
    assert!(share > 0.05);
    let ttft = policy
        .metrics
        .iter()
        .find(|measured| measured.metric == Metric::TTFT_P95)
        .unwrap();
    assert_eq!(ttft.of_all.unwrap().value, f64::INFINITY);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.json"), experiment.to_string()).unwrap();
    let ran = simcap(folder.path(), &["run", "x.json"]);
    let said = text(&ran.stdout);
    assert!(said.contains(" % of users left before the first token."), "{said}");
    let listed = simcap(folder.path(), &["requests", "x.json", "--outcome", "abandoned"]);
    assert!(listed.status.success(), "{}", text(&listed.stderr));
}
