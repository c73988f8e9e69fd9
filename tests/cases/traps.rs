//! The traps of a complete capture, with the test that shows how each is got round; `merge.rs` of the connector does the same with its
//! machines, in random order.
//!
//! | trap | shown by |
//! |---|---|
//! | equal modstamps decide nothing; a Bulk result is no snapshot | `sweeps::two_thousand_rows_of_one_second_arrive`, `backfill::what_is_written_while_a_job_runs_outlives_a_kill` |
//! | no replay id before the first event | [`a_restart_before_the_first_event_misses_nothing`] |
//! | a replay id belongs to a topic's life | `healing::a_topic_replaced_by_its_likeness_is_noticed`, `healing::a_topic_deleted_under_a_session_is_made_anew_by_it` |
//! | events in reverse, twice, several for one change | `healing` ("events come twice"), `kills` and `trouble`, whose workloads write records twice in a transaction |
//! | what a fetch answers | [`a_fetched_row_may_be_newer_than_its_event`], [`what_is_gone_when_it_is_fetched_is_deleted`], [`what_is_hidden_when_it_is_fetched_is_deleted`], [`what_a_fetch_does_not_find_yet_is_asked_for_again`] |
//! | rows are visible late; time is the org's | `sweeps::what_becomes_visible_late_and_in_silence_is_found`, `bindings::a_poll_finds_a_row_that_becomes_visible_late` |
//! | merges, cascades, archives, users | `sweeps::merges_and_conversions_are_followed`, `sweeps::children_deleted_with_their_parent_are_found`, [`an_archived_task_is_captured`], [`a_user_is_deactivated_and_never_deleted`] |
//! | rows leave the user's sight | [`a_row_out_of_sight_stays_as_it_was_last_seen`] |
//! | a field goes between describe and query | [`a_field_that_goes_while_history_is_read`], `administration`, `jobs::fields_that_go_while_a_job_runs` |
//! | two instances at once | [`an_old_instance_does_not_disturb_a_new_one`] |

use std::{collections::BTreeSet, time::Duration};

use salesforce_emulator::{
    FaultAction, FaultRule, Settings,
    org::{Id, SchemaChange},
};
use serde_json::{Value, json};
use tokio::task::block_in_place;

use super::{org::Org, program, task::Task};

/// Streamed objects. Those that are fetched are too wide for events: `Wide__c`.
const STREAMS: [&str; 2] = ["Account", "Custom__c"];

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The documents of the records of these ids, in order: operation and whether an event brought them.
fn documents(captured: &[demo::runtime::Captured], id: Id) -> Vec<(String, bool)> {
    let of_it = captured.iter().map(|captured| &captured.document).filter(|document| document["Id"] == id.as_str());
    let meta = |document: &Value| {
        let meta = &document["_meta"];
        (meta["op"].as_str().unwrap_or_default().to_owned(), meta["source"].is_object())
    };
    of_it.map(meta).collect()
}

/// A stream has announced nothing yet when its session dies. The next one must not begin at the tip.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_before_the_first_event_misses_nothing() {
    let org = Org::start(&STREAMS.map(|stream| (stream, 20))).await;
    let mut task = Task::prepare(&org, &STREAMS).await;
    let mut running = task.open().await;
    running.until_live().await;
    running.agree(&org).await;
    running.kill().await;
    for binding in task.capture.bindings() {
        let position = &task.capture.state()["bindingStateV1"][binding.state_key()];
        assert!(position["replay"].is_null() && position["live"].is_string(), "{position}");
    }

    // Of what happens within seconds of the last read nobody can tell whether it was read.
    org.emulator().org().advance(Duration::from_secs(30)).expect("the clock moves");
    let ids = org.ids("Custom__c");
    org.update("Custom__c", ids[0], json!({ "Name": "changed meanwhile" }));
    org.delete("Custom__c", ids[1]);
    org.delete("Account", org.ids("Account")[0]);
    let new = org.create("Custom__c", json!({ "Name": "made meanwhile" }));
    let mut running = task.open().await;
    running.agree(&org).await;
    assert_eq!(documents(&running.captured, new), [("c".to_owned(), true)], "an event brought it");
    let log = running.end().await.join("\n");
    assert_eq!(log.matches("subscribed from the earliest event kept").count(), STREAMS.len(), "{log}");
    task.assert_faithful(&org);
    org.shutdown().await;
}

