//! What is said of a month, against arithmetic: runs that hold a part of a window, an incident, an hour of a day.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::sync::Arc;

use serde_json::{Value, json};
use simcap::decide;
use simcap::engine::replicate::replicate;
use simcap::engine::run::Control;
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::{Traces, from_text, load_priced};
use simcap::report::{Billed, Metric, Report, csv, terminal};
use simcap::words::BoundKind;

/// One request a second at a cent each, which takes a second: $36 an hour, $864 a day, $25,920 a month.
fn experiment(more: &Value) -> Value {
    let mut all = json!({
        "name": "month",
        "traffic": {
            "arrivals": { "regular": { "rate": "1/s" } },
            "classes": { "a": { "input": { "constant": 1000 }, "output": { "constant": 500 } } },
        },
        "providers": {
            "p": { "response": { "constant": "1s" }, "prices": { "per_request": { "price": "$0.01" } } },
        },
        "policies": [{ "name": "one", "policy": { "single": { "provider": "p" } } }],
        "plan": { "duration": "1h", "warmup": "0s", "replications": 2 },
    });
    merge(&mut all, more);
    all
}

/// Puts the fields of `from` into `to`, objects into objects.
fn merge(to: &mut Value, from: &Value) {
    for (name, value) in from.as_object().into_iter().flatten() {
        match (&mut to[name], value) {
            // One of a kind takes the place of another.
            (Value::Object(_), Value::Object(_)) if !["prices", "arrivals", "input"].contains(&name.as_str()) => {
                merge(&mut to[name], value);
            }
            (place, _) => *place = value.clone(),
        }
    }
}

fn report(more: &Value) -> Report {
    let loaded = from_text("test.json", &experiment(more).to_string()).unwrap_or_else(|e| panic!("{e}"));
    let plan = assemble(&loaded).unwrap_or_else(|e| panic!("{e}"));
    let control = Arc::new(Control::default());
    let runs = replicate(&plan.scenarios, plan.seed, plan.replications, &control);
    decide::report(&loaded, &plan, &runs)
}

/// The figure of a metric of the first policy, and its note.
fn of(report: &Report, metric: &str) -> (f64, String) {
    let metric: Metric = metric.parse().unwrap();
    let found = report.policies[0].metrics.iter().find(|m| m.metric == metric).unwrap();
    (found.estimate.value, found.note.clone().unwrap_or_default())
}

fn near(found: f64, expected: f64) {
    assert!((found / expected - 1.0).abs() < 1e-3, "{found}, not {expected}");
}

fn budget(budget: Value, duration: &str) -> Report {
    report(&json!({ "client": { "budgets": [budget] }, "plan": { "duration": duration } }))
}

