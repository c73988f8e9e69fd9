//! An org that is kept in a file.

use std::time::Duration;

use salesforce_emulator::{Config, Emulator, StartError};
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
