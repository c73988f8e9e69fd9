//! Ids by external ids: which queries are sent, and whose the rows are.

use salesforce_client::{Describe, Error, ExternalId, Field, LONGEST_QUERY, Org, RecordId};
use serde_json::{Value, json};

use crate::server::{COMPOSITE, Reply, Seen, Server, account, composite, json, subrequests};

const QUERY: &str = "/services/data/v62.0/query";

fn id(n: usize) -> RecordId {
    format!("001{n:012}").parse().expect("an id")
}

/// A field of an object's describe.
fn field(more: &Value) -> Field {
    let mut field = json!({ "name": "Ext__c", "type": "string", "length": 255, "externalId": true });
    field.as_object_mut().expect("a field").extend(more.as_object().expect("members").clone());
    let mut describe: Describe =
        serde_json::from_value(json!({ "name": "Account", "fields": [field] })).expect("a describe");
    describe.fields.remove(0)
}

async fn ids_by(org: &Org, field: &Field, values: &[&str]) -> Result<Vec<Vec<RecordId>>, Error> {
    let values: Vec<ExternalId<'_>> = values.iter().map(|value| ExternalId::new(value).expect("a value")).collect();
    org.ids_by(&account(), field, &values).await
}

fn page(rows: &[(usize, Value)]) -> Value {
    let rows: Vec<Value> = rows.iter().map(|(n, value)| json!({ "Id": id(*n), "Ext__c": value })).collect();
    json!({ "totalSize": rows.len(), "done": true, "records": rows })
}

/// The query of a request, in whichever way it travels.
fn soql(seen: &Seen) -> String {
    let url = match seen.path.as_str() {
        COMPOSITE => subrequests(seen)[0]["url"].as_str().expect("a URL").to_owned(),
        _ => format!("?{}", seen.query.as_deref().expect("a query")),
    };
    let query = url.split_once('?').expect("a query").1;
    url::form_urlencoded::parse(query.as_bytes()).next().expect("a query").1.into_owned()
}

fn asked(server: &Server) -> Vec<String> {
    server.seen(QUERY).iter().map(soql).collect()
}

#[tokio::test]
async fn none_one_or_several() {
    for (more, rows, values, query, expect) in [
        (
            json!({}),
            vec![(1, json!("O'Brien")), (2, json!("TWICE")), (3, json!("Twice")), (4, json!("ÜBER"))],
            &["o'brien", "nobody", "twice", "über", "O'Brien"][..],
            r"'o\'brien', 'nobody', 'twice', 'über'",
            vec![vec![1], vec![], vec![2, 3], vec![4], vec![1]],
        ),
        (
            json!({ "caseSensitive": true }),
            vec![(1, json!("abc")), (2, json!("ABC"))],
            &["ABC", "abc", "Abc"],
            "'ABC', 'abc', 'Abc'",
            vec![vec![2], vec![1], vec![]],
        ),
        (
            json!({ "type": "double" }),
            vec![(1, json!(5.0)), (2, json!(1.5e7)), (3, json!(-0.25))],
            &["5", "15000000", "-.25", "five", "5.00", "7' OR Id != '"],
            "5, 15000000, -0.25",
            vec![vec![1], vec![2], vec![3], vec![], vec![1], vec![]],
        ),
        (
            json!({ "type": "email", "idLookup": true }),
            vec![(1, json!("joe@acme.inc"))],
            &["Joe@Acme.inc"],
            "'Joe@Acme.inc'",
            vec![vec![1]],
        ),
        (json!({ "autoNumber": true }), vec![(9, json!("A-0007"))], &["A-0007"], "'A-0007'", vec![vec![9]]),
    ] {
        let reply = page(&rows);
        let server = Server::granting(move |_| json(200, &reply)).await;
        let org = server.org();
        let found = ids_by(&org, &field(&more), values).await.expect("ids");
        let expect: Vec<Vec<RecordId>> = expect.into_iter().map(|ids| ids.into_iter().map(id).collect()).collect();
        assert_eq!(found, expect, "{values:?}");
        assert_eq!(asked(&server), [format!("SELECT Id, Ext__c FROM Account WHERE Ext__c IN ({query})")]);
    }
}

