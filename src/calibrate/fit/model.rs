//! The model file that a fit produces.

use super::errors;
use super::family::Params;
use super::load::LoadCurve;
use super::measured_over;
use super::report::{FitReport, Quantity};
use crate::calibrate::log::{Log, Observation};
use crate::experiment::model::{Fit, ModelFile, ModelSpec, Percentiles};
use crate::experiment::uncertainty::Uncertainty;
use crate::form::laws::{self, Component, LawSpec, Magnitude};
use crate::form::named::Named;
use crate::form::units::{Count, Duration};
use crate::kernel::time::Span;
use crate::provider::load::{Batching, LoadSpec, Slots};
use crate::provider::pricing::PerToken;

/// The variant's name.
pub const VARIANT: &str = "measured";

/// The parts of a model that are given rather than measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// The date of the measurement; the day of the first request if empty and known.
    pub date: String,
    /// The prices of the model.
    pub prices: PerToken,
    /// The origin of the prices, if they are an assumption.
    pub assumed_prices: Option<String>,
    /// The share of observations that is held out, 0 to 1.
    pub held_out: f64,
    /// The most requests that the server has in service at once, if that is known.
    pub slots: Option<u32>,
}

/// The model file of a fit to the observations in `used`.
pub(super) fn model(report: &FitReport, log: &Log, used: &[&Observation], given: &Given) -> ModelFile {
    let ttft = report.quantities.iter().find(|q| q.name == "ttft");
    let tps = report.quantities.iter().find(|q| q.name == "tps");
    let constant = |value: f64| LawSpec::always(value);
    let prefill = report
        .prefill
        .as_ref()
        .filter(|e| e.in_model)
        .map(|e| six(1.0 / e.slope.slope));
    let spec = ModelSpec {
        source: source(report, log),
        date: given.date.clone(),
        ttft: ttft.map_or(LawSpec::always(duration(0.0)), |q| law(&q.params, duration)),
        fit: ttft.map(fit),
        tps: tps.map_or(constant(1e6), |q| law(&q.params, six)),
        prefill,
        network: duration(0.0),
        load: match &report.load {
            Some(curve) => loads(curve),
            None => slots(given.slots.or(report.slots.as_ref().and_then(|found| found.slots)))
                .into_iter()
                .collect(),
        },
        prompt_cache: None,
        prices: given.prices.clone(),
        context_window: None,
        limits: report
            .quotas
            .iter()
            .filter_map(super::quotas::QuotaFound::limit)
            .collect(),
        faults: errors::faults(&report.errors),
        quality: Named::default(),
        assumed: assumed(report, tps.is_some(), given),
        fitted_on: Some(measured_over::fitted_on(report, log, used, given)),
        uncertainty: Uncertainty {
            ttft: ttft.map_or(Vec::new(), |q| q.refits.iter().map(|p| law(p, duration)).collect()),
            tps: tps.map_or(Vec::new(), |q| q.refits.iter().map(|p| law(p, six)).collect()),
            requests: (report.sent > 0).then_some(report.sent),
        },
        calibration: None,
    };
    ModelFile {
        schema: None,
        model: report.name.clone(),
        about: format!("Fitted to measurements of {}.", report.target),
        default: VARIANT.to_owned(),
        variants: [(VARIANT.to_owned(), spec)].into_iter().collect(),
    }
}

/// The effect of load in the form of a model file.
fn loads(curve: &LoadCurve) -> Vec<LoadSpec> {
    let rounded = |table: &[(u32, f64)]| table.iter().map(|(n, factor)| (*n, six(*factor))).collect();
    let batching = LoadSpec::batching(Batching {
        step: rounded(&curve.step),
        ttft: Some(rounded(&curve.ttft)),
    });
    slots(curve.slots).into_iter().chain([batching]).collect()
}

/// The number of slots in the form of a model file.
fn slots(many: Option<u32>) -> Option<LoadSpec> {
    let servers = Count::new(u64::from(many?))?;
    Some(LoadSpec::slots(Slots::of(servers)))
}

