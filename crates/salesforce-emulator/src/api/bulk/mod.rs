//! Bulk API 2.0 over HTTP: jobs as JSON, rows as CSV that is sent as it is read.

mod csv;
mod ingest;
mod query;
mod resource;
mod upload;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::reply::Reply;
use super::{Call, effective_method, json as parsed, method_not_allowed};
use crate::org::{Asked, Family, Id, Org, Refusal, Told};
pub(super) use resource::Jobs;
pub(super) use upload::upload;

/// Answers a request about jobs. Errors are spelled in this API's way, the code first.
pub(super) fn answer(org: &Org, call: &Call, version: &str, jobs: Jobs<'_>) -> Reply {
    answered(org, call, version, jobs).unwrap_or_else(|refusal| refused(&refusal))
}

fn answered(org: &Org, call: &Call, version: &str, jobs: Jobs<'_>) -> Result<Reply, Refusal> {
    available(version, &jobs)?;
    let asked = |family, id| org.asked(family, id, version);
    let ingest = |id| asked(Family::Ingest, id);
    match jobs {
        Jobs::Create(Family::Query) => query::create(org, call, version),
        Jobs::Create(Family::Ingest) => ingest::create(org, call, version),
        Jobs::List(family) => list(org, call, version, family),
        Jobs::Info(family, id) => Ok(Reply::value(&org.bulk_job(&asked(family, id), Told::Whole)?)),
        Jobs::Change(family, id) => change(org, call, &asked(family, id)),
        Jobs::Delete(family, id) => {
            org.delete_job(&asked(family, id))?;
            Ok(Reply::empty(StatusCode::NO_CONTENT))
        }
        Jobs::Results(id) => query::results(org, call, &asked(Family::Query, id)),
        Jobs::ResultPages(id) => query::pages(org, call, &asked(Family::Query, id)),
        Jobs::Successful(id) => ingest::successful(org, &ingest(id)),
        Jobs::Failed(id) => ingest::failed(org, &ingest(id)),
        Jobs::Unprocessed(id) => ingest::unprocessed(org, &ingest(id)),
        Jobs::MethodNotAllowed(allowed) => Err(method_not_allowed(&effective_method(&call.head), allowed)),
        // Data is taken in where it is not yet read.
        Jobs::Upload(_) | Jobs::Unknown => Err(Refusal::not_found()),
    }
}

/// # Errors
/// `NOT_FOUND` if the version has no such resource.
fn available(version: &str, jobs: &Jobs<'_>) -> Result<(), Refusal> {
    let has = version.parse::<f64>().is_ok_and(|version| version >= jobs.since());
    if has { Ok(()) } else { Err(Refusal::not_found()) }
}

fn refused(refusal: &Refusal) -> Reply {
    let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Reply::value(&json!([{"errorCode": refusal.code, "message": refusal.message}])).status(status)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    state: String,
}

/// `PATCH /jobs/…/ID`
fn change(org: &Org, call: &Call, of: &Asked<'_>) -> Result<Reply, Refusal> {
    let Change { state } = parsed(&call.body)?;
    let told = match (state.as_str(), of.family) {
        ("Aborted", _) => org.abort_job(of)?,
        ("UploadComplete", Family::Ingest) => org.close_job(of, Told::Changed)?,
        _ => {
            org.bulk_job(of, Told::Changed)?;
            let message = format!("A job can not be brought into state {state}");
            return Err(Refusal::bad("INVALIDJOBSTATE", message));
        }
    };
    Ok(Reply::value(&told))
}

/// `GET /jobs/query` and `/jobs/ingest`
fn list(org: &Org, call: &Call, version: &str, family: Family) -> Result<Reply, Refusal> {
    let is = |name: &str, value: &str| call.parameter(name).is_some_and(|said| said.eq_ignore_ascii_case(value));
    let wanted = match call.parameter("jobType").as_deref() {
        None => Some(family),
        Some("V2Query") => Some(Family::Query),
        Some("V2Ingest") => Some(Family::Ingest),
        // Jobs of the older API, of which there are none.
        Some(_) => None,
    };
    let none = is("isPkChunkingEnabled", "true") || is("concurrencyMode", "serial");
    let invalid = || Refusal::bad("INVALID_QUERY_LOCATOR", "invalid query locator");
    let after = call.parameter("queryLocator").filter(|locator| !locator.is_empty());
    let after = after.map(|locator| Id::parse(&locator).ok_or_else(invalid)).transpose()?;
    let (jobs, more) = match wanted.filter(|_| !none) {
        Some(family) => org.list_jobs(family, after),
        None => (Vec::new(), false),
    };
    let here = if family == Family::Query { "query" } else { "ingest" };
    let next = jobs.last().filter(|_| more).map(|(last, _)| {
        let kept = call.parameter("jobType").map(|kind| format!("jobType={kind}&")).unwrap_or_default();
        format!("/services/data/v{version}/jobs/{here}?{kept}queryLocator={last}")
    });
    let records: Vec<Json> = jobs.into_iter().map(|(_, info)| info).collect();
    Ok(Reply::value(&json!({"done": !more, "records": records, "nextRecordsUrl": next})))
}

/// The body of a request that makes a job.
fn order<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Refusal> {
    let value: Json = parsed(body)?;
    serde_json::from_value(value).map_err(|error| Refusal::bad("INVALIDJOB", format!("Unable to parse Job: {error}")))
}
