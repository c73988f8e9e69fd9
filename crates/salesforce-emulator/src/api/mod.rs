//! The org over HTTP. A request's way: recognised as a [`Resource`], counted, struck by faults and measured in `entry`;
//! then authenticated here and answered by the file of its family.

mod bulk;
mod composite;
mod describe;
mod entry;
mod faults;
mod limits;
mod long_requests;
mod multipart;
mod query;
mod records;
mod replication;
mod reply;
mod resource;
mod sign_in;
mod streaming;
mod versions;

use std::io::Read as _;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::from_fn_with_state;
use axum::{Extension, Router};
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, HOST, HeaderName};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use serde::de::DeserializeOwned;
use tower_http::compression::CompressionLayer;

use crate::cometd;
use crate::fault::Faults;
use crate::org::{Face, Id, Org, Refusal, Unfit};
use crate::trouble::Ongoing;
use bulk::Jobs;
use composite::batch;
use records::{collections, file, rows, sobject, upsert};
use reply::{Reply, page};
use resource::{Data, Resource};
use sign_in::{authorize, identity, oauth, soap};

/// Largest body of a REST request.
const LONGEST_BODY: usize = 50 << 20;

/// What all requests share.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) org: Org,
    pub(crate) faults: Arc<Mutex<Faults>>,
    pub(crate) streaming: cometd::Control,
    pub(crate) trouble: Arc<Ongoing>,
    at_work: long_requests::AtWork,
    ports: Ports,
    /// Requests so far, from which their ids are drawn.
    requests: Arc<AtomicU64>,
}

/// Where the org's two faces listen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) my_domain: u16,
    pub(crate) login: u16,
}

/// The org as it is seen from outside.
pub(crate) struct Faces {
    /// The org's own address, CometD included.
    pub(crate) my_domain: Router,
    /// The address all orgs share, where one can only sign in.
    pub(crate) login: Router,
}

impl App {
    /// The org's faces, with the way in that they share.
    pub(crate) fn faces(org: Org, ports: Ports) -> (Self, Faces) {
        let bus = Arc::new(streaming::OrgBus::new(org.clone()));
        let (cometd, streaming) = cometd::routes(bus, org.settings().streaming.clone());
        let trouble = Arc::new(Ongoing::default());
        streaming.follow(trouble.clone());
        let (faults, at_work, requests) = <(Arc<Mutex<Faults>>, long_requests::AtWork, Arc<AtomicU64>)>::default();
        let app = Self { org, faults, streaming, trouble, at_work, ports, requests };
        let entered =
            |router: Router| router.layer(CompressionLayer::new()).layer(from_fn_with_state(app.clone(), entry::enter));
        let served = Router::new().fallback(serve).with_state(app.clone());
        let my_domain = entered(served.clone().merge(cometd));
        let login = entered(served).layer(Extension(Face::LoginHost));
        (app, Faces { my_domain, login })
    }

    /// The org's own address, under the host name the client used, unless the settings have another for token replies.
    fn my_domain(&self, call: &Call) -> String {
        self.org.settings().instance_url.clone().unwrap_or_else(|| call.host_at(self.ports.my_domain, Face::MyDomain))
    }

    /// The address of the login host, under the host name the client used.
    fn login_host(&self, call: &Call) -> String {
        call.host_at(self.ports.login, Face::LoginHost)
    }

