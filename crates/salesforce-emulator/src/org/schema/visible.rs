//! The schema as one user sees it: objects and fields that they may read, flags that say what they may write, and the rows
//! that are there for them.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::Schema;
use super::field::Field;
use super::object::{ChildRelationship, Fields, SObject};
use crate::org::permission::{FieldAccess, ObjectAccess, ObjectAction, Rights, RowAction, Rows, UserPermission};
use crate::org::records::history;

/// What may be given with a new record by those who may set audit fields.
const AUDIT: [&str; 4] = ["CreatedById", "CreatedDate", "LastModifiedById", "LastModifiedDate"];
/// Records are looked for among their parents, and their parents', so many times.
const DEEPEST: usize = 5;

/// Somebody to whom something is not open, and what there would be to see.
#[derive(Debug)]
pub(crate) struct Viewer {
    pub(in crate::org) rights: Rights,
    whole: Arc<Schema>,
}

/// A reference field, and the object it refers to, whose rows decide over those that refer to them.
#[derive(Debug)]
pub(in crate::org) struct Master {
    pub(in crate::org) field: String,
    pub(in crate::org) object: Arc<SObject>,
}

/// By object, its masters.
pub(super) type Masters = HashMap<String, Vec<Master>>;

impl Schema {
    /// What is left of `open`, the schema that the administrator sees, for somebody else. `granted` is when permissions last
    /// changed: what is described dates from then.
    pub(in crate::org) fn seen(open: &Self, whole: &Arc<Self>, rights: Rights, granted: Timestamp) -> Self {
        let viewer = Viewer { rights, whole: Arc::clone(whole) };
        let objects = open.objects.iter().filter_map(|object| viewer.object(open, object, granted)).collect();
        let modified = open.modified.max(granted);
        let mut seen = Self { objects, modified, viewer: Some(Arc::new(viewer)), ..open.clone() };
        seen.index();
        seen
    }

    /// Whose eyes these are, if something is hidden from them that the administrator sees.
    pub(in crate::org) fn viewer(&self) -> Option<&Arc<Viewer>> {
        self.viewer.as_ref()
    }

    /// The masters of an object.
    pub(in crate::org) fn masters_of(&self, object: &str) -> &[Master] {
        self.masters.get_or_init(|| Arc::new(masters(self))).get(object).map_or(&[], Vec::as_slice)
    }

    /// Which rows of an object are there, as SQL over the alias of its table; `None` is all of them. Whatever reads rows by
    /// this schema has to ask.
    pub(crate) fn rows_seen(&self, object: &SObject, alias: &str) -> Option<String> {
        self.viewer.as_ref()?.rows(object, alias, RowAction::Read, &|_| true)
    }
}

impl Viewer {
    /// The object, if the user may read it.
    fn object(&self, open: &Schema, object: &Arc<SObject>, granted: Timestamp) -> Option<Arc<SObject>> {
        let access = self.access(object);
        if !access.may(ObjectAction::Read) {
            return None;
        }
        let audits = self.rights.has(UserPermission::SetAuditFields);
        let every_field = self.rights.has_every_field(&object.name) && !audits;
        let related = |relation: &&ChildRelationship| {
            open.object(&relation.child).is_some_and(|child| {
                self.access(child).may(ObjectAction::Read)
                    && (self.rights.has_every_field(&child.name)
                        || child
                            .field(&relation.field)
                            .is_some_and(|field| field_access(&self.rights, child, field) != FieldAccess::None))
            })
        };
        let flags = [
            object.createable && access.may(ObjectAction::Create),
            object.updateable && access.may(ObjectAction::Edit),
            object.deletable && access.may(ObjectAction::Delete),
            object.undeletable && access.may(ObjectAction::Delete),
        ];
        let same = flags == [object.createable, object.updateable, object.deletable, object.undeletable];
        if same && every_field && object.modified >= granted && object.children.iter().all(|one| related(&one)) {
            return Some(Arc::clone(object));
        }
        let [createable, updateable, deletable, undeletable] = flags;
        let fields = if every_field { object.fields.clone() } else { self.fields(object, audits && createable) };
        let children = object.children.iter().filter(related).cloned().collect();
        let modified = object.modified.max(granted);
        let object = SObject::clone(object);
        Some(Arc::new(SObject { createable, updateable, deletable, undeletable, fields, children, modified, ..object }))
    }

    /// What the user may do with an object: with a history, read it as the object it tells of.
    fn access(&self, object: &SObject) -> ObjectAccess {
        if !object.name.ends_with("History") {
            return self.rights.object(&object.name);
        }
        self.rights.object(history::told(object).unwrap_or(&object.name))
    }

