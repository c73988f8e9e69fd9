//! What captures and materializations have in common. Flow calls either of them a task.
//!
//! [`capture`](crate::capture) and [`materialize`](crate::materialize) fill in the bindings of their protocol; a connector
//! finds all it needs there.

use std::fmt;

use serde_json::{Value, value::RawValue};

pub use self::response::{OAuth2, PROTOCOL};

pub(crate) mod response;
pub(crate) mod wire;

/// Checks a task before it is published. Must change nothing.
pub struct Validate<U, B> {
    /// Name of the task.
    pub name: String,
    /// Endpoint configuration, decrypted.
    pub config: Box<RawValue>,
    /// The enabled bindings, to be answered one by one, in this order.
    pub bindings: Vec<U>,
    /// The task as it was last published. Its `config` may be encrypted.
    pub last_task: Option<TaskSpec<B>>,
    /// Version of `last_task`.
    pub last_version: String,
}

/// Prepares source or destination for a task that changed. Sent while no session is open; must be idempotent.
#[derive(Debug)]
pub struct Apply<B> {
    /// The task about to run.
    pub task: TaskSpec<B>,
    /// Its version, opaque.
    pub version: String,
    /// The task that ran before; holds the bindings removed since. Its `config` may be encrypted.
    pub last_task: Option<TaskSpec<B>>,
    /// Version of `last_task`.
    pub last_version: String,
}

/// Starts a session.
#[derive(Debug)]
pub struct Open<B> {
    /// The task to run. Messages of the session name its bindings by index.
    pub task: TaskSpec<B>,
    /// Its version, opaque.
    pub version: String,
    /// Part of the key space this process is responsible for.
    pub range: Range,
    /// State as of the last durable checkpoint: an object, empty at first. May hold keys of other bindings or shards.
    pub state: Value,
}

/// A task as the user specified it.
pub struct TaskSpec<B> {
    /// Name of the task, unique in the catalog, like `acmeCo/salesforce`.
    pub name: String,
    /// Endpoint configuration. Decrypted for the task itself, possibly encrypted in a `last_task`: never parse that one.
    pub config: Option<Box<RawValue>>,
    /// Enabled bindings.
    pub bindings: Vec<B>,
    /// Bindings that were once enabled and are now disabled or removed.
    pub inactive_bindings: Vec<B>,
}

impl<B> Default for TaskSpec<B> {
    fn default() -> Self {
        Self { name: String::new(), config: None, bindings: Vec::new(), inactive_bindings: Vec::new() }
    }
}

/// The part of the key space a process is responsible for: both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// First key hash.
    pub key_begin: u32,
    /// Last key hash.
    pub key_end: u32,
    /// First rotated clock. Captures are not split by clock.
    pub r_clock_begin: u32,
    /// Last rotated clock.
    pub r_clock_end: u32,
}

impl Range {
    /// The whole space: a task that is not split.
    pub const FULL: Self = Self { key_begin: 0, key_end: u32::MAX, r_clock_begin: 0, r_clock_end: u32::MAX };

    /// Whether a key's hash belongs to this process.
    pub fn contains(&self, key_hash: u32) -> bool {
        (self.key_begin..=self.key_end).contains(&key_hash)
    }
}

// Endpoint configurations hold secrets: they stay out of debug output.

impl<U: fmt::Debug, B: fmt::Debug> fmt::Debug for Validate<U, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validate")
            .field("name", &self.name)
            .field("bindings", &self.bindings)
            .field("last_task", &self.last_task)
            .field("last_version", &self.last_version)
            .finish_non_exhaustive()
    }
}

impl<B: fmt::Debug> fmt::Debug for TaskSpec<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskSpec")
            .field("name", &self.name)
            .field("bindings", &self.bindings)
            .field("inactive_bindings", &self.inactive_bindings)
            .finish_non_exhaustive()
    }
}
