//! LiteLLM's tag routing: only deployments whose tags suit the request's, and a strategy among them.
//!
//! Deployments carry `tags`; a request carries the tags that its class lists in its tag `tags`, as in `"tags": "paid, &eu"`. Of the
//! deployments that may be called:
//!
//! - `!tag` leaves out those that carry it, `&tag` those that do not.
//! - Plain tags: those with `any` of them, or with `all`, by `match`. If none has, those with the tag `default`; but if
//!   a plain tag is known to some deployment, called or not, or there is no `default`, none.
//! - Only `!` tags: those with the tag `default`, or without such all, less those left out. With `&` tags: all that are
//!   left.
//! - No tags: those with the tag `default`, or without such all.
//!
//! `allow_fail_open`: where none is left the tags count no more, and the call goes as one without tags. Unless an `&`
//! tag that no deployment carries is what leaves none, while the other `&` tags leave some.
//!
//! `policy` then chooses among those left. Keeps nothing itself.
//!
//! | parameter | default | range |
//! |---|---|---|
//! | `tags` | none | by provider |
//! | `match` | `any` | `any`, `all` |
//! | `allow_fail_open` | false | |
//! | `policy` | `simple_shuffle` | a policy |
//!
//! Source: LiteLLM, `router_strategy/tag_based_routing.py` (017a832), with `tag_filtering_match_any` as `match`. Left out:
//! `tag_regex` on headers, `tag_routing_prefix`, and tags inherited from a key or a team.
//!
//! Known faults: a misspelt tag is served by the `default` deployments without a word, while a known tag whose
//! deployments are all down fails although they could serve it.
//!
//! ```json
//! { "litellm_tags": { "tags": { "large": ["paid", "eu"], "small": ["free", "default"] }, "policy": "least_busy" } }
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::branches::{Filter, Filtered, Wrap, inside};
use super::{BuildPolicy, Call, Fleet, Members, Policy, PolicySpec, SimpleShuffle, taking_part};
use crate::form::build::{Built, Names};
use crate::form::named::Named;

/// Only deployments with the right tags take part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LitellmTags {
    /// The providers that take part. Default: every provider.
    pub providers: Members,
    /// The tags of deployments. Default: none has any.
    pub tags: Named<Vec<String>>,
    /// The number of a request's plain tags that a deployment must carry, one or all. Default: `any`.
    #[serde(rename = "match")]
    pub matching: TagMatch,
    /// Whether a request goes as one without tags where its own leave no deployment. Default: false.
    pub allow_fail_open: bool,
    /// The strategy among those left. Default: `simple_shuffle`.
    pub policy: Box<PolicySpec>,
}

/// The number of a request's plain tags that a deployment must carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TagMatch {
    /// One of the plain tags is enough.
    #[default]
    Any,
    /// All of the plain tags are needed.
    All,
}

impl Default for LitellmTags {
    fn default() -> Self {
        LitellmTags {
            providers: Members::default(),
            tags: Named::default(),
            matching: TagMatch::Any,
            allow_fail_open: false,
            policy: Box::new(SimpleShuffle::default().into()),
        }
    }
}

