//! Tests of the readers of logs, on files as their tools write them.

use super::gather::observed;
use super::*;
use crate::calibrate::log::Stage;

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
            sha256: file.into(),
        }],
        targets: targets.map(str::to_owned).into(),
        observations: [0, 1]
            .map(|target| Observation {
                unix: Some(unix + f64::from(target)),
                step: u32::from(target),
                ..observed(target, Outcome::Success)
            })
            .into(),
        warmups: vec![observed(1, Outcome::Success)],
        stages: vec![Stage {
            target: 1,
            ..Stage::default()
        }],
        notes: vec!["odd".into()],
        ..Log::default()
    };
    let joined = join(vec![log("one", ["a", "b"], 10.0), log("two", ["b", "c"], 0.0)]).unwrap();
    assert_eq!(joined.targets, ["a", "b", "c"]);
    // By the clock the second file comes first.
    let rows: Vec<_> = joined.observations.iter().map(|o| (o.target, o.step)).collect();
    assert_eq!(rows, [(1, 2), (2, 3), (0, 0), (1, 1)]);
    assert_eq!(joined.stages.iter().map(|s| s.target).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(joined.warmups.iter().map(|o| o.target).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(joined.notes, ["2 files: odd"]);
    assert_eq!(joined.sources.len(), 2);
}

#[test]
fn runs_of_one_endpoint_by_two_names_are_one_target() {
    let log = |name: &str, endpoints: &[(&str, &str)], unix: f64| Log {
        sources: vec![Source {
            file: name.into(),
            format: "test".into(),
            sha256: name.into(),
        }],
        targets: endpoints.iter().map(|(target, _)| (*target).to_owned()).collect(),
        endpoints: endpoints
            .iter()
            .map(|(target, is)| ((*target).to_owned(), (*is).to_owned()))
            .collect(),
        observations: vec![Observation {
            unix: Some(unix),
            ..observed(0, Outcome::Success)
        }],
        ..Log::default()
    };
    let joined = join(vec![
        log("1", &[("a", "m at http://x/v1"), ("twin", "m at http://x/v1")], 1.0),
        log("2", &[("b", "m at http://x/v1")], 2.0),
        log("3", &[("c", "n at http://x/v1")], 3.0),
    ])
    .unwrap();
    assert_eq!(joined.targets, ["a", "twin", "c"]);
    let of: Vec<_> = joined.observations.iter().map(|o| o.target).collect();
    assert_eq!(of, [0, 0, 2]);
    assert_eq!(
        joined.notes,
        ["b is a, the same endpoint by another name (m at http://x/v1): both are taken together"]
    );
}

#[test]
fn a_request_that_two_files_have_is_kept_once() {
    let at = |unix: f64| Observation {
        unix: Some(unix),
        ..observed(0, Outcome::Success)
    };
    let log = |observations: Vec<Observation>| Log {
        targets: vec!["a".into()],
        observations,
        ..Log::default()
    };
    let joined = join(vec![log(vec![at(1.0), at(2.0)]), log(vec![at(2.0), at(3.0)])]).unwrap();
    assert_eq!(
        joined.observations.iter().filter_map(|o| o.unix).collect::<Vec<_>>(),
        [1.0, 2.0, 3.0]
    );
    assert_eq!(joined.notes, ["1 requests are in several files and kept once"]);
}

/// FIPS 180-2, appendix B.1.
#[test]
fn a_file_is_known_by_its_sha256() {
    assert_eq!(
        sha256(b"abc"),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
}

#[test]
fn what_is_known_is_listed() {
    assert_eq!(
        refused("x.log", "{}"),
        "x.log: no measurement log that is known: it is an empty JSON object\n  known: simcap probes (JSON lines, `run` first); \
         GuideLLM JSON; AIPerf profile_export.jsonl; AIPerf and GenAI-Perf summary JSON; \
         inference-perf per_request_lifecycle_metrics.json; inference-perf stage_N_lifecycle_metrics.json; \
         SGLang bench_serving JSON lines; vLLM bench serve JSON; llmperf individual responses; oha CSV; oha JSON; LiteLLM spend logs (JSON, JSON lines or CSV); \
         Langfuse observations (JSON, JSON lines or CSV); Helicone requests (JSON, JSON lines or CSV); OpenTelemetry GenAI spans (OTLP JSON); thefastest.ai results\n  \
         a CSV of any other form: --map ttft=COLUMN:ms,e2e=COLUMN:s,…"
    );
}

/// One small file of each format, to be damaged.
const SAMPLES: [&str; 11] = [
    r#"{"data":[{"traceId":"t","type":"GENERATION","startTime":"2026-01-31T12:00:00Z","usageDetails":{"input":1},"level":"ERROR"}]}"#,
    r#"[{"request_id":"r","request_created_at":"2026-01-31T12:00:00Z","response_status":200,"delay_ms":3.5}]"#,
    r#"{"run":{"format":"simcap.probes/1","version":"0","unix_us":1,"seed":1,"plan":"","targets":["é"]}}"#,
    r#"{"metadata":{"guidellm_version":"0.8.1"},"benchmarks":[{"requests":{"successful":[{"request_start_time":1.5}]}}]}"#,
    r#"{"metadata":{"request_start_ns":1,"request_end_ns":2},"metrics":{"request_latency":{"value":1,"unit":"ms"}}}"#,
    r#"[{"start_time":1,"end_time":2,"info":{"output_tokens":3,"output_token_times":[1.5,2]},"error":null}]"#,
    r#"{"ttfts":[1],"itls":[[1]],"input_lens":[1],"output_lens":[2]}"#,
    r#"[{"error_code":null,"ttft_s":1,"end_to_end_latency_s":2,"number_output_tokens":3}]"#,
    "request-start,DNS,DNS+dialup,Response-delay,request-duration,bytes,status\n0.1,0,0,0.3,0.7,9,200\n",
    "request_id,startTime,endTime\na,2026-01-31 12:00:00,2026-01-31T12:00:01+01:00\n",
    r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":"1","endTimeUnixNano":"2","attributes":[]}]}]}]}"#,
];

proptest::proptest! {
    /// Values of other types, truncated files and changed bytes: an error or a log, never a panic.
    #[test]
    fn no_file_panics(
        sample in 0..SAMPLES.len(),
        cut in 0_usize..130,
        place in 0_usize..130,
        with in proptest::prelude::prop_oneof!["-?[0-9]{1,22}", "[\\[\\]{}\",:]", "null", "-1e308", "\\PC{0,3}"],
        cut_too: bool,
    ) {
        let mut bytes = SAMPLES[sample].as_bytes().to_vec();
        let place = place.min(bytes.len());
        bytes.splice(place..(place + with.len()).min(bytes.len()), with.bytes());
        if cut_too {
            bytes.truncate(cut);
        }
        let _ = read("x", &bytes);
        let mapping = Mapping::parse("at=startTime,end=endTime").unwrap();
        let _ = read_mapped("x", &bytes, &mapping);
    }

    #[test]
    fn no_mapping_panics(text in "\\PC{0,40}", field in "(ttft|at|end)=[a-z:]{0,5}") {
        let _ = Mapping::parse(&text);
        let _ = Mapping::parse(&field);
    }
}
