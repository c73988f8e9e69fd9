//! A capture that is split, and two instances of one at once: topics, jobs and calls are shared, documents are not.

use std::{collections::BTreeSet, mem, pin::pin};

use demo::runtime::{Group, Patch, Session, merge_patch};
use futures::future::select_all;
use salesforce_emulator::{BulkSettings, BulkStop, Settings};
use serde_json::{Value, json};
use tokio::{
    sync::oneshot,
    task::block_in_place,
    time::{sleep, timeout},
};

use super::{
    org::Org,
    program::{self, PATIENCE},
    task::Task,
};

/// The halves of the key space.
const HALVES: [(u32, u32); 2] = [(0, 0x7fff_ffff), (0x8000_0000, u32::MAX)];

/// Two bindings of the lower half, then two of the upper one.
const STREAMS: [&str; 4] = ["Account", "Contact", "Lead", "Custom__c"];
const OWN: [[usize; 2]; 2] = [[0, 1], [2, 3]];

/// A shard of a task: a part of the keys, a state of its own, a session.
struct Shard {
    session: Session,
    state: Value,
    /// Bindings of which it sent documents or schemas.
    wrote: BTreeSet<usize>,
    /// Its updates of the state, in order.
    patches: Vec<Value>,
}

impl Shard {
    /// Opens a session of a task that serves these keys.
    async fn open(task: &Task, (begin, end): (u32, u32), state: Value) -> Self {
        let mut request = task.capture.open_request();
        request["open"]["range"] = json!({ "keyBegin": begin, "keyEnd": end, "rClockEnd": u32::MAX });
        request["open"]["state"] = state.clone();
        let session = Session::open(&task.connector, &request, task.capture.bindings().len()).await;
        Self { session: session.expect("a session opens"), state, wrote: BTreeSet::new(), patches: Vec::new() }
    }

    /// Opens both halves.
    async fn halves(task: &Task, state: &Value) -> [Self; 2] {
        let [low, high] = HALVES;
        [Self::open(task, low, state.clone()).await, Self::open(task, high, state.clone()).await]
    }

    /// Commits a group: documents to the collections, which all shards share, and the patch to this shard's state.
    fn keep(&mut self, task: &mut Task, mut group: Group) {
        self.wrote.extend(group.documents.iter().map(|captured| captured.binding));
        self.wrote.extend(group.schemas.iter().map(|sourced| sourced.binding));
        match mem::take(&mut group.patch) {
            Patch::Keep => {}
            Patch::Merge(patch) => {
                self.patches.push(patch.clone());
                merge_patch::apply(&mut self.state, patch);
            }
            Patch::Replace(state) => panic!("a shard does not know all of its state: {state}"),
        }
        task.capture.commit(group).expect("documents can be reduced");
    }

    /// The state keys that its patches have touched.
    fn touched(&self) -> BTreeSet<String> {
        let positions = self.patches.iter().filter_map(|patch| patch["bindingStateV1"].as_object());
        positions.flat_map(|positions| positions.keys().cloned()).collect()
    }

    /// Ends the session as the runtime does. Returns its log.
    async fn end(&mut self, task: &mut Task) -> String {
        self.session.close();
        while let Some(group) = timeout(PATIENCE, self.session.group()).await.expect("an end").expect("whole groups") {
            self.keep(task, group);
        }
        let exit = self.session.ended().await.expect("the connector ends");
        let log = exit.log.join("\n");
        assert_eq!(exit.code, Some(0), "{log}");
        log
    }
}

/// Commits what the shards capture until `done`.
async fn until(shards: &mut [Shard], task: &mut Task, mut done: impl FnMut(&[Shard], &Task) -> bool) {
    let mut deadline = pin!(sleep(PATIENCE));
    while !done(shards, task) {
        let groups = shards.iter_mut().map(|shard| Box::pin(shard.session.group()));
        let found = tokio::select! {
            (group, n, _) = select_all(groups) => Some((group.expect("the connector keeps to the protocol"), n)),
            () = &mut deadline => None,
        };
        let Some((group, n)) = found else {
            let logs: Vec<_> = shards.iter_mut().flat_map(|shard| shard.session.process().take_log()).collect();
            panic!("what the test waits for is not said; the log:\n{}", logs.join("\n"));
        };
        shards[n].keep(task, group.expect("a session goes on"));
        shards[n].session.acknowledge(1).await.expect("the connector listens");
    }
}

