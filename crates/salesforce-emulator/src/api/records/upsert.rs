//! Single records named by a field that identifies them to the outside world.

use http::StatusCode;
use http::header::LOCATION;
use serde_json::{Map, Value as Json, json};

use crate::api::reply::Reply;
use crate::api::{Call, json as parsed, record_id};
use crate::org::{FieldType, Id, Org, Refusal, SObject, Upserted};

/// `PATCH /sobjects/X/FIELD/VALUE[?updateOnly=true]`
pub(in crate::api) fn upsert(
    org: &Org,
    call: &Call,
    object: &str,
    field: &str,
    value: &str,
    version: &str,
) -> Result<Reply, Refusal> {
    let described = org.object(object)?;
    let body: Map<String, Json> = parsed(&call.body)?;
    if body.keys().any(|name| name.eq_ignore_ascii_case("Id")) {
        let message = "The Id field should not be specified in the sobject data.";
        return Err(Refusal::field("INVALID_FIELD", message, "Id"));
    }
    if body.keys().any(|name| name.eq_ignore_ascii_case(field)) {
        let message = format!("The {field} field should not be specified in the sobject data.");
        return Err(Refusal::field("INVALID_FIELD", message, field));
    }
    let value = Json::from(decoded(value));
    let update_only = call.parameter("updateOnly").is_some_and(|only| only.eq_ignore_ascii_case("true"));
    let done = org.transaction(|transaction| {
        if update_only && transaction.find(object, field, &value)?.is_empty() {
            return Err(Refusal::not_found());
        }
        transaction.upsert(object, field, &value, body)
    })?;
    let (id, created) = match done {
        Upserted::Created(id) => (id, true),
        Upserted::Updated(id) => (id, false),
        Upserted::Ambiguous(ids) => return Ok(several(&described, &ids, version)),
    };
    // Until version 45 an update answered nothing.
    if !created && version.split('.').next().and_then(|major| major.parse().ok()).is_some_and(|major: u32| major < 46) {
        return Ok(Reply::empty(StatusCode::NO_CONTENT));
    }
    let reply = Reply::value(&json!({"id": id.as_str(), "success": true, "errors": [], "created": created}));
    if !created {
        return Ok(reply);
    }
    Ok(reply.status(StatusCode::CREATED).header(LOCATION, &url(&described, id, version)))
}

/// `GET /sobjects/X/FIELD/VALUE[?fields=A,B]`, and `GET /sobjects/X/ID/FIELD` of a field with binary content.
pub(in crate::api) fn read(
    org: &Org,
    call: &Call,
    object: &str,
    field: &str,
    value: &str,
    version: &str,
) -> Result<Reply, Refusal> {
    let described = org.object(object)?;
    if let Some(content) = described.field(value).filter(|content| content.kind == FieldType::Base64) {
        return org.blob(&described, record_id(org, object, field)?, content).map(Reply::binary);
    }
    if Id::parse(field).is_some() {
        return Err(Refusal::not_imitated("relationships of a record"));
    }
    let value = Json::from(decoded(value));
    match *org.transaction(|transaction| transaction.find(object, field, &value))? {
        [] => Err(Refusal::not_found()),
        [id] => {
            let named = call.parameter("fields");
            let fields: Option<Vec<&str>> = named.as_deref().map(|named| named.split(',').map(str::trim).collect());
            org.record(&described, id, fields.as_deref(), version).map(Reply::json)
        }
        ref ids => Ok(several(&described, ids, version)),
    }
}

/// `DELETE /sobjects/X/FIELD/VALUE`
pub(in crate::api) fn delete(
    org: &Org,
    object: &str,
    field: &str,
    value: &str,
    version: &str,
) -> Result<Reply, Refusal> {
    let described = org.object(object)?;
    let value = Json::from(decoded(value));
    let found = org.transaction(|transaction| {
        let found = transaction.find(object, field, &value)?;
        if let [id] = found[..] {
            transaction.delete(object, id)?;
        }
        Ok(found)
    })?;
    match found[..] {
        [] => Err(Refusal::not_found()),
        [_] => Ok(Reply::empty(StatusCode::NO_CONTENT)),
        ref ids => Ok(several(&described, ids, version)),
    }
}

/// Which of them is meant?
fn several(object: &SObject, ids: &[Id], version: &str) -> Reply {
    let urls: Vec<Json> = ids.iter().map(|id| url(object, *id, version).into()).collect();
    Reply::value(&urls.into()).status(StatusCode::MULTIPLE_CHOICES)
}

fn url(object: &SObject, id: Id, version: &str) -> String {
    format!("/services/data/v{version}/sobjects/{}/{id}", object.name)
}

/// A part of a path, in which a plus is a plus.
fn decoded(segment: &str) -> String {
    let pair = format!("={}", segment.replace('+', "%2B"));
    url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}
