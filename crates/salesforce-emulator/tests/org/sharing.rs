//! Which records are there for whom.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::client::{Client, encode};
use crate::streaming::Subscriber;
use crate::users::{administer, user};

async fn share(client: &Client, levels: Json) {
    let answer = administer(client, "sharing", levels).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

async fn get(client: &Client, token: &str, path: &str) -> Json {
    let answer = client.call_as(token, Method::GET, &format!("/services/data/v62.0{path}"), None).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.json()
}

async fn query(client: &Client, token: &str, soql: &str) -> Json {
    get(client, token, &format!("/query?q={}", encode(soql))).await
}

/// Every way to a record, for a user who owns one of two.
#[tokio::test]
async fn private_records_are_not_there() {
    let client = Client::new().await;
    let (ben, token) = user(&client, json!({"username": "ben@example.com"})).await;
    let lead = |name: &str| json!({"LastName": name, "Company": "y", "Status": "Open - Not Contacted"});
    let hers = client.create("Lead", lead("hers")).await;
    let made = client.call_as(&token, Method::POST, "/services/data/v62.0/sobjects/Lead", Some(lead("his"))).await;
    let his = made.json()["id"].as_str().unwrap().to_owned();
    for id in [&hers, &his] {
        client.update("Lead", id, json!({"Status": "Working - Contacted"})).await;
    }
    let binned = client.create("Lead", lead("binned")).await;
    client.delete("Lead", &binned).await;
    let account = client.create("Account", json!({"Name": "hers"})).await;
    let body = json!({"LastName": "his", "AccountId": account});
    client.call_as(&token, Method::POST, "/services/data/v62.0/sobjects/Contact", Some(body)).await;
    client.emulator.org().advance(Duration::from_secs(600)).unwrap();
    let span = format!("start={}&end={}", encode("2026-01-01T00:00:00Z"), encode("2026-01-01T00:10:00Z"));
    let seen = async |token: &str| {
        let ids = |json: Json, member: &str, id: &str| -> BTreeSet<String> {
            let name = |it: &Json| {
                let id = it[id].as_str().or(it.as_str()).unwrap();
                [(&hers, "hers"), (&his, "his"), (&binned, "binned")]
                    .iter()
                    .find(|(known, _)| *known == id)
                    .map_or(id, |(_, name)| name)
                    .to_owned()
            };
            json[member].as_array().unwrap().iter().map(name).collect()
        };
        let retrieved =
            get(&client, token, &format!("/composite/sobjects/Lead?ids={hers},{his}&fields=LastName")).await;
        let parent = query(&client, token, "SELECT Account.Name FROM Contact").await;
        json!({
            "query": ids(query(&client, token, "SELECT Id FROM Lead").await, "records", "Id"),
            "count": query(&client, token, "SELECT COUNT() FROM Lead").await["totalSize"],
            "queryAll": ids(get(&client, token, &format!("/queryAll?q={}", encode("SELECT Id FROM Lead"))).await, "records", "Id"),
            "history": query(&client, token, "SELECT LeadId FROM LeadHistory WHERE Field = 'Status'").await["totalSize"],
            "history by lead": query(&client, token, "SELECT Id FROM LeadHistory WHERE Field = 'Status' AND Lead.LastName = 'hers'").await["totalSize"],
            "retrieve": [retrieved[0]["LastName"], retrieved[1]["LastName"]],
            "updated": ids(get(&client, token, &format!("/sobjects/Lead/updated?{span}")).await, "ids", "id"),
            "deleted": ids(get(&client, token, &format!("/sobjects/Lead/deleted?{span}")).await, "deletedRecords", "id"),
            "parent": parent["records"][0]["Account"]["Name"],
        })
    };
    let everything = json!({
        "query": ["hers", "his"], "count": 2, "queryAll": ["binned", "hers", "his"], "history": 2, "history by lead": 1, "retrieve": ["hers", "his"],
        "updated": ["hers", "his"], "deleted": ["binned"], "parent": "hers",
    });
    assert_eq!(seen(&token).await, everything);
    share(&client, json!({"Lead": "private", "Account": "private"})).await;
    let own = json!({
        "query": ["his"], "count": 1, "queryAll": ["his"], "history": 1, "history by lead": 0, "retrieve": [null, "his"],
        "updated": ["his"], "deleted": [], "parent": null,
    });
    assert_eq!(seen(&token).await, own);
    assert_eq!(seen(&client.token).await, everything, "the administrator sees all");

    let viewing = json!({"name": "Viewing", "objects": {"Lead": ["view_all"], "Account": ["view_all"]}});
    administer(&client, "permission_sets", viewing).await;
    administer(&client, "users", json!({"username": "ben@example.com", "permission_sets": ["Viewing"]})).await;
    assert_eq!(seen(&token).await, everything);
    administer(&client, "users", json!({"username": "ben@example.com", "permission_sets": []})).await;
    assert_eq!(seen(&token).await, own);

    // What is given away is out of sight, and nothing tells of it.
    client
        .call_as(
            &token,
            Method::PATCH,
            &format!("/services/data/v62.0/sobjects/Lead/{his}"),
            Some(json!({"OwnerId": client.emulator.org().user_id().as_str()})),
        )
        .await;
    assert_eq!(query(&client, &token, "SELECT Id FROM Lead").await["totalSize"], 0);
    client.update("Lead", &his, json!({"OwnerId": ben})).await;
    assert_eq!(query(&client, &token, "SELECT Id FROM Lead").await["totalSize"], 1);
}

/// What a user may do with a record of somebody else, level by level.
#[tokio::test]
async fn what_may_be_done_with_others_records() {
    let client = Client::new().await;
    let (_, token) = user(&client, json!({"username": "ben@example.com"})).await;
    let mut told = Vec::new();
    for level in ["private", "read", "edit", "full"] {
        share(&client, json!({"Lead": level, "Quote": level})).await;
        let lead = client.create("Lead", json!({"LastName": "x", "Company": "y"})).await;
        let lines = [
            format!("GET /sobjects/Lead/{lead}?fields=LastName"),
            format!("PATCH /sobjects/Lead/{lead} {{\"LastName\": \"z\"}}"),
            format!("DELETE /composite/sobjects?ids={lead}"),
            format!("DELETE /sobjects/Lead/{lead}"),
            format!(
                "POST /sobjects/Task {{\"WhoId\": \"{lead}\", \"Subject\": \"Call\", \"Status\": \"Open\", \"Priority\": \"Normal\"}}"
            ),
        ];
        let said = client.told(&token, &lines).await.replace(&lead, "LEAD");
        // Ids of tasks are of no interest.
        let said: Vec<String> =
            said.lines().map(|line| line.split("{\"id\":\"00T").next().unwrap().to_owned()).collect();
        told.push(format!("{level}\n{}", said.join("\n")));
    }
    insta::assert_snapshot!(told.join("\n\n"));
}

/// Details have no owners: who sees the master sees them.
#[tokio::test]
async fn details_are_controlled_by_their_masters() {
    let rows = [("Opportunity", 2), ("Quote", 2), ("QuoteLineItem", 6), ("WorkOrder", 1), ("WorkOrderLineItem", 2)];
    let client = Client::with_rows(&rows).await;
    let (ben, token) = user(&client, json!({"username": "ben@example.com"})).await;
    let lines = query(&client, &client.token, "SELECT QuoteId FROM QuoteLineItem").await;
    let quote = lines["records"][0]["QuoteId"].as_str().unwrap().to_owned();
    let of = async |token: &str, object: &str| {
        query(&client, token, &format!("SELECT COUNT() FROM {object}")).await["totalSize"].as_u64().unwrap()
    };
    assert_eq!(of(&token, "QuoteLineItem").await, 6);
    share(&client, json!({"Quote": "private"})).await;
    assert_eq!((of(&token, "QuoteLineItem").await, of(&token, "WorkOrderLineItem").await), (0, 2));
    client.update("Quote", &quote, json!({"OwnerId": ben})).await;
    let lines = format!("SELECT COUNT() FROM QuoteLineItem WHERE QuoteId = '{quote}'");
    let expected = query(&client, &client.token, &lines).await["totalSize"].as_u64().unwrap();
    assert!(expected > 0);
    assert_eq!(of(&token, "QuoteLineItem").await, expected);
}

/// Events go to those who saw the record when it was announced.
#[tokio::test]
async fn events_of_private_records() {
    let client = Client::new().await;
    let (ben, token) = user(&client, json!({"username": "ben@example.com"})).await;
    let topic = json!({"Name": "Leads", "Query": "SELECT Id, LastName FROM Lead", "ApiVersion": 62.0, "NotifyForFields": "All"});
    client.create("PushTopic", topic).await;
    let lead = |name: &str, owner: &str| json!({"LastName": name, "Company": "y", "OwnerId": owner});
    let ada = client.emulator.org().user_id().to_string();
    client.create("Lead", lead("public", &ada)).await;
    share(&client, json!({"Lead": "private"})).await;
    let mut live = Subscriber::connect_as(&client, &token).await;
    live.subscribe("/topic/Leads", -1).await;
    let hers = client.create("Lead", lead("hers", &ada)).await;
    let his = client.create("Lead", lead("his", &ben)).await;
    client.update("Lead", &hers, json!({"LastName": "still hers"})).await;
    client.update("Lead", &his, json!({"LastName": "given away", "OwnerId": ada})).await;
    client.update("Lead", &hers, json!({"LastName": "taken over", "OwnerId": ben})).await;
    client.delete("Lead", &his).await;
    client.delete("Lead", &hers).await;
    let told = |events: &[Json]| -> Vec<String> {
        let word = |event: &Json| {
            let (kind, name) = (&event["data"]["event"]["type"], &event["data"]["sobject"]["LastName"]);
            format!("{} {}", kind.as_str().unwrap(), name.as_str().unwrap_or("-"))
        };
        events.iter().map(word).collect()
    };
    assert_eq!(told(&live.poll().await), ["created his", "updated taken over", "deleted -"]);
    let mut later = Subscriber::connect_as(&client, &token).await;
    let replayed = later.subscribe("/topic/Leads", -2).await;
    assert_eq!(told(&replayed), ["created public", "created his", "updated taken over", "deleted -"]);
    let everything = Subscriber::connect(&client).await.subscribe("/topic/Leads", -2).await;
    assert_eq!(everything.len(), 8);
}

/// An upsert finds only what is there for the user; a unique value that is not there for them is taken all the same.
#[tokio::test]
async fn external_ids_of_others_records() {
    let client = Client::new().await;
    let add = r#"{"add_field": {"object": "Lead", "field": "Ext__c", "definition": {"type": "string", "external_id": true, "unique": true}}}"#;
    administer(&client, "schema", serde_json::from_str(add).unwrap()).await;
    let (_, token) = user(&client, json!({"username": "ben@example.com"})).await;
    client.create("Lead", json!({"LastName": "x", "Company": "y", "Ext__c": "one"})).await;
    share(&client, json!({"Lead": "private"})).await;
    let lines = [
        "GET /sobjects/Lead/Ext__c/one".to_owned(),
        "PATCH /sobjects/Lead/Ext__c/one {\"LastName\": \"z\", \"Company\": \"y\"}".to_owned(),
    ];
    let told = client.told(&token, &lines).await;
    let codes: Vec<&str> = told.lines().skip(1).step_by(2).map(|line| line.split(':').next().unwrap().trim()).collect();
    assert_eq!(codes, ["404 NOT_FOUND", "400 DUPLICATE_VALUE"]);
}

/// Tables are made when an object is first touched; those that decide over others are no exception.
#[tokio::test]
async fn objects_that_nobody_touched() {
    let client = Client::new().await;
    let (_, token) = user(&client, json!({"username": "ben@example.com"})).await;
    share(
        &client,
        json!({"Opportunity": "private", "Quote": "private", "WorkOrder": "private", "Campaign": "private"}),
    )
    .await;
    let span = format!("start={}&end={}", encode("2025-12-31T23:00:00Z"), encode("2025-12-31T23:30:00Z"));
    for path in [
        format!("/sobjects/Campaign/deleted?{span}"),
        format!("/sobjects/WorkOrderLineItem/deleted?{span}"),
        format!("/sobjects/WorkOrderLineItem/updated?{span}"),
        format!("/query?q={}", encode("SELECT Id FROM QuoteLineItem")),
        format!("/query?q={}", encode("SELECT Id, Quote.Name FROM QuoteLineItem WHERE Quote.Opportunity.Name = 'x'")),
        format!("/query?q={}", encode("SELECT Id FROM OpportunityFieldHistory")),
    ] {
        get(&client, &token, &path).await;
    }
    let body = json!({"QuoteId": "0Q0590000000001AAA"});
    let path = "/services/data/v62.0/sobjects/QuoteLineItem/0QL590000000001AAA";
    let answer = client.call_as(&token, Method::PATCH, path, Some(body)).await;
    assert_eq!(answer.json()[0]["errorCode"], "NOT_FOUND");
}
