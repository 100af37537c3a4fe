//! Limits of requests and tokens a minute, as the gateway's configuration has them (LiteLLM's
//! `enforce_model_rate_limits`).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildFilter, Filter};

use crate::form::build::{Built, Names};
use crate::form::named::Named;
use crate::form::units::Count;
use crate::kernel::time::Time;
use crate::routing::litellm::{MinuteLimits, Minutes};
use crate::routing::{Call, Fleet, Wants};
use crate::words::{Ended, Outcome};

/// Leaves out a provider whose limits of the minute another request would pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The requests a minute, by provider. Default: those of its quotas.
    pub rpm: Named<Count>,
    /// The tokens a minute, by provider. Default: those of its quotas.
    pub tpm: Named<Count>,
    /// Whether a provider that is not named takes them from its quotas. Default: true.
    pub from_quotas: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            rpm: Named::default(),
            tpm: Named::default(),
            from_quotas: true,
        }
    }
}

impl BuildFilter for Limits {
    fn build(&self, _order: &[usize], names: &Names<'_>) -> Built<Box<dyn Filter>> {
        let limits = MinuteLimits {
            rpm: self.rpm.clone(),
            tpm: self.tpm.clone(),
            from_quotas: self.from_quotas,
        };
        // Its paths begin with the field that it is elsewhere, which is this filter's name.
        let given = limits.given(names).map_err(|mut r| {
            r.path.remove(0);
            r
        })?;
        Ok(Box::new(Running(Minutes::new(given))))
    }
}

#[derive(Clone, Debug)]
struct Running(Minutes);

impl Filter for Running {
    fn sift(&mut self, left: &mut Vec<usize>, call: &Call, fleet: &Fleet<'_>) {
        self.0.turn(fleet.now());
        left.retain(|&p| self.0.has_room(p, call.input));
    }

    fn wants(&self) -> Wants {
        Wants::LEARNS
    }

    fn sent(&mut self, p: usize, now: Time) {
        self.0.turn(now);
        self.0.add_request(p);
    }

    fn learn(&mut self, ended: &Ended) {
        if ended.outcome == Outcome::Success {
            self.0.turn(ended.now);
            self.0.add_tokens(ended);
        }
    }

    fn fresh(&self) -> Box<dyn Filter> {
        Box::new(self.clone())
    }
}
