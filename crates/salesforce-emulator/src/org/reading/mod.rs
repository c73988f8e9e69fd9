//! What is read: queries and the pages of their results, single records, what changed in a span of time. All of it as the
//! JSON that the REST API answers.

mod cursors;
mod query;
mod query_result;
mod record;
pub(super) mod render;
mod replication;
mod sub_queries;

pub(super) use cursors::Cursors;
pub use query::Ask;
pub(super) use query::refuse;
pub(super) use record::field;
pub use replication::{Deleted, Span, Updated};
