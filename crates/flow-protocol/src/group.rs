//! A group: documents, and the checkpoint that makes them count.
//!
//! The runtime commits documents only together with the checkpoint that follows them. A [`Group`] is therefore not
//! writable: [`Group::checkpoint`] turns it into a [`Finished`] one, which is. Documents are written once, straight into
//! the bytes that go to stdout.

use std::io::Write as _;

use serde_json::Value;

/// Messages of one session that wait for their checkpoint.
#[derive(Debug, Default)]
pub struct Group {
    bytes: Vec<u8>,
    documents: usize,
}

/// A group with its checkpoint: whole lines, ready for [`Responses::write`](crate::stdio::Responses::write).
#[derive(Debug)]
pub struct Finished {
    bytes: Vec<u8>,
    documents: usize,
}

impl Group {
    /// A group without documents.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a document of a binding. `write_doc` appends it to the buffer: one JSON object, and nothing else.
    ///
    /// Line feeds within the document are made spaces: between tokens they mean nothing, and a string cannot hold one.
    pub fn captured(&mut self, binding: u32, write_doc: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes, format_args!(r#"{{"captured":{{"binding":{binding},"doc":"#));
        let start = self.bytes.len();
        write_doc(&mut self.bytes);
        for byte in &mut self.bytes[start..] {
            // Written back in any case: so sixteen and more are done at once.
            *byte = if *byte == b'\n' { b' ' } else { *byte };
        }
        self.bytes.extend_from_slice(b"}}\n");
        self.documents += 1;
    }

    /// Declares the schema of a binding's documents, as far as the source knows it. Every object schema in it must be
    /// closed (`additionalProperties: false`), or the runtime fails the task.
    pub fn sourced_schema(&mut self, binding: u32, schema: &Value) {
        write(&mut self.bytes, format_args!(r#"{{"sourcedSchema":{{"binding":{binding},"schema_json":{schema}}}}}"#));
        self.bytes.push(b'\n');
    }

    /// Bytes so far, without the checkpoint's.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Documents so far.
    pub fn documents(&self) -> usize {
        self.documents
    }

    /// Whether neither a document nor a schema was added.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Closes the group. `patch` is what its documents change in the state: an RFC 7396 merge patch, an object, as
    /// [`state::diff`](crate::state::diff) makes it. Without one the documents commit and the state stays.
    pub fn checkpoint(self, patch: Option<&Value>) -> Finished {
        let Self { mut bytes, documents } = self;
        match patch {
            Some(patch) => {
                debug_assert!(patch.is_object(), "a state patch is an object");
                write(
                    &mut bytes,
                    format_args!(r#"{{"checkpoint":{{"state":{{"updated":{patch},"mergePatch":true}}}}}}"#),
                );
            }
            None => bytes.extend_from_slice(br#"{"checkpoint":{}}"#),
        }
        bytes.push(b'\n');
        Finished { bytes, documents }
    }
}

impl Finished {
    /// The lines, each with its line feed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many documents it carries.
    pub fn documents(&self) -> usize {
        self.documents
    }

    /// A group without documents in the same room: growing anew for each group is felt.
    pub fn into_empty(self) -> Group {
        let mut bytes = self.bytes;
        bytes.clear();
        bytes.shrink_to(ROOM);
        Group { bytes, documents: 0 }
    }
}

/// The most room that an empty group keeps, in bytes.
const ROOM: usize = 2 << 20;

fn write(bytes: &mut Vec<u8>, message: std::fmt::Arguments<'_>) {
    bytes.write_fmt(message).expect("writing to memory does not fail");
}
