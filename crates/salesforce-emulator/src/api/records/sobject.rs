//! Single records.

use http::StatusCode;
use http::header::LOCATION;
use serde_json::json;

use super::file;
use crate::api::reply::Reply;
use crate::api::{Call, record_id};
use crate::org::{Org, Refusal};

/// `POST /sobjects/X`
pub(in crate::api) fn create(org: &Org, call: &Call, object: &str, version: &str) -> Result<Reply, Refusal> {
    let described = org.object(object)?;
    let id = org.create(object, &file::record(call)?)?;
    let location = format!("/services/data/v{version}/sobjects/{}/{id}", described.name);
    let reply = Reply::value(&json!({"id": id.as_str(), "success": true, "errors": []}));
    Ok(reply.status(StatusCode::CREATED).header(LOCATION, &location))
}

/// `GET /sobjects/X/ID[?fields=A,B]`
pub(in crate::api) fn read(org: &Org, call: &Call, object: &str, id: &str, version: &str) -> Result<Reply, Refusal> {
    let id = record_id(org, object, id)?;
    let described = org.object(object)?;
    let named = call.parameter("fields");
    let fields: Option<Vec<&str>> = named.as_deref().map(|named| named.split(',').map(str::trim).collect());
    org.record(&described, id, fields.as_deref(), version).map(Reply::json)
}

/// `PATCH /sobjects/X/ID`
pub(in crate::api) fn update(org: &Org, call: &Call, object: &str, id: &str) -> Result<Reply, Refusal> {
    let id = record_id(org, object, id)?;
    org.update(object, id, &file::record(call)?)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}

/// `DELETE /sobjects/X/ID`
pub(in crate::api) fn delete(org: &Org, object: &str, id: &str) -> Result<Reply, Refusal> {
    let id = record_id(org, object, id)?;
    org.delete(object, id)?;
    Ok(Reply::empty(StatusCode::NO_CONTENT))
}
