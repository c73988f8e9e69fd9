//! RFC 7396, as the runtime applies it to a task's state.

use serde_json::{Map, Value};

/// Applies a merge patch: objects merge, `null` removes, anything else replaces.
pub fn apply(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    let mut members = match target.take() {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    for (name, value) in patch {
        if value.is_null() {
            members.shift_remove(&name);
        } else {
            apply(members.entry(name).or_insert(Value::Null), value);
        }
    }
    *target = Value::Object(members);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn patches() {
        for (target, patch, expected) in [
            (json!({}), json!({"a": {"b": 1}}), json!({"a": {"b": 1}})),
            (json!({"a": {"b": 1, "c": 2}}), json!({"a": {"b": null, "d": 3}}), json!({"a": {"c": 2, "d": 3}})),
            (json!({"a": [1, 2]}), json!({"a": [3]}), json!({"a": [3]})),
            (json!({"a": [1, 2]}), json!({"a": {"b": {"c": null}}}), json!({"a": {"b": {}}})),
            (json!({"a": 1}), json!({"b": null}), json!({"a": 1})),
        ] {
            let mut state = target.clone();
            super::apply(&mut state, patch.clone());
            assert_eq!(state, expected, "{target} patched by {patch}");
        }
    }
}