fn source(report: &FitReport, log: &Log) -> String {
    let formats: Vec<&str> = log.sources.iter().map(|s| s.format.as_str()).collect();
    let mut formats = formats;
    formats.dedup();
    let fitted = match report.quantities.first() {
        Some(q) if q.serial.is_none() => format!("summaries of {} requests", q.seen),
        _ => format!("{} requests", report.requests - report.held_out),
    };
    format!("simcap fit to {fitted} ({})", formats.join("; "))
}

/// Remarks for the reader, by field of the model.
fn assumed(report: &FitReport, speed: bool, given: &Given) -> Named<String> {
    let mut notes: Vec<(&str, String)> = Vec::new();
    notes.push((
        "network",
        "none apart: TTFT was measured by a client, so its law holds the network between".to_owned(),
    ));
    if !speed {
        let why = "no decode speed could be measured: it is made so high that it takes no time";
        notes.push(("tps", why.to_owned()));
    }
    if report.prefill.is_none() {
        notes.push((
            "prefill",
            "inputs did not vary or were not told: the law of TTFT is of the inputs measured".to_owned(),
        ));
    }
    if let Some(why) = &given.assumed_prices {
        notes.push(("prices", why.clone()));
    }
    if let Some(found) = &report.slots {
        notes.push(("load", found.note()));
    }
    notes.push((
        "limits",
        match report.quotas.as_slice() {
            [] => format!("none seen: {} requests met no quota that could be told", report.sent),
            quotas => quotas
                .iter()
                .map(super::quotas::QuotaFound::note)
                .collect::<Vec<_>>()
                .join("; "),
        },
    ));
    if report.sent > 0 {
        let (_, most) = crate::stats::interval::wilson(0, report.sent, crate::stats::critical::Confidence::P95);
        let text = format!(
            "shares of {} requests; what did not happen may yet have a rate of {:.2} % (95 %). Timeouts {}",
            report.sent,
            100.0 * most,
            if report
                .errors
                .iter()
                .any(|e| super::hangs::may_be(e.outcome) && e.becomes == errors::Becomes::Fault("hang"))
            {
                "are among them, as hangs: they are far beyond the law of TTFT"
            } else {
                "are in the law of TTFT, not among the faults"
            }
        );
        notes.push(("faults", text));
    }
    notes.push(("quality", "not measured".to_owned()));
    notes.into_iter().map(|(name, note)| (name.to_owned(), note)).collect()
}

fn fit(quantity: &Quantity) -> Fit {
    let mut published = Percentiles::default();
    let mut fitted = Percentiles::default();
    let mut worst: f64 = 0.0;
    for p in &quantity.percentiles {
        let Some(measured) = p.measured.filter(|_| p.is_estimable() || quantity.serial.is_none()) else {
            continue;
        };
        let (of_sample, of_law) = match (p.share * 1000.0).round() as u32 {
            500 => (&mut published.p50, &mut fitted.p50),
            950 => (&mut published.p95, &mut fitted.p95),
            990 => (&mut published.p99, &mut fitted.p99),
            _ => continue,
        };
        *of_sample = Some(duration(measured));
        *of_law = Some(duration(p.fitted));
        worst = worst.max((p.fitted / measured - 1.0).abs());
    }
    Fit {
        published,
        fitted,
        worst_error: (worst * 1e4).round() / 1e4,
        note: format!(
            "`published` is what was measured, of which percentiles without an interval are left out; {}: {}",
            quantity.taken.map_or("constant", |f| f.name()),
            quantity.why
        ),
    }
}

/// Rounds to six significant digits: measurements are not more precise.
pub(super) fn six(x: f64) -> f64 {
    format!("{x:.5e}").parse().unwrap_or(x)
}

/// Seconds in the form of a model file.
pub(super) fn duration(seconds: f64) -> Duration {
    Duration::from(Span::from_nanos((six(seconds) * 1e9).round().max(0.0) as u64))
}

/// A law of plain numbers as a file writes it.
pub(in crate::calibrate) fn numbers(params: &Params) -> LawSpec<f64> {
    law(params, six)
}

