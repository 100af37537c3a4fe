//! The finished replications of a run that is under way, in a file: they need not stay in memory, and a run that is killed
//! can be taken up again.
//!
//! The first line is JSON and says what the replications are [`Of`]; behind it comes one [`record`] after the other, each
//! handed to the system in one write as its replication finishes. Killing the program loses none of them (an outage of power
//! may); it can leave the last one in part, which taking the run up again cuts off. Only one process writes to the file at
//! a time. Where it cannot be written to (the disk is full), replications are kept in memory from then on, and said to be.
//!
//! The file of a run lies in its output folder and is removed once the report is written. A command without an output folder
//! uses one in the system's temporary folder that has no name ([`Spill::scratch`]).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::of::Of;
use crate::engine::record::{self, HEAD, Head, Key};
use crate::engine::replicate::Finished;
use crate::engine::run::Halt;
use crate::engine::tally::Tally;
use crate::report::write::claim;

/// The name of the file in the output folder of a run.
pub(super) const NAME: &str = "replications.part";

/// The longest first line: it names every input, and some may have long names.
const LONGEST_LINE: u64 = 1 << 20;

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum SpillError {
    /// The system says no.
    #[error("{}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    /// Another run writes to the file.
    #[error("{}: another run is writing to this folder: let that one end, or give another folder with --out", path.display())]
    Busy { path: PathBuf },
    /// The file holds the replications of something else.
    #[error(
        "{}: the replications there cannot be gone on with, because {}. Leave out --resume to begin anew, or give another folder with --out",
        path.display(),
        differences.join(", and ")
    )]
    Other { path: PathBuf, differences: Vec<String> },
    /// The file is something else.
    #[error("{}: this is not a file of replications, which a run would write there: move it, or give another folder with --out", path.display())]
    NotOne { path: PathBuf },
}

/// What an earlier run had left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    /// Replications, over all scenarios.
    pub(super) replications: usize,
    /// Bytes behind them that are not a whole replication, and were cut off.
    pub(super) cut: u64,
}

/// Finished replications, in a file as long as there is one.
#[derive(Debug)]
pub(super) struct Spill {
    path: PathBuf,
    /// Whether it is to be removed in the end, whatever becomes of the run.
    is_scratch: bool,
    planned: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    file: Option<File>,
    /// Where the last whole record ends.
    end: u64,
    /// Where each replication's record begins, and how long it is.
    records: BTreeMap<(u64, usize), (u64, u64)>,
    /// The replications that the file could not take.
    in_memory: BTreeMap<(u64, usize), Tally>,
    /// Why it could not.
    trouble: Option<String>,
    /// The replications that this run has ended without a result. A run that is taken up again comes to the same end
    /// with them.
    halted: BTreeMap<(u64, usize), Halt>,
}

impl Spill {
    /// The file in `folder`, for `planned` replications of each scenario: with what is there if `resume`, else empty. Also what
    /// was there.
    ///
    /// # Errors
    /// If it cannot be opened, is in use, or is to be gone on with and holds something else.
    pub(super) fn open(folder: &Path, of: &Of, planned: u64, resume: bool) -> Result<(Spill, Left), SpillError> {
        let path = folder.join(NAME);
        let io_error = |error| SpillError::Io {
            path: path.clone(),
            error,
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io_error)?;
        if !claim(&file) {
            return Err(SpillError::Busy { path });
        }
        let mut inner = Inner::default();
        let mut left = Left::default();
        match first_line(&mut file).map_err(io_error)? {
            FirstLine::None => {}
            FirstLine::Other => return Err(SpillError::NotOne { path }),
            FirstLine::Says(then, length) => {
                let differences = of.differences(&then);
                if resume && !differences.is_empty() {
                    return Err(SpillError::Other { path, differences });
                }
                inner.read(&mut file, length).map_err(io_error)?;
                left.replications = inner.records.len();
                left.cut = file.metadata().map_err(io_error)?.len() - inner.end;
            }
        }
        if !resume || inner.end == 0 {
            inner = Inner::default();
            let mut line = serde_json::to_vec(of).map_err(|error| io_error(error.into()))?;
            line.push(b'\n');
            file.set_len(0).map_err(io_error)?;
            file.seek(SeekFrom::Start(0)).map_err(io_error)?;
            file.write_all(&line).map_err(io_error)?;
            inner.end = line.len() as u64;
        } else {
            file.set_len(inner.end).map_err(io_error)?;
        }
        inner.file = Some(file);
        let spill = Spill {
            path,
            is_scratch: false,
            planned: planned.into(),
            inner: Mutex::new(inner),
        };
        Ok((spill, left))
    }

    /// A file that nothing else can find, gone when the program ends; none, and all in memory, where there can be none.
    pub(super) fn scratch(planned: u64) -> Spill {
        let path = std::env::temp_dir().join(format!("simcap.{}.{NAME}", std::process::id()));
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        // On Unix it goes on without its name; elsewhere it may lose the name only when it is closed.
        let is_scratch = file.is_ok() && fs::remove_file(&path).is_err();
        Spill {
            path,
            is_scratch,
            planned: planned.into(),
            inner: Mutex::new(Inner {
                file: file.ok(),
                ..Inner::default()
            }),
        }
    }

    /// Takes a finished replication. With `again`, a run that is taken up does it again.
    pub(super) fn put(&self, replication: u64, scenario: usize, tally: Tally, again: bool) {
        let key = Key {
            replication,
            scenario: scenario as u32,
            again,
        };
        let bytes = record::write(key, &tally).map_err(|broken| broken.to_string());
        let mut inner = self.inner();
        let place = bytes.and_then(|bytes| inner.append(&bytes));
        match place {
            Ok(place) => {
                inner.records.insert((replication, scenario), place);
            }
            Err(why) => {
                inner.trouble.get_or_insert(why);
                inner.in_memory.insert((replication, scenario), tally);
            }
        }
    }

