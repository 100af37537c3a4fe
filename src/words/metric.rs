//! A metric: a quantity, a statistic of it, and of which requests.
//!
//! It is text wherever it is written, in experiments, results, tables and on the command line:
//!
//! ```text
//! metric    = quantity [ "." statistic ] [ scope ]
//! statistic = "mean" | "p" percent          of ttft, e2e, wait, tpot
//!           | outcome                       of share, attempts
//! percent   = a number strictly between 0 and 100 with at most six decimals: 50, 99.9
//! scope     = "{" key "=" value { "," key "=" value } "}"
//! key       = "class" | "provider" | "tag." name | "window" | "cache"
//! ```
//!
//! `ttft.p90`, `e2e.mean{class=chat}`, `attempts.rate_limited{provider=a}`, `cost_per_month{tag.team=search}`,
//! `error_rate{class=a,window=outage}`. [`Quantity`] is the table of quantities; [`Scope`] says how values are quoted.
//!
//! What a scope means, of a quantity of
//! - requests (times, shares, quality, money): the requests of the class or tag; with a window, those that arrive in it; with a
//!   provider, the successes that it answered, and the money that it bills.
//! - attempts: those made for such requests; with a provider, those sent to it. `attempts.X` is a share of attempts and no count, so
//!   that it does not grow with the length of a run; [`Quantity::AttemptsPerRequest`] says how many there are.
//! - throughput and goodput: the requests that succeed within the window, whenever they arrived, as within the counted time.
//!
//! - a response cache, `{cache=hit}` and `{cache=miss}`: the successes that it answered, and all other requests with all attempts.
//!
//! Only what is counted is in a scope: a window that begins in the warm-up is cut there. Reserved capacity is the bill of a provider
//! and of time, and copies that no caller waits for are of no class: neither is in the cost of a class or a tag.
//!
//! Of a tag, the first [`MOST_TAG_VALUES`] values in the order of the classes are kept apart; `other` is the rest, classes without
//! the tag included, so that the values add up to the whole.

mod aim;
mod quantity;
mod read;
mod scope;
mod statistic;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Code, Outcome, Unit};

pub use aim::{Aim, BadAim};
pub use quantity::{Better, Lies, Quantity, Row, Standard, Takes, Times};
pub use read::BadMetric;
pub use scope::{Key, Scope};
pub use statistic::{Percentile, Statistic};

/// The most values of one tag that are kept apart.
pub const MOST_TAG_VALUES: usize = 32;
/// The value of a tag that stands for all that are not kept apart.
pub const OTHER: &str = "other";
/// The value of `cache` that stands for requests which no response cache answered.
pub const MISS: &str = "miss";

/// A figure of merit. Read from text (`"ttft.p90".parse()`) or named by a constant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Metric {
    quantity: Quantity,
    statistic: Statistic,
    scope: Scope,
}

impl Metric {
    /// The 95th percentile of time to first token.
    pub const TTFT_P95: Metric = Metric::standing(Quantity::Ttft, Statistic::percent(95));
    /// The 99th percentile of time to first token.
    pub const TTFT_P99: Metric = Metric::standing(Quantity::Ttft, Statistic::percent(99));
    /// The 95th percentile of time to last token.
    pub const E2E_P95: Metric = Metric::standing(Quantity::E2e, Statistic::percent(95));
    /// The 99th percentile of time to last token.
    pub const E2E_P99: Metric = Metric::standing(Quantity::E2e, Statistic::percent(99));
    /// The mean time to last token.
    pub const E2E_MEAN: Metric = Metric::standing(Quantity::E2e, Statistic::Mean);
    /// The share of requests that did not succeed.
    pub const ERROR_RATE: Metric = Metric::standing(Quantity::ErrorRate, Statistic::Whole);
    /// Requests a second that succeed.
    pub const THROUGHPUT: Metric = Metric::standing(Quantity::Throughput, Statistic::Whole);
    /// Requests a second that succeed within every latency objective.
    pub const GOODPUT: Metric = Metric::standing(Quantity::Goodput, Statistic::Whole);
    /// Money for 1,000 requests.
    pub const COST_PER_1K: Metric = Metric::standing(Quantity::CostPer1k, Statistic::Whole);
    /// Money for 1,000 requests that succeeded.
    pub const COST_PER_1K_ANSWERS: Metric = Metric::standing(Quantity::CostPer1kAnswers, Statistic::Whole);
    /// Money for a month of this traffic.
    pub const COST_PER_MONTH: Metric = Metric::standing(Quantity::CostPerMonth, Statistic::Whole);
    /// The mean probability that an answer given is a good one.
    pub const QUALITY: Metric = Metric::standing(Quantity::Quality, Statistic::Whole);

