//! What objects an org has, and what their fields are.

use serde::{Deserialize, Deserializer, de::IgnoredAny};

use crate::{FieldName, LastModified, SObjectName};

/// The org's objects, as far as the user may see them.
#[derive(Clone, Debug, Deserialize)]
pub struct GlobalDescribe {
    /// One entry for each object.
    pub sobjects: Vec<SObjectSummary>,
    /// When any of them last changed, by the header of the reply.
    #[serde(skip)]
    pub last_modified: Option<LastModified>,
}

/// What the global describe says of an object. Members that old API versions and trimmed copies lack are `None` or
/// false.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SObjectSummary {
    /// Its API name.
    pub name: SObjectName,
    /// Its name for people.
    #[serde(default)]
    pub label: String,
    /// The first three characters of its records' ids, where they identify it.
    #[serde(default)]
    pub key_prefix: Option<String>,
    /// Whether it was made in this org or came with a package.
    #[serde(default)]
    pub custom: bool,
    /// Whether it is a custom setting.
    #[serde(default)]
    pub custom_setting: bool,
    /// Whether SOQL may read it. Some objects that say so still demand a filter.
    #[serde(default)]
    pub queryable: bool,
    /// Whether records can be fetched by id.
    #[serde(default)]
    pub retrieveable: bool,
    /// Whether getUpdated and getDeleted serve it.
    #[serde(default)]
    pub replicateable: bool,
    /// Whether records can be created.
    #[serde(default)]
    pub createable: bool,
    /// Whether records can be updated.
    #[serde(default)]
    pub updateable: bool,
    /// Whether records can be deleted.
    #[serde(default)]
    pub deletable: bool,
    /// Whether records come back from the recycle bin.
    #[serde(default)]
    pub undeletable: bool,
    /// Whether triggers, and with them change notifications, exist for it.
    #[serde(default)]
    pub triggerable: bool,
    /// Whether the object is a leftover kept for compatibility.
    #[serde(default)]
    pub deprecated_and_hidden: bool,
}

/// An object and its fields, as far as the user may read them: a field without permission is absent.
#[derive(Clone, Debug, Deserialize)]
pub struct Describe {
    /// What the global describe says of it.
    #[serde(flatten)]
    pub summary: SObjectSummary,
    /// Its fields.
    pub fields: Vec<Field>,
    /// When it last changed, by the header of the reply.
    #[serde(skip)]
    pub last_modified: Option<LastModified>,
}

impl Describe {
    /// The object's API name.
    #[must_use]
    pub fn name(&self) -> &SObjectName {
        &self.summary.name
    }

    /// A field by name; case does not matter, as in SOQL.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name.same_as(name))
    }
}

