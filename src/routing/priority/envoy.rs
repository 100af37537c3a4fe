//! Levels as Envoy has them: shares of the calls by how many are well, levels and hosts that a retry leaves out, a policy inside each.
//!
//! What is kept of a request is in its notes: the levels that are left out, those of the attempts since they were last looked at, how
//! many these were, and the providers that were tried.

use rand::Rng;

use super::{PolicySpec, Priority, Wheel, Wrap, inside};
use crate::client::levels::{Level, MOST_LEVELS, Shares, by_hosts, shares};
use crate::form::build::{Built, Names, Refusal};
use crate::kernel::chance::{Purpose, Stream, index};
use crate::routing::branches::Branches;
use crate::routing::{Call, Fleet, Wants};

/// The most providers whose having been tried is kept of a request.
const MOST_TRIED: usize = 40;

#[derive(Debug)]
pub(super) struct Running {
    wheels: Vec<Wheel>,
    members: Vec<Vec<usize>>,
    /// A policy for each level, or none at all.
    inside: Branches,
    has_inside: bool,
    /// In percent, if calls are shared out.
    overprovisioning: Option<u32>,
    /// After so many attempts levels are left out; 0 for never.
    per_level: u32,
    /// So many further draws; 0 for none.
    redraws: u32,
    /// By provider, its place among those that may have been tried, and its level.
    places: Vec<(u8, u8)>,
    /// Providers that a policy inside may choose, while it does.
    left: Vec<bool>,
}

/// What is kept of a request, in the bits of its notes.
#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    /// The levels that are left out, a bit each.
    without: u8,
    /// The levels of the attempts since then, a bit each, and how many attempts there were.
    been: u8,
    attempts: u8,
    /// The providers that were tried, a bit each.
    tried: u64,
}

impl Kept {
    fn of(notes: u64) -> Kept {
        Kept {
            without: notes as u8,
            been: (notes >> 8) as u8,
            attempts: (notes >> 16) as u8,
            tried: notes >> 24,
        }
    }

    fn notes(self) -> u64 {
        u64::from(self.without) | u64::from(self.been) << 8 | u64::from(self.attempts) << 16 | self.tried << 24
    }
}

impl Running {
    pub(super) fn new(
        spec: &Priority,
        wheels: Vec<Wheel>,
        members: Vec<Vec<usize>>,
        names: &Names<'_>,
    ) -> Built<Running> {
        let levels = wheels.len();
        if levels > MOST_LEVELS {
            return Err(Refusal::new(format!("{levels} levels: must be at most {MOST_LEVELS}")).at("levels"));
        }
        if let Some(factor) = spec.overprovisioning.filter(|factor| !(1.0..=100.0).contains(factor)) {
            return Err(Refusal::new(format!("{factor}: must be 1 to 100")).at("overprovisioning"));
        }
        for (field, given) in [
            ("attempts_per_level", spec.attempts_per_level),
            ("previous_hosts", spec.previous_hosts),
        ] {
            if let Some(n) = given.filter(|n| !(1..=100).contains(n)) {
                return Err(Refusal::new(format!("{n}: must be 1 to 100")).at(field));
            }
        }
        let all: usize = members.iter().map(Vec::len).sum();
        if spec.previous_hosts.is_some() && all > MOST_TRIED {
            let text = format!("{all} providers: which were tried is kept of at most {MOST_TRIED}");
            return Err(Refusal::new(text).at("previous_hosts"));
        }
        let mut places = vec![(0, 0); names.providers.len()];
        let each = members
            .iter()
            .enumerate()
            .flat_map(|(level, of)| of.iter().map(move |&p| (level, p)));
        for (place, (level, p)) in each.enumerate() {
            places[p] = (place.min(MOST_TRIED) as u8, level as u8);
        }
        Ok(Running {
            has_inside: !spec.inside.is_empty(),
            inside: policies(&spec.inside, &members, names).map_err(|r| r.at("inside"))?,
            wheels,
            members,
            overprovisioning: spec.overprovisioning.map(|factor| (factor * 100.0).round() as u32),
            per_level: spec.attempts_per_level.unwrap_or(0),
            redraws: spec.previous_hosts.unwrap_or(0),
            places,
            left: vec![false; names.providers.len()],
        })
    }

    /// The share of the calls that each level takes now, of a request of which this is kept.
    fn shares(&self, kept: &mut Kept, fleet: &Fleet<'_>) -> Option<Shares> {
        let n = self.members.len();
        let (mut levels, mut takes) = ([Level::default(); MOST_LEVELS], [0; MOST_LEVELS]);
        let mut all_panic = true;
        for (level, members) in self.members.iter().enumerate() {
            let well = members.iter().filter(|&&p| fleet.is_well(p)).count();
            levels[level] = Level {
                hosts: members.len() as u32,
                well: well as u32,
            };
            takes[level] = match self.overprovisioning {
                Some(factor) => levels[level].takes(factor),
                None => 100 * u32::from(members.iter().any(|&p| fleet.is_open_to_calls(p))),
            };
            all_panic &= members.iter().any(|&p| !fleet.is_well(p) && fleet.breaker_permits(p));
        }
        let (levels, takes) = (&levels[..n], &mut takes[..n]);
        if self.per_level > 0 && u32::from(kept.attempts) >= self.per_level {
            if u32::from(kept.attempts) % self.per_level == 0 {
                kept.without |= kept.been;
            }
            let mut left = [0; MOST_LEVELS];
            for (level, &takes) in takes.iter().enumerate() {
                left[level] = if kept.without & (1 << level) == 0 { takes } else { 0 };
            }
            if let Some(shares) = shares(&left[..n]) {
                return Some(shares);
            }
            // None is left: it begins anew.
            *kept = Kept {
                tried: kept.tried,
                ..Kept::default()
            };
        }
        if self.overprovisioning.is_some() && all_panic {
            return by_hosts(levels);
        }
        shares(takes).or_else(|| by_hosts(levels))
    }

