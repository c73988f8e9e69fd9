//! How far a stream is complete is said, and true; what a gap has cost and was mended with is said in numbers; and a pull that ends
//! when it has caught up has all that was there when it began.

use std::{collections::BTreeMap, time::Duration};

use demo::runtime::{Captured, Collection};
use jiff::{SignedDuration, Timestamp};
use salesforce_emulator::{Emulator, FaultAction, FaultRule, org::Id};
use serde_json::{Value, json};
use tokio::task::block_in_place;

use super::{
    org::Org,
    program,
    task::{Running, Task, id_of},
};

const HOUR: Duration = Duration::from_secs(3_600);

fn advance(org: &Org, time: Duration) {
    org.emulator().org().advance(time).expect("the clock moves");
}

/// A config that sweeps so often.
fn config(org: &Org, sweeps: &str) -> Value {
    let mut config = org.config();
    config["advanced"]["sweep_interval"] = json!(sweeps);
    config
}

/// The streams, with documents that tell how far they are complete; polled ones each second.
fn telling(streams: &[&str]) -> Vec<Value> {
    streams.iter().map(|stream| json!({ "stream": stream, "interval": "PT1S", "complete_until": true })).collect()
}

fn complete_until(document: &Value) -> Option<Timestamp> {
    document["_meta"]["complete_until"].as_str().map(|until| until.parse().expect("a date and time"))
}

/// Lines of the log with this message.
fn lines(log: &[String], message: &str) -> Vec<Value> {
    let lines = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["message"].as_str().is_some_and(|said| said.contains(message))).collect()
}

/// The numbers of the one repair in a log.
fn repaired(log: &[String]) -> Value {
    let lines = lines(log, "repaired: changes that may not have been heard are read");
    assert_eq!(lines.len(), 1, "{}", log.join("\n"));
    lines[0]["fields"].clone()
}

/// Waits for some sweeps. Those of several streams ask together: a call for what is visible, and one for the rows.
async fn sweeps_pass(org: &Org) {
    let sweeps = |emulator: &Emulator| {
        let calls = emulator.org().calls();
        ["updated", "query_all", "composite"].iter().filter_map(|kind| calls.get(*kind)).sum::<u64>()
    };
    let until = sweeps(org.emulator()) + 8;
    org.replied_until(|emulator| sweeps(emulator) >= until).await;
}

/// Rows are loaded in silence, and time passes in which nothing else happens. When a document says that its stream is complete up to
/// a time after the load, all of the load is in documents before it.
#[tokio::test(flavor = "multi_thread")]
async fn documents_tell_up_to_when_nothing_is_missing() {
    let org = Org::start(&[("Account", 30)]).await;
    advance(&org, HOUR);
    let streams = ["Account", "User"];
    let mut task = Task::prepare_bindings(config(&org, "PT1S"), &telling(&streams)).await;
    let mut running = task.open().await;
    running.until_live().await;
    running.agree(&org).await;
    let history = running.captured.iter().filter(|captured| complete_until(&captured.document).is_none()).count();
    assert!(history >= 30, "while history is read nothing is complete");

    let loaded = org.ids("Account")[..10].to_vec();
    let named = |id: &Id| format!("{id},loaded\n");
    org.load("update", "Account", &format!("Id,Name\n{}", loaded.iter().map(named).collect::<String>())).await;
    let at = |id: &Id| org.truth("Account")[&id.to_string()]["SystemModstamp"].as_str().and_then(|at| at.parse().ok());
    let load: Timestamp = loaded.iter().filter_map(at).max().expect("rows with stamps");
    advance(&org, HOUR);

    // Time passes unheard until another document tells of it.
    let (mut found, mut tries) = (None, 0);
    while found.is_none() {
        tries += 1;
        assert!(tries < 100, "no document tells of it");
        sweeps_pass(&org).await;
        let news = org.create("Account", json!({ "Name": format!("news {tries}") })).to_string();
        running.until(|capture| capture.collection(0).rows().contains_key(&news)).await;
        found = running.captured.iter().position(|captured| {
            captured.binding == 0 && complete_until(&captured.document).is_some_and(|until| until > load)
        });
    }
    let before = &running.captured[..found.unwrap_or_default()];
    for id in &loaded {
        let is_loaded = |document: &Value| id_of(document) == id.to_string() && document["Name"] == "loaded";
        assert!(before.iter().any(|captured| is_loaded(&captured.document)), "{id} is missing");
    }
    for binding in 0..streams.len() {
        let told: Vec<_> = running.captured.iter().filter(|captured| captured.binding == binding).collect();
        let told: Vec<_> = told.iter().filter_map(|captured| complete_until(&captured.document)).collect();
        assert!(told.is_sorted(), "{told:?}");
    }
    running.end().await;
    task.assert_faithful(&org);

    let stream = "{stream: Account, complete_until: true}";
    let schema = program::schema(&org.config(), stream).await;
    assert_eq!(schema["properties"]["_meta"]["properties"]["complete_until"]["format"], "date-time");
    let plain = program::schema(&org.config(), "Account").await;
    assert!(plain["properties"]["_meta"]["properties"]["complete_until"].is_null());
    org.shutdown().await;
}

