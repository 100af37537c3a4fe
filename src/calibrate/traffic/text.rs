//! A described trace and its model as text: one screen of at most 80 columns, and the same in Markdown.

use super::describe::{Description, Extreme, Lengths};
use super::held_out::{CORRELATED, Check, Whole};
use super::model::Model;
use super::turns::Turns;
use crate::report::Unit;
use crate::report::format::{self, NONE, count, share, span};
use crate::report::table::{Cell, Table, Tone};
use crate::report::terminal::{Style, spark};
use crate::report::text::{clean, fit, paragraph};

/// The widest that text is set, in columns.
const WIDEST: usize = 80;

/// What is in a trace, on one screen.
pub fn terminal(it: &Description, model: Option<&Model>, style: &Style) -> String {
    let width = style.width.min(WIDEST);
    let mut text = Tone::Strong.paint(&fit(&clean(&it.file), width), style.colour) + "\n";
    for line in facts(it) {
        text += &paragraph("  ", &line, width);
    }
    text += "\n";
    for (name, bars, says) in courses(it) {
        text += &paragraph("", &format!("{name}: {says}"), width);
        text += &format!("  {bars}\n");
    }
    let tables = [arrivals(it), correlations(it), tokens(it), values(it)];
    for table in tables.iter().filter(|table| !table.is_empty()) {
        text += "\n";
        text += &table.render(width, style.colour);
    }
    text += "\n";
    text += &paragraph("So: ", &format!("{}.", it.means), width);
    text += &lists(&[("Beware", &it.warnings)], width, style.colour);
    if let Some(model) = model {
        text += "\n";
        for line in of_model(model) {
            text += &paragraph("", &line, width);
        }
        for table in [processes(model), checks(model)]
            .iter()
            .filter(|table| !table.is_empty())
        {
            text += "\n";
            text += &table.render(width, style.colour);
        }
        text += &paragraph("", &format!("{}.", verdict(model)), width);
        text += &lists(&[("Of the model", &model.cautions)], width, style.colour);
    }
    text
}

/// What a trace shows, and its model if there is one, as Markdown.
pub fn markdown(it: &Description, model: Option<&Model>) -> String {
    use crate::report::markdown::escaped;
    let mut text = format!("# {}\n\n", escaped(&it.file));
    for line in facts(it) {
        text += &format!("{}\n", escaped(&line));
    }
    for (name, bars, says) in courses(it) {
        text += &format!("\n{}: {}\n\n    {bars}\n", escaped(&name), escaped(&says));
    }
    for table in [arrivals(it), correlations(it), tokens(it), values(it)]
        .iter()
        .filter(|table| !table.is_empty())
    {
        text += &format!("\n{}", table.markdown());
    }
    text += &format!("\n**{}.**\n", escaped(&it.means));
    let list = |title: &str, lines: &[String]| {
        let lines: String = lines.iter().map(|line| format!("- {}\n", escaped(line))).collect();
        format!("\n## {title}\n\n{lines}")
    };
    if !it.warnings.is_empty() {
        text += &list("Beware", &it.warnings);
    }
    if let Some(model) = model {
        text += "\n## Model\n\n";
        for line in of_model(model) {
            text += &format!("- {}\n", escaped(&line));
        }
        for table in [processes(model), checks(model)]
            .iter()
            .filter(|table| !table.is_empty())
        {
            text += &format!("\n{}", table.markdown());
        }
        text += &format!("\n{}.\n", escaped(&verdict(model)));
        text += &list("Of the model", &model.cautions);
    }
    text
}

fn lists(lists: &[(&str, &[String])], width: usize, colour: bool) -> String {
    let mut text = String::new();
    for (title, lines) in lists.iter().filter(|(_, lines)| !lines.is_empty()) {
        text += &format!("\n{}\n", Tone::Strong.paint(title, colour));
        for line in *lines {
            text += &paragraph("- ", line, width);
        }
    }
    text
}

