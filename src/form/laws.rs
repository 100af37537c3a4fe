//! Probability laws as a file gives them: of durations (`"320ms"`) or of plain numbers (tokens, tokens per second).
//!
//! What people know of a law is often a value, two percentiles, or a mean and a standard deviation. These may stand for the law:
//! `"320ms"` is always that; `{ "p50": "320ms", "p95": "580ms" }` the lognormal with these percentiles; `{ "mean": 900, "sd": 400 }`
//! the lognormal with that mean and standard deviation.
//!
//! One law a file. Their formulas are in [`crate::kernel::law`] where the kernel or other parts use them besides, else in the law's
//! own file.
//!
//! `shift` is a floor under every value: measured TTFTs have one of 38 to 88 % of their median (llmperf-leaderboard 2023,
//! 13 of 16 series), so "shift + lognormal" is the form to reach for first. Of the same 16 series twelve are described best,
//! by AIC, by two lognormals: a body, and a slow mode that a few answers fall into. Below saturation shift + lognormal and
//! shift + gamma meet a vLLM server's published quantiles to 5 % (inference-perf); at saturation no law does: there
//! [`crate::provider::load`] is the model.
//!
//! ```json
//! { "mixture": { "components": [
//!     { "weight": 97, "law": { "lognormal": { "median": "150ms", "sigma": 0.35, "shift": "400ms" } } },
//!     { "weight": 3, "law": { "lognormal": { "median": "12s", "sigma": 0.8 } } } ] } }
//! ```
//!
//! A body with a power-law tail is a mixture too: above `min`, P(X > x) is the tail's weight times (min / x)^alpha.
//!
//! ```json
//! { "mixture": { "components": [
//!     { "weight": 95, "law": { "lognormal": { "median": "150ms", "sigma": 0.4, "shift": "200ms" } } },
//!     { "weight": 5, "law": { "pareto": { "min": "600ms", "alpha": 1.5 } } } ] } }
//! ```
//!
//! A decode speed is drawn for each attempt anew. It varies little beside TTFT (of the time per token the median coefficient
//! of variation is 0.086 over the 16 series): a lognormal of sigma 0.1 says as much, of the speed and of the time per token
//! alike, because one over a lognormal is a lognormal of the same sigma.

mod column;
mod constant;
mod empirical;
mod exponential;
mod gamma;
mod log_logistic;
mod lognormal;
mod mixture;
mod moments;
mod pareto;
mod percentiles;
mod uniform;
mod weibull;

pub use column::{Column, Columns, MOST as MOST_VALUES};
pub use constant::Constant;
pub use empirical::Empirical;
pub use exponential::Exponential;
pub use gamma::Gamma;
pub use log_logistic::{Fisk, LogLogistic};
pub use lognormal::Lognormal;
pub use mixture::{Component, Mixture};
pub use moments::Moments;
pub use pareto::Pareto;
pub use percentiles::Percentiles;
pub use uniform::Uniform;
pub use weibull::Weibull;

use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::build::{Built, Names, Refusal};
use super::own::Own;
use super::registry::{Bare, registry};
use super::units::Duration;
use crate::kernel::law::{Law, LawError, Tail};
use crate::kernel::sampler::Sampler;

registry! {
    /// A probability law: of durations, or of plain numbers.
    pub enum LawSpec<Q: Magnitude> as BuildLaw, kind law in "laws/" of Box<dyn Law>, bare SHORT {
        constant => Constant<Q>,
        uniform => Uniform<Q>,
        exponential => Exponential<Q>,
        percentiles => Percentiles<Q>,
        moments => Moments<Q>,
        lognormal => Lognormal<Q>,
        log_logistic => LogLogistic<Q>,
        gamma => Gamma<Q>,
        weibull => Weibull<Q>,
        pareto => Pareto<Q>,
        empirical => Empirical<Q>,
        column => Column<Q>,
        mixture => Mixture<Q>,
        own in "own.rs" => Own,
    }
}

/// What is written as people say it, without the name of a law: a value, two percentiles, a mean and a standard deviation.
const SHORT: Bare = Bare {
    alone: "constant",
    objects: &["percentiles", "moments"],
    with: |first| match first {
        "mean" | "sd" => Some("moments"),
        _ => percentiles::percent(first).map(|_| "percentiles"),
    },
};

