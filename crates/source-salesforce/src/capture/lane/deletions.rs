//! The org's list of deletions: read before the read at hand is done, for rows that were deleted and purged before any read could see
//! them.

use salesforce_client::{Class, Deleted, RecordId};

use super::Lane;
use crate::{
    capture::{reads::LOG_OF_DELETIONS, second::Second, tally::By},
    error::Error,
};

/// What the org lists as deleted, as far as it is read.
#[derive(Debug, Default)]
pub(super) enum List {
    /// There is none to read.
    #[default]
    None,
    /// It is to be asked for.
    Due(Second),
    /// It is asked for, since then by the org's clock.
    Asked(Second),
    /// Records that no page has shown as deleted, still to be fetched; the list is true up to `until`.
    InHand { ids: Vec<RecordId>, until: Second },
}

impl Lane {
    /// From when on the org's list of deletions is to be asked for, if it is. It counts as sent.
    pub(in crate::capture) fn next_list(&mut self, now: Option<Second>) -> Option<Second> {
        let List::Due(from) = self.list else { return None };
        self.list = List::Asked(now?);
        Some(from)
    }

    /// The org did not list what is deleted: it is to be asked again.
    pub(in crate::capture) fn lost_list(&mut self, from: Second) {
        self.list = List::Due(from);
    }

    /// The list arrived, or the org refuses it. Answers whether the read at hand is done.
    pub(in crate::capture) fn take_list(
        &mut self,
        from: Second,
        result: Result<Deleted, salesforce_client::Error>,
    ) -> Result<bool, Error> {
        let stream = self.stream();
        match result {
            Ok(deleted) => {
                let is_news = |id: &RecordId| !self.seen.knows_deleted(*id);
                let ids: Vec<_> = deleted.records.into_iter().map(|(id, _)| id).filter(is_news).collect();
                if !ids.is_empty() {
                    tracing::info!(stream, rows = ids.len(), "records are listed as deleted that no read has found");
                }
                let until = Second::from(deleted.covered);
                if from < until.plus(-LOG_OF_DELETIONS) {
                    self.counter.misses_purged();
                }
                self.list = List::InHand { ids, until };
                Ok(false)
            }
            Err(error) if error.class() == Class::Fatal => {
                // Not every object that says it is replicateable is.
                if error.code() == Some("INVALID_REPLICATION_DATE") {
                    tracing::warn!(
                        stream,
                        since = %from,
                        "records were purged from the recycle bin, and Salesforce does not tell which: those that were deleted since \
                         then and not captured as deleted stay in the collection; backfill the binding to be rid of them: {error}"
                    );
                } else {
                    tracing::debug!(stream, "Salesforce does not list deleted records: {error}");
                }
                self.counter.misses_purged();
                if let List::Asked(at) = std::mem::take(&mut self.list) {
                    self.machine.listed(at);
                }
                self.end_page(false);
                Ok(true)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Asks for more of the records that are listed as deleted. Answers whether the read at hand is done.
    pub(super) fn work_off_list(&mut self) -> bool {
        let List::InHand { ids, until } = &mut self.list else { return true };
        while let Some(id) = ids.pop_if(|_| !self.machine.has_long_queue()) {
            self.machine.list(id);
            self.counter.awaits(id, By::List);
        }
        if ids.is_empty() {
            self.machine.listed(*until);
            self.list = List::None;
            self.end_page(false);
        }
        !self.paging
    }
}
