//! Named groups: from what `model_groups` says to the groups of a client, with retry rules, timeouts, breakers and fallbacks of their
//! own.

use std::borrow::Cow;

use super::client::{self, timeouts};
use crate::client::Timeouts;
use crate::client::breaker::{BreakerSpec, Guard};
use crate::client::fallback::Tells;
use crate::client::groups::{
    ByGroup, Group, GroupChanges, GroupSettings, GroupTimeouts, Groups, MOST_DEPTH, MOST_GROUPS, OfGroup, Watch,
};
use crate::client::response_cache::Caches;
use crate::client::retry::Retry;
use crate::engine::scenario::Deployment;
use crate::experiment::file::{ClientSpec, Experiment, TimeoutsSpec};
use crate::form::build::{Built, Names, Refusal};
use crate::form::outcomes::OutcomeList;
use crate::provider::faults::Silence;
use crate::routing::{ModelGroup, ModelGroups};
use crate::words::Outcomes;

/// Every way in which a group can fail a request.
const ANY: Outcomes = Outcomes::ANY_FAILURE.and(Outcomes::NOT_COUNTED);

/// The settings of `client` that each group may change.
pub(crate) fn settings(client: &ClientSpec) -> GroupSettings {
    let TimeoutsSpec {
        connect,
        ttft,
        idle,
        ref attempt,
        ..
    } = client.timeouts;
    GroupSettings {
        retry: client.retry.clone(),
        breaker: client.breaker.clone(),
        response_cache: client.response_cache.clone(),
        timeouts: GroupTimeouts {
            connect,
            ttft,
            idle,
            attempt: attempt.clone(),
        },
    }
}

/// What a policy has of its named groups: the groups, the retry rule of all of them, and their response caches.
pub(super) struct Named {
    pub(super) groups: Groups,
    pub(super) rule: Box<dyn Retry>,
    pub(super) caches: Caches,
}

/// The groups that `spec` names, over the client that its policy runs under.
pub(super) fn groups(
    spec: &ModelGroups,
    client: &ClientSpec,
    experiment: &Experiment,
    fleet: &[Deployment],
    names: &Names<'_>,
) -> Built<Named> {
    if !(1..=MOST_GROUPS).contains(&spec.groups.len()) {
        let text = format!("{} groups: must be 1 to {MOST_GROUPS}", spec.groups.len());
        return Err(Refusal::new(text).at("groups"));
    }
    if !(1..=MOST_DEPTH).contains(&usize::from(spec.max_fallbacks)) {
        let text = format!("max_fallbacks is {}: must be 1 to {MOST_DEPTH}", spec.max_fallbacks);
        return Err(Refusal::new(text).at("max_fallbacks"));
    }
    check_names(spec)?;
    let mut building = Building {
        spec,
        client,
        fleet,
        names,
        rules: Vec::new(),
        of_groups: Vec::new(),
        caches: Caches::one(client::response_cache(client, names)?),
    };
    let mut of = Vec::new();
    for (name, group) in spec.groups.iter() {
        of.push(building.group(name, group).map_err(|r| r.at(name).at("groups"))?);
    }
    let rule = ByGroup::new(building.rules, building.of_groups);
    let caches = building.caches;
    let groups = Groups {
        of,
        entry: entries(spec, experiment)?,
        most: usize::from(spec.max_fallbacks),
        tells_first: spec.tells == Tells::First,
    };
    Ok(Named {
        groups,
        rule: Box::new(rule),
        caches,
    })
}

/// Refuses a name that stands for two groups.
fn check_names(spec: &ModelGroups) -> Built<()> {
    let mut seen: Vec<&str> = spec.groups.iter().map(|(name, _)| name).collect();
    for (name, group) in spec.groups.iter() {
        for (i, alias) in group.aliases.iter().enumerate() {
            if seen.contains(&alias.as_str()) {
                let text = format!("`{alias}` names a group already");
                return Err(Refusal::new(text).at(i).at("aliases").at(name).at("groups"));
            }
            seen.push(alias);
        }
    }
    Ok(())
}