/// A law as a file writes it; `of` makes its quantities.
fn law<Q: Magnitude>(params: &Params, of: impl Fn(f64) -> Q) -> LawSpec<Q> {
    let floor = |shift: f64| (shift > 0.0).then(|| of(shift));
    let lognormal = |mu: f64, sigma: f64| {
        LawSpec::from(laws::Lognormal {
            median: of(libm::exp(mu)),
            sigma: six(sigma),
            shift: None,
        })
    };
    let mixed = |weight: f64, first: LawSpec<Q>, second: LawSpec<Q>| {
        LawSpec::from(laws::Mixture {
            components: [(weight, first), (1.0 - weight, second)]
                .map(|(weight, law)| Component {
                    weight: six(weight),
                    law: Box::new(law),
                })
                .into_iter()
                .collect(),
        })
    };
    match params {
        Params::Constant(value) => LawSpec::always(of(*value)),
        Params::Lognormal { shift, mu, sigma } => LawSpec::from(laws::Lognormal {
            median: of(libm::exp(*mu)),
            sigma: six(*sigma),
            shift: floor(*shift),
        }),
        Params::Gamma { shift, shape, scale } => LawSpec::from(laws::Gamma {
            mean: of(shape * scale),
            shape: six(*shape),
            shift: floor(*shift),
        }),
        Params::Weibull { shift, shape, scale } => LawSpec::from(laws::Weibull {
            scale: of(*scale),
            shape: six(*shape),
            shift: floor(*shift),
        }),
        Params::Two(two) => mixed(
            two.weight,
            lognormal(two.mu[0], two.sigma[0]),
            lognormal(two.mu[1], two.sigma[1]),
        ),
        Params::Tailed(t) => mixed(
            t.weight,
            lognormal(t.mu, t.sigma),
            LawSpec::from(laws::Pareto {
                min: of(t.min),
                alpha: six(t.alpha),
            }),
        ),
        Params::Empirical(knots) => LawSpec::from(laws::Empirical {
            values: Vec::new(),
            quantiles: knots.iter().map(|(share, value)| (*share, of(*value))).collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::calibrate::fit::mixture::Two;
    use crate::calibrate::fit::tail::Tailed;

    /// Laws that no family of the fit gives: an exponential is a gamma of shape 1, nothing measured is uniform, and the tail of
    /// a log-logistic is looked for as that of a Pareto; a column is the values of a file, not a family.
    const NOT_FITTED: [&str; 7] = [
        "column",
        "exponential",
        "log_logistic",
        "moments",
        "own",
        "percentiles",
        "uniform",
    ];

    /// Every name of a law in `value`.
    fn laws_in(value: &serde_json::Value, found: &mut BTreeSet<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                for (name, field) in fields {
                    if LawSpec::<f64>::NAMES.contains(&name.as_str()) {
                        found.insert(name.clone());
                    }
                    laws_in(field, found);
                }
            }
            serde_json::Value::Array(elements) => elements.iter().for_each(|element| laws_in(element, found)),
            _ => {}
        }
    }

    #[test]
    fn a_registered_law_is_given_by_some_family_or_known_not_to_be() {
        let (shift, mu, sigma, shape, scale) = (0.0, 0.0, 1.0, 2.0, 3.0);
        let every = [
            Params::Constant(1.0),
            Params::Lognormal { shift, mu, sigma },
            Params::Gamma { shift, shape, scale },
            Params::Weibull { shift, shape, scale },
            Params::Two(Two {
                weight: 0.5,
                mu: [0.0, 1.0],
                sigma: [1.0, 2.0],
            }),
            Params::Tailed(Tailed {
                weight: 0.5,
                mu,
                sigma,
                min: 1.0,
                alpha: 1.5,
            }),
            Params::Empirical(vec![(0.0, 1.0), (1.0, 2.0)]),
        ];
        let mut given: BTreeSet<String> = NOT_FITTED.map(String::from).into();
        for params in &every {
            let written = serde_json::to_value(law(params, |x| x)).unwrap();
            laws_in(&written, &mut given);
        }
        let registered: BTreeSet<String> = LawSpec::<f64>::NAMES.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(given, registered);
    }
}
