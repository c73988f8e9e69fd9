//! Our replies against recorded ones: the same members, in the same order, of the same types, with values spelled the
//! same. [`compare`] says what is let pass, [`ledger`] what became of each recording.

mod compare;
mod describes;
mod exchanges;
mod ledger;
mod records;
mod signing_in;
mod transcripts;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use reqwest::Method;
use salesforce_emulator::SchemaChange;
use serde_json::{Map, Value as Json, json};

use self::compare::Comparison;
use self::exchanges::fixture;
use crate::client::{Client, encode};
use crate::streaming::Subscriber;

/// A fixture as JSON.
fn recorded(file: &str) -> Json {
    serde_json::from_str(&fixture(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[tokio::test]
async fn errors() {
    let client = Client::new().await;
    let get = async |path: &str| client.get(&format!("/services/data/v62.0/{path}")).await;

    let dead = client
        .send(Method::GET, "/services/data/v62.0/limits", &[("authorization", "Bearer dead")], None)
        .await
        .unwrap();
    assert_eq!((dead.status.as_u16(), dead.json()), (401, recorded("session-expired-401.json")));

    let unknown = get("sobjects/Nothing/describe").await;
    // Newer recordings tell the code before the message.
    assert_eq!((unknown.status.as_u16(), unknown.json()), (404, recorded("describe-404.json")));

    let foreign = get("sobjects/Account/0035f00002JUZPD").await;
    let mut expected = recorded("malformed-id.json");
    expected[0]["message"] = "Account ID: id value of incorrect type: 0035f00002JUZPD".into();
    assert_eq!((foreign.status.as_u16(), foreign.json()), (400, expected));

    let mut expected = recorded("write-invalid-field.json");
    expected[0]["message"] = "No such column 'foo' on sobject of type Account".into();
    let body = json!({"foo": 1, "Name": "x"});
    let refused = client.call(Method::POST, "/services/data/v62.0/sobjects/Account", Some(body)).await;
    assert_eq!((refused.status.as_u16(), refused.json().to_string()), (400, expected.to_string()));
}

/// Two records with one address. The recorder's own ids were words.
#[tokio::test]
async fn which_of_them() {
    let client = Client::new().await;
    for _ in 0..2 {
        client.create("Contact", json!({"LastName": "Twin", "Email": "twin@example.com"})).await;
    }
    let path = "/services/data/v62.0/sobjects/Contact/Email/twin@example.com";
    let ours = client.call(Method::PATCH, path, Some(json!({"LastName": "One"}))).await;
    assert_eq!(ours.status.as_u16(), 300);
    let theirs = fixture("upsert-300-multiple.json").replace("v23.0/sobjects/Whizbang", "v62.0/sobjects/Contact");
    let theirs = theirs.replace("foo", "0035500001H9kZuAAJ").replace("bar", "0035500001H9kZvAAJ");
    Comparison::default().assert_same(path, &ours.json(), &serde_json::from_str(&theirs).unwrap());
}

/// Tasks by record, day and status: the same groups in the same order, spelled alike.
#[tokio::test]
async fn groups() {
    let client = Client::new().await;
    let opportunity = json!({"Name": "x", "StageName": "Prospecting", "CloseDate": "2017-10-01"});
    let opportunity = client.create("Opportunity", opportunity).await;
    let case = client.create("Case", json!({"Subject": "x"})).await;
    let mut theirs = recorded("aggregate-query.json");
    theirs["records"][5]["WhatId"] = opportunity.into();
    theirs["records"][6]["WhatId"] = case.into();
    for group in theirs["records"].as_array().unwrap().iter().rev() {
        for _ in 0..group["MyCount"].as_u64().unwrap() {
            let (what, day, status) = (&group["WhatId"], &group["ActivityDate"], &group["Status"]);
            client.create("Task", json!({"WhatId": what, "ActivityDate": day, "Status": status})).await;
        }
    }
    let soql = "SELECT WhatId, ActivityDate, Status, COUNT(Id) MyCount FROM Task GROUP BY WhatId, ActivityDate, Status \
                ORDER BY WhatId, ActivityDate, Status";
    assert_eq!(client.query(soql).await.text, theirs.to_string());
}

/// The innocent row beside a culprit. Theirs was a duplicate, for which we have no rules.
#[tokio::test]
async fn all_or_none() {
    let client = Client::new().await;
    let contact = |name: &str| json!({"attributes": {"type": "Contact"}, "LastName": name});
    let body = json!({"allOrNone": true, "records": [contact(""), contact("innocent")]});
    let ours = client.call(Method::POST, "/services/data/v62.0/composite/sobjects", Some(body)).await;
    assert_eq!(ours.status.as_u16(), 200);
    Comparison::default().assert_same("innocent", &ours.json()[1], &recorded("collections-allornone.json")[1]);
}

#[tokio::test]
async fn describe_global() {
    let client = Client::new().await;
    let (ours, theirs) = (client.get("/services/data/v52.0/sobjects").await.json(), recorded("describe-global.json"));
    let members = |list: &Json| list.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(members(&ours), members(&theirs));
    for theirs in theirs["sobjects"].as_array().unwrap() {
        let name = theirs["name"].as_str().unwrap();
        let ours = ours["sobjects"].as_array().unwrap().iter().find(|object| object["name"] == name).unwrap();
        let (mut ours, mut theirs) = (ours.clone(), theirs.clone());
        // Which of its resources are told differs from object to object; the others are the same.
        let (our_urls, their_urls) = (ours["urls"].take(), theirs["urls"].take());
        for (resource, theirs) in their_urls.as_object().unwrap() {
            assert!(our_urls.get(resource).is_none_or(|ours| ours == theirs), "{name}: {resource}");
        }
        if name == "Campaign" {
            theirs["deepCloneable"] = ours["deepCloneable"].clone();
        }
        Comparison::default().assert_same(name, &ours, &theirs);
    }
}

/// The recorded topic selected every field of Lead; ours has most of them.
#[tokio::test]
async fn push_topic_event() {
    let client = Client::new().await;
    let theirs = recorded("pushtopic-lead-updated.json");
    let described = client.get("/services/data/v62.0/sobjects/Lead/describe").await.json();
    let known = |name: &&String| described["fields"].as_array().unwrap().iter().any(|field| field["name"] == ***name);
    let fields: Vec<String> = theirs["data"]["sobject"].as_object().unwrap().keys().filter(known).cloned().collect();
    assert!(fields.len() > 45, "{fields:?}");
    let query = format!("SELECT {} FROM Lead", fields.join(","));
    client.emulator.org().advance(Duration::from_millis(192)).unwrap();
    client.create("PushTopic", json!({"Name": "IncomingLeads", "Query": query, "ApiVersion": 36.0})).await;
    let body = json!({
        "FirstName": "Test", "LastName": "Lead", "Company": "Some Company", "Salutation": "Mr.", "Street": "adsf",
        "CleanStatus": "Pending",
    });
    let id = client.create("Lead", body).await;
    client.update("Lead", &id, json!({"Title": "Testing", "Industry": "Agriculture"})).await;

    let mut streaming = Subscriber::connect(&client).await;
    let events = streaming.subscribe("/topic/IncomingLeads", -2).await;
    let mut ours = events[1].clone();
    // The order of members is not promised, and ours is that of the query. The recorder's version told the client's id with
    // each event, the values of one picklist by number, and no picture.
    let (mut theirs, mut known) = (theirs.clone(), theirs["data"]["sobject"].clone());
    known.as_object_mut().unwrap().retain(|name, _| fields.contains(name));
    known["CleanStatus"] = "Pending".into();
    known["PhotoUrl"] = ours["data"]["sobject"]["PhotoUrl"].clone();
    theirs.as_object_mut().unwrap().remove("clientId");
    let keys = |of: &Json| of.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(keys(&ours["data"]["sobject"]["Address"]), keys(&known["Address"]));
    (ours["data"]["sobject"]["Address"], known["Address"]) = (Json::Null, Json::Null);
    theirs["data"]["sobject"] = known;
    Comparison::default().assert_same("event", &ordered(&ours), &ordered(&theirs));
}

/// Two records, two events, newest first as the guide prints them.
#[tokio::test]
async fn push_topic_events_of_creations() {
    let client = Client::new().await;
    let schema = r#"[{"create_object": {"object": "Invoice__c", "definition": {"fields": {
        "Description__c": {"type": "string", "length": 80}, "Status__c": {"type": "picklist", "values": ["Open"]}}}}}]"#;
    let changes: Vec<SchemaChange> = serde_json::from_str(schema).unwrap();
    client.emulator.org().change_schema(changes).unwrap();
    let query = "SELECT Description__c, Id, Status__c, Name FROM Invoice__c";
    client.emulator.org().advance(Duration::from_millis(990)).unwrap();
    client.create("PushTopic", json!({"Name": "InvoiceStatementUpdates", "Query": query, "ApiVersion": 62.0})).await;
    let theirs = recorded("pushtopic-created-pair.json");
    for event in theirs.as_array().unwrap().iter().rev() {
        let mut body = event["data"]["sobject"].clone();
        body.as_object_mut().unwrap().remove("Id");
        client.create("Invoice__c", body).await;
    }
    let mut events = Subscriber::connect(&client).await.subscribe("/topic/InvoiceStatementUpdates", -2).await;
    events.reverse();
    // The order of members is not promised.
    Comparison::default().assert_same("events", &ordered(&events.into()), &ordered(&theirs));
}

