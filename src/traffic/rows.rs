//! The rows of a trace in the order of their times, packed: what replays take their requests from, however many there are.
//!
//! Rows lie in blocks of [`BLOCK`]. The index has each block's first time and place; within it a row is the time since the row before and
//! its numbers of tokens, each in as few bytes as it needs (LEB128): seven or eight bytes for a row of a busy service, where two numbers
//! and a time take sixteen. A replay holds one block of them at a time, so that where the bytes are ([`Store`]) need not be memory. What
//! cannot be read back ends the trace there, and is told ([`Rows::trouble`]).

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

use super::arrivals::Row;
use crate::kernel::time::Span;

/// The rows of a block.
pub const BLOCK: usize = 1024;

/// A row with a number that is kept beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Nanoseconds since some moment that is the same for all rows.
    pub at: u64,
    /// The number of input tokens.
    pub input: u32,
    /// The number of output tokens.
    pub output: u32,
    /// What is kept beside it; 0 where nothing is.
    pub beside: u32,
}

/// Where packed rows are kept: bytes that are added at the end and read back from anywhere.
pub trait Store: fmt::Debug + Send + Sync {
    /// Adds `bytes` at the end.
    ///
    /// # Errors
    /// If there is no room for them.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Reads as many bytes as `into` holds from `at` on.
    ///
    /// # Errors
    /// If there are not so many, or they cannot be had.
    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()>;

    /// The number of bytes that are in memory.
    fn in_memory(&self) -> usize;
}

impl Store for Vec<u8> {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }

    fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        let from = self.get(at as usize..).and_then(|rest| rest.get(..into.len()));
        into.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn in_memory(&self) -> usize {
        self.len()
    }
}

/// Where a block begins.
#[derive(Clone, Copy, Debug)]
struct Block {
    first: u64,
    at: u64,
}

/// Rows that are being packed.
#[derive(Debug)]
pub struct Packer {
    store: Box<dyn Store>,
    blocks: Vec<Block>,
    /// The bytes of the block that is not full.
    bytes: Vec<u8>,
    written: u64,
    count: usize,
    before: u64,
}

impl Packer {
    /// Packs rows into `store`, which is empty.
    pub fn over(store: Box<dyn Store>) -> Packer {
        Packer {
            store,
            blocks: Vec::new(),
            bytes: Vec::new(),
            written: 0,
            count: 0,
            before: 0,
        }
    }

    /// Adds a row. One that is earlier than the last takes ten bytes for its time.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub fn push(&mut self, row: &Entry) -> io::Result<()> {
        if self.count.is_multiple_of(BLOCK) {
            self.flush()?;
            self.blocks.push(Block {
                first: row.at,
                at: self.written,
            });
            self.before = row.at;
        }
        self.count += 1;
        let since = row.at.wrapping_sub(self.before);
        self.before = row.at;
        for number in [since, row.input.into(), row.output.into(), row.beside.into()] {
            put(&mut self.bytes, number);
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.store.append(&self.bytes)?;
        self.written += self.bytes.len() as u64;
        self.bytes.clear();
        Ok(())
    }

    /// The rows.
    ///
    /// # Errors
    /// As [`Store::append`].
    pub fn finish(mut self) -> io::Result<Rows> {
        self.flush()?;
        self.blocks.shrink_to_fit();
        Ok(Rows(Arc::new(Packed {
            store: self.store,
            blocks: self.blocks,
            bytes: self.written,
            count: self.count,
            last: self.before,
            trouble: OnceLock::new(),
        })))
    }
}

/// Appends `number` in seven bits a byte, the lowest first.
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Takes a number that [`put`] has written off the beginning of `bytes`.
#[inline]
fn take(bytes: &mut &[u8]) -> u64 {
    let (mut number, mut shift) = (0_u64, 0_u32);
    while let Some((byte, rest)) = bytes.split_first() {
        *bytes = rest;
        number |= u64::from(byte & 0x7f).wrapping_shl(shift);
        if *byte < 0x80 {
            break;
        }
        shift += 7;
    }
    number
}

