//! Leads that become accounts, contacts and opportunities.

use reqwest::Method;
use salesforce_emulator::{Config, Mix, Workload};
use serde_json::{Value as Json, json};

use crate::client::{Answer, Client, still};
use crate::streaming::{Subscriber, kinds};

async fn convert(client: &Client, body: Json) -> Answer {
    client.call(Method::POST, "/__emulator/convert", Some(body)).await
}

async fn read(client: &Client, object: &str, id: &Json, fields: &str) -> Json {
    let path = format!("/services/data/v62.0/sobjects/{object}/{}?fields={fields}", id.as_str().unwrap());
    let mut record = client.get(&path).await.json();
    record.as_object_mut().unwrap().remove("attributes");
    record
}

#[tokio::test]
async fn a_lead_becomes_three_records() {
    let client = Client::new().await;
    let lead = client
        .create(
            "Lead",
            json!({"Salutation": "Ms.", "FirstName": "Ada", "LastName": "Lovelace", "Company": "Engines", "Email": "ada@example.com",
                   "Street": "Elm 1", "City": "London", "Industry": "Technology", "AnnualRevenue": 5, "NumberOfEmployees": 7, "LeadSource": "Web"}),
        )
        .await;
    let task = client.create("Task", json!({"Subject": "call", "WhoId": lead})).await;
    for object in ["Lead", "Account", "Contact", "Opportunity", "Task"] {
        let query = format!("SELECT Id FROM {object}");
        let topic = json!({"Name": object, "Query": query, "ApiVersion": 62.0, "NotifyForFields": "All"});
        client.create("PushTopic", topic).await;
    }
    let made = convert(&client, json!({"lead": lead})).await.json();
    let (account, contact, opportunity) = (&made["account"], &made["contact"], &made["opportunity"]);
    let fields = "Status,IsConverted,ConvertedDate,ConvertedAccountId,ConvertedContactId,ConvertedOpportunityId";
    let role = client.query("SELECT OpportunityId, ContactId, IsPrimary FROM OpportunityContactRole").await.json();
    let role = &role["records"][0];
    let records = json!({
        "lead": read(&client, "Lead", &json!(lead), fields).await,
        "account": read(&client, "Account", account, "Name,BillingStreet,BillingCity,Industry,AnnualRevenue,NumberOfEmployees,AccountSource").await,
        "contact": read(&client, "Contact", contact, "Name,Salutation,Email,MailingCity,LeadSource,AccountId").await,
        "opportunity": read(&client, "Opportunity", opportunity, "Name,StageName,CloseDate,AccountId,LeadSource").await,
        "role": {"OpportunityId": role["OpportunityId"], "ContactId": role["ContactId"], "IsPrimary": role["IsPrimary"]},
        "task": read(&client, "Task", &json!(task), "WhoId,WhatId").await,
    });
    let mut text = serde_json::to_string_pretty(&records).unwrap();
    for (id, name) in [(&json!(lead), "LEAD"), (account, "ACCOUNT"), (contact, "CONTACT"), (opportunity, "OPPORTUNITY")]
    {
        text = text.replace(id.as_str().unwrap(), name);
    }
    insta::assert_snapshot!(text);
    let mut heard = Vec::new();
    for object in ["Lead", "Account", "Contact", "Opportunity", "Task"] {
        let mut subscriber = Subscriber::connect(&client).await;
        heard.push(format!("{object} {:?}", kinds(&subscriber.subscribe(&format!("/topic/{object}"), -2).await)));
    }
    insta::assert_snapshot!(heard.join("\n"), @r#"
    Lead ["updated"]
    Account ["created"]
    Contact ["created"]
    Opportunity ["created"]
    Task []
    "#);
}

#[tokio::test]
async fn existing_records_are_filled_in() {
    let client = Client::new().await;
    let account = client.create("Account", json!({"Name": "Old", "Phone": "1"})).await;
    let contact = client.create("Contact", json!({"LastName": "Old", "AccountId": account})).await;
    let lead = json!({"LastName": "New", "Company": "New", "Phone": "2", "Email": "new@example.com", "Website": "x.example.com"});
    let lead = client.create("Lead", lead).await;
    let body = json!({"lead": lead, "account": account, "contact": contact, "opportunity": false});
    let made = convert(&client, body).await.json();
    assert_eq!(made, json!({"lead": lead, "account": account, "contact": contact, "opportunity": null}));
    let account = read(&client, "Account", &json!(account), "Name,Phone,Website").await;
    assert_eq!(
        (&account["Name"], &account["Phone"], &account["Website"]),
        (&json!("Old"), &json!("1"), &json!("x.example.com"))
    );
    let contact = read(&client, "Contact", &json!(contact), "LastName,Phone,Email").await;
    assert_eq!(
        (&contact["LastName"], &contact["Phone"], &contact["Email"]),
        (&json!("Old"), &json!("2"), &json!("new@example.com"))
    );
    assert_eq!(client.query("SELECT COUNT() FROM Opportunity").await.json()["totalSize"], 0);
}

#[tokio::test]
async fn refused() {
    let client = Client::new().await;
    let lead = client.create("Lead", json!({"LastName": "x", "Company": "y"})).await;
    let contact = client.create("Contact", json!({"LastName": "x"})).await;
    let mut answers = Vec::new();
    let shown = |answer: Answer| format!("{} {}", answer.status.as_u16(), answer.text);
    for body in [
        json!({"lead": lead, "status": "Closed - Not Converted"}),
        json!({"lead": lead, "status": "Nonsense"}),
        json!({"lead": lead, "contact": contact}),
        json!({"lead": contact}),
        json!({"lead": "00Q5900000000zzAAA"}),
        json!({}),
        json!({"lead": lead, "opportunity_name": "Deal"}),
        json!({"lead": lead}),
    ] {
        answers.push(shown(convert(&client, body).await).replace(&lead, "LEAD"));
    }
    let path = format!("/services/data/v62.0/sobjects/Lead/{lead}");
    answers.push(shown(client.call(Method::PATCH, &path, Some(json!({"Title": "Dr."}))).await));
    insta::assert_snapshot!(answers.join("\n"));
    client.delete("Lead", &lead).await;
}

/// Merges and conversions among other changes, in time and late.
#[tokio::test]
async fn workloads_merge_and_convert() {
    let mut truths = Vec::new();
    for _ in 0..2 {
        let rows = ["Account", "Contact", "Lead", "Task"].map(|object| (object.to_owned(), 60));
        let client = Client::with(Config { rows: rows.to_vec(), settings: still(), ..Config::default() }).await;
        let workload = Workload {
            rate: 0.0,
            seed: 5,
            objects: ["Account", "Contact", "Lead", "Task"].map(str::to_owned).to_vec(),
            mix: Mix { merge: 3, convert: 2, ..Mix::default() },
            total: Some(600),
            late: 10,
            cascade: true,
            ..Workload::default()
        };
        client.emulator.start_workload(workload).unwrap();
        let report = client.emulator.finish_workload().await;
        assert_eq!(report.failure, None);
        assert!(report.merged > 20 && report.converted > 10, "{report:?}");
        let org = client.emulator.org();
        let merged = client.query_all("SELECT Id FROM Contact WHERE MasterRecordId != null").await.json();
        assert!(merged["totalSize"].as_u64().unwrap() > 0);
        truths.push(["Account", "Contact", "Lead", "Task"].map(|object| org.records(object, true).unwrap()));
    }
    assert!(truths[0] == truths[1], "the same seed makes the same changes");
}
