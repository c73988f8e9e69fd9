//! A local Salesforce org for development and tests: OAuth, REST, SOQL, Bulk API 2.0, PushTopics over CometD, on free ports.
//!
//! It shares no code with any client: when the two agree, that means something. What it imitates, what it does not, and
//! on whose word, stands in `COVERAGE.md`.
//!
//! ```no_run
//! # async fn example() -> Result<(), salesforce_emulator::StartError> {
//! use salesforce_emulator::{Config, Emulator};
//!
//! let emulator = Emulator::start(Config { rows: vec![("Account".to_owned(), 100)], ..Config::default() }).await?;
//! let token_endpoint = format!("{}/services/oauth2/token", emulator.url());
//! let client_id = &emulator.credentials().client_id;
//! # let _ = (token_endpoint, client_id);
//! emulator.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! The map, from the way in down:
//!
//! - [`Config`] says what to start, with which [`Settings`]; [`Emulator`] is the running thing.
//! - `wire` has the connections, `api` puts REST, OAuth and SOAP on them, [`cometd`] the streaming endpoint, `control`
//!   what real Salesforce does not have: `/__emulator/`.
//! - `fault` is trouble by script, `trouble` from a seed: what strikes whom. Those who own the place carry it out.
//! - [`org`] is the org as a value, without HTTP; its folders are its rooms. `soql` is its query language.
//! - `clock` is virtual time, `draw` are choices that repeat with their seed, `seed` makes plausible records.

mod config;
mod emulator;

mod wire;

mod api;
pub mod cometd;
mod control;

mod fault;
mod trouble;

pub mod org;
mod soql;

mod clock;
mod draw;
mod seed;

pub use config::{Config, LookupsToDeleted, Settings};
pub use control::{Mix, Workload, WorkloadReport};
pub use emulator::{Emulator, StartError};
pub use fault::{FaultAction, FaultRule, Outage, TokenTrouble};
pub use org::{BulkDatetimes, BulkReport, BulkSettings, BulkStop, Credentials, Org, SchemaChange};
pub use trouble::{Struck, Trouble, TroubleError, TroubleKind, TroubleReport};

/// Keeps the example of the README compiling.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
