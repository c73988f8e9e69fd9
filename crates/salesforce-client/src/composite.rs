//! Several requests in one call: `POST /composite`, which counts as one however many it carries.
//!
//! A [`Call`] travels alone or as a subrequest, and its reply is judged alike: a subreply becomes a [`Reply`] whose body
//! is the piece of the whole body it stands in. What is sent this way only reads, so the whole may be repeated.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};

use crate::{
    Error, Org,
    call::{Body, Call},
    failure::Failure,
    http::Reply,
    retry::{Class, Effect},
};

/// The most subrequests of one composite call.
pub const MOST_SUBREQUESTS: usize = 25;
/// The most of them that may be queries or collections, such as rows by id.
pub const MOST_COLLECTIONS: usize = 5;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    all_or_none: bool,
    composite_request: Vec<Subrequest<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Subrequest<'a> {
    method: &'a str,
    url: Cow<'a, str>,
    reference_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    http_headers: Option<Conditions<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Conditions<'a> {
    #[serde(rename = "If-Modified-Since")]
    since: &'a str,
}

/// The body that carries these calls. Nothing in it can be taken for a reference to another subrequest (`@{…}`):
/// queries are percent-encoded, and names and ids have no such characters.
fn request(calls: &[Call]) -> Request<'_> {
    let composite_request = calls.iter().enumerate().map(|(index, call)| Subrequest {
        method: call.method.as_str(),
        url: match &call.query {
            Some(query) => format!("{}?{query}", call.path).into(),
            None => call.path.as_str().into(),
        },
        reference_id: format!("r{index}"),
        http_headers: call.since.as_ref().map(|since| Conditions { since: since.as_str() }),
        body: match &call.body {
            Some(Body::Json(body)) => Some(body),
            Some(Body::Written(..) | Body::Soap(_)) | None => None,
        },
    });
    Request { all_or_none: false, composite_request: composite_request.collect() }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow)]
    composite_response: Vec<Subreply<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subreply<'a> {
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
    #[serde(default)]
    http_headers: Option<Map<String, Value>>,
    http_status_code: u16,
    #[serde(borrow)]
    reference_id: Cow<'a, str>,
}

/// The replies to the subrequests, exactly as many as were `asked`, in the order of the request.
fn replies(whole: &Reply, asked: usize) -> Result<Vec<Reply>, Failure> {
    let envelope: Envelope<'_> = serde_json::from_str(whole.text()?).map_err(|error| whole.unreadable(&error))?;
    let mut replies: Vec<Option<Reply>> = (0..asked).map(|_| None).collect();
    for subreply in envelope.composite_response {
        let index = subreply.reference_id.strip_prefix('r').and_then(|index| index.parse::<usize>().ok());
        match index.and_then(|index| replies.get_mut(index)) {
            Some(place @ None) => *place = Some(subreply.read(whole)?),
            Some(Some(_)) => return Err(Failure::unexpected(whole, "it answers a subrequest twice")),
            None => return Err(Failure::unexpected(whole, "it answers a subrequest that was not sent")),
        }
    }
    let replies: Option<Vec<Reply>> = replies.into_iter().collect();
    replies.ok_or_else(|| Failure::unexpected(whole, "it leaves a subrequest without an answer"))
}

impl Subreply<'_> {
    /// The reply as if it had come alone: when it was made and under which id is known of the whole only.
    fn read(self, whole: &Reply) -> Result<Reply, Failure> {
        let status = StatusCode::from_u16(self.http_status_code)
            .map_err(|_| Failure::unexpected(whole, "it answers a subrequest with no HTTP status"))?;
        let shared =
            [header::DATE, HeaderName::from_static("x-sfdc-request-id"), HeaderName::from_static("x-request-id")];
        let shared = shared.into_iter().filter_map(|name| Some((name.clone(), whole.headers.get(name)?.clone())));
        let own = self
            .http_headers
            .iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.parse().ok()?, HeaderValue::from_str(value.as_str()?).ok()?)));
        let body = self.body.map_or(Bytes::from_static(b"null"), |body| whole.body.slice_ref(body.get().as_bytes()));
        Ok(Reply { status, headers: shared.chain(own).collect::<HeaderMap>(), body })
    }
}

