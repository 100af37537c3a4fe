//! What a sweep found: at each point the figures of each policy and whether it meets its objectives, and how far it carries along an axis.
//!
//! Every point is a whole run with the same seed, so that neighbours meet the same draws and a curve is smoother than its intervals say.
//! Left out: what lies between two points.

use serde::{Deserialize, Serialize};

use super::markdown::escaped;
use super::repeated::Repeated;
use super::scorecard::Judged;
use super::story::rows::Kind;
use super::table::{Cell, Table, Tone};
use super::text::{clean, paragraph};
use super::{Goal, Metric, Report, Unit, format, shown};
use crate::stats::interval::Estimate;
use crate::words::Code;

/// The most warnings that a terminal shows.
const SHOWN: usize = 4;

/// What stands behind the axes in a row.
const COLUMNS: [(&str, Kind); 7] = [
    ("policy", Kind::Text),
    ("objectives", Kind::Text),
    ("metric", Kind::Text),
    ("value", Kind::Number),
    ("lo", Kind::Number),
    ("hi", Kind::Number),
    ("n", Kind::Count),
];

/// The result of a sweep.
#[derive(Clone, Debug, Serialize)]
pub struct Sweep {
    /// The name of the experiment.
    pub experiment: String,
    /// The paths that were changed.
    pub axes: Vec<String>,
    /// The metrics of each row, in order.
    pub metrics: Vec<Metric>,
    /// The objectives that policies are judged by.
    pub objectives: Vec<Goal>,
    /// The currency of money, if it is not the dollar.
    pub currency: Option<Code>,
    /// The points, in order.
    pub points: Vec<Point>,
    /// What runs warned of, each once: the most important first.
    pub warnings: Vec<Repeated>,
}

/// A run with certain values.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Point {
    /// The value on each axis.
    pub values: Vec<String>,
    /// What every policy did there.
    pub policies: Vec<AtPoint>,
    /// Why the point has no figures: more requests in the system than the plan allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outgrown: Option<String>,
}

/// One policy at one point.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AtPoint {
    /// The name of the policy.
    pub name: String,
    /// Whether it meets its objectives; nothing where there are none.
    pub meets: Option<Judged>,
    /// The objectives that it fails, or that cannot be told.
    pub fails: Vec<String>,
    /// The estimates of the sweep's metrics.
    pub figures: Vec<Estimate>,
}

impl Point {
    /// What `report` says at these values.
    pub fn of(values: Vec<String>, report: &Report, metrics: &[Metric]) -> Point {
        let policies = report.policies.iter().map(|policy| {
            let row = report.scorecard.of(&policy.name);
            let failed = row.into_iter().flat_map(|row| {
                let verdict = row.overall;
                report
                    .scorecard
                    .goals_judged(row, verdict)
                    .filter(move |_| verdict != Judged::Pass)
            });
            AtPoint {
                name: policy.name.clone(),
                meets: row.map(|row| row.overall),
                fails: failed.map(|goal| goal.metric.title_in(report.code())).collect(),
                figures: metrics.iter().map(|metric| shown(policy, metric).0).collect(),
            }
        });
        Point {
            values,
            policies: policies.collect(),
            outgrown: None,
        }
    }
}

impl Sweep {
    /// The names of the policies, in order.
    pub(super) fn policies(&self) -> Vec<&str> {
        let all = self.points.iter().flat_map(|point| &point.policies);
        let mut names: Vec<&str> = Vec::new();
        for policy in all {
            if !names.contains(&policy.name.as_str()) {
                names.push(&policy.name);
            }
        }
        names
    }

