//! Names of people that reports do not show: a few digits of their hash stand for them.
//!
//! The same name has the same digits in every file and run, so that a user of one report is found again in the next; and a list of names suffices to find them. It does not protect against such a list.

use std::sync::Arc;

use sha2::{Digest, Sha256};

/// The digits that stand for `name`: the first twelve of its SHA-256, in hexadecimal.
pub fn hidden(name: &str) -> String {
    let hash = Sha256::digest(name.as_bytes());
    hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// What the users of one stream are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Called {
    /// The number of the first of them.
    pub first: u32,
    /// What each is called: the name, or what stands for it.
    pub names: Arc<[Box<str>]>,
}

impl Called {
    /// What user `number` is called, if it is one of these.
    pub fn name(&self, number: u32) -> Option<&str> {
        let place = number.checked_sub(self.first)? as usize;
        self.names.get(place).map(|name| &**name)
    }

    /// The number of the user of this name.
    pub fn number(&self, name: &str) -> Option<u32> {
        let hidden = hidden(name);
        let is_it = |called: &str| *called == *name || *called == *hidden;
        let place = self.names.iter().position(|called| is_it(called))?;
        Some(self.first + place as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// printf alice | sha256sum begins with 2bd806c97f0e.
    #[test]
    fn a_user_is_found_by_the_name_and_by_what_stands_for_it() {
        assert_eq!(hidden("alice"), "2bd806c97f0e");
        let names: Vec<Box<str>> = vec!["2bd806c97f0e".into(), "bob".into()];
        let called = Called {
            first: 7,
            names: names.into(),
        };
        for (name, number) in [
            ("alice", Some(7)),
            ("2bd806c97f0e", Some(7)),
            ("bob", Some(8)),
            ("eve", None),
        ] {
            assert_eq!(called.number(name), number, "{name}");
        }
        assert_eq!(
            (called.name(8), called.name(9), called.name(6)),
            (Some("bob"), None, None)
        );
    }
}
