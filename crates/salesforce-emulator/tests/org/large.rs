//! A large org, and one without what not every org has.

use reqwest::Method;
use salesforce_emulator::org::{Crowd, Feature};
use salesforce_emulator::{Config, Settings, Workload};
use serde_json::{Value as Json, json};

use crate::client::{Client, still};

/// A Developer Edition's global describe has 1,000 to 1,500 objects and some 1.2 MB.
#[tokio::test]
async fn thirteen_hundred_objects() {
    let crowd = Crowd { standard: 1_000, custom: 300, fields: 150 };
    let client = Client::with(Config { crowd, settings: still(), ..Config::default() }).await;
    let global = client.get("/services/data/v62.0/sobjects").await;
    assert!((1_000_000..1_500_000).contains(&global.text.len()), "{} bytes", global.text.len());
    let global = global.json();
    let objects = global["sobjects"].as_array().unwrap();
    assert!(objects.len() > 1_300 && objects.is_sorted_by_key(|object| object["name"].as_str().unwrap().to_owned()));
    let keys = |value: &Json| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert!(objects.iter().all(|object| keys(object) == keys(&objects[0])));

    for name in ["Asset_Action_000__c", "Voucher_Approval_107__c", "AssetAction"] {
        let describe = client.get(&format!("/services/data/v62.0/sobjects/{name}/describe")).await.json();
        let fields = describe["fields"].as_array().unwrap();
        assert_eq!(fields.len(), if name.ends_with("__c") { 159 } else { 22 }, "{name}");
        let id = client.create(name, json!({"Name": "first"})).await;
        assert!(id.starts_with(describe["keyPrefix"].as_str().unwrap()));
        let found = client.query(&format!("SELECT FIELDS(ALL) FROM {name} LIMIT 10")).await.json();
        assert_eq!(found["records"][0].as_object().unwrap().len(), fields.len() + 1, "{name}");
    }
    let counts =
        client.get("/services/data/v62.0/limits/recordCount?sObjects=AssetAction,BadgeAllocation").await.json();
    assert_eq!(counts["sObjects"], json!([{"count": 1, "name": "AssetAction"}]), "the other holds nothing");
}

/// Objects that are absent unless a feature is enabled, and what refers to them.
#[tokio::test]
async fn features_the_org_lacks() {
    let features = [
        (Feature::Chat, vec!["LiveChatTranscript"]),
        (Feature::Messaging, vec!["MessagingSession"]),
        (Feature::Quotes, vec!["Quote", "QuoteLineItem"]),
        (Feature::FieldService, vec!["ServiceAppointment", "WorkOrder", "WorkOrderLineItem"]),
        (Feature::OmniChannel, vec!["UserServicePresence"]),
        (Feature::Entitlements, vec!["Entitlement", "ServiceContract", "ContractLineItem"]),
    ];
    for (feature, absent) in features {
        let settings = Settings { without: vec![feature], ..still() };
        let client = Client::with(Config { settings, ..Config::default() }).await;
        let global = client.get("/services/data/v62.0/sobjects").await.json();
        for object in global["sobjects"].as_array().unwrap() {
            let name = object["name"].as_str().unwrap();
            assert!(!absent.contains(&name), "{name} without {feature:?}");
            let describe = client.get(&format!("/services/data/v62.0/sobjects/{name}/describe")).await.json();
            for relation in describe["childRelationships"].as_array().unwrap() {
                assert!(!absent.contains(&relation["childSObject"].as_str().unwrap()), "{name}: {relation}");
            }
            for field in describe["fields"].as_array().unwrap() {
                let targets = field["referenceTo"].as_array().unwrap();
                let dangling = targets.iter().all(|target| absent.contains(&target.as_str().unwrap()));
                assert!(targets.is_empty() || !dangling, "{name}.{}", field["name"]);
            }
        }
        for name in absent {
            let answer = client.get(&format!("/services/data/v62.0/sobjects/{name}/describe")).await;
            assert_eq!(answer.json()[0]["errorCode"], "NOT_FOUND");
            let answer = client.query(&format!("SELECT Id FROM {name}")).await;
            assert_eq!(answer.json()[0]["errorCode"], "INVALID_TYPE");
        }
    }
}