/// $10 are spent by the thousandth answer, which comes 1,001 s after the start; 2,599 of 3,599 requests come later. A month has
/// thirty windows of $10, and no more than one attempt under way when each is spent.
#[test]
fn a_month_is_no_more_than_its_budgets_allow() {
    let day = || json!({ "per": "day", "money": "$10" });
    let report = budget(day(), "1h");
    let (month, note) = of(&report, "cost_per_month");
    assert!((299.999..=300.3).contains(&month), "{month}");
    assert_eq!(
        note,
        "at most: what its budget of $10 a day and the attempts under way when it is spent let through; the run counts 1/24 of \
         a window"
    );
    let (errors, note) = of(&report, "error_rate");
    near(errors, 0.722);
    let partial = "the run counts 1/24 of a window of its budget of $10 a day, which was spent after 16 min 41 s: whole windows \
                   have another figure";
    assert_eq!(note, partial);
    assert_eq!(of(&report, "cost_per_1k").1, partial);
    let first = "its budget of $10 a day was spent after 16 min 41 s, and the run ends before there is money again: 72.2 % of all \
                 requests were refused for it";
    assert_eq!(report.warnings[0], format!("one: {first}"));
    let said = report.warnings.iter().filter(|warning| warning.contains(first));
    assert_eq!(said.count(), 1, "it is said once");
    let policy = &report.policies[0];
    assert_eq!((policy.steady.settled, policy.steady.why.as_str()), (false, first));
    let bound = policy.bounds.iter().find(|b| b.what == BoundKind::Budget).unwrap();
    assert_eq!(bound.budget.as_deref(), Some("$10 a day"));
    near(bound.share.value, 2599.0 / 3600.0);
    let style = terminal::Style {
        width: 200,
        colour: false,
    };
    let text = terminal::full(&report, &style);
    for said in [
        "the client's budget of $10 a day: spent 72.2 %",
        "at most: what its budget",
        partial,
    ] {
        assert!(text.contains(said), "{said} in {text}");
    }

    // Two whole days: the figure itself, and nothing to note.
    let report = budget(day(), "48h");
    let (month, note) = of(&report, "cost_per_month");
    near(month, 300.0);
    assert_eq!((note, of(&report, "error_rate").1), (String::new(), String::new()));
    let of_budget = report.warnings.iter().any(|warning| warning.contains("budget"));
    assert!(report.policies[0].steady.settled && !of_budget, "{:?}", report.warnings);
    // A day and a half hold two windows' money: $400 if they were taken as they come.
    let (month, note) = of(&budget(day(), "36h"), "cost_per_month");
    assert!(
        (299.999..=300.3).contains(&month) && note.contains("counts 1.5 of a window"),
        "{month} {note}"
    );
    // A budget that holds everybody until tomorrow lets no more through.
    let queue = json!({ "per": "day", "money": "$10", "on_exhausted": "queue" });
    let (month, _) = of(&budget(queue, "1h"), "cost_per_month");
    assert!((299.999..=300.3).contains(&month), "{month}");
    // 1,500 tokens a request: 1.5 million tokens a day are a thousand requests.
    let tokens = json!({ "per": "day", "tokens": "1.5M" });
    let (month, _) = of(&budget(tokens, "1h"), "cost_per_month");
    assert!((299.999..=300.3).contains(&month), "{month}");
}

/// Ten minutes spend $6 of the $10. At this rate the day's are spent in 17.
#[test]
fn a_budget_that_a_whole_window_would_reach_is_a_bound_too() {
    let short = budget(json!({ "per": "day", "money": "$10" }), "10m");
    let (month, note) = of(&short, "cost_per_month");
    assert!(
        (299.999..=300.3).contains(&month) && note.starts_with("at most"),
        "{month} {note}"
    );
    assert_eq!(
        short.warnings[0],
        "one: the run counts 1/144 of a window of its budget of $10 a day: whole windows have another figure"
    );
    // $864 a day of $2,000 are no matter.
    let (month, note) = of(
        &budget(json!({ "per": "day", "money": "$2000" }), "1h"),
        "cost_per_month",
    );
    near(month, 25_920.0);
    assert_eq!(note, "");
    // What happens when another provider takes over has not been seen.
    let cheapest = json!({ "per": "day", "money": "$10", "on_exhausted": "cheapest" });
    let other = json!({ "response": { "constant": "1s" }, "prices": { "per_token": { "input": "$1/Mtok", "output": "$1/Mtok" } } });
    let dear = json!({ "response": { "constant": "1s" }, "prices": { "per_token": { "input": "$10/Mtok", "output": "$0/Mtok" } } });
    let shifted = report(&json!({
        "providers": { "p": dear, "q": other },
        "client": { "budgets": [cheapest] },
        "plan": { "duration": "10m" },
    }));
    let (month, note) = of(&shifted, "cost_per_month");
    assert!(
        month.is_nan() && note.contains("1/144 of a window of its budget of $10 a day"),
        "{month} {note}"
    );
}

