//! Other products' configurations: read with positions, explained in closed form, and turned into experiments.
//!
//! [`source::open`] reads a file and what it includes into trees whose every value knows its line; [`read`] recognises the product by
//! the keys that it sees and makes a [`Gateway`] of it: what callers ask for, what each request goes through, what
//! happens when providers fail, warnings, and a ledger with a verdict on every key. [`mod@show`] prints that; [`import`] makes an
//! experiment of it, [`diff`] says what changed from one to another, [`export`] writes what an experiment changed back into the file. The
//! lists of keys, products and warnings are tables.
//!
//! Secrets are never resolved, kept or shown: a value under a key that holds one is used to tell accounts apart and forgotten.
//!
//! Left out: what a product keeps in its database.

pub mod bifrost;
pub mod cache;
pub mod diff;
pub mod envoy;
pub mod envoy_bootstrap;
pub mod export;
pub mod import;
pub mod kong;
pub mod ledger;
pub mod litellm;
pub mod model;
pub mod portkey;
pub mod secrets;
pub mod settled;
pub mod show;
pub mod source;
mod spelling;
mod statuses;
pub mod tensorzero;
pub mod toml;
pub mod tree;
mod values;
pub mod warning;
pub mod worst;
pub mod yaml;

use std::fmt;

pub use crate::form::diagnose::printable;
pub use model::Gateway;
pub use source::Config;

/// Why a configuration is not read: the file, the line if it is one, what is wrong and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    file: String,
    line: Option<u32>,
    what: String,
}

impl Refused {
    /// A mistake of the file as a whole.
    pub fn whole(file: &str, what: impl Into<String>) -> Refused {
        Refused {
            file: file.to_owned(),
            line: None,
            what: what.into(),
        }
    }

    /// A mistake in a line.
    pub fn at(file: &str, line: u32, what: impl Into<String>) -> Refused {
        Refused {
            file: file.to_owned(),
            line: Some(line),
            what: what.into(),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}: line {line}: {}", self.file, self.what),
            None => write!(f, "{}: {}", self.file, self.what),
        }
    }
}

impl std::error::Error for Refused {}

/// A product that is read: how it is known and how it is read.
struct Reader {
    product: &'static model::Product,
    /// Whether a configuration looks like this product's.
    fits: fn(&Config) -> bool,
    read: fn(&Config) -> Gateway,
    /// What becomes of a key of this shape.
    verdict: fn(&str) -> Option<ledger::Verdict>,
    /// Which settings are numbers, and from where to where, by the shape that the second makes of a path.
    values: (&'static [values::Rule], values::Shape),
    /// The table of keys, and the further keys that its sections may have.
    keys: &'static [ledger::Key<'static>],
    spelling: spelling::Spelling,
    /// What a configuration must have to lead to a provider.
    needs: &'static str,
    /// Whether it reads the first document alone.
    is_one_document: bool,
}

/// The products, in the order in which they are tried.
const READERS: &[Reader] = &[
    Reader {
        product: &litellm::PRODUCT,
        fits: litellm::fits,
        read: litellm::read,
        verdict: |shape| ledger::verdict(shape, litellm::KEYS),
        values: (values::rules::LITELLM, str::to_owned),
        keys: litellm::KEYS,
        spelling: spelling::LITELLM,
        needs: "a `model_list` whose entries have `model_name` and `litellm_params.model`",
        is_one_document: true,
    },
    Reader {
        product: &portkey::PRODUCT,
        fits: portkey::fits,
        read: portkey::read,
        verdict: |shape| ledger::verdict(shape.trim_start_matches("targets[]."), portkey::KEYS),
        values: (values::rules::PORTKEY, |shape| {
            shape.trim_start_matches("targets[].").to_owned()
        }),
        keys: portkey::KEYS,
        spelling: spelling::PORTKEY,
        needs: "`targets`, or a `provider` or `virtual_key` of its own",
        is_one_document: true,
    },
    Reader {
        product: &envoy::PRODUCT,
        fits: envoy::fits,
        read: envoy::read,
        verdict: |shape| ledger::verdict(shape, envoy::KEYS),
        values: (values::rules::ENVOY_AI, str::to_owned),
        keys: envoy::KEYS,
        spelling: spelling::ENVOY_AI,
        needs: "an AIGatewayRoute whose `spec.rules` have `backendRefs`",
        is_one_document: false,
    },
    Reader {
        product: &kong::PRODUCT,
        fits: kong::fits,
        read: kong::read,
        verdict: |shape| ledger::verdict(shape, kong::KEYS),
        values: (values::rules::KONG, of_plugin),
        keys: kong::KEYS,
        spelling: spelling::KONG,
        needs: "a plugin `ai-proxy-advanced` with `config.targets`, or `ai-proxy` with `config.model`",
        is_one_document: true,
    },
    Reader {
        product: &bifrost::PRODUCT,
        fits: bifrost::fits,
        read: bifrost::read,
        verdict: |shape| ledger::verdict(shape, bifrost::KEYS),
        values: (values::rules::BIFROST, str::to_owned),
        keys: bifrost::KEYS,
        spelling: spelling::BIFROST,
        needs: "`providers` with `keys`, and models that they allow",
        is_one_document: true,
    },
    Reader {
        product: &envoy_bootstrap::PRODUCT,
        fits: envoy_bootstrap::fits,
        read: envoy_bootstrap::read,
        verdict: |shape| ledger::verdict(shape, envoy_bootstrap::KEYS),
        values: (values::rules::ENVOY, envoy_bootstrap::snake_case),
        keys: envoy_bootstrap::KEYS,
        spelling: spelling::ENVOY,
        needs: "`static_resources` with listeners whose routes lead to `clusters`",
        is_one_document: false,
    },
    Reader {
        product: &tensorzero::PRODUCT,
        fits: tensorzero::fits,
        read: tensorzero::read,
        verdict: |shape| ledger::verdict(shape, tensorzero::KEYS),
        values: (values::rules::TENSORZERO, str::to_owned),
        keys: tensorzero::KEYS,
        spelling: spelling::TENSORZERO,
        needs: "`models` with a `routing` and its `providers`",
        is_one_document: true,
    },
];

