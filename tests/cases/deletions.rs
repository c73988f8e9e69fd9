//! Deleted records can be kept: their rows stay in the collection, say that they are deleted, and hold what was known last.

use std::{collections::BTreeMap, time::Duration};

use demo::verdict::Difference;
use salesforce_emulator::{FaultAction, FaultRule, org::Id};
use serde_json::{Value, json};
use tokio::task::block_in_place;

use super::{
    org::Org,
    task::{Running, Task},
    validator::assert_valid,
};

/// A streamed object whose events carry whole rows, one whose rows are fetched, and one that is polled.
const STREAMS: [&str; 3] = ["Account", "Wide__c", "Custom__c"];

async fn prepare(org: &Org) -> Task {
    let mut config = org.config();
    config["advanced"]["sweep_interval"] = json!("PT1S");
    let resources = [
        json!({ "stream": "Account", "deletions": "keep" }),
        json!({ "stream": "Wide__c", "deletions": "keep" }),
        json!({ "stream": "Custom__c", "deletions": "keep", "mode": "poll", "interval": "PT1S" }),
    ];
    Task::prepare_bindings(config, &resources).await
}

/// The org's rows, with those in the recycle bin.
fn truth(org: &Org, object: &str) -> BTreeMap<String, Value> {
    let json = block_in_place(|| org.emulator().org().records(object, true)).expect("the object exists");
    let rows: Vec<Value> = serde_json::from_slice(&json).expect("records are JSON");
    rows.into_iter().map(|row| (row["Id"].as_str().expect("an id").to_owned(), row)).collect()
}

/// How the collections differ from the org and its recycle bin.
fn differences(task: &Task, org: &Org) -> Vec<String> {
    let bindings = task.capture.bindings().iter().enumerate();
    let of = |(n, stream): (usize, &str)| {
        Difference::between(stream, task.capture.collection(n).rows(), &truth(org, stream))
    };
    let all = bindings.map(|(n, binding)| of((n, binding.stream())));
    all.filter(|difference| !difference.is_empty()).map(|difference| difference.to_string()).collect()
}

/// Takes groups until the collections hold what the org and its recycle bin hold.
async fn agree(running: &mut Running<'_>, org: &Org) {
    let bindings = running.task.capture.bindings().iter();
    let truths: Vec<_> = bindings.map(|binding| truth(org, binding.stream())).collect();
    running
        .until(|capture| {
            let same = |(n, truth): (usize, &BTreeMap<String, Value>)| {
                Difference::between("", capture.collection(n).rows(), truth).is_empty()
            };
            truths.iter().enumerate().all(same)
        })
        .await;
}

/// The first ids of each object.
fn some(org: &Org, count: usize) -> Vec<(&'static str, Vec<Id>)> {
    STREAMS.map(|stream| (stream, org.ids(stream).into_iter().take(count).collect())).into()
}

fn delete(org: &Org, records: &[(&'static str, Vec<Id>)]) {
    records.iter().for_each(|(object, ids)| ids.iter().for_each(|id| org.delete(object, *id)));
}

fn row<'a>(task: &'a Task, stream: &str, id: Id) -> &'a Value {
    let mut bindings = task.capture.bindings().iter();
    let binding = bindings.position(|binding| binding.stream() == stream).expect("a stream");
    &task.capture.collection(binding).rows()[id.as_str()]
}

