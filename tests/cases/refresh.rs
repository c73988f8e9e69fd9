//! Formula fields change without a change of their records: on a schedule, all rows are read again.

use std::time::Duration;

use demo::runtime::Capture;
use jiff::tz::TimeZone;
use salesforce_emulator::{BulkSettings, BulkStop, FaultAction, FaultRule, Settings, org::SchemaChange};
use serde_json::{Value, json};
use tokio::task::block_in_place;

use super::{org::Org, task::Task};

/// An org with a formula field on both objects.
async fn org(rows: u64, settings: Settings) -> Org {
    let org = Org::start_with(1, &[("Account", rows), ("Custom__c", rows)], settings).await;
    for object in ["Account", "Custom__c"] {
        let definition = json!({ "type": "string", "formula": "Name & \" as before\"" });
        change(&org, json!({ "add_field": { "object": object, "field": "Shout__c", "definition": definition } }));
    }
    org
}

fn change(org: &Org, change: Value) {
    let change: SchemaChange = serde_json::from_value(change).expect("a change");
    block_in_place(|| org.emulator().org().change_schema([change])).expect("Salesforce offers this change");
}

/// Another formula: no record is written, and none says that it has changed.
fn reformulate(org: &Org, now: &str) {
    for object in ["Account", "Custom__c"] {
        let definition = json!({ "type": "string", "formula": format!("Name & \" {now}\"") });
        change(org, json!({ "retype_field": { "object": object, "field": "Shout__c", "definition": definition } }));
    }
}

/// Refreshes come once a day, half a day from now.
async fn prepare(org: &Org) -> Task {
    prepare_with(org, org.config()).await
}

async fn prepare_with(org: &Org, mut config: Value) -> Task {
    let now = org.emulator().org().now().to_zoned(TimeZone::UTC);
    let refresh = format!("{} {} * * *", now.minute(), (now.hour() + 12) % 24);
    config["advanced"]["sweep_interval"] = json!("PT1S");
    let resources = [
        json!({ "stream": "Account", "refresh": refresh }),
        json!({ "stream": "Custom__c", "refresh": refresh, "mode": "poll", "interval": "PT1S" }),
    ];
    Task::prepare_bindings(config, &resources).await
}

fn refreshed(capture: &Capture) -> Vec<Option<String>> {
    let positions = &capture.state()["bindingStateV1"];
    let of = |key: String| positions[key]["refreshed"].as_str().map(str::to_owned);
    capture.bindings().iter().map(|binding| of(binding.state_key())).collect()
}

fn hours(org: &Org, hours: u64) {
    org.emulator().org().advance(Duration::from_secs(hours * 3_600)).expect("the clock moves");
}

/// In a running session, streamed or polled; and nothing brings the new values before.
#[tokio::test(flavor = "multi_thread")]
async fn formula_fields_follow_on_schedule() {
    let org = org(30, Settings::default()).await;
    let mut task = prepare(&org).await;
    let mut running = task.open().await;
    running.agree(&org).await;
    running.until(|capture| refreshed(capture).iter().all(Option::is_some)).await;
    reformulate(&org, "as of now");
    let stale = running.task.differences(&org);
    assert_eq!(stale.iter().map(|stream| stream.different.len()).collect::<Vec<_>>(), [30, 30]);

    hours(&org, 24);
    running.agree(&org).await;
    let log = running.end().await.join("\n");
    task.assert_faithful(&org);
    assert_eq!(log.matches("refreshing: reading all rows again").count(), 2, "{log}");
    org.shutdown().await;
}

/// A time that passes while no session runs is made up for, once; one that has not come is not anticipated.
#[tokio::test(flavor = "multi_thread")]
async fn restarts_neither_skip_nor_double_a_refresh() {
    let org = org(10, Settings::default()).await;
    let mut task = prepare(&org).await;
    let mut running = task.open().await;
    running.agree(&org).await;
    running.until(|capture| refreshed(capture).iter().all(Option::is_some)).await;
    running.end().await;

    let mut begun = Vec::new();
    for (n, pause) in [0, 72, 0, 24].into_iter().enumerate() {
        hours(&org, pause);
        reformulate(&org, &format!("as of session {n}"));
        let mut running = task.open().await;
        if pause > 0 {
            running.agree(&org).await;
        } else {
            org.create("Account", json!({ "Name": "New" }));
            org.create("Custom__c", json!({ "Name": "New" }));
            let rows = |capture: &Capture| [0, 1].map(|n| capture.collection(n).rows().len());
            let until = ["Account", "Custom__c"].map(|object| org.ids(object).len());
            running.until(|capture| rows(capture) == until).await;
        }
        let log = running.end().await.join("\n");
        begun.push(log.matches("refreshing: reading all rows again").count());
    }
    assert_eq!(begun, [0, 2, 0, 2]);
    task.assert_faithful(&org);
    org.shutdown().await;
}

