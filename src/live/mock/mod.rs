//! Modelled providers as a real OpenAI-compatible server: to rehearse a calibration, to load a real gateway, to try a client.
//!
//! What an answer is, and when, the simulator's own [`Endpoint`](crate::provider::endpoint::Endpoint) decides when the last
//! byte of a request has been read: the n-th request to a model draws what the n-th request of replication 0 would. From then
//! on every wait has an absolute deadline, so that nothing adds up. Time goes on as the clock does: quotas refill, outages and
//! regimes come when their time since the start has come.
//!
//! **Served**: `POST /v1/chat/completions` and `POST /v1/completions`, streamed or whole; `GET /v1/models` and one of them,
//! `GET /health`. HTTP/1.1 with keep-alive; the request's `model` says which of the models it is for. Any key is good.
//!
//! Further names of a model are [`Serving::aliases`]. What OpenAI has besides and this has no model of (embeddings, responses, images, …)
//! is refused with a 400 that says what is served.
//!
//! **Fields** that change nothing here are named in the header `x-simcap-ignored`, or refused by a server that is strict; what asks for
//! another form of answer (a forced tool call, JSON, log probabilities) is refused with a 400.
//!
//! **Tokens** are words: whatever stands between white space. The prompt's are the words of all messages. An answer has
//! `max_tokens` (or `max_completion_tokens`) of them; with [`Serving::output`] that law's draw, and no more than `max_tokens`;
//! with neither, 128. A chunk of a stream is one token, the first at the model's first-token time, the last at that of its
//! last, the others evenly between; the head of the answer and the role come in one write with the first token, so that a
//! client's time to first byte, and to first token, are the model's. Tokens that are due together are written together.
//!
//! **Failures** are what a client would see of the outcome: a status with OpenAI's `{"error": …}`, a 429 with
//! `retry-after` or `retry-after-ms` (as the provider words it); a connection that is closed without an answer; a
//! stream that breaks off; and for what only a timeout ends, nothing at all until the caller has gone. A provider that
//! cannot be reached is one of those: on loopback a connection always comes about. Where the model has quotas, answers
//! carry `x-ratelimit-{limit, remaining, reset}-{requests, tokens}`.
//!
//! **A caller that hangs up**, or closes its side of the connection, is noticed when the server waits for it or writes
//! to it, and leaves the endpoint as an attempt that is called off does in the simulator: its place in a concurrency
//! quota is free; in a `load` of the model, which decides on arrival, it is taken to have stayed.
//!
//! **Users**, for prompt caches that remember them, are identified by `prompt_cache_key`, else `user`, else the first
//! 256 words of the prompt (OpenAI routes by a hash of about the first 256 tokens and that key: prompt-caching guide,
//! 2026).
//!
//! There is one thread for each connection: `std::thread::sleep` wakes within the kernel's timer slack of 50 µs, where
//! the timers of async runtimes have a granularity of a millisecond.

mod answer;
mod body;
mod connection;
mod fields;
mod fleet;
mod http;
mod problem;
mod rate_headers;
mod server;
mod source;
mod wire;
mod words;

pub use server::{Server, Serving, Stop, Summary};
pub use source::{Providers, SourceError, from_experiment, from_models, output_law};
