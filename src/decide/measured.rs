//! The metrics of one policy, gathered replication by replication, and what their estimates are.
//!
//! [`Gathered`] holds sums only: two numbers and their spread for a ratio, counts by bucket for a percentile. It sees each
//! tally once. What each replication adds to a figure's error, which comparisons need, is asked for in a second pass
//! ([`Gathered::residuals`]), when the figures are known.

use crate::engine::tally::Tally;
use crate::experiment::assemble::{Measure, Objective, Source};
use crate::kernel::time::Span;
use crate::report::{Measured, Metric};
use crate::stats::compare::Side;
use crate::stats::critical::Confidence;
use crate::stats::histogram::Histogram;
use crate::stats::interval::Estimate;
use crate::stats::parts::Scale;
use crate::stats::quantile::{Of, Shares};
use crate::stats::ratio::Pairs;
use crate::words::metric::Times;

use super::figures::{Figures, Kind, kind};
use super::uncertain::Uncertain;

/// Below so many independent incidents their number stands beside a figure.
const FEW: f64 = 10.0;

/// The histograms of one kind of times of one part of the traffic, by the number of the part.
type Histograms = (usize, Times, Shares);

/// What replications counted for some measures.
#[derive(Debug)]
pub(super) struct Gathered {
    measures: Vec<Measure>,
    /// The parts of the traffic that they are of, and the number of each measure's own.
    sources: Vec<Source>,
    source_of: Vec<usize>,
    /// By measure; of a percentile nothing.
    pairs: Vec<Pairs>,
    /// What the sums of a measure say is taken times.
    factors: Vec<f64>,
    /// Whether a replication lacks something that the measure is of, or nothing is said of it.
    lacks: Vec<bool>,
    /// The histograms of a source, each once, and by measure the number of its own.
    shares: Vec<Histograms>,
    shares_of: Vec<Option<usize>>,
    replications: usize,
    requests: u64,
    /// What the models' own measurements leave open, once that is known.
    uncertain: Uncertain,
    /// Whether requests pile up all the time.
    piles_up: bool,
}

impl Gathered {
    /// Nothing yet of these measures.
    pub(super) fn new(measures: impl IntoIterator<Item = Measure>) -> Gathered {
        let measures: Vec<Measure> = measures.into_iter().collect();
        let (mut sources, mut source_of): (Vec<Source>, Vec<usize>) = (Vec::new(), Vec::new());
        let (mut shares, mut shares_of): (Vec<Histograms>, Vec<Option<usize>>) = (Vec::new(), Vec::new());
        for measure in &measures {
            // The same part is mostly asked for in a row.
            let source = sources.iter().rposition(|known| *known == measure.source);
            let source = source.unwrap_or_else(|| {
                sources.push(measure.source.clone());
                sources.len() - 1
            });
            source_of.push(source);
            shares_of.push(match kind(&measure.metric) {
                Kind::Percentile(_, times) => {
                    let known = shares
                        .iter()
                        .rposition(|(of, which, _)| (*of, *which) == (source, times));
                    Some(known.unwrap_or_else(|| {
                        shares.push((source, times, Shares::default()));
                        shares.len() - 1
                    }))
                }
                Kind::Share | Kind::Ratio(..) | Kind::Positive(..) => None,
            });
        }
        Gathered {
            pairs: vec![Pairs::default(); measures.len()],
            factors: vec![1.0; measures.len()],
            lacks: vec![false; measures.len()],
            sources,
            source_of,
            shares,
            shares_of,
            measures,
            replications: 0,
            requests: 0,
            uncertain: Uncertain::default(),
            piles_up: false,
        }
    }

    /// Takes one more replication.
    pub(super) fn add(&mut self, tally: &Tally) {
        self.replications += 1;
        self.requests += tally.requests();
        let figures = self.figures(tally);
        for (i, measure) in self.measures.iter().enumerate() {
            if self.shares_of[i].is_none() {
                let (x, y) = figures[self.source_of[i]].pair(&measure.metric);
                self.pairs[i].add(x, y);
                self.lacks[i] |= y.is_nan();
            }
        }
        for (source, times, shares) in &mut self.shares {
            let of = &figures[*source];
            if let Some(histogram) = of.times(*times) {
                shares.add(histogram, of.endless(*times));
            }
        }
    }

