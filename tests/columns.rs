//! Laws that are columns of files: what is drawn is what was measured, and what cannot be read is told with its place.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]
#![allow(clippy::disallowed_methods, reason = "a theory's last digit does not matter")]

use std::path::Path;

use serde_json::{Value, json};
use simcap::engine::tally::Tally;
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::{Loaded, Traces, load, with_models};
use simcap::form::laws::Columns;
use simcap::report::json;
use simcap::simulate::{Options, run_loaded};

use crate::common::command::{simcap, text};
use crate::common::replications;

/// Times to first tokens in milliseconds and numbers of tokens that no law of a name describes: two heaps with a gap between them, a
/// few that are far out, and one value that a fifth of all has.
fn measured() -> Vec<(f64, u32)> {
    let one = |i: u32| match i % 10 {
        0 | 1 => (250.0, 64),
        2..=5 => (100.0 + f64::from(i * 37 % 97), 20 + i * 31 % 41),
        6..=8 => (900.0 + f64::from(i * 53 % 601) / 2.0, 700 + i * 17 % 301),
        _ => (4_000.0 + f64::from(i), 4_000 + i * 7 % 1_000),
    };
    (0..3_000).map(one).collect()
}

fn experiment(ttft: &Value, output: &Value) -> Value {
    json!({
        "name": "columns",
        "traffic": {
            "arrivals": { "poisson": { "rate": "100/s" } },
            "classes": { "all": { "input": { "constant": 100 }, "output": output } },
        },
        "providers": { "one": {
            "ttft": ttft, "tps": { "constant": 1000 },
            "prices": { "per_token": { "input": "$0/Mtok", "output": "$1/Mtok" } },
        } },
        "policies": [ { "name": "only", "policy": { "single": { "provider": "one" } } } ],
        "plan": { "duration": "400s", "warmup": "0s", "replications": 3, "seed": 5 },
    })
}

/// A folder with an experiment and the file of what was measured.
fn folder(experiment: &Value, file: &str, rows: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("x.json"),
        serde_json::to_string_pretty(experiment).unwrap(),
    )
    .unwrap();
    std::fs::write(folder.path().join(file), rows).unwrap();
    folder
}

fn both() -> Value {
    experiment(
        &json!({ "column": { "file": "log.csv", "column": "ttft_ms", "unit": "ms" } }),
        &json!({ "column": { "file": "log.csv", "column": "output_tokens" } }),
    )
}

fn table() -> String {
    let rows = measured().into_iter().enumerate();
    let rows = rows.map(|(i, (ttft, tokens))| format!("r{i},{ttft},{tokens}\n"));
    format!("id,ttft_ms,output_tokens\n{}", rows.collect::<String>())
}

fn loaded(folder: &tempfile::TempDir) -> Result<Loaded, String> {
    load(&folder.path().join("x.json"), &Traces::default()).map_err(|error| error.to_string())
}

/// Percentiles lie where the column has them: the share of what was drawn up to a value is the column's share up to it, to four standard
/// deviations of a share of so many draws. Means are the column's own to four standard errors.
#[test]
fn what_is_drawn_has_the_columns_percentiles_and_mean() {
    let folder = folder(&both(), "log.csv", &table());
    let plan = assemble(&loaded(&folder).unwrap()).unwrap();
    let tallies = replications(&plan.scenarios[0], 5, 3);
    let all = measured();
    let count = all.len() as f64;
    let drawn: f64 = tallies.iter().map(|t| t.requests() as f64).sum();
    assert!(drawn > 100_000.0);
    for near in [
        80.0, 110.0, 150.0, 251.0, 500.0, 1_000.0, 1_150.0, 3_000.0, 5_500.0, 6_900.0,
    ] {
        let share = all.iter().filter(|(ttft, _)| *ttft <= near).count() as f64 / count;
        let up_to = |t: &Tally| {
            let ttft = &t.classes[0].ttft;
            let at = simcap::kernel::time::Span::from_seconds_f64(near / 1000.0);
            ttft.fraction_at_most(at).unwrap() * ttft.count() as f64
        };
        let found = tallies.iter().map(up_to).sum::<f64>() / drawn;
        let most = 4.0 * (share * (1.0 - share) / drawn).sqrt() + 1e-9;
        // The histogram's buckets are a thousandth wide: what lies so near belongs to either side.
        let beside = all.iter().filter(|(ttft, _)| (ttft / near - 1.0).abs() < 0.001).count() as f64 / count;
        assert!(
            (found - share).abs() <= most + beside,
            "up to {near} ms: {found}, in the column {share}"
        );
    }
    let mean = |of: &dyn Fn(&(f64, u32)) -> f64| {
        let mean = all.iter().map(of).sum::<f64>() / count;
        let variance = all.iter().map(|row| (of(row) - mean).powi(2)).sum::<f64>() / count;
        (mean, 4.0 * (variance / drawn).sqrt())
    };
    let (ttft, most) = mean(&|row| row.0 / 1000.0);
    let sum: f64 = tallies
        .iter()
        .map(|t| t.classes[0].ttft.mean().unwrap().seconds() * t.requests() as f64)
        .sum();
    assert!((sum / drawn - ttft).abs() <= most, "{} and {ttft}", sum / drawn);
    let (tokens, most) = mean(&|row| f64::from(row.1));
    let billed: f64 = tallies.iter().map(|t| t.providers[0].output as f64).sum();
    assert!(
        (billed / drawn - tokens).abs() <= most,
        "{} and {tokens}",
        billed / drawn
    );
}

