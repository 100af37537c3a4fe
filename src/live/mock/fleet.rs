//! The running providers: what becomes of a request, and what it leaves behind.
//!
//! One lock holds them all: an answer is decided in less time than a lock takes to change hands, and accounts share
//! quotas between providers. The simulator's parts expect times that never go back, so a request that was read before
//! the latest one but decided after it gets the latest time.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::client::cut;
use crate::kernel::chance::{Chance, Purpose, hash};
use crate::kernel::sampler::Sampler;
use crate::kernel::time::{Span, Time};
use crate::provider::Provider;
use crate::provider::endpoint::{Answer, Endpoint, Quotas};
use crate::provider::latency::Patience;
use crate::provider::limits::Spent;
use crate::words::{Ask, Headers, Outcome, Usage};

use super::source::Providers;

/// The number of output tokens where the request does not determine it.
const USUAL_OUTPUT: u32 = 128;
/// The longest answer, in tokens: a whole one is built in memory.
pub(super) const MOST_OUTPUT: u32 = 1_000_000;
/// The number of users that are distinguished; all further ones count as one user.
const MOST_USERS: u32 = 1 << 20;
/// A caller whose timeouts are unknown.
const PATIENT: Patience = Patience {
    connect: Span::FOREVER,
    ttft: Span::FOREVER,
    idle: Span::FOREVER,
    attempt: Span::FOREVER,
    total: Span::FOREVER,
};

/// The size of a request, and its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The number of tokens in the prompt.
    pub(super) input: u32,
    /// The `max_tokens` that the request sends, if any.
    pub(super) max_output: Option<u32>,
    /// A hash that identifies the user.
    pub(super) who: u64,
}

/// A request under way, its end decided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempt {
    /// The number of the provider.
    pub(super) provider: usize,
    /// The request's number at the provider, and the salt of its answer's text.
    pub(super) ask: Ask,
    pub(super) salt: u64,
    /// Whether `max_tokens` shortened the output, or set its length.
    pub(super) is_cut: bool,
    pub(super) answer: Answer,
    pub(super) headers: Headers,
    /// When the last byte of the request was read: every wait counts from then.
    pub(super) read_at: Instant,
    since: Time,
}

/// The requests so far, by how they ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) outcomes: [u64; Outcome::COUNT],
    pub(super) under_way: u64,
    pub(super) input: u64,
    pub(super) output: u64,
}

#[derive(Debug)]
struct State {
    endpoints: Vec<Endpoint>,
    accounts: Vec<Quotas>,
    asked: Vec<u64>,
    users: BTreeMap<u64, u32>,
    latest: Time,
    counts: Counts,
}

/// The providers that are served, with their state.
#[derive(Debug)]
pub(super) struct Fleet {
    providers: Providers,
    names: Vec<String>,
    output: Option<Sampler>,
    seed: u64,
    began: Instant,
    state: Mutex<State>,
}

impl Fleet {
    /// The state of `providers` before the first request; their clock starts now.
    pub(super) fn new(providers: Providers, output: Option<Sampler>, seed: u64) -> Fleet {
        let weather = Chance::new(seed, 0).surroundings(0);
        let state = State {
            endpoints: (providers.deployments.iter().enumerate())
                .map(|(i, d)| Endpoint::new(&d.provider, weather.part(i as u64), None))
                .collect(),
            accounts: providers.accounts.iter().map(|a| Quotas::new(&a.limits)).collect(),
            asked: vec![0; providers.deployments.len()],
            users: BTreeMap::new(),
            latest: Time::ZERO,
            counts: Counts::default(),
        };
        Fleet {
            names: providers.names().map(str::to_owned).collect(),
            providers,
            output,
            seed,
            began: Instant::now(),
            state: Mutex::new(state),
        }
    }

    /// The names of the providers, in order.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Provider number `i`.
    pub(super) fn provider(&self, i: usize) -> &Provider {
        &self.providers.deployments[i].provider
    }

