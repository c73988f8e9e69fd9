//! From one org to another: what `source-salesforce` captures from the first, `materialize-salesforce` writes to the second.

use demo::{
    Error,
    copies::Copies,
    runtime::{Delivery, Target, Transaction},
};
use salesforce_emulator::{Mix, Settings};
use serde_json::json;
use tokio::task::block_in_place;

use super::desk::{Desk, MATCH, make_matchable};
use crate::{org::Org, program, task::Task};

const OBJECTS: [&str; 3] = ["Account", "Contact", "Lead"];

/// Creates, updates, deletes, undeletes and nulls arrive; Ids differ, an external id matches; references to parents lead to their copies, and owners
/// are mapped.
#[tokio::test(flavor = "multi_thread")]
async fn two_orgs_agree() {
    let first = Org::start(&OBJECTS.map(|object| (object, 60))).await;
    let second = Org::start_with(2, &[], Settings::default()).await;
    make_matchable(&second, &OBJECTS);
    let owner = second.truth("User").into_keys().next().expect("a user");
    let mut capture = Task::prepare(&first, &OBJECTS).await;
    let mut targets = Vec::new();
    for object in OBJECTS {
        let schema = program::schema(&first.config(), object).await;
        // What comes back is the record that it was, or a new one: the orgs agree either way.
        let restores = object != "Account";
        let resource =
            json!({ "object": object, "match_field": MATCH, "deletions": "delete", "restore_deleted": restores });
        let mut target = Target::captured(resource, &format!("acmeCo/{object}"), &schema);
        target.require.insert("OwnerId".into(), json!({ "otherwise": owner }));
        targets.push(target);
    }
    let mut desk = Desk::prepare(&second, targets).await;
    let mut delivery = desk.open().await;

    // History, then two rounds of changes of every kind; each round is captured and written as some transactions.
    for round in 0..3 {
        if round > 0 {
            first.change_by(Mix::default(), &OBJECTS, 150, round).await;
            clear(&first, round as usize);
        }
        delivery = carry(&first, &mut capture, &mut desk, delivery).await;
        assert_same(&first, &second, &desk, &owner);
    }

    // Deleted and undeleted there, deleted and the same record again here.
    let lead = first.ids("Lead")[0];
    let copy = |org: &Org| org.truth("Lead").into_iter().find(|(_, row)| row[MATCH] == lead.as_str()).map(|(id, _)| id);
    let before = copy(&second);
    assert!(before.is_some());
    first.delete("Lead", lead);
    delivery = carry(&first, &mut capture, &mut desk, delivery).await;
    assert_eq!(copy(&second), None);
    block_in_place(|| first.emulator().org().undelete("Lead", lead)).expect("it is in the recycle bin");
    delivery = carry(&first, &mut capture, &mut desk, delivery).await;
    assert_eq!(copy(&second), before);
    assert_same(&first, &second, &desk, &owner);
    assert_eq!(delivery.close().await.expect("it ends").code, Some(0));
    first.shutdown().await;
    second.shutdown().await;
}

/// Captures what has changed, and writes it as some transactions.
async fn carry(first: &Org, capture: &mut Task, desk: &mut Desk, mut delivery: Delivery) -> Delivery {
    let mut running = capture.open().await;
    running.agree(first).await;
    let captured = std::mem::take(&mut running.captured);
    running.end().await;
    let mut transaction = Transaction::default();
    for documents in captured.chunks(70) {
        for captured in documents {
            transaction.add(desk.task.targets(), captured.binding, captured.document.clone());
        }
        match desk.commit(&mut delivery, &transaction).await {
            Ok(()) => transaction = Transaction::default(),
            // A child came before its parent. The runtime starts the task again, with what has come since.
            Err(Error::Ended { exit, .. }) => {
                let why = exit.last_message().expect("last words");
                assert!(why.contains("higher priority"), "{why}");
                delivery = desk.open().await;
            }
            Err(error) => panic!("{error}"),
        }
    }
    if !transaction.is_empty() {
        desk.commit(&mut delivery, &transaction).await.expect("all parents have come");
    }
    delivery
}

/// Nulls that were values before; each round clears others.
fn clear(org: &Org, round: usize) {
    for id in org.ids("Account").into_iter().skip(round * 15).take(15) {
        org.update("Account", id, json!({ "Phone": null, "Website": null }));
    }
}

/// Every record has its copy, and each field that is written is the same in both.
fn assert_same(first: &Org, second: &Org, desk: &Desk, owner: &str) {
    let found = OBJECTS.map(|object| second.truth(object));
    let copies = Copies::among(MATCH, found.iter().flatten());
    for ((target, object), found) in desk.task.targets().iter().zip(OBJECTS).zip(&found) {
        let (owners, fields): (Vec<_>, Vec<_>) =
            target.validated.values.iter().map(String::as_str).partition(|field| *field == "OwnerId");
        let difference = copies.difference(object, &fields, &first.truth(object), found);
        assert!(difference.is_empty(), "{difference}");
        assert!(fields.len() > 10 && owners.len() == 1, "{object}: {fields:?}");
        assert!(found.values().all(|copy| copy["OwnerId"] == owner), "{object}");
    }
}
