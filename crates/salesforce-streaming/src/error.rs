//! The crate's error.

use crate::{Failure, push_topic::Problem};

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No token could be had for streaming.
    #[error(transparent)]
    SignIn(#[from] salesforce_client::Error),
    /// New tokens are refused as the old ones were.
    #[error(
        "Salesforce refuses access tokens that it just issued for streaming ({why}); give the user the permission API \
         Enabled, the connected app the scope api, and check login IP ranges and session policies"
    )]
    Unauthenticated {
        /// What was refused, in Salesforce's words.
        why: String,
    },
    /// No streaming session can be had.
    #[error("no streaming session can be had: {0}")]
    Session(Failure),
    /// The stream has ended before.
    #[error("the stream has ended")]
    Ended,
    /// A text is no name of a channel.
    #[error("{name:?} is no channel; it looks like /topic/NAME, without wildcards, with 2,000 characters at most")]
    Channel {
        /// The text, shortened.
        name: String,
    },
    /// A text cannot be the name of a PushTopic.
    #[error(
        "{name:?} cannot be the name of a PushTopic; it has 1 to 25 letters, digits, underscores or hyphens and starts \
         with a letter"
    )]
    TopicName {
        /// The text, shortened.
        name: String,
    },
    /// A query is too long for a PushTopic.
    #[error(
        "the query of PushTopic {topic} is {length} characters long, above the limit of {limit}; select fewer fields"
    )]
    QueryTooLong {
        /// The topic.
        topic: String,
        /// Its length in characters.
        length: usize,
        /// The most there may be.
        limit: usize,
    },
    /// A PushTopic could not be read, created, changed or deleted.
    #[error("{doing} failed, {problem}: {source}")]
    Topic {
        /// What was being done, to which topic.
        doing: String,
        /// What is in the way, and the cure.
        problem: Problem,
        /// What came back.
        source: salesforce_client::Error,
    },
    /// A PushTopic in the org lacks something it always has.
    #[error("the PushTopic {id} cannot be read: {why}")]
    Unreadable {
        /// The record, if it has an id.
        id: String,
        /// What is wrong.
        why: String,
    },
}

impl Error {
    /// Whether the same may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::SignIn(source) => source.is_retryable(),
            Error::Topic { problem, source, .. } => *problem == Problem::Other && source.is_retryable(),
            Error::Session(failure) => failure.retry_in.is_some(),
            Error::Unauthenticated { .. }
            | Error::Ended
            | Error::Channel { .. }
            | Error::TopicName { .. }
            | Error::QueryTooLong { .. }
            | Error::Unreadable { .. } => false,
        }
    }
}
