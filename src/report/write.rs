//! Files of a result, written so that each is whole or not there.
//!
//! Every file is first written in full under a temporary name in its own directory, and only when all are does each take
//! its name: renaming within a directory replaces in one step (POSIX `rename`). A failure before that leaves the files of
//! an earlier run as they were. Left out: replacing all files in one step, which no file system offers; a failure between
//! two renames leaves some files new and some old, but none in part.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Component, Path, PathBuf};

/// Writes `files`, each a name and its bytes, into `dir`, which is made if need be. Files of these names are replaced.
///
/// # Errors
/// If the directory cannot be made or a file cannot be written, or if a name is not that of a file in `dir` itself.
/// The error's text names the file. No temporary file remains.
pub fn write_all(dir: &Path, files: &[(impl AsRef<str>, impl AsRef<[u8]>)]) -> io::Result<()> {
    fs::create_dir_all(dir).map_err(|error| named(dir, &error))?;
    let mut written = Vec::with_capacity(files.len());
    for (name, bytes) in files {
        let target = dir.join(name.as_ref());
        if is_device(&target) {
            fs::write(&target, bytes.as_ref()).map_err(|error| named(&target, &error))?;
            continue;
        }
        written.push(Temporary::write(dir, name.as_ref(), bytes.as_ref())?);
    }
    written.into_iter().try_for_each(Temporary::rename)
}

/// Whether something is there that is neither a file nor a folder, such as a pipe or a terminal: it is written to and never replaced.
fn is_device(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|at| !at.is_file() && !at.is_dir())
}

/// Whether both paths lead to one file that is there.
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    let found = fs::canonicalize(one).ok().zip(fs::canonicalize(other).ok());
    found.is_some_and(|(one, other)| one == other)
}

/// Removes the temporary files that processes left in `dir` when they were killed. Only for a directory that no other process writes to.
pub fn sweep(dir: &Path) {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let is_temporary = |name: &str| {
        let of = name.strip_prefix('.').and_then(|name| name.strip_suffix(".tmp"));
        of.and_then(|of| of.rsplit_once('.'))
            .is_some_and(|(_, process)| process.parse::<u32>().is_ok())
    };
    for entry in entries.filter(|entry| entry.file_name().to_str().is_some_and(is_temporary)) {
        // One that stays does no harm.
        let _ = fs::remove_file(entry.path());
    }
}

/// Claims `file` for this process until it is closed; `false` if another has claimed it. Where the file system has no locks,
/// every claim is granted.
pub fn claim(file: &File) -> bool {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => false,
        Ok(()) | Err(TryLockError::Error(_)) => true,
    }
}

/// A file under its temporary name, removed unless it is renamed.
#[derive(Debug)]
struct Temporary {
    path: PathBuf,
    target: PathBuf,
}

impl Temporary {
    fn write(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<Temporary> {
        let target = dir.join(name);
        let mut parts = Path::new(name).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(only)), None) if only == name) {
            return Err(named(
                &target,
                &io::Error::new(io::ErrorKind::InvalidInput, "not a plain file name"),
            ));
        }
        // The process number keeps two runs into one directory apart.
        let temporary = Temporary {
            path: dir.join(format!(".{name}.{}.tmp", std::process::id())),
            target,
        };
        // One may be left of a process of the same number that was killed; a link there must not be followed.
        match fs::remove_file(&temporary.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(named(&temporary.path, &error)),
            _ => {}
        }
        let fill = || -> io::Result<()> {
            let mut file = OpenOptions::new().write(true).create_new(true).open(&temporary.path)?;
            file.write_all(bytes)?;
            // Else a crash after the renaming could leave the name with nothing behind it.
            file.sync_all()
        };
        fill().map_err(|error| named(&temporary.target, &error))?;
        Ok(temporary)
    }

    fn rename(self) -> io::Result<()> {
        fs::rename(&self.path, &self.target).map_err(|error| named(&self.target, &error))
    }
}

/// A file that is written piece by piece, and takes its name when it is whole; one that is there by that name stays until then.
#[derive(Debug)]
pub struct Streamed {
    file: BufWriter<File>,
    /// Nothing where it is written straight to a pipe or a device.
    temporary: Option<Temporary>,
}

