//! The SQLite side of the org: tables that follow the schema, transactions, and what a file keeps between runs. What a value
//! means is not known here.

mod alteration;
mod bracket;
mod database;
mod kept_events;
mod table;

pub(super) use alteration::{converted, initial};
pub(super) use database::{Database, StoredRow};
pub(super) use kept_events::KeptEvent;
pub(super) use table::{DELETED_AT, ROOT};
