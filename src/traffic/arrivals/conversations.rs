//! Conversations: people write, read the answer, think, and write again, and all that was said is sent along.
//!
//! Conversations begin as `starts` says and have `turns` turns. The first turn's input is the `system` prompt, the same for all, and a message
//! of its class's input law; each further one has what was said before it (`history`) and another message of that law. A turn follows the
//! end of the answer before it by a `think` time, so that slow answers stretch conversations; how many begin does not hang on them, which
//! sets this apart from `closed_loop`. A user that waits longer for a first token than its `patience` leaves after that answer; a turn that failed
//! is sent again as `after_failure` says, or the conversation has failed.
//!
//! Each conversation is a user of its own, for policies and prompt caches that remember users (`"returning": { "history": true }`), and all
//! its turns have one class. Turns are requests like any other; of whole conversations there are metrics of their own: `dialogue_time`,
//! `dialogue_failures`, `turns_per_dialogue`, `cost_per_dialogue`.
//!
//! A user that closes the window while it waits, whose request is then called off, is a class's `patience`. Left out: several
//! conversations of one person, and a length that changes with the number of the turn.
//!
//! ```json
//! { "conversations": { "starts": { "poisson": { "rate": "2/s" } }, "turns": { "mean": 4, "sd": 3 },
//!     "think": { "p50": "20s", "p95": "90s" }, "system": 800, "history": { "window": 16000 }, "patience": "10s",
//!     "after_failure": { "share": 0.7, "after": "5s" } } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dialogue::{self, AsksAgain, Between, History, Parts, of_dialogues};
use super::{Arrivals, ArrivalsSpec, BuildArrivals};
use crate::form::build::{Built, Names};
use crate::form::laws::LawSpec;
use crate::form::units::Duration;
use crate::traffic::rows::Rows;

/// Conversations of several turns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Conversations {
    /// When conversations begin: a process that goes by the clock, such as `poisson` or `profile`.
    pub starts: Box<ArrivalsSpec>,
    /// How many turns a conversation has, 1 to 1,024, if its user does not leave before.
    pub turns: LawSpec<f64>,
    /// The time from the end of an answer until the next turn: reading, thinking and writing.
    pub think: LawSpec<Duration>,
    /// Input tokens of the system prompt, which every turn begins with. Default: 0.
    #[serde(default)]
    pub system: u32,
    /// What is sent again of what was said before: `"whole"`, `"none"`, `{ "window": TOKENS }` or
    /// `{ "summary": { "above": TOKENS, "to": TOKENS } }`. Default: the whole.
    #[serde(default)]
    pub history: History,
    /// How long a user is willing to wait for the first token of an answer; after a longer wait it leaves with that answer. Default: for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patience: Option<LawSpec<Duration>>,
    /// Whether the user sends a turn again that failed. Default: it leaves, and the conversation has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_failure: Option<AsksAgain>,
}

impl BuildArrivals for Conversations {
    fn build(&self, _trace: Option<Rows>, names: &Names<'_>) -> Built<Box<dyn Arrivals>> {
        let patience = self.patience.as_ref().map(|law| law.sampler(names));
        let again = self.after_failure.as_ref().map(|again| again.build(names));
        let parts = Parts {
            turns: dialogue::turns(&self.turns, "turns", names)?,
            between: Between::Thinks(self.think.sampler(names).map_err(|r| r.at("think"))?),
            system: self.system,
            history: self.history,
            patience: patience.transpose().map_err(|r| r.at("patience"))?,
            again: again.transpose().map_err(|r| r.at("after_failure"))?,
        };
        parts.over(dialogue::starts(&self.starts, names)?)
    }

    of_dialogues!(Conversations, turns);
}
