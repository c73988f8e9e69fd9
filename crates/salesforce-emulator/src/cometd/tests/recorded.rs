//! Every recorded exchange, made again: the same bytes but for the client id.

use super::desk::Desk;
use super::fake::TOKEN;

#[track_caller]
fn same(recorded: &str, answered: &str, client: &str) {
    let recorded: serde_json::Value = serde_json::from_str(recorded).unwrap();
    let mut recorded = recorded.to_string();
    if let Some(start) = recorded.find("\"clientId\":\"") {
        let start = start + "\"clientId\":\"".len();
        let end = start + recorded[start..].find('"').unwrap();
        recorded.replace_range(start..end, client);
    }
    assert_eq!(answered, recorded);
}

#[test]
fn handshake_ok() {
    let mut desk = Desk::new(&[]);
    let body = desk
        .send(
            r#"[{"channel":"/meta/handshake","id":"305","version":"1.0","minimumVersion":"1.0",
                "supportedConnectionTypes":["long-polling"],"advice":{"timeout":60000,"interval":0},"ext":{"replay":true}}]"#,
        )
        .text();
    let client = body.split("\"clientId\":\"").nth(1).unwrap().split('"').next().unwrap();
    assert!((25..=30).contains(&client.len()), "{client}");
    assert!(client.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{client}");
    same(include_str!("../fixtures/handshake-ok.json"), &body, client);
}

#[test]
fn handshake_with_a_revoked_token() {
    let mut desk = Desk::new(&[]);
    desk.token = Some("revoked".to_owned());
    let body = desk.send(r#"[{"channel":"/meta/handshake","id":"2x","version":"1.0"}]"#).text();
    same(include_str!("../fixtures/handshake-401.json"), &body, "");
}

#[test]
fn connect_with_a_revoked_token() {
    let mut desk = Desk::new(&[]);
    let client = desk.connected();
    desk.bus.state().tokens.remove(TOKEN);
    let body = desk
        .send(&format!(r#"{{"channel":"/meta/connect","id":7,"clientId":"{client}","connectionType":"long-polling"}}"#))
        .text();
    same(include_str!("../fixtures/connect-401.json"), &body, &client);
}

#[test]
fn first_connect_then_an_idle_one_then_a_lost_session() {
    let mut desk = Desk::new(&[]);
    let client = desk.handshake();
    let first = desk.connect(&client, "85").text();
    same(include_str!("../fixtures/connect-first-advice.json"), &first, &client);

    let held = desk.connect(&client, "86").held();
    desk.pass(110);
    let idle = desk.look(held).text();
    same(include_str!("../fixtures/connect-idle.json"), &idle, &client);

    desk.pass(40);
    let lost = desk.connect(&client, "83").text();
    same(include_str!("../fixtures/connect-unknown-client.json"), &lost, &client);
}

#[test]
fn connect_with_an_event() {
    let fixture = include_str!("../fixtures/connect-with-event.json");
    let recorded: serde_json::Value = serde_json::from_str(fixture).unwrap();
    let mut desk = Desk::new(&["/topic/Monster"]);
    let client = desk.connected();
    desk.subscribe(&client, "/topic/Monster", "-1");
    let held = desk.connect(&client, "4").held();
    desk.bus.announce("/topic/Monster", 3, recorded[0]["data"].to_string());
    let body = desk.look(held).text();
    same(fixture, &body, &client);
}

#[test]
fn subscribe_ok() {
    let mut desk = Desk::new(&["/topic/InvoiceStatementUpdates"]);
    let client = desk.handshake();
    let body = desk
        .send(&format!(
            r#"[{{"channel":"/meta/subscribe","id":"15","clientId":"{client}","subscription":"/topic/InvoiceStatementUpdates"}}]"#
        ))
        .text();
    same(include_str!("../fixtures/subscribe-ok.json"), &body, &client);
}

#[test]
fn subscribe_with_a_replay_id_out_of_retention() {
    let mut desk = Desk::new(&["/topic/Example"]);
    let client = desk.handshake();
    let body = desk
        .send(&format!(
            r#"[{{"channel":"/meta/subscribe","id":"5","clientId":"{client}","subscription":"/topic/Example",
                "ext":{{"replay":{{"/topic/Example":1553783}}}}}}]"#
        ))
        .text();
    same(include_str!("../fixtures/subscribe-replay-invalid.json"), &body, &client);
}

#[test]
fn subscribe_beyond_the_daily_limit() {
    let mut desk = Desk::new(&["/event/Workato_Trigger__e"]);
    let client = desk.handshake();
    desk.bus.state().deliveries_left = 0;
    let body = desk
        .send(&format!(
            r#"[{{"channel":"/meta/subscribe","id":"2","clientId":"{client}","subscription":"/event/Workato_Trigger__e"}}]"#
        ))
        .text();
    same(include_str!("../fixtures/subscribe-daily-limit.json"), &body, &client);
}