impl BuildPolicy for LitellmTags {
    fn build(&self, names: &Names<'_>) -> Built<Box<dyn Policy>> {
        let order = taking_part(&self.providers, names)?;
        let mut carried: Vec<&[String]> = vec![&[]; names.providers.len()];
        for (name, tags) in self.tags.iter() {
            carried[names.provider(name).map_err(|r| r.at(name).at("tags"))?] = tags;
        }
        let carries = |p: usize, tag: &str| order.contains(&p) && carried[p].iter().any(|t| t == tag);
        let of = |asked: &str| -> Class {
            let tags: Vec<&str> = asked.split(',').map(str::trim).filter(|t| !t.is_empty()).collect();
            let marked = |mark: char| {
                tags.iter()
                    .filter_map(move |t| t.strip_prefix(mark))
                    .filter(|t| !t.is_empty())
            };
            let (required, excluded): (Vec<&str>, Vec<&str>) = (marked('&').collect(), marked('!').collect());
            let plain: Vec<&str> = tags.iter().copied().filter(|t| !t.starts_with(['&', '!'])).collect();
            let each = |pass: &dyn Fn(usize) -> bool| (0..carried.len()).map(pass).collect::<Vec<bool>>();
            Class {
                excludes: !excluded.is_empty(),
                excluded: each(&|p| excluded.iter().any(|t| carries(p, t))),
                required: required.iter().map(|t| each(&|p| carries(p, t))).collect(),
                plain: (!plain.is_empty()).then(|| {
                    each(&|p| match self.matching {
                        TagMatch::Any => plain.iter().any(|t| carries(p, t)),
                        TagMatch::All => plain.iter().all(|t| carries(p, t)),
                    })
                }),
                known: order.iter().any(|&p| plain.iter().any(|t| carries(p, t))),
            }
        };
        let classes = (0..names.classes.len())
            .map(|class| {
                let tags = names.asks.get(class).map_or(&[][..], |asked| &asked.tags);
                of(tags
                    .iter()
                    .find(|(name, _)| name == "tags")
                    .map_or("", |(_, tags)| tags))
            })
            .collect();
        let tags = Tags {
            defaults: (0..carried.len()).map(|p| carries(p, "default")).collect(),
            order,
            classes,
            allow_fail_open: self.allow_fail_open,
        };
        let inner = inside(&self.policy, names).map_err(|r| r.at("policy"))?;
        Ok(Filtered::new(tags, inner, names).wrapped())
    }
}

/// The effect of the tags of a class on each provider.
#[derive(Clone, Debug)]
struct Class {
    excludes: bool,
    excluded: Vec<bool>,
    /// The providers that carry each `&` tag.
    required: Vec<Vec<bool>>,
    /// Whether each provider suits the plain tags, if there are any.
    plain: Option<Vec<bool>>,
    /// Whether some deployment carries a plain tag.
    known: bool,
}

#[derive(Clone, Debug)]
struct Tags {
    order: Vec<usize>,
    defaults: Vec<bool>,
    classes: Vec<Class>,
    allow_fail_open: bool,
}

impl Tags {
    /// Marks the providers that may be called and `pass`; returns whether there are any.
    fn mark(&self, fleet: &Fleet<'_>, left: &mut [bool], pass: impl Fn(usize) -> bool) -> bool {
        let mut any = false;
        for &p in &self.order {
            left[p] = fleet.is_open_to_calls(p) && pass(p);
            any |= left[p];
        }
        any
    }

    /// Marks the providers with the tag `default` if any may be called, or else all, less those that do not `pass`.
    fn mark_defaults(&self, fleet: &Fleet<'_>, left: &mut [bool], pass: impl Fn(usize) -> bool) -> bool {
        if self.mark(fleet, left, |p| self.defaults[p]) {
            self.mark(fleet, left, |p| self.defaults[p] && pass(p))
        } else {
            self.mark(fleet, left, pass)
        }
    }

    /// Whether an `&` tag that no provider carries hides one that the other tags leave.
    fn hides(&self, class: &Class, fleet: &Fleet<'_>) -> bool {
        let open = |p: &&usize| fleet.is_open_to_calls(**p);
        let known = |carriers: &&Vec<bool>| self.order.iter().filter(open).any(|&p| carriers[p]);
        let count = class.required.iter().filter(known).count();
        let left = |p: usize| !class.excluded[p] && class.required.iter().filter(known).all(|c| c[p]);
        count > 0 && count < class.required.len() && self.order.iter().filter(open).any(|&p| left(p))
    }
}

