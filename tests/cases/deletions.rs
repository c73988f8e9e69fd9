//! Deleted records can be kept: their rows stay in the collection, say that they are deleted, and hold what was known last.

use std::collections::BTreeMap;

use demo::verdict::Difference;
use salesforce_emulator::org::Id;
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
    let streams = STREAMS.iter().enumerate();
    let of = |(n, stream): (usize, &&str)| {
        Difference::between(stream, task.capture.collection(n).rows(), &truth(org, stream))
    };
    streams.map(of).filter(|difference| !difference.is_empty()).map(|difference| difference.to_string()).collect()
}

/// Takes groups until the collections hold what the org and its recycle bin hold.
async fn agree(running: &mut Running<'_>, org: &Org) {
    let truths = STREAMS.map(|stream| truth(org, stream));
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
    let binding = STREAMS.iter().position(|known| *known == stream).expect("a stream");
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
