//! Pages of results: streamed, checked against their count, asked for again where they were cut off.

use std::{
    collections::HashMap,
    io::Write,
    sync::{Arc, Mutex},
};

use axum::body::{Body, Bytes};
use futures::{FutureExt, StreamExt};
use salesforce_client::{
    Class, Error, Org, Settings,
    bulk::{JobId, Obstacle, ResultLocator, ResultPage, Results},
    retry::Policy,
};
use serde_json::json;

use crate::server::{Reply, Seen, Server, TOKEN_PATH, account, error, html, names, reply, settings, with_header};

const RESULTS: &str = "/services/data/v62.0/jobs/query/750R0000000zxikIAA/results";

fn id() -> JobId {
    "750R0000000zxikIAA".parse().expect("an id")
}

fn locator(text: &str) -> ResultLocator {
    serde_json::from_value(json!(text)).expect("a locator")
}

/// A page whose head says how many rows it has and which page is next.
fn csv(rows: u64, next: &str, body: impl Into<Body>) -> Reply {
    let reply = with_header(reply(200, "text/csv", body), "sforce-numberofrecords", &rows.to_string());
    with_header(reply, "sforce-locator", next)
}

async fn open(org: &Org, page: Option<&ResultLocator>, skip: u64) -> Result<ResultPage, Error> {
    let (object, columns) = (account(), names(&["Id", "Name"]));
    org.query_results(&Results { object: &object, job: id(), columns: &columns, page, most: 50_000, skip }).await
}

/// The names in a page.
async fn drain(page: &mut ResultPage) -> Result<Vec<String>, Error> {
    let mut rows = Vec::new();
    while let Some(row) = page.next_row().await? {
        rows.push(row.get("Name").expect("a column").to_owned());
    }
    Ok(rows)
}

async fn read(org: &Org) -> Result<Vec<String>, Error> {
    drain(&mut open(org, None, 0).await?).await
}

