//! How much of a report there is room for on the first screen.
//!
//! Few policies have all their lines, many have fewer, and where that is still more than a screen, it is cut to what decides. Left out: what the
//! lines say, which is the screen's.

use super::HEAD;
use crate::report::Report;
use crate::report::leading::FIGURES;

/// Up to so many policies all are shown.
const POLICIES: usize = 10;

/// Below this width many policies have fewer rows.
pub(super) const NARROW: usize = 100;

/// How much is shown of what may be long.
#[derive(Clone, Copy)]
pub(super) struct Room {
    pub(super) policies: usize,
    pub(super) warnings: usize,
    /// Lines of each warning.
    pub(super) lines: usize,
    /// Lines of what is not modelled.
    pub(super) assumptions: usize,
    pub(super) notes: usize,
    /// Lines of what binds, one for each policy or several that agree.
    pub(super) binding: usize,
    /// Whether there is room for how requests failed, for which objective is not met, and for what is asked for besides.
    pub(super) details: bool,
    /// Whether there is room for when requests failed.
    pub(super) course: bool,
    /// The figures that are shown though nothing is asked of them.
    pub(super) figures: usize,
    /// Whether besides what is bounded only errors and costs are shown.
    pub(super) is_tightest: bool,
    /// Columns of a name.
    pub(super) name: usize,
    /// The most comparisons that are told in a sentence each.
    pub(super) sentences: usize,
}

impl Room {
    pub(super) fn of(report: &Report, width: usize) -> Room {
        if report.policies.len() <= POLICIES {
            Room {
                policies: POLICIES,
                warnings: 4,
                lines: 3,
                assumptions: 3,
                notes: 3,
                binding: 4,
                details: true,
                course: true,
                figures: FIGURES.len(),
                is_tightest: false,
                name: HEAD,
                sentences: SENTENCES,
            }
        } else {
            // Where the table has to go on below, its rows come twice.
            let is_narrow = width < NARROW;
            Room {
                policies: if is_narrow { 5 } else { 8 },
                warnings: if is_narrow { 2 } else { 3 },
                lines: 2,
                assumptions: if is_narrow { 1 } else { 2 },
                notes: 2,
                binding: 1,
                details: false,
                course: false,
                figures: 5,
                is_tightest: false,
                name: 20,
                sentences: SENTENCES,
            }
        }
    }

    /// All but the sentences of comparison.
    pub(super) fn without_sentences(self) -> Room {
        Room { sentences: 0, ..self }
    }

    /// What is left where all of it would be more than a screen: what decides, and of the rest a line or two each.
    pub(super) fn tight(self) -> Room {
        Room {
            warnings: self.warnings.min(2),
            lines: 2,
            assumptions: 1,
            notes: self.notes.min(2),
            binding: self.binding.min(2),
            course: false,
            figures: self.figures.min(5),
            sentences: 0,
            ..self
        }
    }

    /// What is left of that where it is more than a screen too: fewer policies.
    pub(super) fn barest(self) -> Room {
        Room {
            policies: self.policies.min(4),
            binding: 0,
            ..self.tightest()
        }
    }

    /// What is left where that is more than a screen too.
    pub(super) fn tightest(self) -> Room {
        Room {
            details: false,
            is_tightest: true,
            ..self.tighter()
        }
    }

    /// What is left of that where it is a line or two too much: one of each.
    pub(super) fn tighter(self) -> Room {
        Room {
            warnings: 1,
            notes: 1,
            binding: 1,
            ..self.tight()
        }
    }
}

/// Lines of a screen, with the one that says where the page is.
pub(super) const LINES: usize = 40;

/// The most comparisons that are told in a sentence each.
const SENTENCES: usize = 3;
