//! Transactions that commit late: rows whose modstamps are older than the moment they appear.

use std::time::Duration;

use reqwest::Method;
use salesforce_emulator::org::{FieldDefinition, FieldType, Id, ObjectDefinition, SchemaChange};
use salesforce_emulator::{Mix, Workload};
use serde_json::{Map, Value as Json, json};

use crate::client::{Answer, Client};
use crate::replication::ask;
use crate::streaming::{Subscriber, kinds};

fn body(json: Json) -> Map<String, Json> {
    serde_json::from_value(json).unwrap()
}

fn advance(client: &Client, seconds: u64) {
    client.emulator.org().advance(Duration::from_secs(seconds)).unwrap();
}

async fn names(client: &Client) -> Vec<String> {
    let found = client.query("SELECT Name FROM Account ORDER BY Name").await.json();
    found["records"].as_array().unwrap().iter().map(|record| record["Name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn written_early_and_seen_late() {
    let client = Client::new().await;
    let org = client.emulator.org();
    let topic =
        json!({"Name": "A", "Query": "SELECT Id, Name FROM Account", "ApiVersion": 62.0, "NotifyForFields": "All"});
    client.create("PushTopic", topic).await;
    let old = client.create("Account", json!({"Name": "old"})).await;
    let doomed = client.create("Account", json!({"Name": "doomed"})).await;
    let id = |text: &str| Id::parse(text).unwrap();
    let mut subscriber = Subscriber::connect(&client).await;
    subscriber.subscribe("/topic/A", -1).await;

    advance(&client, 100);
    let late = org.begin_late();
    let made = late.write(|transaction| transaction.create("Account", &body(json!({"Name": "late"})))).unwrap();
    late.write(|transaction| transaction.update("Account", made, &body(json!({"Phone": "1"})))).unwrap();
    late.write(|transaction| {
        transaction.update("Account", id(&old), &body(json!({"Name": "changed"})))?;
        transaction.delete("Account", id(&doomed))
    })
    .unwrap();

    // Nobody sees anything of it, by any way.
    advance(&client, 200);
    let other = client.create("Account", json!({"Name": "other"})).await;
    assert_eq!(names(&client).await, ["doomed", "old", "other"]);
    let path = format!("/services/data/v62.0/sobjects/Account/{made}");
    assert_eq!(client.get(&path).await.status, 404);
    let truth = String::from_utf8(org.records("Account", true).unwrap()).unwrap();
    assert!(!truth.contains("late") && !truth.contains("changed"));
    let updated = ask(&client, "Account/updated", "2026-01-01T00:00:00Z", "2026-01-01T00:09:00Z").await.json();
    assert_eq!(updated["ids"], json!([old, doomed, other]));
    assert_eq!(updated["latestDateCovered"], "2026-01-01T00:01:00.000+0000", "stays behind what is still to come");
    assert_eq!(kinds(&subscriber.poll().await), ["created"]);

    late.commit().unwrap();
    assert_eq!(names(&client).await, ["changed", "late", "other"]);
    let made = client.get(&path).await.json();
    for field in ["CreatedDate", "LastModifiedDate", "SystemModstamp"] {
        assert_eq!(made[field], "2026-01-01T00:01:40.000+0000", "{field}");
    }
    assert_eq!(made["Phone"], "1");
    let updated = ask(&client, "Account/updated", "2026-01-01T00:00:00Z", "2026-01-01T00:09:00Z").await.json();
    assert_eq!(updated["ids"], json!([old, made["Id"], other]));
    assert_eq!(updated["latestDateCovered"], "2026-01-01T00:05:00.000+0000");
    let deleted = ask(&client, "Account/deleted", "2026-01-01T00:01:00Z", "2026-01-01T00:04:00Z").await.json();
    assert_eq!(
        deleted["deletedRecords"],
        json!([{"id": doomed, "deletedDate": "2026-01-01T00:01:40.000+0000"}]),
        "{deleted}"
    );
    let events = subscriber.poll().await;
    assert_eq!(kinds(&events), ["updated", "created", "updated", "deleted"]);
    assert!(events.iter().all(|event| event["data"]["event"]["createdDate"] == "2026-01-01T00:05:00.000Z"));
}

/// Nobody else may write what an open transaction has written, so no modstamp of a record goes back.
#[tokio::test]
async fn records_are_kept_until_the_end() {
    let client = Client::new().await;
    let org = client.emulator.org();
    let account = client.create("Account", json!({"Name": "x"})).await;
    let contact = client.create("Contact", json!({"LastName": "x", "AccountId": account})).await;
    let late = org.begin_late();
    let id = |text: &str| Id::parse(text).unwrap();
    late.write(|transaction| transaction.update("Contact", id(&contact), &body(json!({"Title": "late"})))).unwrap();
    let locked = |answer: Answer| {
        assert_eq!((answer.status.as_u16(), &answer.json()[0]["errorCode"]), (400, &json!("UNABLE_TO_LOCK_ROW")));
    };
    let path = format!("/services/data/v62.0/sobjects/Contact/{contact}");
    locked(client.call(Method::PATCH, &path, Some(json!({"Title": "early"}))).await);
    locked(client.call(Method::DELETE, &path, None).await);
    locked(client.call(Method::DELETE, &format!("/services/data/v62.0/sobjects/Account/{account}"), None).await);
    let another = org.begin_late();
    let refused = another.write(|transaction| transaction.delete("Contact", id(&contact)));
    assert_eq!(refused.unwrap_err().code, "UNABLE_TO_LOCK_ROW");
    assert_eq!(org.late_transactions()[0].records, [contact.as_str()]);

    late.roll_back();
    another.roll_back();
    client.update("Contact", &contact, json!({"Title": "free"})).await;
    assert!(org.late_transactions().is_empty());
}

/// A transaction whose unique value somebody else took cannot commit, and nothing of it stays.
#[tokio::test]
async fn a_commit_may_fail() {
    let client = Client::new().await;
    let org = client.emulator.org();
    let topic = |name: &str| body(json!({"Name": name, "Query": "SELECT Id FROM Lead", "ApiVersion": 62.0}));
    let late = org.begin_late();
    let number = late.number();
    late.write(|transaction| transaction.create("PushTopic", &topic("same"))).unwrap();
    let refused = late.write(|transaction| transaction.create("PushTopic", &topic("same")));
    assert_eq!(refused.unwrap_err().code, "DUPLICATE_VALUE");
    org.create("PushTopic", &topic("same")).unwrap();
    assert_eq!(late.commit().unwrap_err().code, "DUPLICATE_VALUE");
    assert!(org.late(number).is_none());
    assert_eq!(org.ids("PushTopic", false).unwrap().len(), 1);
}

#[tokio::test]
async fn by_script() {
    let client = Client::new().await;
    let path = "/__emulator/lag";
    let send = async |method: Method, path: &str, body: Json| {
        client.send(method, path, &[], Some(body.to_string())).await.unwrap()
    };
    let create = |name: &str| json!({"changes": [{"create": {"object": "Account", "fields": {"Name": name}}}]});
    let begun = send(Method::POST, path, create("late")).await;
    assert_eq!(begun.status, 201);
    let id = begun.json()["ids"][0].as_str().unwrap().to_owned();
    advance(&client, 60);
    let more = json!({"changes": [
        {"update": {"object": "Account", "id": id, "fields": {"Name": "later"}}},
        {"delete": {"object": "Account", "id": id}},
        {"undelete": {"object": "Account", "id": id}},
    ]});
    assert_eq!(
        send(Method::POST, "/__emulator/lag/1", more).await.json(),
        json!({"transaction": 1, "ids": [id, id, id]})
    );
    assert_eq!(
        send(Method::GET, path, Json::Null).await.json(),
        json!([{"transaction": 1, "since": "2026-01-01T00:00:00Z", "records": [id]}])
    );
    assert!(names(&client).await.is_empty());
    assert_eq!(send(Method::POST, "/__emulator/lag/1/commit", Json::Null).await.status, 204);
    assert_eq!(names(&client).await, ["later"]);

    assert_eq!(send(Method::POST, path, create("never")).await.json()["transaction"], 2);
    assert_eq!(send(Method::DELETE, "/__emulator/lag/2", Json::Null).await.status, 204);
    assert_eq!(names(&client).await, ["later"]);

    for (path, body, status) in [
        ("/__emulator/lag/2/commit", Json::Null, 404),
        ("/__emulator/lag/9", create("x"), 404),
        (path, json!({"changes": [{"create": {"object": "Account", "fields": {}}}]}), 400),
        (path, json!({"changes": [{"rename": {}}]}), 400),
        (path, json!({"changes": [{"delete": {"object": "Account", "id": "x"}}]}), 404),
    ] {
        assert_eq!(send(Method::POST, path, body.clone()).await.status, status, "{path} {body}");
    }
    assert_eq!(send(Method::GET, path, Json::Null).await.json(), json!([]), "what was refused is not left open");
}

#[tokio::test]
async fn a_workload_commits_some_changes_late() {
    let mut reports = Vec::new();
    for _ in 0..2 {
        let client = Client::with_rows(&[("Account", 20), ("Lead", 20)]).await;
        let mix = Mix { create: 3, update: 4, delete: 2, undelete: 1, ..Mix::default() };
        let objects = ["Account", "Lead"].map(str::to_owned).to_vec();
        let workload = Workload { rate: 0.0, objects, mix, total: Some(300), late: 30, lag: 10, ..Workload::default() };
        client.emulator.start_workload(workload).unwrap();
        let report = client.emulator.finish_workload().await;
        assert_eq!(report.failure, None);
        assert!(report.late > 40, "{report:?}");
        assert!(client.emulator.org().late_transactions().is_empty(), "none stays open");
        reports.push((report, client.emulator.org().records("Lead", true).unwrap()));
    }
    assert!(reports[0] == reports[1], "the same seed makes the same changes");
}

/// What an open transaction wrote is changed as the tables are, and its tables may be no older than itself.
#[tokio::test]
async fn schemas_change_meanwhile() {
    let client = Client::new().await;
    let org = client.emulator.org();
    let object = || "Trip__c".to_owned();
    let define = |kind| FieldDefinition { length: Some(20), ..FieldDefinition::of(kind) };
    let names = ["Kept__c", "Text__c", "Gone__c"];
    let fields = names.map(|name| (name.to_owned(), define(FieldType::String))).into();
    let definition = ObjectDefinition { fields, ..ObjectDefinition::default() };
    org.change_schema([SchemaChange::CreateObject { object: object(), definition }]).unwrap();
    client
        .create(
            "PushTopic",
            json!({"Name": "T", "Query": "SELECT Id FROM Trip__c", "ApiVersion": 62.0, "NotifyForFields": "All"}),
        )
        .await;
    let mut subscriber = Subscriber::connect(&client).await;
    subscriber.subscribe("/topic/T", -1).await;
    let late = org.begin_late();
    let record = body(json!({"Kept__c": "a", "Text__c": "12", "Gone__c": "b"}));
    let id = late.write(|transaction| transaction.create("Trip__c", &record)).unwrap();
    late.write(|transaction| transaction.update("Trip__c", id, &body(json!({"Kept__c": "c"})))).unwrap();

    let number = FieldDefinition::of(FieldType::Double);
    let changes = [
        SchemaChange::RenameField { object: object(), field: "Kept__c".into(), to: "Still__c".into() },
        SchemaChange::RetypeField { object: object(), field: "Text__c".into(), definition: number },
        SchemaChange::RemoveField { object: object(), field: "Gone__c".into(), unless_streamed: false },
        SchemaChange::AddField {
            object: object(),
            field: "Flag__c".into(),
            definition: FieldDefinition::of(FieldType::Boolean),
        },
        SchemaChange::HideObject { object: object() },
    ];
    org.change_schema(changes).unwrap();
    late.commit().unwrap();
    org.change_schema([SchemaChange::RestoreObject { object: object() }]).unwrap();
    let read = client.query("SELECT Still__c, Text__c, Flag__c FROM Trip__c").await.json()["records"][0].clone();
    assert_eq!((&read["Still__c"], &read["Text__c"], &read["Flag__c"]), (&json!("c"), &json!(12.0), &json!(false)));

    let late = org.begin_late();
    late.write(|transaction| transaction.update("Trip__c", id, &body(json!({"Still__c": "d"})))).unwrap();
    org.change_schema([SchemaChange::Relabel { object: object(), field: None, label: "Journey".into() }]).unwrap();
    late.commit().unwrap();
    assert_eq!(kinds(&subscriber.poll().await), ["updated"], "who may not see an object hears nothing of it");

    let late = org.begin_late();
    let number = late.number();
    late.write(|transaction| transaction.create("Trip__c", &body(json!({})))).unwrap();
    org.change_schema([SchemaChange::DeleteObject { object: object(), unless_streamed: false }]).unwrap();
    assert_eq!(late.commit().unwrap_err().code, "NOT_FOUND");
    assert!(org.late(number).is_none());
}
