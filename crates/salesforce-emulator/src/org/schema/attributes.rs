//! Definitions → fields and objects: what follows from a type, as the recorded describes show it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value as Json;

use super::built_in::Mould;
use super::definition::FieldDefinition;
use super::field::{Field, FieldType, Mask, PicklistValue};
use super::object::{ChildRelationship, Fields, SObject};

/// The parts of a location, with their suffixes.
const LOCATION_PARTS: [&str; 2] = ["Latitude", "Longitude"];
/// The parts of an address that an administrator adds: states and countries are picklists of codes.
const ADDRESS_PARTS: [&str; 8] =
    ["Street", "City", "PostalCode", "StateCode", "CountryCode", "Latitude", "Longitude", "GeocodeAccuracy"];

/// The field of that name; for a compound, itself and its parts.
pub(super) fn fields(name: &str, definition: &FieldDefinition) -> Vec<Field> {
    let parts: &[&str] = match definition.kind {
        FieldType::Location => &LOCATION_PARTS,
        FieldType::Address => &ADDRESS_PARTS,
        _ => return vec![field(name, definition)],
    };
    let whole = field(name, definition);
    let stem = name.strip_suffix("__c").unwrap_or(name);
    let parts = parts.iter().map(|part| {
        let kind = match *part {
            "Latitude" | "Longitude" => FieldType::Double,
            "GeocodeAccuracy" | "StateCode" | "CountryCode" => FieldType::Picklist,
            "Street" => FieldType::TextArea,
            _ => FieldType::String,
        };
        let scale = (kind == FieldType::Double).then_some(15);
        let length = match *part {
            "City" => Some(40),
            "PostalCode" => Some(20),
            "StateCode" | "CountryCode" => Some(10),
            _ => None,
        };
        let label = Some(format!("{} ({part})", whole.label));
        let part = field(
            &format!("{stem}__{part}__s"),
            &FieldDefinition { label, scale, length, ..FieldDefinition::of(kind) },
        );
        Field { compound_field_name: Some(name.to_owned()), ..part }
    });
    std::iter::once(whole.clone()).chain(parts).collect()
}

/// One field; a compound without its parts.
fn field(name: &str, definition: &FieldDefinition) -> Field {
    use FieldType::{
        Address, AnyType, Base64, Boolean, Currency, Date, DateTime, Double, EncryptedString, Id, Int, Location, Long,
        MultiPicklist, Percent, Picklist, Reference, TextArea, Time,
    };
    let kind = definition.kind;
    let length = match (kind, definition.length) {
        (Reference | Id, _) => 18,
        (MultiPicklist, _) => 4099,
        (_, Some(length)) if kind.is_text() => length,
        (FieldType::Email, None) => 80,
        (FieldType::Phone, None) => 40,
        (EncryptedString, None) => 175,
        (_, None) if kind.is_text() => 255,
        _ => 0,
    };
    let long = kind == TextArea && (length > 255 || definition.html);
    let opaque = long || matches!(kind, EncryptedString | Base64 | AnyType);
    let fraction = matches!(kind, Double | Currency | Percent);
    let computed = definition.formula.is_some();
    let written = !computed && !kind.is_compound();
    let flag = kind == Boolean;
    let default = definition.default.clone().filter(|value| !value.is_null()).or(flag.then_some(Json::Bool(false)));
    let picked = matches!(kind, Picklist | MultiPicklist);
    let label = definition.label.clone().unwrap_or_else(|| label_of(name));
    Field {
        aggregatable: !opaque && !flag && !kind.is_compound() && kind != MultiPicklist,
        ai_prediction_field: false,
        auto_number: false,
        byte_length: if kind == Reference { 18 } else { length * 3 },
        calculated: computed,
        calculated_formula: definition.formula.clone(),
        cascade_delete: definition.cascade,
        case_sensitive: definition.case_sensitive,
        compound_field_name: None,
        controller_name: None,
        createable: written,
        custom: name.ends_with("__c") || name.ends_with("__s"),
        default_value_formula: default.as_ref().filter(|_| !flag && !picked && !computed).map(Json::to_string),
        defaulted_on_create: flag || (default.is_some() && !computed),
        default_value: default.clone().filter(|_| !picked && !computed),
        dependent_picklist: false,
        deprecated_and_hidden: false,
        digits: match kind {
            Int => 9,
            Long => 18,
            _ => 0,
        },
        display_location_in_decimal: kind == Location,
        encrypted: kind == EncryptedString,
        external_id: definition.external_id,
        extra_type_info: match kind {
            TextArea if definition.html => Some("richtextarea".to_owned()),
            TextArea => Some("plaintextarea".to_owned()),
            _ => None,
        },
        filterable: !opaque,
        filtered_lookup_info: None,
        formula_treat_null_number_as_zero: computed,
        groupable: !opaque
            && !fraction
            && !kind.is_compound()
            && !matches!(kind, TextArea | DateTime | Time | MultiPicklist),
        high_scale_number: false,
        html_formatted: definition.html,
        id_lookup: definition.external_id,
        inline_help_text: definition.help.clone(),
        label,
        length,
        mask: (kind == EncryptedString).then(|| "X".to_owned()),
        mask_type: (kind == EncryptedString).then(|| definition.mask.unwrap_or(Mask::LastFour)),
        name: name.to_owned(),
        name_field: false,
        name_pointing: false,
        nillable: !flag && !definition.required && !definition.cascade,
        permissionable: !definition.required && !definition.cascade,
        picklist_values: picklist_values(&definition.values, default.as_ref()),
        polymorphic_foreign_key: definition.to.len() > 1,
        precision: match kind {
            _ if fraction => definition.precision.unwrap_or(18),
            MultiPicklist => 4,
            _ => 0,
        },
        query_by_distance: kind.is_compound(),
        reference_target_field: None,
        reference_to: definition.to.clone(),
        relationship_name: (kind == Reference).then(|| relationship(name)),
        relationship_order: definition.cascade.then_some(0),
        restricted_delete: false,
        restricted_picklist: definition.restricted,
        scale: if fraction { definition.scale.unwrap_or(2) } else { 0 },
        search_prefilterable: kind == Reference,
        soap_type: match kind {
            Id | Reference => "tns:ID",
            Boolean => "xsd:boolean",
            Int => "xsd:int",
            Long => "xsd:long",
            Double | Currency | Percent => "xsd:double",
            Date => "xsd:date",
            DateTime => "xsd:dateTime",
            Time => "xsd:time",
            Address => "urn:address",
            Location => "urn:location",
            Base64 => "xsd:base64Binary",
            AnyType => "xsd:anyType",
            _ => "xsd:string",
        }
        .to_owned(),
        sortable: !opaque && !kind.is_compound() && kind != MultiPicklist,
        kind,
        unique: definition.unique,
        updateable: written && !definition.cascade,
        write_requires_master_read: false,
    }
}