/// A field of an object. Members that old API versions and trimmed copies lack are zero, empty or `None`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Field {
    /// Its API name.
    pub name: FieldName,
    /// Its name for people.
    #[serde(default)]
    pub label: String,
    /// What kind of values it holds.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// The most characters a text may have.
    #[serde(default)]
    pub length: u32,
    /// Digits of a `double`, `currency` or `percent` in all.
    #[serde(default)]
    pub precision: u32,
    /// Digits of them after the point.
    #[serde(default)]
    pub scale: u32,
    /// Digits of an `int`.
    #[serde(default)]
    pub digits: u32,
    /// Whether it may be null.
    #[serde(default)]
    pub nillable: bool,
    /// Whether it was made in this org or came with a package.
    #[serde(default)]
    pub custom: bool,
    /// Whether it can be set on create.
    #[serde(default)]
    pub createable: bool,
    /// Whether it can be set on update.
    #[serde(default)]
    pub updateable: bool,
    /// Whether the org fills it in when a create leaves it out.
    #[serde(default)]
    pub defaulted_on_create: bool,
    /// Whether it is a formula or a roll-up summary, which change without the record being touched.
    #[serde(default)]
    pub calculated: bool,
    /// Whether the org numbers it.
    #[serde(default)]
    pub auto_number: bool,
    /// Whether values of it compare with case.
    #[serde(default)]
    pub case_sensitive: bool,
    /// Whether values must be unique.
    #[serde(default)]
    pub unique: bool,
    /// Whether it was declared an external id, which upserts may match.
    #[serde(default)]
    pub external_id: bool,
    /// Whether records can be found by it, as by `Id` or `Email`.
    #[serde(default)]
    pub id_lookup: bool,
    /// Whether it is the record's name.
    #[serde(default)]
    pub name_field: bool,
    /// Whether it may stand in `WHERE`.
    #[serde(default)]
    pub filterable: bool,
    /// Whether it may stand in `ORDER BY`.
    #[serde(default)]
    pub sortable: bool,
    /// Whether its values are encrypted at rest.
    #[serde(default)]
    pub encrypted: bool,
    /// Whether its text is HTML.
    #[serde(default)]
    pub html_formatted: bool,
    /// Whether it is a leftover kept for compatibility.
    #[serde(default)]
    pub deprecated_and_hidden: bool,
    /// The compound field it is a part of, such as `BillingAddress`.
    #[serde(default)]
    pub compound_field_name: Option<String>,
    /// A finer kind, such as `plaintextarea`, `richtextarea`, `personname`.
    #[serde(default)]
    pub extra_type_info: Option<String>,
    /// The objects a reference may point to; several for a polymorphic one.
    #[serde(default)]
    pub reference_to: Vec<SObjectName>,
    /// What the related record is called in queries.
    #[serde(default)]
    pub relationship_name: Option<String>,
    /// Whether a reference to several objects can be written.
    #[serde(default)]
    pub polymorphic_foreign_key: bool,
    /// Whether values outside the list are refused.
    #[serde(default)]
    pub restricted_picklist: bool,
    /// The values of a picklist, in their order, whether active or not.
    #[serde(default, deserialize_with = "picklist_values")]
    pub picklist_values: Vec<PicklistValue>,
    /// The help text the administrator wrote.
    #[serde(default)]
    pub inline_help_text: Option<String>,
}

impl Field {
    /// The values of a picklist that can be chosen, in their order.
    pub fn active_values(&self) -> impl Iterator<Item = &str> {
        self.picklist_values.iter().filter(|value| value.active).map(|value| value.value.as_str())
    }

    /// Whether a create must set it.
    #[must_use]
    pub fn required(&self) -> bool {
        self.createable && !self.nillable && !self.defaulted_on_create
    }
}

/// One value of a picklist.
#[derive(Clone, Debug, Deserialize)]
pub struct PicklistValue {
    /// The value on the wire.
    pub value: String,
    /// Its name for people.
    #[serde(default)]
    pub label: Option<String>,
    /// Whether it can be chosen.
    #[serde(default)]
    pub active: bool,
}

/// An entry without a value is passed over: it cannot be chosen, and must not cost the whole describe.
fn picklist_values<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PicklistValue>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Entry {
        Value(PicklistValue),
        Odd(IgnoredAny),
    }
    let entries = Vec::<Entry>::deserialize(deserializer)?.into_iter();
    Ok(entries
        .filter_map(|entry| match entry {
            Entry::Value(value) => Some(value),
            Entry::Odd(_) => None,
        })
        .collect())
}

macro_rules! field_types {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// The kind of a field, which fixes the JSON form of its values.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum FieldType {
            $($(#[$doc])* $variant,)*
            /// A kind this list does not know.
            Other(String),
        }

        impl FieldType {
            /// Every kind that has a name here.
            pub const ALL: &[FieldType] = &[$(FieldType::$variant),*];

            /// The name in describes.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(FieldType::$variant => $text,)*
                    FieldType::Other(text) => text,
                }
            }
        }

        impl From<&str> for FieldType {
            fn from(text: &str) -> Self {
                match text {
                    $($text => FieldType::$variant,)*
                    other => FieldType::Other(other.to_owned()),
                }
            }
        }
    };
}

