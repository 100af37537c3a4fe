//! The quotas of a provider's tier, as published on a date: one name for several limits.
//!
//! The file `models/limits.json` has them, each with its source, its date and what is assumed; `simcap limits` lists them.
//! Published figures change, and few accounts have exactly those: a preset is a place to start from, and `limits` spelt out is
//! what to use for one's own account. Some scale with what was bought (Azure OpenAI): they need `tokens_per_minute`, or `units` of
//! provisioned throughput. Where
//! several providers share one organisation's quota, give the preset to their `account`.
//!
//! ```json
//! { "preset": { "name": "anthropic/sonnet-4.x/tier-2" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildLimit, Limit, LimitSpec};
use crate::form::build::{Built, Names, Refusal};
use crate::form::diagnose;
use crate::form::named::Named;
use crate::form::units::Count;

/// The published quotas of a provider's tier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// The name of the tier, `provider/model/tier`, as `simcap limits` lists them.
    pub name: String,
    /// Tokens a minute that were bought: required where the quota scales with that, refused elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<Count>,
    /// Provisioned throughput units that were bought: required where the quota goes by these, refused elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<Count>,
}

/// One entry of the file of published quotas.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// The source of the figures.
    pub source: String,
    /// The year and month in which the figures held.
    pub date: String,
    /// The assumptions made where nothing is published.
    pub assumed: String,
    /// The tokens a minute to which the limits below refer, if they scale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<Count>,
    /// The provisioned throughput units to which the limits below refer, if they scale with these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_units: Option<Count>,
    /// The limits of the tier.
    pub limits: Vec<LimitSpec>,
}

/// Every published quota, by name.
///
/// # Errors
/// If the built-in file is invalid.
pub fn published() -> Result<Named<Published>, diagnose::Error> {
    diagnose::parse("models/limits.json", include_str!("../../../models/limits.json"))
}

impl BuildLimit for Preset {
    fn build_all(&self, names: &Names<'_>) -> Built<Vec<Box<dyn Limit>>> {
        let published = published().map_err(Refusal::of)?;
        let Some(quota) = published.get(&self.name) else {
            return Err(Refusal::unknown("published quota", &self.name, &published.names()).at("name"));
        };
        let scales = [
            (
                "tokens_per_minute",
                "tokens a minute",
                self.tokens_per_minute,
                quota.per,
            ),
            ("units", "provisioned throughput units", self.units, quota.per_units),
        ];
        let (mut bought, mut per) = (1, 1);
        for (field, what, given, of) in scales {
            match (given, of) {
                (Some(given), Some(of)) => (bought, per) = (given.get(), of.get()),
                (None, None) => {}
                (None, Some(_)) => {
                    return Err(Refusal::new(format!(
                        "`{}` goes by the {what} that were bought: give `{field}`",
                        self.name
                    )));
                }
                (Some(_), None) => {
                    let text = format!("`{}` does not go by {what} that were bought", self.name);
                    return Err(Refusal::new(text).at(field));
                }
            }
        }
        let mut limits = Vec::new();
        for limit in &quota.limits {
            let mut limit = limit.clone();
            if let LimitSpec::preset(_) = limit {
                return Err(Refusal::new("a published quota refers to another").at("name"));
            }
            if let Some(most) = most(&mut limit) {
                *most = scaled(*most, bought, per);
            }
            limits.extend(limit.as_dyn().build_all(names)?);
        }
        Ok(limits)
    }
}

/// The figure of `limit` that scales, if one does.
fn most(limit: &mut LimitSpec) -> Option<&mut Count> {
    match limit {
        LimitSpec::fixed_window(l) => Some(&mut l.limit),
        LimitSpec::sliding_log(l) => Some(&mut l.limit),
        LimitSpec::slices(l) => Some(&mut l.limit),
        LimitSpec::gcra(l) => Some(&mut l.limit),
        LimitSpec::token_bucket(_)
        | LimitSpec::sliding_counter(_)
        | LimitSpec::concurrent(_)
        | LimitSpec::preset(_)
        | LimitSpec::own(_) => None,
    }
}

