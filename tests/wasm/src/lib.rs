//! simcap in WebAssembly, for a loader that has no more than a module's memory and exports: text in, text out.
//!
//! `loader.mjs` beside this package writes a file's name and text into memory from [`room`], calls [`run`], and reads the
//! result back from [`result`]. What comes out must be the `result.json` of the native program, byte for byte: neither
//! threads, nor the processor, nor the system's maths may show. One call at a time, as a module of one thread has it.

use std::cell::RefCell;

use simcap::decide;
use simcap::engine::replicate::replicate;
use simcap::engine::run::Control;
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::from_text;
use simcap::experiment::pilot::warmed;
use simcap::report::json;

thread_local! {
    static GIVEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static RESULT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Where `length` bytes can be written: the file's name, then its text.
#[unsafe(no_mangle)]
pub extern "C" fn room(length: usize) -> *mut u8 {
    GIVEN.with_borrow_mut(|given| {
        *given = vec![0; length];
        given.as_mut_ptr()
    })
}

/// Runs the experiment in the room, of which the first `name` bytes are its file's name, and says how long the result is, in
/// bytes. What cannot be run gives the error in place of the result.
#[unsafe(no_mangle)]
pub extern "C" fn run(name: usize) -> usize {
    let given = GIVEN.with_borrow(|given| String::from_utf8_lossy(given).into_owned());
    let (name, text) = given.split_at(name);
    let found = simulate(name, text).unwrap_or_else(|error| error.to_string());
    RESULT.with_borrow_mut(|result| {
        *result = found;
        result.len()
    })
}

/// Where the result begins.
#[unsafe(no_mangle)]
pub extern "C" fn result() -> *const u8 {
    RESULT.with_borrow(|result| result.as_ptr())
}

fn simulate(name: &str, text: &str) -> Result<String, Box<dyn std::error::Error>> {
    let loaded = from_text(name, text)?;
    let plan = warmed(&loaded, assemble(&loaded)?, &Control::default())?;
    let runs = replicate(&plan.scenarios, plan.seed, plan.replications, &Control::default());
    Ok(json::to_json(&decide::report(&loaded, &plan, &runs)))
}
