//! Why a schema is not changed.

use super::field::FieldType;

/// A change an administrator cannot make, or the org not keep.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// No such object.
    #[error("the org has no object '{0}'")]
    NoObject(String),
    /// No such field.
    #[error("{object} has no field '{field}'")]
    NoField {
        /// Its object.
        object: String,
        /// Its name, as asked for.
        field: String,
    },
    /// The name is taken, perhaps by something deleted.
    #[error("'{0}' exists already, or was deleted and can be restored")]
    Exists(String),
    /// Not a name an administrator can give.
    #[error("'{0}' is no API name for something custom: letters, digits and single underscores, then __c")]
    Name(String),
    /// Another prefix than three free letters and digits.
    #[error("'{0}' is no key prefix, or another object has it: three letters and digits are needed, such as a0X")]
    Prefix(String),
    /// No prefix is left.
    #[error("the org has no key prefix left for another object")]
    NoPrefix,
    /// More made-up objects than there are prefixes, or fields than an object can have.
    #[error("at most {objects} objects of a kind can be made up, with at most {fields} fields each")]
    Crowded {
        /// Most objects.
        objects: usize,
        /// Most fields of an object.
        fields: usize,
    },
    /// Standard objects and fields are Salesforce's.
    #[error("{0} is standard: it can be hidden, relabelled and deprecated, and nothing else")]
    Standard(String),
    /// Fields every record needs.
    #[error("{0} is a system field, or one that must have a value, and is visible to everyone")]
    AlwaysVisible(String),
    /// Parts of compounds go with the whole.
    #[error("{part} is a part of {whole}: change {whole}")]
    Part {
        /// The field asked for.
        part: String,
        /// Its compound.
        whole: String,
    },
    /// Something else needs the field or the object.
    #[error("{what} is used by {by}: change that first")]
    Used {
        /// What was to go.
        what: String,
        /// What needs it.
        by: String,
    },
    /// Salesforce offers no such change of type.
    #[error(
        "{field} cannot become {to:?}: it is {from:?}, and Salesforce converts only texts, picklists, numbers, checkboxes, dates and times into each other"
    )]
    Types {
        /// The field.
        field: String,
        /// What it is.
        from: FieldType,
        /// What it was to become.
        to: FieldType,
    },
    /// The definition contradicts itself.
    #[error("{field} cannot be defined like this: {why}")]
    Definition {
        /// The field.
        field: String,
        /// What is wrong, and what would be right.
        why: String,
    },
    /// The tables could not be changed.
    #[error("changing the org's tables")]
    Database(#[from] rusqlite::Error),
}
