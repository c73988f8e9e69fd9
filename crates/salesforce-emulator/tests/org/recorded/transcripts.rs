//! Recorded conversations, held again: the same requests, the same replies.

use reqwest::Method;
use salesforce_emulator::Config;
use serde_json::{Value as Json, json};

use super::compare::is_id;
use super::exchanges::{Exchange, Replay};

/// The fields that the recorded org had beyond the standard ones.
fn config() -> Config {
    let schema = json!({
        "Account": {"fields": {
            "email_field__c": {"type": "email", "label": "email_field"},
            "Custom_External_ID__c": {"type": "string", "length": 40, "external_id": true},
        }},
        "Contact": {"fields": {
            "email_field__c": {"type": "email", "label": "email field"},
            "Custom_External_ID__c": {"type": "string", "length": 40, "external_id": true},
            "float_field__c": {"type": "double", "precision": 18, "scale": 4},
        }},
    });
    Config { objects: serde_json::from_value(schema).unwrap(), ..Config::default() }
}

/// An update of records, a count of the day before.
#[tokio::test]
async fn updates_task() {
    let mut replay = Replay::of(&["transcripts/updates_task.json"], config()).await;
    // Counts lag: when it was taken, the accounts of an earlier run were deleted, and these not yet there.
    let id = replay.client.create("Account", json!({"Name": "earlier"})).await;
    replay.client.delete("Account", &id).await;
    replay.play(1).await;
    for (nth, id) in ["bVTq1AAG", "bVTphAAG", "bVTq6AAG", "bVTpmAAG", "bVTpwAAG", "bVTprAAG"].into_iter().enumerate() {
        let name = format!("Account {}", [4, 0, 5, 1, 3, 2][nth]);
        replay.make(&format!("0012300000{id}"), "Account", json!({"Name": name})).await;
    }
    replay.play_on().await;
}

/// Collections of an export: created, updated, deleted.
#[tokio::test]
async fn collections() {
    let mut replay = Replay::of(&["transcripts/collections_crud.json"], config()).await;
    while let Some(exchange) = replay.peek() {
        name_deleted(exchange);
        replay.play(1).await;
    }
}

/// The recorder kept no query strings; the reply tells what was deleted.
fn name_deleted(exchange: &mut Exchange) {
    if exchange.request.method == "DELETE" {
        let recorded = exchange.response.json();
        let ids: Vec<&str> = recorded.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect();
        exchange.request.url += &format!("?ids={}", ids.join(","));
    }
}

/// Rows that fail beside rows that do not.
#[tokio::test]
async fn collections_with_errors() {
    let mut replay = Replay::of(&["collections-row-errors.json"], config()).await;
    while let Some(exchange) = replay.peek() {
        let converted = exchange.response.json().to_string().contains("CANNOT_UPDATE_CONVERTED_LEAD");
        let request = exchange.request.clone();
        for id in ids(&request.body) {
            if replay.comparison.ours(&id).is_none() {
                let (object, body) = match &id[..3] {
                    "001" => ("Account", json!({"Name": "before"})),
                    "003" => ("Contact", json!({"LastName": "before"})),
                    _ => ("Lead", json!({"LastName": "before", "Company": "before"})),
                };
                replay.make(&id, object, body).await;
            }
            if converted {
                let lead = replay.comparison.ours(&id).unwrap();
                let body = json!({"lead": lead, "status": "Closed - Converted"});
                let done = replay.client.call(Method::POST, "/__emulator/convert", Some(body)).await;
                assert_eq!(done.status.as_u16(), 200, "{}", done.text);
            }
        }
        replay.play(1).await;
    }
}

fn ids(value: &Json) -> Vec<String> {
    match value {
        Json::String(text) if is_id(text) => vec![text.clone()],
        Json::Array(items) => items.iter().flat_map(ids).collect(),
        Json::Object(members) => members.values().flat_map(ids).collect(),
        _ => Vec::new(),
    }
}

