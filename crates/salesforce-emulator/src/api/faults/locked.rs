//! Records that somebody else has locked: a write is refused, or some rows of a collection are.
//!
//! The locked rows are taken out of the request, the rest is handled, and the refusals are put into their places.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH};
use http::request::Parts;
use http::{Response, StatusCode};
use serde_json::{Value as Json, json};

use crate::api::reply::{Reply, page};
use crate::api::{App, LONGEST_BODY, authenticate, unpacked};
use crate::org::Refusal;

const CODE: &str = "UNABLE_TO_LOCK_ROW";
const TEXT: &str = "unable to obtain exclusive access to this record";

/// Handles a request of this kind while each so-manieth row is locked, counting from the first. Strangers are turned away as
/// ever.
pub(in crate::api) async fn handled(app: &App, kind: &str, request: Request, next: Next, every: u64) -> Response<Body> {
    if authenticate(&app.org, request.headers()).is_err() {
        return next.run(request).await;
    }
    if ["create", "update", "delete", "upsert"].contains(&kind) {
        let refusal = Refusal { fields: Some(Vec::new()), ..Refusal::bad(CODE, TEXT) };
        return Reply::from(refusal).into_response();
    }
    let (mut head, body) = request.into_parts();
    // The answer is read here before it is sent.
    head.headers.remove(ACCEPT_ENCODING);
    let Ok(body) = to_bytes(body, LONGEST_BODY).await else {
        return page(StatusCode::PAYLOAD_TOO_LARGE, "Payload Too Large");
    };
    let collection = match kind {
        "create_rows" | "update_rows" | "upsert_rows" => Collection::of_records(&mut head, body.clone(), every),
        "delete_rows" => Collection::of_ids(&mut head, every),
        _ => None,
    };
    match collection {
        None => next.run(Request::from_parts(head, Body::from(body))).await,
        Some(Collection { count, all_or_none: true, .. }) => all_or_none(count, every),
        Some(Collection { count, free: 0, .. }) => merged(count, every, Vec::new()),
        Some(Collection { count, rest, .. }) => {
            let answer = next.run(Request::from_parts(head, Body::from(rest))).await;
            with_locked(answer, count, every).await
        }
    }
}

/// A request that writes several rows, with the locked ones taken out.
struct Collection {
    /// Rows with those that are locked.
    count: usize,
    /// Rows without them.
    free: usize,
    all_or_none: bool,
    /// The body that is left.
    rest: Vec<u8>,
}

impl Collection {
    /// Rows in the body. Changes the head along with it.
    fn of_records(head: &mut Parts, body: Bytes, every: u64) -> Option<Self> {
        let mut asked: Json = serde_json::from_slice(&unpacked(head, body)?).ok()?;
        let all_or_none = asked.get("allOrNone") == Some(&Json::Bool(true));
        let rows = asked.get_mut("records")?.as_array_mut()?;
        let count = rows.len();
        *rows = unlocked(std::mem::take(rows), every);
        let free = rows.len();
        let rest = asked.to_string().into_bytes();
        head.headers.remove(CONTENT_ENCODING);
        head.headers.insert(CONTENT_LENGTH, rest.len().into());
        Some(Self { count, free, all_or_none, rest })
    }

    /// Rows whose ids stand in the query.
    fn of_ids(head: &mut Parts, every: u64) -> Option<Self> {
        let query = head.uri.query()?;
        let mut pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let all_or_none = pairs.iter().any(|(name, value)| name == "allOrNone" && value.eq_ignore_ascii_case("true"));
        let (_, ids) = pairs.iter_mut().find(|(name, _)| name == "ids")?;
        let rows: Vec<&str> = ids.split(',').collect();
        let count = rows.len();
        let rows = unlocked(rows, every);
        let free = rows.len();
        *ids = rows.join(",");
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
        head.uri = format!("{}?{query}", head.uri.path()).parse().ok()?;
        Some(Self { count, free, all_or_none, rest: Vec::new() })
    }
}

fn is_locked(place: usize, every: u64) -> bool {
    (place as u64).is_multiple_of(every.max(1))
}

fn unlocked<T>(rows: Vec<T>, every: u64) -> Vec<T> {
    rows.into_iter().enumerate().filter(|(place, _)| !is_locked(*place, every)).map(|(_, row)| row).collect()
}

/// The answer to the rest, with the locked rows in their places; an answer that is no list of results stays as it is.
async fn with_locked(answer: Response<Body>, count: usize, every: u64) -> Response<Body> {
    let (mut head, body) = answer.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return page(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error");
    };
    match serde_json::from_slice::<Vec<Json>>(&body) {
        Ok(results) if head.status == StatusCode::OK => merged(count, every, results),
        _ => {
            head.headers.insert(CONTENT_LENGTH, body.len().into());
            Response::from_parts(head, Body::from(body))
        }
    }
}

fn merged(count: usize, every: u64, results: Vec<Json>) -> Response<Body> {
    let mut results = results.into_iter();
    let rows: Vec<Json> = (0..count)
        .map(|place| if is_locked(place, every) { refused(CODE, TEXT) } else { results.next().unwrap_or_default() })
        .collect();
    Reply::value(&rows.into()).into_response()
}

/// All or none: the first row is locked, so none is written.
fn all_or_none(count: usize, every: u64) -> Response<Body> {
    const ROLLED_BACK: &str =
        "Record rolled back because not all records were valid and the request was using AllOrNone header";
    let row = |place| match is_locked(place, every) {
        true => refused(CODE, TEXT),
        false => refused("ALL_OR_NONE_OPERATION_ROLLED_BACK", ROLLED_BACK),
    };
    Reply::value(&(0..count).map(row).collect::<Vec<_>>().into()).into_response()
}

fn refused(code: &str, text: &str) -> Json {
    json!({"success": false, "errors": [{"statusCode": code, "message": text, "fields": []}]})
}
