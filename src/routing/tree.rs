//! A tree of strategies, each target of which may be another one: the configs of Portkey, the variants of TensorZero.
//!
//! - `loadbalance` draws one target in proportion to `weight`: r uniform in [0, Σw), the targets gone through in
//!   order. The request stays with it for all of its retries, and goes on to no other unless the target is itself a
//!   `fallback`.
//! - `fallback` begins with its first target. When the tries there have failed it goes on to the next: after any
//!   failure, a 400 too, or only after those in `on`. Where it goes on no further, its last failure goes to the strategy
//!   around it.
//! - `sample_without_replacement` draws as `loadbalance` does, and after a failure again among those not tried yet.
//! - A leaf is a provider's name, `{ "provider": name }`, or any policy in its long form, as `{ "round_robin": {} }`.
//!
//! Retries come first: they are the client's `retry` rule's, go to the leaf where the request is, and begin anew at
//! each target. A leaf may not be a policy that looks at answers, sends mirrors or keeps something of each request.
//!
//! A target that is closed to calls is skipped: `loadbalance` draws among the others, in proportion; `fallback` goes
//! on, whatever `on` says. One that closes between two tries of a request counts as failed there. A hedge goes to the
//! leaf where the request is or, if that is left out, to the next that a strategy around it would take.
//!
//! Keeps the way of each request, until it ends, to the leaf where it is: in 63 bits, of which a strategy of n
//! targets takes those that count to 2n, and a sampling one n more. A deeper or wider tree is refused.
//!
//! | of a strategy | default | range |
//! |---|---|---|
//! | `targets`, of every strategy | required | 1 to 63 |
//! | `weight`, beside a target that is drawn | 1 | 0 or more, one of them above 0 |
//! | `on`, of `fallback` and `sample_without_replacement` | any failure | outcomes, at least one |
//!
//! Sources: Portkey-AI/gateway 669825cb, `src/handlers/handlerUtils.ts` (`tryTargetsRecursively`): `strategy.mode`,
//! `targets`, `weight`, and `on_status_codes`, here `on`; TensorZero 7a6159a,
//! `crates/tensorzero-core/src/variant/mod.rs`, for the sampling. Portkey keeps a strategy's targets when the breakers
//! of all of them are open; here a closed provider is never called.
//!
//! Known faults: without `on` a request that no provider can answer, because it is malformed or too long, is sent to
//! every target; a `loadbalance` on top fails with the target it drew while the others are well; retries multiply along
//! a chain of targets.
//!
//! ```json
//! { "tree": { "fallback": { "on": [429, "5xx"], "targets": [
//!     { "loadbalance": { "targets": [ { "provider": "azure", "weight": 3 }, { "provider": "openai" } ] } },
//!     { "round_robin": { "providers": ["bedrock", "vertex"] } },
//!     "anthropic" ] } } }
//! ```

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::branches::{Branches, Wrap, inside};
use super::wheel::Wheel;
use super::{BuildPolicy, Call, Fleet, Policy, PolicySpec, Wants, weight};
use crate::form::build::{Built, Names, Refusal};
use crate::form::outcomes::OutcomeList;
use crate::form::registry::registry;
use crate::kernel::chance::Purpose;
use crate::words::{Outcome, Outcomes};

mod parse;

/// A tree of strategies inside one another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Tree(pub Node);

/// A place in a tree: a strategy over further ones, or a leaf.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// A strategy over further targets.
    TreeStrategy(Box<TreeStrategy>),
    /// A provider, by name.
    Provider(String),
    /// A policy as a leaf.
    Policy(Box<PolicySpec>),
}

/// A target that is drawn by weight.
#[derive(Clone, Debug, PartialEq)]
pub struct TreeTarget {
    /// The weight of the target, 0 or more; 1 if none is given.
    pub weight: Option<f64>,
    /// The strategy or leaf that the target is.
    pub node: Node,
}

registry! {
    /// The strategy by which one target of several is taken.
    pub enum TreeStrategy {
        fallback => Fallback,
        loadbalance => Loadbalance,
        sample_without_replacement => SampleWithoutReplacement,
    }
}

