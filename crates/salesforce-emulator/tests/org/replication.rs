//! `getUpdated` and `getDeleted`.

use std::time::Duration;

use reqwest::Method;
use salesforce_emulator::org::{FieldDefinition, FieldType, ObjectDefinition, SchemaChange};
use salesforce_emulator::{Config, Settings};
use serde_json::{Value as Json, json};

use crate::client::{Answer, Client, encode, still};

/// Asks `/updated` or `/deleted` with minutes since the start of 2026.
pub(crate) async fn ask(client: &Client, resource: &str, start: &str, end: &str) -> Answer {
    let (start, end) = (encode(start), encode(end));
    client.get(&format!("/services/data/v62.0/sobjects/{resource}/?start={start}&end={end}")).await
}

fn advance(client: &Client, seconds: u64) {
    client.emulator.org().advance(Duration::from_secs(seconds)).unwrap();
}

#[tokio::test]
async fn what_was_created_changed_and_deleted() {
    let client = Client::new().await;
    let first = client.create("Account", json!({"Name": "first"})).await;
    let second = client.create("Account", json!({"Name": "second"})).await;
    advance(&client, 90);
    client.update("Account", &first, json!({"Name": "changed"})).await;
    let third = client.create("Account", json!({"Name": "third"})).await;
    client.delete("Account", &third).await;
    advance(&client, 90);
    client.delete("Account", &second).await;
    advance(&client, 600);
    let mut answers = Vec::new();
    for (resource, start, end) in [
        ("Account/updated", "2026-01-01T00:00:00+00:00", "2026-01-01T00:10:00+00:00"),
        // Seconds do not count, and the spelling of the zone does not matter.
        ("account/updated", "2026-01-01T00:01:59Z", "2026-01-01T00:02:59.000+0000"),
        ("Account/updated", "2026-01-01T00:02:00Z", "2026-01-01T00:03:00Z"),
        // Nobody knows what will be.
        ("Account/updated", "2026-01-01T00:00:00Z", "2026-01-01T12:00:00Z"),
        ("Account/deleted", "2026-01-01T00:00:00Z", "2026-01-01T00:10:00Z"),
        ("Account/deleted", "2026-01-01T00:02:00Z", "2026-01-01T00:10:00Z"),
        ("Contact/deleted", "2026-01-01T00:00:00Z", "2026-01-01T00:10:00Z"),
    ] {
        answers.push(format!("{resource} {start} {end}\n{}", ask(&client, resource, start, end).await.text));
    }
    client.emulator.org().undelete("Account", salesforce_emulator::org::Id::parse(&second).unwrap()).unwrap();
    let text = ask(&client, "Account/deleted", "2026-01-01T00:00:00Z", "2026-01-01T00:10:00Z").await.text;
    answers.push(format!("after the restoring of the second\n{text}"));
    insta::assert_snapshot!(answers.join("\n"));
}

#[tokio::test]
async fn refusals() {
    let client = Client::new().await;
    advance(&client, 60 * 86_400);
    let client = client.renewed().await;
    let mut answers = Vec::new();
    for (resource, start, end) in [
        ("Account/updated", "2026-03-01T00:00:59Z", "2026-03-01T00:00:00Z"),
        ("Account/updated", "2026-03-01T00:00:01Z", "2026-03-01T00:00:59Z"),
        ("Account/updated", "2026-01-30T00:00:00Z", "2026-03-01T00:00:00Z"),
        ("Account/updated", "yesterday", "2026-03-01T00:00:00Z"),
        ("Account/deleted", "2026-03-01T00:00:00Z", "2026-03-01T00:01:00Z"),
        ("Account/deleted", "2026-02-14T00:00:00Z", "2026-03-01T00:01:00Z"),
        ("PushTopic/updated", "2026-03-01T00:00:00Z", "2026-03-01T00:05:00Z"),
        ("Nothing/updated", "2026-03-01T00:00:00Z", "2026-03-01T00:05:00Z"),
    ] {
        let client = &client;
        answers.push(format!("{resource} {start} {end}\n{}", client.shown(&ask(client, resource, start, end).await)));
    }
    answers.push(
        client.shown(&client.get("/services/data/v62.0/sobjects/Account/updated?start=2026-03-01T00:00:00Z").await),
    );
    insta::assert_snapshot!(answers.join("\n"));
}

async fn deletions(client: &Client, start: &str) -> Result<(usize, String), String> {
    let answer = ask(client, "Lead/deleted", start, "2026-02-01T00:00:00Z").await;
    let json = answer.json();
    match json["deletedRecords"].as_array() {
        Some(records) => Ok((records.len(), json["earliestDateAvailable"].as_str().unwrap().to_owned())),
        None => Err(json[0]["errorCode"].as_str().unwrap().to_owned()),
    }
}

