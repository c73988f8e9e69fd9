//! What the org answers when it will not do something, in Salesforce's codes and words.

/// A refusal as the REST API reports it: an HTTP status and one element of the JSON array of errors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// HTTP status of the reply.
    pub status: u16,
    /// `errorCode` of the reply, `statusCode` in collections.
    pub code: &'static str,
    /// Text for people.
    pub message: String,
    /// API names of the fields at fault; `None` leaves the member out.
    pub fields: Option<Vec<String>>,
}

impl Refusal {
    /// A 400 without `fields`.
    pub fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self { status: 400, code, message: message.into(), fields: None }
    }

    /// A 400 about one field.
    pub fn field(code: &'static str, message: impl Into<String>, field: &str) -> Self {
        Self { status: 400, code, message: message.into(), fields: Some(vec![field.to_owned()]) }
    }

    /// No such path, object or record.
    pub fn not_found() -> Self {
        Self::missing("The requested resource does not exist")
    }

    /// A 404 with a text of its own.
    pub fn missing(message: impl Into<String>) -> Self {
        Self { status: 404, code: "NOT_FOUND", message: message.into(), fields: None }
    }

    /// The record is in the recycle bin.
    pub fn deleted() -> Self {
        Self {
            status: 404,
            code: "ENTITY_IS_DELETED",
            message: "entity is deleted".to_owned(),
            fields: Some(Vec::new()),
        }
    }

    /// Real Salesforce would do this and the emulated org cannot: said aloud, so that nobody mistakes it for a refusal.
    pub fn not_imitated(what: impl std::fmt::Display) -> Self {
        let message = format!("the emulated org does not imitate {what}; see COVERAGE.md of salesforce-emulator");
        Self { status: 501, code: "NOT_IMITATED", message, fields: None }
    }

    /// The database failed; nothing a client did.
    pub(crate) fn storage(error: &rusqlite::Error) -> Self {
        let message = format!("the emulated org's database failed: {error}");
        Self { status: 500, code: "UNKNOWN_EXCEPTION", message, fields: None }
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::storage(&error)
    }
}
