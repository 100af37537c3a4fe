//! What a choice costs: every registered policy over 3, 10 and 200 providers, all breakers closed, in the middle of an afternoon.
//!
//! `cargo bench --bench policies -- --quick`. That no choice allocates is a test of `benches/peers`.

use std::collections::VecDeque;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use serde_json::Value;
use simcap::client::host::Host;
use simcap::engine::scenario::Scenario;
use simcap::experiment::assemble::assemble;
use simcap::kernel::chance::Chance;
use simcap::kernel::time::{Span, Time};
use simcap::routing::{Call, Fleet, Policy};
use simcap::words::{Ended, Outcome};

#[allow(dead_code, reason = "tests use the rest")]
#[path = "../tests/common/parts.rs"]
mod parts;

/// Every registered policy over so many providers, as the example of its page says it, by name: where the example gives some
/// providers a list or weights, all have them.
fn scenarios(providers: usize) -> Vec<(&'static str, Scenario)> {
    let kinds = parts::examples().into_iter().filter(|(kind, _)| kind.name == "policy");
    let policies = kinds.flat_map(|(_, examples)| examples);
    let one = |(name, example): (&'static str, Value)| {
        let (named, _) = parts::staged(parts::STAGES[0], "policy", Some(&example));
        let mut all = named.providers.clone();
        all.extend((all.len()..providers).map(|i| format!("p{i}")));
        let named = parts::Named {
            providers: all,
            ..named
        };
        let widened = widened(&example, &named.providers);
        let built = |example: &Value| {
            let loaded = parts::with_part(parts::STAGES[0], "policy", Some(example), &named).ok()?;
            assemble(&loaded).ok()?.scenarios.into_iter().next()
        };
        // An example whose lists must differ stays as it is.
        let scenario = built(&widened).or_else(|| built(&example));
        (name, scenario.unwrap_or_else(|| panic!("{name}: {example}")))
    };
    policies.map(one).collect()
}

/// `says` with every list of providers, and every object by their names, over `all`.
fn widened(says: &Value, all: &[String]) -> Value {
    let named = |name: &str| all.iter().any(|known| known == name);
    match says {
        Value::Array(elements) if !elements.is_empty() && elements.iter().all(|e| e.as_str().is_some_and(named)) => {
            all.iter().cloned().map(Value::from).collect()
        }
        Value::Array(elements) => elements.iter().map(|element| widened(element, all)).collect(),
        Value::Object(fields) if fields.len() > 1 && fields.keys().all(|name| named(name)) => {
            let values = fields.values().cycle();
            all.iter().cloned().zip(values.cloned()).collect()
        }
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| (name.clone(), widened(field, all)))
            .collect(),
        other => other.clone(),
    }
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
        let mut call = Call::new(0, Chance::new(1, 0).request(self.calls));
        (call.user, call.input, call.max_output) = ((self.calls % 50) as u32, 100, Some(100));
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
        for (name, scenario) in scenarios(providers) {
            let mut afternoon = Afternoon::new(&scenario);
            group.bench_function(BenchmarkId::new(name, providers), |b| {
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
