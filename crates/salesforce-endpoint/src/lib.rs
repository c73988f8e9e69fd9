//! What the endpoint configs of Flow's Salesforce connectors have in common: which org is meant, how to sign in to it, and
//! how it is reached.
//!
//! A connector's config is its own, with its own form; the parts of it that lead to the org are read here, so that one
//! config file serves the capture and the materialization. The forms write the same fields out for themselves: behind
//! serde's `flatten` an error has no path and the wrong column, and the order of a form mixes fields of both kinds.
//!
//! In reading order:
//! - [`endpoint`]: from these parts to an [`Org`](salesforce_client::Org);
//! - [`credentials`]: the ways to sign in, as the user writes them and as the form shows them;
//! - [`oauth`]: how Flow signs in on a user's behalf;
//! - [`setting`]: how single values are written;
//! - [`mod@closest`]: the name that was probably meant, and [`misspelt`], where a key of a config is;
//! - [`mod@file`]: configs in YAML or JSON;
//! - [`command_line`]: what the connectors' command lines have in common;
//! - [`error`]: everything that can go wrong.

pub mod closest;
pub mod command_line;
pub mod credentials;
pub mod endpoint;
pub mod error;
pub mod file;
pub mod misspelt;
pub mod oauth;
pub mod setting;

pub use closest::closest;
pub use credentials::RawCredentials;
pub use endpoint::{Endpoint, Parts};
pub use error::Error;
