//! How far a lane has come: whether it has caught up, and up to when it is complete.

use std::time::Duration;

use tokio::time::Instant;

use super::Lane;
use crate::capture::{
    report::{Phase, Standing},
    tally::Told,
};

/// A stream that has announced nothing for this long has nothing to say: topics are evaluated about once a second.
const QUIET: Duration = Duration::from_secs(3);

impl Lane {
    /// Whether the stream, if there is one, has said all that was announced before this session.
    fn has_heard_all(&self) -> bool {
        self.channel.is_none() || self.knows_since.is_some_and(|since| self.machine.has_heard_since(since))
    }

    /// When that will be taken for granted, as the stream was quiet; `None` where it is so.
    pub(in crate::capture) fn quiet_at(&self) -> Option<Instant> {
        (!self.has_heard_all()).then_some(self.heard + QUIET)
    }

    /// Whether all that could be seen in the org when this session began is written. Where the stream never rests, newer changes
    /// may wait to be fetched.
    pub(in crate::capture) fn is_caught_up(&self, now: Instant) -> bool {
        let is_at_rest = || self.machine.is_caught_up() && self.quiet_at().is_none_or(|at| at <= now);
        !self.is_held() && self.machine.is_current() && (self.has_heard_all() || is_at_rest())
    }

    /// Where the lane stands.
    pub(in crate::capture) fn standing(&self) -> Standing {
        let phase = match (self.counter.repair().is_some(), self.is_backfilling()) {
            (_, false) => Phase::Live,
            (true, true) => Phase::Repair,
            (false, true) => Phase::History,
        };
        let announced = self.machine.live().filter(|_| self.channel.is_some());
        Standing { phase, rows: self.counter.rows(), complete: self.complete, announced }
    }

    /// All that was written is committed. Answers what is to be told of a read that is done.
    pub(in crate::capture) fn committed(&mut self) -> Option<Told> {
        let complete = self.machine.complete_until();
        if self.complete != complete {
            self.complete = complete;
            self.tell_complete();
        }
        self.counter.close(self.machine.agenda().is_repairing())
    }

    /// Has documents say from now on how far all is complete, if they are to.
    pub(super) fn tell_complete(&mut self) {
        if let Some(until) = self.complete.filter(|_| self.resource.complete_until) {
            self.writer.tell_complete(until.into());
        }
    }
}
