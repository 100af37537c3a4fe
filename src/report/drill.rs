//! What a drill found: for each failure domain and each way to fail, what every policy made of it, beside the run in which nothing failed.

use serde::Serialize;

use super::markdown::escaped;
use super::table::{Cell, Table, Tone};
use super::text::{clean, paragraph};
use super::{Metric, Report, Unit, format, shown};
use crate::stats::interval::Estimate;
use crate::stats::sorting;
use crate::words::Code;

/// The result of a drill.
#[derive(Clone, Debug, Serialize)]
pub struct Drill {
    /// The name of the experiment.
    pub experiment: String,
    /// How long each failure lasts, in seconds.
    pub lasts: f64,
    /// Replications of each case.
    pub replications: u64,
    /// The metrics of each policy's figures, in order: errors, TTFT p95, E2E p95 and money for 1,000 requests of those that arrive
    /// during the failure, errors of those after it, and where there are conversations or agent runs, those that fail of all that begin meanwhile.
    pub metrics: Vec<Metric>,
    /// The currency of money, if it is not the dollar.
    pub currency: Option<Code>,
    /// What was run: first the case in which nothing fails.
    pub cases: Vec<Case>,
    /// What to know of all of them, in sentences.
    pub warnings: Vec<String>,
}

/// One failure, or none.
#[derive(Clone, Debug, Serialize)]
pub struct Case {
    /// What fails; nothing in the first case.
    pub domain: Option<String>,
    /// How it fails, as the command line calls it.
    pub fails: Option<&'static str>,
    /// What it does, in words that go on from its name.
    #[serde(skip)]
    pub verb: Option<&'static str>,
    /// What every policy made of it that has figures.
    pub policies: Vec<OfPolicy>,
    /// Why policies have no figures: more requests in the system than the plan allows, or requests that nothing would end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outgrown: Option<String>,
}

/// What fails, and how.
#[derive(Clone, Debug)]
pub struct Fails {
    /// The failure domain.
    pub domain: String,
    /// How it fails, as the command line calls it.
    pub name: &'static str,
    /// What it does, in words that go on from its name.
    pub verb: &'static str,
}

/// What one policy made of a failure.
#[derive(Clone, Debug, Serialize)]
pub struct OfPolicy {
    /// The name of the policy.
    pub name: String,
    /// The figures, in the order of the metrics; a percentile is of all requests, one that never got its answer taking for ever.
    pub figures: Vec<Estimate>,
    /// Share of replications in which some breaker kept calls out; nothing where the failure is one that none is told of (slowness).
    pub ejected: Option<Estimate>,
    /// Seconds from the end of the failure until requests succeeded again, over the replications in which they did; of several providers the
    /// longest.
    pub recovered_after: Option<Estimate>,
}

/// The share of requests that fail because of a failure, from which on a policy is said to be down.
const DOWN: f64 = 0.5;

/// Stands in tables where there are no figures, because requests would pile up or wait without end.
const ENDLESS: &str = "without end";

/// The place of the share of dialogues that fail among the metrics, where there are any.
const DIALOGUES: usize = 5;

/// So many policies are few: there is room for more of each.
const FEW: usize = 4;

impl Case {
    /// What `report` says of the case.
    pub fn of(failing: Option<Fails>, report: &Report, metrics: &[Metric]) -> Case {
        let policies = report.policies.iter().map(|policy| {
            let longest = policy.incidents.iter().max_by(|a, b| {
                let seconds = |e: &Estimate| if e.value.is_finite() { e.value } else { 0.0 };
                seconds(&a.time_to_recover).total_cmp(&seconds(&b.time_to_recover))
            });
            OfPolicy {
                name: policy.name.clone(),
                figures: metrics.iter().map(|metric| shown(policy, metric).0).collect(),
                ejected: longest.map(|incident| incident.ejected),
                recovered_after: longest.map(|incident| incident.time_to_recover),
            }
        });
        Case {
            policies: policies.collect(),
            ..Case::empty(failing, None)
        }
    }

