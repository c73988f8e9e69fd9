//! What goes into the machine of the session, and what comes out.

use std::time::Duration;

use jiff::Timestamp;

use super::{codec::Body, message::Request};
use crate::{Channel, Error, Event, ReplayFrom, ReplayId};

/// What happened.
#[derive(Debug)]
pub(crate) enum Input {
    /// Begin.
    Start,
    /// A token is there.
    SignedIn,
    /// No token could be had.
    NotSignedIn(Error),
    /// A reply came.
    Reply(Line, Answer),
    /// No reply came, or none that can be read.
    Failed(Line, Fault, String),
    /// Time has passed.
    Due,
    /// The consumer's queue is so full now.
    Queue(Level),
    /// The consumer wants a channel from a place.
    Subscribe(Channel, ReplayFrom),
    /// The consumer has written everything on a channel up to an id.
    Written(Channel, ReplayId),
    /// The consumer wants no more.
    Close,
}

/// A reply that was read.
#[derive(Debug)]
pub(crate) struct Answer {
    /// When the org made it.
    pub(crate) at: Timestamp,
    pub(crate) body: Body,
}

/// There are two connections at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// The one on which the server holds a connect until there are events.
    Connect,
    /// The one for everything else.
    Other,
}

/// Why a request has no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It was never sent.
    Unsent,
    /// The reply was lost, with the events in it, if there were any.
    Lost,
    /// The token is refused by the HTTP layer.
    Unauthenticated,
    /// Something other than Bayeux was answered.
    Refused,
}

/// How full the consumer's queue is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Empty,
    Room,
    Full,
}

/// What to do.
#[derive(Debug)]
pub(crate) enum Effect {
    /// Get a token, a new one if the present one is refused.
    SignIn { renew: bool },
    /// Forget all cookies.
    ClearCookies,
    /// Send a request.
    Send(Post),
    /// Give up all requests that are sent.
    HangUp,
    /// Tell the consumer.
    Tell(Event),
    /// It is over, with an error or as asked for.
    End(Option<Error>),
}

/// A request to send.
#[derive(Debug)]
pub(crate) struct Post {
    pub(crate) line: Line,
    /// The number of its first message.
    pub(crate) id: u64,
    pub(crate) request: Request,
    /// How long to wait for the reply to begin.
    pub(crate) patience: Duration,
}
