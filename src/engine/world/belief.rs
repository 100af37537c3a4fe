//! What verdicts on a request's answers tell of its next one: an answer turned down is a sign that the request is difficult.
//!
//! The ranks of difficulty are cut into cells, and each request with an answer turned down has the likelihood of all verdicts on it,
//! by cell. The probability that its next answer is good is then a sum over cells. So no draw enters what is reported of quality but
//! the verdicts themselves. The same sums are kept under other correlations than the one that is simulated ([`SUPPOSED`]): there a
//! request counts by how much likelier its verdicts would have been, so that one run tells the quality under each.
//!
//! Cells are 32 equal ones, cut besides at the qualities of the class (the first 16), where answers turn from good to bad if the
//! correlation is 1. Nothing here is kept for policies that have no judge. Left out: that another correlation also changes how many
//! requests reach a provider, and so how long they wait there.

use crate::engine::scenario::Scenario;
use crate::engine::ties::SUPPOSED;
use crate::kernel::copula::mean_given;
use crate::routing::Judge;
use crate::words::UNRATED;

/// Equal cells, and the most that there are with those cut at qualities.
const EQUAL: usize = 32;
const MOST: usize = 48;

/// One figure for each cell, under the correlation that is simulated (the first) and under the others.
type ByCell<T> = [[T; MOST]; 1 + SUPPOSED.len()];

/// What is thought of an answer under one correlation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Thought {
    /// How much likelier the verdicts on its request are than under the correlation that is simulated.
    pub(super) weight: f64,
    /// The probability that it is good.
    pub(super) quality: f64,
}

/// What is thought of an answer under the correlation that is simulated, and under each of the others.
pub(super) type Thoughts = [Thought; 1 + SUPPOSED.len()];

/// The ranks of difficulty of one class, in cells.
#[derive(Debug)]
struct Cells {
    count: usize,
    /// The share of requests in each, and the rank at its middle.
    widths: [f64; MOST],
    middles: [f64; MOST],
    edges: Vec<f64>,
}

/// What verdicts tell, of all requests in the system.
#[derive(Debug, Default)]
pub(super) struct Beliefs {
    classes: usize,
    cells: Vec<Option<Cells>>,
    /// By provider and class: the number of its table from 1, 0 until it is asked for.
    of: Vec<u32>,
    /// The probability of a good answer.
    tables: Vec<ByCell<f64>>,
    /// By slot of a request that has had an answer turned down: the likelihood of that.
    likelihoods: Vec<ByCell<f32>>,
}

/// An answer, by its provider and its class.
#[derive(Clone, Copy, Debug)]
pub(super) struct AnswerOf {
    pub(super) provider: usize,
    pub(super) class: usize,
}

impl Judge {
    /// The probability that it errs on a request whose difficulty has rank `u`, of a mean error of `error`.
    #[inline]
    fn errs(&self, error: f64, u: f64) -> f64 {
        error * (1.0 + self.hard * (2.0 * u - 1.0))
    }

    /// The probability that it accepts an answer to a request whose difficulty has rank `u`.
    #[inline]
    pub(super) fn takes(&self, good: bool, u: f64) -> f64 {
        if good {
            1.0 - self.errs(1.0 - self.takes_good, u)
        } else {
            self.errs(self.takes_bad, u)
        }
    }

    /// Whether its verdict tells anything of the answer or of the request.
    #[inline]
    pub(super) fn tells(&self) -> bool {
        self.takes_good != self.takes_bad || self.hard > 0.0
    }
}

impl Beliefs {
    /// Bytes for each request.
    pub(super) const fn bytes_each() -> usize {
        size_of::<ByCell<f32>>()
    }

    /// Notes that `judge` has turned down an answer to the request in `slot`, the first one if it was not `doubted` before.
    pub(super) fn turned_down(
        &mut self,
        scenario: &Scenario,
        slot: u32,
        doubted: bool,
        answer: AnswerOf,
        judge: &Judge,
    ) {
        let table = self.table(scenario, answer);
        let slot = slot as usize;
        if slot >= self.likelihoods.len() {
            self.likelihoods.resize(slot + 1, [[1.0; MOST]; 1 + SUPPOSED.len()]);
        }
        let Some(cells) = &self.cells[answer.class] else { return };
        for (likelihoods, good) in self.likelihoods[slot].iter_mut().zip(&self.tables[table]) {
            if !doubted {
                *likelihoods = [1.0; MOST];
            }
            for i in 0..cells.count {
                let u = cells.middles[i];
                let if_good = 1.0 - judge.takes(true, u);
                let if_bad = 1.0 - judge.takes(false, u);
                likelihoods[i] *= (good[i] * if_good + (1.0 - good[i]) * if_bad) as f32;
            }
        }
    }

