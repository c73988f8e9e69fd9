//! Random changes, so that something happens in the org.

mod becoming;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use crate::draw::Draw;
use crate::org::{Id, LateTransaction, Org, Refusal, SObject, Schema, Transaction};
use crate::seed::Maker;
use crate::trouble::Ongoing;

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

/// A workload at work.
pub(crate) struct Runner {
    stop: Arc<AtomicBool>,
    report: Arc<Mutex<WorkloadReport>>,
    task: JoinHandle<()>,
}

impl Runner {
    pub(crate) fn start(org: Org, trouble: Arc<Ongoing>, workload: Workload) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let report = Arc::new(Mutex::new(WorkloadReport { running: true, ..WorkloadReport::default() }));
        let task = tokio::spawn(run(org, trouble, workload, Arc::clone(&stop), Arc::clone(&report)));
        Self { stop, report, task }
    }

    pub(crate) fn report(&self) -> WorkloadReport {
        locked(&self.report).clone()
    }

    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Waits for the end; with `now`, brings it about.
    pub(crate) async fn finish(self, now: bool) -> WorkloadReport {
        if now {
            self.stop();
        }
        let _ = self.task.await;
        let report = locked(&self.report);
        report.clone()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the changes that are due, rests a little, and again.
async fn run(
    org: Org,
    trouble: Arc<Ongoing>,
    workload: Workload,
    stop: Arc<AtomicBool>,
    report: Arc<Mutex<WorkloadReport>>,
) {
    const REST: Duration = Duration::from_millis(10);
    const MOST_AT_ONCE: u64 = 200;
    let started = real_now();
    let mut done = 0;
    let mut changer = match tokio::task::spawn_blocking(move || Changer::new(org, trouble, workload)).await {
        Ok(Ok(changer)) => changer,
        Ok(Err(refusal)) => return end(&report, Some(refusal.to_string())),
        Err(failure) => return end(&report, Some(failure.to_string())),
    };
    let failure = loop {
        let elapsed = real_now().duration_since(started);
        let over = changer.workload.seconds.is_some_and(|seconds| elapsed.as_secs_f64() >= seconds);
        let most = changer.workload.total.unwrap_or(u64::MAX);
        if stop.load(Ordering::Relaxed) || over || done >= most {
            break None;
        }
        let rate = changer.workload.rate;
        let due = if rate == 0.0 { u64::MAX } else { (elapsed.as_secs_f64() * rate) as u64 + 1 };
        let count = due.min(most).saturating_sub(done).min(MOST_AT_ONCE);
        if count == 0 {
            tokio::time::sleep(REST).await;
            continue;
        }
        let sink = Arc::clone(&report);
        let worked = tokio::task::spawn_blocking(move || {
            let made = (0..count).try_for_each(|_| changer.step(&sink));
            (changer, made)
        });
        match worked.await {
            Ok((back, Ok(()))) => changer = back,
            Ok((back, Err(refusal))) => {
                changer = back;
                break Some(refusal.to_string());
            }
            Err(failure) => return end(&report, Some(failure.to_string())),
        }
        done += count;
    };
    let sink = Arc::clone(&report);
    let committed = tokio::task::spawn_blocking(move || changer.commit(u64::MAX, &sink)).await;
    let committed =
        committed.map_err(|failure| failure.to_string()).and_then(|made| made.map_err(|why| why.to_string()));
    end(&report, failure.or(committed.err()));
}

fn end(report: &Mutex<WorkloadReport>, failure: Option<String>) {
    let mut report = locked(report);
    report.running = false;
    report.failure = failure;
}

#[expect(clippy::disallowed_methods, reason = "the pace of a workload is real time")]
fn real_now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}

/// Decides and makes one change after the other.
struct Changer {
    org: Org,
    trouble: Arc<Ongoing>,
    workload: Workload,
    draw: Draw,
    maker: Maker,
    objects: Vec<Known>,
    steps: u64,
    /// Open transactions and the steps after which they commit, in that order.
    late: VecDeque<(u64, LateTransaction)>,
}

/// An object under change, and its records as far as this workload knows.
struct Known {
    object: Arc<SObject>,
    live: Vec<Id>,
    bin: Vec<Id>,
}

/// Others may have changed or deleted a record meanwhile, or what it refers to, or may need it.
const ELSEWHERE: [&str; 10] = [
    "ENTITY_IS_DELETED",
    "NOT_FOUND",
    "UNDELETE_FAILED",
    "INVALID_CROSS_REFERENCE_KEY",
    "DUPLICATE_VALUE",
    "UNABLE_TO_LOCK_ROW",
    "INVALID_FIELD",
    "CANNOT_UPDATE_CONVERTED_LEAD",
    "CIRCULAR_DEPENDENCY",
    "DELETE_FAILED",
];

#[derive(Clone, Copy)]
enum Kind {
    Create,
    Update,
    Delete,
    Undelete,
    Merge,
    Convert,
}

impl Changer {
    fn new(org: Org, trouble: Arc<Ongoing>, workload: Workload) -> Result<Self, Refusal> {
        let mut maker = Maker::new(workload.seed);
        let mut parents: HashMap<String, Vec<Id>> = HashMap::new();
        let used = org.counts()?;
        for object in org.schema().objects().filter(|object| object.createable && used.contains_key(&object.name)) {
            let mut ids = org.ids(&object.name, false)?;
            ids.truncate(ids.len().div_ceil(2).min(10_000));
            parents.insert(object.name.clone(), ids);
        }
        for (object, ids) in parents {
            maker.adopt(&object, ids);
        }
        maker.adopt("Profile", vec![org.standard_profile()]);
        maker.name_users_after(org.ids("User", false)?.last().copied());
        let mut objects = Vec::new();
        for name in &workload.objects {
            let object = org.object(name)?;
            let (live, bin) = (org.ids(name, false)?, org.ids(name, true)?);
            objects.push(Known { object, live, bin });
        }
        let draw = Draw::new(workload.seed);
        Ok(Self { org, trouble, draw, maker, objects, workload, steps: 0, late: VecDeque::new() })
    }

