//! What is refused before the first row, each with what is wrong and where, and what to do.

use demo::runtime::{Materialization, Patch, Projection, Target};
use insta::assert_snapshot;
use salesforce_emulator::Settings;
use serde_json::{Value, json};

use super::desk::{Desk, MATCH, document, make_matchable, target, with};
use crate::{org::Org, program};

/// Bindings that cannot work, and what `validate` says of each.
#[tokio::test(flavor = "multi_thread")]
async fn bindings_that_cannot_work() {
    let org = Org::start(&[]).await;
    make_matchable(&org, &["Lead", "Contact"]);
    let plain = json!({ "type": "string" });
    org.change_schema(json!({ "add_field": { "object": "Lead", "field": "Plain__c", "definition": plain } }));
    let lead = |options: Value| {
        target(with(json!({ "object": "Lead", "match_field": MATCH }), options), &["LastName", "Company"])
    };
    let ruled = |field: &str, rule: Value| {
        let mut target = lead(json!({}));
        target.require.insert(field.into(), rule);
        target
    };
    let owner = |rule: Value| {
        let resource = json!({ "object": "Lead", "match_field": MATCH });
        let mut target = target(resource, &["LastName", "Company", "OwnerId"]);
        target.require.insert("OwnerId".into(), rule);
        target
    };
    let keyed = |key: &[&str]| Target { key: key.iter().map(|key| (*key).to_owned()).collect(), ..lead(json!({})) };
    let cases: Vec<(&str, Vec<Target>)> = vec![
        ("an object that is not there", vec![target(json!({ "object": "Laed", "match_field": MATCH }), &["LastName"])]),
        ("no field to match by", vec![target(json!({ "object": "Lead" }), &["LastName", "Company"])]),
        ("a field that is not there", vec![lead(json!({ "match_field": "Nope__c" }))]),
        ("a field that is no external id", vec![lead(json!({ "match_field": "Plain__c" }))]),
        ("an Id for new records", vec![lead(json!({ "match_field": "Id" }))]),
        ("no object name", vec![target(json!({ "object": "Le ad", "match_field": MATCH }), &[])]),
        ("an unknown option", vec![lead(json!({ "operatoin": "update" }))]),
        ("an unknown operation", vec![lead(json!({ "operation": "merge" }))]),
        ("documents read back", vec![lead(json!({ "delta_updates": false }))]),
        ("a deletion that sets nothing", vec![lead(json!({ "deletions": "set_field" }))]),
        (
            "a deletion that sets what cannot be set",
            vec![lead(json!({ "deletions": "set_field", "deletion_field": "CreatedDate" }))],
        ),
        (
            "deletions that set a field, and bring records back",
            vec![lead(json!({ "deletions": "set_field", "deletion_field": "Phone", "restore_deleted": true }))],
        ),
        ("inserts that bring records back", vec![lead(json!({ "operation": "insert", "restore_deleted": true }))]),
        ("inserts that delete", vec![lead(json!({ "operation": "insert", "deletions": "delete" }))]),
        (
            "required fields that nothing fills",
            vec![target(json!({ "object": "Lead", "match_field": MATCH }), &["Phone"])],
        ),
        ("a required field that cannot be written", vec![ruled("LastName", json!({ "name": "CreatedDate" }))]),
        ("a name that no field has", vec![ruled("LastName", json!({ "name": "Lastname__c" }))]),
        ("a rule that is none", vec![ruled("LastName", json!({ "nmae": "LastName" }))]),
        ("a lookup from what refers to nothing", vec![ruled("LastName", json!({ "lookup": "Ext__c" }))]),
        ("a lookup to nowhere said", vec![ruled("LastName", json!({ "object": "User" }))]),
        ("a lookup by what tells no users apart", vec![owner(json!({ "lookup": "Department", "object": "User" }))]),
        ("a lookup by a field that is not there", vec![owner(json!({ "lookup": "Nope__c", "object": "Group" }))]),
        ("two bindings for one object", vec![lead(json!({})), lead(json!({ "object": "LEAD" }))]),
        ("a key of two parts", vec![keyed(&["/Id", "/Company"])]),
        ("dead letters that cannot be kept", vec![lead(json!({ "dead_letters": "Contact" }))]),
        ("dead letters that are nowhere", vec![lead(json!({ "dead_letters": "Letter__c" }))]),
        (
            "several things at once",
            vec![
                target(json!({ "object": "Contact", "match_field": "Nope__c" }), &["LastName"]),
                target(json!({ "object": "Lead" }), &["LastName", "Company"]),
            ],
        ),
    ];
    let mut said = String::new();
    for (what, targets) in cases {
        let refusal = match Desk::prepare_with(org.config(), targets).await {
            Err(demo::Error::Ended { exit, .. }) => exit.last_message().expect("last words"),
            Err(error) => error.to_string(),
            Ok(_) => panic!("{what}: it is accepted"),
        };
        said += &format!("{what}\n  {refusal}\n");
    }
    org.shutdown().await;
    assert_snapshot!(said);
}

