//! The polls and sweeps of a lane: when they come, and how one begins.

use tokio::time::Instant;

use super::Lane;
use crate::capture::second::Second;

impl Lane {
    /// When the next poll or sweep is due. Who hurries waits for no more than what was announced.
    pub(in crate::capture) fn sweep_due(&self, now: Instant) -> Instant {
        match self.hurries && !self.machine.agenda().has_read() {
            true => self.sweeps.due().min(self.quiet_at().unwrap_or(now)),
            false => self.sweeps.due(),
        }
    }

    /// Whether a poll or a sweep is due at `sweep_due`.
    pub(in crate::capture) fn awaits_sweep(&self) -> bool {
        !self.is_held() && !self.covering && self.machine.awaits_sweep()
    }

    /// Whether a poll or a sweep that is due for others may as well begin here: it is due, or nearly.
    pub(in crate::capture) fn joins_sweep(&self, now: Instant) -> bool {
        self.sweep_due(now) <= self.sweeps.joins_until(now)
    }

    /// A poll or a sweep begins; the pause before the next is so many times its interval.
    pub(in crate::capture) fn begin_sweep(&mut self, now: Instant, slower: f64) {
        self.sweeps.begins(now, slower);
        self.covering = true;
    }

    /// The org did not say up to when its changes are visible: it is to be asked again.
    pub(in crate::capture) fn lost_time(&mut self, now: Instant) {
        self.covering = false;
        self.sweeps.again(now);
    }

    /// The changes are to be read. `covers`: up to where the org says they are visible.
    pub(in crate::capture) fn sweep(&mut self, covers: Option<Second>) {
        self.covering = false;
        self.seen.sweep_begins();
        self.machine.sweep(covers);
    }
}
