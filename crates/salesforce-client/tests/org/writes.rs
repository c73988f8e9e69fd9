//! Rows into the org: what is sent for each way of writing, what comes back for each row, and what is repeated.

use salesforce_client::{
    Class, Error, ExternalId, FieldName, Fields, Key, Org, RecordId, RowRefusal, Rows, SObjectName, Saved, Write,
    WriteOptions, write::MOST_ROWS,
};
use serde_json::{Value, json};

use crate::server::{Reply, Seen, Server, account, error, html, json, names, reply};

const COLLECTIONS: &str = "/services/data/v62.0/composite/sobjects";

fn id(n: usize) -> RecordId {
    format!("001{n:012}").parse().expect("an id")
}

fn external(value: &str) -> ExternalId<'_> {
    ExternalId::new(value).expect("an external id")
}

fn key() -> FieldName {
    "Ext__c".parse().expect("a name")
}

fn fields(fields: &Value) -> Fields {
    let fields = fields.as_object().expect("an object");
    let names: Vec<FieldName> = fields.keys().map(|name| name.parse().expect("a name")).collect();
    names.iter().zip(fields.values()).collect()
}

fn saved(id: RecordId, created: bool) -> Value {
    json!({ "id": id, "success": true, "errors": [], "created": created })
}

async fn write(org: &Org, write: &Write<'_>) -> Result<Saved, Error> {
    org.write(&account(), write, &WriteOptions::default()).await
}

async fn write_rows(org: &Org, rows: &Rows<'_>) -> Result<Vec<Result<Saved, RowRefusal>>, Error> {
    org.write_rows(&account(), rows, &WriteOptions::default()).await
}

#[tokio::test]
async fn one_row_by_each_way() {
    let server = Server::granting(|seen| match (seen.method.as_str(), seen.path.rsplit('/').next()) {
        ("POST", _) => json(201, &json!({ "id": id(1), "success": true, "errors": [] })),
        ("PATCH", Some("new")) => json(201, &saved(id(2), true)),
        ("PATCH", Some("old")) => json(200, &saved(id(3), false)),
        _ => reply(204, "application/json", ""),
    })
    .await;
    let org = server.org();
    let (key, body) =
        (key(), fields(&json!({ "Name": "Ünïcode 'quoted'", "Rating": null, "Parent": { "Ext__c": "x" } })));
    let by = |value| Key::External(&key, external(value));
    let update_only = Some("updateOnly=true");
    for (row, method, path, query, expect) in [
        (Write::Create(&body), "POST", String::new(), None, (Some(id(1)), true)),
        (Write::Update(Key::Id(id(7)), &body), "PATCH", format!("/{}", id(7)), None, (Some(id(7)), false)),
        (Write::Update(by("A/1"), &body), "PATCH", "/Ext__c/A%2F1".to_owned(), update_only, (None, false)),
        (Write::Update(by("old"), &body), "PATCH", "/Ext__c/old".to_owned(), update_only, (Some(id(3)), false)),
        (Write::Upsert(&key, external("new"), &body), "PATCH", "/Ext__c/new".to_owned(), None, (Some(id(2)), true)),
        (Write::Upsert(&key, external("old"), &body), "PATCH", "/Ext__c/old".to_owned(), None, (Some(id(3)), false)),
        (Write::Upsert(&key, external("a.inc"), &body), "PATCH", "/Ext__c/a%2Einc".to_owned(), None, (None, false)),
        (Write::Delete(Key::Id(id(7))), "DELETE", format!("/{}", id(7)), None, (Some(id(7)), false)),
        (Write::Delete(by("100% ü")), "DELETE", "/Ext__c/100%25%20%C3%BC".to_owned(), None, (None, false)),
    ] {
        let path = format!("/services/data/v62.0/sobjects/Account{path}");
        let saved = write(&org, &row).await.unwrap_or_else(|error| panic!("{row:?}: {error}"));
        assert_eq!((saved.id, saved.created), expect, "{row:?}");
        let seen = server.seen(&path).pop().unwrap_or_else(|| panic!("{path}"));
        assert_eq!((seen.method.as_str(), seen.query.as_deref()), (method, query), "{row:?}");
        let sent = r#"{"Name":"Ünïcode 'quoted'","Rating":null,"Parent":{"Ext__c":"x"}}"#;
        assert_eq!(seen.body, if method == "DELETE" { "" } else { sent }, "{row:?}");
        assert_eq!((seen.header("sforce-duplicate-rule-header"), seen.header("sforce-auto-assign")), (None, None));
    }
}

