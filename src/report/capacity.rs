//! What a search for capacity found: how much each policy carries under its objectives, and what binds there.
//!
//! The same result as a table, JSON, CSV and Markdown; times, money and shares are those of the report of a run. Left out: the figures
//! at the capacity that no objective is asked of, which `simcap run` at that traffic has.

use serde::Serialize;

use super::table::{Cell, Table, Tone};
use super::text::{clean, paragraph};
use super::{Code, Goal, Unit, format};
use crate::stats::interval::Estimate;

/// The result of a search for capacity.
#[derive(Clone, Debug, Serialize)]
pub struct Capacities {
    /// The format of this file and its version: `simcap.capacity/1`.
    pub format: String,
    /// The version of simcap that made it.
    pub version: String,
    /// The name of the experiment.
    pub experiment: String,
    /// What was changed: `traffic`, the traffic of one stream, or the path of a number.
    pub lever: String,
    /// What the lever is counted in.
    #[serde(skip)]
    pub unit: Unit,
    /// What the file itself says, as the lever is counted; absent where it is not a number.
    pub today: Option<f64>,
    /// Whether the file says its traffic in requests a second, which then goes with the lever.
    #[serde(skip)]
    pub is_declared: bool,
    /// The traffic that is carried, in requests a second, where the smallest of something is looked for that carries it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carries: Option<f64>,
    /// By how much the traffic grows in a month, as a share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth: Option<f64>,
    /// The day from which it grows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The seed of all draws.
    pub seed: u64,
    /// The confidence level of every interval.
    pub confidence: f64,
    /// How wide an interval was to be, as a share of the capacity.
    pub precision: f64,
    /// The currency of money, if it is not the dollar.
    pub currency: Option<Code>,
    /// What grows, where it is counted in something else than requests: how many there are in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counted_in: Option<CountedIn>,
    /// What is not modelled and would change the answer, in clauses.
    pub assumptions: Vec<String>,
    /// What was found of each policy, in the experiment's order.
    pub policies: Vec<Capacity>,
}

/// What traffic grows by where requests follow each other's ends, and how much of it the file has.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CountedIn {
    /// Users that wait for their answers.
    Users(f64),
    /// Conversations and agent runs that begin in a second.
    Starts(f64),
}

impl CountedIn {
    /// How many there are in the file.
    pub fn today(self) -> f64 {
        match self {
            CountedIn::Users(number) | CountedIn::Starts(number) => number,
        }
    }

    /// So many of them, without what they are. A part of a user is none.
    fn number(self, number: f64) -> String {
        match self {
            CountedIn::Users(_) => format::count((number + 1e-6).max(0.0) as u64),
            CountedIn::Starts(_) => format::value(Unit::Number, number),
        }
    }

    fn words(self) -> &'static str {
        match self {
            CountedIn::Users(_) => "users",
            CountedIn::Starts(_) => "conversations or runs a second",
        }
    }
}

/// How a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The capacity was found.
    Found,
    /// Objectives hold however much comes, and nothing in the file feels load.
    Unfelt,
    /// Objectives hold as far as was looked.
    Beyond,
    /// Objectives fail as far as was looked.
    Nowhere,
    /// An objective fails however little comes: what fails it is not load.
    Never,
    /// Objectives hold until requests pile up, or the experiment is refused.
    Outgrown,
    /// Objectives hold beyond it too in runs of this length, while requests pile up all the time.
    Overloaded,
    /// The budget of simulated requests was spent.
    Spent,
    /// The search was interrupted.
    Interrupted,
}

