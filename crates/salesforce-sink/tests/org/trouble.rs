//! Nothing is lost quietly, nothing doubled quietly: whatever befalls a call.

use std::time::Duration;

use salesforce_emulator::{FaultAction, Outage};
use salesforce_sink::{Error, Operation::*, Options, Route, State, Target};
use serde_json::json;

use crate::world::{World, Written, hurried};

fn rows(operation: salesforce_sink::Operation, keys: &[String]) -> Vec<Written<'_>> {
    keys.iter().map(|key| (operation, key.as_str(), json!({"Text__c": "t"}))).collect()
}

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|nth| format!("k{nth}")).collect()
}

/// Whatever strikes the first call, the rows are written once, and told so.
#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_survived() {
    for action in [
        FaultAction::Outage(Outage::Json),
        FaultAction::Outage(Outage::UnknownException),
        FaultAction::Outage(Outage::BadGateway),
        FaultAction::Html503,
        FaultAction::Drop,
        FaultAction::DropReply,
        FaultAction::Truncate { bytes: 20 },
        FaultAction::ExpireSession,
        FaultAction::ConcurrentLimit,
        FaultAction::LockRows { every: 3 },
    ] {
        for (operation, kind) in [(Upsert, "upsert_rows"), (Insert, "create_rows")] {
            let world = World::start().await;
            world.strike(kind, Some(1), action.clone());
            let keys = keys(250);
            let outcomes = world.write(World::things(), &hurried(), &rows(operation, &keys)).await;
            // A first upsert whose reply was lost has made the records that the second finds.
            let done =
                outcomes.iter().all(|outcome| outcome == "created" || (operation == Upsert && outcome == "applied"));
            assert!(done, "{action:?} {operation}: {outcomes:?}");
            assert_eq!(world.records("Thing__c").len(), 250, "{action:?} {operation}");
        }
    }
}

/// An insert without a name whose reply is lost may have been done. Somebody is told, and nothing is repeated.
#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_cannot_be_found_again_is_told() {
    for (action, made) in [(FaultAction::Drop, 0), (FaultAction::DropReply, 2)] {
        for (route, kind) in [(Route::Collections, "create_rows"), (Route::Single, "create")] {
            let world = World::start().await;
            world.strike(kind, None, action.clone());
            let options = Options { route, ..hurried() };
            let changes = [(Insert, "", json!({"Text__c": "one"})), (Insert, "", json!({"Text__c": "two"}))];
            let outcomes = world.write(World::things_by_id(), &options, &changes).await;
            assert!(outcomes.iter().all(|outcome| outcome.contains("MAY_HAVE_BEEN_CREATED")), "{outcomes:?}");
            assert_eq!(world.records("Thing__c").len(), made);
        }
    }
}

/// With a delivery key, an insert is safe to repeat, here and after a crash.
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_key_makes_inserts_safe() {
    let world = World::start().await;
    world.strike("upsert_rows", Some(1), FaultAction::DropReply);
    let target = || Target { delivery_key: Some("Delivery__c".parse().unwrap()), ..World::things_by_id() };
    let change = (Insert, "", json!({"Text__c": "one", "Delivery__c": "topic-0-17"}));
    for _ in 0..2 {
        assert_eq!(world.write(target(), &hurried(), std::slice::from_ref(&change)).await, ["applied"]);
    }
    let outcomes = world.write(target(), &hurried(), &[(Insert, "", json!({"Text__c": "two"}))]).await;
    assert!(outcomes[0].contains("MISSING_EXTERNAL_ID"), "{outcomes:?}");
    assert_eq!(world.records("Thing__c").len(), 1);
}

/// An org without calls is waited for, and everybody can see it.
#[tokio::test(flavor = "multi_thread")]
async fn no_calls_left_is_a_pause() {
    let world = World::start().await;
    let mut running = world.sink(World::things(), &hurried()).await;
    let mut state = running.sink.state();
    let paused = tokio::spawn(async move {
        state.wait_for(|state| matches!(state, State::Paused { .. })).await.unwrap();
        state.wait_for(|state| matches!(state, State::Running)).await.unwrap();
    });
    world.strike("upsert_rows", Some(1), FaultAction::ExhaustCalls { refusals: Some(3) });
    let keys = keys(10);
    assert_eq!(running.write(&rows(Upsert, &keys)).await, vec!["created"; 10]);
    paused.await.unwrap();
}

/// What would refuse every row alike is not told row by row: the sink fails, and everybody hears why.
#[tokio::test(flavor = "multi_thread")]
async fn what_no_row_is_to_blame_for_ends_the_sink() {
    let refusal =
        |status, code: &str| FaultAction::Reply { status, body: Some(json!([{"message": "no", "errorCode": code}])) };
    for (action, expect) in [
        (refusal(403, "API_DISABLED_FOR_ORG"), "cannot write to Thing__c: "),
        (refusal(404, "NOT_FOUND"), "cannot write to Thing__c: "),
        (FaultAction::Html503, "gave up writing to Thing__c after 0 s and "),
    ] {
        let world = World::start().await;
        world.strike("upsert_rows", None, action);
        let options = Options { patience: Duration::from_millis(30), ..hurried() };
        let mut running = world.sink(World::things(), &options).await;
        running.submit(0, Upsert, "a", &json!({})).await.unwrap();
        let error = running.sink.flush().await.unwrap_err();
        assert!(error.to_string().starts_with(expect), "{error}");
        assert!(running.receipts.next().await.is_none(), "no receipt: nobody knows");
        assert!(matches!(&*running.sink.state().borrow(), State::Failed(_)));
        let again = running.submit(1, Upsert, "b", &json!({})).await.unwrap_err();
        assert_eq!(again.to_string(), error.to_string());
        assert!(!matches!(error, Error::Closed));
    }
}

