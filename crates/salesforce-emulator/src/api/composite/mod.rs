//! `/composite`: up to 25 requests in one, which may refer to the answers of earlier ones.

pub(super) mod batch;
mod reference;

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use serde_json::value::{RawValue, to_raw_value};

use super::reply::Reply;
use super::resource::{Data, Resource};
use super::{App, Call, answer_data, json};
use crate::org::Refusal;
use reference::Answers;

/// Most subrequests of one request; also of a batch.
pub(super) const MOST: usize = 25;
/// Most of them that query or deal with collections.
const MOST_HEAVY: usize = 5;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Composite {
    #[serde(default)]
    all_or_none: bool,
    /// Only says what may run at the same time, which nobody can see here.
    #[serde(default, rename = "collateSubrequests")]
    _collate_subrequests: bool,
    composite_request: Vec<Subrequest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Subrequest {
    method: String,
    url: String,
    reference_id: String,
    body: Option<Json>,
    #[serde(default)]
    http_headers: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    composite_response: Vec<Subresponse>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Subresponse {
    body: Box<RawValue>,
    http_headers: BTreeMap<String, String>,
    http_status_code: u16,
    reference_id: Option<String>,
}

/// `POST /composite`
pub(super) fn composite(app: &App, call: &Call) -> Result<Reply, Refusal> {
    let Composite { all_or_none, composite_request: requests, .. } = json(&call.body)?;
    if let Some(refusal) = beyond_limits(&requests) {
        return response(vec![Subresponse::new(refusal.into(), None)?]);
    }
    let mut seen = HashSet::new();
    if let Some(twice) = requests.iter().find(|request| !seen.insert(request.reference_id.as_str())) {
        return Err(Refusal::bad("INVALID_INPUT", format!("Duplicate referenceId: {}", twice.reference_id)));
    }
    if !all_or_none {
        return response(run(app, call, &requests, false)?.0);
    }
    let outcome = app.org.together(|| match run(app, call, &requests, true) {
        Ok((done, None)) => Ok(done),
        Ok((done, Some(failed))) => Err(Ok((done, failed))),
        Err(refusal) => Err(Err(refusal)),
    });
    match outcome? {
        Ok(done) => response(done),
        Err(Ok((mut done, failed))) => {
            let culprit = done.remove(failed);
            let mut responses = Vec::with_capacity(requests.len());
            for request in &requests[..failed] {
                responses.push(Subresponse::new(rolled_back().into(), Some(&request.reference_id))?);
            }
            responses.push(culprit);
            for request in &requests[failed + 1..] {
                responses.push(Subresponse::new(rolled_back().into(), Some(&request.reference_id))?);
            }
            response(responses)
        }
        Err(Err(refusal)) => Err(refusal),
    }
}

/// Runs the subrequests in order. With `halting`, the first failure is the last to run; its place is told.
fn run(
    app: &App,
    call: &Call,
    requests: &[Subrequest],
    halting: bool,
) -> Result<(Vec<Subresponse>, Option<usize>), Refusal> {
    let mut answers = Answers::default();
    let mut responses = Vec::with_capacity(requests.len());
    for (at, request) in requests.iter().enumerate() {
        let reply = subanswer(app, call, request, &answers).unwrap_or_else(Reply::from);
        let response = Subresponse::new(reply, Some(&request.reference_id))?;
        let failed = response.http_status_code >= 400;
        if !failed && let Ok(body) = serde_json::from_str(response.body.get()) {
            answers.add(&request.reference_id, body);
        }
        responses.push(response);
        if failed && halting {
            return Ok((responses, Some(at)));
        }
    }
    Ok((responses, None))
}

fn subanswer(app: &App, call: &Call, request: &Subrequest, answers: &Answers) -> Result<Reply, Refusal> {
    check_reference_id(&request.reference_id)?;
    let (path, query) = request.url.split_once('?').unwrap_or((&request.url, ""));
    let encoded = |value: &str| url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let url = format!("{}?{}", answers.resolve(path, str::to_owned)?, answers.resolve(query, encoded)?);
    let mut body = request.body.clone();
    if let Some(body) = &mut body {
        answers.resolve_all(body)?;
    }
    let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
    let headers = request
        .http_headers
        .iter()
        .filter_map(|(name, value)| Some((name.parse::<HeaderName>().ok()?, HeaderValue::from_str(value).ok()?)));
    answer_within(app, call, &request.method, &url, headers.collect(), body)
}

/// Answers a request that came inside another one. Its URL may be as long as it likes.
pub(super) fn answer_within(
    app: &App,
    call: &Call,
    method: &str,
    url: &str,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Reply, Refusal> {
    let method: Method = method.parse().map_err(|_| Refusal {
        status: 405,
        ..Refusal::bad("METHOD_NOT_ALLOWED", format!("HTTP Method '{method}' not allowed"))
    })?;
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    match Resource::of(&method, path) {
        Resource::Data { data: Data::Composite | Data::Batch, .. } => {
            Err(Refusal::bad("INVALID_INPUT", format!("a composite request cannot contain another: {path}")))
        }
        Resource::Data { data: Data::Jobs(_), .. } => {
            Err(Refusal::bad("INVALID_INPUT", format!("a composite request cannot contain Bulk API 2.0: {path}")))
        }
        Resource::Data { version, data } => answer_data(app, &call.within(method, query, headers, body), version, data),
        _ => Err(Refusal::not_found()),
    }
}

/// What Salesforce says instead of running anything; it stands in the place of the only answer.
fn beyond_limits(requests: &[Subrequest]) -> Option<Refusal> {
    let heavy = requests.iter().filter(|request| {
        let path = request.url.split('?').next().unwrap_or_default();
        let Ok(method) = request.method.parse() else { return false };
        matches!(Resource::of(&method, path), Resource::Data { data, .. } if data.is_heavy())
    });
    let refuse =
        |what: &str| Some(Refusal::bad("LIMIT_EXCEEDED", format!("The request can’t contain more than {what}.")));
    if requests.len() > MOST {
        refuse(&format!("{MOST} operations"))
    } else if heavy.count() > MOST_HEAVY {
        refuse(&format!("{MOST_HEAVY} query or sObject collection operations"))
    } else {
        None
    }
}

fn check_reference_id(id: &str) -> Result<(), Refusal> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if id.starts_with(|first: char| first.is_ascii_alphanumeric()) && id.bytes().all(legal) {
        return Ok(());
    }
    let message = format!(
        "Provided referenceId ('{id}') must start with a letter or a number, and it can contain only letters, numbers and underscores \
         ('_')."
    );
    Err(Refusal::bad("PROCESSING_HALTED", message))
}

fn rolled_back() -> Refusal {
    Refusal::bad(
        "PROCESSING_HALTED",
        "The transaction was rolled back since another operation in the same transaction failed.",
    )
}

fn response(composite_response: Vec<Subresponse>) -> Result<Reply, Refusal> {
    serde_json::to_vec(&Response { composite_response }).map(Reply::json).map_err(|error| unspeakable(&error))
}

/// A reply's body as a part of a greater one; nothing is null.
pub(super) fn part(body: &Bytes) -> Result<Box<RawValue>, Refusal> {
    let parsed = if body.is_empty() { to_raw_value(&()) } else { serde_json::from_slice(body) };
    parsed.map_err(|error| unspeakable(&error))
}

/// Our own JSON is not JSON: nothing a client did.
pub(super) fn unspeakable(error: &serde_json::Error) -> Refusal {
    let status = StatusCode::INTERNAL_SERVER_ERROR.as_u16();
    Refusal { status, ..Refusal::bad("UNKNOWN_EXCEPTION", format!("an answer could not be put together: {error}")) }
}

impl Subresponse {
    fn new(reply: Reply, reference_id: Option<&str>) -> Result<Self, Refusal> {
        let (status, headers, body) = reply.into_parts();
        let headers =
            headers.into_iter().filter_map(|(name, value)| Some((spelled(&name), value.to_str().ok()?.to_owned())));
        Ok(Self {
            body: part(&body)?,
            http_headers: headers.collect(),
            http_status_code: status.as_u16(),
            reference_id: reference_id.map(str::to_owned),
        })
    }
}

/// Header names inside JSON keep the spelling HTTP no longer has.
fn spelled(name: &HeaderName) -> String {
    let word = |word: &str| format!("{}{}", word[..1].to_ascii_uppercase(), &word[1..]);
    match name.as_str() {
        "etag" => "ETag".to_owned(),
        name => name.split('-').map(word).collect::<Vec<_>>().join("-"),
    }
}
