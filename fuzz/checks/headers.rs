//! Any lines as headers: no panic, and no time beyond a century.
//!
//! Each line is a name and a value; bytes that are not a name stand in the value of one that is read.

use simcap::calibrate::headers;

/// 2026-11-21, in microseconds since 1970.
const NOW: u64 = 1_795_277_045_000_000;

/// A century and what was said as a date, in microseconds.
const LONGEST: u64 = 10_000 * 366 * 86_400 * 1_000_000;

/// Names that are read.
const NAMES: [&str; 6] = [
    "retry-after",
    "retry-after-ms",
    "x-ratelimit-reset-tokens",
    "x-ratelimit-limit",
    "anthropic-ratelimit-requests-reset",
    "anthropic-ratelimit-input-tokens-remaining",
];

/// Panics where what holds of any bytes does not hold of these.
pub(crate) fn check(bytes: &[u8]) {
    let lines = bytes.split(|&byte| byte == b'\n').enumerate();
    let headers = lines.map(|(i, line)| {
        let colon = line.iter().position(|&byte| byte == b':');
        let name = colon.and_then(|at| std::str::from_utf8(&line[..at]).ok());
        let value = colon.map_or(line, |at| &line[at + 1..]);
        (name.unwrap_or(NAMES[i % NAMES.len()]), value)
    });
    let said = headers::read(headers, NOW);
    assert!(said.retry_after_us.is_none_or(|us| us <= LONGEST));
    for quota in said
        .quotas
        .into_iter()
        .flat_map(|q| [q.requests, q.tokens, q.input_tokens, q.output_tokens])
        .flatten()
    {
        assert!(quota.reset_us.is_none_or(|us| us <= LONGEST));
    }
}