    /// The same, with the org in the hands of a user.
    fn for_user(&self, org: Org) -> Self {
        Self { org, ..self.clone() }
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request whose body has been read.
struct Call {
    head: Parts,
    /// The query string. It is kept apart because a subrequest's may be longer than any URI.
    query: String,
    body: Bytes,
}

impl Call {
    fn new(head: Parts, body: Bytes) -> Self {
        let query = head.uri.query().unwrap_or_default().to_owned();
        Self { head, query, body }
    }

    /// A request inside another one: its own method, query, headers and body, the outer one's host.
    fn within(&self, method: Method, query: &str, mut headers: HeaderMap, body: Bytes) -> Self {
        let (mut head, ()) = Request::new(()).into_parts();
        headers.extend(self.head.headers.get(HOST).map(|host| (HOST, host.clone())));
        (head.method, head.headers) = (method, headers);
        Self { head, query: query.to_owned(), body }
    }

    /// The pairs of the query string or of a form, decoded.
    fn pairs(text: &[u8]) -> Vec<(String, String)> {
        url::form_urlencoded::parse(text).into_owned().collect()
    }

    fn query(&self) -> Vec<(String, String)> {
        Self::pairs(self.query.as_bytes())
    }

    fn parameter(&self, name: &str) -> Option<String> {
        self.query().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Which of the org's addresses was called.
    fn face(&self) -> Face {
        self.head.extensions.get().copied().unwrap_or_default()
    }

    /// The address that was called, as the client wrote it.
    fn host(&self) -> String {
        let host = self.head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
        format!("http://{host}")
    }

    /// The address of a face, as the client would write it.
    fn host_at(&self, port: u16, face: Face) -> String {
        let called = self.host();
        match called.rsplit_once(':') {
            Some((host, digits)) if self.face() != face && digits.parse::<u16>().is_ok() => format!("{host}:{port}"),
            _ => called,
        }
    }

    fn header(&self, name: &HeaderName) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }
}

/// Everything that is not CometD.
async fn serve(State(app): State<App>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let path = head.uri.path();
    if let Resource::Data { version, data: Data::Jobs(Jobs::Upload(id)) } =
        Resource::at(head.extensions.get().copied().unwrap_or_default(), &head.method, path)
    {
        return bulk::upload(&app, &head, body, version, id).await;
    }
    let Ok(body) = to_bytes(body, LONGEST_BODY).await else {
        return page(StatusCode::PAYLOAD_TOO_LARGE, "Payload Too Large");
    };
    let Some(body) = unpacked(&head, body) else {
        return page(StatusCode::BAD_REQUEST, "Bad Request");
    };
    let call = Call::new(head, body);
    if call.head.uri.path().trim_end_matches('/') == "/services/oauth2/token" && call.head.method == Method::POST {
        return oauth::token(&app, &call).await.into_response();
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
    let reply = match Resource::at(call.face(), &method, &path) {
        Resource::Versions => Ok(versions::list()),
        Resource::Revoke => Ok(oauth::revoke(org, call)),
        Resource::Introspect => Ok(oauth::introspect(org, call)),
        Resource::Authorize => Ok(authorize::authorize(org, call)),
        Resource::UserInfo => identity::user_info(app, call),
        Resource::Identity { org: org_id, user } => identity::identity(app, call, org_id, user),
        Resource::Soap { version } => soap::partner(app, call, version),
        Resource::Data { version, data } => {
            authenticate(org, &call.head.headers).and_then(|org| answer_data(&app.for_user(org), call, version, data))
        }
        Resource::NotImitated(what) => Err(Refusal::not_imitated(what)),
        Resource::MethodNotAllowed(allowed) => Err(method_not_allowed(&method, allowed)),
        Resource::Token | Resource::Streaming | Resource::Unknown
            if path.starts_with("/services/data/") && call.face() == Face::MyDomain =>
        {
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
        Data::Limits => Ok(limits::limits(app)),
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
        Data::Updated { object } => replication::updated(org, call, object),
        Data::Deleted { object } => replication::deleted(org, call, object),
        Data::Composite => composite::composite(app, call),
        Data::Batch => batch::batch(app, call),
        Data::CreateRows | Data::UpdateRows if file::between_parts(call).is_some() => {
            Err(Refusal::not_imitated("files beside collections"))
        }
        Data::CreateRows => rows::create(org, call),
        Data::UpdateRows => rows::update(org, call),
        Data::UpsertRows { object, field } => rows::upsert(org, call, object, field),
        Data::DeleteRows => rows::delete(org, call),
        Data::Upsert { object, field, value } => upsert::upsert(org, call, object, field, value, version),
        Data::ReadBy { object, field, value } => upsert::read(org, call, object, field, value, version),
        Data::DeleteBy { object, field, value } => upsert::delete(org, object, field, value, version),
        Data::Retrieve { object } => collections::retrieve(org, call, object, version),
        Data::Jobs(jobs) => Ok(bulk::answer(org, call, version, jobs)),
        Data::NotImitated(what) => Err(Refusal::not_imitated(what)),
        Data::MethodNotAllowed(allowed) => Err(method_not_allowed(&effective_method(&call.head), allowed)),
        Data::Unknown => Err(Refusal::not_found()),
    }
}

/// The body of a request as JSON of a certain form.
fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        let message =
            format!("Unexpected character or end of input at [line:{}, column:{}]", error.line(), error.column());
        Refusal::bad("JSON_PARSER_ERROR", message)
    })
}

fn method_not_allowed(method: &Method, allowed: &str) -> Refusal {
    let message = format!("HTTP Method '{method}' not allowed. Allowed are {allowed}");
    Refusal { status: 405, ..Refusal::bad("METHOD_NOT_ALLOWED", message) }
}

/// Checks the session, and puts off its end: the org in the hands of its user.
fn authenticate(org: &Org, headers: &HeaderMap) -> Result<Org, Refusal> {
    let unauthorized = |code, message: &str| Refusal { status: 401, ..Refusal::bad(code, message) };
    let forbidden = |code, message: &str| Refusal { status: 403, ..Refusal::bad(code, message) };
    let expired = || unauthorized("INVALID_SESSION_ID", "Session expired or invalid");
    let header = headers.get(AUTHORIZATION).ok_or_else(expired)?;
    match bearer(header) {
        None => Err(unauthorized("INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")),
        Some(token) => org.enter(token).map_err(|unfit| match unfit {
            Unfit::Dead => expired(),
            Unfit::WithoutApi => {
                unauthorized("INVALID_SESSION_ID", "This session is not valid for use with the REST API")
            }
            Unfit::ApiOffForUser => forbidden("API_CURRENTLY_DISABLED", "API is disabled for this User"),
            Unfit::ApiOffForOrg => {
                forbidden("API_DISABLED_FOR_ORG", "The REST API is not enabled for this Organization.")
            }
        }),
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
