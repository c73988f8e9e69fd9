//! `/__emulator/…`: everything real Salesforce does not have. The same can be done through the library's handle.

mod bulk;
mod late;
mod people;
mod policies;
mod records;
mod trouble;
mod workload;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::json;

use crate::api::App;
use crate::cometd;
use crate::fault::FaultRule;
use crate::org::{Refusal, SchemaError};
pub(crate) use workload::Runner;
pub use workload::{Mix, Workload, WorkloadReport};

/// What the control routes work on.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) app: App,
    pub(crate) runner: Arc<Mutex<Option<Runner>>>,
}

impl Desk {
    pub(crate) fn new(app: App) -> Self {
        Self { app, runner: Arc::default() }
    }

    pub(crate) fn routes(self) -> Router {
        Router::new()
            .route("/__emulator/faults", post(add_fault).get(list_faults).delete(clear_faults))
            .route("/__emulator/streaming", post(streaming).get(streaming_sessions))
            .route("/__emulator/clock", get(clock).post(advance))
            .route("/__emulator/workload", post(start_workload).get(report_workload).delete(stop_workload))
            .route("/__emulator/records/{object}", get(records))
            .route("/__emulator/recycle_bin", delete(empty_recycle_bin))
            .route("/__emulator/schema", post(change_schema))
            .route("/__emulator/calls", get(calls))
            .route("/__emulator/sessions/expire", post(expire_sessions))
            .route("/__emulator/grants", post(grant))
            .route("/__emulator/org", get(policies::org).post(policies::change_org))
            .route("/__emulator/app", get(policies::app).post(policies::change_app))
            .route("/__emulator/reset", post(reset))
            .merge(bulk::routes())
            .merge(late::routes())
            .merge(records::routes())
            .merge(trouble::routes())
            .merge(people::routes())
            .with_state(self)
    }

    /// Starts a workload in place of the one that may be running.
    pub(crate) fn start(&self, workload: Workload) {
        let runner = Runner::start(self.app.org.clone(), Arc::clone(&self.app.trouble), workload);
        if let Some(previous) = self.lock().replace(runner) {
            previous.stop();
        }
    }

    /// Stops the workload. What it did so far is returned once its last change is made.
    pub(crate) async fn stop(&self) -> WorkloadReport {
        let runner = self.lock().take();
        match runner {
            Some(runner) => runner.finish(true).await,
            None => WorkloadReport::default(),
        }
    }

    /// Waits for a bounded workload to end by itself.
    pub(crate) async fn finish(&self) -> WorkloadReport {
        let runner = self.lock().take();
        match runner {
            Some(runner) => runner.finish(false).await,
            None => WorkloadReport::default(),
        }
    }

    pub(crate) fn report(&self) -> WorkloadReport {
        self.lock().as_ref().map(Runner::report).unwrap_or_default()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Runner>> {
        self.runner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a control request failed: 400 with a sentence.
struct Failure(StatusCode, String);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self(StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST), refusal.to_string())
    }
}

impl From<SchemaError> for Failure {
    fn from(error: SchemaError) -> Self {
        let broken = matches!(error, SchemaError::Database(_));
        Self(if broken { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::BAD_REQUEST }, error.to_string())
    }
}

/// Bodies are read whatever their content type says: `curl -d` says form.
fn parse<T: for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| Failure(StatusCode::BAD_REQUEST, error.to_string()))
}

async fn add_fault(State(desk): State<Desk>, body: Bytes) -> Result<Response, Failure> {
    let rule: FaultRule = parse(&body)?;
    desk.app.faults().add(rule);
    Ok(list_faults(State(desk)).await)
}

async fn list_faults(State(desk): State<Desk>) -> Response {
    let faults = desk.app.faults();
    Json(faults.rules().collect::<Vec<_>>()).into_response()
}

async fn clear_faults(State(desk): State<Desk>) -> StatusCode {
    desk.app.faults().clear();
    desk.app.streaming.clear();
    StatusCode::NO_CONTENT
}

