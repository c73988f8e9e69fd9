//! How long to wait before what went wrong is tried again.

use std::time::Duration;

/// Why a session has to be made anew, as far as it matters for waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setback {
    /// The server ended or forgot the session.
    Broken,
    /// A reply was lost, or the server could not be reached.
    Unreachable,
    /// The token was not accepted; a new one is asked for.
    Unauthenticated,
    /// No token could be had, and the failure may pass.
    SignIn,
    /// Salesforce is too busy.
    Busy,
    /// Too many clients are connected to the org.
    TooManyClients,
    /// The org's daily events are used up.
    DailyLimit,
    /// Refused for a reason of which we know nothing.
    Refused,
}

impl Setback {
    /// How long to wait when `before` setbacks have happened in a row: at once or briefly the first time, doubling, to
    /// a limit. The documentation asks for minutes where the server is busy, and hours where a daily limit is reached.
    pub(crate) fn wait(self, before: u32) -> Duration {
        let (first, longest) = match self {
            Setback::Broken | Setback::Unreachable | Setback::Unauthenticated => match before {
                0 => return Duration::ZERO,
                _ => return doubling(1, 30, before - 1),
            },
            Setback::SignIn => (1, 60),
            Setback::Busy => (10, 300),
            Setback::TooManyClients => (60, 300),
            Setback::DailyLimit => (900, 3_600),
            Setback::Refused => (5, 120),
        };
        doubling(first, longest, before)
    }
}

/// How long to wait before connecting again to a session that may still be there: 0, 1, 2, 4, 8, 10, 10… seconds.
pub(crate) fn before_reconnect(attempts: u32) -> Duration {
    if attempts == 0 { Duration::ZERO } else { doubling(1, 10, attempts - 1) }
}

fn doubling(first: u64, longest: u64, times: u32) -> Duration {
    Duration::from_secs((first << times.min(20)).min(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit() {
        for (setback, expect) in [
            (Setback::Broken, [0, 1, 2, 4, 8, 16, 30, 30]),
            (Setback::Unreachable, [0, 1, 2, 4, 8, 16, 30, 30]),
            (Setback::Unauthenticated, [0, 1, 2, 4, 8, 16, 30, 30]),
            (Setback::SignIn, [1, 2, 4, 8, 16, 32, 60, 60]),
            (Setback::Busy, [10, 20, 40, 80, 160, 300, 300, 300]),
            (Setback::TooManyClients, [60, 120, 240, 300, 300, 300, 300, 300]),
            (Setback::DailyLimit, [900, 1800, 3600, 3600, 3600, 3600, 3600, 3600]),
            (Setback::Refused, [5, 10, 20, 40, 80, 120, 120, 120]),
        ] {
            assert_eq!([0, 1, 2, 3, 4, 5, 6, 7].map(|before| setback.wait(before).as_secs()), expect, "{setback:?}");
        }
        assert_eq!(Setback::Broken.wait(u32::MAX), Duration::from_secs(30));
        assert_eq!([0, 1, 2, 3, 4, 5, 6].map(|n| before_reconnect(n).as_secs()), [0, 1, 2, 4, 8, 10, 10]);
    }
}
