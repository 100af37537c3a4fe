//! From what a file says to what runs: the names a plug-in may refer to, and how it refuses.

use std::any::Any;
use std::cell::RefCell;

use super::diagnose::{self, Seg};
use super::hidden::Called;
use super::units::Money;
use crate::form::exchange::Exchange;
use crate::kernel::calendar::Calendar;
use crate::kernel::time::{Span, Time};

/// What building a plug-in yields.
pub type Built<T> = Result<T, Refusal>;

/// Parameters that read well but make no sense, and where, relative to the plug-in that refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Where, from the outside in.
    pub path: Vec<Seg>,
    /// What is wrong.
    pub message: String,
    /// The unknown name, if it is one.
    pub found: Option<String>,
    /// What is allowed instead, if that is a list.
    pub allowed: Vec<String>,
    /// Further refusals in the same file.
    pub also: Vec<Refusal>,
}

/// Refusals that stand beside each other, so that a file can be mended in one go.
#[derive(Debug, Default)]
pub struct Wrong(Vec<Refusal>);

impl Wrong {
    /// What was built; a refusal is kept, once.
    pub fn keep<T>(&mut self, built: Built<T>) -> Option<T> {
        built
            .map_err(|refusal| {
                if !self.0.contains(&refusal) {
                    self.0.push(refusal);
                }
            })
            .ok()
    }

    /// All that was refused so far, as one.
    ///
    /// # Errors
    /// If anything was.
    pub fn end(&mut self) -> Built<()> {
        match self.0.pop() {
            None => Ok(()),
            Some(last) => Err(self.and(last)),
        }
    }

    /// All that was refused so far and `last`, as one.
    pub fn and(&mut self, last: Refusal) -> Refusal {
        let mut all = std::mem::take(&mut self.0).into_iter();
        match all.next() {
            None => last,
            Some(mut first) => {
                first.also.extend(all.chain([last]));
                first
            }
        }
    }
}

impl Refusal {
    /// A refusal of the plug-in as a whole.
    pub fn new(message: impl Into<String>) -> Refusal {
        Refusal {
            path: Vec::new(),
            message: message.into(),
            found: None,
            allowed: Vec::new(),
            also: Vec::new(),
        }
    }

    /// A refusal in the words of another error.
    pub fn of(error: impl std::error::Error) -> Refusal {
        Refusal::new(error.to_string())
    }

    /// A name that is not among `allowed`; `kind` says what it would name.
    pub fn unknown(kind: &str, found: &str, allowed: &[String]) -> Refusal {
        Refusal {
            path: Vec::new(),
            message: format!("there is no {kind} `{found}`"),
            found: Some(found.to_owned()),
            allowed: allowed.to_vec(),
            also: Vec::new(),
        }
    }

    /// The same, one step further out: inside the field or the element `step`.
    #[must_use]
    pub fn at(mut self, step: impl Into<Seg>) -> Refusal {
        self.path.insert(0, step.into());
        self
    }
}

impl Refusal {
    /// The refusal as a mistake in `text`, whose outermost value its path starts from. A name that is a key is pointed
    /// at as such.
    pub fn error(mut self, file: &str, text: &str) -> diagnose::Error {
        let also = std::mem::take(&mut self.also);
        if !also.is_empty() {
            let others = also.into_iter().map(|refusal| refusal.error(file, text));
            return self.error(file, text).beside(others);
        }
        let Some(found) = self.found else {
            return diagnose::Error::at(file, text, &self.path, self.message);
        };
        let is_key = matches!(self.path.last(), Some(Seg::Key(last)) if *last == found);
        let at = if is_key {
            diagnose::Error::at_key
        } else {
            diagnose::Error::at
        };
        at(file, text, &self.path, self.message).with_allowed(&found, self.allowed.iter().map(String::as_str))
    }
}

/// Refuses the first of `counts` that is 0, at its name.
///
/// # Errors
/// If one is.
pub fn at_least_one(counts: &[(&'static str, u32)]) -> Built<()> {
    match counts.iter().find(|(_, count)| *count == 0) {
        Some((name, _)) => Err(Refusal::new(format!("{name} is 0, and must be at least 1")).at(*name)),
        None => Ok(()),
    }
}

/// The names that an experiment gives to its parts, and what is known of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Names<'a> {
    /// The experiment's providers, in order.
    pub providers: &'a [String],
    /// The experiment's classes, in order.
    pub classes: &'a [String],
    /// What a client knows of each provider beforehand, in order.
    pub known: &'a [Known],
    /// The groups of providers that requests fall back along; none if there is only one.
    pub groups: &'a [Vec<usize>],
    /// Whether each of `groups` has another that its requests fall back to.
    pub falls_back: &'a [bool],
    /// The members of the named group that the part is for, which stand for all providers then; `None` where it is for none.
    pub members: Option<&'a [usize]>,
    /// Whether the part is the policy whose named groups the client works with.
    pub names_groups: bool,
    /// What is known of the requests of each class, in order.
    pub asks: &'a [Asked],
    /// The number of users; `None` if each request has its own user.
    pub users: Option<u32>,
    /// What users are called whose names a trace says.
    pub called: &'a [Called],
    /// The tags that requests carry besides those of their classes, in order.
    pub tags: &'a [Tagged],
    /// The instant of a replication at which the plan's time begins: the end of its warm-up. A part that holds times of the
    /// plan (an outage's start, a budget's windows, a time of day) adds them to this one.
    pub origin: Time,
    /// What a dollar is in the experiment's currency, if it has one.
    pub exchange: Option<Exchange>,
    /// What the clock says when a replication begins.
    pub calendar: Calendar,
    /// What else plug-ins may refer to, one value of each type: what [`Names::extra`] finds.
    pub extras: &'a [&'a (dyn Any + Send + Sync)],
    /// Where providers are noted that a part names or takes part with, if anything asks.
    pub noted: Option<&'a RefCell<Vec<usize>>>,
}