#[tokio::test]
async fn a_page_of_the_vendors_guide() {
    let server = Server::granting(|seen| {
        let page = include_str!("../fixtures/bulk/query-results-page.http");
        let (head, body) = page.split_once("\n\n").expect("a head and a body");
        let mut page = reply(200, "", body);
        for line in head.lines().skip(1) {
            let (name, value) = line.split_once(": ").expect("a header");
            page.headers_mut().insert(axum::http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        }
        if seen.query.as_deref().is_some_and(|query| query.contains("locator")) {
            page.headers_mut().insert("sforce-locator", "null".parse().unwrap());
        }
        with_header(page, "date", "Tue, 02 Jan 2024 03:04:05 GMT")
    })
    .await;
    let org = server.org();
    let mut page = open(&org, None, 0).await.expect("a page");
    assert_eq!(page.rows(), 3);
    assert_eq!(page.answered().expect("a date").to_string(), "2024-01-02T03:04:05Z");
    assert_eq!(format!("{page:?}"), "ResultPage { 0 of 3 rows handled }");
    let row = page.next_row().await.expect("a page").expect("a row");
    assert_eq!(row.id().expect("an id").as_str(), "005R0000000UyrWIAS");
    assert_eq!(row.cells().collect::<Vec<_>>(), ["005R0000000UyrWIAS", "Jane Dunn"]);
    assert_eq!(drain(&mut page).await.expect("rows"), ["George Wright", "Pat Wilson"]);
    assert!(page.next_row().await.expect("still").is_none());

    let next = page.next_page().expect("a next page").clone();
    assert_eq!((next.as_str(), serde_json::to_string(&next).unwrap()), ("MTAwMDA", "\"MTAwMDA\"".to_owned()));
    let last = open(&org, Some(&next), 0).await.expect("a page");
    assert_eq!(last.next_page(), None);

    let seen = server.seen(RESULTS);
    assert_eq!(seen[0].query.as_deref(), Some("maxRecords=50000"));
    assert_eq!(seen[1].query.as_deref(), Some("maxRecords=50000&locator=MTAwMDA"));
    assert_eq!((seen[0].header("accept"), seen[0].header("accept-encoding")), (Some("text/csv"), Some("gzip")));
    assert_eq!((seen[0].bearer(), org.calls()), (Some("T1"), 2));
}

#[tokio::test]
async fn pages_without_rows_and_last_pages() {
    for (body, next) in [("\"Id\",\"Name\"\n", "null"), ("", "null"), ("\"Id\",\"Name\"", ""), ("", "")] {
        let server = Server::granting(move |_| csv(0, next, body)).await;
        let mut page = open(&server.org(), None, 0).await.expect("a page");
        assert_eq!((page.rows(), page.next_page()), (0, None));
        assert!(page.next_row().await.expect("a page").is_none());
    }
    let without = Server::granting(|_| {
        with_header(reply(200, "text/csv", "\"Id\",\"Name\"\n\"1\",\"a\"\n"), "sforce-numberofrecords", "1")
    })
    .await;
    let mut page = open(&without.org(), None, 0).await.expect("a page");
    assert_eq!(drain(&mut page).await.expect("rows"), ["a"]);
    assert_eq!(page.next_page(), None);
}

const BODY: &str = "\"Name\",\"Id\"\n\"a\",\"1\"\n\"b \"\"q\"\"\n,\",\"2\"\n\"é\",\"3\"\n";

fn rows() -> Vec<String> {
    ["a", "b \"q\"\n,", "é"].map(str::to_owned).to_vec()
}

/// A server that sends what `broken` makes of the locator at first, and the whole page from then on.
async fn broken_once(broken: fn(usize) -> Reply) -> Server {
    let seen: Arc<Mutex<HashMap<String, usize>>> = Arc::default();
    Server::granting(move |asked: Seen| {
        let query = asked.query.expect("a query");
        let (_, cut) = query.split_once("locator=").expect("a locator");
        let mut seen = seen.lock().expect("no panic while it was held");
        let nth = seen.entry(cut.to_owned()).or_default();
        *nth += 1;
        if *nth == 1 { broken(cut.parse().expect("a number")) } else { csv(3, "null", BODY) }
    })
    .await
}

async fn all_rows_once(server: &Server, cuts: std::ops::Range<usize>, requests: impl Fn(usize) -> usize) {
    let org = server.org();
    for cut in cuts {
        let before = server.count(RESULTS);
        let mut page = open(&org, Some(&locator(&cut.to_string())), 0).await.expect("a page");
        let rows_read = drain(&mut page).await.unwrap_or_else(|error| panic!("{cut}: {error}"));
        assert_eq!(rows_read, rows(), "{cut}");
        assert_eq!(server.count(RESULTS) - before, requests(cut), "{cut}");
    }
}

#[tokio::test]
async fn a_body_that_ends_too_early_anywhere_is_asked_for_again() {
    let server = broken_once(|cut| csv(3, "null", &BODY[..BODY.floor_char_boundary(cut)])).await;
    // All that may be missing is the last line end.
    all_rows_once(&server, 0..BODY.len(), |cut| if cut + 1 < BODY.len() { 2 } else { 1 }).await;
}

#[tokio::test]
async fn a_connection_that_breaks_anywhere_is_got_over() {
    let server = broken_once(|cut| {
        let parts = [Ok(Bytes::from_static(&BODY.as_bytes()[..cut])), Err(std::io::Error::other("it breaks"))];
        csv(3, "null", Body::from_stream(futures::stream::iter(parts)))
    })
    .await;
    all_rows_once(&server, 0..BODY.len() + 1, |_| 2).await;
}

fn gzipped(body: &str) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(body.as_bytes()).expect("memory");
    gzip.finish().expect("memory")
}

#[tokio::test]
async fn gzip_that_ends_too_early_anywhere_is_asked_for_again() {
    let server = broken_once(|cut| {
        let body = gzipped(BODY);
        with_header(csv(3, "null", body[..cut].to_vec()), "content-encoding", "gzip")
    })
    .await;
    all_rows_once(&server, 1..gzipped(BODY).len(), |_| 2).await;
    let whole = Server::granting(|_| with_header(csv(3, "null", gzipped(BODY)), "content-encoding", "gzip")).await;
    assert_eq!(read(&whole.org()).await.expect("rows"), rows());
}

#[tokio::test]
async fn other_passing_trouble() {
    let server = broken_once(|n| match n {
        0 => reply(204, "text/csv", ""),
        1 => html(200, "<html><title>Loading</title></html>"),
        2 => error(503, "SERVER_UNAVAILABLE", "too busy"),
        3 => html(503, "<title>Down for Maintenance</title>"),
        _ => with_header(reply(429, "text/plain", "slow down"), "retry-after", "0"),
    })
    .await;
    all_rows_once(&server, 0..5, |_| 2).await;
}

