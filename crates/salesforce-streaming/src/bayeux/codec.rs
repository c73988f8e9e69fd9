//! Bytes to messages: one pass over the body, nothing copied.
//!
//! A body that is no JSON is refused with the place and its first bytes. A message that is JSON and still not
//! understood is kept as unknown, without harm to its neighbours: only then is the body read a second time.

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use self_cell::self_cell;
use serde::{
    Deserialize, Deserializer,
    de::{SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::message::{Advice, Messages, Meta, Reply, Unknown};
use crate::notification::Data;

self_cell!(
    struct Parsed {
        owner: Bytes,
        #[covariant]
        dependent: Messages,
    }

    impl { Debug }
);

/// A reply's bytes together with the messages that borrow from them.
#[derive(Debug)]
pub(crate) struct Body(Parsed);

impl Body {
    pub(crate) fn parse(bytes: Bytes) -> Result<Body, BodyError> {
        Parsed::try_new(bytes, |bytes| parse(bytes)).map(Body)
    }

    pub(crate) fn messages(&self) -> &Messages<'_> {
        self.0.borrow_dependent()
    }

    pub(crate) fn size(&self) -> usize {
        self.0.borrow_owner().len()
    }
}

/// A body that is no Bayeux: what is wrong, where, and its first bytes.
#[derive(Debug, thiserror::Error)]
#[error("the reply is no list of Bayeux messages ({why}), it starts with: {excerpt}")]
pub(crate) struct BodyError {
    why: String,
    excerpt: String,
}

/// How much of a bad body is shown.
const EXCERPT: usize = 80;

impl BodyError {
    fn new(bytes: &[u8], why: impl fmt::Display) -> BodyError {
        BodyError { why: why.to_string(), excerpt: excerpt(bytes) }
    }
}

/// The first bytes of a body, escaped. Replies to CometD requests hold no secrets.
pub(crate) fn excerpt(bytes: &[u8]) -> String {
    bytes[..bytes.len().min(EXCERPT)].escape_ascii().to_string()
}

fn parse(bytes: &[u8]) -> Result<Messages<'_>, BodyError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| BodyError::new(bytes, format_args!("no UTF-8 at byte {}", error.valid_up_to())))?;
    match serde_json::from_str(text) {
        Ok(All(messages)) => Ok(messages),
        Err(_) => parse_each(text).map_err(|error| BodyError::new(bytes, error)),
    }
}

/// The slow way, for a body in which some message is not understood.
fn parse_each(text: &str) -> Result<Messages<'_>, serde_json::Error> {
    let mut messages = Messages::default();
    let raws: Vec<&RawValue> = match serde_json::from_str(text) {
        Ok(raws) => raws,
        Err(_) if text.trim_start().starts_with('{') => vec![serde_json::from_str(text)?],
        Err(error) => return Err(error),
    };
    for raw in raws {
        match serde_json::from_str::<Incoming<'_>>(raw.get())
            .map_err(|error| error.to_string())
            .and_then(Incoming::sort)
        {
            Ok(Sorted::Reply(reply)) => messages.replies.push(reply),
            Ok(Sorted::Event(channel, data)) => messages.notifications.push(data.on(channel)),
            Err(why) => {
                let channel = serde_json::from_str(raw.get()).ok().and_then(|Addressed { channel }| channel);
                messages.unknown.push(Unknown { channel: channel.map(|text| text.0), raw, why });
            }
        }
    }
    Ok(messages)
}

/// A whole body in which everything is understood: an array, or a single message.
struct All<'a>(Messages<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for All<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = All<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of messages")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<All<'de>, A::Error> {
                let mut messages = Messages::default();
                while let Some(message) = seq.next_element::<Incoming<'de>>()? {
                    match message.sort().map_err(serde::de::Error::custom)? {
                        Sorted::Reply(reply) => messages.replies.push(reply),
                        Sorted::Event(channel, data) => messages.notifications.push(data.on(channel)),
                    }
                }
                Ok(All(messages))
            }
        }

        deserializer.deserialize_seq(List)
    }
}

/// A message of either kind, as it stands in the body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Incoming<'a> {
    #[serde(borrow)]
    channel: Text<'a>,
    #[serde(borrow, default)]
    data: Option<Data<'a>>,
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    client_id: Option<Text<'a>>,
    #[serde(default)]
    successful: bool,
    #[serde(borrow, default)]
    subscription: Option<Text<'a>>,
    #[serde(default)]
    advice: Option<Advice>,
    #[serde(borrow, default)]
    error: Option<Text<'a>>,
    #[serde(borrow, default)]
    ext: Option<Ext<'a>>,
}

enum Sorted<'a> {
    Reply(Reply<'a>),
    Event(Cow<'a, str>, Data<'a>),
}

impl<'a> Incoming<'a> {
    fn sort(self) -> Result<Sorted<'a>, String> {
        let channel = self.channel.0;
        let text = |text: Option<Text<'a>>| text.map(|text| text.0);
        match (Meta::of(&channel), self.data) {
            (Some(meta), _) => Ok(Sorted::Reply(Reply {
                meta,
                id: self.id,
                client_id: text(self.client_id),
                successful: self.successful,
                subscription: text(self.subscription),
                advice: self.advice,
                error: text(self.error),
                reason: text(self.ext.and_then(|ext| ext.sfdc).and_then(|sfdc| sfdc.failure_reason)),
            })),
            (None, Some(data)) => Ok(Sorted::Event(channel, data)),
            (None, None) => Err("an event without data".to_owned()),
        }
    }
}

