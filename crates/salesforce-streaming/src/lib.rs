//! CometD, PushTopics and replay, on top of an org.
//!
//! A [`Stream`] keeps one session with the org alive and says what happens on its channels as [`Event`]s. It resumes
//! after every kind of trouble from what the consumer has written, and says so where events may be missing. What the
//! channels of PushTopics announce is a [`Notification`]; [`push_topic`] makes the topics. The modules stand in reading
//! order.
//!
//! The protocol is tried against recorded replies of Salesforce, the emulated org, and two servers written by others:
//! `cometd-nodejs-server` and `faye`.

// Positions and places.
mod channel; // names of channels
mod replay; // where on a channel to start

// What comes out.
mod delivery; // the events of one reply, borrowed from its bytes
mod event; // what a stream says
mod failure; // why Salesforce refuses, and the cure
mod notification; // one change of one record

// How it is done.
mod bayeux; // the protocol: messages and the machine of the session, pure
mod cookies; // the cookies of a session
mod error; // the crate's one error
mod queue; // between the stream's task and its consumer
mod stream; // the task: a shell around the machine
mod transport; // one request, one reply

pub mod push_topic; // topics: names, definitions, what the org has

pub use channel::Channel;
pub use delivery::Delivery;
pub use error::Error;
pub use event::Event;
pub use failure::{Failure, FailureKind, Gap};
pub use notification::{Kind, Notification};
pub use push_topic::TopicName;
pub use replay::{ReplayFrom, ReplayId};
pub use stream::{Options, Stream};
