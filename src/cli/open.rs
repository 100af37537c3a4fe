//! Opens a page in the program that the system has for pages. If it has none, that is said, and no failure.

use std::path::Path;
use std::process::{Command, Stdio};

/// Opens `page` and does not wait for it.
pub(super) fn open(page: &Path) {
    let mut command = if cfg!(target_os = "macos") {
        Command::new("open")
    } else if cfg!(windows) {
        // `start` takes its first quoted argument for a title.
        let mut command = Command::new("cmd");
        command.args(["/C", "start", ""]);
        command
    } else {
        Command::new("xdg-open")
    };
    // A name that begins with a dash is not an option.
    let page = std::path::absolute(page).unwrap_or_else(|_| page.to_owned());
    let quiet = command
        .arg(&page)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if let Err(error) = quiet.spawn() {
        tell!("note: {} cannot be opened from here: {error}", page.display());
    }
}
