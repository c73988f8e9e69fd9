//! An org that is kept in a file.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use reqwest::Method;
use salesforce_emulator::org::{Crowd, OpenError};
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

#[tokio::test]
async fn a_file_is_one_orgs_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let config = || Config { data: Some(folder.path().join("org.sqlite")), settings: still(), ..Config::default() };
    for _ in 0..2 {
        let client = Client::with(config()).await;
        let Err(error) = Emulator::start(config()).await else { panic!("it opened twice") };
        assert!(matches!(error, StartError::Open(OpenError::Taken)), "{error}");
        client.create("Account", json!({"Name": "written all the same"})).await;
        client.emulator.shutdown().await;
    }
}

/// Children are found in tables that nobody asked for since the org was opened, or since its schema changed.
#[tokio::test]
async fn children_are_dealt_with_before_anyone_asks_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let config = || Config { data: Some(folder.path().join("org.sqlite")), settings: still(), ..Config::default() };
    let client = Client::with(config()).await;
    let mut accounts = Vec::new();
    for name in ["a", "b"] {
        accounts.push(client.create("Account", json!({"Name": name})).await);
    }
    let contact = client.create("Contact", json!({"LastName": "c", "AccountId": accounts[1]})).await;
    client.create("Case", json!({"ContactId": contact})).await;
    let lead = client.create("Lead", json!({"LastName": "l", "Company": "l"})).await;
    client.create("Task", json!({"Subject": "t", "WhoId": lead})).await;
    client.emulator.shutdown().await;

    let client = Client::with(config()).await;
    let merge = json!({"object": "Account", "master": accounts[0], "losers": [accounts[1]]});
    let merged = client.call(Method::POST, "/__emulator/merge", Some(merge)).await.json();
    assert_eq!(merged["reparented"][0], json!(contact), "{merged}");
    let change = r#"{"hide_field": {"object": "Account", "field": "Industry"}}"#;
    let forget = || client.emulator.org().change_schema([serde_json::from_str(change).unwrap()]).unwrap();
    forget();
    let path = format!("/services/data/v62.0/sobjects/Contact/{contact}");
    let kept = client.call(Method::DELETE, &path, None).await;
    assert!(kept.text.contains("DELETE_FAILED"), "{}", kept.text);
    forget();
    let converted = client.call(Method::POST, "/__emulator/convert", Some(json!({"lead": lead}))).await;
    assert_eq!(converted.status, 200, "{}", converted.text);
}

/// Whoever embeds the org may panic in a transaction. What is written afterwards is kept nevertheless.
#[tokio::test]
async fn a_panic_undoes_its_transaction_alone() {
    let folder = tempfile::tempdir().unwrap();
    let config = || Config { data: Some(folder.path().join("org.sqlite")), settings: still(), ..Config::default() };
    let client = Client::with(config()).await;
    let name = |name: &str| json!({"Name": name}).as_object().unwrap().clone();
    let org = client.emulator.org().clone();
    let panics = || {
        org.transaction(|transaction| {
            transaction.create("Account", &name("undone"))?;
            panic!("on purpose") as Result<(), _>
        })
    };
    std::panic::catch_unwind(AssertUnwindSafe(panics)).unwrap_err();
    org.create("Account", &name("kept")).unwrap();
    drop(org);
    client.emulator.shutdown().await;
    let client = Client::with(config()).await;
    let rows = client.query("SELECT Name FROM Account").await.json();
    assert_eq!((&rows["totalSize"], &rows["records"][0]["Name"]), (&json!(1), &json!("kept")));
}
