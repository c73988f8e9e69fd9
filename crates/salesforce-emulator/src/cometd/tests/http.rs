//! The whole over real HTTP, with a client that keeps cookies.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
use reqwest::header::SET_COOKIE;
use serde_json::{Value, json};

use super::fake::{FakeBus, TOKEN};
use super::table::replay_ids;
use crate::cometd::{Command, Control, Fault, Rule, Settings, routes};

pub(super) const A: &str = "/topic/A";

pub(super) struct Served {
    pub bus: Arc<FakeBus>,
    pub control: Control,
    pub url: String,
}

/// A server on a free port.
pub(super) async fn served(settings: Settings) -> Served {
    let bus = Arc::new(FakeBus::new(&[A]));
    let (router, control) = routes(bus.clone(), settings);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Served { bus, control, url }
}

/// A client as they are: a token, a jar, an endpoint.
#[derive(Clone)]
pub(super) struct Client {
    http: reqwest::Client,
    jar: Arc<Mutex<BTreeMap<String, String>>>,
    endpoint: String,
}

impl Client {
    pub(super) fn new(served: &Served) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { http, jar: Arc::default(), endpoint: format!("{}/cometd/62.0", served.url) }
    }

    fn at(&self, path: &str) -> Self {
        Self { endpoint: format!("{}{path}", self.endpoint), ..self.clone() }
    }

    pub(super) async fn post(&self, body: impl Into<reqwest::Body>) -> reqwest::Result<(StatusCode, String)> {
        let request = self.http.post(&self.endpoint).header("Authorization", format!("OAuth {TOKEN}"));
        let response = request.header("Cookie", self.cookies()).body(body).send().await?;
        for set in response.headers().get_all(SET_COOKIE) {
            let pair = set.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.jar.lock().unwrap().insert(name.to_owned(), value.to_owned());
        }
        Ok((response.status(), response.text().await?))
    }

    pub(super) fn cookies(&self) -> String {
        let jar = self.jar.lock().unwrap();
        jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    pub(super) async fn say(&self, message: Value) -> String {
        let (status, body) = self.post(json!([message]).to_string()).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{body}");
        body
    }

    /// Handshake and first connect; the client id.
    pub(super) async fn connected(&self) -> String {
        let body = self.say(json!({"channel": "/meta/handshake", "version": "1.0", "id": "1"})).await;
        let replies: Value = serde_json::from_str(&body).unwrap();
        let client = replies[0]["clientId"].as_str().unwrap_or_else(|| panic!("a handshake, not {body}")).to_owned();
        self.say(connect(&client)).await;
        client
    }

    pub(super) async fn subscribe(&self, client: &str, replay: i64) -> String {
        self.say(json!({"channel": "/meta/subscribe", "clientId": client, "subscription": A, "ext": {"replay": {A: replay}}}))
            .await
    }
}

pub(super) fn connect(client: &str) -> Value {
    json!({"channel": "/meta/connect", "clientId": client, "connectionType": "long-polling", "id": "c"})
}

