//! PushTopic records: what is refused, and which changes a topic announces.

use reqwest::Method;
use salesforce_emulator::{Config, Settings};
use serde_json::{Value as Json, json};

use crate::client::{Client, still};
use crate::streaming::{Subscriber, kinds};

async fn post(client: &Client, body: Json) -> String {
    let answer = client.call(Method::POST, "/services/data/v62.0/sobjects/PushTopic/", Some(body)).await;
    match answer.json() {
        Json::Array(errors) => {
            let error = &errors[0];
            format!("{} {} {} {}", answer.status.as_u16(), error["errorCode"], error["fields"], error["message"])
        }
        _ => answer.status.as_u16().to_string(),
    }
}

#[tokio::test]
async fn refused() {
    let client = Client::new().await;
    let mut answers = Vec::new();
    for query in [
        "SELECT Name FROM Account",
        "SELECT Id, Owner.Name FROM Account",
        "SELECT Id FROM Account WHERE Owner.Name = 'x'",
        "SELECT COUNT() FROM Account",
        "SELECT COUNT(Id) FROM Account",
        "SELECT Id FROM Account GROUP BY Id",
        "SELECT Id, (SELECT Id FROM Contacts) FROM Account",
        "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact)",
        "SELECT Id FROM Account ORDER BY Name",
        "SELECT Id FROM Account LIMIT 1",
        "SELECT Id FROM Account OFFSET 1",
        "SELECT Id FROM Account WHERE NOT Name = 'x'",
        "SELECT Id, TYPEOF Owner WHEN User THEN Name END FROM Account",
        "SELECT Id, foo FROM Account",
        "SELECT Id FROM Account WHERE Description = 'x'",
        "SELECT Id FROM User",
        "SELECT Id FROM LeadHistory",
        "SELECT Id FROM Event",
        "SELECT Id FROM Nothing__c",
        "SELECT FIELDS(ALL) FROM Account LIMIT 1",
        "nonsense",
    ] {
        answers.push(format!(
            "{query}\n  {}",
            post(&client, json!({"Name": "T", "Query": query, "ApiVersion": 62.0})).await
        ));
    }
    let good = "SELECT Id FROM Account";
    let long = format!("SELECT Id FROM Account WHERE Name = '{}'", "x".repeat(1300));
    for body in [
        json!({"Query": good, "ApiVersion": 62.0}),
        json!({"Name": "T", "ApiVersion": 62.0}),
        json!({"Name": "T", "Query": good}),
        json!({"Name": "T", "Query": good, "ApiVersion": 20.0}),
        json!({"Name": "x".repeat(26), "Query": good, "ApiVersion": 62.0}),
        json!({"Name": "T", "Query": long, "ApiVersion": 62.0}),
        json!({"Name": "T", "Query": good, "ApiVersion": 62.0, "NotifyForFields": "Some"}),
        json!({"Name": "T", "Query": good, "ApiVersion": 62.0, "NotifyForOperations": "All"}),
        json!({"Name": "T", "Query": "SELECT Id FROM Account WHERE Name NOT IN ('x') AND Phone != null", "ApiVersion": 62.0}),
        json!({"Name": "T", "Query": good, "ApiVersion": 62.0}),
        json!({"Name": "t", "Query": good, "ApiVersion": 62.0}),
    ] {
        let shown = body.to_string().replace(&"x".repeat(1300), "x…");
        answers.push(format!("{shown}\n  {}", post(&client, body).await.replace(&"x".repeat(1300), "x…")));
    }
    insta::assert_snapshot!(answers.join("\n"));
}

