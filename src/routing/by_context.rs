//! By context length: ordered bands, each for the requests up to so many tokens.
//!
//! A request belongs to the first band whose `up_to` is not below its length: its input, or by `counts` its input and
//! its `max_tokens` together. The last band may be without `up_to` and take what is left; a request longer than all
//! fails. A band has providers, of which the first that is open is taken and after a failure the next, or a policy. If
//! no provider of a band is open, `otherwise` says where its requests go.
//!
//! Keeps nothing itself.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `bands[].up_to` | no bound | rising; only the last may be without |
//! | `bands[].providers`, `bands[].policy` | none | one of the two |
//! | `counts` | `input` | `input`, `input_and_output` |
//! | `otherwise` | `fail` | `fail`, `up`, `down` |
//!
//! A band may not go beyond the context window of one of its providers. With `otherwise` other than `fail` no band may
//! have a policy that keeps something of a request, judges answers or says what follows a failure: it would be asked of requests it
//! never chose for.
//!
//! Source: a common rule of gateways (route long prompts to the model with the long context); the bands are whatever the file says.
//!
//! Known faults: a length just above a bound goes to the dearer band, however cheap the other would have been; by `input` alone a
//! request with a long answer may not fit.
//!
//! ```json
//! { "by_context": {
//!     "bands": [ { "up_to": "8k", "providers": ["small"] }, { "up_to": "128k", "providers": ["medium"] }, { "providers": ["long"] } ],
//!     "counts": "input_and_output", "otherwise": "up" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::branches::{Branches, Fork, Forked, Wrap, either};
use super::{BuildPolicy, Call, Otherwise, Policy, PolicySpec};
use crate::form::build::{Built, Names, Refusal};
use crate::form::units::Count;

/// Ordered bands by context length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ByContext {
    /// The bands, the shortest first.
    pub bands: Vec<Band>,
    /// The tokens that make the length of a request. Default: `input`.
    #[serde(default)]
    pub counts: Counts,
    /// The band to which a request goes when no provider of its own is open. Default: `fail`.
    #[serde(default)]
    pub otherwise: Otherwise,
}

/// A band of context lengths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Band {
    /// The longest request of the band, in tokens. Default: no bound, which only the last band may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<Count>,
    /// The providers of the band, in order of preference.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<String>,
    /// The policy of the band, instead of `providers`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicySpec>,
}

/// The tokens that make the length of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Counts {
    /// The input tokens alone.
    #[default]
    Input,
    /// The input tokens and the `max_tokens` that the request sends.
    InputAndOutput,
}

impl BuildPolicy for ByContext {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        if self.bands.is_empty() {
            return Err(Refusal::new("there must be at least one band").at("bands"));
        }
        let (mut bounds, mut branches) = (Vec::new(), Vec::new());
        for (i, band) in self.bands.iter().enumerate() {
            let here = |r: Refusal| r.at(i).at("bands");
            let policy = either(&band.providers, band.policy.as_ref(), names).map_err(here)?;
            self.check(band, i, bounds.last().copied(), names).map_err(here)?;
            let wants = policy.wants();
            if self.otherwise != Otherwise::Fail && (wants.notes || wants.judges || wants.falls_back) {
                let text = "this policy follows its requests, so none may come or go by `otherwise`: it must be `fail`";
                return Err(here(Refusal::new(text).at("policy")));
            }
            bounds.push(band.up_to.map_or(u64::MAX, Count::get));
            branches.push(policy);
        }
        Ok(Forked {
            fork: Bands {
                bounds,
                counts: self.counts,
                otherwise: self.otherwise,
            },
            branches: Branches::new(branches),
        }
        .wrapped())
    }
}

impl ByContext {
    /// Checks band number `i`, after one that ends at `before`.
    fn check(&self, band: &Band, i: usize, before: Option<u64>, names: &Names<'_>) -> Built<()> {
        let Some(up_to) = band.up_to.map(Count::get) else {
            return if i + 1 == self.bands.len() {
                Ok(())
            } else {
                let text = "`up_to` is missing: only the last band takes whatever is left";
                Err(Refusal::new(text))
            };
        };
        if let Some(before) = before.filter(|&before| before >= up_to) {
            let text = format!("{up_to} tokens: must be above the {before} of the band before");
            return Err(Refusal::new(text).at("up_to"));
        }
        for name in &band.providers {
            let provider = names.provider(name)?;
            let window = names.known.get(provider).map_or(u64::MAX, |known| known.context_window);
            if window < up_to {
                let text = format!("{up_to} tokens: the context window of `{name}` is {window}");
                return Err(Refusal::new(text).at("up_to"));
            }
        }
        Ok(())
    }
}

#[derive(Clone, Debug)]
struct Bands {
    /// The longest request of each band, rising.
    bounds: Vec<u64>,
    counts: Counts,
    otherwise: Otherwise,
}

