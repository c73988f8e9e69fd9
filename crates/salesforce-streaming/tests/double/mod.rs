//! A server with just enough manners to talk to: token endpoint, CometD, and whatever REST a test adds.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::{
    collections::HashMap,
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use salesforce_client::{Credentials, Org, Settings};
use serde_json::{Value, json};
use tokio::sync::watch;

/// The server and what it remembers.
#[derive(Clone)]
pub(crate) struct Double {
    inner: Arc<Mutex<Inner>>,
    changed: watch::Sender<()>,
    url: String,
}

#[derive(Default)]
struct Inner {
    tokens: u32,
    revoked: u32,
    sessions: u32,
    /// The sticky cookie, which changes with every reply.
    sticky: u32,
    /// The channels subscribed in the present session, with the id sent last.
    subscribed: HashMap<String, i64>,
    /// All events ever, as (channel, id).
    events: Vec<(String, i64)>,
    /// Break off the next reply that carries events.
    break_next: bool,
    /// What handshakes are refused with.
    refusal: Option<String>,
    log: Vec<String>,
}

impl Double {
    /// A server on a free port, with further routes of REST.
    pub(crate) async fn start(rest: Router) -> Double {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let double = Double { inner: Arc::default(), changed: watch::Sender::new(()), url };
        let router = Router::new()
            .route("/services/oauth2/token", post(token))
            .route("/cometd/62.0", post(cometd))
            .with_state(double.clone())
            .merge(rest);
        tokio::spawn(async move { axum::serve(listener, router).await.expect("a server") });
        double
    }

    /// An org whose every URL is this server's.
    pub(crate) fn org(&self) -> Org {
        let credentials = Credentials::RefreshToken {
            client_id: "app".to_owned(),
            client_secret: "app secret".to_owned().into(),
            refresh_token: "refresh".to_owned().into(),
        };
        Org::new(Settings::new(self.url.parse().expect("a login URL"), credentials)).expect("an org")
    }

    /// Makes an event.
    pub(crate) fn publish(&self, channel: &str, id: i64) {
        self.lock().events.push((channel.to_owned(), id));
        self.changed.send_replace(());
    }

    /// Refuses the present token from now on, parked connects included.
    pub(crate) fn revoke(&self) {
        let mut inner = self.lock();
        inner.revoked = inner.tokens;
        drop(inner);
        self.changed.send_replace(());
    }

    /// Cuts the connection in the middle of the next reply with events.
    pub(crate) fn break_next(&self) {
        self.lock().break_next = true;
    }

    /// Refuses handshakes for this reason.
    pub(crate) fn refuse(&self, reason: &str) {
        self.lock().refusal = Some(reason.to_owned());
    }

    /// What was asked so far, in short.
    pub(crate) fn log(&self) -> Vec<String> {
        self.lock().log.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("a lock")
    }
}

async fn token(State(double): State<Double>) -> Json<Value> {
    let mut inner = double.lock();
    inner.tokens += 1;
    inner.log.push("token".to_owned());
    Json(json!({
        "access_token": format!("token{}", inner.tokens),
        "instance_url": double.url,
        "id": format!("{}/id/00D000000000000EAA/005000000000000AAA", double.url),
        "token_type": "Bearer",
        "issued_at": "1704164645000",
    }))
}

async fn cometd(State(double): State<Double>, headers: HeaderMap, Json(messages): Json<Vec<Value>>) -> Response {
    let mut changes = double.changed.subscribe();
    let mut replies = Vec::new();
    for message in &messages {
        let reply = double.lock().answer(&headers, message);
        replies.push(reply);
    }
    let held = messages[0]["channel"] == "/meta/connect" && messages[0]["advice"].is_null();
    let events = loop {
        if let Some(refusal) = double.lock().unauthenticated(&headers, &messages[0]) {
            break vec![refusal];
        }
        let events = double.lock().take_events();
        if !events.is_empty() || !held || replies[0]["successful"] == false {
            break events.into_iter().chain(replies).collect();
        }
        changes.changed().await.expect("a server");
    };

    let mut inner = double.lock();
    let body = Value::from(events).to_string();
    let carries = body.contains("replayId");
    inner.sticky += 1;
    let cookies = [
        (header::SET_COOKIE, format!("sfdc-stream=!{}; path=/; Secure; SameSite=None", inner.sticky)),
        (header::SET_COOKIE, "BAYEUX_BROWSER=b1; path=/; Secure; HttpOnly".to_owned()),
    ];
    if carries && std::mem::take(&mut inner.break_next) {
        let half = axum::body::Bytes::from(body[..body.len() / 2].to_owned());
        let broken = broken_off(half);
        return (StatusCode::OK, broken).into_response();
    }
    let mut response = Response::new(Body::from(body));
    for (name, value) in cookies {
        response.headers_mut().append(name, value.parse().expect("a header"));
    }
    response.headers_mut().insert(header::CONTENT_TYPE, "application/json".parse().expect("a header"));
    response
}

