//! `/__emulator/org`, `/app` and `/users`: what an administrator changes while clients work.

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::client::{Answer, Client};
use crate::streaming::Subscriber;

async fn post(client: &Client, resource: &str, body: Json) -> Json {
    let path = format!("/__emulator/{resource}");
    let answer = client.send(Method::POST, &path, &[], Some(body.to_string())).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

async fn limits(client: &Client) -> Answer {
    client.get("/services/data/v62.0/limits").await
}

fn refused(answer: &Answer) -> String {
    let json = answer.json();
    let error = json.get(0).unwrap_or(&json);
    let (code, text) =
        (error.get("errorCode").or(error.get("error")), error.get("message").or(error.get("error_description")));
    let word = |value: Option<&Json>| value.and_then(Json::as_str).unwrap_or("-").to_owned();
    format!("{} {}: {}", answer.status.as_u16(), word(code), word(text))
}

#[tokio::test]
async fn what_is_in_force() {
    let client = Client::new().await;
    let mut shown = Vec::new();
    for resource in ["org", "app", "users"] {
        let answer = client.send(Method::GET, &format!("/__emulator/{resource}"), &[], None).await.unwrap();
        shown.push(format!("{resource} {}", client.shown(&answer)));
    }
    insta::assert_snapshot!(shown.join("\n"));
}

#[tokio::test]
async fn members_that_are_wrong_change_nothing() {
    let client = Client::new().await;
    let before = client.emulator.org().policies();
    for (resource, body) in [
        ("users", json!({"froze": true})),
        ("users", json!({"status": "gone"})),
        ("users", json!({"password": "x", "status": "gone"})),
        ("users", json!({"password": 7})),
        ("app", json!({"blocked": "yes"})),
        ("app", json!({"blocked": true, "certificate": "none"})),
        ("org", json!([])),
    ] {
        let path = format!("/__emulator/{resource}");
        let answer = client.send(Method::POST, &path, &[], Some(body.to_string())).await.unwrap();
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
    }
    assert_eq!(client.emulator.org().policies(), before);
    assert_eq!(limits(&client).await.status, 200);
}

/// A frozen or deactivated user is out at once, wherever they are; what they had of tokens works again later.
#[tokio::test]
async fn a_user_who_is_shut_out() {
    for status in ["frozen", "inactive"] {
        let client = Client::new().await;
        let mut subscriber = Subscriber::connect(&client).await;
        assert_eq!(post(&client, "users", json!({"status": status})).await["status"], status);
        assert_eq!(refused(&limits(&client).await), "401 INVALID_SESSION_ID: Session expired or invalid");
        assert_eq!(refused(&client.refresh().await), "400 inactive_user: user is inactive");
        let error = subscriber.connect_error().await;
        assert!(error.starts_with("401::Authentication invalid"), "{error}");

        post(&client, "users", json!({"status": "active"})).await;
        assert_eq!(limits(&client).await.status, 401, "the session stays dead");
        let client = client.renewed().await;
        assert_eq!(limits(&client).await.status, 200);
    }
}

#[tokio::test]
async fn a_session_keeps_the_scopes_it_was_opened_with() {
    let client = Client::new().await;
    post(&client, "app", json!({"scopes": ["refresh_token", "web"]})).await;
    assert_eq!(limits(&client).await.status, 200);
    let granted = client.refresh().await.json();
    assert_eq!(granted["scope"], "refresh_token web");
    let client = client.renewed().await;
    let words = "401 INVALID_SESSION_ID: This session is not valid for use with the REST API";
    assert_eq!(refused(&limits(&client).await), words);
    assert_eq!(client.get("/services/oauth2/userinfo").await.status, 200);
}

#[tokio::test]
async fn the_api_is_switched_off_and_on() {
    let client = Client::new().await;
    for (resource, off, on, words) in [
        (
            "users",
            json!({"api_enabled": false}),
            json!({"api_enabled": true}),
            "403 API_CURRENTLY_DISABLED: API is disabled for this User",
        ),
        (
            "org",
            json!({"api": false}),
            json!({"api": true}),
            "403 API_DISABLED_FOR_ORG: The REST API is not enabled for this Organization.",
        ),
    ] {
        post(&client, resource, off).await;
        assert_eq!(refused(&limits(&client).await), words);
        assert_eq!(client.refresh().await.status, 200, "OAuth does not care");
        post(&client, resource, on).await;
        assert_eq!(limits(&client).await.status, 200);
    }
}

#[tokio::test]
async fn a_blocked_app_loses_its_sessions() {
    let client = Client::new().await;
    post(&client, "app", json!({"blocked": true})).await;
    assert_eq!(limits(&client).await.status, 401);
    assert_eq!(refused(&client.refresh().await), "400 OAUTH_APP_BLOCKED: this app is blocked by admin");
}

#[tokio::test]
async fn passwords_and_security_tokens_change() {
    let client = Client::new().await;
    let credentials = client.emulator.credentials();
    let sign_in = async |password: &str| {
        let form = [("grant_type", "password"), ("username", &credentials.username), ("password", password)];
        client.grant(&form).await.status.as_u16()
    };
    let old = format!("{}{}", credentials.password, credentials.security_token);
    let answer = post(&client, "users", json!({"password": "correct horse", "security_token": "battery"})).await;
    assert!(!answer.to_string().contains("horse"), "{answer}");
    assert_eq!(limits(&client).await.status, 401, "a new password ends the sessions");
    assert_eq!((sign_in(&old).await, sign_in("correct horsebattery").await), (400, 200));
    assert_eq!(client.refresh().await.status, 200, "and spares refresh tokens");
}

#[tokio::test]
async fn logins_are_counted_by_the_hour() {
    let client = Client::new().await;
    post(&client, "org", json!({"logins_per_hour": 3})).await;
    let statuses = [client.refresh().await, client.refresh().await, client.refresh().await];
    assert_eq!(statuses.map(|answer| answer.status.as_u16()), [200, 200, 400]);
    assert_eq!(refused(&client.refresh().await), "400 rate_limit_exceeded: login rate exceeded");
    client.emulator.org().advance(std::time::Duration::from_secs(3600)).unwrap();
    assert_eq!(client.refresh().await.status, 200);
}

#[tokio::test]
async fn rotation_is_switched_on_while_clients_work() {
    let client = Client::new().await;
    assert_eq!(client.refresh().await.json().get("refresh_token"), None);
    post(&client, "app", json!({"rotate_refresh_tokens": true})).await;
    assert!(client.refresh().await.json()["refresh_token"].is_string());
}

#[tokio::test]
async fn grants_can_be_closed() {
    let client = Client::new().await;
    let credentials = client.emulator.credentials();
    let password = format!("{}{}", credentials.password, credentials.security_token);
    let form = [("grant_type", "password"), ("username", &credentials.username), ("password", &password)];
    post(&client, "org", json!({"password_grant": false})).await;
    assert_eq!(refused(&client.grant(&form).await), "400 invalid_grant: authentication failure");
    post(&client, "app", json!({"run_as": false})).await;
    let run_as = client.grant(&[("grant_type", "client_credentials")]).await;
    assert_eq!(refused(&run_as), "400 invalid_grant: no client credentials user enabled");
    let reset = client.send(Method::POST, "/__emulator/reset", &[], None).await.unwrap();
    assert_eq!((reset.status.as_u16(), client.grant(&form).await.status.as_u16()), (204, 200), "a reset opens them");
}
