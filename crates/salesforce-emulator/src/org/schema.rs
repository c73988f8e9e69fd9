//! What objects and fields the org has: real describes, read once at start.
//!
//! The describe documents under `describe/` are both the source of the rules (types, lengths, what may be written) and,
//! nearly byte for byte, what the describe resource answers. `describe/ORIGIN.md` says where each came from.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;

use super::id::Id;

/// Every object of the org.
#[derive(Debug)]
pub struct Schema {
    objects: Vec<Arc<SObject>>,
    by_name: HashMap<String, usize>,
}

/// One object: its describe, and what the store derives from it.
#[derive(Debug)]
pub struct SObject {
    /// API name in its canonical case.
    pub name: String,
    /// Label in the singular.
    pub label: String,
    /// First three characters of ids; history objects have none of their own.
    pub key_prefix: Option<String>,
    /// Records may be created.
    pub createable: bool,
    /// Records may be updated.
    pub updateable: bool,
    /// Records may be deleted.
    pub deletable: bool,
    /// Deleted records may be restored.
    pub undeletable: bool,
    /// `getUpdated` and `getDeleted` tell of its records.
    pub replicateable: bool,
    /// The fields, in describe order.
    pub fields: Vec<Field>,
    /// Relationships from this object to its children.
    pub children: Vec<ChildRelationship>,
    /// The describe document, with placeholders for version and host.
    describe: &'static str,
    by_name: HashMap<String, usize>,
}

/// One field, as described.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Field {
    /// API name in its canonical case.
    pub name: String,
    /// Label, which error messages use.
    pub label: String,
    /// The described type.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// Most characters of a text.
    pub length: usize,
    /// May be null.
    pub nillable: bool,
    /// May be given on create.
    pub createable: bool,
    /// May be given on update.
    pub updateable: bool,
    /// Gets a value on create when none is given.
    pub defaulted_on_create: bool,
    default_value: Option<serde_json::Value>,
    /// A formula or a roll-up.
    pub calculated: bool,
    /// Numbered by the org.
    pub auto_number: bool,
    /// No two records may share a value.
    pub unique: bool,
    /// Text compares with its case.
    pub case_sensitive: bool,
    /// May stand in a WHERE.
    pub filterable: bool,
    /// May stand in an ORDER BY.
    pub sortable: bool,
    /// Added by the org's administrator.
    pub custom: bool,
    /// Identifies records to other systems.
    pub external_id: bool,
    /// Identifies records in upserts although it is no external id.
    pub id_lookup: bool,
    compound_field_name: Option<String>,
    /// Objects a reference may point to.
    pub reference_to: Vec<String>,
    /// Name of the parent in paths, such as `Owner`.
    pub relationship_name: Option<String>,
    /// The picklist accepts its own values only.
    pub restricted_picklist: bool,
    picklist_values: Vec<PicklistValue>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PicklistValue {
    active: bool,
    default_value: bool,
    value: String,
}

/// A relationship from a parent to its children.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChildRelationship {
    /// Object of the children.
    #[serde(rename = "childSObject")]
    pub child: String,
    /// Their field that names the parent.
    pub field: String,
    /// Deleting the parent deletes the children.
    pub cascade_delete: bool,
}

/// The described type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are Salesforce's own and stand in its field reference")]
pub enum FieldType {
    Id,
    Reference,
    String,
    #[serde(rename = "textarea")]
    TextArea,
    Url,
    Email,
    Phone,
    Picklist,
    #[serde(rename = "multipicklist")]
    MultiPicklist,
    #[serde(rename = "combobox")]
    ComboBox,
    Boolean,
    Int,
    Long,
    Double,
    Currency,
    Percent,
    Date,
    #[serde(rename = "datetime")]
    DateTime,
    Time,
    Address,
    AnyType,
}

impl FieldType {
    /// True for compounds, which are read from their parts and never stored.
    pub fn is_compound(self) -> bool {
        self == Self::Address
    }

    /// The describe's spelling.
    pub fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Reference => "reference",
            Self::String => "string",
            Self::TextArea => "textarea",
            Self::Url => "url",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Picklist => "picklist",
            Self::MultiPicklist => "multipicklist",
            Self::ComboBox => "combobox",
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Long => "long",
            Self::Double => "double",
            Self::Currency => "currency",
            Self::Percent => "percent",
            Self::Date => "date",
            Self::DateTime => "dateTime",
            Self::Time => "time",
            Self::Address => "address",
            Self::AnyType => "anyType",
        }
    }
}

impl Field {
    /// The compound this field is a part of. (`Account.Name` calls itself its compound; that does not count.)
    pub fn compound(&self) -> Option<&str> {
        self.compound_field_name.as_deref().filter(|name| *name != self.name)
    }

    /// Must be given on create.
    pub fn required(&self) -> bool {
        self.createable && !self.nillable && !self.defaulted_on_create
    }

