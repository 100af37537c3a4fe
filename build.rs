//! Leaves the tables for unwinding out of an optimised program on Linux: a tenth of its size.
//!
//! Such a program aborts where it panics (`panic = "abort"`), after it has said the file and the line, so nothing unwinds; the tables would
//! only serve backtraces, whose names are stripped as well. Set CARGO_PROFILE_RELEASE_STRIP=none to keep both. The linker's own
//! layout stays: a script with INSERT adds to it, in GNU ld and in LLVM's lld.

use std::path::PathBuf;
use std::{env, fs};

/// What the linker drops.
const SCRIPT: &str = "SECTIONS { /DISCARD/ : { *(.eh_frame) *(.eh_frame_hdr) } } INSERT AFTER .text;\n";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=CARGO_PROFILE_RELEASE_STRIP");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    let is_gnu_linux = is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu");
    if !is_gnu_linux || !is("PROFILE", "release") || is("CARGO_PROFILE_RELEASE_STRIP", "none") {
        return;
    }
    let Some(folder) = env::var_os("OUT_DIR").map(PathBuf::from) else {
        return;
    };
    let script = folder.join("no-unwinding.ld");
    // Without it the program is only larger.
    if fs::write(&script, SCRIPT).is_ok() {
        println!("cargo:rustc-link-arg-bins=-Wl,-T,{}", script.display());
    }
}
