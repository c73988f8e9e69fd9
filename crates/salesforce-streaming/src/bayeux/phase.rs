//! The phases of a session, each with what it needs to know.

use std::time::Duration;

use super::{
    exchange::{Answer, Line},
    message::ClientId,
};
use crate::{Channel, ReplayFrom};

/// Where a session stands.
#[derive(Debug)]
pub(super) enum Phase {
    /// Nothing has been asked for yet.
    Idle,
    /// No session; the next one is begun at a time.
    Waiting { until: Duration, renew: bool },
    /// A token is on its way.
    SigningIn { renew: bool },
    /// The handshake is sent.
    Handshaking,
    /// The first connect is sent: it asks for an immediate reply, which brings the advice.
    FirstConnect { client: ClientId },
    /// The channels are asked for, some at a time. No connect is sent meanwhile, so that the events of each channel
    /// come in order.
    Subscribing { client: ClientId, asked: Option<Asked> },
    /// Connects follow one another; channels may be asked for beside them.
    Connected { client: ClientId, since: Duration, poll: Poll, asked: Option<Asked> },
    /// The consumer's queue was full for too long: farewell is said.
    Pausing { until: Duration },
    /// No session until the consumer has taken everything.
    Paused,
    /// The consumer wants no more: farewell is said.
    Closing { until: Duration },
    /// It is over.
    Ended,
}

/// Where the loop of connects stands.
#[derive(Debug)]
pub(super) enum Poll {
    /// A connect is sent; `attempts` before it were not.
    Sent { attempts: u32 },
    /// A connect is to be sent.
    Due { at: Duration, attempts: u32 },
    /// A connect is answered; the answer waits for that to the subscriptions asked for meanwhile.
    Answered(Answer),
}

/// Subscriptions that are not answered yet. The ids of their messages count from `id`.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) id: u64,
    pub(super) channels: Vec<(Channel, ReplayFrom)>,
}

/// Which connections have a request under way.
#[derive(Debug, Default)]
pub(super) struct Lines {
    pub(super) connect: bool,
    pub(super) other: bool,
}

impl Lines {
    pub(super) fn busy(&mut self, line: Line) -> &mut bool {
        match line {
            Line::Connect => &mut self.connect,
            Line::Other => &mut self.other,
        }
    }
}
