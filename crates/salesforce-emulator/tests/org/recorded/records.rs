//! Recorded records, made again and read.

use reqwest::Method;
use salesforce_emulator::SchemaChange;
use salesforce_emulator::org::Id;
use serde_json::{Map, Value as Json, json};

use super::compare::Comparison;
use super::exchanges::{Replay, exchanges};
use super::recorded;
use crate::client::Client;

/// Custom fields of the recorded org, in its order.
const CONTACT: &str = r#"
    Level__c picklist, Languages__c string, Custom_External_ID__c string, checkbox_field__c boolean, datetime_field__c datetime,
    number_field__c double, percent_field__c percent, phone_field__c phone, picklist_field__c picklist, text_field__c string,
    textarea_field__c textarea, url_field__c url, email_field__c email, date_field__c date, currency_field__c currency,
    float_field__c double"#;
const ACCOUNT: &str = r#"
    CustomerPriority__c picklist, SLA__c picklist, Active__c picklist, NumberofLocations__c double, UpsellOpportunity__c picklist,
    SLASerialNumber__c string, SLAExpirationDate__c date, email_field__c email"#;
/// Fields of ours that it did not have.
const ABSENT: [&str; 9] = [
    "RecordTypeId",
    "Primary_Contact__c",
    "ns__Description__c",
    "History__c",
    "ns__LinkedAccount__c",
    "IsPartner",
    "IsCustomerPortal",
    "ChannelProgramName",
    "ChannelProgramLevelName",
];

/// What the org gives by itself.
const DRAWN: [&str; 7] =
    ["Id", "OwnerId", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById", "SystemModstamp"];

fn schema() -> Vec<SchemaChange> {
    let mut changes = Vec::new();
    for (object, fields) in [("Contact", CONTACT), ("Account", ACCOUNT)] {
        for (field, kind) in fields.split(',').filter_map(|field| field.trim().split_once(' ')) {
            let definition = json!({"type": kind});
            changes.push(json!({"add_field": {"object": object, "field": field, "definition": definition}}));
        }
    }
    changes.extend(ABSENT.map(|field| json!({"hide_field": {"object": "Account", "field": field}})));
    serde_json::from_value(changes.into()).unwrap()
}

/// Contacts and accounts with all their fields, before and after an update.
#[tokio::test]
async fn contacts_and_accounts() {
    let file = "records-contact-account.json";
    let mut replay = Replay::of(&[file], Default::default()).await;
    replay.client.emulator.org().change_schema(schema()).unwrap();
    for exchange in exchanges(file) {
        let record = exchange.response.json();
        let (object, id) = (record["attributes"]["type"].as_str().unwrap(), record["Id"].as_str().unwrap());
        if let Some(account) = record["AccountId"].as_str() {
            replay.make(account, "Account", json!({"Name": "of the contact"})).await;
        }
        if replay.comparison.ours(id).is_none() {
            let name = if object == "Contact" { "LastName" } else { "Name" };
            replay.make(id, object, json!({name: "before"})).await;
        }
        settle(&replay.client, &replay.comparison, object, &record);
        replay.play(1).await;
    }
}

/// The organisation itself.
#[tokio::test]
async fn organization() {
    let client = Client::new().await;
    let theirs = recorded("organization-record.json").to_string().replace("/vxx.0/", "/v62.0/");
    let theirs: Json = serde_json::from_str(&theirs).unwrap();
    let mut comparison = Comparison::default();
    let id = client.emulator.org().org_id();
    comparison.cast(theirs["Id"].as_str().unwrap(), id.as_str());
    settle(&client, &comparison, "Organization", &theirs);
    let ours = client.get(&format!("/services/data/v62.0/sobjects/Organization/{id}")).await.json();
    comparison.assert_same("organization", &ours, &theirs);
}

/// Puts a record of ours into the state of the recorded one: with the platform's rights, for some fields nobody else may
/// write. What the org draws stays.
fn settle(client: &Client, comparison: &Comparison, object: &str, record: &Json) {
    let org = client.emulator.org();
    let described = org.object(object).unwrap();
    let is_person = described.field("LastName").is_some();
    let mut body = Map::new();
    for (field, value) in record.as_object().unwrap() {
        let is_drawn = DRAWN.contains(&&**field) || field == "Name" && is_person;
        if described.field(field).is_some() && !is_drawn && !value.is_null() && !value.is_object() {
            let ours = value.as_str().map_or(value.clone(), |text| comparison.translate(text).into());
            body.insert(field.clone(), ours);
        }
    }
    let id = Id::parse(comparison.ours(record["Id"].as_str().unwrap()).unwrap()).unwrap();
    org.as_platform(|transaction| transaction.update(object, id, &body)).unwrap();
}

/// Dates, times and texts in a query.
#[tokio::test]
async fn queried() {
    let client = Client::new().await;
    let fields = json!({
        "id__c": {"type": "string"}, "date__c": {"type": "date"}, "datetime__c": {"type": "datetime"}, "time__c": {"type": "time"},
    });
    let change = json!([{"create_object": {"object": "DateTestObject__c", "definition": {"fields": fields}}}]);
    let change: Vec<SchemaChange> = serde_json::from_value(change).unwrap();
    client.emulator.org().change_schema(change).unwrap();
    let theirs = recorded("nifi-query.json");
    let mut body = theirs["records"][0].clone();
    body.as_object_mut().unwrap().remove("attributes");
    let path = "/services/data/v62.0/sobjects/DateTestObject__c";
    assert_eq!(client.call(Method::POST, path, Some(body)).await.status.as_u16(), 201);
    let ours = client.query("SELECT id__c, date__c, datetime__c, time__c FROM DateTestObject__c").await.json();
    Comparison::default().assert_same("query", &ours, &theirs);
    // Values that were written are no times of the org: they come back as they are.
    assert_eq!(ours["records"][0]["datetime__c"], theirs["records"][0]["datetime__c"]);
}
