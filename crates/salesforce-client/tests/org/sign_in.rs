//! Signing in: the request, the reply, its refusals and their cures.

use std::sync::Arc;

use salesforce_client::{Class, Error};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::server::{CLIENT_SECRET, REFRESH_TOKEN, Reply, Server, TOKEN_PATH, grant, html, json, token};

#[tokio::test]
async fn the_grant_stands_in_the_body() {
    let server = Server::granting(|_| json(404, &json!([]))).await;
    let granted = server.org().token().await.expect("a token");

    let [seen] = &server.seen(TOKEN_PATH)[..] else { panic!("one request") };
    assert_eq!(seen.header("authorization"), None);
    for (member, expect) in [
        ("grant_type", "refresh_token"),
        ("client_id", "3MVG9"),
        ("client_secret", CLIENT_SECRET),
        ("refresh_token", REFRESH_TOKEN),
    ] {
        assert_eq!(seen.form(member).as_deref(), Some(expect), "{member}");
    }
    assert_eq!(granted.access().expose_secret(), "T1");
    assert_eq!(granted.instance_url().as_str(), format!("{}/", server.url()));
    assert_eq!(granted.org_id().as_str(), "00D000000000001EAA");
    assert_eq!(granted.user_id().as_str(), "005000000000001AAA");
    assert_eq!(granted.issued_at().expect("a time").to_string(), "2023-11-14T22:13:20Z");
    assert!(granted.rotated().is_none());
}

/// A reply of 2010, without `token_type` and with short ids, reads like one of today.
#[tokio::test]
async fn a_real_token_reply_is_read() {
    let server = Server::start(|_| async {
        let body: Value = serde_json::from_str(include_str!("../fixtures/oauth/password-grant-success.json")).unwrap();
        json(200, &body)
    })
    .await;
    let granted = server.org().token().await.expect("a token");
    assert_eq!(granted.instance_url().as_str(), "https://na1.salesforce.com/");
    assert_eq!(granted.org_id().as_str(), "00Dx0000000BV7zEAG");
    assert_eq!(granted.user_id().as_str(), "005x00000012Q9PAAU");
}

#[tokio::test]
async fn a_rotated_refresh_token_is_presented_next_time() {
    let server = Server::start(|seen| async move {
        let mut reply = token(&seen.origin(), &format!("T{}", seen.nth));
        reply["refresh_token"] = match seen.nth {
            1 => json!(REFRESH_TOKEN),
            n => json!(format!("rotated-{n}")),
        };
        json(200, &reply)
    })
    .await;
    let org = server.org();
    let first = org.token().await.expect("a token");
    assert!(first.rotated().is_none(), "the same token again is no rotation");
    let second = org.renew(&first).await.expect("a token");
    assert_eq!(second.rotated().expect("a rotation").expose_secret(), "rotated-2");
    org.renew(&second).await.expect("a token");
    let presented: Vec<_> = server.seen(TOKEN_PATH).iter().filter_map(|seen| seen.form("refresh_token")).collect();
    assert_eq!(presented, [REFRESH_TOKEN, REFRESH_TOKEN, "rotated-2"]);
}

