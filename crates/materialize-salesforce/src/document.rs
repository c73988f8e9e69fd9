//! From a stored document to a change: which members are sent, by which operation, and what replaces their values. Pure.
//!
//! Values are taken from the document itself: the tuple of values that comes with it shows a member that is not there as null, and a
//! null empties a field.

use std::{borrow::Cow, collections::BTreeMap};

use flow_protocol::materialize::{Collection, FieldSelection, Store};
use salesforce_client::{Record, record::Json};
use salesforce_sink::{Change, Fields, Operation, TargetKey};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

use crate::{
    error::Error,
    mapping::Mapping,
    resource::{Deletion, Resource},
    rules::FieldRule,
};

/// What comes back with the receipt of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The binding's index.
    pub binding: usize,
    /// Whether the document was deleted.
    pub is_deletion: bool,
}

/// How the documents of one binding become changes.
#[derive(Debug)]
pub struct Writing {
    /// Where changes go.
    pub target: TargetKey,
    object: String,
    binding: usize,
    operation: Operation,
    deletion: Deletion,
    /// The member that an insert repeats its key in, so that it can be found when it comes again.
    repeated_key: Option<Box<str>>,
    /// What is taken out of documents, by the first step of its place.
    selected: BTreeMap<String, Vec<Selected>>,
}

/// A location that is written.
#[derive(Debug)]
struct Selected {
    /// The steps below the first one.
    below: Vec<String>,
    field: Box<str>,
    replaced: Option<Replaced>,
}

/// Values that are written as others.
#[derive(Debug)]
struct Replaced {
    values: BTreeMap<String, Box<RawValue>>,
    otherwise: Option<Box<RawValue>>,
}

impl Writing {
    /// How the documents of a binding become changes for a target.
    pub fn new(
        binding: usize,
        target: TargetKey,
        resource: &Resource,
        mapping: &Mapping,
        collection: &Collection,
        selection: &FieldSelection,
    ) -> Self {
        let mut selected: BTreeMap<String, Vec<Selected>> = BTreeMap::new();
        for field in &selection.values {
            let Some(projection) = collection.projection(field) else { continue };
            let mut steps = projection.ptr.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"));
            let Some(first) = steps.next() else { continue };
            let location = Selected {
                below: steps.collect(),
                field: field.as_str().into(),
                replaced: mapping.rules.get(field).and_then(Replaced::of),
            };
            selected.entry(first).or_default().push(location);
        }
        let delivery_key = mapping.prepared.target().delivery_key.as_ref();
        Self {
            target,
            object: resource.path.clone(),
            binding,
            operation: mapping.operation,
            deletion: resource.deletion.clone(),
            repeated_key: delivery_key.map(|field| field.as_str().into()),
            selected,
        }
    }

    /// The change that a stored document asks for; none where it asks for nothing.
    ///
    /// # Errors
    /// When it is not what the binding asked for.
    pub fn change(&self, store: &Store) -> Result<Option<Change<Origin>>, Error> {
        let bad = |problem: &str| Error::Document { object: self.object.clone(), problem: problem.to_owned() };
        let document =
            store.doc.as_deref().ok_or_else(|| bad("it came without the document, which the binding selects"))?;
        let document: Record<'_> =
            serde_json::from_str(document.get()).map_err(|_| bad("the document is no JSON object"))?;
        let [key] = &store.key[..] else { return Err(bad("its key has not exactly one part")) };
        let key = text(key).map(Box::<str>::from);
        let is_deletion = store.delete || operation_of(&document).as_deref() == Some("d");
        let origin = Origin { binding: self.binding, is_deletion };
        let (operation, fields) = match (is_deletion, &self.deletion) {
            (true, Deletion::Ignore) => return Ok(None),
            (true, Deletion::Delete) => (Operation::Delete, Fields::none()),
            (true, Deletion::Set(field, value)) => {
                let mut fields = Fields::none();
                fields.push(field.as_str(), value.clone());
                (Operation::Update, fields)
            }
            (false, _) => {
                (self.operation, self.fields(&document, key.as_deref()).map_err(|_| bad("a value is no JSON"))?)
            }
        };
        Ok(Some(Change { operation, key, fields, origin }))
    }

    fn fields(&self, document: &Record<'_>, key: Option<&str>) -> Result<Fields, serde_json::Error> {
        let mut fields = Fields::none();
        if let (Some(member), Some(key)) = (&self.repeated_key, key) {
            fields.push(member.clone(), to_raw_value(key)?);
        }
        for (name, value) in document.iter() {
            for location in self.selected.get(name).into_iter().flatten() {
                let Some(value) = below(value, &location.below) else { continue };
                let value = match location.replaced.as_ref().and_then(|replaced| replaced.by(value)) {
                    Some(other) => other.to_owned(),
                    None => RawValue::from_string(value.get().to_owned())?,
                };
                fields.push(location.field.clone(), value);
            }
        }
        Ok(fields)
    }
}

impl Replaced {
    fn of(rule: &FieldRule) -> Option<Self> {
        let raw = |value: &Value| to_raw_value(value).ok();
        let values: BTreeMap<_, _> =
            rule.values.iter().filter_map(|(from, to)| Some((from.clone(), raw(to)?))).collect();
        let otherwise = rule.otherwise.as_ref().and_then(raw);
        (!values.is_empty() || otherwise.is_some()).then_some(Self { values, otherwise })
    }

    /// What a value is written as, if not as it is. A null stays a null.
    fn by(&self, value: Json<'_>) -> Option<&RawValue> {
        let text = text_of(value.get())?;
        self.values.get(&*text).or(self.otherwise.as_ref()).map(|value| &**value)
    }
}

/// The value at a place below another one; nothing where it is not there.
fn below<'a>(value: Json<'a>, steps: &[String]) -> Option<Json<'a>> {
    steps.iter().try_fold(value, |value, step| value.object()?.get(step))
}

/// What the capture says has happened to the record.
fn operation_of<'a>(document: &Record<'a>) -> Option<Cow<'a, str>> {
    document.get("_meta")?.object()?.get("op")?.text()
}

/// A key or value as text; nothing for a null. A number without a fraction has no decimal point, however it came.
fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    text_of(value.get())
}

fn text_of(json: &str) -> Option<Cow<'_, str>> {
    match json.as_bytes().first()? {
        b'n' => None,
        b'"' => serde_json::from_str::<String>(json).ok().map(Cow::Owned),
        _ => Some(Cow::Borrowed(json.strip_suffix(".0").unwrap_or(json))),
    }
}
