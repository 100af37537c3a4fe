//! The versions of the experiment's format, and what changed its meaning between them.
//!
//! A file says `"format": "simcap.experiment/2"`. One that says nothing is read as the present version, with a note where the same
//! text meant something else before: the old effect, the new one, and how to have either. One of an older version is read if all it
//! says means what it meant then, and is refused with the same sentence if not. An unknown version is refused before anything else.
//!
//! | since | what | before | now |
//! |---|---|---|---|
//! | 2 | `client` of a policy | took the place of the experiment's whole client | changes what it names, and inherits the rest |
//! | 2 | `warmup` of the plan | lay within `duration`, which was counted less by it | comes before `duration`, which is counted whole |
//! | 2 | `envoy` as a retry rule | made all the retries that it was given | makes 3 at once, as Envoy's clusters do, unless `max_retries` says otherwise |
//!
//! Left out: rewriting a file. What an author meant is not in it.

use serde::Deserialize;

use super::file::{ClientSpec, Experiment};
use crate::client::retry::{Envoy, RetrySpec};
use crate::form::build::{Built, Refusal};
use crate::form::diagnose;
use crate::kernel::time::Span;

/// The present version.
pub const FORMAT: &str = "simcap.experiment/2";

/// The versions that can be read, the present one first.
pub const KNOWN: [&str; 2] = [FORMAT, "simcap.experiment/1"];

/// What has meant something else since a version, in sentences; none if the experiment says nothing of the kind.
type Changed = fn(&Experiment) -> Vec<String>;

/// What changed its meaning, by the version since which it means what it means now.
const CHANGES: [(&str, Changed); 3] = [
    (FORMAT, layered_clients),
    (FORMAT, warm_up_before),
    (FORMAT, bounded_retries),
];

/// What to tell of an experiment that does not say which format it has.
pub(super) fn notes(spec: &Experiment) -> Vec<String> {
    if spec.format.is_some() {
        return Vec::new();
    }
    let sentences = CHANGES.iter().flat_map(|(since, changed)| {
        let told = changed(spec).into_iter();
        told.map(move |sentence| format!("{sentence}; if that is meant, say \"format\": \"{since}\""))
    });
    sentences.collect()
}

/// Refuses an experiment of an unknown version, and one of an older version that means something else now.
///
/// # Errors
/// At `format`.
pub(super) fn check(spec: &Experiment) -> Built<()> {
    let Some(format) = &spec.format else { return Ok(()) };
    if let Some(refusal) = unknown(format) {
        return Err(refusal.at("format"));
    }
    if format == FORMAT {
        return Ok(());
    }
    match CHANGES.iter().flat_map(|(_, changed)| changed(spec)).next() {
        None => Ok(()),
        Some(sentence) => Err(Refusal::new(format!(
            "what this file says means something else now: {sentence}; then say \"{FORMAT}\""
        ))
        .at("format")),
    }
}

/// The refusal of a file whose `format` is unknown, if that can be read from `text`: it comes before whatever else a version that is
/// not known here may have in it.
pub(super) fn unknown_in(file: &str, text: &str) -> Option<diagnose::Error> {
    let Says { format } = diagnose::parse(file, text).ok()?;
    unknown(&format?).map(|refusal| refusal.at("format").error(file, text))
}

fn unknown(format: &str) -> Option<Refusal> {
    let known = KNOWN.map(String::from);
    let is_known = known.iter().any(|known| known == format);
    (!is_known).then(|| Refusal::unknown("format", format, &known))
}

/// What says which format a file has.
#[derive(Deserialize)]
struct Says {
    format: Option<String>,
}

/// The policies whose clients inherit something, which they did not before; those that inherit the same in one sentence.
fn layered_clients(spec: &Experiment) -> Vec<String> {
    /// Policies that are named one by one.
    const NAMED: usize = 3;
    let mut alike: Vec<(Vec<String>, Vec<&str>)> = Vec::new();
    for entry in &spec.policies {
        let Some(changes) = &entry.client else { continue };
        let inherits = changes.inherits(&spec.client);
        if inherits.is_empty() {
            continue;
        }
        match alike.iter_mut().find(|(others, _)| *others == inherits) {
            Some((_, names)) => names.push(&entry.name),
            None => alike.push((inherits, vec![&entry.name])),
        }
    }
    let quoted = |names: &[String]| names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    let one = |(inherits, names): &(Vec<String>, Vec<&str>)| {
        let shown: Vec<String> = names.iter().take(NAMED).map(|n| (*n).to_owned()).collect();
        let who = match names.len() - shown.len() {
            0 => quoted(&shown),
            more => format!("{} and {more} more", quoted(&shown)),
        };
        let one = names.len() == 1;
        format!(
            "before {FORMAT} the client{} of {who} replaced the experiment's whole; now {} {} from it (give `null` for what is not meant)",
            if one { "" } else { "s" },
            if one { "it inherits" } else { "they inherit" },
            quoted(inherits),
        )
    };
    alike.iter().map(one).collect()
}

/// A stated warm-up, which now comes before what is counted.
fn warm_up_before(spec: &Experiment) -> Vec<String> {
    let (Some(warmup), Some(duration)) = (spec.plan.warmup, spec.plan.duration) else {
        return Vec::new();
    };
    let (warmup, duration) = (warmup.span(), duration.span());
    if warmup == Span::ZERO || warmup >= duration {
        return Vec::new();
    }
    let counted = Span::from_nanos(duration.nanos() - warmup.nanos());
    vec![format!(
        "before {FORMAT} the warm-up of {warmup} lay within the `duration`, and {counted} were counted; now it comes before, and {duration} are \
         counted, with budgets and what is scheduled beginning then"
    )]
}