#[derive(Deserialize)]
struct Ext<'a> {
    #[serde(borrow, default)]
    sfdc: Option<Sfdc<'a>>,
}

#[derive(Deserialize)]
struct Sfdc<'a> {
    #[serde(borrow, rename = "failureReason", default)]
    failure_reason: Option<Text<'a>>,
}

/// As much as can be known of a message that is not understood.
#[derive(Deserialize)]
struct Addressed<'a> {
    #[serde(borrow, default)]
    channel: Option<Text<'a>>,
}

/// A string, borrowed unless it had to be unescaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::notification::Kind;

    fn body(text: &str) -> Body {
        Body::parse(Bytes::copy_from_slice(text.as_bytes())).expect("a body")
    }

    #[test]
    fn every_recorded_message_is_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let files = std::fs::read_dir(folder).expect("the fixtures").map(|entry| entry.expect("an entry").path());
        for path in files.filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
            let body = Body::parse(std::fs::read(&path).expect("a fixture").into()).expect("a body");
            let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
            insta::assert_debug_snapshot!(name, body.messages());
        }
    }

    #[test]
    fn nothing_is_copied() {
        let body = body(
            r#"[{"channel":"/topic/X","data":{"event":{"createdDate":"2018-11-23T15:17:46.290Z","replayId":5000000000,
                "type":"deleted"},"sobject":{"Id":"001D000000IRFmaIAH","Amount":1.50}}},
                {"channel":"/meta/connect","id":7,"successful":true}]"#,
        );
        let messages = body.messages();
        let [event] = &messages.notifications[..] else { panic!("{messages:?}") };
        assert!(matches!(event.channel, Cow::Borrowed("/topic/X")));
        assert_eq!((event.kind, event.replay_id.get()), (Kind::Deleted, 5_000_000_000));
        assert_eq!(event.record.get("Amount").expect("a field").get(), "1.50");
        let owner = body.0.borrow_owner().as_ptr_range();
        assert!(owner.contains(&event.record.get("Id").expect("an id").get().as_ptr()));
        assert!(messages.replies[0].answers(7));
    }

    #[test]
    fn a_message_that_is_not_understood_is_kept_and_its_neighbours_are_read() {
        let good = r#"{"channel":"/topic/X","data":{"event":{"createdDate":"2018-11-23T15:17:46.290Z","replayId":3,
            "type":"updated"},"sobject":{}}}"#;
        for (bad, why) in [
            (good.replace("updated", "gap_overflow"), "gap_overflow"),
            (good.replace("3,", "-3,"), "not negative"),
            (good.replace("2018-11-23T15:17:46.290Z", "yesterday"), "yesterday"),
            (good.replace("sobject", "payload"), "missing field `sobject`"),
            (r#"{"channel":"/u/x","data":"text"}"#.to_owned(), "invalid type: string"),
            (r#"{"channel":"/topic/X"}"#.to_owned(), "an event without data"),
            (r#"{"data":{}}"#.to_owned(), "missing field"),
            ("17".to_owned(), "invalid type: integer"),
        ] {
            let body = body(&format!("[{good},{bad},{{\"channel\":\"/meta/connect\",\"successful\":true}}]"));
            let messages = body.messages();
            assert_eq!((messages.notifications.len(), messages.replies.len()), (1, 1), "{messages:?}");
            let [unknown] = &messages.unknown[..] else { panic!("{messages:?}") };
            assert!(unknown.why.contains(why), "{why}: {unknown:?}");
            assert_eq!(unknown.raw.get(), bad);
        }
    }

    #[test]
    fn escaped_names_and_a_single_message_are_understood() {
        let body = body(r#"{"channel":"\/meta\/connect","id":"7","successful":true,"ext":null,"advice":null}"#);
        assert!(body.messages().about(Meta::Connect).all(|reply| reply.successful));
    }

    #[test]
    fn a_bad_body_is_shown_by_its_beginning() {
        let shown = |bytes: &'static [u8]| Body::parse(Bytes::from_static(bytes)).expect_err("bad").to_string();
        insta::assert_snapshot!(shown(b""), @"the reply is no list of Bayeux messages (EOF while parsing a value at line 1 column 0), it starts with:");
        insta::assert_snapshot!(shown(b"<html>\r\n<b>503</b>"), @r"the reply is no list of Bayeux messages (expected value at line 1 column 1), it starts with: <html>\r\n<b>503</b>");
        insta::assert_snapshot!(shown(b"[{\"channel\":\"/meta/connect\",\"succ"), @r#"the reply is no list of Bayeux messages (EOF while parsing a string at line 1 column 33), it starts with: [{\"channel\":\"/meta/connect\",\"succ"#);
        insta::assert_snapshot!(shown(b"[{\"channel\":\"\xff\"}]"), @r#"the reply is no list of Bayeux messages (no UTF-8 at byte 13), it starts with: [{\"channel\":\"\xff\"}]"#);
        insta::assert_snapshot!(shown(b"[] []"), @"the reply is no list of Bayeux messages (trailing characters at line 1 column 4), it starts with: [] []");
        insta::assert_snapshot!(shown(b"null"), @"the reply is no list of Bayeux messages (invalid type: null, expected a sequence at line 1 column 4), it starts with: null");
    }
}
