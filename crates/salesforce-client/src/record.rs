//! A record as it came from the org.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, IgnoredAny, MapAccess, Visitor},
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
    fields: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Record<'a> {
    /// The value of a field, as JSON; `None` if the record has no such field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.fields.iter().find(|(field, _)| field == name).map(|&(_, value)| value)
    }

    /// The fields in the order of the reply.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &'a RawValue)> {
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
        let value: Text<'a> = serde_json::from_str(self.get(name)?.get()).ok()?;
        Some(value.0)
    }
}

impl fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(name, value)| (name, Raw(value.get())))).finish()
    }
}

/// Shows JSON as it stands, without quoting it again.
struct Raw<'a>(&'a str);

impl fmt::Debug for Raw<'_> {
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
                let mut fields = Vec::with_capacity(USUAL);
                while let Some(Text(name)) = map.next_key_seed(AnyText)? {
                    if name == "attributes" {
                        map.next_value::<IgnoredAny>()?;
                    } else {
                        fields.push((name, map.next_value()?));
                    }
                }
                Ok(Record { fields })
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

/// Fields that a record is given room for at first. Most have more, and growing from nothing is felt.
const USUAL: usize = 24;

/// A string, borrowed unless it had to be unescaped.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        AnyText.deserialize(deserializer)
    }
}

struct AnyText;

impl<'de> DeserializeSeed<'de> for AnyText {
    type Value = Text<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Text<'de>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for AnyText {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}
