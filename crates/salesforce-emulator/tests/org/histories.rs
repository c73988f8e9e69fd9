//! History rows of leads and opportunities.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use salesforce_emulator::org::Id;
use salesforce_emulator::{Config, Settings};
use serde_json::{Value as Json, json};

use crate::client::{Client, still};

async fn rows(client: &Client, history: &str) -> Vec<Json> {
    let soql =
        format!("SELECT Field, DataType, OldValue, NewValue, CreatedDate FROM {history} ORDER BY CreatedDate, Id");
    client.query(&soql).await.json()["records"].as_array().unwrap().clone()
}

fn told(rows: &[Json]) -> String {
    let told = |row: &Json| {
        let time = &row["CreatedDate"].as_str().unwrap()[11..19];
        format!("{time} {} {} {} → {}", row["Field"], row["DataType"], row["OldValue"], row["NewValue"])
    };
    rows.iter().map(told).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn tracked_fields_leave_rows() {
    let client = Client::new().await;
    let user = client
        .create(
            "User",
            json!({
                "Username": "grace@example.com", "LastName": "Hopper", "FirstName": "Grace", "Email": "grace@example.com", "Alias": "grace",
                "CommunityNickname": "grace", "TimeZoneSidKey": "Europe/Paris", "LocaleSidKey": "en_US", "EmailEncodingKey": "UTF-8",
                "ProfileId": "00e590000000001AAA", "LanguageLocaleKey": "en_US",
            }),
        )
        .await;
    let account = client.create("Account", json!({"Name": "Acme"})).await;
    let lead =
        client.create("Lead", json!({"LastName": "x", "Company": "old \"quoted\" GmbH", "Status": "Open"})).await;
    let deal = json!({"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2026-03-01", "Amount": 5});
    let deal = client.create("Opportunity", deal).await;
    client.emulator.org().advance(Duration::from_secs(61)).unwrap();
    let changes = json!({
        "Company": "new GmbH", "Status": "Working", "AnnualRevenue": 1.5e7, "IsUnreadByOwner": true, "Title": "untracked",
        "Description": "long texts leave no values", "OwnerId": user, "Email": "x@example.com",
    });
    client.update("Lead", &lead, changes).await;
    client.update("Lead", &lead, json!({"Company": "new GmbH", "AnnualRevenue": null})).await;
    client
        .update(
            "Opportunity",
            &deal,
            json!({"StageName": "Closed Won", "CloseDate": "2026-02-01", "AccountId": account}),
        )
        .await;
    let (leads, deals) = (rows(&client, "LeadHistory").await, rows(&client, "OpportunityFieldHistory").await);
    insta::assert_snapshot!(format!("Lead\n{}\n\nOpportunity\n{}", told(&leads), told(&deals)));
}

#[tokio::test]
async fn rows_are_the_orgs_own() {
    let client = Client::new().await;
    let lead = client.create("Lead", json!({"LastName": "x", "Company": "y"})).await;
    let found = client.query("SELECT Id, LeadId, CreatedById FROM LeadHistory").await.json()["records"][0].clone();
    let id = found["Id"].as_str().unwrap();
    assert!(id.starts_with("017") && found["LeadId"] == *lead && !found["CreatedById"].is_null(), "{found}");
    let path = format!("/services/data/v62.0/sobjects/LeadHistory/{id}");
    assert_eq!(client.get(&path).await.json()["Field"], "created");
    let transcript = client
        .transcript(&[
            r#"POST /services/data/v62.0/sobjects/LeadHistory {"Field":"Status"}"#,
            &format!(r#"PATCH {path} {{"Field":"Status"}}"#),
            &format!("DELETE {path}"),
            "GET /services/data/v62.0/query?q=SELECT~Id~FROM~LeadHistory~WHERE~NewValue~=~'x'",
            r#"POST /services/data/v62.0/sobjects/PushTopic {"Name":"H","Query":"SELECT Id FROM LeadHistory","ApiVersion":62.0}"#,
        ])
        .await;
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn rows_go_with_their_record() {
    // Whatever else the org cascades.
    let settings = Settings { cascade_deletes: false, ..still() };
    let client = Client::with(Config { settings, ..Config::default() }).await;
    let lead = client.create("Lead", json!({"LastName": "x", "Company": "y"})).await;
    client.create("Lead", json!({"LastName": "other", "Company": "y"})).await;
    let count = async |resource: &str| {
        let path = format!("/services/data/v62.0/{resource}?q=SELECT+COUNT()+FROM+LeadHistory");
        client.get(&path).await.json()["totalSize"].clone()
    };
    client.delete("Lead", &lead).await;
    assert_eq!((count("query").await, count("queryAll").await), (json!(1), json!(2)));
    client.emulator.org().undelete("Lead", Id::parse(&lead).unwrap()).unwrap();
    assert_eq!(count("query").await, 2);
    client.delete("Lead", &lead).await;
    client.emulator.org().empty_recycle_bin().unwrap();
    assert_eq!(count("queryAll").await, 1);
}

#[tokio::test]
async fn what_is_tracked_is_a_setting() {
    let tracked_fields = BTreeMap::from([("Lead".to_owned(), vec!["Title".to_owned()])]);
    let client = Client::with(Config { settings: Settings { tracked_fields, ..still() }, ..Config::default() }).await;
    let lead = client.create("Lead", json!({"LastName": "x", "Company": "y"})).await;
    client.update("Lead", &lead, json!({"Title": "Dr.", "Status": "Working"})).await;
    client.create("Opportunity", json!({"Name": "x", "StageName": "Prospecting", "CloseDate": "2026-03-01"})).await;
    let fields: Vec<Json> = rows(&client, "LeadHistory").await.iter().map(|row| row["Field"].clone()).collect();
    assert_eq!(
        (fields, rows(&client, "OpportunityFieldHistory").await),
        (vec![json!("created"), json!("Title")], vec![])
    );
}

/// Two polls of a window are alike unless something committed late.
#[tokio::test]
async fn late_rows() {
    let client = Client::new().await;
    let lead = client.create("Lead", json!({"LastName": "x", "Company": "y"})).await;
    let late = client.emulator.org().begin_late();
    let change = serde_json::from_value(json!({"Status": "Working"})).unwrap();
    late.write(|transaction| transaction.update("Lead", Id::parse(&lead).unwrap(), &change)).unwrap();
    client.emulator.org().advance(Duration::from_secs(120)).unwrap();
    client.create("Lead", json!({"LastName": "other", "Company": "y"})).await;
    assert_eq!(rows(&client, "LeadHistory").await.len(), 2);
    late.commit().unwrap();
    insta::assert_snapshot!(told(&rows(&client, "LeadHistory").await));
    let path = "/services/data/v62.0/sobjects/LeadHistory/updated?start=2026-01-01T00:00:00Z&end=2026-01-01T00:01:00Z";
    assert_eq!(client.get(path).await.json()["ids"].as_array().unwrap().len(), 2);
    assert_eq!(client.call(Method::GET, path, None).await.json()["latestDateCovered"], "2026-01-01T00:01:00.000+0000");
}
