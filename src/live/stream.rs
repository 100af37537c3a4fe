//! A streamed answer as it arrives: when its first token came, the gaps between chunks, and how it ended.
//!
//! Times are microseconds since the probe was sent, given by the code that reads the socket: there is no clock here. A
//! gap is the time between two chunks that carry tokens, which may be several tokens or part of one; chunks that one
//! read of the socket delivered have none between them. A bucket of gaps is a thirty-second of its power of two wide.
//! read of the socket delivered have none between them. Buckets of gaps are a thirty-second of their power of two wide.

use std::collections::BTreeMap;

use crate::calibrate::answer::{self, ApiError};
use crate::calibrate::probe::{Probe, Usage};
use crate::calibrate::sse::Parser;

/// How a stream ended by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The stream ended with `[DONE]`.
    Done,
    /// The stream ended with an error in place of a chunk.
    Error(ApiError),
    /// The stream held something that is not a chunk, as described.
    Malformed(String),
}

/// A stream that is being read.
#[derive(Debug)]
pub(super) struct Stream {
    parser: Parser,
    told: Told,
}

/// What the events have reported so far.
#[derive(Debug, Default)]
struct Told {
    /// The number of chunks with tokens beyond which the stream cannot be an answer to the request.
    most_chunks: u32,
    first_reasoning_us: Option<u64>,
    first_content_us: Option<u64>,
    last_token_us: Option<u64>,
    chunks: u32,
    gaps: BTreeMap<u64, u32>,
    usage: Option<Usage>,
    finish: Option<String>,
    ended: Option<Ended>,
}

impl Stream {
    /// A stream that may have up to `max_output` tokens.
    pub(super) fn new(max_output: u32) -> Stream {
        // A token may come in several chunks (a character of four bytes), but not in very many.
        let most_chunks = max_output.saturating_mul(16).saturating_add(1000);
        Stream {
            parser: Parser::default(),
            told: Told {
                most_chunks,
                ..Told::default()
            },
        }
    }

    /// Takes bytes that arrived at `at`, in microseconds.
    pub(super) fn feed(&mut self, bytes: &[u8], at: u64) {
        let told = &mut self.told;
        if let Err(error) = self.parser.feed(bytes, |event| told.take(event.name, event.data, at)) {
            told.ended.get_or_insert(Ended::Malformed(error.to_string()));
        }
    }

    /// How the stream ended, if it did.
    pub(super) fn ended(&self) -> Option<&Ended> {
        self.told.ended.as_ref()
    }

    /// The finish reason of the answer in it.
    pub(super) fn finish(&self) -> Option<&str> {
        self.told.finish.as_deref()
    }

    /// When the last token came, in microseconds.
    pub(super) fn last_token_us(&self) -> Option<u64> {
        self.told.last_token_us
    }

    /// Writes the observations to `probe`.
    pub(super) fn write(&self, probe: &mut Probe) {
        let told = &self.told;
        probe.first_reasoning_us = told.first_reasoning_us;
        probe.first_content_us = told.first_content_us;
        probe.last_token_us = told.last_token_us;
        probe.gaps = told.gaps.iter().map(|(&edge, &count)| (edge, count)).collect();
        probe.chunks = told.chunks;
        probe.usage = told.usage;
    }
}

impl Told {
    fn take(&mut self, name: &str, data: &str, at: u64) {
        if self.ended.is_some() {
            return;
        }
        if data == "[DONE]" {
            self.ended = Some(Ended::Done);
            return;
        }
        let chunk = match answer::read(data.as_bytes()) {
            Ok(chunk) => chunk,
            // An error's data need not be JSON.
            Err(_) if name == "error" => {
                self.ended = Some(Ended::Error(ApiError {
                    message: data.to_owned(),
                    ..ApiError::default()
                }));
                return;
            }
            Err(words) => {
                self.ended = Some(Ended::Malformed(words));
                return;
            }
        };
        if let Some(error) = chunk.error {
            self.ended = Some(Ended::Error(error));
            return;
        }
        if name == "error" {
            self.ended = Some(Ended::Error(answer::error_of_body(data.as_bytes())));
            return;
        }
        // Some endpoints report a running count with every chunk: the last count holds.
        self.usage = chunk.usage.or(self.usage);
        self.finish = chunk.finish.or(self.finish.take());
        if !chunk.content && !chunk.reasoning {
            return;
        }
        if chunk.reasoning {
            self.first_reasoning_us.get_or_insert(at);
        }
        if chunk.content {
            self.first_content_us.get_or_insert(at);
        }
        if let Some(last) = self.last_token_us.replace(at) {
            *self.gaps.entry(bucket(at - last)).or_insert(0) += 1;
        }
        self.chunks += 1;
        if self.chunks >= self.most_chunks {
            self.ended = Some(Ended::Malformed(format!(
                "{} chunks and no end, many more than the tokens that were asked for",
                self.chunks
            )));
        }
    }
}