/// One request a second is 86,400 a day.
#[test]
fn a_quota_by_the_day_that_may_bind_says_nothing_of_a_month() {
    let with = |limit: &str, duration: &str| {
        let quota = json!({ "fixed_window": { "unit": "requests", "limit": limit, "window": "1d" } });
        of(
            &report(&json!({ "providers": { "p": { "limits": [quota] } }, "plan": { "duration": duration } })),
            "cost_per_month",
        )
    };
    let (month, note) = with("50k", "1h");
    assert!(month.is_nan());
    assert_eq!(
        note,
        "the run counts 1/24 of a window of the quota of 50,000 requests a day of p: whole windows have another figure"
    );
    near(with("200k", "1h").0, 25_920.0);
    // Fifty thousand cents a day.
    let (month, note) = with("50k", "1d");
    near(month, 15_000.0);
    assert_eq!(note, "");
}

#[test]
fn what_comes_once_is_not_multiplied() {
    let with = |fault: Value, duration: &str| {
        let report = report(&json!({ "providers": { "p": { "faults": [fault] } }, "plan": { "duration": duration } }));
        of(&report, "cost_per_month")
    };
    let outage = |from: &str| json!({ "outage": { "from": from, "for": "15m" } });
    let (month, note) = with(outage("30m"), "1h");
    assert!(month.is_nan());
    assert_eq!(
        note,
        "there is an outage of p in the 60 min that are counted, and a month of these would have 720"
    );
    near(with(outage("61m"), "1h").0, 25_920.0);
    let slow = json!({ "slow_down": { "from": "1m", "for": "1m", "ttft": 2 } });
    assert!(with(slow, "1h").1.starts_with("there is a slow-down of p"));
    // A month with one outage of 15 minutes is a month with one outage of 15 minutes.
    let (month, note) = with(outage("30m"), "30d");
    near(month, 25_920.0 - 9.0);
    assert_eq!(note, "");
}

/// A trace of ten minutes with a request a second, of which the first half is twice as long.
fn replayed(more: &Value, plan: &Value) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let mut trace = "time,input,output\n".to_owned();
    for second in 0..600 {
        trace += &format!("{second},{},100\n", if second < 300 { 2000 } else { 1000 });
    }
    std::fs::write(folder.path().join("minutes.csv"), trace).unwrap();
    let mut replay =
        json!({ "trace": "minutes.csv", "columns": { "time": "time", "input": "input", "output": "output" } });
    merge(&mut replay, more);
    let mut all = experiment(&json!({
        "traffic": { "arrivals": { "replay": replay } },
        "providers": { "p": { "prices": { "per_token": { "input": "$1/Mtok", "output": "$1/Mtok" } } } },
        "plan": plan,
    }));
    all["traffic"]["classes"] = json!({ "a": {} });
    if plan["duration"].is_null() {
        all["plan"].as_object_mut().unwrap().remove("duration");
    }
    let file = folder.path().join("month.json");
    std::fs::write(&file, all.to_string()).unwrap();
    let loaded = load_priced(&file, &Traces::default(), None).unwrap_or_else(|e| panic!("{e}"));
    let plan = assemble(&loaded).unwrap_or_else(|e| panic!("{e}"));
    let runs = replicate(
        &plan.scenarios,
        plan.seed,
        plan.replications,
        &Arc::new(Control::default()),
    );
    decide::report(&loaded, &plan, &runs)
}

