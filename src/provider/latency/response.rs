//! An answer that comes whole: one law for the time it takes, whatever its length.
//!
//! For endpoints that do not stream, and for systems whose published figures are whole-request latencies (a published
//! load balancer states a "typical latency 45 ms"). With this law a provider behind a concurrency cap is the G of
//! M/G/c. The first token counts as arrived with the last. The law is of the time at the provider: the network comes on top, as it
//! does for a streamed answer, and neither weather nor load makes it longer.

use super::{Latency, Service, Start, nanos};
use crate::kernel::chance::{Key, Purpose};
use crate::kernel::sampler::Sampler;
use crate::kernel::time::Span;
use crate::words::Ask;

/// A law for the time to the whole answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// Time to the whole answer, in nanoseconds.
    pub time: Sampler,
    /// Network overhead, added once to every answer, in nanoseconds.
    pub network: Sampler,
}

impl Latency for Response {
    #[inline]
    fn serve(&mut self, start: &Start<'_>, _ask: &Ask, key: Key) -> Service {
        let network = self.network.draw(key, Purpose::Network);
        let whole = self.time.draw(key, Purpose::Ttft) * start.weather.ttft + start.weather.delay + network;
        let whole = nanos(whole);
        Service {
            first_token: whole,
            last_token: whole,
        }
    }

    fn network(&self, key: Key) -> Span {
        nanos(self.network.draw(key, Purpose::Network))
    }

    fn fresh(&self) -> Box<dyn Latency> {
        Box::new(self.clone())
    }
}
