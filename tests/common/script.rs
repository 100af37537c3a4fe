//! A scripted server, as the runs against the real gateways had one: it writes down its hits and answers as told.

use std::sync::{Arc, Mutex};

use simcap::engine::run::{Control, run};
use simcap::engine::tally::Tally;
use simcap::kernel::chance::Key;
use simcap::kernel::time::Time;
use simcap::provider::faults::{Failure, Fault, Silence};

/// The provider and the time of each hit, in order.
pub(crate) type Hits = Arc<Mutex<Vec<(usize, Time)>>>;

/// A server that writes down its hits and answers each as it is told to.
#[derive(Clone, Debug)]
struct Script {
    provider: usize,
    seen: usize,
    answer: fn(usize) -> Option<Failure>,
    hits: Hits,
}

impl Fault for Script {
    fn strike(&mut self, now: Time, _load: u32, _key: Key) -> Option<Failure> {
        self.hits.lock().expect("one thread").push((self.provider, now));
        self.seen += 1;
        (self.answer)(self.seen)
    }

    fn leaves(&self, _silence: Silence) -> bool {
        true
    }

    fn fresh(&self, _own: Key) -> Box<dyn Fault> {
        Box::new(self.clone())
    }
}

/// A server of the group: what an experiment says of it, and its answer to hit number n, from 1.
pub(crate) type Server = (&'static str, fn(usize) -> Option<Failure>);

/// It is answered well.
pub(crate) const WELL: fn(usize) -> Option<Failure> = |_| None;

/// `calls` calls, one every `gap` milliseconds, by this policy and client: the tally, and who was hit when.
pub(crate) fn fire(
    servers: &[Server],
    policy: &str,
    client: &str,
    calls: u64,
    gap: u64,
) -> (Tally, Vec<(usize, Time)>) {
    let fleet: Vec<String> = servers
        .iter()
        .zip('a'..)
        .map(|((fields, _), name)| format!(r#""{name}": {{ {fields} }}"#))
        .collect();
    let text = format!(
        r#"{{
        "name": "golden",
        "traffic": {{
            "arrivals": {{ "regular": {{ "rate": "1000/{}s" }} }},
            "classes": {{ "all": {{ "input": {{ "constant": 10 }}, "output": {{ "constant": 1 }} }} }}
        }},
        "providers": {{ {} }},
        "client": {{ {client} }},
        "policies": [ {{ "name": "router", "policy": {policy} }} ],
        "plan": {{ "duration": "{}ms", "warmup": "0s" }}
    }}"#,
        gap,
        fleet.join(","),
        // The n-th arrival comes after n gaps, and none at the end itself.
        calls * gap + 1,
    );
    let mut plan = crate::common::plan(&text);
    let scenario = &mut plan.scenarios[0];
    let hits: Hits = Hits::default();
    let fleet = Arc::get_mut(&mut scenario.fleet).expect("nobody shares it");
    for (provider, (deployment, (_, answer))) in fleet.iter_mut().zip(servers).enumerate() {
        deployment.provider.faults.push(Box::new(Script {
            provider,
            seen: 0,
            answer: *answer,
            hits: Arc::clone(&hits),
        }));
    }
    let tally = run(scenario, 1, 0, &Control::default()).expect("nobody stopped it");
    assert_eq!(tally.requests(), calls);
    let hits = hits.lock().expect("one thread").clone();
    (tally, hits)
}

/// How many of `hits` are at `provider`.
pub(crate) fn count(hits: &[(usize, Time)], provider: usize) -> usize {
    hits.iter().filter(|&&(p, _)| p == provider).count()
}
