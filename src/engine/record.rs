//! A finished replication as bytes, for a file or another machine.
//!
//! ```text
//! "sctl"  version  length of the body  check of the body  body
//! 4       2        8                   8                  …      bytes, integers little-endian
//! ```
//!
//! The body is the replication's [`Key`] and its [`Tally`] in the postcard format (<https://postcard.jamesmunns.com/wire-format>):
//! fields in the order in which the types declare them, integers in as many bytes as they need. Everything in a tally is an
//! integer, so what is read is what was written, on any machine. The check is the first eight bytes of the body's SHA-256: a
//! body that was written in part, or changed since, is told apart.
//!
//! Fields have no names in it, so a change to a type that a tally holds raises [`VERSION`]; another version is refused, not
//! guessed at. Left out: reading older versions, because a tally lives no longer than the study that made it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::tally::Tally;

/// The version of this form.
pub const VERSION: u16 = 10;

/// What a record begins with.
const MAGIC: [u8; 4] = *b"sctl";

/// Bytes before the body.
pub const HEAD: usize = 4 + 2 + 8 + 8;

/// The replication that a record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Number of the replication, from 0.
    pub replication: u64,
    /// Index of its scenario.
    pub scenario: u32,
    /// Whether a run that is taken up again is to do it again: not all that it did is in its tally.
    pub again: bool,
}

/// What the bytes before a body say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Length of the body in bytes.
    pub length: u64,
    check: [u8; 8],
}

/// Why bytes are not a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The bytes end too early.
    #[error("a replication that ends too early: it was not written to its end")]
    Truncated,
    /// The bytes begin as no record does.
    #[error("not a replication: it does not begin as one does")]
    NotOne,
    /// The bytes are of another version of the form.
    #[error("a replication of version {0} of its form, where this simcap reads and writes version {VERSION}")]
    Version(u16),
    /// The body is not the one that was written.
    #[error("a replication that is damaged: its bytes are not those that were written")]
    Damaged,
    /// The body does not say what it should.
    #[error("a replication that cannot be read: {0}")]
    Content(String),
}

impl Head {
    /// Reads the first [`HEAD`] bytes of a record.
    ///
    /// # Errors
    /// If there are not so many, or they are not those of a record of this version.
    pub fn read(bytes: &[u8]) -> Result<Head, Broken> {
        let (magic, rest) = bytes.split_first_chunk::<4>().ok_or(Broken::Truncated)?;
        if *magic != MAGIC {
            return Err(Broken::NotOne);
        }
        let (version, rest) = rest.split_first_chunk::<2>().ok_or(Broken::Truncated)?;
        let version = u16::from_le_bytes(*version);
        if version != VERSION {
            return Err(Broken::Version(version));
        }
        let (length, rest) = rest.split_first_chunk::<8>().ok_or(Broken::Truncated)?;
        let (check, _) = rest.split_first_chunk::<8>().ok_or(Broken::Truncated)?;
        Ok(Head {
            length: u64::from_le_bytes(*length),
            check: *check,
        })
    }

    /// The replication that `body` holds, without reading its tally.
    ///
    /// # Errors
    /// If it is not the body that was written.
    pub fn key(&self, body: &[u8]) -> Result<Key, Broken> {
        self.open(body).map(|(key, _)| key)
    }

    /// The tally in `body`.
    ///
    /// # Errors
    /// If it is not the body that was written, or holds no tally.
    pub fn tally(&self, body: &[u8]) -> Result<Tally, Broken> {
        let (_, rest) = self.open(body)?;
        let (tally, rest) = postcard::take_from_bytes::<Tally>(rest).map_err(content)?;
        if !rest.is_empty() || !tally.series.is_whole() {
            return Err(Broken::Content("it holds something else than a tally".into()));
        }
        Ok(tally)
    }

    fn open<'a>(&self, body: &'a [u8]) -> Result<(Key, &'a [u8]), Broken> {
        if (body.len() as u64) < self.length {
            return Err(Broken::Truncated);
        }
        if body.len() as u64 > self.length || self.check != check(body) {
            return Err(Broken::Damaged);
        }
        postcard::take_from_bytes(body).map_err(content)
    }
}

/// The record of a replication.
///
/// # Errors
/// [`Broken::Content`] if the format cannot hold it, which no tally brings about.
pub fn write(key: Key, tally: &Tally) -> Result<Vec<u8>, Broken> {
    let body = postcard::to_extend(&(key, tally), Vec::new()).map_err(content)?;
    let mut bytes = Vec::with_capacity(HEAD + body.len());
    bytes.extend(MAGIC);
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((body.len() as u64).to_le_bytes());
    bytes.extend(check(&body));
    bytes.extend(body);
    Ok(bytes)
}

/// The replication in a record, and its tally.
///
/// # Errors
/// If `bytes` are not one whole record.
pub fn read(bytes: &[u8]) -> Result<(Key, Tally), Broken> {
    let head = Head::read(bytes)?;
    let body = bytes.get(HEAD..).unwrap_or_default();
    Ok((head.key(body)?, head.tally(body)?))
}

fn check(body: &[u8]) -> [u8; 8] {
    let mut check = [0; 8];
    check.copy_from_slice(&Sha256::digest(body)[..8]);
    check
}

fn content(error: postcard::Error) -> Broken {
    Broken::Content(error.to_string())
}

#[cfg(test)]
mod tests;
