//! Queries too long for a URL, which travel in the body of a composite call.

use salesforce_client::{Class, LONGEST_QUERY};
use serde_json::{Value, json};

use crate::server::{
    COMPOSITE, Server, account, composite, composite_body, fault, json, page, reply, subrequests, with_header,
};

const NEXT: &str = "/services/data/v62.0/query/01gD0000002HU6KIAW-2";

/// A query that is `length` characters long.
fn soql(length: usize) -> String {
    let query = "SELECT Id FROM Account WHERE Name = '@{r0.x} & Ü%' ORDER BY Id LIMIT 2";
    format!("{query}{}", " ".repeat(length - query.chars().count()))
}

/// The query in a subrequest's URL.
fn query_of(subrequest: &Value) -> (String, String) {
    let url = subrequest["url"].as_str().expect("a URL");
    assert!(!url.contains("@{"), "a reference: {url}");
    let (path, query) = url.split_once("?q=").expect("a query");
    let (_, soql) = url::form_urlencoded::parse(format!("q={query}").as_bytes()).into_owned().next().expect("q");
    (path.to_owned(), soql)
}

#[tokio::test]
async fn the_length_decides_how_a_query_travels() {
    for (length, wrapped) in [(100, 0), (14_900, 0), (16_000, 1), (LONGEST_QUERY, 1)] {
        let server = Server::granting(|seen| {
            let reply = match seen.path.as_str() {
                COMPOSITE => composite(&seen, |_| (200, json!({}), page(2))),
                _ => json(200, &page(2)),
            };
            with_header(reply, "date", "Tue, 02 Jan 2024 03:04:05 GMT")
        })
        .await;
        let org = server.org();
        for page in [org.query(&account(), &soql(length)).await, org.query_all(&account(), &soql(length)).await] {
            let page = page.expect("a page");
            assert_eq!((page.rows().len(), page.total_size(), page.done()), (2, 2, true));
            assert_eq!(page.rows()[1].text("Name").as_deref(), Some("Account 1"));
            assert_eq!(page.answered().expect("a date").to_string(), "2024-01-02T03:04:05Z");
        }
        for (seen, door) in server.seen(COMPOSITE).iter().zip(["query", "queryAll"]) {
            let [subrequest] = &subrequests(seen)[..] else { panic!("one subrequest") };
            assert_eq!((&subrequest["method"], subrequest.get("body")), (&json!("GET"), None));
            let (path, query) = query_of(subrequest);
            assert_eq!(path, format!("/services/data/v62.0/{door}"));
            assert!(query == soql(length), "another query");
        }
        assert_eq!((server.count(COMPOSITE), org.calls()), (2 * wrapped, 2), "{length}");
    }
}

#[tokio::test]
async fn the_pages_after_the_first_come_as_ever() {
    let row = |n: usize| page(4)["records"][n].clone();
    let server = Server::granting(move |seen| match seen.path.as_str() {
        NEXT => json(200, &json!({ "totalSize": 4, "done": true, "records": [row(2), row(3)] })),
        _ => composite(&seen, |_| {
            let records = [row(0), row(1)];
            (200, json!({}), json!({ "totalSize": 4, "done": false, "nextRecordsUrl": NEXT, "records": records }))
        }),
    })
    .await;
    let org = server.org();
    let first = org.query(&account(), &soql(20_000)).await.expect("a page");
    assert_eq!((first.total_size(), first.done()), (4, false));
    let second = org.query_more(&account(), &first.next().expect("a locator")).await.expect("a page");
    assert_eq!(second.rows()[1].text("Name").as_deref(), Some("Account 3"));
    assert_eq!((server.count(COMPOSITE), server.count(NEXT), org.calls()), (1, 1, 2));
}

#[tokio::test]
async fn what_passes_is_repeated() {
    for n in 0..3 {
        let server = Server::granting(move |seen| match (seen.nth, n) {
            (1, 0) => composite(&seen, |_| (503, json!({}), fault("SERVER_UNAVAILABLE", "too busy"))),
            (1, 1) => composite(&seen, |_| (401, json!({}), fault("INVALID_SESSION_ID", "Session expired or invalid"))),
            (1, _) => {
                let text = composite_body(&seen, |_| (200, json!({}), page(2))).to_string();
                reply(200, "application/json", text[..text.len() - 1].to_owned())
            }
            _ => composite(&seen, |_| (200, json!({}), page(2))),
        })
        .await;
        let org = server.org();
        let task = tokio::spawn(async move { org.query(&account(), &soql(20_000)).await });
        assert_eq!(task.await.expect("no panic").expect("a page").rows().len(), 2);
        assert_eq!(server.count(COMPOSITE), 2, "{n}");
    }
}

#[tokio::test]
async fn a_refusal_reads_like_that_of_a_short_query() {
    let server =
        Server::granting(|seen| composite(&seen, |_| (400, json!({}), fault("INVALID_FIELD", "No such column 'Nme'"))))
            .await;
    let failed = server.org().query(&account(), &soql(20_000)).await.expect_err("a refusal");
    assert_eq!((server.count(COMPOSITE), failed.class(), failed.object()), (1, Class::Fatal, Some(&account())));
    assert_eq!(
        failed.to_string(),
        "querying Account failed: INVALID_FIELD: No such column 'Nme' [HTTP 400, request whole-1]"
    );
}
