//! sObject collections: many records in one request.

use reqwest::Method;
use salesforce_emulator::org::SchemaChange;
use serde_json::{Value as Json, json};

use crate::client::Client;

#[tokio::test]
async fn retrieve_answers_every_id_in_its_place() {
    let client = Client::new().await;
    let one = client.create("Account", json!({"Name": "one", "AnnualRevenue": 5, "BillingCity": "Oslo"})).await;
    let two = client.create("Account", json!({"Name": "two"})).await;
    let gone = client.create("Account", json!({"Name": "gone"})).await;
    client.delete("Account", &gone).await;
    let lead = client.create("Lead", json!({"LastName": "x", "Company": "y"})).await;
    let ids = json!([two, gone, &one[..15], "0015900000000zzAAA", lead, "nonsense", two]);
    let path = "/services/data/v62.0/composite/sobjects/account";
    let body = json!({"ids": ids, "fields": ["name", "AnnualRevenue", "BillingAddress", "Owner.Name"]});
    let transcript = client
        .transcript(&[
            &format!("POST {path} {body}"),
            &format!("GET {path}?ids={one},{gone}&fields=id,name"),
            &format!("POST {path} {}", json!({"ids": [one], "fields": ["Name", "Nothing__c"]})),
            &format!("POST {path} {}", json!({"ids": [one]})),
            &format!("GET {path}?ids={one}"),
            "POST /services/data/v62.0/composite/sobjects/Nothing__c {\"ids\":[],\"fields\":[\"Id\"]}",
        ])
        .await;
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn two_thousand_at_once() {
    let client = Client::with_rows(&[("Lead", 2000)]).await;
    let mut ids: Vec<String> =
        client.emulator.org().ids("Lead", false).unwrap().iter().map(ToString::to_string).collect();
    let retrieve = async |ids: &[String]| {
        let body = json!({"ids": ids, "fields": ["Id"]});
        client.call(Method::POST, "/services/data/v62.0/composite/sobjects/Lead", Some(body)).await
    };
    let found = retrieve(&ids).await.json();
    let found: Vec<&Json> = found.as_array().unwrap().iter().map(|record| &record["Id"]).collect();
    assert_eq!(found, ids.iter().collect::<Vec<_>>());
    ids.push(ids[0].clone());
    let refused = retrieve(&ids).await;
    assert_eq!((refused.status.as_u16(), &refused.json()[0]["errorCode"]), (400, &json!("EXCEEDED_ID_LIMIT")));
}

#[tokio::test]
async fn what_is_hidden_cannot_be_retrieved() {
    let client = Client::new().await;
    let id = client.create("Account", json!({"Name": "one", "Phone": "1"})).await;
    let retrieve = async |fields: Json| {
        let path = "/services/data/v62.0/composite/sobjects/Account";
        let answer = client.call(Method::POST, path, Some(json!({"ids": [id], "fields": fields}))).await;
        (answer.status.as_u16(), answer.json()[0]["errorCode"].clone())
    };
    let change = |change| client.emulator.org().change_schema([change]).unwrap();
    change(SchemaChange::HideField { object: "Account".into(), field: "Phone".into() });
    assert_eq!(retrieve(json!(["Name"])).await, (200, Json::Null));
    assert_eq!(retrieve(json!(["Name", "Phone"])).await, (400, "INVALID_FIELD".into()));
    change(SchemaChange::HideObject { object: "Account".into() });
    assert_eq!(retrieve(json!(["Name"])).await, (404, "NOT_FOUND".into()));
    change(SchemaChange::RestoreObject { object: "Account".into() });
    change(SchemaChange::ShowField { object: "Account".into(), field: "Phone".into() });
    assert_eq!(retrieve(json!(["Name", "Phone"])).await, (200, Json::Null));
}
