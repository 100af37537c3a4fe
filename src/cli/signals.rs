//! Being asked to stop: Ctrl-C (SIGINT), SIGTERM (`timeout`, containers, schedulers) and SIGHUP (the terminal closes).
//!
//! One rule for every command that has something to lose: the first signal has it end in order, in a way of its own; the second ends
//! it at once, with exit code 128 + the signal's number. A SIGHUP that was ignored when the program began, as under `nohup`,
//! stays ignored. On Windows it is Ctrl-C, Ctrl-Break and the closing of the console. Commands that only read or take a
//! moment are left to the system.

use std::thread;

/// Calls `first` at the first signal, on a thread of its own, which may end the program; the second ends it at once. To be
/// called once. If signals cannot be watched, they end the program as they would any other.
pub(super) fn watch(first: impl FnOnce() + Send + 'static) {
    let mut first = Some(first);
    platform::watch(move |code| match first.take() {
        Some(first) => {
            if thread::Builder::new().spawn(first).is_err() {
                std::process::exit(code);
            }
        }
        None => std::process::exit(code),
    });
}

#[cfg(unix)]
mod platform {
    use std::thread;

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    /// Calls `each` with 128 + its number for each signal.
    pub(super) fn watch(mut each: impl FnMut(i32) + Send + 'static) {
        let mut wanted = vec![SIGINT, SIGTERM];
        if !is_ignored(SIGHUP) {
            wanted.push(SIGHUP);
        }
        let Ok(mut signals) = Signals::new(wanted) else { return };
        let work = move || signals.forever().for_each(|signal| each(128 + signal));
        // Without a thread, signals are noticed by nothing; a program that cannot start one does not come far.
        let _ = thread::Builder::new().name("signals".into()).spawn(work);
    }

    /// Whether whatever started the program has it ignore `signal`. Only Linux says so to a program that asks in safe code.
    fn is_ignored(signal: i32) -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
    }
}

#[cfg(not(unix))]
mod platform {
    /// Calls `each` with the exit code of an interrupt for each signal.
    pub(super) fn watch(mut each: impl FnMut(i32) + Send + 'static) {
        let _ = ctrlc::set_handler(move || each(130));
    }
}
