//! What objects and fields the org has.
//!
//! It begins with the describes built into this crate and is changed by the administrator, before the org is served and
//! while it runs. A schema is a value: each change makes another one. The describes are both the source of the rules
//! (types, lengths, what may be written) and what the describe resource answers.

mod attributes;
mod built_in;
mod change;
mod crowd;
mod definition;
mod draft;
mod field;
mod formula;
mod object;
mod refused;
mod visible;
mod wide;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;

use super::id::Id;
pub use built_in::Feature;
use built_in::{BuiltIn, Mould};
pub use change::SchemaChange;
pub use crowd::Crowd;
pub use definition::{FieldDefinition, ObjectDefinition};
pub(super) use draft::{Draft, Edit};
pub use field::{Field, FieldType, Mask};
pub use object::{ChildRelationship, Fields, SObject};
pub use refused::SchemaError;
use visible::Masters;
pub(super) use visible::Viewer;

/// Every object of the org, or those of them that a user may see.
#[derive(Debug, Clone)]
pub struct Schema {
    /// In describeGlobal's order.
    objects: Vec<Arc<SObject>>,
    by_name: HashMap<String, usize>,
    by_prefix: HashMap<String, usize>,
    /// Deleted objects, which can be restored.
    bin: Vec<Arc<SObject>>,
    mould: Mould,
    modified: Timestamp,
    /// Whose eyes these are, unless they see everything.
    viewer: Option<Arc<Viewer>>,
    /// Found when ownership first matters.
    masters: OnceLock<Arc<Masters>>,
}

/// The schema the tables have, and what of it a user may see.
#[derive(Debug, Clone)]
pub(super) struct Views {
    pub(super) whole: Arc<Schema>,
    pub(super) visible: Arc<Schema>,
}

impl Views {
    pub(super) fn of(whole: Schema) -> Self {
        Self { visible: Arc::new(whole.visible()), whole: Arc::new(whole) }
    }
}

impl Schema {
    /// The objects every org starts with, without those of some features.
    pub fn load(without: &[Feature]) -> Result<Self, serde_json::Error> {
        let BuiltIn { objects, mould } = BuiltIn::get()?;
        let lacks = |object: &SObject| without.iter().any(|feature| feature.brings(&object.name));
        let objects = objects.iter().filter(|object| !lacks(object));
        let objects = objects.map(|object| built_in::without_references(object, without)).collect();
        let mut schema = Self {
            objects,
            by_name: HashMap::new(),
            by_prefix: HashMap::new(),
            bin: Vec::new(),
            mould: mould.clone(),
            modified: built_in::modified(),
            viewer: None,
            masters: OnceLock::new(),
        };
        schema.index();
        Ok(schema)
    }

    /// An object by its name in any case.
    pub fn object(&self, name: &str) -> Option<&Arc<SObject>> {
        self.by_name.get(&name.to_ascii_lowercase()).map(|at| &self.objects[*at])
    }

    /// The object whose ids begin as this one does.
    pub(crate) fn of_id(&self, id: Id) -> Option<&Arc<SObject>> {
        self.by_prefix.get(id.prefix()).map(|at| &self.objects[*at])
    }

    /// All objects, in describeGlobal's order.
    pub fn objects(&self) -> impl Iterator<Item = &Arc<SObject>> {
        self.objects.iter()
    }

    /// When it last changed, in virtual time.
    pub fn modified(&self) -> Timestamp {
        self.modified
    }

    /// What anybody may see: no hidden objects, no hidden fields, and no relationships to either.
    fn visible(&self) -> Self {
        let sees = |object: &str, field: &str| {
            self.object(object).is_some_and(|object| !object.is_hidden() && !object.hides(field))
        };
        let objects = self.objects.iter().filter(|object| !object.is_hidden()).map(|object| object.visible(sees));
        let mut visible = Self { objects: objects.collect(), bin: Vec::new(), ..self.clone() };
        visible.index();
        visible
    }

    /// Adds objects whose names and prefixes are free.
    fn add(&mut self, objects: impl IntoIterator<Item = Arc<SObject>>, at: Timestamp) {
        self.objects.extend(objects);
        self.modified = later(self.modified, at);
        self.index();
    }

    /// Prefixes that no object has, deleted ones included.
    fn free_prefixes(&self, first: char) -> impl Iterator<Item = String> {
        const DIGITS: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let all =
            DIGITS.chars().flat_map(move |second| DIGITS.chars().map(move |third| format!("{first}{second}{third}")));
        all.filter(|prefix| self.is_free(prefix))
    }

    fn is_free(&self, prefix: &str) -> bool {
        let binned = |object: &Arc<SObject>| object.key_prefix.as_deref() == Some(prefix);
        !self.by_prefix.contains_key(prefix) && !self.bin.iter().any(binned)
    }

    fn index(&mut self) {
        self.masters = OnceLock::new();
        self.objects.sort_by(|one, other| one.name.cmp(&other.name));
        let places = || self.objects.iter().enumerate();
        self.by_name = places().map(|(at, object)| (object.name.to_ascii_lowercase(), at)).collect();
        self.by_prefix = places().filter_map(|(at, object)| Some((object.key_prefix.clone()?, at))).collect();
    }
}

/// The time of a change: whole seconds, as headers carry them, and never that of the change before.
pub(super) fn later(before: Timestamp, at: Timestamp) -> Timestamp {
    let second = at.as_second().max(before.as_second().saturating_add(1));
    Timestamp::from_second(second).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_describe_is_understood() {
        let schema = Schema::load(&[]).unwrap();
        for object in schema.objects() {
            assert_eq!(object.fields[0].name, "Id", "{}", object.name);
            for field in &object.fields {
                assert!(object.field(&field.name).is_some(), "{}.{}", object.name, field.name);
                if let Some(compound) = field.compound() {
                    assert!(object.field(compound).is_some(), "{}.{}", object.name, field.name);
                }
            }
        }
    }

    #[test]
    fn prefixes_name_one_object() {
        let schema = Schema::load(&[]).unwrap();
        let mut prefixes: Vec<_> = schema.objects().filter_map(|object| object.key_prefix.as_deref()).collect();
        prefixes.sort_unstable();
        assert!(prefixes.windows(2).all(|pair| pair[0] != pair[1]), "{prefixes:?}");
    }
}
