//! The command as a user meets it: exit codes, what it prints where, what it leaves behind.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::command::{simcap, text};

const EXPERIMENT: &str = include_str!("common/everything.json");

/// A folder with the experiment in it, changed by replacing `from` with `to`.
fn folder(from: &str, to: &str) -> tempfile::TempDir {
    assert!(EXPERIMENT.contains(from));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("x.json"), EXPERIMENT.replace(from, to)).unwrap();
    folder
}

/// What a program reads from standard output is the file of the same name, and where the report is goes elsewhere.
#[test]
fn a_result_in_a_form_for_programs_is_all_that_is_printed() {
    let folder = folder("everything", "mine");
    let run = |args: &[&str]| simcap(folder.path(), args);
    for (form, file) in [
        ("json", "result.json"),
        ("csv", "metrics.csv"),
        ("markdown", "summary.md"),
    ] {
        let output = run(&["run", "x.json", "--replications", "2", "--format", form]);
        assert_eq!(output.status.code(), Some(0), "{form}");
        let kept = std::fs::read(folder.path().join("reports/mine").join(file)).unwrap();
        assert_eq!(text(&output.stdout), text(&kept), "{form}");
        assert!(text(&output.stderr).starts_with("Report: reports/mine"), "{form}");
        let output = run(&["report", "reports/mine", "--format", form]);
        assert_eq!(text(&output.stdout), text(&kept), "{form} of a result");
    }
    let output = run(&["run", "x.json", "--format", "json", "-q"]);
    assert_eq!(output.status.code(), Some(2), "two ways to print at once");
}

