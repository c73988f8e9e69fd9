//! API calls are counted: the capture keeps to its share, and when the org has none left it waits and goes on.

use salesforce_emulator::{FaultAction, FaultRule, Settings};
use serde_json::{Value, json};

use super::{org::Org, task::Task};

/// The org refuses every call until somebody has been refused so often.
fn exhaust(org: &Org, kind: &str, nth: u64, refusals: u64) {
    let action = FaultAction::ExhaustCalls { refusals: Some(refusals) };
    org.emulator().add_fault(FaultRule {
        method: None,
        path: None,
        kind: Some(kind.to_owned()),
        nth,
        count: Some(1),
        action,
    });
}

/// In the middle of history, and again when a poll begins: nothing ends, nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn an_org_without_calls_is_waited_for() {
    let streams = ["Account", "Custom__c"];
    let org =
        Org::start_with(1, &streams.map(|stream| (stream, 60)), Settings { query_page: 20, ..Settings::default() })
            .await;
    let resources =
        [json!({ "stream": "Account" }), json!({ "stream": "Custom__c", "mode": "poll", "interval": "PT1S" })];
    let mut task = Task::prepare_bindings(org.config(), &resources).await;
    exhaust(&org, "query", 3, 1);
    let mut running = task.open().await;
    running.agree(&org).await;
    exhaust(&org, "updated", 1, 1);
    org.change(&streams, 40, 1).await;
    running.agree(&org).await;
    let log = running.end().await.join("\n");
    task.assert_faithful(&org);
    for says in ["Salesforce refuses more", "making API calls again"] {
        assert!(log.contains(says), "{says}: {log}");
    }
    assert_eq!(org.emulator().faults(), []);
    org.shutdown().await;
}

/// Before anything is described.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_opens_once_there_are_calls() {
    let org = Org::start(&[("Custom__c", 5)]).await;
    let mut task = Task::prepare(&org, &["Custom__c"]).await;
    exhaust(&org, "describe", 1, 1);
    let log = task.catch_up(&org).await.join("\n");
    task.assert_faithful(&org);
    assert!(log.contains("waiting, and trying again"), "{log}");
    org.shutdown().await;
}

/// A hundredth of the org's calls does not suffice for the history: the capture stops before it makes more, and so does its next session.
#[tokio::test(flavor = "multi_thread")]
async fn a_capture_keeps_to_its_share() {
    const ALLOWED: u64 = 30;
    let settings = Settings { daily_api_calls: 100 * ALLOWED, query_page: 20, ..Settings::default() };
    let org = Org::start_with(1, &[("Custom__c", 2_000)], settings).await;
    let mut config = org.config();
    config["advanced"]["api_budget"] = json!(1);
    let mut task = Task::prepare_bindings(config, &[json!({ "stream": "Custom__c", "mode": "poll" })]).await;
    let pages = |org: &Org| org.emulator().org().calls().get("query").copied().unwrap_or_default();
    for session in 0..2 {
        let before = pages(&org);
        let mut running = task.open().await;
        let log = running.says("this capture has made its share").await;
        let made = pages(&org) - before;
        running.end().await;
        let most = if session == 0 { ALLOWED } else { 0 };
        assert!(made <= most, "session {session} asked for {made} pages: {log:#?}");
        let read = task.capture.collection(0).rows().len() as u64;
        assert!((1..=20 * ALLOWED).contains(&read), "{read} rows");
    }
    let counted = task.capture.state()["calls"].as_object().expect("calls by hour").values();
    assert!(counted.filter_map(Value::as_u64).sum::<u64>() >= ALLOWED);
    org.shutdown().await;
}

/// Twelve polls an hour and object would use up the share of a small org. Those whose interval nobody has chosen are rarer.
#[tokio::test(flavor = "multi_thread")]
async fn intervals_follow_from_the_share() {
    let org = Org::start_with(1, &[("Custom__c", 5)], Settings { daily_api_calls: 3_000, ..Settings::default() }).await;
    let resources = [
        json!({ "stream": "Custom__c", "mode": "poll", "interval": "PT1S" }),
        json!({ "stream": "Account", "mode": "poll", "interval": "PT1H" }),
        json!({ "stream": "Contact", "mode": "poll" }),
    ];
    for (chosen, says) in [
        (&resources[1..], "polls and sweeps are rarer where no interval is chosen"),
        (&resources[..], "polls and sweeps alone take more than half of the API calls"),
        (&resources[1..2], ""),
    ] {
        let mut task = Task::prepare_bindings(org.config(), chosen).await;
        let log = task.catch_up(&org).await;
        let told: Vec<_> = log.iter().filter(|line| line.contains("polls and sweeps")).collect();
        match says {
            "" => assert!(told.is_empty(), "{told:?}"),
            says => assert!(told.len() == 1 && told[0].contains(says), "{says}: {told:?}"),
        }
    }
    org.shutdown().await;
}