/// Killed in the middle of it, the next session goes on from where it was written, and the next time is the next of the schedule.
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_goes_on_after_a_crash() {
    let org = org(100, Settings { query_page: 20, ..Settings::default() }).await;
    let mut task = prepare(&org).await;
    let mut running = task.open().await;
    running.agree(&org).await;
    running.until(|capture| refreshed(capture).iter().all(Option::is_some)).await;
    reformulate(&org, "as of now");
    hours(&org, 24);
    let after = |capture: &Capture| {
        let key = capture.bindings()[1].state_key();
        capture.state()["bindingStateV1"][key]["reads"][0].clone()
    };
    running.until(|capture| after(capture)["refresh"] == true && after(capture)["after"].is_string()).await;
    running.kill().await;
    let mut running = task.open().await;
    running.agree(&org).await;
    let again = running.captured.iter().filter(|captured| captured.binding == 1).count();
    running.end().await;
    task.assert_faithful(&org);
    assert!(again <= 80, "{again} documents: it began anew");
    org.shutdown().await;
}

/// A refresh that goes by Bulk jobs is killed in the middle of one, and the object gets a field meanwhile: the job, which lacks it, is given
/// up, the next one goes on behind the last row written, and what was announced beside it stays as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_by_jobs_outlives_a_kill_and_another_field() {
    let bulk = BulkSettings { query_chunk: 20, largest_page: 8_000, ..BulkSettings::default() };
    let org = org(100, Settings { bulk, ..Settings::default() }).await;
    let mut config = org.config();
    config["advanced"]["bulk_threshold"] = json!(0);
    let mut task = prepare_with(&org, config).await;
    let mut running = task.open().await;
    running.agree(&org).await;
    running.until(|capture| refreshed(capture).iter().all(Option::is_some)).await;
    reformulate(&org, "as of now");
    let read = |capture: &Capture, n: usize| {
        let key = capture.bindings()[n].state_key();
        capture.state()["bindingStateV1"][key]["reads"][0].clone()
    };
    let job = |capture: &Capture, n: usize| {
        let read = read(capture, n);
        if read["refresh"] == true { read["bulk"]["job"].as_str().map(str::to_owned) } else { None }
    };
    for object in ["Account", "Custom__c"] {
        let object = Some(object.to_owned());
        org.emulator().org().stop_bulk(BulkStop { before_chunk: 3, object, job: None, fail: None });
    }
    hours(&org, 24);
    running.until(|capture| [0, 1].iter().all(|n| job(capture, *n).is_some())).await;
    org.replied_until(|emulator| {
        block_in_place(|| emulator.org().bulk_jobs()).iter().filter(|job| job.held).count() == 2
    })
    .await;
    let ids = org.ids("Account");
    org.update("Account", ids[1], json!({ "Name": "Announced" }));
    org.delete("Account", ids[90]);
    let written = |capture: &Capture| {
        let key = capture.bindings()[0].state_key();
        capture.state()["bindingStateV1"][key]["written"].as_object().map_or(0, serde_json::Map::len)
    };
    running.until(|capture| written(capture) == 2).await;
    let left: Vec<String> = [0, 1].iter().filter_map(|n| job(&running.task.capture, *n)).collect();
    running.kill().await;

    let definition = json!({ "type": "string", "length": 40 });
    for object in ["Account", "Custom__c"] {
        change(&org, json!({ "add_field": { "object": object, "field": "New__c", "definition": definition } }));
    }
    block_in_place(|| org.emulator().org().release_bulk());
    let mut running = task.open().await;
    running.agree(&org).await;
    running.until(|capture| [0, 1].iter().all(|n| read(capture, *n)["refresh"] != true)).await;
    let is_left =
        |job: &String| block_in_place(|| org.emulator().org().bulk_jobs()).iter().any(|known| known.id.as_str() == job);
    running.until(|_| !left.iter().any(is_left)).await;
    let log = running.end().await.join("\n");
    task.assert_faithful(&org);
    assert_eq!(log.matches("the next one reads fewer rows").count(), 2, "{log}");
    assert!(!log.contains("refreshing: reading all rows again"), "{log}");
    org.shutdown().await;
}

/// The org refuses calls for days: the times of the schedule in between are passed over, and that is said.
#[tokio::test(flavor = "multi_thread")]
async fn a_time_is_skipped_while_a_refresh_runs() {
    let org = org(10, Settings::default()).await;
    let mut task = prepare(&org).await;
    let mut running = task.open().await;
    running.agree(&org).await;
    running.until(|capture| refreshed(capture).iter().all(Option::is_some)).await;
    reformulate(&org, "as of now");
    let action = FaultAction::ExhaustCalls { refusals: None };
    let kind = Some("query".to_owned());
    org.emulator().add_fault(FaultRule { method: None, path: None, kind, nth: 1, count: Some(1), action });
    hours(&org, 24);
    running.says("Salesforce refuses more").await;

    hours(&org, 72);
    let log = running.says("refreshes are skipped").await.join("\n");
    assert!(log.contains(r#""skipped":3"#), "{log}");
    running.agree(&org).await;
    running.end().await;
    task.assert_faithful(&org);
    org.shutdown().await;
}