/// A contact is made and announced. Answers its document.
async fn news(running: &mut Running<'_>, org: &Org) -> Value {
    let id = org.create("Contact", json!({ "LastName": "News" })).to_string();
    running.until(|capture| capture.collection(0).rows().contains_key(&id)).await;
    let captured = running.captured.iter().rfind(|captured| id_of(&captured.document) == id);
    captured.expect("it is captured").document.clone()
}

/// A contact is deleted in silence and purged before any sweep can see it in the recycle bin. Sweeps go on, the org's list of deletions
/// is due later: until it is read, no document says that its stream is complete beyond the deletion.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_complete_before_the_list_of_deletions_is_read() {
    let org = Org::start(&[("Contact", 12)]).await;
    advance(&org, HOUR);
    let known = org.emulator().org().clone();
    let mut task = Task::prepare_bindings(config(&org, "PT1S"), &telling(&["Contact"])).await;
    let mut running = task.open().await;
    running.until_live().await;
    let gone = org.ids("Contact")[0];
    org.load("delete", "Contact", &format!("Id\n{gone}\n")).await;
    block_in_place(|| known.purge("Contact", gone)).expect("it is in the bin");
    let deleted = known.now();

    // No list is due yet. The clock is past the deletion, and so is what the org says is visible.
    advance(&org, Duration::from_secs(180));
    sweeps_pass(&org).await;
    let told = complete_until(&news(&mut running, &org).await).expect("it was complete before");
    assert!(told <= deleted, "complete up to {told}, deleted {deleted}");
    let is_gone = |it: &Captured| id_of(&it.document) == gone.to_string() && it.document["_meta"]["op"] == "d";
    assert!(!running.captured.iter().any(is_gone), "nothing but the list tells of it");

    // The emulated org forgets what is purged by hand; Salesforce's list names what its own cleaning has purged.
    let body = json!({
        "deletedRecords": [{ "id": gone.as_str(), "deletedDate": deleted.to_string() }],
        "earliestDateAvailable": "2020-01-01T00:00:00.000+0000",
        "latestDateCovered": (deleted + SignedDuration::from_secs(HOUR.as_secs() as i64)).to_string(),
    });
    let (kind, action) = (Some("deleted".to_owned()), FaultAction::Reply { status: 200, body: Some(body) });
    org.emulator().add_fault(FaultRule { method: None, path: None, kind, nth: 1, count: Some(1), action });
    advance(&org, HOUR);
    let tells = |it: &Captured| complete_until(&it.document).is_some_and(|until| until > deleted);
    let mut tries = 0;
    while !running.captured.iter().any(tells) {
        tries += 1;
        assert!(tries < 100, "no document tells of it");
        sweeps_pass(&org).await;
        news(&mut running, &org).await;
    }
    let (first, written) = (running.captured.iter().position(tells), running.captured.iter().position(is_gone));
    assert!(written.is_some() && written < first, "deleted {written:?}, complete {first:?}");
    running.end().await;
    task.assert_faithful(&org);
    org.shutdown().await;
}

