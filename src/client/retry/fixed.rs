//! A fixed back-off: one wait before every try, as in Polly's default (`tries` 4, `wait` "2s") and in most scripts.
//!
//! ```json
//! { "fixed": { "tries": 3, "wait": "1s", "on": [429, "5xx"] } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildRetry, Failed, HOPELESS, Next, Retry, Where, check_tries, listed};
use crate::client::view::Fleet;
use crate::form::build::{Built, Names};
use crate::form::outcomes::OutcomeList;
use crate::form::units::Duration;
use crate::kernel::chance::Key;
use crate::kernel::time::Span;
use crate::words::Outcomes;

/// A fixed back-off: every wait is equally long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fixed {
    /// The most attempts, the first included, from 1 to 100. Default: 3.
    #[schemars(range(min = 1, max = 100))]
    pub tries: u32,
    /// The wait after every failure. Default: 1s.
    pub wait: Duration,
    /// The outcomes that are tried again. Default: all that another try may mend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<OutcomeList>,
    /// The provider to which the next try goes. Default: `anew`.
    pub r#where: Where,
}

impl Default for Fixed {
    fn default() -> Fixed {
        Fixed {
            tries: 3,
            wait: Duration::from(Span::from_secs(1)),
            on: None,
            r#where: Where::Anew,
        }
    }
}

impl BuildRetry for Fixed {
    fn build(&self, _names: &Names<'_>) -> Built<Box<dyn Retry>> {
        check_tries(self.tries, "tries")?;
        self.r#where.check(self.tries)?;
        let on = match &self.on {
            Some(list) => Some(listed(list).map_err(|r| r.at("on"))?),
            None => None,
        };
        Ok(Box::new(Running {
            tries: self.tries,
            wait: self.wait.span(),
            on,
            to: self.r#where,
        }))
    }
}

#[derive(Clone, Copy, Debug)]
struct Running {
    tries: u32,
    wait: Span,
    on: Option<Outcomes>,
    to: Where,
}

impl Retry for Running {
    fn next(&mut self, failed: &Failed, _fleet: &Fleet<'_>, _key: Key, _memory: &mut u64) -> Next {
        let worth = match self.on {
            Some(on) => on.contains(failed.outcome),
            None => !HOPELESS.contains(failed.outcome),
        };
        if !worth || failed.attempts >= self.tries {
            return Next::STOP;
        }
        Next::Again {
            after: self.wait,
            to: self.to.of(failed.attempts, self.tries),
        }
    }

    fn fresh(&self) -> Box<dyn Retry> {
        Box::new(*self)
    }
}

#[cfg(test)]
mod tests {
    use crate::client::retry::testing::told;
    use crate::words::Outcome::{ContextExceeded, RateLimited, ServerError};

    #[test]
    fn every_wait_is_the_same_whatever_was_asked() {
        let failures = [(RateLimited, Some(9.0)), (ServerError, None), (ServerError, None)];
        assert_eq!(told(r#""fixed""#, &failures), ["1s anew", "1s anew", "stop"]);
        assert_eq!(told(r#""fixed""#, &[(ContextExceeded, None)]), ["stop"]);
        let listed = r#"{"fixed": {"on": [429], "wait": "20ms", "where": "same"}}"#;
        assert_eq!(told(listed, &failures), ["0.02s same", "stop", "stop"]);
    }
}