/// The value of `count` × `bought` ÷ `per`, rounded down, at least 1.
fn scaled(count: Count, bought: u64, per: u64) -> Count {
    let scaled = u128::from(count.get()) * u128::from(bought) / u128::from(per);
    Count::new(u64::try_from(scaled).unwrap_or(u64::MAX)).unwrap_or(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::time::Time;
    use crate::provider::limits::Unit;
    use crate::words::Ask;

    fn build(text: &str) -> Vec<Box<dyn Limit>> {
        serde_json::from_str::<Preset>(text)
            .unwrap()
            .build_all(&Names::default())
            .unwrap()
    }

    fn by_the_minute(limits: &[Box<dyn Limit>]) -> Vec<(Unit, u64)> {
        limits.iter().map(|l| (l.unit(), l.per_minute().unwrap())).collect()
    }

    #[test]
    fn every_published_quota_builds_and_says_where_it_comes_from() {
        for (name, quota) in published().unwrap().iter() {
            let tokens_per_minute = quota.per.map(|_| Count::new(240_000).unwrap());
            let units = quota.per_units.map(|_| Count::new(50).unwrap());
            let name = name.to_owned();
            let limits = Preset {
                name,
                tokens_per_minute,
                units,
            }
            .build_all(&Names::default())
            .unwrap();
            assert_eq!(limits.len(), quota.limits.len());
            assert!(!quota.source.is_empty() && quota.date.len() == 7, "{quota:?}");
            let scales = |limit: &LimitSpec| most(&mut limit.clone()).is_some();
            let fixed = quota.per.is_none() && quota.per_units.is_none();
            assert!(fixed || quota.limits.iter().all(scales));
        }
    }

    #[test]
    fn a_tier_is_its_three_published_figures() {
        let limits = build(r#"{"name": "anthropic/sonnet-4.x/tier-2"}"#);
        let expected = [
            (Unit::Requests, 1000),
            (Unit::InputTokens, 450_000),
            (Unit::OutputTokens, 90_000),
        ];
        assert_eq!(by_the_minute(&limits), expected);
    }

    /// Fifty units of gpt-4.1 are 150,000 tokens a minute, of which an attempt with 1,000 in, 600 of them cached, and 400 allowed
    /// takes 400 + 4 × 400 = 2,000.
    #[test]
    fn provisioned_units_weigh_output() {
        let mut limits = build(r#"{"name": "azure-openai/ptu/gpt-4.1", "units": 50}"#);
        assert_eq!(by_the_minute(&limits), [(Unit::Tokens, 150_000)]);
        let ask = Ask {
            input: 1000,
            cached: 600,
            max_output: Some(400),
            ..Ask::default()
        };
        let fit = (0..100).take_while(|_| {
            let fits = limits[0].ready_at(Time::ZERO, &ask) == Time::ZERO;
            if fits {
                limits[0].charge(Time::ZERO, &ask);
            }
            fits
        });
        assert_eq!(fit.count(), 75);
    }

    /// Six requests a minute for each thousand tokens; 240k tokens a minute let 240 requests into ten seconds.
    #[test]
    fn azure_goes_by_what_was_bought() {
        let mut limits = build(r#"{"name": "azure-openai/standard", "tokens_per_minute": "240k"}"#);
        let expected = [(Unit::Tokens, 240_000), (Unit::Requests, 1440)];
        assert_eq!(by_the_minute(&limits), expected);
        let (requests, now, ask) = (&mut limits[1], Time::ZERO, Ask::default());
        for _ in 0..240 {
            assert_eq!(requests.ready_at(now, &ask), now);
            requests.charge(now, &ask);
        }
        assert_eq!(requests.ready_at(now, &ask), Time::from_nanos(10_000_000_000));
    }
}
