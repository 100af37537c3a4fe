//! An answer that comes whole: one law for the time it takes, whatever its length.
//!
//! For endpoints that do not stream, and for systems whose published figures are whole-request latencies (a published
//! load balancer states a "typical latency 45 ms"). With this law a provider behind a concurrency cap is the G of
//! M/G/c. The first token counts as arrived with the last.

use super::{Latency, Service, Start};
use crate::kernel::chance::{Key, Purpose};
use crate::kernel::sampler::Sampler;
use crate::kernel::time::Span;
use crate::words::Ask;

/// A law for the time to the whole answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// Time to the whole answer, in nanoseconds.
    pub time: Sampler,
}

impl Latency for Response {
    #[inline]
    fn serve(&mut self, start: &Start<'_>, _ask: &Ask, key: Key) -> Service {
        let whole = Span::from_nanos(
            (self.time.draw(key, Purpose::Ttft) * start.weather.ttft + start.weather.delay + 0.5) as u64,
        );
        Service {
            first_token: whole,
            last_token: whole,
        }
    }

    fn fresh(&self) -> Box<dyn Latency> {
        Box::new(self.clone())
    }
}
