//! What is different between a topic as it should be and as it is.

use std::fmt;

use super::{Definition, Existing};

/// The outcome of [`compare`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The topic is as it should be.
    Same,
    /// These properties, at least one, are not.
    Changed(Vec<Property>),
}

/// What a topic consists of, apart from its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Property {
    /// Its query.
    Query,
    /// The version of the API that understands the query.
    ApiVersion,
    /// Whether it announces anything at all.
    Active,
    /// Which changes it announces.
    NotifyFor,
    /// Which operations it announces.
    Operations,
    /// Its description.
    Description,
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Property::Query => "query",
            Property::ApiVersion => "API version",
            Property::Active => "active flag",
            Property::NotifyFor => "fields that notify",
            Property::Operations => "operations that notify",
            Property::Description => "description",
        })
    }
}

/// Compares a topic as it should be with the one the org has under that name.
#[must_use]
pub fn compare(definition: &Definition, existing: &Existing) -> Difference {
    let changed: Vec<Property> = [
        (Property::Query, existing.query == definition.query),
        (Property::ApiVersion, existing.api_version == Some(definition.api_version)),
        (Property::Active, existing.is_active),
        (Property::NotifyFor, existing.notify_for == Some(definition.notify_for)),
        (Property::Operations, existing.operations == definition.operations),
        (Property::Description, existing.description.as_deref() == Some(definition.description.as_str())),
    ]
    .into_iter()
    .filter_map(|(property, same)| (!same).then_some(property))
    .collect();
    if changed.is_empty() { Difference::Same } else { Difference::Changed(changed) }
}
