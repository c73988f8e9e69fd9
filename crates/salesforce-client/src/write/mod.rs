//! Rows into the org: one per call, or up to 200.
//!
//! ```no_run
//! # async fn example(org: salesforce_client::Org) -> Result<(), Box<dyn std::error::Error>> {
//! use salesforce_client::{ExternalId, Fields, FieldName, Rows, SObjectName, Write, WriteOptions};
//!
//! let account: SObjectName = "Account".parse()?;
//! let (key, name): (FieldName, FieldName) = ("Ext__c".parse()?, "Name".parse()?);
//! let fields = Fields::from_iter([(&name, "Ngo & Co")]);
//! let options = WriteOptions::default();
//!
//! let saved = org.write(&account, &Write::Upsert(&key, ExternalId::new("A/17")?, &fields), &options).await?;
//! let rows = [(ExternalId::new("A/17")?, &fields), (ExternalId::new("A/18")?, &fields)];
//! for outcome in org.write_rows(&account, &Rows::Upsert(&key, &rows), &options).await? {
//!     match outcome {
//!         Ok(saved) => println!("{:?}, new: {}", saved.id, saved.created),
//!         Err(refusal) => println!("{refusal}"),
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod external_id; // what others call a record
mod fields; // the body of a row
mod row; // one row per call
mod rows; // up to 200

use std::fmt;

pub use external_id::ExternalId;
pub use fields::Fields;
pub use row::{Key, Write};
pub use rows::{MOST_ROWS, Rows};

use crate::{Fault, RecordId, failure::write_faults};

/// What the org is asked to do beside the writing itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Of several rows, write none if one of them is refused. The others are then refused with
    /// `ALL_OR_NONE_OPERATION_ROLLED_BACK`. A single row knows no others.
    pub all_or_none: bool,
    /// Save what a duplicate rule raises an alert about (`DUPLICATES_DETECTED`). Rules that block cannot be passed.
    pub allow_duplicates: bool,
    /// Leave the org's assignment rules out, which otherwise give leads and cases new owners, and accounts territories.
    pub skip_assignment_rules: bool,
}

impl WriteOptions {
    /// The headers that say so, for those that differ from what the org does by itself.
    pub(crate) fn headers(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let duplicates = self.allow_duplicates.then_some(("sforce-duplicate-rule-header", "allowSave=true"));
        let assignment = self.skip_assignment_rules.then_some(("sforce-auto-assign", "FALSE"));
        duplicates.into_iter().chain(assignment)
    }
}

/// A row that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saved {
    /// The record's id; `None` where the org does not tell it, as of one that was deleted by its external id.
    pub id: Option<RecordId>,
    /// Whether the row is new. If the reply to a first upsert was lost, that of the second says no.
    pub created: bool,
}

/// A row that was not written, though the call as a whole was in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowRefusal {
    /// Why, in the org's order; empty if it gives no reason.
    pub faults: Vec<Fault>,
}

impl RowRefusal {
    /// The first code, if there is any.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.faults.first().map(|fault| fault.code.as_str())
    }

    /// Whether any of the faults has this code.
    #[must_use]
    pub fn has(&self, code: &str) -> bool {
        self.faults.iter().any(|fault| fault.code == code)
    }
}

/// `REQUIRED_FIELD_MISSING: Required fields are missing: [Name] (fields: Name)`
impl fmt::Display for RowRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.faults.is_empty() { f.write_str("no reason was given") } else { write_faults(f, &self.faults) }
    }
}

impl std::error::Error for RowRefusal {}