#[test]
fn a_run_leaves_its_report_and_is_quiet_on_standard_error() {
    let folder = folder("everything", "mine");
    let output = simcap(folder.path(), &["run", "x.json", "--replications", "3", "--full"]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    let printed = text(&output.stdout);
    for part in [
        "TTFT",
        "tiers",
        "mix",
        "round",
        "Differences from tiers",
        "PASS",
        "What binds",
    ] {
        assert!(printed.contains(part), "no {part} in:\n{printed}");
    }
    assert!(!printed.contains('\u{1b}'), "no colour in a pipe");
    let mut files: Vec<_> = std::fs::read_dir(folder.path().join("reports/mine"))
        .unwrap()
        .map(|f| f.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let expected = [
        "bill.csv",
        "bounds.csv",
        "cdf.csv",
        "classes.csv",
        "differences.csv",
        "effort.csv",
        "incidents.csv",
        "metrics.csv",
        "objectives.csv",
        "outcomes.csv",
        "providers.csv",
        "quotas.csv",
        "report.html",
        "result.json",
        "series.csv",
        "summary.md",
    ];
    assert_eq!(files, expected);
    let html = std::fs::read_to_string(folder.path().join("reports/mine/report.html")).unwrap();
    assert!(html.contains("<svg") && !html.contains("src=\"http") && !html.contains("href=\"http"));
}

/// One in ten attempts finds no model. Without a retry a tenth of the requests ends so; with one on 404, a tenth of a tenth. Four
/// standard deviations of a share of 0.1 among 20,000 requests are 0.0085, of 0.01 they are 0.0028.
#[test]
fn a_404_is_a_fault_an_outcome_and_a_reason_to_retry() {
    let folder = tempfile::tempdir().unwrap();
    let share = |retry: &str| {
        let experiment = format!(
            r#"{{
            "name": "gone",
            "traffic": {{ "arrivals": {{ "regular": {{ "rate": "10/s" }} }}, "classes": {{ "all": {{ "input": {{ "constant": 10 }}, "output": {{ "constant": 10 }} }} }} }},
            "providers": {{ "a": {{ "response": {{ "constant": "100ms" }}, "faults": [{{ "random": {{ "not_found": 0.1 }} }}],
                "prices": {{ "per_request": {{ "price": "$0" }} }} }} }},
            "client": {{ {retry} }},
            "policies": [ {{ "name": "only", "policy": {{ "single": {{ "provider": "a" }} }} }} ],
            "plan": {{ "duration": "1000s", "replications": 2 }}
        }}"#
        );
        std::fs::write(folder.path().join("gone.json"), experiment).unwrap();
        let output = simcap(folder.path(), &["run", "gone.json", "--out", "out"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let result = std::fs::read_to_string(folder.path().join("out/result.json")).unwrap();
        let result: serde_json::Value = serde_json::from_str(&result).unwrap();
        let outcomes = result["policies"][0]["outcomes"].as_array().unwrap().clone();
        let found = outcomes.iter().find(|o| o["outcome"] == "not_found").unwrap();
        found["share"]["value"].as_f64().unwrap()
    };
    let once = share("");
    assert!((once - 0.1).abs() < 0.0085, "{once}");
    let unlisted = share(r#""retry": { "fixed": { "tries": 2, "wait": "1ms" } }"#);
    assert_eq!(unlisted, once, "what another try cannot mend is not tried again");
    let twice = share(r#""retry": { "fixed": { "tries": 2, "wait": "1ms", "on": [404] } }"#);
    assert!((twice - 0.01).abs() < 0.0028, "{twice}");
}

#[test]
fn one_screen_is_printed_or_all_of_it_or_the_answer_alone_in_colour_or_not() {
    let folder = folder("everything", "mine");
    let printed = |more: &[&str]| {
        let arguments = [&["run", "x.json", "--replications", "3"], more].concat();
        text(&simcap(folder.path(), &arguments).stdout)
    };
    let (screen, all, answer) = (printed(&[]), printed(&["-v"]), printed(&["-q"]));
    let lines = |text: &str| text.lines().count();
    assert!(lines(&screen) <= 40 && lines(&all) > lines(&screen), "{screen}");
    assert!(
        answer.starts_with("Cheapest that meets every objective: ") && lines(&answer) <= 4,
        "{answer}"
    );
    let coloured = printed(&["--color", "always"]);
    assert!(coloured.contains("\u{1b}[1mCheapest") && !printed(&["--color", "never"]).contains('\u{1b}'));
}

#[test]
fn the_result_of_other_files_is_not_written_over() {
    let folder = folder("everything", "mine");
    let run = |more: &[&str]| {
        let output = simcap(folder.path(), &[&["run", "x.json", "-q"], more].concat());
        (output.status.code(), text(&output.stderr))
    };
    let there = |name: &str| folder.path().join("reports").join(name).join("result.json").exists();
    assert_eq!(run(&["--replications", "2"]), (Some(0), String::new()));
    // The same file replaces its own result.
    assert_eq!(run(&["--replications", "3"]), (Some(0), String::new()));
    assert!(!there("mine-2"));
    // A short trial does not replace it, nor does another seed.
    let (code, said) = run(&["--replications", "2"]);
    assert!(
        code == Some(0) && said.contains("the result of more replications"),
        "{said}"
    );
    let (code, said) = run(&["--replications", "3", "--seed", "7"]);
    assert!(code == Some(0) && said.contains("the result of another seed"), "{said}");
    assert!(there("mine-2") && there("mine-3") && !there("mine-4"));
    for folder_of in ["mine-2", "mine-3"] {
        std::fs::remove_dir_all(folder.path().join("reports").join(folder_of)).unwrap();
    }
    let changed = EXPERIMENT.replace("everything", "mine") + "\n";
    std::fs::write(folder.path().join("x.json"), changed).unwrap();
    let (code, said) = run(&["--replications", "2"]);
    assert_eq!(code, Some(0));
    assert!(
        said.contains("holds the result of other files, so this one goes to"),
        "{said}"
    );
    assert!(there("mine") && there("mine-2") && !there("mine-3"));
    assert_eq!(run(&["--replications", "2"]).0, Some(0));
    assert!(!there("mine-3"), "the second file has a folder of its own");
}

#[test]
fn a_result_that_is_read_refuses_what_it_would_ignore() {
    let folder = folder("everything", "mine");
    assert_eq!(
        simcap(folder.path(), &["run", "x.json", "--replications", "2", "-q"])
            .status
            .code(),
        Some(0)
    );
    let output = simcap(folder.path(), &["compare", "reports/mine/result.json", "--seed", "2"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("is a result, of which --seed changes nothing"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn two_values_for_one_number_are_refused_with_both() {
    let folder = folder("everything", "mine");
    for arguments in [
        ["run", "x.json", "--replications", "2", "--set", "plan.replications=3"],
        [
            "sweep",
            "x.json",
            "--replications",
            "2",
            "--set",
            "plan[replications]=3",
        ],
        ["run", "x.json", "--seed", "2", "--set", "plan.seed=2"],
    ] {
        let output = simcap(folder.path(), &arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let told = format!(
            "{} {} and --set {} are two values",
            arguments[2], arguments[3], arguments[5]
        );
        assert!(text(&output.stderr).contains(&told), "{}", text(&output.stderr));
    }
}

#[test]
fn a_failed_objective_is_exit_code_1() {
    let folder = folder(r#""at_most": "60s""#, r#""at_most": "1ms""#);
    let output = simcap(folder.path(), &["run", "x.json", "--replications", "3"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("FAIL"));
}

#[test]
fn bad_input_and_bad_usage_are_exit_code_2() {
    let broken = folder(r#""policy": "round_robin""#, r#""policy": "round_robbin""#);
    for command in ["run", "check", "compare"] {
        let output = simcap(broken.path(), &[command, "x.json"]);
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), String::new()));
        let printed = text(&output.stderr);
        assert!(
            printed.contains("x.json:") && printed.contains("did you mean `round_robin`?"),
            "{printed}"
        );
    }
    assert_eq!(simcap(broken.path(), &["run", "y.json"]).status.code(), Some(2));
    assert_eq!(simcap(broken.path(), &["run"]).status.code(), Some(2));
    assert_eq!(
        simcap(broken.path(), &["run", "x.json", "--replications", "0"])
            .status
            .code(),
        Some(2)
    );
    assert!(!broken.path().join("reports").exists(), "nothing is left behind");
}

#[test]
fn a_report_that_cannot_be_written_is_exit_code_3() {
    let folder = folder("everything", "mine");
    std::fs::write(folder.path().join("reports"), "a file where a folder should be").unwrap();
    let output = simcap(folder.path(), &["run", "x.json", "--replications", "2"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(
        text(&output.stderr).contains("cannot write the report"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn compare_prints_the_comparison_alone_and_reads_results() {
    let folder = folder("everything", "mine");
    let fresh = simcap(folder.path(), &["compare", "x.json", "--replications", "3"]);
    assert!(!folder.path().join("reports").exists(), "compare writes nothing");
    let printed = text(&fresh.stdout);
    assert!(
        printed.contains("Differences from tiers") && !printed.contains("What binds"),
        "{printed}"
    );
    simcap(folder.path(), &["run", "x.json", "--replications", "3"]);
    let read = simcap(folder.path(), &["compare", "reports/mine/result.json"]);
    assert_eq!(text(&read.stdout), printed);
}

/// The same differences in every form, from a run as from its result, with the same exit code.
#[test]
fn a_comparison_is_also_for_other_programs() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, provider: &str| {
        let policy = format!(r#"{{"name": "p|q", "policy": {{"single": {{"provider": "{provider}"}}}}}}"#);
        let text = TWO_PROVIDERS.replace("POLICIES", &policy).replace("NAME", name);
        let objectives = r#""objectives": [{"metric": "ttft.p95", "at_most": "800ms"}], "plan""#;
        let text = text.replace(r#""plan""#, objectives);
        std::fs::write(folder.path().join(format!("{name}.json")), text).unwrap();
    };
    write("near", "near");
    write("far", "far");
    let of = |format: &str| {
        let found = simcap(folder.path(), &["compare", "near.json", "far.json", "--format", format]);
        assert_eq!(found.status.code(), Some(1), "{format}");
        text(&found.stdout)
    };
    let json: serde_json::Value = serde_json::from_str(&of("json")).unwrap();
    assert_eq!(json["format"], "simcap.comparison/1");
    assert_eq!((&json["paired"], &json["now_fails"]), (&true.into(), &true.into()));
    let differences = json["comparisons"][0]["differences"].as_array().unwrap();
    let p95 = differences.iter().find(|of| of["metric"] == "ttft.p95").unwrap();
    let value = p95["difference"]["value"].as_f64().unwrap();
    assert!((0.2..0.4).contains(&value) && p95["verdict"] == "higher", "{p95}");

    let csv = of("csv");
    assert_eq!(
        csv.lines().next(),
        Some("policy,baseline,metric,unit,value,lo,hi,n,relative,verdict")
    );
    let row = csv.lines().find(|line| line.contains(",ttft.p95,")).unwrap();
    assert!(
        row.contains(&format!(",seconds,{value},")) && row.ends_with(",higher"),
        "{row}"
    );

    let markdown = of("markdown");
    assert!(
        markdown.contains("\n**far against near: 1 of 1 policies now fails an objective"),
        "{markdown}"
    );
    assert!(
        markdown.contains("\n## p\\|q (far) against p\\|q (near)\n"),
        "{markdown}"
    );
    let rows: Vec<&str> = markdown.lines().filter(|line| line.starts_with("| ")).collect();
    assert!(
        rows.iter()
            .any(|row| row.starts_with("| TTFT p95 | ") && row.ends_with(" worse |")),
        "{markdown}"
    );
    let alone = simcap(folder.path(), &["compare", "near.json", "--format", "markdown"]);
    assert!(text(&alone.stdout).contains("There is one policy, and nothing to compare it with."));
}

/// What two results say of each other is what one run of both policies says, as their replications met the same requests.
#[test]
fn two_results_of_one_seed_are_compared_as_one_run_compares_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, policies: &str| {
        let text = TWO_PROVIDERS.replace("POLICIES", policies).replace("NAME", name);
        std::fs::write(folder.path().join(format!("{name}.json")), text).unwrap();
        let file = format!("{name}.json");
        assert_eq!(
            simcap(folder.path(), &["run", &file, "-q"]).status.code(),
            Some(0),
            "{name}"
        );
    };
    let of = |name: &str, provider: &str| {
        format!(r#"{{"name": "{name}", "policy": {{"single": {{"provider": "{provider}"}}}}}}"#)
    };
    file("both", &format!("{}, {}", of("p", "near"), of("q", "far")));
    file("one", &of("p", "near"));
    file("two", &of("p", "far"));
    let row = |text: &str| {
        text.lines()
            .find(|line| line.starts_with("TTFT p95"))
            .unwrap()
            .to_owned()
    };
    let whole = simcap(folder.path(), &["compare", "reports/both/result.json"]);
    let parts = ["compare", "reports/one/result.json", "reports/two/result.json"];
    let parts = text(&simcap(folder.path(), &parts).stdout);
    assert_eq!(row(&parts), row(&text(&whole.stdout)));
    assert!(parts.contains("The same seed, times and arrivals"), "{parts}");

    let page = simcap(folder.path(), &["report", "reports/one", "reports/two"]);
    let printed = text(&page.stdout);
    assert!(
        printed.starts_with(&parts) && printed.ends_with("Report: comparison.html\n"),
        "{printed}"
    );
    let page = std::fs::read_to_string(folder.path().join("comparison.html")).unwrap();
    assert!(page.contains("p (one)") && page.contains("p (two)"));

    simcap(folder.path(), &["run", "two.json", "--seed", "7", "-q"]);
    let apart = simcap(
        folder.path(),
        &["report", "reports/one", "reports/two-2", "--out", "x.html"],
    );
    assert!(text(&apart.stdout).contains("the two are independent"));
    assert!(folder.path().join("x.html").is_file());
    // Into a folder, that is there or not, under the name that the page has by default.
    std::fs::create_dir(folder.path().join("pages")).unwrap();
    for (results, out, page) in [
        (&["reports/one", "reports/two"][..], "pages", "pages/comparison.html"),
        (&["reports/one", "reports/two"][..], "new/", "new/comparison.html"),
        (&["reports/one", "reports/two"][..], "other", "other/comparison.html"),
        (&["reports/one"][..], "pages", "pages/report.html"),
    ] {
        let arguments: Vec<&str> = [&["report"], results, &["--out", out]].concat();
        assert_eq!(simcap(folder.path(), &arguments).status.code(), Some(0), "{out}");
        assert!(folder.path().join(page).is_file(), "{page}");
    }
}

/// A check of a change: a result is kept by name, and a later experiment fails against it only where it makes an objective fail.
#[test]
fn a_change_is_held_against_a_baseline() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, provider: &str, bound: &str| {
        let policy = format!(r#"{{"name": "p", "policy": {{"single": {{"provider": "{provider}"}}}}}}"#);
        let text = TWO_PROVIDERS.replace("POLICIES", &policy).replace("NAME", name);
        let objectives = format!(r#""objectives": [{{"metric": "ttft.p95", "at_most": "{bound}"}}], "plan""#);
        let text = text.replace(r#""plan""#, &objectives);
        std::fs::write(folder.path().join(format!("{name}.json")), text).unwrap();
    };
    // The 95th percentile is 0.3 s · e^(1.645 · 0.5) = 0.683 s near, and 0.5 s · e^(1.645 · 0.4) = 0.965 s far.
    write("near", "near", "800ms");
    write("far", "far", "800ms");
    write("tight", "near", "500ms");
    let run = |arguments: &[&str]| {
        let output = simcap(folder.path(), arguments);
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (_, _, none) = run(&["compare", "near.json", "--baseline", "main"]);
    assert!(
        none.contains("no baseline is called `main`: none is kept in reports/baselines"),
        "{none}"
    );
    let (code, said, _) = run(&["run", "near.json", "-q", "--save-baseline", "main"]);
    assert!(
        code == Some(0) && said.contains("Baseline: reports/baselines/main"),
        "{said}"
    );
    let (_, _, near) = run(&["compare", "near.json", "--baseline", "mian"]);
    assert!(near.contains("did you mean `main`?"), "{near}");
    let (code, _, _) = run(&["run", "near.json", "--save-baseline", "../main"]);
    assert_eq!(code, Some(2), "a name is no path");

    let (code, said, _) = run(&["compare", "near.json", "--baseline", "main"]);
    assert!(
        code == Some(0) && said.contains("The same seed, times and arrivals"),
        "{said}"
    );
    let (code, said, _) = run(&["compare", "far.json", "--baseline", "main"]);
    assert!(
        code == Some(1) && said.contains("1 of 1 policies now fails an objective"),
        "{said}"
    );
    // Two experiments, either of which may be a result; one that fails what it failed before is no regression.
    let (code, both, _) = run(&["compare", "near.json", "far.json"]);
    assert_eq!(code, Some(1), "{both}");
    let (code, said, _) = run(&["compare", "reports/near", "far.json"]);
    assert_eq!((code, said), (Some(1), both));
    run(&["run", "tight.json", "-q"]);
    let (code, said, _) = run(&["compare", "reports/tight", "tight.json"]);
    assert!(code == Some(0) && said.contains("still fails"), "{said}");
}

const TWO_PROVIDERS: &str = r#"{
  "format": "simcap.experiment/2", "name": "NAME",
  "traffic": {
    "arrivals": { "poisson": { "rate": "10/s" } },
    "classes": { "c": { "share": 1, "input": { "constant": 100 }, "output": { "constant": 50 } } }
  },
  "providers": {
    "near": { "ttft": { "lognormal": { "median": "300ms", "sigma": 0.5 } }, "tps": { "constant": 80 }, "prices": { "per_token": { "input": "$1/Mtok", "output": "$4/Mtok" } } },
    "far": { "ttft": { "lognormal": { "median": "500ms", "sigma": 0.4 } }, "tps": { "constant": 80 }, "prices": { "per_token": { "input": "$1/Mtok", "output": "$4/Mtok" } } }
  },
  "policies": [POLICIES],
  "plan": { "duration": "5m", "warmup": "10s", "replications": 4 }
}"#;

#[test]
fn a_page_is_made_again_from_its_result() {
    let folder = folder("everything", "mine");
    simcap(folder.path(), &["run", "x.json", "--replications", "2", "-q"]);
    let page = folder.path().join("reports/mine/report.html");
    let first = std::fs::read(&page).unwrap();
    std::fs::remove_file(&page).unwrap();
    let again = simcap(folder.path(), &["report", "reports/mine/result.json"]);
    assert_eq!(text(&again.stdout), "Report: reports/mine/report.html\n");
    assert_eq!(std::fs::read(&page).unwrap(), first);
    let none = simcap(folder.path(), &["report", "reports/none"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(
        text(&none.stderr).contains("cannot read reports/none"),
        "{}",
        text(&none.stderr)
    );
}

#[test]
fn check_says_what_would_be_run() {
    let folder = folder("everything", "mine");
    let output = simcap(folder.path(), &["check", "x.json"]);
    assert_eq!(output.status.code(), Some(0));
    let expected = "x.json: fine. 3 policies on 3 providers and 3 classes; 6 replications of 6 min each after 40 s of warm-up, about 144,000 requests in all.\n";
    let said = text(&output.stdout);
    assert!(said.starts_with(expected), "{said}");
}

#[test]
fn check_and_lists_fit_the_terminal_and_print_nothing_that_acts_on_it() {
    let folder = folder(
        "\"name\": \"tiers\"",
        "\"name\": \"ti\\u001b]0;evil\\u0007\\u202e\\u009b31mers\"",
    );
    for (arguments, wraps) in [
        (&["check", "x.json"][..], true),
        (&["check", "x.json", "--effective"], false),
        (&["models"], true),
        (&["limits"], true),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_simcap"))
            .args(arguments)
            .current_dir(folder.path())
            .env("COLUMNS", "80")
            .output()
            .unwrap();
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(
            !said.contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}'),
            "{said:?}"
        );
        assert!(!wraps || said.lines().all(|line| line.chars().count() <= 80), "{said}");
    }
}

#[test]
fn init_writes_an_experiment_that_runs_and_overwrites_nothing() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(simcap(folder.path(), &["init", "new.json"]).status.code(), Some(0));
    assert_eq!(simcap(folder.path(), &["init", "new.json"]).status.code(), Some(2));
    assert_eq!(
        simcap(folder.path(), &["init", "new.json", "--force"]).status.code(),
        Some(0)
    );
    let run = simcap(folder.path(), &["run", "new.json", "--replications", "2"]);
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
}

#[test]
fn help_gives_the_exit_codes() {
    for arguments in [vec!["--help"], vec!["run", "--help"], vec!["check", "--help"]] {
        let printed = text(&simcap(Path::new("."), &arguments).stdout);
        assert!(
            printed.contains("an objective failed") && printed.contains("bad input"),
            "{printed}"
        );
    }
}

#[test]
fn the_schema_takes_every_shipped_experiment() {
    let schema: serde_json::Value = serde_json::from_slice(&simcap(Path::new("."), &["schema"]).stdout).unwrap();
    let properties = schema["properties"].as_object().unwrap();
    for name in [
        "$schema",
        "traffic",
        "providers",
        "client",
        "policies",
        "objectives",
        "plan",
    ] {
        assert!(properties.contains_key(name), "{name}");
    }
    for of in ["model", "result"] {
        assert_eq!(simcap(Path::new("."), &["schema", of]).status.code(), Some(0));
    }
}

/// Enough short replications for a minute; interrupted after a second of work.
#[cfg(unix)]
#[test]
fn an_interrupted_run_reports_what_it_has_finished() {
    let folder = folder(r#""duration": "360s""#, r#""duration": "60s""#);
    let child = Command::new(env!("CARGO_BIN_EXE_simcap"))
        .args(["run", "x.json", "--replications", "100000"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_secs(1));
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    assert!(printed.contains("replications were finished"), "{printed}");
    let result: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.path().join("reports/everything/result.json")).unwrap()).unwrap();
    let (finished, planned) = (&result["replications_finished"], &result["replications_planned"]);
    assert!(finished.as_u64().unwrap() >= 1 && finished.as_u64() < planned.as_u64());
}

#[test]
fn published_quotas_are_listed_with_their_date_and_printed_with_their_source() {
    let folder = tempfile::tempdir().unwrap();
    let listed = text(&simcap(folder.path(), &["limits"]).stdout);
    assert!(listed.contains("anthropic/sonnet-4.x/tier-2    2026-05\n"), "{listed}");
    assert!(
        listed.contains("azure-openai/standard          2026-05  (needs tokens_per_minute)\n"),
        "{listed}"
    );
    let printed = text(&simcap(folder.path(), &["limits", "groq/llama-3.3-70b/free"]).stdout);
    assert!(
        printed.contains("console.groq.com") && printed.contains("12000"),
        "{printed}"
    );
    let unknown = simcap(folder.path(), &["limits", "groq"]);
    assert_eq!(
        (unknown.status.code(), text(&unknown.stderr)),
        (
            Some(2),
            "error: there is no published quota `groq`; `simcap limits` lists them\n".into()
        )
    );
}

#[test]
fn templates_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let listed = text(&simcap(folder.path(), &["init", "--list"]).stdout);
    for template in ["starter", "chat", "rag", "azure-ptu", "litellm-pair"] {
        assert!(listed.contains(template), "{listed}");
        let file = format!("my-{template}.json");
        let output = simcap(folder.path(), &["init", &file, "--template", template]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let written = std::fs::read_to_string(folder.path().join(&file)).unwrap();
        assert!(written.contains(&format!("\"name\": \"my-{template}\"")), "{written}");
        let checked = text(&simcap(folder.path(), &["check", &file]).stdout);
        assert!(checked.contains(": fine. ") && !checked.contains("note: "), "{checked}");
    }
    let unknown = simcap(folder.path(), &["init", "x.json", "--template", "azure"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("azure-ptu"), "{}", text(&unknown.stderr));
}

#[test]
#[cfg(feature = "completions")]
fn completions_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let bash = text(&simcap(folder.path(), &["completions", "bash"]).stdout);
    assert!(bash.contains("complete -F") && bash.contains("azure-ptu"), "{bash}");
}

#[test]
fn several_mistakes_are_told_at_once_and_other_files_are_named() {
    let folder = folder("\"replications\"", "\"replicatoins\"");
    let wrong = std::fs::read_to_string(folder.path().join("x.json"))
        .unwrap()
        .replacen("\"classes\"", "\"clases\"", 1);
    std::fs::write(folder.path().join("x.json"), wrong).unwrap();
    let output = simcap(folder.path(), &["check", "x.json"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    for part in [
        "did you mean `classes`?",
        "plan.replicatoins: unknown field",
        "\n2 mistakes\n",
    ] {
        assert!(said.contains(part), "{said}");
    }
    std::fs::write(folder.path().join("config.yaml"), "model_list:\n  - model_name: gpt\n").unwrap();
    let said = text(&simcap(folder.path(), &["run", "config.yaml"]).stderr);
    assert!(
        said.contains("config.yaml:1:1: this is YAML, a configuration of LiteLLM"),
        "{said}"
    );
}

#[test]
fn every_kind_is_listed_with_its_parameters() {
    let folder = tempfile::tempdir().unwrap();
    let output = simcap(folder.path(), &["kinds"]);
    let listed = text(&output.stdout);
    for name in [
        "slots",
        "litellm_cooldown",
        "gradient2",
        "peak_ewma",
        "regimes",
        "finagle",
    ] {
        assert!(
            listed.lines().any(|l| l.trim_start().starts_with(name)),
            "no {name} in:\n{listed}"
        );
    }
    let output = simcap(folder.path(), &["kinds", "exponential"]);
    assert!(
        text(&output.stdout)
            .contains("  tries: a whole number, 1 to 100; default: 3\n      The most attempts, the first included")
    );
    let [one, several] = ["retry", "retries"].map(|name| text(&simcap(folder.path(), &["kinds", name]).stdout));
    assert!(!one.is_empty() && one == several);
    let output = simcap(folder.path(), &["kinds", "exponentail"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("did you mean `exponential`?"));
}

/// What `simcap policies` and these arguments print.
fn policies(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = simcap(folder.path(), &[&["policies"], arguments].concat());
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    text(&output.stdout)
}

#[test]
fn every_policy_is_listed_under_its_heading() {
    insta::assert_snapshot!(policies(&[]));
}

#[test]
fn a_policy_has_a_manual_page() {
    insta::assert_snapshot!(policies(&["peak_ewma"]));
    insta::assert_snapshot!(policies(&["tiered"]));
    let printed = policies(&["openrouter"]);
    let words: Vec<&str> = printed.split_whitespace().collect();
    assert!(words.join(" ").contains("OpenRouter also has chain"), "{printed}");
}

#[test]
fn the_name_of_a_product_lists_what_it_has() {
    let printed = policies(&["envoy"]);
    let names: Vec<&str> = (printed.lines().filter_map(|line| line.strip_prefix("  ")))
        .filter(|line| !line.starts_with(' '))
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    for has in ["priority", "p2c"] {
        assert!(names.contains(&has), "{printed}");
    }
    assert!(!names.contains(&"latency_based"), "{printed}");
    assert!(printed.starts_with("Envoy has\n  priority"), "{printed}");
    assert!(policies(&["linkerd"]).starts_with("Linkerd has\n  peak_ewma"));
    assert!(policies(&["Tensor-Zero"]).starts_with("TensorZero has\n  tree"));
    // What others call it leads there too.
    assert!(policies(&["RoundRobin"]).starts_with("round_robin: "));
    let printed = policies(&["jsq"]);
    assert!(
        printed.starts_with("no policy is called `jsq`; these pages speak of it:\n  least_in_flight"),
        "{printed}"
    );
}

#[test]
fn an_unknown_policy_is_exit_code_2_with_the_nearest() {
    let folder = tempfile::tempdir().unwrap();
    for (name, near) in [("round_robbin", "round_robin"), ("litelm", "LiteLLM")] {
        let output = simcap(folder.path(), &["policies", name]);
        let expected = format!(
            "error: there is no policy `{name}`, nor a product of that name\nhelp: did you mean `{near}`?\nhelp: `simcap policies` lists all\n"
        );
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(2), expected));
    }
}

#[test]
fn a_price_table_that_nobody_asks_for_is_noted() {
    let folder = folder("everything", "mine");
    let table = r#"{ "m": { "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06 } }"#;
    std::fs::write(folder.path().join("prices.json"), table).unwrap();
    let output = simcap(folder.path(), &["check", "x.json", "--prices", "prices.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(
        text(&output.stderr),
        "note: nothing of the price table prices.json is used: no provider has `listed` prices\n"
    );
}

#[test]
fn a_breaker_that_can_never_open_is_noted() {
    let consecutive = r#"{ "consecutive": { "failures": 5, "open_for": "10s", "successes": 2 } }"#;
    let folder = folder(consecutive, r#""envoy_outlier""#);
    let output = simcap(folder.path(), &["check", "x.json"]);
    assert!(text(&output.stdout).contains("\nnote: envoy_outlier can never eject a provider: "));
}
