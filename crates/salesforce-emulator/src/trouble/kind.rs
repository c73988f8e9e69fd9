//! Which kinds of trouble there are, and which occasions each of them can strike.

use serde::{Deserialize, Serialize};

/// A kind of trouble. Details, such as where a body breaks off, are drawn from the seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TroubleKind {
    /// A 5xx (or a 200) in one of its disguises; the request is not handled.
    Unavailable,
    /// The body breaks off: with or without its length announced, compressed or not.
    Truncated,
    /// A part of the body arrives, then nothing, then the connection breaks.
    Stalled,
    /// The body arrives in small pieces.
    Slow,
    /// The connection breaks before the request is handled.
    CutBefore,
    /// The connection breaks after the request was handled.
    CutAfter,
    /// All sessions end before a REST request.
    ExpiredSession,
    /// All sessions end while a connect waits.
    ExpiredConnect,
    /// The day's calls are used up for some requests.
    QuotaExhausted,
    /// Too many long requests at the same time.
    ConcurrentLimit,
    /// `UNABLE_TO_LOCK_ROW` for a write, or for some rows of it.
    LockedRows,
    /// The token endpoint is busy with another request of the same token.
    TokenBusy,
    /// Too many sign-ins.
    TokenRate,
    /// A busy CometD server, told only by `ext.sfdc.failureReason`.
    Busy,
    /// CometD has forgotten the client.
    DroppedClient,
    /// CometD ends the session by a `/meta/disconnect` of its own.
    Goodbye,
    /// The org may deliver no more events today.
    EventLimit,
    /// A replay id is refused.
    RefusedReplay,
    /// Events come twice: within a reply, again with the next one, or again after a reply that was lost.
    Duplicated,
    /// Events are held back for some replies.
    Delayed,
    /// A PushTopic is deleted and made anew at once.
    TopicRecreated,
    /// A PushTopic is deleted, and made anew some changes later unless the client does it.
    TopicDeleted,
    /// A PushTopic is deactivated for some changes.
    TopicDeactivated,
    /// A PushTopic selects less, for some changes.
    TopicChanged,
    /// Virtual time jumps by an hour or several.
    ClockJump,
    /// A change of a workload becomes visible only after others that came later.
    LateRows,
    /// Virtual time jumps beyond the retention of events: what was announced before and not delivered is gone.
    ClockPastRetention,
    /// The recycle bin is emptied: what was deleted leaves no trace but in the events.
    RecycleBinEmptied,
}

use TroubleKind::{
    Busy, ClockJump, ClockPastRetention, ConcurrentLimit, CutAfter, CutBefore, Delayed, DroppedClient, Duplicated,
    EventLimit, ExpiredConnect, ExpiredSession, Goodbye, LateRows, LockedRows, QuotaExhausted, RecycleBinEmptied,
    RefusedReplay, Slow, Stalled, TokenBusy, TokenRate, TopicChanged, TopicDeactivated, TopicDeleted, TopicRecreated,
    Truncated, Unavailable,
};

impl TroubleKind {
    /// Does it lose data by design? Such trouble strikes only where it is given a weight.
    pub fn loses_data(self) -> bool {
        matches!(self, ClockPastRetention | RecycleBinEmptied)
    }
}

/// The kinds that can strike the occasions of a lane.
pub(super) fn possible(lane: &str) -> &'static [TroubleKind] {
    match lane {
        "token" => &[Unavailable, Truncated, Stalled, Slow, CutBefore, CutAfter, TokenBusy, TokenRate],
        "versions" | "revoke" | "introspect" | "authorize" | "userinfo" | "identity" | "soap" | "other"
        | "streaming" => &[Unavailable, Truncated, Stalled, Slow, CutBefore, CutAfter],
        "create" | "update" | "delete" | "upsert" | "create_rows" | "update_rows" | "upsert_rows" | "delete_rows" => &[
            Unavailable,
            Truncated,
            Stalled,
            Slow,
            CutBefore,
            CutAfter,
            ExpiredSession,
            QuotaExhausted,
            ConcurrentLimit,
            LockedRows,
        ],
        "handshake" => &[Busy],
        "connect" => &[ExpiredConnect, DroppedClient, Goodbye, Busy, EventLimit],
        "subscribe" => &[DroppedClient, Busy, EventLimit],
        "replay" => &[RefusedReplay],
        "delivery" => &[Duplicated, Delayed],
        "change" => &[
            TopicRecreated,
            TopicDeleted,
            TopicDeactivated,
            TopicChanged,
            ClockJump,
            ClockPastRetention,
            RecycleBinEmptied,
        ],
        "late" => &[LateRows],
        // Whatever else is below `/services/data`.
        _ => &[
            Unavailable,
            Truncated,
            Stalled,
            Slow,
            CutBefore,
            CutAfter,
            ExpiredSession,
            QuotaExhausted,
            ConcurrentLimit,
        ],
    }
}
