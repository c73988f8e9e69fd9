//! The connector is killed, again and again, and the runtime sends again what was not committed: nothing is lost, and nothing is
//! doubled.
//!
//! A kill comes right after an HTTP reply has left the org (of a sign-in, a describe, a write, a step of a job), or between the answer
//! to `startCommit` and that to `acknowledge`, with the commit done or not. In half of the seeds all rows travel by Bulk jobs. What was
//! not committed comes again together with what comes next, as a runtime that restarts may combine it.

use std::collections::BTreeMap;

use demo::runtime::{Delivery, Patch, Transaction};
use futures::StreamExt as _;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use salesforce_emulator::{Emulator, Settings, org::BulkStop};
use serde_json::{Value, json};
use tokio::{sync::watch, task::block_in_place, time::timeout};

use super::desk::{Desk, MATCH, by_match, document, make_matchable, target};
use crate::{org::Org, program::PATIENCE, side_by_side::side_by_side};

const SEEDS: u64 = 10;
const KILLS: u32 = 24;
/// Seeds under way at a time.
const AT_ONCE: usize = 2;
/// The first kills of a seed come after each single reply.
const STEPS: u32 = 12;
/// Records that changes are made to.
const KEYS: u64 = 60;
const OBJECTS: [&str; 3] = ["Lead", "Account", "Contact"];

/// Where a session is ended.
#[derive(Debug, Clone, Copy)]
enum Kill {
    AfterReplies(u64),
    BeforeCommit,
    AfterCommit,
}

/// What happened, summed up.
#[derive(Debug, Default)]
struct Counts {
    kills: u32,
    while_writing: u32,
    around_commits: u32,
    stored: usize,
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_nothing_is_lost_or_doubled() {
    let mut ends = side_by_side(0..SEEDS, AT_ONCE, one_seed);
    let mut total = Counts::default();
    while let Some((seed, counts)) = ends.next().await {
        let counts = counts.unwrap_or_else(|_| panic!("seed {seed}: its rows are not all there, once"));
        total.kills += counts.kills;
        total.while_writing += counts.while_writing;
        total.around_commits += counts.around_commits;
        total.stored += counts.stored;
    }
    println!("{SEEDS} seeds: {total:?}");
    assert!(total.kills >= 200, "{total:?}");
    assert!(total.while_writing >= 50 && total.around_commits >= 40, "{total:?}");
}

/// A job goes on in the org although the session that made it was killed. The next one waits for it: what it writes is not followed by
/// what is older.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_was_left_behind_is_waited_for() {
    const KEY: &str = "00Q000000000001AAA";
    let org = Org::start(&[]).await;
    make_matchable(&org, &["Lead"]);
    let mut config = org.config();
    config["advanced"]["bulk_threshold"] = json!(1);
    let resource = json!({ "object": "Lead", "match_field": MATCH });
    let targets = vec![target(resource, &["LastName", "Company", "Phone"])];
    let mut desk = Desk::prepare_with(config, targets).await.expect("the materialization is valid");
    let row = |phone: &str| (0, document("u", KEY, json!({ "LastName": "Ngo", "Company": "Acme", "Phone": phone })));
    let is_held = |emulator: &Emulator| block_in_place(|| emulator.org().bulk_jobs()).iter().any(|job| job.held);

    org.emulator().org().stop_bulk(BulkStop { before_chunk: 1, object: None, job: None, fail: None });
    let old = desk.transaction([row("old")]);
    let mut delivery = desk.open().await;
    tokio::select! {
        ended = desk.commit(&mut delivery, &old) => panic!("the job is done: {ended:?}"),
        () = org.replied_until(is_held) => {}
    }
    delivery.kill().await.expect("it can be killed");

    let looks = |emulator: &Emulator| emulator.org().calls().get("bulk_ingest_list").copied().unwrap_or_default();
    let before = looks(org.emulator());
    let transaction = desk.transaction([row("new")]);
    tokio::select! {
        opened = desk.task.open(&desk.connector) => panic!("it does not wait: {opened:?}"),
        () = org.replied_until(|emulator| looks(emulator) >= before + 2) => {}
    }
    block_in_place(|| org.emulator().org().release_bulk());
    let mut delivery = desk.open().await;
    desk.commit(&mut delivery, &transaction).await.expect("the transaction is taken");
    assert_eq!(json!(by_match(&org, "Lead", &["Phone"])), json!({ KEY: { "Phone": "new" } }));
    org.shutdown().await;
}

/// What the org should hold: by object and key, the fields that are compared.
type Truth = BTreeMap<(usize, String), Value>;

