//! `probes.jsonl`: the journal that a run appends to, and from which it can be resumed.
//!
//! A line is written whole before its probe is sent and again when it has ended, and handed to the operating system at
//! once: killing the program loses no line (a power failure may). It can leave the last line incomplete: a resumed run
//! cuts that off and appends after it. The file is otherwise only appended to. A probe that was sent and never ended
//! counts at its worst-case cost, because it may have been billed, and is sent again.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::calibrate::probe::{FORMAT, Line, Probe, Run};
use crate::import::source::{self, MOST_OF_LOG};
use crate::report::write::claim;

/// The journal's file name in the run's folder.
pub const NAME: &str = "probes.jsonl";

/// The reason why a journal cannot be read or appended to.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The operating system reports an error.
    #[error("{}: {error}", path.display())]
    Io {
        /// The path of the journal.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// Another run writes to the journal.
    #[error("{}: another run is writing to it: let that one end, or stop it", path.display())]
    Busy {
        /// The path of the journal.
        path: PathBuf,
    },
    /// A line is not a valid record.
    #[error("{}:{line}: {message}", path.display())]
    Line {
        /// The path of the journal.
        path: PathBuf,
        /// The line number, from 1.
        line: usize,
        /// The fault of the line.
        message: String,
    },
}

/// The content of a journal.
#[derive(Debug, Default)]
pub struct Kept {
    /// The runs, in the order in which they began.
    pub runs: Vec<Run>,
    /// The probes, in the order in which they ended.
    pub probes: Vec<Probe>,
    /// The probes that were sent and never ended.
    pub lost: Lost,
    /// The number of bytes in complete lines.
    whole: u64,
}

/// Probes that were under way when their run was killed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// The number of such probes.
    pub probes: u64,
    /// The most that they can have cost together, in pico-dollars.
    pub worst_pd: u64,
}

impl Lost {
    fn add(&mut self, under_way: &mut BTreeMap<u64, u64>) {
        self.probes += under_way.len() as u64;
        self.worst_pd = under_way
            .values()
            .fold(self.worst_pd, |sum, &pd| sum.saturating_add(pd));
        under_way.clear();
    }
}

/// Reads a journal; an incomplete last line is skipped.
///
/// # Errors
/// If the file cannot be read, or another line is not a valid record.
pub fn read(path: &Path) -> Result<Kept, JournalError> {
    let bytes = source::read(path, MOST_OF_LOG).map_err(|error| io_error(path, error))?;
    let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let mut kept = Kept {
        whole: whole as u64,
        ..Kept::default()
    };
    let mut under_way = BTreeMap::new();
    for (i, line) in bytes[..whole].split(|&byte| byte == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        let wrong = |message: String| JournalError::Line {
            path: path.to_owned(),
            line: i + 1,
            message,
        };
        match serde_json::from_slice(line).map_err(|error| wrong(format!("not a line of probes: {error}")))? {
            Line::Run(run) if run.format != FORMAT => {
                return Err(wrong(format!("the format is {:?}, and must be {FORMAT:?}", run.format)));
            }
            Line::Run(run) => {
                kept.lost.add(&mut under_way);
                kept.runs.push(run);
            }
            Line::Sending(_) | Line::Probe(_) if kept.runs.is_empty() => {
                return Err(wrong(
                    "a probe before any run: the file does not begin where it should".into(),
                ));
            }
            Line::Sending(sending) => {
                under_way.insert(sending.id, sending.worst_pd);
            }
            Line::Probe(probe) => {
                under_way.remove(&probe.id);
                kept.probes.push(*probe);
            }
        }
    }
    kept.lost.add(&mut under_way);
    Ok(kept)
}

