//! Portkey's conditional strategy: the first condition that a request meets says which policy it goes by.
//!
//! Conditions are asked in order; the first whose `when` is met has its `then`. If none is, `default` has it; without a default
//! the request fails. `when` is an object of fields, all of which must be met: a plain value must be equal, an object holds
//! operators, all of which must be met. `$and` and `$or` hold lists of such objects.
//!
//! - Fields: `metadata.NAME` (the tag NAME of the request's class), `params.max_tokens` (its `max_output`), and beyond
//!   Portkey's `class` (its name), `input` (its tokens), `user` (its number) and `priority`.
//! - `$eq`, `$ne`, `$in`, `$nin` compare strictly: the tag "5" is not the number 5. What is missing equals nothing, so that `$ne`
//!   and `$nin` are met.
//! - `$gt`, `$gte`, `$lt`, `$lte` compare numbers, and read text as far as it is one: "12 seats" is 12. What is missing
//!   or not a number meets none.
//! - `$regex` looks for a match anywhere in the text.
//!
//! As published `$or` and `$and` end their object: fields after them are not looked at. So does `$regex` with the operators
//! after it, and a tag that is missing is to `$regex` the text `undefined`. `mended`: everything is looked at, and what is
//! missing matches no `$regex`.
//!
//! What hangs on the class alone is worked out beforehand. A request keeps its branch for all its attempts. Keeps nothing
//! itself.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `conditions[].when` | required | as above |
//! | `conditions[].then` | required | a policy |
//! | `default` | none | a policy |
//! | `mended` | false | |
//!
//! Source: Portkey-AI/gateway, `src/services/conditionalRouter.ts` (0b982cb), whose `query` is `when` here. Left out: `$length` and
//! `url.pathname`, of which a simulated request has nothing; lookaround and backreferences in a `$regex`.
//!
//! Known faults: as published, those above; and a branch is not a fallback: with its providers down the request fails.
//!
//! ```json
//! { "conditional": {
//!     "conditions": [
//!         { "when": { "metadata.plan": { "$in": ["pro", "team"] }, "input": { "$lt": 8000 } }, "then": { "single": { "provider": "large" } } },
//!         { "when": { "$or": [ { "metadata.region": "eu" }, { "params.max_tokens": { "$lte": 100 } } ] }, "then": "p2c" } ],
//!     "default": { "single": { "provider": "small" } } } }
//! ```

mod query;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use query::Query;

use super::branches::{Branches, Fork, Forked, Wrap, inside};
use super::{BuildPolicy, Call, Policy, PolicySpec};
use crate::form::build::{Built, Names, Refusal};
use query::Test;

/// Portkey's conditional strategy: the first condition that is met decides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Conditional {
    /// The conditions, in the order in which they are asked.
    pub conditions: Vec<Condition>,
    /// The policy of requests that meet no condition. Default: none, so that they fail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Box<PolicySpec>>,
    /// Whether everything in a condition counts. Default: false, as published.
    #[serde(default)]
    pub mended: bool,
}

/// A condition and the policy that follows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The query that a request must meet.
    pub when: Query,
    /// The policy of the requests that meet the condition.
    pub then: PolicySpec,
}

impl BuildPolicy for Conditional {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        if self.conditions.is_empty() {
            return Err(Refusal::new("there must be at least one condition").at("conditions"));
        }
        let mut branches = Vec::new();
        let mut classes = vec![Vec::new(); names.classes.len()];
        for (i, condition) in self.conditions.iter().enumerate() {
            let here = |r: Refusal| r.at(i).at("conditions");
            for (class, tests) in classes.iter_mut().enumerate() {
                let test = (condition.when.of_class(class, self.mended, names)).map_err(|r| here(r.at("when")))?;
                if test != Test::FALSE {
                    tests.push((test, i));
                }
            }
            branches.push(inside(&condition.then, names).map_err(|r| here(r.at("then")))?);
        }
        if let Some(default) = &self.default {
            let branch = branches.len();
            branches.push(inside(default, names).map_err(|r| r.at("default"))?);
            for tests in &mut classes {
                tests.push((Test::TRUE, branch));
            }
        }
        Ok(Forked {
            fork: Conditions(classes),
            branches: Branches::new(branches),
        }
        .wrapped())
    }
}

/// The tests that are still to be made of a request, and the branch of a request that passes, for each class.
#[derive(Clone, Debug)]
struct Conditions(Vec<Vec<(Test, usize)>>);

