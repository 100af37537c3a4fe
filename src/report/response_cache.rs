//! What the gateway's response cache did under a policy, and how it is told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Metric, PolicyReport, Unit, format, shown};
use crate::stats::interval::Estimate;
use crate::words::Code;
use crate::words::metric::{Key, MISS};

/// What the response cache did under one policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct CacheReport {
    /// Share of all requests that the cache answered, from 0 to 1.
    pub hits: Estimate,
    /// Money that its answers would cost in a month, as when they were first given. It has no value where the metric
    /// `cost_per_month` has none or is a bound.
    pub saved_per_month: Estimate,
    /// Share of the hits whose answer was wrong for the request; absent where the cache is exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrong: Option<Estimate>,
    /// The age of the answers that were served; absent where the share of hits is stated, or there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<AgeReport>,
}

/// How old the answers were that a response cache served, in seconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct AgeReport {
    /// The mean age of the answers.
    pub mean: Estimate,
    /// The age that half of the answers do not exceed.
    pub p50: f64,
    /// The age that 95 % of the answers do not exceed.
    pub p95: f64,
    /// The age of the oldest answer.
    pub max: f64,
}

/// How the warning begins that times are over hits and misses together.
pub const OF_HITS: &str = "times are over answers out of the response cache too";

impl CacheReport {
    /// What the cache did, in a line.
    pub fn line(&self, code: Option<Code>) -> String {
        let hits = format::share(self.hits.value);
        let mut line = format!("{hits} of requests answered");
        if self.saved_per_month.value.is_finite() {
            let unit = Metric::COST_PER_MONTH.unit_in(code);
            line += &format!(", {} saved a month", format::value(unit, self.saved_per_month.value));
        }
        if let Some(wrong) = self.wrong.filter(|wrong| wrong.value.is_finite()) {
            line += &format!(", {} of these answers wrong", format::share(wrong.value));
        }
        if let Some(age) = &self.age {
            let (mean, p95) = (format::span(age.mean.value), format::span(age.p95));
            line += &format!(", {mean} old in the mean (95 % at most {p95})");
        }
        line
    }
}

/// What the times of each policy with hits hide: the percentiles of the requests that a provider answered; nothing if there are no hits.
pub(crate) fn warning(policies: &[PolicyReport]) -> Option<String> {
    let one = |policy: &PolicyReport| {
        let cache = policy.response_cache.as_ref().filter(|cache| cache.hits.value > 0.0)?;
        let figures = [Metric::TTFT_P95, Metric::E2E_P95].map(|metric| {
            let of_misses = metric.clone().within(Key::Cache, MISS);
            let [all, misses] = [&metric, &of_misses].map(|m| format::parts(Unit::Seconds, &shown(policy, m).0).0);
            format!("{} {misses} instead of {all}", metric.title())
        });
        let hits = format::share(cache.hits.value);
        Some(format!("{} ({hits} hits): {}", policy.name, figures.join(", ")))
    };
    let all: Vec<String> = policies.iter().filter_map(one).collect();
    const NAMED: usize = 4;
    let more = match all.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more policies"),
    };
    (!all.is_empty()).then(|| {
        format!(
            "{OF_HITS}; of misses alone: {}{more}",
            all[..all.len().min(NAMED)].join("; ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample::sample;

    fn cache(hits: f64) -> CacheReport {
        let of = |value| Estimate::symmetric(value, None, 10, 0);
        CacheReport {
            hits: of(hits),
            saved_per_month: of(1234.0),
            wrong: Some(of(0.02)),
            age: Some(AgeReport {
                mean: of(240.0),
                p50: 200.0,
                p95: 540.0,
                max: 600.0,
            }),
        }
    }

    #[test]
    fn a_line_says_hits_money_wrong_answers_and_ages() {
        let line = cache(0.25).line(None);
        assert_eq!(
            line,
            "25.0 % of requests answered, $1,234 saved a month, 2.00 % of these answers wrong, 4 min old in the mean (95 % at most 9 min)"
        );
        let stated = CacheReport {
            saved_per_month: Estimate::NONE,
            wrong: None,
            age: None,
            ..cache(0.25)
        };
        assert_eq!(stated.line(None), "25.0 % of requests answered");
    }

    #[test]
    fn the_percentiles_of_misses_stand_beside_those_of_all() {
        let mut policies = sample().policies;
        assert_eq!(warning(&policies), None);
        policies[0].response_cache = Some(cache(0.0));
        assert_eq!(warning(&policies), None, "without a hit they are the same");
        policies[0].response_cache = Some(cache(0.25));
        let all = policies[0]
            .metrics
            .iter()
            .find(|m| m.metric == Metric::E2E_P95)
            .unwrap()
            .clone();
        policies[0].metrics.push(crate::report::Measured {
            metric: Metric::E2E_P95.within(Key::Cache, MISS),
            estimate: Estimate::symmetric(9.5, None, 10, 0),
            ..all
        });
        let said = warning(&policies).unwrap();
        assert!(
            said.contains("(25.0 % hits)") && said.contains("E2E p95 9.50 s instead of 8.50 s"),
            "{said}"
        );
    }
}
