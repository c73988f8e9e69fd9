//! The table of failures and the rules of sessions: what is sent, what is answered.

use super::desk::{Desk, Sent};
use super::fake::user;
use crate::cometd::session::BadUri;
use crate::cometd::{AuthFailure, Refusal, Settings};

const A: &str = "/topic/A";
const B: &str = "/topic/B";

/// A body with the client id taken out, which is drawn anew by each run's seed.
fn told(client: &str, body: &str) -> String {
    body.replace(client, "CLIENT")
}

fn shake(desk: &mut Desk) -> String {
    desk.send(r#"[{"channel":"/meta/handshake","id":"1","supportedConnectionTypes":["long-polling"]}]"#).text()
}

#[test]
fn handshakes_refused() {
    let mut rows = Vec::new();
    let mut row = |name: &str, prepare: fn(&mut Desk)| {
        let mut desk = Desk::with(&[], Settings { max_clients: 1, ..Settings::default() });
        prepare(&mut desk);
        rows.push(format!("{name}\n  {}", shake(&mut desk)));
    };
    row("no token", |desk| desk.token = None);
    row("unknown token", |desk| desk.token = Some("stolen".to_owned()));
    row("no streaming for this user", |desk| {
        desk.bus.state().tokens.insert("poor".to_owned(), Err(AuthFailure::NotEnabled));
        desk.token = Some("poor".to_owned());
    });
    row("no version in the URI", |desk| desk.uri = Err(BadUri::NoVersion));
    row("unsupported version in the URI", |desk| desk.uri = Err(BadUri::UnsupportedVersion));
    row("too many clients", |desk| {
        desk.handshake();
    });
    row("busy, said as denied", |desk| {
        desk.script(r#"{"fault":{"busy":{"disguise":"denied"}},"on":"handshake"}"#);
    });
    row("busy, said as a bad token", |desk| {
        desk.script(r#"{"fault":{"busy":{"disguise":"authentication_invalid"}},"on":"handshake"}"#);
    });
    let mut desk = Desk::new(&[]);
    let types =
        r#"[{"channel":"/meta/handshake","id":"1","supportedConnectionTypes":["websocket","callback-polling"]}]"#;
    rows.push(format!("no long-polling\n  {}", desk.send(types).text()));
    insta::assert_snapshot!(rows.join("\n"));
}

#[test]
fn a_place_is_free_again_when_a_session_runs_out() {
    let mut desk = Desk::with(&[], Settings { max_clients: 1, ..Settings::default() });
    desk.handshake();
    desk.pass(39);
    assert!(shake(&mut desk).contains("403::Organization concurrent user limit exceeded"));
    desk.pass(1);
    assert!(shake(&mut desk).contains("\"successful\":true"));
}

#[test]
fn clients_not_recognised() {
    let mut rows = Vec::new();
    let mut row = |name: &str, prepare: fn(&mut Desk, &mut String)| {
        let mut desk = Desk::new(&[A]);
        let client = desk.connected();
        let mut sender = client.clone();
        prepare(&mut desk, &mut sender);
        let connect = desk.connect(&sender, "2").text();
        let subscribe = desk.subscribe(&sender, A, "-1").text();
        rows.push(format!("{name}\n  {}\n  {}", told(&client, &connect), told(&client, &subscribe)));
    };
    row("unknown client", |_, client| *client = "nobody".to_owned());
    row("no sfdc-stream: another node", |desk, _| desk.cookies.sfdc_stream = None);
    row("no BAYEUX_BROWSER", |desk, _| desk.cookies.bayeux_browser = None);
    row("another BAYEUX_BROWSER", |desk, _| desk.cookies.bayeux_browser = Some("other".to_owned()));
    row("no token", |desk, _| desk.token = None);
    row("revoked token", |desk, _| desk.bus.state().tokens.clear());
    row("another user's token", |desk, _| {
        desk.bus.state().tokens.insert("other".to_owned(), Ok(user("005000000000002AAA")));
        desk.token = Some("other".to_owned());
    });
    row("forgotten by the server", |desk, client| desk.sessions.forget(Some(client)));
    row("forgotten by script", |desk, _| desk.script(r#"{"fault":"forget"}"#));
    row("busy, said as a bad token", |desk, _| {
        desk.script(r#"{"fault":{"busy":{"disguise":"authentication_invalid"}},"on":"any","times":2}"#);
    });
    row("busy, said as denied", |desk, _| {
        desk.script(r#"{"fault":{"busy":{"disguise":"denied"}},"on":"any","times":2}"#);
    });
    row("HTTP 503", |desk, _| desk.script(r#"{"fault":{"http":{"status":503}},"times":2}"#));
    insta::assert_snapshot!(rows.join("\n"));
}

#[test]
fn before_the_handshake() {
    let mut desk = Desk::new(&[A]);
    let body = desk.send(r#"[{"channel":"/meta/connect","id":"1","connectionType":"long-polling"}]"#).text();
    insta::assert_snapshot!(body, @r#"[{"advice":{"interval":0,"reconnect":"handshake"},"channel":"/meta/connect","id":"1","error":"403::Client has not completed handshake","successful":false}]"#);
}

#[test]
fn subscriptions_refused() {
    let mut rows = Vec::new();
    let refusals = [
        Refusal::UnknownChannel,
        Refusal::Unknown,
        Refusal::InvalidReplayId(7),
        Refusal::NoAccessToEntity,
        Refusal::NoAccessToWhereFields,
        Refusal::UserNotEnabled,
        Refusal::Restricted,
        Refusal::NoAccessToChannel,
        Refusal::NeedsViewAllData,
        Refusal::TopicLimit,
        Refusal::DailyLimit,
        Refusal::CannotCreate,
        Refusal::ChannelLimit,
        Refusal::CaseVariant,
        Refusal::Busy,
    ];
    for refusal in refusals {
        let mut desk = Desk::new(&[A]);
        let client = desk.connected();
        desk.bus.state().refusals.insert(A.to_owned(), refusal.clone());
        rows.push(format!("{refusal:?}\n  {}", told(&client, &desk.subscribe(&client, A, "-1").text())));
    }
    for (name, subscription, replay) in [
        ("no subscription", "null", "-1"),
        ("a subscription of the wrong type", "5", "-1"),
        ("an empty array", "[]", "-1"),
        ("an empty name", "\"\"", "-1"),
        ("no slash", "\"topic/A\"", "-1"),
        ("a meta channel", "\"/meta/connect\"", "-1"),
        ("another case", "\"/topic/a\"", "-1"),
        ("a filter on a field the topic lacks", "\"/topic/A?Odd='x'&Name='y'\"", "-1"),
        ("a replay id that is no number", "\"/topic/A\"", "\"soon\""),
        ("a replay id below -2", "\"/topic/A\"", "-3"),
        ("the second of two unknown", "[\"/topic/A\",\"/topic/X\"]", "-1"),
    ] {
        let mut desk = Desk::new(&[A]);
        let client = desk.connected();
        let body = desk.send(&format!(
            r#"[{{"channel":"/meta/subscribe","id":"s","clientId":"{client}","subscription":{subscription},"ext":{{"replay":{{"/topic/A":{replay}}}}}}}]"#
        ));
        rows.push(format!("{name}\n  {}", told(&client, &body.text())));
    }
    for (name, rule) in [
        ("replay refused by script", r#"{"fault":"refuse_replay","channel":"/topic/A"}"#),
        ("refused by script", r#"{"fault":{"refuse":{"error":"403:denied_by_security_policy:create_denied"}}}"#),
        ("busy, said as denied", r#"{"fault":{"busy":{"disguise":"denied"}}}"#),
    ] {
        let mut desk = Desk::new(&[A]);
        let client = desk.connected();
        desk.script(rule);
        rows.push(format!("{name}\n  {}", told(&client, &desk.subscribe(&client, A, "-2").text())));
        assert!(desk.subscribe(&client, A, "-2").text().contains("\"successful\":true"), "{name}: only once");
    }
    insta::assert_snapshot!(rows.join("\n"));
}

#[test]
fn other_messages() {
    let mut rows = Vec::new();
    for (name, body) in [
        ("a publication", r#"{"channel":"/topic/A","clientId":"CLIENT","id":"9","data":{}}"#),
        ("an unknown meta channel", r#"{"channel":"/meta/dance","clientId":"CLIENT","id":"9"}"#),
        ("no channel", r#"{"clientId":"CLIENT","id":"9"}"#),
        (
            "another connection type",
            r#"{"channel":"/meta/connect","clientId":"CLIENT","id":"9","connectionType":"websocket"}"#,
        ),
        (
            "unsubscribe",
            r#"{"channel":"/meta/unsubscribe","clientId":"CLIENT","id":"9","subscription":["/topic/A","/topic/B"]}"#,
        ),
        ("unsubscribe from nothing", r#"{"channel":"/meta/unsubscribe","clientId":"CLIENT","id":"9"}"#),
        ("disconnect", r#"{"channel":"/meta/disconnect","clientId":"CLIENT","id":"9"}"#),
        ("no id", r#"{"channel":"/meta/disconnect","clientId":"CLIENT"}"#),
        ("not JSON", r#"{"channel":"#),
        ("no message", "[]"),
        (
            "a handshake among others",
            r#"[{"channel":"/meta/handshake"},{"channel":"/meta/connect","clientId":"CLIENT"}]"#,
        ),
        (
            "several messages",
            r#"[{"channel":"/meta/subscribe","clientId":"CLIENT","id":"1","subscription":"/topic/A"},
                {"channel":"/meta/subscribe","clientId":"CLIENT","id":"2","subscription":"/topic/X"},
                {"channel":"/meta/connect","clientId":"CLIENT","id":"3","connectionType":"long-polling"}]"#,
        ),
    ] {
        let mut desk = Desk::new(&[A]);
        let client = desk.connected();
        rows.push(format!("{name}\n  {}", told(&client, &desk.send(&body.replace("CLIENT", &client)).text())));
    }
    insta::assert_snapshot!(rows.join("\n"));
}

#[test]
fn the_daily_limit_ends_a_connect_too() {
    let mut desk = Desk::new(&[A]);
    let client = desk.connected();
    desk.subscribe(&client, A, "-1");
    let held = desk.connect(&client, "2").held();
    desk.bus.state().deliveries_left = 2;
    for id in 1..=3 {
        desk.bus.change(A, id);
    }
    let last = desk.look(held).text();
    assert_eq!(last.matches("\"data\"").count(), 2, "what is left is delivered: {last}");
    insta::assert_snapshot!(told(&client, &desk.connect(&client, "3").text()), @r#"[{"clientId":"CLIENT","advice":{"reconnect":"none","interval":0},"channel":"/meta/connect","id":"3","error":"403::Organization total events daily limit exceeded","successful":false}]"#);
    assert_eq!(desk.bus.state().delivered, 2);
}

#[test]
fn a_token_revoked_while_a_connect_waits_ends_it_without_events() {
    let mut desk = Desk::new(&[A]);
    let client = desk.connected();
    desk.subscribe(&client, A, "-1");
    let held = desk.connect(&client, "2").held();
    desk.bus.state().tokens.clear();
    desk.bus.change(A, 1);
    insta::assert_snapshot!(told(&client, &desk.look(held).text()), @r#"[{"clientId":"CLIENT","advice":{"reconnect":"none","interval":0},"channel":"/meta/connect","id":"2","error":"401::Authentication invalid","successful":false}]"#);
}

#[test]
fn a_second_connect_ends_the_first() {
    let mut desk = Desk::new(&[A]);
    let client = desk.connected();
    let first = desk.connect(&client, "2").held();
    let second = desk.connect(&client, "3").held();
    assert_eq!(desk.look(first).text(), "HTTP 408");
    assert_eq!(desk.look(second).text(), "waits");
}

#[test]
fn a_broken_connection_starts_the_gap() {
    let mut desk = Desk::new(&[A]);
    let client = desk.connected();
    let held = desk.connect(&client, "2").held();
    desk.pass(100);
    desk.leave(&held);
    desk.pass(39);
    let held = desk.connect(&client, "3").held();
    desk.leave(&held);
    desk.pass(40);
    assert!(desk.connect(&client, "4").text().contains("403::Unknown client"));
}

#[test]
fn a_disconnect_releases_the_connect_that_waits() {
    let mut desk = Desk::new(&[A]);
    let client = desk.connected();
    let held = desk.connect(&client, "2").held();
    desk.send(&format!(r#"[{{"channel":"/meta/disconnect","clientId":"{client}","id":"9"}}]"#));
    insta::assert_snapshot!(told(&client, &desk.look(held).text()), @r#"[{"clientId":"CLIENT","advice":{"reconnect":"none"},"channel":"/meta/connect","id":"2","successful":true}]"#);
    assert!(desk.connect(&client, "3").text().contains("403::Unknown client"));
}

#[test]
fn a_forgotten_session_releases_the_connect_that_waits() {
    let mut desk = Desk::new(&[A]);
    let client = desk.connected();
    let held = desk.connect(&client, "2").held();
    desk.sessions.forget(None);
    insta::assert_snapshot!(desk.look(held).text(), @r#"[{"advice":{"interval":0,"reconnect":"handshake"},"channel":"/meta/connect","id":"2","error":"403::Unknown client","successful":false}]"#);
}

#[test]
fn the_server_says_goodbye_after_the_last_events() {
    let mut desk = Desk::new(&[A]);
    let client = desk.connected();
    desk.subscribe(&client, A, "-1");
    let held = desk.connect(&client, "2").held();
    desk.bus.change(A, 1);
    desk.sessions.disconnect(None);
    insta::assert_snapshot!(told(&client, &desk.look(held).text()), @r#"[{"data":{"event":{"replayId":1},"sobject":{"Name":"N1"}},"channel":"/topic/A"},{"channel":"/meta/disconnect","successful":true},{"clientId":"CLIENT","advice":{"reconnect":"none"},"channel":"/meta/connect","id":"2","successful":true}]"#);
    assert!(desk.connect(&client, "3").text().contains("403::Unknown client"));
}

#[test]
fn the_advice_of_a_connect_shortens_it() {
    let mut desk = Desk::new(&[A]);
    let client = desk.connected();
    let at_once = desk
        .send(&format!(r#"[{{"channel":"/meta/connect","clientId":"{client}","id":"2","advice":{{"timeout":0}}}}]"#))
        .text();
    insta::assert_snapshot!(told(&client, &at_once), @r#"[{"clientId":"CLIENT","advice":{"interval":0,"timeout":110000,"reconnect":"retry"},"channel":"/meta/connect","id":"2","successful":true}]"#);
    let soon = desk
        .send(&format!(r#"[{{"channel":"/meta/connect","clientId":"{client}","id":"3","advice":{{"timeout":5000}}}}]"#))
        .held();
    desk.pass(5);
    assert!(desk.look(soon).text().contains("\"id\":\"3\""));
}

#[test]
fn two_sessions_with_one_jar_do_not_both_wait() {
    let mut desk = Desk::new(&[A]);
    let first = desk.connected();
    let second = desk.connected();
    let held = desk.connect(&first, "2").held();
    let told_off = desk.connect(&second, "2").text();
    insta::assert_snapshot!(told(&second, &told_off), @r#"[{"clientId":"CLIENT","advice":{"interval":2000,"multiple-clients":true,"reconnect":"retry"},"channel":"/meta/connect","id":"2","successful":true}]"#);
    desk.leave(&held);
    assert_eq!(desk.connect(&second, "3").text(), "waits");
}

#[test]
fn channels_interleave_by_commit_and_keep_their_order() {
    let mut desk = Desk::new(&[A, B]);
    let client = desk.connected();
    desk.subscribe(&client, A, "-1");
    desk.subscribe(&client, B, "-1");
    for (topic, id) in [(A, 1), (B, 10), (A, 5), (A, 6), (B, 11)] {
        desk.bus.change(topic, id);
    }
    let body = desk.connect(&client, "2").text();
    assert_eq!(replay_ids(&body), [1, 10, 5, 6, 11]);
}

#[test]
fn events_travel_with_the_reply_to_subscribe() {
    let mut desk = Desk::new(&[A]);
    desk.bus.change(A, 1);
    desk.bus.change(A, 4);
    let client = desk.connected();
    insta::assert_snapshot!(told(&client, &desk.subscribe(&client, A, "1").text()), @r#"[{"data":{"event":{"replayId":4},"sobject":{"Name":"N4"}},"channel":"/topic/A"},{"clientId":"CLIENT","channel":"/meta/subscribe","id":"s","subscription":"/topic/A","successful":true}]"#);

    let mut desk = Desk::with(&[A], Settings { events_with_subscribe: false, ..Settings::default() });
    desk.bus.change(A, 1);
    let client = desk.connected();
    assert_eq!(replay_ids(&desk.subscribe(&client, A, "-2").text()), Vec::<i64>::new());
    assert_eq!(replay_ids(&desk.connect(&client, "2").text()), [1]);
}

#[test]
fn a_subscription_begins_where_its_replay_value_says() {
    for (replay, expect) in
        [("-1", vec![]), ("-2", vec![3, 4, 9]), ("\"-2\"", vec![3, 4, 9]), ("4", vec![9]), ("9", vec![])]
    {
        let mut desk = Desk::new(&[A]);
        for id in [1, 3, 4, 9] {
            desk.bus.change(A, id);
        }
        desk.bus.purge(A, 1);
        let client = desk.connected();
        assert_eq!(replay_ids(&desk.subscribe(&client, A, replay).text()), expect, "{replay}");
        assert!(desk.subscribe(&client, A, "1").text().contains("400::The replayId {1} you provided was invalid."));
    }
}

#[test]
fn a_filtered_subscription_hears_what_it_admits() {
    let mut desk = Desk::new(&[A]);
    let client = desk.connected();
    desk.subscribe(&client, "/topic/A?Name='N2'", "-1");
    for id in 1..=600 {
        desk.bus.change(A, id);
    }
    let body = desk.connect(&client, "2").text();
    assert_eq!(replay_ids(&body), [2]);
    assert!(body.contains(r#""channel":"/topic/A?Name='N2'""#));
}

#[test]
fn a_reply_is_closed_when_it_is_full() {
    let settings = Settings { max_reply_bytes: 150, max_reply_events: 3, ..Settings::default() };
    let mut desk = Desk::with(&[A], settings);
    let client = desk.connected();
    desk.subscribe(&client, A, "-1");
    for id in 1..=5 {
        desk.bus.change(A, id);
    }
    desk.bus.announce(A, 6, format!(r#"{{"event":{{"replayId":6}},"sobject":{{"Text":"{}"}}}}"#, "x".repeat(500)));
    desk.bus.change(A, 7);
    let replies: Vec<_> = (0..4).map(|_| replay_ids(&desk.connect(&client, "2").text())).collect();
    assert_eq!(replies, [vec![1, 2, 3], vec![4, 5], vec![6], vec![7]]);
}

#[test]
fn duplicates_by_script() {
    let mut desk = Desk::new(&[A]);
    let client = desk.connected();
    desk.subscribe(&client, A, "-1");
    desk.script(r#"{"fault":"duplicate","channel":"/topic/A"}"#);
    desk.bus.change(A, 1);
    assert_eq!(replay_ids(&desk.connect(&client, "2").text()), [1]);
    desk.bus.change(A, 2);
    assert_eq!(replay_ids(&desk.connect(&client, "3").text()), [1, 2]);
    assert_eq!(desk.connect(&client, "4").text(), "waits");
}

#[test]
fn delays_by_script() {
    let mut desk = Desk::new(&[A]);
    let client = desk.connected();
    desk.subscribe(&client, A, "-1");
    desk.script(r#"{"fault":{"delay":{"millis":5000}}}"#);
    desk.bus.change(A, 1);
    let held = desk.connect(&client, "2").held();
    desk.pass(4);
    let held = desk.look(held).held();
    desk.pass(1);
    assert_eq!(replay_ids(&desk.look(held).text()), [1]);
}

#[test]
fn an_unreadable_log_is_an_http_error() {
    let mut desk = Desk::new(&[A]);
    let client = desk.connected();
    desk.subscribe(&client, A, "-1");
    desk.bus.state().broken = true;
    assert_eq!(desk.connect(&client, "2").text(), "HTTP 500");
    desk.bus.state().broken = false;
    desk.bus.change(A, 1);
    assert_eq!(replay_ids(&desk.connect(&client, "3").text()), [1]);
}

#[test]
fn a_closed_server_lets_nobody_wait() {
    let mut desk = Desk::new(&[A]);
    let client = desk.connected();
    let held = desk.connect(&client, "2").held();
    desk.sessions.close();
    assert!(matches!(desk.look(held), Sent::Status(503)));
    assert!(matches!(desk.connect(&client, "3"), Sent::Status(503)));
}

pub(super) fn replay_ids(body: &str) -> Vec<i64> {
    let messages: Vec<serde_json::Value> = serde_json::from_str(body).unwrap_or_else(|_| panic!("a body, not {body}"));
    messages.iter().filter_map(|message| message["data"]["event"]["replayId"].as_i64()).collect()
}
