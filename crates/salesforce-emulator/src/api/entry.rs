//! The way in and out: what happens to every request, whatever it asks for, and to every reply.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use http::header::{ACCEPT_ENCODING, DATE, HeaderName};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};

use super::faults::{broken_body, locked, outage};
use super::reply::{Reply, page};
use super::resource::Resource;
use super::{App, effective_method, long_requests};
use crate::draw::Draw;
use crate::fault::FaultAction;
use crate::org::{Drought, Refusal};
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
    let (mut head, body) = request.into_parts();
    let method = effective_method(&head);
    let path = head.uri.path().to_owned();
    let face = head.extensions.get().copied().unwrap_or_default();
    let resource = Resource::at(face, &method, &path);
    let action = app.faults().strike(method.as_str(), &path, resource.kind());
    let action = action.or_else(|| app.trouble.request(resource.kind()));
    if let Some(FaultAction::ExpireSession) = action {
        app.org.expire_sessions();
    }
    if let Some(FaultAction::Respell { .. }) = action {
        head.headers.remove(ACCEPT_ENCODING);
    }
    let now = app.org.now();
    let settings = app.org.settings();
    let spent = {
        let mut usage = app.org.usage();
        usage.see(resource.kind());
        if let Some(FaultAction::ExhaustCalls { refusals }) = action {
            usage.exhaust(refusals.map_or_else(|| Drought::of_the_day(now), Drought::Refusals));
        }
        resource.is_api_call() && usage.refuses(settings.calls_a_day(), now)
    };
    let mut response = match action.as_ref().and_then(outage::instead) {
        Some(response) => response,
        None => {
            let (most, long) = (settings.concurrent_long_requests, settings.long_request);
            let working = resource.is_api_call().then(|| app.at_work.enter(most, long));
            match action {
                Some(FaultAction::Stall) => std::future::pending().await,
                Some(FaultAction::Delay { ms }) => tokio::time::sleep(Duration::from_millis(ms)).await,
                _ => {}
            }
            match too_large(&head) {
                Some(status) => page(status, status.canonical_reason().unwrap_or_default()),
                None if spent => Reply::from(over_limit()).into_response(),
                None if matches!(working, Some(None)) => Reply::from(long_requests::refusal()).into_response(),
                None => {
                    let request = Request::from_parts(head, body);
                    let response = match action {
                        Some(FaultAction::LockRows { every }) => {
                            locked::handled(&app, resource.kind(), request, next, every).await
                        }
                        _ => next.run(request).await,
                    };
                    // Strangers do not use up the org's calls.
                    if resource.is_api_call() && response.status() != StatusCode::UNAUTHORIZED {
                        app.org.usage().spend(now);
                    }
                    if resource.is_write() && response.status().is_success() {
                        let (trouble, org) = (Arc::clone(&app.trouble), app.org.clone());
                        let _ = tokio::task::spawn_blocking(move || trouble.changed(&org)).await;
                    }
                    response
                }
            }
        }
    };
    if let Some(action) = &action {
        response = broken_body::spoiled(response, action).await;
        let bodiless = matches!(action, FaultAction::Cut { .. }) && response.status() == StatusCode::NO_CONTENT;
        if bodiless || matches!(action, FaultAction::Drop | FaultAction::DropReply) {
            line.sever();
        }
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
        let used = app.org.usage().api_calls(app.org.settings().daily_api_calls, now);
        let usage = format!("api-usage={used}/{}", app.org.settings().daily_api_calls);
        headers.extend(
            HeaderValue::from_str(&usage).ok().map(|usage| (HeaderName::from_static("sforce-limit-info"), usage)),
        );
    }
}