    /// The case without figures, and why it has none.
    pub fn empty(failing: Option<Fails>, outgrown: Option<String>) -> Case {
        Case {
            domain: failing.as_ref().map(|failing| failing.domain.clone()),
            fails: failing.as_ref().map(|failing| failing.name),
            verb: failing.map(|failing| failing.verb),
            policies: Vec::new(),
            outgrown,
        }
    }

    /// What happens, as the name of a row.
    fn title(&self) -> String {
        match (&self.domain, self.verb) {
            (Some(domain), Some(verb)) => format!("{} {verb}", clean(domain)),
            _ => "nothing fails".to_owned(),
        }
    }

    fn policy(&self, name: &str) -> Option<&OfPolicy> {
        self.policies.iter().find(|policy| policy.name == name)
    }

    /// The share of requests that fail under a policy; all of them where requests pile up without end.
    fn errors(&self, name: &str) -> f64 {
        self.policy(name).map_or(1.0, |policy| policy.figures[0].value)
    }
}

impl Drill {
    /// The names of the policies, in order.
    pub fn policies(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for policy in self.cases.iter().flat_map(|case| &case.policies) {
            if !names.contains(&policy.name) {
                names.push(policy.name.clone());
            }
        }
        names
    }

    /// The case in which most requests fail under a policy, and the share of them.
    pub fn worst(&self, name: &str) -> Option<(&Case, f64)> {
        let cases = self.cases.iter().skip(1).map(|case| (case, case.errors(name)));
        // Of several that are as bad the first is told.
        cases.reduce(|a, b| if b.1 > a.1 { b } else { a })
    }

    /// Whether under every policy more than this share of requests fails in some failure.
    pub fn all_exceed(&self, most: f64) -> bool {
        let names = self.policies();
        names
            .iter()
            .all(|name| self.worst(name).is_some_and(|(_, errors)| errors > most))
    }

    /// What a policy makes of the failures, in a sentence.
    pub fn sentence(&self, name: &str) -> Option<String> {
        let (worst, errors) = self.worst(name)?;
        let normal = self.cases.first().map_or(0.0, |case| case.errors(name));
        let down = self
            .cases
            .iter()
            .skip(1)
            .filter(|case| case.errors(name) >= DOWN)
            .count();
        let (all, share) = (self.cases.len() - 1, format::share(errors));
        let slowest = self.slowest(name).unwrap_or_default();
        let name = clean(name);
        let said = if down > 0 {
            format!(
                "{name}: most requests fail in {down} of {all} failures; at worst, when {}, {share}.",
                worst.title()
            )
        } else if errors > normal {
            let normal = format::share(normal);
            format!(
                "{name}: at worst, when {}, {share} of requests fail ({normal} when nothing fails).",
                worst.title()
            )
        } else {
            let normal = format::share(normal);
            format!("{name}: no failure costs more requests than fail anyway ({normal}).")
        };
        Some(said + &slowest)
    }

    /// How slow a policy gets at worst, in a sentence of its own; nothing where no failure makes it slower by half.
    fn slowest(&self, name: &str) -> Option<String> {
        let time = |case: &Case| {
            case.policy(name)
                .map_or(f64::INFINITY, |policy| policy.figures[2].value)
        };
        let normal = time(self.cases.first()?);
        let worst = self.cases.iter().skip(1).map(|case| (case, time(case)));
        let (case, worst) = worst.reduce(|a, b| if b.1 > a.1 { b } else { a })?;
        let text = |x: f64| match x.is_finite() {
            true => format::value(Unit::Seconds, x),
            false => format::ENDLESS.to_owned(),
        };
        (worst > 1.5 * normal).then(|| {
            format!(
                " E2E p95: {} when nothing fails, at worst {} ({}).",
                text(normal),
                text(worst),
                case.title()
            )
        })
    }

    /// The names of the policies, the one first of whose requests the fewest fail at worst.
    fn ranked(&self) -> Vec<String> {
        let mut names = self.policies();
        let worst = |name: &String| self.worst(name).map_or(0.0, |(_, errors)| errors);
        sorting::by(&mut names, |a, b| worst(a).total_cmp(&worst(b)));
        names
    }