/// What the file is: its form, its rows, its time, its rate.
pub(super) fn facts(it: &Description) -> Vec<String> {
    let form = match &it.form {
        Some(form) => format!("in the form of {form}"),
        None => "columns as given".to_owned(),
    };
    let left = [
        (it.failed, "without an answer"),
        (it.others, "not asked for"),
        (it.bad, "unreadable"),
    ];
    let left: Vec<String> = (left.iter())
        .filter(|(many, _)| *many > 0)
        .map(|(many, what)| format!("{} {what}", count(*many)))
        .collect();
    let left = if left.is_empty() {
        String::new()
    } else {
        format!(", without {}", left.join(" and "))
    };
    let rows = format!(
        "{} requests of {} rows, {form}{left}",
        count(it.requests),
        count(it.rows)
    );
    let rate = format::value(Unit::PerSecond, it.rate);
    let days = match (&it.starts, &it.ends) {
        (Some(starts), Some(ends)) => format!("{starts} to {ends}, "),
        _ => String::new(),
    };
    let mut facts = vec![rows, format!("{days}{}; {rate} in the mean", span(it.seconds))];
    if let Some(users) = it.who.as_ref().and_then(|who| who.users) {
        facts.push(format!(
            "{} users, of whom the busiest tenth has {} of the requests, and the busiest {}",
            count(users.count),
            share(users.tenth),
            share(users.busiest)
        ));
    }
    facts.extend(it.turns.iter().flat_map(of_turns));
    facts
}

/// What the conversations are like.
fn of_turns(turns: &Turns) -> Vec<String> {
    let some = if turns.share < 1.0 {
        format!(", with {} of the requests", share(turns.share))
    } else {
        String::new()
    };
    let mut said = vec![format!(
        "{} conversations{some}: {:.2} turns in the mean, p50 {}, p95 {}, at most {}",
        count(turns.conversations),
        turns.mean,
        turns.p50,
        turns.p95,
        turns.most
    )];
    if let (Some(p50), Some(p95), Some(later)) = (turns.next_p50, turns.next_p95, turns.later_input) {
        said.push(format!(
            "from a turn to the next {} (p50), {} (p95); input {} tokens at first, {} later",
            format::value(Unit::Seconds, p50),
            format::value(Unit::Seconds, p95),
            count(turns.first_input.round() as u64),
            count(later.round() as u64)
        ));
    }
    said
}

/// The requests of each class and of each value of a tag.
pub(super) fn values(it: &Description) -> Table {
    let mut table = Table::new("Requests of");
    let all = it.who.iter().flat_map(|who| &who.values);
    for of in all {
        if table.is_empty() {
            for title in ["share", "a second", "input", "output"] {
                table.column("", title);
            }
        }
        let cells = [
            Cell::new(share(of.share)),
            Cell::new(format::value(Unit::Number, of.rate)),
            Cell::new(format::value(Unit::Number, of.input)),
            Cell::new(format::value(Unit::Number, of.output)),
        ];
        table.row(&format!("{} {}", of.column, clean(&of.value)), cells);
    }
    table
}

/// Courses of the rate: what by, as bars, and between what.
fn courses(it: &Description) -> Vec<(String, String, String)> {
    let bars = |rates: &[f64]| {
        let most = rates.iter().copied().fold(0.0, f64::max);
        spark(rates, most.max(1e-12))
    };
    let between = |rates: &[f64]| {
        let ends = rates
            .iter()
            .fold((f64::INFINITY, 0.0_f64), |(lo, hi), x| (lo.min(*x), hi.max(*x)));
        let value = |x: f64| format::value(Unit::PerSecond, x);
        format!("{} to {}", value(ends.0), value(ends.1))
    };
    let mut all = Vec::new();
    if it.course.len() > 1 {
        let extreme = |name: &str, of: &Option<Extreme>| {
            of.map(|of| format!("{name} {} after {}", count(of.requests), span(of.from)))
        };
        let hours = [("busiest hour", &it.busiest_hour), ("quietest hour", &it.quietest_hour)];
        let peaks = [("busiest minute", &it.peak_minute), ("second", &it.peak_second)];
        let told: Vec<String> = hours
            .iter()
            .chain(&peaks)
            .filter_map(|(name, of)| extreme(name, of))
            .collect();
        let told = if told.is_empty() {
            String::new()
        } else {
            format!("; {}", told.join(", "))
        };
        let says = format!("{}{told}", between(&it.course));
        all.push((format!("Rate in bins of {}", span(it.bin)), bars(&it.course), says));
    }
    if let Some(hours) = &it.hours {
        let of = if it.starts.is_some() {
            "(UTC)"
        } else {
            "after its first request"
        };
        all.push((format!("Hour of the day {of}"), bars(hours), between(hours)));
    }
    all
}

