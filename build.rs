//! Makes an optimised program on Linux a fifth smaller: without the tables for unwinding, at a fixed address, and with one copy of functions
//! that came out alike.
//!
//! Such a program aborts where it panics (`panic = "abort"`), after it has said the file and the line, so nothing unwinds; the tables would
//! only serve backtraces, whose names are stripped as well. Set CARGO_PROFILE_RELEASE_STRIP=none to keep both. The linker's own
//! layout stays: a script with INSERT adds to it, in GNU ld and in LLVM's lld.
//!
//! A program that may lie anywhere has a list of every pointer in its tables, of which there are some thirty thousand; at a fixed address the
//! linker fills them in. What is handed out (the profile `dist`) may lie anywhere.
//!
//! Names are stripped by the linker, since Cargo leaves them in where the package has a profile of its own within the release's
//! (`profile.release.package`), as it has.
//!
//! Folding functions is something that lld can, which recent compilers bring, and GNU ld cannot: a program of nothing is linked to find out.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// What the linker drops.
const SCRIPT: &str = "SECTIONS { /DISCARD/ : { *(.eh_frame) *(.eh_frame_hdr) } } INSERT AFTER .text;\n";

/// Folds functions of the same instructions.
const FOLD: &str = "-Wl,--icf=all";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=CARGO_PROFILE_RELEASE_STRIP");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    let is_gnu_linux = is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu");
    if !is_gnu_linux || is("CARGO_PROFILE_RELEASE_STRIP", "none") {
        return;
    }
    let Some(folder) = env::var_os("OUT_DIR").map(PathBuf::from) else {
        return;
    };
    let is_of = |profile: &str| folder.iter().any(|part| part == profile);
    if !is_of("release") && !is_of("dist") {
        return;
    }
    let script = folder.join("no-unwinding.ld");
    // Without any of these the program is only larger.
    if fs::write(&script, SCRIPT).is_ok() {
        println!("cargo:rustc-link-arg-bins=-Wl,-T,{}", script.display());
    }
    println!("cargo:rustc-link-arg-bins=-Wl,--strip-all");
    if !is_of("dist") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
    if links(&folder, FOLD) {
        println!("cargo:rustc-link-arg-bins={FOLD}");
    }
}

/// Whether the compiler's linker takes `argument`.
fn links(folder: &Path, argument: &str) -> bool {
    let source = folder.join("nothing.rs");
    let (Some(compiler), Ok(target)) = (env::var_os("RUSTC"), env::var("TARGET")) else {
        return false;
    };
    if fs::write(&source, "fn main() {}\n").is_err() {
        return false;
    }
    let mut command = Command::new(compiler);
    command.args([
        "--edition=2021",
        "--target",
        &target,
        "-C",
        &format!("link-arg={argument}"),
    ]);
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        command.args(["-C", &format!("linker={linker}")]);
    }
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    command.args(flags.split('\u{1f}').filter(|flag| !flag.is_empty()));
    command.arg("-o").arg(folder.join("nothing")).arg(&source);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