#[tokio::test]
async fn nothing_is_asked_about_nothing() {
    let server = Server::granting(|_| panic!("nothing is to be asked")).await;
    let org = server.org();
    assert!(ids_by(&org, &field(&json!({})), &[]).await.expect("none").is_empty());
    assert_eq!(ids_by(&org, &field(&json!({ "type": "int" })), &["x"]).await.expect("none"), [vec![]]);
    assert_eq!(org.calls(), 0);
}

/// The org finds records by its own rules of spelling, which are not ours: whose they are is found out by asking for
/// fewer values.
#[tokio::test]
async fn a_strange_spelling_is_asked_for_alone() {
    let server = Server::granting(|seen| {
        let query = soql(&seen);
        let rows = [("'a '", 1, "a"), ("'strasse'", 2, "STRAßE"), ("'c'", 3, "c"), ("'c'", 4, "C"), ("'e'", 5, "e")];
        let found = rows.iter().filter(|(literal, ..)| query.contains(literal));
        json(200, &page(&found.map(|(_, n, value)| (*n, json!(value))).collect::<Vec<_>>()))
    })
    .await;
    let values = ["a ", "b", "strasse", "c", "d", "e"];
    let found = ids_by(&server.org(), &field(&json!({})), &values).await.expect("ids");
    let ids = |ids: &[usize]| ids.iter().copied().map(id).collect::<Vec<_>>();
    assert_eq!(found, [ids(&[1]), ids(&[]), ids(&[2]), ids(&[3, 4]), ids(&[]), ids(&[5])]);
    let sent: Vec<String> =
        asked(&server).iter().map(|query| query.split_once(" IN ").expect("values").1.to_owned()).collect();
    let expect = [
        "('a ', 'b', 'strasse', 'c', 'd', 'e')",
        "('c', 'd', 'e')",
        "('a ', 'b', 'strasse')",
        "('b', 'strasse')",
        "('strasse')",
        "('b')",
        "('a ')",
    ];
    assert_eq!(sent, expect);
}

#[tokio::test]
async fn many_values_and_many_rows() {
    let server = Server::granting(|seen: Seen| -> Reply {
        let answer = |query: &str| {
            assert!(query.chars().count() <= LONGEST_QUERY, "{}", query.chars().count());
            let values = query.split_once(" IN (").expect("values").1.trim_end_matches(')');
            let rows = values.split(", ").enumerate();
            page(&rows.map(|(n, value)| (n, json!(value.trim_matches('\'')))).collect::<Vec<_>>())
        };
        match seen.path.as_str() {
            COMPOSITE => composite(&seen, |_| (200, json!({}), answer(&soql(&seen)))),
            _ => json(200, &answer(&soql(&seen))),
        }
    })
    .await;
    for (count, length, calls) in [(2000, 40, 1), (2001, 10, 2), (3000, 97, 4), (1, 10, 1)] {
        let org = server.org();
        let values: Vec<String> = (0..count).map(|n| format!("{n:0length$}é")).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let found = ids_by(&org, &field(&json!({})), &values).await.expect("ids");
        assert!(found.iter().all(|ids| ids.len() == 1));
        assert_eq!((found.len(), org.calls()), (count, calls), "{count} of {length}");
    }
}

#[tokio::test]
async fn rows_of_several_pages() {
    let next = "/services/data/v62.0/query/01g000000000001-2000";
    let server = Server::granting(move |seen| {
        let mut first = page(&[(1, json!("x"))]);
        first["totalSize"] = json!(2);
        first["done"] = json!(false);
        first["nextRecordsUrl"] = json!(next);
        let mut second = page(&[(2, json!("X"))]);
        second["totalSize"] = json!(2);
        json(200, if seen.path == next { &second } else { &first })
    })
    .await;
    assert_eq!(ids_by(&server.org(), &field(&json!({})), &["x"]).await.expect("ids"), [vec![id(1), id(2)]]);
}
