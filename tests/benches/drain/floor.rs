//! The least that anyone must do: parse each reply once, and write what it says.

use std::{
    fs,
    io::{PipeReader, PipeWriter, Read as _, Write as _},
    thread,
    time::Duration,
};

use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Result;

/// What the least took, as CPU time of one thread.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Floor {
    /// Parsing the replies and writing the documents.
    pub(crate) cpu: Duration,
    /// Unpacking the replies before that.
    pub(crate) unpacking: Duration,
    pub(crate) events: usize,
    /// Bytes of the replies, unpacked.
    pub(crate) bytes: usize,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    data: Option<Data<'a>>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    event: &'a RawValue,
    #[serde(borrow)]
    sobject: &'a RawValue,
}

impl Floor {
    /// Goes through the replies in the same order and pieces as the connector.
    pub(crate) fn measure(replies: &[Vec<u8>]) -> Result<Self> {
        thread::scope(|scope| {
            let (reader, writer) = std::io::pipe()?;
            scope.spawn(|| swallow(reader));
            let measured = scope.spawn(|| Self::measure_here(replies, writer)).join();
            measured.map_err(|_| "the floor's thread panicked")?
        })
    }

    fn measure_here(replies: &[Vec<u8>], mut out: PipeWriter) -> Result<Self> {
        let start = cpu()?;
        let bodies = replies.iter().map(|reply| unpacked(reply)).collect::<Result<Vec<_>>>()?;
        let unpacked = cpu()?;
        let mut events = 0;
        for body in &bodies {
            let (lines, count) = documents(body)?;
            out.write_all(&lines)?;
            events += count;
        }
        let bytes = bodies.iter().map(Vec::len).sum();
        Ok(Self { cpu: cpu()? - unpacked, unpacking: unpacked - start, events, bytes })
    }
}

/// The events of a reply as lines, and how many there are.
pub(crate) fn documents(body: &[u8]) -> Result<(Vec<u8>, usize)> {
    let messages: Vec<Message<'_>> = serde_json::from_slice(body)?;
    let mut lines = Vec::with_capacity(body.len());
    let mut count = 0;
    for Data { event, sobject } in messages.into_iter().filter_map(|message| message.data) {
        for part in [event.get(), " ", sobject.get(), "\n"] {
            lines.extend_from_slice(part.as_bytes());
        }
        count += 1;
    }
    Ok((lines, count))
}

/// A reply as it was before it was compressed.
pub(crate) fn unpacked(reply: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    GzDecoder::new(reply).read_to_end(&mut body)?;
    Ok(body)
}

/// Plays the runtime's part at the other end of the pipe.
fn swallow(mut reader: PipeReader) {
    let mut buffer = vec![0; 64 << 10];
    while reader.read(&mut buffer).is_ok_and(|read| read > 0) {}
}

/// CPU time of this thread: nanoseconds, the first field of its `schedstat`.
fn cpu() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(stat.split_whitespace().next().unwrap_or_default().parse()?))
}
