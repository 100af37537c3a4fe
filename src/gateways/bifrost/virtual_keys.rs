//! What virtual keys let through: models and keys of a provider, and nothing where they are not active.
//!
//! Version 2 of the configuration reads a list that is empty as none, and `allowed_models` that are not there too; version 1 reads both as all.
//! `key_ids` that are not there are all keys, and name keys by their `id` or `name`. Source: Bifrost 1.5's documentation of virtual keys,
//! config.schema.json 003ecc6. Left out: models that are forbidden by name.

use crate::gateways::tree::Node;
use crate::gateways::warning::Warning;

/// Whether a virtual key is not active.
pub(super) fn is_off(key: &Node) -> bool {
    key.text_of("is_active").is_some_and(|text| text == "false")
}

/// What a list lets through: version 2 reads one that is empty or not there as none, version 1 as all.
pub(super) fn allowed<'a>(share: &'a Node, list: &str, old: bool) -> Vec<&'a str> {
    let of = share.get(list).map_or_else(Vec::new, Node::texts);
    if of.is_empty() && old { vec!["*"] } else { of }
}

/// Warns of providers of a virtual key that let nothing through.
pub(super) fn doubts(key: &Node, own: &str, old: bool, warnings: &mut Vec<Warning>) {
    for share in key.get("provider_configs").map_or(&[][..], Node::items) {
        let no_models = allowed(share, "allowed_models", old).is_empty();
        let no_keys = share.get("key_ids").is_some() && allowed(share, "key_ids", old).is_empty();
        let what = match (no_models, no_keys) {
            (true, _) if share.get("allowed_models").is_none() => "`allowed_models` is missing",
            (true, _) => "`allowed_models` is empty",
            (false, true) => "`key_ids` is empty",
            (false, false) => continue,
        };
        let subject = format!("{own} at {}", share.text_of("provider").unwrap_or("a provider"));
        warnings.push(Warning::new("virtual-key-allows-nothing", subject, Some(share.at)).saying(what));
    }
}

/// Whether a virtual key may use a key of a provider there.
pub(super) fn may_use(share: &Node, key: &Node, old: bool) -> bool {
    let ids = allowed(share, "key_ids", old);
    let is_it = |of: &str| [key.text_of("id"), key.text_of("name")].contains(&Some(of));
    share.get("key_ids").is_none() || ids.iter().any(|id| *id == "*" || is_it(id))
}

/// The models that a virtual key names.
pub(super) fn models(key: &Node, old: bool) -> Vec<String> {
    let shares = key.get("provider_configs").map_or(&[][..], Node::items);
    let mut models: Vec<String> = Vec::new();
    for model in shares.iter().flat_map(|share| allowed(share, "allowed_models", old)) {
        if !models.iter().any(|known| known == model) {
            models.push(model.to_owned());
        }
    }
    models
}
