//! Activities that are over a year old.

use std::time::Duration;

use salesforce_emulator::{Config, Settings};
use serde_json::{Value as Json, json};

use crate::client::{Client, still};
use crate::streaming::{Subscriber, kinds};

const DAY: u64 = 24 * 60 * 60;

/// What is old enough after a year, and who sees it then.
#[tokio::test]
async fn old_activities_are_hidden() {
    let client = Client::new().await;
    let topic = json!({"Name": "T", "Query": "SELECT Id FROM Task", "ApiVersion": 62.0, "NotifyForFields": "All"});
    client.create("PushTopic", topic).await;
    let (open, done) = ("Not Started", "Completed");
    for (subject, status, day) in [
        ("open and due long ago", open, json!("2020-01-01")),
        ("done and due long ago", done, json!("2020-01-01")),
        ("done and due today", done, json!("2026-01-01")),
        ("done and due tomorrow", done, json!("2026-01-02")),
        ("done without a date", done, Json::Null),
    ] {
        client.create("Task", json!({"Subject": subject, "Status": status, "ActivityDate": day})).await;
    }
    for (subject, start) in [("met", "2026-01-01T10:00:00Z"), ("to meet", "2027-05-01T10:00:00Z")] {
        client.create("Event", json!({"Subject": subject, "ActivityDateTime": start, "DurationInMinutes": 30})).await;
    }
    let subjects = |found: Json| {
        let rows = found["records"].as_array().unwrap().iter();
        rows.map(|row| format!("{}, {}", row["Subject"].as_str().unwrap(), row["IsArchived"]))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let soql = |object: &str| format!("SELECT Subject, IsArchived FROM {object} ORDER BY Id");
    client.emulator.org().advance(Duration::from_secs(DAY)).unwrap();
    let client = client.renewed().await;
    insta::assert_snapshot!(subjects(client.query(&soql("Task")).await.json()), @"
    open and due long ago, false
    done and due today, false
    done and due tomorrow, false
    done without a date, false
    ");
    client.emulator.org().advance(Duration::from_secs(364 * DAY + DAY / 2)).unwrap();
    let client = client.renewed().await;
    insta::assert_snapshot!(subjects(client.query(&soql("Task")).await.json()), @"
    open and due long ago, false
    done and due tomorrow, false
    ");
    insta::assert_snapshot!(subjects(client.query(&soql("Event")).await.json()), @"to meet, false");
    insta::assert_snapshot!(subjects(client.query_all(&soql("Task")).await.json()), @"
    open and due long ago, false
    done and due long ago, true
    done and due today, true
    done and due tomorrow, false
    done without a date, true
    ");
    let count = client.query_all("SELECT COUNT() FROM Task WHERE IsArchived = true").await.json();
    assert_eq!(count["totalSize"], 3);
    let stamps = client.query_all("SELECT Id FROM Task WHERE SystemModstamp > 2026-01-01T12:00:00Z").await.json();
    assert_eq!(stamps["totalSize"], 0, "no modstamp moved");
    // One by one, archived activities are read, changed and deleted like others.
    let id = client.query_all("SELECT Id FROM Task WHERE IsArchived = true").await.json()["records"][0]["Id"].clone();
    let id = id.as_str().unwrap();
    assert_eq!(client.get(&format!("/services/data/v62.0/sobjects/Task/{id}")).await.json()["IsArchived"], true);
    client.update("Task", id, json!({"Subject": "changed"})).await;
    client.delete("Task", id).await;
    let truth: Json = serde_json::from_slice(&client.emulator.org().records("Task", false).unwrap()).unwrap();
    assert_eq!(truth.as_array().unwrap().len(), 4, "the truth has what is archived");
    let mut subscriber = Subscriber::connect(&client).await;
    assert_eq!(kinds(&subscriber.subscribe("/topic/T", -2).await), ["updated", "deleted"]);
}

/// An org that is filled has old activities from the start.
#[tokio::test]
async fn filled_orgs() {
    let client = Client::with_rows(&[("Task", 500)]).await;
    let count = async |soql: &str| client.query_all(soql).await.json()["totalSize"].as_u64().unwrap();
    let archived = count("SELECT COUNT() FROM Task WHERE IsArchived = true").await;
    assert!(archived > 0);
    assert_eq!(client.query("SELECT COUNT() FROM Task").await.json()["totalSize"], 500 - archived);
}

#[tokio::test]
async fn whether_modstamps_move_is_a_setting() {
    let settings = Settings { archiving_moves_modstamps: true, ..still() };
    let client = Client::with(Config { settings, ..Config::default() }).await;
    client.create("Task", json!({"Status": "Completed", "ActivityDate": "2020-01-01"})).await;
    client.emulator.org().advance(Duration::from_secs(60)).unwrap();
    let row = client.query_all("SELECT SystemModstamp, LastModifiedDate FROM Task").await.json();
    assert_eq!(row["records"][0]["SystemModstamp"], "2026-01-01T00:01:00.000+0000");
    assert_eq!(row["records"][0]["LastModifiedDate"], "2026-01-01T00:00:00.000+0000");
}
