//! Laws of the lengths of requests, and the classes that keep what input and output have to do with each other.
//!
//! The families of `simcap fit` are tried in the order of their AIC, and the first is taken whose percentiles and mean are the lengths' own
//! to 5 % (or a token); where none is, the lengths' own quantiles. A class draws input and output apart. So where the two go together (a rank
//! correlation of 0.3 or more), requests are three classes by their input, each with laws of its own; five or eight where three would lose
//! more than 0.03 of the correlation.

use serde::Serialize;

use super::quantiles;
use crate::calibrate::fit::{self, Params, Sample};
use crate::calibrate::log::Timing;
use crate::form::laws::{Empirical, LawSpec};

/// The percentiles that a law must have, as shares.
const HELD: [f64; 8] = [0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999];
/// By how much, relative to the length's own, it may miss one.
pub(super) const OFF: f64 = 0.05;
/// Values that a family is fitted to; of more an even choice.
const MOST: usize = 5000;
/// Fewer values are not described by a family.
const FEWEST: usize = 50;
/// Percentiles have so many values beyond them at least, or are not asked for.
const BEYOND: f64 = 4.0;
/// The rank correlation from which on classes are told apart.
pub(super) const TOGETHER: f64 = 0.3;
/// Requests below which they are not, and of which a third is enough for a class of more.
const FEWEST_OF_CLASSES: usize = 600;
/// Into how many classes, as few as will do.
const PARTS: [usize; 3] = [3, 5, 8];
/// What of the rank correlation may be lost between classes.
const LOST: f64 = 0.03;

/// A law of lengths.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fitted {
    pub(super) law: LawSpec<f64>,
    /// The family of the law.
    pub(super) family: &'static str,
    /// The reason for it, in a clause.
    pub(super) why: String,
}

/// Requests with laws of their own.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Class {
    pub(super) name: String,
    /// The share of requests, above 0.
    pub(super) share: f64,
    pub(super) input: Fitted,
    pub(super) output: Fitted,
}

/// A family's name with its reason, for a report.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct LawFound {
    /// What the law is of: the class and the side.
    pub of: String,
    /// The family of the law.
    pub family: String,
    /// The reason for the family.
    pub why: String,
}

/// The class of requests with these pairs of input and output.
fn class(name: &str, of: &[(u32, u32)], seed: u64) -> Class {
    let input = of.iter().map(|pair| pair.0).collect();
    let output = of.iter().map(|pair| pair.1).collect();
    Class {
        name: name.to_owned(),
        share: of.len() as f64,
        input: law(input, seed),
        output: law(output, seed),
    }
}

/// A class for each of `names` that has requests: `labels` says by number whose each pair of input and output is.
pub(super) fn by_label(pairs: &[(u32, u32)], labels: &[u32], names: &[String], seed: u64) -> Vec<Class> {
    let of = |(number, name): (usize, &String)| {
        let own = pairs.iter().zip(labels).filter(|(_, label)| **label as usize == number);
        let own: Vec<(u32, u32)> = own.map(|(pair, _)| *pair).collect();
        (!own.is_empty()).then(|| class(name, &own, seed))
    };
    names.iter().enumerate().filter_map(of).collect()
}

/// The classes of requests with these pairs of input and output.
pub(super) fn classes(pairs: &[(u32, u32)], together: Option<f64>, seed: u64) -> Vec<Class> {
    let one = |name: &str, of: &[(u32, u32)]| class(name, of, seed);
    if together.is_none_or(|rho| rho.abs() < TOGETHER) || pairs.len() < FEWEST_OF_CLASSES {
        return vec![Class {
            share: 1.0,
            ..one("all", pairs)
        }];
    }
    let parts = parts(pairs);
    let names = ["short_input", "medium_input", "long_input"];
    let many = parts.len();
    let named = parts.iter().enumerate().map(|(i, of)| match names.get(i) {
        Some(name) if many <= names.len() => one(name, of),
        _ => one(&format!("input_{}_of_{many}", i + 1), of),
    });
    named.collect()
}

