//! `checks/sse.rs`, on the bytes that libFuzzer makes.

#![no_main]

#[path = "../checks/sse.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| checks::check(bytes));
