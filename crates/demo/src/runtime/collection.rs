//! A collection after reduction: the last document of each key, without those deleted.

use std::collections::BTreeMap;

use serde_json::Value;

/// The documents of one collection, reduced by `/Id`.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Collection {
    rows: BTreeMap<String, Value>,
}

/// A document that no collection can take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a document without {0}")]
pub struct Unusable(pub(super) &'static str);

impl Collection {
    /// Reduces a document into the collection: a deletion (`/_meta/op` is `d`) removes its key, anything else replaces
    /// the whole row.
    ///
    /// # Errors
    /// When the document has no key, or its operation is none of `c`, `u`, `d`.
    pub fn reduce(&mut self, document: Value) -> Result<(), Unusable> {
        let id = document["Id"].as_str().ok_or(Unusable("a string `Id`"))?.to_owned();
        match document["_meta"]["op"].as_str() {
            Some("d") => {
                self.rows.remove(&id);
            }
            Some("c" | "u") => {
                self.rows.insert(id, document);
            }
            _ => return Err(Unusable("an operation `/_meta/op` of `c`, `u` or `d`")),
        }
        Ok(())
    }

    /// The rows by key.
    pub fn rows(&self) -> &BTreeMap<String, Value> {
        &self.rows
    }
}
