//! Every call that a policy is told of ends exactly once, whatever became of it, in every experiment that can be written.
//!
//! A policy that wraps the experiment's own keeps a book of the calls that go out and compares each end with it, and its
//! counts with what the client counts at each provider whenever it chooses.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be unwrapped has failed")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::common::experiments::experiments;
use proptest::prelude::*;
use simcap::engine::run::{Control, run};
use simcap::engine::scenario::Scenario;
use simcap::engine::tally::Tally;
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::from_text;
use simcap::kernel::time::Span;
use simcap::routing::{Call, Fleet, Judge, Milestone, Policy, Wants};
use simcap::words::{Ended, Headers, Outcome};

/// The script that the experiments name.
const SCRIPT: &str = include_str!("common/least.rhai");

/// What one replication came to, of all gateways.
#[derive(Clone, Debug, Default)]
struct Book {
    chosen: u64,
    sent: u64,
    ended: u64,
    learned: u64,
    mirrors: u64,
    mirrored: u64,
    connected: u64,
    by_outcome: BTreeMap<String, u64>,
    open: u64,
    trouble: Option<String>,
}

/// What is asked for in a call, to be found again in its end.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    provider: usize,
    class: usize,
    user: u32,
    priority: u8,
    input: u32,
    max_output: Option<u32>,
    attempt: u32,
    hedge: bool,
    mirrored: bool,
}

#[derive(Debug)]
struct Counting {
    inner: Box<dyn Policy>,
    open: BTreeMap<u64, Entry>,
    /// How many of them are at each provider.
    at: Vec<u32>,
    /// Where the next call must go, if the policy has just chosen.
    chosen: Option<usize>,
    next: u64,
    book: Book,
    books: Arc<Mutex<Vec<Book>>>,
}

impl Counting {
    fn around(inner: Box<dyn Policy>, books: &Arc<Mutex<Vec<Book>>>) -> Counting {
        Counting {
            inner,
            open: BTreeMap::new(),
            at: Vec::new(),
            chosen: None,
            next: 0,
            book: Book::default(),
            books: Arc::clone(books),
        }
    }

    fn note(&mut self, what: impl FnOnce() -> String) {
        self.book.trouble.get_or_insert_with(what);
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.book.open = self.open.len() as u64;
        if let Ok(mut books) = self.books.lock() {
            books.push(self.book.clone());
        }
    }
}

impl Policy for Counting {
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        for p in 0..fleet.len() {
            let counted = self.at.get(p).copied().unwrap_or(0);
            if counted != fleet.load(p) {
                self.note(|| format!("{counted} counted at {p}, {} there", fleet.load(p)));
            }
        }
        if let Some(p) = self.chosen {
            self.note(|| format!("chose {p}, and no call went there"));
        }
        self.chosen = self.inner.choose(call, fleet);
        self.book.chosen += u64::from(self.chosen.is_some());
        self.chosen
    }

    fn wants(&self) -> Wants {
        self.inner.wants().and(Wants::ENDS).and(Wants::LEARNS)
    }

    fn learn(&mut self, ended: &Ended) {
        self.book.learned += 1;
        if self.inner.wants().learns || self.inner.wants().grades > 0 {
            self.inner.learn(ended);
        }
    }

    fn read(&mut self, ended: &Ended, headers: &Headers) {
        self.inner.read(ended, headers);
    }

    fn sent(&mut self, call: &Call, provider: usize) {
        if self.inner.wants().ends {
            self.inner.sent(call, provider);
        }
        let chosen = if call.mirrored { None } else { self.chosen.take() };
        if let Some(chosen) = chosen.filter(|&chosen| chosen != provider) {
            self.note(|| format!("chose {chosen}, and the call went to {provider}"));
        }
        self.book.sent += 1;
        self.book.mirrored += u64::from(call.mirrored);
        self.next += 1;
        call.ticket.set(self.next);
        if self.at.len() <= provider {
            self.at.resize(provider + 1, 0);
        }
        self.at[provider] += 1;
        self.open.insert(
            self.next,
            Entry {
                provider,
                class: call.class,
                user: call.user,
                priority: call.priority,
                input: call.input,
                max_output: call.max_output,
                attempt: call.attempts,
                hedge: call.hedge,
                mirrored: call.mirrored,
            },
        );
    }

    fn ended(&mut self, ended: &Ended) {
        if self.inner.wants().ends {
            self.inner.ended(ended);
        }
        self.book.ended += 1;
        self.book.connected += u64::from(ended.connected);
        *self.book.by_outcome.entry(format!("{:?}", ended.outcome)).or_default() += 1;
        let told = Entry {
            provider: ended.provider,
            class: usize::from(ended.class),
            user: ended.user,
            priority: ended.priority,
            input: ended.input,
            max_output: ended.max_output,
            attempt: ended.attempt,
            hedge: ended.hedge,
            mirrored: ended.mirrored,
        };
        let sent = self.open.remove(&ended.ticket);
        if sent.as_ref() == Some(&told) {
            self.at[ended.provider] -= 1;
        } else {
            self.note(|| format!("{told:?} ended, and {sent:?} was sent"));
        }
    }

    fn mirror(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        let to = self.inner.mirror(call, fleet);
        self.book.mirrors += u64::from(to.is_some());
        to
    }

    fn judge(&mut self, call: &Call) -> Option<Judge> {
        self.inner.judge(call)
    }

    fn fall_back(&mut self, call: &Call) -> bool {
        self.inner.fall_back(call)
    }

    fn turns_away(&mut self, call: &Call) -> Option<(Outcome, Option<Span>)> {
        self.inner.turns_away(call)
    }

    fn milestones(&self) -> Vec<Milestone> {
        self.inner.milestones()
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(Counting::around(self.inner.fresh(), &self.books))
    }
}

