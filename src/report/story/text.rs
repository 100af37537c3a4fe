//! A request's story as text: what is asked, where the time went, a line of what happened when, and the bill.
//!
//! One request takes about a screen: of a story with more than [`MOST_STEPS`] steps its middle is left out, and said to be; JSON
//! has all of it. Names out of files cannot steer the terminal.

use crate::stats::sorting;
use std::fmt::Write;

use super::{Attempt, Glance, Ground, Nanos, Pico, Place, Step, Story};
use crate::report::text::{clean, fit, paragraph, width};
use crate::report::{Unit, format};
use crate::words::Outcome;

/// The most steps that are shown.
pub const MOST_STEPS: usize = 28;

/// The most attempts whose bill is shown.
const MOST_BILLS: usize = 12;

/// The columns of the time line: those of the bar of stays.
const LINE: usize = 60;

/// The story in lines of at most `columns`.
pub fn render(story: &Story, columns: usize) -> String {
    let mut all = head(story, columns);
    all += &where_time_went(story, columns);
    all.push('\n');
    all += &steps(story, columns);
    all += &bill(story, columns);
    all
}

fn head(story: &Story, columns: usize) -> String {
    let copy = if story.mirrored {
        "mirrored copy of request"
    } else {
        "request"
    };
    let mut all = paragraph(
        "",
        &format!(
            "{copy} {} under {} ({}), replication {}",
            story.id, story.policy, story.kind, story.replication
        ),
        columns,
    );
    if !story.goes_by.is_empty() {
        all += &paragraph("  policy   ", &story.goes_by.replace('`', ""), columns);
    }
    let mut asks = format!("class {}", story.class);
    if let Some(stream) = &story.stream {
        let _ = write!(asks, " of {stream}");
    }
    if let Some(user) = story.user {
        let _ = write!(asks, ", user {user}");
    }
    if let Some(turn) = story.turn {
        let _ = write!(asks, ", turn {turn}");
    }
    for (tag, value) in &story.tags {
        let _ = write!(asks, ", {tag} {value}");
    }
    let _ = write!(asks, ", {} tokens in", format::count(u64::from(story.input)));
    if story.cut_off > 0 {
        let _ = write!(asks, " ({} cut off)", format::count(u64::from(story.cut_off)));
    }
    let _ = write!(asks, ", {} out", format::count(u64::from(story.output)));
    if let Some(most) = story.max_output {
        let _ = write!(asks, " (max_tokens {})", format::count(u64::from(most)));
    }
    if let Some(gateway) = story.gateway {
        let _ = write!(asks, ", at gateway {gateway}");
    }
    let when = if story.counted {
        format!("arrives at {}", clock(story.arrived))
    } else {
        format!(
            "arrives in the warm-up, {} before counting starts",
            clock(-story.arrived)
        )
    };
    let timeout = story.timeout.map_or("no total timeout".to_owned(), |t| {
        format!("has {} in all", format::span(t.seconds()))
    });
    all += &paragraph("  asks     ", &format!("{asks}; {when}; {timeout}"), columns);
    let token = (story.ttft).map_or(String::new(), |t| format!(", first token after {}", exact(t)));
    let reserved = story.attempts.iter().any(|attempt| attempt.reserved);
    let besides = if reserved {
        ", beside the reserved capacity, which is billed by the hour"
    } else {
        ""
    };
    let cost = match story.cost.0 {
        0 => format!("nothing paid{besides}"),
        _ => format!("{}{besides}", money(story, story.cost)),
    };
    all + &paragraph(
        "  end      ",
        &format!("{} after {}{token}; {cost}", story.outcome.name(), exact(story.e2e)),
        columns,
    )
}