/// How counts disperse, over which windows.
pub(super) fn arrivals(it: &Description) -> Table {
    let mut table = Table::new("Counts in windows of");
    for title in ["dispersion", "about its course", "Poisson's, 95 %"] {
        table.column("", title);
    }
    for of in it.dispersion.iter() {
        let Some(index) = of.index else { continue };
        let range = format!("{:.2} to {:.2}", of.low, of.high);
        let about = of
            .about_course
            .map_or_else(String::new, |x| format::value(Unit::Number, x));
        let cells = [
            Cell::new(format::value(Unit::Number, index)),
            Cell::new(about),
            Cell::new(range),
        ];
        table.row(&span(of.seconds as f64), cells);
    }
    if let Some(cv) = it.gap_cv {
        table.row(
            "CV of gaps",
            [
                Cell::new(format::value(Unit::Number, cv)),
                Cell::new(""),
                Cell::new("1"),
            ],
        );
    }
    table
}

/// How counts hang together with later ones.
pub(super) fn correlations(it: &Description) -> Table {
    let mut table = Table::new("Autocorrelation");
    let mut lags: Vec<usize> = it.correlation.iter().map(|of| of.lag).collect();
    lags.dedup();
    let widths = it.correlation.chunk_by(|a, b| a.seconds == b.seconds);
    let mut heads = false;
    for of in widths {
        if of.iter().all(|of| of.value.is_none()) {
            continue;
        }
        if !heads {
            of.iter().for_each(|of| table.column("", &format!("lag {}", of.lag)));
            table.column("", "chance");
            heads = true;
        }
        let mut cells: Vec<Cell> = (of.iter())
            .map(|of| Cell::new(of.value.map_or_else(|| NONE.to_owned(), |x| format!("{x:.2}"))))
            .collect();
        cells.push(Cell::new(format!("±{:.2}", of[0].chance)));
        let name = if of[0].seconds == 1 {
            "counts a second"
        } else {
            "counts a minute"
        };
        table.row(name, cells);
    }
    table
}

/// How long requests are.
pub(super) fn tokens(it: &Description) -> Table {
    let mut table = Table::new("Tokens");
    for title in ["mean", "p50", "p95", "p99", "max", "CV"] {
        table.column("", title);
    }
    for (name, of) in [("input", &it.input), ("output", &it.output)] {
        let Lengths { p50, p95, p99, max, .. } = *of;
        let mut cells = vec![Cell::new(count(of.mean.round() as u64))];
        cells.extend([p50, p95, p99, max].map(|x| Cell::new(count(u64::from(x)))));
        cells.push(Cell::new(format!("{:.2}", of.cv)));
        table.row(name, cells);
    }
    if let Some(rho) = it.together {
        table.row("rank correlation", [Cell::new(format!("{rho:.2}"))]);
    }
    table
}

/// What the model is.
pub(super) fn of_model(model: &Model) -> Vec<String> {
    let taken = model.processes.iter().find(|of| of.taken);
    let name = taken.map_or("poisson", |of| of.process);
    let parameters = taken.map_or("", |of| &of.parameters);
    let parameters = if parameters.is_empty() {
        String::new()
    } else {
        format!(" ({parameters})")
    };
    let mut lines = vec![
        format!("Model: {}.", model.rate),
        format!("Around it: {name}{parameters}: {}.", model.why),
    ];
    lines.extend(
        model
            .laws
            .iter()
            .map(|law| format!("Tokens, {}: {}: {}.", law.of, law.family, law.why)),
    );
    lines.extend(whole(model));
    if let Some(starts) = &model.starts {
        lines.push(format!(
            "Its hours are those of the trace with \"starts\": \"{starts}\" in the plan."
        ));
    }
    lines
}

/// The mean lengths and the rank correlation of the model beside the trace's own, in a sentence.
fn whole(model: &Model) -> Option<String> {
    let says = |of: &Whole| {
        let figure = |x: f64| match of.figure.as_str() {
            CORRELATED => format!("{x:.2}"),
            _ => figure(x),
        };
        format!("{} {} ({})", of.figure, figure(of.model), figure(of.trace))
    };
    let all: Vec<String> = model.whole.iter().map(says).collect();
    (!all.is_empty()).then(|| format!("The model's lengths, and the whole trace's: {}.", all.join(", ")))
}

