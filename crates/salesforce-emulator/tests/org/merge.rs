//! Records that become one.

use std::time::Duration;

use reqwest::Method;
use salesforce_emulator::org::Id;
use salesforce_emulator::{Config, Settings};
use serde_json::{Map, Value as Json, json};

use crate::client::{Answer, Client, still};
use crate::streaming::{Subscriber, kinds};

async fn merge(client: &Client, object: &str, master: &str, losers: &[&str], fields: Json) -> Answer {
    let body = json!({"object": object, "master": master, "losers": losers, "fields": fields});
    client.call(Method::POST, "/__emulator/merge", Some(body)).await
}

async fn topics(client: &Client, objects: &[&str]) {
    for object in objects {
        let query = format!("SELECT Id FROM {object}");
        let topic = json!({"Name": object, "Query": query, "ApiVersion": 62.0, "NotifyForFields": "All"});
        client.create("PushTopic", topic).await;
    }
}

async fn told(client: &Client, object: &str) -> Vec<String> {
    kinds(&Subscriber::connect(client).await.subscribe(&format!("/topic/{object}"), -2).await)
}

/// The losers with their master, the children of both, who is told of what, and what can be undone.
#[tokio::test]
async fn losers_go_and_children_stay() {
    let client = Client::new().await;
    let mut accounts = Vec::new();
    for name in ["master", "second", "third"] {
        accounts.push(client.create("Account", json!({"Name": name})).await);
    }
    let [master, second, third] = &accounts[..] else { unreachable!() };
    let contact = client.create("Contact", json!({"LastName": "c", "AccountId": second})).await;
    let task = client.create("Task", json!({"Subject": "t", "WhatId": third})).await;
    let case = client.create("Case", json!({"AccountId": third})).await;
    topics(&client, &["Account", "Contact", "Task", "Case"]).await;
    client.emulator.org().advance(Duration::from_secs(5)).unwrap();
    let answer = merge(&client, "account", master, &[second, third], json!({"Phone": "1"})).await.json();
    assert_eq!(answer["id"], json!(master));
    assert_eq!(answer["merged"], json!([second, third]));
    let mut reparented: Vec<&str> =
        answer["reparented"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    reparented.sort_unstable();
    let mut children = [contact.as_str(), &task, &case];
    children.sort_unstable();
    assert_eq!(reparented, children);

    let rows =
        client.query_all("SELECT Name, IsDeleted, MasterRecord.Name, Phone FROM Account ORDER BY Id").await.json();
    let rows = rows["records"].as_array().unwrap().iter();
    let rows: Vec<String> = rows
        .map(|row| format!("{} {} {} {}", row["Name"], row["IsDeleted"], row["MasterRecord"]["Name"], row["Phone"]))
        .collect();
    insta::assert_snapshot!(rows.join("\n"), @r#"
    "master" false null "1"
    "second" true "master" null
    "third" true "master" null
    "#);
    for (object, lookup) in [("Contact", "AccountId"), ("Task", "WhatId"), ("Case", "AccountId")] {
        let row =
            client.query(&format!("SELECT {lookup}, SystemModstamp, LastModifiedDate FROM {object}")).await.json();
        let row = &row["records"][0];
        assert_eq!(row[lookup], json!(master), "{object}");
        for stamp in ["SystemModstamp", "LastModifiedDate"] {
            assert_eq!(row[stamp], "2026-01-01T00:00:05.000+0000", "{object}");
        }
    }
    assert_eq!(told(&client, "Account").await, ["deleted", "deleted", "updated"]);
    assert_eq!(told(&client, "Contact").await, ["updated"]);
    assert_eq!(told(&client, "Case").await, ["updated"]);
    assert!(told(&client, "Task").await.is_empty());

    // What was merged can come back, its children cannot.
    client.emulator.org().undelete("Account", Id::parse(second).unwrap()).unwrap();
    let back = client.get(&format!("/services/data/v62.0/sobjects/Account/{second}")).await.json();
    assert_eq!(back["MasterRecordId"], Json::Null);
    let row = client.query("SELECT AccountId FROM Contact").await.json();
    assert_eq!(row["records"][0]["AccountId"], json!(master));
}

#[tokio::test]
async fn whether_children_are_announced_is_a_setting() {
    let settings = Settings { merges_announce_children: false, ..still() };
    let client = Client::with(Config { settings, ..Config::default() }).await;
    let master = client.create("Account", json!({"Name": "master"})).await;
    let loser = client.create("Account", json!({"Name": "loser"})).await;
    client.create("Contact", json!({"LastName": "c", "AccountId": loser})).await;
    topics(&client, &["Contact"]).await;
    assert_eq!(merge(&client, "Account", &master, &[&loser], json!({})).await.status, 200);
    assert!(told(&client, "Contact").await.is_empty());
}

/// History goes with its record; leads and contacts have people's names.
#[tokio::test]
async fn histories_go_with_the_losers() {
    let client = Client::new().await;
    let master = client.create("Lead", json!({"LastName": "a", "Company": "x"})).await;
    let loser = client.create("Lead", json!({"LastName": "b", "Company": "x"})).await;
    merge(&client, "Lead", &master, &[&loser], json!({"Status": "Working - Contacted"})).await;
    let rows = client.query_all("SELECT LeadId, IsDeleted FROM LeadHistory ORDER BY Id").await.json();
    let rows = rows["records"].as_array().unwrap().iter();
    let rows: Vec<(bool, bool)> = rows.map(|row| (row["LeadId"] == json!(master), row["IsDeleted"] == true)).collect();
    assert_eq!(rows, [(true, false), (false, true), (true, false)]);
}

#[tokio::test]
async fn refused() {
    let client = Client::new().await;
    let lead = async |name: &str| client.create("Lead", json!({"LastName": name, "Company": "x"})).await;
    let (one, two, three, four) = (lead("1").await, lead("2").await, lead("3").await, lead("4").await);
    let converted = lead("converted").await;
    client.call(Method::POST, "/__emulator/convert", Some(json!({"lead": converted}))).await;
    let gone = lead("gone").await;
    client.delete("Lead", &gone).await;
    let upper = client.create("Account", json!({"Name": "upper"})).await;
    let middle = client.create("Account", json!({"Name": "middle", "ParentId": upper})).await;
    let lower = client.create("Account", json!({"Name": "lower", "ParentId": middle})).await;
    let opportunity = json!({"Name": "x", "StageName": "Prospecting", "CloseDate": "2026-01-01"});
    let opportunity = client.create("Opportunity", opportunity).await;
    let mut answers = Vec::new();
    let shown = |answer: Answer| format!("{} {}", answer.status.as_u16(), answer.text);
    for (object, master, losers, fields) in [
        ("Opportunity", &opportunity, vec![opportunity.as_str()], json!({})),
        ("Lead", &one, vec![], json!({})),
        ("Lead", &one, vec![&two, &three, &four], json!({})),
        ("Lead", &one, vec![&one], json!({})),
        ("Lead", &one, vec![&two, &two], json!({})),
        ("Lead", &one, vec![&gone], json!({})),
        ("Lead", &gone, vec![&one], json!({})),
        ("Lead", &one, vec![&upper], json!({})),
        ("Lead", &one, vec![&converted], json!({})),
        ("Lead", &converted, vec![&one], json!({})),
        ("Lead", &one, vec![&two], json!({"Nothing__c": 1})),
        ("Account", &lower, vec![&upper], json!({})),
        ("Nothing", &one, vec![&two], json!({})),
    ] {
        answers.push(shown(merge(&client, object, master, &losers, fields).await));
    }
    let body = json!({"object": "Lead", "master": "x", "losers": []});
    answers.push(shown(client.call(Method::POST, "/__emulator/merge", Some(body)).await));
    insta::assert_snapshot!(answers.join("\n"));
    assert_eq!(client.query("SELECT COUNT() FROM Lead").await.json()["totalSize"], 5, "nothing was merged");
}

/// Part of a transaction that commits late.
#[tokio::test]
async fn late() {
    let client = Client::new().await;
    let id = |text: &str| Id::parse(text).unwrap();
    let master = client.create("Account", json!({"Name": "master"})).await;
    let loser = client.create("Account", json!({"Name": "loser"})).await;
    client.create("Contact", json!({"LastName": "c", "AccountId": loser})).await;
    let late = client.emulator.org().begin_late();
    late.write(|transaction| transaction.merge("Account", id(&master), &[id(&loser)], &Map::new())).unwrap();
    let parent = async || client.query("SELECT AccountId FROM Contact").await.json()["records"][0]["AccountId"].clone();
    assert_eq!(parent().await, json!(loser));
    late.commit().unwrap();
    assert_eq!(parent().await, json!(master));
    let row = client.query_all("SELECT MasterRecordId FROM Account WHERE IsDeleted = true").await.json();
    assert_eq!(row["records"][0]["MasterRecordId"], json!(master));
}