/// A record changes several times in a moment: a fetch for one change may see a later one, and no document goes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_fetched_row_may_be_newer_than_its_event() {
    let org = Org::start(&[("Wide__c", 5)]).await;
    let mut task = Task::prepare(&org, &["Wide__c"]).await;
    let mut running = task.open().await;
    running.until_live().await;
    running.agree(&org).await;
    let id = org.ids("Wide__c")[0];
    for n in 0..5 {
        org.update("Wide__c", id, json!({ "Name": format!("name {n}") }));
    }
    running.agree(&org).await;
    org.update("Wide__c", id, json!({ "Name": "the last name" }));
    running.agree(&org).await;
    running.end().await;
    task.assert_faithful(&org);
    org.shutdown().await;
}

/// A change was announced, and the record is deleted and purged before anybody can fetch it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_when_it_is_fetched_is_deleted() {
    let org = Org::start(&[("Wide__c", 5)]).await;
    let mut task = a_task_at_rest(org.config(), &["Wide__c"]).await;
    let ids = org.ids("Wide__c");
    let new = org.create("Wide__c", json!({ "Name": "new and gone" }));
    for id in [ids[0], new] {
        org.update("Wide__c", id, json!({ "Name": "changed" }));
        org.delete("Wide__c", id);
        block_in_place(|| org.emulator().org().purge("Wide__c", id)).expect("it is in the bin");
    }
    let mut running = task.open().await;
    running.agree(&org).await;
    assert_eq!(documents(&running.captured, ids[0]), [("d".to_owned(), false)]);
    running.end().await;
    task.assert_faithful(&org);
    org.shutdown().await;
}

/// An event is seldom faster than its record. One that is not found at first is asked for again, by a query that knows deleted ones.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_fetch_does_not_find_yet_is_asked_for_again() {
    let org = Org::start(&[("Wide__c", 5)]).await;
    let mut task = Task::prepare(&org, &["Wide__c"]).await;
    let mut running = task.open().await;
    running.until_live().await;
    running.agree(&org).await;
    for (kind, body) in
        [("retrieve", json!([null])), ("query_all", json!({ "totalSize": 0, "done": true, "records": [] }))]
    {
        let action = FaultAction::Reply { status: 200, body: Some(body) };
        let kind = Some(kind.to_owned());
        org.emulator().add_fault(FaultRule { method: None, path: None, kind, nth: 1, count: Some(1), action });
    }
    let id = org.create("Wide__c", json!({ "Name": "not there yet" }));
    running.agree(&org).await;
    assert_eq!(documents(&running.captured, id), [("c".to_owned(), false)], "it never was deleted");
    running.end().await;
    assert_eq!(org.emulator().faults(), [], "it was not found twice");
    task.assert_faithful(&org);
    org.shutdown().await;
}

/// A user who sees no records but their own.
async fn ben(org: &Org) -> (Id, Value) {
    let client = reqwest::Client::builder().no_proxy().build().expect("a client");
    let administer = async |what: &str, body: Value| -> Value {
        let request = client.post(format!("{}/__emulator/{what}", org.emulator().url()));
        let reply = request.header("content-type", "application/json").body(body.to_string()).send().await;
        let reply = reply.expect("the org answers").bytes().await.expect("a whole reply");
        serde_json::from_slice(&reply).unwrap_or_else(|_| panic!("{what}: {reply:?}"))
    };
    let all = json!(["read", "create", "edit", "delete"]);
    let rights = json!({
        "name": "Integration", "profile": true, "permissions": ["api_enabled"],
        "objects": { "Account": all, "Custom__c": all, "PushTopic": all, "User": ["read"] },
        "fields": { "*": ["read", "edit"] },
    });
    administer("permission_sets", rights).await;
    let told = administer("users", json!({ "username": "ben@example.com", "profile": "Integration" })).await;
    administer("sharing", json!({ "Account": "private", "Custom__c": "private" })).await;
    let mut config = org.config();
    config["credentials"]["refresh_token"] = told["refresh_token"].clone();
    assert!(config["credentials"]["refresh_token"].is_string(), "{told}");
    let id = org.emulator().org().user_named("ben@example.com").expect("he is there");
    (id, config)
}

