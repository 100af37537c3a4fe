//! What a choice costs: every policy over 3, 10 and 200 providers, all breakers closed, in the middle of an afternoon.
//!
//! `cargo bench --bench policies -- --quick`. That no choice allocates is a test of `benches/peers`.

use std::collections::VecDeque;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use simcap::client::host::Host;
use simcap::engine::scenario::Scenario;
use simcap::experiment::{assemble::assemble, load::from_text};
use simcap::kernel::chance::Chance;
use simcap::kernel::time::{Span, Time};
use simcap::routing::{Call, Fleet, Policy};
use simcap::words::{Ended, Outcome};

/// `least_in_flight` as a script: what that costs.
const SCRIPT: &str = include_str!("../tests/common/least.rhai");

/// An experiment on so many providers, with each kind of policy over all of them.
fn scenarios(providers: usize) -> Vec<Scenario> {
    let each = |show: &dyn Fn(String) -> String| {
        let shown: Vec<_> = (0..providers).map(|i| show(format!("\"p{i}\""))).collect();
        shown.join(",")
    };
    let names = each(&|name| name);
    let weights = each(&|name| format!("{name}: 1"));
    let fleet = each(&|name| {
        format!(
            r#"{name}: {{ "response": {{ "constant": "1s" }}, "quality": {{ "all": 0.9 }}, "prices": {{ "per_token": {{ "input": "$1/Mtok", "output": "$4/Mtok" }} }} }}"#
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
        "client": {{ "breaker": "consecutive" }},
        "policies": [
            {{ "name": "single", "policy": {{ "single": {{ "provider": "p0" }} }} }},
            {{ "name": "round_robin", "policy": {{ "round_robin": {{ "providers": [{names}] }} }} }},
            {{ "name": "weighted", "policy": {{ "weighted": {{ "weights": {{ {weights} }} }} }} }},
            {{ "name": "simple_shuffle", "policy": "simple_shuffle" }},
            {{ "name": "least_busy", "policy": "least_busy" }},
            {{ "name": "latency_based", "policy": "latency_based" }},
            {{ "name": "usage_based", "policy": "usage_based" }},
            {{ "name": "cost_based", "policy": "cost_based" }},
            {{ "name": "least_in_flight", "policy": "least_in_flight" }},
            {{ "name": "p2c", "policy": "p2c" }},
            {{ "name": "peak_ewma", "policy": "peak_ewma" }},
            {{ "name": "jiq", "policy": "jiq" }},
            {{ "name": "openrouter", "policy": "openrouter" }},
            {{ "name": "kong_latency", "policy": "kong_latency" }},
            {{ "name": "latency_router", "policy": "latency_router" }},
            {{ "name": "cheapest", "policy": "cheapest" }},
            {{ "name": "priority", "policy": {{ "priority": {{ "levels": [ {{ {weights} }} ] }} }} }},
            {{ "name": "chain", "policy": "chain" }},
            {{ "name": "script", "policy": {{ "script": {{ "file": "least.rhai" }} }} }},
            {{ "name": "smooth_round_robin", "policy": "smooth_round_robin" }},
            {{ "name": "consistent_hash", "policy": "consistent_hash" }},
            {{ "name": "consistent_hash_bounded", "policy": {{ "consistent_hash": {{ "balance_factor": 1.25 }} }} }},
            {{ "name": "sticky", "policy": {{ "sticky": {{ "policy": "p2c" }} }} }},
            {{ "name": "canary", "policy": {{ "canary": {{ "share": 0.1, "canary": "p2c", "stable": "p2c", "processes": 4 }} }} }},
            {{ "name": "shadow", "policy": {{ "shadow": {{ "policy": "p2c", "to": "p0" }} }} }},
            {{ "name": "task_router", "policy": {{ "task_router": {{
                "weights": {{ {weights} }}, "cheapest": "p0", "mended": true }} }} }},
            {{ "name": "conditional", "policy": {{ "conditional": {{
                "conditions": [
                    {{ "when": {{ "class": "all", "input": {{ "$lt": 50 }} }}, "then": "p2c" }},
                    {{ "when": {{ "user": {{ "$gt": 1 }} }}, "then": "round_robin" }} ] }} }} }},
            {{ "name": "litellm_tags", "policy": "litellm_tags" }},
            {{ "name": "litellm_pre_call_checks", "policy": "litellm_pre_call_checks" }},
            {{ "name": "by_context", "policy": {{ "by_context": {{
                "bands": [ {{ "up_to": 50, "policy": "p2c" }}, {{ "providers": [{names}] }} ] }} }} }},
            {{ "name": "complexity", "policy": {{ "complexity": {{
                "tiers": {{ "MEDIUM": {{ "providers": [{names}] }} }},
                "score": {{ "all": {{ "uniform": {{ "min": 0, "max": 1 }} }} }} }} }} }},
            {{ "name": "cascade", "policy": {{ "cascade": {{ "stages": [
                {{ "providers": ["p0"], "judge": {{ "accept": 0.5 }} }}, {{ "providers": [{names}] }} ] }} }} }},
            {{ "name": "route_llm", "policy": {{ "route_llm": {{ "strong": ["p0"], "weak": ["p1"], "strong_share": 0.3 }} }} }},
            {{ "name": "cheapest_within", "policy": {{ "cheapest_within": {{ "latency": "2s" }} }} }},
            {{ "name": "thompson", "policy": {{ "thompson": {{ "reward": {{ "quality": 0, "cost": 1 }} }} }} }},
            {{ "name": "ucb", "policy": {{ "ucb": {{ "reward": {{ "quality": 0, "cost": 1 }} }} }} }},
            {{ "name": "litellm_adaptive", "policy": "litellm_adaptive" }},
            {{ "name": "prequal", "policy": "prequal" }},
            {{ "name": "c3", "policy": "c3" }},
            {{ "name": "envoy_least_request", "policy": "envoy_least_request" }},
            {{ "name": "envoy_weighted", "policy": {{ "envoy_least_request": {{ "weights": {{ "p0": 2 }} }} }} }},
            {{ "name": "helicone", "policy": "helicone" }},
            {{ "name": "helicone_model", "policy": {{ "helicone": {{ "strategy": "model_latency" }} }} }},
            {{ "name": "kong_least_connections", "policy": "kong_least_connections" }},
            {{ "name": "kong_usage", "policy": "kong_usage" }},
            {{ "name": "prompt_caching", "policy": "prompt_caching" }},
            {{ "name": "cache_affine", "policy": {{ "cache_affine": {{ "max_users": 50 }} }} }},
            {{ "name": "llm_d", "policy": "llm_d" }},
            {{ "name": "rollout", "policy": {{ "rollout": {{
                "old": "round_robin", "new": {{ "single": {{ "provider": "p0" }} }}, "stages": [ {{ "share": 0.5 }} ] }} }} }},
            {{ "name": "budget_paced", "policy": {{ "budget_paced": {{ "providers": [{names}], "money": "$100" }} }} }},
            {{ "name": "pipeline", "policy": {{ "pipeline": {{
                "filters": ["limits", "headers", "context", "cooldown", "not_last"],
                "scores": [{{ "latency": {{ "weight": 2 }} }}, "price", "in_flight"], "pick": "top" }} }} }},
            {{ "name": "tree", "policy": {{ "tree": {{ "fallback": {{ "targets": [
                {{ "loadbalance": {{ "targets": ["p0", "p1", "p2"] }} }}, {{ "peak_ewma": {{}} }} ] }} }} }} }},
            {{ "name": "tiered", "policy": {{ "tiered": {{
                "tiers": [ {{ "name": "t", "providers": [{names}], "classes": ["all"] }} ] }} }} }}
        ],
        "plan": {{ "duration": "1h" }}
    }}"#
    );
    let mut loaded = from_text("policies.json", &text).unwrap_or_else(|error| panic!("{error}"));
    loaded
        .add_script("least.rhai", SCRIPT)
        .unwrap_or_else(|error| panic!("{error}"));
    assemble(&loaded).unwrap_or_else(|error| panic!("{error}")).scenarios
}

