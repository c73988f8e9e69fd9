//! Changes to single fields.

use super::super::attributes::{child, fields, picklist_values, relationship};
use super::super::definition::FieldDefinition;
use super::super::field::{Field, FieldType, PicklistValue};
use super::super::refused::SchemaError;
use super::{Draft, Edit, custom_name, sound};

/// Fields that the org maintains, which every object has and nobody can do without.
const SYSTEM: [&str; 8] = [
    "Id",
    "IsDeleted",
    "OwnerId",
    "CreatedDate",
    "CreatedById",
    "LastModifiedDate",
    "LastModifiedById",
    "SystemModstamp",
];

impl Draft {
    pub(super) fn add_field(
        &mut self,
        object: &str,
        name: &str,
        definition: &FieldDefinition,
    ) -> Result<(), SchemaError> {
        custom_name(name)?;
        let described = self.object(object)?;
        sound::check(&self.schema, described, name, definition)?;
        let made = fields(name, definition);
        if let Some(taken) = made.iter().find(|field| described.field(&field.name).is_some()) {
            return Err(SchemaError::Exists(format!("{}.{}", described.name, taken.name)));
        }
        let object = described.name.clone();
        let relation = child(described, name, definition);
        for parent in &definition.to {
            self.change(parent)?.children.push(relation.clone());
            self.touch(parent);
        }
        let stored = made.iter().filter(|field| field.is_stored());
        self.edits.extend(stored.map(|field| Edit::Add { object: object.clone(), field: Box::new(field.clone()) }));
        self.rewrite(&object, |fields| fields.extend(made))
    }

    pub(super) fn remove_field(&mut self, object: &str, name: &str) -> Result<(), SchemaError> {
        let (object, field) = self.own(object, name)?;
        self.unused(&object, &field)?;
        self.disown(&object, &field, None);
        let gone = |other: &Field| other.name == field.name || other.compound() == Some(field.name.as_str());
        let doomed: Vec<Field> = self.object(&object)?.fields.iter().filter(|other| gone(other)).cloned().collect();
        for field in doomed {
            self.change(&object)?.hidden_fields.remove(&field.name);
            if field.is_stored() {
                self.edits.push(Edit::Drop { object: object.clone(), field: field.name });
            }
        }
        self.rewrite(&object, |fields| fields.retain(|other| !gone(other)))
    }

    pub(super) fn rename_field(&mut self, object: &str, name: &str, to: &str) -> Result<(), SchemaError> {
        custom_name(to)?;
        let (object, field) = self.own(object, name)?;
        self.unused(&object, &field)?;
        let described = self.object(&object)?;
        if described.field(to).is_some_and(|other| other.name != field.name) {
            return Err(SchemaError::Exists(format!("{object}.{to}")));
        }
        let stem = |name: &str| name.strip_suffix("__c").unwrap_or(name).to_owned();
        let (from, into) = (stem(&field.name), stem(to));
        // The compound and its parts: `X__c`, `X__Latitude__s`.
        let renamed = |other: &Field| {
            let part = other.compound() == Some(field.name.as_str());
            (part || other.name == field.name).then(|| format!("{into}{}", &other.name[from.len()..]))
        };
        let names: Vec<(Field, String)> =
            described.fields.iter().filter_map(|other| Some((other.clone(), renamed(other)?))).collect();
        for (other, name) in &names {
            let hidden = &mut self.change(&object)?.hidden_fields;
            if hidden.remove(&other.name) {
                hidden.insert(name.clone());
            }
            if other.is_stored() {
                let (from, to) = (other.name.clone(), name.clone());
                self.edits.push(Edit::Rename { object: object.clone(), from, to });
            }
        }
        self.disown(&object, &field, Some(to));
        self.rewrite(&object, |fields| {
            for other in fields.iter_mut() {
                if let Some(name) = renamed(other) {
                    other.compound_field_name = other.compound().map(|_| to.to_owned());
                    other.relationship_name = other.relationship_name.take().map(|_| relationship(&name));
                    other.name = name;
                }
            }
        })
    }

