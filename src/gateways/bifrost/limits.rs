//! Limits of Bifrost in words: of virtual keys, of a virtual key at one provider, and of each provider's line.
//!
//! Requests, tokens and money count when the answer is there, so that what is under way may go beyond. A virtual key's own limit
//! refuses the request (429 for requests and tokens, 402 for money) before any provider is asked; one that is spent at a
//! provider leaves that provider out of routing. `concurrency_and_buffer_size` bounds calls and the line for them, of all keys together.
//!
//! Source: maximhq/bifrost, `plugins/governance` (`resolver.go`), `core/bifrost.go`. Left out: limits of teams and customers, and what a config
//! store holds.

use crate::gateways::model::Limit;
use crate::gateways::tree::{Entry, Node};

/// The limits of a file.
pub(super) fn of(root: &Node) -> Vec<Limit> {
    let mut all = Vec::new();
    let keys = root.find("governance.virtual_keys").map_or(&[][..], Node::items);
    for key in keys.iter().filter(|key| !super::is_off(key)) {
        let own = key.text_of("id").or(key.text_of("name")).unwrap_or("virtual key");
        let refused = |status: u64| {
            format!(
                "Bifrost refuses with a {status} before any provider is asked; nothing is tried again. It counts when the answer is there, \
                 so that calls under way go beyond"
            )
        };
        let rates = named(root, key, "rate_limit", "governance.rate_limits", "rate_limit_id");
        all.extend(rates.into_iter().flat_map(|of| rates_of(of, own, &refused(429))));
        let budget = named(root, key, "budget", "governance.budgets", "budget_id");
        all.extend(budget.and_then(|of| budget_of(of, own, &refused(402))));
        for share in key.get("provider_configs").map_or(&[][..], Node::items) {
            let whose = format!("{own} at {}", share.text_of("provider").unwrap_or("a provider"));
            let leaves = "the provider leaves routing until the window ends; the request goes to the others, and is refused where there is none";
            all.extend(
                share
                    .get("rate_limit")
                    .into_iter()
                    .flat_map(|of| rates_of(of, &whose, leaves)),
            );
            all.extend(share.get("budget").and_then(|of| budget_of(of, &whose, leaves)));
        }
    }
    let drops = root.find("client.drop_excess_requests").is_some_and(Node::is_true);
    let providers = root.get("providers").map_or(&[][..], Node::entries);
    all.extend(providers.iter().filter_map(|entry| line(entry, drops)));
    all
}

/// What a virtual key says in itself, or by name in a list.
fn named<'a>(root: &'a Node, key: &'a Node, own: &str, list: &str, id: &str) -> Option<&'a Node> {
    let by_name = || {
        let wanted = key.text_of(id)?;
        let all = root.find(list).map_or(&[][..], Node::items);
        all.iter().find(|of| of.text_of("id") == Some(wanted))
    };
    key.get(own).or_else(by_name)
}

fn rates_of(of: &Node, whose: &str, beyond: &str) -> Vec<Limit> {
    let kinds = [
        ("requests", "request_max_limit", "request_reset_duration"),
        ("tokens", "token_max_limit", "token_reset_duration"),
    ];
    let each = kinds.into_iter().filter_map(|(unit, most, window)| {
        let most = of.count_of(most)?;
        let window = of.text_of(window).unwrap_or("1m");
        Some(Limit::new(
            format!("{most} {unit} of {whose} each {window}"),
            beyond,
            Some(of.at),
        ))
    });
    each.collect()
}

fn budget_of(of: &Node, whose: &str, beyond: &str) -> Option<Limit> {
    let most = of.number_of("max_limit")?;
    let window = of.text_of("reset_duration").unwrap_or("1M");
    Some(Limit::new(
        format!("${most} of {whose} each {window}"),
        beyond,
        Some(of.at),
    ))
}

fn line(entry: &Entry, drops: bool) -> Option<Limit> {
    let of = entry.value.entry("concurrency_and_buffer_size")?;
    let count = |key: &str, default: u64| of.value.count_of(key).filter(|n| *n > 0).unwrap_or(default);
    let what = format!(
        "{} calls at once to {}, and {} in line, of all keys together",
        count("concurrency", 1000),
        entry.key,
        count("buffer_size", 5000)
    );
    let beyond = match drops {
        true => "one more is refused at once (`drop_excess_requests`)",
        false => "one more waits for a place in the line, without a bound of its own",
    };
    Some(Limit::new(what, beyond, Some(of.at)))
}
