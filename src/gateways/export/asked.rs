//! What is asked of a gateway: an experiment's settings in the form that those of its file have.

use serde_json::Value;

use super::members::Came;
use super::{Export, State};
use crate::experiment::file::{Experiment, PolicyEntry};
use crate::gateways::settled::{self, Path, Settings};
use crate::gateways::tree::Node;
use crate::gateways::{Gateway, printable};
use crate::stats::sorting;

/// What an experiment asks a gateway to be.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// The settings of its policy and its client.
    pub settings: Settings,
    /// What it says of each provider, in its order; without it no provider can come.
    pub providers: Vec<(String, Value)>,
}

impl Target {
    /// What the policy `entry` of `spec` asks for.
    pub fn of(spec: &Experiment, entry: &PolicyEntry) -> Target {
        let provider = |(name, of): (&str, _)| (name.to_owned(), serde_json::to_value(of).unwrap_or_default());
        Target {
            settings: settled::of(spec, entry),
            providers: spec.providers.iter().map(provider).collect(),
        }
    }
}

impl From<Settings> for Target {
    fn from(settings: Settings) -> Target {
        let providers = Vec::new();
        Target { settings, providers }
    }
}

/// Groups whose members still differ after providers have come and gone, by their order or altogether, a sentence each: that is not written.
pub(super) fn others(own: &Settings, target: &Settings) -> Vec<String> {
    let is_members = |path: &Path| matches!(path.as_slice(), [what, _, of] if what == "group" && of == "providers");
    let mut all: Vec<&Path> = own
        .keys()
        .chain(target.keys())
        .filter(|path| is_members(path))
        .collect();
    sorting::by(&mut all, Ord::cmp);
    all.dedup();
    let line = |path: &&Path| {
        let (old, new) = (own.get(*path), target.get(*path));
        let (subject, what) = settled::name(path);
        let change = format!("{subject}: {what} {} → {}", settled::shown(old), settled::shown(new));
        (old != new).then(|| {
            format!("{change}: another order, or other groups, are not written; change the file, and import it again")
        })
    };
    all.iter().filter_map(line).collect()
}

/// The settings of an experiment that a gateway could have: of providers, what the configuration says of them; of those that it does not
/// have, the calls at once.
pub(super) fn comparable(mut target: Settings, own: &Settings, gateway: &Gateway) -> Settings {
    let members = gateway.groups.iter().flat_map(|group| &group.members);
    let has = |name: &str| members.clone().any(|member| member.name == name);
    target.retain(|path, _| match path.as_slice() {
        [what, name, of, ..] if what == "provider" => {
            own.contains_key(path) || (["connections", "line"].contains(&of.as_str()) && !has(name))
        }
        _ => true,
    });
    // Limits that the experiment has otherwise are the providers' own.
    for (path, value) in own.iter().filter(|(path, _)| is_limit(path)) {
        target.entry(path.clone()).or_insert_with(|| value.clone());
    }
    target
}

/// Whether both have a response cache.
pub(super) fn both_cache(own: &Settings, target: &Settings) -> bool {
    [own, target]
        .iter()
        .all(|of| of.keys().any(|path| path.iter().any(|step| step == CACHE)))
}

/// Whether a setting is what is assumed of a response cache: what it finds, which no file says.
pub(super) fn is_assumed(path: &[String]) -> bool {
    let at = path.iter().position(|step| step == CACHE);
    let of = at.and_then(|at| path.get(at + 1));
    of.is_some_and(|of| of != "mode" && of != "per_gateway")
}

/// The name of a response cache among settings.
const CACHE: &str = "response_cache";

/// Whether a setting is a limit of a provider.
fn is_limit(path: &[String]) -> bool {
    matches!(path, [what, _, of, ..] if what == "provider" && of == "limits")
}

impl Export<'_> {
    /// Gives what is asked for the form that the file's settings have: a lone group by no name, and one member without a choice.
    pub(super) fn settle(&mut self, own: &Settings) {
        let groups = |settings: &Settings| -> Vec<String> {
            let name = |path: &Path| matches!(path.as_slice(), [what, ..] if what == "group").then(|| path[1].clone());
            let mut all: Vec<String> = settings.keys().filter_map(name).collect();
            all.dedup();
            all
        };
        if let ([one], [only]) = (groups(&self.target).as_slice(), groups(own).as_slice())
            && only == settled::ONLY
            && one != only
        {
            self.target = settled::alone(std::mem::take(&mut self.target), one);
            // Nothing else could be asked for.
            self.target
                .retain(|path, _| !matches!(path.as_slice(), [_, _, of] if of == "aliases"));
        }
        let of_policy = |path: &Path| matches!(path.as_slice(), [what, _, of, ..] if what == "group" && of == "policy");
        for group in groups(own) {
            let inside = |path: &Path| of_policy(path) && path[1] == group;
            let kind = own
                .iter()
                .find(|(path, _)| inside(path) && path.len() == 4 && path[3] == settled::KIND);
            if kind.is_none_or(|(_, kind)| kind == "single") {
                self.target.retain(|path, _| !inside(path));
                let own = own.iter().filter(|(path, _)| inside(path));
                self.target
                    .extend(own.map(|(path, value)| (path.clone(), value.clone())));
            }
        }
    }

    /// What new entries do not say, with their lines as the file now has them.
    pub(super) fn left_open(&self, state: &State) -> Vec<String> {
        let Ok((config, gateway, _)) = self.read(&state.texts) else {
            return Vec::new();
        };
        let members = || gateway.groups.iter().flat_map(|group| &group.members);
        let line = |came: &Came| {
            let at = members().find(|member| member.name == came.name)?.at;
            let file = config.files.get(usize::from(at.file))?;
            let without = match came.without.as_slice() {
                [] => "has all that the experiment and the file say of it".to_owned(),
                some => {
                    let some: Vec<String> = some.iter().map(|key| format!("`{}`", printable(key))).collect();
                    format!(
                        "does not say {}, which {} does: fill in what it needs",
                        some.join(", "),
                        came.like
                    )
                }
            };
            let backend = came.name.split('/').next();
            let of_name = |node: &Node| node.find("metadata.name").and_then(Node::text) == backend;
            let is_there = |node: &Node| node.text_of("kind") == Some("AIServiceBackend") && of_name(node);
            let without = match gateway.product.name {
                "envoy-ai-gateway" if !config.documents.iter().any(is_there) => {
                    format!("{without}; no AIServiceBackend of its name is in the file")
                }
                _ => without,
            };
            let (file, name) = (printable(file), printable(&came.name));
            Some(format!(
                "{file}, line {}: {name}, after the entry of {}, {without}",
                at.line, came.like
            ))
        };
        state.came.iter().filter_map(line).collect()
    }
}
