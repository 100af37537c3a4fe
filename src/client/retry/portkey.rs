//! The retries of Portkey's gateway (`src/handlers/retryHandler.ts`, with async-retry's waits): at one target, 1, 2, 4, 8, 16 s
//! without jitter, on 429, 500, 502, 503, 504 and a connection that fails. A timeout counts as 408, which is not among
//! them: it goes to the fallback at once.
//!
//! With `use_retry_after_header` a 429 waits for what Retry-After asks, and every wait from then on is nothing but what
//! Retry-After asks; one of 60 s or more, or one that with those before it exceeds 60 s, ends the tries.
//!
//! The package on npm (`version` `npm`, 1.15.2) lacks its repository's patch of async-retry: what should heed the header throws. Waits
//! stay 1, 2, 4, 8, 16 s, and a request whose last failure is a 429 with a Retry-After ends as a 500 (measured: 255 of 255), which
//! is also what a fallback goes by.
//!
//! ```json
//! { "portkey": { "attempts": 3, "use_retry_after_header": true } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildRetry, Failed, Next, Retry, To, grown, listed};
use crate::client::view::Fleet;
use crate::form::build::{Built, Names, Refusal};
use crate::form::outcomes::OutcomeList;
use crate::kernel::chance::Key;
use crate::kernel::time::Span;
use crate::words::{Outcome, Outcomes};

/// The retry rule of Portkey's gateway.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Portkey {
    /// The retries after the first attempt, at most 5. Default: 0.
    #[schemars(range(max = 5))]
    pub attempts: u32,
    /// The outcomes that are tried again, besides a connection that fails. Default: 429, 500, 502, 503 and 504.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_status_codes: Option<OutcomeList>,
    /// Whether a 429's Retry-After is heeded. Default: no.
    pub use_retry_after_header: bool,
    /// The build of the gateway, which decides what heeding the header does. Default: `repository`.
    #[serde(skip_serializing_if = "Build::is_repository")]
    pub version: Build,
}

/// The build of Portkey's gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Build {
    /// Built from the repository, with its patches: the hosted gateway and its image.
    #[default]
    Repository,
    /// The package `@portkey-ai/gateway` on npm, as of 1.15.2.
    Npm,
}

impl Build {
    fn is_repository(&self) -> bool {
        *self == Build::Repository
    }
}

/// The most retries that may be given.
const MOST: u32 = 5;
/// The longest Retry-After, alone and in sum.
const MOST_ASKED: Span = Span::from_secs(60);

const CODES: Outcomes = Outcomes::of(&[
    Outcome::RateLimited,
    Outcome::ServerError,
    Outcome::BadGateway,
    Outcome::Unavailable,
    Outcome::GatewayTimeout,
]);
const NETWORK: Outcomes = Outcomes::of(&[Outcome::ConnectionError]);

impl BuildRetry for Portkey {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Retry>> {
        if self.attempts > MOST {
            let text = format!("attempts is {}, and must not exceed {MOST}", self.attempts);
            return Err(Refusal::new(text).at("attempts"));
        }
        let codes = match &self.on_status_codes {
            // With an empty list, failures of the network are still tried again.
            Some(list) if list.is_empty() => Outcomes::NONE,
            Some(list) => listed(list).map_err(|r| r.at("on_status_codes"))?,
            None => CODES,
        };
        Ok(Box::new(Running {
            retries: self.attempts,
            on: codes.and(NETWORK),
            heeds: self.use_retry_after_header,
            throws: self.version == Build::Npm,
        }))
    }
}

#[derive(Clone, Copy, Debug)]
struct Running {
    retries: u32,
    on: Outcomes,
    heeds: bool,
    /// Whether to heed the header is an error of the gateway itself.
    throws: bool,
}

impl Retry for Running {
    /// Decides by the latest failure; `memory` holds what Retry-After has asked for so far.
    fn next(&mut self, failed: &Failed, _fleet: &Fleet<'_>, _key: Key, memory: &mut u64) -> Next {
        if !self.on.contains(failed.outcome) {
            return Next::STOP;
        }
        let asked_before = Span::from_nanos(*memory);
        let heeded = if self.heeds && failed.outcome == Outcome::RateLimited {
            failed.retry_after.filter(|&asked| asked > Span::ZERO)
        } else {
            None
        };
        if failed.attempts > self.retries {
            return Next::GiveUp {
                after: Span::ZERO,
                told: heeded.filter(|_| self.throws).map(|_| Outcome::ServerError),
            };
        }
        let after = match heeded.filter(|_| !self.throws) {
            Some(asked) if asked >= MOST_ASKED || asked > MOST_ASKED - asked_before => return Next::STOP,
            Some(asked) => {
                *memory = (asked_before + asked).nanos();
                asked
            }
            None if asked_before > Span::ZERO => Span::ZERO,
            None => grown(
                Span::from_secs(1),
                2.0,
                failed.attempts.saturating_sub(1),
                Span::FOREVER,
            ),
        };
        Next::Again { after, to: To::Same }
    }

