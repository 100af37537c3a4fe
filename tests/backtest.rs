//! `simcap validate EXPERIMENT LOG`: an experiment against a log that other code made, by laws that are known.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::command::{simcap, text};

/// Numbers between 0 and 1 that are not simcap's: the middle-square Weyl sequence (Widynski 2017).
struct Draws(u64, u64);

impl Draws {
    fn next(&mut self) -> f64 {
        self.1 = self.1.wrapping_add(0xb5ad_4ece_da1c_e2a9);
        self.0 = self.0.wrapping_mul(self.0).wrapping_add(self.1).rotate_left(32);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A spend log of 3,000 requests, two a second: seven in ten to `quick`, which answers its first token after 200 to 400 ms, the others
/// to `slow`, after 800 to 1,200 ms; 100 tokens at 50 a second follow. One in fifty of both fails. $1 and $3 for a million
/// tokens. And the experiment of it, with weights in percent of `quick`.
fn folder(weight: u32) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut draws = Draws(3, 11);
    let mut at = 0.0;
    let stamp = |seconds: f64| {
        let whole = seconds as u64;
        format!(
            "2026-10-05T{:02}:{:02}:{:09.6}Z",
            8 + whole / 3600,
            whole / 60 % 60,
            (whole % 60) as f64 + seconds.fract()
        )
    };
    let mut lines = String::new();
    for number in 0..3000 {
        at += -0.5 * libm::log(1.0 - draws.next());
        let quick = draws.next() < 0.7;
        let ttft = if quick {
            0.2 + 0.2 * draws.next()
        } else {
            0.8 + 0.4 * draws.next()
        };
        let mut row = json!({
            "request_id": format!("r{number}"), "model": if quick { "acme/quick" } else { "slow" }, "startTime": stamp(at)
        });
        let more = if draws.next() < 0.02 {
            let metadata = r#"{"error_information": {"error_code": "500", "error_class": "InternalServerError"}}"#;
            json!({ "status": "failure", "endTime": stamp(at + 0.1), "metadata": metadata })
        } else {
            json!({
                "status": "success", "completionStartTime": stamp(at + ttft), "endTime": stamp(at + ttft + 99.0 / 50.0),
                "prompt_tokens": 900, "completion_tokens": 100
            })
        };
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        lines += &format!("{row}\n");
    }
    std::fs::write(folder.path().join("spend.jsonl"), lines).unwrap();
    let provider = |price: &str| {
        json!({ "ttft": { "constant": "1s" }, "tps": { "constant": 10 },
                "prices": { "per_token": { "input": price, "output": price } } })
    };
    let experiment = json!({
        "name": "gateway",
        "traffic": { "arrivals": { "poisson": { "rate": "1/h" } },
                     "classes": { "all": { "input": { "constant": 1 }, "output": { "constant": 1 } } } },
        "providers": { "quick": provider("$1/Mtok"), "other": provider("$3/Mtok") },
        "policies": [ { "name": "by weight", "policy": { "weighted": { "weights": { "quick": weight, "other": 100 - weight } } } } ],
        "plan": { "duration": "10s", "replications": 2 }
    });
    std::fs::write(folder.path().join("gateway.json"), experiment.to_string()).unwrap();
    folder
}

fn validated(folder: &TempDir, more: &[&str]) -> (Option<i32>, String, Value) {
    let given = [
        "validate",
        "gateway.json",
        "spend.jsonl",
        "--provider",
        "other=slow",
        "--out",
        "out",
    ];
    let output = simcap(folder.path(), &[&given[..], more].concat());
    let json = std::fs::read(folder.path().join("out/backtest.json")).ok();
    let json = json.map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap());
    (output.status.code(), text(&output.stdout) + &text(&output.stderr), json)
}

fn verdict_of<'a>(found: &'a Value, list: &str, name: &str) -> &'a str {
    let mut all = found[list].as_array().unwrap().iter();
    all.find(|one| one["name"] == name).unwrap()["verdict"]
        .as_str()
        .unwrap()
}

