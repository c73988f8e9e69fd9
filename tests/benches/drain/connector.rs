//! The connector as a backlog is drained.

use std::time::Duration;

use demo::runtime::{Capture, Connector};
use e2e::measure::{Usage, now};

use crate::{Result, session::Session};

/// What draining the backlog took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drain {
    pub(crate) documents: usize,
    /// Bytes of the documents' lines.
    pub(crate) bytes: usize,
    /// From `opened` to the last document.
    pub(crate) wall: Duration,
    /// In the same span.
    pub(crate) used: Usage,
}

/// How long it takes from the start of the program to its answer to `spec`, sorted.
pub(crate) async fn start_up(connector: &Connector, times: usize) -> Result<Vec<Duration>> {
    let mut taken = Vec::new();
    for _ in 0..times {
        let started = now();
        let (mut process, _) = connector.start().await?;
        taken.push(started.elapsed());
        process.ended().await?;
    }
    taken.sort_unstable();
    Ok(taken)
}

/// Drains so many documents from the state of the capture, which stays as it is.
pub(crate) async fn drain(connector: &Connector, capture: &Capture, documents: usize) -> Result<Drain> {
    let mut session = Session::open(connector, capture).await?;
    let mut bytes = 0;
    for _ in 0..documents {
        let line = session.document().await?;
        if !is_of_an_event(&line) {
            return Err(format!("a document came from no event: {line}").into());
        }
        bytes += line.len();
    }
    let (wall, used) = session.spent()?;
    session.end().await?;
    Ok(Drain { documents, bytes, wall, used })
}

/// Without parsing: reading must not be what is measured.
fn is_of_an_event(line: &str) -> bool {
    let meta = line.strip_prefix(r#"{"captured":{"binding":0,"doc":{"_meta":{"op":""#);
    meta.and_then(|meta| meta.get(2..)).is_some_and(|meta| meta.starts_with(r#","source":{"replayId":"#))
}
