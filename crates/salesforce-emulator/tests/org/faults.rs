//! Scripted trouble.

use reqwest::Method;
use salesforce_emulator::{FaultAction, FaultRule};
use serde_json::json;

use crate::client::Client;

const LIMITS: &str = "/services/data/v62.0/limits";

async fn limits(client: &Client) -> Result<u16, reqwest::Error> {
    let authorization = format!("Bearer {}", client.token);
    let answer = client.send(Method::GET, LIMITS, &[("authorization", &authorization)], None).await?;
    Ok(answer.status.as_u16())
}

async fn script(client: &Client, rule: serde_json::Value) {
    let answer = client.send(Method::POST, "/__emulator/faults", &[], Some(rule.to_string())).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[tokio::test]
async fn a_reply_in_place_of_the_second_request() {
    let client = Client::new().await;
    let body = json!([{"message": "busy", "errorCode": "SERVER_UNAVAILABLE"}]);
    script(&client, json!({"kind": "limits", "nth": 2, "action": {"reply": {"status": 503, "body": body}}})).await;
    assert_eq!(
        [limits(&client).await.unwrap(), limits(&client).await.unwrap(), limits(&client).await.unwrap()],
        [200, 503, 200]
    );
}

#[tokio::test]
async fn pages_of_html() {
    let client = Client::new().await;
    script(&client, json!({"path": "/services/data/", "count": null, "action": "html503"})).await;
    let answer = client.get(LIMITS).await;
    assert_eq!(answer.status, 503);
    assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/html"));
    assert_eq!(client.send(Method::DELETE, "/__emulator/faults", &[], None).await.unwrap().status, 204);
    assert_eq!(limits(&client).await.unwrap(), 200);
}

#[tokio::test]
async fn connections_that_break() {
    let client = Client::new().await;
    for action in [FaultAction::Drop, FaultAction::DropReply, FaultAction::Truncate { bytes: 10 }] {
        let rule =
            FaultRule { method: None, path: None, kind: Some("limits".to_owned()), nth: 1, count: Some(1), action };
        client.emulator.add_fault(rule.clone());
        assert!(limits(&client).await.is_err(), "{rule:?}");
        assert_eq!(limits(&client).await.unwrap(), 200);
    }
    assert!(client.emulator.faults().is_empty());
}

/// The client cannot tell a request that was never handled from one whose answer was lost. The org can.
#[tokio::test]
async fn a_lost_reply_is_a_request_done() {
    let client = Client::new().await;
    for (action, created) in [("drop", 0), ("drop_reply", 1)] {
        script(&client, json!({"kind": "create", "action": action})).await;
        let authorization = format!("Bearer {}", client.token);
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let sent = client
            .send(Method::POST, "/services/data/v62.0/sobjects/Account", &headers, Some(r#"{"Name":"x"}"#.to_owned()))
            .await;
        assert!(sent.is_err());
        assert_eq!(client.query("SELECT COUNT() FROM Account").await.json()["totalSize"], created, "{action}");
    }
}

#[tokio::test]
async fn a_session_that_ends_in_between() {
    let client = Client::new().await;
    script(&client, json!({"kind": "limits", "action": "expire_session"})).await;
    assert_eq!(limits(&client).await.unwrap(), 401);
    assert_eq!(client.refresh().await.status, 200);
}

#[tokio::test]
async fn a_stalled_request_waits_until_the_end() {
    let client = Client::new().await;
    script(&client, json!({"kind": "limits", "action": "stall"})).await;
    let Client { emulator, token, .. } = client;
    let request = reqwest::Client::new()
        .get(format!("{}{LIMITS}", emulator.url()))
        .header("authorization", format!("Bearer {token}"));
    let waiting = tokio::spawn(async move { request.send().await.map(|_| ()) });
    while !emulator.faults().is_empty() {
        tokio::task::yield_now().await;
    }
    emulator.shutdown().await;
    assert!(waiting.await.unwrap().is_err());
}

#[tokio::test]
async fn rules_that_make_no_sense() {
    let client = Client::new().await;
    for body in ["", "{}", r#"{"action":"explode"}"#, r#"{"action":"drop","colour":"red"}"#] {
        let answer = client.send(Method::POST, "/__emulator/faults", &[], Some(body.to_owned())).await.unwrap();
        assert_eq!(answer.status, 400, "{body}");
    }
}
