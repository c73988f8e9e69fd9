//! The real binaries against the emulated org, as black boxes: over pipes, HTTP and files, with nothing but the public
//! libraries of the emulator and of the small Flow runtime.
//!
//! What the cases stand on:
//! - [`program`]: the connector, built once, and what a run of it leaves behind;
//! - [`org`]: an emulated org and the truth in it;
//! - [`task`]: a capture, followed from its preparation to its agreement with the org.

mod org;
mod program;
mod task;

mod bad_input;
mod bindings;
mod capture;
mod catalog;
mod commands;
mod documents;
mod flow_control;
mod healing;
mod kills;
mod recorded;
mod schemas;
mod secrets;
mod streams;
mod validator;
