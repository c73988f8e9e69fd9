//! The org over HTTP. A request's way: recognised as a [`Resource`], counted, struck by faults and measured in `entry`;
//! then authenticated here and answered by the file of its family.

mod describe;
mod entry;
mod limits;
mod oauth;
mod query;
mod reply;
mod resource;
mod sobject;
mod streaming;
mod versions;

use std::io::Read as _;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::from_fn_with_state;
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, HOST, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use tower_http::compression::CompressionLayer;

use crate::cometd;
use crate::fault::Faults;
use crate::org::{Id, Org, Refusal};
use reply::{Reply, page};
use resource::{Data, Resource};

/// Largest body of a REST request.
const LONGEST_BODY: usize = 50 << 20;

/// What all requests share.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) org: Org,
    pub(crate) faults: Arc<Mutex<Faults>>,
    pub(crate) streaming: cometd::Control,
    /// Requests so far, from which their ids are drawn.
    requests: Arc<AtomicU64>,
}

impl App {
    /// The org's public face and CometD's, with the way in that both share.
    pub(crate) fn routes(org: Org) -> (Self, Router) {
        let bus = Arc::new(streaming::OrgBus::new(org.clone()));
        let (cometd, streaming) = cometd::routes(bus, org.settings().streaming.clone());
        let app = Self { org, faults: Arc::default(), streaming, requests: Arc::default() };
        let router = Router::new()
            .fallback(serve)
            .with_state(app.clone())
            .merge(cometd)
            .layer(CompressionLayer::new())
            .layer(from_fn_with_state(app.clone(), entry::enter));
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

/// Everything that is not CometD.
async fn serve(State(app): State<App>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LONGEST_BODY).await else {
        return page(StatusCode::PAYLOAD_TOO_LARGE, "Payload Too Large");
    };
    let Some(body) = unpacked(&head, body) else {
        return page(StatusCode::BAD_REQUEST, "Bad Request");
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

/// The body of a request, which may come compressed.
fn unpacked(head: &Parts, body: Bytes) -> Option<Bytes> {
    if head.headers.get(CONTENT_ENCODING).is_none_or(|encoding| encoding != "gzip") {
        return Some(body);
    }
    let mut plain = Vec::new();
    let read = GzDecoder::new(&body[..]).take(LONGEST_BODY as u64 + 1).read_to_end(&mut plain).ok()?;
    (read <= LONGEST_BODY).then(|| plain.into())
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
        Data::DescribeGlobal => Ok(describe::global(org, call, version)),
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

/// An id in a path, for an object.
fn record_id(org: &Org, object: &str, id: &str) -> Result<Id, Refusal> {
    let described = org.object(object)?;
    let parsed = Id::parse(id).ok_or_else(|| {
        Refusal::missing(format!("Provided external ID field does not exist or is not accessible: {id}"))
    })?;
    if described.key_prefix.as_deref().is_some_and(|prefix| prefix != parsed.prefix()) {
        let message = format!("{} ID: id value of incorrect type: {id}", described.label);
        return Err(Refusal::field("MALFORMED_ID", message, "Id"));
    }
    Ok(parsed)
}
