//! A budget for each identity: what each has spent in the window, and which have spent all of it.

use crate::client::identity::{Keyed, Whose};
use crate::words::{Ask, Ended};

/// What identities have spent in the window of one budget.
#[derive(Clone, Debug)]
pub(super) struct OfEach {
    pub(super) whose: Whose,
    /// The money in pico-dollars and the tokens that each has spent.
    spent: Keyed<(u128, u64)>,
    /// How many have spent all.
    exhausted: usize,
    /// The request that was last turned away, and whose it is.
    refused: Option<(u64, u32)>,
}

impl OfEach {
    pub(super) fn new(whose: Whose) -> OfEach {
        OfEach {
            whose,
            spent: Keyed::default(),
            exhausted: 0,
            refused: None,
        }
    }

    /// Whether any identity has spent all.
    pub(super) fn is_any_exhausted(&self) -> bool {
        self.exhausted > 0
    }

    /// Whether the identity of `ask` has spent all of `most`.
    pub(super) fn is_exhausted(&mut self, ask: &Ask, most: (u128, u64)) -> bool {
        let number = self.whose.of_ask(ask).filter(|_| self.exhausted > 0);
        let spent = number.and_then(|number| self.spent.get_mut(number));
        spent.is_some_and(|spent| over(spent, most))
    }

    /// Notes that `ask` is turned away.
    pub(super) fn turn_away(&mut self, ask: &Ask) {
        self.refused = self.whose.of_ask(ask).map(|number| (ask.id, number));
    }

    /// The identity for whose budget `ask` was turned away, if it was the last.
    pub(super) fn refused(&self, ask: &Ask) -> Option<u32> {
        self.refused.filter(|(id, _)| *id == ask.id).map(|(_, number)| number)
    }

    /// Charges what an attempt has cost; returns what its identity has spent by then, and whether that has just become all of `most`.
    pub(super) fn charge(&mut self, ended: &Ended, tokens: u64, most: (u128, u64)) -> ((u128, u64), bool) {
        let Some(number) = self.whose.of(ended.class, ended.user, ended.tags) else {
            return ((0, 0), false);
        };
        let spent = self.spent.at(number, || (0, 0), |spent| *spent == (0, 0));
        let before = over(spent, most);
        spent.0 = spent.0.saturating_add(u128::from(ended.cost));
        spent.1 = spent.1.saturating_add(tokens);
        let newly = !before && over(spent, most);
        self.exhausted += usize::from(newly);
        (*spent, newly)
    }

    /// A window is over.
    pub(super) fn clear(&mut self) {
        self.spent.clear();
        self.exhausted = 0;
    }
}

fn over(spent: &(u128, u64), most: (u128, u64)) -> bool {
    spent.0 >= most.0 || spent.1 >= most.1
}