/// A UserServicePresence appears when an agent signs in, never because a client creates it.
#[tokio::test]
async fn what_no_client_creates() {
    let rows = vec![("UserServicePresence".to_owned(), 3)];
    let client = Client::with(Config { rows, settings: still(), ..Config::default() }).await;
    let path = "/services/data/v62.0/sobjects/UserServicePresence";
    let refused = client.call(Method::POST, path, Some(json!({"IsAway": true}))).await;
    assert_eq!(refused.json()[0]["errorCode"], "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY");
    let objects = vec!["UserServicePresence".to_owned()];
    client.emulator.start_workload(Workload { objects, rate: 0.0, total: Some(40), ..Workload::default() }).unwrap();
    let report = client.emulator.finish_workload().await;
    assert!(report.failure.is_none() && report.created > 0 && report.updated > 0 && report.deleted > 0, "{report:?}");
}

/// Each of the 21 documented streams is here, with what a capture needs to know of it.
#[tokio::test]
async fn the_documented_streams() {
    // Cursor, deletable and undeletable, createable by a client.
    let streams = [
        ("Account", "001", "SystemModstamp", true, true),
        ("Contact", "003", "SystemModstamp", true, true),
        ("User", "005", "SystemModstamp", false, true),
        ("OpportunityFieldHistory", "", "CreatedDate", false, false),
        ("LeadHistory", "", "CreatedDate", false, false),
        ("Opportunity", "006", "SystemModstamp", true, true),
        ("Campaign", "701", "SystemModstamp", true, true),
        ("Case", "500", "SystemModstamp", true, true),
        ("ContractLineItem", "811", "SystemModstamp", true, true),
        ("Entitlement", "550", "SystemModstamp", true, true),
        ("Lead", "00Q", "SystemModstamp", true, true),
        ("LiveChatTranscript", "570", "SystemModstamp", true, true),
        ("MessagingSession", "0Mw", "SystemModstamp", true, true),
        ("Quote", "0Q0", "SystemModstamp", true, true),
        ("QuoteLineItem", "0QL", "SystemModstamp", true, true),
        ("ServiceAppointment", "08p", "SystemModstamp", true, true),
        ("ServiceContract", "810", "SystemModstamp", true, true),
        ("Task", "00T", "SystemModstamp", true, true),
        ("UserServicePresence", "0R1", "SystemModstamp", true, false),
        ("WorkOrder", "0WO", "SystemModstamp", true, true),
        ("WorkOrderLineItem", "1WL", "SystemModstamp", true, true),
    ];
    let client = Client::new().await;
    for (name, prefix, cursor, deletable, createable) in streams {
        let describe = client.get(&format!("/services/data/v62.0/sobjects/{name}/describe")).await.json();
        let field =
            |wanted: &str| describe["fields"].as_array().unwrap().iter().find(|field| field["name"] == wanted).cloned();
        let flags = ["queryable", "retrieveable", "replicateable"].map(|flag| describe[flag].as_bool().unwrap());
        assert_eq!((flags, describe["keyPrefix"].as_str().unwrap_or_default()), ([true; 3], prefix), "{name}");
        let flags = ["deletable", "undeletable", "createable"].map(|flag| describe[flag].as_bool().unwrap());
        assert_eq!(flags, [deletable, deletable, createable], "{name}");
        let cursor = field(cursor).unwrap();
        assert!(cursor["type"] == "datetime" && cursor["nillable"] == false && cursor["filterable"] == true, "{name}");
        assert_eq!(field("IsDeleted").is_some(), name != "User", "{name}");
        assert_eq!(field("SystemModstamp").is_some(), !name.ends_with("History"), "{name}");
    }
    for (parent, child, cascades) in [
        ("Quote", "QuoteLineItem", true),
        ("Opportunity", "Quote", true),
        ("Opportunity", "OpportunityFieldHistory", true),
        ("Lead", "LeadHistory", true),
        ("ServiceContract", "ContractLineItem", true),
        ("WorkOrder", "WorkOrderLineItem", true),
        ("Account", "LiveChatTranscript", false),
    ] {
        let describe = client.get(&format!("/services/data/v62.0/sobjects/{parent}/describe")).await.json();
        let mut relations = describe["childRelationships"].as_array().unwrap().iter();
        let relation = relations.find(|relation| relation["childSObject"] == child).unwrap();
        assert_eq!(relation["cascadeDelete"], cascades, "{parent} and {child}");
    }
}
