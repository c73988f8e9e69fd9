//! The data of an ingest job: written once as it arrives, read from any place.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use tempfile::{SpooledTempFile, spooled_tempfile};

use super::dialect::LineEnding;
use super::spool;

/// Bytes that stay in memory, for each upload.
const IN_MEMORY: usize = 1 << 18;

/// Data on its way in.
#[derive(Debug)]
pub(crate) struct Incoming {
    file: SpooledTempFile,
    bytes: u64,
    most: u64,
}

/// The whole data of a job.
#[derive(Debug)]
pub(crate) struct Upload {
    file: Mutex<SpooledTempFile>,
    pub(crate) bytes: u64,
}

/// A place in an upload, from which it is read on.
#[derive(Debug)]
pub(super) struct Place {
    upload: Arc<Upload>,
    at: u64,
}

impl Incoming {
    /// `encoded` is how many bytes the data may have once it is base64.
    pub(super) fn new(encoded: u64) -> Self {
        Self { file: spooled_tempfile(IN_MEMORY), bytes: 0, most: encoded / 4 * 3 }
    }

    pub(super) fn arrived(self) -> Upload {
        Upload { file: Mutex::new(self.file), bytes: self.bytes }
    }
}

impl Write for Incoming {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        if self.bytes + piece.len() as u64 > self.most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let written = self.file.write(piece)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Upload {
    pub(super) fn from_start(self: &Arc<Self>) -> Place {
        Place { upload: Arc::clone(self), at: 0 }
    }

    /// Some of these bytes, from their beginning.
    pub(crate) fn read(&self, bytes: &Range<u64>, most: usize) -> io::Result<Vec<u8>> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        spool::read(&mut file, &(bytes.start..bytes.end.min(self.bytes)), most)
    }
}

impl Read for Place {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut file = self.upload.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.at))?;
        let read = file.read(into)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// What ends the first line; `None` if nothing does.
pub(super) fn first_ending(beginning: &[u8]) -> Option<LineEnding> {
    let mut quoted = false;
    let mut before = 0;
    for byte in beginning {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => return Some(if before == b'\r' { LineEnding::Crlf } else { LineEnding::Lf }),
            _ => {}
        }
        before = *byte;
    }
    None
}

/// Are the quotes of a row where they may be: around whole cells, without blanks beside them?
pub(super) fn well_quoted(row: &[u8], delimiter: u8) -> bool {
    enum Within {
        Nothing,
        Bare,
        Quotes,
        Closed,
    }
    let mut within = Within::Nothing;
    for byte in row {
        within = match (within, *byte) {
            (Within::Quotes, b'"') => Within::Closed,
            (Within::Quotes, _) | (Within::Nothing | Within::Closed, b'"') => Within::Quotes,
            (Within::Nothing | Within::Bare | Within::Closed, byte) if byte == delimiter => Within::Nothing,
            (Within::Bare, b'"') | (Within::Closed, _) => return false,
            (Within::Nothing | Within::Bare, _) => Within::Bare,
        };
    }
    !matches!(within, Within::Quotes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes() {
        for row in ["", "a,b", "\"a\",\"b\"", "\"a\"\"b\",", ",\"\",", "a b, c", "\"a\n,b\",c", "\"\"\"\""] {
            assert!(well_quoted(row.as_bytes(), b','), "{row}");
        }
        for row in ["\"a\", \"b\"", "\"a\" ,b", "a\"b\",c", "\"a\"b", "\"a", " \"a\""] {
            assert!(!well_quoted(row.as_bytes(), b','), "{row}");
        }
        assert!(well_quoted(b"\"a,b\"|c,d", b'|'));
    }

    #[test]
    fn line_endings() {
        for (text, ending) in [
            ("a,b\nc\r\n", Some(LineEnding::Lf)),
            ("a,\"b\nc\"\r\nd\n", Some(LineEnding::Crlf)),
            ("a,b", None),
            ("", None),
        ] {
            assert_eq!(first_ending(text.as_bytes()), ending, "{text:?}");
        }
    }

    #[test]
    fn as_much_as_base64_allows() {
        let mut incoming = Incoming::new(8);
        incoming.write_all(b"abcd").unwrap();
        incoming.write_all(b"ef").unwrap();
        assert_eq!(incoming.write_all(b"g").unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        let upload = Arc::new(incoming.arrived());
        assert_eq!(upload.read(&(2..9), 3).unwrap(), b"cde");
        let mut text = String::new();
        upload.from_start().read_to_string(&mut text).unwrap();
        assert_eq!(text, "abcdef");
    }
}
