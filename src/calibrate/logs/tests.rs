use super::gather::observed;
use super::*;
use crate::calibrate::log::{Observation, Stage};
use crate::request::Outcome;

fn refused(file: &str, text: &str) -> String {
    read(file, text.as_bytes()).unwrap_err().to_string()
}

#[test]
fn what_is_no_log_is_told_apart() {
    for (text, looks) in [
        ("", "the file is empty"),
        (" \n\n", "the file is empty"),
        ("{\"a\": 1, \"b\": 2}", "it is a JSON object of `a`, `b`"),
        ("[]", "it is a JSON list"),
        ("[{\"x\": 1}]", "it is a list, and begins with a JSON object of `x`"),
        (
            "{\"x\":1}\n{\"x\":2}",
            "it has JSON lines, and the first is a JSON object of `x`",
        ),
        (
            "{\"x\":",
            "it begins like JSON but is none: EOF while parsing a value at line 1 column 5",
        ),
        ("a,b\n1,2\n", "it is no JSON, and begins \"a,b\""),
    ] {
        let message = refused("x.log", text);
        let first = message.lines().next().unwrap();
        assert_eq!(first, format!("x.log: no measurement log that is known: {looks}"));
    }
}

#[test]
fn logs_are_joined_by_the_names_of_their_targets() {
    let log = |file: &str, targets: [&str; 2], unix: f64| Log {
        sources: vec![Source {
            file: file.into(),
            format: "test".into(),
            sha256: String::new(),
        }],
        targets: targets.map(str::to_owned).into(),
        observations: [0, 1]
            .map(|target| Observation {
                unix: Some(unix + f64::from(target)),
                step: u32::from(target),
                ..observed(target, Outcome::Success)
            })
            .into(),
        stages: vec![Stage {
            target: 1,
            ..Stage::default()
        }],
        notes: vec!["odd".into()],
    };
    let joined = join(vec![log("one", ["a", "b"], 10.0), log("two", ["b", "c"], 0.0)]);
    assert_eq!(joined.targets, ["a", "b", "c"]);
    // By the clock the second file comes first.
    let rows: Vec<_> = joined.observations.iter().map(|o| (o.target, o.step)).collect();
    assert_eq!(rows, [(1, 2), (2, 3), (0, 0), (1, 1)]);
    assert_eq!(joined.stages.iter().map(|s| s.target).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(joined.notes, ["one: odd", "two: odd"]);
    assert_eq!(joined.sources.len(), 2);
}

/// FIPS 180-2, appendix B.1.
#[test]
fn a_file_is_known_by_its_sha256() {
    assert_eq!(
        sha256(b"abc"),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}
