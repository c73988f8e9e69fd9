//! What Salesforce does not announce is found by sweeps, and what it did announce is not written twice for them.

use std::time::Duration;

use demo::runtime::Capture;
use salesforce_emulator::{
    Emulator,
    org::{Conversion, Id},
};
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

/// A transaction that was open before the first session, for longer than anybody would guess, deletes in silence: what it stamped
/// long ago is visible only once history is read.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_long_transaction_did_in_silence_across_the_first_read_is_found() {
    let org = Org::start(&[("Account", 5), ("Contact", 20)]).await;
    let parent = family(&org, 30);
    let known = org.emulator().org();
    let late = known.begin_late();
    block_in_place(|| late.write(|transaction| transaction.delete("Account", parent))).expect("the parent is deleted");
    known.advance(Duration::from_secs(1_800)).expect("the clock moves");

    let mut task = Task::prepare_as("acmeCo/salesforce", config(&org, "PT1S"), &["Account", "Contact"]).await;
    let mut running = task.open().await;
    running.until_live().await;
    block_in_place(|| late.commit()).expect("the transaction commits");
    running.agree(&org).await;
    running.end().await;
    task.assert_faithful(&org);
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

    let until = sweep_calls(org.emulator()) + 12;
    org.replied_until(|emulator| sweep_calls(emulator) >= until).await;
    let documents = running.task.capture.documents();
    let log = running.end().await.join("\n");
    task.assert_faithful(&org);
    assert_eq!(documents, before, "{log}");
    org.shutdown().await;
}

/// Calls that sweeps make, fetches too: a sweep asks up to when changes are visible, then it reads, and those that are due
/// together ask and read together.
fn sweep_calls(emulator: &Emulator) -> u64 {
    let calls = emulator.org().calls();
    ["updated", "query_all", "composite"].iter().filter_map(|kind| calls.get(kind)).sum()
}

/// A capture that agrees with its org, then `make`, then it agrees again. Returns the log.
async fn follows(rows: &[(&str, u64)], make: impl AsyncFnOnce(&Org)) -> String {
    let org = Org::start(rows).await;
    let streams: Vec<&str> = rows.iter().map(|(stream, _)| *stream).collect();
    let mut task = Task::prepare_as("acmeCo/salesforce", config(&org, "PT1S"), &streams).await;
    let mut running = task.open().await;
    running.agree(&org).await;
    // Within the second of its beginning the session cannot tell what it knows.
    org.emulator().org().advance(Duration::from_secs(5)).expect("the clock moves");
    make(&org).await;
    running.agree(&org).await;
    let log = running.end().await.join("\n");
    task.assert_faithful(&org);
    org.shutdown().await;
    log
}

const FOUND: &str = "a sweep has found rows that nothing announced";

#[tokio::test(flavor = "multi_thread")]
async fn rows_loaded_in_bulk_are_found() {
    let log = follows(&[("Account", 40), ("Custom__c", 40)], async |org| {
        for object in ["Account", "Custom__c"] {
            let ids = org.ids(object);
            let named = |id: &Id| format!("{id},loaded\n");
            org.load("insert", object, &format!("Name\n{}", "loaded\n".repeat(300))).await;
            org.load("update", object, &format!("Id,Name\n{}", ids[..20].iter().map(named).collect::<String>())).await;
            let gone: Vec<String> = ids[15..25].iter().map(ToString::to_string).collect();
            org.load("delete", object, &format!("Id\n{}\n", gone.join("\n"))).await;
        }
    })
    .await;
    assert!(log.contains(FOUND), "{log}");
}

/// The losers go, what hung on them hangs on the master, and what a lead becomes comes to be.
#[tokio::test(flavor = "multi_thread")]
async fn merges_and_conversions_are_followed() {
    follows(&[("Account", 10), ("Contact", 10), ("Lead", 10), ("Opportunity", 5)], async |org| {
        let family = family(org, 20);
        let (accounts, leads) = (org.ids("Account"), org.ids("Lead"));
        let known = org.emulator().org();
        block_in_place(|| {
            let fields = json!({ "Name": "Master" });
            known.merge("Account", accounts[0], &[family, accounts[1]], fields.as_object().expect("fields"))?;
            known.merge("Lead", leads[0], &leads[1..3], &serde_json::Map::new())?;
            leads[3..6].iter().try_for_each(|lead| known.convert(&Conversion::of(*lead)).map(drop))
        })
        .expect("records can be merged and converted");
    })
    .await;
}

/// Modstamps of one second order nothing, for pages no more than for events.
#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_rows_of_one_second_arrive() {
    follows(&[("Account", 10), ("Custom__c", 10)], async |org| {
        for object in ["Account", "Custom__c"] {
            org.create_many(object, &json!({ "Name": "one of many" }), 2_000);
            let ids = org.ids(object);
            let again = json!({ "Name": "one of many, again" });
            let update = || {
                let fields = again.as_object().expect("fields");
                org.emulator().org().transaction(|work| ids.iter().try_for_each(|id| work.update(object, *id, fields)))
            };
            block_in_place(update).expect("the records can be updated");
        }
    })
    .await;
}

/// A parent is deleted in a transaction that takes minutes, and its children with it, in silence and with stamps that sweeps have
/// long passed when they become visible.
#[tokio::test(flavor = "multi_thread")]
async fn what_becomes_visible_late_and_in_silence_is_found() {
    let log = follows(&[("Account", 5), ("Contact", 5)], async |org| {
        let parent = family(org, 20);
        let late = org.emulator().org().begin_late();
        block_in_place(|| late.write(|work| work.delete("Account", parent))).expect("it can be deleted");
        for _ in 0..3 {
            org.emulator().org().advance(Duration::from_secs(150)).expect("the clock moves");
            let until = sweep_calls(org.emulator()) + 8;
            org.create("Contact", json!({ "LastName": "meanwhile" }));
            org.replied_until(|emulator| sweep_calls(emulator) >= until).await;
        }
        block_in_place(|| late.commit()).expect("it is committed");
    })
    .await;
    assert!(log.contains(FOUND), "{log}");
}
