//! Config schemas, from types to what a form reads.

use flow_protocol::schema::{self, violations};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

/// # Example
/// An endpoint of the kind connectors have.
#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its schema is of interest")]
struct Endpoint {
    /// # Authentication
    /// How to sign in.
    #[schemars(extend("order" = 0))]
    credentials: Credentials,
    /// # Sandbox
    /// Whether the organization is a sandbox.
    #[serde(default)]
    #[schemars(extend("order" = 1))]
    is_sandbox: bool,
    /// # Start
    /// Changes before this moment are not captured.
    #[serde(default)]
    #[schemars(extend("format" = "date-time", "order" = 2))]
    start_date: Option<String>,
    /// # Mode
    /// How to read.
    #[schemars(extend("order" = 3))]
    mode: Option<Mode>,
    /// # Advanced
    /// Settings most captures do without.
    #[schemars(extend("advanced" = true, "order" = 4))]
    advanced: Option<Advanced>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "auth_type")]
#[expect(dead_code, reason = "only its schema is of interest")]
enum Credentials {
    /// # OAuth
    #[schemars(extend("x-oauth2-provider" = "example"))]
    OAuth2 {
        /// # Client ID
        /// Of the app.
        #[schemars(extend("secret" = true, "order" = 1))]
        client_id: String,
    },
    /// # Key
    #[serde(rename = "key")]
    Key(Key),
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only its schema is of interest")]
struct Key {
    /// # Private Key
    /// In PEM form.
    #[schemars(extend("secret" = true, "multiline" = true))]
    private_key: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Stream,
    Poll,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only its schema is of interest")]
struct Advanced {
    /// # Share
    /// Of the daily calls, in percent.
    api_budget: Option<u8>,
    /// # Names
    /// To leave out.
    #[serde(default)]
    exclude: Vec<String>,
}

#[test]
fn a_config_type_becomes_a_form() {
    let schema = schema::of::<Endpoint>();
    assert_eq!(violations(&schema), Vec::<String>::new());
    insta::assert_json_snapshot!(schema);
}

/// A choice of one stays a choice: the form shows its title, and more may be added.
#[test]
fn a_single_alternative_keeps_its_discriminator() {
    #[derive(JsonSchema)]
    #[serde(tag = "auth_type")]
    #[expect(dead_code, reason = "only its schema is of interest")]
    enum Only {
        /// # Key
        Key(Key),
    }
    let schema = schema::of::<Only>();
    assert_eq!(schema["discriminator"]["propertyName"], "auth_type");
    assert_eq!(schema["oneOf"][0]["properties"]["auth_type"]["default"], "Key");

    // An alternative that is an optional type is no choice.
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is of interest")]
    struct Optional {
        /// # Credentials
        /// How to sign in.
        credentials: Option<Credentials>,
    }
    let schema = schema::of::<Optional>();
    assert_eq!(schema["properties"]["credentials"]["oneOf"].as_array().map(Vec::len), Some(2));
    assert_eq!(schema["properties"]["credentials"]["description"], "How to sign in.");
}

#[test]
fn every_rule_is_checked() {
    let good = schema::of::<Endpoint>();
    let check = |what: &str, pointer: &str, member: &str, value: Option<Value>| {
        let mut schema = good.clone();
        let place = schema.pointer_mut(pointer).unwrap().as_object_mut().unwrap();
        match value {
            Some(value) => place.insert(member.into(), value),
            None => place.shift_remove(member),
        };
        format!("{what}\n    {}", violations(&schema).join("\n    "))
    };
    let sandbox = "/properties/is_sandbox";
    let credentials = "/properties/credentials";
    let client_id = "/properties/credentials/oneOf/0/properties/client_id";
    let auth_type = "/properties/credentials/oneOf/1/properties/auth_type";
    let found = [
        check("nothing", "", "x-anything", Some(json!(1))),
        check("root type", "", "type", None),
        check("closed root", "", "additionalProperties", Some(json!(false))),
        check("root without title", "", "title", None),
        check("definitions", "", "$defs", Some(json!({}))),
        check("reference", sandbox, "$ref", Some(json!("#/$defs/A"))),
        check("unknown keyword", sandbox, "airbyte", Some(json!(1))),
        check("no title", sandbox, "title", None),
        check("no description", sandbox, "description", None),
        check("half a sentence", sandbox, "description", Some(json!("Is it"))),
        check("boolean without default", sandbox, "default", None),
        check("null as a type", "/properties/start_date", "type", Some(json!(["string", "null"]))),
        check("null as the default", "/properties/start_date", "default", Some(json!(null))),
        check("enum without type", "/properties/mode", "type", None),
        check("secret number", client_id, "type", Some(json!("integer"))),
        check("secret in words", client_id, "secret", Some(json!("true"))),
        check("advanced string", sandbox, "advanced", Some(json!(true))),
        check("order twice", sandbox, "order", Some(json!(0))),
        check("order in words", sandbox, "order", Some(json!("first"))),
        check("choice without discriminator", credentials, "discriminator", None),
        check("discriminator without choice", credentials, "oneOf", None),
        check("branch without constant", auth_type, "const", None),
        check("branch without default", auth_type, "default", None),
        check("two branches of one name", auth_type, "const", Some(json!("OAuth2"))),
        check("not a schema", "/properties", "odd", Some(json!(7))),
    ];
    insta::assert_snapshot!(found.join("\n"));
}