    fn fresh(&self) -> Box<dyn Retry> {
        Box::new(*self)
    }
}

#[cfg(test)]
mod tests {
    use crate::client::retry::testing::told;
    use crate::words::Outcome::{
        self, Conflict, ConnectionError, NotFound, Overloaded, RateLimited, RequestTimeout, ServerError, TimeoutTtft,
        Unavailable,
    };

    #[test]
    fn waits_double_from_a_second_without_jitter() {
        let failures = [
            (ServerError, None),
            (RateLimited, Some(9.0)),
            (ConnectionError, None),
            (ServerError, None),
            (ServerError, None),
            (ServerError, None),
        ];
        assert_eq!(
            told(r#"{"portkey": {"attempts": 5}}"#, &failures),
            ["1s same", "2s same", "4s same", "8s same", "16s same", "stop"]
        );
        assert_eq!(told(r#""portkey""#, &failures[..1]), ["stop"]);
    }

    #[test]
    fn what_is_not_listed_goes_to_the_fallback() {
        let spec = r#"{"portkey": {"attempts": 5}}"#;
        for outcome in [TimeoutTtft, RequestTimeout] {
            assert_eq!(told(spec, &[(outcome, None)]), ["stop"], "{outcome:?}");
        }
        for outcome in Outcome::ALL {
            let Some(status @ 400..) = outcome.status() else {
                continue;
            };
            let retried = told(spec, &[(outcome, None)]) != ["stop"];
            assert_eq!(retried, matches!(status, 429 | 500 | 502 | 503 | 504), "{outcome:?}");
        }
        let asked = r#"{"portkey": {"attempts": 5, "on_status_codes": [404, 409]}}"#;
        assert_eq!(
            told(asked, &[(NotFound, None), (Conflict, None)]),
            ["1s same", "2s same"]
        );
        let listed = r#"{"portkey": {"attempts": 5, "on_status_codes": [529]}}"#;
        assert_eq!(
            told(listed, &[(Overloaded, None), (ServerError, None)]),
            ["1s same", "stop"]
        );
    }

    /// After the first wait that a header asked for, waits are what headers ask for, or nothing.
    #[test]
    fn a_retry_after_may_be_heeded_up_to_a_minute_in_all() {
        let spec = r#"{"portkey": {"attempts": 5, "use_retry_after_header": true}}"#;
        let asks = |asked: &[f64]| asked.iter().map(|&s| (RateLimited, Some(s))).collect::<Vec<_>>();
        assert_eq!(told(spec, &asks(&[20.0, 40.0, 1.0])), ["20s same", "40s same", "stop"]);
        assert_eq!(told(spec, &asks(&[59.0])), ["59s same"]);
        assert_eq!(told(spec, &asks(&[60.0])), ["stop"]);
        // Only a 429's: one that comes with a 503 is not read.
        assert_eq!(told(spec, &[(Unavailable, Some(9.0))]), ["1s same"]);
        let mixed: [(Outcome, Option<f64>); 4] = [
            (ServerError, None),
            (RateLimited, Some(3.0)),
            (ServerError, None),
            (RateLimited, None),
        ];
        assert_eq!(told(spec, &mixed), ["1s same", "3s same", "0s same", "0s same"]);
    }

    /// Measured on the package 1.15.2: waits of 1, 2, 4 s whatever the header asks, and a 500 in the place of the last 429.
    #[test]
    fn the_package_on_npm_throws_over_the_header() {
        let spec = r#"{"portkey": {"attempts": 3, "use_retry_after_header": true, "version": "npm"}}"#;
        let limited = [(RateLimited, Some(2.0)); 4];
        assert_eq!(
            told(spec, &limited),
            ["1s same", "2s same", "4s same", "stop as server_error"]
        );
        // Without the header nothing throws; nor does what is no 429.
        assert_eq!(told(spec, &[(RateLimited, None); 4])[3], "stop");
        assert_eq!(told(spec, &[(Unavailable, Some(2.0)); 4])[3], "stop");
        let unheeded = r#"{"portkey": {"attempts": 3, "version": "npm"}}"#;
        assert_eq!(told(unheeded, &limited)[3], "stop");
        // It throws at the only attempt too.
        let once = r#"{"portkey": {"use_retry_after_header": true, "version": "npm"}}"#;
        assert_eq!(told(once, &limited[..1]), ["stop as server_error"]);
    }
}
