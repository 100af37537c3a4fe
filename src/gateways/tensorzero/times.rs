//! Timeouts of requests and of streams, and what of them and of retries an experiment has of single providers.
//!
//! `crates/tensorzero-core/src/model.rs` and `variant/mod.rs` of tensorzero/tensorzero 7a6159a: a stream ends at the earlier of `ttft_ms`, if no
//! token has come, and `total_ms`, at the provider, the model and the variant; `non_streaming` says nothing of streams. Left out: those of variants,
//! and of models with several providers, which bound several attempts together.

use serde_json::{Map, Value, json};

use super::Variant;
use crate::gateways::tree::Node;

/// A timeout in seconds.
fn timeout(node: &Node, of: &str) -> Option<f64> {
    let ms = node.get("timeouts")?.find(of)?.number()?;
    (ms > 0.0).then_some(ms / 1e3)
}

/// The timeout of a request that does not stream.
pub(super) fn seconds(node: &Node) -> Option<f64> {
    timeout(node, "non_streaming.total_ms")
}

/// The timeouts of a stream: to the first token, and of all of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OfStreams {
    ttft: Option<f64>,
    total: Option<f64>,
}

impl OfStreams {
    pub(super) fn of(node: &Node) -> OfStreams {
        OfStreams {
            ttft: timeout(node, "streaming.ttft_ms"),
            total: timeout(node, "streaming.total_ms"),
        }
    }

    /// The shorter of each.
    pub(super) fn and(self, other: OfStreams) -> OfStreams {
        let shorter = |a: Option<f64>, b: Option<f64>| a.into_iter().chain(b).reduce(f64::min);
        OfStreams {
            ttft: shorter(self.ttft, other.ttft),
            total: shorter(self.total, other.total),
        }
    }

    /// As an experiment has them, below `most`; nothing if it says no more than that.
    pub(super) fn part(self, most: f64) -> Option<Value> {
        let mut of = Map::new();
        for (key, s) in [("ttft", self.ttft), ("attempt", self.total)] {
            if let Some(s) = s.filter(|s| *s < most) {
                of.insert(key.to_owned(), json!(format!("{s}s")));
            }
        }
        (!of.is_empty()).then_some(Value::Object(of))
    }
}

/// What providers have of their own: of requests, and of those that stream where that is something else.
#[derive(Debug, Default)]
pub(super) struct Targets {
    pub(super) all: Map<String, Value>,
    pub(super) of_streams: Map<String, Value>,
}

impl Targets {
    pub(super) fn put(&mut self, name: &str, variant: &Variant, timeouts: Option<Value>, streams: bool) {
        if variant.retries == 0 && timeouts.is_none() && !streams {
            return;
        }
        let of = if streams { &mut self.of_streams } else { &mut self.all };
        let entry = of.entry(name.to_owned()).or_insert(json!({}));
        if let Some(timeouts) = timeouts {
            entry["timeouts"] = timeouts;
        }
        let known = entry.pointer("/retry/tensorzero/num_retries").and_then(Value::as_u64);
        if variant.retries > known.unwrap_or(0) {
            let delay = format!("{}s", variant.max_delay);
            entry["retry"] = json!({ "tensorzero": { "num_retries": variant.retries, "max_delay": delay } });
        }
    }
}
