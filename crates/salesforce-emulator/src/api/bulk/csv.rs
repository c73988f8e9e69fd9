//! CSV on its way out: from where it is kept to the client, a piece at a time.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures::stream;

use super::super::reply::Reply;
use crate::org::{Page, Refusal, Spool, Upload};

/// Bytes read at once.
const PIECE: usize = 256 << 10;

/// Where rows are kept.
#[derive(Debug, Clone)]
pub(super) enum Kept {
    Results(Arc<Spool>),
    Data(Arc<Upload>),
}

impl Kept {
    fn read(&self, bytes: &Range<u64>) -> io::Result<Vec<u8>> {
        match self {
            Self::Results(spool) => spool.read(bytes, PIECE),
            Self::Data(upload) => upload.read(bytes, PIECE),
        }
    }
}

/// A page of results.
pub(super) fn page(results: Arc<Spool>, page: Page) -> Reply {
    reply(page.header, Kept::Results(results), page.bytes)
}

/// All results.
pub(super) fn whole(results: Arc<Spool>) -> Result<Reply, Refusal> {
    let all = results.page(0, u64::MAX, u64::MAX).map_err(|error| unreadable(&error))?;
    Ok(page(results, all))
}

/// A header and these bytes.
pub(super) fn reply(header: Vec<u8>, kept: Kept, bytes: Range<u64>) -> Reply {
    let pieces = stream::try_unfold((Some(header), bytes), move |(header, mut left)| {
        let kept = kept.clone();
        async move {
            if let Some(header) = header {
                return Ok(Some((Bytes::from(header), (None, left))));
            }
            if left.is_empty() {
                return Ok(None);
            }
            let range = left.clone();
            let read = tokio::task::spawn_blocking(move || kept.read(&range)).await;
            let piece = read.map_err(io::Error::other)??;
            left.start += piece.len() as u64;
            Ok::<_, io::Error>(Some((Bytes::from(piece), (None, left))))
        }
    });
    Reply::streamed("text/csv; charset=UTF-8", Body::from_stream(pieces))
}

/// A file of ours failed; nothing a client did.
pub(super) fn unreadable(error: &io::Error) -> Refusal {
    let message = format!("the emulated org's file of rows failed: {error}");
    Refusal { status: 500, ..Refusal::bad("UNKNOWN_EXCEPTION", message) }
}