/// The number of the group that `name` stands for: of that name, or that alias, or whose wildcard covers it, the longest first.
fn named(spec: &ModelGroups, name: &str) -> Option<usize> {
    let place = |is: &dyn Fn(&str, &ModelGroup) -> bool| spec.groups.iter().position(|(n, g)| is(n, g));
    let wildcards = || {
        let all = spec.groups.iter().enumerate();
        let fitting = all.filter(|(_, (pattern, _))| pattern.contains('*') && covers(pattern, name));
        fitting
            .max_by_key(|(i, (pattern, _))| (pattern.len(), usize::MAX - i))
            .map(|(i, _)| i)
    };
    place(&|n, _| n == name)
        .or_else(|| place(&|_, g| g.aliases.iter().any(|alias| alias == name)))
        .or_else(wildcards)
}

/// Whether `pattern`, in which each `*` stands for any text, covers `name`.
fn covers(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(left) = name.strip_prefix(start) else {
        return false;
    };
    let ends = left.char_indices().map(|(i, _)| i).chain([left.len()]);
    ends.into_iter().any(|i| covers(rest, &left[i..]))
}

/// The names by which a group can be asked for.
fn known_names(spec: &ModelGroups) -> Vec<String> {
    let of = |(name, group): (&str, &ModelGroup)| [name.to_owned()].into_iter().chain(group.aliases.clone());
    spec.groups.iter().flat_map(of).collect()
}

/// The group that each class asks for.
fn entries(spec: &ModelGroups, experiment: &Experiment) -> Built<Vec<u8>> {
    let of = |(class, asks): (&str, Option<&String>)| {
        let found = match asks {
            Some(asks) => named(spec, asks),
            None => named(spec, class).or((spec.groups.len() == 1).then_some(0)),
        };
        found.map(|g| g as u8).ok_or_else(|| {
            let asked = asks.map_or(class, |asks| asks);
            let text = match asks {
                Some(asks) => format!("class `{class}` asks for `{asks}`, and no group has that name"),
                None => format!("class `{class}` does not say which group it asks for: give it `asks`"),
            };
            let refusal = Refusal::unknown("group", asked, &known_names(spec)).at("groups");
            Refusal {
                message: text,
                ..refusal
            }
        })
    };
    let classes = experiment.traffic.classes.iter();
    classes.map(|(name, class)| of((name, class.asks.as_ref()))).collect()
}

/// What should be known of the groups of policy `policy` before a run: breakers that can never open, and groups that fall back to one
/// another.
pub(super) fn cautions(spec: &ModelGroups, client: &ClientSpec, policy: &str) -> Vec<String> {
    let below = settings(client);
    let mut said = Vec::new();
    let mut in_circles: Vec<usize> = Vec::new();
    for (i, (name, group)) in spec.groups.iter().enumerate() {
        let settings = group.client.as_ref().map_or_else(|| below.clone(), |c| c.over(&below));
        let caution = settings.breaker.as_dyn().caution(group.providers.len());
        said.extend(caution.map(|caution| format!("{policy}: group {name}: {caution}")));
        if let Some(circle) = circle(spec, i).filter(|c| !c.iter().any(|g| in_circles.contains(g))) {
            let names: Vec<&str> = circle
                .iter()
                .filter_map(|&g| Some(spec.groups.iter().nth(g)?.0))
                .collect();
            said.push(format!(
                "{policy}: the fallbacks go round in a circle, from {} to {name} again: a group that a request has been at is passed over",
                names.join(" to ")
            ));
            in_circles.extend(circle);
        }
    }
    said
}

/// The groups on a shortest way by `fallbacks` from group `from` back to it, itself first; `None` if there is none.
fn circle(spec: &ModelGroups, from: usize) -> Option<Vec<usize>> {
    let mut ways = std::collections::VecDeque::from([vec![from]]);
    let mut seen = vec![false; spec.groups.len()];
    while let Some(way) = ways.pop_front() {
        let (_, last) = spec.groups.iter().nth(way[way.len() - 1])?;
        for next in last.fallbacks.iter().filter_map(|name| named(spec, name)) {
            if next == from {
                return Some(way);
            }
            if !std::mem::replace(&mut seen[next], true) {
                ways.push_back(way.iter().copied().chain([next]).collect());
            }
        }
    }
    None
}

