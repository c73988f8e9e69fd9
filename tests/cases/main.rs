//! The real binaries against the emulated org, as black boxes: over pipes, HTTP and files, with nothing but the public
//! libraries of the emulator and of the small Flow runtime.
//!
//! What the cases stand on:
//! - [`program`]: the connector, built once, and what a run of it leaves behind;
//! - [`org`]: an emulated org and the truth in it;
//! - [`load`]: writes of which it tells nobody;
//! - [`house`]: the way to it by Salesforce's own host names, through a proxy;
//! - [`way`]: the ways to sign in;
//! - [`task`]: a capture, followed from its preparation to its agreement with the org;
//! - [`mod@side_by_side`]: several stories at a time.

mod house;
mod load;
mod org;
mod program;
mod side_by_side;
mod task;
mod way;

mod administration;
mod backfill;
mod bad_input;
mod bad_rows;
mod bindings;
mod budget;
mod capture;
mod catalog;
mod commands;
mod complete;
mod deletions;
mod deliveries;
mod documents;
mod farewell;
mod flow_control;
mod healing;
mod interrupts;
mod jobs;
mod kills;
mod long_replies;
mod network;
mod readme;
mod recorded;
mod refresh;
mod scale;
mod schemas;
mod secrets;
mod shards;
mod sign_in;
mod streams;
mod sweeps;
mod traps;
mod trouble;
mod validator;
mod writing;
