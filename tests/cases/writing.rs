//! The connector that writes: `materialize-salesforce` and an org of its own.
//!
//! - [`desk`]: a materialization, followed from its validation to the rows in the org;
//! - [`operations`]: what documents, nulls, deletions and references become;
//! - [`rejections`]: rows that the org refuses: the task stops, or reports and keeps them;
//! - [`refusals`]: what is refused before the first row;
//! - [`manual`]: what its manual shows works, and it explains every option;
//! - [`killed`]: killed again and again, nothing is lost and nothing doubled;
//! - [`sync`]: from one org to another, with the connector that captures.

pub(crate) mod desk;
mod killed;
mod manual;
mod operations;
mod refusals;
mod rejections;
mod sync;
