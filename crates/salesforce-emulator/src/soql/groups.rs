//! Aggregates: the select list of groups, `GROUP BY`, and what may be said of a group elsewhere.

use super::Error;
use super::column::Column;
use super::compile::{Compiler, Output};
use super::query::{Aggregate, Operand, SelectItem};
use super::select::named;
use crate::org::FieldType;

impl Compiler<'_> {
    /// The members of a group: those without an alias are called by their field or, functions, `expr0`, `expr1` and so on.
    pub(super) fn select_groups(&mut self) -> Result<Vec<Output>, Error> {
        let query = self.query;
        if query.group.is_empty() && query.limit.is_some() {
            let message = "Non-grouped query that uses overall aggregate functions cannot also use LIMIT";
            return Err(Error::malformed(message));
        }
        let (mut outputs, mut unnamed) = (Vec::new(), 0);
        for item in query.items() {
            let (operand, alias) = match item {
                SelectItem::Field(path) => (Operand::Field(path.clone()), None),
                SelectItem::Value { operand, alias } => (operand.clone(), alias.clone()),
                SelectItem::Children(_) => {
                    return Err(Error::malformed("sub-queries are not allowed in an aggregate query"));
                }
                SelectItem::TypeOf(_) => return Err(Error::malformed("TYPEOF is not allowed in an aggregate query")),
                SelectItem::AllFields | SelectItem::StandardFields | SelectItem::CustomFields => {
                    return Err(Error::malformed("The SOQL FIELDS function is not supported with GROUP BY"));
                }
            };
            let column = self.grouped(&operand, "Field must be grouped or aggregated")?;
            let name = match (alias, &operand) {
                (Some(alias), _) => alias,
                (None, Operand::Field(_)) => column.name,
                (None, _) => {
                    unnamed += 1;
                    format!("expr{}", unnamed - 1)
                }
            };
            if named(&outputs, &name).is_some() {
                let message = format!("duplicate alias: {name}");
                return Err(Error::at("MALFORMED_QUERY", &query.text, operand.path().span, &message));
            }
            let place = self.column(column.shown);
            outputs.push(Output::Field { name, kind: column.kind, column: place });
        }
        Ok(outputs)
    }

    pub(super) fn group(&mut self) -> Result<Vec<String>, Error> {
        let query = self.query;
        let mut keys = Vec::with_capacity(query.group.len());
        for key in &query.group {
            let column = self.operand(key)?;
            if !column.groupable {
                let message = format!("field '{}' can not be grouped in a query call", column.name);
                return Err(Error::at("INVALID_FIELD", &query.text, key.path().span, &message));
            }
            keys.push(column.value);
        }
        Ok(keys)
    }

    /// What every row of a group has in common, or an aggregate of them; anything else is refused with `message`.
    pub(super) fn grouped(&mut self, operand: &Operand, message: &str) -> Result<Column, Error> {
        let query = self.query;
        let path = operand.path();
        let at = |code, message: &str| Error::at(code, &query.text, path.span, message);
        if let Operand::Aggregate { function, field } = operand {
            let column = self.operand(&Operand::Field(field.clone()))?;
            if self.is_group_key(&column)? {
                return Err(at("MALFORMED_QUERY", &format!("Grouped field should not be aggregated: {}", column.name)));
            }
            let name = column.name.clone();
            if column.kind == FieldType::Picklist && matches!(function, Aggregate::Minimum | Aggregate::Maximum) {
                return Err(Error::gap("MIN and MAX of picklists"));
            }
            let refused = format!("field {name} does not support aggregate operator {}", function.name());
            return column.aggregate(*function).ok_or_else(|| at("INVALID_FIELD", &refused));
        }
        let column = self.operand(operand)?;
        if !self.is_group_key(&column)? {
            return Err(at("MALFORMED_QUERY", &format!("{message}: {}", path.names.join("."))));
        }
        Ok(column)
    }

    fn is_group_key(&mut self, column: &Column) -> Result<bool, Error> {
        for key in &self.query.group {
            if self.operand(key)?.value == column.value {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