/// Commits what the shards capture until all together agree with the org, in which nothing may change meanwhile.
async fn agree(shards: &mut [Shard], task: &mut Task, org: &Org) {
    until(shards, task, |_, task| task.differences(org).is_empty()).await;
}

fn keys(task: &Task, bindings: [usize; 2]) -> BTreeSet<String> {
    bindings.iter().map(|binding| task.capture.bindings()[*binding].state_key()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_shards_capture_each_binding_once_and_all_together() {
    let org = Org::start(&STREAMS.map(|stream| (stream, 40))).await;
    let resources = STREAMS.map(|stream| match stream {
        "Lead" => json!({ "stream": stream, "mode": "poll", "interval": "PT1S" }),
        _ => json!({ "stream": stream }),
    });
    let mut task = Task::prepare_bindings(org.config(), &resources).await;
    let topics: BTreeSet<_> = org.topics().into_iter().collect();
    assert_eq!(topics.len(), 3);
    let mut shards = Shard::halves(&task, &json!({})).await;
    org.change(&STREAMS, 60, 1).await;
    agree(&mut shards, &mut task, &org).await;
    org.change(&STREAMS, 60, 2).await;
    agree(&mut shards, &mut task, &org).await;

    let summaries = ["streaming 2", "streaming 1, polling 1: Lead (as configured)"];
    for (n, shard) in shards.iter_mut().enumerate() {
        let log = shard.end(&mut task).await;
        let (begin, end) = HALVES[n];
        let status = format!(
            "Shard {begin:08x}-{end:08x} (2 of 4 bindings): Capturing changes of all 2 bindings: {}",
            summaries[n]
        );
        assert!(log.contains(&status), "{status}: {log}");
        assert_eq!(shard.wrote, OWN[n].into_iter().collect());
        assert_eq!(shard.touched(), keys(&task, OWN[n]));
        assert_eq!(shard.state["shard"], json!({ "keyBegin": begin, "keyEnd": end }));
    }
    task.assert_faithful(&org);
    assert_eq!(
        org.topics().into_iter().collect::<BTreeSet<_>>(),
        topics,
        "no shard takes another's topic for an orphan"
    );
    org.shutdown().await;
}

/// Both children begin with the state of the shard that was split: each goes on with its bindings and leaves the rest of the state
/// as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_split_goes_on_where_the_whole_has_stopped() {
    let org = Org::start(&STREAMS.map(|stream| (stream, 100))).await;
    let mut task = Task::prepare(&org, &STREAMS).await;
    task.catch_up(&org).await;
    let (whole, documents) = (task.capture.state().clone(), task.capture.documents());
    let made = |state: &Value| -> u64 {
        state["calls"].as_object().expect("calls by hour").values().filter_map(Value::as_u64).sum()
    };
    assert!(whole["shard"].is_null() && made(&whole) > 0, "{whole}");

    let mut shards = Shard::halves(&task, &whole).await;
    org.change(&STREAMS, 40, 3).await;
    agree(&mut shards, &mut task, &org).await;
    for (n, shard) in shards.iter_mut().enumerate() {
        shard.end(&mut task).await;
        assert_eq!(shard.touched(), keys(&task, OWN[n]));
        for key in keys(&task, OWN[1 - n]) {
            assert_eq!(shard.state["bindingStateV1"][&key], whole["bindingStateV1"][&key], "{key} is another's");
        }
        let mut begun = whole.clone();
        merge_patch::apply(&mut begun, shard.patches[0].clone());
        assert_eq!(begun["shard"]["keyBegin"], json!(HALVES[n].0));
        let halves: u64 = whole["calls"]
            .as_object()
            .expect("calls")
            .values()
            .filter_map(Value::as_u64)
            .map(|calls| calls.div_ceil(2))
            .sum();
        assert_eq!(made(&begun), halves, "each child answers for its part of the calls");
    }
    assert!(task.capture.documents() - documents < 200, "history is not read again");
    task.assert_faithful(&org);
    org.shutdown().await;
}

/// A shard is split while Bulk jobs run: each child goes on with those of its bindings, and none is made anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_split_goes_on_with_the_jobs_of_the_whole() {
    let bulk = BulkSettings { query_chunk: 20, ..BulkSettings::default() };
    let settings = Settings { bulk, ..Settings::default() };
    let org = Org::start_with(1, &STREAMS.map(|stream| (stream, 60)), settings).await;
    let mut config = org.config();
    config["advanced"]["bulk_threshold"] = json!(0);
    let mut task = Task::prepare_as("acmeCo/salesforce", config, &STREAMS).await;
    org.emulator().org().stop_bulk(BulkStop { before_chunk: 2, object: None, job: None, fail: None });
    let mut running = task.open().await;
    let has_job = |position: &Value| position["reads"][0]["bulk"]["job"].is_string();
    let positions = |state: &Value| state["bindingStateV1"].as_object().cloned().unwrap_or_default();
    running
        .until(|capture| positions(capture.state()).values().filter(|it| has_job(it)).count() == STREAMS.len())
        .await;
    running.kill().await;

    let whole = task.capture.state().clone();
    let mut shards = Shard::halves(&task, &whole).await;
    org.change(&STREAMS, 20, 6).await;
    block_in_place(|| org.emulator().org().release_bulk());
    agree(&mut shards, &mut task, &org).await;
    for (n, shard) in shards.iter_mut().enumerate() {
        let log = shard.end(&mut task).await;
        assert!(!log.contains("reading on by Bulk API 2.0") && !log.contains("a Bulk job is given up"), "{log}");
        for key in keys(&task, OWN[1 - n]) {
            assert_eq!(shard.state["bindingStateV1"][&key], whole["bindingStateV1"][&key], "{key} is another's");
        }
    }
    task.assert_faithful(&org);
    org.shutdown().await;
}

