//! Several results in one file: tools that append each run to the same file (vLLM's `--append-result`, SGLang's
//! `--output-file`) write one JSON value after another, each of which would be a log by itself.
//!
//! Whatever format a single result is known by is known here too. Each result is read as a log of its own and then they are
//! joined ([`super::join`]), so that their steps of load stay apart. A file of one value, or of lines that are requests, is
//! not of this kind.

use serde_json::{Deserializer, Value};

use super::{Format, Log, Look, Mistake, Source, join, known, without_place};

/// The results in a file of several, if its first value is by itself a log that is known.
pub(super) fn results(look: &Look<'_>) -> Option<Result<(String, Log), Mistake>> {
    let mut values = Deserializer::from_slice(&look.bytes).into_iter::<Value>();
    let first = Look::of(values.next()?.ok()?);
    let format = known(&first)?;
    let mut all = Vec::new();
    let mut next = Some((format, first, 0));
    while let Some((format, look_at, from)) = next.take() {
        match one(format, look_at, all.len()) {
            Ok(read) => all.push(read),
            Err(mistake) => return Some(Err(mistake.under(line_of(look, from)))),
        }
        let from = values.byte_offset();
        next = match values.next() {
            None => None,
            Some(Err(error)) => {
                let what = format!("no further result: {}", without_place(&error));
                return Some(Err(Mistake::new(format!("line {}", line_of(look, from)), what)));
            }
            Some(Ok(value)) => {
                let result = Look::of(value);
                match known(&result) {
                    Some(format) => Some((format, result, from)),
                    None => {
                        let place = format!("line {}", line_of(look, from));
                        return Some(Err(Mistake::new(
                            place,
                            format!("no further result: {}", result.describe()),
                        )));
                    }
                }
            }
        };
    }
    let many = all.len();
    let (formats, mut logs): (Vec<String>, Vec<Log>) = all.into_iter().unzip();
    // What is said of one result holds of the file.
    let mut notes: Vec<String> = logs.iter_mut().flat_map(|log| std::mem::take(&mut log.notes)).collect();
    let mut seen = std::collections::BTreeSet::new();
    notes.retain(|note| seen.insert(note.clone()));
    let joined = join(logs).map_err(|error| Mistake::new("", error.to_string()));
    Some(joined.map(|mut log| {
        log.notes.splice(0..0, notes);
        (format!("{}, {many} results", formats[0]), log)
    }))
}

/// One result as a log, with its number for a name.
fn one(format: &Format, look: Look<'_>, number: usize) -> Result<(String, Log), Mistake> {
    let (words, mut log) = (format.read)(look)?;
    let name = format!("result {}", number + 1);
    for stage in &mut log.stages {
        stage.name = match stage.name.as_str() {
            "" => name.clone(),
            named => format!("{name}, {named}"),
        };
    }
    log.sources = vec![Source {
        // Equal results are two runs that the tool has appended: they differ by their number.
        sha256: name.clone(),
        file: name,
        format: words.clone(),
    }];
    Ok((words, log))
}

/// The line on which the value behind byte `from` begins.
fn line_of(look: &Look<'_>, from: usize) -> usize {
    let rest = look.bytes.get(from..).unwrap_or_default();
    let begins = from + rest.len() - rest.trim_ascii_start().len();
    1 + look.bytes[..begins].iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::super::read;

    fn run(p50: f64) -> String {
        format!(
            r#"{{"model_id":"m","completed":9,"request_throughput":1,"request_rate":NaN,"mean_ttft_ms":{p50},"median_ttft_ms":{p50}}}"#
        )
    }

    /// One a line, or indented one after the other.
    #[test]
    fn results_are_stages_of_one_log() {
        for between in ["\n", "\n\n", " "] {
            let text = run(100.0) + between + &run(200.0) + between + &run(200.0) + "\n";
            let log = read("v.jsonl", text.as_bytes()).unwrap();
            let told: Vec<_> = log
                .stages
                .iter()
                .map(|s| (s.name.as_str(), s.ttft.as_ref().unwrap().mean.unwrap()))
                .collect();
            let expected = [
                ("v.jsonl, result 1", 0.1),
                ("v.jsonl, result 2", 0.2),
                ("v.jsonl, result 3", 0.2),
            ];
            assert_eq!(told, expected);
            assert_eq!(log.targets, ["m"]);
            assert_eq!(log.sources.len(), 1);
            assert_eq!(log.sources[0].format, "vLLM bench serve JSON, 3 results");
        }
    }

    #[test]
    fn a_result_that_cannot_be_read_is_named_by_its_line() {
        let told = |text: String| read("v.jsonl", text.as_bytes()).unwrap_err().to_string();
        assert_eq!(
            told(run(100.0) + "\n" + &run(1.0)[..20]),
            "v.jsonl: line 2: no further result: EOF while parsing a string"
        );
        assert_eq!(
            told(run(100.0) + "\n\n{\"x\": 1}\n"),
            "v.jsonl: line 3: no further result: it is a JSON object of `x`"
        );
        let detailed = r#"{"ttfts":[1],"itls":[[1]],"input_lens":[1,2],"output_lens":[2]}"#;
        assert_eq!(
            told(run(100.0) + "\n" + detailed),
            "v.jsonl: line 2, input_lens: 2 entries, and `ttfts` has 1"
        );
    }
}