/// Pairs by their input, in as few parts as keep their rank correlation but for [`LOST`] where each part draws input and output apart; in three at
/// least, if there are so many different inputs.
fn parts(pairs: &[(u32, u32)]) -> Vec<Vec<(u32, u32)>> {
    let mut inputs: Vec<u32> = pairs.iter().map(|pair| pair.0).collect();
    inputs.sort_unstable();
    let into = |many: usize| -> Vec<Vec<(u32, u32)>> {
        let mut bounds: Vec<u32> = (1..many).map(|i| inputs[inputs.len() * i / many]).collect();
        bounds.dedup();
        let mut parts = vec![Vec::new(); bounds.len() + 1];
        for pair in pairs {
            parts[bounds.partition_point(|bound| *bound < pair.0)].push(*pair);
        }
        parts.retain(|part| !part.is_empty());
        parts
    };
    let own = together(pairs).unwrap_or(0.0).abs();
    let mut best = into(PARTS[0]);
    for many in PARTS.into_iter().skip(1) {
        if pairs.len() < many * FEWEST_OF_CLASSES / PARTS[0] || kept(&best) >= own - LOST {
            break;
        }
        best = into(many);
    }
    best
}

/// The rank correlation, in size, of pairs whose input and output are drawn apart within each part: that of the parts' mean ranks.
fn kept(parts: &[Vec<(u32, u32)>]) -> f64 {
    let sorted = |of: fn(&(u32, u32)) -> u32| {
        let mut all: Vec<u32> = parts.iter().flatten().map(of).collect();
        all.sort_unstable();
        all
    };
    let (inputs, outputs) = (sorted(|pair| pair.0), sorted(|pair| pair.1));
    let n = inputs.len() as f64;
    let rank = |sorted: &[u32], x: u32| {
        let (below, up_to) = (sorted.partition_point(|y| *y < x), sorted.partition_point(|y| *y <= x));
        (below + up_to) as f64 / 2.0 - n / 2.0
    };
    let (mut both, mut of_inputs, mut of_outputs) = (0.0, 0.0, 0.0);
    for part in parts {
        let (mut a, mut b) = (0.0, 0.0);
        for (input, output) in part {
            let (x, y) = (rank(&inputs, *input), rank(&outputs, *output));
            (a, b) = (a + x, b + y);
            (of_inputs, of_outputs) = (of_inputs + x * x, of_outputs + y * y);
        }
        both += a * b / part.len() as f64;
    }
    (both / (of_inputs * of_outputs).sqrt().max(1e-12)).abs()
}

/// The quantile of lengths, or of counts, in rising order: the least with at least this share at or below it; 0 of none.
pub(super) fn quantile<T: Copy + Default>(sorted: &[T], share: f64) -> T {
    let rank = (share * sorted.len() as f64 - 1e-9).ceil() as usize;
    sorted
        .get(rank.clamp(1, sorted.len().max(1)) - 1)
        .copied()
        .unwrap_or_default()
}

/// The mean of the lengths.
pub(super) fn mean(lengths: &[u32]) -> f64 {
    lengths.iter().map(|x| u64::from(*x)).sum::<u64>() as f64 / lengths.len().max(1) as f64
}

/// The law of lengths in any order, of which there is one at least.
fn law(mut lengths: Vec<u32>, seed: u64) -> Fitted {
    lengths.sort_unstable();
    let (least, most) = (
        lengths.first().copied().unwrap_or(0),
        lengths.last().copied().unwrap_or(0),
    );
    if least == most {
        return Fitted {
            law: LawSpec::always(f64::from(least)),
            family: "constant",
            why: "every length is the same".to_owned(),
        };
    }
    let own = |why: String| Fitted {
        law: LawSpec::from(Empirical {
            values: Vec::new(),
            quantiles: quantiles::knots(&lengths),
        }),
        family: "own quantiles",
        why,
    };
    if lengths.len() < FEWEST {
        return own(format!("{} lengths are too few for a family", lengths.len()));
    }
    let zeros = lengths.partition_point(|x| *x == 0);
    if zeros as f64 > 0.005 * lengths.len() as f64 {
        return own("lengths of 0 belong to no family".to_owned());
    }
    let every = lengths.len().div_ceil(MOST).max(1);
    let sample = Sample::of(
        lengths
            .iter()
            .skip(every / 2)
            .step_by(every)
            .map(|x| Timing::Seen(f64::from(*x))),
    );
    let Some(choice) = fit::choose(&sample, None, seed, 0) else {
        return own("no family can be fitted".to_owned());
    };
    let mut worst_of_best = None;
    for candidate in choice
        .candidates
        .iter()
        .filter(|of| has_reason(of, &choice.candidates, sample.len()))
    {
        let (worst, at) = misfit(&candidate.params, &lengths);
        if worst <= 1.0 && candidate.params.law().is_ok() {
            return Fitted {
                law: fit::numbers(&candidate.params),
                family: candidate.family.name(),
                why: "the least AIC of those that meet percentiles and mean to 5 %".to_owned(),
            };
        }
        worst_of_best.get_or_insert((candidate.family.name(), at));
    }
    own(match worst_of_best {
        Some((name, at)) => format!("no family meets them to 5 %: the best by AIC, {name}, misses {at}"),
        None => "no family can be fitted".to_owned(),
    })
}

