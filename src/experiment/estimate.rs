//! What a plan will take, before it is run: requests, how many are in the system at once, memory and time.
//!
//! Little's law: the mean number in the system is the rate of arrivals times the mean time that a request stays. That time is the mean
//! of the providers' own answers, drawn a few hundred times with the lengths of the traffic and cut by the client's timeouts; what
//! serves at most N at once gets through N over that time in a second, and where more come the rest wait: until the plan is over, the
//! queue is full or their patience ends. Every provider is taken to be sent the same share. For the refusal all are taken to be as fast as
//! the fastest, so that no policy makes it wrong.
//!
//! Time is a figure of one core of 2024, and memory that of the engine's own arrays; both are good to a factor of two or
//! three. Left out: retries, hedges, failures, quotas, limiters, what load does to a speed, and bursts, which all change how many
//! are in the system. What those make of it is bounded while a run goes on ([`Halt::TooMany`](crate::engine::run::Halt)).

mod coming;

use crate::client::Timeouts;
use crate::engine::run::MOST_IN_SYSTEM;
use crate::engine::scenario::{Deployment, Scenario};
use crate::engine::series::BINS;
use crate::engine::world::World;
use crate::form::build::Refusal;
use crate::form::diagnose;
use crate::kernel::chance::Chance;
use crate::kernel::time::{Span, Time};
use crate::provider::faults::Weather;
use crate::provider::latency::Start;
use crate::provider::load::Servers;
use crate::traffic::Source;
use crate::traffic::rows::Rows;
use crate::words::Ask;

use super::assemble::Plan;
use super::file::Origin;
use super::load::Loaded;
use coming::Coming;

/// Requests that the mean of a provider is taken over, and the most of all providers together.
const DRAWN: usize = 400;
const ALL_DRAWN: usize = 100_000;

/// Seconds that a request takes, and more for each provider, because most policies look at each.
const SECONDS_A_REQUEST: f64 = 5e-7;
const SECONDS_A_PROVIDER: f64 = 5e-9;

/// Seconds that a script takes for a decision, and more for each provider.
const SECONDS_A_SCRIPT: f64 = 10e-6;
const SECONDS_A_SCRIPT_AND_PROVIDER: f64 = 2.5e-6;

/// How much more than its elements a growing array takes, on the average.
const GROWTH: f64 = 1.5;

/// Bytes of a tally for each class: three histograms.
const BYTES_A_CLASS: f64 = 20_000.0;

/// Bytes of a tally for each provider: its counts and its series.
const BYTES_A_PROVIDER: f64 = 300.0 + 8.0 * BINS as f64;

/// Memory above which a plan is warned of, in bytes; and time, in seconds.
const MUCH_MEMORY: f64 = 4e9;
const MUCH_TIME: f64 = 3600.0;

/// What a plan will take.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// The estimate of each policy, in the plan's order.
    pub policies: Vec<PolicyEstimate>,
    /// The number of replications of each policy.
    pub replications: u64,
    /// Replications that run at once.
    pub threads: u64,
    /// The memory of all threads together, in bytes.
    pub memory: f64,
    /// Seconds on one core.
    pub seconds: f64,
}

/// What one policy will take.
#[derive(Clone, Debug, PartialEq)]
pub struct PolicyEstimate {
    /// The name of the policy.
    pub name: String,
    /// Requests in a replication.
    pub requests: f64,
    /// Arrivals in a second.
    pub rate: f64,
    /// How long a request stays if nothing waits, in seconds.
    pub lasts: f64,
    /// Requests that can be served in a second; infinite without a bound.
    pub served: f64,
    /// Requests in the system at once, at the end if they grow.
    pub in_system: f64,
    /// Requests in the system at once if every provider were as fast as the fastest.
    pub at_least: f64,
    /// The most requests in the system at once that the plan allows.
    pub most: u64,
}

