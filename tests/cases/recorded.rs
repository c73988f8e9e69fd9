//! A session with recordings of real orgs instead of the emulated one: sign-in, describe, handshake, connects, subscription
//! and the event of a Lead. What the connector makes of them is compared with the recorded values.

use std::sync::{Arc, Mutex};

use axum::{
    Json, Router,
    extract::{Request, State},
    http::{Method, StatusCode},
    response::{IntoResponse as _, Response},
};
use demo::runtime::{Binding, Capture, Captured};
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use super::{
    program,
    task::{Running, Task},
};

fn recorded(text: &str) -> Value {
    serde_json::from_str(text).expect("the recording is JSON")
}

fn event() -> Value {
    recorded(include_str!("../fixtures/pushtopic-lead-updated.json"))
}

/// The describe without the two fields that the recorded topic did not select, and without picklist values, which were
/// blanked when it was published.
fn describe() -> Value {
    let mut describe = recorded(include_str!("../fixtures/lead-describe.json"));
    let fields = describe["fields"].as_array_mut().expect("fields");
    fields.retain(|field| field["name"] != "Street" && field["name"] != "Description");
    fields.iter_mut().for_each(|field| field["picklistValues"] = json!([]));
    describe
}

/// A server that has nothing to say but what was recorded.
#[derive(Clone, Default)]
struct Replay {
    url: String,
    /// The PushTopic that the connector made.
    topic: Arc<Mutex<Option<Value>>>,
    channel: Arc<Mutex<Option<String>>>,
    told: Arc<Mutex<bool>>,
}

impl Replay {
    /// Serves until the test's runtime ends.
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let replay = Self { url: format!("http://{address}"), ..Self::default() };
        let router = Router::new().fallback(answer).with_state(replay.clone());
        tokio::spawn(axum::serve(listener, router).into_future());
        replay
    }

    /// Recorded messages as an answer to these.
    async fn converse(&self, messages: &[Value]) -> Vec<Value> {
        let mut replies = Vec::new();
        for message in messages {
            let mut reply = match message["channel"].as_str().unwrap_or_default() {
                "/meta/handshake" => recorded(include_str!("../fixtures/handshake-ok.json")),
                "/meta/connect" if message["advice"]["timeout"] == 0 => {
                    recorded(include_str!("../fixtures/connect-first-advice.json"))
                }
                "/meta/connect" => {
                    replies.push(self.event().await);
                    recorded(include_str!("../fixtures/connect-idle.json"))
                }
                "/meta/subscribe" => {
                    let channel = message["subscription"].as_str().expect("a channel").to_owned();
                    let mut reply = recorded(include_str!("../fixtures/subscribe-ok.json"));
                    reply[0]["subscription"] = json!(channel);
                    *self.channel.lock().expect("no panic") = Some(channel);
                    reply
                }
                _ => json!([{ "channel": message["channel"], "successful": true }]),
            };
            // Recorded in several sessions: here they are one.
            let reply = reply[0].as_object_mut().expect("a message");
            reply.insert("id".to_owned(), message["id"].clone());
            if !message["clientId"].is_null() {
                reply.insert("clientId".to_owned(), message["clientId"].clone());
            }
            replies.push(Value::Object(reply.clone()));
        }
        replies
    }

    /// The event, once; after it, silence.
    async fn event(&self) -> Value {
        if std::mem::replace(&mut *self.told.lock().expect("no panic"), true) {
            std::future::pending::<()>().await;
        }
        let mut event = event();
        event["channel"] = json!(self.channel.lock().expect("no panic").clone());
        event.as_object_mut().expect("a message").remove("clientId");
        event
    }
}

async fn answer(State(replay): State<Replay>, request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    if path == "/services/oauth2/token" {
        let mut token = recorded(include_str!("../fixtures/token.json"));
        token["instance_url"] = json!(replay.url);
        return Json(token).into_response();
    }
    if path.starts_with("/cometd/") {
        let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.expect("a body");
        let messages: Vec<Value> = serde_json::from_slice(&body).expect("messages");
        return Json(replay.converse(&messages).await).into_response();
    }
    let resource = path.strip_prefix("/services/data/v62.0/").unwrap_or_default();
    match (method, resource) {
        (Method::GET, "sobjects/Lead/describe") => Json(describe()).into_response(),
        (Method::POST, "sobjects/PushTopic") => {
            let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.expect("a body");
            let mut topic: Value = serde_json::from_slice(&body).expect("a record");
            topic["Id"] = json!("0IF500000000001GAA");
            topic["SystemModstamp"] = json!("2026-11-22T10:00:00.000+0000");
            *replay.topic.lock().expect("no panic") = Some(topic);
            let created = json!({ "id": "0IF500000000001GAA", "success": true, "errors": [] });
            (StatusCode::CREATED, Json(created)).into_response()
        }
        (Method::GET, "query" | "queryAll") => {
            let is_of_topics = request.uri().query().is_some_and(|query| query.contains("FROM+PushTopic"));
            let topic = replay.topic.lock().expect("no panic").clone().filter(|_| is_of_topics);
            let records: Vec<Value> = topic.into_iter().collect();
            Json(json!({ "totalSize": records.len(), "done": true, "records": records })).into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recorded_event_becomes_a_document() {
    let replay = Replay::start().await;
    let credentials = json!({ "client_id": "id", "client_secret": "secret", "refresh_token": "token" });
    let config = json!({ "credentials": credentials, "advanced": { "login_url": replay.url } });
    let lead = Binding {
        resource_config: json!({ "stream": "Lead" }),
        resource_path: vec!["Lead".to_owned()],
        collection: "acmeCo/Lead".to_owned(),
        document_schema: json!({}),
        key: vec!["/Id".to_owned()],
        disabled: false,
        backfill: 0,
    };
    let capture = Capture::new("acmeCo/salesforce", config, vec![lead]);
    let mut task = Task { capture, connector: program::connector(), admits: |_| true };
    let mut running = task.open().await;
    running.until(|capture| capture.documents() > 0).await;
    let [Captured { document, .. }] = &running.captured[..] else { panic!("one document: {:?}", running.captured) };
    assert_eq!(*document, expected());

    let schema = running.task.capture.sourced_schema(0).expect("a schema").clone();
    let schema = jsonschema::options().should_validate_formats(true).build(&schema).expect("the schema is one");
    let faults: Vec<String> = schema.iter_errors(document).map(|fault| fault.to_string()).collect();
    assert_eq!(faults, [""; 0]);
    Running::end(running).await;
}

/// The recorded row as documents spell it: parts of addresses begin with a small letter, all else is as it was.
fn expected() -> Value {
    let event = event();
    let mut document = Map::new();
    for (name, value) in event["data"]["sobject"].as_object().expect("a row") {
        let value = match value.as_object() {
            Some(parts) => parts.iter().map(|(part, value)| (uncapitalised(part), value.clone())).collect(),
            None => value.clone(),
        };
        document.insert(name.clone(), value);
    }
    let Value::Object(origin) = event["data"]["event"].clone() else { panic!("an event") };
    let source = json!({ "replayId": origin["replayId"], "createdDate": origin["createdDate"] });
    document.insert("_meta".to_owned(), json!({ "op": "u", "source": source }));
    Value::Object(document)
}

fn uncapitalised(name: &str) -> String {
    format!("{}{}", name[..1].to_ascii_lowercase(), &name[1..])
}
