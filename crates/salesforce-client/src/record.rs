//! A record as it came from the org.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, Unexpected},
};
use serde_json::value::RawValue;

use crate::{Error, RecordId, members::Members};

/// The fields of one record, in the order of the reply, each value as it was written.
///
/// It borrows from the reply's bytes: numbers keep their digits, nested objects stay unparsed, and a null field is
/// present where an unselected one is absent. The member `attributes` of the record itself is dropped; those inside
/// related records are left alone. Names are compared exactly: Salesforce answers in canonical case.
#[derive(Clone)]
pub struct Record<'a> {
    fields: Vec<(Cow<'a, str>, Json<'a>)>,
}

/// A record that is not told apart: sound JSON, and an object. Its fields take more memory than its text, so of many records
/// each is read when its turn comes.
#[derive(Clone, Copy)]
pub struct Unread<'a>(&'a str);

/// A value of a field: one JSON value, as it was written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Json<'a>(&'a str);

impl<'a> Record<'a> {
    /// The value of a field, as JSON; `None` if the record has no such field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Json<'a>> {
        self.fields.iter().find(|(field, _)| field == name).map(|&(_, value)| value)
    }

    /// The fields in the order of the reply.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, Json<'a>)> {
        self.fields.iter().map(|(name, value)| (name.as_ref(), *value))
    }

    /// How many fields there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there is no field at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The record's own id.
    ///
    /// # Errors
    /// [`Error::Invalid`] if `Id` was not selected or is no record id.
    pub fn id(&self) -> Result<RecordId, Error> {
        match self.text("Id") {
            Some(id) => id.parse(),
            None => Err(Error::invalid_unseen("record", "it has no Id; was the field selected?")),
        }
    }

    /// The text of a field; `None` if it is absent, null or no string.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name)?.text()
    }
}

impl<'a> Unread<'a> {
    /// The record with its fields told apart.
    #[must_use]
    pub fn read(self) -> Record<'a> {
        let mut fields = Vec::with_capacity((self.0.len() / FIELD).min(MANY));
        for (name, value) in Members::of_sound(self.0).into_iter().flatten() {
            let name = unescaped(name);
            if name != "attributes" {
                fields.push((name, Json(value)));
            }
        }
        Record { fields }
    }
}

/// Bytes of a field, about, and a number of them that most records do not have: growing from nothing is felt.
const FIELD: usize = 32;
const MANY: usize = 256;

/// A string without its quotes, as it is written; borrowed unless something is escaped in it.
fn unescaped(written: &str) -> Cow<'_, str> {
    // Names are short: looking at each byte takes less than setting out to search.
    if !written.bytes().any(|byte| byte == b'\\') {
        return Cow::Borrowed(written);
    }
    // It was part of sound JSON, so it is a string.
    serde_json::from_str(&format!("\"{written}\"")).map_or(Cow::Borrowed(written), Cow::Owned)
}

impl<'a> Json<'a> {
    /// The value as it was written.
    #[must_use]
    pub fn get(self) -> &'a str {
        self.0
    }

    /// What a string says; `None` if it is none.
    #[must_use]
    pub fn text(self) -> Option<Cow<'a, str>> {
        Some(unescaped(self.0.strip_prefix('"')?.strip_suffix('"')?))
    }

    /// The members of an object, such as a compound field; `None` if it is none.
    #[must_use]
    pub fn object(self) -> Option<Record<'a>> {
        self.0.starts_with('{').then(|| Unread(self.0).read())
    }
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl fmt::Debug for Unread<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.read().fmt(f)
    }
}

impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Parsed as one value, and told apart later: a parser that is asked for one field after the other takes twice as long.
impl<'de: 'a, 'a> Deserialize<'de> for Unread<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&RawValue>::deserialize(deserializer)?.get();
        match text.starts_with('{') {
            true => Ok(Self(text)),
            false => Err(D::Error::invalid_type(Unexpected::Other("value"), &"a record")),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Record<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Unread::deserialize(deserializer)?.read())
    }
}
