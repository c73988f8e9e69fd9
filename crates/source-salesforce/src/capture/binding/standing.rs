//! How far a binding has come: up to when it is complete, and whether it has caught up. Pure.

use super::Binding;
use crate::capture::second::Second;

impl Binding {
    /// Up to here every change has been announced and written.
    pub fn live(&self) -> Option<Second> {
        self.live
    }

    /// Up to here everything is captured, announced or not. `None` while history is read for the first time.
    pub fn complete(&self) -> Option<Second> {
        if self.topic.is_some() { self.swept } else { self.live }
    }

    /// Complete up to here: every change of the object that is stamped before is written, announced or not. Reads show what is there
    /// and what is in the recycle bin; what is purged from it only the list of deletions tells, so this is no later than that is read.
    /// It stays where it was while records that either has named are still to be fetched, and never goes back in one life.
    pub fn complete_until(&mut self) -> Option<Second> {
        if !self.fetches.has_of_pages() {
            let read = self.complete();
            self.proved = self.proved.max(if self.has_list { read.min(self.listed) } else { read });
        }
        self.proved
    }

    /// Whether events were heard that are newer than `at`: all older ones have arrived.
    pub fn has_heard_since(&self, at: Second) -> bool {
        self.heard.is_some_and(|heard| heard > at)
    }

    /// Whether all that could be seen when this life began is written, and nothing that a read came by is still to be fetched.
    pub fn is_current(&self) -> bool {
        self.subscribed && self.agenda.has_read() && self.agenda.is_empty() && !self.fetches.has_of_pages()
    }

    /// Whether history is complete and nothing waits.
    pub fn is_caught_up(&self) -> bool {
        let is_current = self.topic.is_some() || self.agenda.has_read();
        self.subscribed && is_current && self.agenda.is_empty() && self.fetches.is_empty() && self.ledger.open() == 0
    }
}
