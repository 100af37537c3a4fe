//! A recorded trace, request by request: real arrival times with real token lengths.
//!
//! The trace fixes arrivals and lengths, so every replication meets the same ones and only the providers' side varies:
//! the intervals then say nothing of how another hour of traffic would differ. With `resample` they do: each replication is put together
//! from stretches of the trace of that length, drawn anew, each of which may begin at any moment of it with equal chance, its end being joined
//! to its beginning (the circular block bootstrap, Politis and Romano 1992). What happens within a stretch stays together; stretches should be
//! longer than bursts are. `speed` 2 plays the trace in half its time, which doubles the rate and keeps its shape; a stretch is measured in the
//! trace's own time. Rows that share a time arrive together, in the order of the file.
//!
//! A trace may be a CSV, JSON (an object a line, a list, or pages of a list) or OpenTelemetry's spans, packed with gzip or zstd or not, in the forms
//! of Azure, BurstGPT, Mooncake and of several gateways' logs, or Azure Monitor's metrics; `columns` says which columns are which in any other, with points between the names of
//! members within members (`usage.input`), and `only` takes the rows that have certain values. What is done to the rows and what of a trace is not
//! heeded is said with the results.
//!
//! With `keep` requests are those of the users, classes and tags that their rows say, and limits, bills and metrics tell them apart as they do
//! of drawn traffic. A class is that of the same name, or what `classes` says of the value; a value that is neither is refused. Users are
//! numbered, and reports call them by twelve digits of a hash of their names.
//!
//! ```json
//! { "replay": { "trace": "AzureLLMInferenceTrace_conv.csv", "speed": 2.0 } }
//! ```
//!
//! ```json
//! { "replay": { "trace": "log.csv", "columns": { "time": "created_at", "input": "prompt", "output": "answer" }, "resample": "10m" } }
//! ```
//!
//! ```json
//! { "replay": { "trace": "spend.csv", "keep": { "user": "end_user", "class": "model_group", "classes": { "*": "chat" }, "tags": { "team": "team_id" } } } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Arrival, Arrivals, ArrivalsSpec, BuildArrivals, Recorded};
use crate::form::build::{Built, Names, Refusal};
use crate::form::named::Named;
use crate::form::units::{Duration, TimeUnit};
use crate::kernel::chance::{Key, Purpose};
use crate::kernel::time::{Span, Time};
use crate::traffic::kept::Keep;
use crate::traffic::rows::{Cursor, Entry, Rows};

/// A trace and how fast to play it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// The trace: a path relative to the experiment, or a file name that is looked up in `--trace` and SIMCAP_TRACES.
    pub trace: String,
    /// Factor on the recorded rate, from 0.001 to 10000: 2 plays the trace twice as fast. Default: 1.
    #[serde(default = "one")]
    pub speed: f64,
    /// Whether it begins anew when it has ended, until the plan's time is over. Default: false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub loops: bool,
    /// The length of the stretches that each replication is put together from, up to that of the trace. Default: the trace is
    /// played as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resample: Option<Duration>,
    /// The columns of a trace whose form is not a known one. Default: those of the form that its header shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<TraceColumns>,
    /// Values that rows must have, by column: `{ "Model": "GPT-4" }`. Default: all rows are taken.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub only: Named<String>,
    /// The columns that say whose requests the rows are, and of which class: requests carry on what these say. Default: none is heeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
    /// The number of rows that may be wrong: they are left out and counted. Default: 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skip_bad_rows: u64,
}

/// Which columns of a trace, or members of its objects, are which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TraceColumns {
    /// The column of the time of arrival: a date and a clock, or a number.
    pub time: String,
    /// The column of the input tokens.
    pub input: String,
    /// The column of the output tokens.
    pub output: String,
    /// The column of how many requests a row stands for, whose tokens are those of all of them together: rows that a monitor writes by the
    /// minute. They share the tokens evenly and are spread over the row's time. Default: a row is one request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<String>,
    /// The unit of times that are numbers. Default: seconds.
    #[serde(default)]
    pub unit: TimeUnit,
}

/// How a trace's file is read: what tells two readings of one file apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The columns of a form that is not a known one.
    pub columns: Option<TraceColumns>,
    /// The values that rows must have, by column.
    pub only: Vec<(String, String)>,
    /// The columns of whose requests the rows are.
    pub keep: Option<Keep>,
    /// The number of rows that may be wrong.
    pub skip_bad_rows: u64,
}

fn one() -> f64 {
    1.0
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// One request of a recorded trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The time of arrival, counted from the first row.
    pub at: Span,
    /// The number of input tokens.
    pub input: u32,
    /// The number of output tokens.
    pub output: u32,
}

