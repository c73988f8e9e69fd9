//! Changes → the next schema, and what has to be done to the tables. Pure: nothing here touches a database.

mod fields;
mod sound;

use std::sync::Arc;

use jiff::Timestamp;

use super::attributes::{Made, label_of};
use super::change::SchemaChange;
use super::definition::ObjectDefinition;
use super::field::Field;
use super::object::SObject;
use super::refused::SchemaError;
use super::{Schema, later};

/// A schema under change.
#[derive(Debug)]
pub(in crate::org) struct Draft {
    schema: Schema,
    edits: Vec<Edit>,
    at: Timestamp,
}

/// What a change means for the table of an object.
#[derive(Debug)]
pub(in crate::org) enum Edit {
    Add { object: String, field: Box<Field> },
    Drop { object: String, field: String },
    Rename { object: String, from: String, to: String },
    Convert { object: String, from: Box<Field>, to: Box<Field> },
}

impl Edit {
    /// The object whose table it changes.
    pub(in crate::org) fn object(&self) -> &str {
        match self {
            Self::Add { object, .. }
            | Self::Drop { object, .. }
            | Self::Rename { object, .. }
            | Self::Convert { object, .. } => object,
        }
    }
}

impl Draft {
    /// Begins with a schema as it is at that time.
    pub(in crate::org) fn of(schema: &Schema, at: Timestamp) -> Self {
        Self { schema: schema.clone(), edits: Vec::new(), at }
    }

    pub(in crate::org) fn finish(self) -> (Schema, Vec<Edit>) {
        (self.schema, self.edits)
    }

    /// Makes one change. `streamed` names a PushTopic that reads an object, or that names one of its fields.
    pub(in crate::org) fn make(
        &mut self,
        change: &SchemaChange,
        streamed: impl Fn(&str, Option<&str>) -> Option<String>,
    ) -> Result<(), SchemaError> {
        let unless = |asked: bool, object: &str, field: Option<&str>| match streamed(object, field).filter(|_| asked) {
            Some(topic) => {
                let what = field.map_or_else(|| object.to_owned(), |field| format!("{object}.{field}"));
                Err(SchemaError::Used { what, by: format!("PushTopic {topic}") })
            }
            None => Ok(()),
        };
        match change {
            SchemaChange::CreateObject { object, definition } => self.create_object(object, definition),
            SchemaChange::DeleteObject { object, unless_streamed } => {
                unless(*unless_streamed, object, None)?;
                self.delete_object(object)
            }
            SchemaChange::HideObject { object } => {
                self.change(object)?.hidden = true;
                self.touch(object);
                self.touch_parents(object)
            }
            SchemaChange::RestoreObject { object } => self.restore_object(object),
            SchemaChange::AddField { object, field, definition } => self.add_field(object, field, definition),
            SchemaChange::RemoveField { object, field, unless_streamed } => {
                unless(*unless_streamed, object, Some(field))?;
                self.remove_field(object, field)
            }
            SchemaChange::RenameField { object, field, to } => self.rename_field(object, field, to),
            SchemaChange::RetypeField { object, field, definition } => self.retype_field(object, field, definition),
            SchemaChange::RequireField { object, field, required } => self.require_field(object, field, *required),
            SchemaChange::ChangePicklist { object, field, add, deactivate, restricted } => {
                self.change_picklist(object, field, add, deactivate, *restricted)
            }
            SchemaChange::Relabel { object, field: Some(field), label } => {
                self.edit(object, field, |field| field.label.clone_from(label))
            }
            SchemaChange::Relabel { object, field: None, label } => {
                self.change(object)?.label.clone_from(label);
                self.touch(object);
                Ok(())
            }
            SchemaChange::HideField { object, field } => self.hide_field(object, field),
            SchemaChange::ShowField { object, field } => self.show_field(object, field),
            SchemaChange::Deprecate { object, field: Some(field) } => {
                self.edit(object, field, |field| field.deprecated_and_hidden = true)
            }
            SchemaChange::Deprecate { object, field: None } => {
                self.change(object)?.deprecated = true;
                self.touch(object);
                Ok(())
            }
            SchemaChange::Populate(crowd) => crowd.join(&mut self.schema, self.at),
        }
    }
}

