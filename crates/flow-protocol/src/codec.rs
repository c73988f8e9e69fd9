//! Lines of a byte stream.

use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::error::Error;

/// The longest request line that is read, in bytes without its line feed: 128 MiB, as Estuary's own connectors have it.
/// An `open` embeds the schemas of all its collections and reaches tens of megabytes.
pub const LINE_LIMIT: usize = 128 << 20;

/// How much is read at a time, at least.
const CHUNK: usize = 64 << 10;

/// What of an emptied buffer is kept for the next lines. A session reads one large line and then tiny ones.
const KEPT: usize = 1 << 20;

/// Splits a byte stream into lines, however it comes in pieces. Blank lines are passed over.
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    /// Start of the current line within the buffer.
    start: usize,
    /// Up to here the buffer is known to hold no line feed.
    scanned: usize,
    /// How many lines were taken.
    number: u64,
    limit: usize,
}

/// A line, without its line feed, and which one it is, from 1.
#[derive(Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// Which one, from 1; blank lines count.
    pub number: u64,
    /// Its bytes.
    pub bytes: &'a [u8],
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Lines of `input`, of up to [`LINE_LIMIT`] bytes each.
    pub fn new(input: R) -> Self {
        Self::with_limit(input, LINE_LIMIT)
    }

    /// Lines of `input`, of up to `limit` bytes each.
    pub fn with_limit(input: R, limit: usize) -> Self {
        Self { input, buffer: Vec::new(), start: 0, scanned: 0, number: 0, limit }
    }

    /// The next line, or `None` at the end. Cancel-safe: whatever was read stays in the buffer.
    ///
    /// # Errors
    /// When reading fails, a line exceeds the limit, or the input ends within a line.
    pub async fn next(&mut self) -> Result<Option<Line<'_>>, Error> {
        let line = loop {
            if let Some(length) = self.buffer[self.scanned..].iter().position(|byte| *byte == b'\n') {
                let line = self.start..self.scanned + length;
                self.start = line.end + 1;
                self.scanned = self.start;
                self.number += 1;
                if line.len() > self.limit {
                    return Err(Error::TooLong { line: self.number });
                }
                if !self.buffer[line.clone()].trim_ascii().is_empty() {
                    break line;
                }
            } else {
                self.scanned = self.buffer.len();
                if self.buffer.len() - self.start > self.limit {
                    return Err(Error::TooLong { line: self.number + 1 });
                }
                if !self.fill().await? {
                    return self.end();
                }
            }
        };
        Ok(Some(Line { number: self.number, bytes: &self.buffer[line] }))
    }

    /// Reads more. False at the end of the input.
    async fn fill(&mut self) -> Result<bool, Error> {
        self.discard();
        self.buffer.reserve(CHUNK);
        Ok(self.input.read_buf(&mut self.buffer).await.map_err(Error::Read)? > 0)
    }

    fn end(&self) -> Result<Option<Line<'_>>, Error> {
        let rest = &self.buffer[self.start..];
        if rest.trim_ascii().is_empty() {
            return Ok(None);
        }
        Err(Error::Partial { line: self.number + 1, bytes: rest.len() })
    }

    /// Forgets the lines taken, and gives back the memory of a large one.
    fn discard(&mut self) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.scanned -= self.start;
            self.start = 0;
            self.buffer.shrink_to(KEPT);
        }
    }
}
