//! One fleet and one call, for the tests of every policy.

use super::*;
use crate::client::breaker::BreakerSpec;
use crate::client::host::Host;
use crate::form::build::{Asked, Known};
use crate::form::diagnose::Seg;
use crate::kernel::chance::Chance;
use crate::kernel::time::Time;
use crate::words::Ended;
use crate::words::Outcome;

/// The policy that `json` describes, over providers a, b, c and classes x, y.
pub(crate) fn policy(json: &str) -> Box<dyn Policy> {
    build(json).unwrap()
}

/// The policy that `json` describes, or its refusal.
pub(crate) fn build(json: &str) -> Built<Box<dyn Policy>> {
    build_with(json, &[])
}

/// The policy that `json` describes, with these prices in pico-dollars for a token of input and one of output.
pub(crate) fn policy_with(json: &str, prices: &[Option<(u64, u64)>]) -> Box<dyn Policy> {
    let known = |&price: &Option<(u64, u64)>| Known {
        price,
        ..Known::default()
    };
    build_with(json, &prices.iter().map(known).collect::<Vec<_>>()).unwrap()
}

/// The policy that `json` describes, or its refusal, with what is known of the providers.
pub(crate) fn build_with(json: &str, known: &[Known]) -> Built<Box<dyn Policy>> {
    build_asking(json, known, &[])
}

/// The policy that `json` describes, or its refusal, with what is known of the providers and asked by the classes.
pub(crate) fn build_asking(json: &str, known: &[Known], asks: &[Asked]) -> Built<Box<dyn Policy>> {
    let (providers, classes) = (["a", "b", "c"].map(String::from), ["x", "y"].map(String::from));
    let spec: PolicySpec = serde_json::from_str(json).unwrap();
    spec.as_dyn().build(&Names {
        providers: &providers,
        classes: &classes,
        known,
        asks,
        users: Some(1000),
        ..Names::default()
    })
}

/// The policy that `json` describes, or its refusal, over providers of these names and so many users.
pub(crate) fn build_over(json: &str, providers: &[&str], users: Option<u32>) -> Built<Box<dyn Policy>> {
    let (providers, classes): (Vec<_>, _) = (
        providers.iter().map(ToString::to_string).collect(),
        ["x", "y"].map(String::from),
    );
    let spec: PolicySpec = serde_json::from_str(json).unwrap();
    spec.as_dyn().build(&Names {
        providers: &providers,
        classes: &classes,
        users,
        ..Names::default()
    })
}

/// The place in its parameters at which a policy is refused, step by step, and the message.
pub(crate) fn refused(json: &str) -> (String, String) {
    let refusal = build(json).err().unwrap();
    let step = |seg: &Seg| match seg {
        Seg::Key(key) => key.clone(),
        Seg::Index(i) => i.to_string(),
    };
    let path: Vec<String> = refusal.path.iter().map(step).collect();
    (path.join("/"), refusal.message)
}

/// The choice for one call at `now`.
pub(crate) fn choose_at(policy: &mut dyn Policy, hosts: &[Host], now: Time) -> Option<usize> {
    choose_by(policy, hosts, now, 0)
}

/// The choice for call number `id` at `now`.
pub(crate) fn choose_by(policy: &mut dyn Policy, hosts: &[Host], now: Time, id: u64) -> Option<usize> {
    policy.choose(&call(id, 0), &Fleet::new(hosts, None, now))
}

/// Makes three hosts; those named in `closed` have an open breaker.
pub(crate) fn hosts(closed: &[usize]) -> Vec<Host> {
    many_hosts(3, closed)
}

/// Makes `n` hosts; those named in `closed` have an open breaker.
pub(crate) fn many_hosts(n: usize, closed: &[usize]) -> Vec<Host> {
    let spec: BreakerSpec = serde_json::from_str(r#"{"consecutive": {"failures": 1}}"#).unwrap();
    let host = |i| {
        let guard = spec.as_dyn().build(&Names::default()).unwrap();
        let mut breaker = guard.of_one(Chance::new(1, 0).surroundings(0)).unwrap();
        if closed.contains(&i) {
            let ticket = breaker.sent(Time::ZERO);
            breaker.record(ticket, &Ended::new(Time::ZERO, i, Outcome::ServerError));
        }
        Host::behind(Some(breaker))
    };
    (0..n).map(host).collect()
}

/// The call that request number `id` of class `class` makes.
pub(crate) fn call(id: u64, class: usize) -> Call {
    let request = Chance::new(1, 0).request(id);
    Call {
        user: id as u32,
        priority: 0,
        ..Call::new(class, request)
    }
}

/// The number of times that each provider is chosen out of `n` calls of `class`, and that none is.
pub(crate) fn counts(policy: &mut dyn Policy, hosts: &[Host], class: usize, n: u64) -> [u64; 4] {
    let mut counts = [0; 4];
    for id in 0..n {
        let chosen = policy.choose(&call(id, class), &Fleet::new(hosts, None, Time::ZERO));
        counts[chosen.unwrap_or(3)] += 1;
    }
    counts
}
