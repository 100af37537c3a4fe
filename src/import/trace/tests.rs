//! What traces say, form by form, and what is refused of them.

use std::io::Write;

use super::*;
use crate::form::named::Named;
use crate::traffic::arrivals::TraceColumns;

fn plainly(text: &str) -> Result<Trace, TraceError> {
    read(text.as_bytes(), &Reading::default())
}

fn rows(text: &str) -> Vec<(f64, u32, u32)> {
    let rows = plainly(text).unwrap().rows;
    rows.iter()
        .map(|row| (row.at.seconds(), row.input, row.output))
        .collect()
}

/// As many tokens as can be said, of no requests: their sum is none that can.
#[test]
fn the_greatest_counts_are_read() {
    let reading = Reading {
        columns: Some(TraceColumns {
            time: "t".to_owned(),
            input: "i".to_owned(),
            output: "o".to_owned(),
            requests: Some("n".to_owned()),
            unit: TimeUnit::Seconds,
        }),
        ..Reading::default()
    };
    let text = format!("t,n,i,o\n0,0,{0},{0}\n60,2,9,4\n", u32::MAX);
    let trace = read(text.as_bytes(), &reading).unwrap();
    let rows: Vec<(u32, u32)> = trace.rows.iter().map(|row| (row.input, row.output)).collect();
    assert_eq!(rows, [(5, 2), (4, 2)]);
    let said = trace.notes.join("\n");
    assert!(said.contains("1 of 2 rows have tokens and no requests"), "{said}");
}

#[test]
fn azures_form_is_read_to_the_tenth_of_a_microsecond() {
    let text = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
                2023-11-16 23:59:59.9799600,4808,10\n\
                2023-11-17 00:00:00.0319600,3180,0";
    assert_eq!(rows(text), [(0.0, 4808, 10), (0.052, 3180, 1)]);
    // That of 2024 has offsets, which may change.
    let text = "TIMESTAMP,ContextTokens,GeneratedTokens\n\
                2024-05-10 00:00:00.5+00:00,2162,5\n2024-05-10 02:00:01+02:00,76,15\n";
    assert_eq!(rows(text), [(0.0, 2162, 5), (0.5, 76, 15)]);
    // That of 2025 has images.
    let text = "TIMESTAMP,NumImages,ContextTokens,GeneratedTokens\n2024-10-15T12:00:00.269Z,2,1,1\n";
    assert!(plainly(text).unwrap().notes[0].contains("images of its requests"));
    assert!(plainly(&text.replace(",2,", ",0,")).unwrap().notes.is_empty());
}

#[test]
fn columns_may_come_in_any_order_and_times_as_seconds() {
    let text = "GeneratedTokens,x,TIMESTAMP,ContextTokens\n7,?,1.5,3\n8,?,3,4\n";
    assert_eq!(rows(text), [(0.0, 3, 7), (1.5, 4, 8)]);
    // As a table program in a country with decimal commas writes it, with a byte order mark.
    let text = "\u{feff}GeneratedTokens;TIMESTAMP;ContextTokens\n7;1,5;3\n8;3;4\n";
    assert_eq!(rows(text), [(0.0, 3, 7), (1.5, 4, 8)]);
}

/// The rows of BurstGPT's own README, one of which failed.
#[test]
fn burstgpts_failed_requests_are_left_out_and_told() {
    let text = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n\
                5,ChatGPT,472,18,490,Conversation log\n45,ChatGPT,1087,230,1317,Conversation log\n\
                118,GPT-4,417,276,693,Conversation log\n120,ChatGPT,1360,0,1360,API log\n";
    assert_eq!(rows(text), [(0.0, 472, 18), (40.0, 1087, 230), (113.0, 417, 276)]);
    let notes = plainly(text).unwrap().notes;
    assert!(notes[0].contains("several models"), "{notes:?}");
    assert_eq!(
        notes[1],
        "1 of 4 rows have no answer, so their requests failed: they are left out"
    );
    let only = Reading {
        only: vec![("Model".to_owned(), "GPT-4".to_owned())],
        ..Reading::default()
    };
    let trace = read(text.as_bytes(), &only).unwrap();
    assert_eq!(trace.rows.len(), 1);
    assert_eq!(
        trace.notes,
        ["3 of 4 rows are of other values than `only` asks for, and are left out"]
    );
}

