//! A row that was read, whichever way it came: what the merge asks of it, and the fields that its document shows.

use salesforce_client::{Record, RecordId};

use crate::capture::second::Second;

/// A row of an object.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// What decides about it.
    pub facts: Facts,
    /// What its document shows.
    pub fields: Fields<'a>,
}

/// What the merge asks of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Of which record it is.
    pub id: RecordId,
    /// When it changed last; `None` where the object does not tell.
    pub stamp: Option<Second>,
    /// Whether it is as it was created.
    pub is_new: bool,
    /// Whether it lies in the recycle bin.
    pub is_deleted: bool,
}

/// The fields of a row.
#[derive(Debug, Clone, Copy)]
pub enum Fields<'a> {
    /// As a reply of REST or an event spells them.
    Record(&'a Record<'a>),
    /// As documents spell them: each `,"NAME":VALUE`, all but `Id`.
    Spelled(&'a [u8]),
}

impl<'a> From<&'a Record<'a>> for Fields<'a> {
    fn from(record: &'a Record<'a>) -> Self {
        Self::Record(record)
    }
}