/// The shape of a plugin's key, wherever the plugin stands.
fn of_plugin(shape: &str) -> String {
    let start = shape
        .find("plugins[]")
        .filter(|_| shape.starts_with("services[]") || shape.starts_with("routes[]"));
    shape[start.unwrap_or(0)..].to_owned()
}

/// The names of the products that are read.
pub fn products() -> impl Iterator<Item = &'static str> {
    READERS.iter().map(|reader| reader.product.name)
}

/// What becomes of a key of this shape in the configurations of `product`, if its table names it.
fn verdict(product: &model::Product, shape: &str) -> Option<ledger::Verdict> {
    let reader = READERS.iter().find(|reader| reader.product == product)?;
    (reader.verdict)(shape)
}

/// What a configuration lacks that leads to no provider, in words; nothing if it leads to one, or if a warning says what is wrong.
pub fn lacks(gateway: &Gateway) -> Option<String> {
    let is_wrong = || {
        gateway
            .warnings
            .iter()
            .any(|warning| warning.kind.level == warning::Level::Error)
    };
    let what = if gateway.groups.is_empty() {
        "has no group that callers could ask for"
    } else if !gateway.ledger.iter().any(|row| row.known) {
        "has no key that is known"
    } else if gateway.groups.iter().all(|group| group.members.is_empty()) && !is_wrong() {
        "leads to no provider"
    } else {
        return None;
    };
    let reader = READERS.iter().find(|reader| reader.product == gateway.product);
    let needs = reader.map_or("", |reader| reader.needs);
    let title = gateway.product.title;
    Some(format!("as {title} reads it, {what}: it needs {needs}"))
}

/// Makes a gateway of a configuration: of the product that is named, or of the one that its keys tell.
///
/// # Errors
/// If no product has such keys, or none has that name.
pub fn read(config: &Config, product: Option<&str>) -> Result<Gateway, Refused> {
    let file = config.files.first().map_or("", String::as_str);
    let all = || products().collect::<Vec<_>>().join(", ");
    let reader = match product {
        Some(name) => READERS
            .iter()
            .find(|reader| reader.product.name == name)
            .ok_or_else(|| {
                Refused::whole(
                    file,
                    format!("no product is called `{}`; known are {}", printable(name), all()),
                )
            })?,
        None => READERS.iter().find(|reader| (reader.fits)(config)).ok_or_else(|| {
            let seen: Vec<String> = config
                .documents
                .iter()
                .flat_map(|node| node.entries())
                .take(12)
                .map(|entry| format!("`{}`", printable(&entry.key)))
                .collect();
            let seen = if seen.is_empty() {
                "no keys".to_owned()
            } else {
                seen.join(", ")
            };
            let what = format!(
                "is no configuration of a product that is known ({}): it has {seen}. Name it with --product",
                all()
            );
            Refused::whole(file, what)
        })?,
    };
    Ok(sifted(config, reader))
}

