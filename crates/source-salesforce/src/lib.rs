//! Captures Salesforce into Estuary Flow: history and live changes of SObjects in one stream.
//!
//! In reading order:
//! - [`config`], [`resource`], [`schedule`]: what the user writes, and what it means;
//! - [`spec`], [`discover`], [`validate`], [`apply`]: the answers to Flow's unary requests;
//! - [`shard`]: which bindings are this process's, if the capture is split;
//! - [`feed`], [`resisting`]: how an object is read, and which cannot be;
//! - [`changes`], [`topics`], [`given_topic`]: how its changes are learned of;
//! - [`schema`], [`row`], [`document`], [`columns`], [`cell`]: what its documents look like, whichever way their rows came;
//! - [`capture`]: the session;
//! - [`serve`]: requests in, answers out; [`open`]: from a request to a session; [`pull`]: a session without a runtime, and [`progress`] what it shows;
//!   [`interrupt`]: how either is asked to end;
//! - [`cli`]: the command line; [`error`]: everything that can go wrong.

pub mod apply;
pub mod capture;
pub mod cell;
pub mod changes;
pub mod cli;
pub mod columns;
pub mod config;
pub mod discover;
pub mod document;
pub mod error;
pub mod feed;
pub mod given_topic;
pub mod interrupt;
pub mod open;
pub mod progress;
pub mod pull;
pub mod resisting;
pub mod resource;
pub mod row;
pub mod schedule;
pub mod schema;
pub mod serve;
pub mod shard;
pub mod spec;
pub mod topics;
pub mod validate;

use salesforce_client::Org;

pub use error::Error;

/// How this program calls itself towards Salesforce.
const USER_AGENT: &str = concat!("source-salesforce/", env!("CARGO_PKG_VERSION"));

/// The org that a configuration leads to. Nothing is sent yet. Warns of a way to sign in that Salesforce is ending.
///
/// # Errors
/// When the system has no root certificates.
pub fn org(config: &config::Config) -> Result<Org, Error> {
    Ok(config.endpoint.org(USER_AGENT)?)
}