/// A journal that is open for writing.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Creates a journal that does not exist yet, or appends to the one that `kept` was read from.
    ///
    /// # Errors
    /// If it cannot be opened, exists where a new one was to be created, or another run writes to it.
    pub fn open(path: &Path, kept: Option<&Kept>) -> Result<Journal, JournalError> {
        let mut options = OpenOptions::new();
        let file = match kept {
            Some(_) => options.append(true).open(path),
            None => options.append(true).create_new(true).open(path),
        };
        let file = file.map_err(|error| io_error(path, error))?;
        if !claim(&file) {
            return Err(JournalError::Busy { path: path.to_owned() });
        }
        if let Some(kept) = kept {
            file.set_len(kept.whole).map_err(|error| io_error(path, error))?;
        }
        Ok(Journal {
            file,
            path: path.to_owned(),
        })
    }

    /// Appends a line to the journal.
    ///
    /// # Errors
    /// If the system reports an error.
    pub fn write(&mut self, line: &Line) -> Result<(), JournalError> {
        let mut text = serde_json::to_vec(line).map_err(|error| io_error(&self.path, error.into()))?;
        text.push(b'\n');
        // A single write, so that a crash leaves at most one incomplete line.
        self.file.write_all(&text).map_err(|error| io_error(&self.path, error))
    }
}

fn io_error(path: &Path, error: io::Error) -> JournalError {
    JournalError::Io {
        path: path.to_owned(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calibrate::probe::Sending;

    fn run() -> Line {
        Line::Run(Run {
            format: FORMAT.into(),
            version: "1".into(),
            unix_us: 1,
            seed: 2,
            plan: "x".into(),
            targets: vec!["a".into()],
            prices: std::collections::BTreeMap::new(),
            endpoints: Default::default(),
        })
    }

    fn probe(id: u64) -> Line {
        Line::Probe(Box::new(Probe { id, ..Probe::default() }))
    }

    fn written(lines: &[Line]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        let mut journal = Journal::open(&path, None).unwrap();
        lines.iter().for_each(|line| journal.write(line).unwrap());
        (folder, path)
    }

    #[test]
    fn a_line_in_part_is_cut_off_and_the_file_goes_on() {
        let (_folder, path) = written(&[run(), probe(0), probe(1)]);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 5]).unwrap();
        let kept = read(&path).unwrap();
        assert_eq!((kept.runs.len(), kept.probes.len()), (1, 1));
        let mut journal = Journal::open(&path, Some(&kept)).unwrap();
        journal.write(&probe(7)).unwrap();
        let ids: Vec<u64> = read(&path).unwrap().probes.iter().map(|probe| probe.id).collect();
        assert_eq!(ids, [0, 7]);
    }

    #[test]
    fn what_was_sent_and_never_ended_counts_once_for_each_time() {
        let sending = |id, worst_pd| Line::Sending(Sending { id, worst_pd });
        let begun = [run(), sending(0, 5), sending(1, 7), probe(0), sending(2, 11)];
        let lost = |lines: &[Line]| {
            let (_folder, path) = written(lines);
            read(&path).unwrap().lost
        };
        let of = |probes, worst_pd| Lost { probes, worst_pd };
        assert_eq!(lost(&begun[..4]), of(1, 7));
        assert_eq!(lost(&begun), of(2, 18));
        // The second run sends both again, and is killed before one of them ends.
        let again = [run(), sending(1, 7), sending(2, 11), probe(2)];
        assert_eq!(lost(&[&begun[..], &again].concat()), of(3, 25));
    }

    #[test]
    fn two_runs_do_not_write_to_one_file() {
        let (_folder, path) = written(&[run(), probe(0)]);
        let kept = read(&path).unwrap();
        let first = Journal::open(&path, Some(&kept)).unwrap();
        assert!(matches!(
            Journal::open(&path, Some(&kept)),
            Err(JournalError::Busy { .. })
        ));
        drop(first);
        assert!(Journal::open(&path, Some(&kept)).is_ok());
    }

    #[test]
    fn a_file_is_never_written_over() {
        let (_folder, path) = written(&[run()]);
        assert!(matches!(Journal::open(&path, None), Err(JournalError::Io { .. })));
    }

    #[test]
    fn what_is_no_line_of_probes_is_named_by_its_line() {
        let (_folder, path) = written(&[run(), probe(0)]);
        let text = std::fs::read_to_string(&path).unwrap();
        let at = |text: &str| {
            std::fs::write(&path, text).unwrap();
            read(&path).unwrap_err().to_string()
        };
        assert!(at(&format!("{text}{{}}\n")).contains("probes.jsonl:3: not a line of probes"));
        assert!(at(&text.replace("probes/1", "probes/9")).contains(":1: the format is \"simcap.probes/9\""));
        assert!(at(text.split_once('\n').unwrap().1).contains(":1: a probe before any run"));
    }
}
