//! Random changes, so that something happens in the org.

mod changer;
mod runner;

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::org::{SObject, Schema};
pub(crate) use runner::Runner;

/// What changes to make, how fast, for how long.
///
/// ```json
/// {"rate": 50, "seed": 7, "objects": ["Account", "Contact"], "mix": {"create": 2, "update": 6, "delete": 1, "undelete": 1}, "total": 1000}
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Workload {
    /// Changes per second of real time; 0 makes them as fast as the database can.
    pub rate: f64,
    /// The same seed on the same org makes the same changes.
    pub seed: u64,
    /// Objects to change.
    pub objects: Vec<String>,
    /// How often each kind of change is made.
    pub mix: Mix,
    /// Stop after so many changes.
    pub total: Option<u64>,
    /// Stop after so many seconds.
    pub seconds: Option<f64>,
    /// Of a hundred updates, how many write their record twice in one transaction.
    pub twice: u64,
    /// Of a hundred changes, how many are made in a transaction that commits only after `lag` other changes: its rows
    /// become visible late, with older modstamps than rows that are there already.
    pub late: u64,
    /// See `late`.
    pub lag: u64,
    /// Also delete records whose deletion takes children along; PushTopics stay silent about those.
    pub cascade: bool,
}

impl Default for Workload {
    fn default() -> Self {
        Self {
            rate: 10.0,
            seed: 1,
            objects: vec!["Account".to_owned(), "Contact".to_owned()],
            mix: Mix::default(),
            total: None,
            seconds: None,
            twice: 0,
            late: 0,
            lag: 20,
            cascade: false,
        }
    }
}

/// Weights of the kinds of changes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the kinds explain themselves")]
pub struct Mix {
    pub create: u64,
    pub update: u64,
    pub delete: u64,
    pub undelete: u64,
    /// Of records of an object that can be merged.
    pub merge: u64,
    /// Of leads.
    pub convert: u64,
}

impl Default for Mix {
    fn default() -> Self {
        Self { create: 3, update: 5, delete: 1, undelete: 1, merge: 0, convert: 0 }
    }
}

impl Mix {
    fn weights(self) -> [(Kind, u64); 6] {
        [
            (Kind::Create, self.create),
            (Kind::Update, self.update),
            (Kind::Delete, self.delete),
            (Kind::Undelete, self.undelete),
            (Kind::Merge, self.merge),
            (Kind::Convert, self.convert),
        ]
    }
}

/// What a workload did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadReport {
    /// Still at it.
    pub running: bool,
    /// Records created.
    pub created: u64,
    /// Records updated.
    pub updated: u64,
    /// Records deleted.
    pub deleted: u64,
    /// Records restored.
    pub undeleted: u64,
    /// Records merged into others.
    #[serde(default)]
    pub merged: u64,
    /// Leads converted.
    #[serde(default)]
    pub converted: u64,
    /// Changes among these that were committed late.
    pub late: u64,
    /// Changes for which no fitting record was found, or only one that a late transaction keeps to itself.
    pub skipped: u64,
    /// Why it ended early, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

impl Workload {
    /// Can this be done on such an org?
    pub(crate) fn check(&self, schema: &Schema) -> Result<(), String> {
        if self.objects.is_empty() {
            return Err("a workload needs at least one object".to_owned());
        }
        if !(self.rate >= 0.0 && self.rate.is_finite())
            || self.seconds.is_some_and(|seconds| !(0.0..=1e9).contains(&seconds))
        {
            return Err("rate and seconds must be numbers from 0 on".to_owned());
        }
        let weights = self.mix.weights();
        if weights.iter().try_fold(0_u64, |sum, (_, weight)| sum.checked_add(*weight)).is_none_or(|sum| sum == 0) {
            return Err("the mix needs a weight above 0".to_owned());
        }
        match self.objects.iter().find(|name| schema.object(name).is_none_or(|object| !is_made(object))) {
            Some(name) => Err(format!("records of '{name}' cannot be made")),
            None => Ok(()),
        }
    }
}

/// Can there be new records of an object, made by clients or, like the presence of an agent, by the platform?
fn is_made(object: &SObject) -> bool {
    object.createable || (object.key_prefix.is_some() && object.deletable)
}

#[derive(Clone, Copy)]
enum Kind {
    Create,
    Update,
    Delete,
    Undelete,
    Merge,
    Convert,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