/// Estimates what `plan`, which is that of `loaded`, takes when `threads` replications run at once.
pub fn estimate(loaded: &Loaded, plan: &Plan, threads: u64) -> Estimate {
    let providers = plan.scenarios.first().map_or(0, |s| s.fleet.len());
    let classes = plan.scenarios.first().map_or(0, |s| s.traffic.classes.len());
    // The traffic is the same under every policy.
    let coming = plan
        .scenarios
        .first()
        .map_or_else(Coming::default, |s| Coming::of(loaded, s));
    let mut known = Vec::new();
    let policies: Vec<PolicyEstimate> = (plan.scenarios.iter())
        .map(|scenario| policy(scenario, &coming, &mut known))
        .collect();
    // Of each policy's own requests: a closed loop sends as many as its answers let it.
    let each = |(kind, of): (&String, &PolicyEstimate)| {
        let engine = SECONDS_A_REQUEST + providers as f64 * SECONDS_A_PROVIDER;
        let script = SECONDS_A_SCRIPT + providers as f64 * SECONDS_A_SCRIPT_AND_PROVIDER;
        of.requests
            * if kind.starts_with("script ") {
                engine + script
            } else {
                engine
            }
    };
    let seconds: f64 = plan.kinds.iter().zip(&policies).map(each).sum();
    let largest = (policies.iter().zip(&plan.scenarios))
        .map(|(p, scenario)| {
            let judging = if scenario.policy.wants().judges {
                World::bytes_of_judging()
            } else {
                0
            };
            p.in_system.min(p.most as f64) * (World::bytes_each() + judging) as f64
        })
        .fold(0.0, f64::max);
    let pairs = plan.replications as f64 * policies.len() as f64;
    let tally = classes as f64 * BYTES_A_CLASS + providers as f64 * BYTES_A_PROVIDER;
    let at_once = (threads as f64).min(pairs);
    let rows: usize = loaded.traces.values().map(Rows::in_memory).sum();
    let pairs_of: usize = loaded.pairs.values().map(|rows| size_of_val(&rows[..])).sum();
    let rows = rows + pairs_of + loaded.kept.values().map(|kept| kept.bytes()).sum::<usize>();
    Estimate {
        policies,
        replications: plan.replications,
        threads,
        memory: at_once * largest * GROWTH + (pairs + at_once) * tally + rows as f64,
        seconds: seconds * plan.replications as f64,
    }
}

impl Estimate {
    /// Refuses a plan of which some policy would have more requests in the system than the plan allows, however it chose.
    ///
    /// # Errors
    /// At the first such policy, at the rate of the arrivals.
    pub fn check(&self, loaded: &Loaded) -> Result<(), diagnose::Error> {
        let Some(policy) = self.policies.iter().find(|p| p.at_least > p.most as f64) else {
            return Ok(());
        };
        let text = format!(
            "{}: about {} requests would be in the system at once: {}. At most {} are simulated (`plan.max_in_system`, which may \
             be up to {})",
            policy.name,
            in_words(policy.at_least),
            policy.why(),
            in_words(policy.most as f64),
            in_words(MOST_IN_SYSTEM as f64),
        );
        let refusal = Refusal::new(text);
        let rate = |origin: &Origin<'_>| origin.arrivals.as_dyn().rate().unwrap_or(f64::INFINITY);
        let most = loaded
            .experiment
            .traffic
            .origins()
            .max_by(|a, b| rate(a).total_cmp(&rate(b)));
        let refusal = match most {
            Some(origin) => {
                let arrivals = origin.arrivals.as_dyn();
                let field = if arrivals.trace().is_some() {
                    "trace"
                } else {
                    arrivals.rate_field()
                };
                origin.at_arrivals(refusal.at(field))
            }
            None => refusal,
        };
        Err(refusal.at("traffic").error(&loaded.file, &loaded.text))
    }

