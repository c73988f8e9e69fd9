//! `PUT /jobs/ingest/ID/batches`: data that goes to where it is kept as it arrives, plain or compressed.

use std::io::{self, Write};

use axum::body::Body;
use flate2::write::GzDecoder;
use futures::StreamExt as _;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::request::Parts;
use http::{Response, StatusCode};

use super::super::reply::Reply;
use super::super::{App, authenticate};
use super::{available, csv, refused};
use crate::org::{Asked, Family, Incoming, Org, Refusal};

/// Bytes that are gathered before they are written.
const GATHERED: usize = 1 << 20;

/// Takes in the data of a job.
pub(in crate::api) async fn upload(app: &App, head: &Parts, body: Body, version: &str, id: &str) -> Response<Body> {
    let org = match authenticate(&app.org, &head.headers) {
        Ok(org) => org,
        // What other requests answer in their own spelling.
        Err(refusal) => return Reply::from(refusal).into_response(),
    };
    let reply = match take(&org, head, body, org.asked(Family::Ingest, id, version)).await {
        Ok(()) => Reply::empty(StatusCode::CREATED),
        Err(refusal) => refused(&refusal),
    };
    reply.into_response()
}

async fn take(org: &Org, head: &Parts, body: Body, of: Asked<'_>) -> Result<(), Refusal> {
    available(of.version, &super::Jobs::Upload(of.id))?;
    let incoming = org.await_upload(&of)?;
    let header = |name| head.headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let kind = header(CONTENT_TYPE).unwrap_or_default();
    if !kind.trim_start().to_ascii_lowercase().starts_with("text/csv") {
        let message = format!("Content-Type header specified in HTTP request is not supported: {kind}");
        return Err(Refusal { status: 415, ..Refusal::bad("UNSUPPORTED_MEDIA_TYPE", message) });
    }
    let mut data = match header(CONTENT_ENCODING) {
        Some("gzip") => Data::Compressed(Box::new(GzDecoder::new(incoming))),
        _ => Data::Plain(incoming),
    };
    let mut gathered = Vec::new();
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let broken = |_| Refusal::bad("CLIENTINPUTERROR", "The data broke off");
        gathered.extend_from_slice(&piece.map_err(broken)?);
        if gathered.len() >= GATHERED {
            (data, gathered) = write(data, gathered).await?;
        }
    }
    let (data, _) = write(data, gathered).await?;
    org.uploaded(&of, data.finish().map_err(|error| unfit(&error))?)
}

/// Writes what was gathered, on a thread that may block.
async fn write(mut data: Data, mut gathered: Vec<u8>) -> Result<(Data, Vec<u8>), Refusal> {
    let written = tokio::task::spawn_blocking(move || {
        data.write_all(&gathered)?;
        gathered.clear();
        Ok((data, gathered))
    });
    let failed = |error| csv::unreadable(&io::Error::other(error));
    written.await.map_err(failed)?.map_err(|error: io::Error| unfit(&error))
}

fn unfit(error: &io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::FileTooLarge => {
            Refusal::bad("CLIENTINPUTERROR", "The data is larger than a job may have after base64 encoding")
        }
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            Refusal::bad("CLIENTINPUTERROR", "The data is not compressed as it says")
        }
        _ => csv::unreadable(error),
    }
}

/// Data as it comes.
enum Data {
    Plain(Incoming),
    Compressed(Box<GzDecoder<Incoming>>),
}

impl Data {
    fn write_all(&mut self, piece: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(incoming) => incoming.write_all(piece),
            Self::Compressed(decoder) => decoder.write_all(piece),
        }
    }

    fn finish(self) -> io::Result<Incoming> {
        match self {
            Self::Plain(incoming) => Ok(incoming),
            Self::Compressed(decoder) => decoder.finish(),
        }
    }
}
