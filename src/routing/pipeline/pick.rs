//! Picks: how one of the providers left is taken, by their totals.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form::build::{Built, Refusal};
use crate::form::registry::registry;
use crate::kernel::chance::{index, unit};
use crate::routing::Call;
use crate::routing::pair::two;

/// A pick, as it runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pick {
    /// The highest total, equals by chance.
    Best,
    /// The first in the list.
    First,
    /// Any of those left, by chance.
    Random,
    /// By chance in proportion to the total to this power.
    Drawn(f64),
    /// The better of two drawn by chance.
    OfTwo,
    /// Any of so many of the best, by chance.
    Top(usize),
}

impl Pick {
    /// The place of the one taken, out of at least one of these `totals`. `room` is scratch space.
    #[inline]
    pub(super) fn of(self, totals: &[f64], room: &mut Vec<usize>, call: &Call) -> usize {
        let n = totals.len();
        match self {
            Pick::Best => best(totals, call.draw()),
            Pick::First => 0,
            Pick::Random => index(call.draw(), n),
            Pick::Drawn(power) => drawn(totals, power, call.draw()),
            Pick::OfTwo => {
                let (one, other) = two(n, call).unwrap_or((0, 0));
                if totals[other] > totals[one] { other } else { one }
            }
            Pick::Top(k) => {
                room.clear();
                room.extend(0..n);
                room.sort_unstable_by(|&a, &b| totals[b].total_cmp(&totals[a]).then(a.cmp(&b)));
                room[index(call.draw(), k.min(n))]
            }
        }
    }
}

fn best(totals: &[f64], draw: u64) -> usize {
    let highest = totals.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let is_best = |&t: &usize| totals[t] == highest;
    let equals = (0..totals.len()).filter(is_best).count();
    (0..totals.len()).filter(is_best).nth(index(draw, equals)).unwrap_or(0)
}

/// The place of one drawn in proportion to its total to `power`; any, if no total is above 0.
fn drawn(totals: &[f64], power: f64, draw: u64) -> usize {
    let weight = |&total: &f64| libm::pow(total, power);
    let sum: f64 = totals.iter().map(weight).sum();
    if sum <= 0.0 {
        return index(draw, totals.len());
    }
    let (mut at, mut chosen) = (unit(draw) * sum, 0);
    for (t, weight) in totals.iter().map(weight).enumerate().filter(|&(_, w)| w > 0.0) {
        chosen = t;
        at -= weight;
        if at < 0.0 {
            break;
        }
    }
    chosen
}

/// The parameters of a pick, as the file gives them.
pub trait BuildPick {
    /// Checks the parameters and makes the pick.
    fn build(&self) -> Built<Pick>;
}

registry! {
    /// The pick, by which one of those left is taken.
    pub enum PickSpec as BuildPick {
        best => Best,
        first => First,
        random => Random,
        weighted => Drawn,
        p2c => OfTwo,
        top => Top,
    }
}

impl Default for PickSpec {
    fn default() -> Self {
        PickSpec::best(Best {})
    }
}

/// The highest total, equals by chance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Best {}

/// The first in the list of the providers that take part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct First {}

/// Any of those left, by chance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Random {}

/// By chance in proportion to a power of the total.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Drawn {
    /// The power of the total, 0 or more. Default: 1.
    pub power: f64,
}

impl Default for Drawn {
    fn default() -> Self {
        Drawn { power: 1.0 }
    }
}

/// The better of two different ones at random, of equals the first drawn.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OfTwo {}

/// Any of the best few; on the edge, of equals the first in the list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Top {
    /// The number of the best to choose among, at least 1. Default: 2.
    #[schemars(range(min = 1))]
    pub k: u32,
}

impl Default for Top {
    fn default() -> Self {
        Top { k: 2 }
    }
}

impl BuildPick for Best {
    fn build(&self) -> Built<Pick> {
        Ok(Pick::Best)
    }
}

impl BuildPick for First {
    fn build(&self) -> Built<Pick> {
        Ok(Pick::First)
    }
}

impl BuildPick for Random {
    fn build(&self) -> Built<Pick> {
        Ok(Pick::Random)
    }
}

impl BuildPick for Drawn {
    fn build(&self) -> Built<Pick> {
        if self.power >= 0.0 && self.power.is_finite() {
            return Ok(Pick::Drawn(self.power));
        }
        Err(Refusal::new(format!("a power of {}: must be 0 or more", self.power)).at("power"))
    }
}

impl BuildPick for OfTwo {
    fn build(&self) -> Built<Pick> {
        Ok(Pick::OfTwo)
    }
}

impl BuildPick for Top {
    fn build(&self) -> Built<Pick> {
        if self.k == 0 {
            return Err(Refusal::new("the best 0: must be 1 or more").at("k"));
        }
        Ok(Pick::Top(self.k as usize))
    }
}