impl Org {
    /// Sends reads together, `at_once` per composite call, one call after the other; one that is left alone goes
    /// directly. `read` is told which of them a reply answers.
    ///
    /// A call is repeated as long as any failure in it may pass. A failure that does not is the outcome of the read
    /// it belongs to, and so is one that was still there at the end; the others have theirs. The error is that of a
    /// call that came to nothing as a whole.
    pub(crate) async fn send_together<T>(
        &self,
        calls: &[Call],
        at_once: usize,
        read: impl Fn(usize, &Reply) -> Result<T, Failure>,
    ) -> Result<Vec<Result<T, Error>>, Error> {
        let mut outcomes = Vec::with_capacity(calls.len());
        for (chunk, first) in calls.chunks(at_once).zip((0..).step_by(at_once)) {
            if let [call] = chunk {
                outcomes.push(match self.send(call, |reply| read(first, reply)).await {
                    Err(error) if !is_answer(&error) => return Err(error),
                    outcome => outcome,
                });
                continue;
            }
            let read_all = |whole: &Reply| {
                let replies = replies(whole, chunk.len())?;
                let parts = chunk.iter().zip(&replies).enumerate();
                let parts = parts.map(|(nth, (call, reply))| call.judge(reply, |reply| read(first + nth, reply)));
                Ok(parts.collect::<Vec<_>>())
            };
            let parts = self.send_until(&self.composite(chunk), read_all, |parts| passing(chunk, parts)).await?;
            outcomes.extend(chunk.iter().zip(parts).map(|(call, part)| part.map_err(|failure| call.error(failure))));
        }
        Ok(outcomes)
    }

    /// Sends one read as the only subrequest of a composite call, for one whose URL would be too long.
    pub(crate) async fn send_wrapped<T>(
        &self,
        call: &Call,
        read: impl Fn(&Reply) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        let whole = self.composite(std::slice::from_ref(call));
        self.send(&whole, |whole| call.judge(&replies(whole, 1)?[0], &read)).await
    }

    /// These calls, of which there must be some, as one.
    fn composite(&self, calls: &[Call]) -> Call {
        let action = calls[0].action.and(calls.len() - 1);
        let path = self.data_path(format_args!("/composite"));
        Call::write(action, Method::POST, Effect::Repeatable).path(path).body(&request(calls))
    }
}

/// Whether the org answered, be it with a refusal: then the error is about the one object that was asked for.
fn is_answer(error: &Error) -> bool {
    let is_answer = |failure: &Failure| matches!(failure, Failure::Refused(_) | Failure::Unexpected { .. });
    matches!(error, Error::Call { failure, .. } if is_answer(failure))
}

/// The first failure that a repetition of the whole may cure.
fn passing<'a, T>(calls: &[Call], parts: &'a [Result<T, Failure>]) -> Option<&'a Failure> {
    let failures = calls.iter().zip(parts).filter_map(|(call, part)| Some((call, part.as_ref().err()?)));
    let mut passing =
        failures.filter(|(call, failure)| matches!(call.classify(failure), Class::Retry | Class::Reauthenticate));
    passing.next().map(|(_, failure)| failure)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(body: String) -> Reply {
        let date = (header::DATE, HeaderValue::from_static("Tue, 02 Jan 2024 03:04:05 GMT"));
        Reply { status: StatusCode::OK, headers: HeaderMap::from_iter([date]), body: body.into() }
    }

    /// Replies of real orgs, with our references in the place of theirs.
    #[test]
    fn real_replies_are_taken_apart_without_being_copied() {
        for (recorded, references, expect) in [
            (
                include_str!("../tests/fixtures/errors/record-count-errors.json"),
                &["refAccount", "refXYZZY"][..],
                &[(200, r#"{ "totalSize" : 17,"#), (400, r#"[ { "message" : "\nselect"#)][..],
            ),
            (
                include_str!("../tests/fixtures/errors/composite-subrequest-404.json"),
                &["CCI__RefId__0__"],
                &[(404, r#"[ { "errorCode" : "NOT_FOUND","#)],
            ),
        ] {
            let exchanges: Vec<Value> = serde_json::from_str(recorded).unwrap();
            let mut body = exchanges[0]["response"]["body"].as_str().unwrap().to_owned();
            for (index, reference) in references.iter().enumerate() {
                body = body.replace(reference, &format!("r{index}"));
            }
            let whole = whole(body);
            let replies = replies(&whole, references.len()).unwrap();
            for (reply, (status, start)) in replies.iter().zip(expect) {
                let text = reply.text().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
                assert_eq!((reply.status.as_u16(), text.get(..start.len())), (*status, Some(*start)));
                assert_eq!(reply.date(), whole.date());
                assert!(whole.body.as_ptr_range().contains(&reply.body.as_ptr()));
            }
        }
    }
}