/// Lengths that each part of a mixture must have.
const FEWEST_A_PART: f64 = 30.0;
/// By how much a mixture's BIC must be below that of every family of fewer parameters: very strong evidence (Kass and Raftery, *Journal of the
/// American Statistical Association* 90, 1995).
const BY_FAR: f64 = 10.0;

/// Whether there is a reason for all parts of a candidate that has two: enough lengths in each, and evidence of both.
fn has_reason(candidate: &fit::Candidate, all: &[fit::Candidate], lengths: usize) -> bool {
    let Params::Two(two) = &candidate.params else {
        return true;
    };
    let least = two.weight.min(1.0 - two.weight) * lengths as f64;
    let is_simpler = |of: &&fit::Candidate| of.family.parameters() < candidate.family.parameters();
    let mut simpler = all.iter().filter(is_simpler);
    least >= FEWEST_A_PART && simpler.all(|of| of.bic >= candidate.bic + BY_FAR)
}

/// By how much the law misses the percentiles and the mean of lengths in rising order, at worst, as a multiple of what it may; and what it misses so.
fn misfit(params: &Params, lengths: &[u32]) -> (f64, String) {
    let n = lengths.len() as f64;
    let off = |found: f64, own: f64| (found - own).abs() / (OFF * own).max(1.0);
    let mut worst = (0.0, String::new());
    let mut look = |off: f64, name: &dyn Fn() -> String| {
        let off = if off.is_nan() { f64::INFINITY } else { off };
        if off > worst.0 {
            worst = (off, name());
        }
    };
    for share in HELD.into_iter().filter(|share| (1.0 - share) * n >= BEYOND) {
        let (found, own) = (params.quantile(share), f64::from(quantile(lengths, share)));
        look(off(found, own), &|| {
            let percent = crate::report::format::tick(crate::report::Unit::Number, 100.0 * share);
            format!("p{percent} ({found:.0} for {own:.0})")
        });
    }
    let places = 2000;
    let sum: f64 = (0..places)
        .map(|i| params.quantile((f64::from(i) + 0.5) / f64::from(places)))
        .sum();
    let (found, own) = (sum / f64::from(places), mean(lengths));
    look(off(found, own), &|| format!("the mean ({found:.0} for {own:.0})"));
    worst
}

