//! A study of risk as it is shown: sentences, a table of the policies, one of the leader's metrics, and the tornado.

use super::{Risk, Share};
use crate::report::alone::stretch;
use crate::report::markdown::escaped;
use crate::report::table::{Cell, Table, Tone};
use crate::report::text::{clean, fit, paragraph, width};
use crate::report::{Metric, Unit, format};
use crate::stats::interval::Estimate;

/// The most policies, inputs and warnings of a terminal.
const POLICIES: usize = 8;
const INPUTS: usize = 8;
const WARNINGS: usize = 2;

/// The lines of a warning on a terminal.
const LINES: usize = 2;

/// Below this width tables leave out what sentences say.
const NARROW: usize = 120;

/// The most columns of a name and of a value beside a bar.
const NAME: usize = 24;
const VALUE: usize = 10;

impl Risk {
    /// What each policy costs and how often it keeps to the objectives: the leader is always among those that are shown.
    fn standings(&self, most: usize, is_narrow: bool) -> Table {
        let mut table = Table::new("policy");
        let unit = self
            .metrics
            .first()
            .map_or(Unit::Number, |metric| metric.unit_in(self.currency));
        let title = self
            .metrics
            .first()
            .map_or_else(String::new, |metric| metric.title_in(self.currency));
        for head in ["P10", "P50", "P90"] {
            table.column(&title, head);
        }
        let of = format!("of {} draws", self.draws.len());
        let is_each = !(is_narrow && self.objectives.len() > 1);
        for goal in self.objectives.iter().filter(|_| is_each) {
            let bound = goal.bound_in(self.currency);
            table.column(&of, &clean(&format!("{} {bound}", goal.metric.short_in(self.currency))));
        }
        if !self.objectives.is_empty() {
            table.column(&of, "all objectives");
        }
        if self.policies.len() > 1 {
            table.column(&of, if self.is_of_money() { "cheapest" } else { "best" });
        }
        if let Some(budget) = self.budget {
            let money = Metric::COST_PER_MONTH.unit_in(self.currency);
            table.column(&of, &format!("> {}", format::value(money, budget)));
        }
        let lead = self.lead();
        let is_shown = |i: usize| i < most || i == lead;
        for (_, policy) in self.policies.iter().enumerate().filter(|(i, _)| is_shown(*i)) {
            let figure = policy.figures.first();
            let end = |end: Option<f64>| Cell::new(amount(unit, end));
            let mut cells: Vec<Cell> = match figure {
                Some(figure) => [figure.p10, figure.p50, figure.p90].map(end).to_vec(),
                None => Vec::new(),
            };
            cells.extend(
                (policy.holds.iter().filter(|_| is_each))
                    .map(|share| share.as_ref().map_or(Cell::new(format::NONE), held)),
            );
            cells.extend(policy.all.as_ref().map(held));
            if self.policies.len() > 1 {
                cells.push(Cell::new(format::count(policy.cheapest.held)));
            }
            if self.budget.is_some() {
                let over = policy
                    .over_budget
                    .map(|share| match share.of == self.draws.len() as u64 {
                        true => format::count(share.held),
                        false => share.words(),
                    });
                cells.push(Cell::new(over.unwrap_or_else(|| format::NONE.to_owned())));
            }
            table.row(&clean(&policy.name), cells);
        }
        table
    }

    /// The title of the leader's metrics, and their table.
    fn figures(&self, is_narrow: bool) -> Option<(String, Table)> {
        let led = self.led()?;
        let mut table = Table::new("metric");
        if !is_narrow {
            table.column("", "at the file's values");
        }
        for head in ["P10", "P50", "P90"] {
            table.column("over the draws", head);
        }
        table.column("", "inputs : chance");
        table.column("", "one alone, 8 of 10");
        let centre = self.centre.policies.iter().find(|policy| policy.name == self.leader);
        for (i, (metric, figure)) in self.metrics.iter().zip(&led.figures).enumerate() {
            let unit = metric.unit_in(self.currency);
            let mut cells = Vec::new();
            if !is_narrow {
                let own = centre
                    .and_then(|of| of.figures.get(i))
                    .copied()
                    .unwrap_or(Estimate::NONE);
                let (value, spread) = format::parts(unit, &own);
                cells.push(Cell::new(value).tail(spread.map(|spread| spread.tight()).unwrap_or_default()));
            }
            cells.extend([figure.p10, figure.p50, figure.p90].map(|end| Cell::new(amount(unit, end))));
            let split = figure
                .of_inputs
                .map(|of| format!("{:.0} : {:.0} %", 100.0 * of, 100.0 * (1.0 - of)));
            // An end that is not there lies above every number.
            let end = |end: Option<f64>| amount(unit, Some(end.unwrap_or(f64::INFINITY)));
            let single = (figure.single).map(|of| format!("{} to {}", end(of.lo), end(of.hi)));
            cells.extend([split, single].map(|text| Cell::new(text.unwrap_or_else(|| format::NONE.to_owned()))));
            table.row(&clean(&metric.title_in(self.currency)), cells);
        }
        let title = format!(
            "{} over the draws; one {} alone, inputs drawn anew, and what makes its variance",
            clean(&self.leader),
            stretch(self.counted)
        );
        Some((title, table))
    }

