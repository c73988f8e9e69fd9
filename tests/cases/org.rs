//! An emulated org: its configuration for the connector, changes, and the truth.

use std::collections::BTreeMap;

use salesforce_emulator::{
    Config, Emulator, Mix, Settings, Workload, WorkloadReport,
    org::{Id, SchemaChange},
};
use serde_json::{Map, Value, json};
use tokio::task::block_in_place;

/// An org of one test.
pub(crate) struct Org(Emulator);

impl Org {
    /// An org with so many rows, drawn from seed 1.
    pub(crate) async fn start(rows: &[(&str, u64)]) -> Self {
        Self::start_with(1, rows, Settings::default()).await
    }

    /// An org with rows drawn from a seed, and settings of its own.
    pub(crate) async fn start_with(seed: u64, rows: &[(&str, u64)], settings: Settings) -> Self {
        let rows = rows.iter().map(|(object, count)| ((*object).to_owned(), *count)).collect();
        Self(Emulator::start(Config { seed, rows, settings, ..Config::default() }).await.expect("the org starts"))
    }

    /// The emulator itself.
    pub(crate) fn emulator(&self) -> &Emulator {
        &self.0
    }

    /// Host and port, as messages show them.
    pub(crate) fn host(&self) -> &str {
        self.0.url().trim_start_matches("http://")
    }

    /// Host and port where one can only sign in.
    pub(crate) fn login_host(&self) -> &str {
        self.0.login_url().trim_start_matches("http://")
    }

    /// The endpoint config that leads here. Fetches do not wait for long: the tests do.
    pub(crate) fn config(&self) -> Value {
        let credentials = self.0.credentials();
        json!({
            "credentials": {
                "client_id": credentials.client_id,
                "client_secret": credentials.client_secret,
                "refresh_token": credentials.refresh_token,
            },
            "advanced": { "login_url": self.0.url(), "coalescing_interval": "PT0.05S" },
        })
    }

    /// Creates a record.
    pub(crate) fn create(&self, object: &str, fields: Value) -> Id {
        block_in_place(|| self.0.org().create(object, &members(fields))).expect("the record can be created")
    }

    /// Updates a record.
    pub(crate) fn update(&self, object: &str, id: Id, fields: Value) {
        block_in_place(|| self.0.org().update(object, id, &members(fields))).expect("the record can be updated");
    }

    /// Deletes a record.
    pub(crate) fn delete(&self, object: &str, id: Id) {
        block_in_place(|| self.0.org().delete(object, id)).expect("the record can be deleted");
    }

    /// Creates so many records of the same fields at once.
    pub(crate) fn create_many(&self, object: &str, fields: &Value, count: usize) {
        let fields = members(fields.clone());
        let create =
            || self.0.org().transaction(|work| (0..count).try_for_each(|_| work.create(object, &fields).map(drop)));
        block_in_place(create).expect("the records can be created");
    }

    /// Ids of the live records, in their order.
    pub(crate) fn ids(&self, object: &str) -> Vec<Id> {
        block_in_place(|| self.0.org().ids(object, false)).expect("the object exists")
    }

    /// Makes so many random changes, as fast as the org can.
    pub(crate) async fn change(&self, objects: &[&str], total: u64, seed: u64) -> WorkloadReport {
        self.change_by(Mix::default(), objects, total, seed).await
    }

    /// As [`Org::change`], with so many of each kind.
    pub(crate) async fn change_by(&self, mix: Mix, objects: &[&str], total: u64, seed: u64) -> WorkloadReport {
        let objects = objects.iter().map(|object| (*object).to_owned()).collect();
        let workload = Workload { rate: 0.0, seed, objects, mix, total: Some(total), twice: 20, ..Workload::default() };
        self.0.start_workload(workload).expect("the workload suits the org");
        let report = self.0.finish_workload().await;
        assert_eq!(report.failure, None);
        report
    }

    /// Starts random changes that go on until they are stopped.
    pub(crate) fn change_steadily(&self, objects: &[&str], rate: f64, seed: u64) {
        let objects = objects.iter().map(|object| (*object).to_owned()).collect();
        let workload = Workload { rate, seed, objects, twice: 20, ..Workload::default() };
        self.0.start_workload(workload).expect("the workload suits the org");
    }

    /// All records of an object that are not deleted, by id.
    pub(crate) fn truth(&self, object: &str) -> BTreeMap<String, Value> {
        let json = block_in_place(|| self.0.org().records(object, false)).expect("the object exists");
        let records: Vec<Value> = serde_json::from_slice(&json).expect("records are JSON");
        records
            .into_iter()
            .map(|record| (record["Id"].as_str().expect("records have ids").to_owned(), record))
            .collect()
    }

    /// An administrator changes an object.
    pub(crate) fn change_schema(&self, change: Value) {
        let change: SchemaChange = serde_json::from_value(change).expect("a change");
        block_in_place(|| self.0.org().change_schema([change])).expect("Salesforce offers this change");
    }

    /// The names of the org's PushTopics.
    pub(crate) fn topics(&self) -> Vec<String> {
        self.truth("PushTopic").values().map(|topic| topic["Name"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits for a reply after which `holds`: the org's side of a story that the connector tells nobody.
    pub(crate) async fn replied_until(&self, mut holds: impl FnMut(&Emulator) -> bool) {
        let mut replies = self.0.replies();
        let story = async {
            while !holds(&self.0) {
                replies.changed().await.expect("the org runs");
            }
        };
        tokio::time::timeout(super::program::PATIENCE, story).await.expect("what the test waits for happens");
    }

    /// Ends the org.
    pub(crate) async fn shutdown(self) {
        self.0.shutdown().await;
    }
}

fn members(fields: Value) -> Map<String, Value> {
    match fields {
        Value::Object(members) => members,
        other => panic!("fields are an object, not {other}"),
    }
}
