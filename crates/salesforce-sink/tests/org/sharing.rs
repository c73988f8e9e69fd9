//! Several sinks, one org.

use std::time::Duration;

use salesforce_emulator::{Config, FaultAction, Settings};
use salesforce_sink::{Operation::*, Options, Route, State, Traffic};
use serde_json::json;

use crate::world::{World, Written, hurried};

fn changes<'a>(operation: salesforce_sink::Operation, keys: &'a [String]) -> Vec<Written<'a>> {
    keys.iter().map(|key| (operation, key.as_str(), json!({"Text__c": "t"}))).collect()
}

fn keys(of: &str) -> Vec<String> {
    (0..200).map(|nth| format!("{of}{nth}")).collect()
}

/// An org that lets in two calls at a time refuses none of two sinks that share them.
#[tokio::test(flavor = "multi_thread")]
async fn sinks_share_the_calls_that_an_org_allows_at_once() {
    let settings = Settings { concurrent_long_requests: 2, long_request: Duration::ZERO, ..Settings::default() };
    let world = World::start_as(Config { settings, ..Config::default() }).await;
    let traffic = Traffic::new(2);
    // Full calls only, so that they can be counted.
    let linger = Duration::from_secs(60);
    let options = Options { batch_rows: 10, linger, route: Route::Collections, ..hurried() };
    let (mut one, mut other) = (
        world.sink_in(&traffic, World::things(), &options).await,
        world.sink_in(&traffic, World::things(), &options).await,
    );
    world.strike("upsert_rows", None, FaultAction::Delay { ms: 5 });
    let (a, b) = (keys("a"), keys("b"));
    let (a, b) = (changes(Upsert, &a), changes(Upsert, &b));
    let (a, b) = tokio::join!(one.write(&a), other.write(&b));
    assert_eq!((a, b), (vec!["created".to_owned(); 200], vec!["created".to_owned(); 200]));
    assert_eq!(world.calls(&["upsert_rows"]), 40, "none was refused and sent again");
}

/// What one finds out of the org's calls holds for the other, which asks nothing meanwhile and says that it waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_of_one_is_a_pause_of_the_other() {
    let world = World::start().await;
    let traffic = Traffic::default();
    let options = Options { quota_pause: Duration::from_secs(3_600), ..hurried() };
    let sinks = [
        world.sink_in(&traffic, World::things(), &options).await,
        world.sink_in(&traffic, World::things(), &options).await,
    ];
    world.strike("upsert_rows", Some(1), FaultAction::ExhaustCalls { refusals: Some(1) });
    for sink in &sinks {
        sink.submit(0, Upsert, "a", &json!({})).await.unwrap();
        sink.sink.state().wait_for(|state| matches!(state, State::Paused { .. })).await.unwrap();
    }
    assert_eq!(world.calls(&["upsert_rows"]), 1);
}
