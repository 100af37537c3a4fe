//! Filter, score, pick: the selection pipeline that gateways build, from parts.
//!
//! All providers that take part and are open to calls go through the `filters` in order; each leaves some out. Those
//! left are scored: each of `scores` gives each of them 0 to 1, and the total is the sum by `weight`. `pick` takes one
//! by its total. If the filters leave none, the request has nowhere to go and fails at once, as with LiteLLM; with
//! `relax` filters are dropped, the last first, until one is left: the first filter that would leave none does not
//! count, nor does any after it. A retry and a hedge go through it all again.
//!
//! With `scale` `range` a score is (max − x)/(max − min) among those left, or (x − min)/(max − min) where more is
//! better, and 1 for all if they are equal (llm-d). With `inverse` it is min/x, or x/max. A provider that has no value
//! yet scores 1.
//!
//! Filters leave out: `limits` a provider whose `rpm` or `tpm` the request would pass in the minute of the clock
//! (requests count when sent, tokens when answered); `headers` one whose rate-limit headers said that no request is
//! left, or fewer tokens than the input, until their reset; `budget` one that has spent its budget of the window;
//! `context` one whose window is smaller than the input and `max_output`; `order` all but the first level that has a
//! provider left; `max_price` one that asks more; `not_last` the one where the last attempt went, unless no other is
//! left; `cooldown` one that has failed `failures` times in a row, for its Retry-After or else for `lasts`. Breakers
//! are always asked first.
//!
//! Scores: `latency` is the mean of successes, the newest weighing `alpha` or all of the last `window` alike;
//! `throughput` likewise, of tokens a second after the first; `price` blends both prices of a token; `in_flight` counts
//! calls under way or in line; `quality` is what is known for the class; `errors` is the share of attempts that failed.
//!
//! Picks: `best`, equals by chance; `first` of the list; `random`; `weighted`, in proportion to total^`power`; `p2c`,
//! the better of two at random; `top`, any of the best `k`.
//!
//! Keeps what its parts keep: counters until the end of their minute or window, what headers said until the next
//! ones, a rest until it is over, and a mean or the samples of a window for each provider for good.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `filters` | none | filters, in order; one kind may stand more than once |
//! | `scores` | none: all total 0 | scores |
//! | `pick` | `best` | a pick |
//! | `relax` | false | true, false |
//!
//! What filters take:
//!
//! | of a filter | default | range |
//! |---|---|---|
//! | `limits.rpm`, `limits.tpm` | its quotas' | by provider, 1 or more |
//! | `limits.from_quotas` | true | |
//! | `budget.budgets` | required | by provider; one that is not named has none |
//! | `budget.per` | 24 h | above 0 |
//! | `order.levels` | required | lists of providers; one that is on none comes last |
//! | `max_price.input`, `max_price.output` | no bound | a price of a token |
//! | `cooldown.failures` | 1 | 1 or more |
//! | `cooldown.lasts` | 5 s | 0 or more |
//! | `cooldown.on` | retryable, 401 | outcomes, at least one |
//!
//! What scores take:
//!
//! | of a score | default | range |
//! |---|---|---|
//! | `weight`, of every score | 1 | 0 or more |
//! | `scale`, of every score | `range` | `range`, `inverse` |
//! | `latency.measures` | `end` | `end`, `first_token` |
//! | `alpha`, of `latency` and `throughput` | 30 % | above 0, to 100 % |
//! | `window`, of `latency` and `throughput` | none: `alpha` | 1 to 1,000 samples |
//! | `errors.alpha` | 10 % | above 0, to 100 % |
//! | `price.output_share` | 50 % | 0 to 100 % |
//!
//! What picks take:
//!
//! | of a pick | default | range |
//! |---|---|---|
//! | `weighted.power` | 1 | 0 or more |
//! | `top.k` | 2 | 1 or more |
//!
//! Sources: LiteLLM 1.109.1, `router_python_core.py` (cooldown, budget, context window, order, excluded, strategy: in
//! this order); llm-d router 520af47, `pkg/epp/framework/plugins/scheduling/scorer`; OpenRouter's documentation,
//! "Provider routing" (`max_price`; 1/price² is `price` with `inverse` and `weighted` with `power` 2); Envoy's
//! priorities without overprovisioning (`order`).
//!
//! Known faults: what is known of a provider is as old as its last answer, so `best` keeps away from a provider that
//! once was slow; scores are relative, so a small difference counts as much as a large one; what is in flight counts
//! neither against `tpm` nor against what headers said.
//!
//! ```json
//! { "pipeline": {
//!     "filters": [ "limits", "headers", "context", { "cooldown": { "lasts": "10s" } },
//!                  { "order": { "levels": [["azure", "openai"], ["vertex"]] } } ],
//!     "scores": [ { "latency": { "weight": 2, "measures": "first_token" } }, "price", "in_flight" ],
//!     "pick": { "top": { "k": 2 } },
//!     "relax": true } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildPolicy, Call, Fleet, Members, Policy, Wants, taking_part};
use crate::form::build::{Built, Names};
use crate::words::{Course, Ended, Headers};

mod filter;
mod pick;
mod score;

