//! A scheduled outage: between two moments attempts fail alike, before any quota is asked or charged.
//!
//! All of them, or a share, which is a brown-out. `after` says how long an answer takes to come back, `retry_after` what its
//! header asks for, as in `random`.
//!
//! Answers questions such as "what did fifteen minutes without this provider cost us", which a published article on
//! latency-based routing raises.
//!
//! ```json
//! { "outage": { "from": "30m", "for": "15m", "answer": "unavailable", "share": "80%", "retry_after": "30s" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::way::{Manner, Prepared};
use super::{BuildFault, Failure, Fault, Refused, Silence, Stretch, check_lasts};
use crate::form::build::{Built, Names, Refusal};
use crate::form::lasting::Lasting;
use crate::form::units::{Duration, Fraction};
use crate::kernel::chance::{Key, Purpose, threshold};
use crate::kernel::time::Time;
use crate::words::Outcome;

/// A stretch of time in which the provider does not work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// Start of the outage, in the plan's time: 0s is when counting begins.
    pub from: Duration,
    /// Length of the outage, above zero.
    #[serde(rename = "for")]
    pub lasts: Duration,
    /// The answer of the provider during the outage. Default: `refused`.
    #[serde(default)]
    pub answer: Answer,
    /// How long it takes until the answer is back. Default: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Lasting>,
    /// The Retry-After that comes with the answer. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Duration>,
    /// The share of attempts that it strikes, above 0. Default: 1.
    #[serde(default = "whole")]
    pub share: Fraction,
}

fn whole() -> Fraction {
    Fraction::ONE
}

/// The answer of a provider that is down or overloaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Answers with a 500 at once.
    #[default]
    Refused,
    /// Accepts the connection and never answers: only a timeout of the first token, the attempt or the request ends it.
    Hang,
    /// Answers with a 503 at once.
    Unavailable,
    /// Refuses or resets the connection at once.
    ConnectionError,
    /// Lets no connection come about: the connect timeout ends it, or any later one.
    Unreachable,
    /// Answers with a 529 at once.
    Overloaded,
    /// With a 429 at once.
    RateLimited,
}

impl Answer {
    /// The failure that this answer is for an attempt.
    pub(super) fn failure(self) -> Failure {
        let down = |outcome| Failure::Down(Refused::plain(outcome));
        match self {
            Answer::Refused => down(Outcome::ServerError),
            Answer::Hang => Failure::Silent,
            Answer::Unavailable => down(Outcome::Unavailable),
            Answer::ConnectionError => down(Outcome::ConnectionError),
            Answer::Unreachable => Failure::Unreachable,
            Answer::Overloaded => down(Outcome::Overloaded),
            Answer::RateLimited => down(Outcome::RateLimited),
        }
    }
}

impl Outage {
    /// An outage if everything fails and not by a 429; else the share that does.
    fn in_words(&self) -> String {
        let fails = match self.answer {
            Answer::RateLimited => "rate limited",
            Answer::Overloaded => "overloaded",
            Answer::Refused | Answer::Hang | Answer::Unavailable | Answer::ConnectionError | Answer::Unreachable => {
                "failing"
            }
        };
        match 100.0 * self.share.get() {
            _ if self.share == Fraction::ONE && fails == "failing" => "outage".into(),
            _ if self.share == Fraction::ONE => fails.into(),
            // No more digits than the file has, but for those of the arithmetic.
            percent => format!("{} % {fails}", (percent * 1e6).round() / 1e6),
        }
    }
}

