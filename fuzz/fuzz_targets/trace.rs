//! Any bytes as a trace: rows in order of time, or a short message without what drives a terminal.

#![no_main]

use libfuzzer_sys::fuzz_target;
use simcap::import::source::Rows;
use simcap::import::trace;
use simcap::traffic::arrivals::Reading;

fuzz_target!(|bytes: &[u8]| {
    let mut source = Rows::of(bytes, 1_000_000_000);
    match trace::read(&mut source, &Reading::default()) {
        Ok(trace) => {
            let rows = trace.rows;
            assert!(!rows.is_empty() && rows[0].at.nanos() == 0);
            assert!(rows.is_sorted_by_key(|row| row.at));
            assert!(rows.iter().all(|row| row.output > 0));
        }
        Err(error) => {
            let said = error.to_string();
            assert!(said.chars().count() < 1000, "{said}");
            assert!(!said.contains(|c: char| c.is_control()), "{said}");
        }
    }
});
