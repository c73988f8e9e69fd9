//! Changes to records: checked as Salesforce checks them, made together or not at all, announced when they are made.

use std::sync::Arc;

use rusqlite::types::Value as Stored;
use serde_json::{Map, Value as Json};

use super::derive::derive;
use super::history;
use crate::org::Inner;
use crate::org::events::push_topic;
use crate::org::id::Id;
use crate::org::permission::RowAction;
use crate::org::refusal::Refusal;
use crate::org::schema::{Field, FieldType, SObject, Schema, Views};
use crate::org::storage::{Database, StoredRow};
use crate::org::value::{parse, stamp};

/// An open transaction of an [`Org`](crate::org::Org).
pub struct Transaction<'a> {
    pub(in crate::org) org: &'a Inner,
    /// The schema does not change while the transaction is open.
    pub(in crate::org) views: Views,
    pub(in crate::org) database: &'a mut Database,
    pub(in crate::org) stamp: String,
    pub(in crate::org) changes: Vec<Change>,
    pub(in crate::org) topics_changed: bool,
    /// In whose name records are written.
    pub(in crate::org) user: Id,
    pub(super) actor: Actor,
    /// The late transaction this is a part of.
    pub(in crate::org) late: Option<u64>,
    /// Records that were written.
    pub(in crate::org) touched: Vec<(Arc<SObject>, Id)>,
}

/// On whose behalf records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::org) enum Actor {
    /// Somebody who may do what the describes allow.
    Client,
    /// The platform, which makes what the API cannot, such as the presence of an agent.
    Platform,
    /// A trusted seed: moreover, references are not looked up and nothing is announced.
    Seed,
}

/// One change to one record, as PushTopics see it.
#[derive(Debug, Clone)]
pub(in crate::org) struct Change {
    pub(in crate::org) object: Arc<SObject>,
    pub(in crate::org) id: Id,
    pub(in crate::org) kind: ChangeKind,
    /// Places of the fields whose values differ, without those the org maintains itself.
    pub(in crate::org) changed: Vec<usize>,
}

impl Change {
    /// The change of an object as a later schema has it; fields that are gone did not change.
    pub(in crate::org) fn renewed(self, schema: &Schema) -> Option<Self> {
        let object = Arc::clone(schema.object(&self.object.name)?);
        let names = self.changed.iter().map(|at| &self.object.fields[*at].name);
        let changed = names.filter_map(|name| object.position(name)).collect();
        Some(Self { object, changed, ..self })
    }
}

/// What happened to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the events")]
pub enum ChangeKind {
    Created,
    Updated,
    Deleted,
    Undeleted,
}

impl ChangeKind {
    /// The `type` of the event.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
            Self::Undeleted => "undeleted",
        }
    }
}

/// Fields that every write moves; they never count as a change.
const MAINTAINED: [&str; 6] = [
    "LastModifiedDate",
    "LastModifiedById",
    "SystemModstamp",
    "LastViewedDate",
    "LastReferencedDate",
    "LastActivityDate",
];

impl<'a> Transaction<'a> {
    /// A transaction at the current modstamp; beginning and ending it in the database is the caller's.
    pub(in crate::org) fn open(org: &'a Inner, database: &'a mut Database, user: Id, actor: Actor) -> Self {
        let stamp = database.next_stamp(org.clock.now());
        let (changes, touched) = (Vec::new(), Vec::new());
        let views = org.views(user);
        Self { org, views, database, stamp, changes, topics_changed: false, user, actor, late: None, touched }
    }
}

