//! A capture task from its preparation to its agreement with the org.

use std::{
    collections::{BTreeMap, HashSet},
    pin::{Pin, pin},
    time::Duration,
};

use demo::{
    runtime::{Binding, Capture, Captured, Connector, Exit, Group, Session},
    verdict::Difference,
};
use serde_json::Value;
use tokio::time::{Sleep, interval, sleep, timeout};

use super::{
    org::Org,
    program::{self, PATIENCE},
};

/// A capture and what it is run with.
pub(crate) struct Task {
    pub(crate) capture: Capture,
    pub(crate) connector: Connector,
    /// Which fields the bindings capture.
    pub(crate) admits: fn(&str) -> bool,
}

/// A session of a task under way.
pub(crate) struct Running<'a> {
    pub(crate) task: &'a mut Task,
    pub(crate) session: Session,
    /// Everything committed in this session.
    pub(crate) captured: Vec<Captured>,
}

impl Task {
    /// Discovers, validates and applies, as a user and the control plane do.
    pub(crate) async fn prepare(org: &Org, streams: &[&str]) -> Self {
        Self::prepare_as("acmeCo/salesforce", org.config(), streams).await
    }

    /// As [`Task::prepare`], under a name and with a config.
    pub(crate) async fn prepare_as(name: &str, config: Value, streams: &[&str]) -> Self {
        let connector = program::connector();
        let capture = capture(&connector, name, config, streams).await;
        capture.validate(&connector).await.expect("the capture is valid");
        capture.apply(&connector).await.expect("the capture can be applied");
        Self { capture, connector, admits: |_| true }
    }

    /// As [`Task::prepare`], of bindings whose resource configs are given.
    pub(crate) async fn prepare_bindings(config: Value, resources: &[Value]) -> Self {
        let connector = program::connector();
        let names: Vec<&str> =
            resources.iter().map(|resource| resource["stream"].as_str().expect("a stream")).collect();
        let proposed = capture(&connector, "acmeCo/salesforce", config.clone(), &names).await;
        let bindings = proposed
            .bindings()
            .iter()
            .zip(resources)
            .map(|(binding, resource)| Binding { resource_config: resource.clone(), ..binding.clone() });
        let capture = Capture::new("acmeCo/salesforce", config, bindings.collect());
        capture.validate(&connector).await.expect("the capture is valid");
        capture.apply(&connector).await.expect("the capture can be applied");
        Self { capture, connector, admits: |_| true }
    }

    /// Publishes the bindings with other resource configs, in their order.
    pub(crate) async fn choose(&mut self, resources: &[Value]) {
        for (binding, resource) in resources.iter().enumerate() {
            self.capture.configure(binding, resource.clone());
        }
        self.capture.validate(&self.connector).await.expect("the capture is valid");
        self.capture.apply(&self.connector).await.expect("the capture can be applied");
    }

    /// What a stream's collection should hold.
    pub(crate) fn truth(&self, org: &Org, stream: &str) -> BTreeMap<String, Value> {
        let mut rows = org.truth(stream);
        for row in rows.values_mut().filter_map(Value::as_object_mut) {
            row.retain(|field, _| (self.admits)(field));
        }
        rows
    }

    /// Opens a session from the last committed state.
    pub(crate) async fn open(&mut self) -> Running<'_> {
        let session = self.capture.open(&self.connector).await.expect("a session opens");
        Running::of(self, session)
    }

    /// One whole session: until the collections agree with the org, which rests, then a clean end. Returns the log.
    pub(crate) async fn catch_up(&mut self, org: &Org) -> Vec<String> {
        let mut running = self.open().await;
        running.agree(org).await;
        running.end().await
    }

    /// How the collections differ from the org.
    pub(crate) fn differences(&self, org: &Org) -> Vec<Difference> {
        let bindings = self.capture.bindings().iter().enumerate();
        let difference = |(index, stream): (usize, &str)| {
            Difference::between(stream, self.capture.collection(index).rows(), &self.truth(org, stream))
        };
        let all = bindings.map(|(index, binding)| difference((index, binding.stream())));
        all.filter(|difference| !difference.is_empty()).collect()
    }

    /// Nothing missing, nothing too much, nothing different, and nothing ever went back in time.
    pub(crate) fn assert_faithful(&self, org: &Org) {
        let differences: Vec<String> = self.differences(org).iter().map(ToString::to_string).collect();
        assert!(differences.is_empty(), "{}", differences.join("\n"));
        assert_eq!(self.capture.regressions(), []);
    }
}

/// The capture of these streams, as discovery proposes it, in the order given.
pub(crate) async fn capture(connector: &Connector, name: &str, config: Value, streams: &[&str]) -> Capture {
    let discovered = Capture::discover(connector, name, &config).await.expect("the org is discovered");
    let find = |stream: &&str| discovered.iter().find(|binding| binding.stream() == *stream).cloned();
    let bindings = streams.iter().map(|stream| find(stream).unwrap_or_else(|| panic!("{stream} is discovered")));
    Capture::new(name, config, bindings.collect())
}

impl<'a> Running<'a> {
    /// A session that was opened by hand.
    pub(crate) fn of(task: &'a mut Task, session: Session) -> Self {
        Self { task, session, captured: Vec::new() }
    }

    /// The next group, unless the time is up: however many groups come, a story ends.
    async fn group_by(&mut self, deadline: &mut Pin<&mut Sleep>) -> Option<Group> {
        tokio::select! {
            group = self.session.group() => group.expect("the connector keeps to the protocol"),
            () = deadline => None,
        }
    }