#[tokio::test]
async fn refusals_of_one_row() {
    let server = Server::granting(|seen| match seen.path.rsplit('/').next() {
        Some("many") => {
            json(300, &(0..7).map(|n| format!("/services/data/v62.0/sobjects/Account/{}", id(n))).collect::<Value>())
        }
        Some("gone") => error(404, "NOT_FOUND", "The requested resource does not exist"),
        _ => error(404, "ENTITY_IS_DELETED", "entity is deleted"),
    })
    .await;
    let org = server.org();
    let (key, empty) = (key(), Fields::new());
    for (row, expect) in [
        (
            Write::Upsert(&key, external("many"), &empty),
            "upserting Account by Ext__c failed: DUPLICATE_EXTERNAL_ID: 7 records have this external id: \
             001000000000000AAA, 001000000000001AAA, 001000000000002AAA, 001000000000003AAA, 001000000000004AAA, … [HTTP 300]",
        ),
        (
            Write::Update(Key::External(&key, external("gone")), &empty),
            "updating Account by Ext__c failed: NOT_FOUND: The requested resource does not exist [HTTP 404]",
        ),
        (
            Write::Update(Key::Id(id(1)), &empty),
            "updating Account 001000000000001AAA failed: ENTITY_IS_DELETED: entity is deleted [HTTP 404]",
        ),
        (
            Write::Delete(Key::External(&key, external("gone"))),
            "deleting Account by Ext__c failed: NOT_FOUND: The requested resource does not exist [HTTP 404]",
        ),
        (
            Write::Upsert(&key, external(".."), &empty),
            r#"bad external id "..": no URL can hold it: write the row with others, or by its record id"#,
        ),
    ] {
        let failed = write(&org, &row).await.expect_err("a refusal");
        assert_eq!((failed.to_string().as_str(), failed.class()), (expect, Class::Fatal), "{row:?}");
    }
    assert_eq!(server.count("/services/data/v62.0/sobjects"), 4);
    let gone = write(&org, &Write::Delete(Key::Id(id(1)))).await.expect("as good as deleted");
    assert_eq!((gone.id, gone.created), (Some(id(1)), false));
}