    /// What every report says of conversations and agent runs, where the traffic has any.
    pub const OF_DIALOGUES: [Metric; 5] = [
        Metric::standing(Quantity::DialogueTime, Statistic::percent(50)),
        Metric::standing(Quantity::DialogueTime, Statistic::percent(95)),
        Metric::standing(Quantity::DialogueFailures, Statistic::Whole),
        Metric::standing(Quantity::TurnsPerDialogue, Statistic::Whole),
        Metric::standing(Quantity::CostPerDialogue, Statistic::Whole),
    ];

    const fn standing(quantity: Quantity, statistic: Statistic) -> Metric {
        Metric {
            quantity,
            statistic,
            scope: Scope::ALL,
        }
    }

    /// The metric of everything that is counted; nothing if the quantity has no such statistic.
    pub fn new(quantity: Quantity, statistic: Statistic) -> Option<Metric> {
        (statistic.suits(quantity.row().takes)).then(|| Metric::standing(quantity, statistic))
    }

    /// The metric restricted to the requests for which `key` is `value`.
    #[must_use]
    pub fn within(mut self, key: Key, value: impl Into<String>) -> Metric {
        self.scope = self.scope.with(key, value);
        self
    }

    /// The metrics that every report holds and where it shows them, in the order of tables.
    pub fn standard() -> impl Iterator<Item = (Metric, &'static Standard)> {
        Quantity::ALL.into_iter().flat_map(|quantity| {
            let each = quantity.row().standard.iter();
            each.map(move |standard| (Metric::standing(quantity, standard.statistic), standard))
        })
    }

    /// The entry of the metric among those that every report holds, if it is one of them.
    pub fn as_standard(&self) -> Option<&'static Standard> {
        let of_all = self.scope.is_all();
        let mut standard = self.row().standard.iter();
        standard.find(|standard| of_all && standard.statistic == self.statistic)
    }

    /// The quantity of the metric.
    pub const fn quantity(&self) -> Quantity {
        self.quantity
    }

    /// What is asked of that.
    pub const fn statistic(&self) -> Statistic {
        self.statistic
    }

    /// The requests that the metric is restricted to.
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The entry of its quantity in the table.
    pub const fn row(&self) -> &'static Row {
        self.quantity.row()
    }

    /// The name of the metric for people.
    pub fn title(&self) -> String {
        let title = self.row().title;
        let title = match self.statistic {
            Statistic::Whole => title.to_owned(),
            Statistic::Percentile(_) | Statistic::Mean => format!("{title} {}", self.statistic),
            Statistic::Outcome(outcome) => format!("{title} {}", outcome.name().replace('_', " ")),
        };
        if self.scope.is_all() {
            title
        } else {
            format!("{title} {}", self.scope)
        }
    }

    /// The name of the metric for people, where all money is in `currency`.
    pub fn title_in(&self, currency: Option<Code>) -> String {
        in_currency(&self.title(), currency)
    }

    /// The heading of a narrow column for the metric, where all money is in `currency`.
    pub fn short_in(&self, currency: Option<Code>) -> String {
        in_currency(self.row().short, currency)
    }

    /// Whether the metric is of conversations and agent runs.
    pub fn is_of_dialogues(&self) -> bool {
        matches!(self.row().lies, Lies::Dialogues | Lies::Times(Times::Dialogue))
    }

    /// The unit of the metric.
    pub const fn unit(&self) -> Unit {
        self.row().unit
    }

    /// The unit of the metric, where all money is in `currency`.
    pub const fn unit_in(&self, currency: Option<Code>) -> Unit {
        match (self.unit(), currency) {
            (Unit::Dollars, Some(code)) => Unit::Money(code),
            (unit, _) => unit,
        }
    }

    /// Whether less of it is better.
    pub fn lower_is_better(&self) -> bool {
        match self.row().better {
            Better::Lower => true,
            Better::Higher => false,
            Better::Successes => self.statistic != Statistic::Outcome(Outcome::Success),
        }
    }

    /// Whether more traffic alone makes it more, so that it says nothing of a policy where another met less.
    pub fn grows_with_traffic(&self) -> bool {
        matches!(
            self.quantity,
            Quantity::Throughput | Quantity::Goodput | Quantity::CostPerMonth
        )
    }

    /// Whether an upper bound on it also bounds goodput: of the requests that it is of, which a class or a tag sets apart, but not
    /// a provider, a window or the response cache.
    pub fn bounds_goodput(&self) -> bool {
        let is_part = [Key::Provider, Key::Window, Key::Cache]
            .iter()
            .any(|key| self.scope.get(key).is_some());
        self.row().bounds_goodput && !is_part
    }

    /// The percentile that it is, strictly between 0 and 1, if it is one: known to the width of a histogram's buckets.
    pub const fn percentile(&self) -> Option<f64> {
        match self.statistic.percentile() {
            Some(percentile) => Some(percentile.share()),
            None => None,
        }
    }
}

