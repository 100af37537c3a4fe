//! simcap: try LLM routing strategies on simulated providers before production meets them.
//!
//! A discrete-event simulation of what happens between an application and several LLM providers: arrivals, the client's
//! queue, limiters, breakers, timeouts and retries, a routing policy, and providers that take time, refuse, fail and
//! bill. Policies meet the same requests (common random numbers), runs are replicated over seeds, and every figure comes
//! with its interval.
//!
//! ```text
//! traffic ──► admission ──► routing ──► connection ──► provider
//!    (what,     (queue,      (which      (pool of       (quota, fault,
//!    when)      limiter)     next)       each host)      latency, price)
//!                  ▲                                        │
//!                  └───────────── retry ◄── outcome ◄───────┘
//! ```
//!
//! From a file to a report:
//!
//! ```
//! use simcap::{Options, words::Metric};
//!
//! let report = simcap::run(r#"{
//!     "name": "two-servers",
//!     "traffic": {
//!         "arrivals": { "poisson": { "rate": "90/s" } },
//!         "classes": { "all": { "input": { "constant": 100 }, "output": { "constant": 50 } } }
//!     },
//!     "providers": { "server": {
//!         "response": { "exponential": { "mean": "20ms" } },
//!         "prices": { "per_request": { "price": "$0.001" } }
//!     } },
//!     "client": { "max_in_flight": 2 },
//!     "policies": [ { "name": "only", "policy": { "single": { "provider": "server" } } } ],
//!     "plan": { "duration": "80s", "warmup": "20s", "replications": 5 }
//! }"#, &Options::default())?;
//!
//! let e2e = report.policies[0].metrics.iter().find(|m| m.metric == Metric::E2E_MEAN).unwrap();
//! // M/M/2 at 90 %: 1/μ / (1 − ρ²) = 105 ms.
//! assert!((e2e.estimate.value - 0.105).abs() < 0.05);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A part of your own, like a [`routing::Policy`], is registered by your program under a name ([`form::own::OwnParts`]) for
//! files to use as `{ "own": { "name": "…" } }`: hand the registry to [`cli::Cli::run_with`] for the whole command line,
//! or put it into the [`own`](experiment::load::Loaded::own) of what was loaded. `examples/own_policy.rs` is such a program.
//!
//! In reading order: [`kernel`], [`words`], [`form`], [`traffic`], [`provider`], [`client`], [`routing`], [`engine`], [`stats`],
//! [`decide`], [`report`], [`experiment`], [`study`], [`import`], [`calibrate`], [`gateways`], and, with the feature of that name, `live`.

pub mod calibrate;
pub mod client;
pub mod decide;
pub mod engine;
pub mod experiment;
pub mod form;
pub mod gateways;
pub mod import;
pub mod kernel;
#[cfg(feature = "live")]
pub mod live;
pub mod provider;
pub mod report;
pub mod routing;
pub mod simulate;
pub mod stats;
pub mod study;
pub mod traffic;
pub mod words;

#[cfg(all(feature = "cli", feature = "plots"))]
pub mod cli;

pub use simulate::{Error, Options, run, run_file, run_loaded};
