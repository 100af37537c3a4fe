//! Fewest tokens in flight: the provider with the least work of the client's own under way or in line, counted in tokens.
//!
//! Calls differ by orders of magnitude in what they ask for, so that a count of calls says little of the load they make. This
//! policy counts tokens instead: of each call its input and, if it is asked to, the output that the client must expect. A
//! call is counted from when it goes to a provider until it is over, whatever became of it; hedges, retries and mirrored
//! copies count like first tries. With `choices` it draws so many different providers that may be called and takes the one
//! with the fewest tokens among them (the power of d choices, by work); without, it looks at all. Draws among equals.
//!
//! Keeps the tokens under way and in line at each provider, for each gateway by itself.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `choices` | all that take part | 1 to 1,000,000 |
//! | `output` | `expected` | `expected`: the mean output of the class, at most its `max_output`; `max_tokens`: the `max_output` of the class, or the mean if it has none; `none`: only input counts |
//!
//! Sources: join the least workload (Daley 1987), with tokens for the work; the power of d choices: Mitzenmacher 1996.
//!
//! Known faults: a provider that fails fast looks idle and draws traffic. Tokens are not times: a provider twice as fast is not
//! given twice as many, and input that a prompt cache holds counts in full. Of a replayed trace no class has a mean, so that
//! without `max_output` only input counts.
//!
//! ```json
//! { "least_tokens_in_flight": { "providers": ["a", "b", "c"], "choices": 2 } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BuildPolicy, Call, Fleet, Members, Policy, Wants, lowest_drawn, taking_part};
use crate::form::build::{Asked, Built, Names, Refusal};
use crate::form::units::Count;
use crate::kernel::chance::{Purpose, index};
use crate::words::{Ended, Unit};

/// Fewest tokens under way or in line.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeastTokensInFlight {
    /// The providers that take part. Default: every provider.
    #[serde(default)]
    pub providers: Members,
    /// The number of providers to draw and compare, at most a million. Default: all that take part are compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maximum" = 1_000_000))]
    pub choices: Option<Count>,
    /// The output that is counted beside the input. Default: `expected`.
    #[serde(default)]
    pub output: CountedOutput,
}

/// The tokens that a call counts for its output, which is not known before it has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CountedOutput {
    /// The mean output of its class, at most the `max_output` that is sent along.
    #[default]
    Expected,
    /// The `max_output` that is sent along; the mean output of its class if none is.
    MaxTokens,
    /// No output: only input counts.
    None,
}

const MOST_CHOICES: u64 = 1_000_000;

/// What the policy goes by, as it tells the story of a request.
const TOKENS: &str = "tokens under way";

impl BuildPolicy for LeastTokensInFlight {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let order = taking_part(&self.providers, names)?;
        let choices = self.choices.map_or(MOST_CHOICES, Count::get);
        if choices > MOST_CHOICES {
            let text = format!("{choices} choices: must be 1 to {MOST_CHOICES}");
            return Err(Refusal::new(text).at("choices"));
        }
        let expected = |asked: &Asked| {
            let mean = asked.tokens.map_or(0.0, |(_, output)| output.min(f64::from(u32::MAX)));
            let mean = (mean + 0.5) as u32;
            match self.output {
                CountedOutput::Expected => mean.min(asked.max_output.unwrap_or(u32::MAX)),
                CountedOutput::MaxTokens => asked.max_output.unwrap_or(mean),
                CountedOutput::None => 0,
            }
        };
        Ok(Box::new(Running {
            choices: (choices as usize).min(order.len()),
            deck: order.clone(),
            order,
            output: names.asks.iter().map(expected).collect(),
            tokens: vec![0; names.providers.len()],
        }))
    }
}

#[derive(Clone, Debug)]
struct Running {
    order: Vec<usize>,
    /// The members of `order` in any order: those drawn are brought to its front.
    deck: Vec<usize>,
    choices: usize,
    /// The tokens that a call of each class counts for its output.
    output: Vec<u32>,
    /// The tokens under way or in line at each provider.
    tokens: Vec<u64>,
}

impl Running {
    /// The tokens that a call of `class` with `input` tokens counts.
    fn counts(&self, class: usize, input: u32) -> u64 {
        u64::from(input) + u64::from(self.output.get(class).copied().unwrap_or(0))
    }

    /// Draws as many of the open providers as `choices` says, every set equally likely, to the front of the deck;
    /// returns their number.
    fn draw(&mut self, call: &Call, fleet: &Fleet<'_>) -> usize {
        // The deck begins in one order each time: a draw must not depend on the draws before it.
        self.deck.clear();
        let open = self.order.iter().copied().filter(|&p| fleet.is_open_to_calls(p));
        self.deck.extend(open);
        let drawn = self.choices.min(self.deck.len());
        if drawn < self.deck.len() {
            for i in 0..drawn {
                let draw = call.attempt.part(i as u64 + 1).draw(Purpose::Route);
                let other = i + index(draw, self.deck.len() - i);
                self.deck.swap(i, other);
            }
        }
        drawn
    }
}

