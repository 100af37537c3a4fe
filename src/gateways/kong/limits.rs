//! Limits of Kong's ai-rate-limiting-advanced: as limiters of an experiment, and in words.
//!
//! Tokens count when an answer ends; a request that finds the window full is refused with a 429 before any target is asked.

use serde_json::{Value, json};

use crate::gateways::model::Limit;
use crate::gateways::tree::Node;

/// What has a limiter each, as a tag: a consumer if nothing else is said; nothing where all that come by one way share it.
pub(super) fn identity(limits: &Node) -> Option<String> {
    match limits.text_of("identifier").unwrap_or("consumer") {
        "service" | "path" => None,
        "header" => Some(format!("tag.{}", limits.text_of("header_name").unwrap_or("header"))),
        other => Some(format!("tag.{other}")),
    }
}

/// The limits of every provider, each as one limiter.
pub(super) fn limiters(limits: &Node) -> Vec<Value> {
    let unit = match limits.text_of("tokens_count_strategy") {
        Some("prompt_tokens") => "input_tokens",
        Some("completion_tokens") => "output_tokens",
        Some(_) | None => "tokens",
    };
    let kind = if limits.text_of("window_type") == Some("fixed") {
        "fixed_window"
    } else {
        "sliding_counter"
    };
    let providers = limits.get("llm_providers").map_or(&[][..], Node::items);
    let each = providers.iter().flat_map(|provider| {
        let of = |key: &str| {
            provider
                .get(key)
                .map_or(&[][..], Node::items)
                .iter()
                .filter_map(Node::number)
        };
        of("limit").zip(of("window_size").collect::<Vec<_>>()).map(|(limit, window)| {
            let limit = limit.max(1.0) as u64;
            json!({ kind: { "unit": unit, "limit": limit, "window": format!("{window}s"), "charge": { "at": "end" } } })
        })
    });
    each.collect()
}

/// The limits in words, with what happens beyond each.
pub(super) fn said(limits: &Node) -> Vec<Limit> {
    let whose = match identity(limits) {
        Some(per) => format!(" of each {}", per.trim_start_matches("tag.")),
        None => String::new(),
    };
    let unit = limits
        .text_of("tokens_count_strategy")
        .unwrap_or("total_tokens")
        .replace('_', " ");
    let window = match limits.text_of("window_type") {
        Some("fixed") => "fixed",
        Some(_) | None => "sliding",
    };
    let providers = limits.get("llm_providers").map_or(&[][..], Node::items);
    let each = providers.iter().flat_map(|provider| {
        let name = provider.text_of("name").unwrap_or("a provider");
        let of = |key: &str| {
            provider
                .get(key)
                .map_or(&[][..], Node::items)
                .iter()
                .filter_map(Node::number)
        };
        let pairs: Vec<(f64, f64)> = of("limit").zip(of("window_size")).collect();
        pairs.into_iter().map(move |pair| (name, pair, provider.at))
    });
    let one = |(name, (limit, seconds), at)| {
        let what = format!("{limit} {unit}{whose} at {name} in a {window} window of {seconds} s");
        let beyond = "Kong refuses with a 429 before any target is asked, and nothing is tried again; tokens count when the answer ends, so \
                      that calls under way go beyond";
        Limit::new(what, beyond, Some(at))
    };
    each.map(one).collect()
}
