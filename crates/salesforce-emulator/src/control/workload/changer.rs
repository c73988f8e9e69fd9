//! The changes of a workload: which comes next, and how it is made.

mod becoming;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use super::{Kind, Workload, WorkloadReport, locked};
use crate::draw::Draw;
use crate::org::{Id, LateTransaction, Org, Refusal, SObject, Transaction};
use crate::seed::Maker;
use crate::trouble::Ongoing;

/// Decides and makes one change after the other.
pub(super) struct Changer {
    org: Org,
    trouble: Arc<Ongoing>,
    pub(super) workload: Workload,
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
const ELSEWHERE: [&str; 11] = [
    "ENTITY_IS_DELETED",
    "NOT_FOUND",
    "UNDELETE_FAILED",
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
    "INVALID_CROSS_REFERENCE_KEY",
    "DUPLICATE_VALUE",
    "UNABLE_TO_LOCK_ROW",
    "INVALID_FIELD",
    "CANNOT_UPDATE_CONVERTED_LEAD",
    "CIRCULAR_DEPENDENCY",
    "DELETE_FAILED",
];

impl Changer {
    pub(super) fn new(org: Org, trouble: Arc<Ongoing>, workload: Workload) -> Result<Self, Refusal> {
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

    pub(super) fn step(&mut self, report: &Mutex<WorkloadReport>) -> Result<(), Refusal> {
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
    pub(super) fn commit(&mut self, step: u64, report: &Mutex<WorkloadReport>) -> Result<(), Refusal> {
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