    fn figures<'t>(&self, tally: &'t Tally) -> Vec<Figures<'t>> {
        self.sources.iter().map(|source| Figures::of(tally, source)).collect()
    }

    /// Takes measure number `i`, which is a ratio, so many times; without a factor nothing is said of it.
    pub(super) fn correct(&mut self, i: usize, factor: Option<f64>) {
        match factor {
            Some(factor) => self.factors[i] = factor,
            None => self.lacks[i] = true,
        }
    }

    /// Takes into the intervals what the models' own measurements leave open.
    pub(super) fn leave_open(&mut self, uncertain: Uncertain) {
        self.uncertain = uncertain;
    }

    /// Whether requests pile up all the time, which [`Pooled::look_at_growth`] finds: a longer run may then break what this one keeps to.
    ///
    /// [`Pooled::look_at_growth`]: super::passes::Pooled::look_at_growth
    pub(super) fn piles_up(&self) -> bool {
        self.piles_up
    }

    pub(super) fn note_growth(&mut self, piles_up: bool) {
        self.piles_up = piles_up;
    }

    /// How many requests there were, of all replications.
    pub(super) fn requests(&self) -> u64 {
        self.requests
    }

    /// The place of a metric among the measures.
    pub(super) fn find(&self, metric: &Metric) -> Option<usize> {
        self.measures.iter().position(|known| known.metric == *metric)
    }

    /// The estimate of measure number `i`. A percentile is of those that have a value, or of all that should have.
    pub(super) fn estimate(&self, i: usize, of: Of, confidence: Confidence) -> Estimate {
        let of_run = self.of_run(i, of, confidence);
        let scale = match kind(&self.measures[i].metric) {
            Kind::Percentile(q, _) => {
                let known = self.shares_of[i].zip(self.uncertain.factor(i, confidence));
                return match known.filter(|_| !self.lacks[i]) {
                    Some((at, times)) => self.shares[at].2.quantile_of_less(q, of, confidence, times),
                    None => of_run,
                };
            }
            Kind::Share => Scale::Share,
            Kind::Positive(..) => Scale::Positive,
            Kind::Ratio(..) => Scale::Plain,
        };
        self.uncertain.widen(i, of_run, scale, confidence)
    }

    /// The estimate with the interval of the run alone.
    fn of_run(&self, i: usize, of: Of, confidence: Confidence) -> Estimate {
        let pairs = &self.pairs[i];
        match kind(&self.measures[i].metric) {
            _ if self.lacks[i] => Estimate {
                undefined: self.replications,
                ..Estimate::NONE
            },
            Kind::Percentile(q, _) => match self.shares_of[i] {
                Some(at) => self.shares[at].2.quantile(q, of, confidence),
                None => Estimate::NONE,
            },
            Kind::Share => pairs.share(confidence),
            Kind::Ratio(times, over) => pairs.estimate(confidence).scaled(times * self.factors[i], over),
            Kind::Positive(times, over) => pairs.positive(confidence).scaled(times * self.factors[i], over),
        }
    }

    /// The share of all requests of a percentile's part that never got the answer that they were owed; 0 for other measures.
    pub(super) fn endless(&self, i: usize) -> f64 {
        self.shares_of[i].map_or(0.0, |at| {
            let shares = &self.shares[at].2;
            let all = shares.total(Of::Everything);
            if all > 0.0 {
                1.0 - shares.total(Of::Values) / all
            } else {
                0.0
            }
        })
    }

    /// Measure number `i` as a report shows it.
    pub(super) fn measured(&self, i: usize, confidence: Confidence) -> Measured {
        let estimate = self.estimate(i, Of::Values, confidence);
        let of_all = (self.endless(i) > 0.0).then(|| self.estimate(i, Of::Everything, confidence));
        let parts = |of: Of, whole: &Estimate| {
            let of_run = self.of_run(i, of, confidence);
            self.uncertain.parts(i, &of_run, whole, confidence)
        };
        Measured {
            residuals: Vec::new(),
            metric: self.measures[i].metric.clone(),
            note: self.note(i, &estimate),
            // Of the figure that is shown; if that has no upper end, of the one over the answered.
            parts: (of_all.and_then(|whole| parts(Of::Everything, &whole))).or_else(|| parts(Of::Values, &estimate)),
            estimate,
            of_all,
            replayed: false,
        }
    }

    /// Why a figure has no value or no interval, or what its interval hangs on.
    fn note(&self, i: usize, estimate: &Estimate) -> Option<String> {
        let metric = &self.measures[i].metric;
        if self.lacks[i] && metric.quantity() == Metric::QUALITY.quantity() {
            return Some("not every model used rates every class".into());
        }
        if let Some(why) = estimate.why_no_interval() {
            return Some(why);
        }
        match (kind(metric), self.shares_of[i]) {
            (Kind::Percentile(q, _), Some(at)) if estimate.hi.is_none() => {
                let beyond = self.shares[at].2.independent_beyond(q, Of::Values);
                Some(format!(
                    "no upper end: what lies beyond it is worth {}; simulate longer",
                    few(beyond, "independent request")
                ))
            }
            (Kind::Share, _) => {
                let incidents = self.pairs[i].incidents().filter(|&incidents| incidents < FEW)?;
                Some(format!("worth {}", few(incidents, "independent incident")))
            }
            (Kind::Percentile(..) | Kind::Ratio(..) | Kind::Positive(..), _) => None,
        }
    }

    /// How far `tally` keeps to `objective`, which is of measure number `i`: a number whose sum over replications is 0 or more if the
    /// figure of all of them together keeps to the bound, and what it is a part of. Nothing where the figure has no value.
    pub(super) fn margin(&self, i: usize, objective: &Objective, tally: &Tally) -> Option<(f64, f64)> {
        if self.lacks[i] {
            return None;
        }
        let metric = &self.measures[i].metric;
        let of = Figures::of(tally, &self.sources[self.source_of[i]]);
        let side = if objective.at_most { 1.0 } else { -1.0 };
        let (times, over) = match kind(metric) {
            Kind::Percentile(q, times) => {
                let histogram = of.times(times)?;
                let all = (histogram.count() + of.endless(times)) as f64;
                let kept = histogram.count_at_most(Span::from_seconds_f64(objective.bound)) as f64;
                return Some((side * (kept - q * all), all));
            }
            Kind::Share => (1.0, 1.0),
            Kind::Ratio(times, over) | Kind::Positive(times, over) => (times * self.factors[i], over),
        };
        let (x, y) = of.pair(metric);
        let bound = objective.bound * over;
        let whole = if bound > 0.0 { bound } else { over };
        (x + y)
            .is_finite()
            .then_some((side * (bound * y - times * x), whole * y))
    }

    /// Where the figure of measure number `i` lies among times, if it is a percentile of them.
    pub(super) fn mark(&self, i: usize, confidence: Confidence) -> Span {
        Span::from_seconds_f64(self.estimate(i, Of::Everything, confidence).value)
    }

    /// Two numbers of `tally` whose ratio goes up with measure number `i`: of a percentile the requests beyond `mark`, and all.
    pub(super) fn pair(&self, i: usize, mark: Span, tally: &Tally) -> (f64, f64) {
        let of = Figures::of(tally, &self.sources[self.source_of[i]]);
        let metric = &self.measures[i].metric;
        match kind(metric) {
            Kind::Percentile(_, times) => of.times(times).map_or((0.0, 0.0), |histogram| {
                let all = histogram.count() + of.endless(times);
                ((all - histogram.count_at_most(mark)) as f64, all as f64)
            }),
            Kind::Share | Kind::Ratio(..) | Kind::Positive(..) => of.pair(metric),
        }
    }

    /// How many measures there are.
    pub(super) fn count(&self) -> usize {
        self.measures.len()
    }

    /// The figures and intervals of the first `count` measures as comparisons take them, percentiles being of all requests.
    pub(super) fn compared(&self, count: usize, confidence: Confidence) -> Compared {
        let estimates: Vec<Estimate> = (0..count)
            .map(|i| self.estimate(i, Of::Everything, confidence))
            .collect();
        let mark = |(i, estimate): (usize, &Estimate)| {
            let at = Span::from_seconds_f64(estimate.value);
            let shares = self.shares_of[i].map(|place| &self.shares[place].2);
            (at, shares.map_or(0.0, |shares| shares.at_most(at, Of::Everything)))
        };
        Compared {
            marks: estimates.iter().enumerate().map(mark).collect(),
            values: vec![Vec::with_capacity(self.replications); count],
            sides: (estimates.into_iter())
                .map(|estimate| Side {
                    estimate,
                    residuals: Vec::with_capacity(self.replications),
                })
                .collect(),
        }
    }

    /// Notes the figures of this replication, and what it adds to the error of each of `compared`.
    pub(super) fn residuals(&self, tally: &Tally, compared: &mut Compared) {
        let figures = self.figures(tally);
        for (i, side) in compared.sides.iter_mut().enumerate() {
            let of = &figures[self.source_of[i]];
            let metric = &self.measures[i].metric;
            let (times, over) = match kind(metric) {
                Kind::Percentile(q, times) => {
                    let (mut residual, mut value) = (0.0, f64::NAN);
                    if let Some(histogram) = of.times(times) {
                        let (at, share) = compared.marks[i];
                        let endless = of.endless(times);
                        let all = (histogram.count() + endless) as f64;
                        // The more lies below, the lower is the percentile.
                        residual = share * all - histogram.count_at_most(at) as f64;
                        value = percentile(histogram, endless, q);
                    }
                    side.residuals.push(residual);
                    compared.values[i].push(value);
                    continue;
                }
                Kind::Share => (1.0, 1.0),
                Kind::Ratio(times, over) | Kind::Positive(times, over) => (times * self.factors[i], over),
            };
            let (x, y) = of.pair(metric);
            side.residuals.push(self.pairs[i].residual(x, y));
            let is_defined = y > 0.0 && !self.lacks[i];
            compared.values[i].push(if is_defined { x * times / over / y } else { f64::NAN });
        }
    }
}

