//! One call: what is sent, what is repeated, what is given up, and what the error says.

use std::{io::Write, sync::Arc};

use axum::body::{Body, Bytes};
use salesforce_client::{Class, Org, RecordId};
use serde_json::json;
use tokio::sync::Barrier;

use crate::server::{
    Reply, Seen, Server, TOKEN_PATH, account, error, grant, html, json, org, page, reply, token, with_header,
};

const QUERY: &str = "/services/data/v62.0/query";
const SOQL: &str = "SELECT Id, Name FROM Account WHERE Name = 'A+B & Co'";
const CREATE: &str = "/services/data/v62.0/sobjects/Account";

async fn query(org: &Org) -> Result<usize, salesforce_client::Error> {
    org.query(&account(), SOQL).await.map(|page| page.rows().len())
}

fn session_expired() -> Reply {
    error(401, "INVALID_SESSION_ID", "Session expired or invalid")
}

#[tokio::test]
async fn a_call_carries_token_agent_and_query_and_learns_the_usage() {
    let server =
        Server::granting(|_| with_header(json(200, &page(2)), "sforce-limit-info", "api-usage=17/15000")).await;
    let org = server.org();
    assert_eq!((org.usage(), org.calls()), (None, 0));

    assert_eq!(query(&org).await.expect("a page"), 2);

    let [seen] = &server.seen(QUERY)[..] else { panic!("one request") };
    assert_eq!(seen.bearer(), Some("T1"));
    assert_eq!(seen.header("user-agent"), Some(concat!("salesforce-client/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(seen.header("accept-encoding"), Some("gzip"));
    assert_eq!(seen.query.as_deref(), Some("q=SELECT+Id%2C+Name+FROM+Account+WHERE+Name+%3D+%27A%2BB+%26+Co%27"));
    let usage = org.usage().expect("a usage");
    assert_eq!((usage.used, usage.limit, org.calls()), (17, 15_000, 1));
}

#[tokio::test]
async fn fifty_calls_refused_at_once_renew_the_token_once() {
    let all_here = Arc::new(Barrier::new(50));
    let server = Server::start(move |seen: Seen| {
        let all_here = Arc::clone(&all_here);
        async move {
            match (seen.path.as_str(), seen.bearer()) {
                (TOKEN_PATH, _) => grant(&seen),
                (_, Some("T1")) => {
                    all_here.wait().await;
                    session_expired()
                }
                _ => json(200, &page(1)),
            }
        }
    })
    .await;
    let org = server.org();
    let calls = (0..50).map(|_| {
        let org = org.clone();
        tokio::spawn(async move { query(&org).await })
    });
    for outcome in futures::future::join_all(calls).await {
        assert_eq!(outcome.expect("no panic").expect("a page"), 1);
    }
    assert_eq!(server.count(TOKEN_PATH), 2);
    assert_eq!(server.count(QUERY), 100);
}

#[tokio::test]
async fn renewing_a_token_that_is_no_longer_current_sends_nothing() {
    let server = Server::granting(|_| session_expired()).await;
    let org = server.org();
    let first = org.token().await.expect("a token");
    let second = org.renew(&first).await.expect("a token");
    assert!(!first.is_same_as(&second));
    assert!(org.renew(&first).await.expect("a token").is_same_as(&second));
    assert!(org.token().await.expect("a token").is_same_as(&second));
    assert_eq!(server.count(TOKEN_PATH), 2);
}

/// All sessions end again before the new token is used, as where several requests have found the old one ended.
#[tokio::test]
async fn a_token_that_ends_before_it_is_used_is_renewed_again() {
    let server = Server::granting(|seen| if seen.nth <= 2 { session_expired() } else { json(200, &page(1)) }).await;
    assert_eq!(query(&server.org()).await.expect("a page"), 1);
    assert_eq!((server.count(TOKEN_PATH), server.count(QUERY)), (3, 3));
}

#[tokio::test]
async fn a_401_that_new_tokens_do_not_cure_is_given_up() {
    let server = Server::granting(|_| with_header(session_expired(), "x-sfdc-request-id", "abc-1")).await;
    let failed = query(&server.org()).await.expect_err("a refusal");
    assert_eq!((server.count(TOKEN_PATH), server.count(QUERY)), (4, 4));
    assert_eq!(failed.class(), Class::Reauthenticate);
    assert_eq!((failed.code(), failed.status()), (Some("INVALID_SESSION_ID"), Some(401)));
    assert_eq!(failed.request_id(), Some("abc-1"));
    assert_eq!(failed.object(), Some(&account()));
    assert_eq!(
        failed.to_string(),
        "querying Account failed: INVALID_SESSION_ID: Session expired or invalid [HTTP 401, request abc-1]"
    );
}

#[tokio::test]
async fn a_refusal_that_no_token_can_cure_renews_nothing() {
    for (status, code, message) in [
        (401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API"),
        (401, "INVALID_SESSION_ID", "Connected app is not attached to Agent"),
        (401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE"),
        (403, "API_CURRENTLY_DISABLED", "API is disabled for this User"),
        (400, "INVALID_FIELD", "\nSELECT Nme FROM Account\n       ^\nERROR at Row:1:Column:8\nNo such column 'Nme'"),
        (403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."),
    ] {
        let server = Server::granting(move |_| error(status, code, message)).await;
        let failed = query(&server.org()).await.expect_err("a refusal");
        assert_eq!((server.count(TOKEN_PATH), server.count(QUERY)), (1, 1), "{failed}");
        assert_eq!(failed.code(), Some(code));
        assert!(!failed.to_string().contains('\n'), "{failed}");
        let expect = if code == "REQUEST_LIMIT_EXCEEDED" { Class::Wait } else { Class::Fatal };
        assert_eq!(failed.class(), expect, "{failed}");
    }
}

#[tokio::test]
async fn the_instance_of_the_newest_token_is_called() {
    let new_home = Server::granting(|_| json(200, &page(3))).await;
    let new_url = new_home.url().to_owned();
    let old_home = Server::start(move |seen| {
        let new_url = new_url.clone();
        async move {
            match (seen.path.as_str(), seen.nth) {
                (TOKEN_PATH, 1) => grant(&seen),
                (TOKEN_PATH, _) => json(200, &token(&new_url, "T2")),
                _ => session_expired(),
            }
        }
    })
    .await;
    let org = old_home.org();
    assert_eq!(query(&org).await.expect("a page"), 3);
    assert_eq!((old_home.count(QUERY), new_home.count(QUERY)), (1, 1));
    assert_eq!(new_home.seen(QUERY)[0].bearer(), Some("T2"));
    assert_eq!(query(&org).await.expect("a page"), 3);
    assert_eq!((old_home.count(QUERY), new_home.count(QUERY)), (1, 2));
}

/// Replies that a read gets over, each sent once before the good one.
fn broken(n: usize) -> Reply {
    let text = page(2).to_string();
    match n {
        0 => reply(200, "application/json", text[..text.len() / 2].to_owned()),
        1 => reply(200, "application/json", ""),
        2 => html(200, "<html><title>Loading</title></html>"),
        3 => {
            let half = Bytes::from(text[..text.len() / 2].to_owned());
            let parts = [Ok(half), Err(std::io::Error::other("the connection breaks"))];
            reply(200, "application/json", Body::from_stream(futures::stream::iter(parts)))
        }
        4 => html(503, "<html><head><title>Down for\n Maintenance</title></head></html>"),
        5 => error(503, "SERVER_UNAVAILABLE", "too busy"),
        6 => error(500, "UNKNOWN_EXCEPTION", "An unexpected error occurred"),
        7 => error(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."),
        8 => with_header(reply(429, "text/plain", "slow down"), "retry-after", "0"),
        9 => html(420, ""),
        10 => reply(406, "application/json", "[]"),
        _ => reply(504, "text/plain", "upstream"),
    }
}

#[tokio::test]
async fn a_read_gets_over_whatever_passes() {
    for n in 0..12 {
        let server = Server::granting(move |seen| if seen.nth == 1 { broken(n) } else { json(200, &page(2)) }).await;
        assert_eq!(query(&server.org()).await.unwrap_or_else(|error| panic!("{n}: {error}")), 2);
        assert_eq!((server.count(TOKEN_PATH), server.count(QUERY)), (1, 2), "{n}");
    }
}

#[tokio::test]
async fn what_does_not_pass_is_given_up_and_said() {
    for (n, attempts, message) in [
        (0, 4, "the reply of HTTP 200 is unreadable: it ends too early, at line 1 column "),
        (2, 4, "the reply of HTTP 200 is unreadable: an HTML page came instead of JSON"),
        (3, 4, "lost the connection to 127.0.0.1:"),
        (4, 4, "an HTML page came instead of an answer: \"Down for Maintenance\" [HTTP 503]"),
        (11, 4, "no reason was given [HTTP 504]"),
    ] {
        let server = Server::granting(move |_| broken(n)).await;
        let failed = query(&server.org()).await.expect_err("a failure");
        assert_eq!(server.count(QUERY), attempts, "{failed}");
        let shown = failed.to_string();
        assert!(shown.starts_with(&format!("querying Account failed: {message}")), "{shown}");
        assert!(failed.is_retryable(), "{shown}");
        assert!(!shown.contains('\n'), "{shown}");
    }
}

#[tokio::test]
async fn a_wait_longer_than_our_patience_is_left_to_the_caller() {
    let server = Server::granting(|_| with_header(html(503, ""), "retry-after", "3600")).await;
    let failed = query(&server.org()).await.expect_err("a refusal");
    assert_eq!(server.count(QUERY), 1);
    let asked = failed.failure().and_then(|failure| failure.refusal()).and_then(|refusal| refusal.retry_after);
    assert_eq!(asked, Some(std::time::Duration::from_secs(3600)));
}

#[tokio::test]
async fn json_of_another_shape_is_not_asked_for_again() {
    let server = Server::granting(|_| json(200, &json!({ "totalSize": "canary", "done": true, "records": [] }))).await;
    let failed = query(&server.org()).await.expect_err("a failure");
    assert_eq!((server.count(QUERY), failed.class()), (1, Class::Fatal));
    assert!(!failed.to_string().contains("canary"), "{failed}");
}

#[tokio::test]
async fn a_reply_without_end_is_cut_off() {
    let server = Server::granting(|_| {
        let blanks = Bytes::from_static(&[b' '; 1 << 20]);
        let endless = futures::stream::repeat(Ok::<_, std::convert::Infallible>(blanks));
        reply(200, "application/json", Body::from_stream(endless))
    })
    .await;
    let failed = query(&server.org()).await.expect_err("a failure");
    assert!(failed.to_string().ends_with("is longer than 67108864 bytes"), "{failed}");
    assert_eq!((server.count(QUERY), failed.class()), (1, Class::Fatal));
}

#[tokio::test]
async fn compressed_replies_are_read() {
    let server = Server::granting(|_| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(page(9).to_string().as_bytes()).expect("memory");
        let body = gzip.finish().expect("memory");
        with_header(reply(200, "application/json", body), "content-encoding", "gzip")
    })
    .await;
    assert_eq!(query(&server.org()).await.expect("a page"), 9);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Server::granting(|_| json(200, &page(1))).await;
    let target = format!("{}/elsewhere", elsewhere.url());
    let server = Server::granting(move |_| with_header(reply(302, "text/plain", ""), "location", &target)).await;
    let failed = query(&server.org()).await.expect_err("a refusal");
    assert_eq!((failed.status(), failed.class()), (Some(302), Class::Fatal));
    assert_eq!(elsewhere.count("/"), 0);
}

#[tokio::test]
async fn nobody_there() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let failed = query(&org(&format!("http://{address}"))).await.expect_err("no connection");
    assert!(
        failed.to_string().starts_with(&format!("signing in at {address} failed: could not connect to {address}: ")),
        "{failed}"
    );
    assert_eq!(failed.class(), Class::Retry);
}

#[tokio::test]
async fn records_are_created_updated_and_deleted() {
    let id: RecordId = "001D000000IRFma".parse().expect("an id");
    let server = Server::granting(|seen| match seen.method.as_str() {
        "POST" => json(201, &json!({ "id": "001D000000IRFmaIAH", "success": true, "errors": [] })),
        "DELETE" if seen.nth > 2 => error(404, "ENTITY_IS_DELETED", "entity is deleted"),
        _ => reply(204, "application/json", ""),
    })
    .await;
    let org = server.org();
    let body = json!({ "Name": "Ünïcode 'quoted'", "Rating": null });
    assert_eq!(org.create(&account(), &body).await.expect("an id"), id);
    org.update(&account(), id, &body).await.expect("done");
    org.delete(&account(), id).await.expect("done");
    org.delete(&account(), id).await.expect("done already");

    let [created] = &server.seen(CREATE)[..] else { panic!("one request") };
    assert_eq!(created.header("content-type"), Some("application/json; charset=UTF-8"));
    assert_eq!(created.body, body.to_string());
    let record = server.seen(&format!("{CREATE}/{id}"));
    let methods: Vec<_> = record.iter().map(|seen| seen.method.as_str()).collect();
    assert_eq!(methods, ["PATCH", "DELETE", "DELETE"]);
}

#[tokio::test]
async fn a_create_is_repeated_only_where_it_was_surely_not_done() {
    for (n, requests, class) in [
        (0, 1, Class::Unclear),
        (3, 1, Class::Unclear),
        (4, 1, Class::Unclear),
        (6, 1, Class::Unclear),
        (11, 1, Class::Unclear),
        (5, 4, Class::Retry),
        (7, 4, Class::Retry),
        (8, 4, Class::Retry),
    ] {
        let server = Server::granting(move |_| broken(n)).await;
        let failed = server.org().create(&account(), &json!({ "Name": "x" })).await.expect_err("a failure");
        assert_eq!((server.count(CREATE), failed.class()), (requests, class), "{n}: {failed}");
        assert!(failed.to_string().starts_with("creating a record of Account failed: "), "{failed}");
    }
}

#[tokio::test]
async fn the_version_list_needs_no_token() {
    let server = Server::granting(|_| {
        json(
            200,
            &json!([
                { "label": "Spring ’18", "url": "/services/data/v42.0", "version": "42.0" },
                { "label": "Winter '25", "url": "/services/data/v62.0", "version": "62.0" },
            ]),
        )
    })
    .await;
    let org = server.org();
    let versions = org.versions().await.expect("a list");
    assert!(versions.iter().any(|version| version.version == *org.api_version()));
    let [seen] = &server.seen("/services/data")[..] else { panic!("one request") };
    assert_eq!((seen.bearer(), org.calls()), (None, 0));
}