    /// A row for each policy: the most that a metric comes to in each way to fail, and what fails then.
    fn summary(&self, metric: usize) -> Table {
        let mut table = Table::new("policy");
        let mut ways: Vec<&'static str> = Vec::new();
        for fails in self.cases.iter().filter_map(|case| case.fails) {
            if !ways.contains(&fails) {
                ways.push(fails);
            }
        }
        table.column("", "nothing fails");
        ways.iter().for_each(|fails| table.column("", fails));
        let unit = self.metrics[metric].unit_in(self.currency);
        for name in self.ranked() {
            let value = |case: &Case| {
                case.policy(&name)
                    .map_or(f64::INFINITY, |policy| policy.figures[metric].value)
            };
            let most = |cases: &mut dyn Iterator<Item = &Case>| {
                let (value, case) = cases
                    .map(|case| (value(case), case))
                    .reduce(|a, b| if b.0 > a.0 { b } else { a })?;
                let shown = match case.policy(&name) {
                    Some(policy) => format::parts(unit, &policy.figures[metric]).0,
                    None => ENDLESS.to_owned(),
                };
                let domain = case.domain.as_deref().map(clean).unwrap_or_default();
                let cell = Cell::new(shown).tail(domain);
                let is_down = metric == 0 && value >= DOWN;
                Some(if is_down { cell.tone(Tone::Bad) } else { cell })
            };
            let normal = most(&mut self.cases.iter().take(1));
            let cells = ways
                .iter()
                .map(|fails| most(&mut self.cases.iter().filter(|case| case.fails == Some(fails))));
            let cells = std::iter::once(normal).chain(cells);
            table.row(
                &clean(&name),
                cells.map(|cell| cell.unwrap_or_else(|| Cell::new(format::NONE))),
            );
        }
        table
    }

    /// A table of one metric: a row for each case, a column for each policy.
    fn table(&self, metric: usize) -> Table {
        let mut table = Table::new("");
        let names = self.policies();
        for name in &names {
            table.column("", &clean(name));
        }
        let unit = self.metrics[metric].unit_in(self.currency);
        for case in &self.cases {
            let cells = names.iter().map(|name| match case.policy(name) {
                None => Cell::new(ENDLESS).tone(Tone::Bad),
                Some(policy) => {
                    let (value, spread) = format::parts(unit, &policy.figures[metric]);
                    let cell = Cell::new(value).tail(spread.map(|spread| spread.tight()).unwrap_or_default());
                    let is_bad = metric == 0 && policy.figures[0].value >= DOWN;
                    if is_bad { cell.tone(Tone::Bad) } else { cell }
                }
            });
            table.row(&case.title(), cells);
        }
        table
    }

    /// The columns beside the figures that only the whole has.
    fn recovery(&self) -> Table {
        let mut table = Table::new("");
        let names = self.policies();
        for name in &names {
            table.column(&clean(name), "ejected");
            table.column(&clean(name), "well again after");
        }
        for case in self.cases.iter().skip(1) {
            let cells = names.iter().flat_map(|name| {
                let policy = case.policy(name);
                let of = |estimate: Option<Estimate>, unit| match estimate {
                    Some(estimate) if estimate.value.is_finite() => Cell::new(format::parts(unit, &estimate).0),
                    Some(_) => Cell::new("never"),
                    None => Cell::new(format::NONE),
                };
                [
                    of(policy.and_then(|policy| policy.ejected), Unit::Share),
                    of(policy.and_then(|policy| policy.recovered_after), Unit::Seconds),
                ]
            });
            table.row(&case.title(), cells);
        }
        table
    }

