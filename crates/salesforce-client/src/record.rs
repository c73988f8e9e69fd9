//! A record as it came from the org.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{Error, RecordId};

/// The fields of one record, in the order of the reply, each value as it was written.
///
/// It borrows from the reply's bytes: numbers keep their digits, nested objects stay unparsed, and a null field is
/// present where an unselected one is absent. The member `attributes` of the record itself is dropped; those inside
/// related records are left alone. Names are compared exactly: Salesforce answers in canonical case.
#[derive(Clone)]
pub struct Record<'a> {
    fields: Vec<(Cow<'a, str>, Json<'a>)>,
}

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

impl<'a> Json<'a> {
    /// The value as it was written.
    #[must_use]
    pub fn get(self) -> &'a str {
        self.0
    }

    /// What a string says; `None` if it is none.
    #[must_use]
    pub fn text(self) -> Option<Cow<'a, str>> {
        Some(serde_json::from_str::<Text<'a>>(self.0).ok()?.0)
    }

    /// The members of an object, such as a compound field; `None` if it is none.
    #[must_use]
    pub fn object(self) -> Option<Record<'a>> {
        if self.0.starts_with('{') { serde_json::from_str(self.0).ok() } else { None }
    }
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Record<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Record<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a record")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record<'de>, A::Error> {
                let mut fields = Vec::with_capacity(ROOM);
                while let Some(Text(name)) = map.next_key()? {
                    if name == "attributes" {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        fields.push((name, Json(map.next_value::<&RawValue>()?.get())));
                    }
                }
                fields.shrink_to_fit();
                Ok(Record { fields })
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

/// Fields that a record is given room for while it is read: more than most have, as growing is felt. What it does not need is given
/// back, so that the records of a page lie close together.
const ROOM: usize = 128;

/// A string, borrowed unless it had to be unescaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
