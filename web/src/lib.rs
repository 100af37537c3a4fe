//! simcap in WebAssembly, for a page or a loader that has no more than a module's memory and exports: JSON in, JSON out.
//!
//! The caller writes a [`Request`] into memory from [`room`], calls [`run`], and reads the result back from [`result`]. What comes
//! out must be the `result.json` of the native program, byte for byte: neither threads, nor the processor, nor the
//! system's maths may show. One call at a time, as a module of one thread has it. Left out: traces, scripts and files of scores.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use serde::Deserialize;
use simcap::decide;
use simcap::engine::replicate::replicate;
use simcap::engine::run::Control;
use simcap::experiment::assemble::assemble;
use simcap::experiment::load::with_models;
use simcap::experiment::model::ModelFile;
use simcap::experiment::pilot::warmed;
use simcap::form::laws::Columns;
use simcap::report::json;
use simcap::words::Input;

thread_local! {
    static GIVEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    static RESULT: RefCell<String> = const { RefCell::new(String::new()) };
    static FAILED: Cell<bool> = const { Cell::new(false) };
}

/// What is to be run.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    /// What errors and the result call the experiment's file.
    file: String,
    /// The text of the experiment.
    text: String,
    /// The models that it names, by what it calls them. Default: those that are built in.
    #[serde(default)]
    models: BTreeMap<String, ModelFile>,
    /// The columns of files that its laws name.
    #[serde(default)]
    columns: Columns,
    /// The files beside the experiment, as the result names them. Default: as they are found.
    #[serde(default)]
    inputs: Option<Vec<Input>>,
    /// The number of replications. Default: as the plan says.
    #[serde(default)]
    replications: Option<u64>,
}

/// Where `length` bytes can be written: a request.
#[unsafe(no_mangle)]
pub extern "C" fn room(length: usize) -> *mut u8 {
    GIVEN.with_borrow_mut(|given| {
        *given = vec![0; length];
        given.as_mut_ptr()
    })
}

/// Runs the request in the room and says how long the result is, in bytes. What cannot be run gives the error in place of the
/// result, and [`failed`] says 1.
#[unsafe(no_mangle)]
pub extern "C" fn run() -> usize {
    let found = GIVEN.with_borrow(|given| simulate(given));
    FAILED.set(found.is_err());
    let text = found.unwrap_or_else(|error| error.to_string());
    RESULT.with_borrow_mut(|result| {
        *result = text;
        result.len()
    })
}

/// Whether the last run gave an error: 1, else 0.
#[unsafe(no_mangle)]
pub extern "C" fn failed() -> u32 {
    u32::from(FAILED.get())
}

/// Where the result begins.
#[unsafe(no_mangle)]
pub extern "C" fn result() -> *const u8 {
    RESULT.with_borrow(|result| result.as_ptr())
}

fn simulate(given: &[u8]) -> Result<String, Box<dyn std::error::Error>> {
    let request: Request = serde_json::from_slice(given)?;
    let mut loaded = with_models(&request.file, &request.text, request.models)?;
    loaded.columns = request.columns;
    if let Some(inputs) = request.inputs {
        loaded.inputs.truncate(1);
        loaded.inputs.extend(inputs);
    }
    let mut plan = assemble(&loaded)?;
    plan.replications = request.replications.unwrap_or(plan.replications);
    let mut plan = warmed(&loaded, plan, &Control::default())?;
    let runs = replicate(&plan.scenarios, plan.seed, plan.replications, &Control::default());
    let (finished, outgrown) = decide::set_aside(&mut plan, &runs);
    let Ok(mut report) = decide::report_of(&loaded, &plan, &finished);
    if report.replications_finished == 0 {
        return Err(outgrown.join("\n").into());
    }
    report.warnings.splice(0..0, outgrown);
    Ok(json::to_json(&report))
}
