//! An endpoint to probe and its prices, checked before a key is sent or a cent is spent.

use std::path::Path;
use std::sync::Arc;

use ureq::tls::{Certificate, PemItem, parse_pem};

use crate::experiment::assemble::check_name;
use crate::experiment::model::{BUILT_IN_PRICES, BUILT_IN_PRICES_SOURCE};
use crate::form::build::{Built, Refusal};
use crate::form::diagnose;
use crate::import::prices;
use crate::import::source::{self, MOST_OF_JSON};
use crate::live::spec::TargetSpec;
use crate::provider::pricing::{PerToken, Price};

/// An endpoint to probe.
#[derive(Debug)]
pub struct Target {
    /// The target's name in the plan.
    pub name: String,
    /// The target as the plan gives it.
    pub spec: TargetSpec,
    /// The target's prices, from the plan or the built-in table.
    pub prices: PerToken,
    /// The tariff made from `prices`, for computing costs.
    pub price: Arc<dyn Price>,
    /// Certificates to trust in place of the public ones.
    pub roots: Option<Vec<Certificate<'static>>>,
}

/// Checks the target of this name; remarks that a reader must know go to `notes`.
pub(super) fn target(name: &str, spec: &TargetSpec, notes: &mut Vec<String>) -> Built<Target> {
    check_name(name)?;
    check_url(&spec.base_url).map_err(|r| r.at("base_url"))?;
    let header = !spec.key_header.is_empty() && spec.key_header.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !header {
        return Err(Refusal::new(format!("`{}` is not a header's name", spec.key_header)).at("key_header"));
    }
    /// Fields of the body that the plan itself sets, and those that would multiply the bill.
    const OURS: [&str; 8] = [
        "model",
        "messages",
        "stream",
        "stream_options",
        "max_tokens",
        "max_completion_tokens",
        "n",
        "best_of",
    ];
    if let Some(field) = spec.extra_body.keys().find(|field| OURS.contains(&field.as_str())) {
        let text = format!("`{field}` is decided by the plan: leave it out");
        return Err(Refusal::new(text).at(field.as_str()).at("extra_body"));
    }
    if spec.api_key_env.is_some() && spec.base_url.starts_with("http://") && !is_local(&spec.base_url) {
        notes.push(format!(
            "{name}: the key goes over plain HTTP, where others can read it"
        ));
    }
    let (prices, place) = match &spec.prices {
        Some(prices) => (prices.clone(), "prices"),
        None => {
            let prices = listed(&spec.model).map_err(|r| r.at("model"))?;
            notes.push(format!(
                "{name}: prices of `{}` are those of {BUILT_IN_PRICES_SOURCE}",
                spec.model
            ));
            (prices, "model")
        }
    };
    if prices.off_peak.is_some() {
        let text = "a probe is paid for before it is known when it ends: give the dearest prices, without `off_peak`";
        return Err(Refusal::new(text).at("off_peak").at(place));
    }
    let price: Box<dyn Price> = Box::new(prices.tariff().map_err(|r| r.at(place))?);
    Ok(Target {
        name: name.to_owned(),
        spec: spec.clone(),
        prices,
        price: price.into(),
        roots: spec
            .ca_file
            .as_deref()
            .map(roots)
            .transpose()
            .map_err(|r| r.at("ca_file"))?,
    })
}

/// The certificates in a file.
fn roots(path: &str) -> Built<Vec<Certificate<'static>>> {
    let refuse = |why: &str| Refusal::new(format!("{path}: {why}"));
    let bytes = source::read(Path::new(path), MOST_OF_JSON).map_err(|error| refuse(&error.to_string()))?;
    let mut found = Vec::new();
    for item in parse_pem(&bytes) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| refuse(&error.to_string()))? {
            found.push(certificate);
        }
    }
    match found.is_empty() {
        true => Err(refuse(
            "there is no certificate in it: it must be PEM (-----BEGIN CERTIFICATE-----)",
        )),
        false => Ok(found),
    }
}

/// The prices of a model in the built-in table.
fn listed(model: &str) -> Built<PerToken> {
    let refuse = |error: diagnose::Error| Refusal::new(error.to_string());
    let entries: prices::File = diagnose::parse("prices.json", BUILT_IN_PRICES).map_err(refuse)?;
    let table = prices::table(&entries)?;
    let Some(prices) = table.models.get(model) else {
        return Err(Refusal::new(format!(
            "what `{model}` costs is not known, so that no bound on cost could be kept: give its prices (`prices`, or --price-input and \
             --price-output; $0/Mtok if it is your own)"
        )));
    };
    Ok(prices.standard.clone())
}

fn check_url(url: &str) -> Built<()> {
    let says = |why: &str| {
        Err(Refusal::new(format!(
            "{why}: write it like \"https://api.example.com/v1\""
        )))
    };
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let Some(rest) = rest else {
        return says("the address does not begin with https:// or http://");
    };
    let host = rest.split('/').next().unwrap_or_default();
    if host.contains('@') {
        return says(
            "the address holds a user name or password, which would be written down; keys come from the environment",
        );
    }
    if rest.contains(['?', '#']) {
        return says(
            "the address has a query, which may hold a key and would be written down; keys come from the environment",
        );
    }
    let uri = url.parse::<ureq::http::Uri>().ok();
    if uri.and_then(|uri| uri.host().map(str::is_empty)) != Some(false) {
        return says("this is not an address");
    }
    Ok(())
}

fn is_local(url: &str) -> bool {
    let host = url
        .parse::<ureq::http::Uri>()
        .ok()
        .and_then(|uri| uri.host().map(str::to_owned));
    let host = host.unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