    /// The requests so far, by how they ended.
    pub(super) fn counts(&self) -> Counts {
        self.state().counts.clone()
    }

    // A panic in another thread leaves the state valid, because nothing in here panics.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn time(&self, at: Instant) -> Time {
        let nanos = at.saturating_duration_since(self.began).as_nanos();
        Time::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Decides what becomes of `wanted`, which was read from a caller of provider `p` at `read_at`.
    pub(super) fn begin(&self, p: usize, wanted: &Wanted, read_at: Instant) -> Attempt {
        let provider = self.provider(p);
        let mut state = self.state();
        let State {
            endpoints,
            accounts,
            asked,
            users,
            latest,
            counts,
        } = &mut *state;
        let now = self.time(read_at).max(*latest);
        *latest = now;
        let id = asked[p];
        asked[p] += 1;
        counts.under_way += 1;
        let key = Chance::new(self.seed, p as u64).request(id);
        let most = wanted.max_output.unwrap_or(u32::MAX);
        let (output, is_cut) = match &self.output {
            Some(law) => {
                let drawn = law.count(key, Purpose::Output, 1).min(MOST_OUTPUT);
                (drawn.min(most), drawn > most)
            }
            None => (wanted.max_output.unwrap_or(USUAL_OUTPUT), wanted.max_output.is_some()),
        };
        let known = u32::try_from(users.len()).unwrap_or(u32::MAX);
        let user = match known {
            ..MOST_USERS => *users.entry(wanted.who).or_insert(known),
            _ => *users.get(&wanted.who).unwrap_or(&MOST_USERS),
        };
        let ask = Ask {
            id,
            class: 0,
            user,
            priority: 1,
            input: wanted.input,
            output,
            max_output: wanted.max_output,
            cached: 0,
            tags: 0,
            resent: 0,
        };
        let mut answer = Answer::NOTHING;
        let endpoint = &mut endpoints[p];
        let mut account = provider.account.map(|a| &mut accounts[a]);
        endpoint.answer(provider, account.as_deref_mut(), now, &ask, &PATIENT, key, &mut answer);
        endpoint.stay(now, cut(&answer, &PATIENT, output).1);
        Attempt {
            provider: p,
            ask,
            salt: hash(id, self.seed ^ p as u64),
            is_cut,
            headers: endpoint.headers(account, now),
            answer,
            read_at,
            since: now,
        }
    }

    /// Ends `attempt` at `at` with `outcome`.
    pub(super) fn end(&self, attempt: &Attempt, outcome: Outcome, at: Instant) {
        let provider = self.provider(attempt.provider);
        let mut state = self.state();
        let State {
            endpoints,
            accounts,
            latest,
            counts,
            ..
        } = &mut *state;
        let now = self.time(at).max(*latest);
        *latest = now;
        let Attempt { ask, answer, since, .. } = attempt;
        let mut usage = Usage::default();
        if let Some(output) = answer.billed(outcome, now.since(*since), ask.output, provider.hung_up) {
            usage = Usage {
                input: ask.input,
                cached: answer.cached,
                written: answer.cache_written,
                output,
            };
        }
        if answer.admitted {
            let account = provider.account.map(|a| &mut accounts[a]);
            endpoints[attempt.provider].leave(account, now, || Spent {
                ask: Ask {
                    cached: answer.cached,
                    ..*ask
                },
                since: *since,
                usage,
            });
        }
        counts.under_way -= 1;
        counts.outcomes[outcome.index()] += 1;
        counts.input += u64::from(usage.input);
        counts.output += u64::from(usage.output);
    }
}

impl Attempt {
    /// The moment `span` after the request's last byte was read; `None` if that never comes.
    pub(super) fn due(&self, span: Span) -> Option<Instant> {
        if span == Span::FOREVER {
            return None;
        }
        self.read_at.checked_add(Duration::from_nanos(span.nanos()))
    }