pub use filter::{
    Budget, BuildFilter, Context, Cooldown, Filter, FilterSpec, HeadersSay, Limits, MaxPrice, NotLast, Order,
};
pub use pick::{Best, BuildPick, Drawn, First, OfTwo, Pick, PickSpec, Random, Top};
pub use score::{
    BuildScore, Direction, Errors, InFlight, Latency, Price, Quality, Scale, ScoreSpec, Scoring, Signal, Throughput,
};

/// A selection pipeline: filter, score, pick.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Pipeline {
    /// The providers that take part. Default: every provider, in the experiment's order.
    pub providers: Members,
    /// The filters that leave providers out, in order. Default: none.
    pub filters: Vec<FilterSpec>,
    /// The scores of the providers that are left. Default: none.
    pub scores: Vec<ScoreSpec>,
    /// The way in which one of them is taken. Default: `best`.
    pub pick: PickSpec,
    /// Whether filters are dropped, the last first, where they would leave no provider. Default: false.
    pub relax: bool,
}

impl BuildPolicy for Pipeline {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let order = taking_part(&self.providers, names)?;
        let filter = |(i, spec): (usize, &FilterSpec)| {
            let built = spec.as_dyn().build(&order, names);
            built.map_err(|r| r.at(spec.name()).at(i).at("filters"))
        };
        let score = |(i, spec): (usize, &ScoreSpec)| {
            let built = spec.as_dyn().build(&order, names);
            built.map_err(|r| r.at(spec.name()).at(i).at("scores"))
        };
        let filters = self.filters.iter().enumerate().map(filter).collect::<Built<Vec<_>>>()?;
        let scores = self.scores.iter().enumerate().map(score).collect::<Built<Vec<_>>>()?;
        let pick = self
            .pick
            .as_dyn()
            .build()
            .map_err(|r| r.at(self.pick.name()).at("pick"))?;
        Ok(Box::new(Running::new(order, filters, scores, pick, self.relax)))
    }
}

#[derive(Debug)]
struct Running {
    order: Vec<usize>,
    filters: Vec<Box<dyn Filter>>,
    scores: Vec<Scoring>,
    pick: Pick,
    relax: bool,
    /// Scratch space: the providers that are left, those before the last filter, their totals, and the values of one
    /// score.
    left: Vec<usize>,
    before: Vec<usize>,
    totals: Vec<f64>,
    values: Vec<Option<f64>>,
}

impl Running {
    fn new(order: Vec<usize>, filters: Vec<Box<dyn Filter>>, scores: Vec<Scoring>, pick: Pick, relax: bool) -> Running {
        let n = order.len();
        Running {
            order,
            filters,
            scores,
            pick,
            relax,
            left: Vec::with_capacity(n),
            before: Vec::with_capacity(n),
            totals: Vec::with_capacity(n),
            values: Vec::with_capacity(n),
        }
    }

    /// Leaves in `left` the providers that the filters keep.
    fn sift(&mut self, call: &Call, fleet: &Fleet<'_>) {
        self.left.clear();
        let open = |p: &usize| fleet.is_open_to_calls(*p);
        self.left.extend(self.order.iter().copied().filter(open));
        for filter in &mut self.filters {
            if self.left.is_empty() {
                return;
            }
            self.before.clone_from(&self.left);
            filter.sift(&mut self.left, call, fleet);
            if self.left.is_empty() && self.relax {
                std::mem::swap(&mut self.left, &mut self.before);
                return;
            }
        }
    }

    /// Computes the totals of the providers that are left.
    fn score(&mut self, call: &Call, fleet: &Fleet<'_>) {
        self.totals.clear();
        self.totals.resize(self.left.len(), 0.0);
        for score in &mut self.scores {
            score.add(&self.left, &mut self.totals, &mut self.values, call, fleet);
        }
    }
}

impl Policy for Running {
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        self.sift(call, fleet);
        if self.left.is_empty() {
            return None;
        }
        self.score(call, fleet);
        let chosen = self.left[self.pick.of(&self.totals, &mut self.before, call)];
        for filter in &mut self.filters {
            filter.sent(chosen, fleet.now());
        }
        Some(chosen)
    }

    fn wants(&self) -> Wants {
        let of_scores = Wants {
            learns: self.scores.iter().any(Scoring::learns),
            ..Wants::NOTHING
        };
        self.filters
            .iter()
            .fold(of_scores, |all, filter| all.and(filter.wants()))
    }

    fn learn(&mut self, ended: &Ended) {
        for filter in &mut self.filters {
            filter.learn(ended);
        }
        for score in &mut self.scores {
            score.learn(ended);
        }
    }

    fn read(&mut self, ended: &Ended, headers: &Headers) {
        for filter in &mut self.filters {
            filter.read(ended, headers);
        }
    }

    fn courses(&self) -> Vec<Course> {
        self.filters.iter().filter_map(|filter| filter.course()).collect()
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(Running::new(
            self.order.clone(),
            self.filters.iter().map(|filter| filter.fresh()).collect(),
            self.scores.iter().map(Scoring::fresh).collect(),
            self.pick,
            self.relax,
        ))
    }
}

#[cfg(test)]
mod tests;
