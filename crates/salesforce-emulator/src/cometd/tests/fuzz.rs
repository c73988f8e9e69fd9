//! Whatever is sent is answered: by an array of replies, or by a status that says why not. Sessions stay sound.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::desk::{Desk, Sent};
use super::http::{Client, served};
use crate::cometd::Settings;

const TOPICS: [&str; 2] = ["/topic/A", "/topic/B"];
const CLIENTS: usize = 3;

/// JSON of any shape.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "\\PC{0,300}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map("[a-zA-Z./?*]{0,8}", inner, 0..8)
                .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

fn channel() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => prop::sample::select(TOPICS.to_vec()).prop_map(Value::from),
        1 => prop::collection::vec(prop::sample::select(TOPICS.to_vec()), 0..200).prop_map(Value::from),
        1 => prop::sample::select(vec![
            "", "/", "topic/A", "/topic/", "/topic/Z", "/topic/a", "/topic/**", "/meta/connect", "/service/x", "/u/x", "/data/",
            "/topic/A?", "/topic/A?Name='N1'", "/topic/A?Name='", "/topic/A?Id=x&&", "/event/X__e", "/topic/A?Nope='1'",
        ]).prop_map(Value::from),
        1 => anything(),
    ]
}

fn replay() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => (-3_i64..30).prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => prop::sample::select(vec!["-1", "-2", " 3 ", "1e3", "+4", "", "0x1", "99999999999999999999"]).prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => anything(),
    ]
}

/// One thing a client does. Clients are numbered; one that has made no handshake names a client id of its own invention.
#[derive(Debug, Clone)]
enum Step {
    Handshake {
        who: usize,
    },
    Connect {
        who: usize,
        advice: Value,
    },
    Subscribe {
        who: usize,
        channel: Value,
        replay: Value,
    },
    Unsubscribe {
        who: usize,
        channel: Value,
    },
    Disconnect {
        who: usize,
    },
    /// Members of a message replaced by anything, or left out.
    Spoiled {
        who: usize,
        of: usize,
        member: usize,
        value: Option<Value>,
    },
    Batch {
        who: usize,
        messages: Vec<usize>,
    },
    Announce {
        topic: usize,
    },
    Pass {
        seconds: u64,
    },
    WithoutCookies,
}

fn step() -> impl Strategy<Value = Step> {
    let who = 0..CLIENTS;
    prop_oneof![
        3 => who.clone().prop_map(|who| Step::Handshake { who }),
        6 => (who.clone(), prop_oneof![Just(json!({"timeout": 0})), Just(Value::Null), anything()])
            .prop_map(|(who, advice)| Step::Connect { who, advice }),
        5 => (who.clone(), channel(), replay()).prop_map(|(who, channel, replay)| Step::Subscribe { who, channel, replay }),
        2 => (who.clone(), channel()).prop_map(|(who, channel)| Step::Unsubscribe { who, channel }),
        1 => who.clone().prop_map(|who| Step::Disconnect { who }),
        3 => (who.clone(), 0..5_usize, 0..7_usize, prop::option::of(anything()))
            .prop_map(|(who, of, member, value)| Step::Spoiled { who, of, member, value }),
        2 => (who, prop::collection::vec(1..5_usize, 2..60)).prop_map(|(who, messages)| Step::Batch { who, messages }),
        4 => (0..TOPICS.len()).prop_map(|topic| Step::Announce { topic }),
        1 => (1..80_u64).prop_map(|seconds| Step::Pass { seconds }),
        1 => Just(Step::WithoutCookies),
    ]
}

/// A server and some clients without manners.
struct World {
    desk: Desk,
    clients: Vec<String>,
    tips: BTreeMap<&'static str, i64>,
}

impl World {
    fn new() -> Self {
        let settings =
            Settings { max_clients: 4, max_reply_events: 3, held_per_browser: CLIENTS, ..Settings::default() };
        let clients = (0..CLIENTS).map(|number| format!("nobody{number}")).collect();
        let tips = TOPICS.iter().map(|topic| (*topic, 0)).collect();
        Self { desk: Desk::with(&TOPICS, settings), clients, tips }
    }

