//! What a PushTopic says about one change of one record.

use std::{borrow::Cow, fmt};

use jiff::Timestamp;
use salesforce_client::Record;
use serde::{Deserialize, Deserializer, de};

use crate::ReplayId;

/// One change, as a PushTopic announces it. It borrows from the bytes of the reply that brought it.
///
/// On the wire: `{"channel":…,"data":{"event":{"createdDate":…,"replayId":…,"type":…},"sobject":{…}}}`.
#[derive(Clone, Debug)]
pub struct Notification<'a> {
    /// The channel, without a filter: `/topic/NAME`.
    pub channel: Cow<'a, str>,
    /// The event's place on the channel.
    pub replay_id: ReplayId,
    /// When the event was made, with milliseconds.
    pub created: Timestamp,
    /// What happened to the record.
    pub kind: Kind,
    /// The selected fields with their values at commit, nulls included; after a delete only `Id`.
    ///
    /// Unlike in REST, a compound address has capitalised keys and datetimes end in `Z`.
    pub record: Record<'a>,
}

/// What happened to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It was created.
    Created,
    /// It was updated.
    Updated,
    /// It went to the recycle bin.
    Deleted,
    /// It came back from the recycle bin.
    Undeleted,
}

impl Kind {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Created => "created",
            Kind::Updated => "updated",
            Kind::Deleted => "deleted",
            Kind::Undeleted => "undeleted",
        }
    }

    fn parse(word: &str) -> Option<Kind> {
        [Kind::Created, Kind::Updated, Kind::Deleted, Kind::Undeleted].into_iter().find(|kind| kind.as_str() == word)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The member `data` of an event on a PushTopic's channel.
#[derive(Deserialize)]
pub(crate) struct Data<'a> {
    event: Head,
    #[serde(borrow)]
    sobject: Record<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    #[serde(deserialize_with = "datetime")]
    created_date: Timestamp,
    replay_id: ReplayId,
    #[serde(rename = "type", deserialize_with = "kind")]
    kind: Kind,
}

impl<'a> Data<'a> {
    pub(crate) fn on(self, channel: Cow<'a, str>) -> Notification<'a> {
        let Head { created_date, replay_id, kind } = self.event;
        Notification { channel, replay_id, created: created_date, kind, record: self.sobject }
    }
}

fn datetime<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    deserializer.deserialize_str(Word("a point in time", salesforce_client::parse_datetime))
}

fn kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Kind, D::Error> {
    deserializer.deserialize_str(Word("created, updated, deleted or undeleted", Kind::parse))
}

/// Reads a string into something else without copying it first.
struct Word<T>(&'static str, fn(&str) -> Option<T>);

impl<T> de::Visitor<'_> for Word<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.1)(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}
