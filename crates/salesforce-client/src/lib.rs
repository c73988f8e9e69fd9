//! An org over HTTP: OAuth, REST, SOQL, Bulk, describe, limits.
//!
//! [`Org`] is the door: it signs in, sends, repeats what may be repeated and answers with typed values.
//!
//! ```no_run
//! # async fn example() -> Result<(), salesforce_client::Error> {
//! use salesforce_client::{Credentials, LoginUrl, Org, SObjectName, Select, Settings};
//!
//! let credentials = Credentials::RefreshToken {
//!     client_id: "3MVG9…".to_owned(),
//!     client_secret: "…".into(),
//!     refresh_token: "5Aep861…".into(),
//! };
//! let org = Org::new(Settings::new(LoginUrl::PRODUCTION.parse()?, credentials))?;
//!
//! let account: SObjectName = "Account".parse()?;
//! let query = Select::new(account.clone(), ["Id".parse()?, "Name".parse()?]);
//! let mut page = org.query(&account, &query.to_string()).await?;
//! loop {
//!     for row in page.rows() {
//!         let (id, name) = (row.id()?, row.text("Name"));
//!     }
//!     let Some(next) = page.next() else { break };
//!     page = org.query_more(&account, &next).await?;
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The modules stand in reading order.

// What an org is made of.
pub mod datetime; // the spellings of a point in time on the wire
pub mod decimal; // numbers as digits
pub mod id; // record ids with their checksum; names of objects and fields
pub mod record; // a record as it came: ordered fields, values as written
pub mod version; // which version of the API to speak

// Who we are, and where we may go with our secrets.
pub mod auth; // credentials, one file per grant; the token they buy
pub mod host; // which hosts may see a credential or a token
pub mod network; // proxy and root certificates on the way there
mod pem; // keys and certificates as they come out of web forms

// One request and what can become of it.
mod advice; // what to do about a failure that does not say it itself
pub mod error; // the crate's one error, and what was being done
pub mod failure; // how a single request fails: never sent, lost, garbled, refused
mod http; // the only sender
pub mod limits; // the org's allocations: of calls as its reply headers tell it, of all as it lists them
mod no_text; // where a reply is no text
pub mod retry; // classify a failure, decide what to do about it: pure

// The org and its doors.
pub mod bulk; // queries and writes as jobs, their results streamed
mod call; // the loop: send, classify, decide, wait
pub mod composite; // several calls as one
mod counts; // about how many records objects have
pub mod describe; // what objects exist and what their fields are
mod describes; // asking for them: one, many, those that changed
mod lookup; // ids of records by what others call them
mod org; // `Org` and its settings
pub mod query; // pages of rows
pub mod retrieve; // rows by id
mod session; // the current token; one sign-in at a time
mod soap; // envelopes, where REST has no call
mod sobject; // create, update, delete one record
pub mod soql; // queries as values
mod undelete; // records out of the recycle bin
pub mod updated; // ids of changed and deleted records
pub mod write; // rows into the org: one per call, or up to 200

pub use auth::{Credentials, PrivateKey, token::Token};
pub use datetime::parse_datetime;
pub use describe::{Describe, Field, FieldType, GlobalDescribe, SObjectSummary};
pub use describes::LastModified;
pub use error::{Action, Error, Verb};
pub use failure::{Failure, Fault, Refusal};
pub use host::LoginUrl;
pub use id::{FieldName, RecordId, SObjectName};
pub use limits::{Allocation, Limits, Usage};
pub use lookup::MOST_VALUES;
pub use network::{Network, Proxy, RootCertificate};
pub use no_text::half_pair;
pub use org::{Org, Settings};
pub use query::{LONGEST_QUERY, Locator, Page};
pub use record::Record;
pub use retrieve::{Retrieve, Retrieved};
pub use retry::Class;
pub use soql::Select;
pub use updated::{Deleted, Updated};
pub use version::{ApiVersion, Version};
pub use write::{ExternalId, Fields, Key, RowRefusal, Rows, Saved, Write, WriteOptions};
