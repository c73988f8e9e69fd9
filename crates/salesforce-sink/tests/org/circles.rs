//! Records that refer to each other.

use std::time::Duration;

use salesforce_emulator::FaultAction;
use salesforce_sink::{Lookup, MatchBy, Operation::*, Options, References, Route, Target, Targets};
use serde_json::json;

use crate::world::{World, hurried};

fn lookup(reference: &str, by: &str) -> Lookup {
    Lookup { reference: reference.parse().unwrap(), object: None, by: by.parse().unwrap() }
}

/// New records that refer to each other, or to themselves, are written by every route, each told once, as created; what else waits with
/// them is rejected as ever.
#[tokio::test(flavor = "multi_thread")]
async fn circles() {
    for route in [Route::Single, Route::Collections, Route::Bulk] {
        let world = World::start().await;
        let references = References { lookups: vec![lookup("Whole__c", "Key__c")], ..References::default() };
        let things = Target { references, ..World::things() };
        let whole = |key: &str| json!({"Whole__c": key, "Text__c": "t"});
        let changes = [
            (Upsert, "one", whole("one")),
            (Upsert, "a", whole("b")),
            (Upsert, "b", whole("A")),
            (Upsert, "x", whole("y")),
            (Insert, "y", whole("z")),
            (Upsert, "z", whole("x")),
            (Upsert, "z", json!({"Other__c": "later"})),
            (Upsert, "leaf", whole("z")),
            (Upsert, "lost", whole("nowhere")),
        ];
        let mut outcomes = world.write(things.clone(), &Options { route, ..hurried() }, &changes).await;
        assert!(outcomes.pop().unwrap().contains("Foreign key external ID: nowhere not found"), "{route:?}");
        assert_eq!(outcomes.remove(6), "applied", "{route:?}");
        assert_eq!(outcomes, vec!["created"; 7], "{route:?}");
        let ids: std::collections::BTreeMap<_, _> = world.things_with(&["Id", "Whole__c", "Text__c", "Other__c"]);
        for (key, parent) in [("one", "one"), ("a", "b"), ("b", "a"), ("x", "y"), ("y", "z"), ("z", "x"), ("leaf", "z")]
        {
            assert_eq!((&ids[key][1], &ids[key][2]), (&ids[parent][0], &json!("t")), "{route:?}: {key}");
        }
        assert_eq!((ids.len(), &ids["z"][3]), (7, &json!("later")), "{route:?}");
        // The same once more, as after a crash: they are there, and nothing has to be opened.
        let again: Vec<_> = changes[..3].to_vec();
        assert_eq!(world.write(things, &Options { route, ..hurried() }, &again).await, vec!["applied"; 3], "{route:?}");
    }
}

/// A hundred pairs cost a call that is refused, one for those that go first, one for the others, and one for what was held back.
#[tokio::test(flavor = "multi_thread")]
async fn calls_for_circles() {
    let world = World::start().await;
    let references = References { lookups: vec![lookup("Whole__c", "Key__c")], ..References::default() };
    let keys: Vec<String> = (0..100).flat_map(|nth| [format!("a{nth}"), format!("b{nth}")]).collect();
    let changes: Vec<_> =
        keys.iter().enumerate().map(|(nth, key)| (Upsert, key.as_str(), json!({"Whole__c": keys[nth ^ 1]}))).collect();
    let outcomes = world.write(Target { references, ..World::things() }, &Options::default(), &changes).await;
    assert_eq!(outcomes, vec!["created"; 200]);
    assert!(world.things_with(&["Whole__c"]).values().all(|whole| !whole[0].is_null()));
    assert_eq!((world.calls(&["upsert_rows"]), world.calls(&["update_rows"])), (3, 1));
}

/// A chain that is told from its end, the worst order there is, goes link by link, and no row is sent with every link; what hangs on no
/// record at all is rejected.
#[tokio::test(flavor = "multi_thread")]
async fn calls_for_chains() {
    let world = World::start().await;
    let references = References { lookups: vec![lookup("Whole__c", "Key__c")], ..References::default() };
    let keys: Vec<String> = (0..41).map(|nth| format!("link{nth}")).collect();
    let link = |nth: usize| (Upsert, keys[nth].as_str(), json!({"Whole__c": keys[nth + 1]}));
    let mut changes: Vec<_> = (0..40).map(link).collect();
    changes.push((Upsert, &keys[40], json!({"Text__c": "the first"})));
    changes.push((Upsert, "lost", json!({"Whole__c": "nowhere"})));
    let options = Options { batch_rows: 10, route: Route::Collections, ..hurried() };
    let mut outcomes = world.write(Target { references, ..World::things() }, &options, &changes).await;
    assert!(outcomes.pop().unwrap().contains("nowhere not found"));
    assert_eq!(outcomes, vec!["created"; 41]);
    // Five calls for all of them, then one for each link with the row that hangs on nothing.
    assert_eq!(world.calls(&["upsert_rows"]), 5 + 40 + 1);
}