/// Figures to be compared with those of another policy, as far as they are known.
#[derive(Debug)]
pub(super) struct Compared {
    /// The figures, by measure.
    pub(super) sides: Vec<Side>,
    /// Where a percentile lies, and the share up to there.
    marks: Vec<(Span, f64)>,
    /// The figure of each replication by itself, by measure; NaN where the replication does not define it.
    values: Vec<Vec<f64>>,
}

impl Compared {
    /// The figure number `i` of each replication by itself.
    pub(super) fn values(&self, i: usize) -> &[f64] {
        self.values.get(i).map_or(&[], Vec::as_slice)
    }
}

/// The `q` quantile, in seconds, of values of which so many more have no end.
fn percentile(histogram: &Histogram, endless: u64, q: f64) -> f64 {
    let count = histogram.count();
    let rank = (q * (count + endless) as f64 - 1e-9).ceil();
    if rank > count as f64 {
        return if endless > 0 { f64::INFINITY } else { f64::NAN };
    }
    let value = histogram.quantile((rank - 0.5).max(0.0) / count as f64);
    value.map_or(f64::NAN, Span::seconds)
}

/// A small number of what is only worth that many: one digit, or a whole number.
fn few(number: f64, what: &str) -> String {
    match number.round() {
        _ if number < 1.0 => format!("less than one {what}"),
        1.0 => format!("about one {what}"),
        rounded => format!("about {rounded} {what}s"),
    }
}
