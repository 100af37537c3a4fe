//! Configurations of gateways: what is said of them, at the command line and by the library.
//!
//! The configurations here are small and written for these tests. Larger ones with what each must become stand beside the traces
//! where `SIMCAP_TRACES` leads (`../cases/configs`, `NAME.expect.json`); without them that test is skipped and says so.

use std::path::{Path, PathBuf};

use serde_json::Value;
use simcap::gateways::{self, Gateway, show, source};

use crate::common::command::simcap;

fn of(text: &str) -> Gateway {
    let config = source::from_text("gateway.yaml", text).unwrap_or_else(|refused| panic!("{refused}"));
    gateways::read(&config, None).unwrap_or_else(|refused| panic!("{refused}"))
}

fn explained(gateway: &Gateway) -> Value {
    serde_json::from_str(&show::json(gateway)).unwrap()
}

/// The codes and subjects of the warnings, in order.
fn warnings(gateway: &Gateway) -> Vec<String> {
    let said = gateway.warnings.iter().map(|w| match w.subject.as_str() {
        "" => w.kind.code.to_owned(),
        subject => format!("{}: {subject}", w.kind.code),
    });
    said.collect()
}

const LONE: &str = "
model_list:
  - {model_name: a, litellm_params: {model: openai/gpt-4.1, api_key: os.environ/A}}
  - {model_name: b, litellm_params: {model: anthropic/claude-haiku-4-5, api_key: os.environ/B}}
litellm_settings:
  num_retries: 2
  request_timeout: 20
  fallbacks: [{a: [b]}]
";

/// litellm#40405 measured 3 attempts and 5 to 6 s of each request; 0.5 + 1 + 2 s and as many jitters of up to 0.75 s are 3.5 to 5.75 s.
#[test]
fn a_lone_primary_is_tried_to_the_end_by_every_request() {
    let gateway = of(LONE);
    let case = gateway.groups[0].cases.iter().find(|case| case.when == "it answers 500").unwrap();
    assert_eq!((case.attempts, case.seconds), (3, (3.5, 5.75)));
    assert_eq!(warnings(&gateway), ["lone-primary-never-cools: a"]);
    assert_eq!(gateway.groups[0].worst_attempts, 6);
    // Six attempts of 20 s and six sleeps.
    assert!((gateway.groups[0].worst_seconds - (120.0 + 11.5)).abs() < 1e-9);
    let counted = of(&LONE.replace("num_retries: 2", "num_retries: 2\n  allowed_fails: 1"));
    assert!(warnings(&counted).is_empty(), "{:?}", warnings(&counted));
    // It cools at its second failure, after one sleep.
    let case = counted.groups[0].cases.iter().find(|case| case.when == "it answers 500").unwrap();
    assert_eq!((case.attempts, case.seconds), (2, (0.5, 1.25)));
}

/// Measured on the router: three groups by fallback and two retries make 9 attempts.
#[test]
fn retries_multiply_along_a_chain() {
    let chain = LONE.replace("[{a: [b]}]", "[{a: [b]}, {b: [c]}]").replace(
        "litellm_settings",
        "  - {model_name: c, litellm_params: {model: groq/llama-3.3-70b-versatile, api_key: os.environ/C}}\nlitellm_settings",
    );
    let gateway = of(&chain);
    assert_eq!(gateway.groups[0].chain, ["a", "b", "c"]);
    assert_eq!(gateway.groups[0].worst_attempts, 9);
    assert!(warnings(&gateway).contains(&"retries-multiply: a 3 x 3".to_owned()));
    let short = of(&chain.replace("num_retries: 2", "num_retries: 2\n  max_fallbacks: 1"));
    assert_eq!(short.groups[0].worst_attempts, 6);
}

