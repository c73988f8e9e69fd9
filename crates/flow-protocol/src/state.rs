//! The connector's state as JSON: differences as merge patches (RFC 7396).
//!
//! The runtime keeps one document per task and applies each checkpoint's patch to it: objects merge, `null` removes,
//! anything else replaces. A state therefore cannot hold `null`: absence says it.

use serde_json::{Map, Value};

/// The patch that turns `old` into `new`, with an explicit `null` for each member that is gone. `None` when they are equal.
///
/// `apply(old, diff(old, new)) == new` for all states without `null` inside. Arrays are replaced as a whole.
pub fn diff(old: &Value, new: &Value) -> Option<Value> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let gone = old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), Value::Null));
            let changed = new.iter().filter_map(|(key, value)| {
                let patch = match old.get(key) {
                    Some(before) => diff(before, value),
                    None => Some(value.clone()),
                };
                Some((key.clone(), patch?))
            });
            let patch: Map<_, _> = gone.chain(changed).collect();
            (!patch.is_empty()).then_some(Value::Object(patch))
        }
        // An object patch merges into whatever it meets and replaces what is no object, an empty one included.
        _ => (old != new).then(|| new.clone()),
    }
}

/// Applies a patch as the runtime does.
pub fn apply(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            // Order carries no meaning; a shift keeps the output readable.
            target.shift_remove(key);
        } else {
            apply(target.entry(key.as_str()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn differences() {
        for (old, new, expected) in [
            (json!({}), json!({}), None),
            (json!({"a": 1}), json!({"a": 1}), None),
            (json!({"a": 1}), json!({"a": 2}), Some(json!({"a": 2}))),
            (json!({"a": 1, "b": 2}), json!({"b": 2}), Some(json!({"a": null}))),
            (json!({"a": {"b": 1, "c": 2}}), json!({"a": {"b": 1}}), Some(json!({"a": {"c": null}}))),
            (json!({"a": {"b": 1}}), json!({"a": {}}), Some(json!({"a": {"b": null}}))),
            (json!({"a": 1}), json!({"a": {}}), Some(json!({"a": {}}))),
            (json!({"a": {"b": 1}}), json!({"a": 1}), Some(json!({"a": 1}))),
            (json!({"a": [1, 2]}), json!({"a": [1]}), Some(json!({"a": [1]}))),
            (json!({"a": [{"b": 1}]}), json!({"a": [{"c": 1}]}), Some(json!({"a": [{"c": 1}]}))),
            (json!({}), json!({"a": {"b": {}}}), Some(json!({"a": {"b": {}}}))),
            (json!({"a": 1}), json!({"a": 1.0}), Some(json!({"a": 1.0}))),
        ] {
            let patch = diff(&old, &new);
            assert_eq!(patch, expected, "from {old} to {new}");
            let mut target = old.clone();
            if let Some(patch) = patch {
                apply(&mut target, &patch);
            }
            assert_eq!(target, new, "from {old}");
        }
    }

    /// The cases of RFC 7396, appendix A.
    #[test]
    fn patches_of_the_rfc() {
        for (target, patch, expected) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a": "b"}), json!(["c"]), json!(["c"])),
            (json!({"a": "foo"}), json!(null), json!(null)),
            (json!({"a": "foo"}), json!("bar"), json!("bar")),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let mut state = target.clone();
            apply(&mut state, &patch);
            assert_eq!(state, expected, "{target} patched by {patch}");
        }
    }

    /// A value without `null` inside.
    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::from),
            (-3..3_i64).prop_map(Value::from),
            "[ab]{0,2}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                members(inner).prop_map(Value::Object),
            ]
        })
    }

    // Few names, so that old and new often share them.
    fn members(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
        prop::collection::vec(("[a-d]", value), 0..4).prop_map(|members| members.into_iter().collect())
    }

    proptest! {
        #[test]
        fn a_difference_applied_gives_the_new_state(old in members(value()), new in members(value())) {
            let (old, new) = (Value::Object(old), Value::Object(new));
            let mut target = old.clone();
            match diff(&old, &new) {
                Some(patch) => {
                    prop_assert!(patch.is_object());
                    prop_assert_ne!(&old, &new);
                    apply(&mut target, &patch);
                }
                None => prop_assert_eq!(&old, &new),
            }
            prop_assert_eq!(target, new);
        }
    }
}