impl BuildArrivals for Replay {
    fn build(&self, trace: Option<Rows>, _names: &Names<'_>) -> Built<Box<dyn Arrivals>> {
        if !(1e-3..=1e4).contains(&self.speed) {
            return Err(
                Refusal::new(format!("speed is {}, and must lie between 0.001 and 10000", self.speed)).at("speed"),
            );
        }
        let rows = trace.ok_or_else(|| Refusal::new("the trace was not loaded").at("trace"))?;
        let whole = whole(&rows);
        let stretch = match (self.resample.map(Duration::span), self.loops) {
            (Some(_), true) => {
                let text = "a trace that is put together anew has no end: leave `loops` out";
                return Err(Refusal::new(text).at("loops"));
            }
            (Some(stretch), false) => {
                let least = Span::from_nanos(whole.nanos() / MOST_STRETCHES);
                if stretch > whole || stretch < least || stretch == Span::ZERO {
                    let text =
                        format!("stretches of {stretch}: must be {least} to {whole}, which is the trace's length");
                    return Err(Refusal::new(text).at("resample"));
                }
                Some(stretch)
            }
            // Of a trace that is looped every stretch is the whole.
            (None, true) if whole == Span::ZERO => {
                return Err(Refusal::new("the trace has one time only: it cannot be looped").at("loops"));
            }
            (None, loops) => loops.then_some(whole),
        };
        Ok(Box::new(Running {
            rows,
            cursor: Cursor::default(),
            speed: self.speed,
            whole,
            stretch,
            is_drawn: self.resample.is_some(),
            own: Key::NONE,
            number: 0,
            begins: Span::ZERO,
            next: 0,
            around: 0,
        }))
    }

    fn rate(&self) -> Option<f64> {
        None
    }

    fn trace(&self) -> Option<&str> {
        Some(&self.trace)
    }

    fn reading(&self) -> Reading {
        Reading {
            columns: self.columns.clone(),
            only: self
                .only
                .iter()
                .map(|(column, value)| (column.to_owned(), value.clone()))
                .collect(),
            keep: self.keep.clone(),
            skip_bad_rows: self.skip_bad_rows,
        }
    }

    fn ends(&self) -> bool {
        !self.loops && self.resample.is_none()
    }

    fn scaled(&self, factor: f64) -> Option<ArrivalsSpec> {
        let speed = self.speed * factor;
        Some(Replay { speed, ..self.clone() }.into())
    }
}

/// The most stretches of a trace's length: what is shorter is passed over one by one where the trace has a gap.
const MOST_STRETCHES: u64 = 100_000;

impl Replay {
    /// How long `rows`, which are those of its trace, are as it plays them, and their stretches.
    pub fn recorded(&self, rows: &Rows) -> Recorded {
        let played = |span: Span| Span::from_nanos((span.nanos() as f64 / self.speed) as u64);
        Recorded {
            lasts: played(whole(rows)),
            stretches: self.resample.map(|stretch| played(stretch.span())),
        }
    }
}

/// The length of the trace: to its last row, and as long again as rows are apart on average.
fn whole(rows: &Rows) -> Span {
    let last = rows.last();
    let gaps = rows.len().saturating_sub(1).max(1) as u64;
    last + Span::from_nanos(last.nanos() / gaps)
}

#[derive(Clone, Debug)]
struct Running {
    rows: Rows,
    cursor: Cursor,
    speed: f64,
    /// How long the trace is.
    whole: Span,
    /// How long a stretch of it is; `None` where it is played once.
    stretch: Option<Span>,
    /// Whether stretches begin anywhere, or each at the trace's beginning.
    is_drawn: bool,
    own: Key,
    /// The number of the stretch that is played, and where in the trace it begins.
    number: u64,
    begins: Span,
    /// The next row, and how often the trace's end was passed since the stretch began.
    next: usize,
    around: u64,
}

impl Running {
    /// The next row, its place and its time, in nanoseconds of the trace's own time: played a thousand times as fast, a year outlasts what 64 bits hold.
    fn advance(&mut self) -> Option<(u128, usize, Entry)> {
        let Some(stretch) = self.stretch else {
            let place = self.next;
            let row = self.rows.get(place, &mut self.cursor)?;
            self.next += 1;
            return Some((row.at.into(), place, row));
        };
        loop {
            if self.next == self.rows.len() {
                self.next = 0;
                self.around += 1;
            }
            let place = self.next;
            let row = self.rows.get(place, &mut self.cursor)?;
            // The row's time since the stretch began.
            let since = (row.at + self.around * self.whole.nanos()).saturating_sub(self.begins.nanos());
            if since < stretch.nanos() {
                self.next += 1;
                return Some((
                    u128::from(self.number) * u128::from(stretch.nanos()) + u128::from(since),
                    place,
                    row,
                ));
            }
            self.number += 1;
            self.begin();
        }
    }

    /// Goes to where the present stretch begins.
    fn begin(&mut self) {
        self.around = 0;
        if self.is_drawn {
            let drawn = self.own.part(self.number).draw(Purpose::Weather);
            let nanos = (u128::from(drawn) * u128::from(self.whole.nanos())) >> 64;
            self.begins = Span::from_nanos(nanos as u64);
        }
        self.next = self.rows.before(self.begins.nanos(), &mut self.cursor);
    }
}

