//! What the user says of single fields, below `fields.require` of a binding.

use std::collections::BTreeMap;

use salesforce_endpoint::setting;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// What the user says of one field.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldRule {
    /// The field of the object; the collection's name for it by default.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    pub name: Option<String>,
    /// The value is not the parent's Id, but its value in this external-id field.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    pub lookup: Option<String>,
    /// The parent's object, where the reference may point to several.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    pub object: Option<String>,
    /// Values that are written as others: a user's Id of one org as that of another, for one.
    #[serde(default)]
    pub values: BTreeMap<String, Value>,
    /// What values are written as that are not among these; as they are by default.
    #[serde(default)]
    pub otherwise: Option<Value>,
}

/// The rules of a binding's fields, by field.
///
/// # Errors
/// The field, the place, and what is expected there.
pub fn parse(configs: &BTreeMap<String, Box<RawValue>>) -> Result<BTreeMap<String, FieldRule>, String> {
    let mut rules = BTreeMap::new();
    for (field, config) in configs {
        let bad = |problem: String| format!("field config of {field}: {problem}");
        let rule: FieldRule = flow_protocol::parse(config, "it").map_err(|error| bad(error.to_string()))?;
        if rule.object.is_some() && rule.lookup.is_none() {
            return Err(bad("object: it says which object a lookup is to, and there is no lookup".to_owned()));
        }
        rules.insert(field.clone(), rule);
    }
    Ok(rules)
}
