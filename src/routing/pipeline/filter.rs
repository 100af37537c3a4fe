//! Filters, which leave providers out of a choice: one in each file.

use std::fmt;

use crate::form::build::{Built, Names};
use crate::form::registry::registry;
use crate::kernel::time::Time;
use crate::routing::{Call, Fleet, Wants};
use crate::words::{Course, Ended, Headers};

mod budget;
mod context;
mod cooldown;
mod headers;
mod limits;
mod max_price;
mod not_last;
mod order;

pub use budget::Budget;
pub use context::Context;
pub use cooldown::Cooldown;
pub use headers::HeadersSay;
pub use limits::Limits;
pub use max_price::MaxPrice;
pub use not_last::NotLast;
pub use order::Order;

/// A filter, as it runs. Only [`Filter::fresh`] may allocate.
pub trait Filter: fmt::Debug + Send + Sync {
    /// Takes out of `left`, which is not empty, the providers that it leaves out.
    fn sift(&mut self, left: &mut Vec<usize>, call: &Call, fleet: &Fleet<'_>);

    /// The services that the filter needs.
    fn wants(&self) -> Wants {
        Wants::NOTHING
    }

    /// Called when a call goes to provider `p`.
    fn sent(&mut self, _p: usize, _now: Time) {}

    /// Called when an attempt has ended.
    fn learn(&mut self, _ended: &Ended) {}

    /// Called with the rate-limit headers of an attempt that has ended.
    fn read(&mut self, _ended: &Ended, _headers: &Headers) {}

    /// What the filter does over time besides answering to what it sees: budgets by the day.
    fn course(&self) -> Option<Course> {
        None
    }

    /// A copy in its initial state.
    fn fresh(&self) -> Box<dyn Filter>;
}

/// The parameters of a filter, as the file gives them.
pub trait BuildFilter {
    /// Checks the parameters and makes the filter, for the providers that take part.
    fn build(&self, order: &[usize], names: &Names<'_>) -> Built<Box<dyn Filter>>;
}

registry! {
    /// The filter, which leaves providers out of a choice.
    pub enum FilterSpec as BuildFilter {
        limits => Limits,
        headers => HeadersSay,
        budget => Budget,
        context => Context,
        order => Order,
        max_price => MaxPrice,
        not_last => NotLast,
        cooldown => Cooldown,
    }
}