    pub(super) fn retype_field(
        &mut self,
        object: &str,
        name: &str,
        definition: &FieldDefinition,
    ) -> Result<(), SchemaError> {
        let (object, from) = self.own(object, name)?;
        let computed = from.formula().is_some() || definition.formula.is_some();
        if !(is_convertible(from.kind) && is_convertible(definition.kind)
            || from.kind == definition.kind && is_plain(from.kind))
        {
            return Err(SchemaError::Types {
                field: format!("{object}.{}", from.name),
                from: from.kind,
                to: definition.kind,
            });
        }
        self.unused(&object, &from)?;
        let label = definition.label.clone().or_else(|| Some(from.label.clone()));
        let definition = FieldDefinition { label, ..definition.clone() };
        sound::check(&self.schema, self.object(&object)?, &from.name, &definition)?;
        let Some(to) = fields(&from.name, &definition).into_iter().next() else { return Ok(()) };
        let column = || Edit::Add { object: object.clone(), field: Box::new(to.clone()) };
        let dropped = || Edit::Drop { object: object.clone(), field: from.name.clone() };
        match (from.is_stored(), to.is_stored()) {
            (true, true) if !computed => {
                let (from, to) = (Box::new(from.clone()), Box::new(to.clone()));
                self.edits.push(Edit::Convert { object: object.clone(), from, to });
            }
            (true, false) => self.edits.push(dropped()),
            (false, true) => self.edits.push(column()),
            _ => {}
        }
        self.edit(&object, &from.name, |field| *field = to)
    }

    pub(super) fn require_field(&mut self, object: &str, name: &str, required: bool) -> Result<(), SchemaError> {
        let (object, field) = self.own(object, name)?;
        let why = if field.kind == FieldType::Boolean || field.kind.is_compound() || field.formula().is_some() {
            "checkboxes always have a value, and compounds and formulas are not written"
        } else if required && self.object(&object)?.hides(&field.name) {
            "a required field is visible: show it first"
        } else {
            return self.edit(&object, &field.name, |field| {
                field.nillable = !required;
                field.permissionable = !required;
            });
        };
        Err(SchemaError::Definition { field: format!("{object}.{}", field.name), why: why.to_owned() })
    }

    pub(super) fn change_picklist(
        &mut self,
        object: &str,
        name: &str,
        add: &[String],
        deactivate: &[String],
        restricted: Option<bool>,
    ) -> Result<(), SchemaError> {
        let field = self.field(object, name)?;
        let refused = |why: String| SchemaError::Definition { field: format!("{object}.{}", field.name), why };
        if !matches!(field.kind, FieldType::Picklist | FieldType::MultiPicklist) {
            return Err(refused("it is no picklist".to_owned()));
        }
        let known = |value: &&String| field.picklist_values.iter().any(|known| known.value == **value);
        if let Some(unknown) = deactivate.iter().find(|value| !known(value)) {
            return Err(refused(format!("it has no value '{unknown}' to deactivate")));
        }
        self.edit(object, name, |field| {
            let fresh = picklist_values(add, None);
            for value in fresh {
                match field.picklist_values.iter_mut().find(|known| known.value == value.value) {
                    Some(known) => known.active = true,
                    None => field.picklist_values.push(value),
                }
            }
            let doomed = |known: &&mut PicklistValue| deactivate.contains(&known.value);
            field.picklist_values.iter_mut().filter(doomed).for_each(|known| known.active = false);
            field.restricted_picklist = restricted.unwrap_or(field.restricted_picklist);
        })
    }

    pub(super) fn hide_field(&mut self, object: &str, name: &str) -> Result<(), SchemaError> {
        let field = self.field(object, name)?;
        let full = format!("{object}.{}", field.name);
        if let Some(whole) = field.compound() {
            return Err(SchemaError::Part { part: full, whole: whole.to_owned() });
        }
        if SYSTEM.contains(&field.name.as_str()) || field.name_field || field.required() {
            return Err(SchemaError::AlwaysVisible(full));
        }
        let names = self.with_parts(object, &field.name)?;
        self.change(object)?.hidden_fields.extend(names);
        self.reread(object, &field)
    }

