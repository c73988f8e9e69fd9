//! From what schemars makes of a type to what Flow's forms expect.

use schemars::{Schema, transform::transform_subschemas};
use serde_json::{Map, Value, json};

/// An optional field may be left out; `null` is not one of its values, and no default either.
pub(super) fn absent_instead_of_null(schema: &mut Schema) {
    transform_subschemas(&mut absent_instead_of_null, schema);
    let Some(members) = schema.as_object_mut() else { return };

    if members.get("default").is_some_and(Value::is_null) {
        members.shift_remove("default");
    }
    if let Some(Value::Array(values)) = members.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            members.insert("type".into(), only);
        }
    }
    for keyword in ["anyOf", "oneOf"] {
        let Some(Value::Array(branches)) = members.get_mut(keyword) else { continue };
        let all = branches.len();
        branches.retain(|branch| branch["type"] != "null");
        if branches.len() < all
            && let [Value::Object(only)] = branches.as_mut_slice()
        {
            // Members beside the alternatives describe the field, and win over those of its type.
            let mut merged = std::mem::take(only);
            members.shift_remove(keyword);
            merged.append(members);
            *members = merged;
        }
    }
}

/// `uint8` and its like are formats of schemars alone; the range stands in `minimum` and `maximum`.
pub(super) fn without_number_formats(schema: &mut Schema) {
    transform_subschemas(&mut without_number_formats, schema);
    let Some(members) = schema.as_object_mut() else { return };
    if members.get("type").is_some_and(|name| name == "integer" || name == "number") {
        members.shift_remove("format");
    }
}

/// Alternatives whose objects differ in a constant become a choice in the form: a `discriminator` names the property,
/// and each alternative has its constant as default too.
pub(super) fn discriminate(schema: &mut Schema) {
    transform_subschemas(&mut discriminate, schema);
    let Some(members) = schema.as_object_mut() else { return };
    let Some(Value::Array(branches)) = members.get_mut("oneOf") else { return };
    let Some(name) = discriminator(branches) else { return };

    for branch in branches {
        let property = &mut branch["properties"][&name];
        let constant = constant(property).cloned();
        if let (Some(property), Some(constant)) = (property.as_object_mut(), constant) {
            property.shift_remove("enum");
            property.insert("type".into(), "string".into());
            property.insert("default".into(), constant.clone());
            property.insert("const".into(), constant);
        }
    }
    members.insert("type".into(), "object".into());
    members.insert("discriminator".into(), json!({ "propertyName": name }));
}

/// The one property that every branch has as a constant string.
fn discriminator(branches: &[Value]) -> Option<String> {
    let constants = |branch: &Value| -> Vec<String> {
        let properties = branch["properties"].as_object().into_iter().flat_map(Map::iter);
        properties.filter(|(_, property)| constant(property).is_some()).map(|(name, _)| name.clone()).collect()
    };
    let (first, rest) = branches.split_first()?;
    let mut shared = constants(first);
    for branch in rest {
        let names = constants(branch);
        shared.retain(|name| names.contains(name));
    }
    match shared.as_slice() {
        [only] => Some(only.clone()),
        _ => None,
    }
}

fn constant(property: &Value) -> Option<&Value> {
    let single = || match property.get("enum")?.as_array()?.as_slice() {
        [only] => Some(only),
        _ => None,
    };
    property.get("const").or_else(single).filter(|value| value.is_string())
}
