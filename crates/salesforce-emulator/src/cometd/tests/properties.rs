//! No body makes the server panic, and nothing is lost to a subscriber that comes back with its last replay id.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::desk::{Desk, Sent};
use crate::cometd::Settings;

const TOPICS: [&str; 3] = ["/topic/A", "/topic/B", "/topic/C"];

fn member() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        Just(json!("/topic/A")),
        Just(json!("/topic/A?Name='x'&'")),
        Just(json!("long-polling")),
        Just(json!("CLIENT")),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("(replay|timeout|/topic/A|x)", inner, 0..3)
                .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

fn bayeux() -> impl Strategy<Value = Value> {
    let channel = prop_oneof![
        4 => prop::sample::select(vec!["handshake", "connect", "subscribe", "unsubscribe", "disconnect", "x"])
            .prop_map(|name| json!(format!("/meta/{name}"))),
        1 => member(),
    ];
    let names = "(id|clientId|subscription|ext|advice|connectionType|supportedConnectionTypes|version|data)";
    let client = prop_oneof![2 => Just(Some(json!("CLIENT"))), 1 => Just(None)];
    (channel, client, prop::collection::btree_map(names, member(), 0..6)).prop_map(|(channel, client, mut members)| {
        members.insert("channel".to_owned(), channel);
        if let Some(client) = client {
            members.insert("clientId".to_owned(), client);
        }
        members.into_iter().collect::<serde_json::Map<_, _>>().into()
    })
}

proptest! {
    #[test]
    fn no_bytes_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut desk = Desk::new(&TOPICS);
        desk.send(&String::from_utf8_lossy(&body));
    }

    #[test]
    fn no_messages_panic(bodies in prop::collection::vec(prop::collection::vec(bayeux(), 1..4), 1..6)) {
        let mut desk = Desk::new(&TOPICS);
        desk.bus.change("/topic/A", 1);
        let client = desk.connected();
        for body in bodies {
            match desk.send(&json!(body).to_string().replace("CLIENT", &client)) {
                Sent::Body(answer) => {
                    let replies: Vec<Value> = serde_json::from_str(&answer).unwrap();
                    let answered = replies.iter().filter(|reply| reply.get("successful").is_some()).count();
                    prop_assert!(answered >= body.len(), "each message is answered: {}", answer);
                }
                Sent::Waits(held) => desk.leave(&held),
                Sent::Status(status) => prop_assert_eq!(status, 400),
                Sent::Lost => prop_assert!(false, "nothing was scripted"),
            }
        }
    }

    #[test]
    fn a_subscriber_that_returns_with_its_last_replay_id_sees_everything(
        steps in prop::collection::vec(step(), 1..60),
        events_with_subscribe: bool,
        max_reply_events in 1_usize..5,
    ) {
        let settings = Settings { events_with_subscribe, max_reply_events, max_clients: 1_000, ..Settings::default() };
        let mut world = World::new(settings);
        for step in steps {
            world.take(step);
        }
        world.settle();
        for (topic, announced) in &world.announced {
            let mut seen = Vec::new();
            for id in &world.heard[topic] {
                if !seen.contains(id) {
                    seen.push(*id);
                }
            }
            prop_assert_eq!(&seen, announced, "{}", topic);
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Change { topic: usize, gap: i64 },
    Connect,
    LoseTheReply,
    BreakTheConnection,
    Pass(u64),
    Forget,
    Goodbye,
    Duplicate,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..TOPICS.len(), 1..4_i64).prop_map(|(topic, gap)| Step::Change { topic, gap }),
        6 => Just(Step::Connect),
        2 => Just(Step::LoseTheReply),
        1 => Just(Step::BreakTheConnection),
        1 => (1..80_u64).prop_map(Step::Pass),
        1 => Just(Step::Forget),
        1 => Just(Step::Goodbye),
        1 => Just(Step::Duplicate),
    ]
}

/// An org and one careful subscriber: it keeps the last id per channel and starts anew when it has cause to.
struct World {
    desk: Desk,
    client: Option<String>,
    announced: BTreeMap<&'static str, Vec<i64>>,
    heard: BTreeMap<&'static str, Vec<i64>>,
}

impl World {
    fn new(settings: Settings) -> Self {
        let none = || TOPICS.iter().map(|topic| (*topic, Vec::new())).collect();
        Self { desk: Desk::with(&TOPICS, settings), client: None, announced: none(), heard: none() }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Change { topic, gap } => {
                let announced = self.announced.get_mut(TOPICS[topic]).unwrap();
                let id = announced.last().unwrap_or(&0) + gap;
                announced.push(id);
                self.desk.bus.change(TOPICS[topic], id);
            }
            Step::Connect => {
                self.connect();
            }
            // The client notices that the reply is lost, and must suppose it had events.
            Step::LoseTheReply => {
                let client = self.session();
                if let Sent::Waits(held) = self.desk.connect(&client, "c") {
                    self.desk.leave(&held);
                }
                self.client = None;
            }
            Step::BreakTheConnection => {
                let client = self.session();
                if let Sent::Waits(held) = self.desk.connect(&client, "c") {
                    self.desk.leave(&held);
                } else {
                    self.client = None;
                }
            }
            Step::Pass(seconds) => self.desk.pass(seconds),
            Step::Forget => self.desk.sessions.forget(None),
            Step::Goodbye => self.desk.sessions.disconnect(None),
            Step::Duplicate => self.desk.script(r#"{"fault":"duplicate"}"#),
        }
    }

    /// Connects until nothing more comes.
    fn settle(&mut self) {
        self.desk.sessions.faults().clear();
        while self.connect() {}
    }

    /// One connect; false when it would wait.
    fn connect(&mut self) -> bool {
        let client = self.session();
        match self.desk.connect(&client, "c") {
            Sent::Waits(held) => {
                self.desk.leave(&held);
                false
            }
            Sent::Body(body) => {
                self.hear(&body);
                let over = ["403::Unknown client", "/meta/disconnect"].iter().any(|sign| body.contains(sign));
                if over {
                    self.client = None;
                }
                true
            }
            other => panic!("{other:?}"),
        }
    }

    /// The session, made anew if there is none: handshake, first connect, each channel from the last id heard.
    fn session(&mut self) -> String {
        if let Some(client) = &self.client {
            return client.clone();
        }
        let client = self.desk.connected();
        for topic in TOPICS {
            let replay = self.heard[topic].last().map_or("-2".to_owned(), i64::to_string);
            let body = self.desk.subscribe(&client, topic, &replay).text();
            assert!(body.contains("\"successful\":true"), "{body}");
            self.hear(&body);
        }
        self.client = Some(client.clone());
        client
    }

    fn hear(&mut self, body: &str) {
        let messages: Vec<Value> = serde_json::from_str(body).unwrap();
        for message in messages {
            if let (Some(id), Some(channel)) =
                (message["data"]["event"]["replayId"].as_i64(), message["channel"].as_str())
            {
                let (_, heard) = self.heard.iter_mut().find(|(topic, _)| **topic == channel).unwrap();
                heard.push(id);
            }
        }
    }
}