#[test]
fn the_gateway_that_made_the_log_is_not_refuted() {
    let folder = folder(70);
    // 1,000 tokens each, by the laws: 0.98 × 3,000 × (0.7 × $0.001 + 0.3 × $0.003) = $4.70.
    let (code, printed, found) = validated(&folder, &["--invoice", "$4.70"]);
    assert_eq!(code, Some(0), "{printed}");
    assert_eq!((&found["fitted"], &found["compared"]), (&json!(1800), &json!(1200)));
    // 1,200 requests do not tell a share of 70 % to three points for certain.
    assert_ne!(verdict_of(&found, "answers", "acme/quick"), "not_equivalent");
    assert_ne!(verdict_of(&found, "outcomes", "success"), "not_equivalent");
    assert_eq!(found["bill"]["verdict"], "equivalent", "{}", found["bill"]);
    let e2e = &found["times"]
        .as_array()
        .unwrap()
        .iter()
        .find(|t| t["name"] == "e2e")
        .unwrap()["score"]["quantiles"];
    for (quantile, by_hand) in [(0, 0.2 + 0.2 * 0.5 / 0.7 + 1.98), (1, 0.8 + 0.4 * 0.25 / 0.3 + 1.98)] {
        let predicted = e2e[quantile]["predicted"].as_f64().unwrap();
        assert!((predicted / by_hand - 1.0).abs() < 0.03, "{predicted} for {by_hand}");
        assert_eq!(e2e[quantile]["verdict"], "equivalent");
    }
    assert!(printed.starts_with("gateway, policy by weight: of "), "{printed}");
    assert!(printed.contains("predicted from the 1,800 before them"), "{printed}");
    assert!(folder.path().join("out/backtest.html").is_file());
}

#[test]
fn a_gateway_that_shares_out_otherwise_differs() {
    let (code, printed, found) = validated(&folder(40), &[]);
    assert_eq!(code, Some(1), "{printed}");
    assert_eq!(verdict_of(&found, "answers", "acme/quick"), "not_equivalent");
    assert_eq!(found["verdict"], "not_equivalent");
    assert!(printed.contains("answered by acme/quick"), "{printed}");
}

#[test]
fn an_invoice_of_ten_times_as_much_differs() {
    let (code, printed, found) = validated(&folder(70), &["--invoice", "47"]);
    assert_eq!(
        (code, &found["bill"]["verdict"]),
        (Some(1), &json!("not_equivalent")),
        "{printed}"
    );
}

/// Money adds up over all requests: 10 % too much is told, though a percentile may be off by as much.
#[test]
fn an_invoice_of_a_tenth_too_much_differs() {
    let (code, printed, found) = validated(&folder(70), &["--invoice", "$5.17"]);
    assert_eq!(
        (code, &found["bill"]["verdict"]),
        (Some(1), &json!("not_equivalent")),
        "{printed}"
    );
    assert!(printed.contains("The bill differs from the invoice."), "{printed}");
}

/// A provider that is called as one target is, and whose model as another, is the first: its requests are not counted twice.
#[test]
fn a_providers_own_name_comes_before_its_models() {
    let folder = folder(70);
    let path = |name: &str| folder.path().join(name);
    let log = std::fs::read_to_string(path("spend.jsonl")).unwrap();
    let log = log
        .replace("acme/quick", "gpt-4.1")
        .replace("\"slow\"", "\"gpt-4.1-mini\"");
    std::fs::write(path("spend.jsonl"), log).unwrap();
    let text = std::fs::read_to_string(path("gateway.json")).unwrap();
    let text = text
        .replace("\"quick\"", "\"gpt-4.1\"")
        .replace("\"other\"", "\"gpt-4.1-mini\"");
    let mut experiment: Value = serde_json::from_str(&text).unwrap();
    for (_, provider) in experiment["providers"].as_object_mut().unwrap() {
        *provider = json!({ "model": "gpt-4.1", "prices": provider["prices"] });
    }
    std::fs::write(path("gateway.json"), experiment.to_string()).unwrap();
    let output = simcap(
        folder.path(),
        &[
            "validate",
            "gateway.json",
            "spend.jsonl",
            "--out",
            "out",
            "--format",
            "csv",
        ],
    );
    let found = std::fs::read(path("out/backtest.json")).unwrap_or_else(|_| panic!("{output:?}"));
    let found: Value = serde_json::from_slice(&found).unwrap();
    // The rows are those figures, and nothing else is printed beside them.
    let rows = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(
        rows.starts_with("figure,unit,measured,predicted,lo,hi,verdict\n"),
        "{rows}"
    );
    let answer = &found["answers"][0];
    let row = format!(
        "\nanswered by {},share,{},{},",
        answer["name"].as_str().unwrap(),
        answer["measured"],
        answer["predicted"]
    );
    assert!(rows.contains(&row) && !rows.contains("report: "), "{row}: {rows}");
    for target in found["targets"].as_array().unwrap() {
        assert_eq!(target["providers"], json!([target["name"]]), "{found}");
    }
    assert_ne!(verdict_of(&found, "answers", "gpt-4.1"), "not_equivalent", "{found}");
}