    /// Notes that a replication has no result.
    pub(super) fn note_halt(&self, replication: u64, scenario: usize, why: Halt) {
        self.inner().halted.insert((replication, scenario), why);
    }

    /// Whether every replication of `scenarios` scenarios has come to its own end, with a result or without.
    pub(super) fn is_complete(&self, scenarios: usize) -> bool {
        let ended = |r, s| self.has(r, s) || matches!(self.halt(r, s), Some(Halt::TooMany { .. }));
        (0..self.planned()).all(|r| (0..scenarios).all(|s| ended(r, s)))
    }

    /// So many replications are planned from now on.
    pub(super) fn plan(&self, replications: u64) {
        self.planned.store(replications, Ordering::Relaxed);
    }

    /// How many replications there are, over all scenarios.
    pub(super) fn len(&self) -> usize {
        let inner = self.inner();
        inner.records.len() + inner.in_memory.len()
    }

    /// Why replications had to be kept in memory, if they had.
    pub(super) fn trouble(&self) -> Option<String> {
        self.inner().trouble.clone()
    }

    /// Removes the file: what it held is reported.
    pub(super) fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Finished for Spill {
    type Error = io::Error;

    fn planned(&self) -> u64 {
        self.planned.load(Ordering::Relaxed)
    }

    fn has(&self, replication: u64, scenario: usize) -> bool {
        let inner = self.inner();
        let key = (replication, scenario);
        replication < self.planned() && (inner.records.contains_key(&key) || inner.in_memory.contains_key(&key))
    }

    fn halt(&self, replication: u64, scenario: usize) -> Option<Halt> {
        self.inner().halted.get(&(replication, scenario)).copied()
    }

    fn tally(&self, replication: u64, scenario: usize) -> io::Result<Option<Cow<'_, Tally>>> {
        let key = (replication, scenario);
        let bytes = {
            let mut inner = self.inner();
            if let Some(tally) = inner.in_memory.get(&key) {
                return Ok(Some(Cow::Owned(tally.clone())));
            }
            let Some(&(at, length)) = inner.records.get(&key) else {
                return Ok(None);
            };
            let Some(file) = &mut inner.file else {
                return Ok(None);
            };
            let mut bytes = vec![0; length as usize];
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut bytes)?;
            bytes
        };
        match record::read(&bytes) {
            Ok((_, tally)) => Ok(Some(Cow::Owned(tally))),
            Err(broken) => {
                let text = format!("{}: {broken}", self.path.display());
                Err(io::Error::new(io::ErrorKind::InvalidData, text))
            }
        }
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        if self.is_scratch {
            // Where it has lost its name already, there is nothing to remove.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Inner {
    /// Writes a record behind the others; where it is then.
    fn append(&mut self, bytes: &[u8]) -> Result<(u64, u64), String> {
        let file = match (&mut self.file, &self.trouble) {
            (Some(file), None) => file,
            (_, Some(before)) => return Err(before.clone()),
            (None, None) => return Err("no file could be made for them".into()),
        };
        let written = file.seek(SeekFrom::Start(self.end)).and_then(|_| file.write_all(bytes));
        if let Err(error) = written {
            // What was written of it is of no use, and would only stand in the way.
            let _ = file.set_len(self.end);
            return Err(error.to_string());
        }
        let place = (self.end, bytes.len() as u64);
        self.end += place.1;
        Ok(place)
    }

    /// Finds the records of `file` behind its first line, up to the first that is not whole.
    fn read(&mut self, file: &mut File, first_line: u64) -> io::Result<()> {
        let size = file.metadata()?.len();
        let mut reader = BufReader::with_capacity(1 << 16, file);
        reader.seek(SeekFrom::Start(first_line))?;
        self.end = first_line;
        while size - self.end >= HEAD as u64 {
            let mut head = [0; HEAD];
            reader.read_exact(&mut head)?;
            let Ok(head) = Head::read(&head) else { break };
            if head.length > size - self.end - HEAD as u64 {
                break;
            }
            let mut body = vec![0; head.length as usize];
            reader.read_exact(&mut body)?;
            let Ok(key) = head.key(&body) else { break };
            let length = HEAD as u64 + head.length;
            if !key.again {
                self.records
                    .insert((key.replication, key.scenario as usize), (self.end, length));
            }
            self.end += length;
        }
        Ok(())
    }
}

enum FirstLine {
    /// There is none, or it was not written to its end: so nothing came after it.
    None,
    /// The line says something else.
    Other,
    /// What the replications are of, and how many bytes it takes.
    Says(Of, u64),
}

fn first_line(file: &mut File) -> io::Result<FirstLine> {
    file.seek(SeekFrom::Start(0))?;
    let mut line = Vec::new();
    BufReader::new(file).take(LONGEST_LINE).read_until(b'\n', &mut line)?;
    if line.last() != Some(&b'\n') {
        let begin = b"{\"format\":\"simcap.replications/";
        let torn = line.starts_with(begin) || begin.starts_with(&line);
        return Ok(if torn { FirstLine::None } else { FirstLine::Other });
    }
    // What other versions say may have other fields: that it is one of theirs is all that must be there.
    Ok(match serde_json::from_slice::<Of>(&line) {
        Ok(of) if of.is_one() => FirstLine::Says(of, line.len() as u64),
        Ok(_) | Err(_) => FirstLine::Other,
    })
}

#[cfg(test)]
mod tests;