/// A task that has captured the org and some changes of it, and does not run now.
async fn a_task_at_rest(config: Value, streams: &[&str]) -> Task {
    let mut task = Task::prepare_as("acmeCo/salesforce", config, streams).await;
    let mut running = task.open().await;
    running.until_live().await;
    running.end().await;
    task
}

/// A record was announced while its user could see it. When it is fetched it is hidden, which to that user is as good as deleted.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_hidden_when_it_is_fetched_is_deleted() {
    let org = Org::start(&[]).await;
    let (ben, config) = ben(&org).await;
    let id = org.create("Account", json!({ "Name": "his", "OwnerId": ben.as_str() }));
    let mut task = a_task_at_rest(config, &["Account"]).await;
    assert_eq!(task.capture.collection(0).rows().len(), 1);
    org.update("Account", id, json!({ "Name": "still his" }));
    org.update("Account", id, json!({ "OwnerId": org.emulator().org().user_id().as_str() }));
    let mut running = task.open().await;
    running.until(|capture| capture.collection(0).rows().is_empty()).await;
    assert_eq!(documents(&running.captured, id), [("d".to_owned(), false)]);
    running.end().await;
    org.shutdown().await;
}

/// Nobody tells a user that a record is not theirs to see any more: it stays in the collection as it was seen last, and is captured again when they see it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_out_of_sight_stays_as_it_was_last_seen() {
    let org = Org::start(&[]).await;
    let (ben, mut config) = ben(&org).await;
    config["advanced"]["sweep_interval"] = json!("PT1S");
    let id = org.create("Custom__c", json!({ "Name": "his", "OwnerId": ben.as_str() }));
    let other = org.create("Custom__c", json!({ "Name": "his too", "OwnerId": ben.as_str() }));
    let mut task = a_task_at_rest(config, &["Custom__c"]).await;
    let name = |capture: &demo::runtime::Capture, id: Id| {
        capture.collection(0).rows().get(id.as_str()).map(|row| row["Name"].as_str().unwrap_or_default().to_owned())
    };
    let mut running = task.open().await;
    org.update("Custom__c", id, json!({ "OwnerId": org.emulator().org().user_id().as_str() }));
    org.update("Custom__c", id, json!({ "Name": "hers" }));
    org.update("Custom__c", other, json!({ "Name": "still his" }));
    running.until(|capture| name(capture, other).as_deref() == Some("still his")).await;
    assert_eq!(name(&running.task.capture, id).as_deref(), Some("his"));

    org.update("Custom__c", id, json!({ "OwnerId": ben.as_str() }));
    running.until(|capture| name(capture, id).as_deref() == Some("hers")).await;
    running.end().await;
    assert_eq!(task.capture.regressions(), []);
    org.shutdown().await;
}

