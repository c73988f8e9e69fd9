//! Messages of the protocol: those we send, and those that come.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json, value::RawValue};

use crate::{Channel, Notification, ReplayFrom};

/// The name Salesforce gives a session: some thirty lower-case letters and digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientId(String);

impl ClientId {
    pub(crate) fn new(id: &str) -> ClientId {
        ClientId(id.to_owned())
    }
}

/// What is asked in one HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Make a session. The replay extension is announced here.
    Handshake,
    /// Wait for events; `at_once` asks for an immediate reply.
    Connect { client: ClientId, at_once: bool },
    /// Subscribe to some channels, each with its own place to start from: one message for each.
    Subscribe { client: ClientId, channels: Vec<(Channel, ReplayFrom)> },
    /// End the session.
    Disconnect { client: ClientId },
}

impl Request {
    /// How many messages it consists of, each of which has an id of its own.
    pub(crate) fn messages(&self) -> usize {
        match self {
            Request::Subscribe { channels, .. } => channels.len(),
            _ => 1,
        }
    }

    /// The body of the HTTP request, an array; its messages are numbered from `id`.
    pub(crate) fn to_json(&self, id: u64) -> Vec<u8> {
        let messages: Vec<Outgoing<'_>> = match self {
            Request::Handshake => vec![Outgoing {
                version: Some("1.0"),
                minimum_version: Some("1.0"),
                supported_connection_types: Some(["long-polling"]),
                advice: Some(json!({"timeout": 60_000, "interval": 0})),
                ext: Some(json!({"replay": true})),
                ..Outgoing::new("/meta/handshake", id, None)
            }],
            Request::Connect { client, at_once } => vec![Outgoing {
                connection_type: Some("long-polling"),
                advice: at_once.then(|| json!({"timeout": 0})),
                ..Outgoing::new("/meta/connect", id, Some(client))
            }],
            Request::Subscribe { client, channels } => (id..)
                .zip(channels)
                .map(|(id, (channel, from))| Outgoing {
                    subscription: Some(channel.as_str()),
                    ext: Some(json!({"replay": Map::from_iter([(
                        channel.name().to_owned(),
                        Value::from(from.on_the_wire()),
                    )])})),
                    ..Outgoing::new("/meta/subscribe", id, Some(client))
                })
                .collect(),
            Request::Disconnect { client } => vec![Outgoing::new("/meta/disconnect", id, Some(client))],
        };
        serde_json::to_vec(&messages).unwrap_or_default()
    }
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Outgoing<'a> {
    channel: &'static str,
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum_version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supported_connection_types: Option<[&'static str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ext: Option<Value>,
}

impl<'a> Outgoing<'a> {
    fn new(channel: &'static str, id: u64, client: Option<&'a ClientId>) -> Outgoing<'a> {
        let client_id = client.map(|client| client.0.as_str());
        Outgoing { channel, id: id.to_string(), client_id, ..Outgoing::default() }
    }
}

/// Everything in one reply, sorted by what it is; within each list in the order of the wire.
#[derive(Debug, Default)]
pub(crate) struct Messages<'a> {
    pub(crate) notifications: Vec<Notification<'a>>,
    pub(crate) replies: Vec<Reply<'a>>,
    pub(crate) unknown: Vec<Unknown<'a>>,
}

impl<'a> Messages<'a> {
    /// The replies to messages of one kind.
    pub(crate) fn about(&self, meta: Meta) -> impl Iterator<Item = &Reply<'a>> {
        self.replies.iter().filter(move |reply| reply.meta == meta)
    }
}

/// The channels of the protocol itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meta {
    Handshake,
    Connect,
    Subscribe,
    Disconnect,
    Other,
}

impl Meta {
    /// `None` if the channel is not of the protocol itself.
    pub(crate) fn of(channel: &str) -> Option<Meta> {
        Some(match channel.strip_prefix("/meta/")? {
            "handshake" => Meta::Handshake,
            "connect" => Meta::Connect,
            "subscribe" => Meta::Subscribe,
            "disconnect" => Meta::Disconnect,
            _ => Meta::Other,
        })
    }
}

/// What the server says to one of our messages, or, on `/meta/disconnect`, of its own accord.
#[derive(Debug)]
pub(crate) struct Reply<'a> {
    pub(crate) meta: Meta,
    /// The id of our message as it was written: a string or a number.
    pub(crate) id: Option<&'a RawValue>,
    pub(crate) client_id: Option<Cow<'a, str>>,
    pub(crate) successful: bool,
    pub(crate) subscription: Option<Cow<'a, str>>,
    pub(crate) advice: Option<Advice>,
    /// What the reply says is wrong.
    pub(crate) error: Option<Cow<'a, str>>,
    /// What is really wrong: `ext.sfdc.failureReason`.
    pub(crate) reason: Option<Cow<'a, str>>,
}

impl Reply<'_> {
    /// Whether it answers the message with that id.
    pub(crate) fn answers(&self, id: u64) -> bool {
        self.id.is_some_and(|given| given.get().trim_matches('"').parse() == Ok(id))
    }

    /// Salesforce's words: what is really wrong first.
    pub(crate) fn words(&self) -> String {
        match (&self.reason, &self.error) {
            (Some(reason), Some(error)) if reason != error => format!("{reason} ({error})"),
            (Some(words), _) | (None, Some(words)) => words.to_string(),
            (None, None) => "no reason given".to_owned(),
        }
    }
}

/// How to go on, as the server wishes. What is absent stays as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Advice {
    #[serde(default)]
    pub(crate) reconnect: Option<Reconnect>,
    /// Milliseconds to wait before the next connect.
    #[serde(default)]
    pub(crate) interval: Option<i64>,
    /// Milliseconds for which the server holds a connect.
    #[serde(default)]
    pub(crate) timeout: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Reconnect {
    Retry,
    Handshake,
    None,
    #[serde(other)]
    Unheard,
}

/// A message that is neither of the protocol nor a notification, kept as it came.
pub(crate) struct Unknown<'a> {
    pub(crate) channel: Option<Cow<'a, str>>,
    pub(crate) raw: &'a RawValue,
    /// Why it cannot be read.
    pub(crate) why: String,
}

impl fmt::Debug for Unknown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unknown({}: {})", self.raw.get(), self.why)
    }
}
