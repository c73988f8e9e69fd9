//! A field: all 57 attributes of its describe, which are also the rules the store follows.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::formula::Formula;

/// One field, as described: serialised, it is the describe's own JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Field {
    /// May stand in an aggregate function.
    pub aggregatable: bool,
    pub(super) ai_prediction_field: bool,
    /// Numbered by the org.
    pub auto_number: bool,
    pub(super) byte_length: usize,
    /// A formula or a roll-up.
    pub calculated: bool,
    pub(super) calculated_formula: Option<Formula>,
    pub(super) cascade_delete: bool,
    /// Text compares with its case.
    pub case_sensitive: bool,
    pub(super) compound_field_name: Option<String>,
    pub(super) controller_name: Option<String>,
    /// May be given on create.
    pub createable: bool,
    /// Added by the org's administrator.
    pub custom: bool,
    pub(super) default_value: Option<Json>,
    pub(super) default_value_formula: Option<String>,
    /// Gets a value on create when none is given.
    pub defaulted_on_create: bool,
    pub(super) dependent_picklist: bool,
    pub(super) deprecated_and_hidden: bool,
    pub(super) digits: u8,
    pub(super) display_location_in_decimal: bool,
    pub(super) encrypted: bool,
    /// Identifies records to other systems.
    pub external_id: bool,
    pub(super) extra_type_info: Option<String>,
    /// May stand in a WHERE.
    pub filterable: bool,
    pub(super) filtered_lookup_info: Option<Json>,
    pub(super) formula_treat_null_number_as_zero: bool,
    /// May stand in a GROUP BY.
    pub groupable: bool,
    pub(super) high_scale_number: bool,
    pub(super) html_formatted: bool,
    /// Identifies records in upserts although it is no external id.
    pub id_lookup: bool,
    pub(super) inline_help_text: Option<String>,
    /// Label, which error messages use.
    pub label: String,
    /// Most characters of a text.
    pub length: usize,
    pub(super) mask: Option<String>,
    pub(super) mask_type: Option<Mask>,
    /// API name in its canonical case.
    pub name: String,
    /// Names the record for people.
    pub name_field: bool,
    pub(super) name_pointing: bool,
    /// May be null.
    pub nillable: bool,
    pub(super) permissionable: bool,
    pub(super) picklist_values: Vec<PicklistValue>,
    pub(super) polymorphic_foreign_key: bool,
    pub(super) precision: u8,
    pub(super) query_by_distance: bool,
    pub(super) reference_target_field: Option<String>,
    /// Objects a reference may point to.
    pub reference_to: Vec<String>,
    /// Name of the parent in paths, such as `Owner`.
    pub relationship_name: Option<String>,
    pub(super) relationship_order: Option<u8>,
    pub(super) restricted_delete: bool,
    /// The picklist accepts its own values only.
    pub restricted_picklist: bool,
    pub(super) scale: u8,
    pub(super) search_prefilterable: bool,
    pub(super) soap_type: String,
    /// May stand in an ORDER BY.
    pub sortable: bool,
    /// The described type.
    #[serde(rename = "type")]
    pub kind: FieldType,
    /// No two records may share a value.
    pub unique: bool,
    /// May be given on update.
    pub updateable: bool,
    pub(super) write_requires_master_read: bool,
}

/// One value of a picklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PicklistValue {
    pub(super) active: bool,
    pub(super) default_value: bool,
    pub(super) label: Option<String>,
    pub(super) valid_for: Option<String>,
    pub(super) value: String,
}

/// How much of an encrypted text is shown to a user without the permission to see it, which is every user here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mask {
    /// Nothing.
    All,
    /// The last four characters.
    #[default]
    LastFour,
}

/// The described type of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
    #[serde(rename = "encryptedstring")]
    EncryptedString,
    #[serde(rename = "datacategorygroupreference")]
    DataCategoryGroupReference,
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
    Location,
    Base64,
    AnyType,
}

impl FieldType {
    /// True for compounds, which are read from their parts and never stored.
    pub(crate) fn is_compound(self) -> bool {
        matches!(self, Self::Address | Self::Location)
    }

    /// Compares and is filtered as text.
    pub fn is_text(self) -> bool {
        use FieldType::{
            ComboBox, DataCategoryGroupReference, Email, EncryptedString, MultiPicklist, Phone, Picklist, String,
            TextArea, Url,
        };
        matches!(self, String | TextArea | Url | Email | Phone | Picklist | MultiPicklist)
            || matches!(self, ComboBox | EncryptedString | DataCategoryGroupReference)
    }

    /// Whole or fractional.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Long | Self::Double | Self::Currency | Self::Percent)
    }

    /// The spelling of error messages; describes write `datetime` without its capital.
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
            Self::EncryptedString => "encryptedstring",
            Self::DataCategoryGroupReference => "datacategorygroupreference",
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
            Self::Location => "location",
            Self::Base64 => "base64",
            Self::AnyType => "anyType",
        }
    }
}

impl Field {
    /// The compound this field is a part of. (`Account.Name` calls itself its compound; that does not count.)
    pub fn compound(&self) -> Option<&str> {
        self.compound_field_name.as_deref().filter(|name| *name != self.name)
    }

    /// Reading it needs a field permission.
    pub(crate) fn is_permissionable(&self) -> bool {
        self.permissionable
    }

    /// Must be given on create.
    pub fn required(&self) -> bool {
        self.createable && !self.nillable && !self.defaulted_on_create
    }

    /// What a number must stay below: its digits before the point are counted.
    pub(crate) fn bound(&self) -> f64 {
        match self.precision.saturating_sub(self.scale) {
            0 => 1e18,
            digits => 10_f64.powi(digits.into()),
        }
    }

    /// Has a column of its own: it is no compound and no formula this org computes.
    pub fn is_stored(&self) -> bool {
        !self.kind.is_compound() && self.calculated_formula.is_none()
    }

    /// The formula its value is computed by, at each reading.
    pub fn formula(&self) -> Option<&Formula> {
        self.calculated_formula.as_ref()
    }

    /// How its text is masked.
    pub(crate) fn mask(&self) -> Option<Mask> {
        self.mask_type
    }

    /// The value the describe promises when none is given.
    pub fn default(&self) -> Option<Json> {
        let picked =
            || self.picklist_values.iter().find(|value| value.default_value).map(|value| value.value.clone().into());
        self.default_value.clone().filter(|value| !value.is_null()).or_else(picked)
    }

    /// Values of a picklist and what people see of them, where that is something else.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let labels = self.picklist_values.iter().filter_map(|one| Some((one.value.as_str(), one.label.as_deref()?)));
        labels.filter(|(value, label)| value != label)
    }

    /// The active values of a picklist.
    pub fn picklist(&self) -> impl Iterator<Item = &str> {
        self.picklist_values.iter().filter(|value| value.active).map(|value| value.value.as_str())
    }
}
