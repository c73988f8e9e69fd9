//! The connector is killed, again and again, and restarted from the last committed state: nothing is lost, and nothing goes
//! back in time.
//!
//! Two things of a session can be seen from outside: a line on stdout, and an HTTP reply on its way to the connector. A
//! kill comes right after one of them. Each seed is an org of its own, which changes all the while; its sessions are killed
//! after the first thing, after the second, and so on through start-up, then at growing distances, deep inside groups of
//! history and among live events. In half of the seeds all that is read comes by Bulk jobs. SIGKILL leaves no time for anything.

use demo::runtime::{Message, Session};
use futures::StreamExt as _;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use salesforce_emulator::{BulkSettings, Settings, cometd};
use serde_json::json;
use tokio::{sync::watch, time::timeout};

use super::{org::Org, program::PATIENCE, side_by_side::side_by_side, task::Task};

const SEEDS: u64 = 20;
const KILLS: u32 = 26;
/// Seeds under way at a time.
const AT_ONCE: usize = 2;
/// So many kills of a seed come after each single thing of a session's start.
const STEPS: u64 = 18;
/// Beyond, they are at most so many things further apart each time.
const STRIDE: u64 = 12;

/// Changes a second, all the while.
const RATE: f64 = 40.0;

/// Wide rows that are fetched, narrow ones that their events carry, and some that are polled.
const STREAMS: [&str; 4] = ["Account", "Contact", "Custom__c", "Lead"];

/// What happened, summed up.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    kills: u32,
    after_replies: u32,
    within_groups: u32,
    documents: u64,
    checkpoints: u64,
    changes: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_a_capture_ends_complete_and_in_order() {
    let mut ends = side_by_side(0..SEEDS, AT_ONCE, one_seed);
    let mut total = Counts::default();
    while let Some((seed, counts)) = ends.next().await {
        let counts = counts.unwrap_or_else(|_| panic!("seed {seed}: its captures are not complete or not in order"));
        total.kills += counts.kills;
        total.after_replies += counts.after_replies;
        total.within_groups += counts.within_groups;
        total.documents += counts.documents;
        total.checkpoints += counts.checkpoints;
        total.changes += counts.changes;
    }
    println!("{SEEDS} seeds: {total:?}");
    assert!(total.kills >= 500, "{total:?}");
    assert!(total.after_replies >= 50 && total.within_groups >= 50, "{total:?}");
}

async fn one_seed(seed: u64) -> Counts {
    // Few rows in every other seed, whose kills then fall into streaming; pages of few rows in all.
    let rows = if seed.is_multiple_of(2) { 150 } else { 15 };
    // A killed client's session lives on in the org for a while.
    let streaming = cometd::Settings { max_clients: 1_000, seed, ..cometd::Settings::default() };
    let bulk = BulkSettings { query_chunk: 20, ..BulkSettings::default() };
    let settings = Settings { query_page: 40, streaming, bulk, ..Settings::default() };
    let org = Org::start_with(seed, &STREAMS.map(|stream| (stream, rows)), settings).await;
    let mode = |stream| if stream == "Lead" { "poll" } else { "auto" };
    let resources = STREAMS.map(|stream| json!({ "stream": stream, "mode": mode(stream), "interval": "PT1S" }));
    let mut config = org.config();
    if seed >= SEEDS / 2 {
        config["advanced"]["bulk_threshold"] = json!(0);
    }
    let mut task = Task::prepare_bindings(config, &resources).await;
    org.change_steadily(&STREAMS, RATE, seed);

    let mut random = StdRng::seed_from_u64(seed);
    let mut counts = Counts::default();
    let mut things = 0;
    for kill in 0..KILLS {
        things += if u64::from(kill) < STEPS { 1 } else { random.random_range(1..=STRIDE) };
        kill_after(things, &org, &mut task, &mut counts).await;
    }
    let report = org.emulator().stop_workload().await;
    assert_eq!(report.failure, None, "seed {seed}");
    counts.changes = report.created + report.updated + report.deleted + report.undeleted;

    // A last change in each channel: when it has arrived, all before it was seen.
    for stream in STREAMS {
        let fields = match stream {
            "Lead" => json!({ "LastName": "the last", "Company": "of all" }),
            "Contact" => json!({ "LastName": "the last" }),
            _ => json!({ "Name": "the last" }),
        };
        org.create(stream, fields);
    }
    task.catch_up(&org).await;
    task.assert_faithful(&org);
    counts.documents = task.capture.documents();
    counts.checkpoints = task.capture.checkpoints();
    org.shutdown().await;
    counts
}

/// Runs a session and kills it once so many lines and replies were seen.
async fn kill_after(things: u64, org: &Org, task: &mut Task, counts: &mut Counts) {
    counts.kills += 1;
    let mut replies = org.emulator().replies();
    let before = *replies.borrow_and_update();
    // `spec` is answered before `open` is sent, and `opened` comes before anything else.
    if things == 1 {
        let (process, _) = task.connector.start().await.expect("the connector starts");
        process.kill().await.expect("the connector can be killed");
        return;
    }
    let mut running = task.open().await;
    let mut lines = 2;
    let mut within_group = false;
    loop {
        let seen = *replies.borrow_and_update() - before;
        if lines + seen >= things {
            break;
        }
        match timeout(PATIENCE, next(&mut running.session, &mut replies)).await.expect("the capture goes on") {
            Thing::Reply => counts.after_replies += u32::from(lines + *replies.borrow() - before >= things),
            Thing::Line(Message::Kept) => (lines, within_group) = (lines + 1, true),
            Thing::Line(Message::Checkpoint(group)) => {
                (lines, within_group) = (lines + 1, false);
                running.commit(group).await;
            }
        }
    }
    counts.within_groups += u32::from(within_group);
    running.kill().await;
}

enum Thing {
    Line(Message),
    Reply,
}

/// What happens next.
async fn next(session: &mut Session, replies: &mut watch::Receiver<u64>) -> Thing {
    tokio::select! {
        changed = replies.changed() => {
            changed.expect("the org runs");
            Thing::Reply
        }
        line = session.message() => Thing::Line(line.expect("the protocol is kept").expect("the session goes on")),
    }
}
