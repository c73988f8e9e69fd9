//! Requests a capture receives and the responses it gives.
//!
//! These are the types connectors work with. The JSON they come from has another shape (everything optional, two ways
//! to refer to a collection, kinds as sibling fields): the private module `wire` knows it, and converts once, at the edge.

use std::{fmt, sync::Arc};

use serde_json::value::RawValue;

pub use self::response::{DiscoveredBinding, Response, Spec};
pub use crate::task::{OAuth2, PROTOCOL, Range};
use crate::{error::RequestFault, stdio, task};

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
}

impl stdio::Request for Request {
    fn from_line(line: &str) -> Result<Self, RequestFault> {
        wire::request(line)
    }
}

impl stdio::Response for Response {}

/// Lists what the source offers.
pub struct Discover {
    /// Name of the capture; empty under older runtimes.
    pub name: String,
    /// Endpoint configuration, decrypted.
    pub config: Box<RawValue>,
}

/// Checks a capture before it is published. Must change nothing.
pub type Validate = task::Validate<ValidateBinding, Binding>;

/// Prepares the source for a capture that changed.
pub type Apply = task::Apply<Binding>;

/// Starts a session.
pub type Open = task::Open<Binding>;

/// A capture as the user specified it.
pub type CaptureSpec = task::TaskSpec<Binding>;

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

// The endpoint configuration holds secrets: it stays out of debug output.

impl fmt::Debug for Discover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discover").field("name", &self.name).finish_non_exhaustive()
    }
}