/// The stays as a bar, and their lengths in words.
fn where_time_went(story: &Story, columns: usize) -> String {
    if story.e2e.0 == 0 {
        return String::new();
    }
    let spent = Place::ALL.map(|place| (place, story.time_in(place)));
    let words: Vec<String> = (spent.iter().filter(|(_, time)| time.0 > 0))
        .map(|(place, time)| {
            let share = format::share(time.seconds() / story.e2e.seconds());
            format!("{} {} {} ({share})", letter(*place), place.name(), exact(*time))
        })
        .collect();
    let line = LINE.min(columns.saturating_sub(12)).max(10);
    let mut bar = String::new();
    for column in 0..line {
        // The stay in the middle of the column.
        let at = u128::from(story.e2e.0) * (2 * column as u128 + 1) / (2 * line as u128);
        let here = story.stays.iter().find(|stay| u128::from(stay.until.0) > at);
        bar.push(here.map_or(' ', |stay| letter(stay.place)));
    }
    paragraph("  time     ", &words.join(", "), columns) + &format!("           {bar}\n")
}

/// What stands for a place in the bar.
const fn letter(place: Place) -> char {
    match place {
        Place::Cache => 'r',
        Place::HeldBack => 'h',
        Place::Queued => 'q',
        Place::Connection => 'c',
        Place::Provider => '█',
        Place::BackOff => '·',
        Place::Judge => 'j',
    }
}

fn steps(story: &Story, columns: usize) -> String {
    let mut all = String::new();
    let count = story.steps.len();
    let head = if count > MOST_STEPS { MOST_STEPS / 2 } else { count };
    let tail = if count > MOST_STEPS {
        count - MOST_STEPS / 2
    } else {
        count
    };
    let first = story.steps[..head].iter();
    first.for_each(|s| all += &step(s, columns));
    if tail > head {
        let left_out = format::count((tail - head) as u64);
        all += &paragraph(
            &" ".repeat(14),
            &format!("… {left_out} more steps (--json has them)"),
            columns,
        );
    }
    story.steps[tail..].iter().for_each(|s| all += &step(s, columns));
    let end = format!("ends: {}", story.outcome.name());
    all + &line(story.e2e, &end, columns)
}

fn line(at: Nanos, text: &str, columns: usize) -> String {
    paragraph(&format!("{:>11}   ", exact(at)), text, columns)
}

fn step(step: &Step, columns: usize) -> String {
    let mut all = line(step.at, &step.text, columns);
    if !step.seen.is_empty() {
        let first = format!("{}saw  ", " ".repeat(14));
        all += &paragraph(&first, &glances(&step.seen, step.provider.as_deref()), columns);
    }
    let mut kinds: Vec<&str> = step.went_by.iter().map(|ground| ground.what).collect();
    kinds.dedup();
    for what in kinds {
        let first = format!("{}by   ", " ".repeat(14));
        all += &paragraph(&first, &grounds(step, what), columns);
    }
    all
}

/// One figure that the policy went by, of each provider; of many the chosen one's and a few others.
fn grounds(step: &Step, what: &str) -> String {
    const MOST: usize = 6;
    let mut of: Vec<&Ground> = step.went_by.iter().filter(|ground| ground.what == what).collect();
    sorting::by_key(&mut of, |ground| {
        step.provider.as_deref() != Some(ground.provider.as_str())
    });
    let more = of.len().saturating_sub(MOST);
    let mut all: Vec<String> = (of.iter().take(MOST))
        .map(|ground| format!("{} {}", ground.provider, ground.text))
        .collect();
    if more > 0 {
        all.push(format!("{more} more"));
    }
    format!("{what}: {}", all.join("; "))
}

/// The providers as they were seen, the chosen one first; of a large fleet those that are kept out and a few of the others.
fn glances(seen: &[Glance], chosen: Option<&str>) -> String {
    const MOST: usize = 6;
    let rank = |g: &&Glance| {
        (
            Some(g.provider.as_str()) != chosen,
            !g.breaker_open,
            g.left_out.is_some(),
        )
    };
    let mut order: Vec<&Glance> = seen.iter().collect();
    sorting::by_key(&mut order, rank);
    let more = order.len().saturating_sub(MOST);
    let mut all: Vec<String> = order.iter().take(MOST).map(|g| glance(g)).collect();
    if more > 0 {
        all.push(format!("{more} more"));
    }
    all.join("; ")
}

