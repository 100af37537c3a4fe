//! Requests and attempts as rows of CSV files that are written while a replication runs.
//!
//! RFC 4180, UTF-8, a header line. Times are seconds with nine decimals and money has twelve, so that nothing is rounded and sums over a
//! file are those of the simulation. What did not happen is an empty cell. Text out of files is guarded as in [`crate::report::csv`].

use super::{Attempt, Nanos, Pico, Place, Story};
use crate::report::csv::text;

/// What the cells of a column are, where a file has types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A name, or none.
    Text,
    /// A whole number from 0 to 2⁶⁴ − 1.
    Count,
    /// Seconds, or an amount of money.
    Number,
    /// Whether something is so.
    Flag,
}

/// The columns of a row for each request.
pub const REQUESTS: [(&str, Kind); 27] = [
    ("policy", Kind::Text),
    ("replication", Kind::Count),
    ("request", Kind::Count),
    ("mirrored", Kind::Flag),
    ("class", Kind::Text),
    ("user", Kind::Count),
    ("stream", Kind::Text),
    ("turn", Kind::Count),
    ("tags", Kind::Text),
    ("priority", Kind::Count),
    ("arrived", Kind::Number),
    ("input_tokens", Kind::Count),
    ("output_tokens", Kind::Count),
    ("outcome", Kind::Text),
    ("provider", Kind::Text),
    ("attempts", Kind::Count),
    ("ttft", Kind::Number),
    ("e2e", Kind::Number),
    ("held_back", Kind::Number),
    ("queued", Kind::Number),
    ("connection", Kind::Number),
    ("at_provider", Kind::Number),
    ("back_off", Kind::Number),
    ("judged", Kind::Number),
    ("judging_cost", Kind::Number),
    ("cost", Kind::Number),
    ("response_cache", Kind::Number),
];

/// The first of [`REQUESTS`], those of an experiment without a response cache.
pub const WITHOUT_CACHE: usize = REQUESTS.len() - 1;

/// The columns of a row for each attempt.
pub const ATTEMPTS: [(&str, Kind); 20] = [
    ("policy", Kind::Text),
    ("replication", Kind::Count),
    ("request", Kind::Count),
    ("mirrored", Kind::Flag),
    ("attempt", Kind::Count),
    ("provider", Kind::Text),
    ("hedge", Kind::Flag),
    ("made", Kind::Number),
    ("sent", Kind::Number),
    ("over", Kind::Number),
    ("outcome", Kind::Text),
    ("faulty", Kind::Flag),
    ("connection", Kind::Number),
    ("queue", Kind::Number),
    ("prefill", Kind::Number),
    ("decode", Kind::Number),
    ("input_tokens", Kind::Count),
    ("cached_tokens", Kind::Count),
    ("billed_output_tokens", Kind::Count),
    ("cost", Kind::Number),
];

/// The row of a request. Its provider is that of its last attempt.
pub fn request(story: &Story) -> [String; REQUESTS.len()] {
    let [cache, held_back, queued, connection, provider, back_off, judge] =
        Place::ALL.map(|place| seconds(story.time_in(place)));
    [
        text(&story.policy),
        story.replication.to_string(),
        story.id.to_string(),
        story.mirrored.to_string(),
        text(&story.class),
        story.user.map(|user| user.to_string()).unwrap_or_default(),
        story.stream.as_deref().map(text).unwrap_or_default(),
        story.turn.map(|turn| turn.to_string()).unwrap_or_default(),
        text(&tags(story)),
        story.priority.to_string(),
        format!("{:.9}", story.arrived),
        story.input.to_string(),
        story.output.to_string(),
        story.outcome.name().to_owned(),
        last_provider(story).map(text).unwrap_or_default(),
        story.attempts.len().to_string(),
        story.ttft.map(seconds).unwrap_or_default(),
        seconds(story.e2e),
        held_back,
        queued,
        connection,
        provider,
        back_off,
        judge,
        money(story.judging),
        money(story.cost),
        cache,
    ]
}

/// The tags of a request in a cell: `team=search;region=eu`.
fn tags(story: &Story) -> String {
    let pairs = story.tags.iter().map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join(";")
}

/// The provider of the attempt that was over last.
fn last_provider(story: &Story) -> Option<&str> {
    let last = story.attempts.iter().max_by_key(|attempt| attempt.over);
    last.map(|attempt| attempt.provider.as_str())
}

/// The row of attempt number `index` of a request. Its moments are seconds after the request's arrival.
pub fn attempt(story: &Story, index: usize, of: &Attempt) -> [String; ATTEMPTS.len()] {
    let [input, cached, _, output] = of.billed.map(|tokens| tokens.to_string());
    [
        text(&story.policy),
        story.replication.to_string(),
        story.id.to_string(),
        story.mirrored.to_string(),
        (index + 1).to_string(),
        text(&of.provider),
        of.hedge.to_string(),
        seconds(of.made),
        of.sent.map(seconds).unwrap_or_default(),
        seconds(of.over),
        of.outcome.name().to_owned(),
        of.faulty.to_string(),
        seconds(of.connection),
        seconds(of.queue),
        seconds(of.prefill),
        seconds(of.decode),
        input,
        cached,
        output,
        money(of.cost),
    ]
}

fn seconds(time: Nanos) -> String {
    format!("{}.{:09}", time.0 / 1_000_000_000, time.0 % 1_000_000_000)
}

fn money(amount: Pico) -> String {
    format!("{}.{:012}", amount.0 / 1_000_000_000_000, amount.0 % 1_000_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_rounded() {
        assert_eq!(seconds(Nanos(u64::MAX)), "18446744073.709551615");
        assert_eq!(seconds(Nanos(5)), "0.000000005");
        assert_eq!(money(Pico(1_000_000_000_007)), "1.000000000007");
    }
}
