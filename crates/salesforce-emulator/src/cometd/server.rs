//! The shell: HTTP in and out, the clock, and the connections that wait.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use tokio::sync::watch;

use super::cookie::Cookies;
use super::fault::Wire;
use super::session::{Anonymous, Answer, BadUri, Caller, Done, Held, Outcome, Resumed, Sessions};
use super::{Bus, Control, Memory, Principal, Settings, message, reply};

/// The routes under `/cometd`, and the handle to script them.
pub fn routes(bus: Arc<dyn Bus>, settings: Settings) -> (Router, Control) {
    let server = Arc::new(Server {
        bus,
        sessions: Mutex::new(Sessions::new(settings.clone())),
        settings,
        disturbed: watch::Sender::new(0),
        outgoing: Arc::default(),
    });
    let router = Router::new()
        .route("/cometd", post(serve))
        .route("/cometd/", post(serve))
        .route("/cometd/{*rest}", post(serve))
        .with_state(server.clone());
    (router, Control::new(server))
}

/// What all requests share.
pub(super) struct Server {
    bus: Arc<dyn Bus>,
    settings: Settings,
    sessions: Mutex<Sessions>,
    /// Ticks when waiting connects should look again for another reason than new events.
    disturbed: watch::Sender<u64>,
    /// Bytes of replies that have not left yet.
    outgoing: Arc<AtomicUsize>,
}

/// A reply's body, counted for as long as any of it is kept.
struct Outgoing {
    body: Vec<u8>,
    total: Arc<AtomicUsize>,
}

impl Outgoing {
    fn counted(body: Vec<u8>, total: &Arc<AtomicUsize>) -> Bytes {
        total.fetch_add(body.capacity(), Ordering::Relaxed);
        Bytes::from_owner(Self { body, total: Arc::clone(total) })
    }
}

impl AsRef<[u8]> for Outgoing {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.total.fetch_sub(self.body.capacity(), Ordering::Relaxed);
    }
}

impl Server {
    /// Works on the sessions at the present time, and wakes the waiting connects if that concerns them.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut Sessions, Instant) -> R) -> R {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let done = work(&mut sessions, now());
        if sessions.take_disturbed() {
            self.disturbed.send_modify(|ticks| *ticks += 1);
        }
        done
    }

    /// What subscribers cost now.
    pub(super) fn memory(&self) -> Memory {
        let sessions = self.with(|sessions, now| sessions.weight(now));
        Memory { sessions, outgoing: self.outgoing.load(Ordering::Relaxed) }
    }

    /// Whose token the headers carry, as the org sees it now.
    fn who(&self, headers: &HeaderMap) -> Result<Principal, Anonymous> {
        let token = token(headers).ok_or(Anonymous::NoToken)?;
        self.bus.authenticate(token).map_err(Anonymous::Refused)
    }
}

async fn serve(State(server): State<Arc<Server>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, server.settings.max_request_bytes).await else {
        return page(StatusCode::PAYLOAD_TOO_LARGE, "Maximum Request Size Exceeded");
    };
    let messages = match message::parse(&body) {
        Ok(messages) => messages,
        Err(error) => {
            tracing::debug!(%error, "refused a request body");
            return page(StatusCode::BAD_REQUEST, "Bad Request");
        }
    };
    let caller = Caller {
        who: server.who(&head.headers),
        cookies: Cookies::presented(&head.headers),
        uri: version(head.uri.path(), &server.settings),
    };
    let exchange = server.with(|sessions, now| sessions.exchange(&messages, &caller, now, &*server.bus));
    let done = match exchange.outcome {
        Outcome::Done(done) => done,
        Outcome::Hold(held) => wait(&server, &head.headers, held).await,
    };
    let mut response = match done {
        Done::Answer(answer) => respond(&answer, &server.outgoing),
        Done::Reject(status) => page(status, status.canonical_reason().unwrap_or("Error")),
    };
    let Settings { secure_cookies, cookie_life, .. } = server.settings;
    exchange.cookies.set(response.headers_mut(), secure_cookies, cookie_life, wall());
    response
}

