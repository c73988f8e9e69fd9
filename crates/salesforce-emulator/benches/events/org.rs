//! The org, its changes, and one subscriber.

use std::time::Duration;

use salesforce_emulator::{Config, Emulator, Mix, Settings, Workload};
use serde_json::{Value as Json, json};

use crate::{Drained, Line, Result, count, now};

pub(crate) struct Org(Emulator);

impl Org {
    pub(crate) async fn start() -> Result<Self> {
        let settings = Settings { daily_deliveries: u64::MAX, ..Settings::default() };
        Ok(Self(Emulator::start(Config { settings, ..Config::default() }).await?))
    }

    /// How long a workload takes for so many changes.
    pub(crate) async fn changes(&self, total: u64) -> Result<Duration> {
        let mix = Mix { create: 1, update: 1, delete: 0, undelete: 0, merge: 0, convert: 0 };
        let objects = vec!["Account".to_owned()];
        let workload = Workload { rate: 0.0, total: Some(total), objects, mix, ..Workload::default() };
        let began = now();
        self.0.start_workload(workload)?;
        let report = self.0.finish_workload().await;
        report.failure.map_or(Ok(began.elapsed()), |failure| Err(failure.into()))
    }

    pub(crate) async fn listen_to(&self, query: &str) -> Result<()> {
        let topic = json!({"Name": "Events", "Query": query, "ApiVersion": 62.0, "NotifyForFields": "All"});
        let topic = topic.as_object().ok_or("no record")?;
        self.0.org().create("PushTopic", topic)?;
        Ok(())
    }

    pub(crate) fn make_events(&self, events: usize, text: usize) -> Result<()> {
        let description = "x".repeat(text);
        for begin in (0..events).step_by(1_000) {
            self.0.org().transaction(|transaction| {
                for number in begin..events.min(begin + 1_000) {
                    let record = json!({"Name": format!("Account {number}"), "Description": description});
                    transaction.create("Account", record.as_object().unwrap_or(&serde_json::Map::new()))?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Subscribes from the earliest event on and connects until nothing is left.
    pub(crate) async fn drain(&self, gzip: bool) -> Result<Drained> {
        let mut line = Line::to(self.0.url()).await?;
        let mut session = Session::open(&self.0, &mut line, gzip).await?;
        let began = now();
        let mut bodies = vec![session.subscribe(&mut line).await?];
        let mut events = count(&bodies[0])?;
        loop {
            let body = session.connect(&mut line).await?;
            let came = count(&body)?;
            if came == 0 {
                return Ok(Drained { events, bodies, took: began.elapsed() });
            }
            events += came;
            bodies.push(body);
        }
    }

    pub(crate) async fn shutdown(self) {
        self.0.shutdown().await;
    }
}

/// A Bayeux session.
struct Session {
    client: String,
    authorization: String,
    cookies: String,
    gzip: bool,
}

impl Session {
    async fn open(emulator: &Emulator, line: &mut Line, gzip: bool) -> Result<Self> {
        let credentials = emulator.credentials();
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "refresh_token")
            .append_pair("client_id", &credentials.client_id)
            .append_pair("client_secret", &credentials.client_secret)
            .append_pair("refresh_token", &credentials.refresh_token)
            .finish();
        let content = [("content-type", "application/x-www-form-urlencoded")];
        let granted: Json = serde_json::from_slice(&line.post("/services/oauth2/token", &content, &form).await?.body)?;
        let token = granted["access_token"].as_str().ok_or("no token")?;
        let authorization = format!("OAuth {token}");
        let mut session = Self { client: String::new(), authorization, cookies: String::new(), gzip };
        let handshake = json!([{"channel": "/meta/handshake", "version": "1.0", "ext": {"replay": true}}]);
        let replies: Json = serde_json::from_slice(&session.say(line, handshake).await?)?;
        session.client = replies[0]["clientId"].as_str().ok_or("no handshake")?.to_owned();
        session.connect(line).await?;
        Ok(session)
    }

    async fn subscribe(&mut self, line: &mut Line) -> Result<bytes::Bytes> {
        let channel = "/topic/Events";
        let message = json!([{
            "channel": "/meta/subscribe", "clientId": self.client, "subscription": channel, "ext": {"replay": {channel: -2}},
        }]);
        self.say(line, message).await
    }

    async fn connect(&mut self, line: &mut Line) -> Result<bytes::Bytes> {
        let message = json!([{
            "channel": "/meta/connect", "clientId": self.client, "connectionType": "long-polling", "advice": {"timeout": 0},
        }]);
        self.say(line, message).await
    }

    async fn say(&mut self, line: &mut Line, messages: Json) -> Result<bytes::Bytes> {
        let mut headers = vec![("authorization", self.authorization.as_str())];
        if !self.cookies.is_empty() {
            headers.push(("cookie", &self.cookies));
        }
        if self.gzip {
            headers.push(("accept-encoding", "gzip"));
        }
        let answer = line.post("/cometd/62.0", &headers, &messages.to_string()).await?;
        if self.cookies.is_empty() {
            self.cookies = answer.cookies.join("; ");
        }
        Ok(answer.body)
    }
}
