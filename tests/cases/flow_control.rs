//! A runtime that commits and does not say so: the connector stops at a bound instead of running ahead for ever.

use std::time::Duration;

use salesforce_emulator::Settings;
use serde_json::json;
use tokio::time::timeout;

use super::{org::Org, program::PATIENCE, task::Task};

/// Bytes that the connector hands over before the first of them is acknowledged, and a group or two that were on their way.
const BOUND: usize = (128 + 4) << 20;

const ROWS: usize = 1_600;

/// The most that three long texts of a row hold.
const TEXT: usize = 32_000;

/// After so long without a group the connector counts as stopped. On a machine too slow for it the test sees less, and passes.
const SILENCE: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_acknowledged_is_bounded() {
    const { assert!(ROWS * 3 * TEXT > BOUND + (8 << 20), "there is more than the bound") };
    let org = Org::start_with(1, &[], Settings { query_page: 50, ..Settings::default() }).await;
    let text = "x".repeat(TEXT);
    let account = json!({ "Name": "large", "Description": text, "ns__Description__c": text, "History__c": text });
    org.create_many("Account", &account, ROWS);

    let task = Task::prepare(&org, &["Account"]).await;
    let mut session =
        demo::runtime::Session::open(&task.connector, &task.capture.open_request(), 1).await.expect("a session");
    let (mut documents, mut groups) = (0, 0);
    while let Ok(group) = timeout(SILENCE, session.group()).await {
        documents += group.expect("whole groups").expect("the session stays open").documents.len();
        groups += 1;
    }
    assert!(documents > 0);
    assert!(documents * 3 * TEXT <= BOUND, "{documents} documents were handed over, none acknowledged");

    session.acknowledge(groups).await.expect("the connector listens");
    while documents < ROWS {
        let group = timeout(PATIENCE, session.group()).await.expect("it goes on");
        documents += group.expect("whole groups").expect("the session stays open").documents.len();
        session.acknowledge(1).await.expect("the connector listens");
    }
    org.shutdown().await;
}
