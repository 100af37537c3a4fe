//! The client that each policy runs under, after what it changes about the experiment's.
//!
//! JSON with comments, as experiments are: the member `policies` as it stands here can take the place of the experiment's, and means the
//! same. Behind each setting stands where it comes from. Settings that are not given are shown where the client has one all the same.

use std::fmt::Write;

use crate::client::groups::GroupChanges;
use crate::experiment::assemble::settings_of_groups;
use crate::experiment::file::{ClientSpec, Experiment, PolicyEntry};
use crate::form::diagnose::Seg;
use crate::form::layers::{Change, Origin};
use crate::form::tree::Tree;
use crate::routing::{ModelGroup, ModelGroups, PolicySpec};

/// The policies of `spec`, each with its whole client.
pub(super) fn policies(spec: &Experiment) -> String {
    let each: Vec<String> = spec.policies.iter().map(|entry| policy(spec, entry)).collect();
    format!("{{\n  \"policies\": [\n{}\n  ]\n}}\n", each.join(",\n"))
}

fn policy(spec: &Experiment, entry: &PolicyEntry) -> String {
    let origins = Origins {
        entry,
        given: members(&spec.client),
        default: members(&ClientSpec::default()),
    };
    let mut lines = Vec::new();
    let effective = members(&entry.effective(&spec.client));
    let off = origins.switched_off(&[], &effective);
    for (name, value) in effective.iter().chain(&off) {
        let path = [Seg::Key(name.clone())];
        // A layer inside is shown setting by setting, if there is any.
        if name == "timeouts"
            && let Tree::Object(inside) = value
        {
            let off = origins.switched_off(&path, inside);
            let all: Vec<(String, String)> = (inside.iter().chain(&off))
                .map(|(name, value)| origins.line(&[path[0].clone(), Seg::Key(name.clone())], value, 10))
                .collect();
            let text = match all.is_empty() {
                true => "{}".to_owned(),
                false => format!("{{\n{}        }}", joined(&all)),
            };
            let mark = if all.is_empty() {
                origins.mark(&path, value)
            } else {
                String::new()
            };
            lines.push((format!("        \"timeouts\": {text}"), mark));
        } else {
            lines.push(origins.line(&path, value, 8));
        }
    }
    let named = |value: Result<String, serde_json::Error>| value.unwrap_or_default();
    format!(
        "    {{\n      \"name\": {},\n      \"policy\": {},\n      \"client\": {{\n{}      }}\n    }}",
        named(serde_json::to_string(&entry.name)),
        match &entry.policy {
            PolicySpec::model_groups(named) => groups(named, &entry.effective(&spec.client)),
            policy => compact(&tree_of(policy)),
        },
        joined(&lines),
    )
}

/// The named groups `named` over `client`, each with all that it settles for itself, and where that comes from.
fn groups(named: &ModelGroups, client: &ClientSpec) -> String {
    let below = settings_of_groups(client);
    let one = |(name, group): (&str, &ModelGroup)| {
        let inherited = GroupChanges::default();
        let changes = group.client.as_ref().unwrap_or(&inherited);
        let settings = match tree_of(&changes.over(&below)) {
            Tree::Object(members) => members,
            _ => Vec::new(),
        };
        let line = |(name, value): &(String, Tree)| {
            let origin = changes.origin(&[Seg::Key(name.clone())]);
            let inside = matches!(&changes.timeouts, Change::To(_)) && name == "timeouts";
            let mark = match origin {
                Origin::Own => "of this group",
                Origin::Off => "switched off by this group",
                Origin::Inherited => "of the policy",
            };
            let mark = if inside { "with what this group changes" } else { mark };
            (format!("            \"{name}\": {}", compact(value)), mark.to_owned())
        };
        let lines: Vec<(String, String)> = settings.iter().map(line).collect();
        let mut rest = Vec::new();
        if let Tree::Object(members) = tree_of(group) {
            let others = members.iter().filter(|(name, _)| name != "client");
            rest.extend(others.map(|(name, value)| format!("          \"{name}\": {},\n", compact(value))));
        }
        let name = serde_json::Value::from(name);
        let rest = rest.concat();
        format!(
            "        {name}: {{\n{rest}          \"client\": {{\n{}          }}\n        }}",
            joined(&lines)
        )
    };
    let all: Vec<String> = named.groups.iter().map(one).collect();
    format!(
        "{{ \"model_groups\": {{\n        \"max_fallbacks\": {}, \"tells\": {}, \"groups\": {{\n{}\n      }} }} }}",
        named.max_fallbacks,
        compact(&tree_of(&named.tells)),
        all.join(",\n")
    )
}

/// Lines of members, each with a comma if another follows, and its mark behind that.
fn joined(lines: &[(String, String)]) -> String {
    let last = lines.len().saturating_sub(1);
    let one = |(i, (text, mark)): (usize, &(String, String))| {
        let comma = if i == last { "" } else { "," };
        let mark = if mark.is_empty() {
            String::new()
        } else {
            format!("  // {mark}")
        };
        format!("{text}{comma}{mark}\n")
    };
    lines.iter().enumerate().map(one).collect()
}