/// A fallback: the first target, and the next when it has failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    /// The targets, first choice first.
    #[schemars(length(min = 1, max = 63))]
    pub targets: Vec<Node>,
    /// The failures after which the next target follows. Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<OutcomeList>,
}

/// A weighted draw: one target by weight, for all tries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Loadbalance {
    /// The targets with their weights, 1 to 63.
    #[schemars(length(min = 1, max = 63))]
    pub targets: Vec<TreeTarget>,
}

/// A draw without replacement: one target by weight, and another when it has failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SampleWithoutReplacement {
    /// The targets with their weights, 1 to 63.
    #[schemars(length(min = 1, max = 63))]
    pub targets: Vec<TreeTarget>,
    /// The failures after which another target is drawn. Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<OutcomeList>,
}

/// The most targets of one strategy: as many as one bit each can be kept of.
const MOST_TARGETS: usize = 63;

/// The most bits that can be kept of the way to a leaf: a shift by all 64 bits of a number would be invalid.
const MOST_BITS: u32 = 63;

/// The key for the draws of a tree, apart from those of the policies in it.
const OF_TREES: u64 = 1 << 40;

impl BuildPolicy for Tree {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let mut building = Building {
            names,
            places: Vec::new(),
            leaves: Vec::new(),
        };
        let root = building.node(&self.0, 0)?;
        let leaves = Branches::new(building.leaves);
        let goes_on = |p: &Place| matches!(p, Place::TreeStrategy { how, .. } if !matches!(how, How::Loadbalance(_)));
        let wants = Wants {
            notes: true,
            falls_back: building.places.iter().any(goes_on),
            ..leaves.wants()
        };
        Ok(Running {
            places: building.places,
            root,
            leaves,
            wants,
        }
        .wrapped())
    }
}

struct Building<'a> {
    names: &'a Names<'a>,
    places: Vec<Place>,
    leaves: Vec<Box<dyn Policy>>,
}

impl Building<'_> {
    /// Adds `node`, the way to which takes so many bits. Returns its place.
    fn node(&mut self, node: &Node, bits: u32) -> Built<usize> {
        let place = match node {
            Node::Provider(name) => Place::Provider(self.names.provider(name).map_err(|r| {
                if PolicySpec::NAMES.contains(&name.as_str()) {
                    let text =
                        format!("there is no provider `{name}`; the policy is written {{ \"{name}\": {{…}} }} here");
                    return Refusal::new(text);
                }
                r
            })?),
            Node::Policy(spec) => {
                let policy = inside(spec, self.names)?;
                if let Some(text) = unfit(policy.wants()) {
                    return Err(Refusal::new(format!("`{}` {text}", spec.name())).at(spec.name()));
                }
                self.leaves.push(policy);
                Place::Policy(self.leaves.len() - 1)
            }
            Node::TreeStrategy(strategy) => return self.strategy(strategy, bits).map_err(|r| r.at(strategy.name())),
        };
        self.places.push(place);
        Ok(self.places.len() - 1)
    }

    fn strategy(&mut self, strategy: &TreeStrategy, bits: u32) -> Built<usize> {
        let (targets, how): (Vec<&Node>, How) = match strategy {
            TreeStrategy::fallback(Fallback { targets, on }) => (targets.iter().collect(), How::Fallback(set(on)?)),
            TreeStrategy::loadbalance(Loadbalance { targets }) => (nodes(targets), How::Loadbalance(wheel(targets)?)),
            TreeStrategy::sample_without_replacement(SampleWithoutReplacement { targets, on }) => {
                (nodes(targets), How::Sample(wheel(targets)?, set(on)?))
            }
        };
        let n = targets.len();
        if n == 0 || n > MOST_TARGETS {
            return Err(Refusal::new(format!("{n} targets: must be 1 to {MOST_TARGETS}")).at("targets"));
        }
        let at = Field {
            shift: bits,
            width: u64::BITS - (2 * n as u64).leading_zeros(),
        };
        let tried = Field {
            shift: at.end(),
            width: if matches!(how, How::Sample(..)) { n as u32 } else { 0 },
        };
        if tried.end() > MOST_BITS {
            return Err(Refusal::new(format!(
                "too deep or too wide: the way through here takes {} bits of each request, and there are {MOST_BITS}",
                tried.end(),
            )));
        }
        let below = |(i, target): (usize, &&Node)| self.node(target, tried.end()).map_err(|r| r.at(i).at("targets"));
        let targets = targets.iter().enumerate().map(below).collect::<Built<Vec<usize>>>()?;
        self.places.push(Place::TreeStrategy {
            how,
            targets,
            at,
            tried,
        });
        Ok(self.places.len() - 1)
    }
}

