//! What can go wrong in this connector. One line each, for the person who reads it at night.

use salesforce_client::RecordId;
use salesforce_sink::Rejection;

/// Every failure that ends a command or a session.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What came over stdin, or a config in it, is not what the protocol says; or stdout takes no more.
    #[error(transparent)]
    Protocol(#[from] flow_protocol::Error),

    /// The configuration cannot be used, or the file it stands in.
    #[error(transparent)]
    Endpoint(#[from] salesforce_endpoint::Error),

    /// A value of a binding's configuration cannot be used.
    #[error("object {object}: {key}: {problem}")]
    BadOption {
        /// As written in the resource config.
        object: String,
        /// Its place in the resource config.
        key: String,
        /// Why, and what is expected.
        problem: String,
    },

    /// Two bindings for one object.
    #[error(
        "object {object} is written by two bindings, of the collections {first} and {second}: which of them wins would be chance; leave one out"
    )]
    Twice {
        /// As written in the resource config.
        object: String,
        /// A collection.
        first: String,
        /// Another one.
        second: String,
    },

    /// Bindings that cannot work: all that is wrong with them.
    #[error("{}", .0.join("; "))]
    Unfit(Vec<String>),

    /// Salesforce refused, or could not be reached.
    #[error(transparent)]
    Salesforce(Box<salesforce_client::Error>),

    /// Writing failed, and not for one row only.
    #[error(transparent)]
    Sink(#[from] salesforce_sink::Error),

    /// A row was rejected, and the binding says to stop then.
    #[error(
        "{0}; the task begins again with this row: correct it in the collection or what rejects it in the org, or set the binding's Rejected Rows to continue, which reports such rows and goes on"
    )]
    Rejected(Box<Rejection>),

    /// A row that came before the one it refers to, and the binding says to stop then.
    #[error(
        "{0}: the record it refers to has not come yet; the task begins again with this row, and finds it if it has come by then: give the binding of that object a higher priority, so that parents come first"
    )]
    NoParent(Box<Rejection>),

    /// A rejected row that could not be kept.
    #[error("a rejected row could not be kept: {letter}; the row: {row}")]
    LetterLost {
        /// Why not.
        letter: Box<Rejection>,
        /// Which row it is about.
        row: String,
    },

    /// A stored document that is not what its binding asked for.
    #[error("object {object}: a stored document cannot be read: {problem}")]
    Document {
        /// The object.
        object: String,
        /// What is wrong.
        problem: String,
    },

    /// The config leads to another org than the one that was written to.
    #[error(
        "object {object}: what is known of it was written to the org {known}, and the config leads to {found}: correct the config, or ask for a backfill of the binding, which writes its collection to that org from the start"
    )]
    OtherOrg {
        /// The object.
        object: String,
        /// The org as of the last commit.
        known: RecordId,
        /// The org signed in to.
        found: RecordId,
    },

    /// The persisted state is not one of ours.
    #[error("the state cannot be read: it was not written by this connector; backfill the bindings")]
    State {
        /// What does not fit.
        source: flow_protocol::error::Mismatch,
    },

    /// The persisted state was written by a later version.
    #[error(
        "the state has layout {found}, this program knows layout {known} only: run the version that wrote it, or backfill the bindings"
    )]
    StateVersion {
        /// The state's layout.
        found: u32,
        /// The one known here.
        known: u32,
    },

    /// A request at a moment when it has no meaning.
    #[error("the request {request} has no place here: {why}")]
    OutOfPlace {
        /// Its kind.
        request: &'static str,
        /// Why not.
        why: &'static str,
    },
}

impl Error {
    /// A value of a binding's configuration that salesforce-client refuses.
    pub fn option(object: &str, key: &str, source: &salesforce_client::Error) -> Self {
        Self::BadOption { object: object.to_owned(), key: key.to_owned(), problem: source.to_string() }
    }
}

impl From<salesforce_client::Error> for Error {
    fn from(source: salesforce_client::Error) -> Self {
        Self::Salesforce(Box::new(source))
    }
}