/// A body that promises more than it has.
fn broken_off(half: axum::body::Bytes) -> Body {
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<axum::body::Bytes, std::io::Error>>(2);
    sender.try_send(Ok(half)).expect("room");
    sender.try_send(Err(std::io::Error::other("cut"))).expect("room");
    Body::from_stream(Chunks(receiver))
}

struct Chunks(tokio::sync::mpsc::Receiver<Result<axum::body::Bytes, std::io::Error>>);

impl futures::Stream for Chunks {
    type Item = Result<axum::body::Bytes, std::io::Error>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}

impl Inner {
    fn unauthenticated(&self, headers: &HeaderMap, message: &Value) -> Option<Value> {
        let expect = format!("Bearer token{}", self.tokens);
        let valid = self.tokens > self.revoked && headers[header::AUTHORIZATION] == expect.as_str();
        (!valid).then(|| {
            json!({"channel": message["channel"], "id": message["id"], "successful": false,
                "error": "401::Authentication invalid", "advice": {"reconnect": "none", "interval": 0}})
        })
    }

    fn answer(&mut self, headers: &HeaderMap, message: &Value) -> Value {
        let meta = message["channel"].as_str().expect("a channel").to_owned();
        let mut reply = json!({"channel": meta, "id": message["id"], "successful": true});
        let client = format!("client{}", self.sessions);
        let cookies = headers.get(header::COOKIE).map_or("", |value| value.to_str().expect("text"));
        if meta == "/meta/handshake" {
            assert_eq!(cookies, "", "a session begins without cookies");
        } else {
            assert!(cookies.contains("BAYEUX_BROWSER=b1"), "{meta} with the cookies {cookies:?}");
            assert_eq!(message["clientId"], client.as_str());
        }
        let note = match meta.as_str() {
            "/meta/handshake" => {
                self.sessions += 1;
                self.subscribed.clear();
                reply["clientId"] = format!("client{}", self.sessions).into();
                if let Some(refusal) = &self.refusal {
                    reply["successful"] = false.into();
                    reply["error"] = "403::Handshake denied".into();
                    reply["ext"]["sfdc"]["failureReason"] = refusal.as_str().into();
                }
                meta.clone()
            }
            "/meta/connect" => {
                if !message["advice"].is_null() {
                    reply["advice"] = json!({"reconnect": "retry", "interval": 0, "timeout": 110_000});
                }
                meta.clone()
            }
            "/meta/subscribe" => {
                let channel = message["subscription"].as_str().expect("a channel").to_owned();
                let from = message["ext"]["replay"][&channel].as_i64().expect("a number");
                let newest = self.events.iter().filter(|(name, _)| *name == channel).map(|(_, id)| *id).max();
                self.subscribed.insert(channel.clone(), if from == -1 { newest.unwrap_or(0) } else { from });
                reply["subscription"] = channel.as_str().into();
                format!("{meta} {channel} {from}")
            }
            _ => meta.clone(),
        };
        self.log.push(note);
        reply
    }

    fn take_events(&mut self) -> Vec<Value> {
        let mut taken = Vec::new();
        for (channel, id) in &self.events {
            if let Some(last) = self.subscribed.get_mut(channel)
                && *last < *id
            {
                *last = *id;
                taken.push(json!({"channel": channel, "data": {
                    "event": {"createdDate": "2024-01-02T03:04:05.678Z", "replayId": id, "type": "created"},
                    "sobject": {"Id": "001D000000IRFmaIAH", "Amount": 1.50}}}));
            }
        }
        taken
    }
}