/// A fleet under way: calls that come 100 µs apart, of which twenty or so are in flight at any time.
struct Afternoon {
    hosts: Vec<Host>,
    policy: Box<dyn Policy>,
    calls: u64,
    in_flight: VecDeque<usize>,
}

impl Afternoon {
    fn new(scenario: &Scenario) -> Afternoon {
        let own = Chance::new(1, 0).surroundings(0);
        let host = |_| Host::behind(scenario.client.breaker.of_one(own));
        let mut afternoon = Afternoon {
            hosts: scenario.fleet.iter().map(host).collect(),
            policy: scenario.policy.fresh(),
            calls: 0,
            in_flight: VecDeque::new(),
        };
        for _ in 0..5_000 {
            let chosen = afternoon.choose().unwrap_or(0);
            afternoon.sent(chosen);
        }
        afternoon
    }

    fn now(&self) -> Time {
        Time::from_nanos(self.calls * 100_000)
    }

    /// What is timed.
    fn choose(&mut self) -> Option<usize> {
        self.calls += 1;
        let call = Call {
            user: (self.calls % 1000) as u32,
            input: 100,
            max_output: Some(100),
            ..Call::new(0, Chance::new(1, 0).request(self.calls))
        };
        let now = self.now();
        self.policy.choose(&call, &Fleet::new(&self.hosts, None, now))
    }

    /// The call goes to `provider`, and the one from twenty calls before ends.
    fn sent(&mut self, provider: usize) {
        self.hosts[provider].in_flight += 1;
        self.in_flight.push_back(provider);
        if self.in_flight.len() <= 20 {
            return;
        }
        let Some(done) = self.in_flight.pop_front() else { return };
        self.hosts[done].in_flight -= 1;
        let took = Span::from_millis(200 + 10 * (self.calls % 7 + done as u64 % 5));
        let mut ended = Ended::new(self.now(), done, Outcome::Success);
        (ended.took, ended.first_token) = (took, took);
        (ended.usage.input, ended.usage.output) = (100, 50);
        self.policy.learn(&ended);
    }
}

fn choose(c: &mut Criterion) {
    let mut group = c.benchmark_group("choose");
    for providers in [3, 10, 200] {
        for scenario in scenarios(providers) {
            let mut afternoon = Afternoon::new(&scenario);
            group.bench_function(BenchmarkId::new(&scenario.name, providers), |b| {
                b.iter(|| {
                    let chosen = afternoon.choose();
                    // Now and then one goes out and another comes back, lest what was learned grow stale.
                    if afternoon.calls.is_multiple_of(64)
                        && let Some(provider) = chosen
                    {
                        afternoon.sent(provider);
                    }
                    chosen
                });
            });
        }
    }
    group.finish();
}

criterion_group!(policies, choose);
criterion_main!(policies);
