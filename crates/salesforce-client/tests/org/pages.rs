//! Pages, records and describes, from replies of real orgs.

use std::fmt::Write;

use salesforce_client::{Describe, Error, GlobalDescribe, LONGEST_QUERY, Page, Record, SObjectName};
use serde_json::{Value, json};

use crate::server::{Server, TOKEN_PATH, account, grant, json, reply, with_header};

/// The page a client makes of this body.
async fn page(body: &str) -> Result<Page, Error> {
    let body = body.to_owned();
    let answer = move |_| {
        with_header(reply(200, "application/json;charset=UTF-8", body.clone()), "date", "Tue, 02 Jan 2024 03:04:05 GMT")
    };
    Server::granting(answer).await.org().query(&account(), "SELECT Id FROM Account").await
}

fn shown(rows: &[Record<'_>]) -> String {
    rows.iter().fold(String::new(), |mut text, row| {
        for (name, value) in row.iter() {
            let value: String = value.get().split_whitespace().collect::<Vec<_>>().join(" ");
            text += &format!("{name} = {value}\n");
        }
        text + "\n"
    })
}

#[tokio::test]
async fn real_pages() {
    let transcript: Vec<Value> =
        serde_json::from_str(include_str!("../fixtures/query/simple_upsert__rest.json")).unwrap();
    let queries = transcript.iter().filter(|exchange| exchange["request"]["method"] == "GET");
    let mut bodies: Vec<&str> = queries.filter_map(|exchange| exchange["response"]["body"].as_str()).collect();
    assert_eq!(bodies.len(), 3);
    bodies.push(include_str!("../fixtures/query/nifi-query.json"));
    bodies.push(include_str!("../fixtures/query/aggregate-query.json"));

    let mut text = String::new();
    for body in bodies {
        let page = page(body).await.expect("a page");
        assert_eq!(page.rows().len() as u64, page.total_size());
        assert!(page.done() && page.next().is_none());
        assert_eq!(page.answered().expect("a date").to_string(), "2024-01-02T03:04:05Z");
        writeln!(text, "--- {page:?}\n{}", shown(page.rows())).unwrap();
    }
    insta::assert_snapshot!(text);
}

#[test]
fn a_real_record_keeps_order_nulls_and_nested_objects() {
    let text = include_str!("../fixtures/query/organization-record.json");
    let record: Record<'_> = serde_json::from_str(text).unwrap();
    insta::assert_snapshot!(shown(&[record]));
}

#[test]
fn the_fields_of_a_record() {
    let text = r#"{
        "attributes": { "type": "Opportunity" }, "Id": "006000000000001", "Amount": 15000.0, "Big": 12345678901234567890.10,
        "Tiny": 1.5E7, "Name": "caf\u00e9 \"x\"", "Plain": "plain", "Owner": { "attributes": { "type": "User" }, "Name": "y" },
        "Closed": null, "Escaped\u0020name": true
    }"#;
    let record: Record<'_> = serde_json::from_str(text).unwrap();
    let raw = |name: &str| record.get(name).map(|value| value.get());
    for (name, expect) in [
        ("Amount", Some("15000.0")),
        ("Big", Some("12345678901234567890.10")),
        ("Tiny", Some("1.5E7")),
        ("Closed", Some("null")),
        ("Escaped name", Some("true")),
        ("Owner", Some(r#"{ "attributes": { "type": "User" }, "Name": "y" }"#)),
        ("attributes", None),
        ("amount", None),
    ] {
        assert_eq!(raw(name), expect, "{name}");
    }
    assert_eq!(record.id().unwrap().as_str(), "006000000000001AAA");
    assert_eq!(record.text("Name").as_deref(), Some("café \"x\""));
    assert!(matches!(record.text("Plain"), Some(std::borrow::Cow::Borrowed("plain"))));
    assert_eq!(record.text("Closed"), None);
    assert_eq!(record.text("Amount"), None);
    assert_eq!(record.len(), 9);

    let nameless: Record<'_> = serde_json::from_str(r#"{ "Name": "x" }"#).unwrap();
    assert_eq!(nameless.id().unwrap_err().to_string(), "bad record: it has no Id; was the field selected?");
    for text in ["[]", "null", "1", r#"{"Id""#] {
        assert!(serde_json::from_str::<Record<'_>>(text).is_err(), "{text}");
    }
}

#[tokio::test]
async fn pages_follow_one_another() {
    let server = Server::granting(|seen| {
        let row = |n: &str| json!({ "attributes": { "type": "Account" }, "Id": format!("0010000000000{n}AAA") });
        let next = "/services/data/v62.0/query/01gD0000002HU6KIAW-1";
        json(
            200,
            &match seen.path.as_str() {
                path if path == next => json!({ "totalSize": 2, "done": true, "records": [row("02")] }),
                _ => json!({ "totalSize": 2, "done": false, "nextRecordsUrl": next, "records": [row("01")] }),
            },
        )
    })
    .await;
    let org = server.org();
    for first in [org.query(&account(), "q").await, org.query_all(&account(), "q").await] {
        let first = first.expect("a page");
        assert_eq!((first.total_size(), first.done()), (2, false));
        let next = first.next().expect("a locator");
        let second = org.query_more(&account(), &next).await.expect("a page");
        assert!(second.done() && second.next().is_none());
        assert_eq!(second.rows()[0].id().expect("an id").as_str(), "001000000000002AAA");
    }
    assert_eq!((server.count("/services/data/v62.0/queryAll"), server.count("/services/data/v62.0/query/")), (1, 2));
    let more = &server.seen("/services/data/v62.0/query/01gD0000002HU6KIAW-1")[0];
    assert_eq!(more.query, None);
}

#[tokio::test]
async fn pages_that_contradict_themselves_are_refused() {
    for (body, why) in [
        (r#"{"totalSize":2,"done":false,"records":[]}"#, "more but not where"),
        (
            r#"{"totalSize":2,"done":false,"nextRecordsUrl":"//evil.example/x","records":[]}"#,
            "not below /services/data/",
        ),
        (r#"{"totalSize":2,"done":false,"nextRecordsUrl":"https://evil.example/","records":[]}"#, "not below"),
        (r#"{"totalSize":2,"done":true,"records":[{"Id":"1"}]}"#, "fewer rows"),
        (r#"{"totalSize":2,"done":true}"#, "line 1"),
        (r#"[]"#, "line 1"),
    ] {
        let error = page(body).await.expect_err("a bad page");
        assert!(error.to_string().contains(why), "{error}");
    }
    assert_eq!(page(r#"{"totalSize":7,"done":true,"records":[]}"#).await.expect("a count").total_size(), 7);
}

#[tokio::test]
async fn a_query_longer_than_any_is_refused_before_it_is_sent() {
    let server = Server::granting(|seen| grant(&seen)).await;
    let error = server.org().query(&account(), &"x".repeat(LONGEST_QUERY + 1)).await.expect_err("too long");
    assert!(error.to_string().starts_with("the query on Account is 100001 characters long"), "{error}");
    assert_eq!(server.count("/services/data"), 0);
    assert_eq!(server.count(TOKEN_PATH), 0);
}

fn summary(describe: &Describe) -> String {
    let object = &describe.summary;
    let mut text = format!(
        "{} ({}) prefix {:?} custom {} queryable {} replicateable {} undeletable {}\n",
        object.name,
        object.label,
        object.key_prefix,
        object.custom,
        object.queryable,
        object.replicateable,
        object.undeletable
    );
    for field in &describe.fields {
        text += &format!("{} {}", field.name, field.kind);
        for (what, value) in [
            ("length", field.length),
            ("precision", field.precision),
            ("scale", field.scale),
            ("digits", field.digits),
            ("values", field.active_values().count() as u32),
        ] {
            if value > 0 {
                text += &format!(" {what} {value}");
            }
        }
        for (what, holds) in [
            ("nillable", field.nillable),
            ("createable", field.createable),
            ("updateable", field.updateable),
            ("required", field.required()),
            ("calculated", field.calculated),
            ("unique", field.unique),
            ("external id", field.external_id),
            ("id lookup", field.id_lookup),
            ("not filterable", !field.filterable),
            ("html", field.html_formatted),
            ("restricted", field.restricted_picklist),
        ] {
            if holds {
                text += &format!(", {what}");
            }
        }
        for (what, name) in [("part of", &field.compound_field_name), ("is a", &field.extra_type_info)] {
            if let Some(name) = name {
                text += &format!(", {what} {name}");
            }
        }
        if !field.reference_to.is_empty() {
            text += &format!(" → {:?} as {:?}", field.reference_to, field.relationship_name);
        }
        text.push('\n');
    }
    text
}

#[test]
fn real_describes() {
    for (name, text) in [
        ("Account", include_str!("../fixtures/describe/Account.json")),
        ("Custom__c", include_str!("../fixtures/describe/Custom__c.json")),
        ("OpportunityContactRole", include_str!("../fixtures/describe/OpportunityContactRole.json")),
        ("Topic-v42", include_str!("../fixtures/describe/Topic-v42.json")),
        ("PushTopic-trimmed", include_str!("../fixtures/describe/PushTopic.json")),
        ("ContractLineItem-trimmed", include_str!("../fixtures/describe/ContractLineItem.json")),
        ("Task-trimmed", include_str!("../fixtures/describe/Task.json")),
    ] {
        let describe: Describe = serde_json::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(describe.field("systemMODSTAMP").is_some() || describe.field("Id").is_some(), "{name}");
        insta::assert_snapshot!(format!("describe-{name}"), summary(&describe));
    }
}

#[test]
fn a_real_global_describe() {
    let global: GlobalDescribe = serde_json::from_str(include_str!("../fixtures/describe/_global.json")).unwrap();
    let text = global.sobjects.iter().fold(String::new(), |mut text, object| {
        let prefix = object.key_prefix.as_deref().unwrap_or("---");
        let flags =
            [(object.queryable, "q"), (object.replicateable, "r"), (object.triggerable, "t"), (object.custom, "c")];
        let flags: String = flags.iter().map(|(holds, flag)| if *holds { flag } else { "-" }).collect();
        writeln!(text, "{prefix} {flags} {}", object.name).unwrap();
        text
    });
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn describes_over_http() {
    let server = Server::granting(|seen| match seen.path.as_str() {
        "/services/data/v62.0/sobjects" => {
            reply(200, "application/json", include_str!("../fixtures/describe/_global.json"))
        }
        "/services/data/v62.0/sobjects/Custom__c/describe" => {
            reply(200, "application/json", include_str!("../fixtures/describe/Custom__c.json"))
        }
        _ => reply(404, "application/json", include_str!("../fixtures/errors/describe-404.json")),
    })
    .await;
    let org = server.org();
    assert_eq!(org.describe_global().await.expect("a list").sobjects.len(), 110);
    let custom: SObjectName = "Custom__c".parse().unwrap();
    assert_eq!(org.describe(&custom).await.expect("a describe").name(), &custom);
    let error = org.describe(&account()).await.expect_err("no such object");
    assert_eq!((error.code(), error.object()), (Some("NOT_FOUND"), Some(&account())));
    assert_eq!(
        error.to_string(),
        "describing Account failed: NOT_FOUND: The requested resource does not exist [HTTP 404]"
    );
}
