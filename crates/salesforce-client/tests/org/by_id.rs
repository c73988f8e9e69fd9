//! Rows by id: their order, the missing ones, several objects in one call.

use salesforce_client::{Class, Error, FieldName, Org, RecordId, Retrieve, Retrieved, SObjectName, retrieve::MOST_IDS};
use serde_json::{Value, json};

use crate::server::{
    COMPOSITE, Reply, Seen, Server, account, composite, error, fault, json, names, subrequests, with_header,
};

const ROWS: &str = "/services/data/v62.0/composite/sobjects/Account";
const DATE: &str = "Tue, 02 Jan 2024 03:04:05 GMT";

fn id(prefix: &str, n: usize) -> RecordId {
    format!("{prefix}{n:012}").parse().expect("an id")
}

fn ids(prefix: &str, n: usize) -> Vec<RecordId> {
    (0..n).map(|n| id(prefix, n)).collect()
}

/// A row for each id that was asked for, and null for every third.
fn rows(asked: &Value) -> Value {
    let row = |(n, id): (usize, &Value)| match n % 3 {
        2 => Value::Null,
        _ => json!({ "attributes": { "type": "X", "url": "/x" }, "Id": id, "Name": format!("row {n}") }),
    };
    asked["ids"].as_array().expect("ids").iter().enumerate().map(row).collect()
}

fn alone(seen: &Seen) -> Reply {
    with_header(json(200, &rows(&serde_json::from_slice(&seen.body).expect("JSON"))), "date", DATE)
}

fn together(seen: &Seen) -> Reply {
    with_header(composite(seen, |subrequest| (200, json!({}), rows(&subrequest["body"]))), "date", DATE)
}

fn found(retrieved: &Retrieved) -> Vec<Option<RecordId>> {
    retrieved.rows().iter().map(|row| row.as_ref().map(|row| row.id().expect("an id"))).collect()
}

fn expected(ids: &[RecordId]) -> Vec<Option<RecordId>> {
    ids.iter().enumerate().map(|(n, id)| (n % 3 != 2).then_some(*id)).collect()
}

/// Asks for rows of one object.
async fn accounts(org: &Org, ids: &[RecordId]) -> Result<Retrieved, Error> {
    let fields: Vec<FieldName> = names(&["Id", "Name"]);
    let mut outcomes = org.retrieve(&[Retrieve { object: &account(), fields: &fields, ids }]).await?;
    outcomes.pop().expect("an outcome")
}

