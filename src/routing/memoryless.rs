//! Policies that keep nothing between choices: a function of the call and of what the client knows of its hosts.

use std::fmt;

use super::{Call, Fleet, Members, Policy, taking_part};
use crate::form::build::{Built, Names};

/// A policy that keeps nothing between choices: `choose` among those `given`, in their order.
pub(super) fn memoryless(
    given: &Members,
    names: &Names<'_>,
    choose: impl Fn(&[usize], &Call, &Fleet<'_>) -> Option<usize> + Copy + Send + Sync + 'static,
) -> Built<Box<dyn Policy>> {
    let order = taking_part(given, names)?;
    Ok(Box::new(Memoryless { order, choose }))
}

/// A policy that keeps nothing between choices.
#[derive(Clone)]
struct Memoryless<F> {
    order: Vec<usize>,
    choose: F,
}

impl<F> fmt::Debug for Memoryless<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memoryless")
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}

impl<F> Policy for Memoryless<F>
where
    F: Fn(&[usize], &Call, &Fleet<'_>) -> Option<usize> + Copy + Send + Sync + 'static,
{
    #[inline]
    fn choose(&mut self, call: &Call, fleet: &Fleet<'_>) -> Option<usize> {
        (self.choose)(&self.order, call, fleet)
    }

    fn fresh(&self) -> Box<dyn Policy> {
        Box::new(self.clone())
    }
}