/// What a client knows of the requests of a class beforehand: what it says of them itself, and what they have been like.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// What is said of them besides, by name.
    pub tags: Vec<(String, String)>,
    /// Mean input and output tokens, where they are known.
    pub tokens: Option<(f64, f64)>,
    /// The `max_tokens` sent along, if any.
    pub max_output: Option<u32>,
    /// How many prompts come back in them, if any do.
    pub prompts: Option<u32>,
    /// The most that one should cost, in pico-dollars, if the caller says so.
    pub cost_budget: Option<u64>,
    /// How long one should take, if the caller says so.
    pub latency_budget: Option<Span>,
    /// The provider asked for by name, if there is one.
    pub provider: Option<usize>,
}

/// A tag of the traffic: its values, and where they stand in the one number that a request carries for all tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tagged {
    /// The name of the tag.
    pub name: String,
    /// The values, in the file's order; at least one.
    pub values: Vec<String>,
    /// How much the number grows from one value to the next: the product of the numbers of values of the tags before.
    pub stride: u32,
}

impl Tagged {
    /// The number of the value in `tags`, the number of all tags.
    #[inline]
    pub fn of(&self, tags: u32) -> u32 {
        tags / self.stride % self.values.len() as u32
    }

    /// The number of the value that is called `value`, if there is one.
    pub fn place(&self, value: &str) -> Option<u32> {
        self.values.iter().position(|known| known == value).map(|at| at as u32)
    }
}

/// What a client knows of a provider beforehand: from price lists, model cards and its own configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// Pico-dollars for a token of input and one of output, where it is sold by the token.
    pub price: Option<(u64, u64)>,
    /// The most input and output tokens together; `u64::MAX` for no limit.
    pub context_window: u64,
    /// Requests a minute that its quotas allow, if they bound them.
    pub requests_per_minute: Option<u64>,
    /// Tokens a minute that its quotas allow, if they bound them: of whichever kind is scarcest.
    pub tokens_per_minute: Option<u64>,
    /// The client's most connections to it; `u32::MAX` for no bound.
    pub connections: u32,
    /// Probability of a good answer, in millionths, by class; [`crate::words::UNRATED`] where it is not known.
    pub quality: Vec<u32>,
}

impl<'a> Names<'a> {
    /// The extra value of this type, if there is one: parts that the running program registered, scripts beside the experiment.
    pub fn extra<T: Any>(&self) -> Option<&'a T> {
        self.extras.iter().find_map(|extra| extra.downcast_ref())
    }

    /// The index of a provider.
    ///
    /// # Errors
    /// If there is none of that name, or it is not in the group that the part is for.
    pub fn provider(&self, name: &str) -> Built<usize> {
        let found = self.find(name)?;
        self.note(&[found]);
        Ok(found)
    }

    fn note(&self, providers: &[usize]) {
        if let Some(noted) = self.noted {
            noted.borrow_mut().extend(providers);
        }
    }

    fn find(&self, name: &str) -> Built<usize> {
        let Some(members) = self.members else {
            return number("provider", name, self.providers);
        };
        let in_group = |&&p: &&usize| self.providers[p] == name;
        members.iter().find(in_group).copied().ok_or_else(|| {
            let all: Vec<String> = members.iter().map(|&p| self.providers[p].clone()).collect();
            Refusal::unknown("member of the group", name, &all)
        })
    }

    /// The providers that take part where none is named: the members of the group, or all.
    pub fn everybody(&self) -> Vec<usize> {
        let all = self
            .members
            .map_or_else(|| (0..self.providers.len()).collect(), <[usize]>::to_vec);
        self.note(&all);
        all
    }

    /// The indices of several providers, all different.
    ///
    /// # Errors
    /// If one does not exist or is named twice.
    pub fn each_provider(&self, names: &[String]) -> Built<Vec<usize>> {
        let mut found: Vec<usize> = Vec::with_capacity(names.len());
        for (i, name) in names.iter().enumerate() {
            let index = self.provider(name).map_err(|r| r.at(i))?;
            if found.contains(&index) {
                return Err(Refusal::new(format!("`{name}` is named twice")).at(i));
            }
            found.push(index);
        }
        Ok(found)
    }

    /// An amount as everything is billed: in millionths of a millionth of the experiment's currency.
    pub fn money(&self, amount: Money) -> u128 {
        let dollars = amount.picodollars();
        self.exchange.map_or(dollars, |rate| rate.of(dollars))
    }

    /// The index of a class.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn class(&self, name: &str) -> Built<usize> {
        number("class", name, self.classes)
    }
}

/// The place of `name` among names of this `kind`.
///
/// # Errors
/// If it is not there.
pub fn number(kind: &str, name: &str, among: &[String]) -> Built<usize> {
    among
        .iter()
        .position(|n| n == name)
        .ok_or_else(|| Refusal::unknown(kind, name, among))
}
