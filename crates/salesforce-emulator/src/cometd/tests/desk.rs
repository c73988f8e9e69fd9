//! The sessions without HTTP: requests in, bodies out, time moved by hand, cookies kept as a client keeps them.

use std::time::{Duration, Instant};

use crate::cometd::cookie::Cookies;
use crate::cometd::fault::Wire;
use crate::cometd::session::{Anonymous, Answer, BadUri, Caller, Done, Held, Outcome, Resumed, Sessions};
use crate::cometd::tests::fake::{FakeBus, TOKEN};
use crate::cometd::{Bus, Principal, Rule, Settings, message, reply};

pub(super) struct Desk {
    pub bus: FakeBus,
    pub sessions: Sessions,
    pub token: Option<String>,
    pub cookies: Cookies,
    pub uri: Result<(), BadUri>,
    now: Instant,
}

/// What a request comes to.
#[derive(Debug)]
pub(super) enum Sent {
    Body(String),
    /// The connection breaks before the body.
    Lost,
    Waits(Held),
    Status(u16),
}

impl Sent {
    /// The body, or what happened instead.
    pub(super) fn text(self) -> String {
        match self {
            Self::Body(body) => body,
            Self::Lost => "lost".to_owned(),
            Self::Waits(_) => "waits".to_owned(),
            Self::Status(status) => format!("HTTP {status}"),
        }
    }

    pub(super) fn held(self) -> Held {
        match self {
            Self::Waits(held) => held,
            other => panic!("a connect that waits, not {other:?}"),
        }
    }
}

impl Desk {
    pub(super) fn new(topics: &[&str]) -> Self {
        Self::with(topics, Settings::default())
    }

    pub(super) fn with(topics: &[&str], settings: Settings) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "an instant can only be had from the clock; time then moves by hand"
        )]
        let now = Instant::now();
        Self {
            bus: FakeBus::new(topics),
            sessions: Sessions::new(settings),
            token: Some(TOKEN.to_owned()),
            cookies: Cookies::default(),
            uri: Ok(()),
            now,
        }
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    pub(super) fn now(&self) -> Instant {
        self.now
    }

    pub(super) fn script(&mut self, rule: &str) {
        self.sessions.faults().add(serde_json::from_str::<Rule>(rule).unwrap());
    }

    /// Sends a body; cookies are kept.
    pub(super) fn send(&mut self, body: &str) -> Sent {
        let Ok(messages) = message::parse(body.as_bytes()) else { return Sent::Status(400) };
        let caller = Caller { who: self.who(), cookies: self.cookies.clone(), uri: self.uri };
        let exchange = self.sessions.exchange(&messages, &caller, self.now, &self.bus);
        let cookies = exchange.cookies;
        let keep = |kept: &mut Option<String>, set: Option<String>| *kept = set.or_else(|| kept.take());
        keep(&mut self.cookies.browser_id, cookies.browser_id);
        keep(&mut self.cookies.bayeux_browser, cookies.bayeux_browser);
        keep(&mut self.cookies.sfdc_stream, cookies.sfdc_stream);
        match exchange.outcome {
            Outcome::Done(done) => sent(done),
            Outcome::Hold(held) => self.look(held),
        }
    }

    /// Lets a waiting connect look again.
    pub(super) fn look(&mut self, held: Held) -> Sent {
        match self.sessions.resume(&held, &self.who(), self.now, &self.bus) {
            Resumed::Wait { until } => {
                assert!(until > self.now, "a connect waits for a time to come");
                Sent::Waits(held)
            }
            Resumed::Done(done) => sent(done),
        }
    }

    fn who(&self) -> Result<Principal, Anonymous> {
        let token = self.token.as_deref().ok_or(Anonymous::NoToken)?;
        self.bus.authenticate(token).map_err(Anonymous::Refused)
    }

    pub(super) fn leave(&mut self, held: &Held) {
        self.sessions.leave(held, self.now);
    }

    /// A new session; its client id.
    pub(super) fn handshake(&mut self) -> String {
        let body =
            self.send(r#"[{"channel":"/meta/handshake","version":"1.0","id":"h","ext":{"replay":true}}]"#).text();
        let replies: serde_json::Value = serde_json::from_str(&body).unwrap();
        replies[0]["clientId"].as_str().unwrap_or_else(|| panic!("a handshake, not {body}")).to_owned()
    }

    /// A new session after its first connect.
    pub(super) fn connected(&mut self) -> String {
        let client = self.handshake();
        let first = self.connect(&client, "first").text();
        assert!(first.contains("\"advice\""), "the first connect is answered at once, with advice: {first}");
        client
    }

    pub(super) fn connect(&mut self, client: &str, id: &str) -> Sent {
        self.send(&format!(
            r#"[{{"channel":"/meta/connect","id":"{id}","clientId":"{client}","connectionType":"long-polling"}}]"#
        ))
    }

    pub(super) fn subscribe(&mut self, client: &str, channel: &str, replay: &str) -> Sent {
        let name = channel.split('?').next().unwrap();
        self.send(&format!(
            r#"[{{"channel":"/meta/subscribe","id":"s","clientId":"{client}","subscription":"{channel}","ext":{{"replay":{{"{name}":{replay}}}}}}}]"#
        ))
    }
}

fn sent(done: Done) -> Sent {
    match done {
        Done::Answer(Answer { wire: Wire::Cut { bytes: 0 }, .. }) => Sent::Lost,
        Done::Answer(answer) => {
            let body = reply::body(&answer.events, &answer.replies);
            Sent::Body(String::from_utf8(body).unwrap())
        }
        Done::Reject(status) => Sent::Status(status.as_u16()),
    }
}
