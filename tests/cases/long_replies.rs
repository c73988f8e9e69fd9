//! Replies that are too long to be read, as those about rows with long texts are: less is asked for at once, and nothing is missed.

use std::time::Duration;

use salesforce_emulator::{FaultAction, FaultRule};
use serde_json::json;

use super::{org::Org, task::Task};

/// More than is read of a reply.
const TOO_LONG: usize = 65 << 20;

/// The n-th request of this kind from now on is answered at too great a length.
fn answer_at_length(org: &Org, kind: &str, nth: u64) {
    let action = FaultAction::Reply { status: 200, body: Some(json!("x".repeat(TOO_LONG))) };
    let kind = Some(kind.to_owned());
    org.emulator().add_fault(FaultRule { method: None, path: None, kind, nth, count: Some(1), action });
}

/// The first pages of several objects together, then a fetch of what was announced.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_long_comes_in_smaller_portions() {
    let org = Org::start(&[("Account", 5), ("Contact", 5), ("Wide__c", 5)]).await;
    let poll = |stream: &str| json!({ "stream": stream, "mode": "poll" });
    let resources = [poll("Account"), poll("Contact"), json!({ "stream": "Wide__c" })];
    let mut task = Task::prepare_bindings(org.config(), &resources).await;
    // Before it are the describes, and up to when changes are visible.
    answer_at_length(&org, "composite", 3);
    let mut running = task.open().await;
    running.agree(&org).await;
    running.until_live().await;
    // Within the second of its beginning the session cannot tell what it knows.
    org.emulator().org().advance(Duration::from_secs(5)).expect("the clock moves");
    answer_at_length(&org, "retrieve", 1);
    org.ids("Wide__c").into_iter().for_each(|id| org.update("Wide__c", id, json!({ "Name": "announced" })));
    running.agree(&org).await;
    let log = running.end().await.join("\n");
    task.assert_faithful(&org);
    assert_eq!(org.emulator().faults(), [], "{log}");
    // Those that were polled together, and the one that fetches.
    assert!(log.matches("asking for less at once").count() >= 3, "{log}");
    org.shutdown().await;
}
