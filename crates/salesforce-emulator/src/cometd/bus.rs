//! The door through which CometD sees the org: who a token belongs to, which channels may be heard, what was announced.
//!
//! Everything here is synchronous and is called with the table of sessions locked: answers come from memory or a local
//! database, and an implementation must never call back into this module's [`Control`](super::Control).

use bytes::Bytes;
use tokio::sync::watch;

/// The org as an announcer of events.
pub trait Bus: Send + Sync + 'static {
    /// Whose access token this is. Asked for every request, and whenever a connect that waits is about to be answered,
    /// because Salesforce keeps validating: a revoked token ends a subscription that was alive a second ago.
    fn authenticate(&self, token: &str) -> Result<Principal, AuthFailure>;

    /// May `who` hear this channel, and from where? Called once per channel of a subscribe message.
    fn subscribe(&self, who: &Principal, request: &SubscribeRequest<'_>) -> Result<Start, Refusal>;

    /// The events of one stream after `after` (exclusive), oldest first, as many as fit `limit`; at least one if there
    /// is one, however large. Field-level security and sharing are applied for `who` here. An event hidden from `who`
    /// must not stop the reading: give it without data. The position moves past it, and nothing is handed out.
    fn read(&self, who: &Principal, stream: Stream, after: i64, limit: Limit) -> Result<Vec<Event>, Unavailable>;

    /// Ticks whenever events were appended to any stream.
    fn appended(&self) -> watch::Receiver<u64>;

    /// How many more events the org may deliver today, over all its subscribers.
    fn deliveries_left(&self) -> u64;

    /// Ends all sessions of the org, as scripted trouble asks for.
    fn expire_sessions(&self);

    /// Counts events that were handed out; once per subscriber, whether or not the reply reached it.
    fn delivered(&self, who: &Principal, count: u64);
}

/// The user behind an access token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// 18-character id of the user.
    pub user_id: String,
    /// 18-character id of the org.
    pub org_id: String,
}

/// Why a token is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthFailure {
    /// Unknown, expired or revoked: `401::Authentication invalid`.
    Invalid,
    /// The token is good, but the user's profile or the org has no Streaming API: `403::User not enabled for streaming`.
    NotEnabled,
}

/// What a client asks for with one channel of a `/meta/subscribe`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubscribeRequest<'a> {
    /// The channel without its filter, such as `/topic/Accounts`. Case-sensitive.
    pub channel: &'a str,
    /// Names of the fields in the filter (`/topic/Accounts?Name='x'`); each must be selected by the topic's query.
    pub filter_fields: &'a [&'a str],
    /// Where to begin.
    pub replay: Replay,
}

/// The replay extension's value for a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// `-1`, also the default: events announced from now on.
    Tip,
    /// `-2`: everything retained.
    Earliest,
    /// The events after the one with this replay id. Ids outside retention, or never issued on this channel, are
    /// refused with [`Refusal::InvalidReplayId`].
    After(i64),
}

/// Where a granted subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The stream behind the channel. It stays the same when a topic is renamed, and is another one when a topic was
    /// deleted and made again.
    pub stream: Stream,
    /// Events after this replay id are delivered (exclusive).
    pub after: i64,
}

/// The bus's own name for the log behind a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Stream(pub u64);

/// How much one reading may bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Most events.
    pub events: usize,
    /// Most bytes of `data`, summed; the first event is exempt.
    pub bytes: usize,
}

/// One announced event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Increases within its stream, with gaps.
    pub replay_id: i64,
    /// Place in the org-wide order of commits: events of several streams are delivered by it.
    pub order: u64,
    /// The `data` member as JSON, for a PushTopic
    /// `{"event":{"createdDate":…,"replayId":…,"type":…},"sobject":{…}}`. Empty if the reader may not hear of it.
    pub data: Bytes,
}

/// Why a subscription is refused. [`Refusal::text`] is what Salesforce says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No such topic, or an inactive one.
    UnknownChannel,
    /// A channel of a kind or name that cannot exist (`404::Unknown channel`).
    Unknown,
    /// The replay id is older than retention or was never issued on this channel.
    InvalidReplayId(i64),
    /// Fields of the filter that the topic's query does not select.
    UnknownFilterFields(Vec<String>),
    /// No Read on the topic's object.
    NoAccessToEntity,
    /// No Read on a field in the topic's WHERE.
    NoAccessToWhereFields,
    /// No Read on PushTopic, or Streaming API is off for the user.
    UserNotEnabled,
    /// An internal channel.
    Restricted,
    /// No Read on the generic channel.
    NoAccessToChannel,
    /// Change events of every object need View All Data.
    NeedsViewAllData,
    /// Too many subscribers of this topic.
    TopicLimit,
    /// The day's deliveries are used up.
    DailyLimit,
    /// A generic channel that does not exist and may not be made by subscribing.
    CannotCreate,
    /// Generic channels would exceed their number.
    ChannelLimit,
    /// A generic channel whose name differs from an existing one only by case.
    CaseVariant,
    /// The event log cannot be read: answered as a busy server.
    Busy,
}

impl Refusal {
    /// The `error` of the refused subscription to `channel`, in Salesforce's words.
    ///
    /// Texts are those of the vendor's table of Streaming API error codes; the braces and the two spaces after a
    /// sentence are in the recorded replies.
    pub fn text(&self, channel: &str) -> String {
        match self {
            Self::UnknownChannel => {
                format!("400::The channel you requested to subscribe to does not exist {{{channel}}}")
            }
            Self::Unknown => "404::Unknown channel".to_owned(),
            Self::InvalidReplayId(id) => invalid_replay_id(id),
            Self::UnknownFilterFields(fields) => {
                format!("400::Query fields {{{}}} do not exist on the topic entity", fields.join(", "))
            }
            Self::NoAccessToEntity => "403::Subscriber does not have access to the entity in this topic".to_owned(),
            Self::NoAccessToWhereFields => {
                "403::Subscriber does not have access to all fields referenced in the where clause of the PushTopic"
                    .to_owned()
            }
            Self::UserNotEnabled => "403::User not enabled for streaming".to_owned(),
            Self::Restricted => "403::Restricted channel".to_owned(),
            Self::NoAccessToChannel => "403::No access on channel".to_owned(),
            Self::NeedsViewAllData => {
                "403::User not allowed to subscribe CDC without View All Data permissions".to_owned()
            }
            Self::TopicLimit => "403::Subscription limit exceeded for this topic".to_owned(),
            Self::DailyLimit => "403::Organization total events daily limit exceeded".to_owned(),
            Self::CannotCreate => format!("403::Cannot create channel {{{channel}}}"),
            Self::ChannelLimit => {
                "403::Unable to create channel dynamically, maximum channel limit has been exceeded".to_owned()
            }
            Self::CaseVariant => "404::channel names may not vary only by case".to_owned(),
            Self::Busy => "403:denied_by_security_policy:subscribe_denied".to_owned(),
        }
    }
}

/// The refusal of a replay id, whatever the client wrote for one.
pub(super) fn invalid_replay_id(id: impl std::fmt::Display) -> String {
    format!(
        "400::The replayId {{{id}}} you provided was invalid.  Please provide a valid ID, -2 to replay all events, or -1 to \
         replay only new events."
    )
}

/// The event log could not be read; the request is answered with HTTP 500.
#[derive(Debug, thiserror::Error)]
#[error("reading the event log")]
pub struct Unavailable(#[source] pub Box<dyn std::error::Error + Send + Sync>);
