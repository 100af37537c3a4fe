//! What a sweep found: at each point the figures of each policy and whether it meets its objectives, and how far it carries along an axis.
//!
//! Every point is a whole run with the same seed, so that neighbours meet the same draws and a curve is smoother than its intervals say.
//! Left out: what lies between two points.

use serde::Serialize;

use super::scorecard::Judged;
use super::table::{Cell, Table, Tone};
use super::text::clean;
use super::{Metric, Report, format, shown};
use crate::stats::interval::Estimate;
use crate::words::Code;

/// The result of a sweep.
#[derive(Clone, Debug, Serialize)]
pub struct Sweep {
    /// The name of the experiment.
    pub experiment: String,
    /// The paths that were changed.
    pub axes: Vec<String>,
    /// The metrics of each row, in order.
    pub metrics: Vec<Metric>,
    /// The currency of money, if it is not the dollar.
    pub currency: Option<Code>,
    /// The points, in order.
    pub points: Vec<Point>,
}

/// A run with certain values.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// The value on each axis.
    pub values: Vec<String>,
    /// What every policy did there.
    pub policies: Vec<AtPoint>,
    /// Why the point has no figures: more requests in the system than the plan allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outgrown: Option<String>,
}

/// One policy at one point.
#[derive(Clone, Debug, Serialize)]
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
    fn policies(&self) -> Vec<&str> {
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
        let passes: Vec<bool> = verdicts.iter().map(|(_, judged, _)| *judged == Judged::Pass).collect();
        let changes = passes.windows(2).filter(|two| two[0] != two[1]).count();
        let axis = clean(&self.axes[0]);
        let why = |i: usize| {
            let (value, judged, fails) = &verdicts[i];
            match judged {
                Judged::Fail => format!("at {value} it fails {fails}"),
                Judged::Undecided | Judged::Pass => format!("at {value} the runs cannot tell on {fails}"),
            }
        };
        Some(match (passes.first()?, changes) {
            (true, 0) => format!(
                "{name} meets every objective at all {} values of {axis}.",
                verdicts.len()
            ),
            (false, 0) => format!("{name} meets them at none; {}.", why(0)),
            (true, 1) => {
                let last = passes.iter().rposition(|pass| *pass)?;
                format!("{name} carries {axis} = {}; {}.", verdicts[last].0, why(last + 1))
            }
            (false, 1) => {
                let first = passes.iter().position(|pass| *pass)?;
                format!(
                    "{name} meets them from {axis} = {} on; {}.",
                    verdicts[first].0,
                    why(first - 1)
                )
            }
            _ => format!(
                "{name} goes in and out of its objectives along {axis}: it meets them at {}.",
                (verdicts.iter().filter(|(_, judged, _)| *judged == Judged::Pass))
                    .map(|(value, ..)| value.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            ),
        })
    }

    /// The sweep for a terminal of that width: what follows from it, then a table for each policy.
    pub fn text(&self, width: usize, colour: bool) -> String {
        let names = self.policies();
        let mut text: String = names
            .iter()
            .filter_map(|name| self.carries(name))
            .map(|line| line + "\n")
            .collect();
        for name in names {
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
            text += &format!("\n{}\n{}", clean(name), table.render(width, colour));
        }
        text
    }

    /// The sweep as rows: a value for each axis, the policy, the metric, its estimate.
    pub fn csv(&self) -> String {
        let mut sheet = csv::Writer::from_writer(Vec::new());
        let head = self.axes.iter().map(String::as_str);
        // Writing to memory does not fail.
        let _ = sheet.write_record(head.chain(["policy", "objectives", "metric", "value", "lo", "hi", "n"]));
        let number = |x: Option<f64>| x.filter(|x| x.is_finite()).map(|x| x.to_string()).unwrap_or_default();
        for point in &self.points {
            for policy in &point.policies {
                for (metric, figure) in self.metrics.iter().zip(&policy.figures) {
                    let values = point.values.iter().map(|value| super::csv::text(value));
                    let meets = match policy.meets {
                        Some(Judged::Pass) => "pass",
                        Some(Judged::Fail) => "fail",
                        Some(Judged::Undecided) => "undecided",
                        None => "",
                    };
                    let rest = [
                        super::csv::text(&policy.name),
                        meets.to_owned(),
                        metric.to_string(),
                        number(Some(figure.value)),
                        number(figure.lo),
                        number(figure.hi),
                        figure.n.to_string(),
                    ];
                    let _ = sheet.write_record(values.chain(rest));
                }
            }
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
            currency: None,
            points: verdicts.iter().map(point).collect(),
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
        ] {
            assert_eq!(sweep(verdicts).text(80, false).lines().next().unwrap(), expected);
        }
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
    }
}
