//! How the worth of answers hangs together, from what an experiment says of it; and that in words.

use crate::engine::ties::Ties;
use crate::experiment::file::{Experiment, ObservedSpec, QualitySpec};
use crate::experiment::load::Loaded;
use crate::form::build::{Built, Names, Refusal};
use crate::form::per_class::PerClass;
use crate::form::units::Fraction;
use crate::import::scores::Scores;
use crate::kernel::copula::{correlation, loadings};

/// The ties, and how a sentence about quality begins that assumes them.
pub(super) fn quality(loaded: &Loaded, names: &Names<'_>) -> Built<(Ties, String)> {
    let Some(spec) = &loaded.experiment.quality else {
        return Ok((Ties::None, "independent answers".into()));
    };
    match spec {
        QualitySpec {
            correlation: Some(by_class),
            observed: None,
            pairs: None,
        } => stated(by_class, names).map_err(|r| r.at("correlation")),
        QualitySpec {
            correlation: None,
            observed: Some(observed),
            pairs: None,
        } => of_observed(observed, names.classes.len()).map_err(|r| r.at("observed")),
        QualitySpec {
            correlation: None,
            observed: None,
            pairs: Some(file),
        } => of_scores(file, loaded).map_err(|r| r.at("pairs")),
        _ => Err(Refusal::new(
            "it takes exactly one of `correlation`, `observed` and `pairs`",
        )),
    }
}

fn stated(by_class: &PerClass<Fraction>, names: &Names<'_>) -> Built<(Ties, String)> {
    let correlations: Vec<f64> = by_class.by_class(names)?.into_iter().map(Fraction::get).collect();
    let says = match by_class {
        PerClass::All(_) => format!("a correlation of {}", correlations.first().copied().unwrap_or(0.0)),
        PerClass::Each(_) => {
            let one = |(class, correlation): (&String, &f64)| format!("{correlation} for {class}");
            let each: Vec<String> = names.classes.iter().zip(&correlations).map(one).collect();
            format!("correlations of {}", each.join(", "))
        }
    };
    Ok((of_classes(correlations), says))
}

/// The ties with these correlations, by class; none at all if every one is 0.
fn of_classes(correlations: Vec<f64>) -> Ties {
    if correlations.iter().all(|&correlation| correlation == 0.0) {
        return Ties::None;
    }
    Ties::OfClasses(correlations.into_iter().map(f64::sqrt).collect())
}

fn of_observed(observed: &ObservedSpec, classes: usize) -> Built<(Ties, String)> {
    let [weak, strong, rest] = [observed.weak, observed.strong, observed.strong_where_weak_wrong].map(Fraction::get);
    let both = strong - (1.0 - weak) * rest;
    let (least, most) = ((weak + strong - 1.0).max(0.0), weak.min(strong));
    if both < least - 1e-9 || both > most + 1e-9 {
        let text = format!(
            "{rest}: with shares of {weak} and {strong} it is from {:.4} to {:.4}",
            (strong - most) / (1.0 - weak),
            (strong - least) / (1.0 - weak)
        );
        return Err(Refusal::new(text).at("strong_where_weak_wrong"));
    }
    let found = correlation(weak, strong, both).ok_or_else(|| {
        Refusal::new(
            "a model that is always right, or never, tells no correlation: both shares must lie between 0 and 1",
        )
    })?;
    if found < -1e-6 {
        let text = format!(
            "{rest}: the stronger model is right more often where the weaker is wrong than on the whole ({strong}), which is a \
             correlation below 0"
        );
        return Err(Refusal::new(text).at("strong_where_weak_wrong"));
    }
    let says = format!("a correlation of {found:.2} (observed)");
    Ok((of_classes(vec![found.max(0.0); classes]), says))
}

/// The name of each provider and that of its model.
fn called(spec: &Experiment) -> impl Iterator<Item = (&str, Option<&str>)> {
    spec.providers.iter().map(|(name, p)| (name, p.model.as_deref()))
}

/// Whether a column of scores is that of some provider.
pub(in crate::experiment) fn is_asked_for(spec: &Experiment, column: &str) -> bool {
    called(spec).any(|(name, model)| name == column || model == Some(column))
}

