//! The small runtime, with shell scripts for connectors.
#![cfg(unix)]

use demo::{
    Error,
    runtime::{Binding, Capture, Connector, Message, Session},
    verdict::Difference,
};
use serde_json::{Value, json};

/// A connector that answers `spec` and then does what the script says.
fn connector(script: &str) -> Connector {
    let spec = r#"read -r spec; echo '{"spec":{"protocol":3032023}}'"#;
    Connector::new("/bin/sh").with_argument("-c").with_argument(format!("{spec}; {script}"))
}

/// A connector whose session begins as it should.
fn session(script: &str) -> Connector {
    connector(&format!(
        r#"read -r open; echo '{{"opened":{{"explicitAcknowledgements":true}}}}'
        doc() {{ echo "{{\"captured\":{{\"binding\":$1,\"doc\":{{\"_meta\":{{\"op\":\"$2\"}},\"Id\":\"$3\",\"Name\":\"$4\"}}}}}}"; }}
        checkpoint() {{ echo "{{\"checkpoint\":{{\"state\":{{\"updated\":{{\"at\":$1}},\"mergePatch\":true}}}}}}"; }}
        {script}"#
    ))
}

fn capture() -> Capture {
    let binding = |name: &str| Binding {
        resource_config: json!({ "stream": name }),
        resource_path: vec![name.to_owned()],
        collection: format!("acmeCo/{name}"),
        document_schema: json!({ "type": "object" }),
        key: vec!["/Id".to_owned()],
        disabled: false,
        backfill: 0,
    };
    Capture::new("acmeCo/capture", json!({}), vec![binding("Account"), binding("Two Words/ü")])
}

async fn open(script: &str) -> (Capture, Session) {
    let mut capture = capture();
    let session = capture.open(&session(script)).await.expect("a session");
    (capture, session)
}