async fn one_seed(seed: u64) -> Counts {
    let org = Org::start_with(seed, &[], Settings::default()).await;
    make_matchable(&org, &OBJECTS);
    let mut config = org.config();
    config["advanced"]["bulk_threshold"] = json!(if seed.is_multiple_of(2) { 0 } else { 1 });
    let resource = |object: &str| match object {
        "Contact" => json!({ "object": object, "match_field": MATCH, "operation": "insert" }),
        _ => json!({ "object": object, "match_field": MATCH, "deletions": "delete" }),
    };
    let targets =
        OBJECTS.map(|object| target(resource(object), &["LastName", "Company", "Name", "Phone", "Description"])).into();
    let mut desk = Desk::prepare_with(config, targets).await.expect("the materialization is valid");

    let mut random = StdRng::seed_from_u64(seed);
    let (mut counts, mut truth) = (Counts::default(), Truth::new());
    let mut transaction = Transaction::default();
    while counts.kills < KILLS {
        for _ in 0..random.random_range(1..60) {
            let (binding, document) = change(&mut random, &mut truth);
            transaction.add(desk.task.targets(), binding, document);
        }
        let kill = match random.random_range(0..4) {
            0 => Kill::BeforeCommit,
            1 => Kill::AfterCommit,
            _ if counts.kills < STEPS => Kill::AfterReplies(u64::from(counts.kills) + 1),
            _ => Kill::AfterReplies(random.random_range(2..25)),
        };
        counts.stored += transaction.len();
        if attempt(&mut desk, &org, &transaction, Some(kill), &mut counts).await {
            transaction = Transaction::default();
        }
    }
    attempt(&mut desk, &org, &transaction, None, &mut counts).await;

    for (binding, object) in OBJECTS.into_iter().enumerate() {
        let fields: &[&str] = if object == "Account" { &["Name", "Phone"] } else { &["LastName", "Phone"] };
        let expected: BTreeMap<_, _> = truth
            .iter()
            .filter(|((of, _), _)| *of == binding)
            .map(|((_, key), row)| (key.clone(), row.clone()))
            .collect();
        assert_eq!(by_match(&org, object, fields), expected, "seed {seed}: {object}");
        assert_eq!(org.ids(object).len(), expected.len(), "seed {seed}: {object}: nothing is there twice");
    }
    org.shutdown().await;
    counts
}

/// A change to one of the records, noted in the truth.
fn change(random: &mut StdRng, truth: &mut Truth) -> (usize, Value) {
    let binding = random.random_range(0..OBJECTS.len());
    let object = OBJECTS[binding];
    // What is only ever inserted has a key of its own each time, as the records of a log have.
    let keys = if object == "Contact" { KEYS..1_000_000_000 } else { 0..KEYS };
    let key = format!("00Q{:012}AAA", random.random_range(keys));
    let place = (binding, key.clone());
    if object != "Contact" && random.random_range(0..5) == 0 {
        truth.remove(&place);
        return (binding, document("d", &key, json!({})));
    }
    let name = format!("N{}", random.random_range(0..1_000_000));
    let phone = match random.random_range(0..3) {
        0 => Value::Null,
        _ => json!(random.random_range(0..1_000_000).to_string()),
    };
    let named = if object == "Account" { "Name" } else { "LastName" };
    let mut fields = json!({ named: name, "Phone": phone });
    if object == "Lead" {
        fields["Company"] = json!("Acme");
    }
    truth.insert(place, json!({ named: name, "Phone": phone }));
    (binding, document("u", &key, fields))
}

/// A session with one transaction, killed there. Answers whether the transaction was committed.
async fn attempt(
    desk: &mut Desk,
    org: &Org,
    transaction: &Transaction,
    kill: Option<Kill>,
    counts: &mut Counts,
) -> bool {
    let replies = org.emulator().replies();
    let Desk { task, connector } = desk;
    let targets = task.targets().to_vec();
    let stored = async {
        let mut delivery = task.open(connector).await.expect("a session opens");
        let patch = delivery.store(&targets, transaction).await.expect("the transaction is taken");
        (delivery, patch)
    };
    let (delivery, patch): (Delivery, Patch) = tokio::select! {
        stored = timeout(PATIENCE, stored) => stored.expect("the session goes on"),
        () = after(replies, kill) => {
            // What is dropped here is killed.
            counts.kills += 1;
            counts.while_writing += 1;
            return false;
        }
    };
    let mut delivery = delivery;
    match kill {
        Some(Kill::BeforeCommit) => {
            delivery.kill().await.expect("it can be killed");
            (counts.kills, counts.around_commits) = (counts.kills + 1, counts.around_commits + 1);
            return false;
        }
        Some(Kill::AfterCommit) => {
            task.committed(patch);
            delivery.kill().await.expect("it can be killed");
            (counts.kills, counts.around_commits) = (counts.kills + 1, counts.around_commits + 1);
        }
        _ => {
            task.committed(patch);
            let patch = delivery.acknowledge().await.expect("it acknowledges");
            task.committed(patch);
            assert_eq!(delivery.close().await.expect("it ends").code, Some(0));
        }
    }
    true
}

/// Resolves when so many replies have left the org.
async fn after(mut replies: watch::Receiver<u64>, kill: Option<Kill>) {
    let Some(Kill::AfterReplies(count)) = kill else { return std::future::pending().await };
    let before = *replies.borrow_and_update();
    replies.wait_for(|now| now - before >= count).await.expect("the org runs");
}
