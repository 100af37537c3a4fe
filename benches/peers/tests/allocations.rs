//! Counts allocations: none for a choice of any policy, and none for an event of the whole engine.
//!
//! The allocator of this test is the system's, with a counter for each thread. A replication does allocate while it is set
//! up and while its queues and slabs grow to their peak, so the engine's claim is about what a longer run adds. A file of
//! its own, because counting needs `unsafe` and a process has one allocator.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;

use simcap::client::host::Host;
use simcap::engine::run::{Control, run};
use simcap::engine::scenario::Scenario;
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::{Traces, from_text, load};
use simcap::kernel::chance::Chance;
use simcap::kernel::time::{Span, Time};
use simcap::routing::{Call, Fleet};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is handed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps `alloc_zeroed`'s contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps `realloc`'s contract.
        unsafe { System.realloc(at, layout, size) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn count() {
    // A thread that is ending has no counter any more, and its allocations are not asked for.
    let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
}

/// Allocations of this thread while `work` runs, and what it gives.
fn allocations<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let before = ALLOCATIONS.get();
    let result = work();
    (ALLOCATIONS.get() - before, result)
}

/// The first scenario of `experiments/tiered.json`, for so many hours.
fn tiered(hours: u64) -> Scenario {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/tiered.json");
    let loaded = load(&file, &Traces::default()).unwrap_or_else(|error| panic!("{error}"));
    let mut scenario = assemble(&loaded).unwrap().scenarios.swap_remove(0);
    scenario.window.warmup = Time::ZERO;
    scenario.window.end = Time::ZERO + Span::from_secs(3_600 * hours);
    scenario
}

