//! The second half of `sync`: what was captured from one org is written to another.

use demo::{
    binaries,
    copies::Copies,
    runtime::{Capture, Connector, Delivery, Group, Materialization, Target, Transaction},
    verdict::Difference,
};
use serde_json::json;

use crate::{org::EmulatedOrg, screen::Screen, show::Error};

/// The external id of the second org's records: the Id that each has in the first.
const MATCH: &str = "Source_Id__c";

/// How often a task may fail at the same rows before nobody believes in it any more.
const ATTEMPTS: u32 = 10;

/// `materialize-salesforce` with its open session, the org it writes to, and what is not committed yet.
pub(crate) struct Desk {
    org: EmulatedOrg,
    task: Materialization,
    connector: Connector,
    delivery: Delivery,
    pending: Transaction,
    failures: u32,
    written: u64,
}

impl Desk {
    /// Makes an org without rows, and a materialization of all that is captured into it.
    pub(crate) async fn open(
        source: &Connector,
        first: &EmulatedOrg,
        capture: &Capture,
        seed: u64,
        screen: &Screen,
    ) -> Result<Self, Error> {
        screen.step("build", "materialize-salesforce (the first time takes a few minutes)");
        let connector = Connector::new(binaries::build("materialize-salesforce")?).with_env("LOG_LEVEL", "info");
        let org = EmulatedOrg::start(seed, 0).await?;
        org.make_matchable(MATCH)?;
        screen.step("org", &format!("{} with no rows; its objects have an external id, {MATCH}", org.url()));
        let owner = org.records("User")?.into_keys().next().unwrap_or_default();
        let mut targets = Vec::new();
        for binding in capture.bindings() {
            let object = binding.stream();
            let config = json!({ "object": object, "match_field": MATCH, "deletions": "delete" });
            let schema = source.schema(&first.endpoint_config(), object).await?;
            let mut target = Target::captured(config, &format!("demo/{object}"), &schema);
            // Users of the one org are not those of the other.
            target.require.insert("OwnerId".into(), json!({ "otherwise": owner }));
            targets.push(target);
        }
        let mut task = Materialization::new("demo/materialize-salesforce", org.endpoint_config(), targets);
        task.validate(&connector).await?;
        task.apply(&connector).await?;
        for target in task.targets() {
            let (written, all) = (target.validated.values.len(), target.projections.len());
            screen.step("validate", &format!("{}: {written} of {all} fields can be written", target.collection));
        }
        let delivery = task.open(&connector).await?;
        Ok(Self { org, task, connector, delivery, pending: Transaction::default(), failures: 0, written: 0 })
    }

    /// A group has been committed to the collections.
    pub(crate) fn take(&mut self, group: &Group) {
        for captured in &group.documents {
            self.pending.add(self.task.targets(), captured.binding, captured.document.clone());
        }
    }

    /// Whether everything is written.
    pub(crate) fn is_done(&self) -> bool {
        self.pending.is_empty()
    }

    /// Writes and commits what is pending. A task that fails is started again, with the same rows and what has come since, as the
    /// runtime does.
    pub(crate) async fn write(&mut self, screen: &Screen) -> Result<(), Error> {
        if self.is_done() {
            return Ok(());
        }
        match self.commit().await {
            Ok(()) => {
                self.written += self.pending.len() as u64;
                self.pending = Transaction::default();
                self.failures = 0;
            }
            Err(demo::Error::Ended { exit, .. }) if self.failures < ATTEMPTS => {
                self.failures += 1;
                screen.step("restart", &exit.last_message().unwrap_or_else(|| exit.to_string()));
                self.delivery = self.task.open(&self.connector).await?;
            }
            Err(error) => return Err(error.into()),
        }
        self.delivery.process().take_log().iter().for_each(|line| screen.log(line));
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), demo::Error> {
        let patch = self.delivery.store(self.task.targets(), &self.pending).await?;
        self.task.committed(patch);
        let patch = self.delivery.acknowledge().await?;
        self.task.committed(patch);
        Ok(())
    }

    /// Ends the session and compares the orgs: how many rows were written, and what is wrong.
    pub(crate) async fn end(mut self, first: &EmulatedOrg) -> Result<(u64, Vec<String>), Error> {
        let exit = self.delivery.close().await?;
        let mut problems: Vec<String> = self.differences(first)?.iter().map(ToString::to_string).collect();
        if exit.code != Some(0) {
            problems.push(format!("materialize-salesforce ended {exit}"));
        }
        self.org.shutdown().await;
        Ok((self.written, problems))
    }

    /// How the second org differs from the first in what is written.
    fn differences(&self, first: &EmulatedOrg) -> Result<Vec<Difference>, Error> {
        let objects =
            || self.task.targets().iter().map(|target| target.resource_config["object"].as_str().unwrap_or_default());
        let found = objects().map(|object| self.org.records(object)).collect::<Result<Vec<_>, _>>()?;
        let copies = Copies::among(MATCH, found.iter().flatten());
        let mut differences = Vec::new();
        for ((target, object), found) in self.task.targets().iter().zip(objects()).zip(&found) {
            let fields = target.validated.values.iter().map(String::as_str).filter(|field| *field != "OwnerId");
            let difference = copies.difference(object, &fields.collect::<Vec<_>>(), &first.records(object)?, found);
            if !difference.is_empty() {
                differences.push(difference);
            }
        }
        Ok(differences)
    }
}
