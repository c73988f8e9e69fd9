//! Transactions that commit late, scripted over HTTP.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Desk, Failure, blocking, parse};
use crate::org::{Id, LateTransaction, Refusal, Transaction};

pub(super) fn routes() -> axum::Router<Desk> {
    axum::Router::new()
        .route("/__emulator/lag", post(begin).get(list))
        .route("/__emulator/lag/{number}", post(write).delete(roll_back))
        .route("/__emulator/lag/{number}/commit", post(commit))
}

/// ```json
/// {"changes": [{"create": {"object": "Lead", "fields": {"LastName": "x", "Company": "y"}}}, {"delete": {"object": "Lead", "id": "00Q…"}}]}
/// ```
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Changes {
    changes: Vec<Change>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Change {
    Create { object: String, fields: Map<String, Value> },
    Update { object: String, id: String, fields: Map<String, Value> },
    Delete { object: String, id: String },
    Undelete { object: String, id: String },
}

impl Change {
    fn make(&self, transaction: &mut Transaction<'_>) -> Result<Id, Refusal> {
        let known = |id: &str| Id::parse(id).ok_or_else(Refusal::not_found);
        match self {
            Self::Create { object, fields } => transaction.create(object, fields),
            Self::Update { object, id, fields } => {
                let id = known(id)?;
                transaction.update(object, id, fields).map(|()| id)
            }
            Self::Delete { object, id } => {
                let id = known(id)?;
                transaction.delete(object, id).map(|()| id)
            }
            Self::Undelete { object, id } => {
                let id = known(id)?;
                transaction.undelete(object, id).map(|()| id)
            }
        }
    }
}

async fn begin(State(desk): State<Desk>, body: Bytes) -> Result<Response, Failure> {
    let Changes { changes } = parse(&body)?;
    let late = desk.app.org.begin_late();
    let number = late.number();
    let made = add(late, changes).await;
    if made.is_err() {
        desk.app.org.late(number).into_iter().for_each(LateTransaction::roll_back);
    }
    Ok((StatusCode::CREATED, Json(made?)).into_response())
}

async fn write(State(desk): State<Desk>, Path(number): Path<u64>, body: Bytes) -> Result<Json<Value>, Failure> {
    let Changes { changes } = parse(&body)?;
    add(open(&desk, number)?, changes).await.map(Json)
}

async fn add(late: LateTransaction, changes: Vec<Change>) -> Result<Value, Failure> {
    let number = late.number();
    let write = move || {
        late.write(|transaction| changes.iter().map(|change| change.make(transaction)).collect::<Result<Vec<_>, _>>())
    };
    let ids: Vec<String> = blocking(write).await??.iter().map(ToString::to_string).collect();
    Ok(json!({"transaction": number, "ids": ids}))
}

async fn list(State(desk): State<Desk>) -> Response {
    Json(desk.app.org.late_transactions()).into_response()
}

async fn commit(State(desk): State<Desk>, Path(number): Path<u64>) -> Result<StatusCode, Failure> {
    let late = open(&desk, number)?;
    blocking(move || late.commit()).await??;
    Ok(StatusCode::NO_CONTENT)
}

async fn roll_back(State(desk): State<Desk>, Path(number): Path<u64>) -> Result<StatusCode, Failure> {
    open(&desk, number)?.roll_back();
    Ok(StatusCode::NO_CONTENT)
}

fn open(desk: &Desk, number: u64) -> Result<LateTransaction, Failure> {
    let unknown = || Failure(StatusCode::NOT_FOUND, format!("transaction {number} is not open"));
    desk.app.org.late(number).ok_or_else(unknown)
}
