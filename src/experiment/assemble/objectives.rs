//! What must hold, and of which policies.

use super::Objective;
use crate::experiment::file::{ObjectiveSpec, PolicyEntry};
use crate::form::build::{Built, Refusal};

pub(super) fn objectives(specs: &[ObjectiveSpec], policies: &[PolicyEntry]) -> Built<Vec<Objective>> {
    let names: Vec<String> = policies.iter().map(|p| p.name.clone()).collect();
    let mut all = Vec::new();
    for (i, spec) in specs.iter().enumerate() {
        let here = |r: Refusal| r.at(i).at("objectives");
        let (field, target, at_most) = match (&spec.at_most, &spec.at_least) {
            (Some(target), None) => ("at_most", target, true),
            (None, Some(target)) => ("at_least", target, false),
            (None, None) => return Err(here(Refusal::new("no bound: give `at_most` or `at_least`"))),
            (Some(_), Some(_)) => {
                let text = "`at_least` beside `at_most`: give one, and the other in an objective of its own";
                return Err(here(Refusal::new(text).at("at_least")));
            }
        };
        let bound = target
            .value(spec.metric.unit())
            .map_err(|text| here(Refusal::new(text).at(field)))?;
        let asked = match &spec.policies {
            None => (0..names.len()).collect(),
            Some(some) => {
                let find = |(j, name): (usize, &String)| {
                    let unknown = || Refusal::unknown("policy", name, &names).at(j).at("policies");
                    names.iter().position(|n| n == name).ok_or_else(|| here(unknown()))
                };
                some.iter().enumerate().map(find).collect::<Built<_>>()?
            }
        };
        all.push(Objective {
            metric: spec.metric.clone(),
            bound,
            at_most,
            policies: asked,
        });
    }
    Ok(all)
}