/// The runtime starts the new instance while the old one is not yet gone, whose commits it refuses from then on. With `jobs`, the new one
/// goes on with a Bulk job that the old one deletes under its hands.
async fn the_new_instance_is_right_although_the_old_one_is_not_gone(jobs: bool) {
    let bulk = BulkSettings { query_chunk: 20, ..BulkSettings::default() };
    let settings = Settings { query_page: 40, bulk, ..Settings::default() };
    let org = Org::start_with(1, &STREAMS.map(|stream| (stream, 150)), settings).await;
    let mut config = org.config();
    if jobs {
        config["advanced"]["bulk_threshold"] = json!(0);
    }
    let mode = |stream| if stream == "Lead" { "poll" } else { "auto" };
    let resources = STREAMS.map(|stream| json!({ "stream": stream, "mode": mode(stream), "interval": "PT1S" }));
    let mut task = Task::prepare_bindings(config, &resources).await;
    let topics = org.topics().len();
    let mut old = task.open().await;
    match jobs {
        true => old.until(|capture| capture.state().to_string().contains("\"bulk\"")).await,
        false => old.until_live().await,
    }
    let (mut old, (done, mut is_done)) = (old.session, oneshot::channel::<()>());
    let (heard, hears) = oneshot::channel();
    let old = tokio::spawn(async move {
        let mut heard = Some(heard);
        loop {
            tokio::select! {
                group = old.group() => {
                    let group = group.expect("the protocol is kept").expect("the old instance goes on");
                    // It may believe itself to be committed: nothing that it does then may hurt.
                    old.acknowledge(1).await.expect("it listens");
                    if let Some(heard) = heard.take_if(|_| !group.documents.is_empty()) {
                        let _ = heard.send(());
                    }
                }
                _ = &mut is_done => break old.kill().await.expect("it can be killed"),
            }
        }
    });

    let mut new = task.open().await;
    org.change(&STREAMS, 60, 4).await;
    new.agree(&org).await;
    timeout(PATIENCE, hears).await.expect("the old instance goes on").expect("the old instance goes on");
    done.send(()).expect("the old instance is there");
    old.await.expect("the old instance kept to the protocol");
    org.change(&STREAMS, 60, 5).await;
    new.agree(&org).await;
    new.end().await;
    task.assert_faithful(&org);
    assert_eq!(org.topics().len(), topics);
    org.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_stream_at_once() {
    the_new_instance_is_right_although_the_old_one_is_not_gone(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_read_one_job() {
    the_new_instance_is_right_although_the_old_one_is_not_gone(true).await;
}

/// It takes acknowledgements and ends with its input like any other, and asks the org for nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_shard_without_bindings_idles() {
    let org = Org::start(&[("Account", 5)]).await;
    let mut task = Task::prepare(&org, &["Account"]).await;
    let before = org.emulator().org().calls();
    let [_, high] = HALVES;
    let mut shards = [Shard::open(&task, high, json!({})).await];
    until(&mut shards, &mut task, |shards, _| !shards[0].patches.is_empty()).await;
    let [shard] = &mut shards;
    let log = shard.end(&mut task).await;
    assert!(log.contains("Shard 80000000-ffffffff (0 of 1 bindings): None of the 1 bindings belongs to it"), "{log}");
    assert_eq!((shard.wrote.len(), task.capture.documents(), shard.touched().len()), (0, 0, 0));
    let mut after = org.emulator().org().calls();
    after.retain(|kind, calls| before.get(kind) != Some(calls));
    assert_eq!(after.into_keys().collect::<Vec<_>>(), ["token"]);
    org.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_is_split_by_key_only() {
    let open = |range: Value| {
        let capture = json!({ "name": "acmeCo/salesforce", "bindings": [], "config": {
            "credentials": { "client_id": "a", "client_secret": "b", "refresh_token": "c" },
        } });
        program::lines(&[json!({ "spec": {} }), json!({ "open": { "capture": capture, "range": range } })])
    };
    for (range, why) in [
        (json!({ "keyEnd": u32::MAX, "rClockEnd": 0x7fff_ffff }), "a capture can be split by key only"),
        (json!({ "keyBegin": 5, "keyEnd": 4, "rClockEnd": u32::MAX }), "its range ends before it begins"),
    ] {
        let words = program::serve(open(range)).await.last_words(why);
        assert!(words.contains(why), "{words}");
    }
}

/// A hundredth of the org's calls does not suffice for the history: both shards stop, and together they have made no more.
#[tokio::test(flavor = "multi_thread")]
async fn shards_keep_to_one_share() {
    const ALLOWED: u64 = 60;
    let settings = Settings { daily_api_calls: 100 * ALLOWED, query_page: 20, ..Settings::default() };
    let org = Org::start_with(1, &STREAMS.map(|stream| (stream, 1_000)), settings).await;
    let mut config = org.config();
    config["advanced"]["api_budget"] = json!(1);
    let mut task =
        Task::prepare_bindings(config, &STREAMS.map(|stream| json!({ "stream": stream, "mode": "poll" }))).await;
    let before = pages(&org);
    let mut shards = Shard::halves(&task, &json!({})).await;
    for shard in &mut shards {
        let mut log = String::new();
        let mut deadline = pin!(sleep(PATIENCE));
        while !log.contains("this capture has made its share") {
            tokio::select! {
                group = shard.session.group() => {
                    let group = group.expect("the protocol is kept").expect("the session goes on");
                    shard.keep(&mut task, group);
                    shard.session.acknowledge(1).await.expect("it listens");
                }
                () = sleep(std::time::Duration::from_millis(20)) => {}
                () = &mut deadline => panic!("it does not say that its share is made:\n{log}"),
            }
            log += &shard.session.process().take_log().join("\n");
        }
    }
    let made = pages(&org) - before;
    for shard in &mut shards {
        shard.end(&mut task).await;
    }
    assert!((ALLOWED / 2..=ALLOWED).contains(&made), "{made} pages");
    org.shutdown().await;
}

fn pages(org: &Org) -> u64 {
    org.emulator().org().calls().get("query").copied().unwrap_or_default()
}