    /// When token number `i` is due: the first at the first-token time, the others evenly up to the last.
    pub(super) fn token(&self, i: u32) -> Span {
        let Answer {
            first_token,
            last_token,
            ..
        } = self.answer;
        let gaps = u128::from(self.ask.output.max(2) - 1);
        let after = u128::from((last_token - first_token).nanos()) * u128::from(i) / gaps;
        first_token + Span::from_nanos(u64::try_from(after).unwrap_or(u64::MAX))
    }

    /// The number of tokens that are sent: all of them, or those before the answer breaks off.
    pub(super) fn tokens(&self) -> u32 {
        self.answer.written(self.ask.output, self.answer.stops)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::build::Names;
    use crate::form::laws::LawSpec;
    use crate::kernel::chance::Key;
    use crate::live::mock::source::from_models;

    fn fleet(output: Option<Sampler>, seed: u64) -> Fleet {
        let names = ["gpt-4.1".to_owned(), "deepseek-v3.2".to_owned()];
        Fleet::new(from_models(&names, None).unwrap(), output, seed)
    }

    const WANTED: Wanted = Wanted {
        input: 100,
        max_output: Some(40),
        who: 7,
    };

    /// The engine's own order of draws: the n-th request to the first model is request n of replication 0.
    #[test]
    fn an_answer_is_what_the_simulator_would_draw() {
        let fleet = fleet(None, 9);
        let provider = fleet.provider(0);
        let mut endpoint = Endpoint::new(provider, Key::NONE, None);
        for id in 0..50 {
            let attempt = fleet.begin(0, &WANTED, Instant::now());
            let mut expected = Answer::NOTHING;
            let key = Chance::new(9, 0).request(id);
            endpoint.answer(
                provider,
                None,
                attempt.since,
                &attempt.ask,
                &PATIENT,
                key,
                &mut expected,
            );
            assert_eq!(attempt.answer, expected, "request {id}");
        }
    }

    #[test]
    fn output_is_what_max_tokens_and_the_law_leave() {
        let law: LawSpec<f64> = LawSpec::always(50.0);
        let law = law.sampler(&Names::default()).unwrap();
        let output = |law: Option<Sampler>, max_output| {
            let attempt = fleet(law, 1).begin(0, &Wanted { max_output, ..WANTED }, Instant::now());
            (attempt.ask.output, attempt.is_cut)
        };
        assert_eq!(output(None, None), (128, false));
        assert_eq!(output(None, Some(7)), (7, true));
        assert_eq!(output(Some(law.clone()), None), (50, false));
        assert_eq!(output(Some(law.clone()), Some(50)), (50, false));
        assert_eq!(output(Some(law), Some(7)), (7, true));
    }

    #[test]
    fn tokens_are_evenly_spaced_from_the_first_to_the_last() {
        let mut attempt = fleet(None, 1).begin(0, &WANTED, Instant::now());
        attempt.ask.output = 5;
        attempt.answer.first_token = Span::from_millis(100);
        attempt.answer.last_token = Span::from_millis(300);
        let due: Vec<u64> = (0..5).map(|i| attempt.token(i).nanos() / 1_000_000).collect();
        assert_eq!(due, [100, 150, 200, 250, 300]);
        attempt.ask.output = 1;
        assert_eq!(attempt.token(0), Span::from_millis(100));
        assert_eq!(attempt.tokens(), 1);
    }

    /// A request read before another but decided after it: time stands still for it.
    #[test]
    fn the_endpoints_clock_never_goes_back() {
        let fleet = fleet(None, 1);
        let early = Instant::now();
        let late = early + Duration::from_secs(5);
        let second = fleet.begin(0, &WANTED, late);
        let first = fleet.begin(0, &WANTED, early);
        assert_eq!(first.since, second.since);
        fleet.end(&first, Outcome::Cancelled, early);
        fleet.end(&second, Outcome::Success, late);
        let counts = fleet.counts();
        assert_eq!((counts.under_way, counts.output), (0, 40));
    }
}