impl Policy for Running {
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        if self.choices == self.order.len() {
            let tokens = |p: usize| {
                fleet.tell(p, || (TOKENS, Unit::Number, self.tokens[p] as f64));
                fleet.is_open_to_calls(p).then(|| self.tokens[p])
            };
            return lowest_drawn(&self.order, call.draw(), tokens);
        }
        let drawn = self.draw(call, fleet);
        lowest_drawn(&self.deck[..drawn], call.draw(), |p| {
            fleet.tell(p, || (TOKENS, Unit::Number, self.tokens[p] as f64));
            Some(self.tokens[p])
        })
    }

    fn wants(&self) -> Wants {
        Wants::ENDS
    }

    fn sent(&mut self, call: &Call, provider: usize) {
        self.tokens[provider] += self.counts(call.class, call.input);
    }

    fn ended(&mut self, ended: &Ended) {
        self.tokens[ended.provider] -= self.counts(usize::from(ended.class), ended.input);
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::kernel::time::Time;
    use crate::words::Outcome;

    fn asks() -> [Asked; 2] {
        let class = |output, max_output| Asked {
            tokens: Some((100.0, output)),
            max_output,
            ..Asked::default()
        };
        [class(300.0, None), class(300.0, Some(200))]
    }

    fn asking(input: u32, class: usize) -> Call {
        Call {
            input,
            ..call(0, class)
        }
    }

    fn over(provider: usize, input: u32, class: u16) -> Ended {
        Ended {
            input,
            class,
            ..Ended::new(Time::ZERO, provider, Outcome::Cancelled)
        }
    }

    /// Counts 1,000 at `a` and 999 at `b`, with c closed; then a's call ends, and it is the lighter.
    #[test]
    fn the_fewest_tokens_win_until_their_call_is_over() {
        let mut policy = build_asking(r#"{"least_tokens_in_flight": {"output": "none"}}"#, &[], &asks()).unwrap();
        let hosts = hosts(&[2]);
        policy.sent(&asking(1000, 0), 0);
        policy.sent(&asking(500, 0), 1);
        policy.sent(&asking(499, 0), 1);
        assert_eq!(counts(&mut *policy, &hosts, 0, 100), [0, 100, 0, 0]);
        policy.ended(&over(0, 1000, 0));
        assert_eq!(counts(&mut *policy, &hosts, 0, 100), [100, 0, 0, 0]);
    }

    /// Against 450 of input alone at `b`: 100 and the mean of 300 are fewer, and so are 100 and a cap of 200; 100 and a mean of
    /// 400 would be more. Where the cap is what counts, a class without one counts its mean.
    #[test]
    fn output_counts_as_it_is_asked_for() {
        for (output, class, counted) in [
            ("expected", 0, 400),
            ("expected", 1, 300),
            ("max_tokens", 0, 400),
            ("max_tokens", 1, 300),
            ("none", 1, 100),
        ] {
            let json = format!(r#"{{"least_tokens_in_flight": {{"providers": ["a", "b"], "output": "{output}"}}}}"#);
            for (more, winner) in [(1, 0), (-1, 1)] {
                let mut policy = build_asking(&json, &[], &asks()).unwrap();
                policy.sent(&asking(100, class), 0);
                // No class 2 is known: it counts its input alone.
                policy.sent(&asking((counted + more) as u32, 2), 1);
                let chosen = choose_at(&mut *policy, &hosts(&[]), Time::ZERO);
                assert_eq!(chosen, Some(winner), "{output} {class}");
            }
        }
    }

    /// Of three, one heavier than the other: the heaviest of two drawn never wins, the lightest always does.
    #[test]
    fn of_two_drawn_at_random_the_lighter_takes_it() {
        let mut policy = policy(r#"{"least_tokens_in_flight": {"choices": 2}}"#);
        policy.sent(&asking(20, 0), 0);
        policy.sent(&asking(10, 0), 1);
        let [a, b, c, none] = counts(&mut *policy, &hosts(&[]), 0, 30_000);
        // Four standard deviations of a third of 30,000 are 327.
        assert!(
            a == 0 && none == 0 && b.abs_diff(10_000) < 327 && c.abs_diff(20_000) < 327,
            "{a} {b} {c}"
        );
        assert_eq!(counts(&mut *policy, &hosts(&[1, 2]), 0, 10), [10, 0, 0, 0]);
    }

    #[test]
    fn equals_share() {
        let mut policy = policy(r#""least_tokens_in_flight""#);
        let [a, b, c, none] = counts(&mut *policy, &hosts(&[]), 0, 30_000);
        assert!(
            [a, b, c].iter().all(|n| n.abs_diff(10_000) < 327) && none == 0,
            "{a} {b} {c}"
        );
    }

    #[test]
    fn too_many_choices_are_refused() {
        let (at, message) = refused(r#"{"least_tokens_in_flight": {"choices": 2000000}}"#);
        assert_eq!(
            (at.as_str(), message.as_str()),
            ("choices", "2000000 choices: must be 1 to 1000000")
        );
    }
}