/// What says where a setting comes from.
struct Origins<'a> {
    entry: &'a PolicyEntry,
    /// The experiment's client.
    given: Vec<(String, Tree)>,
    /// A client of which nothing is said.
    default: Vec<(String, Tree)>,
}

impl Origins<'_> {
    fn line(&self, path: &[Seg], value: &Tree, indent: usize) -> (String, String) {
        let Some(Seg::Key(name)) = path.last() else {
            return Default::default();
        };
        let is_off = self.origin(path) == Origin::Off;
        let text = if is_off { "null".to_owned() } else { compact(value) };
        (format!("{:indent$}\"{name}\": {text}", ""), self.mark(path, value))
    }

    fn mark(&self, path: &[Seg], value: &Tree) -> String {
        let at = |of: &[(String, Tree)]| find(of, path);
        match self.origin(path) {
            Origin::Own => "of this policy",
            Origin::Off => "switched off by this policy",
            Origin::Inherited if at(&self.given) == at(&self.default) && at(&self.given).as_ref() == Some(value) => {
                "default"
            }
            Origin::Inherited => "inherited",
        }
        .to_owned()
    }

    fn origin(&self, path: &[Seg]) -> Origin {
        let changes = self.entry.client.as_ref();
        changes.map_or(Origin::Inherited, |changes| changes.origin(path))
    }

    /// The settings of the experiment's client below `path` that the policy switches off, and that are therefore not among
    /// `shown`.
    fn switched_off(&self, path: &[Seg], shown: &[(String, Tree)]) -> Vec<(String, Tree)> {
        let below = match find(&self.given, path) {
            Some(Tree::Object(members)) => members,
            _ if path.is_empty() => self.given.clone(),
            _ => Vec::new(),
        };
        let is_missing = |(name, _): &(String, Tree)| !shown.iter().any(|(other, _)| other == name);
        below
            .into_iter()
            .filter(is_missing)
            .map(|(name, _)| (name, Tree::Null))
            .collect()
    }
}

/// The value at `path` of an object.
fn find(members: &[(String, Tree)], path: &[Seg]) -> Option<Tree> {
    let (first, rest) = path.split_first()?;
    let Seg::Key(key) = first else { return None };
    let (_, value) = members.iter().find(|(name, _)| name == key)?;
    match (rest, value) {
        ([], value) => Some(value.clone()),
        (rest, Tree::Object(inside)) => find(inside, rest),
        _ => None,
    }
}

/// The members of a client, as a file would give them.
fn members(client: &ClientSpec) -> Vec<(String, Tree)> {
    match tree_of(client) {
        Tree::Object(members) => members,
        _ => Vec::new(),
    }
}

fn tree_of<T: serde::Serialize>(value: &T) -> Tree {
    // By way of text, which keeps the order of fields.
    let text = serde_json::to_string(value).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or(Tree::Null)
}