/// What `validate` says of each field of a collection.
#[tokio::test(flavor = "multi_thread")]
async fn every_field_has_its_constraint() {
    let org = Org::start(&[]).await;
    make_matchable(&org, &["Contact", "Account"]);
    let members = [
        "LastName",
        "FirstName",
        "AccountId",
        "OwnerId",
        "ReportsToId",
        "MailingAddress",
        "MailingCity",
        "Salutation",
        "Name",
        "CreatedDate",
        "SystemModstamp",
        "LastNmae",
        "flow_published_at",
        MATCH,
    ];
    let mut contact = target(json!({ "object": "Contact", "match_field": MATCH }), &members);
    for (field, kind) in [
        ("Department", "boolean"),
        ("HasOptedOutOfEmail", "boolean"),
        ("AssistantName", "object"),
        ("Title", "integer"),
    ] {
        let types = vec![kind.to_owned(), "null".to_owned()];
        contact.projections.push(Projection { pointer: format!("/{field}"), field: field.to_owned(), types });
    }
    contact.projections.push(Projection {
        pointer: "/flag".into(),
        field: "Birthdate".into(),
        types: vec!["boolean".into()],
    });
    let account = target(json!({ "object": "Account", "match_field": MATCH }), &["Name"]);
    let task = Materialization::new("acmeCo/to-salesforce", org.config(), vec![contact, account]);
    let validated = program::writer().ask(&task.validate_request(), "validated").await.expect("it is valid");
    let constraints = validated["bindings"][0]["projectionConstraints"].as_array().expect("constraints");
    let lines = constraints.iter().map(|it| {
        let (kind, reason) = (&it["constraint"]["type"], &it["constraint"]["reason"]);
        let folded = it["constraint"]["foldedField"].as_str().map(|field| format!(" -> {field}")).unwrap_or_default();
        format!(
            "{}{folded}: {} ({})\n",
            it["field"].as_str().unwrap(),
            kind.as_str().unwrap(),
            reason.as_str().unwrap()
        )
    });
    assert_snapshot!(lines.collect::<String>());
    org.shutdown().await;
}

/// What was written to one org is not carried on in another.
#[tokio::test(flavor = "multi_thread")]
async fn another_org_is_refused() {
    let (first, second) = (Org::start(&[]).await, Org::start_with(2, &[], Settings::default()).await);
    for org in [&first, &second] {
        make_matchable(org, &["Lead"]);
    }
    let targets = || vec![target(json!({ "object": "Lead", "match_field": MATCH }), &["LastName", "Company"])];
    let row = || (0, document("c", "00Q000000000001AAA", json!({ "LastName": "Ngo", "Company": "Acme" })));
    let mut desk = Desk::prepare(&first, targets()).await;
    desk.write([row()]).await;
    let mut moved = Desk::prepare(&second, targets()).await;
    moved.task.committed(Patch::Replace(desk.task.state().clone()));
    let refusal = match moved.task.open(&moved.connector).await {
        Err(demo::Error::Ended { exit, .. }) => exit.last_message().expect("last words"),
        other => panic!("it goes on: {other:?}"),
    };
    assert!(refusal.contains("ask for a backfill"), "{refusal}");
    assert_eq!(second.ids("Lead").len(), 0);
    first.shutdown().await;
    second.shutdown().await;
}
