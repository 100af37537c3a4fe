//! The end of a search where no objective feels the load: from which on requests pile up.

use super::super::end::End;
use super::super::point::{Excess, Fault};
use super::{CLOSE, Going, LEAST, MOVES};

impl Going<'_, '_> {
    /// The load from which on requests pile up, between two loads, where no objective feels that: with all replications, since a slow rise
    /// shows in many only.
    pub(super) fn limit(&mut self, mut holds: f64, mut fails: f64) -> Result<End, Fault> {
        let n = self.replications.max(LEAST);
        let end = Ok(End::Outgrown(Excess::Growing));
        let mut is_sure = false;
        for _ in 0..MOVES {
            let next = if is_sure { f64::midpoint(holds, fails) } else { holds };
            if is_sure && fails - holds <= self.how.precision {
                return end;
            }
            if !self.affords(next, n) {
                return if is_sure { end } else { Ok(End::Spent) };
            }
            let seen = self.see(next, n, None)?;
            match (seen.holds(), is_sure) {
                (true, _) => (holds, is_sure) = (next, true),
                (false, true) => fails = next,
                (false, false) => (holds, fails) = (next - CLOSE, next),
            }
            (self.holds, self.fails) = (Some(holds), Some(fails));
        }
        end
    }
}
