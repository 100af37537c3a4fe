//! A file that is read as a whole, unpacked and as UTF-8.

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use super::utf16::Utf16;
use super::{GZIP, ZSTD, unzstd};

/// The text of a file that may be packed with gzip or zstd, or written as UTF-16 with a byte order mark; what is neither stays as it is.
///
/// # Errors
/// If what is packed is broken, or more than `most` bytes come of it.
pub fn whole(bytes: Vec<u8>, most: u64) -> io::Result<Vec<u8>> {
    let bytes = if bytes.starts_with(&GZIP) {
        all(MultiGzDecoder::new(bytes.as_slice()), most)?
    } else if bytes.starts_with(&ZSTD) {
        all(unzstd::Frames::new(&mut bytes.as_slice()), most)?
    } else {
        bytes
    };
    match bytes.as_slice() {
        [0xff, 0xfe, ..] => all(Utf16::new(BufReader::new(bytes.as_slice()), false), most),
        [0xfe, 0xff, ..] => all(Utf16::new(BufReader::new(bytes.as_slice()), true), most),
        _ => Ok(bytes),
    }
}

fn all(source: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        let text = format!("more than {} MB come of it once it is unpacked", most / 1_000_000);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_is_packed_or_of_another_encoding_becomes_its_text() {
        let text = "{\"ä\": 1}\n";
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        let gzip = gzip.finish().unwrap();
        let units: Vec<u8> = "\u{feff}{\"ä\": 1}\n"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        for packed in [text.as_bytes().to_vec(), gzip.clone(), units] {
            assert_eq!(
                String::from_utf8(whole(packed, 100).unwrap())
                    .unwrap()
                    .trim_start_matches('\u{feff}'),
                text
            );
        }
        assert_eq!(whole(gzip, 3).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert!(whole(vec![0x1f, 0x8b, 1, 2], 100).is_err());
    }
}
