//! Fields that refusals have told not to be writable, although their describe calls them so: a record's state, or a setting of the org,
//! may decide that. Pure.

use std::collections::{HashMap, HashSet};

use crate::{
    Operation,
    prepare::{Prepared, lower},
    row::Row,
    window::TargetId,
};

/// What was learned, by target and operation: names of fields in lower case.
#[derive(Debug, Default)]
pub(crate) struct Learned(HashMap<(TargetId, Operation), HashSet<Box<str>>>);

impl Learned {
    /// Remembers a field; answers whether that is news. One that an upsert can write in new records only, or in old ones only, is not
    /// remembered: it would be missing where it can be written.
    pub(crate) fn learn(&mut self, target: TargetId, prepared: &Prepared, operation: Operation, field: &str) -> bool {
        let name = lower(field);
        let halves = prepared.slots.get(&name).is_some_and(|slot| slot.field.createable != slot.field.updateable);
        let belongs = operation == Operation::Upsert && halves;
        !belongs && self.0.entry((target, operation)).or_default().insert(name)
    }

    /// Leaves out of a row what is known not to be writable.
    pub(crate) fn leave_out(&self, target: TargetId, operation: Operation, row: &mut Row) {
        for field in self.0.get(&(target, operation)).into_iter().flatten() {
            row.leave_out(field);
        }
    }
}