impl Arrivals for Running {
    fn next(&mut self, _key: Key) -> Option<Arrival> {
        let (at, place, row) = self.advance()?;
        let at = if self.speed == 1.0 {
            u64::try_from(at).unwrap_or(u64::MAX)
        } else {
            (at as f64 / self.speed) as u64
        };
        Some(Arrival {
            at: Time::from_nanos(at),
            tokens: Some((row.input, row.output)),
            turn: None,
            row: Some(place as u32),
        })
    }

    fn recorded(&self) -> Option<Recorded> {
        let played = |span: Span| Span::from_nanos((span.nanos() as f64 / self.speed) as u64);
        Some(Recorded {
            lasts: played(self.whole),
            stretches: self.stretch.filter(|_| self.is_drawn).map(played),
        })
    }

    fn fresh(&self, own: Key) -> Box<dyn Arrivals> {
        let mut fresh = Running { own, ..self.clone() };
        fresh.begin();
        Box::new(fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::Chance;

    fn rows(times: &[u64]) -> Rows {
        let row = |(i, s): (usize, &u64)| Row {
            at: Span::from_secs(*s),
            input: i as u32,
            output: 1,
        };
        times.iter().enumerate().map(row).collect()
    }

    fn replay(more: serde_json::Value) -> Replay {
        let mut spec = serde_json::json!({ "trace": "x.csv" });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(spec).unwrap()
    }

    fn played(spec: &Replay, rows: &Rows, replication: u64, until: f64) -> Vec<(f64, u32)> {
        let built = spec.build(Some(rows.clone()), &Names::default()).unwrap();
        let chance = Chance::new(7, replication);
        let mut running = built.fresh(chance.surroundings(4));
        let all = std::iter::from_fn(|| running.next(chance.request(0)));
        let all = all.map(|arrival| (arrival.at.seconds(), arrival.tokens.unwrap().0));
        all.take_while(|(at, _)| *at < until).collect()
    }

    #[test]
    fn a_trace_that_loops_goes_on_after_a_gap_of_the_mean() {
        let rows = rows(&[0, 1, 4]);
        let looped = played(&replay(serde_json::json!({ "loops": true })), &rows, 0, 13.0);
        assert_eq!(
            looped,
            [(0.0, 0), (1.0, 1), (4.0, 2), (6.0, 0), (7.0, 1), (10.0, 2), (12.0, 0)]
        );
        let once = played(&replay(serde_json::json!({ "speed": 2.0 })), &rows, 0, 99.0);
        assert_eq!(once, [(0.0, 0), (0.5, 1), (2.0, 2)]);
    }

    /// Two rows a year apart, played ten thousand times as fast: eight centuries of them are more than 64 bits of nanoseconds hold.
    #[test]
    fn a_trace_that_is_played_fast_goes_on_for_as_long_as_it_is_asked() {
        let year = 365.0 * 86_400.0;
        let rows = rows(&[0, 365 * 86_400]);
        let spec = replay(serde_json::json!({ "loops": true, "speed": 1e4 }));
        let all = played(&spec, &rows, 0, 800.0 * year / 1e4);
        assert_eq!(all.len(), 800);
        assert!(
            all.windows(2)
                .all(|two| (two[1].0 - two[0].0 - year / 1e4).abs() < 1e-3)
        );
    }

    /// Every moment of the trace is as likely as any other, so that each row comes as often: 3,000 stretches of 60 s out of 600 s play each
    /// row 300 times in the mean, and by the binomial law 95 % of the rows within 33 of it.
    #[test]
    fn stretches_are_drawn_evenly_and_anew_in_each_replication() {
        let rows = rows(&(0..600).collect::<Vec<_>>());
        let spec = replay(serde_json::json!({ "resample": "60s" }));
        let all = played(&spec, &rows, 0, 180_000.0);
        assert!(all.is_sorted_by(|a, b| a.0 <= b.0));
        assert_eq!(all.len(), 180_000);
        let mut counts = [0_i32; 600];
        all.iter().for_each(|(_, row)| counts[*row as usize] += 1);
        let near = counts.iter().filter(|count| (**count - 300).abs() <= 33).count();
        assert!(near > 500, "{near} of 600 rows within 33 of 300");
        assert!(counts.iter().all(|count| (200..400).contains(count)));
        // Within a stretch rows follow each other as in the trace.
        assert!(all[..59].windows(2).all(|two| two[1].1 == (two[0].1 + 1) % 600));
        assert_ne!(all, played(&spec, &rows, 1, 180_000.0));
    }

    #[test]
    fn stretches_longer_than_the_trace_are_refused() {
        let rows = rows(&[0, 1, 4]);
        for (more, said) in [
            (
                serde_json::json!({ "resample": "7s" }),
                "must be 60us to 6s, which is the trace's length",
            ),
            (
                serde_json::json!({ "resample": "2s", "loops": true }),
                "leave `loops` out",
            ),
        ] {
            let refusal = replay(more).build(Some(rows.clone()), &Names::default()).unwrap_err();
            assert!(refusal.message.contains(said), "{}", refusal.message);
        }
    }
}
