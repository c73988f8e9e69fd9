//! Two orgs in one process have nothing in common.

use std::time::Duration;

use reqwest::Method;
use salesforce_emulator::Config;
use salesforce_emulator::org::SchemaChange;
use serde_json::json;

use crate::client::{Client, still};

#[tokio::test]
async fn nothing_is_shared() {
    let of = async |seed: u64| Client::with(Config { seed, settings: still(), ..Config::default() }).await;
    let (one, two) = (of(1).await, of(2).await);
    let (first, second) = (one.emulator.credentials(), two.emulator.credentials());
    assert_ne!(first.client_id, second.client_id);
    assert_ne!(first.client_secret, second.client_secret);
    assert_ne!(first.refresh_token, second.refresh_token);
    assert_ne!(first.username, second.username);
    assert_ne!(one.emulator.org().org_id(), two.emulator.org().org_id());
    assert_ne!(one.emulator.url(), two.emulator.url());

    // Rows, their ids and events.
    let topic = json!({"Name": "A", "Query": "SELECT Id FROM Account", "ApiVersion": 62.0});
    one.create("PushTopic", topic).await;
    let id = one.create("Account", json!({"Name": "one"})).await;
    assert_ne!(id, two.create("Account", json!({"Name": "two"})).await);
    assert_eq!(two.get(&format!("/services/data/v62.0/sobjects/Account/{id}")).await.status, 404);
    assert_eq!(two.query("SELECT COUNT() FROM Account").await.json()["totalSize"], 1);
    assert_eq!(two.query("SELECT COUNT() FROM PushTopic").await.json()["totalSize"], 0);

    // Sessions, schema, policies and time.
    let authorization = format!("Bearer {}", one.token);
    let stranger =
        two.send(Method::GET, "/services/data/v62.0/limits", &[("authorization", &authorization)], None).await;
    assert_eq!(stranger.unwrap().status, 401);
    one.emulator.org().change_schema([SchemaChange::HideObject { object: "Lead".into() }]).unwrap();
    assert_eq!(two.query("SELECT COUNT() FROM Lead").await.status, 200);
    one.emulator.org().advance(Duration::from_secs(3 * 60 * 60)).unwrap();
    assert_eq!(one.query("SELECT COUNT() FROM Account").await.status, 401);
    assert_eq!(two.query("SELECT COUNT() FROM Account").await.status, 200);
    let clock = two.get("/__emulator/clock").await.json();
    assert_eq!(clock["now"], "2026-01-01T00:00:00Z");
}
