//! Salesforce's Streaming API server: Bayeux over HTTP long-polling, as it behaves on the wire.
//!
//! What is imitated is the vendor's modified CometD 3 ("Streaming API Developer Guide", Summer '26): the replay
//! extension, cookies without which a client is not recognised, error texts, two timers and the delivery limits. The way
//! of a request through the files:
//!
//! 1. `server` takes the HTTP request apart and holds connections that wait;
//! 2. `message` turns the body into calls, `cookie` the headers into what was presented;
//! 3. `session` decides, without a socket or a clock: who is known, what is answered, what waits;
//! 4. `delivery` reads the [`Bus`] for one session, only at the moment its reply is made, so that a subscriber that
//!    stalls costs nothing;
//! 5. `reply` writes the answer in the order of keys that the recorded answers have;
//! 6. `fault` is scripted trouble, in the hands of [`Control`].
//!
//! There is no acknowledgement: events in a reply that never arrives are gone for that session, and a client gets them
//! again only by a new handshake and a subscription with a replay id.

mod bus;
mod control;
mod cookie;
mod delivery;
mod fault;
mod filter;
mod message;
mod reply;
mod server;
mod session;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use bus::{
    AuthFailure, Bus, Event, Limit, Principal, Refusal, Replay, Start, Stream, SubscribeRequest, Unavailable,
};
pub use control::{Command, Control, Memory, SessionView};
pub use fault::{Disguise, Fault, Impossible, Occasion, Planned, Rule};
pub use server::routes;

/// Timers, limits and switches. Timers run in real time: a jump of the org's virtual clock ends no session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How long a `/meta/connect` is held when there is nothing to say: 110 s, announced in the advice.
    pub long_poll: Duration,
    /// How long a session outlives its last reply without a new request: 40 s.
    pub connect_gap: Duration,
    /// Concurrent sessions of the org: 20 in Developer and Professional Edition, 1,000 in Enterprise, 2,000 above.
    pub max_clients: usize,
    /// Sessions with the same `BAYEUX_BROWSER` cookie that may have a connect held at the same time; CometD's default.
    pub held_per_browser: usize,
    /// Largest request body: 32,768 bytes; a larger one is answered with HTTP 413.
    pub max_request_bytes: usize,
    /// A reply is closed once its events reach this size; an event larger than it travels alone. Salesforce only says
    /// that clients should be ready for 10 MB.
    pub max_reply_bytes: usize,
    /// A reply is closed once it has this many events.
    pub max_reply_events: usize,
    /// Oldest API version accepted in the URI: 37 in current releases, 23 before.
    pub oldest_version: u16,
    /// Newest API version accepted in the URI, also the one that error texts give as the example.
    pub newest_version: u16,
    /// Whether events that a subscription makes available travel with the reply to `/meta/subscribe`, ahead of it;
    /// otherwise they wait for the next connect. Both have been seen.
    pub events_with_subscribe: bool,
    /// Whether cookies carry `Secure; SameSite=None` as the real ones do. Off for plain HTTP, where a client would then
    /// rightly never return them.
    pub secure_cookies: bool,
    /// Lifetime of the `sfdc-stream` cookie, renewed by each reply.
    pub cookie_life: Duration,
    /// Client ids and cookies are drawn from it.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            long_poll: Duration::from_secs(110),
            connect_gap: Duration::from_secs(40),
            max_clients: 20,
            held_per_browser: 1,
            max_request_bytes: 32_768,
            max_reply_bytes: 1 << 20,
            max_reply_events: 10_000,
            oldest_version: 37,
            newest_version: 67,
            events_with_subscribe: true,
            secure_cookies: false,
            cookie_life: Duration::from_secs(3 * 60 * 60),
            seed: 0,
        }
    }
}
