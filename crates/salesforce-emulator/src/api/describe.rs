//! What objects there are and what they are made of.

use http::StatusCode;
use http::header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use jiff::Timestamp;

use super::Call;
use super::reply::Reply;
use crate::org::{Org, Refusal};

/// `GET /sobjects`
pub(super) fn global(org: &Org, call: &Call, version: &str) -> Reply {
    let schema = org.schema();
    conditional(call, "global", version, schema.modified(), || {
        let objects: Vec<String> = schema.objects().map(|object| object.summary(version, &call.host())).collect();
        format!("{{\"encoding\":\"UTF-8\",\"maxBatchSize\":200,\"sobjects\":[{}]}}", objects.join(","))
    })
}

/// `GET /sobjects/X`
pub(super) fn basic(org: &Org, call: &Call, object: &str, version: &str) -> Result<Reply, Refusal> {
    let summary = org.object(object)?.summary(version, &call.host());
    Ok(Reply::json(format!("{{\"objectDescribe\":{summary},\"recentItems\":[]}}")))
}

/// `GET /sobjects/X/describe`
pub(super) fn describe(org: &Org, call: &Call, object: &str, version: &str) -> Result<Reply, Refusal> {
    let object = org.object(object)?;
    Ok(conditional(call, &object.name, version, object.modified, || object.describe(version, &call.host())))
}

/// The body, or 304 if the client has it already.
fn conditional(call: &Call, name: &str, version: &str, modified: Timestamp, body: impl FnOnce() -> String) -> Reply {
    let etag = format!("\"{name}-{version}-{}\"", modified.as_second());
    let reply =
        if is_current(call, &etag, modified) { Reply::empty(StatusCode::NOT_MODIFIED) } else { Reply::json(body()) };
    let modified = modified.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    reply.header(LAST_MODIFIED, &modified).header(ETAG, &etag)
}

/// Has nothing changed since the client last asked? An entity tag is believed before a date (RFC 9110, 13.1.3), and dates
/// are read in HTTP's one preferred form.
fn is_current(call: &Call, etag: &str, modified: Timestamp) -> bool {
    if let Some(known) = call.header(&IF_NONE_MATCH) {
        return known.contains(etag) || known.trim() == "*";
    }
    let parse = |text: &str| jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok();
    call.header(&IF_MODIFIED_SINCE).and_then(parse).is_some_and(|since| modified <= since)
}
