//! Trouble from a seed, over HTTP.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use http::StatusCode;

use super::{Desk, Failure, parse};
use crate::trouble::{Trouble, TroubleReport};

pub(super) fn routes() -> Router<Desk> {
    Router::new().route("/__emulator/trouble", post(start).get(report).delete(stop))
}

impl Desk {
    /// Ends the trouble, and heals what can be healed.
    pub(crate) async fn end_trouble(&self) -> TroubleReport {
        let (trouble, org) = (Arc::clone(&self.app.trouble), self.app.org.clone());
        tokio::task::spawn_blocking(move || trouble.stop(&org)).await.unwrap_or_default()
    }
}

async fn start(State(desk): State<Desk>, body: Bytes) -> Result<Response, Failure> {
    let trouble: Trouble = parse(&body)?;
    desk.app.trouble.start(trouble).map_err(|error| Failure(StatusCode::BAD_REQUEST, error.to_string()))?;
    Ok(report(State(desk)).await)
}

async fn report(State(desk): State<Desk>) -> Response {
    Json(desk.app.trouble.report()).into_response()
}

async fn stop(State(desk): State<Desk>) -> Response {
    Json(desk.end_trouble().await).into_response()
}
