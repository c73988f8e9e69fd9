//! Is a definition one that Salesforce would take?

use super::super::Schema;
use super::super::attributes::fields;
use super::super::definition::FieldDefinition;
use super::super::field::{Field, FieldType};
use super::super::formula::Makes;
use super::super::object::SObject;
use super::super::refused::SchemaError;
use crate::org::value;

/// Longest text of each kind.
const LONGEST_TEXT: usize = 255;
const LONGEST_AREA: usize = 131_072;
const LONGEST_ENCRYPTED: usize = 175;
/// Most digits of a number.
const DIGITS: u8 = 18;

/// Checks the definition of a field of that object.
pub(super) fn check(
    schema: &Schema,
    object: &SObject,
    name: &str,
    definition: &FieldDefinition,
) -> Result<(), SchemaError> {
    let kind = definition.kind;
    if let Some(unknown) = definition.to.iter().find(|to| schema.object(to).is_none()) {
        return Err(SchemaError::NoObject(unknown.clone()));
    }
    let written = definition.formula.is_none() && !kind.is_compound();
    let picklist = matches!(kind, FieldType::Picklist | FieldType::MultiPicklist | FieldType::ComboBox);
    let longest = match kind {
        FieldType::TextArea => LONGEST_AREA,
        FieldType::EncryptedString => LONGEST_ENCRYPTED,
        _ => LONGEST_TEXT,
    };
    let (precision, scale) = (definition.precision.unwrap_or(DIGITS), definition.scale.unwrap_or(0));
    let rules = [
        (kind != FieldType::Id, "an object has one Id"),
        (
            (kind == FieldType::Reference) != definition.to.is_empty(),
            "'to' names the objects of a reference, and of nothing else",
        ),
        (!definition.cascade || definition.to.len() == 1, "'cascade' is for a reference to one object"),
        (definition.length.is_none() || kind.is_text(), "'length' is for texts"),
        (
            definition.length.is_none_or(|length| (1..=longest).contains(&length)),
            "'length' is out of range for its type",
        ),
        (precision <= DIGITS && scale <= precision, "'precision' is at most 18, and 'scale' at most 'precision'"),
        (
            picklist || (definition.values.is_empty() && !definition.restricted),
            "'values' and 'restricted' are for picklists",
        ),
        (!definition.html || kind == FieldType::TextArea, "'html' is for text areas"),
        (definition.mask.is_none() || kind == FieldType::EncryptedString, "'mask' is for encrypted texts"),
        (written || !definition.required, "what is computed cannot be required"),
        (written || definition.default.is_none(), "what is computed has no default"),
        (kind != FieldType::Boolean || !definition.required, "a checkbox always has a value"),
        (!definition.unique || kind.is_text() || kind.is_number(), "texts and numbers can be unique"),
    ];
    let refused = |why: String| SchemaError::Definition { field: format!("{}.{name}", object.name), why };
    if let Some((_, why)) = rules.iter().find(|(holds, _)| !holds) {
        return Err(refused((*why).to_owned()));
    }
    if let Some(default) = &definition.default {
        let fits = fields(name, definition).first().map(|field| value::parse(field, default));
        if let Some(Err(refusal)) = fits {
            return Err(refused(format!("its default does not fit: {}", refusal.message)));
        }
    }
    check_formula(object, definition).map_err(refused)
}

fn check_formula(object: &SObject, definition: &FieldDefinition) -> Result<(), String> {
    let Some(formula) = &definition.formula else { return Ok(()) };
    let mut operands: Vec<&Field> = Vec::new();
    for name in formula.fields() {
        let field = object
            .field(name)
            .filter(|field| field.is_stored() && field.mask().is_none() && field.kind != FieldType::Base64);
        operands.push(field.ok_or_else(|| format!("its formula cannot read '{name}'"))?);
    }
    let kind = definition.kind;
    let fits = match formula.makes() {
        Makes::Number => kind.is_number() && operands.iter().all(|field| field.kind.is_number()),
        Makes::Text => kind == FieldType::String && operands.iter().all(|field| field.kind.is_text()),
        Makes::Same => match operands[..] {
            [field] => {
                field.kind == kind
                    || (field.kind.is_number() && kind.is_number())
                    || kind == FieldType::String && field.kind.is_text()
            }
            _ => kind.is_number() || kind == FieldType::String,
        },
    };
    if fits { Ok(()) } else { Err(format!("its formula does not make {kind:?}")) }
}
