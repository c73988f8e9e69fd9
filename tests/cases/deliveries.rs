//! Deliveries of events are counted, over sessions, and people are told before the org has none left.

use salesforce_emulator::Settings;
use serde_json::{Value, json};

use super::{org::Org, task::Task};

fn counted(task: &Task) -> u64 {
    let hours = task.capture.state()["deliveries"].as_object().cloned().unwrap_or_default();
    hours.values().filter_map(Value::as_u64).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_are_counted_and_shortage_is_told() {
    let org = Org::start_with(1, &[("Custom__c", 5)], Settings { daily_deliveries: 20, ..Settings::default() }).await;
    let mut task = Task::prepare(&org, &["Custom__c"]).await;
    let mut running = task.open().await;
    running.until_live().await;
    for n in 0..8 {
        org.create("Custom__c", json!({ "Name": format!("New {n}") }));
    }
    running.agree(&org).await;
    let log = running.end().await.join("\n");
    assert_eq!(counted(&task), 8);
    assert!(!log.contains("few deliveries of events left"), "{log}");

    // The first delivery of a session has the org asked.
    for n in 0..9 {
        org.create("Custom__c", json!({ "Name": format!("Newer {n}") }));
    }
    let mut running = task.open().await;
    running.agree(&org).await;
    let log = running.says("few deliveries of events left").await.join("\n");
    assert!(log.contains(r#""org_events_left":3,"org_events_limit":20"#), "{log}");
    running.end().await;
    assert_eq!(counted(&task), 17);
    assert_eq!(org.emulator().org().calls().get("limits"), Some(&2));
    org.shutdown().await;
}

/// A user who may not see the org's setup is not asked again and again; nothing else depends on the answer.
#[tokio::test(flavor = "multi_thread")]
async fn an_org_that_does_not_tell_is_left_alone() {
    let org = Org::start(&[("Custom__c", 5)]).await;
    let mut task = Task::prepare(&org, &["Custom__c"]).await;
    org.emulator().add_fault(salesforce_emulator::FaultRule {
        method: None,
        path: None,
        kind: Some("limits".into()),
        nth: 1,
        count: Some(1),
        action: salesforce_emulator::FaultAction::Reply {
            status: 403,
            body: Some(json!([{ "errorCode": "FUNCTIONALITY_NOT_ENABLED", "message": "not for you" }])),
        },
    });
    let mut running = task.open().await;
    running.until_live().await;
    org.create("Custom__c", json!({ "Name": "New" }));
    running.agree(&org).await;
    org.replied_until(|emulator| emulator.faults().is_empty()).await;
    org.create("Custom__c", json!({ "Name": "Newer" }));
    running.agree(&org).await;
    running.end().await;
    task.assert_faithful(&org);
    org.shutdown().await;
}