    fn message(&self, who: usize, of: usize) -> Value {
        let client = &self.clients[who];
        match of {
            0 => json!({"channel": "/meta/handshake", "id": "h", "version": "1.0"}),
            1 => json!({
                "channel": "/meta/connect", "id": "c", "clientId": client, "connectionType": "long-polling",
                "advice": {"timeout": 0},
            }),
            2 => json!({
                "channel": "/meta/subscribe", "id": "s", "clientId": client, "subscription": "/topic/A",
                "ext": {"replay": {"/topic/A": -2}},
            }),
            3 => json!({"channel": "/meta/unsubscribe", "id": "u", "clientId": client, "subscription": "/topic/B"}),
            _ => json!({"channel": "/meta/disconnect", "id": "d", "clientId": client}),
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Handshake { who } => {
                let body = self.say(&[self.message(who, 0)]);
                let replies: Value = serde_json::from_str(&body.unwrap_or_default()).unwrap_or_default();
                if let Some(client) = replies[0]["clientId"].as_str() {
                    self.clients[who] = client.to_owned();
                }
            }
            Step::Connect { who, advice } => {
                let mut message = self.message(who, 1);
                message["advice"] = advice;
                self.say(&[message]);
            }
            Step::Subscribe { who, channel, replay } => {
                let mut message = self.message(who, 2);
                let name = channel.as_str().unwrap_or("/topic/A").to_owned();
                message["ext"] = json!({"replay": {name: replay}});
                message["subscription"] = channel;
                self.say(&[message]);
            }
            Step::Unsubscribe { who, channel } => {
                let mut message = self.message(who, 3);
                message["subscription"] = channel;
                self.say(&[message]);
            }
            Step::Disconnect { who } => {
                self.say(&[self.message(who, 4)]);
            }
            Step::Spoiled { who, of, member, value } => {
                const MEMBERS: [&str; 7] =
                    ["channel", "id", "clientId", "subscription", "ext", "advice", "connectionType"];
                let mut message = self.message(who, of);
                match value {
                    Some(value) => message[MEMBERS[member]] = value,
                    None => drop(message.as_object_mut().unwrap().remove(MEMBERS[member])),
                }
                self.say(&[message]);
            }
            Step::Batch { who, messages } => {
                let messages: Vec<Value> = messages.into_iter().map(|of| self.message(who, of)).collect();
                self.say(&messages);
            }
            Step::Announce { topic } => {
                let tip = self.tips.get_mut(TOPICS[topic]).unwrap();
                *tip += 1;
                self.desk.bus.change(TOPICS[topic], *tip);
            }
            Step::Pass { seconds } => self.desk.pass(seconds),
            Step::WithoutCookies => self.desk.cookies = Default::default(),
        }
    }

    /// Sends messages and looks at the answer; one that waits is left.
    fn say(&mut self, messages: &[Value]) -> Option<String> {
        match self.desk.send(&json!(messages).to_string()) {
            Sent::Body(body) => {
                check(messages, &body);
                Some(body)
            }
            Sent::Waits(held) => {
                assert_eq!(messages.len(), 1, "only a connect alone in its request waits");
                self.desk.leave(&held);
                None
            }
            Sent::Status(status) => {
                assert!([400, 408].contains(&status), "HTTP {status}");
                None
            }
            Sent::Lost => panic!("nothing was scripted"),
        }
    }

    /// What holds whatever happened.
    fn sound(&mut self) {
        let now = self.desk.now();
        let sessions = self.desk.sessions.view(now);
        assert!(sessions.len() <= 4, "{sessions:?}");
        for session in sessions {
            assert!(!session.held, "nobody waits here: {session:?}");
            let mut channels: Vec<&String> = session.positions.iter().map(|(channel, _)| channel).collect();
            channels.sort_unstable();
            channels.dedup();
            assert_eq!(channels.len(), session.positions.len(), "a channel is subscribed once: {session:?}");
            for (channel, after) in &session.positions {
                let name = channel.split('?').next().unwrap();
                assert!((0..=self.tips[name]).contains(after), "{channel} stands at {after}, beyond {:?}", self.tips);
            }
        }
    }
}