/// Whatever the form is: an output of nothing is what was asked only where the request has not failed.
#[test]
fn a_row_that_says_that_it_failed_and_has_no_output_is_left_out() {
    let text = "timestamp,prompt_tokens,completion_tokens,status\n1700000000.25,500,139,200\n1700000001.5,500,0,500\n\
                1700000002.75,400,0,200\n1700000003.5,400,0,Error\n1700000004.25,300,7,500\n";
    assert_eq!(rows(text), [(0.0, 500, 139), (2.5, 400, 1), (4.0, 300, 7)]);
    let trace = plainly(text).unwrap();
    assert_eq!(trace.facts.failed, 2);
    assert!(
        trace
            .notes
            .contains(&"2 of 5 rows have no answer, so their requests failed: they are left out".to_owned()),
        "{:?}",
        trace.notes
    );
}

#[test]
fn mooncakes_lines_are_milliseconds() {
    let text = "{\"timestamp\": 27482, \"input_length\": 6955, \"output_length\": 52, \"hash_ids\": [46, 47]}\n\n\
                {\"timestamp\": 30535, \"input_length\": 6472, \"output_length\": 26, \"hash_ids\": [46]}\n";
    assert_eq!(rows(text), [(0.0, 6955, 52), (3.053, 6472, 26)]);
    // The second prompt is one block, which the first began with: 6,472 of 13,427 tokens.
    let notes = plainly(text).unwrap().notes;
    assert_eq!(
        notes,
        [
            "which prompts begin alike (`hash_ids`) is not heeded row by row: 50.0% of the prompts begin with what an earlier one began with, \
          48.2% of all their tokens, the most that a prompt cache could find: \
          `\"prompt_cache\": { \"random\": { \"hit\": \"50%\", \"share\": \"96.403%\" } }`"
        ]
    );
}

#[test]
fn any_other_form_is_read_by_its_columns_and_packed_too() {
    let text = "when,in,out\n1700000000500,1,2\n1700000001500,3,4\nnonsense,1,1\n";
    let reading = Reading {
        columns: Some(TraceColumns {
            time: "when".to_owned(),
            input: "in".to_owned(),
            output: "out".to_owned(),
            requests: None,
            unit: TimeUnit::Milliseconds,
        }),
        skip_bad_rows: 1,
        ..Reading::default()
    };
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    for bytes in [text.as_bytes().to_vec(), packed.finish().unwrap()] {
        let trace = read(&bytes[..], &reading).unwrap();
        assert_eq!(trace.rows.iter().nth(1).unwrap().at, Span::from_secs(1));
        assert_eq!(
            trace.notes,
            ["1 of 3 rows cannot be read, and are left out as `skip_bad_rows` allows"]
        );
    }
}