#[tokio::test]
async fn a_page_that_is_always_cut_off_is_given_up() {
    // The header is where each attempt fails, or the third row, or the count.
    for (body, rows_before, why) in [
        (&BODY[..5], 0, "is unreadable: it ends within the header"),
        ("", 0, "is unreadable: it ends within the header"),
        (&BODY[..BODY.len() - 6], 2, "is unreadable: it ends within row 3"),
        (&BODY[..BODY.len() - 9], 2, "is unreadable: it ends after row 2 of 3"),
    ] {
        let server = Server::granting(move |_| csv(3, "null", body)).await;
        let org = server.org();
        let (mut found, mut failed) = (0, None);
        match open(&org, None, 0).await {
            Err(error) => failed = Some(error),
            Ok(mut page) => {
                while failed.is_none() {
                    match page.next_row().await {
                        Ok(row) => found += u64::from(row.is_some()),
                        Err(error) => failed = Some(error),
                    }
                }
            }
        }
        let failed = failed.expect("a failure");
        let shown = failed.to_string();
        let expect = "reading results of query job 750R0000000zxikIAA on Account failed: the reply of HTTP 200 ";
        assert_eq!(shown, format!("{expect}{why}"));
        assert_eq!((found, failed.class(), failed.obstacle()), (rows_before, Class::Retry, None));
        assert_eq!(server.count(RESULTS), 4, "{shown}");
    }
}

