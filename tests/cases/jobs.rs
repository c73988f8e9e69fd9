//! Bulk jobs that do not go as they should, and what they carry: whatever befalls them, the rows are the org's, in an order that never
//! goes back, and what was written of a job is not read again.

use std::{collections::BTreeMap, time::Duration};

use demo::runtime::{Capture, Captured};
use reqwest::Method;
use salesforce_emulator::{
    BulkSettings, BulkStop, FaultAction, FaultRule, Settings,
    org::{Id, SchemaChange},
};
use serde_json::{Value, json};
use tokio::task::block_in_place;

use super::{
    org::Org,
    task::{Task, id_of},
};

/// Rows of an org whose jobs are of several chunks.
const ROWS: u64 = 200;

async fn org_with(bulk: BulkSettings) -> Org {
    let settings = Settings { bulk: BulkSettings { query_chunk: 50, ..bulk }, ..Settings::default() };
    Org::start_with(1, &[("Custom__c", ROWS)], settings).await
}

async fn org() -> Org {
    org_with(BulkSettings::default()).await
}

/// A task that reads its history by jobs.
async fn task(org: &Org) -> Task {
    let mut config = org.config();
    config["advanced"]["bulk_threshold"] = json!(0);
    Task::prepare_as("acmeCo/salesforce", config, &["Custom__c"]).await
}

/// What the state says of the job at hand.
fn job(capture: &Capture) -> &Value {
    &capture.state()["bindingStateV1"][capture.bindings()[0].state_key()]["reads"][0]["bulk"]
}

fn hold(org: &Org, before_chunk: u64) {
    org.emulator().org().stop_bulk(BulkStop { before_chunk, object: None, job: None, fail: None });
}

fn release(org: &Org) {
    block_in_place(|| org.emulator().org().release_bulk());
}

fn change(org: &Org, change: Value) {
    let change: SchemaChange = serde_json::from_value(change).expect("a change");
    block_in_place(|| org.emulator().org().change_schema([change])).expect("Salesforce offers this change");
}

/// Opens sessions until one has created a job that is held in its middle, and kills it.
async fn leave_a_job(task: &mut Task, org: &Org) -> String {
    hold(org, 3);
    let mut running = task.open().await;
    running.until(|capture| job(capture)["job"].is_string()).await;
    org.replied_until(|emulator| block_in_place(|| emulator.org().bulk_jobs()).iter().any(|job| job.held)).await;
    let id = job(&running.task.capture)["job"].as_str().expect("a job").to_owned();
    running.kill().await;
    id
}

/// Documents of the records that were captured more than once.
fn repeated(captured: &[Captured]) -> usize {
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    captured.iter().for_each(|captured| *times.entry(id_of(&captured.document)).or_default() += 1);
    times.values().map(|times| times - 1).sum()
}

/// The body of a page of results ends without an error, and a row too early. The org said how many there are.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_lacks_rows_is_read_again() {
    let org = org().await;
    let last = *org.ids("Custom__c").last().expect("rows");
    let include = json!(["Id", "Name"]);
    let mut config = org.config();
    config["advanced"]["bulk_threshold"] = json!(0);
    let resource = json!({ "stream": "Custom__c", "fields": { "include": include } });
    let mut task = Task::prepare_bindings(config, &[resource]).await;
    task.admits = |field| field == "Name" || is_always_there(field);
    let row = &org.truth("Custom__c")[last.as_str()];
    let cell = |field: &str| row[field].as_str().expect("a text").replace("+0000", "Z");
    let text = format!("\"{last}\",\"false\",\"{}\",\"{}\"\n", cell("Name"), cell("SystemModstamp"));
    let kind = Some("bulk_query_results".to_owned());
    let action = FaultAction::Respell { text, into: String::new(), latin1: false };
    org.emulator().add_fault(FaultRule { method: None, path: None, kind, nth: 1, count: Some(1), action });

    let mut running = task.open().await;
    running.agree(&org).await;
    assert_eq!(repeated(&running.captured), 0, "rows that were handed out are passed over");
    running.end().await;
    task.assert_faithful(&org);
    assert_eq!(org.emulator().org().calls()["bulk_query_results"], 2);
    org.shutdown().await;
}

