//! Requests a materialization receives and the responses it gives.
//!
//! These are the types connectors work with. The JSON they come from has another shape: the private module `wire` knows
//! it, and converts once, at the edge.
//!
//! A session is a loop: [`Request::Acknowledge`], loads, [`Request::Flush`], stores, [`Request::StartCommit`]. What of it
//! may come while something else is still to be answered stands with each of them.

use std::{collections::BTreeMap, fmt, sync::Arc};

use serde_json::value::RawValue;

pub use self::{
    response::{Constraint, ConstraintKind, Response, Spec, ValidatedBinding},
    tuple::{Unpackable, unpack},
};
pub use crate::task::{OAuth2, PROTOCOL, Range};
use crate::{error::RequestFault, stdio, task};

mod response;
mod tuple;
mod wire;

/// What the runtime asks for. The first request of every process is [`Request::Spec`].
#[derive(Debug)]
pub enum Request {
    /// Which configuration does the connector take? Answered by [`Response::Spec`].
    Spec,
    /// Would this materialization work? Answered by [`Response::Validated`].
    Validate(Validate),
    /// Prepare the destination. May come again for the same version. Answered by [`Response::Applied`].
    Apply(Apply),
    /// Start a session. Answered by [`Response::Opened`].
    Open(Open),
    /// What was committed is durable: whatever waited for that can be done now. It comes once before anything else, for
    /// the last transaction of the session before this one, and then after each commit, so that doing it twice must do
    /// no harm. Answered by [`Response::Acknowledged`], once; loads of the next transaction may come before that.
    Acknowledge,
    /// A document may be there: answered by [`Response::Loaded`] if it is, at any time up to [`Response::Flushed`]. It
    /// must show what the last transaction stored.
    Load(Load),
    /// There are no more loads. Answered by [`Response::Flushed`].
    Flush,
    /// A document to be written. Has no answer.
    Store(Store),
    /// There are no more stores. Answered by [`Response::StartedCommit`] when all of them are safe, or can be redone from
    /// the state in the answer.
    StartCommit,
}

impl Request {
    /// The kinds a request line may hold, in the words of the protocol.
    pub const KINDS: [&str; 9] =
        ["spec", "validate", "apply", "open", "acknowledge", "load", "flush", "store", "startCommit"];
}

impl stdio::Request for Request {
    fn from_line(line: &str) -> Result<Self, RequestFault> {
        wire::request(line)
    }
}

impl stdio::Response for Response {}

/// Checks a materialization before it is published. Must change nothing.
pub type Validate = task::Validate<ValidateBinding, Binding>;

/// Prepares the destination for a materialization that changed.
pub type Apply = task::Apply<Binding>;

/// Starts a session.
pub type Open = task::Open<Binding>;

/// A materialization as the user specified it.
pub type MaterializationSpec = task::TaskSpec<Binding>;

/// A binding to be validated. Its resource path is not known yet: the answer says it.
#[derive(Debug)]
pub struct ValidateBinding {
    /// Resource configuration.
    pub resource_config: Box<RawValue>,
    /// Collection the binding reads.
    pub collection: Arc<Collection>,
    /// What the user says of single fields, by field.
    pub field_config: BTreeMap<String, Box<RawValue>>,
    /// How many times the user asked for a new backfill.
    pub backfill: u32,
    /// The fields the user chose as keys; those of the collection's key if empty.
    pub group_by: Vec<String>,
}

/// One collection written into one resource.
#[derive(Debug)]
pub struct Binding {
    /// Resource configuration.
    pub resource_config: Box<RawValue>,
    /// What `validated` answered for this binding.
    pub resource_path: Vec<String>,
    /// Collection the binding reads.
    pub collection: Arc<Collection>,
    /// Which of its fields are written.
    pub field_selection: FieldSelection,
    /// Nothing is loaded, and each stored document is what this transaction brings of it.
    pub delta_updates: bool,
    /// How many times the user asked for a new backfill.
    pub backfill: u32,
    /// Key of this binding's state. Changes with `backfill`. Opaque.
    pub state_key: String,
}

/// Which fields of a collection are written: keys and values of a [`Store`] stand in this order.
#[derive(Debug, Default)]
pub struct FieldSelection {
    /// Fields of the key.
    pub keys: Vec<String>,
    /// All other fields.
    pub values: Vec<String>,
    /// The field that is the whole document; stores carry documents if there is one.
    pub document: Option<String>,
    /// What the user says of single fields, by field.
    pub field_config: BTreeMap<String, Box<RawValue>>,
}

/// A collection, as far as a materialization needs it. Schemas are skipped while parsing.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Collection {
    /// Name, like `acmeCo/Account`.
    pub name: String,
    /// JSON pointers of the collection's key.
    pub key: Vec<String>,
    /// The locations that have a name as a field.
    pub projections: Vec<Projection>,
}

impl Collection {
    /// The projection that makes a field.
    pub fn projection(&self, field: &str) -> Option<&Projection> {
        self.projections.iter().find(|projection| projection.field == field)
    }
}

/// A location in documents, named as a field.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Projection {
    /// JSON pointer of the location; empty for the whole document.
    pub ptr: String,
    /// Name of the field, like `_meta/op`.
    pub field: String,
    /// Whether the user named it.
    pub explicit: bool,
    /// Whether it divides the collection into partitions.
    pub is_partition_key: bool,
    /// Whether it is part of the collection's key.
    pub is_primary_key: bool,
    /// What the collection's schema says of the location.
    pub inference: Inference,
}

/// What a schema says of a location.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Inference {
    /// Types its values may have, in the words of JSON schema; `integer` stands beside or instead of `number`.
    pub types: Vec<String>,
    /// Whether it is there.
    pub exists: Exists,
    /// The `format` of texts, like `date-time`; empty if none is given.
    pub format: String,
    /// The `contentEncoding` of texts, like `base64`; empty if none is given.
    pub content_encoding: String,
    /// The most characters a text may have; `None` if it is not limited.
    pub max_length: Option<u32>,
}

/// Whether a location is there.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Exists {
    /// It is not said.
    #[default]
    Unsaid,
    /// In every document.
    Must,
    /// In some documents, and the schema mentions it.
    May,
    /// In some documents perhaps: the schema does not mention it.
    Implicit,
    /// In none.
    Cannot,
}

/// A document that may be there.
pub struct Load {
    /// Index of its binding.
    pub binding: usize,
    /// Its key, in the order of [`FieldSelection::keys`].
    pub key: Vec<Box<RawValue>>,
}

/// A document to be written.
pub struct Store {
    /// Index of its binding.
    pub binding: usize,
    /// Its key, in the order of [`FieldSelection::keys`].
    pub key: Vec<Box<RawValue>>,
    /// Its other fields, in the order of [`FieldSelection::values`]; null where a location is null or not there.
    pub values: Vec<Box<RawValue>>,
    /// The whole document, if [`FieldSelection::document`] asks for it.
    pub doc: Option<Box<RawValue>>,
    /// Whether it was loaded or stored before. That it was not proves nothing: the destination may have it all the same.
    pub exists: bool,
    /// Whether it is deleted.
    pub delete: bool,
}

// Documents are the users' own: they stay out of debug output.

impl fmt::Debug for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Load").field("binding", &self.binding).finish_non_exhaustive()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("binding", &self.binding)
            .field("exists", &self.exists)
            .field("delete", &self.delete)
            .finish_non_exhaustive()
    }
}
