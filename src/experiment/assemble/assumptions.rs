//! What the model leaves out and a reader could take for granted, in one clause each: it stands beside every verdict.
//!
//! Only what is true of this experiment is said, and only what would change the figures if it were otherwise: providers without a law
//! of load, models that were never held against measurements, arrivals that are a recording, and quality that is drawn without regard
//! to the request, where the experiment's `quality` says nothing else, embeddings that no bill has, and settings that an import left out. What a part leaves out by itself is in its page of the manual.

use crate::client::response_cache::Mode;
use crate::engine::scenario::{Deployment, Scenario};
use crate::experiment::load::Loaded;
use crate::words::{ModelNote, Standing, UNRATED};

/// Names that are told one by one.
const NAMED: usize = 4;

/// Settings of a configuration that are told one by one.
const SETTINGS: usize = 3;

/// What is not modelled in the experiment that `loaded` is, on this `fleet`, with these models, under the policies of `scenarios`.
pub(super) fn assumptions(
    loaded: &Loaded,
    fleet: &[Deployment],
    models: &[ModelNote],
    scenarios: &[Scenario],
) -> Vec<String> {
    let providers = || fleet.iter().map(|deployment| &deployment.provider);
    let unloaded: Vec<&str> = providers().filter(|p| p.load.is_empty()).map(|p| &*p.name).collect();
    let load = (!unloaded.is_empty()).then(|| {
        let at = which(&unloaded, fleet.len(), "all providers");
        format!("load at {at}: latency is the same at any traffic")
    });
    let is_validated = |name: &str| {
        let mut of = models.iter().filter(|note| note.provider == name);
        of.any(|note| matches!(note.calibration, Some(Standing::Calibrated(_))))
    };
    let is_fitted = |name: &str| {
        models
            .iter()
            .any(|note| note.provider == name && note.measured.is_some())
    };
    let unvalidated = providers().map(|p| &*p.name).filter(|name| !is_validated(name));
    let (fitted, published): (Vec<&str>, Vec<&str>) = unvalidated.partition(|name| is_fitted(name));
    let error = |names: &[&str], what: &str| {
        let of = which(names, fleet.len(), "all providers");
        (!names.is_empty()).then(|| format!("error in the figures of {of}: {what}"))
    };
    let published = error(&published, "published or assumed, not validated against measurements");
    let fitted = error(
        &fitted,
        "fitted to measurements, not validated against others (`simcap validate`)",
    );
    let replayed = (!loaded.traces.is_empty())
        .then(|| "reaction of the callers: the arrivals are a recording, whatever becomes of the requests".to_owned());
    let is_rated = providers().any(|p| p.quality.iter().any(|&quality| quality != UNRATED));
    let quality = (is_rated && loaded.experiment.quality.is_none()).then(|| {
        "difficulty of requests: whether an answer is good is drawn for each attempt independently of the others"
            .to_owned()
    });
    let mut caches = scenarios
        .iter()
        .flat_map(|scenario| &scenario.client.response_caches.of);
    let embeddings = (caches.any(|cache| cache.mode == Mode::Semantic))
        .then(|| "price of looking up by meaning: the embeddings of the response cache are not billed".to_owned());
    let imported = loaded.experiment.imported.as_ref();
    let dropped = imported.and_then(|imported| settings(&imported.not_modelled));
    [dropped, load, published, fitted, replayed, quality, embeddings]
        .into_iter()
        .flatten()
        .collect()
}

/// The settings of the configuration that an import left out, some by name; nothing where there are none.
fn settings(dropped: &[String]) -> Option<String> {
    let more = match dropped.len().saturating_sub(SETTINGS) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let told: Vec<&str> = dropped.iter().take(SETTINGS).map(String::as_str).collect();
    (!told.is_empty()).then(|| format!("settings of the configuration: {}{more}", told.join(", ")))
}

/// Some of `all` things by name, or all of them in a word.
fn which(names: &[&str], all: usize, word: &str) -> String {
    if names.len() == all {
        return word.to_owned();
    }
    let quoted: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(NAMED) {
        0 => quoted.join(", "),
        more => format!("{} and {more} more", quoted.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::assemble::assemble;
    use crate::experiment::load::from_text;

    fn said(providers: &str) -> String {
        let text = format!(
            r#"{{
            "name": "case",
            "traffic": {{ "arrivals": {{ "poisson": {{ "rate": "5/s" }} }}, "classes": {{ "all": {{ "input": {{ "constant": 9 }}, "output": {{ "constant": 9 }} }} }} }},
            "providers": {{ {providers} }},
            "policies": [ {{ "name": "only", "policy": "round_robin" }} ],
            "client": {{ "timeouts": {{ "total": "60s" }} }},
            "plan": {{ "duration": "100s" }} }}"#
        );
        let loaded = from_text("case.json", &text).unwrap_or_else(|e| panic!("{e}"));
        assemble(&loaded)
            .unwrap_or_else(|e| panic!("{e}"))
            .assumptions
            .join("\n")
    }

    #[test]
    fn what_is_not_there_is_said_once() {
        let free = r#""prices": { "per_request": { "price": "$0" } }"#;
        let bare = format!(r#""response": {{ "constant": "1s" }}, {free}"#);
        let slots = r#""load": [ { "slots": { "servers": 2 } } ]"#;
        insta::assert_snapshot!(said(&format!(r#""a": {{ {bare} }}, "b": {{ {bare} }}"#)), @r#"
    load at all providers: latency is the same at any traffic
    error in the figures of all providers: published or assumed, not validated against measurements
    "#);
        insta::assert_snapshot!(said(&format!(r#""a": {{ {bare}, {slots}, "quality": {{ "all": 0.9 }} }}, "b": {{ {bare} }}"#)), @r#"
    load at `b`: latency is the same at any traffic
    error in the figures of all providers: published or assumed, not validated against measurements
    difficulty of requests: whether an answer is good is drawn for each attempt independently of the others
    "#);
        let loaded = said(&format!(r#""a": {{ {bare}, {slots} }}"#));
        assert!(!loaded.contains("load at"), "{loaded}");
    }

    #[test]
    fn settings_that_an_import_left_out_are_told() {
        assert_eq!(settings(&[]), None);
        let four = ["a", "b", "c", "d"].map(str::to_owned);
        let told = settings(&four).unwrap();
        assert_eq!(told, "settings of the configuration: a, b, c and 1 more");
    }

    #[test]
    fn many_are_counted() {
        let names = ["a", "b", "c", "d", "e", "f"];
        assert_eq!(which(&names, 6, "all providers"), "all providers");
        assert_eq!(which(&names, 7, "all providers"), "`a`, `b`, `c`, `d` and 2 more");
        assert_eq!(which(&names[..1], 7, "all providers"), "`a`");
    }
}