impl Filter for Tags {
    fn filter(&self, call: &Call, fleet: &Fleet<'_>, left: &mut [bool]) {
        let class = &self.classes[call.class];
        let allowed = |p: usize| !class.excluded[p] && class.required.iter().all(|carriers| carriers[p]);
        let found = match &class.plain {
            Some(plain) => {
                self.mark(fleet, left, |p| allowed(p) && plain[p])
                    || (!class.known && self.mark(fleet, left, |p| allowed(p) && self.defaults[p]))
            }
            None if !class.required.is_empty() => self.mark(fleet, left, allowed),
            None => self.mark_defaults(fleet, left, allowed),
        };
        let constrained = class.plain.is_some() || class.excludes || !class.required.is_empty();
        if !found {
            left.fill(false);
            if constrained && self.allow_fail_open && !self.hides(class, fleet) {
                self.mark_defaults(fleet, left, |_| true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use crate::form::build::Asked;

    /// The providers of a, b and c that get requests with these tags, with these closed.
    fn left(deployments: &str, more: &str, tags: &str, closed: &[usize]) -> String {
        let json = format!(r#"{{"litellm_tags": {{"tags": {{{deployments}}} {more}}}}}"#);
        let asked = Asked {
            tags: vec![("tags".to_owned(), tags.to_owned())],
            ..Asked::default()
        };
        let mut policy = build_asking(&json, &[], &[asked, Asked::default()]).unwrap();
        let counts = counts(&mut *policy, &hosts(closed), 0, 200);
        ["a", "b", "c", "-"]
            .into_iter()
            .zip(counts)
            .filter(|&(_, n)| n > 0)
            .map(|(name, _)| name)
            .collect()
    }

    const FLEET: &str = r#""a": ["paid", "eu"], "b": ["free", "eu"], "c": ["default"]"#;
    const NO_DEFAULT: &str = r#""a": ["paid", "eu"], "b": ["free"]"#;

    /// What `get_deployments_for_tag` leaves; `-` is its error.
    #[test]
    fn tags_leave_whom_litellm_leaves() {
        for (fleet, tags, closed, expected) in [
            (FLEET, "", &[][..], "c"),
            (FLEET, "", &[2], "ab"),
            (FLEET, "paid", &[], "a"),
            (FLEET, "paid, free", &[], "ab"),
            (FLEET, "eu", &[0], "b"),
            (FLEET, "paid", &[0], "-"),
            (FLEET, "piad", &[], "c"),
            (FLEET, "piad", &[2], "-"),
            (FLEET, "!eu", &[], "c"),
            (FLEET, "!eu", &[2], "-"),
            (FLEET, "!paid", &[2], "b"),
            (FLEET, "!default", &[], "-"),
            (FLEET, "&eu", &[], "ab"),
            (FLEET, "&eu, !free", &[], "a"),
            (FLEET, "&eu, free", &[], "b"),
            (FLEET, "&default, piad", &[], "c"),
            (FLEET, "!free, eu", &[], "a"),
            (FLEET, "!, &", &[], "c"),
            (NO_DEFAULT, "", &[], "abc"),
            (NO_DEFAULT, "!paid", &[], "bc"),
            (NO_DEFAULT, "piad", &[], "-"),
        ] {
            assert_eq!(left(fleet, "", tags, closed), expected, "{fleet} `{tags}` {closed:?}");
        }
    }

    #[test]
    fn all_of_the_plain_tags_or_any() {
        assert_eq!(left(FLEET, r#", "match": "all""#, "paid, eu", &[]), "a");
        assert_eq!(
            left(FLEET, r#", "match": "all""#, "paid, free", &[]),
            "-",
            "both are known"
        );
    }

    #[test]
    fn failing_open_is_going_without_tags_unless_an_invented_one_is_the_cause() {
        let open = |tags, closed: &[usize]| left(FLEET, r#", "allow_fail_open": true"#, tags, closed);
        assert_eq!(open("paid", &[0]), "c");
        assert_eq!(open("&paid, &free", &[]), "c", "an honest wish that no provider meets");
        assert_eq!(open("&paid, &moon", &[]), "-", "a is hidden by `moon`");
        assert_eq!(open("&moon", &[]), "c", "nothing is hidden");
        assert_eq!(open("paid", &[0, 2]), "b");
        assert_eq!(open("paid", &[0, 1, 2]), "-");
    }

    #[test]
    fn the_strategy_inside_chooses_among_those_left() {
        let more = r#", "policy": {"chain": {"providers": ["c", "b", "a"]}}"#;
        assert_eq!(left(FLEET, more, "eu", &[]), "b");
        assert_eq!(
            left(FLEET, r#", "policy": {"single": {"provider": "c"}}"#, "eu", &[]),
            "-"
        );
        let (path, message) = refused(r#"{"litellm_tags": {"policy": {"single": {"provider": "d"}}}}"#);
        assert_eq!(
            (&*path, &*message),
            ("policy/single/provider", "there is no provider `d`")
        );
        assert_eq!(refused(r#"{"litellm_tags": {"tags": {"d": []}}}"#).0, "tags/d");
    }
}