impl Fork for Conditions {
    #[inline]
    fn branch(&self, call: &Call) -> Option<usize> {
        let met = self.0[call.class].iter().find(|(test, _)| test.is_met(call));
        met.map(|&(_, branch)| branch)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::super::{Call, Fleet};
    use crate::form::build::Asked;
    use crate::kernel::time::Time;

    /// Where a call of class x goes: to a if it meets `when`, else to b. x has these tags and sends `max_tokens` 100.
    fn meets_with(tags: &[(&str, &str)], when: &str, more: &str, call: &Call) -> bool {
        let json = format!(
            r#"{{"conditional": {{ "conditions": [{{"when": {when}, "then": {{"single": {{"provider": "a"}}}}}}],
                "default": {{"single": {{"provider": "b"}}}} {more}}}}}"#
        );
        let x = Asked {
            tags: tags.iter().map(|&(k, v)| (k.to_owned(), v.to_owned())).collect(),
            max_output: Some(100),
            ..Asked::default()
        };
        // Every tag that a test names is one of y at least.
        let y = Asked {
            tags: ["plan", "seats", "none"]
                .map(|k| (k.to_owned(), String::new()))
                .to_vec(),
            ..Asked::default()
        };
        let mut policy = build_asking(&json, &[], &[x, y]).unwrap();
        let chosen = policy.choose(call, &Fleet::new(&hosts(&[]), None, Time::ZERO));
        chosen == Some(0)
    }

    fn meets(when: &str) -> bool {
        let call = Call {
            input: 50,
            user: 7,
            priority: 2,
            ..call(0, 0)
        };
        meets_with(&[("plan", "pro"), ("seats", "12 seats")], when, "", &call)
    }

    /// What `evaluateQuery` gives for these.
    #[test]
    fn queries_are_met_as_portkey_meets_them() {
        for (when, expected) in [
            (r#"{}"#, true),
            (r#"{"metadata.plan": "pro"}"#, true),
            (r#"{"metadata.plan": "free"}"#, false),
            (r#"{"metadata.plan": {"$eq": "pro", "$ne": "free"}}"#, true),
            (r#"{"metadata.none": {"$eq": "pro"}}"#, false),
            (r#"{"metadata.none": {"$ne": "pro"}}"#, true),
            (r#"{"metadata.none": {"$nin": ["pro"]}}"#, true),
            (r#"{"metadata.plan": {"$in": ["free", "pro"]}}"#, true),
            (r#"{"metadata.plan": {"$nin": ["free", "pro"]}}"#, false),
            (r#"{"metadata.seats": {"$gt": 11.5}}"#, true),
            (r#"{"metadata.seats": {"$gte": "12"}}"#, true),
            (r#"{"metadata.seats": {"$lt": 12}}"#, false),
            (r#"{"metadata.plan": {"$lt": 12}}"#, false),
            (r#"{"metadata.none": {"$lt": 12}}"#, false),
            (r#"{"params.max_tokens": 100}"#, true),
            (r#"{"params.max_tokens": "100"}"#, false),
            (r#"{"params.max_tokens": {"$lte": "100"}}"#, true),
            (r#"{"metadata.plan": {"$regex": "^pr"}}"#, true),
            (r#"{"metadata.plan": {"$regex": "r$"}}"#, false),
            (r#"{"metadata.none": {"$regex": "^undefined$"}}"#, true),
            (r#"{"metadata.plan": {"$regex": "^pr", "$eq": "free"}}"#, true),
            (
                r#"{"$or": [{"metadata.plan": "free"}, {"metadata.plan": "pro"}]}"#,
                true,
            ),
            (r#"{"$or": []}"#, false),
            (r#"{"$and": []}"#, true),
            (
                r#"{"$and": [{"metadata.plan": "free"}, {"metadata.plan": "pro"}]}"#,
                false,
            ),
            (r#"{"$or": [{"metadata.plan": "pro"}], "metadata.plan": "free"}"#, true),
            (r#"{"metadata.plan": "free", "$or": [{"metadata.plan": "pro"}]}"#, false),
            (r#"{"class": "x"}"#, true),
            (r#"{"class": {"$in": ["y"]}}"#, false),
            (r#"{"input": {"$gte": 50, "$lt": 51}}"#, true),
            (r#"{"input": {"$gte": 51}}"#, false),
            (r#"{"input": "50"}"#, false),
            (r#"{"user": {"$in": [6, 7]}, "priority": 2}"#, true),
            (r#"{"user": {"$nin": [6, 7]}}"#, false),
            (
                r#"{"$or": [{"input": {"$gt": 50}}, {"$and": [{"user": 7}, {"class": "x"}]}]}"#,
                true,
            ),
        ] {
            assert_eq!(meets(when), expected, "{when}");
        }
    }

    #[test]
    fn mended_everything_counts() {
        let tags = [("plan", "pro")];
        for when in [
            r#"{"metadata.none": {"$regex": "^undefined$"}}"#,
            r#"{"metadata.plan": {"$regex": "^pr", "$eq": "free"}}"#,
            r#"{"$or": [{"metadata.plan": "pro"}], "metadata.plan": "free"}"#,
            r#"{"$and": [], "input": {"$gt": 50}}"#,
        ] {
            let of = |more| meets_with(&tags, when, more, &call(0, 0));
            assert_eq!([of(""), of(r#", "mended": true"#)], [true, false], "{when}");
        }
    }

    #[test]
    fn the_first_that_is_met_has_it_and_nobody_without_a_default() {
        let json = r#"{"conditional": {"conditions": [
            {"when": {"input": {"$lt": 10}}, "then": {"single": {"provider": "c"}}},
            {"when": {"class": "x"}, "then": {"chain": {"providers": ["a", "b"]}}}]}}"#;
        let mut policy = policy(json);
        let mut goes = |class, input, closed: &[usize]| {
            let call = Call {
                input,
                ..call(0, class)
            };
            policy.choose(&call, &Fleet::new(&hosts(closed), None, Time::ZERO))
        };
        assert_eq!(goes(0, 9, &[]), Some(2));
        assert_eq!(goes(0, 10, &[]), Some(0));
        assert_eq!(goes(0, 10, &[0]), Some(1));
        assert_eq!(goes(0, 9, &[2]), None, "a branch is no fallback");
        assert_eq!(goes(1, 9, &[]), Some(2));
        assert_eq!(goes(1, 10, &[]), None);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let of = |when: &str| {
            refused(&format!(
                r#"{{"conditional": {{"conditions": [{{"when": {when}, "then": "p2c"}}]}}}}"#
            ))
        };
        for (when, path, message) in [
            (r#"{"plan": "pro"}"#, "plan", "there is no field `plan`"),
            (r#"{"metadata.plan": "pro"}"#, "metadata.plan", "there is no tag `plan`"),
            (r#"{"class": "z"}"#, "class", "there is no class `z`"),
            (
                r#"{"class": {"$in": ["x", "z"]}}"#,
                "class/$in/1",
                "there is no class `z`",
            ),
            (
                r#"{"input": {"$regex": "1"}}"#,
                "input/$regex",
                "`$regex` looks at text, and this is a number",
            ),
            (
                r#"{"$or": [{"class": "x"}, {"class": {"$gt": true}}]}"#,
                "$or/1/class/$gt",
                "true is not a number to compare with",
            ),
            (
                r#"{"input": {"$gt": "much"}}"#,
                "input/$gt",
                "`much` is not a number to compare with",
            ),
        ] {
            let (found, said) = of(when);
            assert_eq!(
                (found, said),
                (format!("conditions/0/when/{path}"), message.to_owned()),
                "{when}"
            );
        }
        let (path, message) = of(r#"{"class": {"$regex": "("}}"#);
        assert_eq!(path, "conditions/0/when/class/$regex");
        assert!(message.starts_with("`(` is not a regular expression: "), "{message}");
        assert_eq!(
            refused(r#"{"conditional": {"conditions": []}}"#).1,
            "there must be at least one condition"
        );
    }

    #[test]
    fn what_is_read_is_written_and_what_is_unknown_is_said() {
        let text = r#"{"$or":[{"metadata.plan":"pro"},{"input":{"$gt":5,"$in":[1,2.5,true]}}]}"#;
        let query: super::Query = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&query).unwrap(), text);
        let error = |text: &str| serde_json::from_str::<super::Query>(text).unwrap_err().to_string();
        assert!(error(r#"{"input": {"$gr": 5}}"#).starts_with("unknown variant `$gr`, expected one of `$eq`, `$ne`"));
        assert!(error(r#"{"input": null}"#).contains("a value, or an object of operators"));
        assert!(error(r#"{"input": {"$in": 5}}"#).contains("a list of values"));
        assert!(error(r#"{"input": {"$in": [null]}}"#).contains("text, a number, true or false"));
    }
}
