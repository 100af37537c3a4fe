//! The `simcap` command.

fn main() {}