#[tokio::test]
async fn rows_of_one_object() {
    let server = Server::granting(|seen| alone(&seen)).await;
    let org = server.org();
    let ids = ids("001", MOST_IDS);
    let retrieved = accounts(&org, &ids).await.expect("rows");
    assert_eq!(found(&retrieved), expected(&ids));
    assert_eq!(retrieved.answered().expect("a date").to_string(), "2024-01-02T03:04:05Z");
    assert_eq!(retrieved.rows()[1].as_ref().and_then(|row| row.text("Name")).as_deref(), Some("row 1"));
    assert_eq!((format!("{retrieved:?}"), org.calls()), ("Retrieved { 1334 of 2000 rows }".to_owned(), 1));

    accounts(&org, &ids[..2]).await.expect("rows");
    let seen = &server.seen(ROWS)[1];
    assert_eq!((seen.method.as_str(), seen.query.as_deref()), ("POST", None));
    assert_eq!(seen.body, r#"{"ids":["001000000000000AAA","001000000000001AAA"],"fields":["Id","Name"]}"#);
}

#[tokio::test]
async fn rows_of_several_objects_come_by_five() {
    let prefixes = ["001", "003", "006", "00Q", "500", "701", "a00", "a01"];
    for (objects, wholes) in [(0, vec![]), (2, vec![2]), (5, vec![5]), (6, vec![5]), (8, vec![5, 3])] {
        let server = Server::granting(|seen| if seen.path == COMPOSITE { together(&seen) } else { alone(&seen) }).await;
        let org = server.org();
        let names: Vec<SObjectName> = (0..objects).map(|n| format!("Thing{n}__c").parse().expect("a name")).collect();
        let fields: Vec<FieldName> = vec!["Id".parse().expect("a name")];
        let asked: Vec<Vec<RecordId>> = prefixes.iter().zip(1..).map(|(prefix, n)| ids(prefix, n)).collect();
        let wanted: Vec<Retrieve<'_>> =
            names.iter().zip(&asked).map(|(object, ids)| Retrieve { object, fields: &fields, ids }).collect();

        let outcomes = org.retrieve(&wanted).await.expect("outcomes");
        assert_eq!(outcomes.len(), objects);
        for (outcome, ids) in outcomes.iter().zip(&asked) {
            let retrieved = outcome.as_ref().expect("rows");
            assert_eq!(found(retrieved), expected(ids));
            assert_eq!(retrieved.answered().expect("a date").to_string(), "2024-01-02T03:04:05Z");
        }
        let sent: Vec<usize> = server.seen(COMPOSITE).iter().map(|seen| subrequests(seen).len()).collect();
        assert_eq!((sent, org.calls() as usize), (wholes, objects.div_ceil(5)));
    }
}

#[tokio::test]
async fn a_field_that_may_not_be_read_fails_the_rows_of_its_object_only() {
    let server = Server::granting(|seen| {
        composite(&seen, |subrequest| match &subrequest["url"] {
            url if url == ROWS => {
                (400, json!({}), fault("INVALID_FIELD", "No such column 'Name' on sobject of type Account"))
            }
            _ => (200, json!({}), rows(&subrequest["body"])),
        })
    })
    .await;
    let (account, lead) = (account(), "Lead".parse().expect("a name"));
    let (fields, of_account, of_lead) = (names(&["Id", "Name"]), ids("001", 2), ids("00Q", 3));
    let wanted = [
        Retrieve { object: &account, fields: &fields, ids: &of_account },
        Retrieve { object: &lead, fields: &fields, ids: &of_lead },
    ];
    let outcomes = server.org().retrieve(&wanted).await.expect("outcomes");
    let [Err(failed), Ok(leads)] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!(found(leads), expected(&of_lead));
    assert_eq!((failed.code(), failed.object()), (Some("INVALID_FIELD"), Some(&account)));
    assert_eq!(
        failed.to_string(),
        "reading records of Account failed: INVALID_FIELD: No such column 'Name' on sobject of type Account \
         [HTTP 400, request whole-1]"
    );
}

#[tokio::test]
async fn rows_that_are_not_what_was_asked_for_are_refused() {
    let row = |n: usize| json!({ "Id": id("001", n) });
    for (rows, why) in [
        (json!([row(0)]), "not as many rows"),
        (json!([row(0), row(1), row(2)]), "not as many rows"),
        (json!([row(1), row(0)]), "another Id"),
        (json!([null, { "Name": "canary" }]), "another Id"),
        (json!([row(0), 7]), "another type"),
        (json!({}), "another type"),
    ] {
        let server = Server::granting(move |_| json(200, &rows)).await;
        let failed = accounts(&server.org(), &ids("001", 2)).await.expect_err("bad rows");
        assert_eq!((server.count(ROWS), failed.class()), (1, Class::Fatal));
        assert!(failed.to_string().contains(why) && !failed.to_string().contains("canary"), "{failed}");
    }
}

#[tokio::test]
async fn no_ids_and_too_many_are_refused_before_anything_is_sent() {
    let server = Server::granting(|seen| alone(&seen)).await;
    for n in [0, MOST_IDS + 1] {
        let error = accounts(&server.org(), &ids("001", n)).await.expect_err("a bad list");
        assert_eq!(error.to_string(), "bad list of ids \"Account\": it has 1 to 2000 of them");
    }
    assert_eq!(server.count("/services/data"), 0);
}

#[tokio::test]
async fn a_read_by_id_is_repeated_as_any_read() {
    let server = Server::granting(|seen| match seen.nth {
        1 => error(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred"),
        _ => alone(&seen),
    })
    .await;
    let org = server.org();
    let task = tokio::spawn(async move { accounts(&org, &ids("001", 2)).await });
    task.await.expect("no panic").expect("rows");
    assert_eq!(server.count(ROWS), 2);
}
