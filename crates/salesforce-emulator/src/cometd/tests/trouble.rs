//! Scripted and planned trouble that concerns events and tokens.

use std::sync::Arc;
use std::sync::Mutex;

use super::desk::{Desk, Sent};
use super::table::replay_ids;
use crate::cometd::{Fault, Occasion, Planned};

const A: &str = "/topic/A";

/// A session that hears `A` from now on, under this rule.
fn listening(rule: &str) -> (Desk, String) {
    let mut desk = Desk::new(&[A]);
    let client = desk.connected();
    desk.subscribe(&client, A, "-1").text();
    desk.script(rule);
    (desk, client)
}

#[test]
fn each_event_twice_in_one_reply() {
    let (mut desk, client) = listening(r#"{"fault":"twice"}"#);
    desk.bus.change(A, 1);
    desk.bus.change(A, 2);
    assert_eq!(replay_ids(&desk.connect(&client, "c").text()), [1, 1, 2, 2]);
    assert!(matches!(desk.connect(&client, "c"), Sent::Waits(_)));
}

#[test]
fn the_events_of_a_lost_reply_come_again() {
    let (mut desk, client) = listening(r#"{"fault":"redeliver"}"#);
    desk.bus.change(A, 1);
    assert!(matches!(desk.connect(&client, "c"), Sent::Lost));
    desk.bus.change(A, 2);
    assert_eq!(replay_ids(&desk.connect(&client, "c").text()), [1, 2]);
}

#[test]
fn events_are_withheld_for_some_replies() {
    let (mut desk, client) = listening(r#"{"fault":{"hold":{"replies":2}}}"#);
    let waiting = desk.connect(&client, "c").held();
    desk.bus.change(A, 1);
    assert_eq!(replay_ids(&desk.look(waiting).text()), [0_i64; 0]);
    desk.bus.change(A, 2);
    assert_eq!(replay_ids(&desk.connect(&client, "c").text()), [0_i64; 0]);
    assert_eq!(replay_ids(&desk.connect(&client, "c").text()), [1, 2]);
}

#[test]
fn the_day_is_over_for_events() {
    let (mut desk, client) = listening(r#"{"fault":"over_limit"}"#);
    let told = |sent: Sent| sent.text().replace(&client, "CLIENT");
    insta::assert_snapshot!(
        told(desk.connect(&client, "c")),
        @r#"[{"clientId":"CLIENT","advice":{"reconnect":"none","interval":0},"channel":"/meta/connect","id":"c","error":"403::Organization total events daily limit exceeded","successful":false}]"#
    );
    desk.script(r#"{"fault":"over_limit","on":"subscribe"}"#);
    insta::assert_snapshot!(
        told(desk.subscribe(&client, A, "-1")),
        @r#"[{"clientId":"CLIENT","channel":"/meta/subscribe","id":"s","subscription":"/topic/A","error":"403::Organization total events daily limit exceeded","successful":false}]"#
    );
}

#[test]
fn tokens_end_while_a_connect_waits() {
    let (mut desk, client) = listening(r#"{"fault":"expire"}"#);
    let body = desk.connect(&client, "c").text();
    assert!(body.contains("401::Authentication invalid"), "{body}");
    assert!(desk.connect(&client, "c").text().contains("401::Authentication invalid"), "for good");
}

/// A plan that writes down what it is asked and answers from a list.
#[derive(Default)]
struct Scribe {
    asked: Mutex<Vec<Occasion>>,
    answers: Mutex<Vec<(Occasion, Fault)>>,
}

impl Planned for Scribe {
    fn meet(&self, occasion: Occasion) -> Option<Fault> {
        self.asked.lock().unwrap().push(occasion);
        let mut answers = self.answers.lock().unwrap();
        let at = answers.iter().position(|(on, _)| *on == occasion)?;
        Some(answers.remove(at).1)
    }
}

#[test]
fn a_plan_is_asked_once_for_each_occasion() {
    let scribe = Arc::new(Scribe::default());
    let mut desk = Desk::new(&[A]);
    desk.sessions.faults().follow(scribe.clone());
    let client = desk.connected();
    desk.bus.change(A, 7);
    desk.subscribe(&client, A, "-2").text();
    desk.subscribe(&client, A, "7").text();
    *scribe.answers.lock().unwrap() = vec![(Occasion::Replay, Fault::RefuseReplay), (Occasion::Connect, Fault::Forget)];
    assert!(desk.subscribe(&client, A, "7").text().contains("The replayId {7} you provided was invalid"));
    assert!(desk.connect(&client, "c").text().contains("403::Unknown client"));
    let asked = std::mem::take(&mut *scribe.asked.lock().unwrap());
    use Occasion::{Connect, Delivery, Handshake, Replay, Subscribe};
    assert_eq!(
        asked,
        [Handshake, Connect, Subscribe, Delivery, Subscribe, Replay, Subscribe, Replay, Connect],
        "events travel with the reply to the first subscribe"
    );
}
