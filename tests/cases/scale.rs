//! Hundreds of bindings: what a session of them costs the org, and this machine.

use std::collections::BTreeMap;

use salesforce_emulator::{Settings, org::SchemaChange};
use serde_json::{Value, json};
use tokio::task::block_in_place;

use super::{org::Org, task::Task};

const BINDINGS: usize = 300;
/// What the org has room for; the other bindings are polled.
const TOPICS: usize = 40;

/// Calls since then, by kind. Neither a long poll nor a sign-in counts against the org's allocation.
fn calls_since(org: &Org, before: &BTreeMap<&'static str, u64>) -> BTreeMap<&'static str, u64> {
    let all = org.emulator().org().calls().into_iter();
    let since = all.map(|(kind, calls)| (kind, calls - before.get(kind).copied().unwrap_or_default()));
    since.filter(|(kind, calls)| *calls > 0 && !["token", "cometd"].contains(kind)).collect()
}

/// The most memory that a process has had, and the time that it has computed, in the system's words.
fn cost(process: Option<u32>) -> String {
    let Some(process) = process else { return String::new() };
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default().to_owned();
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let ticks: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2).collect();
    format!("{peak}, ticks of user and system: {}", ticks.join(" "))
}

/// An org with objects of twenty fields, room for so many topics, and rows of each object.
async fn org_of(names: &[String], push_topics: usize, rows: usize) -> Org {
    let org = Org::start_with(1, &[], Settings { push_topics, ..Settings::default() }).await;
    let fields: serde_json::Map<String, Value> =
        (0..20).map(|n| (format!("Field_{n:02}__c"), json!({ "type": "string", "length": 80 }))).collect();
    let changes = names.iter().map(|object| {
        let change = json!({ "create_object": { "object": object, "definition": { "fields": fields } } });
        serde_json::from_value::<SchemaChange>(change).expect("a change")
    });
    let changes: Vec<_> = changes.collect();
    block_in_place(|| org.emulator().org().change_schema(changes)).expect("the objects are made");
    for object in names {
        org.create_many(object, &json!({ "Name": "one of several", "Field_07__c": "seven" }), rows);
    }
    org
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_bindings_start_in_few_calls_and_are_live() {
    let names: Vec<String> = (0..BINDINGS).map(|n| format!("Made_{n:03}__c")).collect();
    let org = org_of(&names, TOPICS, 3).await;
    let (first, last) = (&names[0], &names[BINDINGS - 1]);
    let resources: Vec<_> = names
        .iter()
        .map(|object| match object == last {
            true => json!({ "stream": object, "interval": "PT1S" }),
            false => json!({ "stream": object }),
        })
        .collect();
    let mut task = Task::prepare_bindings(org.config(), &resources).await;
    assert_eq!(org.topics().len(), TOPICS);

    let before = org.emulator().org().calls();
    let mut running = task.open().await;
    running.until_live().await;
    let start = calls_since(&org, &before);
    println!("{BINDINGS} bindings: {start:?} until live; {}", cost(running.session.process().id()));
    // 25 at a time are described, and asked up to when their changes are visible; 5 at a time are read. One topic more is refused.
    let few = 2 * BINDINGS.div_ceil(25) + BINDINGS.div_ceil(5);
    assert!(start.values().sum::<u64>() <= few as u64 + 30, "{start:?}");

    // Of a stream, and of a poll: the last of all.
    for object in [first, last] {
        let id = org.create(object, json!({ "Name": "new" }));
        running.agree(&org).await;
        org.update(object, id, json!({ "Name": "newer" }));
        running.agree(&org).await;
    }
    println!("{}", cost(running.session.process().id()));
    running.end().await;
    task.assert_faithful(&org);
    org.shutdown().await;
}

/// Looking after so many objects costs a call, and one for their topics, as long as none of them changes.
#[tokio::test(flavor = "multi_thread")]
async fn an_inspection_of_many_objects_is_two_calls() {
    let names: Vec<String> = (0..30).map(|n| format!("Made_{n:03}__c")).collect();
    let org = org_of(&names, 2, 2).await;
    let mut config = org.config();
    config["advanced"]["inspection_interval"] = json!("PT1S");
    let resources: Vec<_> = names.iter().map(|object| json!({ "stream": object })).collect();
    let mut task = Task::prepare_bindings(config, &resources).await;
    let mut running = task.open().await;
    running.until_live().await;

    let count = |kind: &str| org.emulator().org().calls().get(kind).copied().unwrap_or_default();
    let lists = || count("describe_global");
    // The first look is at the list of all objects and at each; the second at each once more.
    let begun = lists();
    org.replied_until(|_| lists() >= begun + 3).await;
    let (looks, settled) = (count("composite"), lists());
    org.replied_until(|_| lists() >= settled + 3).await;
    assert_eq!(count("composite"), looks, "nothing has changed");

    let field = json!({ "add_field": { "object": names[29], "field": "Late__c", "definition": { "type": "double" } } });
    let change: SchemaChange = serde_json::from_value(field).expect("a change");
    block_in_place(|| org.emulator().org().change_schema([change])).expect("the field is added");
    running.says("fields were added: Late__c").await;
    running.end().await;
    org.shutdown().await;
}

/// The first pages of reads that begin together are short: what they leave comes with the next ones.
#[tokio::test(flavor = "multi_thread")]
async fn what_begins_together_is_read_to_its_end() {
    let names: Vec<String> = (0..3).map(|n| format!("Made_{n:03}__c")).collect();
    let org = org_of(&names, 2, 900).await;
    let resources: Vec<_> = names.iter().map(|object| json!({ "stream": object, "mode": "poll" })).collect();
    let mut task = Task::prepare_bindings(org.config(), &resources).await;
    task.catch_up(&org).await;
    task.assert_faithful(&org);
    org.shutdown().await;
}

/// How often streams are polled follows from what that is expected to cost. What it costs is within a quarter of that.
#[tokio::test(flavor = "multi_thread")]
async fn polls_cost_what_they_are_expected_to() {
    const POLLED: usize = 30;
    const ROUNDS: usize = 3;
    const SECONDS: u64 = 5;
    let names: Vec<String> = (0..POLLED).map(|n| format!("Made_{n:03}__c")).collect();
    let org = org_of(&names, 2, 2).await;
    let interval = format!("PT{SECONDS}S");
    let resources: Vec<_> =
        names.iter().map(|object| json!({ "stream": object, "mode": "poll", "interval": interval })).collect();
    let mut config = org.config();
    config["advanced"]["inspection_interval"] = json!("PT24H");
    // Of a day's calls, more than a hundredth of what the org allows: it says so, and how many.
    config["advanced"]["api_budget"] = json!(1);
    let mut task = Task::prepare_bindings(config, &resources).await;
    task.connector = task.connector.with_env("LOG_LEVEL", "debug");
    let mut running = task.open().await;
    let log = running.says("polls and sweeps alone take more than half").await;
    let told = log.iter().find_map(|line| serde_json::from_str::<Value>(line).ok()?["fields"]["calls"].as_u64());
    let expected = told.expect("the calls of a day") as f64 * (SECONDS * ROUNDS as u64) as f64 / 86_400.0;
    running.until_live().await;

    let before = org.emulator().org().calls();
    let mut polled = 0;
    while polled < POLLED * ROUNDS {
        let log = running.says(r#""polled""#).await;
        polled += log.iter().filter(|line| line.contains(r#""polled""#)).count();
    }
    let made = calls_since(&org, &before);
    let sum = made.values().sum::<u64>() as f64;
    println!("{POLLED} polled objects, {ROUNDS} times: {made:?}, {expected} expected");
    assert!((0.75..=1.25).contains(&(sum / expected)), "{made:?}, {expected} expected");
    running.end().await;
    org.shutdown().await;
}