async fn streaming(State(desk): State<Desk>, body: Bytes) -> Result<StatusCode, Failure> {
    let command: cometd::Command = parse(&body)?;
    desk.app.streaming.run(command);
    Ok(StatusCode::NO_CONTENT)
}

async fn streaming_sessions(State(desk): State<Desk>) -> Response {
    Json(desk.app.streaming.sessions()).into_response()
}

async fn clock(State(desk): State<Desk>) -> Response {
    Json(json!({"now": desk.app.org.now().to_string()})).into_response()
}

/// How far to move virtual time.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    #[serde(rename = "advance")]
    seconds: u64,
}

async fn advance(State(desk): State<Desk>, body: Bytes) -> Result<Response, Failure> {
    let Advance { seconds } = parse(&body)?;
    let org = desk.app.org.clone();
    blocking(move || org.advance(Duration::from_secs(seconds))).await??;
    Ok(clock(State(desk)).await)
}

async fn start_workload(State(desk): State<Desk>, body: Bytes) -> Result<Response, Failure> {
    let workload: Workload = parse(&body)?;
    workload.check(&desk.app.org.schema()).map_err(|error| Failure(StatusCode::BAD_REQUEST, error))?;
    desk.start(workload);
    Ok((StatusCode::ACCEPTED, Json(desk.report())).into_response())
}

async fn report_workload(State(desk): State<Desk>) -> Response {
    Json(desk.report()).into_response()
}

async fn stop_workload(State(desk): State<Desk>) -> Response {
    Json(desk.stop().await).into_response()
}

#[derive(Deserialize)]
struct Deleted {
    #[serde(default)]
    deleted: bool,
}

async fn records(
    State(desk): State<Desk>,
    Path(object): Path<String>,
    Query(query): Query<Deleted>,
) -> Result<Response, Failure> {
    let org = desk.app.org.clone();
    let json = blocking(move || org.records(&object, query.deleted)).await??;
    Ok(([(CONTENT_TYPE, "application/json;charset=UTF-8")], json).into_response())
}

async fn empty_recycle_bin(State(desk): State<Desk>) -> Result<StatusCode, Failure> {
    let org = desk.app.org.clone();
    blocking(move || org.empty_recycle_bin()).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// One change of the schema, or a list of changes to be made together.
async fn change_schema(State(desk): State<Desk>, body: Bytes) -> Result<StatusCode, Failure> {
    let changes = if body.trim_ascii_start().starts_with(b"[") { parse(&body)? } else { vec![parse(&body)?] };
    let org = desk.app.org.clone();
    blocking(move || org.change_schema(changes)).await??;
    Ok(StatusCode::NO_CONTENT)
}

async fn calls(State(desk): State<Desk>) -> Response {
    Json(desk.app.org.calls()).into_response()
}

async fn expire_sessions(State(desk): State<Desk>) -> Response {
    Json(json!({"expired": desk.app.org.expire_sessions()})).into_response()
}

/// Whose refresh token; the first user's if nobody is named.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Grantee {
    username: Option<String>,
}

async fn grant(State(desk): State<Desk>, body: Bytes) -> Result<Response, Failure> {
    let grantee: Option<Grantee> = if body.is_empty() { None } else { parse(&body)? };
    let username = grantee.and_then(|grantee| grantee.username);
    let org = &desk.app.org;
    let user = match username {
        None => org.user_id(),
        Some(name) => org
            .user_named(&name)
            .ok_or_else(|| Failure(StatusCode::BAD_REQUEST, format!("there is no user '{name}'")))?,
    };
    Ok(Json(json!({"refresh_token": org.acting_as(user).grant()})).into_response())
}

async fn reset(State(desk): State<Desk>) -> Result<StatusCode, Failure> {
    desk.stop().await;
    desk.end_trouble().await;
    desk.app.faults().clear();
    desk.app.streaming.clear();
    desk.app.streaming.forget_all();
    let org = desk.app.org.clone();
    blocking(move || org.reset()).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// The org's methods block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Failure(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}