/// The reason for which a policy that wants this cannot be a leaf, if it cannot.
fn unfit(wants: Wants) -> Option<&'static str> {
    if wants.notes || wants.falls_back {
        Some("keeps something of each request, as the tree around it does: it cannot be a leaf")
    } else if wants.judges {
        Some("looks at answers, which a leaf cannot: put the tree inside it")
    } else if wants.mirrors {
        Some("sends copies that no caller waits for, which a leaf cannot: put the tree inside it")
    } else {
        None
    }
}

fn set(on: &Option<OutcomeList>) -> Built<Option<Outcomes>> {
    on.as_ref().map(|on| on.some().map_err(|r| r.at("on"))).transpose()
}

fn nodes(targets: &[TreeTarget]) -> Vec<&Node> {
    targets.iter().map(|target| &target.node).collect()
}

fn wheel(targets: &[TreeTarget]) -> Built<Wheel> {
    let each = |(i, target): (usize, &TreeTarget)| {
        let weight = weight(target.weight.unwrap_or(1.0)).map_err(|r| r.at("weight").at(i).at("targets"));
        weight.map(|weight| (i, weight))
    };
    let wheel = Wheel::new(targets.iter().enumerate().map(each).collect::<Built<Vec<_>>>()?);
    if wheel.is_empty() && !targets.is_empty() {
        return Err(Refusal::new("at least one weight must be above 0").at("targets"));
    }
    Ok(wheel)
}

/// A field of some bits in what is kept of a request.
#[derive(Clone, Copy, Debug)]
struct Field {
    shift: u32,
    width: u32,
}

impl Field {
    fn end(self) -> u32 {
        self.shift + self.width
    }

    #[inline]
    fn get(self, notes: u64) -> u64 {
        (notes >> self.shift) & ((1 << self.width) - 1)
    }

    /// The value of `notes` with this field as `value`, and zeros in higher bits, which belong to what lies below.
    #[inline]
    fn set(self, notes: u64, value: u64) -> u64 {
        (notes & ((1 << self.shift) - 1)) | (value << self.shift)
    }
}

/// The stand of a request in a strategy: the number kept of it is 0 before, 2i + 1 at target i, and 2i + 2 when it is
/// to go on from there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Before,
    At(usize),
    Past(usize),
}

impl Stand {
    #[inline]
    fn of(number: u64) -> Stand {
        match number {
            0 => Stand::Before,
            odd if odd % 2 == 1 => Stand::At((odd / 2) as usize),
            even => Stand::Past((even / 2 - 1) as usize),
        }
    }

    #[inline]
    fn number(self) -> u64 {
        match self {
            Stand::Before => 0,
            Stand::At(target) => 2 * target as u64 + 1,
            Stand::Past(target) => 2 * target as u64 + 2,
        }
    }
}

#[derive(Clone, Debug)]
enum Place {
    Provider(usize),
    Policy(usize),
    TreeStrategy {
        how: How,
        /// The places of the targets.
        targets: Vec<usize>,
        at: Field,
        /// The targets drawn so far, a bit for each.
        tried: Field,
    },
}

#[derive(Clone, Debug)]
enum How {
    Fallback(Option<Outcomes>),
    Loadbalance(Wheel),
    Sample(Wheel, Option<Outcomes>),
}

#[derive(Debug)]
struct Running {
    places: Vec<Place>,
    root: usize,
    leaves: Branches,
    wants: Wants,
}

