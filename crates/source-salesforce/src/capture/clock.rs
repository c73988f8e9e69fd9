//! The clocks of a session: the org's, as its replies tell it, and this machine's. The only room of the capture that reads one; all
//! others are given what it says.

use jiff::Timestamp;
use tokio::time::Instant;

use super::second::Second;

/// Now, for pauses and deadlines.
#[expect(clippy::disallowed_methods, reason = "the shell of the session: its machines are given the time")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// The time of this machine's clock.
#[expect(clippy::disallowed_methods, reason = "the shell of the session: its machines are given the time")]
pub(super) fn ours() -> Second {
    Timestamp::now().into()
}

/// When a reply was made, by the org's clock; by ours where a proxy has dropped the header.
pub(super) fn answered(at: Option<Timestamp>) -> Second {
    at.map_or_else(ours, Second::from)
}