/// A client that retries as Envoy does, of which no more than three are now under way at once.
fn bounded_retries(spec: &Experiment) -> Vec<String> {
    let bounded = |client: &ClientSpec| {
        let RetrySpec::envoy(rule) = &client.retry else {
            return false;
        };
        rule.max_retries == Envoy::default().max_retries && client.retry_budget.is_none()
    };
    let clients = spec.policies.iter().map(|entry| entry.effective(&spec.client));
    if !clients.into_iter().any(|client| bounded(&client)) {
        return Vec::new();
    }
    vec![format!(
        "before {FORMAT} the retry rule `envoy` had no bound; now at most 3 retries are under way at once, as in Envoy where nothing is said \
         (give `\"max_retries\": null` for no bound)"
    )]
}

#[cfg(test)]
mod tests {
    use crate::experiment::assemble::assemble;
    use crate::experiment::load::from_text;

    /// What is said of an experiment with this `format`, whose second policy has this client: its notes, or why it is refused.
    fn said(format: &str, client: &str) -> String {
        let text = format!(
            r#"{{
  {format}
  "name": "case",
  "traffic": {{ "arrivals": {{ "poisson": {{ "rate": "5/s" }} }}, "classes": {{ "all": {{ "input": {{ "constant": 9 }}, "output": {{ "constant": 9 }} }} }} }},
  "providers": {{ "a": {{ "response": {{ "constant": "1s" }}, "prices": {{ "per_request": {{ "price": "$0" }} }} }} }},
  "client": {{ "timeouts": {{ "attempt": "9s", "total": "60s" }}, "retry": {{ "fixed": {{ "tries": 3 }} }} }},
  "policies": [ {{ "name": "plain", "policy": "round_robin" }}, {{ "name": "own", "policy": "round_robin", "client": {client} }} ],
  "plan": {{ "duration": "100s" }}
}}"#
        );
        match from_text("case.json", &text) {
            Err(error) => error.to_string(),
            Ok(loaded) => match assemble(&loaded) {
                Err(error) => error.to_string(),
                Ok(plan) => plan.cautions.join("\n"),
            },
        }
    }

    #[test]
    fn a_file_without_a_format_is_told_what_it_meant_before() {
        let hedge = r#"{ "hedge": { "fixed": { "delay": "1s" } }, "timeouts": { "total": "30s" } }"#;
        insta::assert_snapshot!(said("", hedge), @r#"before simcap.experiment/2 the client of `own` replaced the experiment's whole; now it inherits `retry`, `timeouts.attempt` from it (give `null` for what is not meant); if that is meant, say "format": "simcap.experiment/2""#);
        assert_eq!(said(r#""format": "simcap.experiment/2","#, hedge), "");
        assert_eq!(said("", r#"{ "retry": null, "timeouts": null }"#), "");
    }

    #[test]
    fn an_older_format_is_refused_only_where_it_means_something_else() {
        let older = r#""format": "simcap.experiment/1","#;
        assert_eq!(said(older, r#"{ "retry": null, "timeouts": null }"#), "");
        insta::assert_snapshot!(said(older, "{}"), @r#"
    case.json:2:13: format: what this file says means something else now: before simcap.experiment/2 the client of `own` replaced the experiment's whole; now it inherits `retry`, `timeouts` from it (give `null` for what is not meant); then say "simcap.experiment/2"
        2 |   "format": "simcap.experiment/1",
          |             ^
    "#);
    }

    #[test]
    fn an_unknown_format_comes_before_what_it_has_in_it() {
        insta::assert_snapshot!(said(r#""format": "simcap.experiment/3", "news": 1,"#, "{}"), @r#"
    case.json:2:13: format: there is no format `simcap.experiment/3`
        2 |   "format": "simcap.experiment/3", "news": 1,
          |             ^
       help: did you mean `simcap.experiment/2`?
       allowed: simcap.experiment/2, simcap.experiment/1
    "#);
        insta::assert_snapshot!(said(r#""format": "simcap.result/2","#, "{}"), @r#"
    case.json:2:13: format: there is no format `simcap.result/2`
        2 |   "format": "simcap.result/2",
          |             ^
       allowed: simcap.experiment/2, simcap.experiment/1
    "#);
    }

    #[test]
    fn a_stated_warm_up_is_told_to_come_before() {
        let text = r#"{
  "name": "case",
  "traffic": { "arrivals": { "poisson": { "rate": "5/s" } }, "classes": { "all": { "input": { "constant": 9 }, "output": { "constant": 9 } } } },
  "providers": { "a": { "response": { "constant": "1s" }, "prices": { "per_request": { "price": "$0" } } } },
  "policies": [ { "name": "plain", "policy": "round_robin" } ],
  "plan": { "duration": "100s", "warmup": "10s" }
}"#;
        let told = |text: &str| {
            let plan = assemble(&from_text("case.json", text).unwrap()).unwrap();
            plan.cautions.iter().filter(|c| c.contains("warm-up of")).count()
        };
        assert_eq!(told(text), 1);
        assert_eq!(told(&text.replace(r#""warmup": "10s""#, r#""warmup": "0s""#)), 0);
        assert_eq!(told(&text.replacen('{', r#"{ "format": "simcap.experiment/2","#, 1)), 0);
        let old = text.replacen('{', r#"{ "format": "simcap.experiment/1","#, 1);
        let refusal = assemble(&from_text("case.json", &old).unwrap())
            .unwrap_err()
            .to_string();
        assert!(refusal.contains("were counted"), "{refusal}");
    }
}