/// OTLP's JSON by opentelemetry-proto's `trace.proto`: a call, one that failed, one by the older names, and a tool.
const SPANS: &str = r#"{"resourceSpans":[{"resource":{"attributes":[]},"scopeSpans":[{"scope":{"name":"x"},"spans":[
  {"name":"chat gpt-4o","startTimeUnixNano":"1544712662500000000","endTimeUnixNano":"1544712663000000000","status":{},
   "attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"chat"}},{"key":"gen_ai.request.model","value":{"stringValue":"gpt-4o"}},
     {"key":"gen_ai.usage.input_tokens","value":{"intValue":"100"}},{"key":"gen_ai.usage.output_tokens","value":{"intValue":16}}]},
  {"name":"chat gpt-4o","startTimeUnixNano":"1544712663000000000","endTimeUnixNano":"1544712664000000000",
   "attributes":[{"key":"gen_ai.request.model","value":{"stringValue":"gpt-4o"}},{"key":"error.type","value":{"stringValue":"429"}}],
   "status":{"code":2}}]}]}]}
  {"resourceSpans":[{"scopeSpans":[{"spans":[
  {"name":"chat o3","startTimeUnixNano":"1544712660000000000","endTimeUnixNano":"1544712661000000000",
   "attributes":[{"key":"gen_ai.request.model","value":{"stringValue":"o3"}},{"key":"gen_ai.usage.prompt_tokens","value":{"intValue":"7"}},
     {"key":"gen_ai.usage.completion_tokens","value":{"doubleValue":9.0}}]},
  {"name":"execute_tool x","startTimeUnixNano":"1","endTimeUnixNano":"2",
   "attributes":[{"key":"gen_ai.operation.name","value":{"stringValue":"execute_tool"}}]}]}]}]}"#;

#[test]
fn spans_of_calls_are_rows() {
    assert_eq!(rows(SPANS), [(0.0, 7, 9), (2.5, 100, 16)]);
    let trace = plainly(SPANS).unwrap();
    assert_eq!((trace.facts.aside, trace.facts.failed, trace.facts.read), (1, 1, 4));
    assert_eq!(trace.facts.form, Some("OpenTelemetry's spans"));
    let said = trace.notes.join("; ");
    for part in [
        "requests to several models (`gen_ai.request.model`)",
        "1 of 4 rows are no calls of a language model",
        "1 of 4 rows have no answer",
    ] {
        assert!(said.contains(part), "{said}");
    }
    let only = Reading {
        only: vec![("gen_ai.request.model".to_owned(), "o3".to_owned())],
        ..Reading::default()
    };
    assert_eq!(read(SPANS.as_bytes(), &only).unwrap().rows.len(), 1);
}

/// `/spend/logs/v2` of LiteLLM 1.110.2 wraps its rows; Langfuse's and Helicone's interfaces do, too.
#[test]
fn a_list_and_pages_of_it_are_what_their_rows_are() {
    let one =
        r#"{"startTime": "2026-01-31T12:00:00.000Z", "prompt_tokens": 100, "completion_tokens": 11, "model": "gpt"}"#;
    let two = r#"{"model": "gpt", "completion_tokens": 5, "prompt_tokens": 7, "startTime": "2026-01-31T12:00:01.500Z", "metadata": {"data": [1]}}"#;
    let expected = [(0.0, 100, 11), (1.5, 7, 5)];
    let page = |rows: &str, total: u32| format!("{{\"data\": [{rows}], \"total\": {total}, \"total_pages\": 2}}");
    for text in [
        format!("{one}\n{two}\n"),
        format!("[{one}, {two}]"),
        format!("\u{feff}[\n{one},\n{two}\n]\n"),
        page(&format!("{one}, {two}"), 2),
        page(one, 2) + "\n" + &page(two, 2),
    ] {
        assert_eq!(rows(&text), expected, "{text}");
        assert!(
            plainly(&text).unwrap().notes.is_empty(),
            "{:?}",
            plainly(&text).unwrap().notes
        );
    }
    let notes = plainly(&page(one, 90)).unwrap().notes;
    assert!(
        notes[0].starts_with("its pages have 1 rows of 90: the other pages are missing"),
        "{notes:?}"
    );
    let langfuse = r#"{"data": [{"id": "a", "type": "SPAN", "startTime": "2026-01-31T12:00:00Z", "usageDetails": {}},
        {"id": "b", "type": "GENERATION", "startTime": "2026-01-31T12:00:02Z", "usageDetails": {"input": 12, "output": 3, "total": 15}}],
        "meta": {"page": 1, "limit": 50, "totalItems": 2, "totalPages": 1}}"#;
    assert_eq!(rows(langfuse), [(0.0, 12, 3)]);
    let helicone = r#"[{"request_created_at": "2026-01-31T12:00:00.5+00:00", "prompt_tokens": 4, "completion_tokens": 2, "request_user_id": "x"}]"#;
    assert_eq!(rows(helicone), [(0.0, 4, 2)]);
}