impl Transaction<'_> {
    /// Dates the records that follow: a seed's rows have a past.
    pub(crate) fn backdate(&mut self, at: jiff::Timestamp) {
        self.stamp = stamp(at);
    }

    /// Creates a record.
    pub fn create(&mut self, object: &str, body: &Map<String, Json>) -> Result<Id, Refusal> {
        let object = self.object(object)?;
        let createable = self.seen(&object).createable || self.actor != Actor::Client;
        let Some(prefix) = object.key_prefix.as_deref().filter(|_| createable) else {
            return Err(Refusal::bad(
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
                format!("entity type cannot be inserted: {}", object.label),
            ));
        };
        let id = Id::new(prefix, self.org.pod, self.database.next_id);
        let mut row = vec![Stored::Null; object.fields.len()];
        self.fill(&object, &mut row, body, true)?;
        self.default(&object, &mut row, id)?;
        require(&object, &row, |field| field.required())?;
        derive(&object, &mut row, &self.stamp);
        self.check_unique(&object, &row, id)?;
        self.check_user(&object, &row, id)?;
        if push_topic::is(&object) {
            push_topic::check(&self.views.visible, &object, &mut row)?;
            self.check_topic_quota()?;
            self.topics_changed = true;
        }
        self.touch(&object, id)?;
        self.database.insert(&object, &row)?;
        self.database.next_id += 1;
        self.remember_creation(&object, id)?;
        self.note(&object, id, ChangeKind::Created, Vec::new());
        Ok(id)
    }

    /// Updates a record; fields that are not named keep their values.
    pub fn update(&mut self, object: &str, id: Id, body: &Map<String, Json>) -> Result<(), Refusal> {
        let object = self.object(object)?;
        let before = self.live(&object, id)?;
        if !self.seen(&object).updateable {
            return Err(Refusal::bad(
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
                format!("entity type cannot be updated: {}", object.label),
            ));
        }
        if self.actor == Actor::Client {
            self.check_unconverted(&object, id)?;
        }
        self.check_row(&object, id, RowAction::Edit)?;
        self.touch(&object, id)?;
        let mut row = before.values.clone();
        self.fill(&object, &mut row, body, false)?;
        let emptied = |field: &Field| !field.nillable && field.updateable && field.kind != FieldType::Boolean;
        require(&object, &row, emptied)?;
        derive(&object, &mut row, &self.stamp);
        self.check_unique(&object, &row, id)?;
        self.check_user(&object, &row, id)?;
        if push_topic::is(&object) {
            push_topic::check(&self.views.visible, &object, &mut row)?;
            self.topics_changed = true;
        }
        let changed: Vec<usize> = (0..row.len()).filter(|at| row[*at] != before.values[*at]).collect();
        self.set(&object, &mut row, "LastModifiedDate", Stored::Text(self.stamp.clone()));
        self.set(&object, &mut row, "LastModifiedById", Stored::Text(self.user.to_string()));
        let maintained = ["LastModifiedDate", "LastModifiedById"].iter().filter_map(|name| object.position(name));
        let written: Vec<usize> = changed.iter().copied().chain(maintained).collect();
        self.database.update(&object, id, &row, &written, &self.stamp)?;
        self.remember_change(&object, id, &before.values, &row)?;
        let seen = changed.into_iter().filter(|at| !MAINTAINED.contains(&object.fields[*at].name.as_str())).collect();
        self.note(&object, id, ChangeKind::Updated, seen);
        Ok(())
    }

    /// Moves a record to the recycle bin, and silently with it the children whose describe says so.
    pub fn delete(&mut self, object: &str, id: Id) -> Result<(), Refusal> {
        let object = self.object(object)?;
        self.check_deletable(&object, id)?;
        self.topics_changed |= push_topic::is(&object);
        self.touch(&object, id)?;
        self.database.bin(&object, id, id, &self.stamp)?;
        self.note(&object, id, ChangeKind::Deleted, Vec::new());
        self.take_along(&object, id, id)
    }

    /// Restores a record from the recycle bin, and the children that went there with it.
    pub fn undelete(&mut self, object: &str, id: Id) -> Result<(), Refusal> {
        let object = self.object(object)?;
        let row = self.database.row(&object, id)?.ok_or_else(Refusal::not_found)?;
        if !self.sees(&object, id)? {
            return Err(Refusal::not_found());
        }
        if !self.seen(&object).undeletable {
            return Err(Refusal::bad("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "Entity type is not undeletable"));
        }
        if !row.deleted {
            return Err(Refusal::bad("UNDELETE_FAILED", "Entity is not in the recycle bin"));
        }
        self.check_row(&object, id, RowAction::Delete)?;
        self.bring_back(id)?;
        self.note(&object, id, ChangeKind::Undeleted, Vec::new());
        Ok(())
    }

    /// Adds a record of the org's own under an id of its own.
    pub(in crate::org) fn found(&mut self, object: &str, fields: &[(&str, Json)]) -> Result<(), Refusal> {
        let object = self.object(object)?;
        let mut row = vec![Stored::Null; object.fields.len()];
        let mut id = self.org.org_id;
        for (name, value) in fields {
            let Some(at) = object.position(name) else { continue };
            row[at] = parse(&object.fields[at], value)?;
            if let ("Id", Stored::Text(text)) = (*name, &row[at]) {
                id = Id::parse(text).unwrap_or(id);
            }
        }
        self.default(&object, &mut row, id)?;
        derive(&object, &mut row, &self.stamp);
        self.database.insert(&object, &row)?;
        Ok(())
    }

    /// The whole of an object that the user sees, with its table.
    pub(in crate::org) fn object(&mut self, name: &str) -> Result<Arc<SObject>, Refusal> {
        let seen = if self.actor == Actor::Client { &self.views.visible } else { &self.views.whole };
        let name = &seen.object(name).ok_or_else(Refusal::not_found)?.name;
        let whole = self.views.whole.object(name).cloned().ok_or_else(Refusal::not_found)?;
        self.database.ensure(&self.views.whole, name)?;
        Ok(whole)
    }

    pub(in crate::org) fn live(&self, object: &SObject, id: Id) -> Result<StoredRow, Refusal> {
        let prefix = object.key_prefix.as_deref().or(history::is(object).then_some(history::PREFIX));
        if prefix != Some(id.prefix()) {
            let message = format!("{} ID: id value of incorrect type: {id}", object.label);
            return Err(Refusal::field("MALFORMED_ID", message, "Id"));
        }
        let row = self.database.row(object, id)?.ok_or_else(Refusal::not_found)?;
        if !self.sees(object, id)? {
            return Err(Refusal::not_found());
        }
        if row.deleted { Err(Refusal::deleted()) } else { Ok(row) }
    }

    /// Refuses to delete what cannot be deleted, or is already.
    pub(super) fn check_deletable(&self, object: &Arc<SObject>, id: Id) -> Result<(), Refusal> {
        self.live(object, id)?;
        if !self.seen(object).deletable {
            let message = format!("entity type cannot be deleted: {}", object.label);
            return Err(Refusal { status: 403, ..Refusal::bad("INSUFFICIENT_ACCESS_OR_READONLY", message) });
        }
        self.check_row(object, id, RowAction::Delete)
    }

    /// Puts the client's values into the row.
    fn fill(
        &mut self,
        object: &SObject,
        row: &mut [Stored],
        body: &Map<String, Json>,
        creating: bool,
    ) -> Result<(), Refusal> {
        for (name, value) in body.iter().filter(|(name, _)| *name != "attributes") {
            if name.eq_ignore_ascii_case("Id") {
                let (code, message) = if creating {
                    ("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call")
                } else {
                    ("INVALID_FIELD", "The Id field should not be specified in the sobject data.")
                };
                return Err(Refusal::field(code, message, "Id"));
            }
            let own = object.position(name);
            let nested = value.is_object() || value.is_null();
            let place = own.or_else(|| object.referring(name).filter(|_| nested));
            let place = place.filter(|at| self.seen_field(object, *at).is_some());
            let referred = match place.filter(|_| own.is_none()) {
                Some(at) => Some(self.referred(&object.fields[at], value)?),
                None => None,
            };
            let Some((at, field)) = place.and_then(|at| Some((at, self.seen_field(object, at)?))) else {
                return Err(Refusal::bad(
                    "INVALID_FIELD",
                    format!("No such column '{name}' on sobject of type {}", object.name),
                ));
            };
            let writable = if creating { field.createable } else { field.updateable };
            if !writable && self.actor == Actor::Client {
                let message = format!(
                    "Unable to create/update fields: {}. Please check the security settings of this field and verify that it is \
                     read/write for your profile or permission set.",
                    field.name
                );
                return Err(Refusal::field("INVALID_FIELD_FOR_INSERT_UPDATE", message, &field.name));
            }
            row[at] = parse(field, referred.as_ref().unwrap_or(value))?;
            if let (FieldType::Reference, Stored::Text(target)) = (field.kind, &row[at])
                && self.actor != Actor::Seed
            {
                self.check_reference(field, target)?;
            }
        }
        Ok(())
    }

    /// Gives the fields that were not named the values the org gives them.
    fn default(&self, object: &SObject, row: &mut [Stored], id: Id) -> Result<(), Refusal> {
        let text = |value: &str| Stored::Text(value.to_owned());
        for (at, field) in object.fields.iter().enumerate() {
            if row[at] != Stored::Null {
                continue;
            }
            row[at] = match (field.name.as_str(), field.kind) {
                ("Id", _) => text(id.as_str()),
                ("CreatedDate" | "LastModifiedDate" | "SystemModstamp", _) => text(&self.stamp),
                ("CreatedById" | "LastModifiedById" | "OwnerId", _) => text(self.user.as_str()),
                ("PhotoUrl", _) => Stored::Text(format!("/services/images/photo/{id}")),
                _ if field.auto_number => Stored::Text(format!("{:08}", self.database.next_id)),
                _ => match field.default() {
                    Some(value) => parse(field, &value)?,
                    None => match field.kind {
                        FieldType::Boolean => Stored::Integer(0),
                        FieldType::Int | FieldType::Long if !field.nillable && !field.createable => Stored::Integer(0),
                        FieldType::Double | FieldType::Currency | FieldType::Percent
                            if !field.nillable && !field.createable =>
                        {
                            Stored::Real(0.0)
                        }
                        // A custom object's name may be left out and is then the id.
                        FieldType::String if field.name == "Name" && field.nillable => text(id.as_str()),
                        _ => Stored::Null,
                    },
                },
            };
        }
        Ok(())
    }

    fn check_topic_quota(&self) -> Result<(), Refusal> {
        let sql = "SELECT COUNT(*) FROM \"PushTopic\" WHERE \"IsDeleted\"=0 AND \"IsActive\"=1";
        let count: i64 = self.database.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        let most = self.org.settings.push_topics;
        if count.unsigned_abs() < most as u64 {
            return Ok(());
        }
        let message = format!("The maximum number of push topics for this organization ({most}) has been reached");
        Err(Refusal { fields: Some(Vec::new()), ..Refusal::bad("LIMIT_EXCEEDED", message) })
    }

    fn set(&self, object: &SObject, row: &mut [Stored], field: &str, value: Stored) {
        if let Some(at) = object.position(field) {
            row[at] = value;
        }
    }

    /// Takes a record to write it, unless an open transaction has it.
    pub(in crate::org) fn touch(&mut self, object: &Arc<SObject>, id: Id) -> Result<(), Refusal> {
        if self.org.late().keeps_from(self.late, id) {
            let message = format!("unable to obtain exclusive access to this record or 1 records: {id}");
            return Err(Refusal::bad("UNABLE_TO_LOCK_ROW", message));
        }
        self.touched.push((Arc::clone(object), id));
        Ok(())
    }

    pub(super) fn note(&mut self, object: &Arc<SObject>, id: Id, kind: ChangeKind, changed: Vec<usize>) {
        if self.actor != Actor::Seed {
            self.changes.push(Change { object: Arc::clone(object), id, kind, changed });
        }
    }
}

fn require(object: &SObject, row: &[Stored], wanted: impl Fn(&Field) -> bool) -> Result<(), Refusal> {
    let missing: Vec<String> = object
        .fields
        .iter()
        .enumerate()
        .filter(|(at, field)| row[*at] == Stored::Null && wanted(field))
        .map(|(_, field)| field.name.clone())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("Required fields are missing: [{}]", missing.join(", "));
    Err(Refusal { fields: Some(missing), ..Refusal::bad("REQUIRED_FIELD_MISSING", message) })
}
