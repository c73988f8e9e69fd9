//! The two pipes to the runtime. Nothing else may write to stdout: a stray line there fails the task.

use serde::Serialize;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, Stdin, Stdout};

use crate::{
    codec::Lines,
    error::{Error, RequestFault},
    group::Finished,
};

/// A request of one of the two protocols.
pub trait Request: Sized {
    /// Parses one line.
    ///
    /// # Errors
    /// When the line is not JSON, is not a request of exactly one kind, a binding refers to a collection that is not
    /// there, or a packed key or value cannot be read. The error does not repeat any of the line.
    fn from_line(line: &str) -> Result<Self, RequestFault>;
}

/// A response of one of the two protocols.
pub trait Response: Serialize {}

/// Requests from the runtime.
#[derive(Debug)]
pub struct Requests<R> {
    lines: Lines<R>,
}

/// Responses to the runtime.
#[derive(Debug)]
pub struct Responses<W> {
    output: W,
}

/// Requests on this process's stdin.
///
/// A thread of the tokio runtime sits in a blocking read, which only the end of stdin ends: `main` has to leave by
/// `process::exit` or `Runtime::shutdown_background` when it ends earlier.
pub fn requests() -> Requests<Stdin> {
    Requests::new(tokio::io::stdin())
}

/// Responses on this process's stdout.
pub fn responses() -> Responses<Stdout> {
    Responses::new(tokio::io::stdout())
}

impl<R: AsyncRead + Unpin> Requests<R> {
    /// Requests read from `input`, one per line.
    pub fn new(input: R) -> Self {
        Self { lines: Lines::new(input) }
    }

    /// The next request, or `None` at the end of the input. Cancel-safe.
    ///
    /// # Errors
    /// When reading fails, or what is read is no request. The stream is of no further use then.
    pub async fn next<Q: Request>(&mut self) -> Result<Option<Q>, Error> {
        let Some(line) = self.lines.next().await? else { return Ok(None) };
        let text =
            std::str::from_utf8(line.bytes).map_err(|error| RequestFault::Utf8 { column: error.valid_up_to() + 1 });
        match text.and_then(Q::from_line) {
            Ok(request) => Ok(Some(request)),
            Err(fault) => Err(Error::Request { line: line.number, fault }),
        }
    }
}

impl<W: AsyncWrite + Unpin> Responses<W> {
    /// Responses written to `output`, one per line.
    pub fn new(output: W) -> Self {
        Self { output }
    }

    /// Writes a response and flushes it: somebody waits for it. Not cancel-safe.
    ///
    /// # Errors
    /// When writing fails.
    pub async fn send(&mut self, response: &impl Response) -> Result<(), Error> {
        let mut line = serde_json::to_vec(response).map_err(|error| Error::Write(error.into()))?;
        line.push(b'\n');
        self.write_bytes(&line).await
    }

    /// Writes a group and flushes it, so that its checkpoint can be committed. Not cancel-safe: dropped halfway, it
    /// leaves half a line behind.
    ///
    /// # Errors
    /// When writing fails.
    pub async fn write(&mut self, group: &Finished) -> Result<(), Error> {
        self.write_bytes(group.bytes()).await
    }

    async fn write_bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.output.write_all(bytes).await.map_err(Error::Write)?;
        self.output.flush().await.map_err(Error::Write)
    }
}
