//! Several transactions of one thread that count together: all of them, or none.
//!
//! SQLite's one connection has one transaction, so whoever opens such a bracket keeps all others out until it is closed;
//! inside it, transactions are savepoints and what they announce waits.

use std::sync::{MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use super::database::{Begun, Database};
use crate::org::events::Announcement;
use crate::org::{Inner, Org, Refusal};

/// An open bracket.
#[derive(Debug)]
pub(in crate::org) struct Bracket {
    /// The thread whose work it is.
    holder: ThreadId,
    begun: Begun,
    /// What its transactions announced so far.
    pub(in crate::org) announcement: Announcement,
}

impl Org {
    /// Does `work` as one: if it fails, none of its changes was made. It has to stay on its thread and to leave the
    /// schema alone, and nobody else sees or changes the org meanwhile. The outer result is the database's, the inner one
    /// that of the work.
    pub(crate) fn together<T, E>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<Result<T, E>, Refusal> {
        let org = &self.0;
        {
            let mut database = org.database();
            if database.bracket.is_some() {
                return Err(Refusal::not_imitated("a bracket of transactions inside another"));
            }
            let holder = thread::current().id();
            let begun = database.begin()?;
            database.bracket = Some(Bracket { holder, begun, announcement: Announcement::default() });
        }
        let mut closing = Closing { org, kept: false };
        let worked = work();
        closing.kept = worked.is_ok();
        closing.close()?;
        Ok(worked)
    }
}

/// Closes the bracket whatever happens: a panic undoes it.
struct Closing<'a> {
    org: &'a Inner,
    kept: bool,
}

impl Closing<'_> {
    fn close(&mut self) -> Result<(), Refusal> {
        let mut database = self.org.database();
        let Some(Bracket { begun, announcement, .. }) = database.bracket.take() else { return Ok(()) };
        self.org.released.notify_all();
        let kept = if self.kept { database.commit(begun) } else { Ok(()) };
        if !self.kept || kept.is_err() {
            database.roll_back(begun)?;
            return Ok(kept?);
        }
        self.org.publish(&database, announcement)?;
        Ok(())
    }
}

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        if let Err(refusal) = self.close() {
            tracing::error!(%refusal, "a bracket of transactions was not closed");
        }
    }
}

impl Inner {
    /// The database, once no other thread has an open bracket.
    pub(in crate::org) fn database(&self) -> MutexGuard<'_, Database> {
        let database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let me = thread::current().id();
        let taken = |database: &mut Database| database.bracket.as_ref().is_some_and(|bracket| bracket.holder != me);
        self.released.wait_while(database, taken).unwrap_or_else(PoisonError::into_inner)
    }
}
