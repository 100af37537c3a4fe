//! The parts that the strategies of LiteLLM's router share: its versions, and its counts of each minute.
//!
//! LiteLLM's `rpm` and `tpm` are what is written beside a deployment in the gateway's configuration. They are weights
//! and hints: nothing but the strategies here looks at them, and the provider's own quotas may differ. The minute is
//! that of the wall clock; a replication starts at a full one.
//!
//! Source: `litellm/router_strategy/*.py` (BerriAI/litellm).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::form::build::{Built, Names};
use crate::form::named::Named;
use crate::form::units::Count;
use crate::kernel::time::{Span, Time};
use crate::words::Ended;

/// The version of LiteLLM, where its rules have changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Version {
    /// The rules of 1.80 and older.
    #[serde(rename = "1.80")]
    V1_80,
    /// The rules of 1.109.
    #[default]
    #[serde(rename = "1.109")]
    V1_109,
}

/// The `rpm` and `tpm` of deployments, as the gateway's configuration has them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MinuteLimits {
    /// The requests a minute, by provider. Default: none given.
    #[serde(default)]
    pub rpm: Named<Count>,
    /// The tokens a minute, by provider. Default: none given.
    #[serde(default)]
    pub tpm: Named<Count>,
    /// Whether a provider that is not named takes them from its quotas, as if they had been copied into the
    /// configuration. Default: false.
    #[serde(default)]
    pub from_quotas: bool,
}

/// The limits that the configuration gives one provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Given {
    pub rpm: Option<u64>,
    pub tpm: Option<u64>,
}

impl MinuteLimits {
    /// The limits that are given for each provider.
    pub(super) fn given(&self, names: &Names<'_>) -> Built<Vec<Given>> {
        let mut given = vec![Given::default(); names.providers.len()];
        if self.from_quotas {
            for (given, known) in given.iter_mut().zip(names.known) {
                given.rpm = known.requests_per_minute;
                given.tpm = known.tokens_per_minute;
            }
        }
        for (name, rpm) in self.rpm.iter() {
            let provider = names.provider(name).map_err(|r| r.at(name).at("rpm").at("limits"))?;
            given[provider].rpm = Some(rpm.get());
        }
        for (name, tpm) in self.tpm.iter() {
            let provider = names.provider(name).map_err(|r| r.at(name).at("tpm").at("limits"))?;
            given[provider].tpm = Some(tpm.get());
        }
        Ok(given)
    }
}

/// The requests and tokens of each provider in the current minute.
#[derive(Clone, Debug)]
pub(super) struct Minutes {
    limits: Vec<Given>,
    minute: u64,
    requests: Vec<u64>,
    tokens: Vec<u64>,
}

const MINUTE: Span = Span::from_secs(60);

impl Minutes {
    pub(super) fn new(limits: Vec<Given>) -> Minutes {
        Minutes {
            minute: 0,
            requests: vec![0; limits.len()],
            tokens: vec![0; limits.len()],
            limits,
        }
    }

    /// Goes on to the minute of `now`. Returns whether it is a new one.
    #[inline]
    pub(super) fn turn(&mut self, now: Time) -> bool {
        let minute = now.nanos() / MINUTE.nanos();
        let new = minute != self.minute;
        if new {
            self.minute = minute;
            self.requests.fill(0);
            self.tokens.fill(0);
        }
        new
    }

    /// Forgets the requests and tokens of provider `p`.
    pub(super) fn forget(&mut self, p: usize) {
        self.requests[p] = 0;
        self.tokens[p] = 0;
    }

    #[inline]
    pub(super) fn add_request(&mut self, p: usize) {
        self.requests[p] += 1;
    }

    #[inline]
    pub(super) fn add_tokens(&mut self, ended: &Ended) {
        self.tokens[ended.provider] += u64::from(ended.usage.input) + u64::from(ended.usage.output);
    }

    #[inline]
    pub(super) fn tokens(&self, p: usize) -> u64 {
        self.tokens[p]
    }

    /// Whether `input` tokens more keep within `tpm`.
    #[inline]
    fn has_tokens(&self, p: usize, input: u32) -> bool {
        let limit = self.limits[p].tpm;
        limit.is_none_or(|tpm| self.tokens[p].saturating_add(u64::from(input)) <= tpm)
    }

    /// Whether one request more, of `input` tokens, keeps within both limits.
    #[inline]
    pub(super) fn has_room(&self, p: usize, input: u32) -> bool {
        self.has_tokens(p, input) && self.limits[p].rpm.is_none_or(|rpm| self.requests[p] < rpm)
    }

    /// Whether one request more keeps within both limits, with usage-based routing's slip: it keeps one short of `rpm`,
    /// and does not look at it before the minute's first request.
    #[inline]
    pub(super) fn has_room_but_one(&self, p: usize, input: u32) -> bool {
        let had = self.requests[p];
        let full = |rpm: u64| had > 0 && had + 1 >= rpm;
        self.has_tokens(p, input) && !self.limits[p].rpm.is_some_and(full)
    }
}
