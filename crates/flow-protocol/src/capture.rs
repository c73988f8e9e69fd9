//! Requests a capture receives and the responses it gives.
//!
//! These are the types connectors work with. The JSON they come from has another shape (everything optional, two ways
//! to refer to a collection, kinds as sibling fields): the private module `wire` knows it, and converts once, at the edge.

use std::{fmt, sync::Arc};

use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

pub use self::response::{DiscoveredBinding, OAuth2, PROTOCOL, Response, Spec};

mod response;
mod wire;

/// What the runtime asks for. The first request of every process is [`Request::Spec`].
#[derive(Debug)]
pub enum Request {
    /// Which configuration does the connector take? Answered by [`Response::Spec`].
    Spec,
    /// What could be captured? Answered by [`Response::Discovered`].
    Discover(Discover),
    /// Would this capture work? Answered by [`Response::Validated`].
    Validate(Validate),
    /// Prepare the source for this capture. May come again for the same version. Answered by [`Response::Applied`].
    Apply(Apply),
    /// Start a session. Answered by [`Response::Opened`], then by groups until stdin ends.
    Open(Open),
    /// So many more checkpoints of the session are durable. Has no answer.
    Acknowledge {
        /// Checkpoints that became durable since the last acknowledgement.
        checkpoints: u32,
    },
}

impl Request {
    /// The kinds a request line may hold, in the words of the protocol.
    pub const KINDS: [&str; 6] = ["spec", "discover", "validate", "apply", "open", "acknowledge"];

    /// Parses one line.
    ///
    /// # Errors
    /// When the line is not JSON, is not a request of exactly one kind, or a binding refers to a collection that is not
    /// there. The error does not repeat any of the line.
    pub fn from_line(line: &str) -> Result<Self, crate::error::RequestFault> {
        wire::request(line)
    }
}

/// Lists what the source offers.
pub struct Discover {
    /// Name of the capture; empty under older runtimes.
    pub name: String,
    /// Endpoint configuration, decrypted.
    pub config: Box<RawValue>,
}

/// Checks a capture before it is published. Must change nothing.
pub struct Validate {
    /// Name of the capture.
    pub name: String,
    /// Endpoint configuration, decrypted.
    pub config: Box<RawValue>,
    /// The enabled bindings, to be answered one by one, in this order.
    pub bindings: Vec<ValidateBinding>,
    /// The capture as it was last published. Its `config` may be encrypted.
    pub last_capture: Option<CaptureSpec>,
    /// Version of `last_capture`.
    pub last_version: String,
}

/// A binding to be validated. Its resource path is not known yet: the answer says it.
#[derive(Debug)]
pub struct ValidateBinding {
    /// Resource configuration.
    pub resource_config: Box<RawValue>,
    /// Collection the binding writes to.
    pub collection: Arc<Collection>,
    /// How many times the user asked for a new backfill.
    pub backfill: u32,
}

/// Prepares the source for a capture that changed. Sent while no session is open; must be idempotent.
#[derive(Debug)]
pub struct Apply {
    /// The capture about to run.
    pub capture: CaptureSpec,
    /// Its version, opaque.
    pub version: String,
    /// The capture that ran before; holds the bindings removed since. Its `config` may be encrypted.
    pub last_capture: Option<CaptureSpec>,
    /// Version of `last_capture`.
    pub last_version: String,
}

/// Starts a session.
#[derive(Debug)]
pub struct Open {
    /// The capture to run. Documents name its bindings by index.
    pub capture: CaptureSpec,
    /// Its version, opaque.
    pub version: String,
    /// Part of the key space this process is responsible for.
    pub range: Range,
    /// State as of the last durable checkpoint: an object, empty at first. May hold keys of other bindings or shards.
    pub state: Value,
}

/// A capture as the user specified it.
#[derive(Default)]
pub struct CaptureSpec {
    /// Name of the capture, unique in the catalog, like `acmeCo/salesforce`.
    pub name: String,
    /// Endpoint configuration. Decrypted for the capture itself, possibly encrypted in a `last_capture`: never parse that one.
    pub config: Option<Box<RawValue>>,
    /// Enabled bindings.
    pub bindings: Vec<Binding>,
    /// Bindings that were once enabled and are now disabled or removed.
    pub inactive_bindings: Vec<Binding>,
    /// Least time between two starts of a session, in seconds.
    pub interval_seconds: u32,
}

/// One resource captured into one collection.
#[derive(Debug)]
pub struct Binding {
    /// Resource configuration.
    pub resource_config: Box<RawValue>,
    /// What `validated` answered for this binding.
    pub resource_path: Vec<String>,
    /// Collection the binding writes to.
    pub collection: Arc<Collection>,
    /// How many times the user asked for a new backfill.
    pub backfill: u32,
    /// Key of this binding's state. Changes with `backfill`, so that a new backfill starts without state. Opaque.
    pub state_key: String,
}

/// A collection, as far as a capture needs it. Schemas and projections are skipped while parsing: a capture of
/// hundreds of bindings carries tens of megabytes of them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Collection {
    /// Name, like `acmeCo/Account`.
    pub name: String,
    /// JSON pointers of the collection's key.
    pub key: Vec<String>,
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
    /// The whole space: a capture that is not split.
    pub const FULL: Self = Self { key_begin: 0, key_end: u32::MAX, r_clock_begin: 0, r_clock_end: u32::MAX };

    /// Whether a key's hash belongs to this process.
    pub fn contains(&self, key_hash: u32) -> bool {
        (self.key_begin..=self.key_end).contains(&key_hash)
    }
}

/// The configuration of a message that carries none.
pub(crate) fn empty_config() -> Box<RawValue> {
    to_raw_value(&serde_json::Map::new()).expect("an empty object is JSON")
}

// Endpoint configurations hold secrets: they stay out of debug output.

impl fmt::Debug for Discover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discover").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Validate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validate")
            .field("name", &self.name)
            .field("bindings", &self.bindings)
            .field("last_capture", &self.last_capture)
            .field("last_version", &self.last_version)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CaptureSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaptureSpec")
            .field("name", &self.name)
            .field("bindings", &self.bindings)
            .field("inactive_bindings", &self.inactive_bindings)
            .field("interval_seconds", &self.interval_seconds)
            .finish_non_exhaustive()
    }
}
