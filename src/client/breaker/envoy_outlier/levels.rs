//! The levels of priority, as outlier detection counts them: where too few hosts are in, all of a level are asked.

use crate::client::levels::{Level, MOST_LEVELS};
use crate::form::build::{Built, Names, Refusal};

/// The levels with their hosts, and those of them that are in.
#[derive(Clone, Debug)]
pub(super) struct Levels {
    /// The level of each host.
    of: Vec<usize>,
    each: Vec<Level>,
    /// The overprovisioning factor in percent.
    overprovisioning: u32,
}

impl Levels {
    /// The levels that `levels` names, or one of all; `overprovisioning` is a factor.
    pub(super) fn new(levels: &[Vec<String>], overprovisioning: f64, names: &Names<'_>) -> Built<Levels> {
        if !(1.0..=100.0).contains(&overprovisioning) {
            let text = format!("{overprovisioning}: must be 1 to 100");
            return Err(Refusal::new(text).at("overprovisioning"));
        }
        let whole = |hosts: usize| Level {
            hosts: hosts as u32,
            well: hosts as u32,
        };
        let (of, each) = if levels.is_empty() {
            let all = names.providers.len();
            (vec![0; all], vec![whole(all)])
        } else {
            let of = places(levels, names).map_err(|r| r.at("levels"))?;
            (of, levels.iter().map(|level| whole(level.len())).collect())
        };
        Ok(Levels {
            of,
            each,
            overprovisioning: (overprovisioning * 100.0).round() as u32,
        })
    }

    /// Host `host` is ejected.
    pub(super) fn leaves(&mut self, host: usize) {
        self.each[self.of[host]].well -= 1;
    }

    /// Host `host` is back.
    pub(super) fn returns(&mut self, host: usize) {
        self.each[self.of[host]].well += 1;
    }

    /// Whether calls that come to the level of `host` go to all of its hosts: less than the share `threshold` of them is in, and the levels
    /// together cannot take all calls.
    pub(super) fn panics_at(&self, host: usize, threshold: f64) -> bool {
        let Level { hosts, well } = self.each[self.of[host]];
        if f64::from(well) >= threshold * f64::from(hosts) {
            return false;
        }
        self.each
            .iter()
            .map(|level| level.takes(self.overprovisioning))
            .sum::<u32>()
            < 100
    }
}

/// The level of each provider.
fn places(levels: &[Vec<String>], names: &Names<'_>) -> Built<Vec<usize>> {
    if levels.len() > MOST_LEVELS {
        return Err(Refusal::new(format!(
            "{} levels: must be at most {MOST_LEVELS}",
            levels.len()
        )));
    }
    let mut of = vec![None; names.providers.len()];
    for (i, level) in levels.iter().enumerate() {
        for (j, name) in level.iter().enumerate() {
            let here = |r: Refusal| r.at(j).at(i);
            let provider = names.provider(name).map_err(here)?;
            if of[provider].replace(i).is_some() {
                return Err(here(Refusal::new(format!("`{name}` is on a level already"))));
            }
        }
    }
    let place = |(level, name): (Option<usize>, &String)| {
        level.ok_or_else(|| Refusal::new(format!("`{name}` is on no level: name every provider")))
    };
    of.into_iter().zip(names.providers).map(place).collect()
}