#[test]
fn secrets_are_told_of_and_never_shown() {
    let text = LONE.replace("os.environ/A", "sk-proj-0123456789abcdef");
    let gateway = of(&text);
    assert!(warnings(&gateway).iter().any(|w| w == "secret-in-file: model_list[0].litellm_params.api_key"));
    let style = simcap::report::terminal::Style { width: 100, colour: false };
    let shown = [show::json(&gateway), show::markdown(&gateway), show::sarif(&gateway), show::ledger(&gateway), show::text(&gateway, &style, true)];
    assert!(shown.iter().all(|text| !text.contains("0123456789")));
    let assumed = gateways::import::Assumptions::of(&gateway, &gateways::import::assumptions::built_in_prices());
    let experiment = gateways::import::experiment(&gateway, &assumed, "x").to_string();
    assert!(!experiment.contains("0123456789") && !assumed.to_json().contains("0123456789"));
}

#[test]
fn a_file_of_no_known_product_is_named_by_what_it_has() {
    let config = source::from_text("x.yaml", "services: {a: 1}\nvolumes: {}").unwrap();
    let refused = gateways::read(&config, None).unwrap_err().to_string();
    assert!(refused.contains("it has `services`, `volumes`"), "{refused}");
    let refused = gateways::read(&config, Some("nginx")).unwrap_err().to_string();
    assert!(refused.contains("no product is called `nginx`; known are litellm"), "{refused}");
}

#[test]
fn explain_exits_by_the_level_of_its_warnings() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let warned = write("warned.yaml", LONE);
    let wrong = write("wrong.yaml", &LONE.replace("{a: [b]}", "{a: [nobody]}"));
    let code = |arguments: &[&str]| simcap(folder.path(), arguments).status.code();
    assert_eq!(code(&["explain", &warned]), Some(0));
    assert_eq!(code(&["explain", &warned, "--fail-on", "warning"]), Some(1));
    assert_eq!(code(&["explain", &wrong]), Some(1));
    assert_eq!(code(&["explain", &wrong, "--fail-on", "never"]), Some(0));
    assert_eq!(code(&["explain", &write("no.yaml", "a: *b")]), Some(2));
}

#[test]
fn import_writes_an_experiment_that_runs_and_keeps_what_was_edited() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("gateway.yaml");
    std::fs::write(&config, LONE).unwrap();
    let out = folder.path().join("out");
    let run = |arguments: &[&str]| {
        let output = simcap(folder.path(), arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let (config, out) = (config.to_str().unwrap(), out.to_str().unwrap());
    run(&["import", config, "--out", out]);
    let assumed = Path::new(out).join("assumptions.json");
    let text = std::fs::read_to_string(&assumed).unwrap().replace("\"1/s\"", "\"3/s\"").replace("\"1h\"", "\"2m\"");
    std::fs::write(&assumed, text).unwrap();
    run(&["import", config, "--out", out]);
    let experiment = std::fs::read_to_string(Path::new(out).join("experiment.json")).unwrap();
    assert!(experiment.contains("\"3/s\"") && experiment.contains("\"2m\""));
    let report = folder.path().join("report");
    let report = report.to_str().unwrap();
    let with = assumed.to_str().unwrap();
    let said = run(&["run", config, "--with", with, "--out", report, "--replications", "2"]);
    assert!(said.contains("litellm"), "{said}");
    let keys = std::fs::read_to_string(Path::new(out).join("keys.md")).unwrap();
    assert!(keys.contains("| litellm_settings.request_timeout |"), "{keys}");
}

/// The folder of configurations beside the traces.
fn cases() -> Option<PathBuf> {
    let traces = std::env::var_os("SIMCAP_TRACES").filter(|path| !path.is_empty())?;
    let folder = Path::new(&traces).parent()?.join("cases/configs");
    folder.is_dir().then_some(folder)
}

/// Whether all that `expected` says is in `found`: objects may have more, numbers may be near.
fn holds(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            expected.iter().all(|(key, value)| found.get(key).is_some_and(|found| holds(value, found)))
        }
        (Value::Number(a), Value::Number(b)) => (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-9,
        (expected, found) => expected == found,
    }
}

/// What an expectation says in the form of an explanation, and where that has it.
const COMPARED: [&str; 13] = [
    "product", "groups", "aliases", "price", "policy", "shares_when_all_are_well", "fallback", "context_window_fallback",
    "retry", "breaker", "never_cools", "worst_attempts_of_one_request", "gateways",
];

