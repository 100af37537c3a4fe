//! Prompts that come back: what a response cache can find again.
//!
//! Each request of a class with `prompts` has one of so many, the one of rank k in proportion to 1/k^skew, independently of its user
//! and of the requests before it. Two classes have no prompt in common. For a semantic cache, a prompt stands for all that mean the
//! same to it. Left out: that the same prompt has the same length (each request draws its own, as without prompts), popularity
//! that changes with time, and the repeats of a recorded trace, whose rows do not say which prompt they had.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ranks::Ranks;
use crate::form::build::Built;
use crate::form::units::Count;
use crate::kernel::chance::{Key, Purpose};

/// The different prompts of a class, and how unequal their shares are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromptsSpec {
    /// The number of different prompts, at most a million.
    #[schemars(extend("maximum" = 1_000_000))]
    pub count: Count,
    /// How unequal their shares are: the prompt of rank k is asked in proportion to 1/k^skew. From 0 to 5. Default: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 0, max = 5))]
    pub skew: f64,
}

fn one() -> f64 {
    1.0
}

impl PromptsSpec {
    /// Checks the figures and makes the prompts.
    ///
    /// # Errors
    /// If there are no prompts or too many, or the skew is out of range.
    pub fn build(&self) -> Built<Prompts> {
        Ranks::new(self.count, self.skew, "prompts").map(Prompts)
    }
}

/// The prompts of a class.
#[derive(Clone, Debug)]
pub struct Prompts(Ranks);

impl Prompts {
    /// The number of different prompts.
    pub fn count(&self) -> u32 {
        self.0.count()
    }

    /// The prompt of the request that `key` belongs to.
    #[inline]
    pub fn pick(&self, key: Key) -> u32 {
        self.0.at(key.draw(Purpose::Prompt))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::Chance;

    /// Zipf's law with 1/k: of three prompts 6, 3 and 2 of 11. Of 40,000 draws a share has a standard deviation below 0.0025.
    #[test]
    fn the_second_comes_half_as_often_as_the_first_by_default() {
        let prompts = serde_json::from_str::<PromptsSpec>(r#"{"count": 3}"#).unwrap();
        let prompts = prompts.build().unwrap();
        let mut asked = [0.0_f64; 3];
        for id in 0..40_000 {
            asked[prompts.pick(Chance::new(1, 0).request(id)) as usize] += 1.0 / 40_000.0;
        }
        for (share, expected) in asked.iter().zip([6.0 / 11.0, 3.0 / 11.0, 2.0 / 11.0]) {
            assert!((share - expected).abs() < 0.01, "{asked:?}");
        }
    }

    #[test]
    fn figures_out_of_range_are_refused() {
        let refused = |json| {
            serde_json::from_str::<PromptsSpec>(json)
                .unwrap()
                .build()
                .unwrap_err()
                .message
        };
        assert_eq!(
            refused(r#"{"count": 1000001}"#),
            "1000001 prompts: must be 1 to 1000000"
        );
        assert_eq!(refused(r#"{"count": 9, "skew": 6}"#), "a skew of 6: must be 0 to 5");
    }
}
