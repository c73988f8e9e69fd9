//! What a binding may choose: how its changes are learned of, which fields are captured, where its history starts.

use std::{collections::BTreeSet, time::Duration};

use demo::runtime::Capture;
use salesforce_emulator::{
    Settings,
    org::{Feature, SchemaChange},
};
use serde_json::{Value, json};
use tokio::task::block_in_place;

use super::{org::Org, program, task::Task};

/// The last connector status in a log, without how far all is complete.
fn status(log: &[String]) -> String {
    let lines = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut statuses = lines.filter(|line| line["fields"]["eventType"] == "connectorStatus");
    let last = statuses.next_back().map(|line| line["message"].as_str().unwrap_or_default().to_owned());
    last.unwrap_or_default().split("; complete up to").next().unwrap_or_default().to_owned()
}

/// The streams as bindings that differ in their mode alone.
fn in_modes(modes: &[(&str, &str)]) -> Vec<Value> {
    modes.iter().map(|(stream, mode)| json!({ "stream": stream, "mode": mode, "interval": "PT1S" })).collect()
}

/// Changes come while a session runs, and while none does.
async fn captures_changes(task: &mut Task, org: &Org, streams: &[&str], seed: u64) -> Vec<String> {
    org.change(streams, 60, seed).await;
    let mut running = task.open().await;
    running.agree(org).await;
    org.change(streams, 60, seed + 1).await;
    running.agree(org).await;
    let log = running.end().await;
    task.assert_faithful(org);
    log
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_topic_left_is_polled_and_nothing_is_lost_on_the_way_to_and_fro() {
    const STREAMS: [&str; 4] = ["Account", "Contact", "Lead", "Case"];
    let rows = STREAMS.map(|stream| (stream, 20));
    let org = Org::start_with(1, &rows, Settings { push_topics: 2, ..Settings::default() }).await;
    let mut task = Task::prepare_bindings(org.config(), &in_modes(&STREAMS.map(|stream| (stream, "auto")))).await;
    let log = captures_changes(&mut task, &org, &STREAMS, 1).await;
    assert_eq!(
        status(&log),
        "Capturing changes of all 4 bindings: streaming 2, polling 2: Lead, Case (no PushTopic left in the org)"
    );

    // The others get the topics, and back again.
    let poll_first = [("Account", "poll"), ("Contact", "poll"), ("Lead", "stream"), ("Case", "auto")];
    let poll_last = [("Account", "auto"), ("Contact", "stream"), ("Lead", "auto"), ("Case", "poll")];
    for (seed, modes, said) in [
        (3, poll_first, "streaming 2, polling 2: Account, Contact (as configured)"),
        (5, poll_last, "streaming 2, polling 2: Case (as configured), Account (no PushTopic left in the org)"),
    ] {
        task.choose(&in_modes(&modes)).await;
        let log = captures_changes(&mut task, &org, &STREAMS, seed).await;
        assert_eq!(status(&log), format!("Capturing changes of all 4 bindings: {said}"));
        assert_eq!(org.topics().len(), 2);
    }
    org.shutdown().await;
}

/// Somebody else's topic makes room under a running session: what was polled for want of it is streamed from then on, and what changes on
/// the way, announced or not, is captured.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_polled_for_want_of_a_topic_is_streamed_once_there_is_room() {
    const STREAMS: [&str; 2] = ["Contact", "Account"];
    // With and without another stream in the session.
    for own in [1, 0] {
        let settings = Settings { push_topics: 1 + own, ..Settings::default() };
        let org = Org::start_with(1, &STREAMS.map(|stream| (stream, 20)), settings).await;
        let theirs = json!({ "Name": "Theirs", "Query": "SELECT Id FROM Lead", "ApiVersion": 61.0 });
        let theirs = org.create("PushTopic", theirs);
        let mut config = org.config();
        config["advanced"]["inspection_interval"] = json!("PT1S");
        let streams = &STREAMS[1 - own..];
        let mut task = Task::prepare_as("acmeCo/salesforce", config, streams).await;
        let mut running = task.open().await;
        running.until_live().await;
        running.says("polling 1: Account (no PushTopic left in the org)").await;
        org.change(streams, 40, 7).await;
        org.load("insert", "Account", "Name\nloaded\n").await;
        org.delete("PushTopic", theirs);
        org.change(streams, 40, 8).await;
        let count = streams.len();
        running.says(&format!("Capturing changes of all {count} bindings: streaming {count}; complete")).await;
        org.change(streams, 40, 9).await;
        running.agree(&org).await;
        // What is stamped with the very second of a read is fetched.
        org.emulator().org().advance(Duration::from_secs(5)).expect("the clock moves");
        let news = org.create("Account", json!({ "Name": "news" })).to_string();
        running.agree(&org).await;
        let document = running.captured.iter().find(|it| it.document["Id"] == news.as_str()).expect("it is captured");
        assert!(document.document["_meta"]["source"].is_object(), "an event brought it: {}", document.document);
        running.end().await;

        org.change(streams, 40, 10).await;
        let log = task.catch_up(&org).await.join("\n");
        assert!(!log.contains("polling"), "{log}");
        task.assert_faithful(&org);
        org.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_of_the_administrator_is_used_and_left_alone() {
    let org = Org::start(&[("Account", 20), ("Contact", 20)]).await;
    let given = [
        json!({ "Name": "Accounts", "Query": "SELECT Id FROM Account" }),
        json!({ "Name": "Contacts", "Query": "SELECT Id, IsDeleted, LastName, SystemModstamp FROM Contact" }),
    ];
    for mut topic in given {
        topic["ApiVersion"] = json!(61.0);
        topic["NotifyForFields"] = json!("All");
        org.create("PushTopic", topic);
    }
    let topics: BTreeSet<_> = org.topics().into_iter().collect();
    let mut task = Task::prepare_bindings(
        org.config(),
        &[
            json!({ "stream": "Account", "push_topic": "Accounts", "fields": { "exclude": ["Fax"] } }),
            json!({ "stream": "Contact", "push_topic": "Contacts", "fields": { "exclude": ["Fax"] } }),
        ],
    )
    .await;
    task.admits = |field| field != "Fax";
    captures_changes(&mut task, &org, &["Account", "Contact"], 2).await;
    assert_eq!(org.topics().into_iter().collect::<BTreeSet<_>>(), topics);
    org.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_hold_the_fields_that_were_chosen() {
    let org = Org::start(&[("Account", 20)]).await;
    let fields = json!({ "include": ["ID", "name", "Industry", "ShippingAddress"] });
    let mut task = Task::prepare_bindings(org.config(), &[json!({ "stream": "Account", "fields": fields })]).await;
    task.admits = |field| ["Id", "Name", "Industry", "ShippingAddress", "IsDeleted", "SystemModstamp"].contains(&field);
    let mut running = task.open().await;
    running.agree(&org).await;
    org.change(&["Account"], 40, 3).await;
    running.agree(&org).await;
    let captured = std::mem::take(&mut running.captured);
    running.end().await;
    let fields = captured.iter().flat_map(|captured| captured.document.as_object().expect("an object").keys());
    let others: BTreeSet<_> = fields.filter(|field| !(task.admits)(field) && *field != "_meta").collect();
    assert_eq!(others, BTreeSet::new());
    let announced = captured.iter().filter(|captured| captured.document["_meta"]["source"].is_object()).count();
    assert!(announced > 10, "few fields fit into events: {announced}");
    org.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_starts_where_its_binding_says() {
    let org = Org::start(&[("Account", 5), ("Contact", 5), ("Lead", 5)]).await;
    let hour = std::time::Duration::from_secs(3600);
    org.emulator().org().advance(hour).expect("the clock moves");
    let now = org.emulator().org().now();
    let before = now - hour / 2;
    let mut config = org.config();
    config["start_date"] = json!(before.to_string());
    let resources = [
        json!({ "stream": "Account" }),
        json!({ "stream": "Contact", "start_date": "2000-01-01T00:00:00Z" }),
        json!({ "stream": "Lead", "start_date": "2000-01-01T00:00:00Z", "mode": "poll" }),
    ];
    let mut task = Task::prepare_bindings(config, &resources).await;
    let mut running = task.open().await;
    running.until_live().await;
    running.end().await;
    let rows = [0, 1, 2].map(|binding| task.capture.collection(binding).rows().len());
    assert_eq!(rows, [0, 5, 5]);
    org.shutdown().await;
}

/// A transaction that takes ten minutes stamps its row when it writes it. Polls that have gone on meanwhile find it all the same:
/// the org says up to when all changes are visible, and that is before it.
#[tokio::test(flavor = "multi_thread")]
async fn a_poll_finds_a_row_that_becomes_visible_late() {
    let org = Org::start(&[("Contact", 5)]).await;
    let mut task = Task::prepare_bindings(org.config(), &in_modes(&[("Contact", "poll")])).await;
    let mut running = task.open().await;
    running.agree(&org).await;
    let late = org.emulator().org().begin_late();
    let fields = json!({ "LastName": "late" });
    block_in_place(|| late.write(|work| work.create("Contact", fields.as_object().expect("fields"))))
        .expect("it is written");
    for minutes in 1..=3 {
        let clock = org.emulator().org().clone();
        block_in_place(|| clock.advance(Duration::from_secs(300))).expect("the clock moves");
        org.create("Contact", json!({ "LastName": format!("after {minutes}") }));
        running.agree(&org).await;
    }
    block_in_place(|| late.commit()).expect("it is committed");
    assert_eq!(org.ids("Contact").len(), 9);
    running.agree(&org).await;
    running.end().await;
    task.assert_faithful(&org);
    org.shutdown().await;
}

/// The same of a transaction that was long under way when the first read began.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_written_long_before_the_first_read_and_visible_after_it_is_found() {
    let org = Org::start(&[("Contact", 5)]).await;
    let mut task = Task::prepare_bindings(org.config(), &in_modes(&[("Contact", "poll")])).await;
    let late = org.emulator().org().begin_late();
    let fields = json!({ "LastName": "late" });
    block_in_place(|| late.write(|work| work.create("Contact", fields.as_object().expect("fields"))))
        .expect("it is written");
    org.emulator().org().advance(Duration::from_secs(540)).expect("the clock moves");
    let mut running = task.open().await;
    running.agree(&org).await;
    org.create("Contact", json!({ "LastName": "after" }));
    running.agree(&org).await;
    block_in_place(|| late.commit()).expect("it is committed");
    running.agree(&org).await;
    running.end().await;
    task.assert_faithful(&org);
    org.shutdown().await;
}

/// Four hundred fields with long names: more than a URL holds, and far more than a topic.
#[tokio::test(flavor = "multi_thread")]
async fn an_object_too_wide_for_a_url_is_captured() {
    let org = Org::start(&[]).await;
    let fields: serde_json::Map<String, Value> =
        (0..400).map(|n| (format!("A_name_as_long_as_a_name_can_be_{n:03}__c"), json!({ "type": "double" }))).collect();
    let change = json!({ "create_object": { "object": "Vast__c", "definition": { "fields": fields } } });
    let change: SchemaChange = serde_json::from_value(change).expect("a change");
    block_in_place(|| org.emulator().org().change_schema([change])).expect("the object is made");
    org.create_many("Vast__c", &json!({ "Name": "many", "A_name_as_long_as_a_name_can_be_007__c": 7 }), 30);
    let mut task = Task::prepare(&org, &["Vast__c"]).await;
    captures_changes(&mut task, &org, &["Vast__c"], 1).await;
    let calls = org.emulator().org().calls();
    assert!(calls.get("composite").is_some_and(|calls| *calls > 0), "{calls:?}");
    org.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn misspelled_names_are_captured_under_their_names_and_absent_objects_are_not_listed() {
    let without = vec![Feature::Quotes, Feature::Chat];
    let settings = Settings { without, ..Settings::default() };
    let org = Org::start_with(1, &[("ServiceContract", 2), ("ContractLineItem", 5)], settings).await;
    let discovered = program::run(&["discover", "--config", "-"], org.config().to_string()).await.json();
    let listed: BTreeSet<&str> = discovered["discovered"]["bindings"]
        .as_array()
        .expect("bindings")
        .iter()
        .filter_map(|binding| binding["recommendedName"].as_str())
        .collect();
    assert!(listed.contains("ContractLineItem") && !listed.contains("Quote") && !listed.contains("LiveChatTranscript"));

    let stream = "{\"stream\":\"ContactLineItem\",\"mode\":\"poll\",\"fields\":{\"include\":[\"Id\"]}}";
    let pulled = program::run(
        &["pull", "--config", "-", "--stream", stream, "--tagged", "--until-caught-up"],
        org.config().to_string(),
    )
    .await;
    assert_eq!(pulled.code, Some(0), "{}", pulled.stderr);
    assert_eq!(pulled.stdout.lines().filter(|line| line.starts_with("[\"ContactLineItem\",")).count(), 5);
    org.shutdown().await;
}

/// Two pages are on their way at a time, over all bindings. They go round: whoever is small is done while the others still read.
#[tokio::test(flavor = "multi_thread")]
async fn a_small_object_does_not_wait_for_large_ones() {
    let streams = ["Account", "Contact", "Custom__c"];
    let settings = Settings { query_page: 10, ..Settings::default() };
    let org = Org::start_with(1, &[("Account", 400), ("Contact", 400), ("Custom__c", 5)], settings).await;
    let mut task = Task::prepare(&org, &streams).await;
    let mut running = task.open().await;
    let read = |capture: &Capture, binding: usize| capture.collection(binding).rows().len();
    running.until(|capture| read(capture, 2) == 5).await;
    let others = [0, 1].map(|binding| read(&running.task.capture, binding));
    assert!(others.iter().all(|rows| *rows < 200), "{others:?}");
    running.agree(&org).await;
    running.end().await;
    task.assert_faithful(&org);
    org.shutdown().await;
}