fn check(messages: &[Value], body: &str) {
    let answers: Vec<Value> = serde_json::from_str(body).expect(body);
    let (replies, events): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.get("successful").is_some());
    assert!(replies.len() >= messages.len(), "each message is answered: {body}");
    assert!(events.len() <= 3, "no more events than a reply may have: {body}");
    for event in events {
        assert!(event["data"]["event"]["replayId"].is_i64() && event["channel"].is_string(), "{event}");
    }
    for reply in replies {
        let error = reply["error"].as_str();
        assert_eq!(reply["successful"] == true, error.is_none(), "{reply}");
        let code = error.map_or("200", |error| error.split(':').next().unwrap());
        assert!(code.len() == 3 && code.bytes().all(|digit| digit.is_ascii_digit()), "{reply}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_json_is_answered(body in anything()) {
        let mut desk = Desk::new(&TOPICS);
        match desk.send(&body.to_string()) {
            Sent::Body(answer) => prop_assert!(serde_json::from_str::<Vec<Value>>(&answer).is_ok(), "{}", answer),
            Sent::Status(status) => prop_assert_eq!(status, 400),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn clients_without_manners_leave_sessions_sound(steps in prop::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for step in steps {
            world.take(step);
            world.sound();
        }
    }
}

/// Nesting beyond what the parser follows, and more messages than anyone sends.
#[test]
fn extremes() {
    let mut desk = Desk::new(&TOPICS);
    let client = desk.connected();
    let deep = |open: &str, close: &str, depth| format!("{}1{}", open.repeat(depth), close.repeat(depth));
    for body in [deep("[", "]", 10_000), deep(r#"{"a":"#, "}", 5_000), format!("[{}]", "{},".repeat(9_000))] {
        assert!(matches!(desk.send(&body), Sent::Status(400)));
    }
    let ext = deep(r#"{"replay":"#, "}", 100);
    let message =
        format!(r#"{{"channel":"/meta/subscribe","clientId":"{client}","subscription":"/topic/A","ext":{ext}}}"#);
    assert!(desk.send(&message).text().contains("\"successful\":true"));
    let many = format!("[{}{{}}]", "{},".repeat(9_000));
    let replies: Vec<Value> = serde_json::from_str(&desk.send(&many).text()).unwrap();
    assert_eq!(replies.len(), 9_001);
    let names = vec!["/topic/A"; 5_000];
    let message = json!({"channel": "/meta/subscribe", "clientId": client, "subscription": names});
    assert!(desk.send(&message.to_string()).text().contains("\"successful\":true"));
    assert_eq!(desk.sessions.view(desk.now())[0].positions.len(), 1);
}

/// The shell adds sizes and headers: nothing it is sent stays without an answer.
#[test]
fn every_body_is_answered_over_http() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let settings = Settings { long_poll: Duration::from_millis(1), max_request_bytes: 1_000, ..Settings::default() };
    let served = runtime.block_on(served(settings));
    let client = Client::new(&served);
    let bodies = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..1_500),
        anything().prop_map(|body| body.to_string().into_bytes()),
        (0..5_usize, anything()).prop_map(|(of, id)| {
            let mut message = World::new().message(0, of);
            message["id"] = id;
            message.to_string().into_bytes()
        }),
    ];
    let mut runner = proptest::test_runner::TestRunner::default();
    let sent = runner.run(&bodies, |body| {
        let length = body.len();
        let (status, answer) =
            runtime.block_on(client.post(body)).map_err(|error| TestCaseError::fail(error.to_string()))?;
        match status.as_u16() {
            200 => prop_assert!(serde_json::from_str::<Vec<Value>>(&answer).is_ok(), "{}", answer),
            413 => prop_assert!(length > 1_000),
            status => prop_assert_eq!(status, 400),
        }
        Ok(())
    });
    sent.unwrap();
}
