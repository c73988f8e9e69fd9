//! The topic of a lane: what it may have cost that somebody changed it, or made it anew.

use std::time::Duration;

use salesforce_streaming::{Channel, ReplayFrom};
use tokio::time::Instant;

use super::Lane;
use crate::{
    capture::{tally::Counter, timetable::Timetable},
    changes::{Polls, Topic},
    error::Error,
};

impl Lane {
    /// Whether it is polled only until the org has room for its topic. While history is polled it goes on so.
    pub(in crate::capture) fn awaits_topic(&self) -> bool {
        self.polls == Some(Polls::NoTopicLeft) && self.machine.live().is_some()
    }

    /// A topic is made for what was polled so far; sweeps come at this interval. Answers where its channel is to be subscribed.
    pub(in crate::capture) fn begin_streaming(
        &mut self,
        topic: &Topic,
        interval: Duration,
        now: Instant,
    ) -> (Channel, ReplayFrom) {
        self.machine.topic_replaced(topic.id);
        self.machine.topic_seen(topic.found, topic.was_silent, topic.now);
        tracing::info!(stream = self.stream(), "the org has room for a PushTopic again: streaming instead of polling");
        (self.polls, self.whole, self.channel) = (None, topic.whole, Some(topic.channel.clone()));
        (self.sweeps, self.heard) = (Timetable::new(now + interval, interval), now);
        (topic.channel.clone(), ReplayFrom::Tip)
    }

    /// The topic was looked at. Answers where its channel is to be subscribed, if that must be done anew.
    pub(in crate::capture) fn topic_seen(&mut self, topic: &Topic) -> Option<(Channel, ReplayFrom)> {
        self.whole = topic.whole;
        if self.machine.is_topic(topic.id) {
            if self.machine.topic_seen(topic.found, topic.was_silent, topic.now) {
                self.counter.lost(self.machine.agenda().lost_since());
                self.counter.heard(topic.now.at);
                warn_of_changed_topic(self.stream(), &self.counter);
                if let Some(Error::Refused { .. }) = self.doubt {
                    // It was refused as the topic was then.
                    self.machine.gap();
                    return Some((topic.channel.clone(), ReplayFrom::Tip));
                }
            }
            return None;
        }
        self.machine.topic_replaced(topic.id);
        self.machine.topic_seen(topic.found, topic.was_silent, topic.now);
        self.counter.lost(self.machine.agenda().lost_since());
        tracing::warn!(
            stream = self.stream(),
            since = since(&self.counter),
            "the PushTopic was deleted and is made anew: reading all changes since the last look at it"
        );
        self.channel = Some(topic.channel.clone());
        Some((topic.channel.clone(), ReplayFrom::Tip))
    }
}

/// Since when changes may not have been heard, for the log.
pub(super) fn since(counter: &Counter) -> Option<String> {
    counter.repair()?.since.map(|since| since.to_string())
}

pub(super) fn warn_of_changed_topic(stream: &str, counter: &Counter) {
    tracing::warn!(
        stream,
        since = since(counter),
        "the PushTopic was changed, or fields it names are gone, and it may have announced nothing for a while: reading all \
         changes since then"
    );
}
