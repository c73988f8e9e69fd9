//! What can go wrong in this connector. One line each, for the person who reads it at night.

use salesforce_client::{FieldName, RecordId, SObjectName};
use salesforce_streaming::push_topic::TopicName;

use crate::cell::Misfit;

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
    #[error("stream {stream}: {key}: {problem}")]
    BadOption {
        /// As written in the resource config.
        stream: String,
        /// Its place in the resource config.
        key: String,
        /// Why, and what is expected.
        problem: String,
    },

    /// A value of the configuration cannot be used, as the part that reads it says.
    #[error("{key} cannot be used")]
    Setting {
        /// Its place in the config.
        key: &'static str,
        /// What is wrong with it.
        source: Box<salesforce_client::Error>,
    },

    /// Salesforce refused, or could not be reached.
    #[error(transparent)]
    Salesforce(Box<salesforce_client::Error>),

    /// The streaming part failed for good.
    #[error(transparent)]
    Streaming(Box<salesforce_streaming::Error>),

    /// A stream that the org does not have, or that this user cannot see.
    #[error(
        "stream {stream}: the org has no such object, or the user may not see it{suggestion}; check the API name, and that the user's profile grants Read on the object"
    )]
    UnknownStream {
        /// As written in the resource config.
        stream: String,
        /// `; did you mean X`, or nothing.
        suggestion: String,
    },

    /// A stream that cannot be captured.
    #[error("stream {stream}: {why}")]
    Uncapturable {
        /// The object.
        stream: String,
        /// Why, and what to do.
        why: String,
    },

    /// The same object twice.
    #[error("streams {first} and {second} are the same object {object}: remove one of the bindings")]
    SameObject {
        /// As written in one binding.
        first: String,
        /// As written in the other.
        second: String,
        /// The object's API name.
        object: SObjectName,
    },

    /// The persisted state is not one of ours.
    #[error("the state cannot be read: it was not written by this connector; backfill the bindings")]
    State {
        /// What does not fit.
        source: flow_protocol::error::Mismatch,
    },

    /// The state file of a pull holds no JSON.
    #[error("{file} holds no position: it is empty or cut off; remove it, or name another file, to begin anew")]
    StateFile {
        /// The file.
        file: String,
        /// What does not fit.
        source: flow_protocol::error::Mismatch,
    },

    /// Another pull keeps its position in the same file.
    #[error("{file} is in use by another pull: end that one, or name another file")]
    StateInUse {
        /// The file.
        file: String,
    },

    /// The persisted state is from another version of this program.
    #[error(
        "the state has layout {found}, this program knows layout {known} only: run the version that wrote it, or backfill the bindings"
    )]
    StateVersion {
        /// The state's layout.
        found: u32,
        /// The one known here.
        known: u32,
    },

    /// The credentials lead to another org than before.
    #[error(
        "these credentials sign in to org {found}, but the state belongs to org {known}: sign in to that org, or, if the org was replaced (a refreshed sandbox gets a new id), backfill all bindings"
    )]
    OtherOrg {
        /// The org of the state.
        known: RecordId,
        /// The org of the credentials.
        found: RecordId,
    },

    /// The refresh token of the config is dead after one use.
    #[error(
        "the app rotates refresh tokens: the one in the config ended when it was used, and a connector cannot rewrite its config; switch refresh token rotation off in the app's OAuth policies, then sign in again"
    )]
    Rotating,

    /// A row that breaks what the org says of it.
    #[error("{object}: a row of {feed} cannot be read")]
    Row {
        /// The object.
        object: SObjectName,
        /// Where the row came from.
        feed: &'static str,
        /// What is wrong.
        source: Box<salesforce_client::Error>,
    },

    /// A row that does not stand where it should.
    #[error(
        "{object} {id}: it comes behind a row of a greater id, though rows were asked for in the order of their ids; going on could \
         pass over rows"
    )]
    OutOfOrder {
        /// The object.
        object: SObjectName,
        /// The record.
        id: RecordId,
    },

    /// A cell of a Bulk job's results that breaks what the org says of its field.
    #[error("{object} {id}: {field} cannot be read from the results of a Bulk job")]
    Cell {
        /// The object.
        object: SObjectName,
        /// The record.
        id: RecordId,
        /// The field.
        field: FieldName,
        /// What is wrong.
        source: Misfit,
    },

    /// A file named on the command line.
    #[error("{doing} {file}")]
    File {
        /// What was being done.
        doing: &'static str,
        /// The file.
        file: String,
        /// What the system says.
        source: std::io::Error,
    },

    /// The Streaming API is closed to this user.
    #[error("{problem}: {cure}")]
    NoStreaming {
        /// What was found.
        problem: String,
        /// What an administrator does about it.
        cure: &'static str,
    },

    /// A request at a moment when it has no meaning.
    #[error("the request {request} has no place here: {why}")]
    OutOfPlace {
        /// Its kind.
        request: &'static str,
        /// Why not.
        why: &'static str,
    },

    /// A topic that is gone in mid-session.
    #[error(
        "stream {stream}: its PushTopic was deleted, and the org has no topic left to make it anew; a restarted capture polls it"
    )]
    NoTopicAnyMore {
        /// As written in the resource config.
        stream: String,
    },

    /// A topic that was there a moment ago, again and again.
    #[error(
        "the PushTopic {topic} for {object} is deleted as often as the capture makes it: find out in Setup who does that, or set mode to poll"
    )]
    TopicGone {
        /// The object it is for.
        object: SObjectName,
        /// The topic's name.
        topic: TopicName,
    },

    /// The channel of a binding cannot be subscribed.
    #[error("stream {stream}: Salesforce refuses its PushTopic {channel}: {why}")]
    Refused {
        /// The object.
        stream: String,
        /// The channel.
        channel: String,
        /// The refusal and its cure.
        why: String,
    },
}

impl Error {
    /// Whether it is an allocation of the org that is used up: the same may work in minutes or hours.
    pub fn passes_with_time(&self) -> bool {
        let source = match self {
            Self::Salesforce(source) => source,
            Self::Streaming(source) => match &**source {
                salesforce_streaming::Error::SignIn(source) | salesforce_streaming::Error::Topic { source, .. } => {
                    source
                }
                _ => return false,
            },
            _ => return false,
        };
        source.class() == salesforce_client::Class::Wait
    }

    /// A value of a binding's configuration that cannot be used.
    pub fn option(stream: &str, key: &str, problem: String) -> Self {
        Self::BadOption { stream: stream.into(), key: key.into(), problem }
    }

    /// A value that salesforce-client refuses.
    pub fn setting(key: &'static str, source: salesforce_client::Error) -> Self {
        Self::Setting { key, source: Box::new(source) }
    }

    /// A failure of salesforce-client that needs no more words.
    pub fn salesforce(source: salesforce_client::Error) -> Self {
        Self::Salesforce(Box::new(source))
    }
}

impl From<salesforce_client::Error> for Error {
    fn from(source: salesforce_client::Error) -> Self {
        Self::salesforce(source)
    }
}

impl From<salesforce_streaming::Error> for Error {
    fn from(source: salesforce_streaming::Error) -> Self {
        Self::Streaming(Box::new(source))
    }
}
