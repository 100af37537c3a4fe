//! Independent failures: each attempt fails with the same probability.
//!
//! The simplest reading of a published "error rate 0.08 %". Real errors come in clusters, which this leaves out.
//!
//! ```json
//! { "random": { "server_error": 0.0008, "hang": "0.01%" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildFault, Failure, Fault};
use crate::kernel::chance::{Key, Purpose, threshold};
use crate::kernel::time::Time;
use crate::request::Outcome;
use crate::spec::build::{Built, Refusal};
use crate::spec::units::Fraction;

/// Failures that strike each attempt alike.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Random {
    /// Probability of a 5xx when the first token was due.
    #[serde(default)]
    pub server_error: Fraction,
    /// Probability that no answer comes at all.
    #[serde(default)]
    pub hang: Fraction,
}

impl BuildFault for Random {
    fn build(&self) -> Built<Box<dyn Fault>> {
        let (error, hang) = (self.server_error.get(), self.hang.get());
        if error + hang > 1.0 + 1e-9 {
            return Err(Refusal::new(format!(
                "the probabilities add up to {}, more than 1",
                error + hang
            )));
        }
        Ok(Box::new(Running {
            errors_below: threshold(error),
            hangs_below: threshold(error + hang),
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    errors_below: u64,
    hangs_below: u64,
}

impl Fault for Running {
    #[inline]
    fn strike(&mut self, _now: Time, _load: u32, key: Key) -> Option<Failure> {
        let draw = key.draw(Purpose::Fault);
        if draw >= self.hangs_below {
            None
        } else if draw < self.errors_below {
            Some(Failure::Failed(Outcome::ServerError))
        } else {
            Some(Failure::Hang)
        }
    }

    fn may_hang(&self) -> bool {
        self.hangs_below > self.errors_below
    }

    fn fresh(&self, _own: Key) -> Box<dyn Fault> {
        Box::new(self.clone())
    }
}
