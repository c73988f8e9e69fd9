//! An org that is kept in a file.

use std::collections::BTreeMap;
use std::time::Duration;

use salesforce_emulator::org::Crowd;
use salesforce_emulator::{Config, Emulator, SchemaChange, StartError};
use serde_json::{Value as Json, json};

use crate::client::{Client, still};
use crate::streaming::Subscriber;

#[tokio::test]
async fn rows_time_topics_and_events_survive() {
    let folder = tempfile::tempdir().unwrap();
    let config = |seed| Config {
        data: Some(folder.path().join("org.sqlite")),
        seed,
        rows: vec![("Account".to_owned(), 3)],
        settings: still(),
        ..Config::default()
    };
    let client = Client::with(config(1)).await;
    client.emulator.org().advance(Duration::from_secs(60)).unwrap();
    client.create("PushTopic", json!({"Name": "T", "Query": "SELECT Id FROM Account", "ApiVersion": 62.0})).await;
    let id = client.create("Account", json!({"Name": "kept"})).await;
    let events = Subscriber::connect(&client).await.subscribe("/topic/T", -2).await;
    let truth: Json = serde_json::from_slice(&client.emulator.org().records("Account", true).unwrap()).unwrap();
    let secret = client.emulator.credentials().refresh_token.clone();
    client.emulator.shutdown().await;

    // Another seed is asked for; the file's own counts.
    let client = Client::with(config(2)).await;
    let again: Json = serde_json::from_slice(&client.emulator.org().records("Account", true).unwrap()).unwrap();
    assert_eq!((again, &client.emulator.credentials().refresh_token), (truth, &secret));
    assert_eq!(client.emulator.org().now().to_string(), "2026-01-01T00:01:00Z");
    let mut subscriber = Subscriber::connect(&client).await;
    assert_eq!(subscriber.subscribe("/topic/T", -2).await, events);
    let next = client.create("Account", json!({"Name": "next"})).await;
    assert!(next > id);
    let replay_id = |event: &Json| event["data"]["event"]["replayId"].as_i64().unwrap();
    assert!(replay_id(&subscriber.poll().await[0]) > replay_id(&events[0]));
}

/// The schema was changed before the first row came and while the org ran.
#[tokio::test]
async fn the_schema_survives() {
    let folder = tempfile::tempdir().unwrap();
    let objects = json!({"Invoice__c": {"fields": {"Number__c": {"type": "string"}, "Old__c": {"type": "double"}}}});
    let config = |first: bool| Config {
        data: Some(folder.path().join("org.sqlite")),
        objects: if first { serde_json::from_value(objects.clone()).unwrap() } else { BTreeMap::new() },
        crowd: Crowd { standard: 3, custom: 2, fields: 30 },
        rows: vec![("Invoice__c".to_owned(), 3), ("Badge_Action_001__c".to_owned(), 2)],
        settings: still(),
        ..Config::default()
    };
    let look = async |client: &Client| {
        let mut seen = Vec::new();
        for path in ["", "/Invoice__c/describe", "/Account/describe", "/Badge_Action_001__c/describe"] {
            let answer = client.get(&format!("/services/data/v62.0/sobjects{path}")).await;
            seen.push((answer.headers["etag"].clone(), answer.text.replace(client.emulator.url(), "")));
        }
        for object in ["Invoice__c", "Badge_Action_001__c"] {
            let rows = client.emulator.org().records(object, true).unwrap();
            seen.push(("\"\"".parse().unwrap(), String::from_utf8(rows).unwrap()));
        }
        seen
    };
    let client = Client::with(config(true)).await;
    let changes = json!([
        {"retype_field": {"object": "Invoice__c", "field": "Old__c", "definition": {"type": "string"}}},
        {"rename_field": {"object": "Invoice__c", "field": "Old__c", "to": "New__c"}},
        {"hide_field": {"object": "Account", "field": "Industry"}},
        {"hide_object": {"object": "Lead"}},
    ]);
    let changes: Vec<SchemaChange> = serde_json::from_value(changes).unwrap();
    client.emulator.org().change_schema(changes).unwrap();
    let before = look(&client).await;
    client.emulator.shutdown().await;
    let client = Client::with(config(false)).await;
    let after = look(&client).await;
    assert!(before == after, "the org's schema or rows are others after a restart");
    client.create("Invoice__c", json!({"New__c": "text"})).await;
}

#[tokio::test]
async fn other_machines_are_kept_out_unless_asked_in() {
    let listen = "0.0.0.0:0".parse().unwrap();
    let refused = Emulator::start(Config { listen, ..Config::default() }).await;
    assert!(matches!(refused, Err(StartError::Remote(_))));
    Emulator::start(Config { listen, allow_remote: true, ..Config::default() }).await.unwrap().shutdown().await;
}

#[tokio::test]
async fn an_org_that_cannot_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("org.sqlite");
    std::fs::write(&file, "this is no database, however long one looks at it; at least a page of it is not".repeat(10))
        .unwrap();
    let Err(error) = Emulator::start(Config { data: Some(file), ..Config::default() }).await else {
        panic!("it opened")
    };
    assert!(matches!(error, StartError::Open(_)), "{error}");
}
