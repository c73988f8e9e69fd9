//! A kind of trouble with its details drawn: what is to be carried out.

use serde::Serialize;

use super::{Trouble, TroubleKind};
use crate::cometd::{Disguise, Fault};
use crate::draw::Draw;
use crate::fault::{FaultAction, Outage, TokenTrouble};

/// What befalls an occasion. As JSON, trouble of requests and of CometD is what one would write to script it by hand.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Strike {
    /// A request, on its way in or out.
    Request(FaultAction),
    /// A CometD message or delivery.
    Streaming(Fault),
    /// The org, between two changes.
    Org(Mishap),
    /// A change.
    Late(Late),
}

/// What an administrator, or time, does to the org between two changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mishap {
    /// A topic is deleted and made anew after so many changes; at once after none.
    TopicDeleted {
        which: u64,
        changes: u64,
    },
    TopicDeactivated {
        which: u64,
        changes: u64,
    },
    TopicChanged {
        which: u64,
        changes: u64,
    },
    ClockJump {
        hours: u64,
    },
    RecycleBinEmptied,
}

/// A change that is made now and becomes visible so many changes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Late {
    pub(crate) late_by: u64,
}

/// Longest single jump of the clock that loses nothing.
const LONGEST_JUMP: u64 = 6;

/// Draws the details of a strike. A jump of the clock is taken from the `hours` that are left.
pub(super) fn of(kind: TroubleKind, draw: &mut Draw, trouble: &Trouble, hours: &mut u64) -> Strike {
    let up_to = |draw: &mut Draw, most: u64| 1 + draw.below(most);
    let percent = |draw: &mut Draw| u8::try_from(draw.below(100)).unwrap_or(0);
    let one_of = |draw: &mut Draw, changes: u64| (draw.next() >> 32, changes);
    match kind {
        TroubleKind::Unavailable => {
            let outage = draw.pick(&Outage::ALL).copied().unwrap_or(Outage::Page);
            Strike::Request(FaultAction::Outage(outage))
        }
        TroubleKind::Truncated => {
            let (percent, chunked) = (percent(draw), draw.percent(50));
            Strike::Request(FaultAction::Cut { percent, chunked })
        }
        TroubleKind::Stalled => {
            Strike::Request(FaultAction::StallBody { percent: percent(draw), ms: Some(trouble.stall_ms) })
        }
        TroubleKind::Slow => {
            let pieces = u32::try_from(2 + draw.below(19)).unwrap_or(2);
            Strike::Request(FaultAction::Drip { pieces, ms: trouble.slow_ms })
        }
        TroubleKind::CutBefore => Strike::Request(FaultAction::Drop),
        TroubleKind::CutAfter => Strike::Request(FaultAction::DropReply),
        TroubleKind::ExpiredSession => Strike::Request(FaultAction::ExpireSession),
        TroubleKind::ExpiredConnect => Strike::Streaming(Fault::Expire),
        TroubleKind::QuotaExhausted => {
            Strike::Request(FaultAction::ExhaustCalls { refusals: Some(up_to(draw, trouble.refusals)) })
        }
        TroubleKind::ConcurrentLimit => Strike::Request(FaultAction::ConcurrentLimit),
        TroubleKind::LockedRows => Strike::Request(FaultAction::LockRows { every: up_to(draw, 5) }),
        TroubleKind::TokenBusy => Strike::Request(FaultAction::DenyToken(TokenTrouble::BeingProcessed)),
        TroubleKind::TokenRate => Strike::Request(FaultAction::DenyToken(TokenTrouble::RateExceeded)),
        TroubleKind::Busy => {
            let denied = draw.percent(50);
            let disguise = if denied { Disguise::Denied } else { Disguise::AuthenticationInvalid };
            Strike::Streaming(Fault::Busy { disguise })
        }
        TroubleKind::DroppedClient => Strike::Streaming(Fault::Forget),
        TroubleKind::Goodbye => Strike::Streaming(Fault::Disconnect),
        TroubleKind::EventLimit => Strike::Streaming(Fault::OverLimit),
        TroubleKind::RefusedReplay => Strike::Streaming(Fault::RefuseReplay),
        TroubleKind::Duplicated => Strike::Streaming(match draw.below(3) {
            0 => Fault::Duplicate,
            1 => Fault::Twice,
            _ => Fault::Redeliver,
        }),
        TroubleKind::Delayed => {
            let replies = u32::try_from(up_to(draw, trouble.holds)).unwrap_or(1);
            Strike::Streaming(Fault::Hold { replies })
        }
        TroubleKind::TopicRecreated => {
            let (which, changes) = one_of(draw, 0);
            Strike::Org(Mishap::TopicDeleted { which, changes })
        }
        TroubleKind::TopicDeleted => {
            let changes = up_to(draw, trouble.changes);
            let (which, changes) = one_of(draw, changes);
            Strike::Org(Mishap::TopicDeleted { which, changes })
        }
        TroubleKind::TopicDeactivated => {
            let changes = up_to(draw, trouble.changes);
            let (which, changes) = one_of(draw, changes);
            Strike::Org(Mishap::TopicDeactivated { which, changes })
        }
        TroubleKind::TopicChanged => {
            let changes = up_to(draw, trouble.changes);
            let (which, changes) = one_of(draw, changes);
            Strike::Org(Mishap::TopicChanged { which, changes })
        }
        TroubleKind::ClockJump => {
            let jump = up_to(draw, LONGEST_JUMP).min(*hours);
            *hours -= jump;
            Strike::Org(Mishap::ClockJump { hours: jump })
        }
        TroubleKind::ClockPastRetention => Strike::Org(Mishap::ClockJump { hours: 25 + draw.below(24) }),
        TroubleKind::RecycleBinEmptied => Strike::Org(Mishap::RecycleBinEmptied),
        TroubleKind::LateRows => Strike::Late(Late { late_by: up_to(draw, trouble.changes) }),
    }
}
