//! Bulk API 2.0: queries the org runs as jobs, for as many rows as there are.
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

pub mod csv; // rows out of pieces of a body
mod job; // create, ask, abort, delete, list
mod obstacle; // what stands in the way of a job
mod poll; // when to ask
mod results; // pages, streamed

pub use csv::Row;
pub use job::{JobId, JobState, Operation, QueryJob, QueryJobs};
pub use obstacle::Obstacle;
pub(crate) use obstacle::is_quota;
pub use poll::Poll;
pub use results::{ResultLocator, ResultPage, Results};
