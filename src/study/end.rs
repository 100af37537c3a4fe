//! How a search for the value of a lever ended, and what it found.

use super::point::{Excess, Seen};

/// How a search ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// The value is found.
    Found,
    /// Objectives hold in the whole range, and nothing that could bind was touched: load is never felt.
    Unfelt,
    /// Objectives hold to the end of the range, which is the value.
    Beyond,
    /// Objectives fail at every value down to the easiest.
    Nowhere,
    /// An objective, by its number in the plan, fails however little comes: what fails it is not load.
    Never(usize),
    /// Objectives hold until requests pile up, or the experiment is refused; why.
    Outgrown(Excess),
    /// The budget was spent before the value was found.
    Spent,
    /// It was stopped.
    Stopped,
    /// An objective has no value under this policy: its number.
    Unjudged(usize),
}

/// What a search found.
#[derive(Debug)]
pub struct Found {
    /// How it ended.
    pub end: End,
    /// The value, or as far as is known.
    pub value: f64,
    /// The interval of the value, in rising order.
    pub interval: Option<(f64, f64)>,
    /// Whether the interval is as narrow as asked for.
    pub is_precise: bool,
    /// The objective that binds, or that fails however easy it is made, by number in the plan.
    pub objective: Option<usize>,
    /// Every point, in rising order of the lever.
    pub points: Vec<Seen>,
    /// Two values of which the worse passes and the better fails, beyond noise: the failing one, and the passing one.
    pub turns: Option<(f64, f64)>,
    /// Replications at the value.
    pub replications: u64,
    /// Requests that were simulated.
    pub requests: u64,
}
