//! Replies, in the order of keys of the recorded ones.

use serde::Serialize;
use serde_json::Value;

use super::delivery::Delivered;
use super::message::Message;

/// One Bayeux reply. The order of the fields is the order on the wire.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reply {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ext: Option<Ext>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supported_connection_types: Option<[&'static str; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<Advice>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscription: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    pub successful: bool,
}

impl Reply {
    /// A successful reply that echoes channel and id.
    pub(super) fn to(message: &Message) -> Self {
        Self::on(message.channel.clone(), message.id.clone())
    }

    /// The message by which the server ends a session on its own account (API 64.0 and later): no reply to anything.
    pub(super) fn farewell() -> Self {
        Self::on(Some("/meta/disconnect".to_owned()), None)
    }

    fn on(channel: Option<String>, id: Option<Value>) -> Self {
        Self {
            ext: None,
            minimum_version: None,
            client_id: None,
            supported_connection_types: None,
            advice: None,
            channel,
            id,
            subscription: None,
            version: None,
            error: None,
            successful: true,
        }
    }

    pub(super) fn client(mut self, id: &str) -> Self {
        self.client_id = Some(id.to_owned());
        self
    }

    pub(super) fn advice(mut self, advice: Advice) -> Self {
        self.advice = Some(advice);
        self
    }

    pub(super) fn failed(mut self, error: impl Into<String>) -> Self {
        self.error = Some(error.into());
        self.successful = false;
        self
    }

    /// The real cause, which `error` does not tell.
    pub(super) fn reason(mut self, reason: impl Into<String>) -> Self {
        self.ext = Some(Ext { sfdc: Some(Sfdc { failure_reason: reason.into() }), ..Ext::default() });
        self
    }
}

/// The extensions the server speaks, and on failure the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Ext {
    #[serde(skip_serializing_if = "Option::is_none")]
    sfdc: Option<Sfdc>,
    replay: bool,
    #[serde(rename = "payload.format")]
    payload_format: bool,
}

impl Default for Ext {
    fn default() -> Self {
        Self { sfdc: None, replay: true, payload_format: true }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Sfdc {
    failure_reason: String,
}

/// What a client shall do next. Recorded replies differ in the order of keys from kind to kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(super) enum Advice {
    Retry {
        interval: u64,
        timeout: u64,
        reconnect: &'static str,
    },
    Handshake {
        interval: u64,
        reconnect: &'static str,
    },
    Stop {
        reconnect: &'static str,
        interval: u64,
    },
    Denied {
        reconnect: &'static str,
    },
    ManyClients {
        interval: u64,
        #[serde(rename = "multiple-clients")]
        multiple_clients: bool,
        reconnect: &'static str,
    },
}

impl Advice {
    pub(super) fn retry(long_poll: std::time::Duration) -> Self {
        let timeout = u64::try_from(long_poll.as_millis()).unwrap_or(u64::MAX);
        Self::Retry { interval: 0, timeout, reconnect: "retry" }
    }

    pub(super) fn handshake() -> Self {
        Self::Handshake { interval: 0, reconnect: "handshake" }
    }

    pub(super) fn stop() -> Self {
        Self::Stop { reconnect: "none", interval: 0 }
    }

    pub(super) fn denied() -> Self {
        Self::Denied { reconnect: "none" }
    }

    /// CometD's `multiSessionInterval` is two seconds.
    pub(super) fn many_clients() -> Self {
        Self::ManyClients { interval: 2_000, multiple_clients: true, reconnect: "retry" }
    }
}

/// The body of a reply: events first, then the replies, in one array.
pub(super) fn body(events: &[Delivered], replies: &[Reply]) -> Vec<u8> {
    let events_size: usize = events.iter().map(|event| event.data.len() + event.channel.len() + 26).sum();
    let mut out = Vec::with_capacity(events_size + 256 * replies.len() + 2);
    out.push(b'[');
    for event in events {
        out.extend_from_slice(b"{\"data\":");
        out.extend_from_slice(&event.data);
        out.extend_from_slice(b",\"channel\":");
        write_json(&mut out, &event.channel);
        out.extend_from_slice(b"},");
    }
    for reply in replies {
        write_json(&mut out, reply);
        out.push(b',');
    }
    if out.last() == Some(&b',') {
        out.pop();
    }
    out.push(b']');
    out
}

fn write_json(out: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(out, value).expect("strings, numbers and maps with string keys are always JSON");
}