/// A caller that stops waiting does not take the sign-in with it: what it bought is there for the next.
#[tokio::test]
async fn a_sign_in_outlives_the_caller_who_asked_for_it() {
    let (asked, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (asked_of_server, go_of_server) = (Arc::clone(&asked), Arc::clone(&go));
    let server = Server::start(move |seen| {
        let (asked, go) = (Arc::clone(&asked_of_server), Arc::clone(&go_of_server));
        async move {
            asked.add_permits(1);
            go.acquire().await.expect("open").forget();
            grant(&seen)
        }
    })
    .await;
    let org = server.org();
    let impatient = tokio::spawn({
        let org = org.clone();
        async move { org.token().await }
    });
    asked.acquire().await.expect("open").forget();
    impatient.abort();
    assert!(impatient.await.expect_err("aborted").is_cancelled());
    go.add_permits(1);
    assert_eq!(org.token().await.expect("a token").access().expose_secret(), "T1");
    assert_eq!(server.count(TOKEN_PATH), 1);
}

#[tokio::test]
async fn a_failed_sign_in_is_shared_and_the_next_one_tries_again() {
    let all_asked = Arc::new(Semaphore::new(0));
    let wait_for_all = Arc::clone(&all_asked);
    let server = Server::start(move |seen| {
        let wait_for_all = Arc::clone(&wait_for_all);
        async move {
            wait_for_all.acquire().await.expect("open").forget();
            if seen.nth == 1 {
                json(400, &json!({ "error": "invalid_grant", "error_description": "expired access/refresh token" }))
            } else {
                grant(&seen)
            }
        }
    })
    .await;
    let org = server.org();
    let callers: Vec<_> = (0..20)
        .map(|_| {
            let org = org.clone();
            tokio::spawn(async move { org.token().await })
        })
        .collect();
    // The test runs on one thread: by the time it is its turn again, all are waiting.
    tokio::task::yield_now().await;
    all_asked.add_permits(1);
    for outcome in futures::future::join_all(callers).await {
        assert_eq!(outcome.expect("no panic").expect_err("a refusal").code(), Some("invalid_grant"));
    }
    assert_eq!(server.count(TOKEN_PATH), 1);
    all_asked.add_permits(1);
    org.token().await.expect("a token");
}

async fn refused(answer: impl Fn() -> Reply + Clone + Send + Sync + 'static) -> (Error, usize) {
    let server = Server::start(move |_| {
        let reply = answer();
        async { reply }
    })
    .await;
    let error = server.org().token().await.expect_err("a refusal");
    assert!(error.to_string().starts_with("signing in at 127.0.0.1:"), "{error}");
    (error, server.count(TOKEN_PATH))
}

#[tokio::test]
async fn each_refusal_says_its_cure() {
    for (code, description, class, cure) in [
        ("invalid_grant", "expired access/refresh token", Class::Fatal, "authorise the app again"),
        ("invalid_grant", "token request is already being processed", Class::Retry, "another program"),
        ("invalid_grant", "expired authorization code", Class::Fatal, "start the authorisation again"),
        ("invalid_grant", "authentication failure", Class::Fatal, "use the login host"),
        ("invalid_grant", "authentication failure - Invalid Password", Class::Fatal, "test.salesforce.com"),
        ("invalid_grant", "ip restricted", Class::Fatal, "IP"),
        ("invalid_grant", "invalid login hours", Class::Fatal, "hour"),
        ("invalid_grant", "user hasn't approved this consumer", Class::Fatal, "pre-authorise"),
        ("invalid_grant", "request not supported on this domain", Class::Fatal, "My Domain"),
        ("invalid_grant", "no client credentials user enabled", Class::Fatal, "run-as user"),
        ("invalid_grant", "Audience validation failed", Class::Fatal, "login host"),
        ("invalid_grant", "something new", Class::Fatal, "authorise the app again"),
        ("invalid_client_id", "client identifier invalid", Class::Fatal, "client id"),
        ("invalid_client", "invalid client credentials", Class::Fatal, "client secret"),
        ("invalid_client_credentials", "client secret invalid", Class::Fatal, "client secret"),
        ("inactive_user", "user is inactive", Class::Fatal, "activate"),
        ("inactive_org", "organization is inactive / locked", Class::Fatal, "inactive or locked"),
        ("rate_limit_exceeded", "login rate exceeded", Class::Retry, "too often"),
        ("unsupported_grant_type", "grant type not supported", Class::Fatal, "another kind of credentials"),
        ("OAUTH_APP_BLOCKED", "this app is blocked by admin", Class::Fatal, "administrator"),
        ("invalid_request", "must use HTTP POST", Class::Fatal, ""),
    ] {
        let body = json!({ "error": code, "error_description": description });
        let (error, requests) = refused(move || json(400, &body)).await;
        assert_eq!((error.class(), error.code()), (class, Some(code)), "{error}");
        let shown = error.to_string();
        assert!(shown.contains(cure) && shown.contains(description) && shown.contains("HTTP 400"), "{shown}");
        assert_eq!(requests, if class == Class::Retry { 4 } else { 1 }, "{shown}");
    }
}

#[tokio::test]
async fn real_refusals_of_the_token_endpoint_are_read() {
    let entries: Vec<Value> = serde_json::from_str(include_str!("../fixtures/oauth/errors.json")).unwrap();
    let bodies = entries.iter().map(|entry| entry["body"].clone());
    let others = [
        include_str!("../fixtures/oauth/error-invalid-password.json"),
        include_str!("../fixtures/oauth/error-refresh-expired.json"),
    ];
    for body in bodies.chain(others.map(|text| serde_json::from_str(text).unwrap())) {
        let description = body["error_description"].as_str().unwrap().to_owned();
        let (error, _) = refused(move || json(400, &body)).await;
        assert_eq!(error.code(), Some("invalid_grant"));
        assert!(error.to_string().contains(&description), "{error}");
    }
}

#[tokio::test]
async fn what_passes_is_waited_for() {
    for n in 0..4 {
        let server = Server::start(move |seen| async move {
            match (seen.nth, n) {
                (1, 0) => json(
                    400,
                    &json!({ "error": "invalid_grant", "error_description": "token request is already being processed" }),
                ),
                (1, 1) => html(503, "<title>Maintenance</title>"),
                (1, 2) => html(200, "<title>Login</title>"),
                (1, _) => json(500, &json!({})),
                _ => grant(&seen),
            }
        })
        .await;
        server.org().token().await.unwrap_or_else(|error| panic!("{n}: {error}"));
        assert_eq!(server.count(TOKEN_PATH), 2, "{n}");
    }
}

#[tokio::test]
async fn a_reply_that_points_elsewhere_is_refused() {
    for instance in ["https://evil.example", "http://na1.salesforce.com", "https://salesforce.com.evil.example:8443"] {
        let (error, requests) = {
            let server = Server::start(move |_| async move { json(200, &token(instance, "canary")) }).await;
            (server.org().token().await.expect_err("a foreign host"), server.count("/"))
        };
        let shown = error.to_string();
        assert!(matches!(error, Error::ForeignInstance { .. }), "{shown}");
        assert!(shown.contains("127.0.0.1") && shown.contains(instance.split("//").nth(1).unwrap()), "{shown}");
        assert!(!shown.contains("canary"));
        assert_eq!((requests, error.class()), (1, Class::Fatal));
    }
}

#[tokio::test]
async fn a_token_reply_that_is_none_is_refused_without_showing_it() {
    let whole = token("https://na1.salesforce.com", "canary");
    for (member, value) in [
        ("access_token", Value::Null),
        ("access_token", json!("canary\r\nX-Evil: 1")),
        ("instance_url", json!(["canary"])),
        ("id", json!("canary")),
        ("id", json!("https://login.salesforce.com/id/00D000000000001/canary")),
    ] {
        let mut body = whole.clone();
        body[member] = value;
        let (error, requests) = refused(move || json(200, &body)).await;
        assert_eq!((error.class(), requests), (Class::Fatal, 1), "{error}");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    }
}
