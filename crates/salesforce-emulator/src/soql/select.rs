//! The select list of records: what members they have and where their values are.

use std::sync::Arc;

use super::Error;
use super::column::{self, Column};
use super::compile::{Compiler, Output};
use super::path::{Reached, Resolved};
use super::query::{FieldPath, Operand, SelectItem, TypeOf};
use crate::org::{Field, FieldType, SObject};

impl Compiler<'_> {
    pub(super) fn select(&mut self, with_deleted: bool) -> Result<Vec<Output>, Error> {
        let query = self.query;
        let mut outputs = Vec::new();
        for item in query.items() {
            match item {
                SelectItem::Field(path) => self.select_path(&mut outputs, path)?,
                SelectItem::Value { operand, alias } => self.select_value(&mut outputs, operand, alias.as_deref())?,
                SelectItem::Children(query) => self.select_children(&mut outputs, query, with_deleted)?,
                SelectItem::TypeOf(type_of) => self.select_type_of(&mut outputs, type_of)?,
                SelectItem::AllFields => self.select_set(&mut outputs, true, |_| true)?,
                SelectItem::StandardFields => self.select_set(&mut outputs, false, |field| !field.custom)?,
                SelectItem::CustomFields => self.select_set(&mut outputs, true, |field| field.custom)?,
            }
        }
        Ok(outputs)
    }

    fn select_set(
        &mut self,
        outputs: &mut Vec<Output>,
        bounded: bool,
        wanted: fn(&Field) -> bool,
    ) -> Result<(), Error> {
        if bounded && self.query.limit.is_none_or(|limit| limit > 200) {
            return Err(Error::malformed("The SOQL FIELDS function must have a LIMIT of at most 200"));
        }
        let object = Arc::clone(self.object);
        for field in object.fields.iter().filter(|field| wanted(field)) {
            if named(outputs, &field.name).is_none() {
                let output = self.output(&object, "t0", field);
                outputs.push(output);
            }
        }
        Ok(())
    }

    fn select_path(&mut self, outputs: &mut Vec<Output>, path: &FieldPath) -> Result<(), Error> {
        let resolved = self.resolve(path)?;
        let output = self.output_of(path, &resolved.reached, &resolved.name)?;
        self.place(outputs, path, resolved, output)
    }

    fn select_value(&mut self, outputs: &mut Vec<Output>, operand: &Operand, alias: Option<&str>) -> Result<(), Error> {
        let path = operand.path();
        let refused = |message: &str| Err(Error::at("MALFORMED_QUERY", &self.query.text, path.span, message));
        match operand {
            Operand::Field(_) => return refused("only aggregate expressions use field aliasing"),
            Operand::DatePart { .. } => return refused("date functions in SELECT must be grouped"),
            Operand::Label(_) | Operand::Aggregate { .. } => {}
        }
        let resolved = self.resolve(path)?;
        let Some(field) = resolved.reached.field(&resolved.name) else {
            return Err(self.no_such_column(path, &resolved.name, &resolved.reached));
        };
        if !matches!(field.kind, FieldType::Picklist | FieldType::MultiPicklist) {
            let message = format!("field {} does not support toLabel()", field.name);
            return Err(Error::at("INVALID_FIELD", &self.query.text, path.span, &message));
        }
        let labels = field.labels().map(|(value, label)| (value.to_owned(), label.to_owned())).collect();
        let name = alias.unwrap_or(&field.name).to_owned();
        let shown = resolved.reached.column(&resolved.name).map_or("NULL".to_owned(), |column| column.shown);
        let output = Output::Label { name, column: self.column(shown), labels };
        let resolved = if alias.is_some() { Resolved { steps: Vec::new(), ..resolved } } else { resolved };
        self.place(outputs, path, resolved, output)
    }

    /// Puts a member into the record, or into that of the parent it belongs to.
    fn place(
        &mut self,
        outputs: &mut Vec<Output>,
        path: &FieldPath,
        resolved: Resolved,
        output: Output,
    ) -> Result<(), Error> {
        let duplicate = |name: String| Error::Refused {
            code: "INVALID_FIELD",
            message: format!("duplicate field selected: {name}"),
        };
        let mut level = outputs;
        for (name, reached) in resolved.steps {
            let at = match named(level, &name) {
                Some(at) => at,
                None => {
                    let parent = self.parent_output(name.clone(), reached);
                    level.push(parent);
                    level.len() - 1
                }
            };
            level = match &mut level[at] {
                Output::Parent { outputs, .. } | Output::AnyParent { outputs, .. } => outputs,
                _ => return Err(duplicate(name)),
            };
        }
        if named(level, output.name()).is_some() {
            return Err(duplicate(self.without_own_name(path).join(".")));
        }
        level.push(output);
        Ok(())
    }

    fn parent_output(&mut self, name: String, reached: Reached) -> Output {
        match reached {
            Reached::One { alias, object } => {
                let id = self.column(format!("{alias}.\"Id\""));
                Output::Parent { name, object, id, outputs: Vec::new() }
            }
            Reached::Any { reference, targets } => {
                let id = Column::of_any(&reference, &targets, "Id").map_or(reference, |column| column.shown);
                let targets = targets.into_iter().map(|target| target.object).collect();
                Output::AnyParent { name, id: self.column(id), targets, outputs: Vec::new() }
            }
        }
    }

    fn output_of(&mut self, path: &FieldPath, reached: &Reached, name: &str) -> Result<Output, Error> {
        if let Reached::One { alias, object } = reached
            && let Some(field) = object.field(name)
        {
            return Ok(self.output(object, alias, field));
        }
        let Some(Column { name, kind, shown, .. }) = reached.column(name) else {
            return Err(self.no_such_column(path, name, reached));
        };
        Ok(Output::Field { name, kind, column: self.column(shown) })
    }

    fn output(&mut self, object: &SObject, alias: &str, field: &Field) -> Output {
        let name = field.name.clone();
        let shown = Column::of(alias, field, false).shown;
        self.long_texts += usize::from(field.custom && field.kind == FieldType::TextArea && field.length > 255);
        if field.kind == FieldType::Base64 {
            return Output::Blob { name, column: self.column(shown) };
        }
        if !field.kind.is_compound() {
            return Output::Field { name, kind: field.kind, column: self.column(shown) };
        }
        let parts = column::parts(object, field).into_iter().map(|(key, part)| match part {
            Some(part) => (key, part.kind, self.column(Column::of(alias, part, false).shown)),
            None => (key, FieldType::String, self.column("NULL".to_owned())),
        });
        Output::Compound { name, parts: parts.collect() }
    }

    fn select_type_of(&mut self, outputs: &mut Vec<Output>, type_of: &TypeOf) -> Result<(), Error> {
        let path = &type_of.parent;
        let [relationship] = self.without_own_name(path) else {
            return Err(Error::gap("TYPEOF of a parent's parent"));
        };
        let Some(field) = self.object.parent(relationship).cloned() else {
            return Err(self.no_such_relationship(path, relationship));
        };
        if field.reference_to.len() < 2 {
            let message = format!("TYPEOF can be used with polymorphic relationships only: {relationship}");
            return Err(Error::at("MALFORMED_QUERY", &self.query.text, path.span, &message));
        }
        let targets = self.targets(&field);
        let name = field.relationship_name.clone().unwrap_or_default();
        let mut parents = Vec::new();
        for (object, fields) in &type_of.branches {
            let named = |target: &&Arc<SObject>| target.name.eq_ignore_ascii_case(object.name());
            let Some(target) = targets.iter().find(named) else {
                let message = format!("'{}' is not a type that {relationship} may be of", object.name());
                return Err(Error::at("INVALID_TYPE", &self.query.text, object.span, &message));
            };
            let join = format!(".{relationship}:{}", target.name).to_ascii_lowercase();
            let reached = self.join(&join, "t0", &field, target)?;
            parents.push(self.type_of_branch(&name, &reached, fields)?);
        }
        if !type_of.otherwise.is_empty() {
            let targets = self.any_of(targets);
            let reached = Reached::Any { reference: format!("t0.\"{}\"", field.name), targets };
            parents.push(self.type_of_branch(&name, &reached, &type_of.otherwise)?);
        }
        let output = Output::OneOf { name, parents };
        let itself = Reached::One { alias: "t0".to_owned(), object: Arc::clone(self.object) };
        let here = Resolved { steps: Vec::new(), reached: itself, name: relationship.clone() };
        self.place(outputs, path, here, output)
    }

    fn type_of_branch(&mut self, name: &str, reached: &Reached, fields: &[FieldPath]) -> Result<Output, Error> {
        let mut parent = self.parent_output(name.to_owned(), reached.clone());
        if let Output::Parent { outputs, .. } | Output::AnyParent { outputs, .. } = &mut parent {
            for path in fields {
                let [field] = path.names.as_slice() else {
                    return Err(Error::gap("relationships inside TYPEOF"));
                };
                let output = self.output_of(path, reached, field)?;
                let here = Resolved { steps: Vec::new(), reached: reached.clone(), name: field.clone() };
                self.place(outputs, path, here, output)?;
            }
        }
        Ok(parent)
    }
}

pub(super) fn named(outputs: &[Output], wanted: &str) -> Option<usize> {
    outputs.iter().position(|output| output.name().eq_ignore_ascii_case(wanted))
}