    /// The value the describe promises when none is given.
    pub fn default(&self) -> Option<serde_json::Value> {
        let picked =
            || self.picklist_values.iter().find(|value| value.default_value).map(|value| value.value.clone().into());
        self.default_value.clone().filter(|value| !value.is_null()).or_else(picked)
    }

    /// The active values of a picklist.
    pub fn picklist(&self) -> impl Iterator<Item = &str> {
        self.picklist_values.iter().filter(|value| value.active).map(|value| value.value.as_str())
    }
}

impl SObject {
    /// Where a field stands, by its name in any case.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.by_name.get(&name.to_ascii_lowercase()).copied()
    }

    /// A field by its name in any case.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.position(name).map(|at| &self.fields[at])
    }

    /// The reference field behind a relationship name such as `Owner`, in any case.
    pub fn parent(&self, relationship: &str) -> Option<&Field> {
        self.fields.iter().find(|field| {
            field.relationship_name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(relationship))
        })
    }

    /// `Name` is put together from `FirstName` and `LastName`.
    pub fn has_person_name(&self) -> bool {
        self.field("LastName").is_some_and(|field| field.compound() == Some("Name"))
    }

    /// The describe document for one API version on one host.
    pub fn describe(&self, version: &str, host: &str) -> String {
        self.describe.replace("/vXX.X/", &format!("/v{version}/")).replace("https://INSTANCE", host)
    }

    fn parse(text: &'static str) -> Result<Self, serde_json::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Describe {
            name: String,
            label: String,
            key_prefix: Option<String>,
            createable: bool,
            updateable: bool,
            deletable: bool,
            undeletable: bool,
            replicateable: bool,
            fields: Vec<Field>,
            child_relationships: Vec<ChildRelationship>,
        }
        let described: Describe = serde_json::from_str(text)?;
        let by_name =
            described.fields.iter().enumerate().map(|(at, field)| (field.name.to_ascii_lowercase(), at)).collect();
        Ok(Self {
            name: described.name,
            label: described.label,
            key_prefix: described.key_prefix,
            createable: described.createable,
            updateable: described.updateable,
            deletable: described.deletable,
            undeletable: described.undeletable,
            replicateable: described.replicateable,
            fields: described.fields,
            children: described.child_relationships,
            describe: text,
            by_name,
        })
    }
}

impl Schema {
    /// Reads the describes built into this crate.
    pub fn load() -> Result<Self, serde_json::Error> {
        let objects = DESCRIBES.iter().map(|text| SObject::parse(text).map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
        let by_name = objects.iter().enumerate().map(|(at, object)| (object.name.to_ascii_lowercase(), at)).collect();
        Ok(Self { objects, by_name })
    }

    /// An object by its name in any case.
    pub fn object(&self, name: &str) -> Option<&Arc<SObject>> {
        self.by_name.get(&name.to_ascii_lowercase()).map(|at| &self.objects[*at])
    }

    /// The object whose ids begin as this one does.
    pub fn of_id(&self, id: Id) -> Option<&Arc<SObject>> {
        self.objects.iter().find(|object| object.key_prefix.as_deref() == Some(id.prefix()))
    }

    /// All objects, in describeGlobal's order.
    pub fn objects(&self) -> impl Iterator<Item = &Arc<SObject>> {
        self.objects.iter()
    }
}

macro_rules! describes {
    ($($name:literal)*) => {
        /// The describe documents, by object name in ASCII order, as describeGlobal lists them.
        const DESCRIBES: &[&str] = &[$(include_str!(concat!("../../describe/", $name, ".json"))),*];
    };
}

describes! {
    "Account" "Campaign" "Case" "Contact" "ContractLineItem" "Custom__c" "Entitlement" "Event" "Lead" "LeadHistory"
    "LiveChatTranscript" "MessagingSession" "Opportunity" "OpportunityContactRole" "OpportunityFieldHistory"
    "Organization" "PushTopic" "Quote" "QuoteLineItem" "ServiceAppointment" "ServiceContract" "StreamingChannel" "Task"
    "Topic" "User" "UserServicePresence" "Wide__c" "WorkOrder" "WorkOrderLineItem"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_describe_is_understood() {
        let schema = Schema::load().unwrap();
        assert_eq!(schema.objects().count(), DESCRIBES.len());
        for object in schema.objects() {
            assert_eq!(object.fields[0].name, "Id", "{}", object.name);
            assert_eq!(object.fields.len(), object.by_name.len(), "{}", object.name);
            for field in &object.fields {
                if let Some(compound) = field.compound() {
                    assert!(object.field(compound).is_some(), "{}.{}", object.name, field.name);
                }
            }
        }
    }

    #[test]
    fn prefixes_name_one_object() {
        let schema = Schema::load().unwrap();
        let mut prefixes: Vec<_> = schema.objects().filter_map(|object| object.key_prefix.as_deref()).collect();
        prefixes.sort_unstable();
        assert!(prefixes.windows(2).all(|pair| pair[0] != pair[1]), "{prefixes:?}");
    }
}
