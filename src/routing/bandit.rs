//! The parts that bandits have in common: the reward of an attempt, and what is remembered of each arm.
//!
//! reward = w_q·good + w_c·(1 − cost / max_cost) + w_l·(1 − took / max_latency), weights scaled to a sum of 1, costs
//! and times cut at their most, and 0 for a failure: always within 0 to 1.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Members, Wants, taking_part};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::{Count, Duration, Fraction, Money};
use crate::kernel::chance::threshold;
use crate::kernel::time::Span;
use crate::words::UNRATED;
use crate::words::{Ended, Outcome};

/// The reward of an attempt: a weighted sum of quality, cost and latency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RewardSpec {
    /// The weight of a good answer. Default: 1.
    pub quality: f64,
    /// The weight of a low cost. Default: 0.
    pub cost: f64,
    /// The weight of a low latency. Default: 0.
    pub latency: f64,
    /// The cost at and above which the reward for a low cost is 0. Default: $0.01.
    pub max_cost: Money,
    /// The time at and above which the reward for a low latency is 0. Default: 30 s.
    pub max_latency: Duration,
}

impl Default for RewardSpec {
    fn default() -> Self {
        RewardSpec {
            quality: 1.0,
            cost: 0.0,
            latency: 0.0,
            max_cost: Money::from_picodollars(10_000_000_000),
            max_latency: Duration::from(Span::from_secs(30)),
        }
    }
}

/// Whether each class is learned by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Contexts {
    /// Each class is learned by itself.
    #[default]
    Class,
    /// All classes are learned together.
    None,
}

/// Declares the parameters of a bandit: those of learning, which all have, and its own with their defaults. The struct also gets
/// `learning`, which views the former.
macro_rules! bandit {
    ($(#[$doc:meta])* pub struct $Bandit:ident { $($(#[$about:meta])* pub $field:ident: $Type:ty = $default:expr,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct $Bandit {
            /// The providers that take part; of equals the first here wins. Default: every provider, in the experiment's order.
            pub providers: Members,
            /// The reward of an attempt. Default: 1 for a good answer.
            pub reward: RewardSpec,
            /// Whether each class is learned by itself. Default: `class`.
            pub contexts: Contexts,
            /// The share of answers that are graded as good or not. Default: 1.
            pub feedback: Fraction,
            /// The factor, above 0 and up to 1, by which each later reward lowers the weight of a reward. Default: 1.
            pub discount: Fraction,
            /// The number of rewards that are remembered. Default: all.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schemars(extend("maximum" = 1_000_000))]
            pub window: Option<Count>,
            $($(#[$about])* pub $field: $Type,)*
        }

        impl Default for $Bandit {
            fn default() -> Self {
                $Bandit {
                    providers: Members::default(),
                    reward: RewardSpec::default(),
                    contexts: Contexts::default(),
                    feedback: Fraction::ONE,
                    discount: Fraction::ONE,
                    window: None,
                    $($field: $default,)*
                }
            }
        }

        impl $Bandit {
            /// The parameters of learning.
            fn learning(&self) -> Learning<'_> {
                Learning {
                    providers: &self.providers,
                    reward: &self.reward,
                    contexts: self.contexts,
                    feedback: self.feedback,
                    discount: self.discount,
                    window: self.window,
                }
            }
        }
    };
}
pub(super) use bandit;

/// The parameters of learning, which all bandits have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Learning<'a> {
    pub providers: &'a Members,
    pub reward: &'a RewardSpec,
    pub contexts: Contexts,
    pub feedback: Fraction,
    pub discount: Fraction,
    pub window: Option<Count>,
}

/// The most rewards that a window may hold.
const MOST_WINDOW: u64 = 1_000_000;

/// The memory of one arm in one context.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Arm {
    /// The number of rewards that count, discounted.
    pub n: f64,
    /// The sum of the rewards, discounted.
    pub sum: f64,
}

/// The arms of a bandit, one a provider, in every context.
#[derive(Clone, Debug)]
pub(super) struct Arms {
    pub order: Vec<usize>,
    /// The arms by context and provider.
    arms: Vec<Arm>,
    /// The part of a failure that has not been counted yet, by context and provider.
    owed: Vec<f64>,
    providers: usize,
    by_class: bool,
    /// Weights of quality, cost and latency, which add up to 1.
    weights: [f64; 3],
    max_cost: f64,
    max_latency: f64,
    feedback: f64,
    discount: f64,
    /// The last rewards with their providers, by context; rings of `window` entries.
    last: Vec<Vec<(u32, f64)>>,
    next: Vec<usize>,
    window: usize,
}

