//! What two results on one page have to do with each other, and what each of them is.

use super::Report;

/// What two results on one page have to do with each other.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Joined {
    /// Whether both met the same requests, so that their differences are paired.
    pub paired: bool,
    /// Requests a second in each, where they differ by more than chance: then whatever grows with traffic says nothing of the policies.
    pub traffic: Option<[f64; 2]>,
    /// Whether a policy of the second fails an objective that it did not fail in the first.
    pub now_fails: bool,
    /// Each result without its figures, and named as on the page: how it was run, and from what files.
    pub each: [Box<Report>; 2],
}

impl Report {
    /// What is told apart at the head of a page: the two results, or the one.
    pub(crate) fn each(&self) -> Vec<&Report> {
        match &self.joined {
            Some(joined) => joined.each.iter().map(AsRef::as_ref).collect(),
            None => vec![self],
        }
    }
}
