//! PushTopics and their events: what a topic makes of a change, where events wait, who hears of them. CometD, which delivers
//! them, is another room.

mod announce;
mod audience;
mod event_log;
pub(super) mod push_topic;

pub(super) use announce::Announcement;
pub(crate) use audience::Audience;
pub(crate) use event_log::{Announced, EventLog};
pub(crate) use push_topic::{Access, Topic};