/// A row that spoils its call is found, and the others are written.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_spoils_its_call_is_found() {
    let world = World::start().await;
    let body = json!([{"message": "Unexpected character", "errorCode": "JSON_PARSER_ERROR"}]);
    // All sixty, the first fifty of them, the first ten, the first.
    world.strike("upsert_rows", Some(4), FaultAction::Reply { status: 400, body: Some(body) });
    let keys = keys(60);
    let options = Options { linger: Duration::from_secs(60), ..hurried() };
    let outcomes = world.write(World::things(), &options, &rows(Upsert, &keys)).await;
    assert_eq!(outcomes[0], "upsert of Thing__c k0 was rejected: JSON_PARSER_ERROR: Unexpected character");
    assert!(outcomes[1..].iter().all(|outcome| outcome == "created"), "{outcomes:?}");
    assert_eq!(world.records("Thing__c").len(), 59);
}

/// Changes that were folded and refused are written one by one: only what is to blame is refused.
#[tokio::test(flavor = "multi_thread")]
async fn folded_changes_are_not_refused_together() {
    let world = World::start().await;
    let outcomes = world
        .write(
            World::things(),
            &hurried(),
            &[
                (Upsert, "a", json!({"Text__c": "fine"})),
                (Upsert, "a", json!({"Choice__c": "blue"})),
                (Upsert, "A", json!({"Other__c": "fine"})),
                (Delete, "a", json!({})),
                (Upsert, "a", json!({"Text__c": "anew"})),
            ],
        )
        .await;
    let refused = "upsert of Thing__c a was rejected: INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST";
    assert!(outcomes[1].starts_with(refused), "{outcomes:?}");
    assert_eq!([&outcomes[0], &outcomes[2], &outcomes[3], &outcomes[4]], ["created", "applied", "applied", "created"]);
    assert_eq!(world.things_with(&["Text__c", "Other__c"])["a"], json!(["anew", null]));
}

/// A full window waits for receipts to be taken, and a sink that is dropped still writes what it has.
#[tokio::test(flavor = "multi_thread")]
async fn a_small_window_holds_changes_back() {
    let world = World::start().await;
    let options = Options { window_rows: 3, window_bytes: 2_000, ..hurried() };
    let running = world.sink(World::things(), &options).await;
    let (sink, mut receipts, target) = (running.sink, running.receipts, running.target);
    let submitting = tokio::spawn(async move {
        for nth in 0..50 {
            let fields = salesforce_sink::Fields::parse(
                &json!({"Text__c": "t", "Nothing__c": "x".repeat(nth * 100)}).to_string(),
            );
            let key = Some(format!("k{nth}").into());
            let change = salesforce_sink::Change { operation: Upsert, key, fields: fields.unwrap(), origin: nth };
            sink.submit(target, change).await.unwrap();
        }
    });
    let mut origins = Vec::new();
    while let Some(receipt) = receipts.next().await {
        origins.push(receipt.origin);
    }
    submitting.await.unwrap();
    origins.sort_unstable();
    assert_eq!(origins, (0..50).collect::<Vec<_>>());
    assert_eq!(world.records("Thing__c").len(), 50);
}

/// Whatever strikes the question for Ids or a step of the job after it: what is there is written, and nothing else is made.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_of_rows_by_key_survive_what_passes() {
    for kind in ["query", "bulk_ingest_create", "bulk_ingest_upload", "bulk_ingest_change", "bulk_ingest_successful"] {
        for action in
            [FaultAction::Outage(Outage::Json), FaultAction::ExhaustCalls { refusals: Some(1) }, FaultAction::DropReply]
        {
            if kind.starts_with("bulk") && matches!(action, FaultAction::ExhaustCalls { .. }) {
                // A job waits for calls by itself, a minute at a time.
                continue;
            }
            let world = World::start().await;
            for key in ["k0", "k1", "k2"] {
                world.create("Thing__c", json!({"Key__c": key}));
            }
            world.strike(kind, Some(1), action.clone());
            let options = Options { route: Route::Bulk, linger: Duration::from_secs(60), ..hurried() };
            let keys = keys(4);
            let outcomes = world.write(World::things(), &options, &rows(Update, &keys)).await;
            assert_eq!(outcomes[..3], vec!["applied"; 3], "{kind} {action:?}");
            assert!(outcomes[3].contains("NOT_FOUND"), "{kind} {action:?}: {outcomes:?}");
            let texts = world.things_with(&["Text__c"]);
            assert!(texts.len() == 3 && texts.values().all(|it| *it == json!(["t"])), "{kind} {action:?}: {texts:?}");
            assert_eq!(world.emulator.faults().len(), 0, "{kind} {action:?} struck");
        }
    }
}

/// Whatever strikes a step of a job, its rows are written once, and told so.
#[tokio::test(flavor = "multi_thread")]
async fn jobs_survive_what_passes() {
    for kind in ["create", "upload", "change", "info", "successful", "failed"] {
        for action in [FaultAction::Outage(Outage::Json), FaultAction::Drop, FaultAction::DropReply] {
            let world = World::start().await;
            world.strike(&format!("bulk_ingest_{kind}"), Some(1), action.clone());
            let options = Options { route: Route::Bulk, ..hurried() };
            let keys = keys(30);
            let outcomes = world.write(World::things(), &options, &rows(Insert, &keys)).await;
            assert!(outcomes.iter().all(|outcome| outcome == "created"), "{kind} {action:?}: {outcomes:?}");
            assert_eq!(world.records("Thing__c").len(), 30, "{kind} {action:?}");
            assert_eq!(world.emulator.faults().len(), 0, "{kind} {action:?} struck");
        }
    }
}
