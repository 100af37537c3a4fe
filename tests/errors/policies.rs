//! Routing policies that make no sense: where it is said, and what. The layout is every other test's.

use super::said;

/// What is said, without the place in the text, of the first policy when it is this.
fn of(policy: &str) -> String {
    let said = said(r#"{ "single": { "provider": "dear" } }"#, policy);
    let first = said.lines().next().expect("something is said");
    first.split_once(": ").map_or(first, |(_, rest)| rest).to_owned()
}

#[test]
fn each_refusal_names_its_place() {
    for (policy, expected) in [
        (
            r#"{ "simple_shuffle": { "weights": { "dear": -1 } } }"#,
            "policies[0].policy.simple_shuffle.weights.dear: a weight of -1: must be 0 or more",
        ),
        (
            r#"{ "weighted": { "weights": { "dear": 1e308 } } }"#,
            "policies[0].policy.weighted.weights.dear: a weight of 1e308: must be at most 1e12",
        ),
        (
            r#"{ "p2c": { "providers": [] } }"#,
            "policies[0].policy.p2c.providers: an empty list: name at least one provider, or leave it out for every provider",
        ),
        (
            r#"{ "cost_based": { "limits": { "rpm": { "deer": 5 } } } }"#,
            "policies[0].policy.cost_based.limits.rpm.deer: there is no provider `deer`",
        ),
        (
            r#"{ "usage_based": { "limits": { "tpm": { "deer": 5 } } } }"#,
            "policies[0].policy.usage_based.limits.tpm.deer: there is no provider `deer`",
        ),
        (
            r#"{ "least_busy": { "providers": ["dear", "dear"] } }"#,
            "policies[0].policy.least_busy.providers[1]: `dear` is named twice",
        ),
        (
            r#"{ "latency_based": { "ttl": "0s" } }"#,
            "policies[0].policy.latency_based.ttl: a map that is dropped at once: must be longer than nothing",
        ),
        (
            r#"{ "latency_based": { "lowest_latency_buffer": -0.5 } }"#,
            "policies[0].policy.latency_based.lowest_latency_buffer: a buffer of -0.5: must be 0 or more",
        ),
        (
            r#"{ "latency_based": { "max_latency_list_size": 0 } }"#,
            "policies[0].policy.latency_based.max_latency_list_size: 0 samples: must be 1 to 1000",
        ),
        (
            r#"{ "peak_ewma": { "decay": "0s" } }"#,
            "policies[0].policy.peak_ewma.decay: 0s: must be longer than nothing",
        ),
        (
            r#"{ "peak_ewma": { "default_rtt": "0s" } }"#,
            "policies[0].policy.peak_ewma.default_rtt: 0s: must be longer than nothing",
        ),
        (
            r#"{ "kong_latency": { "decay": "0s" } }"#,
            "policies[0].policy.kong_latency.decay: 0s: must be longer than nothing",
        ),
        (
            r#"{ "kong_latency": { "weights": { "dear": 0 } } }"#,
            "policies[0].policy.kong_latency.weights.dear: a weight of 0: must be above 0",
        ),
        (
            r#"{ "priority": { "levels": [] } }"#,
            "policies[0].policy.priority.levels: there must be at least one level",
        ),
        (
            r#"{ "priority": { "levels": [ {} ] } }"#,
            "policies[0].policy.priority.levels[0]: a level without providers",
        ),
        (
            r#"{ "priority": { "levels": [ { "dear": 1 }, { "dear": 1 } ] } }"#,
            "policies[0].policy.priority.levels[1].dear: `dear` is on a level already",
        ),
        (
            r#"{ "priority": { "levels": [ { "dear": 0 } ] } }"#,
            "policies[0].policy.priority.levels[0].dear: a weight of 0: must be above 0",
        ),
        (
            r#"{ "by_context": { "bands": [ { "policy": { "single": { "provider": "deer" } } } ] } }"#,
            "policies[0].policy.by_context.bands[0].policy.single.provider: there is no provider `deer`",
        ),
    ] {
        assert_eq!(of(policy), expected);
    }
}
