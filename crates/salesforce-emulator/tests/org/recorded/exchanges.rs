//! Recorded requests and replies, sent again.

use std::collections::VecDeque;
use std::path::Path;

use reqwest::Method;
use salesforce_emulator::Config;
use serde::Deserialize;
use serde_json::Value as Json;

use super::compare::Comparison;
use crate::client::{Client, still};

/// A request and its reply, as they were recorded.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Exchange {
    pub(super) request: Request,
    pub(super) response: Response,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) url: String,
    /// Text as it was sent, or JSON where the recorder had parsed it.
    #[serde(default)]
    pub(super) body: Json,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Response {
    pub(super) status: u16,
    body: Json,
}

impl Response {
    /// The reply as JSON.
    pub(super) fn json(&self) -> Json {
        match &self.body {
            Json::String(text) => serde_json::from_str(text).unwrap(),
            parsed => parsed.clone(),
        }
    }
}

/// The exchanges of a file below `tests/fixtures`.
pub(super) fn exchanges(file: &str) -> Vec<Exchange> {
    serde_json::from_str(&fixture(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// The text of a file below `tests/fixtures`.
pub(super) fn fixture(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A recording that is played again, against an org of which the test says what is in it.
pub(super) struct Replay {
    pub(super) client: Client,
    pub(super) comparison: Comparison,
    exchanges: VecDeque<Exchange>,
    file: String,
}

impl Replay {
    /// Recordings played one after the other on one org.
    pub(super) async fn of(files: &[&str], config: Config) -> Self {
        let client = Client::with(Config { settings: still(), ..config }).await;
        let exchanges = files.iter().flat_map(|file| exchanges(file)).collect();
        Self { client, comparison: Comparison::default(), exchanges, file: files.join(", ") }
    }

    /// The exchange that comes next, to be completed where the recorder had lost something.
    pub(super) fn peek(&mut self) -> Option<&mut Exchange> {
        self.exchanges.front_mut()
    }

    /// Leaves an exchange out.
    pub(super) fn skip(&mut self) -> Exchange {
        self.exchanges.pop_front().unwrap()
    }

    /// Creates a record that a recorded one stands for.
    pub(super) async fn make(&mut self, recorded: &str, object: &str, body: Json) {
        let ours = self.client.create(object, body).await;
        self.comparison.cast(recorded, &ours);
    }

    /// Asks so many times what was asked, and compares.
    pub(super) async fn play(&mut self, count: usize) {
        for _ in 0..count {
            let Exchange { request, response } = self.skip();
            // The recorder had made the version anonymous.
            let (known, unknown) = ("/v62.0/", "/vxx.0/");
            let asked = self.comparison.translate(&request.url).replace(unknown, known);
            let body = match &request.body {
                Json::Null => None,
                Json::String(text) => Some(text.clone()),
                parsed => Some(parsed.to_string()),
            };
            let body = body.map(|body| self.comparison.translate(&body).replace(unknown, known));
            let authorization = format!("Bearer {}", self.client.token);
            let headers = [("authorization", &*authorization), ("content-type", "application/json")];
            let method: Method = request.method.parse().unwrap();
            let ours = self.client.send(method, &asked, &headers, body).await.unwrap();
            let what = format!("{}: {} {}", self.file, request.method, request.url);
            assert_eq!(ours.status.as_u16(), response.status, "{what}: {}", ours.text);
            let mut recorded = response.json().to_string();
            if request.url.contains(unknown) {
                recorded = recorded.replace(unknown, known);
            }
            self.comparison.assert_same(&what, &ours.json(), &serde_json::from_str(&recorded).unwrap());
        }
    }

    /// The rest.
    pub(super) async fn play_on(&mut self) {
        self.play(self.exchanges.len()).await;
    }
}