    /// What is likely not meant, in sentences.
    pub fn warnings(&self) -> Vec<String> {
        let mut said: Vec<String> = (self.policies.iter())
            .filter(|p| p.in_system > p.most as f64)
            .map(|p| {
                format!(
                    "{}: about {} requests would be in the system at once if every provider were sent the same share: {}. With more \
                     than {} a replication ends without a result (`plan.max_in_system`)",
                    p.name,
                    in_words(p.in_system),
                    p.why(),
                    in_words(p.most as f64),
                )
            })
            .collect();
        if self.memory > MUCH_MEMORY {
            said.push(format!(
                "this takes about {:.0} GB of memory on {} threads",
                self.memory / 1e9,
                self.threads
            ));
        }
        if self.seconds > MUCH_TIME {
            said.push(format!("this takes about {:.1} h on one core", self.seconds / 3600.0));
        }
        said
    }
}

impl PolicyEstimate {
    /// Where its requests come from.
    fn why(&self) -> String {
        if self.rate > self.served {
            format!(
                "{} a second come and at most {} a second are served",
                in_words(self.rate),
                in_words(self.served)
            )
        } else {
            format!(
                "{} a second come, each for {}",
                in_words(self.rate),
                Span::from_seconds_f64(self.lasts)
            )
        }
    }
}

/// A number for people: two or three digits of it.
fn in_words(number: f64) -> String {
    match number {
        x if x < 10.0 => format!("{x:.2}").trim_end_matches('0').trim_end_matches('.').to_owned(),
        x if x < 1e4 => format!("{x:.0}"),
        x if x < 1e6 => format!("{:.0} thousand", x / 1e3),
        x if x < 1e9 => format!("{} million", in_words(x / 1e6)),
        x => format!("{} billion", in_words(x / 1e9)),
    }
}

/// What `scenario` takes with what is coming. `known` holds the mean and the shortest time of an answer for each client's timeouts that
/// have been met.
fn policy(scenario: &Scenario, coming: &Coming, known: &mut Vec<(Timeouts, f64, f64)>) -> PolicyEstimate {
    let timeouts = &scenario.client.timeouts;
    if !known.iter().any(|(of, ..)| of == timeouts) {
        let each = times(scenario);
        let mean = each.iter().sum::<f64>() / each.len().max(1) as f64;
        known.push((timeouts.clone(), mean, each.into_iter().fold(f64::INFINITY, f64::min)));
    }
    let found = known.iter().find(|(of, ..)| of == timeouts);
    let (mean, fastest) = found.map_or((0.0, 0.0), |&(_, mean, fastest)| (mean, fastest));
    let (requests, rate) = (coming.requests, coming.rate);
    let (in_system, served) = in_system(scenario, requests, rate, mean);
    let (at_least, _) = self::in_system(scenario, requests, rate, fastest);
    let mut estimate = PolicyEstimate {
        name: scenario.name.clone(),
        requests,
        rate,
        lasts: mean,
        served,
        in_system,
        at_least,
        most: scenario.max_in_system,
    };
    for &(users, most) in &coming.loops {
        add_loop(&mut estimate, scenario, users, most);
    }
    estimate
}

/// Adds `users` that wait for their answers, and would send `most` requests a second if answers took no time: at most N / (Z + R)
/// requests a second for N users that think for Z and wait for R, and no more than can be served beside what else comes (Denning
/// and Buzen, "The Operational Analysis of Queueing Network Models", 1978).
fn add_loop(to: &mut PolicyEstimate, scenario: &Scenario, users: f64, most: f64) {
    let think = users / most.max(1e-9);
    let unhindered = users / (think + to.lasts);
    let (_, served) = in_system(scenario, unhindered, unhindered, to.lasts);
    let rate = unhindered.min((served - to.rate).max(0.0));
    let in_system = (users - rate * think).clamp(0.0, users);
    to.requests += rate * scenario.window.end.seconds();
    to.rate += rate;
    to.served = served;
    to.in_system += in_system;
    to.at_least += in_system;
}