    /// A choice in `level`; of providers that were `tried` only if there is no other, where a policy chooses.
    fn choose_in(&mut self, level: usize, draw: u64, tried: u64, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        if !self.has_inside {
            return self.wheels[level].spin(draw, |p| fleet.is_open_to_calls(p));
        }
        let mut narrowed = |without: u64| {
            self.left.fill(false);
            for &p in &self.members[level] {
                let is_tried = without & (1 << self.places[p].0) != 0;
                self.left[p] = !is_tried && fleet.is_open_to_calls(p);
            }
            let left = fleet.only(&self.left);
            self.left
                .contains(&true)
                .then(|| self.inside.choose(level, call, &left))?
        };
        match tried {
            0 => narrowed(0),
            tried => narrowed(tried).or_else(|| narrowed(0)),
        }
    }
}

/// The policies inside, one for each level.
fn policies(specs: &[PolicySpec], members: &[Vec<usize>], names: &Names<'_>) -> Built<Branches> {
    if !specs.is_empty() && specs.len() != members.len() {
        let text = format!(
            "{} policies for {} levels: give one for each",
            specs.len(),
            members.len()
        );
        return Err(Refusal::new(text));
    }
    let mut policies = Vec::new();
    for (i, (spec, members)) in specs.iter().zip(members).enumerate() {
        let inner = Names {
            members: Some(members),
            names_groups: false,
            ..*names
        };
        let policy = inside(spec, &inner).map_err(|r| r.at(i))?;
        let Wants {
            notes,
            falls_back,
            judges,
            mirrors,
            ..
        } = policy.wants();
        if notes || falls_back || judges || mirrors {
            let text = format!(
                "`{}` decides more than which provider is next: it cannot be inside a level",
                spec.name()
            );
            return Err(Refusal::new(text).at(spec.name()).at(i));
        }
        policies.push(policy);
    }
    Ok(Branches::new(policies))
}

/// The level that a draw below 100 falls on.
fn level_of(shares: &Shares, chance: &mut Stream) -> usize {
    let mut at = index(chance.next_u64(), 100) as u32;
    for (level, &share) in shares.iter().enumerate() {
        match at.checked_sub(share) {
            Some(left) => at = left,
            None => return level,
        }
    }
    0
}

impl Wrap for Running {
    fn inside(&self) -> &Branches {
        &self.inside
    }

    fn inside_mut(&mut self) -> &mut Branches {
        &mut self.inside
    }

    fn handler(&mut self, _call: &Call) -> Option<usize> {
        None
    }

    fn wants(&self) -> Wants {
        Wants {
            notes: self.per_level > 0 || self.redraws > 0,
            ..self.inside.wants()
        }
    }

    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let mut kept = Kept::of(call.notes.get());
        let shares = self.shares(&mut kept, fleet)?;
        let mut chance = call.attempt.stream(Purpose::Level);
        let tried = if self.redraws > 0 { kept.tried } else { 0 };
        let (mut chosen, mut draw) = (None, call.draw());
        for _ in 0..=self.redraws {
            let level = level_of(&shares, &mut chance);
            chosen = self.choose_in(level, draw, tried, call, fleet);
            draw = chance.next_u64();
            if chosen.is_none_or(|p| tried & (1 << self.places[p].0) == 0) {
                break;
            }
        }
        // Where a budget or a filter leaves nothing of the level, the next that has something.
        let chosen =
            chosen.or_else(|| (0..self.members.len()).find_map(|l| self.choose_in(l, draw, 0, call, fleet)))?;
        if !call.hedge {
            let (place, level) = self.places[chosen];
            kept.been |= 1 << level;
            kept.attempts = kept.attempts.saturating_add(1);
            kept.tried |= 1_u64.checked_shl(u32::from(place)).unwrap_or(0) & ((1 << MOST_TRIED) - 1);
            if self.per_level > 0 || self.redraws > 0 {
                call.notes.set(kept.notes());
            }
        }
        Some(chosen)
    }

    fn fresh(&self) -> Self {
        Running {
            wheels: self.wheels.clone(),
            members: self.members.clone(),
            inside: self.inside.fresh(),
            has_inside: self.has_inside,
            overprovisioning: self.overprovisioning,
            per_level: self.per_level,
            redraws: self.redraws,
            places: self.places.clone(),
            left: self.left.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
