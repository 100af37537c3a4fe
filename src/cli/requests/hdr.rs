//! Times as an interval log of HdrHistogram (feature `hdr`): for its viewers and `HistogramLogProcessor`.
//!
//! Each policy has two tags, its name with `.ttft` and `.e2e`, and under each an interval for every replication, one after the other; values
//! are microseconds of the successes, to three digits. A name keeps its letters, digits, dots, dashes and underscores. The form is that of
//! hdrhistogram's version 2, compressed.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use crate::kernel::time::Span;
use crate::report::write::Streamed;

/// Significant digits of a value.
const DIGITS: u8 = 3;

/// The times of one policy in one replication.
pub(super) struct Interval {
    tag: String,
    starts: Duration,
    lasts: Duration,
    ttft: Histogram<u64>,
    e2e: Histogram<u64>,
}

impl Interval {
    /// An interval of replication number `replication`, of which so much time is counted.
    pub(super) fn new(policy: &str, replication: u64, counted: Span) -> anyhow::Result<Interval> {
        let plain = |c: char| {
            if c.is_ascii_alphanumeric() || ".-_".contains(c) {
                c
            } else {
                '_'
            }
        };
        let lasts = Duration::from_nanos(counted.nanos());
        Ok(Interval {
            tag: policy.chars().map(plain).collect(),
            starts: lasts.saturating_mul(u32::try_from(replication).unwrap_or(u32::MAX)),
            lasts,
            ttft: Histogram::new(DIGITS)?,
            e2e: Histogram::new(DIGITS)?,
        })
    }

    pub(super) fn record(&mut self, ttft: Span, e2e: Span) -> anyhow::Result<()> {
        self.ttft.record(ttft.nanos() / 1000)?;
        Ok(self.e2e.record(e2e.nanos() / 1000)?)
    }
}

/// Writes the log.
pub(super) fn write(file: &Path, intervals: &[Interval]) -> anyhow::Result<()> {
    let name = || format!("cannot write {}", file.display());
    let mut streamed = Streamed::create(file).with_context(name)?;
    let mut serializer = V2DeflateSerializer::new();
    let mut builder = IntervalLogWriterBuilder::new();
    builder.add_comment("[simulated by simcap; values in microseconds]");
    // Microseconds of a value for each millisecond that people are shown.
    builder.with_max_value_divisor(1000.0);
    let mut log = builder
        .begin_log_with(&mut streamed, &mut serializer)
        .with_context(name)?;
    for interval in intervals {
        for (what, histogram) in [("ttft", &interval.ttft), ("e2e", &interval.e2e)] {
            let tag = format!("{}.{what}", interval.tag);
            let written = log.write_histogram(histogram, interval.starts, interval.lasts, Tag::new(&tag));
            written.map_err(|error| anyhow!("{error:?}")).with_context(name)?;
        }
    }
    streamed.finish().with_context(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    #[test]
    fn the_log_is_read_back() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("times.hlog");
        let mut one = Interval::new("a policy", 2, Span::from_secs(60)).unwrap();
        for ms in 1..=1000 {
            one.record(Span::from_millis(ms), Span::from_millis(2 * ms)).unwrap();
        }
        write(&file, &[one]).unwrap();
        let text = std::fs::read(&file).unwrap();
        let entries = IntervalLogIterator::new(&text).filter_map(|entry| match entry.unwrap() {
            LogEntry::Interval(interval) => Some(interval),
            LogEntry::StartTime(_) | LogEntry::BaseTime(_) => None,
        });
        let found: Vec<_> = entries
            .map(|entry| {
                use base64::Engine as _;
                let bytes = base64::engine::general_purpose::STANDARD
                    .decode(entry.encoded_histogram())
                    .unwrap();
                let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..]).unwrap();
                let p95 = histogram.value_at_quantile(0.95) as f64;
                (
                    entry.tag().unwrap().as_str().to_owned(),
                    entry.start_timestamp(),
                    histogram.len(),
                    p95,
                )
            })
            .collect();
        for ((tag, starts, count, p95), (expected, micros)) in
            found.iter().zip([("a_policy.ttft", 950e3), ("a_policy.e2e", 1900e3)])
        {
            assert_eq!((tag.as_str(), starts.as_secs(), *count), (expected, 120, 1000));
            assert!((p95 / micros - 1.0).abs() < 1e-3, "{p95}");
        }
        assert_eq!(found.len(), 2);
    }
}
