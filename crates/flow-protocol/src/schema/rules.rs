//! The rules of Flow for config schemas, as a check for tests.

use std::collections::HashSet;

use serde_json::{Map, Value};

/// What a config schema does against Flow's rules, each with the JSON pointer of the place. Empty for a good schema.
pub fn violations(schema: &Value) -> Vec<String> {
    let mut check = Check::default();
    if schema["type"] != "object" {
        check.report("", "the root is not `type: object`");
    }
    if schema.get("additionalProperties").is_some_and(|more| *more != Value::Bool(true)) {
        check.report(
            "",
            "the root refuses additional properties, but an encrypted config carries `sops`, a resource `_meta`",
        );
    }
    check.described(schema, "");
    check.schema(schema, "");
    check.found
}

/// Keywords of JSON schema that forms understand, and Flow's annotations. Anything beginning with `x-` is let through.
const KEYWORDS: &[&str] = &[
    "additionalProperties",
    "advanced",
    "allOf",
    "anyOf",
    "const",
    "default",
    "description",
    "discriminator",
    "enum",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "multiline",
    "nonsensitive",
    "oneOf",
    "order",
    "pattern",
    "properties",
    "required",
    "secret",
    "title",
    "type",
    "uniqueItems",
];

#[derive(Default)]
struct Check {
    found: Vec<String>,
}

impl Check {
    fn report(&mut self, pointer: &str, what: &str) {
        let place = if pointer.is_empty() { "(root)" } else { pointer };
        self.found.push(format!("{place}: {what}"));
    }

    fn schema(&mut self, schema: &Value, pointer: &str) {
        let Some(members) = schema.as_object() else {
            self.report(pointer, "not a schema object");
            return;
        };
        self.keywords(members, pointer);
        self.annotations(members, pointer);

        if let Some(properties) = members.get("properties").and_then(Value::as_object) {
            self.properties(properties, pointer);
        }
        for keyword in ["oneOf", "anyOf", "allOf"] {
            for (position, branch) in members.get(keyword).and_then(Value::as_array).into_iter().flatten().enumerate() {
                self.schema(branch, &format!("{pointer}/{keyword}/{position}"));
            }
        }
        if let Some(items) = members.get("items") {
            self.schema(items, &format!("{pointer}/items"));
        }
        self.discriminator(members, pointer);
    }

    fn keywords(&mut self, members: &Map<String, Value>, pointer: &str) {
        for keyword in members.keys() {
            if keyword.starts_with('$') || keyword == "definitions" {
                self.report(pointer, &format!("`{keyword}`: the schema must be one piece, without references"));
            } else if !KEYWORDS.contains(&keyword.as_str()) && !keyword.starts_with("x-") {
                self.report(pointer, &format!("`{keyword}` is no keyword that Flow knows"));
            }
        }
        let types = members.get("type").into_iter().flat_map(|types| match types {
            Value::Array(types) => types.as_slice(),
            single => std::slice::from_ref(single),
        });
        if types.into_iter().any(|name| name == "null") {
            self.report(pointer, "`null` is a value: make the field optional instead");
        }
        if members.get("default").is_some_and(Value::is_null) {
            self.report(pointer, "the default is `null`");
        }
        if members.contains_key("enum") && !members.contains_key("type") {
            self.report(pointer, "an `enum` without `type`");
        }
    }

    fn annotations(&mut self, members: &Map<String, Value>, pointer: &str) {
        for (annotation, expected_type) in [("secret", "string"), ("multiline", "string"), ("advanced", "object")] {
            match members.get(annotation) {
                Some(Value::Bool(true)) if members.get("type").is_some_and(|name| name == expected_type) => {}
                Some(Value::Bool(true)) => {
                    self.report(pointer, &format!("`{annotation}` belongs on `type: {expected_type}`"));
                }
                Some(_) => self.report(pointer, &format!("`{annotation}` is not `true`")),
                None => {}
            }
        }
        if members.get("order").is_some_and(|order| !order.is_u64()) {
            self.report(pointer, "`order` is not a whole number");
        }
    }

    fn properties(&mut self, properties: &Map<String, Value>, pointer: &str) {
        let mut orders = HashSet::new();
        for (name, property) in properties {
            let pointer = format!("{pointer}/properties/{name}");
            // The property that tells alternatives apart is not shown as a field.
            if property.get("const").is_none() {
                self.described(property, &pointer);
            }
            if property["type"] == "boolean" && !property["default"].is_boolean() {
                self.report(&pointer, "a boolean without default");
            }
            if let Some(order) = property["order"].as_u64()
                && !orders.insert(order)
            {
                self.report(&pointer, "another property beside it has the same `order`");
            }
            self.schema(property, &pointer);
        }
    }

    /// A field needs a title, and a description that is a sentence.
    fn described(&mut self, schema: &Value, pointer: &str) {
        if schema["title"].as_str().is_none_or(str::is_empty) {
            self.report(pointer, "no title");
        }
        match schema["description"].as_str() {
            None | Some("") => self.report(pointer, "no description"),
            Some(description) if !description.ends_with('.') => {
                self.report(pointer, "the description does not end in a full stop");
            }
            Some(_) => {}
        }
    }

    fn discriminator(&mut self, members: &Map<String, Value>, pointer: &str) {
        let Some(branches) = members.get("oneOf").and_then(Value::as_array) else {
            if members.contains_key("discriminator") {
                self.report(pointer, "a `discriminator` without `oneOf`");
            }
            return;
        };
        let Some(name) = members.get("discriminator").and_then(|value| value["propertyName"].as_str()) else {
            self.report(pointer, "a `oneOf` without `discriminator`: a form cannot offer the choice");
            return;
        };
        let mut constants = HashSet::new();
        for (position, branch) in branches.iter().enumerate() {
            let pointer = format!("{pointer}/oneOf/{position}");
            let property = &branch["properties"][name];
            if branch["title"].as_str().is_none_or(str::is_empty) {
                self.report(&pointer, "no title");
            }
            if !property["const"].is_string() {
                self.report(&pointer, &format!("`{name}` has no `const` string"));
            } else if property["const"] != property["default"] {
                self.report(&pointer, &format!("the default of `{name}` is not its `const`"));
            } else if !constants.insert(property["const"].as_str()) {
                self.report(&pointer, &format!("the `const` of `{name}` is taken by another branch"));
            }
        }
    }
}
