//! Everything at once, from a seed: an org that changes in every way it can, in every kind of trouble that loses no data, under a
//! connector that is killed and restarted. In the end the collections are the org, and no document was older than one
//! before it.
//!
//! What happens is drawn from the seed: the workload, what strikes the n-th request of a kind, after how many lines and replies a
//! session is killed, what is loaded silently between. Which row a request finds is not: a seed that fails often does so
//! again, not always.
//!
//! A few seeds run with all tests. More: `just trouble`, or `TROUBLE_SEEDS=100..300 cargo test --release -p e2e trouble::`.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use demo::{
    Error,
    runtime::{Capture, Exit, Message},
};
use futures::StreamExt as _;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use salesforce_emulator::{BulkSettings, Mix, SchemaChange, Settings, Trouble, TroubleKind, Workload, cometd, org::Id};
use serde_json::{Value, json};
use tokio::{task::block_in_place, time::timeout};

use super::{
    org::Org,
    program::PATIENCE,
    side_by_side::side_by_side,
    task::{Running, Task},
};

/// Seeds of an ordinary run.
const SEEDS: Range<u64> = 0..4;
/// Seeds under way at a time: a good part of each is waiting.
const AT_ONCE: usize = 3;
/// Sessions of a seed that are killed.
const KILLS: usize = 6;
/// The most lines and replies a session sees before it is killed.
const THINGS: u64 = 120;
/// Changes a second, all the while.
const RATE: f64 = 30.0;

/// How each object's changes are learned of: fetched because it is wide, or carried by events, or polled.
const STREAMS: [(&str, &str, u64); 6] = [
    ("Account", "auto", 60),
    ("Contact", "auto", 80),
    ("Custom__c", "auto", 120),
    ("Lead", "auto", 60),
    ("Opportunity", "poll", 40),
    ("User", "auto", 0),
];

/// Longer than events are kept.
const PAST_RETENTION: Duration = Duration::from_secs(26 * 60 * 60);

/// The place of `Custom__c` among them.
const CUSTOM: usize = 2;

/// What a client is expected to survive. Left out: a used up allocation of events, and what loses data by design; they have stories of
/// their own.
const KINDS: [TroubleKind; 23] = [
    TroubleKind::Unavailable,
    TroubleKind::Truncated,
    TroubleKind::Stalled,
    TroubleKind::Slow,
    TroubleKind::CutBefore,
    TroubleKind::CutAfter,
    TroubleKind::ExpiredSession,
    TroubleKind::ExpiredConnect,
    TroubleKind::QuotaExhausted,
    TroubleKind::ConcurrentLimit,
    TroubleKind::TokenBusy,
    TroubleKind::Busy,
    TroubleKind::DroppedClient,
    TroubleKind::Goodbye,
    TroubleKind::RefusedReplay,
    TroubleKind::Duplicated,
    TroubleKind::Delayed,
    TroubleKind::TopicRecreated,
    TroubleKind::TopicDeleted,
    TroubleKind::TopicDeactivated,
    TroubleKind::TopicChanged,
    TroubleKind::ClockJump,
    TroubleKind::LateRows,
];

const TOPICS: [TroubleKind; 4] =
    [TroubleKind::TopicRecreated, TroubleKind::TopicDeleted, TroubleKind::TopicDeactivated, TroubleKind::TopicChanged];

/// Occasions that are the connector's, or the org's own. Loads have their way in to themselves.
const ONLY: [&str; 25] = [
    "token",
    "describe_global",
    "describe",
    "query",
    "query_all",
    "query_more",
    "create",
    "update",
    "delete",
    "updated",
    "deleted",
    "composite",
    "retrieve",
    "bulk_query_create",
    "bulk_query_info",
    "bulk_query_results",
    "bulk_query_delete",
    "streaming",
    "handshake",
    "connect",
    "subscribe",
    "replay",
    "delivery",
    "change",
    "late",
];

/// Whether the clock jumps, once past what is kept of events, or rows are late: no transaction of Salesforce's is open for hours.
fn jumps(seed: u64) -> bool {
    (seed / 2).is_multiple_of(2)
}

/// Whether reads go by jobs, sweeps and polls too.
fn has_jobs(seed: u64) -> bool {
    (seed + seed / 2) % 2 == 1
}

/// Topics are let alone in every other seed, so that streams last.
fn trouble(seed: u64) -> Trouble {
    let spared: &[TroubleKind] = if seed % 2 == 1 { &TOPICS } else { &[] };
    let other = if jumps(seed) { TroubleKind::LateRows } else { TroubleKind::ClockJump };
    let strikes = |kind: &TroubleKind| *kind != other && !spared.contains(kind);
    Trouble {
        kinds: KINDS.into_iter().filter(strikes).map(|kind| (kind, 1)).collect(),
        only: ONLY.map(str::to_owned).into(),
        every: 12,
        stall_ms: 200,
        slow_ms: 100,
        // Each is waited for by seconds.
        refusals: 1,
        ..Trouble::from_seed(seed)
    }
}