/// Packed rows, of which a clone has the same.
#[derive(Clone)]
pub struct Rows(Arc<Packed>);

#[derive(Debug)]
struct Packed {
    store: Box<dyn Store>,
    blocks: Vec<Block>,
    /// How long all blocks are together.
    bytes: u64,
    count: usize,
    last: u64,
    trouble: OnceLock<String>,
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows")
            .field("count", &self.0.count)
            .finish_non_exhaustive()
    }
}

/// The block of rows that a reader is in.
#[derive(Clone, Debug)]
pub struct Cursor {
    number: usize,
    block: Vec<Entry>,
    bytes: Vec<u8>,
}

impl Default for Cursor {
    fn default() -> Cursor {
        Cursor {
            number: usize::MAX,
            block: Vec::new(),
            bytes: Vec::new(),
        }
    }
}

impl Rows {
    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.count == 0
    }

    /// When the last one comes.
    pub fn last(&self) -> Span {
        Span::from_nanos(self.0.last)
    }

    /// The row of this number; nothing if there is none, or it cannot be read back.
    #[inline]
    pub fn get(&self, place: usize, cursor: &mut Cursor) -> Option<Entry> {
        if place >= self.0.count || (place / BLOCK != cursor.number && !self.load(place / BLOCK, cursor)) {
            return None;
        }
        cursor.block.get(place % BLOCK).copied()
    }

    /// How many rows come before `at` nanoseconds.
    pub fn before(&self, at: u64, cursor: &mut Cursor) -> usize {
        let blocks = self.0.blocks.partition_point(|block| block.first < at);
        let Some(within) = blocks.checked_sub(1) else { return 0 };
        if within != cursor.number && !self.load(within, cursor) {
            return within * BLOCK;
        }
        within * BLOCK + cursor.block.partition_point(|row| row.at < at)
    }

    /// Reads a block. Returns whether it could.
    #[inline(never)]
    fn load(&self, number: usize, cursor: &mut Cursor) -> bool {
        let of = &*self.0;
        let Some(block) = of.blocks.get(number) else {
            return false;
        };
        let end = of.blocks.get(number + 1).map_or(of.bytes, |next| next.at);
        cursor.number = usize::MAX;
        cursor.bytes.resize((end - block.at) as usize, 0);
        if let Err(error) = of.store.read(block.at, &mut cursor.bytes) {
            // The first is told; others follow from it.
            let _ = of.trouble.set(error.to_string());
            return false;
        }
        cursor.block.clear();
        let (mut bytes, mut at) = (&cursor.bytes[..], block.first);
        for _ in number * BLOCK..of.count.min((number + 1) * BLOCK) {
            at = at.wrapping_add(take(&mut bytes));
            let [input, output, beside] = [(); 3].map(|()| take(&mut bytes) as u32);
            cursor.block.push(Entry {
                at,
                input,
                output,
                beside,
            });
        }
        cursor.number = number;
        true
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = Row> {
        let mut cursor = Cursor::default();
        (0..self.len()).map_while(move |place| self.get(place, &mut cursor).map(Row::from))
    }

    /// All of them, in memory.
    ///
    /// # Errors
    /// If some cannot be read back, in words.
    pub fn all(&self) -> Result<Vec<Row>, String> {
        let rows = self.iter().collect();
        self.trouble().map_or(Ok(rows), |why| Err(why.to_owned()))
    }

    /// The number of bytes that they take in memory.
    pub fn in_memory(&self) -> usize {
        self.0.store.in_memory() + self.0.blocks.len() * size_of::<Block>()
    }

    /// Whether these are the very same rows.
    pub fn is(&self, other: &Rows) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Why some could not be read back, if that has happened.
    pub fn trouble(&self) -> Option<&str> {
        self.0.trouble.get().map(String::as_str)
    }
}

impl From<Entry> for Row {
    fn from(entry: Entry) -> Row {
        Row {
            at: Span::from_nanos(entry.at),
            input: entry.input,
            output: entry.output,
        }
    }
}

