//! Records and what is done to them: checked as Salesforce checks it, by the rules of the describes, in transactions.
//!
//! [`Transaction`] writes one record after the other; each of the other files is one rule that it follows, or one thing that
//! is done to several records at a time.

mod archive;
mod children;
mod commit;
mod conversion;
mod deletion;
mod derive;
pub(super) mod history;
mod late;
mod lookups;
mod merge;
mod permitted;
mod transaction;
mod uniqueness;
mod upsert;

pub(crate) use archive::is_archived;
pub use conversion::{Conversion, Converted};
pub(super) use late::LateTransactions;
pub use late::{LateReport, LateTransaction};
pub use merge::Merged;
pub(super) use permitted::USER;
pub(super) use transaction::{Actor, Change};
pub use transaction::{ChangeKind, Transaction};
pub use upsert::Upserted;