fn workload(seed: u64) -> Workload {
    Workload {
        rate: RATE,
        seed,
        objects: STREAMS.map(|(object, ..)| object.to_owned()).into(),
        mix: Mix { create: 6, update: 12, delete: 3, undelete: 2, merge: 1, convert: 1 },
        twice: 20,
        cascade: true,
        ..Workload::default()
    }
}

/// What happened, summed up.
#[derive(Debug, Default)]
struct Counts {
    kills: usize,
    documents: u64,
    changes: u64,
    /// Bulk jobs that were asked for.
    jobs: u64,
    strikes: BTreeMap<TroubleKind, u64>,
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_strikes_a_capture_ends_complete_and_in_order() {
    let mut ends = side_by_side(seeds(), AT_ONCE, one_seed);
    let mut total = Counts::default();
    while let Some((seed, counts)) = ends.next().await {
        let counts = counts.unwrap_or_else(|_| panic!("seed {seed}; again: TROUBLE_SEEDS={seed}..{}", seed + 1));
        println!("seed {seed}: {counts:?}");
        total.kills += counts.kills;
        total.documents += counts.documents;
        total.changes += counts.changes;
        total.jobs += counts.jobs;
        counts.strikes.into_iter().for_each(|(kind, times)| *total.strikes.entry(kind).or_default() += times);
    }
    println!("{total:?}");
    assert!(total.strikes.len() > KINDS.len() / 2, "{total:?}");
}

fn seeds() -> Range<u64> {
    #[expect(clippy::disallowed_methods, reason = "whoever runs the tests says how long")]
    let Ok(given) = std::env::var("TROUBLE_SEEDS") else { return SEEDS };
    let (first, end) = given.split_once("..").expect("TROUBLE_SEEDS is a range such as 100..300");
    let number = |text: &str| text.parse().expect("TROUBLE_SEEDS is a range of numbers");
    number(first)..number(end)
}

async fn one_seed(seed: u64) -> Counts {
    // Killed clients' sessions live on in the org for a while.
    let streaming = cometd::Settings { max_clients: 1_000, seed, ..cometd::Settings::default() };
    // Jobs have several chunks, and several pages of results.
    let bulk = BulkSettings { query_chunk: 20, largest_page: 20_000, ..BulkSettings::default() };
    let settings = Settings { query_page: 50, streaming, bulk, ..Settings::default() };
    let org = Org::start_with(seed, &STREAMS.map(|(stream, _, rows)| (stream, rows)), settings).await;
    let mut config = org.config();
    config["advanced"]["sweep_interval"] = json!("PT1S");
    config["advanced"]["inspection_interval"] = json!("PT1S");
    if has_jobs(seed) {
        config["advanced"]["bulk_threshold"] = json!(0);
    }
    let resources = STREAMS.map(|(stream, mode, _)| json!({ "stream": stream, "mode": mode, "interval": "PT1S" }));
    let mut task = Task::prepare_bindings(config, &resources).await;
    org.emulator().start_workload(workload(seed)).expect("the workload suits the org");
    org.emulator().start_trouble(trouble(seed)).expect("the trouble makes sense");

    let mut random = StdRng::seed_from_u64(seed);
    let mut counts = Counts::default();
    let mut silent = Silent { jumps: jumps(seed), ..Silent::default() };
    while counts.kills < KILLS {
        let session = session(&mut task, &org, &mut random, &mut silent).await;
        session.unwrap_or_else(|last_words| panic!("a session ends itself: {last_words}"));
        counts.kills += 1;
    }
    let report = org.emulator().stop_workload().await;
    assert_eq!(report.failure, None, "seed {seed}");
    counts.changes =
        report.created + report.updated + report.deleted + report.undeleted + report.merged + report.converted;
    counts.strikes = org.emulator().stop_trouble().await.counts;
    counts.jobs = org.emulator().org().calls().get("bulk_query_create").copied().unwrap_or_default();
    assert!(!has_jobs(seed) || counts.jobs > 0, "no read goes by a job");
    // Rows that were captured while their object had another field had it too: every row is written once more.
    silent.drop_field(&org);
    org.ids(CHANGING).into_iter().for_each(|id| org.update(CHANGING, id, json!({ "LastName": "In the end" })));
    task.catch_up(&org).await;
    task.assert_faithful(&org);
    counts.documents = task.capture.documents();
    org.shutdown().await;
    counts
}

/// A session that is killed somewhere, with something silent in its middle. Its last words, if it ends by itself.
async fn session(task: &mut Task, org: &Org, random: &mut StdRng, silent: &mut Silent) -> Result<(), String> {
    let session = match task.capture.open(&task.connector).await {
        Ok(session) => session,
        Err(Error::Ended { exit, .. }) => return Err(last_words(exit)),
        Err(error) => panic!("the connector keeps to the protocol: {error}"),
    };
    let mut running = Running::of(task, session);
    go_on(&mut running, org, random.random_range(1..=THINGS)).await?;
    silent.happen(org, &running.task.capture, random).await;
    go_on(&mut running, org, random.random_range(1..=THINGS)).await?;
    running.kill().await;
    Ok(())
}

/// Commits what comes until so many lines and replies were seen. The last words of a session that ends before.
async fn go_on(running: &mut Running<'_>, org: &Org, things: u64) -> Result<(), String> {
    let mut replies = org.emulator().replies();
    let before = *replies.borrow_and_update();
    let mut lines = 0;
    while lines + *replies.borrow_and_update() - before < things {
        let next = async {
            tokio::select! {
                changed = replies.changed() => changed.map(|()| None).expect("the org runs"),
                line = running.session.message() => Some(line),
            }
        };
        match timeout(PATIENCE, next).await.expect("the capture goes on") {
            None => {}
            Some(Ok(Some(Message::Kept))) => lines += 1,
            Some(Ok(Some(Message::Checkpoint(group)))) => {
                lines += 1;
                // It may be gone before it is told.
                running.keep(group);
                let _ = running.session.acknowledge(1).await;
            }
            Some(Ok(None)) => return Err(last_words(running.session.ended().await.expect("the connector ends"))),
            Some(Err(Error::Ended { exit, .. })) => return Err(last_words(exit)),
            Some(Err(error)) => panic!("the connector keeps to the protocol: {error}"),
        }
    }
    Ok(())
}

fn last_words(exit: Exit) -> String {
    exit.last_log.unwrap_or_else(|| format!("nothing, with code {:?}", exit.code))
}

/// What no topic tells of, and what comes all at once.
#[derive(Debug, Default)]
struct Silent {
    done: u64,
    /// Whether the clock may be set past what is kept of events.
    jumps: bool,
    /// Whether the object that changes has its other field.
    has_field: bool,
    /// Records that the workload does not know.
    kept: Vec<Id>,
    deleted: Vec<Id>,
}

/// The object that has another field for a while.
const CHANGING: &str = "Contact";

impl Silent {
    fn add_field(&mut self, org: &Org) {
        if !std::mem::replace(&mut self.has_field, true) {
            change_schema(
                org,
                json!({ "add_field": { "object": CHANGING, "field": "Passing__c", "definition": { "type": "string" } } }),
            );
        }
    }

