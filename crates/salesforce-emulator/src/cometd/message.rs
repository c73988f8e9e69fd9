//! A request body becomes the calls it makes.
//!
//! CometD is lenient about what it does not need and so is this: a member of the wrong type is a member not sent. Only a
//! body that is not a JSON object, or an array of objects, is refused as a whole.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{Occasion, Replay};

/// One Bayeux message of a request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Message {
    /// As sent; echoed in the reply.
    pub channel: Option<String>,
    /// A string or a number; echoed as it came.
    pub id: Option<Value>,
    pub client: Option<String>,
    pub call: Call,
}

/// What a message asks for, told by its channel.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Call {
    /// `connection_types` is `None` when the client did not say.
    Handshake {
        connection_types: Option<Vec<String>>,
    },
    Connect(Connect),
    /// `subscription` is echoed as it came, a string or an array.
    Subscribe {
        subscription: Option<Value>,
        replay: Map<String, Value>,
    },
    Unsubscribe {
        subscription: Option<Value>,
    },
    Disconnect,
    /// A publication, or a meta channel that does not exist: never allowed.
    Other,
}

/// What a `/meta/connect` asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Connect {
    pub connection_type: Option<String>,
    pub advice: Option<ConnectAdvice>,
}

/// Advice of a client, which makes the server repeat its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConnectAdvice {
    /// How long to wait at most; zero asks for an immediate answer.
    pub timeout: Option<Duration>,
}

/// Why a body is refused with HTTP 400.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadBody {
    #[error("the body is not JSON")]
    Json(#[from] serde_json::Error),
    #[error("the body is not a Bayeux message or an array of them")]
    Shape,
    #[error("the body has no message")]
    Empty,
    #[error("a handshake must be the only message of its request")]
    BatchedHandshake,
}

/// Reads a request body: an array of messages, or one bare message.
pub(super) fn parse(body: &[u8]) -> Result<Vec<Message>, BadBody> {
    let values = match serde_json::from_slice(body)? {
        Value::Array(values) => values,
        value @ Value::Object(_) => vec![value],
        _ => return Err(BadBody::Shape),
    };
    let messages = values
        .into_iter()
        .map(|value| match value {
            Value::Object(members) => Ok(Message::new(members)),
            _ => Err(BadBody::Shape),
        })
        .collect::<Result<Vec<_>, _>>()?;
    match messages.as_slice() {
        [] => Err(BadBody::Empty),
        [_, _, ..] if messages.iter().any(|message| matches!(message.call, Call::Handshake { .. })) => {
            Err(BadBody::BatchedHandshake)
        }
        _ => Ok(messages),
    }
}

impl Message {
    fn new(mut members: Map<String, Value>) -> Self {
        let channel = text(members.remove("channel"));
        let call = match channel.as_deref() {
            Some("/meta/handshake") => Call::Handshake { connection_types: connection_types(&members) },
            Some("/meta/connect") => Call::Connect(Connect {
                connection_type: text(members.remove("connectionType")),
                advice: members.get("advice").and_then(Value::as_object).map(|advice| ConnectAdvice {
                    timeout: advice.get("timeout").and_then(Value::as_u64).map(Duration::from_millis),
                }),
            }),
            Some("/meta/subscribe") => {
                Call::Subscribe { replay: replay_map(&mut members), subscription: subscription(&mut members) }
            }
            Some("/meta/unsubscribe") => Call::Unsubscribe { subscription: subscription(&mut members) },
            Some("/meta/disconnect") => Call::Disconnect,
            _ => Call::Other,
        };
        let id = members.remove("id").filter(|id| id.is_string() || id.is_number());
        Self { channel, id, client: text(members.remove("clientId")), call }
    }

    /// The kind of occasion this message is for a scripted fault.
    pub(super) fn occasion(&self) -> Occasion {
        match self.call {
            Call::Handshake { .. } => Occasion::Handshake,
            Call::Connect(_) => Occasion::Connect,
            Call::Subscribe { .. } => Occasion::Subscribe,
            Call::Unsubscribe { .. } => Occasion::Unsubscribe,
            Call::Disconnect => Occasion::Disconnect,
            Call::Other => Occasion::Any,
        }
    }