/// The seconds of the first half cost 2,100 tokens each, and a month has 2,592,000 of them.
#[test]
fn minutes_of_a_trace_stand_for_a_month_and_it_is_said() {
    let report = replayed(&json!({}), &json!({ "duration": "5m" }));
    let (month, note) = of(&report, "cost_per_month");
    near(month, 2_592_000.0 * 2100e-6);
    assert_eq!(
        note,
        "every hour of the month is taken to be like the 5 min of the trace that are counted, and that replications agree, which all \
         replay these, says nothing of how hours differ"
    );
    let style = terminal::Style {
        width: 80,
        colour: false,
    };
    let screen = terminal::screen(&report, &style);
    assert!(screen.contains("$5,443") && !screen.contains("$5,443 ±"), "{screen}");
    assert!(screen.contains("¹ no interval: every hour of the month"), "{screen}");
    let markdown = simcap::report::markdown::render(&report);
    assert!(
        markdown.contains("$5,443¹ |") && markdown.contains("\n¹ every hour of the month"),
        "{markdown}"
    );
    // Put together anew, replications differ, by what the trace's own minutes do.
    let report = replayed(
        &json!({ "resample": "1m" }),
        &json!({ "duration": "5m", "replications": 4 }),
    );
    let (_, note) = of(&report, "cost_per_month");
    assert_eq!(
        note,
        "every hour of the month is taken to be like the 10 min of the trace; the ± says nothing of how hours differ"
    );
    assert!(terminal::screen(&report, &style).contains(" ±"));
}

/// Without a duration a trace that is put together anew is counted for as long as it is: 600 s, and the mean gap at its end.
#[test]
fn a_resampled_trace_is_counted_for_its_own_length() {
    let report = replayed(&json!({ "resample": "1m" }), &json!({ "duration": null }));
    near(report.counted, 600.0);
    let report = replayed(&json!({ "resample": "1m", "speed": 2 }), &json!({ "duration": null }));
    near(report.counted, 300.0);
}

/// 5 % more every month: the mean of six is (1.05⁶ − 1)/(6 · ln 1.05) of the rate at the beginning, in months of exponential growth.
#[test]
fn growing_months_are_told_as_their_mean() {
    let growing = |duration: &str| {
        let profile = json!({ "preset": "steady", "mean": "1/min", "growth": "5%/month", "over": { "regular": { "rate": "1/min" } } });
        let report = report(&json!({
            "traffic": { "arrivals": { "profile": profile } }, "plan": { "duration": duration, "replications": 2 }
        }));
        of(&report, "cost_per_month")
    };
    let (month, note) = growing("180d");
    let rate = 1.05_f64;
    let mean = 432.0 * (rate.powi(6) - 1.0) / (6.0 * libm::log(rate));
    assert!((month - mean).abs() < 0.5, "{month} {mean}");
    assert_eq!(
        note,
        "the mean of the 6 months that are counted, in which the traffic grows: about $443 in the first, $565 in the last"
    );
    for duration in ["84d", "7d"] {
        let (month, note) = growing(duration);
        assert!(month.is_nan());
        let days = duration.trim_end_matches('d');
        let said = format!(
            "with the growth of the traffic no month is like another, and the run counts {days} days: count whole ones"
        );
        assert!(note.starts_with(&said), "{note}");
    }
}

#[test]
fn a_time_of_day_needs_a_whole_one() {
    let with = |duration: &str| {
        let fault = json!({ "time_of_day": { "ttft": { "wave": { "peak": 2, "trough": 1, "at": "15h" } } } });
        let report = report(&json!({ "providers": { "p": { "faults": [fault] } }, "plan": { "duration": duration } }));
        of(&report, "cost_per_month")
    };
    let (month, note) = with("1h");
    assert!(month.is_nan());
    assert_eq!(
        note,
        "the time of day of p repeats every day, and the run counts 1/24 of that: count whole ones"
    );
    near(with("1d").0, 25_920.0);
}

/// 1,000 tokens in and 500 out at $1.2 and $2 a million are $2.20 for 1,000 requests, and half of that from 16:30 to 00:30.
fn by_the_hour(plan: &Value, days: &Value) -> Report {
    let mut when = json!({ "hours": "16:30-00:30" });
    if !days.is_null() {
        when["days"] = days.clone();
    }
    report(&json!({
        "traffic": { "arrivals": { "regular": { "rate": "10/min" } } },
        "providers": { "p": { "prices": {
            "per_token": {
                "input": "$1.2/Mtok", "output": "$2/Mtok",
                "off_peak": { "when": [when], "input": "$0.6/Mtok", "output": "$1/Mtok" },
            },
        } } },
        "plan": plan,
    }))
}

