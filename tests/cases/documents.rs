//! Documents against schemas: each against the exact one that its session declares, and against the small one of its
//! collection; and broken ones against the exact one, which must notice.

use serde_json::{Value, json};

use super::{
    org::Org,
    task::{Task, id_of},
    validator::{assert_valid, validator},
};

const STREAMS: [&str; 8] = ["Account", "Contact", "Lead", "Opportunity", "Case", "Task", "Custom__c", "Wide__c"];

#[tokio::test(flavor = "multi_thread")]
async fn every_document_satisfies_its_schemas() {
    let rows: Vec<(&str, u64)> = STREAMS.iter().map(|stream| (*stream, 40)).collect();
    let org = Org::start(&rows).await;
    let mut task = Task::prepare(&org, &STREAMS).await;
    let mut running = task.open().await;
    running.until_live().await;
    org.change(&STREAMS, 800, 11).await;
    running.agree(&org).await;

    let captured = std::mem::take(&mut running.captured);
    running.end().await;
    assert!(captured.len() > STREAMS.len() * 40 + 200, "{}", captured.len());
    for op in ["c", "u", "d"] {
        let count = captured.iter().filter(|captured| captured.document["_meta"]["op"] == op).count();
        assert!(count >= 10, "{count} documents of operation {op}");
    }
    for (index, binding) in task.capture.bindings().iter().enumerate() {
        let documents: Vec<_> = captured.iter().filter(|captured| captured.binding == index).collect();
        assert!(documents.len() >= 40, "{}", binding.stream());
        let exact = task.capture.sourced_schema(index).expect("the session declares a schema");
        for schema in [exact, &binding.document_schema] {
            assert_valid(schema, documents.iter().map(|captured| &captured.document));
        }
    }
    org.shutdown().await;
}

/// A whole document with one thing wrong in it.
#[tokio::test(flavor = "multi_thread")]
async fn corrupted_documents_fail() {
    let org = Org::start(&[]).await;
    let address = json!({ "LastName": "Lovelace", "Company": "Analytical Engines", "City": "London", "Country": "UK" });
    let id = org.create("Lead", address).to_string();
    let mut task = Task::prepare(&org, &["Lead"]).await;
    task.catch_up(&org).await;
    let schema = validator(task.capture.sourced_schema(0).expect("a schema"));
    let sound = task.capture.collection(0).rows()[&id].clone();
    assert!(schema.is_valid(&sound), "{sound}");
    assert_eq!(id_of(&sound), id);

    let corrupted = [
        ("a number for a text", "/LastName", json!(1815)),
        ("a text for a switch", "/IsConverted", json!("false")),
        ("a fraction for a whole number", "/NumberOfEmployees", json!(12.5)),
        ("null where there is always a value", "/SystemModstamp", Value::Null),
        ("a date in words", "/CreatedDate", json!("today")),
        ("the date format of REST", "/CreatedDate", json!("2026-11-22T10:00:00.000+0000")),
        ("an id in its short form", "/OwnerId", json!("005590000000001")),
        ("a text that is too long", "/City", json!("x".repeat(41))),
        ("a field that the object has not", "/Horoscope__c", json!("Sagittarius")),
        ("an operation that is none", "/_meta/op", json!("x")),
        (
            "a replay id in words",
            "/_meta/source",
            json!({ "replayId": "1", "createdDate": "2026-11-22T10:00:00.000Z" }),
        ),
        ("an address part of the wrong kind", "/Address/city", json!(["London"])),
        ("an address part that is none", "/Address/planet", json!("Earth")),
        ("an address that is a text", "/Address", json!("London, UK")),
    ];
    for (what, pointer, value) in corrupted {
        let mut document = sound.clone();
        let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
        document.pointer_mut(parent).expect("the parent exists")[key] = value;
        assert!(!schema.is_valid(&document), "{what} passes: {document}");
    }
    for missing in ["Id", "_meta"] {
        let mut document = sound.clone();
        document.as_object_mut().expect("an object").remove(missing);
        assert!(!schema.is_valid(&document), "a document without {missing} passes");
    }
    org.shutdown().await;
}