/// A title that begins with the dollar's sign, with the code of another currency instead.
fn in_currency(title: &str, currency: Option<Code>) -> String {
    match currency {
        Some(code) if title.starts_with('$') => title.replacen('$', &code.to_string(), 1),
        _ => title.to_owned(),
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().name)?;
        if self.statistic != Statistic::Whole {
            write!(f, ".{}", self.statistic)?;
        }
        self.scope.fmt(f)
    }
}

impl FromStr for Metric {
    type Err = BadMetric;

    fn from_str(text: &str) -> Result<Metric, BadMetric> {
        read::read(text)
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Metric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Metric, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Metric;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a metric, like \"ttft.p95\" or \"error_rate{class=chat}\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Metric, E> {
                text.parse().map_err(|bad| match bad {
                    // In serde's own words, which the reader of mistakes (`form::diagnose`) takes apart.
                    BadMetric::Unknown { found, allowed } => {
                        let one_of = if allowed.len() == 1 { "" } else { "one of " };
                        let names = allowed.join("`, `");
                        E::custom(format_args!("unknown variant `{found}`, expected {one_of}`{names}`"))
                    }
                    BadMetric::Form(what) => E::custom(what),
                })
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

impl JsonSchema for Metric {
    fn schema_name() -> Cow<'static, str> {
        "Metric".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let of = |takes: Takes| {
            let rows = Quantity::ALL.map(Quantity::row).into_iter();
            let names = rows
                .filter(|row| row.takes == takes)
                .map(|row| row.name.replace('.', r"\."));
            let names: Vec<String> = names.collect();
            names.join("|")
        };
        let outcomes = Outcome::ALL.map(Outcome::name).join("|");
        let pattern = format!(
            r"^(({})\.(mean|p[0-9]{{1,2}}(\.[0-9]{{1,6}})?)|({})\.({outcomes})|{})(\{{.+\}})?$",
            of(Takes::Statistic),
            of(Takes::Outcome),
            of(Takes::Nothing)
        );
        let each = Quantity::ALL.map(|quantity| {
            let row = quantity.row();
            let after = match row.takes {
                Takes::Nothing => "",
                Takes::Statistic => ".STATISTIC",
                Takes::Outcome => ".OUTCOME",
            };
            format!("`{}{after}`: {}.", row.name, row.about)
        });
        let description = format!(
            "A metric: a quantity, a statistic and a scope. {} A statistic is `mean` or a percentile strictly between 0 and 100, like `p95` or `p99.9`; a mean is of successes, while the percentile that an objective judges, and that tables show, is over all requests, one that never got its answer taking for ever. A scope in braces restricts it to the requests of a class, a provider, a tag or a window of the plan, `{{class=chat,window=outage}}`, or to those that the response cache answered or did not, `{{cache=miss}}`, with the keys `class`, `provider`, `tag.NAME`, `window` and `cache`; values with special characters stand in quotes.",
            each.join(" ")
        );
        json_schema!({
            "description": description,
            "type": "string",
            "pattern": pattern,
            "examples": [
                "ttft.p90",
                "e2e.p99.9",
                "tpot.mean",
                "error_rate{class=chat}",
                "share.rate_limited",
                "attempts.rate_limited{provider=a}",
                "cost_per_month{tag.team=search}",
                "goodput{class=chat,window=outage}"
            ]
        })
    }
}

#[cfg(test)]
mod tests;
