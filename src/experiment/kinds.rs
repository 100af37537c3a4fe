//! Every kind of part that a file can name: what the command line, the tests and the benchmarks walk through.
//!
//! A kind is a `registry!` with a `kind`. That none is missing here is a test, which compares this list with the kinds
//! that the schema of an experiment speaks of.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::client::admission::AdmissionSpec;
use crate::client::breaker::BreakerSpec;
use crate::client::hedge::HedgeSpec;
use crate::client::limiter::LimiterSpec;
use crate::client::response_cache::StoreSpec;
use crate::client::retry::RetrySpec;
use crate::client::retry_budget::RetryBudgetSpec;
use crate::form::laws::LawSpec;
use crate::form::manual::{self, Manual};
use crate::form::registry::{Kind, Page};
use crate::form::tree::{self, Tree};
use crate::form::units::Duration;
use crate::provider::cache::CacheSpec;
use crate::provider::faults::FaultSpec;
use crate::provider::limits::LimitSpec;
use crate::provider::load::LoadSpec;
use crate::provider::pricing::PriceSpec;
use crate::routing::PolicySpec;
use crate::traffic::arrivals::ArrivalsSpec;

/// A kind of part.
#[derive(Clone, Copy, Debug)]
pub struct PartKind {
    /// What one of them is called: `breaker`, `retry_budget`.
    pub name: &'static str,
    /// The parts and their manual pages, in the order of the list.
    pub pages: &'static [Page],
    again: fn(&str) -> Result<Value, String>,
}

impl PartKind {
    fn of<K: Kind + Serialize + DeserializeOwned>() -> PartKind {
        PartKind {
            name: K::KIND,
            pages: K::PAGES,
            again: |json| {
                let tree: Tree = serde_json::from_str(json).map_err(|error| error.to_string())?;
                let part: K = tree::read(&tree).map_err(|mistake| mistake.message().to_owned())?;
                serde_json::to_value(&part).map_err(|error| error.to_string())
            },
        }
    }

    /// The part that `json` says, as simcap writes it.
    ///
    /// # Errors
    /// If it is not a part of this kind.
    pub fn read(&self, json: &str) -> Result<Value, String> {
        (self.again)(json)
    }

    /// Each part's name with the example that its page shows; pages without one are left out.
    pub fn examples(&self) -> impl Iterator<Item = (&'static str, Value)> {
        self.pages.iter().filter_map(|page| Some((page.name, example(page)?)))
    }
}

/// The example that a page shows.
fn example(page: &Page) -> Option<Value> {
    let read = page_of(page);
    serde_json::from_str(&read.example()?.join("\n")).ok()
}

/// The manual page, read.
pub fn page_of(page: &Page) -> Manual {
    manual::read(page.name, page.group, page.source)
}

/// Every kind, in the order of the way of a request.
pub fn all() -> Vec<PartKind> {
    vec![
        PartKind::of::<ArrivalsSpec>(),
        PartKind::of::<LawSpec<Duration>>(),
        PartKind::of::<LoadSpec>(),
        PartKind::of::<CacheSpec>(),
        PartKind::of::<LimitSpec>(),
        PartKind::of::<FaultSpec>(),
        PartKind::of::<PriceSpec>(),
        PartKind::of::<StoreSpec>(),
        PartKind::of::<AdmissionSpec>(),
        PartKind::of::<LimiterSpec>(),
        PartKind::of::<BreakerSpec>(),
        PartKind::of::<RetrySpec>(),
        PartKind::of::<RetryBudgetSpec>(),
        PartKind::of::<HedgeSpec>(),
        PartKind::of::<PolicySpec>(),
    ]
}

#[cfg(test)]
mod tests;
