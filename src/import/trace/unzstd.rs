//! What is packed with zstd (RFC 8878), unpacked while it is read: one frame after the other, as `zstd` and `cat` of several files write them.
//!
//! A window of more than 128 MiB (`zstd --long=28` and above) is refused, because it would have to be held. Checksums are not looked at.

use std::fmt;
use std::io::{self, BufRead, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// Frames, one after the other.
pub(super) struct Frames<'a> {
    source: &'a mut dyn BufRead,
    decoder: FrameDecoder,
    is_open: bool,
}

impl fmt::Debug for Frames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frames")
            .field("is_open", &self.is_open)
            .finish_non_exhaustive()
    }
}

impl<'a> Frames<'a> {
    /// What is packed in `source`.
    pub(super) fn new(source: &'a mut dyn BufRead) -> Frames<'a> {
        Frames {
            source,
            decoder: FrameDecoder::new(),
            is_open: false,
        }
    }

    /// Begins the next frame; whether there is one. What is not data is skipped.
    fn open(&mut self) -> io::Result<bool> {
        loop {
            if self.source.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.init(&mut *self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    io::copy(&mut (&mut *self.source).take(length.into()), &mut io::sink())?;
                }
                Err(error) => return Err(broken(&error)),
            }
        }
    }
}

/// What is wrong with a frame.
fn broken(error: &FrameDecoderError) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("it cannot be unpacked by zstd: {error}"),
    )
}

impl Read for Frames<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.decoder.can_collect() == 0 {
            if self.is_open && !self.decoder.is_finished() {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                let decoded = self.decoder.decode_blocks(&mut *self.source, one);
                decoded.map_err(|error| broken(&error))?;
                continue;
            }
            self.is_open = self.open()?;
            if !self.is_open {
                return Ok(0);
            }
        }
        self.decoder.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpack(mut bytes: &[u8]) -> io::Result<String> {
        let mut text = String::new();
        Frames::new(&mut bytes).read_to_string(&mut text)?;
        Ok(text)
    }

    /// A raw block and an RLE block by RFC 8878, written by hand: magic, a header that says one segment of so many bytes, blocks.
    fn frame(size: u8, blocks: &[u8]) -> Vec<u8> {
        [&[0x28, 0xb5, 0x2f, 0xfd, 0x20, size], blocks].concat()
    }

    #[test]
    fn frames_follow_one_another_and_others_are_skipped() {
        // "abc" as a raw block (type 0, 3 bytes, last), and 5 times "x" (type 1).
        let raw = frame(3, &[0x19, 0, 0, b'a', b'b', b'c']);
        let rle = frame(5, &[0x2b, 0, 0, b'x']);
        let skipped = [0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7];
        let all = [&raw[..], &skipped, &rle, &raw].concat();
        assert_eq!(unpack(&all).unwrap(), "abcxxxxxabc");
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        let raw = frame(3, &[0x19, 0, 0, b'a']);
        let error = unpack(&raw).unwrap_err().to_string();
        assert!(error.starts_with("it cannot be unpacked by zstd: "), "{error}");
    }
}