/// Records that are not there, or not any more: the recorded account had been deleted.
#[tokio::test]
async fn records_not_found() {
    let mut replay = Replay::of(&["get-record-404.json"], config()).await;
    for (recorded, object, body) in [
        ("0014S000007Ny26QAC", "Account", json!({"Name": "gone"})),
        ("0034S000005YJX9QAO", "Contact", json!({"LastName": "gone"})),
    ] {
        replay.make(recorded, object, body).await;
        let ours = replay.comparison.ours(recorded).unwrap().to_owned();
        replay.client.delete(object, &ours).await;
    }
    replay.play_on().await;
}

#[tokio::test]
async fn composites() {
    let mut replay = Replay::of(&["transcripts/composite_ok.json", "composite-subrequest-404.json"], config()).await;
    replay.play_on().await;
}

/// Counts in one call. The recorder lost the requests; the replies tell what was asked.
#[tokio::test]
async fn counts() {
    let files = ["transcripts/record_count.json", "record-count-errors.json"];
    let config = Config { rows: vec![("Account".to_owned(), 17)], ..config() };
    let mut replay = Replay::of(&files, config).await;
    while let Some(exchange) = replay.peek() {
        let recorded = exchange.response.json();
        let asked: Vec<Json> = recorded["compositeResponse"]
            .as_array()
            .unwrap()
            .iter()
            .map(|answer| {
                let name = answer["referenceId"].as_str().unwrap();
                let object = name.strip_prefix("ref").unwrap();
                let url = format!("/services/data/vxx.0/query/?q=select count() from {object}");
                json!({"referenceId": name, "method": "GET", "url": url})
            })
            .collect();
        exchange.request.body = json!({"compositeRequest": asked});
        replay.play(1).await;
    }
}

/// Upserts by e-mail address, and what queries saw of them.
#[tokio::test]
async fn upserts_by_email() {
    let mut replay = Replay::of(&["transcripts/simple_upsert__rest.json"], config()).await;
    replay.play_on().await;
}

/// Upserts by an id that is null, which create.
#[tokio::test]
async fn upserts_by_id() {
    let mut replay =
        Replay::of(&["transcripts/upsert_complex_external_id_field_rest__duplicate_error.json"], config()).await;
    // Counts lag: these records were deleted before the queries ran.
    let account = replay.client.create("Account", json!({"Name": "earlier"})).await;
    replay.play(1).await;
    replay.client.delete("Account", &account).await;
    replay.play(2).await;
    let contacts = [
        replay.client.create("Contact", json!({"LastName": "earlier"})).await,
        replay.client.create("Contact", json!({"LastName": "earlier"})).await,
    ];
    replay.play(1).await;
    for contact in contacts {
        replay.client.delete("Contact", &contact).await;
    }
    replay.play(6).await;
    // The second account had not been counted yet.
    let org = replay.client.emulator.org().clone();
    let second = *org.ids("Account", false).unwrap().last().unwrap();
    org.delete("Account", second).unwrap();
    replay.play(1).await;
    org.undelete("Account", second).unwrap();
    replay.play_on().await;
}

/// What queries saw of records that the older Bulk API had written.
#[tokio::test]
async fn upserts_by_bulk() {
    let mut replay = Replay::of(&["transcripts/upsert_external_id_field.json"], config()).await;
    replay.client.create("Account", json!({"Name": "Sitwell-Bluth"})).await;
    replay.play(1).await;
    while let Some(exchange) = replay.peek() {
        let recorded = exchange.response.json();
        for record in recorded["records"].as_array().unwrap() {
            let id = id_of(record);
            let contact = json!({"FirstName": record["FirstName"], "LastName": "Bluth"});
            match replay.comparison.ours(id).map(str::to_owned) {
                None => replay.make(id, "Contact", contact).await,
                Some(ours) => replay.client.update("Contact", &ours, contact).await,
            }
            for child in record["Opportunities"]["records"].as_array().into_iter().flatten() {
                let parent = replay.comparison.ours(id);
                let opportunity = json!({"Name": child["Name"], "ContactId": parent, "StageName": "In Progress", "CloseDate": "2021-10-03"});
                replay.make(id_of(child), "Opportunity", opportunity).await;
            }
        }
        replay.play(1).await;
    }
}

fn id_of(record: &Json) -> &str {
    record["attributes"]["url"].as_str().unwrap().rsplit('/').next().unwrap()
}
