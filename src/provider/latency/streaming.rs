//! A streamed answer: time to first token, then tokens at a steady speed.
//!
//! Latency = network + TTFT + (input tokens − cached ones) / prefill + (output tokens − 1) / TPS, with TPS the decode
//! speed in tokens per second after the first token (as published rankings of TTFT and TPS have it), and prefill the
//! speed at which the prompt is read, if one is given (llm-d-inference-sim's `per-token` calculator has the same form:
//! `prefill-overhead` and `prefill-time-per-token`). TTFT and speed are drawn independently for each attempt: over 16
//! series measured at public providers in 2023 their rank correlation lay between −0.44 and 0.23 (llmperf-leaderboard).
//! The effect of load on either belongs to [`crate::provider::load`].

use super::{Latency, Service, Start, nanos};
use crate::kernel::chance::{Key, Purpose};
use crate::kernel::sampler::Sampler;
use crate::kernel::time::Span;
use crate::words::Ask;

/// The laws of TTFT, decode speed and network overhead.
#[derive(Clone, Debug)]
pub struct Streaming {
    /// Time to first token at the provider, in nanoseconds.
    pub ttft: Sampler,
    /// Time to first token that each input token outside the cache adds, in nanoseconds.
    pub prefill: f64,
    /// Decode speed, in tokens per second.
    pub tps: Sampler,
    /// Network overhead, added once to every answer, in nanoseconds.
    pub network: Sampler,
}

impl Latency for Streaming {
    #[inline]
    fn serve(&mut self, start: &Start<'_>, ask: &Ask, key: Key) -> Service {
        let weather = &start.weather;
        let unread = f64::from(ask.input.saturating_sub(ask.cached));
        let network = self.network.draw(key, Purpose::Network);
        let first =
            (self.ttft.draw(key, Purpose::Ttft) + unread * self.prefill) * weather.ttft + weather.delay + network;
        let decode = f64::from(ask.output.saturating_sub(1)) * 1e9 / (self.tps.draw(key, Purpose::Tps) * weather.speed);
        Service {
            first_token: nanos(first),
            last_token: nanos(first + decode),
        }
    }

    fn network(&self, key: Key) -> Span {
        nanos(self.network.draw(key, Purpose::Network))
    }

    fn fresh(&self) -> Box<dyn Latency> {
        Box::new(self.clone())
    }
}