    /// The titles and tables, in order: what is the worst, then each case.
    fn tables(&self, full: bool) -> Vec<(String, Table)> {
        let during = "of those that arrive meanwhile";
        let worst = "at worst, and what fails then";
        let mut all = vec![(format!("Requests that fail, {during}, {worst}"), self.summary(0))];
        let dialogues = "Conversations and agent runs that fail, of those that begin meanwhile";
        if self.metrics.len() > DIALOGUES {
            all.push((format!("{dialogues}, {worst}"), self.summary(DIALOGUES)));
        }
        if full || self.policies().len() <= FEW {
            all.push((
                format!("E2E p95 {during}, {worst}; one without an answer takes for ever"),
                self.summary(2),
            ));
        }
        if full {
            all.push((format!("Requests that fail, {during}"), self.table(0)));
            if self.metrics.len() > DIALOGUES {
                all.push((dialogues.to_owned(), self.table(DIALOGUES)));
            }
            all.push((format!("E2E p95 {during}"), self.table(2)));
            all.push((format!("TTFT p95 {during}"), self.table(1)));
            all.push((format!("Money for 1,000 {during}"), self.table(3)));
            all.push((
                "Requests that fail of those that arrive after it".to_owned(),
                self.table(4),
            ));
            let title = "Breakers, and how long after the failure at most 10 of the last 100 requests had failed";
            all.push((title.to_owned(), self.recovery()));
        }
        all
    }

    /// The drill for a terminal of that width: a sentence for each of few policies, of many for the best and the worst; then tables.
    pub fn text(&self, width: usize, colour: bool, full: bool) -> String {
        let ranked = self.ranked();
        let told = match &ranked[..] {
            [first, .., last] if ranked.len() > FEW => vec![first, last],
            all => all.iter().collect(),
        };
        let sentences = told.into_iter().filter_map(|name| self.sentence(name));
        let mut text: String = sentences.map(|line| paragraph("", &line, width)).collect();
        for warning in &self.warnings {
            text += &paragraph("warning: ", warning, width);
        }
        for (title, table) in self.tables(full) {
            text += &format!("\n{}{}", paragraph("", &title, width), table.render(width, colour));
        }
        let names = self.policies();
        for (case, why) in self
            .cases
            .iter()
            .filter_map(|case| Some((case, case.outgrown.as_ref()?)))
        {
            let without = names.iter().filter(|name| case.policy(name).is_none());
            let without: Vec<String> = without.map(|name| clean(name)).collect();
            let under = match without.len() < names.len() {
                true => format!(" under {}", without.join(", ")),
                false => String::new(),
            };
            text += &paragraph(
                "",
                &format!("{}, {ENDLESS}{under}: {}", case.title(), clean(why)),
                width,
            );
        }
        if !full {
            text += "\nEvery case, waits, money and recovery: --full\n";
        }
        text
    }

