//! Continuous batching: every sequence in the batch makes each step longer.
//!
//! The time of a decode step is multiplied by a factor that depends on n, the attempts in service when this one begins, itself
//! included: a table of pairs [n, factor], joined by straight lines and constant outside. The time to the first token is
//! multiplied by a factor of its own, by default the same.
//!
//! That a step's time grows along a line with the number of sequences is what llm-d-inference-sim assumes
//! (`time-factor-under-load`: from 1 at one request to the factor at `max-num-seqs`, for decode and prefill alike; 1.5 to 2
//! realistic for latency-optimised deployments, 2.5 to 3.5 for throughput-optimised ones): `[[1, 1], [256, 2.5]]`. A table
//! also holds what a benchmark of a server at several concurrencies reports.
//!
//! The factor at the beginning is kept to the answer's end. With `slots` before it in the list the batch holds at most
//! that many (vLLM's `--max-num-seqs`), and attempts that wait are not counted; without, all attempts are in the batch
//! at once.
//!
//! ```json
//! { "batching": { "step": [[1, 1], [256, 2.5]], "ttft": [[1, 1], [256, 1.5]] } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildLoad, Load};
use crate::form::build::{Built, Names, Refusal};
use crate::kernel::time::Span;
use crate::provider::latency::{Service, Start};
use crate::words::Ask;

/// Service that slows down with the number of attempts in service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Batching {
    /// Factors on the time per output token after the first: pairs [in service, factor], from few in service to many;
    /// factors above 0 and at most a million.
    #[schemars(length(min = 1))]
    pub step: Vec<(u32, f64)>,
    /// Factors on the time to first token, network not included: pairs [in service, factor]. Default: those of `step`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub ttft: Option<Vec<(u32, f64)>>,
}

/// The largest factor accepted.
const MOST: f64 = 1e6;

impl BuildLoad for Batching {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Load>> {
        let step = Curve::new(&self.step).map_err(|r| r.at("step"))?;
        let ttft = match &self.ttft {
            Some(own) => Curve::new(own).map_err(|r| r.at("ttft"))?,
            None => step.clone(),
        };
        Ok(Box::new(Running { step, ttft }))
    }
}

/// A factor as a function of the number in service.
#[derive(Clone, Debug)]
struct Curve(Vec<(u32, f64)>);

impl Curve {
    fn new(knots: &[(u32, f64)]) -> Built<Curve> {
        if knots.is_empty() {
            return Err(Refusal::new("no pairs: give at least one, like [1, 1]"));
        }
        for (i, &(n, factor)) in knots.iter().enumerate() {
            if i > 0 && n <= knots[i - 1].0 {
                let text = format!(
                    "{n} in service after {}: must be more from pair to pair",
                    knots[i - 1].0
                );
                return Err(Refusal::new(text).at(i));
            }
            if !(factor > 0.0 && factor <= MOST) {
                let text = format!("a factor of {factor}: must be above 0 and at most {MOST}");
                return Err(Refusal::new(text).at(i));
            }
        }
        Ok(Curve(knots.to_vec()))
    }

    #[inline]
    fn at(&self, n: u32) -> f64 {
        let above = self.0.partition_point(|&(knot, _)| knot < n);
        match (self.0.get(above.wrapping_sub(1)), self.0.get(above)) {
            (Some(&(n0, f0)), Some(&(n1, f1))) => f0 + (f1 - f0) * f64::from(n - n0) / f64::from(n1 - n0),
            (Some(&(_, factor)), None) | (None, Some(&(_, factor))) => factor,
            (None, None) => 1.0,
        }
    }
}

#[derive(Clone, Debug)]
struct Running {
    step: Curve,
    ttft: Curve,
}

impl Load for Running {
    #[inline]
    fn slow(&mut self, start: &Start<'_>, service: Service, _ask: &Ask) -> Service {
        let n = start.in_service.saturating_add(1);
        let times = |span: Span, factor: f64| Span::from_nanos((span.nanos() as f64 * factor + 0.5) as u64);
        let decoding = service.last_token - service.first_token;
        let first_token = start.network + times(service.first_token - start.network, self.ttft.at(n));
        Service {
            first_token,
            last_token: first_token + times(decoding, self.step.at(n)),
        }
    }

    fn fresh(&self) -> Box<dyn Load> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::load::tests::{ALONE, SERVICE};

    /// First token after 1 s, of which 100 ms are network, the last 2 s later.
    fn slowed(spec: &str, in_service: u32) -> (u64, u64) {
        let spec: Batching = serde_json::from_str(spec).unwrap();
        let start = Start { in_service, ..ALONE };
        let service = spec
            .build(&Names::default())
            .unwrap()
            .slow(&start, SERVICE, &Ask::default());
        let millis = |span: Span| span.nanos() / 1_000_000;
        (
            millis(service.first_token),
            millis(service.last_token - service.first_token),
        )
    }

    #[test]
    fn the_factor_runs_along_the_lines_between_the_pairs() {
        let spec = r#"{ "step": [[1, 1], [11, 2], [21, 4]] }"#;
        for (others, first, decoding) in [
            (0, 1000, 2000),
            (5, 1450, 3000),
            (10, 1900, 4000),
            (15, 2800, 6000),
            (20, 3700, 8000),
            (500, 3700, 8000),
        ] {
            assert_eq!(slowed(spec, others), (first, decoding), "{others} others");
        }
    }

    #[test]
    fn the_first_token_may_have_factors_of_its_own() {
        let spec = r#"{ "step": [[5, 3]], "ttft": [[1, 1], [3, 2]] }"#;
        assert_eq!(slowed(spec, 0), (1000, 6000), "before the first pair its factor holds");
        assert_eq!(slowed(spec, 1), (1450, 6000));
    }
}