/// In the part that is predicted every answer begins five seconds later: no model that is fitted to the other can say so.
#[test]
fn a_log_that_is_not_level_is_said_to_be() {
    let folder = folder(70);
    let path = folder.path().join("spend.jsonl");
    let log = std::fs::read_to_string(&path).unwrap();
    let slower = |(number, line): (usize, &str)| {
        let mut row: Value = serde_json::from_str(line).unwrap();
        if number >= 1800 {
            // Both times are five seconds later.
            for end in ["completionStartTime", "endTime"] {
                if let Some(at) = row[end].as_str() {
                    let seconds: f64 = at[17..26].parse().unwrap();
                    let minute: u32 = at[14..16].parse().unwrap();
                    let late = seconds + 5.0;
                    let (minute, late) = if late < 60.0 {
                        (minute, late)
                    } else {
                        (minute + 1, late - 60.0)
                    };
                    if minute < 60 {
                        row[end] = format!("{}{minute:02}:{late:09.6}Z", &at[..14]).into();
                    }
                }
            }
        }
        format!("{row}\n")
    };
    let log: String = log.lines().enumerate().map(slower).collect();
    std::fs::write(&path, log).unwrap();
    let (code, printed, _) = validated(&folder, &[]);
    assert_eq!(code, Some(1), "{printed}");
    assert!(
        printed.contains("the log is not level: its own TTFT p50 is"),
        "{printed}"
    );
}

#[test]
fn the_experiments_own_models_are_judged_where_nothing_is_fitted() {
    // They take a second and 10 tokens a second, which is wrong.
    let (code, printed, found) = validated(&folder(70), &["--fit-on", "0"]);
    assert_eq!(code, Some(1), "{printed}");
    assert_eq!((&found["fitted"], &found["compared"]), (&json!(0), &json!(3000)));
    assert!(printed.contains("by the experiment's own models"), "{printed}");
}

#[test]
fn what_cannot_be_held_against_it_is_bad_input() {
    let folder = folder(70);
    let says = |given: &[&str], why: &str| {
        let output = simcap(
            folder.path(),
            &[&["validate", "gateway.json", "spend.jsonl"], given].concat(),
        );
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(why), "{said}");
    };
    says(
        &["--provider", "othr=slow"],
        "\"othr\" is not a provider of the experiment, did you mean \"other\"?",
    );
    says(
        &["--provider", "other=slo"],
        "\"slo\" is not a target of the log, did you mean \"slow\"?",
    );
    says(
        &["--policy", "none"],
        "the experiment has no policy `none`; it has by weight",
    );
    says(&["--fit-on", "100%"], "is not a share from 0 to below 1");
    says(&["--invoice", "much"], "is not an amount above 0");
    says(
        &["--variant", "day"],
        "--variant: of a model, and gateway.json is an experiment",
    );
}