/// How much one policy carries.
#[derive(Clone, Debug, Serialize)]
pub struct Capacity {
    /// The name of the policy.
    pub policy: String,
    /// How the search ended.
    pub ended: Ended,
    /// The capacity as the lever is counted, with its interval; where it was not found, as far as is known.
    pub capacity: Estimate,
    /// The capacity as a multiple of what the file says; absent where the smallest of something is looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub times: Option<Estimate>,
    /// The capacity in what the traffic is counted in, where that is not requests: in users, or conversations that begin a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counted: Option<Estimate>,
    /// The months of growth until the capacity is used up; below 0 where it was used up before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub months: Option<Estimate>,
    /// The day on which growth uses the capacity up, if that is within a century.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub used_up: Option<String>,
    /// The objective that binds, and its figure at the capacity.
    pub objective: Option<Binding>,
    /// What is reached or used at the capacity, that which binds first.
    pub limits: Vec<Limit>,
    /// What follows, in sentences.
    pub sentences: Vec<String>,
    /// What changes the verdict, in sentences.
    pub warnings: Vec<String>,
    /// Replications at the capacity.
    pub replications: u64,
    /// Requests that were simulated.
    pub requests: u64,
    /// The figure that binds at each value that was looked at, in rising order.
    pub curve: Vec<Looked>,
}

/// An objective and its figure where it binds.
#[derive(Clone, Debug, Serialize)]
pub struct Binding {
    /// The objective that binds.
    pub goal: Goal,
    /// The figure at the capacity.
    pub there: Estimate,
    /// The figure at what the file says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub today: Option<Estimate>,
}

/// A limit, and how near it is.
#[derive(Clone, Debug, Serialize)]
pub struct Limit {
    /// The limit, in words.
    pub what: String,
    /// The share of time in which it was reached at the capacity, from 0 to 1; absent where that is not counted.
    pub reached: Option<Estimate>,
    /// The share of time in which it is reached at what the file says.
    pub reached_today: Option<f64>,
    /// The share of it that was used at the capacity, in the mean; absent where it has no use.
    pub used: Option<f64>,
    /// The share of it that is used at what the file says.
    pub used_today: Option<f64>,
}

/// A value that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Looked {
    /// The value of the lever.
    pub at: f64,
    /// The figure that binds; of the replications that were run there first.
    pub figure: Estimate,
    /// Whether every objective holds in the mean.
    pub holds: bool,
}

impl Capacities {
    fn value(&self, x: f64) -> String {
        // A number of the file, such as one of connections.
        if self.unit == Unit::Number {
            return format::tick(self.unit, x);
        }
        format::value(self.unit, x)
    }

    /// `10.4/s (10.3/s to 10.5/s)`.
    fn figure(&self, of: &Estimate) -> String {
        match (of.lo, of.hi) {
            // A whole number that no replication leaves in doubt.
            (Some(lo), Some(hi)) if lo == hi => self.value(of.value),
            (Some(lo), Some(hi)) => format!("{} ({} to {})", self.value(of.value), self.value(lo), self.value(hi)),
            _ => self.value(of.value),
        }
    }

