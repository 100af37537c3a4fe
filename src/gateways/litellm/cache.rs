//! LiteLLM's response cache: `litellm_settings.cache` and `cache_params`.
//!
//! - It is on where `cache` is true; `cache_params` alone does nothing. Without any parameters it is in Redis, with some but no `type` in
//!   the process.
//! - The process keeps 200 answers, each for `ttl` or 600 s from the first under its key, and the one whose time ends first goes. Redis keeps them for
//!   `ttl` or 60 s from the last. Those that go by meaning keep them for ever unless `ttl` is given, Qdrant always.
//! - `supported_call_types` without chat completions leaves them out; `mode: default_off` leaves out what does not ask.
//!
//! Source: LiteLLM `caching/caching.py`, `in_memory_cache.py`, `base_cache.py`, `caching_handler.py`, `proxy/proxy_server.py`. Left out: answers in files
//! and object stores, which are taken for ones that live for ever.

use crate::gateways::cache::Cache;
use crate::gateways::tree::Node;
use crate::gateways::warning::Warning;

/// What the process keeps by itself.
const ENTRIES: u64 = 200;
const IN_PROCESS: f64 = 600.0;
/// How long Redis keeps what is written without a time.
const IN_REDIS: f64 = 60.0;

/// What holds of every type.
const ALWAYS: [&str; 3] = [
    "an answer is found by the group and every message and parameter, so that a conversation that goes on finds none, and what a fallback \
     answered is kept under the fallback's name",
    "it is looked up when a deployment has been chosen: while all of a group cool, a request fails though there is an answer (the simulation \
     looks first)",
    "a stream is kept when it has ended, and given again at once; callers leave it out by `no-cache` and `no-store`",
];

/// The cache, if it is on.
pub(super) fn read(root: &Node, replicas: u64, warnings: &mut Vec<Warning>) -> Option<Cache> {
    let settings = root.get("litellm_settings")?;
    let params = settings.entry("cache_params");
    let switch = settings.entry("cache").filter(|entry| entry.value.is_true());
    let Some(switch) = switch else {
        if let Some(params) = params {
            let what = "`cache: true` is missing beside it, so that nothing is cached";
            warnings.push(Warning::new("no-effect", "litellm_settings.cache_params", Some(params.at)).saying(what));
        }
        return None;
    };
    let of = |key: &str| params.and_then(|entry| entry.value.get(key));
    let text = |key: &str| of(key).and_then(Node::text);
    let number = |key: &str| of(key).and_then(Node::number).filter(|n| *n > 0.0);
    let has_params = params.is_some_and(|entry| !entry.value.entries().is_empty());
    let kind = text("type").unwrap_or(if has_params { "local" } else { "redis" });
    let ttl = number("ttl");
    let semantic = kind.ends_with("-semantic");
    let ttl = match kind {
        "local" => number("default_in_memory_ttl").or(ttl).or(Some(IN_PROCESS)),
        "qdrant-semantic" => None,
        _ if semantic => number("default_in_redis_ttl").or(ttl),
        "redis" => number("default_in_redis_ttl").or(ttl).or(Some(IN_REDIS)),
        _ => ttl,
    };
    let in_process = kind == "local";
    let mut says = ALWAYS.to_vec();
    if semantic {
        says.push(
            "by meaning, and only within one key, team and organisation; every lookup asks for an embedding first (give its time as `lookup` \
             and the share of `wrong` answers)",
        );
    }
    if let Some(types) = of("supported_call_types").filter(|node| node.is_list()) {
        let chat = ["acompletion", "completion"];
        if !types.texts().iter().any(|named| chat.contains(named)) {
            warnings.push(Warning::new(
                "cache-not-for-chat",
                types.texts().join(", "),
                Some(types.at),
            ));
            return None;
        }
    }
    if text("mode") == Some("default_off") {
        says.push("only requests that say `use-cache` are looked up: `mode` is `default_off`");
    }
    warnings.push(Warning::new("cache-share-unknown", kind, Some(switch.at)));
    Some(Cache {
        at: switch.at,
        semantic,
        ttl,
        from_first: in_process,
        entries: in_process.then_some(ENTRIES),
        per_replica: in_process && replicas > 1,
        says,
    })
}
