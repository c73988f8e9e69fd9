//! Documents against a JSON schema, formats included.

use jsonschema::Validator;
use serde_json::Value;

/// A validator of documents.
pub(crate) fn validator(schema: &Value) -> Validator {
    jsonschema::options().should_validate_formats(true).build(schema).expect("the schema is one")
}

/// Every document satisfies the schema.
pub(crate) fn assert_valid<'a>(schema: &Value, documents: impl Iterator<Item = &'a Value>) {
    let validator = validator(schema);
    for document in documents {
        let faults: Vec<String> = validator.iter_errors(document).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?} in {document}");
    }
}