    /// Commits a group and says so.
    pub(crate) async fn commit(&mut self, group: Group) {
        self.keep(group);
        self.session.acknowledge(1).await.expect("the connector listens");
    }

    /// Commits a group that the connector is not told of.
    pub(crate) fn keep(&mut self, group: Group) {
        self.captured.extend(group.documents.iter().cloned());
        self.task.capture.commit(group).expect("documents can be reduced");
    }

    /// Takes groups until what was committed satisfies `done`.
    pub(crate) async fn until(&mut self, mut done: impl FnMut(&Capture) -> bool) {
        let mut deadline = pin!(sleep(PATIENCE));
        while !done(&self.task.capture) {
            let Some(group) = self.group_by(&mut deadline).await else {
                panic!(
                    "what the test waits for is not said; the log:\n{}",
                    self.session.process().take_log().join("\n")
                )
            };
            self.commit(group).await;
        }
    }

    /// Takes groups until the connector's log says so. Returns the log so far.
    pub(crate) async fn says(&mut self, text: &str) -> Vec<String> {
        let (mut log, mut looks) = (Vec::new(), interval(Duration::from_millis(20)));
        let mut deadline = pin!(sleep(PATIENCE));
        loop {
            log.extend(self.session.process().take_log());
            if log.iter().any(|line| line.contains(text)) {
                return log;
            }
            tokio::select! {
                group = self.session.group() => self.commit(group.expect("the connector keeps to the protocol").expect("a session")).await,
                _ = looks.tick() => {}
                () = &mut deadline => panic!("{text:?} is not said:\n{}", log.join("\n")),
            }
        }
    }

    /// Takes groups until history is complete and the channels are subscribed: every binding has a position and no reads
    /// left.
    pub(crate) async fn until_live(&mut self) {
        self.until(|capture| {
            let positions = &capture.state()["bindingStateV1"];
            let is_live = |position: &Value| position["live"].is_string() && position["reads"].is_null();
            capture.bindings().iter().all(|binding| is_live(&positions[binding.state_key()]))
        })
        .await;
    }

    /// Takes groups until the collections agree with the org, in which nothing may change meanwhile. Only rows that differed or
    /// were captured since are compared again.
    pub(crate) async fn agree(&mut self, org: &Org) {
        let capture = &self.task.capture;
        let streams: Vec<String> = capture.bindings().iter().map(|binding| binding.stream().to_owned()).collect();
        let truth: Vec<BTreeMap<String, Value>> = streams.iter().map(|stream| self.task.truth(org, stream)).collect();
        let mut open: HashSet<(usize, String)> = HashSet::new();
        for (binding, truth) in truth.iter().enumerate() {
            let rows = capture.collection(binding).rows();
            let ids = rows.keys().chain(truth.keys());
            open.extend(ids.filter(|id| differs(rows, truth, id)).map(|id| (binding, id.clone())));
        }
        let mut deadline = pin!(sleep(PATIENCE));
        while !open.is_empty() {
            let group = self.group_by(&mut deadline).await;
            let Some(group) = group else {
                let log = self.session.process().take_log().join("\n");
                let differences = self.task.differences(org);
                let differences: Vec<String> = differences.iter().map(ToString::to_string).collect();
                let stamp = |(binding, id): &(usize, String)| truth[*binding].get(id).map(|row| &row["SystemModstamp"]);
                let stamps: Vec<_> = open.iter().take(5).map(|row| (row, stamp(row))).collect();
                let state = self.task.capture.state();
                panic!("no agreement: {}\n{stamps:?}\n{state}\n{log}", differences.join("\n"));
            };
            let touched: Vec<_> =
                group.documents.iter().map(|captured| (captured.binding, id_of(&captured.document))).collect();
            self.commit(group).await;
            for (binding, id) in touched {
                match differs(self.task.capture.collection(binding).rows(), &truth[binding], &id) {
                    true => open.insert((binding, id)),
                    false => open.remove(&(binding, id)),
                };
            }
        }
    }

    /// Ends the session as the runtime does, by the end of stdin, and commits what still comes. Returns the log.
    pub(crate) async fn end(mut self) -> Vec<String> {
        self.session.close();
        while let Some(group) = timeout(PATIENCE, self.session.group()).await.expect("an end").expect("whole groups") {
            self.keep(group);
        }
        let Exit { code, log, .. } = self.session.ended().await.expect("the connector ends");
        assert_eq!(code, Some(0), "{}", log.join("\n"));
        log
    }

    /// Commits what comes until the connector ends by itself.
    pub(crate) async fn fail(mut self) -> Exit {
        while let Ok(Some(group)) = timeout(PATIENCE, self.session.group()).await.expect("an end") {
            // It may be gone before it is told.
            self.keep(group);
        }
        self.session.ended().await.expect("the connector ends")
    }

    /// Kills the connector: SIGKILL.
    pub(crate) async fn kill(self) {
        self.session.kill().await.expect("the connector can be killed");
    }
}

fn differs(rows: &BTreeMap<String, Value>, truth: &BTreeMap<String, Value>, id: &str) -> bool {
    let one =
        |rows: &BTreeMap<String, Value>| rows.get(id).map(|row| (id.to_owned(), row.clone())).into_iter().collect();
    !Difference::between("", &one(rows), &one(truth)).is_empty()
}

/// The `Id` of a document.
pub(crate) fn id_of(document: &Value) -> String {
    document["Id"].as_str().unwrap_or_default().to_owned()
}
