//! How a capture learns of the changes of its objects: which are streamed, which are polled, and why.

use salesforce_client::RecordId;
use salesforce_streaming::{Channel, push_topic::TopicName};

use crate::{
    capture::{position::Checked, second::Second},
    feed::Feed,
    resource::{Mode, Resource},
};

/// How changes of one object are to be learned of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan<'a> {
    /// A PushTopic of this capture announces them.
    Own,
    /// The administrator's PushTopic of this name announces them.
    Given(&'a TopicName),
    /// They are polled.
    Poll(Polls),
}

/// What a binding asks for and its object allows. Whether the org has a topic left is another matter.
pub fn plan<'a>(resource: &'a Resource, feed: &Feed) -> Plan<'a> {
    match (&resource.push_topic, resource.mode) {
        (Some(name), _) => Plan::Given(name),
        (None, Mode::Poll) => Plan::Poll(Polls::Asked),
        (None, Mode::Auto) if !feed.is_streamable => Plan::Poll(Polls::Unsupported),
        (None, Mode::Auto | Mode::Stream) => Plan::Own,
    }
}

/// How changes of one object are learned of.
#[derive(Debug, Clone)]
pub enum Changes {
    /// A PushTopic announces them.
    Announced(Topic),
    /// They are asked for, again and again.
    Polled(Polls),
}

/// The topic of one stream, as it stands in the org.
#[derive(Debug, Clone)]
pub struct Topic {
    /// The PushTopic's record.
    pub id: RecordId,
    /// Where its events are.
    pub channel: Channel,
    /// Whether its events carry whole rows; otherwise they announce rows to be fetched.
    pub whole: bool,
    /// Its modstamp as it was found, before anything was done to it.
    pub found: Second,
    /// Whether it was found in a state in which it may have announced nothing: modstamps have whole seconds, and do not tell
    /// everything.
    pub was_silent: bool,
    /// Its modstamp as it is now, in order.
    pub now: Checked,
}

/// Why an object is polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Polls {
    /// The user wants it so.
    Asked,
    /// Salesforce does not stream it.
    Unsupported,
    /// The org has as many PushTopics as it may have.
    NoTopicLeft,
}

impl Polls {
    fn reason(self) -> &'static str {
        match self {
            Self::Asked => "as configured",
            Self::Unsupported => "not supported by PushTopic",
            Self::NoTopicLeft => "no PushTopic left in the org",
        }
    }
}

/// What is streamed, what is polled, and why, in one line. Each binding is its stream's name and why it is polled, if it is.
pub fn summary<'a>(bindings: impl Iterator<Item = (&'a str, Option<Polls>)>) -> String {
    let (mut streamed, mut polled) = (0_usize, Vec::new());
    for (stream, polls) in bindings {
        match polls {
            None => streamed += 1,
            Some(why) => polled.push((why, stream)),
        }
    }
    polled.sort_by_key(|(why, _)| *why);
    let reasons = polled.chunk_by(|(one, _), (other, _)| one == other).map(|group| {
        let streams: Vec<_> = group.iter().map(|(_, stream)| *stream).collect();
        format!("{} ({})", some_of(&streams, LISTED), group[0].0.reason())
    });
    let reasons = reasons.collect::<Vec<_>>().join(", ");
    match (streamed, polled.len()) {
        (streamed, 0) => format!("streaming {streamed}"),
        (0, count) => format!("polling {count}: {reasons}"),
        (streamed, count) => format!("streaming {streamed}, polling {count}: {reasons}"),
    }
}

/// Names of one reason that are listed one by one.
const LISTED: usize = 8;

/// The first so many of these streams by name.
pub(crate) fn some_of(streams: &[&str], named: usize) -> String {
    match streams.len().checked_sub(named) {
        None | Some(0) => streams.join(", "),
        Some(others) => format!("{} and {others} more", streams[..named].join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_says_what_is_polled_and_why() {
        let many: Vec<String> = (0..10).map(|n| format!("X{n}__c")).collect();
        let many: Vec<_> = many.iter().map(|name| (name.as_str(), Some(Polls::NoTopicLeft))).collect();
        let cases = [
            (&[("Account", None), ("Lead", None)][..], "streaming 2"),
            (&[("User", Some(Polls::Unsupported))], "polling 1: User (not supported by PushTopic)"),
            (
                &[
                    ("LeadHistory", Some(Polls::Unsupported)),
                    ("Account", None),
                    ("Case", Some(Polls::Asked)),
                    ("User", Some(Polls::Unsupported)),
                ],
                "streaming 1, polling 3: Case (as configured), LeadHistory, User (not supported by PushTopic)",
            ),
            (
                &many,
                "polling 10: X0__c, X1__c, X2__c, X3__c, X4__c, X5__c, X6__c, X7__c and 2 more (no PushTopic left in the org)",
            ),
        ];
        for (bindings, line) in cases {
            assert_eq!(summary(bindings.iter().copied()), line);
        }
    }
}