/// One replication of `scenario` with its calls counted: the tally, and the book of each gateway.
fn counted(scenario: &mut Scenario, seed: u64) -> (Tally, Vec<Book>) {
    let books = Arc::new(Mutex::new(Vec::new()));
    scenario.policy = Box::new(Counting::around(scenario.policy.fresh(), &books));
    let tally = run(scenario, seed, 0, &Control::default()).unwrap();
    let kept = books.lock().unwrap().clone();
    (tally, kept)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_call_ends_once(experiment in experiments(), seed in any::<u64>(), gateways in 1_u32..3) {
        let mut experiment = experiment;
        experiment["client"]["gateways"] = serde_json::json!(gateways);
        let text = experiment.to_string();
        let mut loaded = from_text("case.json", &text).map_err(|e| TestCaseError::fail(e.to_string()))?;
        loaded.add_script("least.rhai", SCRIPT).map_err(|e| TestCaseError::fail(e.to_string()))?;
        let mut plan = assemble(&loaded).map_err(|e| TestCaseError::fail(e.to_string()))?;
        for scenario in &mut plan.scenarios {
            let plain = run(scenario, seed, 0, &Control::default()).unwrap();
            let (tally, books) = counted(scenario, seed);
            prop_assert!(plain == tally, "to be told changes the result of {}", scenario.name);
            prop_assert_eq!(books.len(), gateways as usize);
            for book in &books {
                prop_assert_eq!(&book.trouble, &None, "{}", scenario.name);
                prop_assert_eq!((book.sent, book.open), (book.ended, 0), "{}", scenario.name);
                prop_assert_eq!(book.mirrors, book.mirrored);
                prop_assert!(book.chosen <= book.sent - book.mirrored);
            }
            let connected: u64 = books.iter().map(|book| book.connected).sum();
            prop_assert_eq!(connected, tally.attempts(), "what is sent is what providers saw");
            let learned: u64 = books.iter().map(|book| book.learned).sum();
            prop_assert_eq!(learned, connected - tally.effort.mirrored);
        }
    }
}

/// Two connections and a line of one at 90 a second, and 5 ms to wait: a third of the choices come to nothing, some refused
/// and some given up, and of each the policy hears. That it hears by `learn` of attempts alone is as it was.
#[test]
fn calls_without_a_connection_end_too() {
    let experiment = serde_json::json!({
        "name": "case",
        "traffic": {
            "arrivals": { "poisson": { "rate": "90/s" } },
            "classes": { "c": { "input": { "constant": 10 }, "output": { "constant": 10 }, "max_output": 20 } },
        },
        "providers": { "p": {
            "response": { "exponential": { "mean": "30ms" } }, "connections": 2, "line": 1,
            "prices": { "per_request": { "price": "$1" } },
        } },
        "client": { "timeouts": { "connection": "5ms", "attempt": "10s" } },
        "policies": [{ "name": "one", "policy": { "single": { "provider": "p" } } }],
        "plan": { "duration": "100s", "warmup": "0s" },
    });
    let loaded = from_text("case.json", &experiment.to_string()).unwrap();
    let mut plan = assemble(&loaded).unwrap();
    let (tally, books) = counted(&mut plan.scenarios[0], 1);
    let book = &books[0];
    assert_eq!(book.trouble, None);
    assert_eq!(
        (book.chosen, book.ended, book.open),
        (tally.requests(), tally.requests(), 0)
    );
    let ended = |outcome: Outcome| book.by_outcome.get(&format!("{outcome:?}")).copied().unwrap_or(0);
    assert_eq!(ended(Outcome::Success), tally.ended(Outcome::Success));
    assert_eq!(ended(Outcome::Shed), tally.ended(Outcome::Shed));
    assert_eq!(ended(Outcome::QueueTimeout), tally.ended(Outcome::QueueTimeout));
    assert!(
        ended(Outcome::Shed) > 1000 && ended(Outcome::QueueTimeout) > 1000,
        "{book:?}"
    );
    assert_eq!(book.learned, tally.attempts());
}
