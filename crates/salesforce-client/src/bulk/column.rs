//! Columns of CSV: fields, and fields of parents.

use std::{fmt, str::FromStr, sync::Arc};

use crate::{Error, FieldName};

/// A column: a field, such as `Name`, or one of a parent, such as `Parent__r.Ext__c`; where there are several such
/// objects with theirs in front, such as `Contact:Who.Email`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Column(Arc<str>);

impl Column {
    /// The column as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether both name the same column to Salesforce, which ignores case in API names.
    #[must_use]
    pub fn same_as(&self, other: &str) -> bool {
        self.0.eq_ignore_ascii_case(other)
    }
}

impl FromStr for Column {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // Each part is an API name.
        for name in text.split(['.', ':']) {
            let _: FieldName = name.parse().map_err(|_| {
                Error::invalid("column", text, "it is a field, or a relationship and a field with a dot between")
            })?;
        }
        Ok(Column(text.into()))
    }
}

impl From<&FieldName> for Column {
    fn from(field: &FieldName) -> Column {
        Column(field.as_str().into())
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_checked() {
        for text in ["Name", "sf__Id", "Parent__r.Ext__c", "Contact:Who.Email"] {
            assert_eq!(text.parse::<Column>().unwrap().as_str(), text);
        }
        for text in ["", "Name,Id", "\"Name\"", "Parent__r.", ".Name", "A..B", "Na me", "Ünder"] {
            assert!(text.parse::<Column>().is_err(), "{text}");
        }
    }
}
