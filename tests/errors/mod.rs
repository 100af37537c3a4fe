//! What is said of experiment files with a mistake in them: the whole of it, as it is printed.
//!
//! Every case is one edit of a good file, `good.json`. A message names the file, the line and column, the JSON path,
//! what was found and what is allowed, and the nearest name where a name is wrong; the author of the file should need
//! nothing else to mend it. The snapshots are what a person has judged to be such a message.

mod admission;
mod client;
mod files;
mod idle;
mod load;
mod metrics;
mod missing;
mod mutated;
mod names;
mod policies;
mod prices;
mod quotas;
mod resilience;
mod sense;
mod shape;
mod syntax;
mod values;

use simcap::experiment::assemble::assemble;
use simcap::experiment::load::from_text;

/// A file without a mistake.
const GOOD: &str = include_str!("good.json");

/// What is said of `text` in a file called shop.json.
fn said_of(text: &str) -> String {
    match from_text("shop.json", text) {
        Err(error) => error.to_string(),
        Ok(loaded) => match assemble(&loaded) {
            Err(error) => error.to_string(),
            Ok(_) => "nothing is wrong".into(),
        },
    }
}

/// What is said of the good file after `from`, which it has once, has become `to`.
#[track_caller]
fn said(from: &str, to: &str) -> String {
    assert_eq!(GOOD.matches(from).count(), 1, "{from} is not there just once");
    said_of(&GOOD.replacen(from, to, 1))
}

#[test]
fn the_good_file_is_good() {
    assert_eq!(said_of(GOOD), "nothing is wrong");
}