struct Building<'a> {
    spec: &'a ModelGroups,
    client: &'a ClientSpec,
    fleet: &'a [Deployment],
    names: &'a Names<'a>,
    rules: Vec<Box<dyn Retry>>,
    of_groups: Vec<OfGroup>,
    /// The caches: that of the policy's client first, if it has one, then those that groups have of their own.
    caches: Caches,
}

impl Building<'_> {
    fn group(&mut self, name: &str, group: &ModelGroup) -> Built<Group> {
        if group.providers.is_empty() {
            return Err(Refusal::new("a group without providers").at("providers"));
        }
        let numbers = self
            .names
            .each_provider(&group.providers)
            .map_err(|r| r.at("providers"))?;
        let mut members = vec![false; self.names.providers.len()];
        numbers.iter().for_each(|&p| members[p] = true);
        let chain = |field: &'static str, list: &[String]| self.chain(name, list).map_err(|r| r.at(field));
        let any = chain("fallbacks", &group.fallbacks)?;
        let or_any = |field, list: &Option<Vec<String>>| list.as_ref().map_or(Ok(any.clone()), |l| chain(field, l));
        let chains = [
            any.clone(),
            or_any("context_window_fallbacks", &group.context_window_fallbacks)?,
            or_any("content_policy_fallbacks", &group.content_policy_fallbacks)?,
        ];
        let mut limiters = Vec::new();
        for (i, limiter) in group.limiters.iter().enumerate() {
            let built = limiter.as_dyn().build(self.names);
            limiters.push(built.map_err(|r| r.at(limiter.name()).at(i).at("limiters"))?);
        }
        let on = OutcomeList::set_or(group.on.as_ref(), ANY, "on")?;
        let own = settings(self.client);
        let settings = group
            .client
            .as_ref()
            .map_or_else(|| own.clone(), |changes| changes.over(&own));
        let falls_back = [!any.is_empty()];
        let cluster = Cluster {
            members: &group.providers,
            all: &[(0..numbers.len()).collect()],
            falls_back: &falls_back,
        };
        let inherited = group.client.as_ref().is_none_or(|c| c.breaker.is_inherited());
        let breaker = match (inherited, &settings.breaker) {
            // What the policy's client says of deployments in other groups does not concern this one.
            (true, BreakerSpec::litellm_cooldown(rule)) => BreakerSpec::litellm_cooldown(rule.only(&group.providers)),
            (_, breaker) => breaker.clone(),
        };
        let guard = self
            .guard(&breaker, &cluster)
            .map_err(|r| r.at("breaker").at("client"))?;
        let mut watch = Watch::new(members.len(), &numbers, guard);
        let base = self.timeouts(&settings).map_err(|r| r.at("timeouts").at("client"))?;
        let mut of_members = vec![base; members.len()];
        let bounded = group.retry_budget.is_some() || self.client.retry_budget.is_some();
        let budget = (group.retry_budget.as_ref())
            .map(|budget| {
                let built = budget.as_dyn().build(self.names);
                built.map_err(|r| r.at(budget.name()).at("retry_budget"))
            })
            .transpose()?;
        let rule = self.rule(&settings, bounded).map_err(|r| r.at("retry").at("client"))?;
        let mut rules = vec![rule; members.len()];
        self.cache(group.client.as_ref(), &settings)
            .map_err(|r| r.at("response_cache").at("client"))?;
        for (target, changes) in group.targets.iter() {
            let here = |r: Refusal| r.at(target).at("targets");
            if !changes.response_cache.is_inherited() {
                let text = "a response cache answers before a member is chosen: give it to the group, in `client`";
                return Err(here(Refusal::new(text).at("response_cache")));
            }
            let p = numbers[cluster.place(target).map_err(here)?];
            let own = changes.over(&settings);
            of_members[p] = self.timeouts(&own).map_err(|r| here(r.at("timeouts")))?;
            if !changes.retry.is_inherited() {
                rules[p] = self.rule(&own, bounded).map_err(|r| here(r.at("retry")))?;
            }
            if !changes.breaker.is_inherited() {
                match self.guard(&own.breaker, &cluster).map_err(|r| here(r.at("breaker")))? {
                    Guard::Each(breaker) => watch.give(p, breaker),
                    Guard::Fleet(_) => {
                        let text = format!(
                            "`{}` watches all members of a group together: give it to the group, in `client`",
                            own.breaker.name()
                        );
                        return Err(here(Refusal::new(text).at("breaker")));
                    }
                }
            }
        }
        for (member, &p) in group.providers.iter().zip(&numbers) {
            self.check_silence(member, p, &of_members[p])?;
        }
        self.of_groups.push(OfGroup {
            rule,
            of_providers: rules,
            budget,
        });
        Ok(Group {
            name: name.to_owned(),
            members,
            timeouts: of_members,
            watch,
            limiters,
            max_in_flight: (group.max_in_flight).map_or(u32::MAX, |c| u32::try_from(c.get()).unwrap_or(u32::MAX)),
            on,
            chains,
        })
    }

    /// The numbers of the groups in `list`, to which group `from` falls back.
    fn chain(&self, from: &str, list: &[String]) -> Built<Vec<u8>> {
        let one = |(i, name): (usize, &String)| {
            let group =
                named(self.spec, name).ok_or_else(|| Refusal::unknown("group", name, &known_names(self.spec)).at(i))?;
            if self.spec.groups.iter().nth(group).is_some_and(|(name, _)| name == from) {
                return Err(Refusal::new("the group falls back to itself").at(i));
            }
            Ok(group as u8)
        };
        list.iter().enumerate().map(one).collect()
    }

    fn guard(&self, spec: &BreakerSpec, cluster: &Cluster<'_>) -> Built<Guard> {
        let names = Names {
            providers: cluster.members,
            groups: cluster.all,
            falls_back: cluster.falls_back,
            ..*self.names
        };
        spec.as_dyn().build(&names).map_err(|r| r.at(spec.name()))
    }

    /// Notes the response cache of the next group: that of the policy's client, which groups that say nothing of it share, or its own.
    fn cache(&mut self, changes: Option<&GroupChanges>, settings: &GroupSettings) -> Built<()> {
        let is_own = changes.is_some_and(|changes| !changes.response_cache.is_inherited());
        let number = match &settings.response_cache {
            None => None,
            Some(cache) if is_own => {
                self.caches.of.push(cache.build(self.names)?);
                Some(self.caches.of.len() - 1)
            }
            Some(_) => Some(0),
        };
        self.caches.by_group.push(number);
        Ok(())
    }

    /// Adds the retry rule of `settings`, and returns its number; `bounded` if a budget bounds the retries.
    fn rule(&mut self, settings: &GroupSettings, bounded: bool) -> Built<usize> {
        let rule = match bounded {
            true => settings.retry.under_budget(),
            false => Cow::Borrowed(&settings.retry),
        };
        let rule = rule.as_dyn().build(self.names);
        self.rules.push(rule.map_err(|r| r.at(settings.retry.name()))?);
        Ok(self.rules.len() - 1)
    }

    fn timeouts(&self, settings: &GroupSettings) -> Built<Timeouts> {
        let of = &settings.timeouts;
        let whole = TimeoutsSpec {
            connection: self.client.timeouts.connection,
            connect: of.connect,
            ttft: of.ttft,
            idle: of.idle,
            attempt: of.attempt.clone(),
            total: self.client.timeouts.total,
        };
        timeouts(&whole, self.names)
    }

    /// Checks that whatever provider `p` may leave without an end is ended by a timeout.
    fn check_silence(&self, name: &str, p: usize, timeouts: &Timeouts) -> Built<()> {
        let leaves = |silence| self.fleet[p].provider.faults.iter().any(|f| f.leaves(silence));
        let silent = Silence::ALL.map(|silence| leaves(silence).then_some(name));
        super::check_silence(timeouts, &silent).map_err(|r| r.at("client"))
    }
}

/// The members of a group as its breaker sees them: as if they were all there is.
struct Cluster<'a> {
    members: &'a [String],
    all: &'a [Vec<usize>],
    falls_back: &'a [bool],
}

impl Cluster<'_> {
    fn place(&self, name: &str) -> Built<usize> {
        let place = self.members.iter().position(|member| member == name);
        place.ok_or_else(|| Refusal::unknown("member of the group", name, self.members))
    }
}
