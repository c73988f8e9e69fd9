//! What the session does, told as scripts; and its decision on every documented refusal.

use insta::assert_snapshot;
use serde_json::json;

use super::{
    exchange::{Fault, Input, Level, Line},
    script::{Script, connect_reply, event, fixture, replay_id},
};
use crate::ReplayFrom::{After, Earliest, Tip};

const X: &str = "/topic/X";
const Y: &str = "/topic/Y";

#[test]
fn a_session_from_the_recorded_replies() {
    let mut script =
        Script::start(&[("/topic/InvoiceStatementUpdates", Tip), ("/topic/Example", After(replay_id(1_553_783)))]);
    script.feed(Input::SignedIn);
    script.reply(Line::Other, &fixture("handshake-ok"));
    script.reply(Line::Connect, &fixture("connect-first-advice"));
    let [granted, refused] = ["subscribe-ok", "subscribe-replay-invalid"].map(|name| {
        let reply: Vec<serde_json::Value> = serde_json::from_str(&fixture(name)).expect("json");
        reply[0].clone()
    });
    script.reply(Line::Other, &json!([granted, refused]).to_string());
    script.reply(Line::Connect, &fixture("connect-idle"));
    script.reply(Line::Connect, &fixture("connect-with-event"));
    script.reply(Line::Connect, &fixture("connect-unknown-client"));
    assert_snapshot!(script.log(), @r#"
    sign in
    clear cookies
    other> [{"channel":"/meta/handshake","id":"1","version":"1.0","minimumVersion":"1.0","supportedConnectionTypes":["long-polling"],"advice":{"timeout":60000,"interval":0},"ext":{"replay":true}}]
    connect> [{"channel":"/meta/connect","id":"2","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","connectionType":"long-polling","advice":{"timeout":0}}]
    other> [{"channel":"/meta/subscribe","id":"3","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","subscription":"/topic/InvoiceStatementUpdates","ext":{"replay":{"/topic/InvoiceStatementUpdates":-1}}},{"channel":"/meta/subscribe","id":"4","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","subscription":"/topic/Example","ext":{"replay":{"/topic/Example":1553783}}}]
    subscribed /topic/InvoiceStatementUpdates from the tip
    gap on /topic/Example: reading after event 1553783 is refused (400::The replayId {1553783} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events.)
    connected
    connect> [{"channel":"/meta/connect","id":"5","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","connectionType":"long-polling"}]
    alive
    connect> [{"channel":"/meta/connect","id":"6","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","connectionType":"long-polling"}]
    delivered /topic/Monster 3
    connect> [{"channel":"/meta/connect","id":"7","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","connectionType":"long-polling"}]
    lost: the connect is refused: 403::Unknown client; next attempt in 0 s
    sign in
    "#);
}

#[test]
fn recorded_events_are_delivered_in_the_order_of_the_wire() {
    let mut script = Script::connected(&[("/topic/InvoiceStatementUpdates", Tip), ("/topic/IncomingLeads", Tip)]);
    let mut events: Vec<serde_json::Value> = serde_json::from_str(&fixture("pushtopic-created-pair")).expect("json");
    events.push(serde_json::from_str(&fixture("pushtopic-lead-updated")).expect("json"));
    script.reply(Line::Connect, &connect_reply(&events));
    assert_snapshot!(script.log(), @r#"
    delivered /topic/InvoiceStatementUpdates 2, /topic/InvoiceStatementUpdates 1, /topic/IncomingLeads 6
    connect> [{"channel":"/meta/connect","id":"6","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","connectionType":"long-polling"}]
    "#);
}

#[test]
fn subscriptions_are_made_in_small_batches_each_with_its_own_replay_map() {
    let filtered = "/topic/X?Status__c='Open'";
    let mut script = Script::start(&[(filtered, Earliest), (Y, After(replay_id(5_000_000_000)))]);
    script.establish(0);
    let log = script.log();
    assert_snapshot!(log.lines().last().expect("a request"), @r#"other> [{"channel":"/meta/subscribe","id":"3","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","subscription":"/topic/X?Status__c='Open'","ext":{"replay":{"/topic/X":-2}}},{"channel":"/meta/subscribe","id":"4","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","subscription":"/topic/Y","ext":{"replay":{"/topic/Y":5000000000}}}]"#);

    let names: Vec<String> = (0..100).map(|n| format!("/topic/{n}?{}", "x".repeat(1_900))).collect();
    let names: Vec<_> = names.iter().map(|name| (name.as_str(), Tip)).collect();
    let mut script = Script::start(&names);
    script.establish(1);
    let mut log = String::new();
    loop {
        let step = script.log();
        log.push_str(&step);
        if !step.lines().last().is_some_and(|line| line.starts_with("other> ")) {
            break;
        }
        script.grant_all(&step);
    }
    assert!(log.lines().all(|line| line.len() < 32_768));
    assert_eq!(log.matches("subscribed ").count(), 100);
}

#[test]
fn events_come_in_any_reply() {
    let mut script = Script::start(&[(X, After(replay_id(3)))]);
    script.establish(0);
    script.log();
    let granted = json!({"channel": "/meta/subscribe", "subscription": X, "successful": true});
    script.reply(Line::Other, &json!([event(X, 4), granted, event(X, 6)]).to_string());
    script.reply(Line::Connect, &connect_reply(&[event(X, 9)]));
    assert_snapshot!(script.log(), @r#"
    subscribed /topic/X after event 3
    delivered /topic/X 4, /topic/X 6
    connected
    connect> [{"channel":"/meta/connect","id":"4","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","connectionType":"long-polling"}]
    delivered /topic/X 9
    connect> [{"channel":"/meta/connect","id":"5","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","connectionType":"long-polling"}]
    "#);
}

#[test]
fn a_new_session_reads_on_from_what_was_written() {
    let mut script = Script::connected(&[(X, After(replay_id(3))), (Y, Tip), ("/topic/Z", Tip)]);
    script.reply(Line::Connect, &connect_reply(&[event(X, 4), event(X, 7), event(Y, 20)]));
    script.written(X, 4);
    script.written(X, 2);
    script.log();
    script.reply(Line::Connect, &fixture("connect-unknown-client"));
    script.establish(3);
    assert_snapshot!(script.log(), @r#"
    lost: the connect is refused: 403::Unknown client; next attempt in 0 s
    sign in
    clear cookies
    other> [{"channel":"/meta/handshake","id":"8","version":"1.0","minimumVersion":"1.0","supportedConnectionTypes":["long-polling"],"advice":{"timeout":60000,"interval":0},"ext":{"replay":true}}]
    connect> [{"channel":"/meta/connect","id":"9","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","connectionType":"long-polling","advice":{"timeout":0}}]
    other> [{"channel":"/meta/subscribe","id":"10","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","subscription":"/topic/X","ext":{"replay":{"/topic/X":4}}},{"channel":"/meta/subscribe","id":"11","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","subscription":"/topic/Y","ext":{"replay":{"/topic/Y":-2}}},{"channel":"/meta/subscribe","id":"12","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","subscription":"/topic/Z","ext":{"replay":{"/topic/Z":-2}}}]
    subscribed /topic/X after event 4
    subscribed /topic/Y from the earliest event kept
    subscribed /topic/Z from the earliest event kept
    connected
    connect> [{"channel":"/meta/connect","id":"13","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","connectionType":"long-polling"}]
    "#);
}

#[test]
fn a_server_that_knows_no_client_is_not_stormed() {
    let mut script = Script::start(&[(X, Tip)]);
    let mut handshakes = Vec::new();
    for _ in 0..8 {
        script.feed(Input::SignedIn);
        handshakes.push(script.now.as_secs());
        script.reply(Line::Other, &fixture("handshake-ok"));
        script.reply(Line::Connect, &fixture("connect-unknown-client"));
        script.pass(60);
    }
    assert_eq!(handshakes, [0, 60, 120, 180, 240, 300, 360, 420]);
    let waits: Vec<_> =
        script.log().lines().filter_map(|line| line.split("next attempt in ").nth(1).map(str::to_owned)).collect();
    assert_eq!(waits, ["0 s", "1 s", "2 s", "4 s", "8 s", "16 s", "30 s", "30 s"]);
}

#[test]
fn a_session_that_lasted_makes_up_for_what_was_before() {
    let mut script = Script::connected(&[(X, Tip)]);
    for _ in 0..10 {
        script.pass(50);
        script.reply(Line::Connect, &fixture("connect-401"));
        script.establish(1);
    }
    let log = script.log();
    assert_eq!(log.matches("next attempt in 0 s").count(), 10, "{log}");
    assert_eq!(log.matches("sign in with a new token").count(), 10, "{log}");
}

#[test]
fn tokens_are_renewed_a_few_times_only() {
    let mut script = Script::connected(&[(X, Tip)]);
    script.reply(Line::Connect, &fixture("connect-401"));
    for _ in 0..3 {
        script.pass(60);
        script.feed(Input::SignedIn);
        script.reply(Line::Other, &fixture("handshake-401"));
    }
    assert_snapshot!(script.log(), @r#"
    lost: the connect is refused: 401::Authentication invalid; next attempt in 0 s
    sign in with a new token
    clear cookies
    other> [{"channel":"/meta/handshake","id":"5","version":"1.0","minimumVersion":"1.0","supportedConnectionTypes":["long-polling"],"advice":{"timeout":60000,"interval":0},"ext":{"replay":true}}]
    lost: the handshake is refused: 401::Authentication invalid (403::Handshake denied); next attempt in 1 s
    sign in with a new token
    clear cookies
    other> [{"channel":"/meta/handshake","id":"6","version":"1.0","minimumVersion":"1.0","supportedConnectionTypes":["long-polling"],"advice":{"timeout":60000,"interval":0},"ext":{"replay":true}}]
    lost: the handshake is refused: 401::Authentication invalid (403::Handshake denied); next attempt in 2 s
    sign in with a new token
    clear cookies
    other> [{"channel":"/meta/handshake","id":"7","version":"1.0","minimumVersion":"1.0","supportedConnectionTypes":["long-polling"],"advice":{"timeout":60000,"interval":0},"ext":{"replay":true}}]
    end: Salesforce refuses access tokens that it just issued for streaming (the handshake is refused: 401::Authentication invalid (403::Handshake denied)); give the user the permission API Enabled, the connected app the scope api, and check login IP ranges and session policies
    "#);
}

#[test]
fn a_request_that_was_never_sent_is_sent_again_while_the_server_remembers() {
    let mut script = Script::connected(&[(X, Tip)]);
    script.pass(5);
    script.reply(Line::Connect, &connect_reply(&[]));
    script.log();
    let mut sent = vec![];
    loop {
        script.fail(Line::Connect, Fault::Unsent);
        let log = script.log();
        if log.contains("connect> ") {
            sent.push(script.now.as_secs());
        } else if log.contains("lost") {
            break;
        }
        script.pass(1);
        if script.log().contains("connect> ") {
            sent.push(script.now.as_secs());
        }
    }
    assert_eq!((sent, script.now.as_secs()), (vec![5, 7, 9, 13, 21, 31, 41], 41));
}

#[test]
fn a_lost_reply_may_have_carried_events_and_costs_the_session() {
    let mut script = Script::connected(&[(X, Tip)]);
    script.written(X, 8);
    script.fail(Line::Connect, Fault::Lost);
    script.establish(1);
    assert_snapshot!(script.log(), @r#"
    lost: it broke; next attempt in 0 s
    sign in
    clear cookies
    other> [{"channel":"/meta/handshake","id":"5","version":"1.0","minimumVersion":"1.0","supportedConnectionTypes":["long-polling"],"advice":{"timeout":60000,"interval":0},"ext":{"replay":true}}]
    connect> [{"channel":"/meta/connect","id":"6","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","connectionType":"long-polling","advice":{"timeout":0}}]
    other> [{"channel":"/meta/subscribe","id":"7","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","subscription":"/topic/X","ext":{"replay":{"/topic/X":8}}}]
    subscribed /topic/X after event 8
    connected
    connect> [{"channel":"/meta/connect","id":"8","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","connectionType":"long-polling"}]
    "#);
}

#[test]
fn an_instance_that_cannot_be_reached_is_looked_up_again() {
    let mut script = Script::connected(&[(X, Tip)]);
    for _ in 0..5 {
        script.fail(Line::Connect, Fault::Lost);
        script.fail(Line::Other, Fault::Unsent);
        script.pass(60);
        script.feed(Input::SignedIn);
    }
    let log = script.log();
    let sign_ins: Vec<_> = log.lines().filter(|line| line.starts_with("sign in")).collect();
    assert_eq!(sign_ins, ["sign in", "sign in", "sign in", "sign in", "sign in with a new token"], "{log}");
}

#[test]
fn a_gap_or_a_refusal_rests_until_the_consumer_subscribes_again() {
    let mut script = Script::connected(&[(X, After(replay_id(1))), (Y, Tip)]);
    script.subscribe(X, After(replay_id(1_553_783)));
    let refusal = fixture("subscribe-replay-invalid").replace("/topic/Example", X);
    script.reply(Line::Other, &refusal);
    script.reply(Line::Connect, &fixture("connect-unknown-client"));
    script.establish(1);
    script.subscribe(X, Earliest);
    script.grant();
    assert_snapshot!(script.log(), @r#"
    other> [{"channel":"/meta/subscribe","id":"6","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","subscription":"/topic/X","ext":{"replay":{"/topic/X":1553783}}}]
    gap on /topic/X: reading after event 1553783 is refused (400::The replayId {1553783} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to replay only new events.)
    lost: the connect is refused: 403::Unknown client; next attempt in 0 s
    sign in
    clear cookies
    other> [{"channel":"/meta/handshake","id":"7","version":"1.0","minimumVersion":"1.0","supportedConnectionTypes":["long-polling"],"advice":{"timeout":60000,"interval":0},"ext":{"replay":true}}]
    connect> [{"channel":"/meta/connect","id":"8","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","connectionType":"long-polling","advice":{"timeout":0}}]
    other> [{"channel":"/meta/subscribe","id":"9","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","subscription":"/topic/Y","ext":{"replay":{"/topic/Y":-2}}}]
    subscribed /topic/Y from the earliest event kept
    connected
    connect> [{"channel":"/meta/connect","id":"10","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","connectionType":"long-polling"}]
    other> [{"channel":"/meta/subscribe","id":"11","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","subscription":"/topic/X","ext":{"replay":{"/topic/X":-2}}}]
    subscribed /topic/X from the earliest event kept
    "#);
}

#[test]
fn an_event_that_cannot_be_read_is_a_gap() {
    let mut script = Script::connected(&[(X, Tip), (Y, Tip)]);
    let mut strange = event(X, 5);
    strange["data"]["event"]["type"] = "gap_overflow".into();
    script.reply(Line::Connect, &connect_reply(&[event(X, 4), strange, event(Y, 8)]));
    assert_snapshot!(script.log(), @r#"
    gap on /topic/X: an event cannot be read (invalid value: string "gap_overflow", expected created, updated, deleted or undeleted at line 1 column 114)
    delivered /topic/X 4, /topic/Y 8
    connect> [{"channel":"/meta/connect","id":"6","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","connectionType":"long-polling"}]
    "#);
}

#[test]
fn replies_that_cross_are_taken_in_the_order_of_their_events() {
    let granted = json!({"channel": "/meta/subscribe", "subscription": X, "successful": true});
    for (on_connect, on_subscribe, expect) in [(5, 3, [3, 5]), (3, 5, [3, 5])] {
        let mut script = Script::connected(&[(X, Tip), (Y, Tip)]);
        script.subscribe(X, After(replay_id(2)));
        script.reply(Line::Connect, &connect_reply(&[event(X, on_connect)]));
        assert!(!script.log().contains("delivered"), "the reply waits");
        script.reply(Line::Other, &json!([event(X, on_subscribe), granted]).to_string());
        let log = script.log();
        let ids: Vec<_> = log.lines().filter_map(|line| line.strip_prefix("delivered /topic/X ")).collect();
        assert_eq!(ids, expect.map(|id| id.to_string()), "{log}");
        assert!(log.lines().last().is_some_and(|line| line.starts_with("connect> ")), "{log}");
    }
}

#[test]
fn a_full_queue_ends_the_session_in_good_order_until_it_is_empty() {
    let mut script = Script::connected(&[(X, Tip)]);
    script.written(X, 7);
    script.level(Level::Full);
    script.pass(60);
    assert_snapshot!(script.log(), @"");
    script.reply(Line::Connect, &connect_reply(&[event(X, 8)]));
    script.pass(19);
    assert_snapshot!(script.log(), @"delivered /topic/X 8");
    script.pass(2);
    script.reply(Line::Other, r#"[{"channel":"/meta/disconnect","successful":true}]"#);
    script.level(Level::Room);
    assert_snapshot!(script.log(), @r#"
    lost: the events received are not taken; the session rests until they are
    other> [{"channel":"/meta/disconnect","id":"5","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x"}]
    "#);
    script.level(Level::Empty);
    script.establish(1);
    assert_snapshot!(script.log(), @r#"
    sign in
    clear cookies
    other> [{"channel":"/meta/handshake","id":"6","version":"1.0","minimumVersion":"1.0","supportedConnectionTypes":["long-polling"],"advice":{"timeout":60000,"interval":0},"ext":{"replay":true}}]
    connect> [{"channel":"/meta/connect","id":"7","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","connectionType":"long-polling","advice":{"timeout":0}}]
    other> [{"channel":"/meta/subscribe","id":"8","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","subscription":"/topic/X","ext":{"replay":{"/topic/X":7}}}]
    subscribed /topic/X after event 7
    connected
    connect> [{"channel":"/meta/connect","id":"9","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","connectionType":"long-polling"}]
    "#);
}

#[test]
fn a_queue_that_empties_in_time_goes_on() {
    let mut script = Script::connected(&[(X, Tip)]);
    script.level(Level::Full);
    script.reply(Line::Connect, &connect_reply(&[event(X, 8)]));
    script.pass(19);
    script.log();
    script.level(Level::Room);
    assert_snapshot!(script.log(), @r#"connect> [{"channel":"/meta/connect","id":"5","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","connectionType":"long-polling"}]"#);
}

#[test]
fn a_close_says_farewell() {
    let mut script = Script::connected(&[(X, Tip)]);
    script.feed(Input::Close);
    script.reply(Line::Other, r#"[{"channel":"/meta/disconnect","successful":true}]"#);
    assert_snapshot!(script.log(), @r#"
    hang up
    other> [{"channel":"/meta/disconnect","id":"5","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x"}]
    end
    "#);

    let mut script = Script::connected(&[(X, Tip)]);
    script.feed(Input::Close);
    script.pass(5);
    assert!(script.log().ends_with("hang up\nend\n"));

    let mut script = Script::start(&[(X, Tip)]);
    script.feed(Input::Close);
    assert!(script.log().ends_with("end\n"));
}

#[test]
fn the_advice_is_followed_and_remembered() {
    let mut script = Script::connected(&[(X, Tip)]);
    let advice = json!([{"channel": "/meta/connect", "successful": true,
        "advice": {"interval": 2000, "timeout": 60000, "reconnect": "retry", "multiple-clients": true}}]);
    script.reply(Line::Connect, &advice.to_string());
    script.pass(1);
    assert_snapshot!(script.log(), @"alive");
    script.pass(1);
    script.reply(Line::Connect, &connect_reply(&[]));
    script.pass(2);
    assert_snapshot!(script.log(), @r#"
    connect> [{"channel":"/meta/connect","id":"5","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","connectionType":"long-polling"}]
    alive
    connect> [{"channel":"/meta/connect","id":"6","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","connectionType":"long-polling"}]
    "#);
}

#[test]
fn a_new_session_begins_without_the_advice_and_the_cookies_of_the_one_before() {
    let mut script = Script::connected(&[(X, Tip)]);
    let advice = json!({"reconnect": "retry", "interval": 2000, "multiple-clients": true});
    let reply = json!([{"channel": "/meta/connect", "successful": true, "advice": advice}]);
    script.reply(Line::Connect, &reply.to_string());
    script.pass(2);
    script.reply(Line::Connect, &fixture("connect-unknown-client"));
    script.log();
    script.feed(Input::SignedIn);
    script.reply(Line::Other, &fixture("handshake-ok"));
    script.reply(Line::Connect, &connect_reply(&[]));
    script.grant();
    script.reply(Line::Connect, &connect_reply(&[]));
    assert_snapshot!(script.log(), @r#"
    clear cookies
    other> [{"channel":"/meta/handshake","id":"6","version":"1.0","minimumVersion":"1.0","supportedConnectionTypes":["long-polling"],"advice":{"timeout":60000,"interval":0},"ext":{"replay":true}}]
    connect> [{"channel":"/meta/connect","id":"7","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","connectionType":"long-polling","advice":{"timeout":0}}]
    other> [{"channel":"/meta/subscribe","id":"8","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","subscription":"/topic/X","ext":{"replay":{"/topic/X":-2}}}]
    subscribed /topic/X from the earliest event kept
    connected
    connect> [{"channel":"/meta/connect","id":"9","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","connectionType":"long-polling"}]
    alive
    connect> [{"channel":"/meta/connect","id":"10","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","connectionType":"long-polling"}]
    "#);
}

/// What the machine says and does on an unsuccessful reply.
fn decision(place: &str, error: &str, reason: Option<&str>, reconnect: Option<&str>) -> String {
    let mut script = Script::start(&[(X, After(replay_id(3)))]);
    script.feed(Input::SignedIn);
    if place != "handshake" {
        script.reply(Line::Other, &fixture("handshake-ok"));
        script.reply(Line::Connect, &fixture("connect-first-advice"));
    }
    if place == "connect" {
        script.grant();
    }
    script.log();
    let reply = json!([{"channel": format!("/meta/{place}"), "subscription": X, "successful": false, "error": error,
        "advice": reconnect.map(|reconnect| json!({"reconnect": reconnect, "interval": 0})),
        "ext": reason.map(|reason| json!({"sfdc": {"failureReason": reason}, "replay": true}))}]);
    let line = if place == "connect" { Line::Connect } else { Line::Other };
    script.reply(line, &reply.to_string());
    script.log()
}

#[test]
fn every_documented_refusal_has_its_decision() {
    const BUSY: &str = "503::Server is too busy.  Please try your request again later.";
    let mut table = String::new();
    for (place, error, reason, reconnect) in [
        ("connect", "401::Authentication invalid", None, Some("none")),
        ("handshake", "403::Handshake denied", Some("401::Authentication invalid"), Some("none")),
        ("handshake", "403::Handshake denied", Some("401::Request requires authentication"), Some("none")),
        ("subscribe", "401::Authentication invalid", None, Some("none")),
        ("connect", "403::Unknown client", None, Some("handshake")),
        ("connect", "402::Unknown client", None, Some("handshake")),
        ("subscribe", "403::Unknown client", None, None),
        ("connect", "403::Client has not completed handshake", None, Some("handshake")),
        ("handshake", "403::Handshake denied", Some("403::Organization concurrent user limit exceeded"), Some("none")),
        (
            "handshake",
            "403::Handshake denied",
            Some(
                "403::To protect all customers from excessive use and Denial of Service attacks, we limit the number of \
                  simultaneous connections per server",
            ),
            Some("none"),
        ),
        (
            "handshake",
            "403::Handshake denied",
            Some("400::API version in the URI is mandatory. URI format: '/cometd/67.0'"),
            Some("none"),
        ),
        ("handshake", "403::Handshake denied", Some("403::User not enabled for streaming"), Some("none")),
        ("handshake", "403::Handshake denied", Some("403::Something new"), Some("none")),
        ("subscribe", "400::The channel you requested to subscribe to does not exist {/topic/X}", None, None),
        ("subscribe", "400::Channel name not specified", None, None),
        (
            "subscribe",
            "400::The replayId {3} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 \
             to replay only new events.",
            None,
            None,
        ),
        ("subscribe", "400::Query fields {Colour__c} do not exist on the topic entity", None, None),
        ("subscribe", "403::Subscriber does not have access to the entity in this topic", None, None),
        ("subscribe", "403::User not enabled for streaming", None, None),
        ("subscribe", "403::Subscription limit exceeded for this topic", None, None),
        ("subscribe", "403:denied_by_security_policy:subscribe_denied", None, None),
        ("subscribe", "403:denied_by_security_policy:subscribe_denied", Some(BUSY), None),
        ("subscribe", "403::Organization total events daily limit exceeded", None, None),
        ("connect", "403::Organization total events daily limit exceeded", None, Some("none")),
        ("connect", "401::Authentication invalid", Some(BUSY), Some("none")),
        ("handshake", "403::Handshake denied", Some(BUSY), Some("none")),
        ("subscribe", "404::Unknown channel", None, None),
        ("connect", "400::Client x has established a session, but no BAYEUX_BROWSER cookie present", None, None),
        ("handshake", "400::Authenticated user id does not match the session's user id", None, Some("none")),
        ("connect", "400::Something new", None, Some("handshake")),
        ("connect", "400::Something new", None, Some("retry")),
    ] {
        let head = [Some(place), Some(error), reason, reconnect].into_iter().flatten().collect::<Vec<_>>().join(" | ");
        let tail = decision(place, error, reason, reconnect).replace('\n', "\n    ");
        table.push_str(&format!("{head}\n    {}\n", tail.trim_end()));
    }
    assert_snapshot!(table);
}

#[test]
fn a_refused_channel_is_asked_for_again_if_that_may_help() {
    let mut script = Script::start(&[(X, Tip)]);
    script.establish(0);
    script.log();
    script.reply(Line::Other, &fixture("subscribe-daily-limit").replace("/event/Workato_Trigger__e", X));
    script.pass(900);
    let log = script.log();
    assert_snapshot!(log, @r#"
    refused /topic/X (DailyLimit, again in 900 s): 403::Organization total events daily limit exceeded
    connected
    connect> [{"channel":"/meta/connect","id":"4","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","connectionType":"long-polling"}]
    other> [{"channel":"/meta/subscribe","id":"5","clientId":"1cyu4thyxh3fgv1nqwcvebt3o9x","subscription":"/topic/X","ext":{"replay":{"/topic/X":-1}}}]
    "#);
    script.grant_all(&log);
    assert_snapshot!(script.log(), @"subscribed /topic/X from the tip");
}

#[test]
fn what_is_unheard_of_is_final_after_some_attempts() {
    let mut script = Script::start(&[(X, Tip)]);
    for _ in 0..11 {
        script.feed(Input::SignedIn);
        script.fail(Line::Other, Fault::Refused);
        script.pass(120);
    }
    let log = script.log();
    assert_eq!(log.matches("other> ").count(), 11);
    assert_snapshot!(log.lines().last().expect("an end"), @"end: no streaming session can be had: it broke: look the message up in the Streaming API developer guide, under streaming error codes");
}

#[test]
fn the_server_may_end_the_session() {
    let mut script = Script::connected(&[(X, Tip)]);
    let farewell = json!({"channel": "/meta/disconnect", "clientId": "1cyu4thyxh3fgv1nqwcvebt3o9x"});
    script.reply(Line::Connect, &connect_reply(&[event(X, 3), farewell]));
    assert_snapshot!(script.log(), @r"
    delivered /topic/X 3
    lost: Salesforce ended the session; next attempt in 0 s
    sign in
    ");
}