/// The lower edge of the bucket that a gap falls into.
fn bucket(us: u64) -> u64 {
    let shift = us.checked_ilog2().unwrap_or(0).saturating_sub(5);
    us >> shift << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(stream: &[(&str, u64)]) -> (Probe, Option<Ended>) {
        let mut read = Stream::new(4);
        for (bytes, at) in stream {
            read.feed(bytes.as_bytes(), *at);
        }
        let mut probe = Probe::default();
        read.write(&mut probe);
        (probe, read.ended().cloned())
    }

    const ROLE: &str = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n";
    const TOKEN: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n";
    const THOUGHT: &str = "data: {\"choices\":[{\"delta\":{\"reasoning\":\"a\"}}]}\n\n";
    const USAGE: &str = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\n";
    const DONE: &str = "data: [DONE]\n\n";

    #[test]
    fn the_role_is_no_token_and_usage_is_not_the_last() {
        let stream = [
            (": hello\n\n", 1),
            (ROLE, 5),
            (TOKEN, 200),
            (TOKEN, 210),
            (USAGE, 900),
            (DONE, 901),
        ];
        let (probe, ended) = after(&stream);
        assert_eq!((probe.first_content_us, probe.last_token_us), (Some(200), Some(210)));
        assert_eq!((probe.chunks, probe.gaps), (2, vec![(10, 1)]));
        assert_eq!(probe.usage.map(|usage| usage.output), Some(4));
        assert_eq!(ended, Some(Ended::Done));
    }

    #[test]
    fn reasoning_stands_apart() {
        let (probe, _) = after(&[(THOUGHT, 100), (THOUGHT, 150), (TOKEN, 400)]);
        assert_eq!(
            (probe.first_reasoning_us, probe.first_content_us),
            (Some(100), Some(400))
        );
        assert_eq!((probe.chunks, probe.gaps), (3, vec![(50, 1), (248, 1)]));
    }

    #[test]
    fn a_chunk_in_pieces_has_the_time_of_its_last() {
        let (start, end) = TOKEN.split_at(20);
        let (probe, _) = after(&[(start, 100), (end, 200), (&TOKEN.repeat(3), 300)]);
        assert_eq!((probe.first_content_us, probe.chunks), (Some(200), 4));
        assert_eq!(probe.gaps, [(0, 2), (100, 1)]);
    }

    #[test]
    fn errors_and_nonsense_end_it() {
        let ended = |stream: &str| after(&[(stream, 1)]).1;
        let error = |text: &str| match ended(text) {
            Some(Ended::Error(error)) => error.message,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(error("data: {\"error\":{\"message\":\"boom\"}}\n\n"), "boom");
        assert_eq!(error("event: error\ndata: {\"message\":\"boom\"}\n\n"), "boom");
        assert_eq!(error("event: error\ndata: boom\n\n"), "boom");
        assert!(matches!(ended("data: <html>\n\n"), Some(Ended::Malformed(_))));
        assert!(matches!(ended(&TOKEN.repeat(2000)), Some(Ended::Malformed(_))));
        assert_eq!(ended(&TOKEN.repeat(900)), None);
    }

    #[test]
    fn buckets_are_a_thirty_second_wide() {
        for (us, edge) in [(0, 0), (31, 31), (63, 63), (64, 64), (65, 64), (1_000_000, 999_424)] {
            assert_eq!(bucket(us), edge);
        }
        for us in (1..2_000_000).step_by(977) {
            let edge = bucket(us);
            assert!(edge <= us && (us - edge) as f64 <= us as f64 / 32.0 && bucket(edge) == edge);
        }
    }
}