/// A session is killed after every commit, with its job's results on many pages. Each of them is read on from where it was left.
#[tokio::test(flavor = "multi_thread")]
async fn killed_on_every_page_of_results_a_job_is_read_once() {
    let org = org_with(BulkSettings { largest_page: 8_000, ..BulkSettings::default() }).await;
    let mut task = task(&org).await;
    let (mut pages, mut begun, mut captured) = (Vec::new(), 0, Vec::new());
    loop {
        let mut running = task.open().await;
        let before = job(&running.task.capture).clone();
        running.until(|capture| *job(capture) != before).await;
        captured.append(&mut running.captured);
        let log = running.session.process().take_log().join("\n");
        begun += log.matches("reading on by Bulk API 2.0").count();
        let at = job(&running.task.capture)["page"].clone();
        if !at.is_null() && !pages.contains(&at) {
            pages.push(at);
        }
        let is_done = job(&running.task.capture).is_null();
        running.kill().await;
        if is_done {
            break;
        }
    }
    task.catch_up(&org).await;
    task.assert_faithful(&org);
    assert!(pages.len() >= 3, "{pages:?}");
    assert_eq!((begun, repeated(&captured)), (1, 0), "one job brings each row once");
    org.shutdown().await;
}

/// Somebody deletes a complete job, or aborts one that runs, after some of its rows are written: the next job begins behind them.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_deleted_behind_our_back_is_made_anew_behind_its_last_row() {
    let org = org_with(BulkSettings { largest_page: 8_000, ..BulkSettings::default() }).await;
    let mut task = task(&org).await;
    let mut running = task.open().await;
    running.until(|capture| job(capture)["page"].is_string()).await;
    let id = job(&running.task.capture)["job"].as_str().expect("a job").to_owned();
    let mut captured = std::mem::take(&mut running.captured);
    running.kill().await;
    assert!((1..ROWS as usize).contains(&captured.len()), "{}", captured.len());
    org.at_job(Method::DELETE, &id, None).await;

    let mut running = task.open().await;
    running.agree(&org).await;
    captured.append(&mut running.captured);
    let log = running.end().await.join("\n");
    task.assert_faithful(&org);
    assert_eq!(repeated(&captured), 0, "{log}");
    assert_eq!(log.matches("the next one reads fewer rows").count(), 1, "{log}");
    org.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_aborted_behind_our_back_is_made_anew() {
    let org = org().await;
    let mut task = task(&org).await;
    hold(&org, 3);
    let mut running = task.open().await;
    running.until(|capture| job(capture)["job"].is_string()).await;
    let id = job(&running.task.capture)["job"].as_str().expect("a job").to_owned();
    org.replied_until(|emulator| block_in_place(|| emulator.org().bulk_jobs()).iter().any(|job| job.held)).await;
    org.at_job(Method::PATCH, &id, Some(json!({ "state": "Aborted" }))).await;
    release(&org);
    running.agree(&org).await;
    let log = running.end().await.join("\n");
    task.assert_faithful(&org);
    assert_eq!(log.matches("the next one reads fewer rows").count(), 1, "{log}");
    org.shutdown().await;
}

/// Between two sessions the object gets a field, or loses one, or one gets another name, while a job of the old fields stands in the state.
#[tokio::test(flavor = "multi_thread")]
async fn fields_that_change_between_sessions_make_the_job_anew() {
    for made in [
        json!({ "add_field": { "object": "Custom__c", "field": "New__c", "definition": { "type": "string" } } }),
        json!({ "remove_field": { "object": "Custom__c", "field": "Text__c" } }),
        json!({ "rename_field": { "object": "Custom__c", "field": "Text__c", "to": "Words__c" } }),
    ] {
        let org = org().await;
        let definition = json!({ "type": "string", "length": 40 });
        change(&org, json!({ "add_field": { "object": "Custom__c", "field": "Text__c", "definition": definition } }));
        let mut task = task(&org).await;
        leave_a_job(&mut task, &org).await;
        release(&org);
        block_in_place(|| org.emulator().org().bulk_jobs());
        change(&org, made);
        let log = task.catch_up(&org).await.join("\n");
        task.assert_faithful(&org);
        assert_eq!(log.matches("the next one reads fewer rows").count(), 1, "{log}");
        org.shutdown().await;
    }
}