    /// The drill in GitHub's Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("# Drill of {}\n\n", escaped(&self.experiment));
        for line in self.policies().into_iter().filter_map(|name| self.sentence(&name)) {
            text += &format!("- {}\n", escaped(&line));
        }
        for warning in &self.warnings {
            text += &format!("- warning: {}\n", escaped(warning));
        }
        for (title, table) in self.tables(true) {
            text += &format!("\n{}\n\n{}", escaped(&title), table.markdown());
        }
        text
    }

    /// The drill as rows: what fails, how, the policy, the metric, its estimate.
    pub fn csv(&self) -> String {
        let mut sheet = csv::Writer::from_writer(Vec::new());
        // Writing to memory does not fail.
        let _ = sheet.write_record(["domain", "fails", "policy", "metric", "value", "lo", "hi", "n"]);
        let number = |x: Option<f64>| x.filter(|x| x.is_finite()).map(|x| x.to_string()).unwrap_or_default();
        for case in &self.cases {
            for policy in &case.policies {
                for (metric, figure) in self.metrics.iter().zip(&policy.figures) {
                    let _ = sheet.write_record([
                        super::csv::text(case.domain.as_deref().unwrap_or_default()),
                        case.fails.unwrap_or_default().to_owned(),
                        super::csv::text(&policy.name),
                        metric.to_string(),
                        number(Some(figure.value)),
                        number(figure.lo),
                        number(figure.hi),
                        figure.n.to_string(),
                    ]);
                }
            }
        }
        let bytes = sheet.into_inner().ok();
        bytes
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drill(errors: &[f64]) -> Drill {
        let of = |value| Estimate::symmetric(value, Some(0.001), 8, 0);
        let case = |(i, errors): (usize, &f64)| Case {
            domain: (i > 0).then(|| format!("p{i}")),
            fails: (i > 0).then_some("hangs"),
            verb: (i > 0).then_some("hangs"),
            policies: vec![OfPolicy {
                name: "only".into(),
                figures: [*errors, 1.0, 2.0, 0.5, 0.0].map(of).to_vec(),
                ejected: Some(of(1.0)),
                recovered_after: Some(of(3.0)),
            }],
            outgrown: None,
        };
        Drill {
            experiment: "x".into(),
            lasts: 600.0,
            replications: 8,
            metrics: vec![
                Metric::ERROR_RATE,
                Metric::TTFT_P95,
                Metric::E2E_P95,
                Metric::COST_PER_1K,
                Metric::ERROR_RATE,
            ],
            currency: None,
            cases: errors.iter().enumerate().map(case).collect(),
            warnings: Vec::new(),
        }
    }

    #[test]
    fn the_worst_is_said_first() {
        for (errors, expected) in [
            (
                &[0.01, 0.01, 0.005][..],
                "only: no failure costs more requests than fail anyway (1.00 %).",
            ),
            (
                &[0.0, 0.02, 0.2],
                "only: at worst, when p2 hangs, 20.0 % of requests fail (0 % when nothing fails).",
            ),
            (
                &[0.0, 1.0, 0.2],
                "only: most requests fail in 1 of 2 failures; at worst, when p1 hangs, 100 %.",
            ),
        ] {
            assert_eq!(drill(errors).sentence("only").unwrap(), expected);
        }
    }

    /// The figure beside the worst is that of the run in which nothing fails, and of no other failure.
    #[test]
    fn a_slow_failure_is_told_beside_the_run_in_which_nothing_fails() {
        let mut drill = drill(&[0.0, 0.0, 0.0]);
        for (case, time) in drill.cases.iter_mut().zip([2.0, 20.0, 30.0]) {
            case.policies[0].figures[2].value = time;
        }
        let said = |drill: &Drill| drill.sentence("only").unwrap();
        let expected = " E2E p95: 2.00 s when nothing fails, at worst 30.0 s (p2 hangs).";
        assert!(said(&drill).ends_with(expected), "{}", said(&drill));
        drill.cases[1].policies[0].figures[2].value = f64::INFINITY;
        let expected = " E2E p95: 2.00 s when nothing fails, at worst never (p1 hangs).";
        assert!(said(&drill).ends_with(expected), "{}", said(&drill));
    }

    /// A failure without end under one policy is none under another, and it is said under which.
    #[test]
    fn what_is_without_end_is_so_under_some_policies() {
        let mut drill = drill(&[0.0, 0.0]);
        for case in &mut drill.cases {
            let other = OfPolicy {
                name: "other".into(),
                ..case.policies[0].clone()
            };
            case.policies.push(other);
        }
        drill.cases[1].policies.truncate(1);
        drill.cases[1].outgrown = Some("no timeout".into());
        let text = drill.text(100, false, false);
        let (only, other) = (drill.sentence("only").unwrap(), drill.sentence("other").unwrap());
        assert!(only.contains("no failure costs more"), "{only}");
        assert!(other.contains("most requests fail in 1 of 1 failures"), "{other}");
        assert!(text.contains("p1 hangs, without end under other: no timeout"), "{text}");
        drill.cases[1].policies.clear();
        assert!(
            drill
                .text(100, false, false)
                .contains("p1 hangs, without end: no timeout")
        );
    }

    #[test]
    fn rows_and_tables_have_every_case() {
        let drill = drill(&[0.0, 1.0]);
        assert_eq!(drill.csv().lines().count(), 1 + 2 * 5);
        let text = drill.text(80, false, true);
        assert_eq!(text.matches("nothing fails").count(), 2 + 5, "{text}");
        let markdown = drill.markdown();
        assert!(
            markdown.contains("| policy | nothing fails | hangs |\n| --- | ---: | ---: |\n"),
            "{markdown}"
        );
        assert!(markdown.contains("| p1 hangs |"), "{markdown}");
    }
}
