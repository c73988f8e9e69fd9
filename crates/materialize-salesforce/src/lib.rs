//! Writes Flow collections into Salesforce objects.
//!
//! In reading order:
//! - [`config`], [`resource`], [`rules`]: what the user writes of the org, of a binding, of a field, and what it means;
//! - [`target`]: what the engine is told of a binding;
//! - [`mapping`]: a binding held against its object: where each field of the collection goes;
//! - [`spec`], [`validate`]: the answers to Flow's unary requests;
//! - [`document`]: from a stored document to a change;
//! - [`tally`], [`letters`], [`settle`]: from a receipt to what it means for the task: counted, kept, or the end;
//! - [`state`]: what is remembered from commit to commit; [`left_behind`]: what a session before this one has begun and not seen end;
//! - [`session`]: transactions, from `open` to the end of stdin;
//! - [`serve`]: requests in, answers out; [`cli`]: the command line; [`error`]: everything that can go wrong.
//!
//! The writing itself is [`salesforce_sink`]'s.

pub mod cli;
pub mod config;
pub mod document;
pub mod error;
pub mod left_behind;
pub mod letters;
pub mod mapping;
pub mod resource;
pub mod rules;
pub mod serve;
pub mod session;
pub mod settle;
pub mod spec;
pub mod state;
pub mod tally;
pub mod target;
pub mod validate;

use salesforce_client::Org;

pub use error::Error;

/// How this program calls itself towards Salesforce.
const USER_AGENT: &str = concat!("materialize-salesforce/", env!("CARGO_PKG_VERSION"));

/// The org that a configuration leads to. Nothing is sent yet. Warns of a way to sign in that Salesforce is ending.
///
/// # Errors
/// When the system has no root certificates.
pub fn org(config: &config::Config) -> Result<Org, Error> {
    Ok(config.endpoint.org(USER_AGENT)?)
}