#[tokio::test]
async fn an_emptied_recycle_bin_is_not_passed_over() {
    let client = Client::with_rows(&[("Lead", 3)]).await;
    let ids = client.emulator.org().ids("Lead", false).unwrap();
    client.delete("Lead", ids[0].as_str()).await;
    advance(&client, 300);
    assert_eq!(
        client.send(Method::DELETE, "/__emulator/recycle_bin", &[], None).await.unwrap().status,
        reqwest::StatusCode::NO_CONTENT
    );
    client.delete("Lead", ids[1].as_str()).await;
    let all = client.query_all("SELECT Id FROM Lead").await.json()["totalSize"].clone();
    assert_eq!(all, 2, "what was purged is in no query");
    assert_eq!(deletions(&client, "2026-01-01T00:00:00Z").await, Err("INVALID_REPLICATION_DATE".to_owned()));
    assert_eq!(
        deletions(&client, "2026-01-01T00:05:00Z").await,
        Ok((1, "2026-01-01T00:05:00.000+0000".to_owned())),
        "and what came later is told"
    );
}

#[tokio::test]
async fn the_delete_log_forgets_the_oldest() {
    let settings = Settings { delete_log: 2, ..still() };
    let rows = vec![("Lead".to_owned(), 4)];
    let client = Client::with(Config { rows, settings, ..Config::default() }).await;
    for id in client.emulator.org().ids("Lead", false).unwrap() {
        client.delete("Lead", id.as_str()).await;
        advance(&client, 60);
    }
    assert_eq!(deletions(&client, "2026-01-01T00:00:00Z").await.unwrap().0, 4, "young entries are safe");
    advance(&client, 3 * 3600);
    let client = client.renewed().await;
    assert_eq!(deletions(&client, "2026-01-01T00:00:00Z").await, Err("INVALID_REPLICATION_DATE".to_owned()));
    assert_eq!(deletions(&client, "2026-01-01T00:02:00Z").await.unwrap().0, 2);
    let all: Json = client.query_all("SELECT Id FROM Lead WHERE IsDeleted = TRUE").await.json();
    assert_eq!(all["totalSize"], 4, "the recycle bin forgets nothing");
}

#[tokio::test]
async fn deletions_outlive_changes_of_the_schema() {
    let client = Client::new().await;
    let org = client.emulator.org();
    let (object, field) = (|| "Trip__c".to_owned(), || "Days__c".to_owned());
    let fields = [(field(), FieldDefinition::of(FieldType::Double))].into();
    let definition = ObjectDefinition { fields, ..ObjectDefinition::default() };
    org.change_schema([SchemaChange::CreateObject { object: object(), definition }]).unwrap();
    let asked = async |resource: &str| {
        let answer = ask(&client, resource, "2026-01-01T00:00:00Z", "2026-01-01T00:10:00Z").await;
        let json = answer.json();
        let ids = json["ids"].as_array().or(json["deletedRecords"].as_array()).map(Vec::len);
        (answer.status.as_u16(), ids)
    };
    assert_eq!(asked("Trip__c/updated").await, (200, Some(0)), "nothing ever touched it");
    assert_eq!(asked("Trip__c/deleted").await, (200, Some(0)));
    let kept = client.create("Trip__c", json!({"Days__c": 1})).await;
    let gone = client.create("Trip__c", json!({"Days__c": 2})).await;
    client.delete("Trip__c", &gone).await;
    org.change_schema([SchemaChange::RenameField { object: object(), field: field(), to: "Nights__c".into() }])
        .unwrap();
    assert_eq!((asked("Trip__c/updated").await, asked("Trip__c/deleted").await), ((200, Some(1)), (200, Some(1))));
    let away = [
        SchemaChange::HideObject { object: object() },
        SchemaChange::DeleteObject { object: object(), unless_streamed: false },
    ];
    for change in away {
        org.change_schema([change]).unwrap();
        assert_eq!((asked("Trip__c/updated").await, asked("Trip__c/deleted").await), ((404, None), (404, None)));
        org.change_schema([SchemaChange::RestoreObject { object: object() }]).unwrap();
        assert_eq!((asked("Trip__c/updated").await, asked("Trip__c/deleted").await), ((200, Some(1)), (200, Some(1))));
    }
    org.undelete("Trip__c", salesforce_emulator::org::Id::parse(&gone).unwrap()).unwrap();
    assert_eq!(asked("Trip__c/deleted").await, (200, Some(0)));
    client.delete("Trip__c", &kept).await;
    org.change_schema([SchemaChange::DeleteObject { object: object(), unless_streamed: false }]).unwrap();
    org.empty_recycle_bin().unwrap();
    org.change_schema([SchemaChange::RestoreObject { object: object() }]).unwrap();
    let all = client.query_all("SELECT Id, Nights__c FROM Trip__c").await.json();
    assert_eq!(
        (&all["totalSize"], &all["records"][0]["Nights__c"]),
        (&json!(1), &json!(2.0)),
        "what was binned is purged"
    );
}
