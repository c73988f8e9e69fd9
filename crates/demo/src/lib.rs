//! A small Flow runtime, and what it takes to judge a connector with it.
//!
//! The binary of this package shows the connectors at work on an emulated org; the end-to-end tests drive them the same
//! way. Neither shares code with the connectors: the protocol is known here a second time, from its documentation, so that
//! an agreement of the two means something.
//!
//! In reading order:
//! - [`runtime`]: starts a connector, asks it, runs sessions, keeps what a runtime keeps;
//! - [`verdict`]: what was captured against what the org holds; [`copies`]: what was written to another org against it;
//! - [`binaries`]: builds the connector that is to be started;
//! - [`error`]: everything that can go wrong on the way.

pub mod binaries;
pub mod copies;
pub mod error;
pub mod runtime;
pub mod verdict;

pub use error::Error;