/// The gateway of a configuration, without the values that its settings cannot have, and with what holds for every product.
fn sifted(config: &Config, reader: &Reader) -> Gateway {
    let (rules, shape) = reader.values;
    let found = values::sift(config, rules, shape);
    let clean = found.as_ref().map_or(config, |(clean, _)| clean);
    let mut gateway = (reader.read)(clean);
    let before = gateway.warnings.len();
    if let Some((_, wrong)) = found {
        gateway.warnings.extend(wrong.warnings);
        gateway
            .ledger
            .extend(wrong.taken.into_iter().map(|(path, shape, at)| ledger::Row {
                path,
                shape,
                at,
                verdict: ledger::Verdict::NoEffect,
                how: "a value that it cannot have: read as if it were not there".to_owned(),
                known: true,
                mark: 0,
            }));
    }
    if let Some(further) = config.documents.get(1).filter(|_| reader.is_one_document) {
        gateway
            .warnings
            .push(warning::Warning::new("further-document", "", Some(further.at)));
    }
    statuses::say(config, &mut gateway.ledger);
    spelling::look(config, reader, &mut gateway);
    let told = secrets::told(&gateway.warnings);
    let more = secrets::warnings(config).into_iter();
    gateway
        .warnings
        .extend(more.filter(|warning| !told.contains(&warning.at)));
    if gateway.warnings.len() > before {
        warning::sort(&mut gateway.warnings);
    }
    gateway
}

#[cfg(test)]
mod tests {
    use super::import::{Assumptions, built_in_prices, experiment};
    use super::*;
    use crate::report::terminal::Style;

    const SEEDS: [&str; 7] = [
        include_str!("../../fuzz/seeds/gateway/litellm"),
        include_str!("../../fuzz/seeds/gateway/portkey"),
        include_str!("../../fuzz/seeds/gateway/envoy"),
        include_str!("../../fuzz/seeds/gateway/kong"),
        include_str!("../../fuzz/seeds/gateway/bifrost"),
        include_str!("../../fuzz/seeds/gateway/envoy_bootstrap"),
        include_str!("../../fuzz/seeds/gateway/tensorzero"),
    ];

    #[test]
    fn every_seed_is_recognised_and_becomes_an_experiment() {
        let prices = built_in_prices();
        assert!(prices.models.len() > 10);
        for (seed, product) in SEEDS.iter().zip(products()) {
            let gateway = read(&source::from_text("seed", seed).unwrap(), None).unwrap();
            assert_eq!(gateway.product.name, product);
            let made = experiment(&gateway, &Assumptions::of(&gateway, &prices), "seed").to_string();
            let loaded =
                crate::experiment::load::from_text("seed.json", &made).unwrap_or_else(|e| panic!("{product}: {e}"));
            crate::experiment::assemble::assemble(&loaded).unwrap_or_else(|e| panic!("{product}: {e}"));
        }
    }

    /// What a fuzzer does in earnest (`fuzz/fuzz_targets/gateway.rs`), a little: bytes are changed, left out and doubled.
    #[test]
    fn changed_files_are_read_or_refused() {
        let prices = built_in_prices();
        let mut state = 7_u64;
        let mut draw = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        let words = [
            "null",
            "-1",
            "1e308",
            "[]",
            "{}",
            "*",
            "\"\"",
            "-",
            ":",
            "&a",
            "99999999999999999999",
            "'",
            ".nan",
            "0",
        ];
        for round in 0..1500 {
            let mut bytes = SEEDS[round % SEEDS.len()].as_bytes().to_vec();
            for _ in 0..=draw(4) {
                let (at, word) = (draw(bytes.len()), words[draw(words.len())].as_bytes());
                match draw(3) {
                    0 => drop(bytes.splice(at..(at + draw(8)).min(bytes.len()), word.iter().copied())),
                    1 => drop(bytes.drain(at..(at + 1 + draw(20)).min(bytes.len()))),
                    _ => {
                        let part = bytes[at..(at + draw(40)).min(bytes.len())].to_vec();
                        drop(bytes.splice(at..at, part));
                    }
                }
            }
            let Ok(text) = String::from_utf8(bytes) else { continue };
            let Ok(config) = source::from_text("x", &text) else {
                continue;
            };
            for product in products() {
                let gateway = read(&config, Some(product)).unwrap();
                let style = Style {
                    width: 80,
                    colour: false,
                };
                let shown = show::text(&gateway, &style, true);
                assert!(!shown.contains(|c: char| c.is_control() && c != '\n'));
                let _ = (
                    show::json(&gateway),
                    show::markdown(&gateway),
                    show::sarif(&gateway),
                    show::ledger(&gateway),
                );
                let made = experiment(&gateway, &Assumptions::of(&gateway, &prices), "x").to_string();
                let _ = crate::experiment::load::from_text("x.json", &made);
            }
        }
    }
}
