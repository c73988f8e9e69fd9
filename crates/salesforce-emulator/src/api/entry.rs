//! The way in and out: what happens to every request, whatever it asks for, and to every reply.

use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use futures::StreamExt as _;
use http::header::{DATE, HeaderName};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};

use super::reply::{Reply, page};
use super::resource::Resource;
use super::{App, effective_method};
use crate::draw::Draw;
use crate::fault::FaultAction;
use crate::org::Refusal;
use crate::wire::Over;

/// Largest URI plus headers, in bytes.
const LONGEST_HEAD: usize = 16_384;

/// Everything but `/__emulator/` passes here, CometD included.
pub(super) async fn enter(
    State(app): State<App>,
    ConnectInfo(Over(line)): ConnectInfo<Over>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let method = effective_method(&head);
    let path = head.uri.path().to_owned();
    let face = head.extensions.get().copied().unwrap_or_default();
    let resource = Resource::at(face, &method, &path);
    let action = app.faults().strike(method.as_str(), &path, resource.kind());
    if let Some(FaultAction::ExpireSession) = action {
        app.org.expire_sessions();
    }
    let now = app.org.now();
    let spent = {
        let mut usage = app.org.usage();
        usage.see(resource.kind());
        resource.is_api_call() && usage.api_calls(now) >= app.org.settings().daily_api_calls
    };
    let mut response = match &action {
        Some(FaultAction::Reply { status, body }) => scripted(*status, body.as_ref()),
        Some(FaultAction::Html503) => page(StatusCode::SERVICE_UNAVAILABLE, "We are down for maintenance."),
        Some(FaultAction::Stall) => std::future::pending().await,
        Some(FaultAction::Drop) => {
            line.sever();
            page(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable")
        }
        None
        | Some(
            FaultAction::DropReply
            | FaultAction::Truncate { .. }
            | FaultAction::Delay { .. }
            | FaultAction::ExpireSession,
        ) => {
            if let Some(FaultAction::Delay { ms }) = action {
                tokio::time::sleep(Duration::from_millis(ms)).await;
            }
            match too_large(&head) {
                Some(status) => page(status, status.canonical_reason().unwrap_or_default()),
                None if spent => Reply::from(over_limit()).into_response(),
                None => {
                    let response = next.run(Request::from_parts(head, body)).await;
                    // Strangers do not use up the org's calls.
                    if resource.is_api_call() && response.status() != StatusCode::UNAUTHORIZED {
                        app.org.usage().spend(now);
                    }
                    response
                }
            }
        }
    };
    if let Some(FaultAction::DropReply) = action {
        line.sever();
    }
    if let Some(FaultAction::Truncate { bytes }) = action {
        response = response.map(|body| cut(body, bytes));
    }
    finish(&app, &resource, &mut response);
    line.watch(response)
}

fn too_large(head: &Parts) -> Option<StatusCode> {
    let uri = head.uri.path_and_query().map_or(0, |uri| uri.as_str().len());
    let headers: usize = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if uri > LONGEST_HEAD {
        Some(StatusCode::URI_TOO_LONG)
    } else {
        (uri + headers > LONGEST_HEAD).then_some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
    }
}

pub(super) fn over_limit() -> Refusal {
    Refusal { status: 403, ..Refusal::bad("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.") }
}

fn scripted(status: u16, body: Option<&serde_json::Value>) -> Response<Body> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    match body {
        Some(body) => Reply::value(body).status(status).into_response(),
        None => Reply::empty(status).into_response(),
    }
}

/// Headers every reply has: the org's own time, a request id, and the daily usage where Salesforce reports it.
fn finish(app: &App, resource: &Resource<'_>, response: &mut Response<Body>) {
    let now = app.org.now();
    let headers = response.headers_mut();
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    headers.extend(HeaderValue::from_str(&date).ok().map(|date| (DATE, date)));
    let mut draw = Draw::new(app.requests.fetch_add(1, Ordering::Relaxed));
    let request_id = format!("{:016x}{:016x}", draw.next(), draw.next());
    headers.extend(HeaderValue::from_str(&request_id).ok().map(|id| (HeaderName::from_static("x-request-id"), id)));
    if resource.is_api_call() {
        let used = app.org.usage().api_calls(now);
        let usage = format!("api-usage={used}/{}", app.org.settings().daily_api_calls);
        headers.extend(
            HeaderValue::from_str(&usage).ok().map(|usage| (HeaderName::from_static("sforce-limit-info"), usage)),
        );
    }
}

/// A body that breaks off after so many bytes.
fn cut(body: Body, bytes: usize) -> Body {
    let rest = (body.into_data_stream(), Some(bytes));
    Body::from_stream(futures::stream::unfold(rest, |(mut body, left)| async move {
        let left = left?;
        let broken = || std::io::Error::new(std::io::ErrorKind::ConnectionReset, "cut off by a scripted fault");
        match body.next().await {
            Some(Ok(chunk)) if chunk.len() <= left => Some((Ok(chunk.clone()), (body, Some(left - chunk.len())))),
            Some(Ok(chunk)) if left > 0 => Some((Ok(chunk.slice(..left)), (body, Some(0)))),
            _ => Some((Err(broken()), (body, None))),
        }
    }))
}
