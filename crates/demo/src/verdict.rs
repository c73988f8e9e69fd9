//! What was captured, against what the org holds.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde_json::Value;

/// How a captured collection differs from the org's records of one object. Nothing in it means: not at all.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The object.
    pub object: String,
    /// Ids of records that the org has and the collection has not.
    pub missing: Vec<String>,
    /// Ids of rows that the collection has and the org has not.
    pub surplus: Vec<String>,
    /// Records that both have, with the fields that differ.
    pub different: Vec<(String, Vec<FieldDifference>)>,
}

/// A field whose captured value is not the org's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldDifference {
    /// Name of the field.
    pub field: String,
    /// The captured value; `None` if the document lacks the field.
    pub captured: Option<Value>,
    /// The org's value; `None` if the record has no such field.
    pub truth: Option<Value>,
}

impl Difference {
    /// Compares rows by id. `_meta` and `attributes` belong to the bearers, not to the record.
    pub fn between(object: &str, captured: &BTreeMap<String, Value>, truth: &BTreeMap<String, Value>) -> Self {
        let lacking = |these: &BTreeMap<String, Value>, those: &BTreeMap<String, Value>| -> Vec<String> {
            those.keys().filter(|id| !these.contains_key(*id)).cloned().collect()
        };
        let different = captured.iter().filter_map(|(id, row)| {
            let fields = fields_between(row, truth.get(id)?);
            (!fields.is_empty()).then(|| (id.clone(), fields))
        });
        Self {
            object: object.to_owned(),
            missing: lacking(captured, truth),
            surplus: lacking(truth, captured),
            different: different.collect(),
        }
    }

    /// Whether the two agree.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// How many records differ in any way.
    pub fn count(&self) -> usize {
        self.missing.len() + self.surplus.len() + self.different.len()
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        let Self { object, missing, surplus, different } = self;
        write!(
            f,
            "{object}: {} records missing, {} too many, {} different",
            missing.len(),
            surplus.len(),
            different.len()
        )?;
        for (what, ids) in [("missing", missing), ("too many", surplus)] {
            for id in ids.iter().take(SHOWN) {
                write!(f, "\n  {id} {what}")?;
            }
        }
        for (id, fields) in different.iter().take(SHOWN) {
            for FieldDifference { field, captured, truth } in fields.iter().take(SHOWN) {
                let show = |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), Value::to_string);
                write!(f, "\n  {id}.{field}: captured {}, the org has {}", show(captured), show(truth))?;
            }
        }
        Ok(())
    }
}

fn fields_between(captured: &Value, truth: &Value) -> Vec<FieldDifference> {
    let empty = serde_json::Map::new();
    let (captured, truth) = (captured.as_object().unwrap_or(&empty), truth.as_object().unwrap_or(&empty));
    let only_in_truth = truth.keys().filter(|name| !captured.contains_key(*name));
    captured
        .keys()
        .chain(only_in_truth)
        .filter(|name| !matches!(name.as_str(), "_meta" | "attributes"))
        .filter_map(|name| {
            let (captured, truth) = (captured.get(name), truth.get(name));
            let same = captured.zip(truth).is_some_and(|(captured, truth)| is_same(captured, truth));
            (!same).then(|| FieldDifference { field: name.clone(), captured: captured.cloned(), truth: truth.cloned() })
        })
        .collect()
}

/// Whether two values say the same: a moment may be written in several ways, and so may a number.
fn is_same(captured: &Value, truth: &Value) -> bool {
    match (captured, truth) {
        (Value::String(captured), Value::String(truth)) => {
            captured == truth || moment(captured).zip(moment(truth)).is_some_and(|(captured, truth)| captured == truth)
        }
        (Value::Number(captured), Value::Number(truth)) => captured == truth || captured.as_f64() == truth.as_f64(),
        (Value::Object(captured), Value::Object(truth)) => {
            let absent = &Value::Null;
            let names = captured.keys().chain(truth.keys());
            names
                .into_iter()
                .all(|name| is_same(captured.get(name).unwrap_or(absent), truth.get(name).unwrap_or(absent)))
        }
        _ => captured == truth,
    }
}

/// A date and time with an offset, which REST writes without a colon.
fn moment(text: &str) -> Option<Timestamp> {
    let is_moment = text.len() >= 20 && text.as_bytes()[10] == b'T';
    is_moment.then(|| text.parse().ok())?
}
