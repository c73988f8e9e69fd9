//! The org over HTTP. A request's way: counted and struck by faults, held against its size, recognised as a
//! [`Resource`], authenticated, answered by the file of its family.

mod describe;
mod limits;
mod oauth;
mod query;
mod reply;
mod resource;
mod sobject;
mod streaming;
mod versions;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use bytes::Bytes;
use futures::StreamExt as _;
use http::header::{AUTHORIZATION, DATE, HOST, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use tower_http::compression::CompressionLayer;

use crate::cometd;
use crate::fault::{FaultAction, Faults};
use crate::org::{Id, Org, Refusal};
use crate::wire::Over;
use reply::{Reply, page};
use resource::{Data, Resource};

/// Largest URI plus headers, in bytes.
const LONGEST_HEAD: usize = 16_384;
/// Largest body of a REST request.
const LONGEST_BODY: usize = 50 << 20;

/// What all requests share.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) org: Org,
    pub(crate) faults: Arc<Mutex<Faults>>,
    pub(crate) streaming: cometd::Control,
}

impl App {
    /// The org's public face and CometD's, with the way in that both share.
    pub(crate) fn routes(org: Org) -> (Self, Router) {
        let bus = Arc::new(streaming::OrgBus::new(org.clone()));
        let (cometd, streaming) = cometd::routes(bus, org.settings().streaming.clone());
        let app = Self { org, faults: Arc::default(), streaming };
        let router = Router::new()
            .fallback(serve)
            .with_state(app.clone())
            .merge(cometd)
            .layer(CompressionLayer::new())
            .layer(from_fn_with_state(app.clone(), enter));
        (app, router)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request whose body has been read.
struct Call {
    head: Parts,
    body: Bytes,
}

impl Call {
    /// The pairs of the query string or of a form, decoded.
    fn pairs(text: &[u8]) -> Vec<(String, String)> {
        url::form_urlencoded::parse(text).into_owned().collect()
    }

    fn query(&self) -> Vec<(String, String)> {
        Self::pairs(self.head.uri.query().unwrap_or_default().as_bytes())
    }

    fn parameter(&self, name: &str) -> Option<String> {
        self.query().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The org's own address, as the client wrote it.
    fn host(&self) -> String {
        let host = self.head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        format!("http://{host}")
    }

    fn header(&self, name: &HeaderName) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }
}

/// The way in: everything but `/__emulator/` passes here, CometD included.
async fn enter(
    State(app): State<App>,
    ConnectInfo(Over(line)): ConnectInfo<Over>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let method = effective_method(&head);
    let path = head.uri.path().to_owned();
    let resource = Resource::of(&method, &path);
    let action = app.faults().strike(method.as_str(), &path, resource.kind());
    if let Some(FaultAction::ExpireSession) = action {
        app.org.expire_sessions();
    }
    let now = app.org.now();
    let most = app.org.settings().daily_api_calls;
    let allowed = app.org.usage().call(resource.kind(), resource.is_api_call(), most, now);
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
                None if !allowed => Reply::from(over_limit()).into_response(),
                None => next.run(Request::from_parts(head, body)).await,
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

/// Everything that is not CometD.
async fn serve(State(app): State<App>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LONGEST_BODY).await else {
        return page(StatusCode::PAYLOAD_TOO_LARGE, "Payload Too Large");
    };
    let call = Call { head, body };
    if call.head.uri.path().trim_end_matches('/') == "/services/oauth2/token" && call.head.method == Method::POST {
        return oauth::token(&app.org, &call).await.into_response();
    }
    let answered = tokio::task::spawn_blocking(move || answer(&app, &call)).await;
    answered.unwrap_or_else(|failure| {
        tracing::error!(%failure, "a request was not answered");
        page(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
    })
}

fn answer(app: &App, call: &Call) -> Response<Body> {
    let org = &app.org;
    let method = effective_method(&call.head);
    let path = call.head.uri.path().to_owned();
    let reply = match Resource::of(&method, &path) {
        Resource::Versions => Ok(versions::list()),
        Resource::Revoke => Ok(oauth::revoke(org, call)),
        Resource::Introspect => Ok(oauth::introspect(org, call)),
        Resource::UserInfo => Ok(oauth::user_info(org, call)),
        Resource::Identity { org: org_id, user } => Ok(oauth::identity(org, call, org_id, user)),
        Resource::Data { version, data } => {
            authenticate(org, &call.head.headers).and_then(|()| answer_data(app, call, version, data))
        }
        Resource::NotImitated(what) => Err(Refusal::not_imitated(what)),
        Resource::MethodNotAllowed(allowed) => Err(method_not_allowed(&method, allowed)),
        Resource::Token | Resource::Streaming | Resource::Unknown if path.starts_with("/services/data/") => {
            Err(Refusal::not_found())
        }
        Resource::Token | Resource::Streaming | Resource::Unknown => {
            return page(StatusCode::NOT_FOUND, "URL No Longer Exists");
        }
    };
    reply.unwrap_or_else(Reply::from).into_response()
}

fn answer_data(app: &App, call: &Call, version: &str, data: Data<'_>) -> Result<Reply, Refusal> {
    let org = &app.org;
    match data {
        Data::Directory => Ok(versions::directory(org, call, version)),
        Data::Limits => Ok(limits::limits(org)),
        Data::RecordCount => limits::record_count(org, call),
        Data::DescribeGlobal => describe::global(org, call, version),
        Data::Basic { object } => describe::basic(org, call, object, version),
        Data::Describe { object } => describe::describe(org, call, object, version),
        Data::Query { deleted } => query::query(org, call, version, deleted),
        Data::QueryMore { locator } => query::more(org, locator, version),
        Data::Create { object } => sobject::create(org, call, object, version),
        Data::Read { object, id } => sobject::read(org, call, object, id, version),
        Data::Update { object, id } => sobject::update(org, call, object, id),
        Data::Delete { object, id } => sobject::delete(org, object, id),
        Data::NotImitated(what) => Err(Refusal::not_imitated(what)),
        Data::MethodNotAllowed(allowed) => Err(method_not_allowed(&effective_method(&call.head), allowed)),
        Data::Unknown => Err(Refusal::not_found()),
    }
}

fn method_not_allowed(method: &Method, allowed: &str) -> Refusal {
    let message = format!("HTTP Method '{method}' not allowed. Allowed are {allowed}");
    Refusal { status: 405, ..Refusal::bad("METHOD_NOT_ALLOWED", message) }
}

/// Checks the session, and puts off its end.
fn authenticate(org: &Org, headers: &HeaderMap) -> Result<(), Refusal> {
    let unauthorized = |code, message: &str| Refusal { status: 401, ..Refusal::bad(code, message) };
    let expired = || unauthorized("INVALID_SESSION_ID", "Session expired or invalid");
    let header = headers.get(AUTHORIZATION).ok_or_else(expired)?;
    match bearer(header) {
        None => Err(unauthorized("INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")),
        Some(token) if org.identity().authenticate(token, org.now()) => Ok(()),
        Some(_) => Err(expired()),
    }
}

/// The token of `Bearer …` or the older `OAuth …`.
fn bearer(header: &HeaderValue) -> Option<&str> {
    let (scheme, token) = header.to_str().ok()?.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("oauth")).then(|| token.trim())
}

/// `POST …?_HttpMethod=PATCH` is a PATCH.
fn effective_method(head: &Parts) -> Method {
    let query = head.uri.query().unwrap_or_default().as_bytes();
    let said = url::form_urlencoded::parse(query).find(|(key, _)| key == "_HttpMethod");
    match said.and_then(|(_, method)| method.parse().ok()) {
        Some(method) if head.method == Method::POST => method,
        _ => head.method.clone(),
    }
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

fn over_limit() -> Refusal {
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
    let request_id = format!("{:032x}", u128::from(rand::random::<u64>()) << 64 | u128::from(rand::random::<u64>()));
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

/// An id in a path, for an object.
fn record_id(org: &Org, object: &str, id: &str) -> Result<Id, Refusal> {
    let described = org.schema().object(object).ok_or_else(Refusal::not_found)?;
    let parsed = Id::parse(id).ok_or_else(|| {
        Refusal::missing(format!("Provided external ID field does not exist or is not accessible: {id}"))
    })?;
    if described.key_prefix.as_deref().is_some_and(|prefix| prefix != parsed.prefix()) {
        let message = format!("{} ID: id value of incorrect type: {id}", described.label);
        return Err(Refusal::field("MALFORMED_ID", message, "Id"));
    }
    Ok(parsed)
}