    /// The table: a row for each policy.
    pub(super) fn table(&self) -> Table {
        let mut table = Table::new("policy");
        let is_smallest = self.carries.is_some();
        table.column("", if is_smallest { "smallest" } else { "capacity" });
        if !is_smallest {
            table.column("", "× today");
        }
        if self.growth.is_some() {
            table.column("", "months left");
        }
        table.words("", "binds");
        table.words("", "reached there");
        table.words("", "next");
        for policy in &self.policies {
            let sign = match policy.ended {
                Ended::Found | Ended::Outgrown | Ended::Overloaded => "",
                Ended::Unfelt | Ended::Beyond | Ended::Spent | Ended::Interrupted if is_smallest => "≤ ",
                Ended::Unfelt | Ended::Beyond | Ended::Spent | Ended::Interrupted => "≥ ",
                Ended::Nowhere if is_smallest => "> ",
                Ended::Nowhere | Ended::Never => "< ",
            };
            let spread = |unit: Unit, of: &Estimate| {
                let (value, spread) = format::parts(unit, of);
                Cell::new(format!("{sign}{value}")).tail(spread.map(|spread| spread.tight()).unwrap_or_default())
            };
            let whole = whole(&policy.capacity).filter(|_| is_smallest && self.unit == Unit::Number);
            let mut cells = vec![match whole {
                Some((value, reach)) => Cell::new(format!("{sign}{value}")).tail(reach),
                None => spread(self.unit, &policy.capacity),
            }];
            if !is_smallest {
                cells.push(policy.times.map_or(Cell::new(format::NONE), |times| {
                    let tone = if times.value < 1.0 { Tone::Bad } else { Tone::Good };
                    spread(Unit::Number, &times).tone(tone)
                }));
            }
            if self.growth.is_some() {
                cells.push(
                    policy
                        .months
                        .map_or(Cell::new(format::NONE), |months| spread(Unit::Number, &months)),
                );
            }
            let binding = policy.objective.as_ref().map(|binding| {
                let goal = &binding.goal;
                format!(
                    "{} {}",
                    goal.metric.title_in(self.currency),
                    goal.bound_in(self.currency)
                )
            });
            cells.push(Cell::new(clean(&binding.unwrap_or_else(|| format::NONE.into()))));
            for i in 0..2 {
                cells.push(Cell::new(clean(
                    &policy.limits.get(i).map_or(format::NONE.into(), Limit::short),
                )));
            }
            table.row(&clean(&policy.policy), cells);
        }
        table
    }

    /// The result for a terminal of that width: what follows, then a table, then what changes the verdict.
    pub fn text(&self, width: usize, colour: bool) -> String {
        let mut text = String::new();
        for policy in &self.policies {
            for sentence in &policy.sentences {
                text += &paragraph("", sentence, width);
            }
        }
        if self.policies.iter().any(|policy| policy.capacity.value.is_finite()) {
            text += &format!("\n{}", self.table().render(width, colour));
        }
        let warnings = self.warnings();
        if !warnings.is_empty() {
            text += "\n";
        }
        for warning in warnings {
            text += &paragraph("warning: ", &warning, width);
        }
        text
    }

    /// The warnings of all policies, each once.
    pub fn warnings(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for warning in self.policies.iter().flat_map(|policy| &policy.warnings) {
            if !all.contains(warning) {
                all.push(warning.clone());
            }
        }
        all
    }