#[tokio::test]
async fn one_request_one_answer() {
    let good = connector(r#"read -r request; echo "{\"discovered\":$request}""#);
    let answer = good.ask(&json!({ "discover": { "name": "a" } }), "discovered").await.unwrap();
    assert_eq!(answer, json!({ "discover": { "name": "a" } }));
    assert_eq!(connector("").spec().await.unwrap(), json!({ "protocol": 3_032_023 }));
}

#[tokio::test]
async fn a_connector_that_misbehaves_is_found_out() {
    let log = r#"echo '{"level":"error","message":"the token was refused"}' >&2"#;
    let cases = [
        ("ends without an answer", "read -r request; exit 0".to_owned()),
        ("fails with a log line", format!("read -r request; {log}; exit 1")),
        ("fails after its answer", format!("read -r request; echo '{{\"applied\":{{}}}}'; {log}; exit 1")),
        ("says more than it was asked", "read -r request; echo '{\"applied\":{}}'; echo '{\"applied\":{}}'".to_owned()),
        ("answers something else", "read -r request; echo '{\"validated\":{}}'".to_owned()),
        ("answers in prose", "read -r request; echo done".to_owned()),
        ("answers two things", "read -r request; echo '{\"applied\":{},\"opened\":{}}'".to_owned()),
        ("answers with an empty line", "read -r request; echo".to_owned()),
        ("answers with half a line", "read -r request; printf '{\"applied\":{}}'".to_owned()),
        ("answers in bytes", "read -r request; printf '\\377\\n'".to_owned()),
    ];
    let mut found = Vec::new();
    for (what, script) in cases {
        let error = connector(&script).ask(&json!({ "apply": {} }), "applied").await.unwrap_err();
        found.push(format!("{what}: {error}"));
    }
    let missing = Connector::new("/nonexistent/connector").spec().await.unwrap_err();
    found.push(format!("does not exist: {missing}"));
    let other = Connector::new("/bin/sh").with_argument("-c").with_argument(r#"echo '{"spec":{"protocol":1}}'; cat"#);
    found.push(format!("speaks another protocol: {}", other.spec().await.unwrap_err()));
    insta::assert_snapshot!(found.join("\n"));
}

#[tokio::test]
async fn commits_happen_at_checkpoints_and_survive_a_kill() {
    let (mut capture, mut session) = open(
        r#"doc 0 c 1 one; doc 1 c 1 other; checkpoint 1
        doc 0 u 1 uno; doc 0 c 2 two; checkpoint 2; doc 0 d 1 ""; checkpoint 3
        doc 0 c 3 lost; echo '{"captured":{"binding":'; cat >/dev/null"#,
    )
    .await;
    for state in 1..=3 {
        capture.commit(session.group().await.unwrap().unwrap()).unwrap();
        session.acknowledge(1).await.unwrap();
        assert_eq!(capture.state(), &json!({ "at": state }));
    }
    assert!(matches!(session.message().await, Ok(Some(Message::Kept))));
    let exit = session.kill().await.unwrap();
    assert_eq!(exit.code, None);

    let ids = |binding: usize| capture.collection(binding).rows().keys().cloned().collect::<Vec<_>>();
    assert_eq!((ids(0), ids(1)), (vec!["2".to_owned()], vec!["1".to_owned()]));
    assert_eq!((capture.documents(), capture.checkpoints()), (5, 3));
    let open = &capture.open_request()["open"];
    assert_eq!(open["state"], json!({ "at": 3 }));
    let keys: Vec<&Value> = (0..2).map(|at| &open["capture"]["bindings"][at]["stateKey"]).collect();
    assert_eq!(keys, ["Account.v0", "Two%20Words%2F%C3%BC.v0"]);
    capture.backfill(0);
    assert_eq!(capture.bindings()[0].state_key(), "Account.v1");
}

#[tokio::test]
async fn a_session_ends_with_its_input() {
    let (mut capture, mut session) = open(
        r#"while read -r line; do echo "$line" >&2; done
        doc 0 c 1 last; echo '{"sourcedSchema":{"binding":1,"schema_json":{"type":"object"}}}'; echo '{"checkpoint":{}}'"#,
    )
    .await;
    session.acknowledge(2).await.unwrap();
    session.acknowledge(0).await.unwrap();
    session.close();
    capture.commit(session.group().await.unwrap().unwrap()).unwrap();
    assert!(session.group().await.unwrap().is_none());
    let exit = session.ended().await.unwrap();
    assert_eq!((exit.code, exit.log), (Some(0), vec![r#"{"acknowledge":{"checkpoints":2}}"#.to_owned()]));
    assert_eq!(capture.collection(0).rows().len(), 1);
    assert_eq!(capture.sourced_schema(0), None);
    assert_eq!(capture.sourced_schema(1), Some(&json!({ "type": "object" })));
    assert_eq!(capture.state(), &json!({}));
}

#[tokio::test]
async fn a_session_that_breaks_the_protocol_is_found_out() {
    let mut found = Vec::new();
    for (what, script) in [
        ("a binding out of range", "doc 2 c 1 one"),
        ("a document that is none", r#"echo '{"captured":{"binding":0,"doc":"one"}}'"#),
        ("a state that is none", r#"echo '{"checkpoint":{"state":{"updated":[],"mergePatch":true}}}'"#),
        ("an answer of another request", r#"echo '{"applied":{}}'"#),
        ("an end within a group", "doc 0 c 1 one"),
        ("a failure within a group", r#"doc 0 c 1 one; echo '{"message":"the token was refused"}' >&2; exit 1"#),
    ] {
        let (_, mut session) = open(script).await;
        let error: Error = session.group().await.unwrap_err();
        found.push(format!("{what}: {error}"));
    }
    let late = connector(r#"read -r open; echo '{"checkpoint":{}}'"#);
    found.push(format!("no `opened`: {}", capture().open(&late).await.unwrap_err()));

    for (what, document) in
        [("no key", r#"echo '{"captured":{"doc":{"_meta":{"op":"c"}}}}'"#), ("an odd operation", "doc 0 x 1 one")]
    {
        let (mut capture, mut session) = open(&format!("{document}; checkpoint 1")).await;
        let group = session.group().await.unwrap().unwrap();
        found.push(format!("{what}: {}", capture.commit(group).unwrap_err()));
    }
    insta::assert_snapshot!(found.join("\n"));
}

/// Waiting for a message can be given up at any moment without losing a byte.
#[tokio::test]
async fn reading_is_cancel_safe() {
    let (_, mut session) = open(
        r#"for id in 1 2 3 4 5 6 7 8 9; do doc 0 c $id "$(head -c 20000 /dev/zero | tr '\0' x)"; done; checkpoint 1"#,
    )
    .await;
    let group = loop {
        tokio::select! {
            biased;
            group = session.group() => break group.unwrap().unwrap(),
            () = tokio::task::yield_now() => {}
        }
    };
    let ids: Vec<&Value> = group.documents.iter().map(|captured| &captured.document["Id"]).collect();
    assert_eq!(ids, ["1", "2", "3", "4", "5", "6", "7", "8", "9"]);
}

#[test]
fn differences_are_told_apart() {
    let rows = |rows: Value| serde_json::from_value::<std::collections::BTreeMap<String, Value>>(rows).unwrap();
    let captured = rows(json!({
        "same": {
            "_meta": {"op": "u"}, "Id": "same", "Amount": 1.0, "CreatedDate": "2026-11-22T10:00:00.000Z",
            "BillingAddress": {"city": "Bonn"}, "Name": null,
        },
        "other": {"_meta": {"op": "u"}, "Id": "other", "Name": "old", "Extra": 1, "CreatedDate": "2026-11-22T10:00:00Z"},
        "gone": {"_meta": {"op": "c"}, "Id": "gone"},
    }));
    let truth = rows(json!({
        "same": {
            "attributes": {"type": "Account"}, "Id": "same", "Amount": 1, "CreatedDate": "2026-11-22T10:00:00.000+0000",
            "BillingAddress": {"city": "Bonn", "street": null}, "Name": null,
        },
        "other": {"Id": "other", "Name": "new", "Lacking": 2, "CreatedDate": "2026-11-22T10:00:01.000+0000"},
        "new": {"Id": "new"},
    }));
    assert!(Difference::between("Account", &captured, &captured).is_empty());
    let difference = Difference::between("Account", &captured, &truth);
    assert_eq!(difference.count(), 3);
    insta::assert_snapshot!(difference);
}
