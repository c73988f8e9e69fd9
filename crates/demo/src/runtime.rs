//! What the Flow runtime does with a connector, in small.
//!
//! - [`process`]: a connector process, its pipes and its end;
//! - [`connector`]: asks a connector something and takes its one answer;
//! - [`session`]: an open capture, read in groups;
//! - [`capture`]: what the runtime remembers between sessions, and how a commit changes it;
//! - [`collection`]: documents reduced by key;
//! - [`history`]: the order of commits, judged;
//! - [`materialization`]: what it remembers of a materialization, and how fields are selected;
//! - [`delivery`]: an open materialization, fed with transactions; [`mod@tuple`] packs their keys and values;
//! - `task`: what it says of either;
//! - [`merge_patch`]: how a state changes.

pub mod capture;
pub mod collection;
pub mod connector;
pub mod delivery;
pub mod history;
pub mod materialization;
pub mod merge_patch;
pub mod process;
pub mod session;
mod task;
pub mod tuple;

pub use self::{
    capture::{Binding, Capture},
    collection::Collection,
    connector::Connector,
    delivery::{Delivery, Dialect, Transaction},
    materialization::{Materialization, Projection, Target},
    process::{Exit, Process},
    session::{Captured, Group, Message, Patch, Session, SourcedSchema},
};