#[tokio::test]
async fn rows_by_each_way() {
    let server = Server::granting(|seen| match (seen.method.as_str(), seen.path.as_str()) {
        ("POST", _) => json(200, &json!([saved(id(1), true), saved(id(2), true)])),
        (_, COLLECTIONS) => json(200, &json!([saved(id(1), false), { "success": true, "errors": [] }])),
        _ => json(200, &json!([saved(id(1), true), saved(id(2), false)])),
    })
    .await;
    let org = server.org();
    let (key, body, empty) = (key(), fields(&json!({ "Name": "a\"b", "N__c": 1.50 })), Fields::new());
    let upserted = format!("{COLLECTIONS}/Account/Ext__c");
    let (created, updated) = ([&body, &empty], [(id(1), &body), (id(2), &empty)]);
    let (by, deleted) = ([(external("A\"1"), &body), (external(".."), &empty)], [id(1), id(2)]);
    for (rows, method, path, sent, query, expect) in [
        (
            Rows::Create(&created),
            "POST",
            COLLECTIONS,
            r#"[{"attributes":{"type":"Account"},"Name":"a\"b","N__c":1.5},{"attributes":{"type":"Account"}}]"#,
            None,
            [true, true],
        ),
        (
            Rows::Update(&updated),
            "PATCH",
            COLLECTIONS,
            r#"[{"attributes":{"type":"Account"},"id":"001000000000001AAA","Name":"a\"b","N__c":1.5},{"attributes":{"type":"Account"},"id":"001000000000002AAA"}]"#,
            None,
            [false, false],
        ),
        (
            Rows::Upsert(&key, &by),
            "PATCH",
            &upserted,
            r#"[{"attributes":{"type":"Account"},"Ext__c":"A\"1","Name":"a\"b","N__c":1.5},{"attributes":{"type":"Account"},"Ext__c":".."}]"#,
            None,
            [true, false],
        ),
        (
            Rows::Delete(&deleted),
            "DELETE",
            COLLECTIONS,
            "",
            Some("ids=001000000000001AAA,001000000000002AAA&allOrNone=true"),
            [false, false],
        ),
    ] {
        let options = WriteOptions { all_or_none: true, allow_duplicates: true, skip_assignment_rules: true };
        let outcomes = org.write_rows(&account(), &rows, &options).await.unwrap_or_else(|e| panic!("{rows:?}: {e}"));
        let expect: Vec<_> = [id(1), id(2)].into_iter().zip(expect).map(|(id, new)| Ok((Some(id), new))).collect();
        let got: Vec<_> = outcomes.into_iter().map(|row| row.map(|row| (row.id, row.created))).collect();
        assert_eq!(got, expect, "{rows:?}");
        let seen = server.seen(path).pop().expect("a request");
        let body = if sent.is_empty() { String::new() } else { format!(r#"{{"allOrNone":true,"records":{sent}}}"#) };
        assert_eq!((seen.method.as_str(), seen.query.as_deref()), (method, query), "{rows:?}");
        assert_eq!(seen.body, body, "{rows:?}");
        assert_eq!(seen.header("sforce-duplicate-rule-header"), Some("allowSave=true"));
        assert_eq!(seen.header("sforce-auto-assign"), Some("FALSE"));
    }
    assert_eq!(org.calls(), 4);
}

/// What real orgs answered, row by row.
#[tokio::test]
async fn recorded_collections() {
    let recorded = [
        include_str!("../fixtures/write/collections.json"),
        include_str!("../fixtures/write/collections-row-errors.json"),
    ];
    let exchanges: Vec<Value> =
        recorded.iter().flat_map(|text| serde_json::from_str::<Vec<Value>>(text).expect("exchanges")).collect();
    let replies: Vec<Value> = exchanges.iter().map(|exchange| exchange["response"]["body"].clone()).collect();
    let server = Server::granting(move |seen| json(200, &replies[seen.nth - 1])).await;
    let org = server.org();
    let mut told = String::new();
    for exchange in &exchanges {
        let (method, records) = (&exchange["request"]["method"], &exchange["request"]["body"]["records"]);
        let records = records.as_array().map_or(&[][..], Vec::as_slice);
        let object = records.first().map_or("Account", |record| record["attributes"]["type"].as_str().expect("a type"));
        let object: SObjectName = object.parse().expect("a name");
        let own = |record: &Value| {
            let mut record = record.clone();
            let members = record.as_object_mut().expect("a record");
            members.retain(|name, _| name != "id" && name != "attributes");
            fields(&record)
        };
        let bodies: Vec<Fields> = records.iter().map(own).collect();
        let ids = |records: &Value| -> Vec<RecordId> {
            let records = records.as_array().expect("rows").iter();
            records.map(|record| record["id"].as_str().expect("an id").parse().expect("an id")).collect()
        };
        let options = WriteOptions::default();
        let outcomes = match method.as_str() {
            Some("POST") => org.write_rows(&object, &Rows::Create(&bodies.iter().collect::<Vec<_>>()), &options).await,
            Some("PATCH") => {
                // Of the last one only the refusal is recorded.
                let ids = records.iter().map(|record| record["id"].as_str().expect("an id").parse().expect("an id"));
                let rows: Vec<(RecordId, &Fields)> = ids.zip(&bodies).collect();
                org.write_rows(&object, &Rows::Update(&rows), &options).await
            }
            _ => org.write_rows(&object, &Rows::Delete(&ids(&exchange["response"]["body"])), &options).await,
        };
        for outcome in outcomes.expect("outcomes") {
            told += &match outcome {
                Ok(saved) => format!("{method} {object}: {:?}, created: {}\n", saved.id, saved.created),
                Err(refusal) => format!("{method} {object}: {refusal}\n"),
            };
        }
    }
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn a_collection_that_was_rolled_back() {
    let server = Server::granting(|_| {
        reply(200, "application/json", include_str!("../fixtures/write/collections-allornone.json"))
    })
    .await;
    let empty = Fields::new();
    let outcomes = write_rows(&server.org(), &Rows::Create(&[&empty, &empty])).await.expect("outcomes");
    let codes: Vec<_> = outcomes.iter().map(|row| row.as_ref().expect_err("a refusal").code()).collect();
    assert_eq!(codes, [Some("DUPLICATES_DETECTED"), Some("ALL_OR_NONE_OPERATION_ROLLED_BACK")]);
}

#[tokio::test]
async fn what_is_deleted_already_counts_as_deleted() {
    let refused =
        |code: &str| json!({ "id": null, "success": false, "errors": [{ "statusCode": code, "message": "m" }] });
    let rows = json!([refused("ENTITY_IS_DELETED"), refused("INVALID_CROSS_REFERENCE_KEY"), { "success": false }]);
    let server = Server::granting(move |_| json(200, &rows)).await;
    let org = server.org();
    let told = |outcomes: Vec<Result<Saved, RowRefusal>>| -> Vec<String> {
        outcomes.into_iter().map(|row| row.map_or_else(|e| e.to_string(), |row| format!("{:?}", row.id))).collect()
    };
    let deleted = write_rows(&org, &Rows::Delete(&[id(1), id(2), id(3)])).await.expect("outcomes");
    assert_eq!(told(deleted), ["Some(001000000000001AAA)", "INVALID_CROSS_REFERENCE_KEY: m", "no reason was given"]);
    let empty = Fields::new();
    let rows = [(id(1), &empty), (id(2), &empty), (id(3), &empty)];
    let updated = write_rows(&org, &Rows::Update(&rows)).await.expect("outcomes");
    assert_eq!(told(updated)[0], "ENTITY_IS_DELETED: m");
}

#[tokio::test]
async fn a_reply_that_is_no_answer_to_the_rows() {
    let ok = |n: usize| saved(id(n), true);
    for (body, why) in [
        (json!([ok(1)]), "it has not as many outcomes as rows were sent"),
        (json!([ok(1), ok(2), ok(3)]), "it has not as many outcomes as rows were sent"),
        (json!([ok(1), { "success": true }]), "a row that was written has no id"),
        (json!([ok(1), { "id": "001", "success": true }]), "the id of a row is no record id"),
        (json!({ "hasErrors": false }), "is missing something or of another type"),
    ] {
        let server = Server::granting(move |_| json(200, &body)).await;
        let empty = Fields::new();
        let failed = write_rows(&server.org(), &Rows::Create(&[&empty, &empty])).await.expect_err("no answer");
        assert!(failed.to_string().starts_with("creating 2 records of Account failed: "), "{failed}");
        assert!(failed.to_string().contains(why), "{failed}");
        // They may be there: nobody knows which.
        assert_eq!((failed.class(), server.count(COLLECTIONS)), (Class::Unclear, 1), "{failed}");
    }
    let server = Server::granting(move |_| json(200, &json!([saved(id(2), false)]))).await;
    let empty = Fields::new();
    let failed = write_rows(&server.org(), &Rows::Update(&[(id(1), &empty)])).await.expect_err("no answer");
    assert!(failed.to_string().contains("another id than was sent"), "{failed}");
    assert_eq!(failed.class(), Class::Fatal);
}

/// Replies that leave open whether a write was carried out, and refusals that do not.
fn lost(n: usize) -> Reply {
    match n {
        0 => reply(200, "application/json", ""),
        1 => html(503, "<title>Down</title>"),
        2 => error(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred"),
        3 => error(400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record"),
        4 => error(503, "SERVER_UNAVAILABLE", "too busy"),
        5 => error(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."),
        6 => error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
        7 => error(403, "TXN_SECURITY_METERING_ERROR", "blocked by a policy"),
        _ => error(403, "STORAGE_LIMIT_EXCEEDED", "storage limit exceeded"),
    }
}

#[tokio::test]
async fn creates_are_sent_once_and_the_rest_again() {
    use Class::{Fatal, Retry, Unclear, Wait};
    let (key, empty) = (key(), Fields::new());
    for (n, (create, creates), (other, others)) in [
        (0, (Unclear, 1), (Retry, 4)),
        (1, (Unclear, 1), (Retry, 4)),
        (2, (Unclear, 1), (Retry, 4)),
        (3, (Retry, 4), (Retry, 4)),
        (4, (Retry, 4), (Retry, 4)),
        (5, (Retry, 4), (Retry, 4)),
        (6, (Wait, 1), (Wait, 1)),
        (7, (Fatal, 1), (Fatal, 1)),
        (8, (Fatal, 1), (Fatal, 1)),
    ] {
        for (rows, class, requests) in [
            (Rows::Create(&[&empty]), create, creates),
            (Rows::Update(&[(id(1), &empty)]), other, others),
            (Rows::Upsert(&key, &[(external("x"), &empty)]), other, others),
            (Rows::Delete(&[id(1)]), other, others),
        ] {
            let server = Server::granting(move |_| lost(n)).await;
            let failed = write_rows(&server.org(), &rows).await.expect_err("a failure");
            assert_eq!((failed.class(), server.count(COLLECTIONS)), (class, requests), "{n} {rows:?}: {failed}");
        }
        for (row, class, requests) in
            [(Write::Create(&empty), create, creates), (Write::Upsert(&key, external("x"), &empty), other, others)]
        {
            let server = Server::granting(move |_| lost(n)).await;
            let failed = write(&server.org(), &row).await.expect_err("a failure");
            let count = server.count("/services/data/v62.0/sobjects");
            assert_eq!((failed.class(), count), (class, requests), "{n} {row:?}: {failed}");
        }
    }
}

#[tokio::test]
async fn two_hundred_rows_and_no_more() {
    let server = Server::granting(|seen: Seen| {
        let query = seen.query.expect("a query");
        // What the vendor allows for the URL and the headers, of which there are some hundred bytes.
        assert!(query.len() < 15_000);
        let ids = query.strip_prefix("ids=").and_then(|ids| ids.split_once('&')).expect("ids").0;
        json(200, &ids.split(',').map(|id| json!({ "id": id, "success": true, "errors": [] })).collect::<Value>())
    })
    .await;
    let org = server.org();
    let ids: Vec<RecordId> = (0..=MOST_ROWS).map(id).collect();
    let outcomes = write_rows(&org, &Rows::Delete(&ids[..MOST_ROWS])).await.expect("outcomes");
    let told: Vec<_> = outcomes.into_iter().map(|row| row.expect("deleted").id.expect("an id")).collect();
    assert_eq!(told, ids[..MOST_ROWS]);
    for ids in [&ids[..], &[]] {
        let failed = write_rows(&org, &Rows::Delete(ids)).await.expect_err("too many, or none");
        assert_eq!(failed.to_string(), r#"bad list of rows "Account": it has 1 to 200 of them"#);
    }
    assert_eq!(org.calls(), 1);
}

#[test]
fn fields_are_written_once_as_json() {
    let [name, big]: [FieldName; 2] = names(&["Name", "Big__c"]).try_into().expect("two");
    let mut row = Fields::new();
    assert!(row.is_empty());
    row.put(&name, "a\n\u{1}é");
    row.put(&big, serde_json::from_str::<&serde_json::value::RawValue>("12345678901234567890.10").expect("a number"));
    assert_eq!(format!("{row:?}"), r#"{"Name":"a\n\u0001é","Big__c":12345678901234567890.10}"#);
    assert_eq!(row.size() + 2, format!("{row:?}").len());
}