    fn at<'a>(&'a self, name: &str) -> Vec<(&'a Point, Option<&'a AtPoint>)> {
        let of = |point: &'a Point| point.policies.iter().find(|policy| policy.name == name);
        self.points.iter().map(|point| (point, of(point))).collect()
    }

    fn label(point: &Point) -> String {
        clean(&point.values.join(" · "))
    }

    /// How far the policy of that name carries along the only axis, in a sentence; nothing without objectives or of several axes.
    fn carries(&self, name: &str) -> Option<String> {
        if self.axes.len() != 1 {
            return None;
        }
        let all = self.at(name);
        let verdicts: Vec<(String, Judged, String)> = (all.iter())
            .map(|(point, of)| {
                let value = Sweep::label(point);
                match of {
                    Some(of) => Some((value, of.meets?, of.fails.join(", "))),
                    None => Some((value, Judged::Fail, "requests piled up without end".to_owned())),
                }
            })
            .collect::<Option<_>>()?;
        let name = clean(name);
        let axis = clean(&self.axes[0]);
        let of = |wanted: Judged| -> Vec<usize> { (0..verdicts.len()).filter(|&i| verdicts[i].1 == wanted).collect() };
        let (passes, open) = (of(Judged::Pass), of(Judged::Undecided));
        let at = |of: &[usize]| {
            of.iter()
                .map(|&i| verdicts[i].0.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let why = |i: usize| {
            let (value, judged, fails) = &verdicts[i];
            match judged {
                Judged::Fail => format!("at {value} it fails {fails}"),
                Judged::Undecided | Judged::Pass => format!("at {value} the runs cannot tell on {fails}"),
            }
        };
        // Points that cannot be told, besides those of which the sentence speaks already.
        let besides = |open: &[usize]| match open {
            [] => String::new(),
            [one] => format!("; {}", why(*one)),
            several => format!("; at {} the runs cannot tell", at(several)),
        };
        let (Some(&first), Some(&last)) = (passes.first(), passes.last()) else {
            verdicts.first()?;
            return Some(match open.first() {
                Some(&open) => format!("{name} is not known to meet them at any; {}.", why(open)),
                None => format!("{name} meets them at none; {}.", why(0)),
            });
        };
        // A point that cannot be told goes with either side: only those that are told make a policy go in and out.
        let told: Vec<Judged> = (verdicts.iter().map(|(_, judged, _)| *judged))
            .filter(|judged| *judged != Judged::Undecided)
            .collect();
        let changes = told.windows(2).filter(|two| two[0] != two[1]).count();
        let (before, after) = (
            open.partition_point(|&i| i < last),
            open.partition_point(|&i| i < first),
        );
        Some(if changes > 1 {
            format!(
                "{name} goes in and out of its objectives along {axis}: it meets them at {}{}.",
                at(&passes),
                besides(&open)
            )
        } else if passes.len() == verdicts.len() {
            format!(
                "{name} meets every objective at all {} values of {axis}.",
                verdicts.len()
            )
        } else if told.last() == Some(&Judged::Fail) || (changes == 0 && before == 0) {
            let besides = besides(&open[..before]);
            format!(
                "{name} carries {axis} = {}; {}{besides}.",
                verdicts[last].0,
                why(last + 1)
            )
        } else if told.first() == Some(&Judged::Fail) || after == open.len() {
            let besides = besides(&open[after..]);
            format!(
                "{name} meets them from {axis} = {} on; {}{besides}.",
                verdicts[first].0,
                why(first - 1)
            )
        } else {
            format!("{name} meets them at {axis} = {}{}.", at(&passes), besides(&open))
        })
    }

    /// Where a figure of the policy of that name begins to go up steeply along the only axis, by number of the point; nothing where its values
    /// are not numbers, it is not a time, or it does not go up by so much that it bends.
    ///
    /// The point of the curve, both its axes scaled to 0 to 1, that lies furthest below the line from its first point to its last (Kneedle;
    /// Satopaa, Albrecht, Irwin and Raghavan 2011), if that is a quarter or more.
    pub(super) fn knee(&self, name: &str, metric: usize) -> Option<usize> {
        const BENDS: f64 = 0.25;
        const GROWS: f64 = 2.0;
        if self.axes.len() != 1 || self.metrics[metric].unit() != Unit::Seconds {
            return None;
        }
        let values: Vec<&str> = self.points.iter().map(|point| point.values[0].as_str()).collect();
        let (at, _) = numbers(&values)?;
        let figures: Vec<f64> = (self.points.iter())
            .map(|point| Some(point.policies.iter().find(|policy| policy.name == name)?.figures[metric].value))
            .collect::<Option<_>>()?;
        // Beyond what ends at all there is nothing to see.
        let count = figures.iter().take_while(|x| x.is_finite()).count();
        let ((first, last), (low, high)) = match count {
            0..4 => return None,
            _ => ((at[0], at[count - 1]), (figures[0], figures[count - 1])),
        };
        if last <= first || high < GROWS * low {
            return None;
        }
        let below = (0..count).map(|i| (i, (at[i] - first) / (last - first) - (figures[i] - low) / (high - low)));
        let (knee, depth) = below.reduce(|a, b| if b.1 > a.1 { b } else { a })?;
        (depth >= BENDS).then_some(knee)
    }

    /// What follows from the sweep: how far each policy carries, and where its times begin to go up.
    pub(super) fn sentences(&self) -> Vec<String> {
        let names = self.policies();
        let carries = names.iter().filter_map(|name| self.carries(name));
        let bends = names.iter().filter_map(|name| {
            let (metric, knee) = (0..self.metrics.len()).find_map(|i| Some((i, self.knee(name, i)?)))?;
            let (title, value) = (
                self.metrics[metric].title_in(self.currency),
                Sweep::label(&self.points[knee]),
            );
            let (axis, name) = (clean(&self.axes[0]), clean(name));
            Some(format!("{name}: {title} goes up steeply beyond {axis} = {value}."))
        });
        carries.chain(bends).collect()
    }

    /// The sweep for a terminal of that width: what follows from it, then a table for each policy.
    pub fn text(&self, width: usize, colour: bool) -> String {
        let sentences = self.sentences().into_iter();
        let text: String = sentences.map(|line| paragraph("", &line, width)).collect();
        let mut text = text + &self.tables(width, colour);
        if !self.warnings.is_empty() {
            text += "\n";
        }
        for warning in self.warnings.iter().take(SHOWN) {
            text += &paragraph("warning: ", &clean(&warning.sentence(self.points.len())), width);
        }
        let more = self.warnings.len().saturating_sub(SHOWN);
        if more > 0 {
            text += &paragraph(
                "",
                &format!("{more} more warnings: --format json, or the page of --out, has all."),
                width,
            );
        }
        text
    }

    /// A table for each policy, under its name.
    pub(super) fn tables(&self, width: usize, colour: bool) -> String {
        let of_each = self.each().into_iter();
        of_each
            .map(|(name, table)| format!("\n{name}\n{}", table.render(width, colour)))
            .collect()
    }

    /// The sweep as Markdown: what follows from it, a table for each policy, and what runs warned of.
    pub fn markdown(&self) -> String {
        let item = |sentence: &str| format!("- {}\n", escaped(&clean(sentence)));
        let mut text = format!("# {}\n\n", escaped(&self.experiment));
        text.extend(self.sentences().iter().map(|sentence| item(sentence)));
        for (name, table) in self.each() {
            text += &format!("\n## {}\n\n{}", escaped(&name), table.markdown());
        }
        if !self.warnings.is_empty() {
            text += "\n## Warnings\n\n";
            let count = self.points.len();
            text.extend(self.warnings.iter().map(|warning| item(&warning.sentence(count))));
        }
        text
    }

    /// The name of each policy and its table, a row a point.
    fn each(&self) -> Vec<(String, Table)> {
        let names = self.policies().into_iter();
        names.map(|name| (clean(name), self.of_policy(name))).collect()
    }

    fn of_policy(&self, name: &str) -> Table {
        let mut table = Table::new(&clean(&self.axes.join(" · ")));
        for metric in &self.metrics {
            table.column("", &metric.title_in(self.currency));
        }
        let judged = self
            .points
            .iter()
            .flat_map(|point| &point.policies)
            .any(|of| of.meets.is_some());
        if judged {
            table.words("", "objectives");
        }
        for (point, of) in self.at(name) {
            let Some(of) = of else {
                let none = self.metrics.iter().map(|_| Cell::new(format::NONE));
                let cells = none
                    .chain([Cell::new("outgrown").tone(Tone::Bad)])
                    .take(self.metrics.len() + usize::from(judged));
                table.row(&Sweep::label(point), cells);
                continue;
            };
            let figures = self.metrics.iter().zip(&of.figures).map(|(metric, figure)| {
                let (value, spread) = format::parts(metric.unit_in(self.currency), figure);
                Cell::new(value).tail(spread.map(|spread| spread.tight()).unwrap_or_default())
            });
            let verdict = of.meets.map(|judged| {
                let fails = of.fails.join(", ");
                match judged {
                    Judged::Pass => Cell::new("PASS").tone(Tone::Good),
                    Judged::Fail => Cell::new(format!("FAIL {fails}")).tone(Tone::Bad),
                    Judged::Undecided => Cell::new(format!("? {fails}")).tone(Tone::Dim),
                }
            });
            table.row(&Sweep::label(point), figures.chain(verdict));
        }
        table
    }

    /// The columns of the sweep as rows: its axes, which policy, whether it meets its objectives, the metric and its estimate.
    pub fn head(&self) -> Vec<(&str, Kind)> {
        let axes = self.axes.iter().map(|axis| (axis.as_str(), Kind::Text));
        axes.chain(COLUMNS).collect()
    }

    /// A row for each point, policy and metric; one without figures for a point that outgrew its bound.
    pub fn rows(&self) -> Vec<Vec<String>> {
        let number = |x: Option<f64>| x.filter(|x| x.is_finite()).map(|x| x.to_string()).unwrap_or_default();
        let mut rows = Vec::new();
        for point in &self.points {
            let mut add = |rest: [String; COLUMNS.len()]| rows.push(point.values.iter().cloned().chain(rest).collect());
            if point.outgrown.is_some() {
                let mut rest = <[String; COLUMNS.len()]>::default();
                rest[1] = "outgrown".into();
                add(rest);
            }
            for policy in &point.policies {
                let meets = match policy.meets {
                    Some(Judged::Pass) => "pass",
                    Some(Judged::Fail) => "fail",
                    Some(Judged::Undecided) => "undecided",
                    None => "",
                };
                for (metric, figure) in self.metrics.iter().zip(&policy.figures) {
                    add([
                        policy.name.clone(),
                        meets.to_owned(),
                        metric.to_string(),
                        number(Some(figure.value)),
                        number(figure.lo),
                        number(figure.hi),
                        figure.n.to_string(),
                    ]);
                }
            }
        }
        rows
    }

    /// The rows as CSV, with their head.
    pub fn csv(&self) -> String {
        let mut sheet = csv::Writer::from_writer(Vec::new());
        // Writing to memory does not fail.
        let _ = sheet.write_record(self.head().iter().map(|(name, _)| name));
        for row in self.rows() {
            let _ = sheet.write_record(row.iter().map(|cell| super::csv::text(cell)));
        }
        sheet
            .into_inner()
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .unwrap_or_default()
    }

    /// Whether some policy fails an objective at every point.
    pub fn fails_throughout(&self) -> bool {
        let all = self.points.iter().flat_map(|point| &point.policies);
        let judged: Vec<Judged> = all.filter_map(|of| of.meets).collect();
        !judged.is_empty() && judged.iter().all(|judged| *judged == Judged::Fail)
    }
}

/// The numbers of values that are numbers of one unit, and that unit.
pub(super) fn numbers(values: &[&str]) -> Option<(Vec<f64>, String)> {
    let split = |value: &str| {
        let text = value.trim_matches('"');
        let digits = text.trim_start_matches('$');
        let end = digits
            .find(|c: char| !(c.is_ascii_digit() || ".-".contains(c)))
            .unwrap_or(digits.len());
        Some((digits[..end].parse::<f64>().ok()?, digits[end..].trim().to_owned()))
    };
    let all: Vec<(f64, String)> = values.iter().map(|value| split(value)).collect::<Option<_>>()?;
    let unit = all.first()?.1.clone();
    all.iter()
        .all(|(number, own)| number.is_finite() && *own == unit)
        .then(|| (all.iter().map(|(number, _)| *number).collect(), unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(verdicts: &[(&str, Judged)]) -> Sweep {
        let point = |&(value, judged): &(&str, Judged)| Point {
            values: vec![value.into()],
            policies: vec![AtPoint {
                name: "p".into(),
                meets: Some(judged),
                fails: if judged == Judged::Pass {
                    vec![]
                } else {
                    vec!["errors".into()]
                },
                figures: vec![Estimate::symmetric(0.01, Some(0.002), 5, 0)],
            }],
            outgrown: None,
        };
        Sweep {
            experiment: "e".into(),
            axes: vec!["traffic.rate".into()],
            metrics: vec![Metric::ERROR_RATE],
            objectives: Vec::new(),
            currency: None,
            points: verdicts.iter().map(point).collect(),
            warnings: Vec::new(),
        }
    }

    #[test]
    fn how_far_a_policy_carries_is_said_first() {
        use Judged::{Fail, Pass, Undecided};
        for (verdicts, expected) in [
            (
                &[("1/s", Pass), ("2/s", Pass)][..],
                "p meets every objective at all 2 values of traffic.rate.",
            ),
            (
                &[("1/s", Pass), ("2/s", Fail)],
                "p carries traffic.rate = 1/s; at 2/s it fails errors.",
            ),
            (
                &[("1/s", Pass), ("2/s", Undecided), ("3/s", Fail)],
                "p carries traffic.rate = 1/s; at 2/s the runs cannot tell on errors.",
            ),
            (
                &[("1", Fail), ("2", Pass)],
                "p meets them from traffic.rate = 2 on; at 1 it fails errors.",
            ),
            (
                &[("1", Fail), ("2", Fail)],
                "p meets them at none; at 1 it fails errors.",
            ),
            (
                &[("1", Pass), ("2", Fail), ("3", Pass)],
                "p goes in and out of its objectives along traffic.rate: it meets them at 1, 3.",
            ),
            // What cannot be told goes with either side.
            (
                &[("1", Undecided), ("2", Pass), ("3", Pass), ("4", Fail), ("5", Fail)],
                "p carries traffic.rate = 3; at 4 it fails errors; at 1 the runs cannot tell on errors.",
            ),
            (
                &[("1", Undecided), ("2", Undecided), ("3", Pass), ("4", Fail)],
                "p carries traffic.rate = 3; at 4 it fails errors; at 1, 2 the runs cannot tell.",
            ),
            (
                &[("1", Fail), ("2", Pass), ("3", Undecided)],
                "p meets them from traffic.rate = 2 on; at 1 it fails errors; at 3 the runs cannot tell on errors.",
            ),
            (
                &[("1", Undecided), ("2", Pass)],
                "p meets them from traffic.rate = 2 on; at 1 the runs cannot tell on errors.",
            ),
            (
                &[("1", Pass), ("2", Undecided), ("3", Pass)],
                "p meets them at traffic.rate = 1, 3; at 2 the runs cannot tell on errors.",
            ),
            (
                &[("1", Undecided), ("2", Fail)],
                "p is not known to meet them at any; at 1 the runs cannot tell on errors.",
            ),
            (
                &[("1", Fail), ("2", Pass), ("3", Undecided), ("4", Fail)],
                "p goes in and out of its objectives along traffic.rate: it meets them at 2; at 3 the runs cannot tell on errors.",
            ),
        ] {
            assert_eq!(sweep(verdicts).text(200, false).lines().next().unwrap(), expected);
        }
    }

    /// 1 / (1 − x) from 0 to 0.95 bends; a straight line does not.
    #[test]
    fn a_knee_is_where_a_time_begins_to_go_up_steeply() {
        let of = |time: &dyn Fn(f64) -> f64| {
            let verdicts: Vec<String> = (0..20).map(|i| format!("{}/s", 5 * i)).collect();
            let verdicts: Vec<(&str, Judged)> = verdicts.iter().map(|v| (v.as_str(), Judged::Pass)).collect();
            let mut sweep = sweep(&verdicts);
            sweep.metrics = vec![Metric::E2E_P95];
            for (i, point) in sweep.points.iter_mut().enumerate() {
                point.policies[0].figures[0].value = time(f64::from(i as u32) * 0.05);
            }
            sweep.knee("p", 0)
        };
        assert_eq!(of(&|x| 1.0 / (1.0 - x)), Some(15), "at 75 of 100 a second");
        assert_eq!(of(&|x| 1.0 + 9.0 * x), None);
        assert_eq!(
            of(&|x| if x > 0.1 { f64::INFINITY } else { 1.0 }),
            None,
            "too few points"
        );
    }

    #[test]
    fn values_of_one_unit_are_numbers() {
        assert_eq!(numbers(&["10/s", "20/s"]), Some((vec![10.0, 20.0], "/s".to_owned())));
        assert_eq!(numbers(&["\"1.5s\"", "2s"]), Some((vec![1.5, 2.0], "s".to_owned())));
        assert_eq!(numbers(&["500ms", "1s"]), None);
        assert_eq!(numbers(&["litellm", "2"]), None);
    }

    #[test]
    fn in_markdown_a_policy_is_a_table_under_its_name() {
        let text = sweep(&[("1/s", Judged::Pass), ("2/s", Judged::Fail)]).markdown();
        let rows = "| 1/s | 1.00 % ±0.20 | PASS |\n| 2/s | 1.00 % ±0.20 | FAIL errors |\n";
        let head = "| traffic.rate | errors | objectives |\n| --- | ---: | --- |\n";
        let said = "# e\n\n- p carries traffic.rate = 1/s; at 2/s it fails errors.\n\n## p\n\n";
        assert_eq!(text, format!("{said}{head}{rows}"));
    }

    #[test]
    fn rows_have_their_values() {
        let csv = sweep(&[("1/s", Judged::Pass)]).csv();
        let mut lines = csv.lines();
        assert_eq!(
            lines.next().unwrap(),
            "traffic.rate,policy,objectives,metric,value,lo,hi,n"
        );
        assert!(
            lines.next().unwrap().starts_with("1/s,p,pass,error_rate,0.01,0.008,"),
            "{csv}"
        );
        let mut outgrown = sweep(&[("2/s", Judged::Pass)]);
        outgrown.points[0].policies.clear();
        outgrown.points[0].outgrown = Some("more requests than are held".into());
        assert_eq!(outgrown.csv().lines().last().unwrap(), "2/s,,outgrown,,,,,");
    }
}
