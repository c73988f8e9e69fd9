//! Virtual time, and what its passing does.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Org, Refusal, stamp};

impl Org {
    /// Now, in virtual time.
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Moves virtual time forward: sessions end, events and deleted rows age out, old activities are archived.
    pub fn advance(&self, by: Duration) -> Result<(), Refusal> {
        self.0.clock.advance(by);
        let now = self.now();
        let bin = SignedDuration::try_from(self.0.settings.recycle_bin).unwrap_or(SignedDuration::MAX);
        let purge_before = now.saturating_sub(bin).unwrap_or(Timestamp::MIN);
        let mut database = self.0.database();
        database.purge(&stamp(purge_before))?;
        database.archive(now, self.0.settings.archiving_moves_modstamps)?;
        if database.durable {
            let ahead = i64::try_from(self.0.clock.ahead().as_millis()).unwrap_or(i64::MAX);
            database.set_meta("clock_ahead", ahead)?;
        }
        self.0.retain_events(&database, now)?;
        drop(database);
        self.bulk_advanced();
        Ok(())
    }
}
