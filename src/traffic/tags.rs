//! Tags of the traffic: what requests say of where they come from, apart from their class: a team, a tenant, a key.
//!
//! Each tag has values with shares. Where the traffic has users, a tag is the user's: it is drawn once for each user in a
//! replication, and every request of that user carries it, so that the shares are shares of users. Otherwise each request draws its
//! own, and the shares are of requests. The draws have a purpose of their own and one part a tag, so that a tag changes nothing else
//! and no other tag.
//!
//! Left out: values that hang on the class or on one another; give those to the class as `tags` of its own.

use crate::form::build::{Built, Refusal, Tagged};
use crate::form::named::Named;
use crate::kernel::chance::{Chance, Key, Purpose, threshold};

/// The place of tags among what runs independently of requests ([`Chance::surroundings`]).
const OF_TAGS: u64 = 5;

/// The most values of one tag.
const MOST_VALUES: usize = 10_000;

/// The most combinations of the values of all tags.
const MOST_COMBINATIONS: u64 = 1_000_000;

/// The tags of one scenario's traffic.
#[derive(Clone, Debug)]
pub struct Tags {
    /// The tags, in the file's order.
    pub named: Vec<Tagged>,
    /// By tag, the draws at which its values end; the last is `u64::MAX`.
    up_to: Vec<Vec<u64>>,
    /// Whether they belong to users.
    of_users: bool,
}

impl Tags {
    /// Checks the shares of each value of each tag; `of_users` says whether the traffic has users.
    ///
    /// # Errors
    /// If a tag has no values, too many, or one whose share is not above 0; or all together have too many combinations.
    pub fn build(spec: &Named<Named<f64>>, of_users: bool) -> Built<Option<Tags>> {
        let (mut named, mut up_to, mut combinations) = (Vec::new(), Vec::new(), 1u64);
        for (name, values) in spec.iter() {
            let here = |r: Refusal| r.at(name);
            if !(1..=MOST_VALUES).contains(&values.len()) {
                let text = format!("{} values: must be 1 to {MOST_VALUES}", values.len());
                return Err(here(Refusal::new(text)));
            }
            for (value, &share) in values.iter() {
                if !(share > 0.0 && share.is_finite()) {
                    let text = format!("a share of {share}: must be above 0");
                    return Err(here(Refusal::new(text).at(value)));
                }
            }
            let total: f64 = values.iter().map(|(_, share)| share).sum();
            let mut sum = 0.0;
            let mut ends: Vec<u64> = (values.iter())
                .map(|(_, share)| {
                    sum += share;
                    threshold(sum / total)
                })
                .collect();
            ends[values.len() - 1] = u64::MAX;
            named.push(Tagged {
                name: name.to_owned(),
                values: values.names(),
                stride: combinations as u32,
            });
            up_to.push(ends);
            combinations = combinations.saturating_mul(values.len() as u64);
            if combinations > MOST_COMBINATIONS {
                let text =
                    format!("the values of the tags up to this one have more than {MOST_COMBINATIONS} combinations");
                return Err(here(Refusal::new(text)));
            }
        }
        Ok((!named.is_empty()).then_some(Tags { named, up_to, of_users }))
    }

    /// The values that request `key` of `user` carries, in one number.
    pub fn pick(&self, chance: Chance, key: Key, user: u32) -> u32 {
        let own = if self.of_users {
            chance.surroundings(OF_TAGS).part(u64::from(user) + 1)
        } else {
            key
        };
        let mut all = 0;
        for (i, (tag, up_to)) in self.named.iter().zip(&self.up_to).enumerate() {
            let draw = own.part(i as u64).draw(Purpose::Tag);
            all += tag.stride * up_to.partition_point(|&most| most < draw) as u32;
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(json: &str, of_users: bool) -> Built<Option<Tags>> {
        Tags::build(&serde_json::from_str(json).unwrap(), of_users)
    }

    /// Of 40,000 draws with probability 0.6 the standard deviation of a share is 0.0025, and two tags are independent.
    #[test]
    fn shares_are_met_and_tags_are_independent() {
        let tags = tags(
            r#"{"team": {"search": 3, "chat": 2}, "region": {"eu": 1, "us": 1}}"#,
            false,
        )
        .unwrap()
        .unwrap();
        let (chance, n) = (Chance::new(1, 0), 40_000);
        let mut count = [0.0; 4];
        for id in 0..n {
            count[tags.pick(chance, chance.request(id), 0) as usize] += 1.0 / n as f64;
        }
        for (share, expected) in count.iter().zip([0.3, 0.2, 0.3, 0.2]) {
            assert!((share - expected).abs() < 0.01, "{count:?}");
        }
        assert_eq!([tags.named[0].of(1), tags.named[1].of(1)], [1, 0]);
        assert_eq!([tags.named[0].of(2), tags.named[1].of(2)], [0, 1]);
    }

    #[test]
    fn a_user_has_one_team_whatever_it_asks() {
        let tags = tags(r#"{"team": {"search": 1, "chat": 1}}"#, true).unwrap().unwrap();
        let chance = Chance::new(3, 1);
        let of = |user: u32, id: u64| tags.pick(chance, chance.request(id), user);
        assert!((0..50).all(|user| (0..20).all(|id| of(user, id) == of(user, 0))));
        assert!((0..50).any(|user| of(user, 0) != of(0, 0)));
    }

    #[test]
    fn shares_that_make_no_sense_are_refused() {
        for (json, message) in [
            (r#"{"team": {}}"#, "0 values: must be 1 to 10000"),
            (r#"{"team": {"a": 1, "b": 0}}"#, "a share of 0: must be above 0"),
        ] {
            assert_eq!(tags(json, false).unwrap_err().message, message);
        }
        assert!(tags("{}", false).unwrap().is_none());
    }
}