    /// The fields that the user may read, made when somebody looks at them.
    fn fields(&self, object: &Arc<SObject>, audits: bool) -> Fields {
        let (object, rights) = (Arc::clone(object), self.rights.clone());
        Fields::lazy(move || {
            let seen = object.fields.iter().filter_map(|field| {
                let editable = match field_access(&rights, &object, field) {
                    FieldAccess::None => return None,
                    FieldAccess::Read => false,
                    FieldAccess::Edit => true,
                };
                let audited = audits && AUDIT.contains(&field.name.as_str());
                let createable = (field.createable && editable) || audited;
                Some(Field { createable, updateable: field.updateable && editable, ..field.clone() })
            });
            seen.collect()
        })
    }

    /// The rows of an object that the user may do something with, as SQL over the alias of its table; `None` is all of them.
    /// Only tables of which `there` knows are looked into.
    pub(in crate::org) fn rows(
        &self,
        object: &SObject,
        alias: &str,
        action: RowAction,
        there: &dyn Fn(&str) -> bool,
    ) -> Option<String> {
        if self.rights.ignore_owners(action) { None } else { self.owned(&object.name, alias, action, there, 0) }
    }

    /// Objects whose rows decide over the rows of this one: their tables are read with its own.
    pub(in crate::org) fn masters(&self, object: &SObject) -> Vec<Arc<SObject>> {
        let mut all: Vec<Arc<SObject>> = Vec::new();
        let mut next: Vec<&Master> = self.whole.masters_of(&object.name).iter().collect();
        while let Some(Master { object, .. }) = next.pop() {
            if !all.iter().any(|known| Arc::ptr_eq(known, object)) {
                all.push(Arc::clone(object));
                next.extend(self.whole.masters_of(&object.name));
            }
        }
        all
    }

    fn owned(
        &self,
        object: &str,
        alias: &str,
        action: RowAction,
        there: &dyn Fn(&str) -> bool,
        depth: usize,
    ) -> Option<String> {
        let masters = self.whole.masters_of(object);
        if masters.is_empty() {
            self.whole.object(object)?.position("OwnerId")?;
            return match self.rights.rows(object, action) {
                Rows::All => None,
                Rows::Own => Some(format!("{alias}.\"OwnerId\"='{}'", self.rights.user())),
                Rows::None => Some("0".to_owned()),
            };
        }
        // Who may edit the master may delete the detail.
        let action = if action == RowAction::Delete { RowAction::Edit } else { action };
        let conditions = masters.iter().enumerate().filter_map(|(number, Master { field, object })| {
            let (inner, master) = (format!("{alias}_{number}"), &object.name);
            let condition = if depth < DEEPEST {
                self.owned(master, &inner, action, there, depth + 1)?
            } else {
                "0".to_owned()
            };
            let orphan = format!("{alias}.\"{field}\" IS NULL");
            Some(if there(master) {
                format!(
                    "({orphan} OR EXISTS(SELECT 1 FROM \"{master}\" {inner} WHERE {inner}.\"Id\"={alias}.\"{field}\" AND {condition}))"
                )
            } else {
                orphan
            })
        });
        let conditions: Vec<String> = conditions.collect();
        (!conditions.is_empty()).then(|| conditions.join(" AND "))
    }
}

/// What a user may do with a field. Those that every reader of the object sees need no permission; parts of an address or a
/// location go by the whole.
fn field_access(rights: &Rights, object: &SObject, field: &Field) -> FieldAccess {
    if !field.permissionable {
        return FieldAccess::Edit;
    }
    rights.field(&object.name, field.compound().unwrap_or(&field.name))
}

/// The masters of all objects. An object with owners of its own has masters only by master-detail; one without is
/// controlled by the parents that take it along when they are deleted.
fn masters(whole: &Schema) -> Masters {
    let mut masters = Masters::new();
    for parent in whole.objects() {
        for relation in parent.children.iter().filter(|relation| relation.cascade_delete) {
            let Some(child) = whole.object(&relation.child) else { continue };
            let Some(field) = child.field(&relation.field).filter(|field| field.reference_to.len() == 1) else {
                continue;
            };
            let detail = field.custom && field.relationship_order.is_some();
            if detail || child.position("OwnerId").is_none() {
                let master = Master { field: field.name.clone(), object: Arc::clone(parent) };
                masters.entry(child.name.clone()).or_default().push(master);
            }
        }
    }
    masters
}
