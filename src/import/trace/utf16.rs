//! UTF-16 with a byte order mark, as table programs on Windows save text: read as UTF-8.

use std::io::{self, BufRead, Read};

/// Text that becomes UTF-8 while it is read. The byte order mark is taken first.
#[derive(Debug)]
pub(super) struct Utf16<R> {
    inner: R,
    is_big: bool,
    /// Bytes that are half of a unit.
    half: Option<u8>,
    /// The first of a pair of units.
    high: Option<u16>,
    /// What is to be given out, and how much of it was.
    ready: Vec<u8>,
    given: usize,
}

impl<R: BufRead> Utf16<R> {
    /// The text of `inner`, whose units have the larger byte first if `is_big`.
    pub(super) fn new(inner: R, is_big: bool) -> Utf16<R> {
        Utf16 {
            inner,
            is_big,
            half: None,
            high: None,
            ready: Vec::new(),
            given: 0,
        }
    }

    /// Takes a unit.
    fn take(&mut self, unit: u16) -> io::Result<()> {
        let character = match (self.high.take(), unit) {
            (None, 0xd800..0xdc00) => {
                self.high = Some(unit);
                return Ok(());
            }
            (None, 0xfeff) => return Ok(()),
            (None, unit) => char::from_u32(u32::from(unit)),
            (Some(high), low) => char::decode_utf16([high, low]).next().and_then(Result::ok),
        };
        let mut bytes = [0; 4];
        let text = character.ok_or_else(broken)?.encode_utf8(&mut bytes);
        self.ready.extend_from_slice(text.as_bytes());
        Ok(())
    }

    /// Fills what is ready; nothing at the end of the text.
    fn fill(&mut self) -> io::Result<()> {
        self.ready.clear();
        self.given = 0;
        while self.ready.is_empty() {
            let bytes = self.inner.fill_buf()?.to_vec();
            if bytes.is_empty() {
                return match (self.half, self.high) {
                    (None, None) => Ok(()),
                    (Some(_), _) | (_, Some(_)) => Err(broken()),
                };
            }
            self.inner.consume(bytes.len());
            for byte in bytes {
                match self.half.take() {
                    None => self.half = Some(byte),
                    Some(first) if self.is_big => self.take(u16::from_be_bytes([first, byte]))?,
                    Some(first) => self.take(u16::from_le_bytes([first, byte]))?,
                }
            }
        }
        Ok(())
    }
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-16 text")
}

impl<R: BufRead> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.ready.len() {
            self.fill()?;
        }
        let mut left = &self.ready[self.given..];
        let read = left.read(buffer)?;
        self.given += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], is_big: bool) -> io::Result<String> {
        let mut text = String::new();
        Utf16::new(io::BufReader::with_capacity(3, bytes), is_big).read_to_string(&mut text)?;
        Ok(text)
    }

    /// The bytes by RFC 2781: U+12345 is D808 DF45, and its own example.
    #[test]
    fn both_orders_and_pairs_are_read() {
        let text = "\u{12345}=R\u{e4}\n";
        let units: Vec<u16> = [0xfeff].into_iter().chain(text.encode_utf16()).collect();
        assert_eq!(units[1..3], [0xd808, 0xdf45]);
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        assert_eq!(read(&big, true).unwrap(), text);
        assert_eq!(read(&little, false).unwrap(), text);
    }

    #[test]
    fn halves_of_units_and_of_pairs_are_refused() {
        for bytes in [&b"a\0b"[..], &[0x08, 0xd8], &[0x08, 0xd8, 0x61, 0], &[0x45, 0xdf]] {
            assert_eq!(read(bytes, false).unwrap_err().to_string(), "it is not UTF-16 text");
        }
    }
}
