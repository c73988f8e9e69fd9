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
    /// Reduces a document into the collection: a deletion (`/_meta/op` is `d`) removes its key, one that says it is partial
    /// (`/_meta/partial`) is merged into the row, anything else replaces the whole row.
    ///
    /// # Errors
    /// When the document has no key, or its operation is none of `c`, `u`, `d`.
    pub fn reduce(&mut self, document: Value) -> Result<(), Unusable> {
        let id = document["Id"].as_str().ok_or(Unusable("a string `Id`"))?.to_owned();
        match document["_meta"]["op"].as_str() {
            Some("d") => {
                self.rows.remove(&id);
            }
            Some("c" | "u") if document["_meta"]["partial"] == true => match (self.rows.get_mut(&id), document) {
                (Some(Value::Object(row)), Value::Object(members)) => row.extend(members),
                (_, document) => drop(self.rows.insert(id, document)),
            },
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_replace_merge_or_remove() {
        let mut collection = Collection::default();
        let partial = json!({"_meta": {"op": "u", "partial": true}, "Id": "1", "IsDeleted": true});
        for (document, row) in [
            (partial.clone(), Some(partial.clone())),
            (
                json!({"_meta": {"op": "u"}, "Id": "1", "Name": "a"}),
                Some(json!({"_meta": {"op": "u"}, "Id": "1", "Name": "a"})),
            ),
            (partial, Some(json!({"_meta": {"op": "u", "partial": true}, "Id": "1", "Name": "a", "IsDeleted": true}))),
            (json!({"_meta": {"op": "d"}, "Id": "1"}), None),
        ] {
            collection.reduce(document.clone()).unwrap();
            assert_eq!(collection.rows().get("1"), row.as_ref(), "after {document}");
        }
    }
}