/// A circle across two objects, whichever of them is told first.
#[tokio::test(flavor = "multi_thread")]
async fn circles_of_two_objects() {
    use salesforce_sink::{Change, Fields, Sink, Traffic};
    for order in [[0, 1], [1, 0]] {
        let world = World::start().await;
        let with = |target: Target, lookup: Lookup| Target {
            references: References { lookups: vec![lookup], ..References::default() },
            ..target
        };
        let things = with(World::things(), lookup("Owner__c", "Number__c"));
        let accounts = Target::new("Account".parse().unwrap(), MatchBy::ExternalId("Number__c".parse().unwrap()));
        let accounts = with(accounts, lookup("Main__c", "Key__c"));
        let mut targets = Targets::new();
        let targets_of = [targets.add(world.prepare(things).await), targets.add(world.prepare(accounts).await)];
        let (sink, mut receipts) = Sink::start(&world.org, &Traffic::default(), targets, &hurried());
        let changes = [("t", json!({"Owner__c": "n"})), ("n", json!({"Name": "Acme", "Main__c": "t"}))];
        for which in order {
            let (key, fields) = &changes[which];
            let fields = Fields::parse(&fields.to_string()).unwrap();
            let change = Change { operation: Upsert, key: Some((*key).into()), fields, origin: which };
            sink.submit(targets_of[which], change).await.unwrap();
        }
        sink.flush().await.unwrap();
        for _ in order {
            assert_eq!(crate::world::shown(&receipts.ready().unwrap()), "created");
        }
        let (thing, account) = (&world.records("Thing__c")[0], &world.records("Account")[0]);
        assert_eq!((&thing["Owner__c"], &account["Main__c"]), (&account["Id"], &thing["Id"]));
    }
}

/// What cannot be made without its parent is rejected with the reason.
#[tokio::test(flavor = "multi_thread")]
async fn circles_that_cannot_be_opened() {
    let world = World::start().await;
    let target = Target::new("Twin__c".parse().unwrap(), MatchBy::ExternalId("Key__c".parse().unwrap()));
    let references = References { lookups: vec![lookup("Other__c", "Key__c")], ..References::default() };
    let changes = [(Upsert, "a", json!({"Other__c": "b"})), (Upsert, "b", json!({"Other__c": "a"}))];
    for outcome in world.write(Target { references, ..target }, &hurried(), &changes).await {
        let (code, reason) = ("CIRCULAR_REFERENCE: Foreign key external ID: ", "Other__c is required");
        assert!(outcome.contains(code) && outcome.contains(reason), "{outcome}");
    }
    assert_eq!(world.records("Twin__c").len(), 0);
}

/// A record that was made and could not get its reference is rejected, and the rejection says that it is there.
#[tokio::test(flavor = "multi_thread")]
async fn the_second_half_of_a_row_is_refused() {
    for (route, kind) in [(Route::Single, "update"), (Route::Collections, "update_rows"), (Route::Bulk, "update_rows")]
    {
        let world = World::start().await;
        let references = References { lookups: vec![lookup("Whole__c", "Key__c")], ..References::default() };
        let things = Target { references, ..World::things() };
        let refusal = match route {
            Route::Single => json!([{"message": "no", "errorCode": "CUSTOM", "fields": []}]),
            _ => json!([{"success": false, "errors": [{"message": "no", "statusCode": "CUSTOM", "fields": []}]}]),
        };
        let status = if route == Route::Single { 400 } else { 200 };
        world.strike(kind, None, FaultAction::Reply { status, body: Some(refusal) });
        let changes =
            [(Upsert, "a", json!({"Whole__c": "b", "Text__c": "t"})), (Upsert, "b", json!({"Whole__c": "a"}))];
        let outcomes = world.write(things, &Options { route, ..hurried() }, &changes).await;
        let told = "upsert of Thing__c a was rejected: CUSTOM: no; the record was written, but without Whole__c \
                    (fields: Whole__c)";
        assert_eq!(outcomes, [told, "created"], "{route:?}");
        assert_eq!(world.things_with(&["Whole__c", "Text__c"])["a"], json!([null, "t"]), "{route:?}");
    }
}

/// Killed between the two halves of a row, the same changes come again and end the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_circle_that_was_interrupted_is_closed_later() {
    let world = World::start().await;
    let references = References { lookups: vec![lookup("Whole__c", "Key__c")], ..References::default() };
    let things = || Target { references: references.clone(), ..World::things() };
    let changes = [(Upsert, "a", json!({"Whole__c": "b"})), (Upsert, "b", json!({"Whole__c": "a"}))];
    world.strike("update_rows", None, FaultAction::Html503);
    let mut running = world.sink(things(), &Options { patience: Duration::from_millis(30), ..hurried() }).await;
    for (nth, (operation, key, fields)) in changes.iter().enumerate() {
        running.submit(nth, *operation, key, fields).await.unwrap();
    }
    running.sink.flush().await.unwrap_err();
    // The other has its receipt; this one has none, although the record is there.
    assert_eq!(running.receipts.next().await.map(|receipt| receipt.origin), Some(1));
    assert!(running.receipts.next().await.is_none());
    assert_eq!(world.things_with(&["Whole__c"])["a"], json!([null]));
    world.emulator.clear_faults();
    assert_eq!(world.write(things(), &hurried(), &changes).await, ["applied", "applied"]);
    let ids = world.things_with(&["Id", "Whole__c"]);
    assert_eq!((&ids["a"][1], &ids["b"][1]), (&ids["b"][0], &ids["a"][0]));
}