/// What the file says of a law.
pub trait BuildLaw {
    /// Checks the parameters and makes the law, in nanoseconds or plain numbers.
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Law>>;

    /// What is drawn from, for a law that [`BuildLaw::build`] makes.
    fn sampler(&self, names: &Names<'_>) -> Built<Sampler> {
        Ok(Sampler::of(&*self.build(names)?))
    }
}

impl BuildLaw for Own {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Law>> {
        self.make("law", names)
    }
}

/// What a law can be of: a quantity that a file can give.
pub trait Magnitude:
    Clone + fmt::Debug + fmt::Display + PartialEq + Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static
{
    /// What a second is as a float, if it is a quantity of time.
    const SECOND: Option<f64>;

    /// As a float: nanoseconds for a duration.
    fn magnitude(&self) -> f64;
}

impl Magnitude for Duration {
    const SECOND: Option<f64> = Some(1e9);

    fn magnitude(&self) -> f64 {
        self.span().nanos() as f64
    }
}

impl Magnitude for f64 {
    const SECOND: Option<f64> = None;

    fn magnitude(&self) -> f64 {
        *self
    }
}

impl<Q: Magnitude> LawSpec<Q> {
    /// The law, in nanoseconds or plain numbers.
    ///
    /// # Errors
    /// If a parameter is out of range; the message says which.
    pub fn law(&self, names: &Names<'_>) -> Built<Box<dyn Law>> {
        self.as_dyn().build(names).map_err(|r| r.at(self.name()))
    }

    /// Always this value.
    pub fn always(value: Q) -> LawSpec<Q> {
        LawSpec::constant(Constant(value))
    }

    /// The law, ready for drawing.
    ///
    /// # Errors
    /// As [`LawSpec::law`].
    pub fn sampler(&self, names: &Names<'_>) -> Built<Sampler> {
        self.as_dyn().sampler(names).map_err(|r| r.at(self.name()))
    }
}

/// The floor under every value of a law; 0 if the file gives none.
fn shift<Q: Magnitude>(given: &Option<Q>) -> f64 {
    given.as_ref().map_or(0.0, Magnitude::magnitude)
}

impl LawSpec<f64> {
    /// The law, ready for drawing, of numbers of tokens.
    ///
    /// # Errors
    /// As [`LawSpec::law`], and if the median does not fit in 32 bits, where lengths are cut off.
    pub fn tokens(&self, names: &Names<'_>) -> Built<Sampler> {
        let median = self.law(names)?.quantile(Tail::Lower(0.5));
        if median > f64::from(u32::MAX) {
            let text = format!("a median of {median:.3e} tokens: at most {} can be counted", u32::MAX);
            return Err(Refusal::new(text).at(self.name()));
        }
        self.sampler(names)
    }
}

/// The largest sigma of a lognormal: the ratio of the 99th percentile to the median is then 10^10.
const WIDEST_SIGMA: f64 = 10.0;

/// The largest ratio of the 99th percentile to the median of any other law: what is measured has 2 to 30.
const WIDEST: f64 = 1e6;

/// Why a lognormal of this sigma is refused: what it means.
fn too_wide(sigma: f64) -> Refusal {
    let digits = sigma * (2.33 / std::f64::consts::LN_10);
    let (sigma, ratio) = if sigma < 1e6 {
        (format!("{sigma}"), format!("= 10^{digits:.0}"))
    } else {
        (format!("{sigma:e}"), "> 10^1000000".to_owned())
    };
    Refusal::new(format!(
        "a sigma of {sigma}: p99/p50 would be e^(2.33 × sigma) {ratio}; must be at most {WIDEST_SIGMA} (measured latencies have 0.2 \
         to 1.5; 40 % is 0.4)"
    ))
}

/// Refuses a law whose 99th percentile is more than [`WIDEST`] times its median, and says what the parameter means.
fn not_too_wide(law: &dyn Law, parameter: &'static str, value: f64) -> Built<()> {
    let (p50, p99) = (law.quantile(Tail::Lower(0.5)), law.quantile(Tail::Upper(0.01)));
    if p99 <= WIDEST * p50 {
        return Ok(());
    }
    let ratio = match p99 / p50 {
        ratio if ratio < 1e100 => format!("10^{:.1}", libm::log10(ratio)),
        // The median is so far down that it has become 0, or nearly so.
        _ => "more than 10^100".to_owned(),
    };
    let text = format!(
        "{parameter} is {value}: p99/p50 would be {ratio}; must be larger, so that it is at most 10^6 (measured latencies have 2 to \
         30)"
    );
    Err(Refusal::new(text).at(parameter))
}