#[test]
fn prices_by_the_hour() {
    // Sixteen hours and eight.
    let day = by_the_hour(&json!({ "duration": "24h" }), &Value::Null);
    near(of(&day, "cost_per_1k").0, (16.0 * 2.2 + 8.0 * 1.1) / 24.0);
    near(of(&day, "cost_per_month").0, 432.0 * (16.0 * 2.2 + 8.0 * 1.1) / 24.0);
    // Half an hour of each.
    let hour = by_the_hour(&json!({ "duration": "1h", "starts": "wednesday 16:00" }), &Value::Null);
    near(of(&hour, "cost_per_1k").0, 1.65);
    let (month, note) = of(&hour, "cost_per_month");
    assert!(
        month.is_nan() && note.starts_with("the price by the hour of p repeats every day"),
        "{note}"
    );
    // Cheaper on two days of seven, whichever day the run begins on: eight hours of each.
    let weekend = json!(["sat", "sun"]);
    for starts in ["monday", "thursday 13:00"] {
        let week = by_the_hour(&json!({ "duration": "7d", "starts": starts }), &weekend);
        let mean = (16.0 * 1.1 + 152.0 * 2.2) / 168.0;
        near(of(&week, "cost_per_1k").0, mean);
        near(of(&week, "cost_per_month").0, 432.0 * mean);
    }
    let day = by_the_hour(&json!({ "duration": "24h", "starts": "saturday" }), &weekend);
    assert!(
        of(&day, "cost_per_month")
            .1
            .contains("repeats every week, and the run counts 1/7 of that")
    );
}

/// The report of 10,000 tokens in, 8,000 of them cached, and 500 out, once a minute, at the listed price of `model`.
fn listed(model: &str, prices: &Value) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, value: &Value| {
        let path = folder.path().join(name);
        std::fs::write(&path, value.to_string()).unwrap();
        path
    };
    let mut case = experiment(&json!({
        "traffic": {
            "arrivals": { "regular": { "rate": "1/min" } },
            "classes": { "a": { "input": { "constant": 10_000 } } },
        },
        "providers": { "p": {
            "prompt_cache": { "random": { "hit": 1, "share": "80%", "granularity": 1, "min_tokens": 1 } },
        } },
        "plan": { "duration": "24h" },
    }));
    case["providers"]["p"]["prices"] = json!({ "listed": { "model": model } });
    let file = write("case.json", &case);
    let loaded = load_priced(&file, &Traces::default(), Some(&write("prices.json", prices))).unwrap();
    let plan = assemble(&loaded).unwrap_or_else(|e| panic!("{e}"));
    let runs = replicate(&plan.scenarios, 1, 2, &Arc::new(Control::default()));
    decide::report(&loaded, &plan, &runs)
}

/// 2,000 × $0.9/M + 8,000 × $0.45/M + 500 × $0.9/M is $5.85 for 1,000 requests at Fireworks AI, and with cached input at the price of
/// input $9.45. What is not read of a price is told.
#[test]
fn prices_by_a_provider_s_rule_and_what_is_not_read() {
    let entry = |provider: &str| json!({ "litellm_provider": provider, "input_cost_per_token": 9e-07, "output_cost_per_token": 9e-07 });
    let mut tiered = entry("dashscope");
    tiered["tiered_pricing"] = json!([{ "range": [0, 32_000], "input_cost_per_token": 1e-07 }]);
    let prices = json!({ "fireworks_ai/m": entry("fireworks_ai"), "other/m": entry("deepinfra"), "tiered/m": tiered });
    near(of(&listed("fireworks_ai/m", &prices), "cost_per_1k").0, 5.85);
    let other = listed("other/m", &prices);
    near(of(&other, "cost_per_1k").0, 9.45);
    assert!(other.warnings.is_empty(), "{:?}", other.warnings);
    assert_eq!(
        listed("tiered/m", &prices).warnings,
        ["the listed price of `tiered/m` has `tiered_pricing`, which is not read: its bills are those without it"]
    );
}

