//! PushTopics: queries whose matching changes the org announces on a channel.
//!
//! A topic is a record of the object `PushTopic`. Its name is its channel; deleting it and making it again starts a
//! new channel, so that old positions are refused: topics are patched wherever possible.

mod definition;
mod difference;
mod name;
mod org;
mod problem;

pub use definition::{Definition, LONGEST_QUERY, NotifyFor, Operations};
pub use difference::{Difference, Property, compare};
pub use name::TopicName;
pub use org::{Existing, Look, create, delete, find, list, patch};
pub use problem::Problem;
