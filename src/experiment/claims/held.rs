//! What every claim of a file is held against: numbers in the file's order, formulas over them, and figures that were simulated.

use std::cell::RefCell;

use super::{ClaimSpec, Claims, Found, OfLaw, Simulated};
use crate::experiment::load::LoadError;
use crate::form::build::{Names, Refusal};
use crate::form::formula::{self, Dimension, Value};
use crate::form::units::Fraction;
use crate::kernel::law::Tail;
use crate::stats::interval::Estimate;
use crate::words::Unit;
use crate::words::metric::Percentile;

/// How far a figure may be off that is held against a simulation, as a share of it.
const CLOSE: f64 = 0.05;

/// A simulated figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// The figure and its interval; [`Estimate::NONE`] while it is not known.
    pub estimate: Estimate,
    /// The unit of the figure.
    pub unit: Unit,
    /// What is noted of it, such as why it has no value.
    pub note: Option<String>,
    /// The experiment, the policy and the metric, for a reader.
    pub source: String,
}

/// How a figure was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sense {
    /// As it is.
    Equal,
    /// As an upper bound.
    AtMost,
    /// As a lower bound.
    AtLeast,
}

/// A claim, and what it is held against.
#[derive(Clone, Debug)]
pub struct Held<'a> {
    /// What the file says of it.
    pub claim: &'a ClaimSpec,
    /// The table that it stands in.
    pub table: &'a str,
    /// The published figure.
    pub published: f64,
    /// How the figure was published.
    pub sense: Sense,
    /// How far the published figure may be off, in its unit.
    pub within: f64,
    /// What it is held against; nothing if there is nothing.
    pub found: Option<Value>,
    /// The unit of both.
    pub unit: Unit,
    /// What is noted of the simulated figures in it.
    pub note: Option<String>,
    /// Where what it is held against comes from.
    pub source: String,
}

/// A number with what it rests on.
#[derive(Clone, Debug)]
struct Known {
    value: Value,
    /// The unit of a figure that is one of a run, as it is.
    unit: Option<Unit>,
    is_simulated: bool,
    note: Option<String>,
    source: String,
}

impl Claims {
    /// Holds each claim against its number; `simulated` has the figures of runs, or only their units while they are not known.
    ///
    /// # Errors
    /// If a formula is none, names what does not stand before it, divides by zero or mixes units, or a law is none: at its place in the
    /// file.
    pub fn hold(&self, simulated: &dyn Fn(&Simulated) -> Seen) -> Result<Vec<Held<'_>>, LoadError> {
        hold(self, simulated).map_err(|refusal| self.blame(refusal).into())
    }
}

fn hold<'a>(claims: &'a Claims, simulated: &dyn Fn(&Simulated) -> Seen) -> Result<Vec<Held<'a>>, Refusal> {
    let mut numbers: Vec<(&str, Known)> = Vec::new();
    for (name, found) in claims.said.numbers.iter() {
        let known = known(found, &numbers, simulated).map_err(|refusal| refusal.at(name).at("numbers"))?;
        numbers.push((name, known));
    }
    let mut all = Vec::new();
    for (number, (table, claim)) in claims.by_table().enumerate() {
        let one = held(table, claim, &numbers, simulated);
        all.push(one.map_err(|refusal| refusal.at(number).at("claims"))?);
    }
    Ok(all)
}

