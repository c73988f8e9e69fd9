//! `/__emulator/merge`, `/__emulator/convert` and `/__emulator/recycle_bin/{id}`: what people do to records in the user
//! interface and programs by SOAP or Apex.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::{delete, post};
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Desk, Failure, blocking, parse};
use crate::org::{Conversion, Converted, Id, Merged, Refusal};

pub(super) fn routes() -> Router<Desk> {
    Router::new()
        .route("/__emulator/merge", post(merge))
        .route("/__emulator/convert", post(convert))
        .route("/__emulator/recycle_bin/{id}", delete(purge))
}

/// Records to be made one, and what the one that is left shall have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Merge {
    object: String,
    master: Id,
    losers: Vec<Id>,
    #[serde(default)]
    fields: Map<String, Value>,
}

async fn merge(State(desk): State<Desk>, body: Bytes) -> Result<Json<Merged>, Failure> {
    let Merge { object, master, losers, fields } = parse(&body)?;
    let org = desk.app.org.clone();
    Ok(Json(blocking(move || org.merge(&object, master, &losers, &fields)).await??))
}

async fn convert(State(desk): State<Desk>, body: Bytes) -> Result<Json<Converted>, Failure> {
    let conversion: Conversion = parse(&body)?;
    let org = desk.app.org.clone();
    Ok(Json(blocking(move || org.convert(&conversion)).await??))
}

async fn purge(State(desk): State<Desk>, Path(id): Path<String>) -> Result<StatusCode, Failure> {
    let org = desk.app.org.clone();
    let purged = move || {
        let id = Id::parse(&id).ok_or_else(|| Refusal::bad("MALFORMED_ID", format!("malformed id {id}")))?;
        let object = org.schema().of_id(id).map(|object| object.name.clone()).ok_or_else(Refusal::not_found)?;
        org.purge(&object, id)
    };
    blocking(purged).await??;
    Ok(StatusCode::NO_CONTENT)
}