/// The object loses a field that the job is reading, or it gets another name: the job fails, the object is described anew, and the next job reads what there is.
#[tokio::test(flavor = "multi_thread")]
async fn fields_that_go_while_a_job_runs() {
    for made in [
        json!({ "remove_field": { "object": "Custom__c", "field": "Text__c" } }),
        json!({ "rename_field": { "object": "Custom__c", "field": "Text__c", "to": "Words__c" } }),
    ] {
        let org = org().await;
        let definition = json!({ "type": "string", "length": 40 });
        change(&org, json!({ "add_field": { "object": "Custom__c", "field": "Text__c", "definition": definition } }));
        let mut task = task(&org).await;
        hold(&org, 3);
        let mut running = task.open().await;
        running.until(|capture| job(capture)["job"].is_string()).await;
        org.replied_until(|emulator| block_in_place(|| emulator.org().bulk_jobs()).iter().any(|job| job.held)).await;
        change(&org, made);
        release(&org);
        running.agree(&org).await;
        let log = running.end().await.join("\n");
        task.assert_faithful(&org);
        assert!(
            log.contains("a Bulk job is given up") && log.contains("are gone, or hidden from the user: Text__c"),
            "{log}"
        );
        org.shutdown().await;
    }
}

/// The org's allocation of jobs is used up: at once, and in the middle.
#[tokio::test(flavor = "multi_thread")]
async fn without_jobs_left_there_are_pages() {
    for query_jobs in [0, 1] {
        let org = org_with(BulkSettings { query_jobs, ..BulkSettings::default() }).await;
        let mut task = task(&org).await;
        if query_jobs == 1 {
            org.emulator().org().stop_bulk(BulkStop {
                before_chunk: 2,
                object: None,
                job: None,
                fail: Some("InternalServerError : try again".to_owned()),
            });
        }
        let log = task.catch_up(&org).await.join("\n");
        task.assert_faithful(&org);
        assert_eq!(log.matches("no Bulk API 2.0 queries left for now").count(), 1, "{log}");
        assert_eq!(log.matches("reading on by Bulk API 2.0").count() as u64, query_jobs, "{log}");
        org.shutdown().await;
    }
}

/// More records are written beside a job than the state is to hold: the job is given up, and not left in the org.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_too_much_overtakes_is_given_up() {
    let org = Org::start(&[("Custom__c", 2_100)]).await;
    let mut task = task(&org).await;
    hold(&org, 1);
    let mut running = task.open().await;
    running.until(|capture| job(capture)["job"].is_string()).await;
    let ids = org.ids("Custom__c");
    let fields = json!({ "Name": "overtaken" });
    let update = || {
        let fields = fields.as_object().expect("fields");
        org.emulator().org().transaction(|work| ids.iter().try_for_each(|id| work.update("Custom__c", *id, fields)))
    };
    block_in_place(update).expect("the records can be updated");
    running.says("too much changed while it was under way").await;
    release(&org);
    running.agree(&org).await;
    running.until_live().await;
    org.replied_until(|emulator| block_in_place(|| emulator.org().bulk_jobs()).is_empty()).await;
    running.end().await;
    task.assert_faithful(&org);
    org.shutdown().await;
}

/// Fields of `Wide__c` of every type, but for those that Bulk does not carry.
const TYPED: [&str; 28] = [
    "Id",
    "Name",
    "Account__c",
    "Card__c",
    "Category__c",
    "Choice__c",
    "Choices__c",
    "Code__c",
    "Combo__c",
    "Count__c",
    "Date_000__c",
    "Flag_000__c",
    "Hour__c",
    "Huge__c",
    "Long_Text__c",
    "Mail__c",
    "Moment__c",
    "Note__c",
    "Number_000__c",
    "Phone__c",
    "Place__c",
    "Price__c",
    "Rich_Text__c",
    "Secret__c",
    "Share__c",
    "Site__c",
    "Strict__c",
    "Sum__c",
];

