//! A session driven by hand: inputs in short, effects as lines of text.

use std::{fmt::Write as _, path::Path, time::Duration};

use super::{
    codec::Body,
    exchange::{Answer, Effect, Fault, Input, Level, Line, Post},
    session::Session,
};
use crate::{Channel, Event, ReplayFrom, ReplayId};

/// A session, the time, and what it did since one last looked.
pub(crate) struct Script {
    pub(crate) session: Session,
    pub(crate) now: Duration,
    log: String,
}

impl Script {
    /// A session that has been started.
    pub(crate) fn start(channels: &[(&str, ReplayFrom)]) -> Script {
        let channels = channels.iter().map(|(name, from)| (channel(name), *from)).collect();
        let mut script = Script { session: Session::new(channels), now: Duration::ZERO, log: String::new() };
        script.feed(Input::Start);
        script
    }

    /// A session in which a connect is parked.
    pub(crate) fn connected(channels: &[(&str, ReplayFrom)]) -> Script {
        let mut script = Script::start(channels);
        script.establish(channels.len());
        script.log.clear();
        script
    }

    /// Signs in, shakes hands, connects and subscribes; the first `channels` messages asked for are granted.
    pub(crate) fn establish(&mut self, channels: usize) {
        self.feed(Input::SignedIn);
        self.reply(Line::Other, &fixture("handshake-ok"));
        self.reply(Line::Connect, &fixture("connect-first-advice"));
        if channels > 0 {
            self.grant();
        }
    }

    /// Grants every subscription of the request that was sent last.
    pub(crate) fn grant(&mut self) {
        let log = self.log.clone();
        self.grant_all(&log);
    }

    /// As [`Script::grant`], for a request in a log that was taken.
    pub(crate) fn grant_all(&mut self, log: &str) {
        let sent = log.lines().rev().find_map(|line| line.strip_prefix("other> ")).expect("a request");
        let messages: Vec<serde_json::Value> = serde_json::from_str(sent).expect("json");
        let replies = messages.iter().map(|message| {
            let (id, subscription) = (&message["id"], &message["subscription"]);
            serde_json::json!({"channel": "/meta/subscribe", "id": id, "subscription": subscription, "successful": true})
        });
        let replies: serde_json::Value = replies.collect();
        self.reply(Line::Other, &replies.to_string());
    }

    pub(crate) fn reply(&mut self, line: Line, body: &str) {
        let body = Body::parse(bytes::Bytes::copy_from_slice(body.as_bytes())).expect("a body");
        let at = "2024-01-02T03:04:05Z".parse().expect("a timestamp");
        self.feed(Input::Reply(line, Answer { at, body }));
    }

    pub(crate) fn fail(&mut self, line: Line, fault: Fault) {
        self.feed(Input::Failed(line, fault, "it broke".to_owned()));
    }

    pub(crate) fn written(&mut self, name: &str, id: i64) {
        self.feed(Input::Written(channel(name), replay_id(id)));
    }

    pub(crate) fn subscribe(&mut self, name: &str, from: ReplayFrom) {
        self.feed(Input::Subscribe(channel(name), from));
    }

    pub(crate) fn level(&mut self, level: Level) {
        self.feed(Input::Queue(level));
    }

    /// Lets time pass, and the machine do what becomes due meanwhile.
    pub(crate) fn pass(&mut self, seconds: u64) {
        let until = self.now + Duration::from_secs(seconds);
        while let Some(due) = self.session.due().filter(|due| *due <= until) {
            assert!(due > self.now, "due at {due:?}, which is now or before: {:?}", self.session);
            self.now = due;
            self.feed(Input::Due);
        }
        self.now = until;
    }

    pub(crate) fn feed(&mut self, input: Input) {
        for effect in self.session.step(input, self.now) {
            let _ = writeln!(self.log, "{}", show(&effect));
        }
    }

    /// What it did since the last time this was asked.
    pub(crate) fn log(&mut self) -> String {
        std::mem::take(&mut self.log)
    }
}

/// An effect in a line.
pub(crate) fn show(effect: &Effect) -> String {
    match effect {
        Effect::SignIn { renew: false } => "sign in".to_owned(),
        Effect::SignIn { renew: true } => "sign in with a new token".to_owned(),
        Effect::ClearCookies => "clear cookies".to_owned(),
        Effect::Send(Post { line, id, request, .. }) => {
            let line = if *line == Line::Connect { "connect" } else { "other" };
            format!("{line}> {}", String::from_utf8(request.to_json(*id)).expect("text"))
        }
        Effect::HangUp => "hang up".to_owned(),
        Effect::End(None) => "end".to_owned(),
        Effect::End(Some(error)) => format!("end: {error}"),
        Effect::Tell(event) => match event {
            Event::Subscribed { channel, from, .. } => format!("subscribed {channel} {from}"),
            Event::Delivered(delivery) => {
                let events = delivery.notifications().iter();
                let events: Vec<String> =
                    events.map(|event| format!("{} {}", event.channel, event.replay_id)).collect();
                format!("delivered {}", events.join(", "))
            }
            Event::Alive { .. } => "alive".to_owned(),
            Event::Gap { channel, why } => format!("gap on {channel}: {why}"),
            Event::Refused { channel, failure } => {
                let again =
                    failure.retry_in.map_or("rests".to_owned(), |wait| format!("again in {} s", wait.as_secs()));
                format!("refused {channel} ({:?}, {again}): {}", failure.kind, failure.text)
            }
            Event::Lost { why } => format!("lost: {why}"),
            Event::Connected => "connected".to_owned(),
        },
    }
}

/// An event on a channel, as JSON.
pub(crate) fn event(channel: &str, id: i64) -> serde_json::Value {
    serde_json::json!({"channel": channel, "data": {
        "event": {"createdDate": "2018-11-23T15:17:46.290Z", "replayId": id, "type": "updated"},
        "sobject": {"Id": "001D000000IRFmaIAH"},
    }})
}

/// The reply to a connect with what comes before it.
pub(crate) fn connect_reply(events: &[serde_json::Value]) -> String {
    let reply = serde_json::json!({"channel": "/meta/connect", "id": "1", "successful": true});
    serde_json::Value::from_iter(events.iter().cloned().chain([reply])).to_string()
}

pub(crate) fn channel(name: &str) -> Channel {
    name.parse().expect("a channel")
}

pub(crate) fn replay_id(id: i64) -> ReplayId {
    ReplayId::new(id).expect("an id")
}

/// A recorded reply.
pub(crate) fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/{name}.json"));
    std::fs::read_to_string(path).expect("a fixture")
}