    /// The channels this message subscribes or unsubscribes, as far as they are readable.
    pub(super) fn channels(&self) -> Vec<&str> {
        let (Call::Subscribe { subscription, .. } | Call::Unsubscribe { subscription }) = &self.call else {
            return Vec::new();
        };
        match subscription {
            Some(Value::String(channel)) => vec![channel],
            Some(Value::Array(channels)) => channels.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }
}

/// The replay value for a channel (named without its filter): a number, or the same as a string; absent means
/// [`Replay::Tip`]. The error is the value as text, to be named in the refusal.
pub(super) fn replay(map: &Map<String, Value>, channel: &str) -> Result<Replay, String> {
    let written = match map.get(channel) {
        None | Some(Value::Null) => return Ok(Replay::Tip),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    };
    match written.trim().parse::<i64>() {
        Ok(-1) => Ok(Replay::Tip),
        Ok(-2) => Ok(Replay::Earliest),
        Ok(id) if id >= 0 => Ok(Replay::After(id)),
        _ => Err(written),
    }
}

fn text(value: Option<Value>) -> Option<String> {
    match value {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

fn connection_types(members: &Map<String, Value>) -> Option<Vec<String>> {
    let types = members.get("supportedConnectionTypes")?.as_array()?;
    Some(types.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

fn subscription(members: &mut Map<String, Value>) -> Option<Value> {
    members.remove("subscription").filter(|subscription| !subscription.is_null())
}

fn replay_map(members: &mut Map<String, Value>) -> Map<String, Value> {
    match members.get_mut("ext").and_then(|ext| ext.get_mut("replay")).map(Value::take) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn only(body: &str) -> Message {
        parse(body.as_bytes()).unwrap().remove(0)
    }

    #[test]
    fn one_bare_object_is_one_message() {
        let message = only(r#"{"channel":"/meta/disconnect","clientId":"abc","id":7}"#);
        assert_eq!(message.id, Some(json!(7)));
        assert_eq!(message.client.as_deref(), Some("abc"));
        assert_eq!(message.call, Call::Disconnect);
    }

    #[test]
    fn members_of_the_wrong_type_are_members_not_sent() {
        let message = only(r#"[{"channel":"/meta/connect","clientId":5,"id":{},"connectionType":[],"advice":3}]"#);
        assert_eq!((message.id, message.client), (None, None));
        assert_eq!(message.call, Call::Connect(Connect { connection_type: None, advice: None }));
    }

    #[test]
    fn the_advice_of_a_connect_is_read() {
        let message = only(r#"{"channel":"/meta/connect","connectionType":"long-polling","advice":{"timeout":0}}"#);
        assert_eq!(
            message.call,
            Call::Connect(Connect {
                connection_type: Some("long-polling".to_owned()),
                advice: Some(ConnectAdvice { timeout: Some(Duration::ZERO) })
            })
        );
    }

    #[test]
    fn bodies_refused_as_a_whole() {
        for (body, expect) in [
            ("", "the body is not JSON"),
            ("[{\"channel\":", "the body is not JSON"),
            ("5", "the body is not a Bayeux message or an array of them"),
            ("[1]", "the body is not a Bayeux message or an array of them"),
            ("[]", "the body has no message"),
            (
                r#"[{"channel":"/meta/handshake"},{"channel":"/meta/connect"}]"#,
                "a handshake must be the only message of its request",
            ),
        ] {
            assert_eq!(parse(body.as_bytes()).unwrap_err().to_string(), expect, "{body}");
        }
    }

    /// The second subscription of the recorded request carries the first one's channel in its map: a known mistake of
    /// clients, which silently subscribes it from the tip.
    #[test]
    fn the_replay_map_is_looked_up_by_channel() {
        let messages = parse(include_bytes!("fixtures/subscribe-request-replay.json")).unwrap();
        let found: Vec<_> = messages
            .iter()
            .map(|message| match &message.call {
                Call::Subscribe { replay: map, .. } => replay(map, message.channels()[0]),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(found, [Ok(Replay::Earliest), Ok(Replay::Tip)]);
    }

    #[test]
    fn replay_values() {
        for (value, expect) in [
            (json!(-1), Ok(Replay::Tip)),
            (json!(-2), Ok(Replay::Earliest)),
            (json!("-2"), Ok(Replay::Earliest)),
            (json!(0), Ok(Replay::After(0))),
            (json!(4_294_967_297_i64), Ok(Replay::After(4_294_967_297))),
            (json!(null), Ok(Replay::Tip)),
            (json!(-3), Err("-3".to_owned())),
            (json!(1.5), Err("1.5".to_owned())),
            (json!("soon"), Err("soon".to_owned())),
        ] {
            let map = Map::from_iter([("/topic/A".to_owned(), value.clone())]);
            assert_eq!(replay(&map, "/topic/A"), expect, "{value}");
        }
    }
}