/// The rank correlation (Spearman) of pairs; of more than 200,000 that of an even choice. `None` where one side is constant, or of fewer than ten.
pub(super) fn together(pairs: &[(u32, u32)]) -> Option<f64> {
    let every = pairs.len().div_ceil(200_000).max(1);
    let some: Vec<(u32, u32)> = pairs.iter().copied().step_by(every).collect();
    let ranks = |of: fn(&(u32, u32)) -> u32| -> Vec<f64> {
        let mut sorted: Vec<u32> = some.iter().map(of).collect();
        sorted.sort_unstable();
        let rank = |x: u32| (sorted.partition_point(|y| *y < x) + sorted.partition_point(|y| *y <= x)) as f64 / 2.0;
        some.iter().map(|pair| rank(of(pair))).collect()
    };
    let (a, b) = (ranks(|pair| pair.0), ranks(|pair| pair.1));
    let n = some.len() as f64;
    let middle = n / 2.0;
    let sum = |x: &[f64], y: &[f64]| -> f64 { x.iter().zip(y).map(|(x, y)| (x - middle) * (y - middle)).sum() };
    let (both, of_a, of_b) = (sum(&a, &b), sum(&a, &a), sum(&b, &b));
    (some.len() >= 10 && of_a > 0.0 && of_b > 0.0).then(|| both / (of_a * of_b).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::traffic::draw;

    fn drawn(n: usize, shape: f64) -> Vec<u32> {
        let params = Params::Gamma {
            shift: 0.0,
            shape,
            scale: 1000.0 / shape,
        };
        (0..n)
            .map(|i| params.quantile((i as f64 + 0.5) / n as f64).round() as u32)
            .collect()
    }

    #[test]
    fn a_family_is_taken_where_it_holds_and_own_quantiles_where_none_does() {
        let found = law(drawn(4000, 2.0), 1);
        assert!(["gamma", "shift + gamma"].contains(&found.family), "{found:?}");
        // Four templates of a length each, and nothing between.
        let four: Vec<u32> = (0..4000_u32)
            .map(|i| [64, 500, 2000, 8000][i as usize % 4] + i % 3)
            .collect();
        let found = law(four.clone(), 1);
        assert_eq!(found.family, "own quantiles", "{}", found.why);
        let class = Class {
            name: "all".to_owned(),
            share: 1.0,
            input: found.clone(),
            output: found,
        };
        let [again, _] = draw::sides(&draw::pairs(&[class], 1, 30_000).unwrap());
        let mut four = four;
        four.sort_unstable();
        for share in [0.1, 0.4, 0.6, 0.9] {
            let (a, b) = (f64::from(quantile(&four, share)), f64::from(quantile(&again, share)));
            assert!((a / b - 1.0).abs() < 0.03, "{share}: {a} {b}");
        }
    }

    /// Two thousand lengths of a gamma law and a thousand of another are two parts; the same mixture with eight in one of them is not.
    #[test]
    fn a_few_lengths_are_no_part_of_a_mixture() {
        let mut all = drawn(2000, 2.0);
        all.extend((0..1000).map(|i| 40_000 + i * 7));
        all.sort_unstable();
        let sample = Sample::of(all.iter().map(|x| Timing::Seen(f64::from(*x))));
        let choice = fit::choose(&sample, None, 1, 0).unwrap();
        let mut of_two = choice
            .candidates
            .iter()
            .find(|of| matches!(of.params, Params::Two(_)))
            .unwrap()
            .clone();
        assert!(has_reason(&of_two, &choice.candidates, sample.len()), "{of_two:?}");
        let Params::Two(two) = &mut of_two.params else {
            unreachable!()
        };
        two.weight = 8.0 / sample.len() as f64;
        assert!(!has_reason(&of_two, &choice.candidates, sample.len()), "{of_two:?}");
    }

    #[test]
    fn what_goes_together_becomes_classes() {
        let pairs: Vec<(u32, u32)> = drawn(3000, 1.5).into_iter().map(|x| (x, 10 + x / 2)).collect();
        let rho = together(&pairs).unwrap();
        assert!(rho > 0.99, "{rho}");
        let found = classes(&pairs, Some(rho), 1);
        assert_eq!(found.len(), 8);
        assert_eq!(classes(&pairs, Some(0.1), 1).len(), 1);
        let drawn = together(&draw::pairs(&found, 1, 20_000).unwrap()).unwrap();
        assert!(drawn > rho - LOST, "{drawn} for {rho}");
        // What three parts keep is 1 − 1/9 of a correlation of 1.
        let three: Vec<Vec<(u32, u32)>> = (0..3)
            .map(|k| (1000 * k..1000 * (k + 1)).map(|i| (i, i)).collect())
            .collect();
        assert!((kept(&three) - 8.0 / 9.0).abs() < 1e-3, "{}", kept(&three));
    }

    /// scipy 1.17.1: `spearmanr([1, 2, 2, 4, 5, 6, 7, 8, 9, 10], [3, 1, 2, 2, 9, 8, 7, 7, 10, 5])`.
    #[test]
    fn ranks_are_those_of_scipy() {
        let pairs = [
            (1, 3),
            (2, 1),
            (2, 2),
            (4, 2),
            (5, 9),
            (6, 8),
            (7, 7),
            (8, 7),
            (9, 10),
            (10, 5),
        ];
        let found = together(&pairs).unwrap();
        assert!((found - 0.620_798_009_891_897_2).abs() < 1e-9, "{found}");
        assert_eq!(together(&[(1, 2); 20]), None);
    }

    #[test]
    fn quantiles_are_order_statistics() {
        let sorted: Vec<u32> = (1..=100).collect();
        assert_eq!(
            [0.05, 0.5, 0.95, 1.0].map(|share| quantile(&sorted, share)),
            [5, 50, 95, 100]
        );
        assert_eq!(quantile(&[7], 0.5), 7);
    }
}
