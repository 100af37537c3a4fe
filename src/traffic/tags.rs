//! Tags of the traffic: what requests say of where they come from, apart from their class: a team, a tenant, a key.
//!
//! Each tag has values with shares. Where the traffic has users, a tag is the user's: it is drawn once for each user in a
//! replication, and every request of that user carries it, so that the shares are shares of users. Otherwise each request draws its
//! own, and the shares are of requests. The draws have a purpose of their own and one part a tag, so that a tag changes nothing else
//! and no other tag.
//!
//! The rows of a replayed trace may say a tag's value of each request ([`super::kept`]), which then is not drawn.
//!
//! Named streams make a tag of themselves, `stream`, and may have tags of their own: what one of them has, each has, so that every
//! request carries it.
//!
//! Left out: values that hang on the class or on one another; give those to the class as `tags` of its own.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::stream::Mark;
use crate::form::build::{Built, Refusal, Tagged};
use crate::form::named::Named;
use crate::kernel::chance::{Chance, Key, Purpose, threshold};

/// The place of tags among what runs independently of requests ([`Chance::surroundings`]).
const OF_TAGS: u64 = 5;

/// The most values of one tag.
const MOST_VALUES: usize = 10_000;

/// The most combinations of the values of all tags.
const MOST_COMBINATIONS: u64 = 1_000_000;

/// The tag that a named stream is.
pub const STREAM: &str = "stream";

/// The tags that each request of a stream carries, with the shares of their values: `"search"`, or `{ "search": 3, "chat": 1 }`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Shares(#[schemars(schema_with = "shares_schema")] Named<f64>);

fn shares_schema(generator: &mut SchemaGenerator) -> Schema {
    let shares = generator.subschema_for::<Named<f64>>();
    json_schema!({ "anyOf": [{ "type": "string" }, shares] })
}

