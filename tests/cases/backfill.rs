//! History that comes by Bulk API 2.0: the same documents, in an order that never goes back, whatever happens to the jobs.

use std::time::Duration;

use demo::runtime::Capture;
use salesforce_emulator::{BulkSettings, BulkStop, Settings};
use serde_json::{Value, json};
use tokio::task::block_in_place;

use super::{org::Org, task::Task};

/// Objects with addresses, with a location, and with neither.
const STREAMS: [&str; 4] = ["Account", "Contact", "Custom__c", "Lead"];

/// An org whose jobs read so few rows at a time.
async fn org(rows: u64) -> Org {
    org_with(rows, BulkSettings::default()).await
}

async fn org_with(rows: u64, bulk: BulkSettings) -> Org {
    let settings = Settings { bulk: BulkSettings { query_chunk: 50, ..bulk }, ..Settings::default() };
    Org::start_with(1, &STREAMS.map(|stream| (stream, rows)), settings).await
}

/// A config that reads by jobs after so many rows.
fn config(org: &Org, threshold: u64) -> Value {
    let mut config = org.config();
    config["advanced"]["bulk_threshold"] = json!(threshold);
    config
}

fn jobs(org: &Org) -> usize {
    block_in_place(|| org.emulator().org().bulk_jobs()).len()
}

fn is_held(org: &Org) -> bool {
    block_in_place(|| org.emulator().org().bulk_jobs()).iter().any(|job| job.held)
}

fn hold(org: &Org, before_chunk: u64, fail: Option<&str>) {
    let fail = fail.map(str::to_owned);
    org.emulator().org().stop_bulk(BulkStop { before_chunk, object: None, job: None, fail });
}

/// A document does not show the way of its row, and jobs are deleted once their rows are durable.
#[tokio::test(flavor = "multi_thread")]
async fn documents_are_the_same_by_bulk() {
    let org = org(330).await;
    let mut task = Task::prepare_as("acmeCo/salesforce", config(&org, 0), &STREAMS).await;
    let mut running = task.open().await;
    running.agree(&org).await;
    running.until_live().await;
    org.replied_until(|_| jobs(&org) == 0).await;
    let log = running.end().await.join("\n");
    task.assert_faithful(&org);
    assert_eq!(log.matches("reading on by Bulk API 2.0").count(), STREAMS.len(), "{log}");
    org.shutdown().await;
}

/// The first rows come by pages.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_take_over_where_pages_stop() {
    let org = Org::start(&[("Contact", 4_500)]).await;
    let mut task = Task::prepare_as("acmeCo/salesforce", config(&org, 3_000), &["Contact"]).await;
    let log = task.catch_up(&org).await.join("\n");
    task.assert_faithful(&org);
    assert_eq!(log.matches("reading on by Bulk API 2.0").count(), 1, "{log}");
    org.shutdown().await;
}

/// Rows change before and after the job has read them, and are written long before the job's rows are; the session that wrote them dies.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_while_a_job_runs_outlives_a_kill() {
    let org = org(200).await;
    let mut task = Task::prepare_as("acmeCo/salesforce", config(&org, 0), &["Contact"]).await;
    hold(&org, 3, None);
    let mut running = task.open().await;
    let key = running.task.capture.bindings()[0].state_key();
    let position = |capture: &Capture| capture.state()["bindingStateV1"][&key].clone();
    running.until(|capture| position(capture)["reads"][0]["bulk"]["job"].is_string()).await;
    org.replied_until(|_| is_held(&org)).await;

    let ids = org.ids("Contact");
    for id in ids.iter().step_by(10) {
        org.update("Contact", *id, json!({ "LastName": "Changed" }));
    }
    org.delete("Contact", ids[5]);
    org.delete("Contact", ids[155]);
    let written = |capture: &Capture| position(capture)["written"].as_object().map_or(0, serde_json::Map::len);
    running.until(|capture| written(capture) == 22).await;
    running.kill().await;

    block_in_place(|| org.emulator().org().release_bulk());
    let log = task.catch_up(&org).await.join("\n");
    task.assert_faithful(&org);
    assert!(!log.contains("reading on by Bulk API 2.0"), "the job that was begun is gone on with: {log}");
    org.shutdown().await;
}

/// A job is gone when its rows are to be read: what it has not brought is read anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_job_is_made_anew() {
    let bulk = BulkSettings { kept: Duration::from_secs(60), ..BulkSettings::default() };
    let org = org_with(200, bulk).await;
    let mut task = Task::prepare_as("acmeCo/salesforce", config(&org, 0), &["Contact"]).await;
    hold(&org, 3, None);
    let mut running = task.open().await;
    let key = running.task.capture.bindings()[0].state_key();
    running.until(|capture| capture.state()["bindingStateV1"][&key]["reads"][0]["bulk"]["job"].is_string()).await;
    running.kill().await;
    block_in_place(|| org.emulator().org().release_bulk());
    assert_eq!(jobs(&org), 1);
    org.emulator().org().advance(Duration::from_secs(120)).expect("the clock moves");

    let log = task.catch_up(&org).await.join("\n");
    task.assert_faithful(&org);
    assert_eq!(log.matches("the next one reads fewer rows").count(), 1, "{log}");
    assert_eq!(log.matches("reading on by Bulk API 2.0").count(), 1, "{log}");
    org.shutdown().await;
}

/// A job that fails is made anew, smaller; in the end there are pages.
#[tokio::test(flavor = "multi_thread")]
async fn failed_jobs_end_in_pages() {
    let org = org(200).await;
    for _ in 0..3 {
        hold(&org, 2, Some("InternalServerError : try again"));
    }
    let mut task = Task::prepare_as("acmeCo/salesforce", config(&org, 0), &["Contact"]).await;
    let log = task.catch_up(&org).await.join("\n");
    task.assert_faithful(&org);
    assert_eq!(log.matches("the next one reads fewer rows").count(), 2, "{log}");
    assert!(log.contains("the rest is read by pages"), "{log}");
    org.shutdown().await;
}

/// What Bulk does not read is read by pages, and the log says so.
#[tokio::test(flavor = "multi_thread")]
async fn what_bulk_refuses_is_read_by_pages() {
    let bulk = BulkSettings { unsupported: vec!["Lead".into()], ..BulkSettings::default() };
    let org = org_with(120, bulk).await;
    let mut task = Task::prepare_as("acmeCo/salesforce", config(&org, 0), &["Contact", "Lead"]).await;
    let log = task.catch_up(&org).await.join("\n");
    task.assert_faithful(&org);
    assert_eq!(log.matches("Bulk API 2.0 does not read the object").count(), 1, "{log}");
    org.shutdown().await;
}
