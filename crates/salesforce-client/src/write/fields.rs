//! The body of a row: fields as JSON, written once and copied into whichever request carries them.

use std::fmt;

use serde::Serialize;

use crate::FieldName;

/// The fields of a row to be written, as JSON, in the order in which they were put in. Neither the record's id nor its
/// external id is among them: whoever writes the row says which record is meant.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields {
    /// The members of the object, without its braces.
    members: Vec<u8>,
}

impl Fields {
    /// No fields: a create makes a record of defaults, an update changes nothing.
    #[must_use]
    pub fn new() -> Fields {
        Fields::default()
    }

    /// Adds a field, which must not be there yet. Null clears it; numbers may be texts. A reference can be told by an
    /// external id of the other record: the field is then the relationship, such as `Parent__r`, and the value
    /// `{"Ext__c": "A/17"}`, which begins with `"attributes": {"type": "Account"}` if there are several such objects.
    ///
    /// # Panics
    /// If the value is no JSON: a map whose keys are no texts.
    pub fn put(&mut self, field: &FieldName, value: &(impl Serialize + ?Sized)) {
        if !self.members.is_empty() {
            self.members.push(b',');
        }
        self.members.push(b'"');
        // A name has no characters that would have to be escaped.
        self.members.extend_from_slice(field.as_str().as_bytes());
        self.members.extend_from_slice(b"\":");
        serde_json::to_writer(&mut self.members, value).expect("only a map with odd keys is no JSON");
    }

    /// Whether there is no field at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Their length in a request, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.members.len()
    }

    /// Adds the members to an object that may have some already.
    pub(super) fn append_to(&self, body: &mut Vec<u8>) {
        if !self.is_empty() && body.last().is_some_and(|last| *last != b'{') {
            body.push(b',');
        }
        body.extend_from_slice(&self.members);
    }

    /// The fields as an object of their own.
    pub(super) fn object(&self) -> Vec<u8> {
        [b"{", self.members.as_slice(), b"}"].concat()
    }
}

impl<'a, V: Serialize> FromIterator<(&'a FieldName, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (&'a FieldName, V)>>(fields: I) -> Fields {
        let mut all = Fields::new();
        fields.into_iter().for_each(|(field, value)| all.put(field, &value));
        all
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", String::from_utf8_lossy(&self.members))
    }
}
