//! Under planned trouble of every kind a subscriber that begins anew whenever it has cause to misses nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;

use super::desk::{Desk, Sent};
use super::fake::{TOKEN, user};
use crate::trouble::{Ongoing, Trouble};

const TOPICS: [&str; 2] = ["/topic/A", "/topic/B"];

/// It knows the ids it has heard, and has a session or none.
struct Subscriber {
    desk: Desk,
    client: Option<String>,
    heard: BTreeMap<&'static str, BTreeSet<i64>>,
    /// Requests so far.
    asked: usize,
}

impl Subscriber {
    /// One request, perhaps as part of starting anew.
    fn go_on(&mut self) {
        let sent = match self.client.take() {
            Some(client) => {
                let sent = self.desk.connect(&client, "c");
                self.client = Some(client);
                sent
            }
            None => return self.begin(),
        };
        if !self.hear(sent) {
            self.client = None;
        }
    }

    /// Handshake, first connect, each channel from the last id heard, or from the earliest if that is refused.
    fn begin(&mut self) {
        // It takes its time: sessions left behind count against the concurrent clients until they expire.
        self.desk.pass(5);
        // Whoever is told that its token is dead renews it.
        self.desk.bus.state().tokens.insert(TOKEN.to_owned(), Ok(user("005000000000001AAA")));
        let shaken = self.desk.send(r#"[{"channel":"/meta/handshake","version":"1.0"}]"#).text();
        let replies: Value = serde_json::from_str(&shaken).unwrap_or_default();
        self.asked += 1;
        let Some(client) = replies[0]["clientId"].as_str().map(str::to_owned) else { return };
        let first = self.desk.connect(&client, "c");
        if !self.hear(first) {
            return;
        }
        for topic in TOPICS {
            let last = self.heard[topic].last().map_or("-2".to_owned(), i64::to_string);
            let again = self.desk.subscribe(&client, topic, &last);
            let earliest = !self.hear(again);
            if earliest {
                let again = self.desk.subscribe(&client, topic, "-2");
                if !self.hear(again) {
                    return;
                }
            }
        }
        self.client = Some(client);
    }

    /// Takes the events of a reply. False if it was lost, or is a refusal.
    fn hear(&mut self, sent: Sent) -> bool {
        self.asked += 1;
        match sent {
            Sent::Waits(held) => {
                self.desk.leave(&held);
                // Delayed events come in time, not by asking.
                self.desk.pass(1);
                true
            }
            Sent::Lost | Sent::Status(_) => false,
            Sent::Body(body) => {
                let messages: Vec<Value> = serde_json::from_str(&body).unwrap();
                for message in &messages {
                    let id = message["data"]["event"]["replayId"].as_i64();
                    let topic = TOPICS.into_iter().find(|topic| message["channel"] == **topic);
                    if let (Some(id), Some(topic)) = (id, topic) {
                        self.heard.get_mut(topic).unwrap().insert(id);
                    }
                }
                let ended =
                    |message: &Value| message["channel"] == "/meta/disconnect" || message["successful"] == false;
                !messages.iter().any(ended)
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn whoever_begins_anew_misses_nothing(seed: u64, every in 2_u64..8, in_a_row in 1_u64..3, pauses in prop::collection::vec(0..3_usize, 40)) {
        let trouble = Arc::new(Ongoing::default());
        trouble.start(Trouble { every, in_a_row, ..Trouble::from_seed(seed) }).unwrap();
        let mut desk = Desk::new(&TOPICS);
        desk.sessions.faults().follow(trouble);
        let heard = TOPICS.iter().map(|topic| (*topic, BTreeSet::new())).collect();
        let mut subscriber = Subscriber { desk, client: None, heard, asked: 0 };
        for (step, requests) in pauses.iter().enumerate() {
            subscriber.desk.bus.change(TOPICS[step % 2], step as i64 + 1);
            (0..*requests).for_each(|_| subscriber.go_on());
        }
        while subscriber.heard.values().map(BTreeSet::len).sum::<usize>() < pauses.len() {
            subscriber.go_on();
            prop_assert!(subscriber.asked < 2_000, "{:?} after {} requests", subscriber.heard, subscriber.asked);
        }
    }
}