/// The mean time of an answer of each provider, in seconds, as long as the client waits.
fn times(scenario: &Scenario) -> Vec<f64> {
    let chance = Chance::new(0, 0);
    let mut source = Source::new(&scenario.traffic, chance, chance.surroundings(0));
    let mut ask = Ask::default();
    let mut asks = Vec::new();
    for _ in 0..(ALL_DRAWN / scenario.fleet.len().max(1)).clamp(1, DRAWN) {
        if source.next(&mut ask).is_none() {
            break;
        }
        asks.push(ask);
    }
    let timeouts = &scenario.client.timeouts;
    let mean = |(number, deployment): (usize, &Deployment)| {
        let mut latency = deployment.provider.latency.fresh();
        let one = |ask: &Ask| {
            let patience = timeouts.patience(ask, timeouts.total);
            let start = Start {
                now: Time::ZERO,
                wait: Span::ZERO,
                in_service: 0,
                weather: Weather::FAIR,
                network: Span::ZERO,
                patience: &patience,
            };
            let service = latency.serve(&start, ask, chance.request(ask.id).attempt(number as u64));
            let whole = service.last_token.min(patience.attempt).min(patience.total);
            if service.first_token > patience.ttft {
                whole.min(patience.ttft).seconds()
            } else {
                whole.seconds()
            }
        };
        asks.iter().map(one).sum::<f64>() / asks.len().max(1) as f64
    };
    scenario.fleet.iter().enumerate().map(mean).collect()
}

