//! What becomes of rows, in numbers, and what a receipt means under a binding's policy. Pure.

use std::fmt;

use salesforce_sink::{Outcome, Rejection, codes};

use crate::{document::Origin, resource::OnError};

/// What became of the rows of a session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Receipts in all.
    pub settled: u64,
    /// Records that were made.
    pub created: u64,
    /// Records that were written to.
    pub updated: u64,
    /// Documents whose deletion was carried out.
    pub deleted: u64,
    /// Rows of which nothing could be written, and deletions of what was not there.
    pub unchanged: u64,
    /// Rows that were rejected, and reported.
    pub rejected: u64,
    /// Those of them for which a letter was sent.
    pub letters: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} created, {} updated, {} deleted", self.created, self.updated, self.deleted)?;
        if self.unchanged > 0 {
            write!(f, ", {} unchanged", self.unchanged)?;
        }
        if self.rejected > 0 {
            write!(f, ", {} rejected", self.rejected)?;
        }
        Ok(())
    }
}

/// What a receipt means.
#[derive(Debug)]
pub enum Verdict {
    /// The row is done with.
    Settled,
    /// The row is reported, and kept if there is a place.
    Reported(Box<Rejection>),
    /// The task ends.
    Fatal(Box<Rejection>),
}

impl Tally {
    /// Counts a receipt, and says what it means under a policy.
    pub fn note(&mut self, origin: Origin, outcome: Outcome, on_error: OnError) -> Verdict {
        // What is to be marked as deleted and is not there is gone already.
        let is_gone = |why: &Rejection| origin.is_deletion && &*why.code == codes::NOT_FOUND;
        self.settled += 1;
        let count = match &outcome {
            Outcome::Applied { id: None, .. } | Outcome::Unchanged => &mut self.unchanged,
            Outcome::Applied { .. } if origin.is_deletion => &mut self.deleted,
            Outcome::Applied { created: true, .. } => &mut self.created,
            Outcome::Applied { .. } => &mut self.updated,
            Outcome::Rejected(why) if is_gone(why) => &mut self.unchanged,
            Outcome::Rejected(_) => &mut self.rejected,
        };
        *count += 1;
        match outcome {
            Outcome::Rejected(why) if !is_gone(&why) => match on_error {
                OnError::Stop => Verdict::Fatal(why),
                OnError::Continue => Verdict::Reported(why),
            },
            _ => Verdict::Settled,
        }
    }
}