/// A year after it was closed a task is in no ordinary query: its history is read with deleted rows, which are left out.
#[tokio::test(flavor = "multi_thread")]
async fn an_archived_task_is_captured() {
    let org = Org::start(&[]).await;
    let task_of =
        |n: usize, status: &str| json!({ "Subject": format!("task {n}"), "Status": status, "Priority": "Normal" });
    for n in 0..6 {
        org.create("Task", task_of(n, if n < 4 { "Completed" } else { "Not Started" }));
    }
    org.delete("Task", org.ids("Task")[5]);
    org.emulator().org().advance(400 * DAY).expect("the clock moves");
    org.create("Task", task_of(6, "Completed"));
    let archived = |org: &Org| org.truth("Task").values().filter(|row| row["IsArchived"] == true).count();
    assert_eq!(archived(&org), 4);
    for threshold in [1_000, 0] {
        let mut config = org.config();
        config["advanced"]["bulk_threshold"] = json!(threshold);
        let mut task = Task::prepare_as("acmeCo/salesforce", config, &["Task"]).await;
        task.catch_up(&org).await;
        task.assert_faithful(&org);
        assert_eq!(task.capture.collection(0).rows().len(), 6);
        assert_eq!(task.capture.documents(), 6, "one for each, and none for what is deleted");
    }

    // What is archived while a capture knows of it stays.
    let mut task = a_task_at_rest(org.config(), &["Task"]).await;
    org.emulator().org().advance(400 * DAY).expect("the clock moves");
    assert_eq!(archived(&org), 5);
    let new = org.create("Task", task_of(7, "Not Started")).to_string();
    let mut running = task.open().await;
    running.until(|capture| capture.collection(0).rows().contains_key(&new)).await;
    running.end().await;
    let known: BTreeSet<&String> = task.capture.collection(0).rows().keys().collect();
    assert_eq!(known, org.truth("Task").keys().collect());
    org.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_deactivated_and_never_deleted() {
    let org = Org::start(&[]).await;
    let no_fields = serde_json::Map::new();
    let leaver = block_in_place(|| org.emulator().org().add_user("leaver@example.com", "Standard User", &no_fields));
    let leaver = leaver.expect("a user").id;
    let resource = json!({ "stream": "User", "interval": "PT1S" });
    let mut task = Task::prepare_bindings(org.config(), &[resource]).await;
    let mut running = task.open().await;
    running.agree(&org).await;
    assert!(
        block_in_place(|| org.emulator().org().delete("User", leaver)).is_err(),
        "Salesforce does not delete users"
    );
    // A record that is changed in the very second of its creation still reads as a new one.
    org.emulator().org().advance(Duration::from_secs(2)).expect("the clock moves");
    org.update("User", leaver, json!({ "IsActive": false }));
    running.agree(&org).await;
    let last = documents(&running.captured, leaver).pop();
    running.end().await;
    assert_eq!(last, Some(("u".to_owned(), false)));
    assert_eq!(task.capture.collection(0).rows()[leaver.as_str()]["IsActive"], false);
    task.assert_faithful(&org);
    org.shutdown().await;
}

/// The object was described, a page of it is written, and the next one is refused, as one of its fields is gone, or has another name.
#[tokio::test(flavor = "multi_thread")]
async fn a_field_that_goes_while_history_is_read() {
    for change in [
        json!({ "remove_field": { "object": "Custom__c", "field": "Text__c" } }),
        json!({ "rename_field": { "object": "Custom__c", "field": "Text__c", "to": "Words__c" } }),
    ] {
        let org = Org::start_with(1, &[], Settings { query_page: 20, ..Settings::default() }).await;
        let make = |change: Value| {
            let change: SchemaChange = serde_json::from_value(change).expect("a change");
            block_in_place(|| org.emulator().org().change_schema([change])).expect("Salesforce offers this change");
        };
        let definition = json!({ "type": "string", "length": 40 });
        make(json!({ "add_field": { "object": "Custom__c", "field": "Text__c", "definition": definition } }));
        org.create_many("Custom__c", &json!({ "Name": "one of many", "Text__c": "words" }), 200);
        let mut task = Task::prepare(&org, &["Custom__c"]).await;
        // Ten pages, and most of them are still to come when the field goes.
        let action = FaultAction::Delay { ms: 150 };
        let kind = Some("query".to_owned());
        org.emulator().add_fault(FaultRule { method: None, path: None, kind, nth: 1, count: None, action });
        let mut running = task.open().await;
        running.until(|capture| capture.collection(0).rows().len() >= 20).await;
        make(change);
        // Rows that were written before the change are as they were then; a change of each makes them as they are now.
        for id in org.ids("Custom__c") {
            org.update("Custom__c", id, json!({ "Name": "changed since" }));
        }
        running.agree(&org).await;
        let log = running.end().await.join("\n");
        assert!(
            log.contains("describing the object anew") && log.contains("are gone, or hidden from the user: Text__c"),
            "{log}"
        );
        task.assert_faithful(&org);
        org.shutdown().await;
    }
}

/// For a moment the old instance of a task runs beside the new one: topics and jobs are in both their hands, and only what the new one
/// writes is kept.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_instance_does_not_disturb_a_new_one() {
    let org = Org::start(&STREAMS.map(|stream| (stream, 300))).await;
    let mut config = org.config();
    config["advanced"]["bulk_threshold"] = json!(0);
    let mut task = Task::prepare_as("acmeCo/salesforce", config, &STREAMS).await;
    let mut old = task.capture.open(&program::connector()).await.expect("a session opens");
    let mut running = task.open().await;
    running.until_live().await;
    // What the old one has said until now is kept by nobody.
    while let Ok(Some(_)) = tokio::time::timeout(Duration::ZERO, old.group()).await.unwrap_or(Ok(None)) {}
    org.change(&STREAMS, 60, 1).await;
    running.agree(&org).await;
    old.kill().await.expect("it can be killed");
    org.change(&STREAMS, 60, 2).await;
    running.agree(&org).await;
    running.end().await;
    task.assert_faithful(&org);
    org.shutdown().await;
}
