//! Why Salesforce refuses a subscription or a session, and what to do about it there.

use std::{fmt, time::Duration};

use crate::ReplayFrom;

/// A refusal, in Salesforce's words and with its cure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it amounts to.
    pub kind: FailureKind,
    /// Salesforce's own words, code first: the `error` of the reply, and its `failureReason` where they differ.
    pub text: String,
    /// After how long the stream asks again by itself; `None` if it does not, since only a change of the org's
    /// settings can help: the channel then rests until it is subscribed to again.
    pub retry_in: Option<Duration>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.text.trim_end_matches('.'), self.kind.cure())
    }
}

/// What a refusal amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureKind {
    /// The channel does not exist.
    NoSuchChannel,
    /// The user may not read the topic, its object, or fields of its condition.
    NoAccess,
    /// The org or the user may not use the Streaming API at all.
    NotEnabled,
    /// The name or the filter of the channel is not acceptable.
    BadChannel,
    /// The events the org may receive in 24 hours are used up.
    DailyLimit,
    /// As many clients as the org may have are connected.
    TooManyClients,
    /// As many clients as the topic may have are subscribed to it.
    TooManySubscribers,
    /// Salesforce is too busy.
    Busy,
    /// The version of the API does not serve the Streaming API.
    ApiVersion,
    /// Anything else.
    Other,
}

impl FailureKind {
    /// What to do about it, in Salesforce's terms: the end of a sentence.
    #[must_use]
    pub const fn cure(self) -> &'static str {
        match self {
            FailureKind::NoSuchChannel => {
                "create or activate the PushTopic, mind that channel names distinguish upper and lower case, then \
                 subscribe again"
            }
            FailureKind::NoAccess => {
                "give the user Read on PushTopic, on the topic's object and on the fields of its WHERE clause (View \
                 All Data for change events)"
            }
            FailureKind::NotEnabled => {
                "tick Enable Streaming API in Setup, User Interface, and give the user the permission API Enabled \
                 (community and portal users cannot stream)"
            }
            FailureKind::BadChannel => "correct the name or the filter of the channel",
            FailureKind::DailyLimit => {
                "the org's allocation of delivered events in 24 hours is used up by all its clients together; events \
                 are kept meanwhile and delivery goes on when the allocation allows it"
            }
            FailureKind::TooManyClients => {
                "the org's limit of concurrent CometD clients is reached (20 in Developer and Professional editions); \
                 stop other streaming clients or wait until their sessions expire"
            }
            FailureKind::TooManySubscribers => "stop other clients of this topic, or wait until their sessions expire",
            FailureKind::Busy => "nothing needs to be done, the request is repeated after a while",
            FailureKind::ApiVersion => "choose an API version the org's release serves, 37.0 or later",
            FailureKind::Other => {
                "look the message up in the Streaming API developer guide, under streaming error codes"
            }
        }
    }
}

/// Why events of a channel may be missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    /// The position asked for is refused: too old (PushTopic events are kept for 24 hours), or of a channel that
    /// was made anew. It may be that nothing was missed, on a channel where nothing happened for so long.
    Refused {
        /// The position that was asked for.
        from: ReplayFrom,
        /// Salesforce's own words.
        text: String,
    },
    /// An event came that cannot be read, so a change of unknown nature is missing. Subscribe again from the tip: read
    /// on from before the event, and it comes again.
    Unreadable {
        /// What is wrong with it.
        text: String,
    },
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Gap::Refused { from, text } => write!(f, "reading {from} is refused ({text})"),
            Gap::Unreadable { text } => write!(f, "an event cannot be read ({text})"),
        }
    }
}