/// Requests in the system at once if each takes `lasts` seconds, and how many are served in a second at the most.
fn in_system(scenario: &Scenario, requests: f64, rate: f64, lasts: f64) -> (f64, f64) {
    let client = &scenario.client;
    let whole = scenario.window.end.seconds();
    let seconds = |span: Span| span.seconds().min(whole);
    let mut places = Vec::new();
    if client.max_in_flight != u32::MAX {
        let room = client.admission.capacity().map_or(f64::INFINITY, |n| n as f64);
        places.push((f64::from(client.max_in_flight), room, client.admission.max_wait()));
    }
    let connections = scenario.pools.iter().map(|pool| pool.connections);
    let bounded = connections.clone().all(|c| c.most != u32::MAX);
    if bounded {
        let most = connections.clone().map(|c| f64::from(c.most)).sum();
        let line = connections
            .map(|c| {
                if c.line == u32::MAX {
                    f64::INFINITY
                } else {
                    f64::from(c.line)
                }
            })
            .sum();
        places.push((most, line, client.pool_timeout));
    }
    let servers = scenario
        .fleet
        .iter()
        .map(|d| d.provider.load.iter().find_map(|l| l.servers()));
    if let Some(servers) = servers.collect::<Option<Vec<Servers>>>() {
        let most = servers.iter().map(|s| s.at_once as f64).sum();
        let line = servers.iter().map(|s| s.line.map_or(f64::INFINITY, |n| n as f64)).sum();
        // A caller whose attempt is cut short while it waits there is served no later.
        places.push((most, line, client.timeouts.attempt));
    }
    let served = places
        .iter()
        .map(|(most, ..)| most / lasts)
        .fold(f64::INFINITY, f64::min);
    let waiting = (rate - served).max(0.0);
    let grown = rate.min(served) * lasts.min(whole) + waiting * whole;
    let total = rate * seconds(client.timeouts.total);
    let bounds = places
        .iter()
        .map(|(most, room, wait)| most + room.min(waiting * seconds(*wait)));
    (bounds.fold(grown.min(total).min(requests), f64::min), served)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::assemble::assemble;
    use crate::experiment::load::from_text;

    /// The estimate of a plan of one hour at `rate`, with this provider and this client.
    fn estimated(rate: &str, provider: &str, client: &str) -> PolicyEstimate {
        let text = format!(
            r#"{{ "name": "x",
                "traffic": {{ "arrivals": {{ "poisson": {{ "rate": "{rate}" }} }},
                    "classes": {{ "c": {{ "input": {{ "constant": 100 }}, "output": {{ "constant": 51 }} }} }} }},
                "providers": {{ "p": {{ {provider}, "prices": {{ "per_request": {{ "price": "$0.001" }} }} }} }},
                "client": {{ {client} }},
                "policies": [{{ "name": "s", "policy": "round_robin" }}],
                "plan": {{ "duration": "1h", "replications": 2 }} }}"#
        );
        let loaded = from_text("x.json", &text).unwrap();
        let plan = assemble(&loaded).unwrap();
        estimate(&loaded, &plan, 2).policies[0].clone()
    }

    const HOUR: &str = r#""response": { "constant": "1h" }"#;
    const SECOND: &str = r#""response": { "constant": "1s" }"#;

    #[test]
    fn littles_law_without_a_bound() {
        let it = estimated(
            "100/s",
            r#""ttft": { "constant": "1s" }, "tps": { "constant": 50 }"#,
            "",
        );
        assert_eq!((it.requests, it.lasts, it.in_system), (360_000.0, 2.0, 200.0));
        assert_eq!(estimated("100k/s", HOUR, "").in_system, 3.6e8);
    }

    /// One user with answers of a second sends 3,600 requests in an hour.
    #[test]
    fn users_who_never_think_send_what_their_answers_let_them() {
        let text = r#"{ "name": "x",
            "traffic": { "arrivals": { "closed_loop": { "users": 1, "think": { "constant": "0s" } } },
                "classes": { "c": { "input": { "constant": 100 }, "output": { "constant": 51 } } } },
            "providers": { "p": { "response": { "constant": "1s" }, "prices": { "per_request": { "price": "$0" } } } },
            "policies": [{ "name": "s", "policy": "round_robin" }],
            "plan": { "duration": "1h", "warmup": "0s", "replications": 2 } }"#;
        let loaded = from_text("x.json", text).unwrap();
        let plan = assemble(&loaded).unwrap();
        let it = estimate(&loaded, &plan, 2);
        let expected = 2.0 * 3600.0 * (SECONDS_A_REQUEST + SECONDS_A_PROVIDER);
        assert!((it.seconds - expected).abs() < 1e-9, "{} for {expected}", it.seconds);
    }

    #[test]
    fn what_waits_grows_to_the_end_of_the_plan() {
        let it = estimated("100/s", SECOND, r#""max_in_flight": 40"#);
        assert_eq!((it.served, it.in_system), (40.0, 40.0 + 60.0 * 3600.0));
        let it = estimated(
            "100/s",
            r#""response": { "constant": "1s" }, "load": [{ "slots": { "servers": 90 } }]"#,
            "",
        );
        assert_eq!((it.served, it.in_system), (90.0, 90.0 + 10.0 * 3600.0));
    }

    #[test]
    fn queues_and_patience_bound_it() {
        let queue = r#""max_in_flight": 40, "admission": { "queue": { "capacity": 500 } }"#;
        assert_eq!(estimated("100/s", SECOND, queue).in_system, 540.0);
        let wait = r#""max_in_flight": 40, "admission": { "queue": { "max_wait": "10s" } }"#;
        assert_eq!(estimated("100/s", SECOND, wait).in_system, 640.0);
        let total = r#""max_in_flight": 40, "timeouts": { "total": "5s" }"#;
        assert_eq!(estimated("100/s", SECOND, total).in_system, 500.0);
        assert_eq!(
            estimated("100/s", HOUR, r#""timeouts": { "attempt": "30s" }"#).in_system,
            3000.0
        );
    }

    #[test]
    fn numbers_are_said_in_words() {
        let said = [0.5, 1.0, 72.4, 9999.0, 72_000.0, 3.6e8, 3.6e9].map(in_words);
        assert_eq!(
            said,
            ["0.5", "1", "72", "9999", "72 thousand", "360 million", "3.6 billion"]
        );
    }
}