#[tokio::test]
async fn the_org_holds_so_many() {
    let settings = Settings { push_topics: 2, ..still() };
    let client = Client::with(Config { settings, ..Config::default() }).await;
    let topic = |name: &str| json!({"Name": name, "Query": "SELECT Id FROM Account", "ApiVersion": 62.0});
    assert_eq!(post(&client, topic("A")).await, "201");
    let second = client.create("PushTopic", topic("B")).await;
    insta::assert_snapshot!(post(&client, topic("C")).await, @r#"400 "LIMIT_EXCEEDED" [] "The maximum number of push topics for this organization (2) has been reached""#);
    client.update("PushTopic", &second, json!({"IsActive": false})).await;
    assert_eq!(post(&client, topic("C")).await, "201", "an inactive topic does not count");
}

#[tokio::test]
async fn as_a_record() {
    let client = Client::new().await;
    let body =
        json!({"Name": "T", "Query": "SELECT Id FROM Account", "ApiVersion": 62.0, "NotifyForOperationDelete": false});
    let id = client.create("PushTopic", body).await;
    let soql = "SELECT Id, Name, Query, ApiVersion, IsActive, NotifyForFields, NotifyForOperations, NotifyForOperationCreate, \
                NotifyForOperationDelete, Description FROM PushTopic WHERE Name = 'T'";
    insta::assert_snapshot!(client.query(soql).await.text);
    client.delete("PushTopic", &id).await;
    assert_eq!(client.query(soql).await.json()["totalSize"], 0);
}

/// NotifyForFields and WHERE × what is changed → announced or not.
#[tokio::test]
async fn which_updates_are_announced() {
    let client = Client::new().await;
    let topics = [
        ("All", "All", "SELECT Id FROM Contact"),
        ("Referenced", "Referenced", "SELECT Id, Title FROM Contact WHERE Department != 'none'"),
        ("Select", "Select", "SELECT Id, Title FROM Contact WHERE Department != 'none'"),
        ("Where", "Where", "SELECT Id, Title FROM Contact WHERE Department != 'none'"),
        ("OnlyId", "Referenced", "SELECT Id FROM Contact"),
        ("Parts", "Referenced", "SELECT Id, FirstName, LastName FROM Contact"),
        ("Name", "Referenced", "SELECT Id, Name FROM Contact"),
        ("Compound", "Referenced", "SELECT Id, MailingAddress FROM Contact"),
        ("City", "Referenced", "SELECT Id, MailingAddress, MailingCity FROM Contact"),
    ];
    for (name, notify, query) in topics {
        let body = json!({"Name": name, "Query": query, "ApiVersion": 62.0, "NotifyForFields": notify});
        client.create("PushTopic", body).await;
    }
    let id = client.create("Contact", json!({"LastName": "x", "Title": "a", "Department": "a"})).await;
    let mut table = Vec::new();
    let changes = [
        json!({"Title": "b"}),
        json!({"Department": "b"}),
        json!({"Phone": "1"}),
        json!({"FirstName": "y"}),
        json!({"MailingCity": "Oslo"}),
        json!({"Title": "b"}),
        json!({"Department": "none"}),
        json!({"Title": "c"}),
    ];
    for change in changes {
        let mut subscriber = Subscriber::connect(&client).await;
        for (name, ..) in topics {
            subscriber.subscribe(&format!("/topic/{name}"), -1).await;
        }
        client.update("Contact", &id, change.clone()).await;
        let mut told: Vec<String> = subscriber
            .poll()
            .await
            .iter()
            .map(|event| event["channel"].as_str().unwrap().replace("/topic/", ""))
            .collect();
        told.sort_unstable();
        table.push(format!("{change} → {}", told.join(" ")));
    }
    insta::assert_snapshot!(table.join("\n"));
}

#[tokio::test]
async fn operations_can_be_switched_off() {
    let client = Client::new().await;
    let off = ["Create", "Update", "Delete", "Undelete"];
    for operation in off {
        let mut body = json!({"Name": operation, "Query": "SELECT Id, Name FROM Account", "ApiVersion": 62.0, "NotifyForFields": "All"});
        body[format!("NotifyForOperation{operation}")] = false.into();
        client.create("PushTopic", body).await;
    }
    let id = client.create("Account", json!({"Name": "x"})).await;
    client.update("Account", &id, json!({"Name": "y"})).await;
    client.delete("Account", &id).await;
    client.emulator.org().undelete("Account", salesforce_emulator::org::Id::parse(&id).unwrap()).unwrap();
    let mut subscriber = Subscriber::connect(&client).await;
    let mut table = Vec::new();
    for operation in off {
        table.push(format!(
            "without {operation}: {}",
            kinds(&subscriber.subscribe(&format!("/topic/{operation}"), -2).await).join(" ")
        ));
    }
    assert_eq!(
        table,
        [
            "without Create: updated deleted undeleted",
            "without Update: created deleted undeleted",
            "without Delete: created updated undeleted",
            "without Undelete: created updated deleted",
        ]
    );
}

#[tokio::test]
async fn whole_names_and_followers() {
    let client = Client::new().await;
    for (name, query) in [
        ("Name", "SELECT Id, Name FROM Contact"),
        ("Part", "SELECT Id, LastName, Title FROM Contact"),
        ("None", "SELECT Id, Title FROM Contact"),
        ("Account", "SELECT Id, Name FROM Account"),
        ("Closed", "SELECT Id, IsClosed FROM Task"),
        ("Status", "SELECT Id, IsClosed, Status FROM Task"),
    ] {
        client.create("PushTopic", json!({"Name": name, "Query": query, "ApiVersion": 62.0})).await;
    }
    let name = json!({"Salutation": "Ms.", "FirstName": "Ada", "LastName": "Lovelace", "Title": "Countess"});
    client.create("Contact", name).await;
    client.create("Account", json!({"Name": "Engines"})).await;
    let task = client.create("Task", json!({"Subject": "x"})).await;
    client.update("Task", &task, json!({"Status": "Completed"})).await;
    let mut told = Vec::new();
    for topic in ["Name", "Part", "None", "Account", "Closed", "Status"] {
        let mut subscriber = Subscriber::connect(&client).await;
        for event in subscriber.subscribe(&format!("/topic/{topic}"), -2).await {
            let mut sobject = event["data"]["sobject"].clone();
            sobject.as_object_mut().unwrap().shift_remove("Id");
            told.push(format!("{topic}: {} {sobject}", event["data"]["event"]["type"].as_str().unwrap()));
        }
    }
    insta::assert_snapshot!(told.join("\n"), @r#"
    Name: created {"Name":"Ada Lovelace","LastName":"Lovelace","FirstName":"Ada","Salutation":"Ms."}
    Part: created {"LastName":"Lovelace","Title":"Countess","FirstName":"Ada","Salutation":"Ms."}
    None: created {"Title":"Countess"}
    Account: created {"Name":"Engines"}
    Closed: created {"IsClosed":false}
    Status: created {"IsClosed":false,"Status":"Not Started"}
    Status: updated {"IsClosed":true,"Status":"Completed"}
    "#);
}
