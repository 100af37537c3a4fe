//! Where figures come from that an experiment takes over by a name: listed prices and published quotas.

use crate::experiment::file::Experiment;
use crate::experiment::load::Loaded;
use crate::form::build::{Built, Refusal};
use crate::provider::limits::{LimitSpec, published};
use crate::provider::pricing::PriceSpec;
use crate::provider::pricing::listed::Table;
use crate::words::ModelNote;

/// What is taken from the price table and from published quotas, by field.
pub(super) fn taken(loaded: &Loaded, prices: Option<&PriceSpec>, limits: &[LimitSpec]) -> Built<Vec<(String, String)>> {
    let mut all = Vec::new();
    if let Some(PriceSpec::listed(listed)) = prices {
        let batch = if listed.batch { ", through the batch API" } else { "" };
        all.push((
            "prices".to_owned(),
            format!("{}{batch}: {}", listed.model, loaded.prices.source),
        ));
    }
    for limit in limits {
        let LimitSpec::preset(preset) = limit else { continue };
        let quotas = published().map_err(Refusal::of)?;
        if let Some(quota) = quotas.get(&preset.name) {
            let text = format!(
                "{}: {}, {}. Assumed: {}",
                preset.name, quota.source, quota.date, quota.assumed
            );
            all.push(("limits".to_owned(), text));
        }
    }
    Ok(all)
}

/// A sentence for each model whose listed price has something that is not read.
pub(super) fn unread(spec: &Experiment, prices: &Table) -> Vec<String> {
    let mut all = Vec::new();
    for (_, provider) in spec.providers.iter() {
        let Some(PriceSpec::listed(listed)) = &provider.prices else {
            continue;
        };
        let Some(model) = prices.models.get(&listed.model) else {
            continue;
        };
        let by_the_hour = listed.batch && model.standard.off_peak.is_some();
        let by_the_hour = by_the_hour.then(|| "`off_peak_pricing` of the standard API".to_owned());
        let unread: Vec<String> = model.unread.iter().cloned().chain(by_the_hour).collect();
        if unread.is_empty() {
            continue;
        }
        let sentence = format!(
            "the listed price of `{}` has {}, which is not read: its bills are those without it",
            listed.model,
            unread.join(", ")
        );
        if !all.contains(&sentence) {
            all.push(sentence);
        }
    }
    all
}

/// A note for each account with published quotas.
pub(super) fn of_accounts(loaded: &Loaded, spec: &Experiment) -> Built<Vec<ModelNote>> {
    let mut notes = Vec::new();
    for (name, account) in spec.accounts.iter() {
        let taken = taken(loaded, None, &account.limits)?;
        notes.extend(without_model(name, "an account", taken));
    }
    Ok(notes)
}

/// The note for something that has no model, if anything of it is taken from elsewhere.
pub(super) fn without_model(name: &str, what: &str, taken: Vec<(String, String)>) -> Option<ModelNote> {
    (!taken.is_empty()).then(|| ModelNote {
        measured: None,
        provider: name.to_owned(),
        model: what.to_owned(),
        source: "the experiment itself, but for what is published".to_owned(),
        assumed: Vec::new(),
        overrides: Vec::new(),
        published: taken,
        calibration: None,
    })
}
