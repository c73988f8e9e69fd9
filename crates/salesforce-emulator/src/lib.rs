//! A local Salesforce org for development and tests: OAuth, REST, SOQL, PushTopics over CometD, on free ports.
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
//! The map: [`Config`] says what to start, [`Emulator`] is the running thing. [`org`] is the org as a value, [`soql`] its
//! query language, [`cometd`] its streaming endpoint; `api` puts them behind HTTP and `control` adds `/__emulator/`; `fault` is
//! trouble by script, `trouble` from a seed.

mod config;
mod emulator;

pub mod org;
pub mod soql;

mod api;
pub mod cometd;
mod control;

mod clock;
mod draw;
mod fault;
mod seed;
mod trouble;
mod wire;

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