fn of_scores(file: &str, loaded: &Loaded) -> Built<(Ties, String)> {
    let Some(scores) = &loaded.scores else {
        return Err(Refusal::new(format!(
            "`{file}` was not read: an experiment from a text alone has no files"
        )));
    };
    let n = scores.columns.len();
    if n < 2 {
        return Err(Refusal::new(format!(
            "`{file}` has {n} columns that are called as a provider or its model is: it takes at least two"
        )));
    }
    let mut correlations = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..i {
            let found = of_columns(scores, i, j).map_err(|text| Refusal::new(format!("`{file}`: {text}")))?;
            (correlations[i * n + j], correlations[j * n + i]) = (found, found);
        }
    }
    let found = loadings(&correlations, n);
    let mean = found.iter().sum::<f64>() / n as f64;
    let of = |(name, model): (&str, Option<&str>)| {
        let place = |called: &str| scores.columns.iter().position(|column| column == called);
        place(name).or_else(|| place(model?)).map_or(mean, |i| found[i])
    };
    let ties: Vec<f64> = called(&loaded.experiment).map(of).collect();
    let what = if n == 2 {
        format!("a correlation of {:.2}", found[0] * found[0])
    } else {
        let each: Vec<String> = scores
            .columns
            .iter()
            .zip(&found)
            .map(|(name, l)| format!("{name} {l:.2}"))
            .collect();
        format!("one difficulty for all models, with loadings {}", each.join(", "))
    };
    let says = format!("{what} ({} requests in {file})", scores.rows.len());
    let ties = if ties.iter().all(|&l| l == 0.0) {
        Ties::None
    } else {
        Ties::OfProviders(ties)
    };
    Ok((ties, says))
}

/// The correlation of two columns, from the rows that have both.
fn of_columns(scores: &Scores, i: usize, j: usize) -> Result<f64, String> {
    let (mut rows, mut first, mut second, mut both) = (0.0, 0.0, 0.0, 0.0);
    for row in &scores.rows {
        if let (Some(a), Some(b)) = (row[i], row[j]) {
            rows += 1.0;
            first += f64::from(u8::from(a));
            second += f64::from(u8::from(b));
            both += f64::from(u8::from(a && b));
        }
    }
    let (a, b) = (&scores.columns[i], &scores.columns[j]);
    if rows < 1.0 {
        return Err(format!("no request has scores of both `{a}` and `{b}`"));
    }
    correlation(first / rows, second / rows, both / rows).ok_or_else(|| {
        format!("`{a}` or `{b}` is good for every request that has both, or for none: that tells no correlation")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(text: &str) -> Fraction {
        serde_json::from_str(text).unwrap()
    }

    fn observed(weak: &str, strong: &str, rest: &str) -> Built<(Ties, String)> {
        let spec = ObservedSpec {
            weak: share(weak),
            strong: share(strong),
            strong_where_weak_wrong: share(rest),
        };
        of_observed(&spec, 2)
    }

    /// What two models measured on MMLU say: 0.681, 0.806 and 0.557. By scipy 0.679 for half of them.
    #[test]
    fn what_was_observed_gives_the_correlation() {
        let (Ties::OfClasses(loadings), says) = observed("0.681", "0.806", "0.557").unwrap() else {
            panic!("tied by class")
        };
        assert!((loadings[0] * loadings[1] - 0.68).abs() < 0.01, "{loadings:?}");
        assert!(says.starts_with("a correlation of 0.6"), "{says}");
        // Where the weaker is wrong the stronger is as good as ever: independent.
        let (Ties::OfClasses(loadings), _) = observed("0.5", "0.8", "0.79").unwrap() else {
            panic!("nearly independent")
        };
        assert!(loadings[0] > 0.0 && loadings[0] < 0.3);
    }

    #[test]
    fn what_cannot_have_been_observed_is_refused() {
        for (shares, message) in [
            (
                ["0.5", "0.8", "0.5"],
                "0.5: with shares of 0.5 and 0.8 it is from 0.6000 to 1.0000",
            ),
            (
                ["1", "0.8", "0.5"],
                "a model that is always right, or never, tells no correlation: both shares must lie between 0 and 1",
            ),
            (
                ["0.5", "0.8", "0.9"],
                "0.9: the stronger model is right more often where the weaker is wrong than on the whole (0.8), which is a \
                 correlation below 0",
            ),
        ] {
            assert_eq!(observed(shares[0], shares[1], shares[2]).unwrap_err().message, message);
        }
    }

    #[test]
    fn columns_are_compared_where_both_have_a_score() {
        let rows = [(1, 1), (1, 1), (0, 0), (0, 0), (1, 0), (0, 1)].map(|(a, b)| vec![Some(a == 1), Some(b == 1)]);
        let mut scores = Scores {
            columns: vec!["a".into(), "b".into()],
            rows: rows.to_vec(),
        };
        // Both in a third: a correlation of a half, by the arc of a right angle's third.
        assert!((of_columns(&scores, 0, 1).unwrap() - 0.5).abs() < 1e-9);
        scores.rows.push(vec![Some(true), None]);
        assert!((of_columns(&scores, 0, 1).unwrap() - 0.5).abs() < 1e-9);
        scores.rows.truncate(2);
        assert!(of_columns(&scores, 0, 1).is_err());
    }
}
