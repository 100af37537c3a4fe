//! The users behind the requests: a fixed number of them, some more active than others.
//!
//! The user of rank k asks with probability proportional to 1/k^skew (Zipf's law; 0 makes all alike). Users are numbered by
//! rank from 0. Requests of one user are independent of each other in everything else.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ranks::Ranks;
use crate::form::build::Built;
use crate::form::units::Count;
use crate::kernel::chance::{Key, Purpose};

/// The users that requests come from: people, tenants or conversations, whatever is to be kept together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsersSpec {
    /// The number of users, at most a million.
    #[schemars(extend("maximum" = 1_000_000))]
    pub count: Count,
    /// How unequal the users' shares are: the user of rank k makes requests in proportion to 1/k^skew. From 0 to 5.
    /// Default: 0, equal shares.
    #[serde(default)]
    #[schemars(range(min = 0, max = 5))]
    pub skew: f64,
}

impl UsersSpec {
    /// Checks the figures and makes the users.
    ///
    /// # Errors
    /// If there are no users or too many, or the skew is out of range.
    pub fn build(&self) -> Built<Users> {
        Ranks::new(self.count, self.skew, "users").map(Users)
    }
}

/// The users of one scenario's traffic.
#[derive(Clone, Debug)]
pub struct Users(Ranks);

impl Users {
    /// A single user.
    pub const fn one() -> Users {
        Users(Ranks::Alike(1))
    }

    /// The number of users.
    pub fn count(&self) -> u32 {
        self.0.count()
    }

    /// The user who makes the request that `key` belongs to.
    #[inline]
    pub fn pick(&self, key: Key) -> u32 {
        self.0.at(key.draw(Purpose::User))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::chance::Chance;

    fn users(json: &str) -> Built<Users> {
        serde_json::from_str::<UsersSpec>(json).unwrap().build()
    }

    fn shares(json: &str, n: u64) -> Vec<f64> {
        let users = users(json).unwrap();
        let mut asked = vec![0.0; users.count() as usize];
        for id in 0..n {
            asked[users.pick(Chance::new(1, 0).request(id)) as usize] += 1.0 / n as f64;
        }
        asked
    }

    /// Of 40,000 draws with probability 1/4 the standard deviation of a share is 0.0022.
    #[test]
    fn without_a_skew_all_are_alike() {
        for share in shares(r#"{"count": 4}"#, 40_000) {
            assert!((share - 0.25).abs() < 0.01, "{share}");
        }
    }

    #[test]
    fn with_a_skew_of_1_the_second_asks_half_as_often_as_the_first() {
        let shares = shares(r#"{"count": 3, "skew": 1}"#, 40_000);
        for (share, expected) in shares.iter().zip([6.0 / 11.0, 3.0 / 11.0, 2.0 / 11.0]) {
            assert!((share - expected).abs() < 0.01, "{shares:?}");
        }
    }

    #[test]
    fn figures_out_of_range_are_refused() {
        for (json, message) in [
            (r#"{"count": 2000000}"#, "2000000 users: must be 1 to 1000000"),
            (r#"{"count": 2, "skew": -1}"#, "a skew of -1: must be 0 to 5"),
        ] {
            assert_eq!(users(json).unwrap_err().message, message);
        }
    }
}
