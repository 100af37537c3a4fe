//! Times one M/M/1 queue in several simulation engines, and an LLM router by hand and in simcap, on one core of one machine.
//!
//! `cargo run --release --manifest-path benches/peers/Cargo.toml` prints both tables, and last the one that the project's README shows; `-- --quick` is
//! a short run.
//! `README.md` beside this package says how to read them.

mod bare_router;
mod heap;
mod histogram;
mod measure;
mod mm1;
mod quantile;
mod simcap_router;
mod table;

use std::process::ExitCode;

fn main() -> ExitCode {
    let scale = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => measure::Scale::FULL,
        [flag] if flag == "--quick" => measure::Scale::QUICK,
        _ => {
            eprintln!("usage: simcap-peers [--quick]");
            return ExitCode::FAILURE;
        }
    };
    let engines = measure::mm1(mm1::ENGINES, &scale);
    table::print_mm1(&scale, &engines);
    let (bare, whole) = measure::router(bare_router::LOADS, &scale);
    table::print_router(&scale, &bare);
    table::print_simcap(&bare, &whole);
    table::print_readme(&engines, &bare, &whole);
    ExitCode::SUCCESS
}
