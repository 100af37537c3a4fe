//! Which provider of one configuration is which of another.
//!
//! A provider whose file gives it no name is called after its group and number, so that a deployment more or less renames its neighbours.
//! In groups of one name a provider is known again by its name, model and account together, then by its model and account, then by its
//! name; one that is left over on each side is the one whose model was changed.

use std::collections::BTreeMap;

use crate::gateways::Gateway;
use crate::gateways::model::{Group, Member};

/// What each provider of `new` that `old` has as well is called there.
pub fn alike(old: &Gateway, new: &Gateway) -> BTreeMap<String, String> {
    let alone = old.groups.len() == 1 && new.groups.len() == 1;
    let mut called = BTreeMap::new();
    for group in &new.groups {
        let before = old.groups.iter().find(|other| alone || other.name == group.name);
        if let Some(before) = before {
            pair(before, group, &mut called);
        }
    }
    called
}

/// Whether two providers are one, by some of what is known of them.
type Way<'a> = &'a dyn Fn(&Member, &Member) -> bool;

fn pair(before: &Group, after: &Group, called: &mut BTreeMap<String, String>) {
    let mut old: Vec<&Member> = before.members.iter().collect();
    let mut new: Vec<&Member> = after.members.iter().collect();
    let same_place = |a: &Member, b: &Member| a.model == b.model && account(a) == account(b);
    let ways: [Way<'_>; 3] = [&|a, b| a.name == b.name && same_place(a, b), &same_place, &|a, b| {
        a.name == b.name
    }];
    for way in ways {
        new.retain(|member| {
            let Some(at) = old.iter().position(|other| way(other, member)) else {
                return true;
            };
            called.insert(member.name.clone(), old.remove(at).name.clone());
            false
        });
    }
    if let ([was], [is]) = (old.as_slice(), new.as_slice()) {
        called.insert(is.name.clone(), was.name.clone());
    }
}

/// The account of a provider, if the file gives it a name; one that is known by the line of its key is known by nothing that stays.
pub(super) fn account(member: &Member) -> Option<&str> {
    let account = member.account.as_deref()?;
    (!account.contains(" by the key of line ")).then_some(account)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateways::{read, source};

    fn of(deployments: &[(&str, &str)]) -> Gateway {
        let each = deployments.iter().map(|(model, key)| {
            format!("- {{model_name: a, litellm_params: {{model: {model}, api_key: os.environ/{key}}}}}\n")
        });
        let text = format!("model_list:\n{}", each.collect::<String>());
        read(&source::from_text("x", &text).unwrap(), None).unwrap()
    }

    #[test]
    fn a_deployment_more_or_less_renames_none() {
        let two = of(&[("azure/x", "A"), ("openai/y", "B")]);
        let less = of(&[("openai/y", "B")]);
        let pairs = |of: BTreeMap<String, String>| of.into_iter().collect::<Vec<_>>();
        assert_eq!(pairs(alike(&two, &less)), [("a".to_owned(), "a-2".to_owned())]);
        assert_eq!(pairs(alike(&less, &two)), [("a-2".to_owned(), "a".to_owned())]);
        // The second has another model now.
        let other = of(&[("azure/x", "A"), ("openai/z", "B")]);
        assert_eq!(alike(&two, &other)["a-2"], "a-2");
    }
}
