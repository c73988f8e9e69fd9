//! What is to be written: an operation on one record, its fields as they came, and where it came from.

use std::fmt;

use salesforce_client::Record;
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::value::RawValue;

/// What is done to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Make a new one.
    Insert,
    /// Write to one that must exist.
    Update,
    /// Write to one, or make it.
    Upsert,
    /// Remove it.
    Delete,
}

impl Operation {
    /// All of them.
    pub const ALL: [Operation; 4] = [Operation::Insert, Operation::Update, Operation::Upsert, Operation::Delete];
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Operation::Insert => "insert",
            Operation::Update => "update",
            Operation::Upsert => "upsert",
            Operation::Delete => "delete",
        })
    }
}

/// One change. Exactly one [`Receipt`](crate::Receipt) answers it and brings `origin` back.
#[derive(Clone, Debug)]
pub struct Change<O> {
    /// What to do.
    pub operation: Operation,
    /// Which record: its Id, or its value in the field that the target matches by, as text. An insert may have none: then nothing
    /// orders it against other changes.
    pub key: Option<Box<str>>,
    /// The fields, as they came. A delete needs none.
    pub fields: Fields,
    /// Whatever the sender wants back; the sink does not look at it.
    pub origin: O,
}

/// Fields in the order they came, each value as the JSON it was written in.
#[derive(Clone, Default)]
pub struct Fields(Vec<(Box<str>, Box<RawValue>)>);

impl Fields {
    /// No fields.
    #[must_use]
    pub fn none() -> Fields {
        Fields::default()
    }

    /// The members of a JSON object.
    ///
    /// # Errors
    /// If the text is no JSON object.
    pub fn parse(object: &str) -> Result<Fields, serde_json::Error> {
        let record: Record<'_> = serde_json::from_str(object)?;
        let owned = |value: &str| RawValue::from_string(value.to_owned());
        record.iter().map(|(name, value)| Ok((name.into(), owned(value.get())?))).collect()
    }

    /// Adds a field behind the others.
    pub fn push(&mut self, name: impl Into<Box<str>>, value: Box<RawValue>) {
        self.0.push((name.into(), value));
    }

    /// The value of a field by its exact name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().find(|(own, _)| **own == *name).map(|(_, value)| &**value)
    }

    /// The fields in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &RawValue)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

impl FromIterator<(Box<str>, Box<RawValue>)> for Fields {
    fn from_iter<I: IntoIterator<Item = (Box<str>, Box<RawValue>)>>(fields: I) -> Fields {
        Fields(fields.into_iter().collect())
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(name, value)| (name, value.get()))).finish()
    }
}