    /// The title of the tornado.
    pub(crate) fn tornado_title(&self) -> String {
        let metric = self
            .metrics
            .get(self.moved)
            .map(|metric| metric.title_in(self.currency));
        let lead = self.lead();
        let in_doubt =
            |end: &super::End| end.changes.get(lead).is_some_and(|change| *change != 0.0) && !end.is_told(lead);
        let doubt = match self.inputs.iter().flat_map(|input| &input.ends).any(in_doubt) {
            true => " (? may be chance)",
            false => "",
        };
        format!(
            "What moves {} of {}, one input at a time{doubt}",
            metric.unwrap_or_default(),
            clean(&self.leader)
        )
    }

    /// A bar for each input, from what its lower end changes to what its upper end does.
    fn bars(&self, limit: usize) -> String {
        let lead = self.lead();
        let shown: Vec<[String; 5]> = (self.inputs.iter().take(INPUTS))
            .map(|input| {
                let (low, high) = input.extremes(lead);
                let value = |of: Option<(&super::End, f64)>| {
                    of.map_or_else(String::new, |(end, _)| fit(&clean(&end.value), VALUE))
                };
                let change = |of: Option<(&super::End, f64)>| {
                    of.map_or_else(|| "0".to_owned(), |(end, change)| self.change_at(end, change))
                };
                [
                    fit(&clean(&input.path), NAME),
                    value(low),
                    value(high),
                    change(low),
                    change(high),
                ]
            })
            .collect();
        let wide = |column: usize| shown.iter().map(|row| width(&row[column])).max().unwrap_or(0);
        let [name, low, high, down, up] = [0, 1, 2, 3, 4].map(wide);
        let room = limit.saturating_sub(name + low + high + down + up + 11) / 2;
        let half = room.clamp(3, 24);
        let ends = |input: &super::Input| {
            let (low, high) = input.extremes(lead);
            (low.map_or(0.0, |of| -of.1), high.map_or(0.0, |of| of.1))
        };
        let most = self
            .inputs
            .iter()
            .map(ends)
            .map(|(down, up)| down.max(up))
            .filter(|x| x.is_finite())
            .fold(0.0, f64::max);
        let length = |x: f64| match most > 0.0 {
            true => ((x / most).min(1.0) * half as f64).round() as usize,
            false => 0,
        };
        let mut text = String::new();
        for (row, input) in shown.iter().zip(&self.inputs) {
            let (less, more) = ends(input);
            let [path, of_low, of_high, by_low, by_high] = row;
            let left = "█".repeat(length(less));
            let right = "█".repeat(length(more));
            let line = format!(
                "{path:<name$}  {of_low:>low$} {left:>half$}│{right:<half$} {of_high:<high$}  {by_low:>down$} {by_high:>up$}"
            );
            text += line.trim_end();
            text.push('\n');
        }
        let more = self.inputs.len().saturating_sub(INPUTS);
        if more > 0 {
            text += &format!("and {more} inputs that move it less\n");
        }
        text
    }

    /// What is possible of each input, in a sentence.
    fn possible(&self) -> String {
        let one = |input: &super::Input| {
            let own = input.own.as_deref().map(|own| format!("{}, ", clean(own)));
            format!(
                "{} ({}{})",
                clean(&input.path),
                own.unwrap_or_default(),
                clean(&input.possible)
            )
        };
        let inputs: Vec<String> = self.inputs.iter().map(one).collect();
        format!(
            "Not known: {}. {} draws of a Latin hypercube, each a run of {} replications, all under seed {}.",
            inputs.join("; "),
            format::count(self.draws.len() as u64),
            format::count(self.replications),
            self.seed
        )
    }