impl Fork for Bands {
    #[inline]
    fn branch(&self, call: &Call) -> Option<usize> {
        let output = match self.counts {
            Counts::Input => 0,
            Counts::InputAndOutput => call.max_output.unwrap_or(0),
        };
        let length = u64::from(call.input) + u64::from(output);
        let band = self.bounds.partition_point(|&most| most < length);
        (band < self.bounds.len()).then_some(band)
    }

    fn after(&self, branch: usize) -> Option<usize> {
        match self.otherwise {
            Otherwise::Fail => None,
            Otherwise::Up => Some(branch + 1).filter(|&b| b < self.bounds.len()),
            Otherwise::Down => branch.checked_sub(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::{Call, Fleet};
    use crate::form::build::Known;
    use crate::kernel::time::Time;

    const BANDS: &str =
        r#"{"up_to": 100, "providers": ["a"]}, {"up_to": 200, "policy": {"chain": {"providers": ["b", "a"]}}}"#;

    fn goes(bands: &str, rest: &str, (input, max_output): (u32, u32), closed: &[usize]) -> Option<usize> {
        let mut policy = policy(&format!(r#"{{"by_context": {{"bands": [{bands}] {rest}}}}}"#));
        let call = Call {
            input,
            max_output: Some(max_output),
            ..call(0, 0)
        };
        policy.choose(&call, &Fleet::new(&hosts(closed), None, Time::ZERO))
    }

    #[test]
    fn a_length_has_its_band() {
        for (input, expected) in [
            (1, Some(0)),
            (100, Some(0)),
            (101, Some(1)),
            (200, Some(1)),
            (201, None),
        ] {
            assert_eq!(goes(BANDS, "", (input, 900), &[]), expected, "{input}");
        }
        let open = format!(r#"{BANDS}, {{"providers": ["c"]}}"#);
        assert_eq!(goes(&open, "", (u32::MAX, u32::MAX), &[]), Some(2));
        let both = r#", "counts": "input_and_output""#;
        assert_eq!(goes(BANDS, both, (90, 10), &[]), Some(0));
        assert_eq!(goes(BANDS, both, (90, 11), &[]), Some(1));
    }

    #[test]
    fn a_closed_band_fails_or_hands_on() {
        let open = format!(r#"{BANDS}, {{"providers": ["c"]}}"#);
        let goes = |rest, input, closed: &[usize]| goes(&open, rest, (input, 0), closed);
        assert_eq!(goes("", 101, &[1]), Some(0), "the second of its band");
        assert_eq!(goes("", 101, &[0, 1]), None);
        assert_eq!(goes(r#", "otherwise": "up""#, 1, &[0]), Some(1));
        assert_eq!(goes(r#", "otherwise": "up""#, 1, &[0, 1]), Some(2));
        assert_eq!(goes(r#", "otherwise": "up""#, 201, &[2]), None);
        assert_eq!(goes(r#", "otherwise": "down""#, 201, &[2]), Some(1));
        assert_eq!(goes(r#", "otherwise": "down""#, 1, &[0]), None);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (bands, path, message) in [
            ("", "bands", "there must be at least one band"),
            (r#"{"up_to": 5}"#, "bands/0", "give either `providers` or `policy`"),
            (
                r#"{"providers": ["a"], "policy": "p2c"}"#,
                "bands/0",
                "give either `providers` or `policy`",
            ),
            (
                r#"{"providers": ["d"]}"#,
                "bands/0/providers/0",
                "there is no provider `d`",
            ),
            (
                r#"{"policy": {"single": {"provider": "d"}}}"#,
                "bands/0/policy/single/provider",
                "there is no provider `d`",
            ),
            (
                r#"{"providers": ["a"]}, {"providers": ["b"]}"#,
                "bands/0",
                "`up_to` is missing: only the last band takes whatever is left",
            ),
            (
                r#"{"up_to": 5, "providers": ["a"]}, {"up_to": 5, "providers": ["b"]}"#,
                "bands/1/up_to",
                "5 tokens: must be above the 5 of the band before",
            ),
        ] {
            let json = format!(r#"{{"by_context": {{"bands": [{bands}]}}}}"#);
            assert_eq!(refused(&json), (path.to_owned(), message.to_owned()));
        }
        let known = [8000; 3].map(|context_window| Known {
            context_window,
            ..Known::default()
        });
        let of = |up_to: u32| {
            let json = format!(r#"{{"by_context": {{"bands": [{{"up_to": {up_to}, "providers": ["b"]}}]}}}}"#);
            build_asking(&json, &known, &[]).err().map(|r| r.message)
        };
        assert_eq!(of(8000), None);
        assert_eq!(of(8001).unwrap(), "8001 tokens: the context window of `b` is 8000");
    }
}