    fn step(&mut self, report: &Mutex<WorkloadReport>) -> Result<(), Refusal> {
        self.steps += 1;
        self.commit(self.steps, report)?;
        let kind = self.kind();
        let at = self.draw.below(self.objects.len() as u64) as usize;
        // An administrator may have changed it meanwhile.
        let name = &self.objects[at].object.name;
        if let Ok(object) = self.org.object(name) {
            self.objects[at].object = object;
        }
        let made = match kind {
            Kind::Create => self.create(at),
            Kind::Update => self.update(at),
            Kind::Delete => self.delete(at),
            Kind::Undelete => self.undelete(at),
            Kind::Merge => self.merge(at),
            Kind::Convert => self.convert(at),
        };
        let made = match made {
            Ok(made) => made,
            Err(refusal) if ELSEWHERE.contains(&refusal.code) => false,
            Err(refusal) => return Err(refusal),
        };
        if made {
            self.trouble.changed(&self.org);
        }
        let mut report = locked(report);
        let counter = match kind {
            _ if !made => &mut report.skipped,
            Kind::Create => &mut report.created,
            Kind::Update => &mut report.updated,
            Kind::Delete => &mut report.deleted,
            Kind::Undelete => &mut report.undeleted,
            Kind::Merge => &mut report.merged,
            Kind::Convert => &mut report.converted,
        };
        *counter += 1;
        Ok(())
    }

    fn kind(&mut self) -> Kind {
        let weights = self.workload.mix.weights();
        let mut ticket = self.draw.below(weights.iter().map(|(_, weight)| weight).sum());
        for (kind, weight) in weights {
            if ticket < weight {
                return kind;
            }
            ticket -= weight;
        }
        Kind::Undelete
    }

    /// Commits the late transactions that are due.
    fn commit(&mut self, step: u64, report: &Mutex<WorkloadReport>) -> Result<(), Refusal> {
        while self.late.front().is_some_and(|(due, _)| *due <= step) {
            let Some((_, late)) = self.late.pop_front() else { break };
            match late.commit() {
                Ok(()) => locked(report).late += 1,
                Err(refusal) if ELSEWHERE.contains(&refusal.code) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(())
    }

    /// Makes a change now, or now and then in a transaction that commits late.
    fn change<T>(
        &mut self,
        object: &SObject,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let by_chance = self.workload.late > 0 && object.createable && self.draw.percent(self.workload.late);
        let lag = if by_chance { Some(self.workload.lag) } else { self.trouble.late().filter(|_| object.createable) };
        if let Some(lag) = lag {
            let late = self.org.begin_late();
            let made = late.write(work);
            match made {
                Ok(_) => {
                    let due = self.steps.saturating_add(lag);
                    let place = self.late.partition_point(|(other, _)| *other <= due);
                    self.late.insert(place, (due, late));
                }
                Err(_) => late.roll_back(),
            }
            return made;
        }
        if object.createable { self.org.transaction(work) } else { self.org.as_platform(work) }
    }

    fn create(&mut self, at: usize) -> Result<bool, Refusal> {
        let object = Arc::clone(&self.objects[at].object);
        let body = self.maker.record(&object);
        let id = self.change(&object, |transaction| transaction.create(&object.name, &body))?;
        self.objects[at].live.push(id);
        Ok(true)
    }

    fn update(&mut self, at: usize) -> Result<bool, Refusal> {
        let Known { object, live, .. } = &self.objects[at];
        let object = Arc::clone(object);
        let Some(id) = self.draw.pick(live).copied() else { return Ok(false) };
        let first = self.maker.change(&object);
        let second = self.draw.percent(self.workload.twice).then(|| self.maker.change(&object));
        self.change(&object, |transaction| {
            transaction.update(&object.name, id, &first)?;
            second.iter().try_for_each(|second| transaction.update(&object.name, id, second))
        })?;
        Ok(true)
    }

    fn delete(&mut self, at: usize) -> Result<bool, Refusal> {
        let Known { object, live, .. } = &self.objects[at];
        if live.is_empty() || !object.deletable {
            return Ok(false);
        }
        let object = Arc::clone(object);
        let place = self.draw.below(live.len() as u64) as usize;
        let id = live[place];
        let cascade = self.workload.cascade;
        let deleted = self.change(&object, |transaction| {
            if !cascade && transaction.has_dependants(&object.name, id)? {
                return Ok(false);
            }
            transaction.delete(&object.name, id).map(|()| true)
        })?;
        if deleted {
            let Known { live, bin, .. } = &mut self.objects[at];
            live.swap_remove(place);
            bin.push(id);
        }
        Ok(deleted)
    }

    fn undelete(&mut self, at: usize) -> Result<bool, Refusal> {
        let Known { object, bin, .. } = &mut self.objects[at];
        if bin.is_empty() || !object.undeletable {
            return Ok(false);
        }
        let object = Arc::clone(object);
        let place = self.draw.below(bin.len() as u64) as usize;
        let id = bin.swap_remove(place);
        self.change(&object, |transaction| transaction.undelete(&object.name, id))?;
        self.objects[at].live.push(id);
        Ok(true)
    }
}
