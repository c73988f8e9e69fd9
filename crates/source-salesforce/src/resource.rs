//! The resource configuration: one stream, that is one SObject.

use salesforce_client::SObjectName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::Error;

/// What the user writes for one binding.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "Stream", description = "One object of the org.", extend("additionalProperties" = true))]
#[serde(deny_unknown_fields)]
pub struct RawResource {
    /// The API name of the object, such as Account or Invoice__c.
    #[schemars(title = "Stream", extend("order" = 0))]
    pub stream: String,
    /// Kept by the user interface for itself.
    #[serde(default, rename = "_meta", skip_serializing)]
    #[schemars(skip)]
    pub meta: Option<serde::de::IgnoredAny>,
}

/// One binding: the name it goes by, and the object it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// As written: the resource path, which must never change.
    pub stream: String,
    /// The object.
    pub object: SObjectName,
}

/// Names that the published documentation misspells, and users have copied since.
const MISSPELLED: [(&str, &str); 2] =
    [("OpportunityFilledHistory", "OpportunityFieldHistory"), ("ContactLineItem", "ContractLineItem")];

impl Resource {
    /// Reads a resource config.
    ///
    /// # Errors
    /// Names the place and what is expected there.
    pub fn parse(raw: &RawValue) -> Result<Self, Error> {
        Self::named(flow_protocol::parse::<RawResource>(raw, "resource config").map_err(Error::Protocol)?.stream)
    }

    /// The resource of a stream named on the command line or in a config.
    ///
    /// # Errors
    /// When it cannot be the API name of an object.
    pub fn named(stream: String) -> Result<Self, Error> {
        let object = MISSPELLED.iter().find(|(wrong, _)| *wrong == stream).map_or(stream.as_str(), |(_, right)| right);
        let object = object.parse().map_err(|source| Error::setting("stream", source))?;
        Ok(Self { stream, object })
    }

    /// The resource path: the identity of the binding.
    pub fn path(&self) -> Vec<String> {
        vec![self.stream.clone()]
    }
}

/// Refuses two bindings to one object under different names: they would share a topic, and one state would answer for both.
///
/// # Errors
/// Names both.
pub fn check_distinct(resources: &[Resource]) -> Result<(), Error> {
    for (n, resource) in resources.iter().enumerate() {
        if let Some(first) = resources[..n].iter().find(|other| other.object.same_as(resource.object.as_str())) {
            return Err(Error::SameObject {
                first: first.stream.clone(),
                second: resource.stream.clone(),
                object: resource.object.clone(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Resource, Error> {
        Resource::parse(&RawValue::from_string(json.into()).unwrap())
    }

    #[test]
    fn documented_misspellings_keep_their_path() {
        for (json, stream, object) in [
            (r#"{"stream":"Account"}"#, "Account", "Account"),
            (r#"{"stream":"ContactLineItem","_meta":{"path":["x"]}}"#, "ContactLineItem", "ContractLineItem"),
            (r#"{"stream":"OpportunityFilledHistory"}"#, "OpportunityFilledHistory", "OpportunityFieldHistory"),
        ] {
            let resource = parse(json).unwrap();
            assert_eq!((resource.path(), resource.object.as_str()), (vec![stream.to_owned()], object));
        }
    }

    #[test]
    fn one_object_is_captured_once() {
        let resources = ["Account", "Contact", "account"].map(|name| Resource::named(name.into()).unwrap());
        assert_eq!(
            check_distinct(&resources).unwrap_err().to_string(),
            "streams Account and account are the same object account: remove one of the bindings"
        );
        check_distinct(&resources[..2]).unwrap();
    }
}