    /// The result in Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("# {}\n", super::markdown::escaped(&self.experiment));
        let item = |sentence: &String| format!("- {}\n", super::markdown::escaped(&clean(sentence)));
        text += "\n";
        for policy in &self.policies {
            text.extend(policy.sentences.iter().map(item));
        }
        text += "\n";
        text += &self.table().markdown();
        let warnings = self.warnings();
        if !warnings.is_empty() {
            text += "\n## Warnings\n\n";
            text.extend(warnings.iter().map(item));
        }
        text
    }

    /// The result as rows: one for each policy.
    pub fn csv(&self) -> String {
        let mut sheet = csv::Writer::from_writer(Vec::new());
        // Writing to memory does not fail.
        let _ = sheet.write_record([
            "policy",
            "ended",
            "capacity",
            "lo",
            "hi",
            "times",
            "times_lo",
            "times_hi",
            "months",
            "objective",
            "bound",
            "reached",
            "next",
            "replications",
            "requests",
        ]);
        let number = |x: Option<f64>| x.filter(|x| x.is_finite()).map(|x| x.to_string()).unwrap_or_default();
        for policy in &self.policies {
            let goal = policy.objective.as_ref().map(|binding| &binding.goal);
            let limit = |i: usize| policy.limits.get(i).map(|limit| limit.what.clone()).unwrap_or_default();
            let _ = sheet.write_record([
                super::csv::text(&policy.policy),
                policy.ended.name().to_owned(),
                number(Some(policy.capacity.value)),
                number(policy.capacity.lo),
                number(policy.capacity.hi),
                number(policy.times.map(|times| times.value)),
                number(policy.times.and_then(|times| times.lo)),
                number(policy.times.and_then(|times| times.hi)),
                number(policy.months.map(|months| months.value)),
                goal.map(|goal| goal.metric.to_string()).unwrap_or_default(),
                number(goal.map(|goal| goal.bound)),
                super::csv::text(&limit(0)),
                super::csv::text(&limit(1)),
                policy.replications.to_string(),
                policy.requests.to_string(),
            ]);
        }
        let bytes = sheet.into_inner().ok();
        bytes
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .unwrap_or_default()
    }

    /// Whether the traffic of today is more than some policy carries, or nothing carries what is asked for.
    pub fn fails(&self) -> bool {
        self.policies.iter().any(|policy| match policy.ended {
            Ended::Nowhere | Ended::Never => true,
            Ended::Found | Ended::Outgrown | Ended::Overloaded | Ended::Spent | Ended::Interrupted => {
                policy.times.is_some_and(|times| times.value < 1.0)
            }
            Ended::Unfelt | Ended::Beyond => false,
        })
    }

    /// What a policy carries, with its interval and without, and what the file has of that: in what the traffic grows by.
    fn grown(&self, policy: &Capacity) -> (String, String, String) {
        let of = match self.lever.strip_prefix("traffic of ") {
            Some(stream) => format!(" of {stream}"),
            None => String::new(),
        };
        if let (Some(counted_in), Some(counted)) = (self.counted_in, policy.counted) {
            let value = |number| counted_in.number(number);
            let words = counted_in.words();
            let capacity = format!("{} {words}{of}", value(counted.value));
            let figure = match (counted.lo, counted.hi) {
                (Some(lo), Some(hi)) if value(lo) != value(hi) => {
                    format!("{capacity} ({} to {})", value(lo), value(hi))
                }
                _ => capacity.clone(),
            };
            let today = format!("today's {}", value(counted_in.today()));
            return (figure, capacity, today);
        }
        let today = match (self.today, self.is_declared) {
            (Some(today), true) => format!("today's {}", self.value(today)),
            // What comes is not in proportion to what grows.
            (Some(today), false) => format!("today's traffic, of which {} come", self.value(today)),
            (None, _) => "today's".into(),
        };
        let figure = self.figure(&policy.capacity);
        (
            format!("{figure}{of}"),
            format!("{}{of}", self.value(policy.capacity.value)),
            today,
        )
    }

    /// The requests that come at the capacity, where that is counted in something else.
    fn in_requests(&self, policy: &Capacity) -> String {
        match policy.counted {
            Some(_) => format!("; all requests then come at {}", self.value(policy.capacity.value)),
            None => String::new(),
        }
    }

    /// What a policy carries, in a sentence.
    pub fn carries(&self, policy: &Capacity) -> String {
        let name = &policy.policy;
        let times = policy.times.map_or(f64::NAN, |times| times.value);
        let times = format!("{} times", format::tick(Unit::Number, round(times)));
        let (figure, value, today) = self.grown(policy);
        if let Some(carries) = self.carries {
            let load = match carries.is_finite() {
                true => format::value(Unit::PerSecond, carries),
                false => "that traffic".to_owned(),
            };
            let lever = &self.lever;
            return match policy.ended {
                Ended::Found => format!("{name} carries {load} with {lever} = {figure} and more."),
                Ended::Unfelt | Ended::Beyond => {
                    format!("{name} carries {load} with {lever} = {value} already, the least that was looked at.")
                }
                Ended::Nowhere | Ended::Never => {
                    format!("{name} does not carry {load} with {lever} = {value} either, the most that was looked at.")
                }
                Ended::Outgrown | Ended::Overloaded => {
                    format!("{name} carries {load} with {lever} = {figure}; with less requests pile up.")
                }
                Ended::Spent | Ended::Interrupted => {
                    format!("{name} carries {load} with {lever} = {value}; whether with less is not known.")
                }
            };
        }
        match policy.ended {
            Ended::Found => format!("{name} carries {figure}: {times} {today}{}.", self.in_requests(policy)),
            Ended::Unfelt => format!(
                "{name} has no capacity in this file: at {times} {today} no limit is reached, no quota is charged and no provider has \
                 load, so latency never feels load. Give providers `load`, `limits` or `connections`."
            ),
            Ended::Beyond => {
                format!("{name} meets every objective at {value}, {times} {today}; no more than that was looked at.")
            }
            Ended::Nowhere => {
                format!(
                    "{name} does not meet its objectives at {value} either, {times} {today}; no less was looked at."
                )
            }
            Ended::Never => match &policy.objective {
                Some(Binding { goal, there, .. }) => {
                    let unit = goal.metric.unit_in(self.currency);
                    format!(
                        "{name} misses {} at any traffic: at {value}, nearly idle, it is still {} (objective {}).",
                        goal.metric.title_in(self.currency),
                        format::plus_minus(unit, there),
                        goal.bound_in(self.currency)
                    )
                }
                None => format!("{name} misses its objectives at any traffic: at {value}, nearly idle, it still does."),
            },
            Ended::Outgrown => format!(
                "{name} carries {figure}, {times} {today}, and objectives hold there; more cannot be simulated."
            ),
            Ended::Overloaded => format!(
                "{name} carries about {figure}, {times} {today}: with more requests pile up for as long as it is run."
            ),
            Ended::Spent => format!(
                "{name}: the budget of requests was spent before its capacity was known; at {value}, {times} {today}, {}.",
                if policy.curve.iter().any(|looked| looked.holds) {
                    "it meets its objectives"
                } else {
                    "it fails them"
                }
            ),
            Ended::Interrupted => format!("{name}: interrupted; what is known is {figure}, {times} {today}."),
        }
    }
}