impl BuildFault for Outage {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Fault>> {
        if self.share == Fraction::ZERO {
            return Err(Refusal::new("an outage of nothing: must be above 0").at("share"));
        }
        check_lasts(self.lasts, "an outage")?;
        let from = names.origin + self.from.span();
        Ok(Box::new(Running {
            from,
            until: from + self.lasts.span(),
            failure: Manner {
                after: self.after.clone(),
                retry_after: self.retry_after,
            }
            .of(self.answer.failure(), names)?,
            strikes_below: (self.share < Fraction::ONE).then(|| threshold(self.share.get())),
            what: self.in_words(),
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    from: Time,
    until: Time,
    failure: Prepared,
    /// Draws below this are struck; all, if it is absent.
    strikes_below: Option<u64>,
    /// What it is, in words.
    what: String,
}

impl Fault for Running {
    #[inline]
    fn strike(&mut self, now: Time, _load: u32, key: Key) -> Option<Failure> {
        if now < self.from || now >= self.until {
            return None;
        }
        let spared = self.strikes_below.is_some_and(|p| key.draw(Purpose::Fault) >= p);
        (!spared).then(|| self.failure.strike(key))
    }

    fn outage(&self) -> Option<(Time, Time)> {
        Some((self.from, self.until))
    }

    fn stretch(&self) -> Option<Stretch> {
        Some(Stretch {
            what: self.what.clone(),
            from: self.from,
            until: self.until,
        })
    }

    fn leaves(&self, silence: Silence) -> bool {
        self.failure.failure.silence() == Some(silence)
    }

    fn fresh(&self, _own: Key) -> Box<dyn Fault> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::Chance;
    use crate::kernel::time::Span;

    fn outage(rest: &str) -> Box<dyn Fault> {
        let spec: Outage = serde_json::from_str(&format!(r#"{{"from": "10s", "for": "5s"{rest}}}"#)).unwrap();
        spec.build(&Names::default()).unwrap()
    }

    fn at(secs: u64) -> Time {
        Time::from_nanos(secs * 1_000_000_000)
    }

    #[test]
    fn it_begins_and_ends_on_time() {
        let mut it = outage("");
        let struck: Vec<bool> = [0, 9, 10, 14, 15, 100]
            .map(|s| it.strike(at(s), 0, Chance::new(1, 0).request(s)).is_some())
            .into();
        assert_eq!(struck, [false, false, true, true, false, false]);
        assert_eq!(it.outage(), Some((at(10), at(15))));
    }

    #[test]
    fn each_answer_is_what_its_name_says() {
        let down = |outcome| Failure::Down(Refused::plain(outcome));
        let cases = [
            ("refused", down(Outcome::ServerError), None),
            ("hang", Failure::Silent, Some(Silence::Unanswered)),
            ("unavailable", down(Outcome::Unavailable), None),
            ("connection_error", down(Outcome::ConnectionError), None),
            ("unreachable", Failure::Unreachable, Some(Silence::Unreachable)),
            ("overloaded", down(Outcome::Overloaded), None),
            ("rate_limited", down(Outcome::RateLimited), None),
        ];
        for (answer, failure, silence) in cases {
            let mut it = outage(&format!(r#", "answer": "{answer}""#));
            let key = Chance::new(1, 0).request(0);
            assert_eq!(it.strike(at(12), 0, key), Some(failure), "{answer}");
            for kind in Silence::ALL {
                assert_eq!(it.leaves(kind), silence == Some(kind), "{answer}");
            }
        }
    }

    #[test]
    fn it_is_called_what_it_is() {
        for (rest, words) in [
            ("", "outage"),
            (r#", "answer": "hang""#, "outage"),
            (r#", "answer": "rate_limited""#, "rate limited"),
            (r#", "answer": "rate_limited", "share": "70%""#, "70 % rate limited"),
            (r#", "answer": "unavailable", "share": "12.5%""#, "12.5 % failing"),
        ] {
            assert_eq!(outage(rest).stretch().unwrap().what, words);
        }
    }

    #[test]
    fn an_answer_may_take_its_time_and_ask_for_some() {
        let mut it = outage(r#", "answer": "unavailable", "after": "2s", "retry_after": "30s""#);
        let expected = Failure::Down(Refused {
            outcome: Outcome::Unavailable,
            after: Some(Span::from_secs(2)),
            retry_after: Some(Span::from_secs(30)),
        });
        assert_eq!(it.strike(at(12), 0, Chance::new(1, 0).request(0)), Some(expected));
        let text = r#"{"from": "10s", "for": "5s", "answer": "hang", "retry_after": "3s"}"#;
        let silent: Outage = serde_json::from_str(text).unwrap();
        assert_eq!(
            silent.build(&Names::default()).unwrap_err().path,
            ["retry_after".into()]
        );
    }

    /// Four standard deviations of a share of 0.3 among 20,000 are 0.013.
    #[test]
    fn a_brown_out_strikes_its_share() {
        let mut it = outage(r#", "share": "30%""#);
        let struck = (0..20_000).filter(|&i| it.strike(at(12), 0, Chance::new(1, 0).request(i)).is_some());
        let share = struck.count() as f64 / 20_000.0;
        assert!((share - 0.3).abs() < 0.013, "{share}");
    }
}