impl FromIterator<Row> for Rows {
    /// Rows in memory, which must be in the order of their times.
    fn from_iter<I: IntoIterator<Item = Row>>(rows: I) -> Rows {
        let mut packer = Packer::over(Box::<Vec<u8>>::default());
        for row in rows {
            let entry = Entry {
                at: row.at.nanos(),
                input: row.input,
                output: row.output,
                beside: 0,
            };
            // Memory takes what it is given.
            let _ = packer.push(&entry);
        }
        let none = Packed {
            store: Box::<Vec<u8>>::default(),
            blocks: Vec::new(),
            bytes: 0,
            count: 0,
            last: 0,
            trouble: OnceLock::new(),
        };
        packer.finish().unwrap_or_else(|_| Rows(Arc::new(none)))
    }
}

impl PartialEq for Rows {
    fn eq(&self, other: &Rows) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl Eq for Rows {}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(i: u64) -> Row {
        Row {
            at: Span::from_nanos(i * i * 1_000_003),
            input: (i * 7919 % 200_000) as u32,
            output: if i.is_multiple_of(5) { u32::MAX } else { i as u32 % 300 },
        }
    }

    #[test]
    fn rows_are_the_same_after_they_were_packed() {
        for count in [0, 1, 2, 1023, 1024, 1025, 5000] {
            let all: Vec<Row> = (0..count).map(row).collect();
            let rows: Rows = all.iter().copied().collect();
            assert_eq!(rows.iter().collect::<Vec<Row>>(), all);
            assert_eq!(rows.last(), all.last().map_or(Span::ZERO, |row| row.at));
            let mut cursor = Cursor::default();
            // From anywhere, and back.
            for place in (0..all.len()).rev().step_by(97) {
                assert_eq!(rows.get(place, &mut cursor).map(Row::from), Some(all[place]));
            }
            assert_eq!(rows.get(all.len(), &mut cursor), None);
            for at in [0, 1, 1_000_003, 40_000_120, 1_048_576 * 1_000_003, u64::MAX] {
                let before = all.partition_point(|row| row.at.nanos() < at);
                assert_eq!(rows.before(at, &mut cursor), before, "{at} of {count}");
            }
        }
    }

    /// A million requests of a service that has some ten a second: differences of a tenth of a second are four bytes, tokens two and one
    /// or two, and one for what is not there.
    #[test]
    fn a_row_takes_eight_bytes_or_so() {
        let of = |i: u64| Row {
            at: Span::from_nanos(i * 100_000_000 + i * 7919 % 90_000_000),
            input: (200 + i * 31 % 4000) as u32,
            output: (1 + i * 17 % 500) as u32,
        };
        let rows: Rows = (0..100_000).map(of).collect();
        let each = rows.in_memory() as f64 / 100_000.0;
        assert!((7.0..9.5).contains(&each), "{each}");
    }

    /// What cannot be had ends the trace, and is told.
    #[test]
    fn what_cannot_be_read_back_is_told() {
        #[derive(Debug)]
        struct Lossy(Vec<u8>);
        impl Store for Lossy {
            fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
                Store::append(&mut self.0, bytes)
            }
            fn read(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
                match at {
                    0 => self.0.read(at, into),
                    _ => Err(io::Error::other("the disk is gone")),
                }
            }
            fn in_memory(&self) -> usize {
                0
            }
        }
        let mut packer = Packer::over(Box::new(Lossy(Vec::new())));
        for i in 0..3000 {
            let row = row(i);
            let (at, input, output) = (row.at.nanos(), row.input, row.output);
            packer
                .push(&Entry {
                    at,
                    input,
                    output,
                    beside: 7,
                })
                .unwrap();
        }
        let rows = packer.finish().unwrap();
        assert_eq!(rows.trouble(), None);
        assert_eq!(rows.iter().count(), BLOCK);
        assert_eq!(rows.trouble(), Some("the disk is gone"));
    }
}