/// Objects.
impl Draft {
    fn create_object(&mut self, name: &str, definition: &ObjectDefinition) -> Result<(), SchemaError> {
        custom_name(name)?;
        let same = |object: &Arc<SObject>| object.name.eq_ignore_ascii_case(name);
        if self.schema.object(name).is_some() || self.schema.bin.iter().any(same) {
            return Err(SchemaError::Exists(name.to_owned()));
        }
        let prefix = match &definition.prefix {
            Some(prefix)
                if prefix.len() == 3
                    && prefix.bytes().all(|b| b.is_ascii_alphanumeric())
                    && self.schema.is_free(prefix) =>
            {
                prefix.clone()
            }
            Some(prefix) => return Err(SchemaError::Prefix(prefix.clone())),
            None => self.schema.free_prefixes('a').next().ok_or(SchemaError::NoPrefix)?,
        };
        let label = definition.label.clone().unwrap_or_else(|| label_of(name));
        let made = Made {
            name: name.to_owned(),
            plural: definition.plural.clone().unwrap_or_else(|| format!("{label}s")),
            label,
            prefix,
            auto_number: definition.auto_number,
            modified: later(self.schema.modified, self.at),
        };
        let object = Arc::new(made.object(&self.schema.mould, Vec::new));
        self.schema.add([object], self.at);
        definition.fields.iter().try_for_each(|(field, definition)| self.add_field(name, field, definition))
    }

    fn delete_object(&mut self, name: &str) -> Result<(), SchemaError> {
        let object = Arc::clone(self.schema.object(name).ok_or_else(|| SchemaError::NoObject(name.to_owned()))?);
        if !object.custom {
            return Err(SchemaError::Standard(object.name.clone()));
        }
        self.schema.objects.retain(|other| !Arc::ptr_eq(other, &object));
        self.schema.bin.push(Arc::clone(&object));
        self.schema.index();
        self.touch_parents(&object.name)
    }

    fn restore_object(&mut self, name: &str) -> Result<(), SchemaError> {
        let binned = self.schema.bin.iter().position(|object| object.name.eq_ignore_ascii_case(name));
        if let Some(at) = binned {
            let object = self.schema.bin.remove(at);
            self.schema.add([object], self.at);
        }
        self.change(name)?.hidden = false;
        self.touch(name);
        self.touch_parents(name)
    }

    fn object(&self, name: &str) -> Result<&Arc<SObject>, SchemaError> {
        self.schema.object(name).ok_or_else(|| SchemaError::NoObject(name.to_owned()))
    }

    /// An object to be changed in place; whoever has a snapshot keeps the old one.
    fn change(&mut self, name: &str) -> Result<&mut SObject, SchemaError> {
        let at = self.schema.by_name.get(&name.to_ascii_lowercase());
        let at = *at.ok_or_else(|| SchemaError::NoObject(name.to_owned()))?;
        Ok(Arc::make_mut(&mut self.schema.objects[at]))
    }

    /// Notes that the describe of an object has changed, and with it the org's.
    fn touch(&mut self, name: &str) {
        let now = self.at;
        self.schema.modified = later(self.schema.modified, now);
        if let Ok(object) = self.change(name) {
            object.modified = later(object.modified, now);
        }
    }

    /// Parents list their children's relationships, as far as the user may see them.
    fn touch_parents(&mut self, name: &str) -> Result<(), SchemaError> {
        let of =
            |object: &&Arc<SObject>| object.children.iter().any(|relation| relation.child.eq_ignore_ascii_case(name));
        let parents: Vec<String> = self.schema.objects().filter(of).map(|object| object.name.clone()).collect();
        self.schema.modified = later(self.schema.modified, self.at);
        parents.iter().for_each(|parent| self.touch(parent));
        Ok(())
    }
}

/// `Invoice_Line__c`
fn custom_name(name: &str) -> Result<(), SchemaError> {
    let legal = |stem: &str| {
        stem.starts_with(|first: char| first.is_ascii_alphabetic())
            && stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !stem.ends_with('_')
            && !stem.contains("__")
            && stem.len() <= 40
    };
    match name.strip_suffix("__c") {
        Some(stem) if legal(stem) => Ok(()),
        _ => Err(SchemaError::Name(name.to_owned())),
    }
}