/// A broken rule in the words of the file, at the parameter that it is about.
fn refusal(error: LawError) -> Refusal {
    match &error {
        LawError::NotPositive { name, .. } | LawError::Negative { name, .. } | LawError::OutOfRange { name, .. }
            if PARAMETERS.contains(name) =>
        {
            let name = *name;
            Refusal::of(error).at(name)
        }
        LawError::KnotEnds => Refusal::new("the first pair must be of share 0 and the last of share 1").at("quantiles"),
        LawError::KnotOrder { index } => {
            Refusal::new("a pair must have a higher share, and no lower a value, than the pair before it")
                .at(*index)
                .at("quantiles")
        }
        LawError::NoParts => Refusal::of(error).at("components"),
        _ => Refusal::of(error),
    }
}

/// The parameters of laws that go by the same name in a file.
const PARAMETERS: [&str; 8] = ["mean", "median", "sigma", "shape", "scale", "shift", "min", "alpha"];

#[cfg(test)]
mod tests {
    use super::*;

    /// p99 / p50 of a lognormal is e^(2.326 sigma), of a Weibull (ln 100 / ln 2)^(1 / shape), of a Pareto 50^(1 / alpha).
    #[test]
    fn what_is_wider_than_anything_measured_is_refused_at_its_parameter() {
        for (text, place) in [
            (r#"{"lognormal": {"median": 1, "sigma": 10}}"#, None),
            (r#"{"lognormal": {"median": 1, "sigma": 40}}"#, Some("sigma")),
            (r#"{"lognormal": {"median": 1, "sigma": 1e308}}"#, Some("sigma")),
            (r#"{"weibull": {"scale": 1, "shape": 0.15}}"#, None),
            (r#"{"weibull": {"scale": 1, "shape": 0.12}}"#, Some("shape")),
            (r#"{"weibull": {"scale": 1, "shape": 1e-300}}"#, Some("shape")),
            (r#"{"gamma": {"mean": 1, "shape": 0.5}}"#, None),
            (r#"{"gamma": {"mean": 1, "shape": 0.01}}"#, Some("shape")),
            (r#"{"pareto": {"min": 1, "alpha": 0.3}}"#, None),
            (r#"{"pareto": {"min": 1, "alpha": 0.25}}"#, Some("alpha")),
            (r#"{"log_logistic": {"median": 1, "shape": 0.4}}"#, None),
            (r#"{"log_logistic": {"median": 1, "shape": 0.3}}"#, Some("shape")),
        ] {
            let spec: LawSpec<f64> = serde_json::from_str(text).unwrap();
            let refused = spec
                .law(&Names::default())
                .err()
                .map(|refusal| refusal.path.last().cloned());
            assert_eq!(refused, place.map(|name| Some(name.into())), "{text}");
        }
    }

    #[test]
    fn a_law_that_is_too_wide_is_told_what_it_would_mean() {
        let message = |text: &str| {
            let spec: LawSpec<f64> = serde_json::from_str(text).unwrap();
            spec.law(&Names::default()).err().unwrap().message
        };
        insta::assert_snapshot!(message(r#"{"lognormal": {"median": 1, "sigma": 40}}"#), @"a sigma of 40: p99/p50 would be e^(2.33 × sigma) = 10^40; must be at most 10 (measured latencies have 0.2 to 1.5; 40 % is 0.4)");
        insta::assert_snapshot!(message(r#"{"lognormal": {"median": 1, "sigma": 1e308}}"#), @"a sigma of 1e308: p99/p50 would be e^(2.33 × sigma) > 10^1000000; must be at most 10 (measured latencies have 0.2 to 1.5; 40 % is 0.4)");
        insta::assert_snapshot!(message(r#"{"weibull": {"scale": 1, "shape": 0.05}}"#), @"shape is 0.05: p99/p50 would be 10^16.4; must be larger, so that it is at most 10^6 (measured latencies have 2 to 30)");
        insta::assert_snapshot!(message(r#"{"gamma": {"mean": 1, "shape": 0.02}}"#), @"shape is 0.02: p99/p50 would be 10^15.0; must be larger, so that it is at most 10^6 (measured latencies have 2 to 30)");
        insta::assert_snapshot!(message(r#"{"pareto": {"min": 1, "alpha": 0.1}}"#), @"alpha is 0.1: p99/p50 would be 10^17.0; must be larger, so that it is at most 10^6 (measured latencies have 2 to 30)");
    }

    #[test]
    fn a_median_of_tokens_fits_in_32_bits() {
        let tokens = |text: &str| {
            serde_json::from_str::<LawSpec<f64>>(text)
                .unwrap()
                .tokens(&Names::default())
        };
        assert!(tokens(r#"{"lognormal": {"median": 4e9, "sigma": 1}}"#).is_ok());
        let refusal = tokens(r#"{"lognormal": {"median": 1e308, "sigma": 0.5}}"#).unwrap_err();
        assert_eq!(
            refusal.message,
            "a median of 1.000e308 tokens: at most 4294967295 can be counted"
        );
        assert!(tokens(r#"{"constant": 5e9}"#).is_err());
    }

    #[test]
    fn durations_become_nanoseconds_and_the_shift_a_floor() {
        let spec: LawSpec<Duration> =
            serde_json::from_str(r#"{"lognormal": {"median": "100ms", "sigma": 0.5, "shift": "200ms"}}"#).unwrap();
        let median = spec.law(&Names::default()).unwrap().quantile(Tail::Lower(0.5));
        assert!((median - 3e8).abs() < 1.0, "{median}");
    }

    /// A tail of 5 % above 600 ms with exponent 1.5, where the body has nothing left: P(X > x) = 0.05 (0.6 / x)^1.5.
    #[test]
    fn a_mixture_gives_a_body_a_power_law_tail() {
        let spec: LawSpec<Duration> = serde_json::from_str(
            r#"{ "mixture": { "components": [
                { "weight": 95, "law": { "lognormal": { "median": "150ms", "sigma": 0.4, "shift": "200ms" } } },
                { "weight": 5, "law": { "pareto": { "min": "600ms", "alpha": 1.5 } } } ] } }"#,
        )
        .unwrap();
        let law = spec.law(&Names::default()).unwrap();
        for (above, seconds) in [(0.005, 0.6 * libm::pow(10.0, 2.0 / 3.0)), (0.00005, 60.0)] {
            let found = law.quantile(Tail::Upper(above));
            assert!((found / (seconds * 1e9) - 1.0).abs() < 1e-9, "{found} {seconds}");
        }
    }

    /// Every law that measurements call for, of times and of speeds.
    #[test]
    fn times_and_speeds_have_the_same_laws() {
        fn reads<Q: Magnitude + serde::de::DeserializeOwned>(q: &str) {
            for law in [
                r#"{ "constant": Q }"#,
                r#"{ "exponential": { "mean": Q, "shift": Q } }"#,
                r#"{ "lognormal": { "median": Q, "sigma": 0.4, "shift": Q } }"#,
                r#"{ "gamma": { "mean": Q, "shape": 2, "shift": Q } }"#,
                r#"{ "weibull": { "scale": Q, "shape": 0.8, "shift": Q } }"#,
                r#"{ "pareto": { "min": Q, "alpha": 1.5 } }"#,
                r#"{ "empirical": { "quantiles": [[0, Q], [1, Q]] } }"#,
                r#"{ "mixture": { "components": [
                    { "weight": 9, "law": { "lognormal": { "median": Q, "sigma": 0.3, "shift": Q } } },
                    { "weight": 1, "law": { "lognormal": { "median": Q, "sigma": 0.9 } } } ] } }"#,
            ] {
                let text = law.replace('Q', q);
                let spec: LawSpec<Q> = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
                spec.sampler(&Names::default())
                    .unwrap_or_else(|e| panic!("{text}: {}", e.message));
            }
        }
        reads::<Duration>("\"300ms\"");
        reads::<f64>("80");
    }

    #[test]
    fn a_refusal_names_the_part_it_is_about() {
        let spec: LawSpec<f64> = serde_json::from_str(
            r#"{"mixture": {"components": [{"weight": 1, "law": {"exponential": {"mean": -3}}}]}}"#,
        )
        .unwrap();
        let path: String = spec
            .law(&Names::default())
            .err()
            .unwrap()
            .path
            .iter()
            .map(|s| format!("{s:?} "))
            .collect();
        assert!(
            path.contains("mixture") && path.contains("components") && path.contains("exponential"),
            "{path}"
        );
    }
}
