//! Keys of a config that mean nothing and look like one that does.
//!
//! Unknown keys are no error: Flow has some of its own, such as those of encrypted settings, and a config may serve another connector too. So
//! a misspelt one would pass in silence, and its setting with it.

use flow_protocol::schema;
use schemars::JsonSchema;
use serde_json::{Map, Value, value::RawValue};

use crate::closest;

/// What Flow appends to the keys of encrypted settings.
const ENCRYPTED: &str = "_sops";

/// Warns of the keys of a config that look like one of `T` and are not. Values are not told: they may be secrets.
pub fn warn_of_misspelt<T: JsonSchema>(config: &RawValue) {
    let Ok(Value::Object(config)) = serde_json::from_str(config.get()) else { return };
    for (key, meant) in misspelt(&config, &schema::of::<T>()) {
        tracing::warn!(
            "the endpoint config has a key {key}, which means nothing and is passed over: {meant} was probably meant"
        );
    }
}

/// Each key that looks like one of the schema, and that one, with the keys above them.
fn misspelt(config: &Map<String, Value>, schema: &Value) -> Vec<(String, String)> {
    let Some(known) = schema["properties"].as_object() else { return Vec::new() };
    let mut found = Vec::new();
    for (key, value) in config {
        match (known.get(key), value) {
            (Some(schema), Value::Object(below)) => {
                let path = |name: String| format!("{key}.{name}");
                found.extend(misspelt(below, schema).into_iter().map(|(key, meant)| (path(key), path(meant))));
            }
            (Some(_), _) => {}
            (None, _) if key.ends_with(ENCRYPTED) => {}
            (None, _) => {
                found.extend(closest(key, known.keys().map(String::as_str)).map(|it| (key.clone(), it.to_owned())));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn keys_that_look_like_ours_are_found_and_others_pass() {
        let text = json!({ "type": "string" });
        let advanced = json!({ "properties": { "login_url": text, "sweep_interval": text } });
        let known = json!({
            "properties": { "credentials": {}, "is_sandbox": text, "my_domain": text, "start_date": text, "advanced": advanced },
        });
        for (config, expect) in [
            (
                json!({ "credentials": { "clientid": "a" }, "is_sandbox": true, "advanced": { "login_url": "b" } }),
                vec![],
            ),
            (json!({ "Advanced": {} }), vec![("Advanced", "advanced")]),
            (
                json!({ "is_Sandbox": true, "mydomain": "c" }),
                vec![("is_Sandbox", "is_sandbox"), ("mydomain", "my_domain")],
            ),
            (
                json!({ "advanced": { "sweepInterval": "d" } }),
                vec![("advanced.sweepInterval", "advanced.sweep_interval")],
            ),
            (json!({ "sops": {}, "start_date_sops": "e", "owner": "f", "patience": "g" }), vec![]),
        ] {
            let found = misspelt(config.as_object().unwrap(), &known);
            let found: Vec<_> = found.iter().map(|(key, meant)| (key.as_str(), meant.as_str())).collect();
            assert_eq!(found, expect, "{config}");
        }
    }
}