/// The status tells the oldest time over all bindings, and whose it is; the log each binding's own.
#[tokio::test(flavor = "multi_thread")]
async fn the_status_tells_how_far_all_is_complete() {
    let org = Org::start(&[("Account", 30), ("Contact", 30)]).await;
    let before = org.emulator().org().now();
    let mut task = Task::prepare(&org, &["Account", "Contact"]).await;
    let mut running = task.open().await;
    let log = running.says("Capturing changes of all 2 bindings: streaming 2; complete up to ").await;
    running.end().await;
    let status = lines(&log, "; complete up to ").pop().expect("it was said");
    let (_, said) = status["message"].as_str().and_then(|said| said.split_once("; complete up to ")).expect("a status");
    let (until, whose) = said.split_once(' ').expect("a time, and whose it is");
    assert!(["(the oldest: Account)", "(the oldest: Contact)"].contains(&whose), "{said}");
    // What a first read covers is what the org says is visible before anything is subscribed.
    let until: Timestamp = until.parse().expect("a time");
    let now = org.emulator().org().now();
    assert!(before - SignedDuration::from_secs(301) <= until && until <= now, "{said}");
    for line in lines(&log, "history is read") {
        assert_eq!((&line["fields"]["rows"], &line["fields"]["documents"]), (&json!(30), &json!(30)));
        assert!(line["fields"]["complete_until"].is_string(), "{line}");
    }
    org.shutdown().await;
}

/// A task with one stream that has heard one event, and does not run now; the rows are hours old.
async fn a_task_at_rest(org: &Org) -> Task {
    advance(org, 3 * HOUR);
    let mut task = Task::prepare(org, &["Account"]).await;
    let mut running = task.open().await;
    running.until_live().await;
    org.update("Account", org.ids("Account")[0], json!({ "Name": "announced" }));
    running.agree(org).await;
    running.end().await;
    advance(org, HOUR);
    task
}

/// While nothing runs for days, rows are changed and deleted. All of it is found, and said in numbers.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_stop_has_cost_is_told_in_numbers() {
    let org = Org::start(&[("Account", 40)]).await;
    let mut task = a_task_at_rest(&org).await;
    let stopped = org.emulator().org().now();
    let ids = org.ids("Account");
    ids[1..8].iter().for_each(|id| org.update("Account", *id, json!({ "Name": "changed" })));
    ids[8..11].iter().for_each(|id| org.delete("Account", *id));
    advance(&org, 72 * HOUR);

    let mut running = task.open().await;
    let mut log = running.says("; repaired: Account, changes from ").await;
    running.agree(&org).await;
    log.extend(running.end().await);
    task.assert_faithful(&org);
    let numbers = repaired(&log);
    // The row that was announced before the stop is read once more: a repair overlaps what was heard.
    let expect = json!({ "stream": "Account", "rows": 11, "documents": 11, "deleted": 3, "purged": 0 });
    for (name, value) in expect.as_object().expect("numbers") {
        assert_eq!(&numbers[name], value, "{name}: {numbers}");
    }
    let time = |name: &str| numbers[name].as_str().and_then(|time| time.parse::<Timestamp>().ok()).expect("a time");
    assert!(time("since") < stopped && stopped + SignedDuration::from_hours(71) < time("until"), "{numbers}");
    let status = &lines(&log, "; repaired: Account, changes from ")[0]["message"];
    let says = "11 rows read, 11 documents written, 3 of them deletions found in the recycle bin and 0 by the list of deletions";
    assert!(status.as_str().is_some_and(|status| status.ends_with(says)), "{status}");
    org.shutdown().await;
}

