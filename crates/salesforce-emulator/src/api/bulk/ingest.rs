//! `/jobs/ingest`

use std::io::Write as _;
use std::sync::Arc;

use http::header::CONTENT_TYPE;

use super::super::reply::Reply;
use super::super::{Call, multipart};
use super::{csv, order};
use crate::org::{Asked, Family, Org, Refusal, Told};

/// Most characters of data that may come with the order.
const MOST_AT_ONCE: usize = 100_000;

/// `POST /jobs/ingest`: the order alone, or with the data in a multipart body. The latter is closed at once.
pub(super) fn create(org: &Org, call: &Call, version: &str) -> Result<Reply, Refusal> {
    let boundary = call.header(&CONTENT_TYPE).and_then(multipart::boundary);
    let Some(boundary) = boundary else { return Ok(Reply::value(&org.order_ingest(order(&call.body)?, version)?.1)) };
    let parts = multipart::parts(&call.body, boundary).ok_or_else(|| invalid("the multipart body is broken"))?;
    let part = |name: &str| parts.iter().find(|part| part.name == name).map(|part| part.content);
    let job = part("job").ok_or_else(|| invalid("the multipart body has no part 'job'"))?;
    let content = part("content").ok_or_else(|| invalid("the multipart body has no part 'content'"))?;
    if String::from_utf8_lossy(content).chars().count() > MOST_AT_ONCE {
        return Err(invalid(&format!("a multipart request holds at most {MOST_AT_ONCE} characters of data")));
    }
    let (id, _) = org.order_ingest(order(job)?, version)?;
    let of = org.asked(Family::Ingest, id.as_str(), version);
    let mut data = org.await_upload(&of)?;
    data.write_all(content).map_err(|error| csv::unreadable(&error))?;
    org.uploaded(&of, data)?;
    Ok(Reply::value(&org.close_job(&of, Told::Created)?))
}

/// `GET /jobs/ingest/ID/successfulResults`
pub(super) fn successful(org: &Org, of: &Asked<'_>) -> Result<Reply, Refusal> {
    csv::whole(Arc::clone(&org.ingest_files(of)?.succeeded))
}

/// `GET /jobs/ingest/ID/failedResults`
pub(super) fn failed(org: &Org, of: &Asked<'_>) -> Result<Reply, Refusal> {
    csv::whole(Arc::clone(&org.ingest_files(of)?.failed))
}

/// `GET /jobs/ingest/ID/unprocessedrecords`: the rows as they were uploaded.
pub(super) fn unprocessed(org: &Org, of: &Asked<'_>) -> Result<Reply, Refusal> {
    let files = org.ingest_files(of)?;
    match files.upload.get() {
        Some(upload) => Ok(csv::reply(files.header(), csv::Kept::Data(Arc::clone(upload)), files.unprocessed())),
        None => csv::whole(Arc::clone(&files.failed)),
    }
}

fn invalid(message: &str) -> Refusal {
    Refusal::bad("INVALIDJOB", message)
}
