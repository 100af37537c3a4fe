//! Portkey's `cache`: `simple` goes by the whole body, `semantic` by meaning and only in the hosted gateway.
//!
//! An answer lives for `max_age` seconds, a day without one in the open gateway. Source: Portkey's documentation of its cache, 2026-08, and
//! `src/middlewares/cache`. Left out: caches of single targets, which are taken for one of the whole config.

use super::Reading;
use crate::gateways::cache::Cache;
use crate::gateways::tree::Node;

/// How long the open gateway keeps an answer without a `max_age`, in seconds.
const MAX_AGE: f64 = 86_400.0;

impl Reading {
    /// Notes the cache of a place, if it is the first of the config.
    pub(super) fn cache(&mut self, node: &Node) {
        let Some(entry) = node.entry("cache").filter(|_| self.cache.is_none()) else {
            return;
        };
        let semantic = entry.value.text_of("mode") == Some("semantic");
        if semantic {
            self.warn("cache-needs-the-hosted-gateway", "", entry.at);
        }
        self.warn(
            "cache-share-unknown",
            entry.value.text_of("mode").unwrap_or("simple"),
            entry.at,
        );
        let mut says = vec![
            "an answer is found by the whole body, so that a conversation that goes on finds none",
            "each target keeps its own: the same prompt at another target finds none (the simulation has one cache for all)",
            "callers renew an answer by x-portkey-cache-force-refresh",
        ];
        if semantic {
            says.push(
                "by meaning, for up to 4 messages and 8,191 tokens, whatever the system prompt; every lookup that is not exact asks for an \
                 embedding first (give its time as `lookup` and the share of `wrong` answers)",
            );
        }
        self.cache = Some(Cache {
            at: entry.at,
            semantic,
            ttl: Some(
                entry
                    .value
                    .number_of("max_age")
                    .filter(|age| *age > 0.0)
                    .unwrap_or(MAX_AGE),
            ),
            says,
            ..Cache::default()
        });
    }
}