/// Salesforce refuses its list of deletions once somebody has emptied the recycle bin: what is left is to read all anew, and that is
/// offered.
#[tokio::test(flavor = "multi_thread")]
async fn where_purged_rows_are_unknown_a_full_read_is_offered() {
    let org = Org::start(&[("Account", 40)]).await;
    let mut task = a_task_at_rest(&org).await;
    org.delete("Account", org.ids("Account")[5]);
    block_in_place(|| org.emulator().org().empty_recycle_bin()).expect("the bin is emptied");
    advance(&org, 72 * HOUR);

    let mut running = task.open().await;
    let mut log = running.says("; repaired: Account, changes from ").await;
    log.extend(running.end().await);
    let numbers = repaired(&log);
    assert_eq!((&numbers["deleted"], &numbers["purged"]), (&json!(0), &json!(0)));
    let offer = "for a full re-read, backfill the binding in Flow, or begin a pull with a new --state file";
    let status = &lines(&log, "; repaired: Account, changes from ")[0]["message"];
    assert!(status.as_str().is_some_and(|status| status.contains(offer)), "{status}");
    let warning = lines(&log, "records deleted and purged from the recycle bin meanwhile cannot be found out");
    assert_eq!(warning.len(), 1, "{}", log.join("\n"));
    assert!(warning[0]["level"] == "warn" && warning[0]["message"].as_str().is_some_and(|said| said.contains(offer)));
    org.shutdown().await;
}

/// Pulls with a state until they have caught up.
struct Pulls {
    org: Org,
    arguments: Vec<String>,
    collections: BTreeMap<String, Collection>,
    _folder: tempfile::TempDir,
}

impl Pulls {
    fn of(org: Org, streams: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("state.json").display().to_string();
        let words = ["pull", "--config", "-", "--state", &state, "--until-caught-up", "--tagged", "--stream"];
        let arguments = words.iter().chain(streams).map(|word| (*word).to_owned()).collect();
        Self { org, arguments, collections: BTreeMap::new(), _folder: folder }
    }

    /// One pull, reduced.
    async fn pull(&mut self) -> program::Run {
        let run = program::run(&self.arguments, self.org.config().to_string()).await;
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        for line in run.stdout.lines() {
            let (stream, document): (String, Value) = serde_json::from_str(line).expect("a tagged document");
            self.collections.entry(stream).or_default().reduce(document).expect("a whole document");
        }
        run
    }

    fn assert_agree(&self, stream: &str) {
        let rows = self.collections[stream].rows();
        let difference = demo::verdict::Difference::between(stream, rows, &self.org.truth(stream));
        assert!(difference.is_empty(), "{difference}");
    }
}

/// Nothing announces what is loaded, or deleted in cascade. A pull has it all the same when it says that it has caught
/// up, although it is no time for a sweep yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_pull_that_has_caught_up_has_what_nobody_announced() {
    let org = Org::start(&[("Account", 30), ("Contact", 20), ("User", 5)]).await;
    let parent = org.create("Account", json!({ "Name": "Parent" }));
    org.create_many("Contact", &json!({ "LastName": "Child", "AccountId": parent.to_string() }), 10);
    let streams = ["Account", "Contact", "User"];
    let mut pulls = Pulls::of(org, &streams);
    pulls.pull().await;
    streams.iter().for_each(|stream| pulls.assert_agree(stream));

    let org = &pulls.org;
    let ids = org.ids("Account");
    org.load("insert", "Account", &format!("Name\n{}", "loaded\n".repeat(50))).await;
    org.load("update", "Account", &format!("Id,Name\n{},loaded\n", ids[1])).await;
    org.load("delete", "Account", &format!("Id\n{}\n", ids[2])).await;
    org.delete("Account", parent);
    let run = pulls.pull().await;
    streams.iter().for_each(|stream| pulls.assert_agree(stream));
    let log: Vec<_> = run.stderr.lines().map(str::to_owned).collect();
    let ends = lines(&log, "pulled");
    assert_eq!(ends.len(), streams.len(), "{}", run.stderr);
    for end in ends {
        assert!(end["fields"]["documents"].is_u64() && end["fields"]["complete_until"].is_string(), "{end}");
    }
    pulls.org.shutdown().await;
}

/// Where changes never end, catching up does.
#[tokio::test(flavor = "multi_thread")]
async fn a_pull_from_a_busy_org_ends() {
    let org = Org::start(&[("Account", 30)]).await;
    org.change_steadily(&["Account"], 30.0, 1);
    let mut pulls = Pulls::of(org, &["Account"]);
    for _ in 0..2 {
        pulls.pull().await;
    }
    assert!(pulls.collections["Account"].rows().len() >= 20);
    pulls.org.shutdown().await;
}
