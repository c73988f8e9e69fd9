//! The connector's side of the [Estuary Flow](https://estuary.dev) protocol: JSON messages, one per line, on stdin and
//! stdout, and structured logs on stderr.
//!
//! A connector is a loop: it reads a request, answers it, and goes on until stdin ends. `spec`, `discover`, `validate`
//! and `apply` have one answer each; `open` turns the process into a session that writes groups of documents, each
//! closed by a checkpoint, until stdin ends.
//!
//! In reading order:
//! - [`capture`]: the requests a capture receives and its answers;
//! - [`materialize`]: those of a materialization;
//! - [`task`]: what the two have in common;
//! - [`group`]: documents and the state they justify, as bytes that cannot leave without their checkpoint;
//! - [`stdio`]: requests from a reader, answers to a writer; [`codec`] frames the lines;
//! - [`state`]: JSON merge patches between two states;
//! - [`schema`]: config schemas as Flow's forms want them, and a check of its rules;
//! - [`log`]: lines on stderr, also for panics and for the one error that ends a process;
//! - [`process`]: a connector's process from its start to its exit code;
//! - [`mod@parse`]: JSON into types, with errors that never repeat the input, which may hold secrets;
//! - [`error`]: everything that can go wrong in here.

pub mod capture;
pub mod codec;
pub mod error;
pub mod group;
pub mod log;
pub mod materialize;
pub mod parse;
pub mod process;
pub mod schema;
pub mod state;
pub mod stdio;
pub mod task;

pub use error::Error;
pub use parse::parse;