#[test]
fn what_cannot_be_read_is_told_with_its_place() {
    let says = |rows: &str| loaded(&folder(&both(), "log.csv", rows)).err().unwrap_or_default();
    let bad = says("id,ttft_ms,output_tokens\na,1,2\nb,,3\n");
    assert!(
        bad.ends_with("log.csv: line 3: ttft_ms: nothing is not a number of 0 or more"),
        "{bad}"
    );
    let bad = says("id,ttft_ms,output_tokens\na,1,-2\n");
    assert!(
        bad.ends_with("log.csv: line 2: output_tokens: \"-2\" is not a number of 0 or more"),
        "{bad}"
    );
    // What the experiment names and the file lacks is a mistake of the experiment's line.
    let bad = says("id,ttft,output_tokens\na,1,2\n");
    let place = "providers.one.ttft.column.column";
    assert!(
        bad.contains("x.json") && bad.contains(place) && bad.contains("did you mean `ttft`?"),
        "{bad}"
    );
    let missing = loaded(&folder(&both(), "lag.csv", &table())).err().unwrap();
    assert!(
        missing.contains("providers.one.ttft.column.file") && missing.contains("lag.csv"),
        "{missing}"
    );
    // A line that has no end is not taken into memory.
    let endless = says(&format!("id,ttft_ms,output_tokens\n{}", "9".repeat(1_200_000)));
    assert!(endless.contains("line 2 is longer than 1000000 bytes"), "{endless}");
    let unit = experiment(
        &json!({ "constant": "1s" }),
        &json!({ "column": { "file": "log.csv", "column": "output_tokens", "unit": "ms" } }),
    );
    let error = assemble(&loaded(&folder(&unit, "log.csv", &table())).unwrap())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("output.column.unit") && error.contains("these are no times"),
        "{error}"
    );
}

/// A page gives the engine the columns packed: what comes out is the same to the byte.
#[test]
fn columns_that_are_packed_give_the_same_result() {
    let folder = folder(&both(), "log.csv", &table());
    let beside = loaded(&folder).unwrap();
    assert_eq!(beside.inputs.iter().filter(|input| input.name == "log.csv").count(), 1);
    let of = |loaded: &Loaded| json::to_json(&run_loaded(loaded, &Options::default()).unwrap());
    let packed = serde_json::to_string(&beside.columns).unwrap();
    let mut alone = with_models(&beside.file, &beside.text, Default::default()).unwrap();
    let error = assemble(&alone).unwrap_err().to_string();
    assert!(error.contains("`log.csv` was not read"), "{error}");
    alone.columns = serde_json::from_str::<Columns>(&packed).unwrap();
    alone.inputs = beside.inputs.clone();
    assert_eq!(of(&alone), of(&beside));
}

/// What the command line makes of it: a run, the page that holds the columns, and a model that names one and is refused.
#[test]
fn the_command_line_runs_it_and_packs_it_into_a_page() {
    let folder = folder(&both(), "log.csv", &table());
    let at = |name: &str| folder.path().join(name);
    let ran = simcap(folder.path(), &["run", "x.json", "--replications", "2", "--out", "r"]);
    assert!(ran.status.success(), "{}", text(&ran.stderr));
    let result: Value = serde_json::from_slice(&std::fs::read(at("r/result.json")).unwrap()).unwrap();
    assert!(result["inputs"].to_string().contains("log.csv"));
    std::fs::write(at("engine.wasm"), b"\0asm").unwrap();
    let page = simcap(
        folder.path(),
        &["page", "x.json", "--engine", "engine.wasm", "--out", "p.html"],
    );
    assert!(page.status.success(), "{}", text(&page.stderr));
    let page = std::fs::read_to_string(at("p.html")).unwrap();
    assert!(
        page.contains(r#""columns":[["log.csv","output_tokens",[[20.0,"#),
        "the page has the column's values"
    );
    model_with_a_column(folder.path());
}

fn model_with_a_column(folder: &Path) {
    let mut model: Value = serde_json::from_str(include_str!("../models/claude-sonnet-4.5.json")).unwrap();
    model["variants"]["r0"]["ttft"] = json!({ "column": { "file": "log.csv", "column": "ttft_ms" } });
    std::fs::write(folder.join("m.json"), model.to_string()).unwrap();
    let mut with = both();
    with["providers"] = json!({ "one": { "model": "m.json" } });
    std::fs::write(folder.join("y.json"), with.to_string()).unwrap();
    let ran = simcap(folder, &["check", "y.json"]);
    let said = text(&ran.stderr);
    assert!(
        !ran.status.success() && said.contains("a model has `empirical` quantiles"),
        "{said}"
    );
}
