//! Records that come back from the recycle bin.

use salesforce_emulator::{FaultAction, org::Id};
use salesforce_sink::{Complaint, Deleted, MatchBy, Operation::*, Options, Route, Target};
use serde_json::json;

use crate::world::{World, hurried};

fn restoring(target: Target) -> Target {
    Target { deleted: Deleted::Restore, ..target }
}

/// By every route and way of naming a record: what lies in the recycle bin is the same record again, with what it had; without the policy an
/// upsert makes a new one and an update finds none.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_is_the_same_record() {
    for route in [Route::Single, Route::Collections, Route::Bulk] {
        let options = || Options { route, ..hurried() };
        for (operation, by_id) in [(Upsert, false), (Update, false), (Update, true)] {
            let world = World::start().await;
            let target = || if by_id { World::things_by_id() } else { World::things() };
            let first = world.create("Thing__c", json!({"Key__c": "a", "Other__c": "kept"}));
            let live = world.create("Thing__c", json!({"Key__c": "b"}));
            world.delete("Thing__c", first);
            let (first, live) = (first.to_string(), live.to_string());
            let (gone, there) = if by_id { (first.as_str(), live.as_str()) } else { ("A", "b") };
            let changes = [(operation, gone, json!({"Text__c": "t"})), (operation, there, json!({"Text__c": "t"}))];
            let story = format!("{route:?} {operation} by Id: {by_id}");
            let outcomes = world.write(restoring(target()), &options(), &changes).await;
            assert_eq!(outcomes, ["applied", "applied"], "{story}");
            let things = world.things_with(&["Id", "Text__c", "Other__c"]);
            assert_eq!(things["a"], json!([first, "t", "kept"]), "{story}");
            assert_eq!((things.len(), world.calls(&["soap"])), (2, 1), "{story}");
            // As it is without the policy.
            world.delete("Thing__c", Id::parse(&first).unwrap());
            let outcomes = world.write(target(), &options(), &changes[..1]).await;
            if operation == Upsert {
                assert_eq!(outcomes, ["created"], "{story}");
                assert_ne!(world.things_with(&["Id"])["A"], json!([first]), "{story}");
            } else {
                assert!(outcomes[0].contains("rejected"), "{story}: {outcomes:?}");
            }
        }
    }
}

/// Of several deleted records with one key the last comes back; none does where another has taken its place.
#[tokio::test(flavor = "multi_thread")]
async fn which_record_comes_back() {
    let world = World::start().await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let id = world.create("Thing__c", json!({"Key__c": "a"}));
        world.delete("Thing__c", id);
        world.emulator.org().advance(std::time::Duration::from_secs(5)).unwrap();
        ids.push(id.to_string());
    }
    let change = [(Upsert, "a", json!({"Text__c": "t"}))];
    assert_eq!(world.write(restoring(World::things()), &hurried(), &change).await, ["applied"]);
    assert_eq!(world.things_with(&["Id"])["a"], json!([ids[1]]));
    assert_eq!(world.write(restoring(World::things()), &hurried(), &change).await, ["applied"]);
    assert_eq!((world.records("Thing__c").len(), world.calls(&["soap"])), (1, 1), "the other stays where it is");
}

/// A delete and what follows it, in one flush; what the org refuses to restore is a rejected row with its reason.
#[tokio::test(flavor = "multi_thread")]
async fn in_order_and_refused() {
    let world = World::start().await;
    let first = world.create("Thing__c", json!({"Key__c": "a", "Count_Key__c": 7})).to_string();
    let changes = [(Delete, "a", json!({})), (Upsert, "a", json!({"Text__c": "t"}))];
    assert_eq!(world.write(restoring(World::things()), &hurried(), &changes).await, ["applied", "applied"]);
    assert_eq!(world.things_with(&["Id"])["a"], json!([first]));
    world.delete("Thing__c", Id::parse(&first).unwrap());
    world.create("Thing__c", json!({"Key__c": "b", "Count_Key__c": 7}));
    let outcomes = world.write(restoring(World::things()), &hurried(), &changes[1..]).await;
    assert!(outcomes[0].starts_with("upsert of Thing__c a was rejected: DUPLICATE_VALUE"), "{outcomes:?}");
    assert_eq!(world.records("Thing__c").len(), 1, "nothing is made in its place");
}

/// The price: a query for each 200 rows, and a call for those that are found; none of it for deletes and inserts.
#[tokio::test(flavor = "multi_thread")]
async fn calls_for_what_comes_back() {
    let world = World::start().await;
    let keys: Vec<String> = (0..400).map(|nth| format!("k{nth}")).collect();
    for key in &keys[..150] {
        let id = world.create("Thing__c", json!({"Key__c": key}));
        world.delete("Thing__c", id);
    }
    let changes: Vec<_> = keys.iter().map(|key| (Upsert, key.as_str(), json!({"Text__c": "t"}))).collect();
    let options = Options { bulk_threshold: 100, ..Options::default() };
    let outcomes = world.write(restoring(World::things()), &options, &changes).await;
    assert_eq!(outcomes.iter().filter(|outcome| *outcome == "applied").count(), 150);
    assert_eq!(world.calls(&["query", "query_all", "composite"]), 2);
    assert_eq!((world.calls(&["soap"]), world.calls(&["upsert_rows"])), (1, 2));
}

/// Whatever strikes the call, records come back once and are written.
#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_survived() {
    for action in [
        FaultAction::Html503,
        FaultAction::Drop,
        FaultAction::DropReply,
        FaultAction::Truncate { bytes: 20 },
        FaultAction::ExpireSession,
    ] {
        let world = World::start().await;
        let first = world.create("Thing__c", json!({"Key__c": "a"}));
        world.delete("Thing__c", first);
        world.strike("soap", Some(1), action.clone());
        let change = [(Upsert, "a", json!({"Text__c": "t"}))];
        assert_eq!(world.write(restoring(World::things()), &hurried(), &change).await, ["applied"], "{action:?}");
        assert_eq!(world.things_with(&["Id", "Text__c"])["a"], json!([first.to_string(), "t"]), "{action:?}");
        assert_eq!(world.emulator.faults().len(), 0, "{action:?} struck");
    }
}

/// An object without a recycle bin is complained of before the first change.
#[tokio::test(flavor = "multi_thread")]
async fn objects_without_a_recycle_bin() {
    let world = World::start().await;
    let mut describe = world.org.describe(&"Thing__c".parse().unwrap()).await.unwrap();
    describe.summary.undeletable = false;
    let target = Target::new("Thing__c".parse().unwrap(), MatchBy::ExternalId("Key__c".parse().unwrap()));
    let complaints = restoring(target).prepare(&describe).unwrap_err();
    assert!(matches!(&complaints[..], [Complaint::NotUndeletable { .. }]), "{complaints:?}");
}
