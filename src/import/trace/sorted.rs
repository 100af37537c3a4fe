//! Rows put in order of time within bounded memory: stretches of the file that are sorted one by one and packed, and then merged.
//!
//! Rows of one time stay in the order of the file.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;

use super::Raw;
use super::spill::{MOST_IN_MEMORY, Spill};
use crate::traffic::rows::{BLOCK, Cursor, Entry, Packer, Rows};

/// The rows that are sorted at once: whole blocks.
const RUN: usize = 512 * BLOCK;

/// The highest bit: with it, times before the first row come before it as numbers without a sign do.
const SIGN: u64 = 1 << 63;

/// Rows in the order of the file.
#[derive(Debug)]
pub(super) struct Sorter {
    run: Vec<Entry>,
    /// How many rows are sorted at once.
    length: usize,
    packer: Packer,
    before: u64,
    earlier: u64,
    count: usize,
}

/// Rows in order of time, once they are merged.
#[derive(Debug)]
pub(super) struct Sorted {
    runs: Rows,
    length: usize,
    /// How many rows are earlier than the row before.
    pub(super) earlier: u64,
}

impl Sorter {
    pub(super) fn new() -> Sorter {
        Sorter::with(RUN, MOST_IN_MEMORY)
    }

    /// Sorts `length` rows at once, and keeps `most` bytes of them in memory.
    pub(super) fn with(length: usize, most: usize) -> Sorter {
        Sorter {
            run: Vec::new(),
            length,
            packer: Packer::over(Box::new(Spill::beyond(most))),
            before: 0,
            earlier: 0,
            count: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn push(&mut self, (at, input, output): Raw, beside: u32) -> io::Result<()> {
        let at = at as u64 ^ SIGN;
        self.earlier += u64::from(at < self.before);
        self.before = at;
        self.count += 1;
        self.run.push(Entry {
            at,
            input,
            output,
            beside,
        });
        if self.run.len() == self.length {
            self.pack()
        } else {
            Ok(())
        }
    }

    fn pack(&mut self) -> io::Result<()> {
        if !self.run.is_sorted_by_key(|row| row.at) {
            self.run.sort_by_key(|row| row.at);
        }
        for row in &self.run {
            self.packer.push(row)?;
        }
        self.run.clear();
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<Sorted> {
        self.pack()?;
        Ok(Sorted {
            runs: self.packer.finish()?,
            length: self.length,
            earlier: self.earlier,
        })
    }
}

impl Sorted {
    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }

    /// Shows `look` every row in order of time, which counts from the first row of the file.
    pub(super) fn each(&self, look: &mut dyn FnMut(i64, &Entry) -> io::Result<()>) -> io::Result<()> {
        let lost = || io::Error::other(self.runs.trouble().unwrap_or_default().to_owned());
        let count = self.len().div_ceil(self.length);
        let mut cursors = vec![Cursor::default(); count];
        let mut places: Vec<usize> = (0..count).map(|run| run * self.length).collect();
        let mut heads = BinaryHeap::with_capacity(count);
        for (run, cursor) in cursors.iter_mut().enumerate() {
            let first = self.runs.get(places[run], cursor).ok_or_else(lost)?;
            heads.push(Reverse((first.at, run)));
        }
        while let Some(mut head) = heads.peek_mut() {
            let run = head.0.1;
            let row = self.runs.get(places[run], &mut cursors[run]).ok_or_else(lost)?;
            look((row.at ^ SIGN) as i64, &row)?;
            places[run] += 1;
            let end = self.len().min((run + 1) * self.length);
            if places[run] < end {
                let next = self.runs.get(places[run], &mut cursors[run]).ok_or_else(lost)?;
                *head = Reverse((next.at, run));
            } else {
                std::collections::binary_heap::PeekMut::pop(head);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against the standard library's stable sort: of rows in disorder, many of one time, in one run and in five, in memory and in a file.
    #[test]
    fn runs_are_merged_as_the_standard_library_sorts() {
        let rows: Vec<Raw> = (0..5000_i64).map(|i| ((i * 7919 % 611) - 300, i as u32, 1)).collect();
        let mut expected = rows.clone();
        expected.sort_by_key(|row| row.0);
        let earlier = rows.windows(2).filter(|two| two[1].0 < two[0].0).count() as u64;
        for (length, most) in [(1 << 20, 1 << 20), (BLOCK, 1 << 20), (BLOCK, 0), (2 * BLOCK, 3000)] {
            let mut sorter = Sorter::with(length, most);
            for row in &rows {
                sorter.push(*row, row.1 + 7).unwrap();
            }
            let sorted = sorter.finish().unwrap();
            assert_eq!((sorted.len(), sorted.earlier), (5000, earlier));
            let mut found = Vec::new();
            let mut look = |at: i64, row: &Entry| {
                assert_eq!(row.beside, row.input + 7);
                found.push((at, row.input, row.output));
                Ok(())
            };
            sorted.each(&mut look).unwrap();
            assert_eq!(found, expected, "{length} {most}");
        }
    }
}