/// Members by name.
fn ordered(value: &Json) -> Json {
    match value {
        Json::Object(members) => {
            let sorted: BTreeMap<_, _> = members.iter().map(|(name, value)| (name, ordered(value))).collect();
            sorted.into_iter().map(|(name, value)| (name.clone(), value)).collect::<Map<_, _>>().into()
        }
        Json::Array(items) => items.iter().map(ordered).collect(),
        other => other.clone(),
    }
}

/// What changed and what went, in a span.
#[tokio::test]
async fn replication() {
    let client = Client::new().await;
    let updated = recorded("get-updated.json");
    for _ in updated["ids"].as_array().unwrap() {
        client.create("Contact", json!({"LastName": "x"})).await;
    }
    let id = client.create("Custom__c", json!({"Name": "x"})).await;
    client.delete("Custom__c", &id).await;
    client.emulator.org().advance(Duration::from_secs(600)).unwrap();
    let (start, end) = (encode("2025-12-31T23:00:00Z"), encode("2026-01-01T00:05:00Z"));
    for (resource, theirs) in [("Contact/updated", updated), ("Custom__c/deleted", recorded("get-deleted.json"))] {
        let ours = client.get(&format!("/services/data/v62.0/sobjects/{resource}/?start={start}&end={end}")).await;
        assert_eq!(ours.status.as_u16(), 200, "{}", ours.text);
        Comparison::default().assert_same(resource, &ours.json(), &theirs);
    }
}