/// Yields until a connect waits at the server.
async fn until_held(control: &Control) {
    while !control.sessions().iter().any(|session| session.held) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_event_wakes_the_connect_that_waits() {
    let served = served(Settings::default()).await;
    let client = Client::new(&served);
    let id = client.connected().await;
    client.subscribe(&id, -1).await;
    let waiting = tokio::spawn({
        let (client, id) = (client.clone(), id.clone());
        async move { client.say(connect(&id)).await }
    });
    until_held(&served.control).await;
    served.bus.change(A, 5);
    assert_eq!(replay_ids(&waiting.await.unwrap()), [5]);
    assert_eq!(served.control.sessions()[0].positions, [(A.to_owned(), 5)]);
}

#[tokio::test]
async fn an_idle_connect_ends_when_its_time_is_up() {
    let served = served(Settings { long_poll: Duration::from_millis(20), ..Settings::default() }).await;
    let client = Client::new(&served);
    let id = client.connected().await;
    let body = client.say(connect(&id)).await;
    assert!(body.ends_with(r#""channel":"/meta/connect","id":"c","successful":true}]"#), "{body}");
}

#[tokio::test]
async fn a_second_connect_ends_the_first_with_a_timeout() {
    let served = served(Settings::default()).await;
    let client = Client::new(&served);
    let id = client.connected().await;
    let first = tokio::spawn({
        let (client, id) = (client.clone(), id.clone());
        async move { client.post(connect(&id).to_string()).await.unwrap().0 }
    });
    until_held(&served.control).await;
    let second = tokio::spawn({
        let (client, id) = (client.clone(), id.clone());
        async move { client.say(connect(&id)).await }
    });
    assert_eq!(first.await.unwrap(), StatusCode::REQUEST_TIMEOUT);
    client.say(json!({"channel": "/meta/disconnect", "clientId": id})).await;
    assert!(second.await.unwrap().contains(r#""advice":{"reconnect":"none"}"#));
}

#[tokio::test]
async fn a_client_that_hangs_up_frees_its_line() {
    let served = served(Settings::default()).await;
    let client = Client::new(&served);
    let id = client.connected().await;
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.say(connect(&id)).await }
    });
    until_held(&served.control).await;
    waiting.abort();
    while served.control.sessions()[0].held {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn every_form_of_the_uri() {
    let served = served(Settings::default()).await;
    for (path, expect) in [
        ("/cometd/62.0", "\"successful\":true"),
        ("/cometd/62.0/", "\"successful\":true"),
        ("/cometd/37.0/handshake", "\"successful\":true"),
        ("/cometd/67.0/handshake/", "\"successful\":true"),
        ("/cometd", "400::API version in the URI is mandatory. URI format: '/cometd/67.0'"),
        ("/cometd/", "400::API version in the URI is mandatory. URI format: '/cometd/67.0'"),
        ("/cometd/handshake", "400::API version in the URI is mandatory. URI format: '/cometd/67.0'"),
        ("/cometd/36.0", "400::Unsupported API version. Only API versions '37.0' and later are supported."),
        ("/cometd/68.0", "400::Unsupported API version. Only API versions '37.0' and later are supported."),
        ("/cometd/62", "400::Unsupported API version. Only API versions '37.0' and later are supported."),
    ] {
        let client = Client { endpoint: format!("{}{path}", served.url), ..Client::new(&served) };
        let body = client.say(json!({"channel": "/meta/handshake"})).await;
        assert!(body.contains(expect), "{path}: {body}");
    }
    let client = Client::new(&served);
    let id = client.connected().await;
    let (connects, disconnects) = (client.at("/connect"), client.at("/disconnect"));
    let (reply, ()) = tokio::join!(connects.say(connect(&id)), async {
        until_held(&served.control).await;
        disconnects.say(json!({"channel": "/meta/disconnect", "clientId": id})).await;
    });
    assert!(reply.contains("\"successful\":true"), "{reply}");
}

#[tokio::test]
async fn bodies_refused() {
    let served = served(Settings::default()).await;
    let client = Client::new(&served);
    let id = client.connected().await;
    let sized = |size: usize| {
        let message = connect("nobody").to_string();
        format!("{}{message}", " ".repeat(size - message.len()))
    };
    for (body, expect) in [
        ("{".to_owned(), StatusCode::BAD_REQUEST),
        (String::new(), StatusCode::BAD_REQUEST),
        (sized(32_768), StatusCode::OK),
        (sized(32_769), StatusCode::PAYLOAD_TOO_LARGE),
    ] {
        assert_eq!(client.post(body).await.unwrap().0, expect);
    }
    assert!(client.http.get(&client.endpoint).send().await.unwrap().status() == StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(served.control.sessions()[0].client_id, id);
}

#[tokio::test]
async fn the_token_is_asked_for() {
    let served = served(Settings::default()).await;
    let client = Client::new(&served);
    for (header, expect) in [
        (None, "401::Request requires authentication"),
        (Some("Basic good"), "401::Request requires authentication"),
        (Some("Bearer "), "401::Request requires authentication"),
        (Some("Bearer bad"), "401::Authentication invalid"),
        (Some("bearer good"), "\"successful\":true"),
        (Some("OAuth good"), "\"successful\":true"),
    ] {
        let request = client.http.post(&client.endpoint).body(r#"{"channel":"/meta/handshake"}"#);
        let request = header.into_iter().fold(request, |request, header| request.header("Authorization", header));
        let body = request.send().await.unwrap().text().await.unwrap();
        assert!(body.contains(expect), "{header:?}: {body}");
    }
}

/// Events in a reply that never arrived are gone for the session; a new one gets them by the last replay id.
#[tokio::test]
async fn lost_replies_are_made_good_by_replay() {
    for (fault, spoiled) in [
        (Fault::DropReply, true),
        (Fault::Truncate { bytes: 40 }, true),
        (Fault::Stall { bytes: 40, millis: 5 }, false),
    ] {
        let served = served(Settings::default()).await;
        let client = Client::new(&served);
        let id = client.connected().await;
        client.subscribe(&id, -1).await;
        served.bus.change(A, 1);
        assert_eq!(replay_ids(&client.say(connect(&id)).await), [1]);

        served.control.script(Rule::new(fault.clone()));
        served.bus.change(A, 2);
        let reply = client.post(connect(&id).to_string()).await;
        assert_eq!(reply.is_err(), spoiled, "{fault:?}: {reply:?}");
        assert!(served.control.rules().is_empty(), "{fault:?} happened");
        if let Ok((_, body)) = reply {
            assert_eq!(replay_ids(&body), [2]);
            continue;
        }
        served.bus.change(A, 3);
        assert_eq!(replay_ids(&client.say(connect(&id)).await), [3], "the session itself goes on after what it lost");
        let id = client.connected().await;
        assert_eq!(replay_ids(&client.subscribe(&id, 1).await), [2, 3]);
    }
}

#[tokio::test]
async fn commands_reach_the_sessions() {
    let served = served(Settings::default()).await;
    let client = Client::new(&served);
    let command = |json: &str| serde_json::from_str::<Command>(json).unwrap();

    served.control.run(command(r#"{"script":{"fault":{"http":{"status":503}},"on":"connect"}}"#));
    let id = client.say(json!({"channel": "/meta/handshake"})).await;
    assert!(id.contains("\"successful\":true"));
    let (status, page) = client.post(connect("x").to_string()).await.unwrap();
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.starts_with("<html>"), "{page}");

    served.control.run(command(r#"{"script":{"fault":"drop_reply","times":5}}"#));
    served.control.run(command(r#""clear""#));
    assert!(served.control.rules().is_empty());

    served.control.run(command(r#"{"forget":{}}"#));
    let id = client.connected().await;
    served.control.run(command(&format!(r#"{{"disconnect":{{"client":"{id}"}}}}"#)));
    assert!(client.say(connect(&id)).await.contains(r#"[{"channel":"/meta/disconnect","successful":true},"#));
    let id = client.connected().await;
    served.control.run(command(&format!(r#"{{"forget":{{"client":"{id}"}}}}"#)));
    assert!(client.say(connect(&id)).await.contains("403::Unknown client"));
}

#[tokio::test]
async fn closing_answers_those_who_wait() {
    let served = served(Settings::default()).await;
    let client = Client::new(&served);
    let id = client.connected().await;
    let waiting = tokio::spawn(async move { client.post(connect(&id).to_string()).await.unwrap().0 });
    until_held(&served.control).await;
    served.control.close();
    assert_eq!(waiting.await.unwrap(), StatusCode::SERVICE_UNAVAILABLE);
}
