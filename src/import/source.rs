//! Bytes from outside, bounded while they are read: no file, however large, is taken into memory before it is refused.
//!
//! The length that the file system tells is looked at first; what has none (a pipe, a device) is counted as it comes. A text of rows is
//! bounded in its lines as well, because a reader of rows keeps one whole. A gigabyte is 10^9 bytes.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

/// The most bytes of an experiment, a model, a price table, a plan of probes or a report.
pub const MOST_OF_JSON: u64 = 100_000_000;

/// The most bytes of a script.
pub const MOST_OF_SCRIPT: u64 = 1_000_000;

/// The most bytes of a log of measurements, which is read as a whole.
pub const MOST_OF_LOG: u64 = 1_000_000_000;

/// The most bytes of a trace, which is read row by row.
pub const MOST_OF_TRACE: u64 = 8_000_000_000;

/// The most bytes of one line of a trace.
pub const MOST_OF_LINE: usize = 1_000_000;

/// Reads the file at `path`, which must not have more than `most` bytes.
///
/// # Errors
/// As [`File::open`] and [`Read::read`], and of the kind [`io::ErrorKind::FileTooLarge`] if it has more.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path, most)?;
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_large(None, most));
    }
    Ok(bytes)
}

/// Reads standard input, which must not have more than `most` bytes.
///
/// # Errors
/// As [`read`].
pub fn piped(most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::stdin().lock().take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_large(None, most));
    }
    Ok(bytes)
}

fn open(path: &Path, most: u64) -> io::Result<File> {
    let file = File::open(path)?;
    let about = file.metadata()?;
    if about.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    if about.len() > most {
        return Err(too_large(Some(about.len()), most));
    }
    Ok(file)
}

fn too_large(length: Option<u64>, most: u64) -> io::Error {
    let most = in_words(most);
    let text = match length {
        None => format!("it goes on after {most}, the most that is read of such a file"),
        Some(length) => format!(
            "it has {}, and at most {most} are read of such a file",
            in_words(length)
        ),
    };
    io::Error::new(io::ErrorKind::FileTooLarge, text)
}

/// A number of bytes, for people.
fn in_words(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{bytes} bytes"),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{} GB", bytes / 1_000_000_000),
    }
}

/// The first byte of a text that is neither a space nor of a byte order mark.
pub fn first_that_counts(text: &[u8]) -> Option<u8> {
    let mark = "\u{feff}".as_bytes();
    let counts = |byte: &u8| !byte.is_ascii_whitespace() && !mark.contains(byte);
    text.iter().copied().find(counts)
}

/// Whether a text whose first byte is this one is taken for JSON.
pub fn is_json(first: u8) -> bool {
    matches!(first, b'{' | b'[')
}

/// How a Parquet file begins.
pub const PARQUET: [u8; 4] = *b"PAR1";

/// A text of rows, read a piece at a time, bounded as a whole and in each line, and hashed on the way.
#[derive(Debug)]
pub struct Rows<R> {
    inner: R,
    hash: Sha256,
    read: u64,
    most: u64,
    line: u64,
    of_line: usize,
    /// Whether lines are bounded, once it is known: in JSON a list may be one line, and each of its rows is bounded by its reader; a Parquet file
    /// has none.
    bounds_lines: Option<bool>,
}

impl Rows<File> {
    /// The file at `path`, of at most `most` bytes.
    ///
    /// # Errors
    /// As [`File::open`], and of the kind [`io::ErrorKind::FileTooLarge`] if it has more.
    pub fn open(path: &Path, most: u64) -> io::Result<Rows<File>> {
        Ok(Rows::of(open(path, most)?, most))
    }
}

impl<R: Read> Rows<R> {
    /// What `inner` has, of at most `most` bytes.
    pub fn of(inner: R, most: u64) -> Rows<R> {
        Rows {
            inner,
            hash: Sha256::new(),
            read: 0,
            most,
            line: 1,
            of_line: 0,
            bounds_lines: None,
        }
    }

    /// The SHA-256 of what has been read, in hexadecimal.
    pub fn sha256(self) -> String {
        self.hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
    }
}

impl<R: Read> Read for Rows<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let piece = &buffer[..read];
        self.hash.update(piece);
        self.read += read as u64;
        if self.read > self.most {
            return Err(too_large(None, self.most));
        }
        if self.bounds_lines.is_none() {
            let first = first_that_counts(piece);
            self.bounds_lines = first.map(|first| !is_json(first) && !piece.starts_with(&PARQUET));
        }
        if self.bounds_lines == Some(false) {
            return Ok(read);
        }
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.of_line += part.len();
            if self.of_line > MOST_OF_LINE {
                let text = format!("line {} is longer than {} bytes", self.line, MOST_OF_LINE);
                return Err(io::Error::new(io::ErrorKind::InvalidData, text));
            }
            if part.ends_with(b"\n") {
                self.line += 1;
                self.of_line = 0;
            }
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_is_refused_at_the_bound() {
        let error = read(Path::new("/dev/zero"), 2_000_000).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(
            error.to_string(),
            "it goes on after 2 MB, the most that is read of such a file"
        );
    }

    #[test]
    fn a_file_is_refused_by_its_length_before_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("huge");
        // A hole: it takes no room on the disk.
        File::create(&path).unwrap().set_len(10_000_000_000).unwrap();
        let error = read(&path, MOST_OF_JSON).unwrap_err();
        assert_eq!(
            error.to_string(),
            "it has 10 GB, and at most 100 MB are read of such a file"
        );
        assert!(Rows::open(&path, MOST_OF_TRACE).is_err());
        std::fs::write(&path, "short").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"short");
        assert!(read(&path, 4).is_err());
    }

    #[test]
    fn a_list_of_json_may_be_one_line() {
        let text = b"\n[".chain(io::repeat(b'9').take(3_000_000));
        let mut read = Vec::new();
        Rows::of(text, u64::MAX).read_to_end(&mut read).unwrap();
        assert_eq!(read.len(), 3_000_002);
    }

    #[test]
    fn a_line_without_an_end_is_refused_by_its_number() {
        let text = b"a\nb\n".chain(io::repeat(b'9'));
        let mut rows = Rows::of(text, u64::MAX);
        let mut read = Vec::new();
        let error = rows.read_to_end(&mut read).unwrap_err();
        assert_eq!(error.to_string(), "line 3 is longer than 1000000 bytes");
        assert!(read.len() < 3 * MOST_OF_LINE);
    }

    /// echo -n abc | sha256sum.
    #[test]
    fn the_hash_is_that_of_the_bytes() {
        let mut rows = Rows::of(&b"abc"[..], 3);
        rows.read_to_end(&mut Vec::new()).unwrap();
        assert_eq!(
            rows.sha256(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