/// The provider that `place` takes for `call`, of which `notes` is kept, and what is kept of it then.
fn find(
    places: &[Place],
    leaves: &mut Branches,
    place: usize,
    notes: u64,
    call: &Call,
    fleet: &Fleet<'_>,
) -> Option<(usize, u64)> {
    let (how, targets, at, tried) = match &places[place] {
        Place::Provider(p) => return fleet.is_open_to_calls(*p).then_some((*p, notes)),
        Place::Policy(leaf) => return leaves.choose(*leaf, call, fleet).map(|p| (p, notes)),
        Place::TreeStrategy {
            how,
            targets,
            at,
            tried,
        } => (how, targets, *at, *tried),
    };
    let stand = Stand::of(at.get(notes));
    if let Stand::At(target) = stand {
        let found = find(places, leaves, targets[target], notes, call, fleet);
        // A further copy may look on from here; a try stays.
        if found.is_some() || !call.hedge {
            return found;
        }
    }
    let mut out = match (how, stand) {
        (_, Stand::Before) => 0,
        (How::Fallback(_), Stand::At(target) | Stand::Past(target)) => (2 << target) - 1,
        (How::Loadbalance(_), Stand::At(target) | Stand::Past(target)) => 1 << target,
        (How::Sample(..), _) => tried.get(notes),
    };
    let drawn = out;
    for round in 0..targets.len() as u64 {
        let key = call.attempt.part(OF_TREES + ((place as u64) << 8) + round);
        let within = |target: usize| out & (1 << target) == 0;
        let target = match how {
            How::Fallback(_) => (0..targets.len()).find(|&t| within(t)),
            How::Loadbalance(wheel) | How::Sample(wheel, _) => wheel.spin(key.draw(Purpose::Route), within),
        }?;
        let mut here = at.set(notes, Stand::At(target).number());
        if tried.width > 0 {
            here = tried.set(here, drawn | (1 << target));
        }
        let found = find(places, leaves, targets[target], here, call, fleet);
        if found.is_some() {
            return found;
        }
        out |= 1 << target;
    }
    None
}

impl Wrap for Running {
    fn inside(&self) -> &Branches {
        &self.leaves
    }

    fn inside_mut(&mut self) -> &mut Branches {
        &mut self.leaves
    }

    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let found = find(&self.places, &mut self.leaves, self.root, call.notes.get(), call, fleet);
        let (provider, notes) = found?;
        if !call.hedge {
            call.notes.set(notes);
        }
        Some(provider)
    }

    fn wants(&self) -> Wants {
        self.wants
    }

    /// Makes the innermost strategy on the way that goes on after this failure do so.
    fn fall_back(&mut self, call: &Call) -> bool {
        let notes = call.notes.get();
        // No provider was asked: there is nothing to go by but which to skip.
        let closed = matches!(call.failure, Outcome::BreakerOpen | Outcome::BudgetExhausted);
        let (mut place, mut moved) = (self.root, None);
        while let Place::TreeStrategy {
            how,
            targets,
            at,
            tried,
        } = &self.places[place]
        {
            let Stand::At(target) = Stand::of(at.get(notes)) else {
                break;
            };
            let drawn = tried.get(notes);
            let (on, left) = match how {
                How::Fallback(on) => (on, target + 1 < targets.len()),
                How::Sample(wheel, on) => (on, wheel.spin(0, |t| drawn & (1 << t) == 0).is_some()),
                How::Loadbalance(_) => (&None, false),
            };
            if left && (closed || on.is_none_or(|on| on.contains(call.failure))) {
                moved = Some(tried.set(at.set(notes, Stand::Past(target).number()), drawn));
            }
            place = targets[target];
        }
        if let Some(notes) = moved {
            call.notes.set(notes);
        }
        moved.is_some()
    }

    fn handler(&mut self, _call: &Call) -> Option<usize> {
        None
    }

    fn fresh(&self) -> Self {
        Running {
            places: self.places.clone(),
            root: self.root,
            leaves: self.leaves.fresh(),
            wants: self.wants,
        }
    }
}

#[cfg(test)]
mod tests;