/// Two classes at two providers, one of which has a unit of capacity reserved at $1 an hour besides; each request is
/// copied to a third, and every row is in the bill.
#[test]
fn a_bill_by_class_and_by_provider_adds_up() {
    let report = report(&json!({
        "traffic": { "arrivals": { "poisson": { "rate": "3/s" } }, "classes": {
            "a": { "share": 2, "input": { "exponential": { "mean": 1000 } } },
            "b": { "share": 1, "input": { "constant": 500 }, "output": { "constant": 100 } },
        } },
        "providers": {
            "p": { "prices": { "per_request": { "price": "$0.01" } } },
            "q": { "response": { "constant": "2s" }, "prices": { "reserved": { "price": "$1/h", "units": 3 } } },
            "r": { "response": { "constant": "2s" }, "prices": { "per_token": { "input": "$3/Mtok", "output": "$15/Mtok" } } },
            "idle": { "response": { "constant": "2s" }, "prices": { "per_request": { "price": "$1" } } },
        },
        "policies": [{ "name": "one", "policy": {
            "shadow": { "policy": { "weighted": { "weights": { "p": 1, "q": 1 } } }, "to": "r", "share": "25%" },
        } }],
        "plan": { "replications": 3, "metrics": ["cost_per_month{class=a}", "cost_per_month{provider=q}"] },
    }));
    let month = of(&report, "cost_per_month").0;
    let bill = &report.policies[0].bill;
    for rows in [&bill.by_class, &bill.by_provider] {
        near(rows.iter().map(|row| row.cost_per_month.value).sum(), month);
        near(rows.iter().map(|row| row.share.value).sum(), 1.0);
    }
    let titles = |rows: &[simcap::report::BillRow]| rows.iter().map(|row| row.title().to_owned()).collect::<Vec<_>>();
    assert_eq!(
        titles(&bill.by_class),
        ["a", "b", "reserved capacity", "mirrored copies"]
    );
    assert_eq!(titles(&bill.by_provider), ["p", "q", "r"]);
    near(
        bill.by_class[0].cost_per_month.value,
        of(&report, "cost_per_month{class=a}").0,
    );
    near(
        bill.by_provider[1].cost_per_month.value,
        of(&report, "cost_per_month{provider=q}").0,
    );
    // Three units at $1 an hour.
    near(bill.by_provider[1].cost_per_month.value, 2160.0);
    assert_eq!(bill.by_class[2].what, Billed::Reserved);
    near(bill.by_class[2].cost_per_month.value, 2160.0);
    let style = terminal::Style {
        width: 200,
        colour: false,
    };
    let text = terminal::full(&report, &style);
    assert!(
        text.contains("Bill by class and by provider") && text.contains("reserved capacity"),
        "{text}"
    );
    let tables = csv::tables(&report);
    let (_, bill) = tables.iter().find(|(name, _)| *name == "bill.csv").unwrap();
    assert!(
        bill.contains("one,class,mirrored copies,cost_per_month,dollars,"),
        "{bill}"
    );
}

/// Half of each answer's cost is capped by a budget, the other half is reserved: $30 a day of the one, $72 a day of the other.
#[test]
fn a_bound_takes_nothing_off_reserved_capacity() {
    let report = report(&json!({
        "providers": {
            "q": { "response": { "constant": "1s" }, "prices": { "reserved": { "price": "$3/h", "committed": true } } },
        },
        "client": { "budgets": [{ "per": "day", "money": "$30" }] },
    }));
    let month = of(&report, "cost_per_month").0;
    assert!((30.0 * 102.0..=30.0 * 102.02).contains(&month), "{month}");
    let bill = &report.policies[0].bill.by_provider;
    near(bill[0].cost_per_month.value, 900.0);
    near(bill[1].cost_per_month.value, 2160.0);
}
