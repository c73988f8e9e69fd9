//! Names of channels.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use crate::{Error, push_topic::TopicName};

/// The longest name accepted: several fit into one request, whose limit is 32,768 bytes.
const LONGEST: usize = 2_000;

/// A channel one can subscribe to, such as `/topic/Invoices`, with or without a filter (`?Status__c='Open'`).
///
/// Salesforce compares channel names by case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel(Arc<str>);

impl Channel {
    /// The channel of a PushTopic.
    #[must_use]
    pub fn topic(name: &TopicName) -> Channel {
        Channel(format!("/topic/{name}").into())
    }

    /// The name with its filter, as it is subscribed to.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without its filter: the replay extension knows channels by it, and events carry it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split_once('?').map_or(&*self.0, |(name, _)| name)
    }
}

impl FromStr for Channel {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let name = text.split('?').next().unwrap_or_default();
        let wild = name.contains('*');
        let complete = name.strip_prefix('/').is_some_and(|rest| rest.split('/').all(|part| !part.is_empty()));
        if complete && !wild && text.len() <= LONGEST && !text.chars().any(char::is_control) {
            Ok(Channel(text.into()))
        } else {
            Err(Error::Channel { name: text.chars().take(80).collect() })
        }
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Channel {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Channel {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for (text, name) in [
            ("/topic/Monster", "/topic/Monster"),
            ("/topic/Monster?Kind__c='Dragon'", "/topic/Monster"),
            ("/u/notifications/Example", "/u/notifications/Example"),
        ] {
            let channel: Channel = text.parse().expect("a channel");
            assert_eq!((channel.as_str(), channel.name()), (text, name));
        }
        for text in ["", "/", "topic/X", "/topic/", "/topic/*", "/topic//X", "/topic/a\nb"] {
            assert!(text.parse::<Channel>().is_err(), "{text:?}");
        }
    }
}