impl Arms {
    pub(super) fn new(learning: &Learning<'_>, names: &Names<'_>) -> Built<Arms> {
        let reward = learning.reward;
        let within = |r: Refusal| r.at("reward");
        let order = taking_part(learning.providers, names)?;
        let mut weights = [reward.quality, reward.cost, reward.latency];
        for (field, &w) in ["quality", "cost", "latency"].into_iter().zip(&weights) {
            super::weight(w).map_err(|r| within(r.at(field)))?;
        }
        let sum: f64 = weights.iter().sum();
        if !(sum > 0.0 && sum.is_finite()) {
            return Err(within(Refusal::new("at least one weight must be above 0")));
        }
        weights.iter_mut().for_each(|w| *w /= sum);
        if reward.max_cost.picodollars() == 0 {
            return Err(within(Refusal::new("$0: must be above nothing").at("max_cost")));
        }
        if reward.max_latency.span() == Span::ZERO {
            return Err(within(
                Refusal::new("0s: must be longer than nothing").at("max_latency"),
            ));
        }
        if learning.discount.get() <= 0.0 {
            return Err(Refusal::new("0: must be above 0").at("discount"));
        }
        if weights[0] > 0.0 {
            if learning.feedback.get() <= 0.0 {
                let text = "0: with a weight of quality some answers must be graded as good or not";
                return Err(Refusal::new(text).at("feedback"));
            }
            rated(&order, names).map_err(|r| within(r.at("quality")))?;
        }
        let window = learning.window.map_or(0, Count::get);
        if window > MOST_WINDOW {
            let text = format!("{window}: must be at most {MOST_WINDOW}");
            return Err(Refusal::new(text).at("window"));
        }
        let by_class = learning.contexts == Contexts::Class;
        let contexts = if by_class { names.classes.len() } else { 1 };
        let providers = names.providers.len();
        Ok(Arms {
            order,
            arms: vec![Arm::default(); contexts * providers],
            owed: vec![0.0; contexts * providers],
            providers,
            by_class,
            weights,
            max_cost: names.money(reward.max_cost) as f64,
            max_latency: reward.max_latency.span().nanos() as f64,
            feedback: if weights[0] > 0.0 { learning.feedback.get() } else { 1.0 },
            discount: learning.discount.get(),
            last: vec![vec![(0, 0.0); window as usize]; contexts],
            next: vec![0; contexts],
            window: window as usize,
        })
    }

    pub(super) fn wants(&self) -> Wants {
        Wants {
            grades: if self.weights[0] > 0.0 {
                threshold(self.feedback)
            } else {
                0
            },
            ..Wants::LEARNS
        }
    }

    fn context(&self, class: usize) -> usize {
        if self.by_class { class } else { 0 }
    }

    /// The arms in the context of `class`, by provider.
    #[inline]
    pub(super) fn of(&self, class: usize) -> &[Arm] {
        let from = self.context(class) * self.providers;
        &self.arms[from..from + self.providers]
    }

    /// The share of attempts from which something is learned.
    pub(super) fn feedback(&self) -> f64 {
        self.feedback
    }

    /// The reward of the attempt, if it is known.
    fn reward(&mut self, arm: usize, ended: &Ended) -> Option<f64> {
        if ended.outcome == Outcome::Cancelled {
            return None;
        }
        if ended.outcome != Outcome::Success {
            // As large a share of the failures counts as of the answers: else failures would weigh too much.
            self.owed[arm] += self.feedback;
            if self.owed[arm] < 1.0 {
                return None;
            }
            self.owed[arm] -= 1.0;
            return Some(0.0);
        }
        let [quality, cost, latency] = self.weights;
        let good = match ended.grade {
            Some(good) => f64::from(u8::from(good)),
            None if quality > 0.0 => return None,
            None => 0.0,
        };
        let cheap = 1.0 - (ended.cost as f64 / self.max_cost).min(1.0);
        let fast = 1.0 - (ended.took.nanos() as f64 / self.max_latency).min(1.0);
        Some(quality * good + cost * cheap + latency * fast)
    }

    pub(super) fn learn(&mut self, ended: &Ended) {
        let context = self.context(usize::from(ended.class));
        let from = context * self.providers;
        let Some(reward) = self.reward(from + ended.provider, ended) else {
            return;
        };
        if self.discount < 1.0 {
            for arm in &mut self.arms[from..from + self.providers] {
                arm.n *= self.discount;
                arm.sum *= self.discount;
            }
        }
        if self.window > 0 {
            let place = self.next[context];
            let (oldest, old) = self.last[context][place % self.window];
            if place >= self.window {
                let arm = &mut self.arms[from + oldest as usize];
                arm.n -= 1.0;
                arm.sum = (arm.sum - old).max(0.0);
            }
            self.last[context][place % self.window] = (ended.provider as u32, reward);
            self.next[context] = place + 1;
        }
        let arm = &mut self.arms[from + ended.provider];
        arm.n += 1.0;
        arm.sum += reward;
    }
}

/// Checks that the quality of all of `order` is known for every class: without it no answer can be graded.
pub(super) fn rated(order: &[usize], names: &Names<'_>) -> Built<()> {
    for &p in order {
        for (c, class) in names.classes.iter().enumerate() {
            let quality = names.known.get(p).and_then(|k| k.quality.get(c)).copied();
            if quality.unwrap_or(UNRATED) == UNRATED {
                return Err(Refusal::new(format!(
                    "provider `{}` has no `quality` for class `{class}`, so no answer can be graded as good or not",
                    names.providers[p]
                )));
            }
        }
    }
    Ok(())
}