/// A value in one line.
fn compact(tree: &Tree) -> String {
    let list = |items: Vec<String>, open: &str, close: &str| match items.is_empty() {
        true => format!("{}{}", open.trim(), close.trim()),
        false => format!("{open}{}{close}", items.join(", ")),
    };
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    match tree {
        Tree::Null => "null".to_owned(),
        Tree::Truth(truth) => truth.to_string(),
        Tree::Unsigned(number) => number.to_string(),
        Tree::Negative(number) => number.to_string(),
        Tree::Float(number) => serde_json::Value::from(*number).to_string(),
        Tree::Text(text) => quoted(text),
        Tree::List(items) => list(items.iter().map(compact).collect(), "[", "]"),
        Tree::Object(members) => {
            let one = |(name, value): &(String, Tree)| {
                let mut text = quoted(name);
                let _ = write!(text, ": {}", compact(value));
                text
            };
            list(members.iter().map(one).collect(), "{ ", " }")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::load::from_text;
    use crate::form::diagnose;

    const LAYERED: &str = r#"{
        "name": "case",
        "traffic": { "arrivals": { "poisson": { "rate": "5/s" } }, "classes": { "all": { "input": { "constant": 9 }, "output": { "constant": 9 } } } },
        "providers": { "a": { "response": { "constant": "1s" }, "prices": { "per_request": { "price": "$0" } } } },
        "client": {
            "limiters": [ { "token_bucket": { "unit": "requests", "rate": "600/min" } } ],
            "max_in_flight": 20, "timeouts": { "ttft": "15s", "total": "60s" }, "retry": { "fixed": { "tries": 3, "wait": "1s" } }
        },
        "policies": [
            { "name": "plain", "policy": "round_robin" },
            { "name": "hedged", "policy": { "single": { "provider": "a" } },
              "client": { "hedge": { "fixed": { "delay": "2s" } }, "timeouts": { "ttft": null, "attempt": "9s" }, "max_in_flight": null, "limiters": null } },
            { "name": "bare", "policy": "round_robin", "client": { "timeouts": null, "retry": null } }
        ],
        "plan": { "duration": "100s" }
    }"#;

    #[test]
    fn every_setting_says_where_it_comes_from() {
        let spec = from_text("case.json", LAYERED).unwrap().experiment;
        insta::assert_snapshot!(policies(&spec), @r#"
    {
      "policies": [
        {
          "name": "plain",
          "policy": { "round_robin": { "providers": null } },
          "client": {
            "admission": { "queue": { "order": "priority", "shed": "reject" } },  // default
            "limiters": [{ "token_bucket": { "unit": "requests", "rate": "10/s" } }],  // inherited
            "max_in_flight": 20,  // inherited
            "timeouts": {
              "ttft": "15s",  // inherited
              "total": "1m"  // inherited
            },
            "retry": { "fixed": { "tries": 3, "wait": "1s", "where": "anew" } },  // inherited
            "breaker": { "never": {} },  // default
            "budgets": []  // default
          }
        },
        {
          "name": "hedged",
          "policy": { "single": { "provider": "a" } },
          "client": {
            "admission": { "queue": { "order": "priority", "shed": "reject" } },  // default
            "limiters": null,  // switched off by this policy
            "timeouts": {
              "attempt": "9s",  // of this policy
              "total": "1m",  // inherited
              "ttft": null  // switched off by this policy
            },
            "retry": { "fixed": { "tries": 3, "wait": "1s", "where": "anew" } },  // inherited
            "hedge": { "fixed": { "delay": "2s", "most": 1, "elsewhere": true, "race": "first_token", "on_failure": false } },  // of this policy
            "breaker": { "never": {} },  // default
            "budgets": [],  // default
            "max_in_flight": null  // switched off by this policy
          }
        },
        {
          "name": "bare",
          "policy": { "round_robin": { "providers": null } },
          "client": {
            "admission": { "queue": { "order": "priority", "shed": "reject" } },  // default
            "limiters": [{ "token_bucket": { "unit": "requests", "rate": "10/s" } }],  // inherited
            "max_in_flight": 20,  // inherited
            "timeouts": {
              "ttft": null,  // switched off by this policy
              "total": null  // switched off by this policy
            },
            "retry": null,  // switched off by this policy
            "breaker": { "never": {} },  // default
            "budgets": []  // default
          }
        }
      ]
    }
    "#);
    }

    const GROUPED: &str = r#"{ "model_groups": { "groups": {
        "chat": { "providers": ["a"], "fallbacks": ["code"], "client": { "retry": null, "timeouts": { "attempt": "9s" } } },
        "code": { "providers": ["a"], "policy": "round_robin" } } } }"#;

    fn grouped() -> Experiment {
        let policies = format!(r#"[{{ "name": "grouped", "policy": {GROUPED} }}]"#);
        let mut value: serde_json::Value = serde_json::from_str(LAYERED).unwrap();
        value["policies"] = serde_json::from_str(&policies).unwrap();
        from_text("case.json", &value.to_string()).unwrap().experiment
    }

    #[test]
    fn every_group_says_what_it_settles_for_itself() {
        let told = policies(&grouped());
        for line in [
            r#""retry": { "never": {} },  // switched off by this group"#,
            r#""timeouts": { "connect": null, "ttft": "15s", "idle": null, "attempt": "9s" }  // with what this group changes"#,
            r#""retry": { "fixed": { "tries": 3, "wait": "1s", "where": "anew" } },  // of the policy"#,
        ] {
            assert!(told.contains(line), "{line}\n{told}");
        }
        #[derive(serde::Deserialize)]
        struct Printed {
            policies: Vec<PolicyEntry>,
        }
        let printed: Printed = diagnose::parse("printed", &told).unwrap_or_else(|e| panic!("{e}\n{told}"));
        assert_eq!(
            policies(&Experiment {
                policies: printed.policies,
                ..grouped()
            })
            .matches("9s")
            .count(),
            1
        );
    }

    /// Pasted over the policies of the same experiment, nothing changes.
    #[test]
    fn what_is_printed_means_the_same() {
        #[derive(serde::Deserialize)]
        struct Printed {
            policies: Vec<PolicyEntry>,
        }
        let spec = from_text("case.json", LAYERED).unwrap().experiment;
        let printed: Printed = diagnose::parse("printed", &policies(&spec)).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(printed.policies.len(), spec.policies.len());
        for (before, after) in spec.policies.iter().zip(&printed.policies) {
            assert_eq!(before.policy, after.policy);
            assert_eq!(
                after.effective(&spec.client),
                before.effective(&spec.client),
                "{}",
                before.name
            );
        }
    }
}
