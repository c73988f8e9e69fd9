//! Records that somebody else has locked: a write is refused, or some rows of a collection are.
//!
//! The locked rows are taken out of the request, the rest is handled, and the refusals are put into their places.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Response, StatusCode, Uri};
use serde_json::{Value as Json, json};

use super::LONGEST_BODY;
use super::reply::{Reply, page};
use crate::org::Refusal;

const CODE: &str = "UNABLE_TO_LOCK_ROW";
const TEXT: &str = "unable to obtain exclusive access to this record";

/// Handles a request of this kind while each so-manieth row is locked, counting from the first.
pub(super) async fn handled(kind: &str, request: Request, next: Next, every: u64) -> Response<Body> {
    match kind {
        "create" | "update" | "delete" | "upsert" => {
            let refusal = Refusal { fields: Some(Vec::new()), ..Refusal::bad(CODE, TEXT) };
            Reply::from(refusal).into_response()
        }
        "create_rows" | "update_rows" | "upsert_rows" => {
            let (mut head, body) = request.into_parts();
            let Ok(body) = to_bytes(body, LONGEST_BODY).await else {
                return page(StatusCode::PAYLOAD_TOO_LARGE, "Payload Too Large");
            };
            let asked = serde_json::from_slice::<Json>(&body).ok();
            let Some((mut asked, rows)) = asked.and_then(|mut asked| {
                let rows = asked.get_mut("records")?.as_array_mut().map(std::mem::take)?;
                Some((asked, rows))
            }) else {
                return next.run(Request::from_parts(head, Body::from(body))).await;
            };
            if asked.get("allOrNone") == Some(&Json::Bool(true)) {
                return all_or_none(rows.len(), every);
            }
            let count = rows.len();
            let free = unlocked(rows, every);
            if free.is_empty() {
                return merged(count, every, Vec::new());
            }
            asked["records"] = free.into();
            let body = asked.to_string();
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
            let answer = next.run(Request::from_parts(head, Body::from(body))).await;
            with_locked(answer, count, every).await
        }
        "delete_rows" => {
            let (mut head, body) = request.into_parts();
            let query = head.uri.query().unwrap_or_default();
            let mut pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            let all = pairs.iter().any(|(name, value)| name == "allOrNone" && value.eq_ignore_ascii_case("true"));
            let Some((_, ids)) = pairs.iter_mut().find(|(name, _)| name == "ids") else {
                return next.run(Request::from_parts(head, body)).await;
            };
            let rows: Vec<String> = ids.split(',').map(str::to_owned).collect();
            let count = rows.len();
            if all {
                return all_or_none(count, every);
            }
            let free = unlocked(rows, every);
            if free.is_empty() {
                return merged(count, every, Vec::new());
            }
            *ids = free.join(",");
            let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
            if let Ok(uri) = format!("{}?{query}", head.uri.path()).parse::<Uri>() {
                head.uri = uri;
            }
            let answer = next.run(Request::from_parts(head, body)).await;
            with_locked(answer, count, every).await
        }
        _ => next.run(request).await,
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
            head.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
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
