//! Tests of a fit's charts, on samples that can be counted by hand.

use super::*;
use crate::calibrate::fit::Params;
use crate::calibrate::fit::percentiles::Percentile;
use crate::calibrate::fit::regimes::Regimes;
use crate::calibrate::fit::sample::Sample;
use crate::calibrate::fit::serial::Serial;

/// The values 1 to 100 with the uniform law that they follow.
fn quantity(name: &'static str, beyond: &[f64]) -> Quantity {
    let seen: Vec<f64> = (1..=100).map(f64::from).collect();
    let sample = Sample::new(seen.clone(), beyond.to_vec());
    let params = Params::Empirical(vec![(0.0, 0.5), (1.0, 100.5)]);
    Quantity {
        refits: Vec::new(),
        name,
        seen: 100,
        censored: beyond.len(),
        serial: Some(Serial::of(&seen)),
        candidates: Vec::new(),
        tables: Vec::new(),
        taken: None,
        why: String::new(),
        percentiles: vec![Percentile::of(&sample, 0.5, 100.0, params.quantile(0.5))],
        regimes: Regimes::default(),
        params,
        sample,
    }
}

fn lines(chart: &Chart) -> Vec<&Vec<(f64, f64)>> {
    let lines = chart.series.iter().filter_map(|series| match &series.mark {
        Mark::Line(points) => Some(points),
        _ => None,
    });
    lines.collect()
}

/// Of 1 to 100, two are slower than 98 if they are times, and 97 if they are speeds; the law says the same to half a value.
#[test]
fn the_slow_end_of_a_time_is_above_and_that_of_a_speed_below() {
    for (name, wanted) in [("ttft", 0.02), ("tps", 0.97)] {
        let chart = slowest(&quantity(name, &[])).unwrap();
        let [measured, fitted] = lines(&chart)[..] else {
            panic!()
        };
        let at = |points: &[(f64, f64)], x: f64| {
            let near = points.iter().filter(|p| p.1.is_finite());
            near.min_by(|a, b| (a.0 - x).abs().total_cmp(&(b.0 - x).abs()))
                .unwrap()
                .1
        };
        assert!(
            (at(fitted, 97.5) - wanted).abs() < 0.012,
            "{name}: {}",
            at(fitted, 97.5)
        );
        let between: Vec<f64> = measured
            .windows(2)
            .filter(|w| w[0].0.min(w[1].0) <= 98.0 && w[0].0.max(w[1].0) > 98.0)
            .map(|w| w[1].1)
            .collect();
        assert!(
            between.iter().any(|share| (share - wanted).abs() < 0.011),
            "{name}: {between:?}"
        );
        // The rarest value is visible: one in a hundred, with room below.
        let least = measured.iter().map(|p| p.1).fold(1.0, f64::min);
        assert!((least - 0.01).abs() < 1e-9 && chart.y.range.unwrap().0 < 0.004);
    }
}

#[test]
fn the_interval_ends_where_censoring_begins() {
    let ends = |beyond: &[f64]| {
        let chart = slowest(&quantity("ttft", beyond)).unwrap();
        let Mark::Band(band) = &chart.series[0].mark else {
            panic!()
        };
        band.last().unwrap().0
    };
    assert_eq!((ends(&[]), ends(&[50.0; 20])), (100.0, 50.0));
}

#[test]
fn quantiles_of_the_true_law_lie_on_the_line() {
    let chart = quantiles(&quantity("ttft", &[])).unwrap();
    let Mark::Dots(dots) = &chart.series[1].mark else {
        panic!()
    };
    assert_eq!(dots.len(), 100);
    assert!(dots.iter().all(|(x, y)| (x - y).abs() < 0.51), "{dots:?}");
    let Mark::Points(named) = &chart.series[2].mark else {
        panic!()
    };
    assert_eq!(named[0].label, "p50");
}
