//! The write engine: changes in, receipts out.
//!
//! A [`Change`] says what to do with one record; the sink converts it, orders and folds what concerns the same record, sends rows in as
//! few calls as hold them, tries again what passes, and answers every change with exactly one [`Receipt`]. It knows nothing of where
//! changes come from: their `origin` travels with them unread.
//!
//! ```no_run
//! # async fn example(org: salesforce_client::Org) -> Result<(), Box<dyn std::error::Error>> {
//! use salesforce_sink::{Change, Fields, MatchBy, Operation, Options, Outcome, Sink, Target, Targets, Traffic};
//!
//! // What a person configured, held against the org: complaints come before the first change.
//! let lead = Target::new("Lead".parse()?, MatchBy::ExternalId("Ext__c".parse()?));
//! let describe = org.describe(&lead.object).await?;
//! let lead = lead.prepare(&describe).map_err(|complaints| complaints[0].clone())?;
//!
//! let mut targets = Targets::new();
//! let lead = targets.add(lead);
//! // Made once for each org, and given to every sink that writes there.
//! let traffic = Traffic::new(5);
//! let (sink, mut receipts) = Sink::start(&org, &traffic, targets, &Options::default());
//!
//! let fields = Fields::parse(r#"{"LastName": "Ngo", "Company": "Acme", "AnnualRevenue": "52000.00"}"#)?;
//! let change = Change { operation: Operation::Upsert, key: Some("A/17".into()), fields, origin: 42_u64 };
//! sink.submit(lead, change).await?;
//! sink.flush().await?;
//! while let Some(receipt) = receipts.ready() {
//!     match receipt.outcome {
//!         Outcome::Applied { .. } | Outcome::Unchanged => {}
//!         Outcome::Rejected(why) => eprintln!("{}: {why}", receipt.origin),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The modules stand in reading order. Only the shell knows a clock, a socket or chance.

// What goes in, and what comes out.
pub mod change; // an operation on one record, its fields as they came, where it came from
pub mod receipt; // what became of it
pub mod target; // where changes go, and by which rules

// From a change to a row: pure.
mod convert; // JSON values become values of a field, by its kind
mod fields; // which members are written, where, and as what
mod parents; // lookups held against the objects they lead to
pub mod prepare; // a target held against its object
mod row; // a row in its normal form; one meaning of null on every route

// From rows to batches, and back from refusals to rows: pure.
mod circles; // rows that refer to each other, and which of them goes first
mod delivery; // one batch on its way
mod halves; // rows that are written in two halves
mod journey; // a batch, with the changes it was made of
mod learned; // fields that turned out not to be writable
mod orphans; // rows that wait for what they refer to
mod pace; // how many calls may be under way
mod plan; // which rows go next, and how
mod settled; // what became of a row
mod sheet; // rows as CSV, and results back to rows
mod turns; // whose call is next, and the pause of all when the org has none left
mod verdict; // what a refusal of a row means for it
mod window; // changes that wait, by record

// The shell.
mod call; // from an errand to a call of a door, and to what came of it
mod doors; // what the engine asks of an org
mod engine; // the loop: takes changes in, keeps calls going, hands receipts out
mod job; // a batch as a job of Bulk API 2.0
mod recycle_bin; // deleted records that come back
pub mod sink; // the two ends of it
pub mod traffic; // what all sinks of one org share

pub mod error; // how the sink as a whole fails

#[cfg(test)]
mod scripted; // an org that is made for a test

pub use change::{Change, Fields, Operation};
pub use convert::takes;
pub use error::Error;
pub use plan::Route;
pub use prepare::{Complaint, LeftOut, Prepared, Role, Warning};
pub use receipt::{Outcome, Receipt, Rejection, codes};
pub use sink::{Options, Receipts, Sink, State, TargetKey, Targets};
pub use target::{Deleted, Lookup, MatchBy, Missing, Nulls, OtherReferences, References, Target, WriteOptions};
pub use traffic::Traffic;
