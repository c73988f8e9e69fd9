//! How much a lane asks for at once. Salesforce cuts pages of long texts short, but promises no size: where a reply is too long to be
//! read, less is asked for, down to one row.

use super::Lane;
use crate::capture::reads::PAGE;

/// So many times less is asked for each time.
const STEP: usize = 4;

/// Rows of so many bytes are fetched one by one.
const LARGE: usize = 8 << 20;

/// Bytes that rows have at least where at most 2,000 of them are longer than is read.
const LEAST: usize = 32 << 10;

impl Lane {
    /// The most rows that a page is asked for.
    pub(in crate::capture) fn most(&self) -> usize {
        self.most
    }

    /// Whether its pages share no call with others.
    pub(in crate::capture) fn goes_alone(&self) -> bool {
        self.most < PAGE
    }

    /// A reply was too long. Answers whether less can be asked for, which is then done.
    pub(in crate::capture) fn takes_less(&mut self) -> bool {
        let can = self.most > 1 || self.row_bytes < LARGE;
        self.most = (self.most / STEP).max(1);
        self.row_bytes = self.row_bytes.saturating_mul(STEP).max(LEAST);
        if can {
            tracing::info!(
                stream = self.stream(),
                rows = self.most,
                "asking for less at once, as a reply was too long"
            );
        }
        can
    }
}
