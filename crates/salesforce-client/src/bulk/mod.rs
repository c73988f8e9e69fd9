//! Bulk API 2.0: queries and writes the org runs as jobs, for as many rows as there are.
//!
//! A job is created, asked how it stands until it ends, and read page by page; each page is streamed. What Bulk refuses
//! to read is told by [`Error::obstacle`](crate::Error::obstacle), and [`Org::query`](crate::Org::query) reads it.
//!
//! ```no_run
//! # async fn example(org: salesforce_client::Org) -> Result<(), salesforce_client::Error> {
//! use salesforce_client::{FieldName, SObjectName, bulk};
//!
//! let account: SObjectName = "Account".parse()?;
//! let columns: [FieldName; 2] = ["Id".parse()?, "Name".parse()?];
//! let mut job = org.create_query_job(&account, "SELECT Id, Name FROM Account", bulk::Operation::Query).await?;
//! let mut poll = bulk::Poll::default();
//! while !job.state.is_final() {
//!     tokio::time::sleep(poll.pause()).await;
//!     job = org.query_job(&account, job.id).await?;
//! }
//! let mut next = None;
//! loop {
//!     let wanted = bulk::Results {
//!         object: &account, job: job.id, columns: &columns, page: next.as_ref(), most: 50_000, skip: 0,
//!     };
//!     let mut page = org.query_results(&wanted).await?;
//!     while let Some(row) = page.next_row().await? {
//!         let (id, name) = (row.id()?, row.get("Name"));
//!     }
//!     next = page.next_page().cloned();
//!     if next.is_none() {
//!         break;
//!     }
//! }
//! org.delete_query_job(&account, job.id).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Rows are written likewise: a job is created, given its rows, closed, and asked how it stands until it ends; then its
//! results tell what became of each row.
//!
//! ```no_run
//! # async fn example(org: salesforce_client::Org) -> Result<(), salesforce_client::Error> {
//! use salesforce_client::{FieldName, SObjectName, bulk};
//!
//! let (account, key): (SObjectName, FieldName) = ("Account".parse()?, "Ext__c".parse()?);
//! let mut job = org.create_ingest_job(&account, bulk::Ingest::Upsert(&key)).await?;
//! org.upload_rows(&account, job.id, "Ext__c,Name\nA/17,Ngo & Co\n".into()).await?;
//! job = org.close_ingest_job(&account, job.id).await?;
//! let mut poll = bulk::Poll::default();
//! while !job.state.is_final() {
//!     tokio::time::sleep(poll.pause()).await;
//!     job = org.ingest_job(&account, job.id).await?;
//! }
//! let (which, columns) = (bulk::Ingested::Refused, ["Ext__c".parse()?, "Name".parse()?]);
//! let wanted = bulk::IngestResults { object: &account, job: job.id, which, columns: &columns };
//! let mut rows = org.ingest_results(&wanted).await?;
//! while let Some(row) = rows.next_row().await? {
//!     println!("{:?}: {:?}", row.get("Ext__c"), row.outcome());
//! }
//! # Ok(())
//! # }
//! ```

mod column; // fields, and fields of parents
pub mod csv; // rows out of pieces of a body
pub mod ingest; // jobs that write: create, upload, close, ask, abort, delete, list
mod ingested; // what became of their rows
mod job; // jobs that read: create, ask, abort, delete, list
mod jobs; // lists of them
mod obstacle; // what stands in the way of a job
mod poll; // when to ask
mod results; // their pages, streamed
mod stream; // rows that arrive, and are asked for again where their reply breaks

pub use column::Column;
pub use csv::Row;
pub use ingest::{Ingest, IngestJob, IngestOperation, IngestState, IngestStep};
pub use ingested::{IngestResults, IngestRow, IngestRows, Ingested};
pub use job::{JobId, JobState, Operation, QueryJob};
pub use jobs::Jobs;
pub use obstacle::Obstacle;
pub(crate) use obstacle::is_quota;
pub use poll::Poll;
pub use results::{ResultLocator, ResultPage, Results};