#[tokio::test]
async fn each_row_is_a_new_beginning() {
    // Every attempt brings one row more: as many as it takes are made.
    let body =
        |rows: usize| (0..rows).fold("\"Name\",\"Id\"\n".to_owned(), |body, n| body + &format!("\"{n}\",\"\"\n"));
    let server = Server::granting(move |seen| csv(12, "null", body(seen.nth))).await;
    let read = read(&server.org()).await.expect("rows");
    assert_eq!(read, (0..12).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(server.count(RESULTS), 12);
}

#[tokio::test]
async fn pages_that_are_not_what_was_asked_for() {
    for (rows, body, why) in [
        (2, BODY.as_bytes(), "it has more rows than its header says"),
        (1, b"\"Id\"\n\"1\"\n", "the header has no column Name"),
        (
            1,
            b"\"Id\",\"Name\",\"Phone\"\n\"1\",\"a\",\"2\"\n",
            "nobody asked for column 3 of the header, or it is there twice",
        ),
        (1, b"{\"done\":true}\n", "the header has no column Id"),
        (2, b"\"Id\",\"Name\"\n\"1\",\"a\"\n\"canary\"\n", "row 2 does not have 2 cells"),
        (2, b"\"Id\",\"Name\"\n\"1\",\"a\"\n\"2\",\"canary\xff\"\n", "row 2, column Name: no UTF-8"),
    ] {
        let server = Server::granting(move |_| csv(rows, "null", body)).await;
        let failed = read(&server.org()).await.expect_err("a failure");
        let shown = failed.to_string();
        assert!(shown.ends_with(&format!("the reply of HTTP 200 is not what was expected: {why}")), "{shown}");
        assert!(shown.starts_with("reading results of query job 750R0000000zxikIAA on Account failed: "), "{shown}");
        assert!(!shown.contains("canary"), "{shown}");
        assert_eq!((failed.class(), server.count(RESULTS)), (Class::Fatal, 1), "{shown}");
    }
    for count in [None, Some("many"), Some("-1")] {
        let server = Server::granting(move |_| {
            let page = reply(200, "text/csv", BODY);
            match count {
                Some(count) => with_header(page, "sforce-numberofrecords", count),
                None => page,
            }
        })
        .await;
        let failed = read(&server.org()).await.expect_err("a failure");
        assert!(failed.to_string().ends_with("it does not say how many rows it has"), "{failed}");
    }
}

#[tokio::test]
async fn a_row_that_is_no_text_can_be_passed_over() {
    let body = b"\"Id\",\"Name\"\n\"1\",\"\xff\"\n\"2\",\"b\"\n";
    let server = Server::granting(move |_| csv(2, "null", &body[..])).await;
    let mut page = open(&server.org(), None, 0).await.expect("a page");
    page.next_row().await.expect_err("no text");
    assert_eq!(page.next_row().await.expect("a page").expect("a row").number(), 2);
    assert!(page.next_row().await.expect("a page").is_none());
    assert_eq!(server.count(RESULTS), 1);
}

#[tokio::test]
async fn rows_that_were_handled_before_are_passed_over() {
    let server = Server::granting(|_| csv(3, "null", BODY)).await;
    let org = server.org();
    for (skip, expect) in [(0, &rows()[..]), (1, &rows()[1..]), (3, &[])] {
        let mut page = open(&org, None, skip).await.expect("a page");
        assert_eq!(page.rows(), 3);
        assert_eq!(drain(&mut page).await.expect("rows"), expect);
    }
    let failed = open(&org, None, 4).await.expect_err("too few");
    assert!(failed.to_string().ends_with("it has fewer rows than were handled before"), "{failed}");
}

#[tokio::test]
async fn a_page_that_changes_while_it_is_read_is_refused() {
    for (rows, next) in [(4, "null"), (3, "MTAwMDA")] {
        let server = Server::granting(move |seen| match seen.nth {
            1 => csv(3, "null", &BODY[..20]),
            _ => csv(rows, next, BODY),
        })
        .await;
        let failed = read(&server.org()).await.expect_err("another page");
        let why = "it is not the page it was when its first rows were read";
        assert!(failed.to_string().ends_with(why), "{failed}");
        assert_eq!((failed.class(), server.count(RESULTS)), (Class::Fatal, 2));
    }
}

#[tokio::test]
async fn refusals() {
    for (status, code, expect) in [
        (404, "NOT_FOUND", Obstacle::Gone),
        (409, "InvalidVersion", Obstacle::OtherVersion),
        (412, "JOB_NOT_COMPLETE", Obstacle::State),
        (400, "INVALIDJOBSTATE", Obstacle::State),
    ] {
        // At once, and when the job goes away while its page is asked for again.
        for first in [1, 2] {
            let server = Server::granting(move |seen| match seen.nth {
                nth if nth < first => csv(3, "null", &BODY[..20]),
                _ => error(status, code, ""),
            })
            .await;
            let failed = read(&server.org()).await.expect_err("a refusal");
            assert_eq!((failed.obstacle(), failed.class()), (Some(expect), Class::Fatal), "{failed}");
            assert_eq!(server.count(RESULTS), first);
        }
    }
}

#[tokio::test]
async fn a_token_that_ends_is_renewed() {
    let server = Server::granting(|seen| match (seen.nth, seen.bearer()) {
        (1, Some("T1")) => csv(3, "null", &BODY[..20]),
        (_, Some("T1")) => error(401, "INVALID_SESSION_ID", "Session expired or invalid"),
        _ => csv(3, "null", BODY),
    })
    .await;
    assert_eq!(read(&server.org()).await.expect("rows"), rows());
    assert_eq!((server.count(TOKEN_PATH), server.count(RESULTS)), (2, 3));
}

#[tokio::test]
async fn a_wait_for_a_row_can_be_given_up() {
    let server = Server::granting(|_| {
        let bytes = futures::stream::iter(BODY.as_bytes()).then(async |&byte| {
            tokio::task::yield_now().await;
            Ok::<_, std::convert::Infallible>(vec![byte])
        });
        csv(3, "null", Body::from_stream(bytes))
    })
    .await;
    let mut page = open(&server.org(), None, 0).await.expect("a page");
    let (mut read, mut waits) = (Vec::new(), 0);
    loop {
        match page.next_row().now_or_never() {
            Some(row) => match row.expect("a page") {
                Some(row) => read.push(row.get("Name").expect("a column").to_owned()),
                None => break,
            },
            None => {
                waits += 1;
                tokio::task::yield_now().await;
            }
        }
    }
    assert_eq!(read, rows());
    assert!(waits > 3, "{waits}");
    assert_eq!(server.count(RESULTS), 1);
}

/// Longer than any reply that is read as a whole, and than what the client keeps of it.
#[tokio::test]
async fn a_page_is_as_long_as_it_likes() {
    const ROWS: u64 = 68;
    let server = Server::granting(|_| {
        let row = Bytes::from(format!("\"1\",\"{}\"\n", "x\n".repeat(1 << 19)));
        let parts = std::iter::once(Bytes::from("\"Id\",\"Name\"\n")).chain(std::iter::repeat_n(row, ROWS as usize));
        let parts = parts.map(Ok::<_, std::convert::Infallible>);
        csv(ROWS, "null", Body::from_stream(futures::stream::iter(parts)))
    })
    .await;
    let mut page = open(&server.org(), None, 0).await.expect("a page");
    // In a task of its own, as pages are read at work.
    let read = tokio::spawn(async move {
        let mut rows = 0;
        while let Some(row) = page.next_row().await.expect("a page") {
            assert_eq!(row.get("Name").map(str::len), Some(1 << 20));
            rows += 1;
        }
        rows
    });
    assert_eq!(read.await.expect("no panic"), ROWS);
}

#[tokio::test]
async fn a_body_that_falls_silent_is_given_up() {
    let server = Server::granting(|_| {
        let start = futures::stream::iter([Ok::<_, std::convert::Infallible>(Bytes::from(&BODY[..20]))]);
        csv(3, "null", Body::from_stream(start.chain(futures::stream::pending())))
    })
    .await;
    let org = Org::new(Settings { retry: Policy::never(), ..settings(server.url()) }).expect("an org");
    let mut page = open(&org, None, 0).await.expect("a page");
    assert!(page.next_row().await.expect("a page").is_some());
    // From here on nothing happens but the time that passes.
    tokio::time::pause();
    let failed = page.next_row().await.expect_err("silence");
    assert!(failed.to_string().contains("lost the connection to 127.0.0.1:"), "{failed}");
    assert_eq!(failed.class(), Class::Retry);
}