    fn drop_field(&mut self, org: &Org) {
        if std::mem::take(&mut self.has_field) {
            change_schema(org, json!({ "remove_field": { "object": CHANGING, "field": "Passing__c" } }));
        }
    }

    async fn happen(&mut self, org: &Org, capture: &Capture, random: &mut StdRng) {
        self.done += 1;
        match self.done % 4 {
            1 => {
                let rows: String = (0..50).map(|n| format!("loaded {n}\n")).collect();
                org.load("insert", "Custom__c", &format!("Name\n{rows}")).await;
                self.add_field(org);
                self.kept = (0..10).map(|n| org.create("Custom__c", json!({ "Name": format!("kept {n}") }))).collect();
            }
            2 => {
                let rows: String = some(org, "Contact", 40, random).map(|id| format!("{id},loaded\n")).collect();
                org.load("update", "Contact", &format!("Id,LastName\n{rows}")).await;
                if self.done < 4 {
                    org.create_many("Custom__c", &json!({ "Name": "one of many" }), 2_000);
                } else if self.jumps {
                    org.emulator().org().advance(PAST_RETENTION).expect("the clock moves");
                }
            }
            3 => {
                let rows: String = some(org, "Contact", 10, random).map(|id| format!("{id}\n")).collect();
                org.load("delete", "Contact", &format!("Id\n{rows}")).await;
                let is_known = |id: &mut Id| capture.collection(CUSTOM).rows().contains_key(id.as_str());
                let known: Vec<Id> = self.kept.extract_if(.., is_known).collect();
                known.iter().for_each(|id| org.delete("Custom__c", *id));
                self.deleted.extend(known);
                self.drop_field(org);
            }
            // Nobody hears of it. What was not captured as deleted before stays captured for good.
            _ => {
                let gone = |id: &mut Id| !capture.collection(CUSTOM).rows().contains_key(id.as_str());
                for id in self.deleted.extract_if(.., gone) {
                    block_in_place(|| org.emulator().org().purge("Custom__c", id)).expect("it is in the bin");
                }
            }
        }
    }
}

fn change_schema(org: &Org, change: Value) {
    let change: SchemaChange = serde_json::from_value(change).expect("a change");
    block_in_place(|| org.emulator().org().change_schema([change])).expect("Salesforce offers this change");
}

/// So many of an object's records.
fn some(org: &Org, object: &str, count: usize, random: &mut StdRng) -> impl Iterator<Item = Id> {
    let mut ids = org.ids(object);
    (0..count).map_while(move |_| (!ids.is_empty()).then(|| ids.swap_remove(random.random_range(0..ids.len()))))
}
