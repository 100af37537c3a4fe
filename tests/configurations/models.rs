//! What a provider's model is worth: its prices and its latency, where it is changed, measured, or named by its callers alone.

use std::path::Path;

use serde_json::{Value, json};

use crate::common::command::{simcap, text};

fn put(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

/// What `simcap` prints, which must end with one of `codes`.
fn said(folder: &Path, arguments: &[&str], codes: &[i32]) -> String {
    let out = simcap(folder, arguments);
    let both = text(&out.stdout) + &text(&out.stderr);
    assert!(codes.contains(&out.status.code().unwrap()), "{both}");
    both
}

fn litellm(model: &str) -> String {
    format!("model_list:\n- {{model_name: chat, litellm_params: {{model: {model}, api_key: os.environ/A}}}}\n")
}

fn assumed(folder: &Path, of: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join(of).join("assumptions.json")).unwrap()).unwrap()
}

/// The monthly cost before and after, of a difference as JSON.
fn costs(folder: &Path, old: &str, new: &str, with: &str) -> (f64, f64) {
    let found = said(
        folder,
        &[
            "diff",
            old,
            new,
            "--with",
            with,
            "--replications",
            "2",
            "--format",
            "json",
        ],
        &[0],
    );
    let start = found.find('{').unwrap();
    let found: Value = serde_json::Deserializer::from_str(&found[start..])
        .into_iter()
        .next()
        .unwrap()
        .unwrap();
    let rows = found["simulated"]["figures"]
        .as_array()
        .unwrap_or_else(|| panic!("{found:#}"));
    let cost = rows.iter().find(|row| row["metric"] == "cost_per_month").unwrap();
    let value = |side: &str| cost[side]["value"].as_f64().unwrap();
    (value("old"), value("new"))
}

/// gpt-5 is listed at $1.25 and $10 a million tokens, gpt-4.1-mini at $0.40 and $1.60: what `import` wrote of the one is not of the other.
#[test]
fn a_model_that_is_swapped_has_its_own_prices() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    put(folder, "old.yaml", &litellm("openai/gpt-4.1-mini"));
    put(folder, "new.yaml", &litellm("openai/gpt-5"));
    said(folder, &["import", "old.yaml", "--out", "old"], &[0]);
    let with = "old/assumptions.json";
    assert_eq!(assumed(folder, "old")["providers"]["chat"]["of"], "gpt-4.1-mini");
    let (old, new) = costs(folder, "old.yaml", "new.yaml", with);
    // The median prompt has 800 tokens and the median answer 200; of the means, which decide, answers are 256 for 1,102.
    let of = |input: f64, output: f64| 1102.0 * input + 256.0 * output;
    let factor = of(1.25, 10.0) / of(0.40, 1.60);
    assert!((new / old / factor - 1.0).abs() < 0.03, "{old} {new} {factor}");
    // What the file says of the model itself is taken for whatever provider has it.
    let mut file = assumed(folder, "old");
    file["providers"]["gpt-5"] = json!({ "prices": { "per_token": { "input": "$4/Mtok", "output": "$16/Mtok" } } });
    put(folder, "with.json", &file.to_string());
    let (old, new) = costs(folder, "old.yaml", "new.yaml", "with.json");
    assert!((new / old - 10.0).abs() < 1e-6, "{old} {new}");
    // So is what is run.
    let run = |file: &str| {
        said(
            folder,
            &["run", file, "--with", with, "--replications", "2", "-q"],
            &[0],
        )
    };
    assert_ne!(run("old.yaml"), run("new.yaml"));
}

/// A log tells how quick a model is, and not what it costs.
#[test]
fn a_log_takes_no_price_away_and_an_invented_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let row = |n: usize, model: &str| {
        json!({
            "request_id": n.to_string(), "model": model, "status": "success", "cache_hit": "False", "metadata": {},
            "startTime": format!("2026-01-05T00:00:{n:02}.000Z"), "completionStartTime": format!("2026-01-05T00:00:{n:02}.400Z"),
            "endTime": format!("2026-01-05T00:00:{n:02}.900Z"), "prompt_tokens": 500, "completion_tokens": 30,
        })
    };
    let each = |input: &str, output: &str| json!({ "per_token": { "input": input, "output": output } });
    for (name, model, price) in [
        (
            "known",
            "bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            json!({ "listed": { "model": "claude-sonnet-4-5" } }),
        ),
        ("own", "hosted_vllm/ours-7b", each("$0/Mtok", "$0/Mtok")),
        ("odd", "together_ai/ours-7b", each("$1/Mtok", "$4/Mtok")),
    ] {
        put(folder, "c.yaml", &litellm(model));
        let rows: Vec<Value> = (0..40).map(|n| row(n, model.rsplit('/').next().unwrap())).collect();
        put(folder, "log.json", &json!(rows).to_string());
        said(
            folder,
            &["import", "c.yaml", "--usage", "log.json", "--out", name],
            &[0],
        );
        let file = assumed(folder, name);
        assert_eq!(file["providers"]["chat"]["prices"], price, "{file:#}");
        let why = file["because"]["providers.chat"].as_str().unwrap();
        let experiment = format!("{name}/experiment.json");
        let screen = said(
            folder,
            &["run", &experiment, "--replications", "2", "--out", "out"],
            &[0],
        );
        assert_eq!(why.contains("prices assumed"), name == "odd", "{why}");
        assert_eq!(screen.contains("no price of chat is known"), name == "odd", "{screen}");
        // Once one is given in the experiment itself, nothing is said of it any more.
        let given = each("$2/Mtok", "$4/Mtok");
        let set = format!("providers[chat].prices={given}");
        let run = [
            "run",
            &experiment,
            "--replications",
            "2",
            "--out",
            "given",
            "--set",
            &set,
        ];
        assert!(!said(folder, &run, &[0]).contains("no price of chat"), "{name}");
    }
}

/// Two deployments of one model, of which one is ten times as slow: a log that names them tells them apart.
#[test]
fn deployments_that_a_log_names_have_their_own_times() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let deployment = |id: &str| {
        format!("- {{model_name: chat, litellm_params: {{model: azure/gpt-4.1}}, model_info: {{id: {id}}}}}\n")
    };
    put(
        folder,
        "c.yaml",
        &format!("model_list:\n{}{}", deployment("eu"), deployment("us")),
    );
    let row = |n: usize| {
        let (id, ms) = if n.is_multiple_of(2) { ("eu", 80) } else { ("us", 800) };
        json!({
            "request_id": n.to_string(), "model": "gpt-4.1", "model_id": id, "status": "success", "cache_hit": "False", "metadata": {},
            "startTime": format!("2026-01-05T00:00:{n:02}.000Z"), "completionStartTime": format!("2026-01-05T00:00:{n:02}.{ms:03}Z"),
            "endTime": format!("2026-01-05T00:00:{n:02}.900Z"), "prompt_tokens": 500, "completion_tokens": 30,
        })
    };
    put(
        folder,
        "log.json",
        &json!((0..60).map(row).collect::<Vec<Value>>()).to_string(),
    );
    said(
        folder,
        &["import", "c.yaml", "--usage", "log.json", "--out", "out"],
        &[0],
    );
    let file = assumed(folder, "out");
    for (name, median) in [("eu", "80ms"), ("us", "800ms")] {
        let quantiles = file["providers"][name]["ttft"]["empirical"]["quantiles"]
            .as_array()
            .unwrap();
        assert!(quantiles.contains(&json!([0.5, median])), "{name}: {quantiles:?}");
    }
}