fn hold(name: &str, expected: &Value, gateway: &Gateway) {
    let found = explained(gateway);
    for key in COMPARED {
        // Some say in words what others say as an experiment would.
        let in_words = |value: &Value| value.is_string() && key == "breaker" && value != "never";
        if let Some(value) = expected.get(key).filter(|value| !in_words(value)) {
            assert!(found.get(key).is_some_and(|found| holds(value, found)), "{name}: {key}\n{value:#}\n{:#}", found[key]);
        }
    }
    if let Some(attempt) = expected["timeouts"].get("attempt") {
        assert_eq!(&found["timeouts"]["attempt"], attempt, "{name}");
    }
    for (member, cap) in expected["in_flight_cap"].as_object().into_iter().flatten() {
        assert_eq!(&found["connections"][member]["connections"], cap, "{name}");
    }
    for (member, cap) in expected["connections"].as_object().into_iter().flatten() {
        assert_eq!(found["connections"][member]["connections"], cap["connections"], "{name}");
    }
    let said = warnings(gateway);
    let has = |code: &str, subject: &str| {
        said.iter().any(|w| w == &format!("{code}: {subject}") || (w.split(": ").next() == Some(code) && (subject.is_empty() || w.ends_with(&format!(": {subject}")))))
    };
    for warning in expected["warnings"].as_array().into_iter().flatten() {
        let warning = warning.as_str().unwrap();
        let (code, subject) = warning.split_once(": ").unwrap_or((warning.split(" (").next().unwrap(), ""));
        let subject = subject.split(" (").next().unwrap();
        let each = || subject.split(", ").all(|subject| has(code, subject));
        let by_itself = ["models-in-database", "stream-timeout", "duration-letters", "deck-env", "secret-reference"];
        let found = has(code, subject) || each() || (by_itself.contains(&code) && has(code, ""));
        assert!(found, "{name}: {warning}\n{said:#?}");
    }
}

#[test]
fn configurations_become_what_is_written_beside_them() {
    let Some(folder) = cases() else {
        eprintln!("skipped: SIMCAP_TRACES has no cases/configs beside it");
        return;
    };
    let known: Vec<&str> = gateways::products().collect();
    let mut held = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(name) = file.strip_suffix(".expect.json") else { continue };
        let expected: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        if !known.contains(&expected["product"].as_str().unwrap()) {
            continue;
        }
        let config = ["yaml", "json"].map(|end| folder.join(format!("{name}.{end}")));
        let config = config.iter().find(|path| path.exists()).unwrap();
        held += 1;
        match expected.get("refused") {
            Some(refused) => {
                let said = source::open(config).unwrap_err().to_string();
                assert!(said.ends_with(refused.as_str().unwrap()), "{said}");
                let text = std::fs::read_to_string(config).unwrap();
                let start = text.find("{{").unwrap();
                let end = text.find("}}").unwrap() + 2;
                let rendered = format!("{}rendered{}", &text[..start], &text[end..]);
                let read = source::from_text(name, &rendered).unwrap();
                hold(name, &expected["after_rendering"], &gateways::read(&read, None).unwrap());
            }
            None => {
                let read = source::open(config).unwrap_or_else(|refused| panic!("{refused}"));
                let gateway = gateways::read(&read, None).unwrap_or_else(|refused| panic!("{refused}"));
                hold(name, &expected, &gateway);
                let prices = gateways::import::assumptions::built_in_prices();
                let assumed = gateways::import::Assumptions::of(&gateway, &prices);
                let experiment = gateways::import::experiment(&gateway, &assumed, name).to_string();
                let loaded = simcap::experiment::load::from_text(name, &experiment);
                let loaded = loaded.unwrap_or_else(|error| panic!("{name}: {error}"));
                simcap::experiment::assemble::assemble(&loaded).unwrap_or_else(|error| panic!("{name}: {error}"));
            }
        }
    }
    assert!(held > 0);
}