fn held<'a>(
    table: &'a str,
    claim: &'a ClaimSpec,
    numbers: &[(&str, Known)],
    simulated: &dyn Fn(&Simulated) -> Seen,
) -> Result<Held<'a>, Refusal> {
    let figures = [
        ("published", Sense::Equal, &claim.published),
        ("at_most", Sense::AtMost, &claim.at_most),
        ("at_least", Sense::AtLeast, &claim.at_least),
    ];
    let figure = figures
        .into_iter()
        .find_map(|(field, sense, figure)| Some((field, sense, figure.as_ref()?)));
    let Some((field, sense, figure)) = figure else {
        return Err(Refusal::new("must have one of `published`, `at_most` and `at_least`"));
    };
    let published = known(&Found::Formula(figure.clone()), numbers, simulated).map_err(|refusal| refusal.at(field))?;
    let value = published.value.value;
    let of = published.value.of;
    let Some(mut unit) = of.unit() else {
        let why = format!("{}: figures are numbers, shares, money, times or rates", of.words());
        return Err(Refusal::new(why).at(field));
    };
    if figure.0.trim_end().ends_with('%') {
        unit = Unit::Share;
    }
    let found = match &claim.found {
        Some(found) => Some(known(found, numbers, simulated).map_err(|refusal| refusal.at("found"))?),
        None => None,
    };
    if let Some(found) = &found
        && found.value.of != of
    {
        let why = format!(
            "{}, where the published figure is {}",
            found.value.of.words(),
            of.words()
        );
        return Err(Refusal::new(why).at("found"));
    }
    if let Some(own) = found.as_ref().and_then(|found| found.unit)
        && unit == Unit::Number
    {
        unit = own;
    }
    let is_simulated = published.is_simulated || found.as_ref().is_some_and(|found| found.is_simulated);
    let within = match (claim.within.map(Fraction::get), formula::quantity(&figure.0)) {
        (Some(share), _) => share * value.abs(),
        (None, _) if sense != Sense::Equal => 0.0,
        (None, Some((_, half))) if !is_simulated => half,
        (None, _) => CLOSE * value.abs(),
    };
    Ok(Held {
        claim,
        table,
        published: value,
        sense,
        within,
        unit,
        note: found.as_ref().and_then(|found| found.note.clone()).or(published.note),
        source: found.as_ref().map(|found| found.source.clone()).unwrap_or_default(),
        found: found.map(|found| found.value),
    })
}

fn known(found: &Found, numbers: &[(&str, Known)], simulated: &dyn Fn(&Simulated) -> Seen) -> Result<Known, Refusal> {
    match found {
        Found::Formula(formula) => {
            let rests = RefCell::new((false, None));
            let named = |name: &str| {
                let Some((_, known)) = numbers.iter().find(|(known, _)| *known == name) else {
                    return Err(formula::unknown(name, numbers.iter().map(|(name, _)| *name)));
                };
                let mut rests = rests.borrow_mut();
                rests.0 |= known.is_simulated;
                if rests.1.is_none() {
                    rests.1.clone_from(&known.note);
                }
                Ok(known.value)
            };
            let value = formula::value(&formula.0, &named).map_err(Refusal::new)?;
            let (is_simulated, note) = rests.into_inner();
            Ok(Known {
                value,
                unit: None,
                is_simulated,
                note,
                source: formula.0.trim().to_owned(),
            })
        }
        Found::Simulated(of) => {
            let seen = simulated(of);
            let Estimate { value, lo, hi, .. } = seen.estimate;
            Ok(Known {
                value: Value {
                    lo: lo.unwrap_or(f64::NEG_INFINITY),
                    value,
                    hi: hi.unwrap_or(f64::INFINITY),
                    of: Dimension::of(seen.unit),
                },
                unit: Some(seen.unit),
                is_simulated: true,
                note: seen.note,
                source: seen.source,
            })
        }
        Found::Law(law) => of_law(law).map_err(|refusal| refusal.at("law")),
    }
}

/// A statistic of a law.
fn of_law(law: &OfLaw) -> Result<Known, Refusal> {
    let built = law.of.law(&Names::default()).map_err(|refusal| refusal.at("of"))?;
    let percentile = law.statistic.strip_prefix('p').and_then(Percentile::read);
    let nanos = match (law.statistic.as_str(), percentile) {
        ("mean", _) => built.mean(),
        (_, Some(percentile)) => built.quantile(match percentile.share() {
            share if share > 0.5 => Tail::Upper(1.0 - share),
            share => Tail::Lower(share),
        }),
        (other, None) => {
            let why = format!("`{other}` is not a statistic: must be mean, or a percentile like p50 or p99.9");
            return Err(Refusal::new(why).at("statistic"));
        }
    };
    let said = serde_json::to_string(&law.of).unwrap_or_default();
    Ok(Known {
        value: Value::exact(nanos / 1e9, Dimension::of(Unit::Seconds)),
        unit: None,
        is_simulated: false,
        note: None,
        source: format!("{} of the law {}", law.statistic, said.replace('"', "")),
    })
}