    /// What is thought of an answer to the request in `slot`, given earlier verdicts on it if it is `doubted`, and given this one: the
    /// judge, and whether it accepts the answer.
    pub(super) fn thoughts(
        &mut self,
        scenario: &Scenario,
        slot: u32,
        doubted: bool,
        answer: AnswerOf,
        verdict: Option<(&Judge, bool)>,
    ) -> Thoughts {
        let table = self.table(scenario, answer);
        let mut thoughts = Thoughts::default();
        let Some(cells) = &self.cells[answer.class] else {
            return thoughts;
        };
        let likelihoods = doubted.then(|| &self.likelihoods[slot as usize]);
        for (level, (thought, good)) in thoughts.iter_mut().zip(&self.tables[table]).enumerate() {
            let (mut goods, mut bads) = (0.0, 0.0);
            for i in 0..cells.count {
                let u = cells.middles[i];
                let likelihood = likelihoods.map_or(1.0, |all| f64::from(all[level][i]));
                let weight = cells.widths[i] * likelihood;
                let (if_good, if_bad) = match verdict {
                    None => (1.0, 1.0),
                    Some((judge, true)) => (judge.takes(true, u), judge.takes(false, u)),
                    Some((judge, false)) => (1.0 - judge.takes(true, u), 1.0 - judge.takes(false, u)),
                };
                goods += weight * good[i] * if_good;
                bads += weight * (1.0 - good[i]) * if_bad;
            }
            let all = goods + bads;
            *thought = Thought {
                weight: all,
                quality: if all > 0.0 { goods / all } else { 0.0 },
            };
        }
        let simulated = thoughts[0].weight;
        for thought in &mut thoughts {
            thought.weight = if simulated > 0.0 {
                thought.weight / simulated
            } else {
                1.0
            };
        }
        thoughts
    }

    /// The number of the table of an answer's quality by cell, which is made when it is first asked for.
    fn table(&mut self, scenario: &Scenario, answer: AnswerOf) -> usize {
        if self.of.is_empty() {
            self.classes = scenario.traffic.classes.len();
            self.cells.resize_with(self.classes, || None);
            self.of = vec![0; self.classes * scenario.fleet.len()];
        }
        let at = answer.provider * self.classes + answer.class;
        if self.of[at] == 0 {
            let cells = self.cells[answer.class].get_or_insert_with(|| Cells::of(scenario, answer.class));
            let quality = f64::from(scenario.fleet[answer.provider].provider.quality[answer.class]) / 1e6;
            let own = scenario.ties.loading(answer.provider, answer.class);
            let mut table = [[0.0; MOST]; 1 + SUPPOSED.len()];
            let loadings = std::iter::once(own).chain(SUPPOSED.map(f64::sqrt));
            for (row, loading) in table.iter_mut().zip(loadings) {
                for (good, edges) in row.iter_mut().zip(cells.edges.windows(2)) {
                    *good = mean_given(quality, loading, edges[0], edges[1]);
                }
            }
            self.tables.push(table);
            self.of[at] = self.tables.len() as u32;
        }
        self.of[at] as usize - 1
    }
}

impl Cells {
    fn of(scenario: &Scenario, class: usize) -> Cells {
        let qualities = scenario.fleet.iter().map(|d| d.provider.quality[class]);
        Cells::cut_at(qualities.filter(|&q| q != UNRATED && q > 0 && q < 1_000_000))
    }

    /// Equal cells, cut besides at these qualities in millionths.
    fn cut_at(qualities: impl Iterator<Item = u32>) -> Cells {
        let equal = |i: usize| (i * 1_000_000 / EQUAL) as u32;
        let mut edges: Vec<u32> = (0..=EQUAL).map(equal).collect();
        for quality in qualities {
            if edges.len() <= MOST
                && let Err(place) = edges.binary_search(&quality)
            {
                edges.insert(place, quality);
            }
        }
        let edges: Vec<f64> = edges.into_iter().map(|edge| f64::from(edge) / 1e6).collect();
        let (mut widths, mut middles) = ([0.0; MOST], [0.0; MOST]);
        for (i, ends) in edges.windows(2).enumerate() {
            widths[i] = ends[1] - ends[0];
            middles[i] = 0.5 * (ends[0] + ends[1]);
        }
        Cells {
            count: edges.len() - 1,
            widths,
            middles,
            edges,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::time::Span;

    #[test]
    fn cells_cover_all_ranks_and_are_cut_at_qualities() {
        let cells = Cells::cut_at([681_000, 806_000, 500_000, 681_000].into_iter());
        assert_eq!(cells.count, EQUAL + 2, "a half is an edge already");
        assert!(cells.edges.contains(&0.681) && cells.edges.contains(&0.806));
        let many = Cells::cut_at((1..1000).map(|i| i * 997));
        assert_eq!(many.count, MOST);
        for cells in [cells, many] {
            assert!((cells.widths.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            assert_eq!((cells.edges[0], cells.edges[cells.count]), (0.0, 1.0));
        }
    }

    #[test]
    fn a_judge_errs_as_stated_over_all_requests_and_more_on_the_difficult_ones() {
        let judge = Judge {
            takes_good: 0.9,
            takes_bad: 0.2,
            hard: 0.5,
            looks: Span::ZERO,
            cost: 0,
            keeps: true,
        };
        let mean = |good| {
            (0..100)
                .map(|i| judge.takes(good, (f64::from(i) + 0.5) / 100.0))
                .sum::<f64>()
                / 100.0
        };
        assert!((mean(true) - 0.9).abs() < 1e-12 && (mean(false) - 0.2).abs() < 1e-12);
        assert!((judge.takes(true, 1.0) - 0.85).abs() < 1e-12 && (judge.takes(false, 1.0) - 0.3).abs() < 1e-12);
        assert!((judge.takes(true, 0.0) - 0.95).abs() < 1e-12 && (judge.takes(false, 0.0) - 0.1).abs() < 1e-12);
    }
}