/// A figure of counts or lengths.
fn figure(x: f64) -> String {
    if x >= 1000.0 {
        count(x.round() as u64)
    } else {
        format::value(Unit::Number, x)
    }
}

/// The processes that were tried.
pub(super) fn processes(model: &Model) -> Table {
    let mut table = Table::new("Process");
    let Some(first) = model.processes.first() else {
        return table;
    };
    for (name, _) in &first.figures {
        table.column("", name);
    }
    ["off", "AIC"].iter().for_each(|title| table.column("", title));
    let figure = |x: f64| Cell::new(format::value(Unit::Number, x));
    table.row("the trace", model.own.iter().map(|(_, x)| figure(*x)));
    for of in &model.processes {
        let mut cells: Vec<Cell> = of.figures.iter().map(|(_, x)| figure(*x)).collect();
        cells.push(Cell::new(share(libm::exp(of.off) - 1.0)));
        cells.push(Cell::new(
            of.aic.map_or_else(|| NONE.to_owned(), |aic| format!("{aic:.0}")),
        ));
        let tone = if of.taken { Tone::Strong } else { Tone::Plain };
        table.row(of.process, cells.into_iter().map(|cell| cell.tone(tone)));
    }
    table
}

/// What was held out, beside the model.
pub(super) fn checks(model: &Model) -> Table {
    let mut table = Table::new("Held out");
    ["trace", "model", "chance allows"]
        .iter()
        .for_each(|title| table.column("", title));
    table.words("", "holds");
    for of in &model.checks {
        let figure = |x: f64| match of.figure.as_str() {
            CORRELATED => format!("{x:.2}"),
            _ => figure(x),
        };
        let Check {
            held_out,
            model,
            low,
            high,
            ..
        } = *of;
        let (holds, tone) = match (of.near, of.holds) {
            (true, _) if of.figure == CORRELATED => ("yes, within 0.05", Tone::Plain),
            (true, _) => ("yes, within 5 %", Tone::Plain),
            (false, true) => ("yes, as chance allows", Tone::Plain),
            (false, false) => ("no", Tone::Bad),
        };
        let cells = [
            Cell::new(figure(held_out)),
            Cell::new(figure(model)),
            Cell::new(format!("{} to {}", figure(low), figure(high))),
            Cell::new(holds).tone(tone),
        ];
        table.row(&of.figure, cells);
    }
    table
}

/// Whether it holds, in a clause.
pub(super) fn verdict(model: &Model) -> String {
    let failed = model.checks.iter().filter(|check| !check.holds).count();
    let all = model.checks.len();
    let of = format!("of every second stretch of {}", span(model.stretch));
    match failed {
        0 => format!("The model holds in all {all} figures {of}, which it was not fitted to"),
        _ => format!(
            "The model holds in {} of {all} figures {of}, which it was not fitted to",
            all - failed
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::traffic::{describe, fit};
    use crate::import::trace;
    use crate::report::text::width;
    use crate::traffic::arrivals::Reading;

    #[test]
    fn everything_fits_eighty_columns() {
        let mut text = "TIMESTAMP,ContextTokens,GeneratedTokens\n".to_owned();
        for i in 0..2000_u64 {
            text += &format!(
                "{}.{:03},{},{}\n",
                i,
                i * 7919 % 1000,
                100 + i * i % 900,
                1 + i * 31 % 70
            );
        }
        let trace = trace::read(text.as_bytes(), &Reading::default()).unwrap();
        let it = describe(
            "a/rather/long/path/of/a/file/that/would/not/fit/on/eighty/columns/AzureLLMInferenceTrace_conv.csv",
            &trace,
        );
        let model = fit(&trace, &it, 1).unwrap();
        let style = Style {
            width: 80,
            colour: false,
        };
        let shown = terminal(&it, Some(&model), &style);
        for line in shown.lines() {
            assert!(width(line) <= 80, "{line}");
        }
        for part in ["in the form of Azure", "less than a day", "Held out", "Process", "So: "] {
            assert!(shown.contains(part), "{part} in\n{shown}");
        }
        let markdown = markdown(&it, Some(&model));
        assert!(markdown.contains("| Held out | trace | model |"), "{markdown}");
    }
}
