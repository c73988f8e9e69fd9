//! The emulated org that is captured.

use std::collections::BTreeMap;

use salesforce_emulator::{
    Config, Emulator, StartError, Workload,
    org::{Refusal, SchemaChange},
};
use serde_json::{Value, json};

/// The objects that the demo fills, changes and captures.
pub(crate) const OBJECTS: [&str; 5] = ["Account", "Case", "Contact", "Lead", "Opportunity"];

/// A Salesforce org within this process.
pub(crate) struct EmulatedOrg(Emulator);

/// What can go wrong with the emulated org.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It does not start.
    #[error("starting the emulated org")]
    Start(#[from] StartError),
    /// It does not take the workload.
    #[error("the emulated org refuses the workload: {0}")]
    Workload(String),
    /// It does not take a change of its objects.
    #[error("the emulated org refuses a field: {0}")]
    Schema(String),
    /// It cannot say what it holds.
    #[error("reading {object} from the emulated org")]
    Records {
        /// Which object.
        object: String,
        /// Why not.
        source: Refusal,
    },
    /// What it says it holds cannot be read.
    #[error("the emulated org's records of {object} are no JSON records")]
    Unreadable {
        /// Which object.
        object: String,
        /// Why not.
        source: serde_json::Error,
    },
}

impl EmulatedOrg {
    /// An org with so many rows, shared out among the objects.
    pub(crate) async fn start(seed: u64, rows: u64) -> Result<Self, Error> {
        let share = rows / OBJECTS.len() as u64;
        let rest = rows % OBJECTS.len() as u64;
        let rows =
            OBJECTS.into_iter().zip(0..).map(|(object, place)| (object.to_owned(), share + u64::from(place < rest)));
        Ok(Self(Emulator::start(Config { seed, rows: rows.collect(), ..Config::default() }).await?))
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> &str {
        self.0.url()
    }

    /// The connector's configuration for it.
    pub(crate) fn endpoint_config(&self) -> Value {
        let credentials = self.0.credentials();
        json!({
            "credentials": {
                "client_id": credentials.client_id,
                "client_secret": credentials.client_secret,
                "refresh_token": credentials.refresh_token,
            },
            "advanced": { "login_url": self.url() },
        })
    }

    /// Starts to create, update, delete and undelete records, so many per second.
    pub(crate) fn change(&self, rate: u32, seed: u64) -> Result<(), Error> {
        if rate == 0 {
            return Ok(());
        }
        let objects = OBJECTS.map(str::to_owned).to_vec();
        let workload = Workload { rate: rate.into(), seed, objects, ..Workload::default() };
        self.0.start_workload(workload).map_err(Error::Workload)
    }

    /// Ends the changes. The last is made when this returns. Returns how many there were.
    pub(crate) async fn rest(&self) -> Result<u64, Error> {
        let report = self.0.stop_workload().await;
        match report.failure {
            Some(failure) => Err(Error::Workload(failure)),
            None => Ok(report.created + report.updated + report.deleted + report.undeleted),
        }
    }

    /// Gives the objects an external id of this name, for the Ids that records have in another org.
    pub(crate) fn make_matchable(&self, field: &str) -> Result<(), Error> {
        let definition = json!({ "type": "string", "length": 18, "external_id": true, "unique": true });
        let change = |object| json!({ "add_field": { "object": object, "field": field, "definition": definition } });
        let changes = OBJECTS.iter().map(|object| serde_json::from_value(change(object)));
        let changes: Vec<SchemaChange> =
            changes.collect::<Result<_, _>>().map_err(|error| Error::Schema(error.to_string()))?;
        self.0.org().change_schema(changes).map_err(|refusal| Error::Schema(refusal.to_string()))
    }

    /// The truth: all records of an object that are not deleted, by id.
    pub(crate) fn records(&self, object: &str) -> Result<BTreeMap<String, Value>, Error> {
        let json = self.0.org().records(object, false);
        let json = json.map_err(|source| Error::Records { object: object.to_owned(), source })?;
        let unreadable = |source| Error::Unreadable { object: object.to_owned(), source };
        let records: Vec<Value> = serde_json::from_slice(&json).map_err(unreadable)?;
        Ok(records.into_iter().map(|record| (record["Id"].as_str().unwrap_or_default().to_owned(), record)).collect())
    }

    /// Ends the org.
    pub(crate) async fn shutdown(self) {
        self.0.shutdown().await;
    }
}