#[test]
fn the_same_bytes_come_on_any_number_of_threads() {
    let folder = folder(70);
    let bytes = |threads: &str| {
        let given = ["validate", "gateway.json", "spend.jsonl", "--out", threads];
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_simcap"));
        let output = command
            .args(given)
            .current_dir(folder.path())
            .env("RAYON_NUM_THREADS", threads)
            .output();
        assert!(output.unwrap().status.code().is_some_and(|code| code < 2));
        std::fs::read(folder.path().join(threads).join("backtest.json")).unwrap()
    };
    assert_eq!(bytes("1"), bytes("3"));
}

#[test]
fn requests_are_of_the_class_that_asks_for_their_model() {
    let folder = folder(70);
    let path = folder.path().join("gateway.json");
    let mut experiment: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let class = |asks: &str, share: f64| json!({ "asks": asks, "share": share, "input": { "constant": 1 }, "output": { "constant": 1 } });
    // Shares that are not those of the log.
    experiment["traffic"]["classes"] = json!({ "short": class("acme/quick", 1.0), "long": class("slow", 9.0) });
    experiment["policies"] = json!([ { "name": "by class", "policy": { "tiered": {
        "tiers": [ { "name": "a", "providers": ["quick"], "classes": ["short"] },
                   { "name": "b", "providers": ["other"], "classes": ["long"] } ],
        "otherwise": "fail"
    } } } ]);
    std::fs::write(&path, experiment.to_string()).unwrap();
    let (code, printed, found) = validated(&folder, &[]);
    assert_eq!(code, Some(0), "{printed}");
    // Each goes where it went in the log, but for those that fail.
    let answer = &found["answers"][0];
    let [measured, predicted] = ["measured", "predicted"].map(|key| answer[key].as_f64().unwrap());
    assert!((measured - predicted).abs() < 0.005, "{answer}");
    assert!(!printed.contains("dealt out"), "{printed}");
}

/// A tool that writes an output of 0 where a request failed asks for as much as one that writes nothing there.
#[test]
fn a_failures_output_of_nothing_is_not_what_was_asked() {
    let folder = tempfile::tempdir().unwrap();
    let experiment = json!({
        "name": "gateway",
        "traffic": { "arrivals": { "poisson": { "rate": "1/h" } },
                     "classes": { "all": { "input": { "constant": 1 }, "output": { "constant": 1 } } } },
        "providers": { "m": { "ttft": { "constant": "1s" }, "tps": { "constant": 10 },
                              "prices": { "per_token": { "input": "$1/Mtok", "output": "$10/Mtok" } } } },
        "policies": [ { "name": "all", "policy": { "single": { "provider": "m" } } } ],
        "plan": { "duration": "10s", "replications": 2 }
    });
    std::fs::write(folder.path().join("gateway.json"), experiment.to_string()).unwrap();
    let found = ["0", "60", ""].map(|output| {
        let mut draws = Draws(3, 11);
        let mut log = "at,first,all,model,in,out,code\n".to_owned();
        for number in 0..2000 {
            let at = 1_700_000_000.0 + f64::from(number) * 0.5;
            if draws.next() < 0.15 {
                log += &format!("{at},,0.1,m,500,{output},500\n");
            } else {
                let first = 0.4 + 0.2 * draws.next();
                log += &format!("{at},{first:.4},{:.4},m,500,100,200\n", first + 99.0 / 50.0);
            }
        }
        std::fs::write(folder.path().join("log.csv"), log).unwrap();
        let map = "--map=at=at:s,ttft=first:s,e2e=all:s,input=in,output=out,status=code,target=model";
        let given = ["validate", "gateway.json", "log.csv", map, "--out", "out"];
        let printed = simcap(folder.path(), &given);
        let json = std::fs::read(folder.path().join("out/backtest.json"));
        let json = json.unwrap_or_else(|_| panic!("{}", text(&printed.stderr)));
        serde_json::from_slice::<Value>(&json).unwrap()["bill"].clone()
    });
    // Every answer is of 100 tokens for $0.001, and 500 go in for $0.0005; about 15 % fail.
    let whole = found[0]["whole"].as_f64().unwrap();
    assert!((2.3..2.8).contains(&whole), "{found:?}");
    assert!(found[0] == found[2] && found[1] == found[2], "{found:?}");
}
