//! The client as it runs: admission, limiters, timeouts, retries and breaker. A timeout that is not given never ends.

use crate::client::{Client, Timeouts};
use crate::kernel::time::Span;
use crate::spec::build::Built;
use crate::spec::experiment::ClientSpec;
use crate::spec::units::Duration;

pub(super) fn client(spec: &ClientSpec) -> Built<Client> {
    let mut limiters = Vec::new();
    for (i, limiter) in spec.limiters.iter().enumerate() {
        limiters.push(
            limiter
                .as_dyn()
                .build()
                .map_err(|r| r.at(limiter.name()).at(i).at("limiters"))?,
        );
    }
    let or_forever = |d: Option<Duration>| d.map_or(Span::FOREVER, |d| d.span());
    Ok(Client {
        admission: spec
            .admission
            .as_dyn()
            .build()
            .map_err(|r| r.at(spec.admission.name()).at("admission"))?,
        limiters,
        max_in_flight: spec
            .max_in_flight
            .map_or(u32::MAX, |c| u32::try_from(c.get()).unwrap_or(u32::MAX)),
        timeouts: Timeouts {
            ttft: or_forever(spec.timeouts.ttft),
            attempt: or_forever(spec.timeouts.attempt),
            total: or_forever(spec.timeouts.total),
        },
        pool_timeout: or_forever(spec.timeouts.connection),
        retry: spec
            .retry
            .as_dyn()
            .build()
            .map_err(|r| r.at(spec.retry.name()).at("retry"))?,
        breaker: spec
            .breaker
            .as_dyn()
            .build()
            .map_err(|r| r.at(spec.breaker.name()).at("breaker"))?,
    })
}