/// "TIMESTAMP,ContextTokens,GeneratedTokens\n1,2,3\n4,5,6\n" by zstd 1.5.4 (`zstd -19`), and as UTF-16.
#[test]
fn other_encodings_and_packings_say_the_same() {
    let text = "TIMESTAMP,ContextTokens,GeneratedTokens\n1,2,3\n4,5,6\n";
    let expected = [(0.0, 2, 3), (3.0, 5, 6)];
    let units: Vec<u16> = [0xfeff].into_iter().chain(text.encode_utf16()).collect();
    let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    let packed =
        b"(\xb5/\xfd$4\xa1\x01\x00TIMESTAMP,ContextTokens,GeneratedTokens\x0a1,2,3\x0a4,5,6\x0au\xcb\x03\x03".to_vec();
    let mut both = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    both.write_all(&little).unwrap();
    for bytes in [little, big, packed, both.finish().unwrap()] {
        let trace = read(&bytes[..], &Reading::default()).unwrap();
        let found: Vec<_> = trace
            .rows
            .iter()
            .map(|row| (row.at.seconds(), row.input, row.output))
            .collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn what_is_wrong_is_named_by_line() {
    let head = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
    for (text, message) in [
        (
            "TIMESTAMP,ContextTokens\n1,2\n".to_owned(),
            "no column `GeneratedTokens`; the header has: TIMESTAMP, ContextTokens",
        ),
        (head.to_owned(), "no rows under the header"),
        (
            format!("{head}1,2,3\n1,-2,3\n"),
            "line 3: ContextTokens: \"-2\" is not a number of tokens, from 0 to 4294967295",
        ),
        (
            format!("{head}yesterday,2,3\n"),
            "line 2: TIMESTAMP: \"yesterday\" is not a time like 2023-11-16 18:17:03.9799600 or a number of seconds",
        ),
        (
            format!("{head}2024-02-30 00:00:00,2,3\n"),
            "line 2: TIMESTAMP: there is no time \"2024-02-30 00:00:00\"",
        ),
        (
            format!("{head}0,2,3\n1000000000000000000,2,3\n"),
            "line 3: TIMESTAMP: \"1000000000000000000\" is no number of seconds, but of a smaller unit: say in `replay` which columns are which, with \"unit\": \"ns\"",
        ),
        (
            format!("{head}0,2,3\n999999999,2,3\n"),
            "line 3: TIMESTAMP: \"999999999\" is more than ten years from the first row",
        ),
        (
            "TIMESTAMP,ContextTokens,timestamp,GeneratedTokens\n1,2,3,4\n".to_owned(),
            "the header has 2 columns `TIMESTAMP`: which is meant?",
        ),
        (format!("{head}1,2\n"), "line 2: a row of 2 cells under a header of 3"),
        (
            "{\"timestamp\": 1, \"input_length\": 2, \"output_length\": 3}\n{\n".to_owned(),
            "line 2: it is not a JSON object: EOF while parsing an object",
        ),
        (
            "\u{1f}\u{8b}".to_owned(),
            "no trace of a known form; it has: \\u{1f}\\u{8b}",
        ),
        ("[{\"a\": 1}]".to_owned(), "no trace of a known form; it has: a"),
        ("[]".to_owned(), "it has no rows: its lists are empty"),
        (String::new(), "it is empty"),
    ] {
        let said = plainly(&text).unwrap_err().to_string();
        assert_eq!(said.lines().next().unwrap(), message);
    }
    let escape = plainly("\u{1b}[31mTIMESTAMP,a\n").unwrap_err().to_string();
    assert!(
        escape.starts_with("no trace of a known form; it has: \\u{1b}[31mTIMESTAMP, a"),
        "{escape}"
    );
}

/// Milliseconds since 1970 that are read as seconds would make a trace a thousand times as long.
#[test]
fn a_smaller_unit_than_seconds_is_told_by_its_numbers() {
    let head = "TIMESTAMP,ContextTokens,GeneratedTokens\n";
    for (time, unit) in [
        ("1764000000123", "ms"),
        ("1764000000123456", "us"),
        ("1764000000123456789", "ns"),
    ] {
        let said = plainly(&format!("{head}{time},2,3\n")).unwrap_err().to_string();
        assert!(
            said.contains(&format!("\"unit\": \"{unit}\"")) || said.contains("is not a time"),
            "{said}"
        );
    }
    assert!(plainly(&format!("{head}1764000000.5,2,3\n")).is_ok());
}

#[test]
fn a_cell_is_quoted_in_part() {
    let text = format!("TIMESTAMP,ContextTokens,GeneratedTokens\n1,{},1\n", "9".repeat(900_000));
    let message = plainly(&text).unwrap_err().to_string();
    assert!(
        message.starts_with("line 2: ContextTokens: \"999") && message.len() < 200,
        "{message}"
    );
}

/// A replay with columns is another reading of the same file.
#[test]
fn a_replay_says_how_its_trace_is_read() {
    use crate::traffic::arrivals::{BuildArrivals, Replay};
    let spec: Replay = serde_json::from_str(r#"{ "trace": "x", "only": { "a": "b" }, "skip_bad_rows": 3 }"#).unwrap();
    assert_eq!(spec.only, Named::from_iter([("a".to_owned(), "b".to_owned())]));
    assert_eq!(spec.reading().skip_bad_rows, 3);
    assert!(spec.ends());
}

/// More rows than are sorted at once, in no order: as they are in order.
#[test]
fn a_trace_in_disorder_is_the_same_as_in_order() {
    let text = |order: &dyn Fn(u64) -> u64| {
        let mut text = "time,input,output\n".to_owned();
        for i in 0..600_007_u64 {
            let at = order(i);
            text += &format!("{at},{},{}\n", at % 5000, 1 + at % 300);
        }
        text
    };
    let reading = Reading {
        columns: Some(TraceColumns {
            time: "time".to_owned(),
            input: "input".to_owned(),
            output: "output".to_owned(),
            requests: None,
            unit: TimeUnit::Milliseconds,
        }),
        ..Reading::default()
    };
    // 600,007 is a prime, so that every time comes once.
    let mixed = read(text(&|i| i * 7919 % 600_007).as_bytes(), &reading).unwrap();
    let plain = read(text(&|i| i).as_bytes(), &reading).unwrap();
    assert_eq!((mixed.rows.len(), mixed.facts.earlier > 1000), (600_007, true));
    assert_eq!(plain.facts.earlier, 0);
    assert!(mixed.rows == plain.rows);
    assert_eq!(mixed.facts.resolution, Span::from_millis(1));
}

/// Anthropic's `input_tokens` are those behind the last cache breakpoint; Langfuse takes parts of a usage out of its `input` and `output`.
#[test]
fn tokens_that_a_form_counts_apart_are_added() {
    let text = r#"{"timestamp": 1, "input_tokens": 350, "cache_read_input_tokens": 5000, "cache_creation_input_tokens": 100, "output_tokens": 24}
        {"timestamp": 2, "input_tokens": 10, "output_tokens": 5}"#;
    assert_eq!(rows(text), [(0.0, 5450, 24), (1.0, 10, 5)]);
    assert_eq!(
        plainly(text).unwrap().notes,
        [
            "`cache_read_input_tokens`, `cache_creation_input_tokens` are added to `input_tokens`, which does not count them"
        ]
    );
    let text = r#"{"type": "GENERATION", "startTime": "2026-03-02T09:00:00Z",
        "usageDetails": {"input": 200, "input_cached_tokens": 1024, "output": 50, "output_reasoning_tokens": 400, "total": 1674}}"#;
    assert_eq!(rows(text), [(0.0, 1224, 450)]);
}

#[test]
fn rows_that_cannot_be_taken_apart_may_be_left_out_too() {
    let lenient = |skip_bad_rows| Reading {
        skip_bad_rows,
        ..Reading::default()
    };
    let head = r#"{"timestamp": 1, "input_tokens": 5, "output_tokens": 6}"#;
    for (bad, why) in [
        (
            r#"{"timestamp": 2, "input_tokens": }"#,
            "line 2: it is not a JSON object: expected value",
        ),
        ("what is this", "line 2: it is not a JSON object"),
        (
            r#"{"timestamp": 2, "input_tokens": 5, "input_tokens": 900, "output_tokens": 6}"#,
            "line 2: it is not a JSON object: `input_tokens` is there twice",
        ),
    ] {
        let text = format!("{head}\n{bad}\n{head}\n");
        assert_eq!(read(text.as_bytes(), &lenient(0)).unwrap_err().to_string(), why);
        let trace = read(text.as_bytes(), &lenient(1)).unwrap();
        assert_eq!((trace.rows.len(), trace.facts.bad), (2, 1), "{bad}");
    }
    let text = "timestamp,input_tokens,output_tokens\n1,2\n2,3,4\n3,4,5,6\n";
    assert!(matches!(
        read(text.as_bytes(), &lenient(1)),
        Err(TraceError::Row { line: 4, .. })
    ));
    let trace = read(text.as_bytes(), &lenient(2)).unwrap();
    assert_eq!((trace.rows.len(), trace.facts.bad), (1, 2));
}

#[test]
fn what_python_writes_for_no_number_is_a_missing_figure() {
    let text = r#"{"startTime": "2026-03-02T09:00:01Z", "prompt_tokens": 5, "completion_tokens": 6, "spend": NaN}"#;
    let trace = plainly(text).unwrap();
    assert_eq!(trace.rows.len(), 1);
    assert!(
        trace.notes[0].starts_with("1 figures that stand as NaN"),
        "{:?}",
        trace.notes
    );
}

#[test]
fn cells_are_parted_as_table_programs_part_them() {
    for text in [
        "timestamp|input_tokens|output_tokens\n1|2|3\n",
        "sep=;\ntimestamp;input_tokens;output_tokens\n1;2;3\n",
        "sep=|\r\ntimestamp|input_tokens|output_tokens\r\n1|2|3\r\n",
        "timestamp;input_tokens;output_tokens\n1,0;2,0;3,0\n",
    ] {
        assert_eq!(rows(text), [(0.0, 2, 3)], "{text}");
    }
    let error = plainly("sep=;\ntimestamp;input_tokens;output_tokens\n1;x;3\n").unwrap_err();
    assert!(error.to_string().starts_with("line 3: "), "{error}");
}

#[test]
fn dates_are_read_as_rfc_3339_and_germans_write_them() {
    let text = "timestamp,input_tokens,output_tokens\n2026-02-28t10:00:03z,1,1\n28.02.2026 10:00:05,2,2\n";
    assert_eq!(rows(text), [(0.0, 1, 1), (2.0, 2, 2)]);
    let error = plainly("timestamp,input_tokens,output_tokens\n2026-02-30 10:00:00,1,1\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "line 2: timestamp: there is no time \"2026-02-30 10:00:00\""
    );
}

#[test]
fn dates_without_a_zone_are_told_of() {
    for (time, has_none) in [
        ("2026-10-25 02:30:00", true),
        ("2026-10-25T02:30:00.5Z", false),
        ("2026-10-25 02:30:00+01:00", false),
        ("12.5", false),
    ] {
        let text = format!("timestamp,input_tokens,output_tokens\n{time},1,1\n");
        assert_eq!(plainly(&text).unwrap().facts.has_no_zone, has_none, "{time}");
    }
}