/// Holds a connect until it is answered. Dropped when the connection breaks, which frees the session's line.
async fn wait(server: &Server, headers: &HeaderMap, held: Held) -> Done {
    let line = Line { server, held };
    let mut appended = server.bus.appended();
    let mut disturbed = server.disturbed.subscribe();
    loop {
        // Seen before the look, so that nothing that comes after it goes unnoticed.
        appended.borrow_and_update();
        disturbed.borrow_and_update();
        let who = server.who(headers);
        match server.with(|sessions, now| sessions.resume(&line.held, &who, now, &*server.bus)) {
            Resumed::Done(done) => return done,
            Resumed::Wait { until } => tokio::select! {
                Ok(()) = appended.changed() => {}
                Ok(()) = disturbed.changed() => {}
                () = tokio::time::sleep_until(until.into()) => {}
            },
        }
    }
}

struct Line<'a> {
    server: &'a Server,
    held: Held,
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        self.server.with(|sessions, now| sessions.leave(&self.held, now));
    }
}

/// The token of `Authorization: OAuth …` or `Bearer …`.
fn token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let known = scheme.eq_ignore_ascii_case("oauth") || scheme.eq_ignore_ascii_case("bearer");
    known.then(|| token.trim()).filter(|token| !token.is_empty())
}

/// Checks the version in `/cometd/VV.0`, with or without a slash or the name of a meta channel behind it.
fn version(path: &str, settings: &Settings) -> Result<(), BadUri> {
    let segment = path.strip_prefix("/cometd/").and_then(|rest| rest.split('/').next()).unwrap_or_default();
    if !segment.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(BadUri::NoVersion);
    }
    let major = segment.strip_suffix(".0").and_then(|major| major.parse::<u16>().ok());
    match major {
        Some(major) if (settings.oldest_version..=settings.newest_version).contains(&major) => Ok(()),
        _ => Err(BadUri::UnsupportedVersion),
    }
}

fn respond(answer: &Answer, outgoing: &Arc<AtomicUsize>) -> Response {
    let body = Outgoing::counted(reply::body(&answer.events, &answer.replies), outgoing);
    let length = body.len();
    let body = match answer.wire {
        Wire::Whole => Body::from(body),
        Wire::Cut { bytes } => cut(&body, bytes),
        Wire::Stall { bytes, silence } => stalled(body, bytes, silence),
    };
    let headers =
        [(CONTENT_TYPE, HeaderValue::from_static("application/json;charset=UTF-8")), (CONTENT_LENGTH, length.into())];
    (headers, body).into_response()
}

/// A body that breaks off; with its full length announced, the client sees a connection that died.
fn cut(body: &Bytes, bytes: usize) -> Body {
    let arrives = body.slice(..bytes.min(body.len()));
    let broken = stream::once(async {
        // What came before is let go first.
        tokio::task::yield_now().await;
        Err(std::io::Error::new(std::io::ErrorKind::ConnectionReset, "cut off by a scripted fault"))
    });
    Body::from_stream(stream::iter([Ok(arrives)]).chain(broken))
}

fn stalled(mut body: Bytes, bytes: usize, silence: Duration) -> Body {
    let first = body.split_to(bytes.min(body.len()));
    let parts = [(Duration::ZERO, first), (silence, body)].into_iter();
    let arriving = stream::unfold(parts, |mut parts| async {
        let (silence, part) = parts.next()?;
        tokio::time::sleep(silence).await;
        Some((Ok::<_, std::convert::Infallible>(part), parts))
    });
    // Who compresses it asks once more after its end.
    Body::from_stream(arriving.fuse())
}

/// An error page as the edge sends it: HTML, whatever was asked for.
fn page(status: StatusCode, text: &str) -> Response {
    let html =
        format!("<html><head><title>{text}</title></head><body><h1>{} {text}</h1></body></html>", status.as_u16());
    (status, [(CONTENT_TYPE, HeaderValue::from_static("text/html;charset=UTF-8"))], html).into_response()
}

#[expect(clippy::disallowed_methods, reason = "the shell reads the clock for the sessions")]
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[expect(clippy::disallowed_methods, reason = "cookies expire in real time")]
fn wall() -> Timestamp {
    Timestamp::now()
}