impl Ended {
    /// The end as files have it.
    pub const fn name(self) -> &'static str {
        match self {
            Ended::Found => "found",
            Ended::Unfelt => "unfelt",
            Ended::Beyond => "beyond",
            Ended::Nowhere => "nowhere",
            Ended::Never => "never",
            Ended::Outgrown => "outgrown",
            Ended::Overloaded => "overloaded",
            Ended::Spent => "spent",
            Ended::Interrupted => "interrupted",
        }
    }
}

impl Limit {
    /// `openai: 12,000 input tokens a minute, 97 % used`.
    pub fn short(&self) -> String {
        let reached = self.reached.map(|reached| reached.value).filter(|share| *share > 0.0);
        match (reached, self.used) {
            (Some(reached), _) => format!("{} ({} of the time)", self.what, format::share(reached)),
            (None, Some(used)) => format!("{} ({} used)", self.what, format::share(used)),
            (None, None) => self.what.clone(),
        }
    }
}

/// A whole number and the reach of its interval, without digits after the point: `34` and `+1`.
fn whole(of: &Estimate) -> Option<(String, String)> {
    let (lo, hi) = (of.lo.unwrap_or(of.value), of.hi.unwrap_or(of.value));
    if [of.value, lo, hi].iter().any(|x| !x.is_finite() || x.fract() != 0.0) {
        return None;
    }
    let number = |x: f64| format::tick(Unit::Number, x);
    let (down, up) = (of.value - lo, hi - of.value);
    let reach = match (down > 0.0, up > 0.0) {
        (false, false) => String::new(),
        _ if down == up => format!("±{}", number(up)),
        (false, true) => format!("+{}", number(up)),
        (true, false) => format!("−{}", number(down)),
        (true, true) => format!("−{} +{}", number(down), number(up)),
    };
    Some((number(of.value), reach))
}

/// To three digits.
fn round(x: f64) -> f64 {
    if !(x.is_finite() && x > 0.0) {
        return x;
    }
    let unit = libm::pow(10.0, libm::floor(libm::log10(x)) - 2.0);
    (x / unit).round() * unit
}