/// A field of every type, and compounds, by page, by job, by event and by fetch: the same documents, to the letter but for `_meta`.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_is_the_same_by_every_way() {
    let org = Org::start(&[("Account", 5), ("Wide__c", 40), ("Lead", 40)]).await;
    let wide = json!({ "stream": "Wide__c", "fields": { "include": TYPED } });
    // Its address is built of its parts.
    let lead = json!({ "stream": "Lead", "fields": { "include": ["Id", "Company", "Address", "AnnualRevenue", "ConvertedDate", "Latitude"] } });
    let config = |threshold: u64| {
        let mut config = org.config();
        config["advanced"]["bulk_threshold"] = json!(threshold);
        config
    };
    // What was selected is told by the org alone: a job brings no more than the columns that it was asked for.
    let mut told: Vec<(&str, BTreeMap<String, Value>)> = Vec::new();
    let rows = |task: &Task| -> BTreeMap<String, Value> {
        let both = (0..2).flat_map(|n| task.capture.collection(n).rows().iter());
        both.map(|(id, row)| {
            let mut row = row.clone();
            row.as_object_mut().expect("a document").remove("_meta");
            (id.clone(), row)
        })
        .collect()
    };

    let mut events = Task::prepare_bindings(config(1_000), &[wide.clone(), lead.clone()]).await;
    let mut running = events.open().await;
    running.until_live().await;
    let ids: Vec<(&str, Id)> =
        ["Wide__c", "Lead"].iter().flat_map(|of| org.ids(of).into_iter().map(|id| (*of, id))).collect();
    // Within the second of its beginning the session cannot tell what it knows, and would fetch.
    org.emulator().org().advance(Duration::from_secs(30)).expect("the clock moves");
    for (object, id) in &ids {
        let fields = if *object == "Lead" { json!({ "Company": "Announced" }) } else { json!({ "Name": "announced" }) };
        org.update(object, *id, fields);
    }
    let announced = |capture: &Capture| {
        let by_event = |id: &(&str, Id)| {
            let binding = usize::from(id.0 == "Lead");
            capture.collection(binding).rows()[id.1.as_str()]["_meta"]["source"].is_object()
        };
        ids.iter().all(by_event)
    };
    running.until(announced).await;
    running.end().await;
    told.push(("events", rows(&events)));
    for (way, threshold) in [("pages", 1_000), ("jobs", 0)] {
        let mut task = Task::prepare_bindings(config(threshold), &[wide.clone(), lead.clone()]).await;
        let mut running = task.open().await;
        running.until_live().await;
        let log = running.end().await.join("\n");
        let jobs = log.matches("reading on by Bulk API 2.0").count();
        assert_eq!(jobs, if way == "jobs" { 2 } else { 0 }, "{log}");
        told.push((way, rows(&task)));
    }
    let (_, by_event) = &told[0];
    assert_eq!(by_event.len(), 80);
    let is_filled = |field: &&str| by_event.values().any(|row| row.get(*field).is_some_and(|value| !value.is_null()));
    let empty: Vec<_> = TYPED.iter().filter(|field| !is_filled(field)).collect();
    assert_eq!(empty, [&""; 0], "the org's rows have values of these types");
    for (way, rows) in &told[1..] {
        for (id, row) in rows {
            assert_eq!(row, &by_event[id], "{id} by {way}");
        }
        assert_eq!(rows.len(), by_event.len());
    }
    org.shutdown().await;
}

/// The fields that every document has.
fn is_always_there(name: &str) -> bool {
    ["Id", "IsDeleted", "SystemModstamp"].contains(&name)
}

/// A file, and a value whose type a cell does not tell: each makes an object's history come by pages, and the log says why.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_cell_cannot_hold_is_read_by_pages() {
    for field in ["Attachment__c", "Any__c"] {
        let org = Org::start_with(1, &[("Wide__c", 30)], Settings { query_page: 20, ..Settings::default() }).await;
        let mut config = org.config();
        config["advanced"]["bulk_threshold"] = json!(10);
        let resource = json!({ "stream": "Wide__c", "fields": { "include": ["Id", field] } });
        let mut task = Task::prepare_bindings(config, &[resource]).await;
        task.admits = match field {
            "Any__c" => |name| name == "Any__c" || is_always_there(name),
            _ => |name| name == "Attachment__c" || is_always_there(name),
        };
        let log = task.catch_up(&org).await;
        task.assert_faithful(&org);
        let says =
            |line: &&String| line.contains("Bulk API 2.0 does not carry a selected field") && line.contains(field);
        assert_eq!(log.iter().filter(says).count(), 1, "{log:#?}");
        org.shutdown().await;
    }
}
