//! What a choice goes by: a metric, or several with what a unit of each is worth.
//!
//! ```text
//! aim    = metric | sum
//! sum    = [ "-" ] term { ( "+" | "-" ) term }
//! term   = [ weight "*" ] metric
//! weight = a decimal number above 0, that a unit of the metric counts: a dollar, a second, or a share of one, which is 100 %
//! ```
//!
//! `cost_per_month + 2000*e2e.p95 - 500*quality`: a second of p95 is worth 2,000 a month, and one percent of quality 5. Less is better.
//! Left out: products and bounds of metrics; what must hold is an objective.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::{Code, Metric, Unit};

/// What is to be as low or as high as can be.
#[derive(Clone, Debug, PartialEq)]
pub enum Aim {
    /// One metric alone.
    Metric(Metric),
    /// A sum of metrics, each times its weight, which is not 0 and below 0 for what is to be high. There are at least two, or one whose
    /// weight is not 1.
    Sum(Vec<(f64, Metric)>),
}

/// A text that is not an aim, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadAim(String);

/// The most terms of a sum.
const MOST: usize = 16;

impl Aim {
    /// The metrics that it is of, each with its weight.
    pub fn terms(&self) -> Vec<(f64, &Metric)> {
        match self {
            Aim::Metric(metric) => vec![(1.0, metric)],
            Aim::Sum(terms) => terms.iter().map(|(weight, metric)| (*weight, metric)).collect(),
        }
    }

    /// The metric, if it is of one alone.
    pub fn metric(&self) -> Option<&Metric> {
        match self {
            Aim::Metric(metric) => Some(metric),
            Aim::Sum(_) => None,
        }
    }

    /// The name of the aim for people, where all money is in `currency`.
    pub fn title_in(&self, currency: Option<Code>) -> String {
        match self {
            Aim::Metric(metric) => metric.title_in(currency),
            Aim::Sum(terms) => joined(terms, " × ", |metric| metric.title_in(currency)),
        }
    }

    /// The unit of the aim where all money is in `currency`. A sum in which there is money is money, since weights are then prices.
    pub fn unit_in(&self, currency: Option<Code>) -> Unit {
        match self {
            Aim::Metric(metric) => metric.unit_in(currency),
            Aim::Sum(terms) => {
                let money = terms.iter().find(|(_, metric)| metric.unit() == Unit::Dollars);
                money.map_or(Unit::Number, |(_, metric)| metric.unit_in(currency))
            }
        }
    }

    /// Whether less of it is better.
    pub fn lower_is_better(&self) -> bool {
        self.metric().is_none_or(Metric::lower_is_better)
    }
}

/// The terms with their signs, each metric as `name` has it.
fn joined(terms: &[(f64, Metric)], times: &str, name: impl Fn(&Metric) -> String) -> String {
    let mut text = String::new();
    for (i, (weight, metric)) in terms.iter().enumerate() {
        text += match (i, *weight < 0.0) {
            (0, false) => "",
            (0, true) => "-",
            (_, false) => " + ",
            (_, true) => " - ",
        };
        if weight.abs() != 1.0 {
            text += &format!("{}{times}", weight.abs());
        }
        text += &name(metric);
    }
    text
}

impl From<Metric> for Aim {
    fn from(metric: Metric) -> Aim {
        Aim::Metric(metric)
    }
}

impl fmt::Display for Aim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Aim::Metric(metric) => metric.fmt(f),
            Aim::Sum(terms) => f.write_str(&joined(terms, "*", Metric::to_string)),
        }
    }
}

impl Serialize for Aim {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Aim {
    type Err = BadAim;

    fn from_str(text: &str) -> Result<Aim, BadAim> {
        let mut terms: Vec<(f64, Metric)> = Vec::new();
        for (sign, part) in parts(text) {
            if terms.len() == MOST {
                return Err(BadAim(format!("a sum of more than {MOST} metrics")));
            }
            let (weight, name) = match part.split_once('*').filter(|(weight, _)| !weight.contains('{')) {
                Some((weight, name)) => (number(weight.trim())?, name.trim()),
                None => (1.0, part.trim()),
            };
            if name.is_empty() {
                return Err(BadAim(format!(
                    "a metric is missing in \"{text}\"; a goal is like \"cost_per_month + 2000*e2e.p95\""
                )));
            }
            let metric: Metric = name.parse().map_err(|bad: super::BadMetric| BadAim(bad.to_string()))?;
            if terms.iter().any(|(_, known)| *known == metric) {
                return Err(BadAim(format!("{metric} is there twice")));
            }
            terms.push((sign * weight, metric));
        }
        Ok(match terms.as_slice() {
            [(weight, metric)] if *weight == 1.0 => Aim::Metric(metric.clone()),
            _ => Aim::Sum(terms),
        })
    }
}

/// The terms of a sum and their signs, which do not stand in a scope's braces.
fn parts(text: &str) -> Vec<(f64, &str)> {
    let mut parts = Vec::new();
    let (mut sign, mut from, mut is_scope) = (1.0, 0, false);
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match c {
            _ if quote == Some(c) => quote = None,
            _ if quote.is_some() => {}
            '"' | '\'' if is_scope => quote = Some(c),
            '{' => is_scope = true,
            '}' => is_scope = false,
            '+' | '-' if !is_scope => {
                // A sign before the first term is that term's own.
                if !(parts.is_empty() && text[from..at].trim().is_empty()) {
                    parts.push((sign, &text[from..at]));
                }
                sign = if c == '-' { -1.0 } else { 1.0 };
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push((sign, &text[from..]));
    parts
}

fn number(text: &str) -> Result<f64, BadAim> {
    let number = text.parse::<f64>().ok();
    let number = number.filter(|number| *number > 0.0 && number.is_finite());
    number.ok_or_else(|| BadAim(format!("a weight is a number above 0, and not \"{text}\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Aim, String> {
        text.parse().map_err(|bad: BadAim| bad.to_string())
    }

    #[test]
    fn a_sum_is_read_and_written_alike() {
        for (text, written) in [
            ("cost_per_month", "cost_per_month"),
            ("cost_per_month+2000*e2e.p95", "cost_per_month + 2000*e2e.p95"),
            (
                "- 500 * quality + 0.5*ttft.p50{class=a-b}",
                "-500*quality + 0.5*ttft.p50{class=a-b}",
            ),
            ("2*error_rate{class=\"a}+b\"}", "2*error_rate{class='a}+b'}"),
        ] {
            let aim = of(text).unwrap();
            assert_eq!(of(&aim.to_string()), Ok(aim.clone()), "{text}");
            assert_eq!(aim.to_string(), written, "{text}");
        }
    }

    #[test]
    fn what_is_money_in_part_is_money_with_prices_as_weights() {
        let aim = of("cost_per_month + 2000*e2e.p95 - quality").unwrap();
        assert_eq!(aim.title_in(None), "$ / month + 2000 × E2E p95 - quality");
        assert_eq!(aim.unit_in(None), Unit::Dollars);
        assert_eq!(of("error_rate + 0.1*e2e.p95").unwrap().unit_in(None), Unit::Number);
    }

    #[test]
    fn what_is_not_a_sum_is_refused() {
        for (text, why) in [
            ("", "a metric is missing"),
            ("cost_per_month +", "a metric is missing"),
            ("2*", "a metric is missing"),
            ("0*quality", "a weight is a number above 0, and not \"0\""),
            ("x*quality", "a weight is a number above 0, and not \"x\""),
            ("quality + quality", "quality is there twice"),
            ("qualty", "there is no `qualty`"),
        ] {
            let error = of(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
