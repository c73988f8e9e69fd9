//! What Salesforce does not announce is found by sweeps, and what it did announce is not written twice for them.

use std::time::Duration;

use demo::runtime::Capture;
use salesforce_emulator::{Emulator, org::Id};
use serde_json::{Value, json};
use tokio::task::block_in_place;

use super::{org::Org, task::Task};

/// A config that sweeps so often.
fn config(org: &Org, sweeps: &str) -> Value {
    let mut config = org.config();
    config["advanced"]["sweep_interval"] = json!(sweeps);
    config
}

/// An account with contacts, which are deleted in silence when it is.
fn family(org: &Org, children: usize) -> Id {
    let parent = org.create("Account", json!({ "Name": "Parent" }));
    org.create_many("Contact", &json!({ "LastName": "Child", "AccountId": parent.to_string() }), children);
    parent
}

#[tokio::test(flavor = "multi_thread")]
async fn children_deleted_with_their_parent_are_found() {
    let org = Org::start(&[("Account", 5), ("Contact", 20)]).await;
    let parent = family(&org, 30);
    let mut task = Task::prepare_as("acmeCo/salesforce", config(&org, "PT1S"), &["Account", "Contact"]).await;
    let mut running = task.open().await;
    running.agree(&org).await;

    // Within the second of its beginning the session cannot tell what it knows.
    org.emulator().org().advance(Duration::from_secs(5)).expect("the clock moves");
    org.delete("Account", parent);
    running.agree(&org).await;
    let log = running.end().await.join("\n");
    task.assert_faithful(&org);
    assert!(log.contains("a sweep has found rows that nothing announced"), "{log}");
    org.shutdown().await;
}

/// The session after a stop sweeps from where the last one was complete.
#[tokio::test(flavor = "multi_thread")]
async fn what_happened_in_silence_between_sessions_is_found() {
    let org = Org::start(&[("Account", 5), ("Contact", 20)]).await;
    let parent = family(&org, 30);
    let mut task = Task::prepare_as("acmeCo/salesforce", config(&org, "PT1H"), &["Account", "Contact"]).await;
    task.catch_up(&org).await;

    org.delete("Account", parent);
    org.emulator().org().advance(Duration::from_secs(2 * 3_600)).expect("the clock moves");
    task.catch_up(&org).await;
    task.assert_faithful(&org);
    org.shutdown().await;
}

/// Nobody can tell which records were purged while nobody listened. That this may be so is said.
#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_recycle_bin_is_warned_about() {
    let org = Org::start(&[("Custom__c", 20)]).await;
    let mut task = Task::prepare_as("acmeCo/salesforce", config(&org, "PT1S"), &["Custom__c"]).await;
    task.catch_up(&org).await;
    let key = task.capture.bindings()[0].state_key();
    let listed = |capture: &Capture| capture.state()["bindingStateV1"][&key]["listed"].as_str().map(str::to_owned);
    let before = listed(&task.capture);

    org.emulator().org().advance(Duration::from_secs(2 * 3_600)).expect("the clock moves");
    org.delete("Custom__c", org.ids("Custom__c")[0]);
    block_in_place(|| org.emulator().org().empty_recycle_bin()).expect("the bin is emptied");
    org.emulator().org().advance(Duration::from_secs(24 * 3_600)).expect("the clock moves");
    let mut running = task.open().await;
    running.until(|capture| listed(capture) > before).await;
    let log = running.end().await.join("\n");
    assert!(log.contains("records were purged from the recycle bin, and Salesforce does not tell which"), "{log}");
    org.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_announced_is_not_written_again() {
    let org = Org::start(&[("Account", 50), ("Custom__c", 50)]).await;
    let streams = ["Account", "Custom__c"];
    let mut task = Task::prepare_as("acmeCo/salesforce", config(&org, "PT1S"), &streams).await;
    let mut running = task.open().await;
    running.until_live().await;
    org.change(&streams, 60, 1).await;
    running.agree(&org).await;
    let before = running.task.capture.documents();

    // Each sweep of an object asks first up to when its changes are visible.
    let sweeps = |emulator: &Emulator| emulator.org().calls().get("updated").copied().unwrap_or_default();
    let until = sweeps(org.emulator()) + 4 * streams.len() as u64;
    org.replied_until(|emulator| sweeps(emulator) >= until).await;
    let documents = running.task.capture.documents();
    let log = running.end().await.join("\n");
    task.assert_faithful(&org);
    assert_eq!(documents, before, "{log}");
    org.shutdown().await;
}