/// Announced, found by polls, and after a stop: each deletion leaves the row with its values. What is restored is a row as any other.
#[tokio::test(flavor = "multi_thread")]
async fn deleted_rows_stay_with_their_last_values() {
    let org = Org::start(&STREAMS.map(|stream| (stream, 12))).await;
    let mut task = prepare(&org).await;
    let mut running = task.open().await;
    agree(&mut running, &org).await;

    let deleted = some(&org, 4);
    for (object, ids) in &deleted {
        // The values of the moment of deletion, not those captured before.
        ids.iter().for_each(|id| org.update(object, *id, json!({ "Name": "soon gone" })));
    }
    delete(&org, &deleted);
    agree(&mut running, &org).await;
    let schemas: Vec<Value> =
        (0..STREAMS.len()).map(|n| running.task.capture.sourced_schema(n).expect("a schema").clone()).collect();
    let captured = std::mem::take(&mut running.captured);
    running.end().await;
    for (n, binding) in task.capture.bindings().iter().enumerate() {
        let documents: Vec<_> = captured.iter().filter(|it| it.binding == n).map(|it| &it.document).collect();
        for schema in [&schemas[n], &binding.document_schema] {
            assert_valid(schema, documents.iter().copied());
        }
    }
    for (object, ids) in &deleted {
        for id in ids {
            let row = row(&task, object, *id);
            assert_eq!(row["_meta"], json!({ "op": "u", "deleted": true }), "{object} {row}");
            assert_eq!((&row["IsDeleted"], &row["Name"]), (&json!(true), &json!("soon gone")), "{object}");
        }
    }

    // While no session runs, more are deleted, and one of each is restored.
    let more = some(&org, 2);
    delete(&org, &more);
    for (object, ids) in &deleted {
        block_in_place(|| org.emulator().org().undelete(object, ids[0])).expect("it can be restored");
    }
    let mut running = task.open().await;
    agree(&mut running, &org).await;
    running.end().await;
    assert_eq!(differences(&task, &org), Vec::<String>::new());
    for (object, ids) in &deleted {
        let row = row(&task, object, ids[0]);
        assert!(row["_meta"].get("deleted").is_none() && row["IsDeleted"] == false, "{object} {row}");
    }
    assert_eq!(task.capture.regressions(), []);
    org.shutdown().await;
}

/// Of a record that is purged before its deletion is read, the org tells no more than the id: what was captured of it stands.
#[tokio::test(flavor = "multi_thread")]
async fn a_purge_wipes_nothing() {
    let org = Org::start(&STREAMS.map(|stream| (stream, 6))).await;
    let mut task = prepare(&org).await;
    let mut running = task.open().await;
    agree(&mut running, &org).await;
    running.end().await;
    let streamed = &some(&org, 2)[..2];
    let ids = || streamed.iter().flat_map(|(stream, ids)| ids.iter().map(move |id| (*stream, *id)));
    let before: Vec<Value> = ids().map(|(stream, id)| row(&task, stream, id).clone()).collect();

    delete(&org, streamed);
    for (stream, id) in ids() {
        block_in_place(|| org.emulator().org().purge(stream, id)).expect("it is in the bin");
    }
    let mut running = task.open().await;
    running
        .until(|capture| {
            let is_gone = |(n, (_, ids)): (usize, &(&str, Vec<Id>))| {
                ids.iter().all(|id| capture.collection(n).rows()[id.as_str()]["IsDeleted"] == true)
            };
            streamed.iter().enumerate().all(is_gone)
        })
        .await;
    running.end().await;
    for ((stream, id), mut expected) in ids().zip(before) {
        expected["_meta"] = json!({ "op": "u", "deleted": true, "partial": true });
        expected["IsDeleted"] = json!(true);
        assert_eq!(row(&task, stream, id), &expected, "{stream}");
    }
    org.shutdown().await;
}

/// An org with an account whose contacts are deleted in silence when it is, and a task that keeps what is deleted of both. `by_jobs`:
/// all that is read comes by Bulk jobs.
async fn family(by_jobs: bool) -> (Org, Task, Id) {
    let org = Org::start(&[("Account", 8), ("Contact", 12)]).await;
    let parent = org.create("Account", json!({ "Name": "Parent" }));
    org.create_many("Contact", &json!({ "LastName": "Child", "AccountId": parent.to_string() }), 10);
    let mut config = org.config();
    config["advanced"]["sweep_interval"] = json!("PT1S");
    if by_jobs {
        config["advanced"]["bulk_threshold"] = json!(0);
    }
    let resources = ["Account", "Contact"].map(|stream| json!({ "stream": stream, "deletions": "keep" }));
    let task = Task::prepare_bindings(config, &resources).await;
    (org, task, parent)
}

