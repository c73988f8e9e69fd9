//! History rows: what a tracked field was before and after a change. (Object reference, "LeadHistory" and
//! "OpportunityFieldHistory"; how values are typed and lookups doubled is seen in replicas and partly assumed.)

use std::sync::Arc;

use rusqlite::OptionalExtension as _;
use rusqlite::types::{Value as Stored, ValueRef};

use crate::org::schema::{Field, FieldType, SObject, Schema};
use crate::org::value::{Spelling, write, write_text};
use crate::org::{Id, Refusal, Transaction};

/// Key prefix of history rows, whatever they are the history of.
pub(in crate::org) const PREFIX: &str = "017";
/// Texts that may be longer than this leave no trace of their values.
const LONGEST_TEXT: usize = 255;

/// One row to be: the field as history names it, the type it names, and both values as JSON.
struct Entry {
    field: String,
    data_type: &'static str,
    old: Stored,
    new: Stored,
}

/// Is this an object whose rows are written by the org alone, as the history of another?
pub(in crate::org) fn is(object: &SObject) -> bool {
    object.key_prefix.is_none() && object.field("OldValue").is_some()
}

/// The object whose history an object is, by its one reference that is not to users.
pub(in crate::org) fn told(object: &SObject) -> Option<&str> {
    let tells =
        |field: &&Field| field.kind == FieldType::Reference && !field.reference_to.iter().any(|to| to == "User");
    object.fields.iter().find(tells)?.reference_to.first().map(String::as_str)
}

/// The history of an object, and the field of it that names the record.
fn of(schema: &Schema, object: &SObject) -> Option<(Arc<SObject>, usize)> {
    let name = match object.name.strip_suffix("__c") {
        Some(custom) => format!("{custom}__History"),
        None if object.name == "Opportunity" => "OpportunityFieldHistory".to_owned(),
        None => format!("{}History", object.name),
    };
    let history = schema.object(&name)?;
    let parent = history.fields.iter().position(|field| field.reference_to == [object.name.as_str()])?;
    is(history).then(|| (Arc::clone(history), parent))
}

impl Transaction<'_> {
    /// Notes that a record was created.
    pub(super) fn remember_creation(&mut self, object: &SObject, id: Id) -> Result<(), Refusal> {
        let created = || vec![Entry::new("created".to_owned(), "Text", Stored::Null, Stored::Null)];
        self.remember(object, id, |_, tracked| Ok(if tracked.is_empty() { Vec::new() } else { created() }))
    }

    /// Notes which tracked fields of a record a change has changed.
    pub(super) fn remember_change(
        &mut self,
        object: &SObject,
        id: Id,
        before: &[Stored],
        after: &[Stored],
    ) -> Result<(), Refusal> {
        self.remember(object, id, |transaction, tracked| {
            let mut entries = Vec::new();
            for at in tracked.iter().copied().filter(|at| before[*at] != after[*at]) {
                entries.extend(transaction.entries(&object.fields[at], &before[at], &after[at])?);
            }
            Ok(entries)
        })
    }

    /// Writes the rows that `entries` makes of the places of the tracked fields.
    fn remember(
        &mut self,
        object: &SObject,
        id: Id,
        entries: impl FnOnce(&Self, &[usize]) -> Result<Vec<Entry>, Refusal>,
    ) -> Result<(), Refusal> {
        let Some(names) = self.org.settings.tracked_fields.get(&object.name) else { return Ok(()) };
        let Some((history, parent)) = of(&self.views.whole, object) else { return Ok(()) };
        let tracked: Vec<usize> = names.iter().filter_map(|name| object.position(name)).collect();
        for Entry { field, data_type, old, new } in entries(self, &tracked)? {
            let row_id = Id::new(PREFIX, self.org.pod, self.database.next_history);
            self.database.next_history += 1;
            let row = history.fields.iter().enumerate().map(|(at, column)| match column.name.as_str() {
                _ if at == parent => Stored::Text(id.to_string()),
                "Id" => Stored::Text(row_id.to_string()),
                "IsDeleted" => Stored::Integer(0),
                "CreatedById" => Stored::Text(self.user.to_string()),
                "CreatedDate" => Stored::Text(self.stamp.clone()),
                "Field" => Stored::Text(field.clone()),
                "DataType" => Stored::Text(data_type.to_owned()),
                "OldValue" => old.clone(),
                "NewValue" => new.clone(),
                _ => Stored::Null,
            });
            let row: Vec<Stored> = row.collect();
            self.touch(&history, row_id)?;
            self.database.ensure(&self.views.whole, &history.name)?;
            self.database.insert(&history, &row)?;
        }
        Ok(())
    }

    /// A changed field as history tells it; a lookup is told twice, with the names and with the ids of its records.
    fn entries(&self, field: &Field, old: &Stored, new: &Stored) -> Result<Vec<Entry>, Refusal> {
        let json = |value: &Stored| json(field, value);
        if field.kind != FieldType::Reference {
            return Ok(vec![Entry::new(field.name.clone(), data_type(field), json(old), json(new))]);
        }
        let name = field.name.strip_suffix("Id").unwrap_or(&field.name);
        Ok(vec![
            Entry::new(name.to_owned(), "Text", self.name_of(old)?, self.name_of(new)?),
            Entry::new(name.to_owned(), "EntityId", json(old), json(new)),
        ])
    }

    /// The name of the record an id belongs to, as JSON; null where there is none.
    fn name_of(&self, id: &Stored) -> Result<Stored, Refusal> {
        let Stored::Text(id) = id else { return Ok(Stored::Null) };
        let object = Id::parse(id).and_then(|id| self.views.whole.of_id(id));
        let named =
            |object: &&Arc<SObject>| object.field("Name").is_some() && self.database.tables.contains(&object.name);
        let Some(object) = object.filter(named) else { return Ok(Stored::Null) };
        let sql = format!("SELECT \"Name\" FROM \"{}\" WHERE \"Id\"=?", object.name);
        let name: Option<Option<String>> =
            self.database.connection.prepare_cached(&sql)?.query_row([id], |row| row.get(0)).optional()?;
        Ok(name.flatten().map_or(Stored::Null, |name| {
            let mut text = Vec::new();
            write_text(&mut text, &name);
            Stored::Text(String::from_utf8_lossy(&text).into_owned())
        }))
    }
}

impl Entry {
    fn new(field: String, data_type: &'static str, old: Stored, new: Stored) -> Self {
        Self { field, data_type, old, new }
    }
}

/// A value as the `anyType` column keeps it.
fn json(field: &Field, value: &Stored) -> Stored {
    if *value == Stored::Null || field.length > LONGEST_TEXT {
        return Stored::Null;
    }
    let mut text = Vec::new();
    write(&mut text, field.kind, ValueRef::from(value), Spelling::Rest);
    Stored::Text(String::from_utf8_lossy(&text).into_owned())
}

fn data_type(field: &Field) -> &'static str {
    match field.kind {
        FieldType::Picklist | FieldType::ComboBox => "DynamicEnum",
        FieldType::MultiPicklist => "MultiEnum",
        FieldType::Boolean => "Boolean",
        FieldType::Int | FieldType::Long => "Integer",
        FieldType::Double => "Double",
        FieldType::Currency => "Currency",
        FieldType::Percent => "Percent",
        FieldType::Date => "DateOnly",
        FieldType::DateTime => "DateTime",
        FieldType::Time => "TimeOnly",
        FieldType::Phone => "Phone",
        FieldType::Email => "Email",
        FieldType::Url => "Url",
        FieldType::TextArea => "TextArea",
        _ => "Text",
    }
}
