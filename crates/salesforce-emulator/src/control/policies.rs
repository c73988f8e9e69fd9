//! `/__emulator/org` and `/app`: the administrator's settings. The members a POST names are changed, the
//! others stay; the answer is what is then in force. Secrets go in and never come out.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Desk, Failure, Json, parse};

pub(super) type Change = Map<String, Value>;

pub(super) async fn org(State(desk): State<Desk>) -> Response {
    Json(desk.app.org.policies().org).into_response()
}

pub(super) async fn change_org(State(desk): State<Desk>, body: Bytes) -> Result<Response, Failure> {
    let policy = merged(&desk.app.org.policies().org, parse(&body)?)?;
    desk.app.org.change_policies(|policies| policies.org = policy);
    Ok(org(State(desk)).await)
}

pub(super) async fn app(State(desk): State<Desk>) -> Response {
    Json(desk.app.org.policies().app).into_response()
}

/// Takes the app's policy, and `certificate`: PEM text.
pub(super) async fn change_app(State(desk): State<Desk>, body: Bytes) -> Result<Response, Failure> {
    let mut change: Change = parse(&body)?;
    let certificate = text(&mut change, "certificate")?;
    let policy = merged(&desk.app.org.policies().app, change)?;
    if let Some(certificate) = certificate {
        desk.app.org.register_certificate(&certificate).map_err(bad)?;
    }
    desk.app.org.change_policies(|policies| policies.app = policy);
    Ok(app(State(desk)).await)
}

pub(super) fn merged<T: Serialize + DeserializeOwned>(policy: &T, change: Change) -> Result<T, Failure> {
    let mut members: Change = serde_json::to_value(policy).and_then(serde_json::from_value).map_err(bad)?;
    members.extend(change);
    serde_json::from_value(members.into()).map_err(bad)
}

/// Takes a text out of the change, if it is there.
pub(super) fn text(change: &mut Change, name: &str) -> Result<Option<String>, Failure> {
    match change.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(bad(format_args!("{name} is not a text"))),
    }
}

pub(super) fn bad(reason: impl std::fmt::Display) -> Failure {
    Failure(StatusCode::BAD_REQUEST, reason.to_string())
}