field_types! {
    /// A record id: string of 18 characters.
    Id = "id",
    /// The id of another record: string of 18 characters.
    Reference = "reference",
    /// A short text.
    String = "string",
    /// A text of several lines; see `html_formatted` and `extra_type_info`.
    TextArea = "textarea",
    /// A URL, as text.
    Url = "url",
    /// An email address, as text.
    Email = "email",
    /// A phone number, as text.
    Phone = "phone",
    /// One value of a list, as text.
    Picklist = "picklist",
    /// Several values of a list, as one text joined by `;` in the list's order.
    MultiPicklist = "multipicklist",
    /// A text with suggestions.
    Combobox = "combobox",
    /// A text that is masked for users without permission.
    EncryptedString = "encryptedstring",
    /// A reference to a data category, as text.
    DataCategoryGroupReference = "datacategorygroupreference",
    /// True or false; never null.
    Boolean = "boolean",
    /// An integer; fractions have been seen.
    Int = "int",
    /// A 64-bit integer, which may exceed what a double holds.
    Long = "long",
    /// A number with `scale` digits after the point.
    Double = "double",
    /// An amount of money, as number.
    Currency = "currency",
    /// A percentage, as number: 10 means 10 %.
    Percent = "percent",
    /// A day: `2024-01-02`.
    Date = "date",
    /// A point in time: `2024-01-02T03:04:05.000+0000`.
    DateTime = "datetime",
    /// A time of day: `03:04:05.000Z`.
    Time = "time",
    /// An address: object or null.
    Address = "address",
    /// A geolocation: object with `latitude` and `longitude`, or null.
    Location = "location",
    /// A body: the value is a path to fetch the bytes from, not the bytes.
    Base64 = "base64",
    /// String, number or boolean, as the row has it.
    AnyType = "anyType",
    /// An object of metadata.
    ComplexValue = "complexvalue",
    /// JSON, as string or object.
    Json = "json",
    /// A list of ids of a junction object.
    JunctionIdList = "junctionIdList",
    /// A reference to the record this one was merged into.
    MasterRecord = "masterrecord",
    /// A description of a relationship, of the Tooling API.
    RelationshipInfo = "relationshipinfo",
}

impl std::fmt::Display for FieldType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for FieldType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(String::deserialize(deserializer)?.as_str().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_describe_of_little_is_a_describe() {
        let text = r#"{"name":"Thing__c","fields":[
            {"name":"Id","type":"id"},
            {"name":"Stage__c","type":"picklist","picklistValues":[
                {"value":"New","label":null,"active":true,"validFor":"gAAA"},{"value":"Old","active":false},"",{"value":null}]},
            {"name":"Shape__c","type":"hologram"}]}"#;
        let describe: Describe = serde_json::from_str(text).unwrap();
        assert_eq!((describe.name().as_str(), describe.summary.queryable), ("Thing__c", false));
        assert_eq!(describe.field("stage__C").unwrap().active_values().collect::<Vec<_>>(), ["New"]);
        assert_eq!(describe.field("Shape__c").unwrap().kind, FieldType::Other("hologram".to_owned()));
        assert!(describe.field("Missing__c").is_none());

        for text in [r#"{"fields":[]}"#, r#"{"name":"Thing__c"}"#, r#"{"name":"not a name","fields":[]}"#] {
            assert!(serde_json::from_str::<Describe>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_a_create_must_set() {
        for (flags, required) in [
            (r#""createable":true"#, true),
            (r#""createable":true,"nillable":true"#, false),
            (r#""createable":true,"defaultedOnCreate":true"#, false),
            (r#""createable":false"#, false),
        ] {
            let field: Field = serde_json::from_str(&format!(r#"{{"name":"F","type":"string",{flags}}}"#)).unwrap();
            assert_eq!(field.required(), required, "{flags}");
        }
    }
}