fn glance(seen: &Glance) -> String {
    let mut words = format!("{}: {} under way", seen.provider, seen.in_flight);
    if seen.in_line > 0 {
        let _ = write!(words, ", {} in line", seen.in_line);
    }
    if seen.breaker_open {
        words += ", breaker open";
    }
    if let Some(why) = seen.left_out {
        let _ = write!(words, ", {why}");
    }
    words
}

fn bill(story: &Story, columns: usize) -> String {
    if story.attempts.is_empty() {
        return String::new();
    }
    let mut rows = vec![
        [
            "#", "provider", "outcome", "conn.", "queue", "TTFT", "decode", "in", "out", "cost",
        ]
        .map(str::to_owned),
    ];
    let shown = story.attempts.iter().enumerate().take(MOST_BILLS);
    rows.extend(shown.map(|(i, attempt)| row(story, i, attempt)));
    let mut widths = [0; 10];
    for row in &rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = width(cell).max(*widest);
        }
    }
    // What is too wide is taken off the names of providers.
    let taken: usize = widths.iter().sum::<usize>() + 2 * widths.len();
    widths[1] = widths[1].saturating_sub(taken.saturating_sub(columns)).max(8);
    let mut all = String::from("\n");
    for row in &rows {
        let mut text = String::new();
        for (i, (cell, &widest)) in row.iter().zip(&widths).enumerate() {
            let cell = fit(cell, widest);
            let pad = " ".repeat(widest - width(&cell));
            text += "  ";
            text += &if (1..3).contains(&i) { cell + &pad } else { pad + &cell };
        }
        all += text.trim_end();
        all.push('\n');
    }
    let more = story.attempts.len().saturating_sub(MOST_BILLS);
    let mut words = Vec::new();
    if more > 0 {
        words.push(format!(
            "{} more attempts (--json has them)",
            format::count(more as u64)
        ));
    }
    if story.judging.0 > 0 {
        words.push(format!("looking at answers {}", money(story, story.judging)));
    }
    if story.cost.0 > 0 {
        words.push(format!("together {}", money(story, story.cost)));
    }
    if words.is_empty() {
        return all;
    }
    all + &paragraph("  ", &words.join("; "), columns)
}

fn row(story: &Story, index: usize, attempt: &Attempt) -> [String; 10] {
    let time = |nanos: Nanos| {
        if nanos.0 == 0 {
            format::NONE.to_owned()
        } else {
            exact(nanos)
        }
    };
    let hedge = if attempt.hedge { "h" } else { "" };
    let had_token = attempt.decode.0 > 0 || attempt.outcome == Outcome::Success;
    let first = Nanos(attempt.queue.0 + attempt.prefill.0);
    [
        format!("{}{hedge}", index + 1),
        clean(&attempt.provider),
        attempt.outcome.name().to_owned(),
        time(attempt.connection),
        time(attempt.queue),
        if had_token {
            time(first)
        } else {
            format::NONE.to_owned()
        },
        time(attempt.decode),
        format::count(u64::from(attempt.billed[0])),
        format::count(u64::from(attempt.billed[3])),
        if attempt.cost.0 == 0 {
            format::NONE.to_owned()
        } else {
            money(story, attempt.cost)
        },
    ]
}

fn money(story: &Story, cost: Pico) -> String {
    format::value(story.currency.map_or(Unit::Dollars, Unit::Money), cost.units())
}

/// A time to the millisecond, or to the microsecond below one.
fn exact(time: Nanos) -> String {
    if time.0 > 0 && time.0 < 1_000_000 {
        format!("{:.3} ms", time.0 as f64 / 1e6)
    } else {
        format!("{:.3} s", time.seconds())
    }
}

/// A moment of the plan: `12:03:05.250`, days before it if there are any.
pub(super) fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0);
    let minutes = (whole / 60.0).floor();
    let (days, rest) = ((minutes / 1440.0).floor(), minutes % 1440.0);
    let time = format!(
        "{:02}:{:02}:{:06.3}",
        (rest / 60.0).floor(),
        rest % 60.0,
        whole - minutes * 60.0
    );
    if days > 0.0 {
        format!("day {} {time}", days + 1.0)
    } else {
        time
    }
}