    /// The study for a terminal of that width: what follows, then tables, the tornado and warnings.
    pub fn text(&self, width: usize, colour: bool) -> String {
        let is_narrow = width < NARROW;
        let mut text = String::new();
        for (i, sentence) in self.sentences.iter().enumerate() {
            let tone = if i == 0 { Tone::Strong } else { Tone::Plain };
            for line in paragraph("", sentence, width).lines() {
                text += &format!("{}\n", tone.paint(line, colour));
            }
        }
        text += &paragraph("", &self.possible(), width);
        if !self.draws.is_empty() {
            text += &format!("\n{}", self.standings(POLICIES, is_narrow).render(width, colour));
            let more = self
                .policies
                .len()
                .saturating_sub(POLICIES + usize::from(self.lead() >= POLICIES));
            if more > 0 {
                text += &format!("and {more} policies more: --format markdown\n");
            }
            if let Some((title, table)) = self.figures(is_narrow) {
                text += &format!("\n{}{}", paragraph("", &title, width), table.render(width, colour));
            }
        }
        text += &format!("\n{}{}", paragraph("", &self.tornado_title(), width), self.bars(width));
        if !self.warnings.is_empty() {
            text.push('\n');
        }
        for warning in self.warnings.iter().take(WARNINGS) {
            let lines = paragraph("warning: ", &clean(&warning.sentence(self.runs())), width);
            let kept: Vec<&str> = lines.lines().take(LINES).collect();
            let cut = if lines.lines().count() > LINES { " …" } else { "" };
            text += &format!("{}{cut}\n", kept.join("\n"));
        }
        let more = self.warnings.len().saturating_sub(WARNINGS);
        if more > 0 {
            text += &format!("and {more} more warnings: --format json, or the page of --out\n");
        }
        text
    }

    /// The tables and bars of a page.
    #[cfg(feature = "plots")]
    pub(crate) fn tables(&self) -> String {
        let figures = self.figures(false);
        let figures = figures.map(|(title, table)| format!("\n{title}\n{}", table.render(160, false)));
        format!(
            "{}\n{}{}\n{}\n{}",
            paragraph("", &self.possible(), 150),
            self.standings(usize::MAX, false).render(160, false),
            figures.unwrap_or_default(),
            self.tornado_title(),
            self.bars(120)
        )
    }

    /// The study in GitHub's Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("# Risk of {}\n\n", escaped(&self.experiment));
        for sentence in self.sentences.iter().chain(std::iter::once(&self.possible())) {
            text += &format!("- {}\n", escaped(&clean(sentence)));
        }
        text += &format!("\n{}", self.standings(usize::MAX, false).markdown());
        if let Some((title, table)) = self.figures(false) {
            text += &format!("\n{}\n\n{}", escaped(&title), table.markdown());
        }
        let mut tornado = Table::new("input");
        for head in ["lower", "change", "upper", "change"] {
            tornado.column("", head);
        }
        let lead = self.lead();
        for input in &self.inputs {
            let (low, high) = input.extremes(lead);
            let cells = [low, high].into_iter().flat_map(|of| match of {
                Some((end, change)) => [Cell::new(clean(&end.value)), Cell::new(self.change_at(end, change))],
                None => [Cell::default(), Cell::default()],
            });
            tornado.row(&clean(&input.path), cells);
        }
        text += &format!("\n{}\n\n{}", escaped(&self.tornado_title()), tornado.markdown());
        for warning in &self.warnings {
            text += &format!("\n- warning: {}", escaped(&clean(&warning.sentence(self.runs()))));
        }
        text
    }
}

/// A figure, or that it has none.
fn amount(unit: Unit, x: Option<f64>) -> String {
    match x {
        Some(x) if x == f64::INFINITY => format::ENDLESS.to_owned(),
        Some(x) => format::value(unit, x),
        None => format::NONE.to_owned(),
    }
}

/// In how many draws something holds, in the colour of how many.
fn held(share: &Share) -> Cell {
    let tone = match share.held {
        all if all == share.of => Tone::Good,
        few if 2 * few < share.of => Tone::Bad,
        _ => Tone::Plain,
    };
    Cell::new(format::count(share.held)).tone(tone)
}
