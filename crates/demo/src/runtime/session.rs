//! An open capture.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Connector, merge_patch,
    process::{Exit, Process},
};
use crate::error::Error;

/// A running capture session. Dropping it kills the connector.
#[derive(Debug)]
pub struct Session {
    process: Process,
    bindings: usize,
    explicit_acknowledgements: bool,
    /// What came since the last checkpoint.
    group: Group,
}

/// What came between two checkpoints. It counts only as a whole.
#[derive(Debug, Default)]
pub struct Group {
    /// Documents, in order.
    pub documents: Vec<Captured>,
    /// Schemas that the source declares.
    pub schemas: Vec<SourcedSchema>,
    /// What the checkpoint changes in the state.
    pub patch: Patch,
}

/// A checkpoint's update of the state.
#[derive(Debug, Default, Clone, PartialEq)]
pub enum Patch {
    /// None: documents commit, the state stays.
    #[default]
    Keep,
    /// An RFC 7396 merge patch.
    Merge(Value),
    /// A whole new state.
    Replace(Value),
}

/// A captured document.
#[derive(Debug, Clone)]
pub struct Captured {
    /// Index of its binding.
    pub binding: usize,
    /// The document.
    pub document: Value,
    /// When its line was read.
    pub arrived: Timestamp,
}

/// A schema as declared by the source.
#[derive(Debug, Clone)]
pub struct SourcedSchema {
    /// Index of the binding it describes.
    pub binding: usize,
    /// The JSON schema.
    pub schema: Value,
}

/// One line of a session.
#[derive(Debug)]
pub enum Message {
    /// A document, or a schema: kept for the checkpoint.
    Kept,
    /// A checkpoint, and all it covers.
    Checkpoint(Group),
}

impl Session {
    /// Starts a connector, sends `spec` and an `open` request for so many bindings, and awaits `opened`.
    ///
    /// # Errors
    /// When the connector does not open the session.
    pub async fn open(connector: &Connector, request: &Value, bindings: usize) -> Result<Self, Error> {
        let (mut process, _) = connector.start().await?;
        let sent = process.send(request).await;
        let Some((kind, opened)) = process.message().await? else {
            return Err(Error::Ended { awaited: "opened", exit: process.ended().await? });
        };
        sent?;
        if kind != "opened" {
            return Err(Error::protocol("`opened` must come first", &json!({ kind: opened }).to_string()));
        }
        let explicit_acknowledgements = opened["explicitAcknowledgements"] == true;
        Ok(Self { process, bindings, explicit_acknowledgements, group: Group::default() })
    }

    /// Reads one line: `None` at the end of the connector's output. Cancel-safe. A test that stops the connector after each
    /// line uses this; others read whole [groups](Self::group).
    ///
    /// # Errors
    /// When the connector breaks the protocol, for one by ending within a group.
    pub async fn message(&mut self) -> Result<Option<Message>, Error> {
        let Some((kind, content)) = self.process.message().await? else {
            if self.group.is_empty() {
                return Ok(None);
            }
            return Err(match self.process.ended().await? {
                Exit { code: Some(0), .. } => Error::Untidy("ended within a group".to_owned()),
                exit => Error::Ended { awaited: "a checkpoint", exit },
            });
        };
        match (kind.as_str(), content) {
            ("captured", mut content) if content["doc"].is_object() => {
                let binding = self.binding(&content)?;
                self.group.documents.push(Captured { binding, document: content["doc"].take(), arrived: now() });
                Ok(Some(Message::Kept))
            }
            ("sourcedSchema", mut content) if content["schema_json"].is_object() => {
                let binding = self.binding(&content)?;
                self.group.schemas.push(SourcedSchema { binding, schema: content["schema_json"].take() });
                Ok(Some(Message::Kept))
            }
            ("checkpoint", content) => {
                let patch = Patch::of(&content)?;
                Ok(Some(Message::Checkpoint(Group { patch, ..std::mem::take(&mut self.group) })))
            }
            (_, content) => Err(Error::protocol("no message of a session", &json!({ kind: content }).to_string())),
        }
    }

    /// Reads up to the next checkpoint: `None` at the end of the connector's output. Cancel-safe.
    ///
    /// # Errors
    /// As [`message`](Self::message).
    pub async fn group(&mut self) -> Result<Option<Group>, Error> {
        loop {
            match self.message().await? {
                Some(Message::Checkpoint(group)) => return Ok(Some(group)),
                Some(Message::Kept) => {}
                None => return Ok(None),
            }
        }
    }

    /// Tells the connector that so many more checkpoints are durable, if it asked to be told.
    ///
    /// # Errors
    /// When it takes no more requests.
    pub async fn acknowledge(&mut self, checkpoints: u32) -> Result<(), Error> {
        if !self.explicit_acknowledgements || checkpoints == 0 {
            return Ok(());
        }
        self.process.send(&json!({ "acknowledge": { "checkpoints": checkpoints } })).await
    }

    /// Ends the connector's stdin: the sign to finish. Groups may still come until the output ends.
    pub fn close(&mut self) {
        self.process.close_stdin();
    }

    /// Kills the connector. What came since the last checkpoint is lost.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn kill(self) -> Result<Exit, Error> {
        self.process.kill().await
    }

    /// Waits for the connector to end, after its output did.
    ///
    /// # Errors
    /// When its end cannot be awaited.
    pub async fn ended(&mut self) -> Result<Exit, Error> {
        self.process.ended().await
    }

    /// The process behind the session.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    fn binding(&self, content: &Value) -> Result<usize, Error> {
        let index = content.get("binding").map_or(Some(0), Value::as_u64);
        match index.and_then(|index| usize::try_from(index).ok()) {
            Some(index) if index < self.bindings => Ok(index),
            _ => Err(Error::protocol("a binding that was not opened", &content.to_string())),
        }
    }
}

impl Patch {
    /// The update in the `state` of an answer.
    pub(super) fn of(answer: &Value) -> Result<Self, Error> {
        let Some(state) = answer.get("state") else { return Ok(Self::Keep) };
        let updated = state["updated"].clone();
        if !updated.is_object() {
            return Err(Error::protocol("a state that is no object", &answer.to_string()));
        }
        Ok(if state["mergePatch"] == true { Self::Merge(updated) } else { Self::Replace(updated) })
    }

    /// Changes the state.
    pub(super) fn apply(self, state: &mut Value) {
        match self {
            Self::Keep => {}
            Self::Merge(patch) => merge_patch::apply(state, patch),
            Self::Replace(new) => *state = new,
        }
    }
}

impl Group {
    /// Whether nothing waits for a checkpoint.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty() && self.schemas.is_empty()
    }
}

#[expect(clippy::disallowed_methods, reason = "the arrival of a line is an event of the outside world")]
fn now() -> Timestamp {
    Timestamp::now()
}
