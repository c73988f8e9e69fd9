//! The moments of bulk jobs, scripted over HTTP.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::StatusCode;
use serde_json::{Value, json};

use super::{Desk, Failure, blocking, parse};
use crate::org::BulkStop;

pub(super) fn routes() -> axum::Router<Desk> {
    axum::Router::new().route("/__emulator/bulk", post(stop).get(report).delete(release))
}

/// Adds a rule.
async fn stop(State(desk): State<Desk>, body: Bytes) -> Result<Response, Failure> {
    let stop: BulkStop = parse(&body)?;
    desk.app.org.stop_bulk(stop);
    Ok((StatusCode::CREATED, Json(desk.app.org.bulk_stops())).into_response())
}

/// The jobs, once none of them can go on by itself, and the rules.
async fn report(State(desk): State<Desk>) -> Result<Json<Value>, Failure> {
    let org = desk.app.org.clone();
    let jobs = blocking(move || org.bulk_jobs()).await?;
    Ok(Json(json!({"jobs": jobs, "stops": desk.app.org.bulk_stops()})))
}

/// Takes the rules away and lets the jobs go.
async fn release(State(desk): State<Desk>) -> StatusCode {
    desk.app.org.release_bulk();
    StatusCode::NO_CONTENT
}
