//! `/composite/batch`: up to 25 independent requests in one. Each of them uses up one of the day's calls.

use bytes::Bytes;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::{MOST, answer_within, part, unspeakable};
use crate::api::entry::over_limit;
use crate::api::reply::Reply;
use crate::api::{App, Call, json};
use crate::org::Refusal;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Batch {
    batch_requests: Vec<Subrequest>,
    #[serde(default)]
    halt_on_error: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Subrequest {
    method: String,
    /// Begins with the API version: `v62.0/sobjects/…`.
    url: String,
    rich_input: Option<Json>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Results {
    has_errors: bool,
    results: Vec<Subresult>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Subresult {
    status_code: u16,
    result: Box<RawValue>,
}

/// `POST /composite/batch`
pub(in crate::api) fn batch(app: &App, call: &Call) -> Result<Reply, Refusal> {
    let Batch { batch_requests, halt_on_error } = json(&call.body)?;
    if batch_requests.len() > MOST {
        return Err(Refusal::bad("LIMIT_EXCEEDED", format!("The request can’t contain more than {MOST} operations.")));
    }
    let mut done = Results { has_errors: false, results: Vec::with_capacity(batch_requests.len()) };
    for (at, request) in batch_requests.into_iter().enumerate() {
        let answer = if done.has_errors && halt_on_error {
            Err(halted())
        } else {
            // The batch itself pays for the first, when it is done.
            let paid = if at == 0 { Ok(()) } else { spend(app) };
            paid.and_then(|()| answer(app, call, request))
        };
        let (status, _, body) = answer.unwrap_or_else(Reply::from).into_parts();
        done.has_errors |= status.as_u16() >= 400;
        done.results.push(Subresult { status_code: status.as_u16(), result: part(&body)? });
    }
    serde_json::to_vec(&done).map(Reply::json).map_err(|error| unspeakable(&error))
}

fn answer(app: &App, call: &Call, request: Subrequest) -> Result<Reply, Refusal> {
    let body = request.rich_input.map_or_else(Bytes::new, |input| input.to_string().into());
    let url = format!("/services/data/{}", request.url.trim_start_matches('/').trim_start_matches("services/data/"));
    answer_within(app, call, &request.method, &url, HeaderMap::new(), body)
}

/// Charges a call that its address does not show to be one.
pub(in crate::api) fn spend(app: &App) -> Result<(), Refusal> {
    let now = app.org.now();
    let mut usage = app.org.usage();
    if usage.refuses(app.org.settings().calls_a_day().saturating_sub(1), now) {
        return Err(over_limit());
    }
    usage.spend(now);
    Ok(())
}

fn halted() -> Refusal {
    Refusal { status: 412, ..Refusal::bad("BATCH_PROCESSING_HALTED", "Batch processing halted per request.") }
}
