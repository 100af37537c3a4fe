//! The lognormal with two percentiles that are known: from a dashboard, a status page, a benchmark's table.
//!
//! Any two of p1 to p99.9, and the name may be left out: `{ "p50": "320ms", "p95": "580ms" }`. With z the standard normal's quantile,
//! sigma is the logarithm of the ratio of the values over the difference of their z, and the curve goes through both. What is between and
//! beyond them is as the lognormal has it: measured times often have a floor under them and more in the tail, for which `lognormal` has
//! a `shift` and `mixture` a slow part; of three percentiles and more make `empirical` quantiles.
//!
//! ```json
//! { "percentiles": { "p50": "320ms", "p95": "580ms" } }
//! ```

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::{BuildLaw, Magnitude, WIDEST_SIGMA, refusal};
use crate::form::build::{Built, Names, Refusal};
use crate::form::named::Named;
use crate::kernel::law::{self, Law, normal_quantile};

/// Lognormal through two percentiles, such as `p50` and `p95`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent, bound = "")]
pub struct Percentiles<Q: Magnitude>(pub Named<Q>);

impl<Q: Magnitude> JsonSchema for Percentiles<Q> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Percentiles_for_{}", Q::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut known = |says: &str| {
            let mut value = generator.subschema_for::<Q>();
            value.insert("description".into(), says.into());
            value
        };
        json_schema!({
            "type": "object",
            "description": "Lognormal through two percentiles, such as `p50` and `p95`.",
            "properties": {
                "p50": known("The median, or in its place any other from `p1` to `p99.9`."),
                "p95": known("The 95th percentile, or in its place any other."),
            },
            "patternProperties": { r"^p[0-9]{1,2}(\.[0-9]+)?$": known("The value of this percentile.") },
            "additionalProperties": false,
            "minProperties": 2,
            "maxProperties": 2,
        })
    }
}

/// The percentage of values below the percentile called `name`, if it is one: 50 for `p50`.
pub(super) fn percent(name: &str) -> Option<f64> {
    let digits = name.strip_prefix('p')?;
    digits
        .parse()
        .ok()
        .filter(|_| digits.starts_with(|c: char| c.is_ascii_digit()))
}

impl<Q: Magnitude> BuildLaw for Percentiles<Q> {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Law>> {
        let mut points = Vec::new();
        for (name, value) in self.0.iter() {
            let percent = percent(name)
                .filter(|percent| (1.0..=99.9).contains(percent))
                .ok_or_else(|| {
                    Refusal::new(format!("`{name}` is no percentile: p1 to p99.9, like p50 or p95")).at(name)
                })?;
            let x = value.magnitude();
            if !(x > 0.0 && x.is_finite()) {
                return Err(Refusal::new(format!("{value}: must be above 0")).at(name));
            }
            points.push((percent / 100.0, x, name, value));
        }
        let [one, other] = points[..] else {
            let text = format!(
                "{} percentiles: must be two; of more make `empirical` quantiles",
                points.len()
            );
            return Err(Refusal::new(text));
        };
        let ((p, low, first, below), (q, high, second, above)) =
            if one.0 < other.0 { (one, other) } else { (other, one) };
        if p == q || high <= low {
            let text = format!("{above}: must be above {first}, which is {below}");
            return Err(Refusal::new(text).at(second));
        }
        let (z, further) = (normal_quantile(p), normal_quantile(q));
        let sigma = libm::log(high / low) / (further - z);
        if sigma > WIDEST_SIGMA {
            let text = format!(
                "{above} is too far above {first}, which is {below}: the standard deviation of the logarithm would be \
                 {sigma:.1}, and must be at most {WIDEST_SIGMA}"
            );
            return Err(Refusal::new(text).at(second));
        }
        let median = libm::exp(libm::log(low) - z * sigma);
        Ok(Box::new(law::Lognormal::new(median, sigma, 0.0).map_err(refusal)?))
    }
}

#[cfg(test)]
mod tests {
    use super::super::LawSpec;
    use super::*;
    use crate::form::units::Duration;
    use crate::kernel::law::Tail;