    pub(super) fn show_field(&mut self, object: &str, name: &str) -> Result<(), SchemaError> {
        let field = self.field(object, name)?;
        let names = self.with_parts(object, &field.name)?;
        self.change(object)?.hidden_fields.retain(|hidden| !names.contains(hidden));
        self.reread(object, &field)
    }

    /// Changes the attributes of a field, standard or custom.
    pub(super) fn edit(&mut self, object: &str, name: &str, edit: impl FnOnce(&mut Field)) -> Result<(), SchemaError> {
        let name = self.field(object, name)?.name;
        self.rewrite(object, |fields| {
            if let Some(field) = fields.iter_mut().find(|field| field.name == name) {
                edit(field);
            }
        })
    }

    fn rewrite(&mut self, object: &str, rewrite: impl FnOnce(&mut Vec<Field>)) -> Result<(), SchemaError> {
        let described = self.change(object)?;
        let mut fields = described.fields.to_vec();
        rewrite(&mut fields);
        described.fields = fields.into();
        self.touch(object);
        Ok(())
    }

    fn field(&self, object: &str, name: &str) -> Result<Field, SchemaError> {
        let described = self.object(object)?;
        let unknown = || SchemaError::NoField { object: described.name.clone(), field: name.to_owned() };
        described.field(name).cloned().ok_or_else(unknown)
    }

    /// The object's canonical name, and a field of it that is the administrator's own and no part of another.
    fn own(&self, object: &str, name: &str) -> Result<(String, Field), SchemaError> {
        let field = self.field(object, name)?;
        let object = self.object(object)?.name.clone();
        if !field.custom {
            return Err(SchemaError::Standard(format!("{object}.{}", field.name)));
        }
        match field.compound() {
            Some(whole) => Err(SchemaError::Part { part: format!("{object}.{}", field.name), whole: whole.to_owned() }),
            None => Ok((object, field)),
        }
    }

    /// Formulas keep the fields they read from going or changing.
    fn unused(&self, object: &str, field: &Field) -> Result<(), SchemaError> {
        let reads = |other: &&Field| {
            other.formula().is_some_and(|formula| formula.fields().any(|name| name.eq_ignore_ascii_case(&field.name)))
        };
        match self.object(object)?.fields.iter().find(reads) {
            Some(reader) => Err(SchemaError::Used {
                what: format!("{object}.{}", field.name),
                by: format!("the formula of {}", reader.name),
            }),
            None => Ok(()),
        }
    }

    /// Lets the parents of a reference know that it goes, or has another name.
    fn disown(&mut self, object: &str, field: &Field, to: Option<&str>) {
        for parent in &field.reference_to {
            let Ok(described) = self.change(parent) else { continue };
            match to {
                None => described.children.retain(|relation| relation.child != object || relation.field != field.name),
                Some(to) => {
                    for relation in &mut described.children {
                        if relation.child == object && relation.field == field.name {
                            to.clone_into(&mut relation.field);
                        }
                    }
                }
            }
            self.touch(parent);
        }
    }

    /// Notes that the user reads another describe of the object, and of the parents of a reference.
    fn reread(&mut self, object: &str, field: &Field) -> Result<(), SchemaError> {
        self.touch(object);
        field.reference_to.iter().for_each(|parent| self.touch(parent));
        Ok(())
    }

    fn with_parts(&self, object: &str, name: &str) -> Result<Vec<String>, SchemaError> {
        let with = |field: &&Field| field.name == name || field.compound() == Some(name);
        Ok(self.object(object)?.fields.iter().filter(with).map(|field| field.name.clone()).collect())
    }
}

/// Salesforce converts values between these.
fn is_convertible(kind: FieldType) -> bool {
    use FieldType::{Boolean, Date, DateTime, Time};
    (kind.is_text() && is_plain(kind)) || kind.is_number() || matches!(kind, Boolean | Date | DateTime | Time)
}

/// Has values of its own that may change their limits without changing their type.
fn is_plain(kind: FieldType) -> bool {
    use FieldType::{Address, DataCategoryGroupReference, EncryptedString, Id, Location, Reference};
    !matches!(kind, Address | Location | Id | Reference | EncryptedString | DataCategoryGroupReference)
}