impl<'de> Deserialize<'de> for Shares {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Shares, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Shares;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, or an object of values and their shares")
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Shares, E> {
                Ok(Shares([(value.to_owned(), 1.0)].into_iter().collect()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Shares, A::Error> {
                Named::deserialize(MapAccessDeserializer::new(map)).map(Shares)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// What a stream says of tags.
#[derive(Clone, Copy, Debug)]
pub struct OfStream<'a> {
    /// The name and the mark of the stream; `None` in traffic without named streams.
    pub named: Option<(&'a str, Mark)>,
    /// The tags of its own.
    pub own: &'a Named<Shares>,
    /// The tags that the rows of its trace say, with their values.
    pub kept: &'a [(String, Vec<String>)],
    /// Whether it has users, whose the tags are then.
    pub of_users: bool,
}

/// The tags of one scenario's traffic.
#[derive(Clone, Debug)]
pub struct Tags {
    /// The tags: that of the streams if they have names, those of all traffic, those of the streams' own.
    pub named: Vec<Tagged>,
    streams: Vec<Picks>,
}

/// How the requests of one stream come by their tags.
#[derive(Clone, Debug)]
struct Picks {
    mark: Option<Mark>,
    of_users: bool,
    /// The tags that all its requests have.
    always: u32,
    drawn: Vec<Pick>,
}

/// How a tag is drawn.
#[derive(Clone, Debug)]
struct Pick {
    part: u64,
    /// The draws at which its values end, the last of them `u64::MAX`, and what each value adds to the number of all tags.
    up_to: Vec<u64>,
    adds: Vec<u32>,
}

impl Tags {
    /// Checks the shares of each value of each tag, those of all traffic and those of the `streams`.
    ///
    /// # Errors
    /// If a tag has no values, too many, or one whose share is not above 0; if all together have too many combinations; or if a stream
    /// lacks a tag that another has, or has one of all traffic.
    pub fn build(all: &Named<Named<f64>>, streams: &[OfStream<'_>]) -> Built<Option<Tags>> {
        let names: Vec<&str> = streams.iter().filter_map(|of| Some(of.named?.0)).collect();
        let mut built = Tags {
            named: Vec::new(),
            streams: (streams.iter())
                .map(|of| Picks {
                    mark: of.named.map(|(_, mark)| mark),
                    of_users: of.of_users,
                    always: 0,
                    drawn: Vec::new(),
                })
                .collect(),
        };
        if !names.is_empty() {
            built.add(STREAM, names.iter().map(|&name| name.to_owned()).collect())?;
            for (i, picks) in built.streams.iter_mut().enumerate() {
                picks.always = i as u32;
            }
        }
        for (i, (name, values)) in all.iter().enumerate() {
            let here = |r: Refusal| r.at(name).at("tags");
            if !names.is_empty() && name == STREAM {
                return Err(here(taken()));
            }
            let stride = built.add(name, values.names()).map_err(here)?;
            for picks in &mut built.streams {
                picks.draws(i as u64, stride, &values.names(), values).map_err(here)?;
            }
        }
        built.add_kept(all, streams)?;
        built.add_own(all, streams)?;
        Ok((!built.named.is_empty()).then_some(built))
    }

    /// Adds the tags that rows say where no stream has a name: those of the only one.
    fn add_kept(&mut self, all: &Named<Named<f64>>, streams: &[OfStream<'_>]) -> Built<()> {
        for (name, values) in streams.iter().filter(|of| of.named.is_none()).flat_map(|of| of.kept) {
            if all.get(name).is_some() {
                let text = format!("the rows say a tag `{name}`, and so has all traffic: give it in one place");
                return Err(of_row(Refusal::new(text).at(name.as_str())));
            }
            self.add(name, values.clone())
                .map_err(|r| of_row(r.at(name.as_str())))?;
        }
        Ok(())
    }

    /// Adds the tags of the streams' own.
    fn add_own(&mut self, all: &Named<Named<f64>>, streams: &[OfStream<'_>]) -> Built<()> {
        let mut own: Vec<(&str, &str)> = Vec::new();
        for (stream, of) in streams.iter().filter_map(|of| Some((of.named?.0, of))) {
            let kept = of.kept.iter().map(|(name, _)| (name.as_str(), true));
            for (name, is_kept) in of.own.iter().map(|(name, _)| (name, false)).chain(kept) {
                let here = |r: Refusal| match is_kept {
                    true => of_row(r.at(name)).at(stream).at("streams"),
                    false => r.at(name).at("tags").at(stream).at("streams"),
                };
                if name == STREAM {
                    return Err(here(taken()));
                }
                if all.get(name).is_some() {
                    let text = format!("the stream has a tag `{name}`, and so has all traffic: give it in one place");
                    return Err(here(Refusal::new(text)));
                }
                if is_kept && of.own.get(name).is_some() {
                    let text = format!("the rows say a tag `{name}`, and so does the stream: give it in one place");
                    return Err(here(Refusal::new(text)));
                }
                if own.iter().all(|(known, _)| *known != name) {
                    own.push((name, stream));
                }
            }
        }
        for (name, first) in own {
            let mut values: Vec<String> = Vec::new();
            for (stream, of) in streams.iter().filter_map(|of| Some((of.named?.0, of))) {
                let said = of.kept.iter().find(|(kept, _)| kept == name);
                let its = match (of.own.get(name), said) {
                    (Some(Shares(shares)), _) => shares.names(),
                    (None, Some((_, values))) => values.clone(),
                    (None, None) => {
                        let text = format!("`{first}` has a tag `{name}`, and this stream has none: give it to each");
                        return Err(Refusal::new(text).at(stream).at("streams"));
                    }
                };
                let new = its.into_iter().filter(|value| !values.contains(value));
                values.extend(new.collect::<Vec<_>>());
            }
            let stride = self
                .add(name, values.clone())
                .map_err(|r| r.at(name).at("tags").at(first).at("streams"))?;
            let part = 1 << 32 | u64::from(Mark::of(name).beyond_users());
            for (picks, of) in self.streams.iter_mut().zip(streams) {
                let Some((Shares(shares), (stream, _))) = of.own.get(name).zip(of.named) else {
                    continue;
                };
                let here = |r: Refusal| r.at(name).at("tags").at(stream).at("streams");
                picks.draws(part, stride, &values, shares).map_err(here)?;
            }
        }
        Ok(())
    }

    /// Adds a tag of these values, and returns its stride.
    fn add(&mut self, name: &str, values: Vec<String>) -> Built<u32> {
        if !(1..=MOST_VALUES).contains(&values.len()) {
            return Err(Refusal::new(format!(
                "{} values: must be 1 to {MOST_VALUES}",
                values.len()
            )));
        }
        let before = |tag: &Tagged| u64::from(tag.stride) * tag.values.len() as u64;
        let stride = self.named.last().map_or(1, before);
        if stride * values.len() as u64 > MOST_COMBINATIONS {
            return Err(Refusal::new(format!(
                "the values of the tags up to this one have more than {MOST_COMBINATIONS} combinations"
            )));
        }
        self.named.push(Tagged {
            name: name.to_owned(),
            values,
            stride: stride as u32,
        });
        Ok(stride as u32)
    }

    /// The number of the stream whose request has these `tags`, where streams have names.
    #[inline]
    pub fn first_of(&self, tags: u32) -> usize {
        self.named.first().map_or(0, |tag| tag.of(tags) as usize)
    }

    /// The values that request `key` of stream number `stream` and its `user` carries, in one number.
    #[inline]
    pub fn pick(&self, stream: usize, chance: Chance, key: Key, user: u32) -> u32 {
        let picks = &self.streams[stream];
        if picks.drawn.is_empty() {
            return picks.always;
        }
        picks.pick(chance, key, user)
    }
}

/// The refusal of a tag that rows say, at its place in the stream.
fn of_row(refusal: Refusal) -> Refusal {
    refusal.at("tags").at("keep").at("replay").at("arrivals")
}

/// The name of what streams are is taken.
fn taken() -> Refusal {
    Refusal::new(format!(
        "the tag `{STREAM}` is the name of the stream: call this one something else"
    ))
}

impl Picks {
    /// Draws a tag of these `values`, in proportion to `shares`.
    fn draws(&mut self, part: u64, stride: u32, values: &[String], shares: &Named<f64>) -> Built<()> {
        if shares.is_empty() {
            return Err(Refusal::new(format!("0 values: must be 1 to {MOST_VALUES}")));
        }
        for (value, &share) in shares.iter() {
            if !(share > 0.0 && share.is_finite()) {
                let text = format!("a share of {share}: must be above 0");
                return Err(Refusal::new(text).at(value));
            }
        }
        let place = |value: &str| values.iter().position(|known| known == value).unwrap_or(0) as u32;
        let adds: Vec<u32> = shares.iter().map(|(value, _)| stride * place(value)).collect();
        if let [only] = adds[..] {
            self.always += only;
            return Ok(());
        }
        let total: f64 = shares.iter().map(|(_, share)| share).sum();
        let mut sum = 0.0;
        let mut up_to: Vec<u64> = (shares.iter())
            .map(|(_, share)| {
                sum += share;
                threshold(sum / total)
            })
            .collect();
        if let Some(last) = up_to.last_mut() {
            *last = u64::MAX;
        }
        self.drawn.push(Pick { part, up_to, adds });
        Ok(())
    }

    fn pick(&self, chance: Chance, key: Key, user: u32) -> u32 {
        let own = if self.of_users {
            let number = u64::from(user) + 1;
            let number = self.mark.map_or(number, |mark| mark.user(user) + 1);
            chance.surroundings(OF_TAGS).part(number)
        } else {
            key
        };
        let one = |tag: &Pick| {
            let draw = own.part(tag.part).draw(Purpose::Tag);
            tag.adds[tag.up_to.partition_point(|&most| most < draw)]
        };
        self.always + self.drawn.iter().map(one).sum::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(json: &str, of_users: bool) -> Built<Option<Tags>> {
        let one = OfStream {
            named: None,
            own: &Named::default(),
            kept: &[],
            of_users,
        };
        Tags::build(&serde_json::from_str(json).unwrap(), &[one])
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
            count[tags.pick(0, chance, chance.request(id), 0) as usize] += 1.0 / n as f64;
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
        let of = |user: u32, id: u64| tags.pick(0, chance, chance.request(id), user);
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
