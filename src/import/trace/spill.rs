//! Packed rows in memory as long as they are few, and else in a temporary file that no other program sees and that goes with them.
//!
//! The file lies where the system keeps such files (`TMPDIR`), and loses its name at once where the system allows that, so that nothing
//! is left behind however the program ends.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::traffic::rows::Store;

/// The most bytes of packed rows that stay in memory.
pub(super) const MOST_IN_MEMORY: usize = 64_000_000;

/// Names that are tried for a file.
const NAMES: u32 = 10_000;

/// Bytes in memory up to a bound, and from there on in a file.
#[derive(Debug)]
pub(super) struct Spill {
    memory: Vec<u8>,
    most: usize,
    file: Option<Mutex<File>>,
    /// The file's name, where it still has one.
    name: Option<PathBuf>,
}

impl Spill {
    /// Keeps `most` bytes in memory.
    pub(super) fn beyond(most: usize) -> Spill {
        Spill {
            memory: Vec::new(),
            most,
            file: None,
            name: None,
        }
    }

    fn open(&mut self) -> io::Result<File> {
        let folder = std::env::temp_dir();
        for number in 0..NAMES {
            let name = folder.join(format!("simcap-{}-{number}.rows", std::process::id()));
            match OpenOptions::new().read(true).write(true).create_new(true).open(&name) {
                Ok(file) => {
                    self.name = fs::remove_file(&name).is_err().then_some(name);
                    return Ok(file);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(told(error)),
            }
        }
        Err(io::Error::other(format!(
            "{} has too many files of rows",
            folder.display()
        )))
    }
}

/// An error of the temporary file, told as one: the trace is not at fault.
fn told(error: io::Error) -> io::Error {
    let folder = std::env::temp_dir();
    let text = format!(
        "rows that do not fit in memory go to a file in {} (TMPDIR says where): {error}",
        folder.display()
    );
    io::Error::new(error.kind(), text)
}

impl Store for Spill {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            if self.memory.len() + bytes.len() <= self.most {
                self.memory.extend_from_slice(bytes);
                return Ok(());
            }
            let mut file = self.open()?;
            file.write_all(&self.memory).map_err(told)?;
            self.memory = Vec::new();
            self.file = Some(Mutex::new(file));
        }
        match &mut self.file {
            Some(file) => {
                let file = file.get_mut().unwrap_or_else(PoisonError::into_inner);
                file.write_all(bytes).map_err(told)
            }
            None => Ok(()),
        }
    }

    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let Some(file) = &self.file else {
            return self.memory.read(at, into);
        };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(at)).map_err(told)?;
        file.read_exact(into).map_err(told)
    }

    fn in_memory(&self) -> usize {
        self.memory.len()
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        self.file = None;
        if let Some(name) = &self.name {
            // Of a file that is still there nothing can be told here.
            let _ = fs::remove_file(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_the_same_in_memory_and_in_a_file() {
        for most in [0, 10, 1000] {
            let mut spill = Spill::beyond(most);
            for i in 0..20_u8 {
                spill.append(&[i; 5]).unwrap();
            }
            assert_eq!(spill.in_memory(), if most == 1000 { 100 } else { 0 });
            let mut seven = [0; 7];
            spill.read(33, &mut seven).unwrap();
            assert_eq!(seven, [6, 6, 7, 7, 7, 7, 7]);
            spill.read(0, &mut seven).unwrap();
            assert_eq!(seven, [0, 0, 0, 0, 0, 1, 1]);
            assert!(spill.read(95, &mut seven).is_err(), "there are 100");
        }
    }
}