/// An experiment on so many providers with each kind of policy over all of them.
fn policies(providers: usize) -> Vec<Scenario> {
    let each = |show: &dyn Fn(String) -> String| {
        let shown: Vec<_> = (0..providers).map(|i| show(format!("\"p{i}\""))).collect();
        shown.join(",")
    };
    let names = each(&|name| name);
    let weights = each(&|name| format!("{name}: 1"));
    let fleet = each(&|name| {
        format!(
            r#"{name}: {{ "response": {{ "constant": "1s" }}, "prices": {{ "per_request": {{ "price": "$0.001" }} }} }}"#
        )
    });
    let text = format!(
        r#"{{
        "name": "policies",
        "traffic": {{
            "arrivals": {{ "poisson": {{ "rate": "10/s" }} }},
            "classes": {{ "all": {{ "input": {{ "constant": 1 }}, "output": {{ "constant": 1 }} }} }},
            "users": {{ "count": 1000 }}
        }},
        "providers": {{ {fleet} }},
        "policies": [
            {{ "name": "single", "policy": {{ "single": {{ "provider": "p0" }} }} }},
            {{ "name": "round_robin", "policy": {{ "round_robin": {{ "providers": [{names}] }} }} }},
            {{ "name": "weighted", "policy": {{ "weighted": {{ "weights": {{ {weights} }} }} }} }},
            {{ "name": "smooth_round_robin", "policy": "smooth_round_robin" }},
            {{ "name": "consistent_hash", "policy": {{ "consistent_hash": {{ "balance_factor": 1.25 }} }} }},
            {{ "name": "sticky", "policy": {{ "sticky": {{ "policy": "p2c" }} }} }},
            {{ "name": "canary", "policy": {{ "canary": {{ "share": 0.1, "canary": "p2c", "stable": "p2c" }} }} }},
            {{ "name": "shadow", "policy": {{ "shadow": {{ "policy": "p2c", "to": "p0" }} }} }},
            {{ "name": "prequal", "policy": "prequal" }},
            {{ "name": "c3", "policy": "c3" }},
            {{ "name": "envoy_least_request", "policy": "envoy_least_request" }},
            {{ "name": "helicone", "policy": "helicone" }},
            {{ "name": "kong_least_connections", "policy": "kong_least_connections" }},
            {{ "name": "kong_usage", "policy": "kong_usage" }},
            {{ "name": "rollout", "policy": {{ "rollout": {{
                "old": "round_robin", "new": {{ "single": {{ "provider": "p0" }} }}, "stages": [ {{ "share": 0.5 }} ] }} }} }},
            {{ "name": "budget_paced", "policy": {{ "budget_paced": {{ "providers": [{names}], "money": "$100" }} }} }},
            {{ "name": "pipeline", "policy": {{ "pipeline": {{
                "filters": ["limits", "headers", "context", "cooldown", "not_last"],
                "scores": [{{ "latency": {{ "weight": 2 }} }}, "errors", "in_flight"], "pick": "top", "relax": true }} }} }},
            {{ "name": "tree", "policy": {{ "tree": {{ "fallback": {{ "targets": [
                {{ "loadbalance": {{ "targets": ["p0", "p1", "p2"] }} }}, {{ "peak_ewma": {{}} }} ] }} }} }} }},
            {{ "name": "tiered", "policy": {{ "tiered": {{
                "tiers": [ {{ "name": "t", "providers": [{names}], "classes": ["all"] }} ] }} }} }},
            {{ "name": "task_router", "policy": {{ "task_router": {{
                "weights": {{ {weights} }}, "cheapest": "p0", "mended": true }} }} }},
            {{ "name": "conditional", "policy": {{ "conditional": {{
                "conditions": [ {{ "when": {{ "$or": [ {{ "user": {{ "$in": [1] }} }}, {{ "input": {{ "$gt": 0 }} }} ] }}, "then": "p2c" }} ],
                "default": "chain" }} }} }},
            {{ "name": "litellm_tags", "policy": {{ "litellm_tags": {{ "tags": {{ "p0": ["default"] }} }} }} }},
            {{ "name": "litellm_pre_call_checks", "policy": "litellm_pre_call_checks" }},
            {{ "name": "by_context", "policy": {{ "by_context": {{
                "bands": [ {{ "up_to": 50, "policy": "p2c" }}, {{ "providers": [{names}] }} ] }} }} }},
            {{ "name": "complexity", "policy": {{ "complexity": {{
                "tiers": {{ "MEDIUM": {{ "providers": [{names}] }} }},
                "score": {{ "all": {{ "uniform": {{ "min": 0, "max": 1 }} }} }} }} }} }},
            {{ "name": "prompt_caching", "policy": "prompt_caching" }},
            {{ "name": "cache_affine", "policy": {{ "cache_affine": {{ "max_users": 50 }} }} }},
            {{ "name": "llm_d", "policy": "llm_d" }}
        ],
        "plan": {{ "duration": "1h" }}
    }}"#
    );
    let loaded = from_text("policies.json", &text).unwrap_or_else(|error| panic!("{error}"));
    assemble(&loaded).unwrap_or_else(|error| panic!("{error}")).scenarios
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| Box::new(7)).0, 1);
}

#[test]
fn no_policy_allocates_when_it_chooses() {
    for providers in [3, 10, 200] {
        for scenario in policies(providers) {
            let own = Chance::new(1, 0).surroundings(0);
            let host = || Host {
                breaker: scenario.client.breaker.of_one(own),
                ..Host::default()
            };
            let hosts: Vec<Host> = scenario.fleet.iter().map(|_| host()).collect();
            let mut policy = scenario.policy.fresh();
            let (spent, ()) = allocations(|| {
                for id in 0..1_000 {
                    let request = Chance::new(1, 0).request(id);
                    let mut call = Call::new(0, request);
                    (call.user, call.input, call.max_output) = (id as u32, 100, Some(100));
                    assert!(policy.choose(&call, &Fleet::new(&hosts, None, Time::ZERO)).is_some());
                }
            });
            assert_eq!(spent, 0, "{} over {providers}", scenario.name);
        }
    }
}

#[test]
fn a_run_twice_as_long_allocates_no_more() {
    let cost = |hours| {
        let scenario = tiered(hours);
        allocations(|| {
            run(&scenario, 1, 0, &Control::default())
                .map(|tally| tally.requests())
                .ok()
        })
    };
    let (short, few) = cost(1);
    let (long, many) = cost(2);
    assert!(many > few, "{few:?} requests, then {many:?}");
    // A longer run may meet a higher peak, at which a buffer doubles once more.
    assert!(
        long <= short + 4,
        "{short} allocations for {few:?} requests, {long} for {many:?}"
    );
}