    fn built<Q: Magnitude>(json: &str) -> Built<Box<dyn Law>> {
        let spec: LawSpec<Q> = serde_json::from_str(json).unwrap_or_else(|e| panic!("{json}: {e}"));
        spec.law(&Names::default())
    }

    /// Expected values from scipy 1.17.1: `optimize.fsolve` of `stats.lognorm.cdf` at both values, then its `ppf` and `mean`.
    #[test]
    fn the_lognormal_through_both_is_scipys() {
        let law = built::<Duration>(r#"{ "p50": "320ms", "p95": "580ms" }"#).unwrap();
        assert!((law.quantile(Tail::Upper(0.01)) / 742.0574064287366e6 - 1.0).abs() < 1e-9);
        assert!((law.mean() / 341.6143456312453e6 - 1.0).abs() < 1e-9);
        // In any order, and any two.
        let law = built::<f64>(r#"{ "p99.9": 9000, "p10": 200 }"#).unwrap();
        for (p, x) in [
            (0.1, 200.0),
            (0.5, 610.4573106211909),
            (0.95, 2556.6138776339626),
            (0.999, 9000.0),
        ] {
            let at = if p > 0.5 { Tail::Upper(1.0 - p) } else { Tail::Lower(p) };
            let found = law.quantile(at);
            assert!((found / x - 1.0).abs() < 1e-9, "p{p}: {found}, scipy {x}");
        }
    }

    #[test]
    fn the_name_may_be_left_out() {
        for (short, long) in [
            (
                r#"{ "p50": 1, "p90": 2 }"#,
                r#"{ "percentiles": { "p50": 1, "p90": 2 } }"#,
            ),
            (r#"{ "sd": 1, "mean": 2 }"#, r#"{ "moments": { "mean": 2, "sd": 1 } }"#),
            ("300", r#"{ "constant": 300 }"#),
            ("0.5", r#"{ "constant": 0.5 }"#),
        ] {
            let read = |json: &str| serde_json::from_str::<LawSpec<f64>>(json).unwrap();
            assert_eq!(read(short), read(long));
        }
        let read = |json: &str| serde_json::from_str::<LawSpec<Duration>>(json).map_err(|e| e.to_string());
        assert_eq!(read("\"320ms\""), read(r#"{ "constant": "320ms" }"#));
        for (json, message) in [
            ("320", "the number 320 is not a duration: it has no unit"),
            ("\"320 ms\"", "\"320 ms\" is not a duration: unknown unit ` ms`"),
            (r#"{ "p50": "1s", "constant": "2s" }"#, "`constant` is no percentile"),
            ("\"lognromal\"", "unknown variant `lognromal`"),
            (
                "true",
                "invalid type: boolean `true`, expected a value, or an object with one name and its parameters",
            ),
        ] {
            let built = read(json).and_then(|spec| spec.law(&Names::default()).map_err(|refusal| refusal.message));
            let said = built.err().unwrap_or_default();
            assert!(said.contains(message), "{json}: {said}");
        }
    }

    #[test]
    fn percentiles_that_make_no_law_are_refused() {
        for (json, message) in [
            (
                r#"{ "p50": "500ms", "p95": "320ms" }"#,
                "320ms: must be above p50, which is 500ms",
            ),
            (
                r#"{ "p50": "500ms", "p95": "500ms" }"#,
                "500ms: must be above p50, which is 500ms",
            ),
            (
                r#"{ "p50": "500ms" }"#,
                "1 percentiles: must be two; of more make `empirical` quantiles",
            ),
            (r#"{ "p50": "0s", "p95": "1s" }"#, "0s: must be above 0"),
            (
                r#"{ "p50": "1s", "p100": "2s" }"#,
                "`p100` is no percentile: p1 to p99.9, like p50 or p95",
            ),
            (
                r#"{ "p50": "1s", "p51": "2s" }"#,
                "2s is too far above p50, which is 1s",
            ),
        ] {
            let said = built::<Duration>(json).err().unwrap().message;
            assert!(said.starts_with(message), "{json}: {said}");
        }
    }
}