/// What nothing announces: children that go with their parent and come back with it, losers of a merge, records that a Bulk job
/// deletes. Each is found by a sweep, and stays with its values and says that it is deleted, or that it is not.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_in_silence_stays_too() {
    for by_jobs in [false, true] {
        let (org, mut task, parent) = family(by_jobs).await;
        let known = org.emulator().org().clone();
        let mut running = task.open().await;
        agree(&mut running, &org).await;
        // Within the second of its beginning the session cannot tell what it knows.
        known.advance(Duration::from_secs(5)).expect("the clock moves");

        org.delete("Account", parent);
        agree(&mut running, &org).await;
        let accounts = org.ids("Account");
        let fields = json!({ "Name": "Master" });
        let merged = || known.merge("Account", accounts[0], &accounts[1..3], fields.as_object().expect("fields"));
        block_in_place(merged).expect("they can be merged");
        let gone = org.ids("Contact").into_iter().take(3).map(|id| format!("{id}\n")).collect::<String>();
        org.load("delete", "Contact", &format!("Id\n{gone}")).await;
        agree(&mut running, &org).await;
        block_in_place(|| known.undelete("Account", parent)).expect("it can be restored");
        agree(&mut running, &org).await;
        running.end().await;

        assert_eq!(differences(&task, &org), Vec::<String>::new());
        assert_eq!(task.capture.regressions(), []);
        let flagged = |n: usize| {
            let rows = task.capture.collection(n).rows().values();
            rows.filter(|row| row["_meta"]["deleted"] == true).inspect(|row| assert_eq!(row["IsDeleted"], true)).count()
        };
        assert_eq!([flagged(0), flagged(1)], [2, 3], "by jobs: {by_jobs}");
        org.shutdown().await;
    }
}

/// A record goes in silence, and for good before any sweep comes by it. The org's list of deletions names it, and its row says so.
#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_list_of_deletions_names_stays_too() {
    let org = Org::start(&[("Contact", 12)]).await;
    let known = org.emulator().org().clone();
    let resource = json!({ "stream": "Contact", "deletions": "keep" });
    let mut task = Task::prepare_bindings(org.config(), &[resource]).await;
    let mut running = task.open().await;
    agree(&mut running, &org).await;
    running.end().await;

    let id = org.ids("Contact")[0];
    let mut expected = row(&task, "Contact", id).clone();
    org.load("delete", "Contact", &format!("Id\n{id}\n")).await;
    block_in_place(|| known.purge("Contact", id)).expect("it is in the bin");
    // The emulated org forgets what is purged by hand; Salesforce's list names what its own cleaning has purged.
    let deleted = known.now().to_string();
    known.advance(Duration::from_secs(2 * 3_600)).expect("the clock moves");
    let body = json!({
        "deletedRecords": [{ "id": id.as_str(), "deletedDate": deleted }],
        "earliestDateAvailable": "2020-01-01T00:00:00.000+0000",
        "latestDateCovered": known.now().to_string(),
    });
    let (kind, action) = (Some("deleted".to_owned()), FaultAction::Reply { status: 200, body: Some(body) });
    org.emulator().add_fault(FaultRule { method: None, path: None, kind, nth: 1, count: Some(1), action });
    let mut running = task.open().await;
    running.until(|capture| capture.collection(0).rows()[id.as_str()]["IsDeleted"] == true).await;
    running.end().await;
    expected["_meta"] = json!({ "op": "u", "deleted": true, "partial": true });
    expected["IsDeleted"] = json!(true);
    assert_eq!(row(&task, "Contact", id), &expected);
    org.shutdown().await;
}
