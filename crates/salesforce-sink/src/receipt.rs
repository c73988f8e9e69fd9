//! The answer to a change.

use std::{borrow::Cow, fmt};

use salesforce_client::{RecordId, SObjectName};
use serde_json::value::RawValue;

use crate::Operation;

/// What became of one change: every change that was submitted has exactly one, unless the sink fails.
#[derive(Debug)]
pub struct Receipt<O> {
    /// As it came with the change.
    pub origin: O,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a change.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It is in the org.
    Applied {
        /// The record; `None` where a delete found none.
        id: Option<RecordId>,
        /// Whether the record was made.
        created: bool,
    },
    /// There was nothing to write: no field of it is one that can be written.
    Unchanged,
    /// It is not in the org, and why.
    Rejected(Box<Rejection>),
}

/// Why a change is not in the org.
#[derive(Clone, Debug, thiserror::Error)]
pub struct Rejection {
    /// The object.
    pub object: SObjectName,
    /// What was to be done.
    pub operation: Operation,
    /// Which record, as the change said.
    pub key: Option<Box<str>>,
    /// Salesforce's code, or one of [`codes`].
    pub code: Box<str>,
    /// Salesforce's message, or ours, on one line. Salesforce repeats values, however long they are: the middle of a long message is left
    /// out.
    pub message: Box<str>,
    /// The fields concerned.
    pub fields: Vec<Box<str>>,
    /// What was sent, as JSON; where it never came to that, what was to be sent.
    pub sent: Box<RawValue>,
}

/// The most characters of a text in a sentence; from its beginning and from its end.
const SHOWN: (usize, usize) = (400, 100);

/// A text without its middle, if it is too long to be read.
pub(crate) fn in_short(text: &str) -> Cow<'_, str> {
    let (head, tail) = SHOWN;
    let count = text.chars().count();
    if count <= head + tail {
        return Cow::Borrowed(text);
    }
    let (head, tail): (String, String) = (text.chars().take(head).collect(), text.chars().skip(count - tail).collect());
    Cow::Owned(format!("{head} … {tail}"))
}

impl Rejection {
    /// Whether it is for want of a record that the row refers to by an external id.
    #[must_use]
    pub fn lacks_parent(&self) -> bool {
        &*self.code == "INVALID_FIELD" && self.message.starts_with(crate::verdict::NO_PARENT)
    }
}

/// Codes of rejections that are not Salesforce's.
pub mod codes {
    /// A value does not fit the type of its field.
    pub const MISFIT: &str = "VALUE_DOES_NOT_FIT";
    /// The change has no key, and its operation needs one.
    pub const NO_KEY: &str = "MISSING_EXTERNAL_ID";
    /// The key cannot stand in a URL, as a call of a single row needs it.
    pub const UNFIT_KEY: &str = "KEY_FITS_NO_URL";
    /// The target cannot do this operation.
    pub const NOT_ALLOWED: &str = "OPERATION_NOT_ALLOWED";
    /// No record has this key.
    pub const NOT_FOUND: &str = "NOT_FOUND";
    /// Several records have this key.
    pub const SEVERAL: &str = "MULTIPLE_MATCHES";
    /// Records that refer to each other, of which none can be made first.
    pub const CIRCLE: &str = "CIRCULAR_REFERENCE";
    /// A create whose reply was lost: the record may exist.
    pub const UNCLEAR: &str = "MAY_HAVE_BEEN_CREATED";
}

/// `update of Lead 00QAA… was rejected: STRING_TOO_LONG: Company: data value too large (fields: Company)`
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.operation, self.object)?;
        if let Some(key) = &self.key {
            write!(f, " {}", in_short(key))?;
        }
        write!(f, " was rejected: {}", self.code)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        if !self.fields.is_empty() {
            write!(f, " (fields: {})", self.fields.join(", "))?;
        }
        Ok(())
    }
}