impl Streamed {
    /// Begins the file at `path`, whose folder must be there.
    ///
    /// # Errors
    /// If it cannot be made, or `path` names no file. The error's text names it.
    pub fn create(path: &Path) -> io::Result<Streamed> {
        if is_device(path) {
            let file = OpenOptions::new()
                .write(true)
                .open(path)
                .map_err(|error| named(path, &error))?;
            return Ok(Streamed {
                file: BufWriter::new(file),
                temporary: None,
            });
        }
        // What a link leads to is replaced, and not the link.
        let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let path = target.as_path();
        let name = path.file_name().ok_or_else(|| {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "not the name of a file");
            named(path, &error)
        })?;
        let temporary = Temporary {
            path: path.with_file_name(format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id())),
            target: path.to_owned(),
        };
        let file = File::create(&temporary.path).map_err(|error| named(path, &error))?;
        Ok(Streamed {
            file: BufWriter::new(file),
            temporary: Some(temporary),
        })
    }

    /// Gives the file its name: it is whole.
    ///
    /// # Errors
    /// If the rest of it cannot be written or it cannot be renamed. The error's text names it.
    pub fn finish(self) -> io::Result<()> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error);
        let Some(temporary) = self.temporary else {
            return file.map(|_| ());
        };
        let done = file.and_then(|file| file.sync_all());
        done.map_err(|error| named(&temporary.target, &error))?;
        temporary.rename()
    }
}

impl Write for Streamed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After renaming there is nothing left to remove, and nothing could be done about a failure here.
        let _ = fs::remove_file(&self.path);
    }
}

/// The error with the path that it is about.
fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn files_are_written_into_a_new_directory_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("a/b");
        write_all(&dir, &[("x.csv", "1,2\n"), ("y.json", "{}\n")]).unwrap();
        assert_eq!(listing(&dir), ["x.csv", "y.json"]);
        assert_eq!(fs::read_to_string(dir.join("x.csv")).unwrap(), "1,2\n");
    }

    #[test]
    fn an_older_file_is_replaced_whole() {
        let root = tempfile::tempdir().unwrap();
        write_all(root.path(), &[("x", "a long first text")]).unwrap();
        write_all(root.path(), &[("x", "short")]).unwrap();
        assert_eq!(fs::read_to_string(root.path().join("x")).unwrap(), "short");
    }

    #[test]
    fn one_bad_name_leaves_every_file_as_it_was() {
        for bad in ["../x", "a/b", "/x", "..", ".", "", "a/"] {
            let root = tempfile::tempdir().unwrap();
            fs::write(root.path().join("x"), "old").unwrap();
            let error = write_all(root.path(), &[("x", "new"), (bad, "new")]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{bad:?}");
            assert_eq!(listing(root.path()), ["x"], "{bad:?}");
            assert_eq!(fs::read_to_string(root.path().join("x")).unwrap(), "old", "{bad:?}");
        }
    }

    #[test]
    fn a_failed_renaming_leaves_no_temporary_file_and_names_the_target() {
        let root = tempfile::tempdir().unwrap();
        // A directory cannot be replaced by a file.
        fs::create_dir_all(root.path().join("x/inside")).unwrap();
        let error = write_all(root.path(), &[("x", "new"), ("y", "new")]).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with(&root.path().join("x").display().to_string()),
            "{error}"
        );
        assert_eq!(listing(root.path()), ["x"]);
    }

    #[test]
    fn what_killed_runs_left_is_swept_away_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        for name in [".result.json.4711.tmp", "x", ".x.tmp", "x.1.tmp", ".x.y.tmp"] {
            fs::write(root.path().join(name), "").unwrap();
        }
        sweep(root.path());
        assert_eq!(listing(root.path()), [".x.tmp", ".x.y.tmp", "x", "x.1.tmp"]);
    }

    #[test]
    fn a_device_is_written_to_and_stays_what_it_is() {
        let null = Path::new("/dev/null");
        if !is_device(null) {
            return;
        }
        let mut streamed = Streamed::create(null).unwrap();
        streamed.write_all(b"lost").unwrap();
        streamed.finish().unwrap();
        write_all(Path::new("/dev"), &[("null", "lost")]).unwrap();
        assert!(is_device(null));
    }

    #[test]
    fn the_remains_of_a_killed_run_are_no_obstacle() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(format!(".x.{}.tmp", std::process::id())), "half").unwrap();
        write_all(root.path(), &[("x", "whole")]).unwrap();
        assert_eq!(listing(root.path()), ["x"]);
    }
}