/// `Parent` for `ParentId`, `Parent__r` for `Parent__c`.
pub(super) fn relationship(field: &str) -> String {
    match (field.strip_suffix("__c"), field.strip_suffix("Id")) {
        (Some(stem), _) => format!("{stem}__r"),
        (_, Some(stem)) => stem.to_owned(),
        _ => field.to_owned(),
    }
}

pub(super) fn picklist_values(values: &[String], default: Option<&Json>) -> Vec<PicklistValue> {
    let value = |value: &String| PicklistValue {
        active: true,
        default_value: default.and_then(Json::as_str) == Some(value),
        label: Some(value.clone()),
        valid_for: None,
        value: value.clone(),
    };
    values.iter().map(value).collect()
}

/// `Annual Revenue` for `AnnualRevenue` and `Annual_Revenue__c`.
pub(super) fn label_of(name: &str) -> String {
    let stem = name.strip_suffix("__c").unwrap_or(name).replace('_', " ");
    let mut label = String::with_capacity(stem.len());
    for letter in stem.chars() {
        if letter.is_ascii_uppercase() && label.ends_with(|before: char| before.is_ascii_lowercase()) {
            label.push(' ');
        }
        label.push(letter);
    }
    label
}

/// An object that was never recorded.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) plural: String,
    pub(super) prefix: String,
    pub(super) auto_number: bool,
    pub(super) modified: Timestamp,
}

impl Made {
    /// The object, with the fields every object of the mould has and those that `more` makes.
    pub(super) fn object(self, mould: &Mould, more: impl FnOnce() -> Vec<Field> + Send + 'static) -> SObject {
        let mut fields: Vec<Field> = mould.fields.to_vec();
        let numbered = fields.iter_mut().find(|field| self.auto_number && field.name_field);
        if let Some(name) = numbered {
            *name = Field { auto_number: true, createable: false, updateable: false, nillable: false, ..name.clone() };
        }
        SObject {
            custom: self.name.ends_with("__c"),
            name: self.name,
            label: self.label,
            plural: self.plural,
            key_prefix: Some(self.prefix),
            createable: true,
            updateable: true,
            deletable: true,
            undeletable: true,
            replicateable: true,
            deprecated: false,
            fields: Fields::lazy(|| {
                fields.extend(more());
                fields
            }),
            children: Vec::new(),
            members: mould.members.clone(),
            modified: self.modified,
            hidden: false,
            hidden_fields: BTreeSet::new(),
        }
    }
}

/// What a parent says of the children that refer to it.
pub(super) fn child(object: &SObject, field: &str, definition: &FieldDefinition) -> ChildRelationship {
    let name = definition.children.clone().unwrap_or_else(|| object.plural.replace(' ', "_"));
    ChildRelationship {
        cascade_delete: definition.cascade,
        child: object.name.clone(),
        deprecated_and_hidden: false,
        field: field.to_owned(),
        junction_id_list_names: Vec::new(),
        junction_reference_to: Vec::new(),
        relationship_name: Some(if field.ends_with("__c") { format!("{name}__r") } else { name }),
        restricted_delete: definition.required && !definition.cascade,
    }
}
