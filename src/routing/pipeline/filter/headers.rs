//! A filter by what rate-limit headers last said.
//!
//! They tell of the moment at which the request was sent; answers that come in another order do not undo what a later
//! one said.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildFilter, Filter};

use crate::form::build::{Built, Names};
use crate::kernel::time::Time;
use crate::routing::{Call, Fleet, Wants};
use crate::words::{Ended, Headers, Left};

/// Leaves out a provider that has said that nothing is left, until its reset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeadersSay {}

impl BuildFilter for HeadersSay {
    fn build(&self, _order: &[usize], names: &Names<'_>) -> Built<Box<dyn Filter>> {
        Ok(Box::new(Running(vec![Said::default(); names.providers.len()])))
    }
}

/// The last headers of one provider: when its request was sent, and how many requests and tokens were left until when.
#[derive(Clone, Copy, Debug, Default)]
struct Said {
    sent: Time,
    requests: Option<(u64, Time)>,
    tokens: Option<(u64, Time)>,
}

#[derive(Clone, Debug)]
struct Running(Vec<Said>);

impl Filter for Running {
    fn sift(&mut self, left: &mut Vec<usize>, call: &Call, fleet: &Fleet<'_>) {
        let enough = |of: Option<(u64, Time)>, needed: u64| {
            of.is_none_or(|(remaining, reset)| remaining >= needed || fleet.now() >= reset)
        };
        left.retain(|&p| {
            let said = &self.0[p];
            enough(said.requests, 1) && enough(said.tokens, u64::from(call.input).max(1))
        });
    }

    fn wants(&self) -> Wants {
        Wants {
            headers: true,
            ..Wants::NOTHING
        }
    }

    fn read(&mut self, ended: &Ended, headers: &Headers) {
        let sent = Time::ZERO + ended.now.since(Time::ZERO + ended.took);
        let said = &mut self.0[ended.provider];
        if sent >= said.sent {
            let until = |left: Left| (left.remaining, sent + left.reset);
            *said = Said {
                sent,
                requests: headers.requests.map(until),
                tokens: headers.tokens.map(until),
            };
        }
    }

    fn fresh(&self) -> Box<dyn Filter> {
        Box::new(self.clone())
    }
}
