//! `Wide__c`: 300 custom fields, more than a PushTopic's query can hold, and among them every type there is.

use super::attributes::{Made, fields, label_of};
use super::built_in::{Mould, modified};
use super::definition::FieldDefinition;
use super::field::{Field, FieldType, Mask};
use super::object::SObject;

/// Numbered fields of each of four plain types; the others make three hundred.
const OF_EACH: usize = 66;

pub(super) fn object(mould: &Mould) -> SObject {
    let made = Made {
        name: "Wide__c".to_owned(),
        label: "Wide".to_owned(),
        plural: "Wides".to_owned(),
        prefix: "a0W".to_owned(),
        auto_number: false,
        modified: modified(),
    };
    made.object(mould, custom_fields)
}

fn custom_fields() -> Vec<Field> {
    let mut made: Vec<Field> = every_type().iter().flat_map(|(name, definition)| fields(name, definition)).collect();
    for number in 0..OF_EACH {
        for (stem, kind) in [
            ("Text", FieldType::String),
            ("Number", FieldType::Double),
            ("Date", FieldType::Date),
            ("Flag", FieldType::Boolean),
        ] {
            let name = format!("{stem}_{number:03}__c");
            made.extend(fields(&name, &FieldDefinition { label: Some(label_of(&name)), ..FieldDefinition::of(kind) }));
        }
    }
    made
}

/// 36 fields: one of each type beside those four, its variants, and the parts of compounds.
fn every_type() -> Vec<(&'static str, FieldDefinition)> {
    use FieldType::{
        AnyType, Base64, ComboBox, Currency, DataCategoryGroupReference, DateTime, Email, EncryptedString, Int,
        Location, Long, MultiPicklist, Percent, Phone, Picklist, Reference, TextArea, Time, Url,
    };
    let of = FieldDefinition::of;
    let values = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    let colours: Vec<String> = values(&["Red", "Green", "Blue"]);
    vec![
        ("Account__c", FieldDefinition { to: values(&["Account"]), ..of(Reference) }),
        ("Any__c", of(AnyType)),
        ("Attachment__c", of(Base64)),
        ("Card__c", of(EncryptedString)),
        ("Category__c", of(DataCategoryGroupReference)),
        ("Choice__c", FieldDefinition { values: colours.clone(), ..of(Picklist) }),
        ("Choices__c", FieldDefinition { values: colours.clone(), ..of(MultiPicklist) }),
        ("Code__c", FieldDefinition { external_id: true, ..of(FieldType::String) }),
        ("Combo__c", FieldDefinition { values: colours.clone(), ..of(ComboBox) }),
        ("Count__c", of(Int)),
        ("Hour__c", of(Time)),
        ("Huge__c", of(Long)),
        ("Long_Text__c", FieldDefinition { length: Some(32_768), ..of(TextArea) }),
        ("Mail__c", of(Email)),
        ("Moment__c", of(DateTime)),
        ("Note__c", of(TextArea)),
        ("Phone__c", of(Phone)),
        ("Place__c", of(Location)),
        ("Postal__c", of(FieldType::Address)),
        ("Price__c", of(Currency)),
        ("Rich_Text__c", FieldDefinition { length: Some(32_768), html: true, ..of(TextArea) }),
        ("Secret__c", FieldDefinition { mask: Some(Mask::All), ..of(EncryptedString) }),
        ("Share__c", of(Percent)),
        ("Site__c", of(Url)),
        ("Strict__c", FieldDefinition { values: colours, restricted: true, ..of(Picklist) }),
        (
            "Sum__c",
            FieldDefinition {
                formula: "Number_000__c + Number_001__c".to_owned().try_into().ok(),
                ..of(FieldType::Double)
            },
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_hundred_fields_of_every_type() {
        let made = custom_fields();
        assert_eq!(made.len(), 300, "{}", made.len() - 4 * OF_EACH);
        assert!(made.iter().any(|field| field.formula().is_some()));
    }
}
