//! Paths of relationships: `Account.Owner.Name` as joins, `What.Name` as a look into whichever table the id belongs to.

use std::sync::Arc;

use super::Error;
use super::column::Column;
use super::compile::Compiler;
use super::query::{FieldPath, Operand};
use crate::org::{Field, FieldType, SObject};

/// Most relationships to parents in one query.
const MOST_PARENTS: usize = 55;

/// A parent's table beside the object's own.
#[derive(Debug)]
pub(super) struct Join {
    /// Lower-case path of relationships, for finding the join again.
    path: String,
    object: Arc<SObject>,
    pub(super) sql: String,
}

/// Where a path of relationships leads.
#[derive(Debug, Clone)]
pub(super) enum Reached {
    /// To a table.
    One { alias: String, object: Arc<SObject> },
    /// To a record of one of several types, by the SQL of its id.
    Any { reference: String, targets: Vec<Target> },
}

/// A type of record that a reference may point to.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) object: Arc<SObject>,
    /// Which of its rows there are for whoever asks, as SQL over alias `p`.
    pub(super) seen: Option<String>,
}

/// A path with its relationships found.
pub(super) struct Resolved {
    /// Names of the relationships in their canonical case, and where each leads.
    pub(super) steps: Vec<(String, Reached)>,
    /// Where the last one leads.
    pub(super) reached: Reached,
    /// The field's name as written.
    pub(super) name: String,
}

impl Reached {
    pub(super) fn column(&self, name: &str) -> Option<Column> {
        match self {
            Self::One { alias, object } => Some(Column::of(alias, object.field(name)?, alias != "t0")),
            Self::Any { reference, targets } => Column::of_any(reference, targets, name),
        }
    }

    pub(super) fn field(&self, name: &str) -> Option<&Field> {
        match self {
            Self::One { object, .. } => object.field(name),
            Self::Any { .. } => None,
        }
    }

    fn entity(&self) -> &str {
        match self {
            Self::One { object, .. } => &object.name,
            Self::Any { .. } => "Name",
        }
    }
}

impl Compiler<'_> {
    /// Walks the relationships of a path, joining parents on the way.
    pub(super) fn resolve(&mut self, path: &FieldPath) -> Result<Resolved, Error> {
        let names = self.without_own_name(path);
        if names.len() > 6 {
            return Err(Error::malformed("SOQL relationship paths reach five levels at most"));
        }
        let mut reached = Reached::One { alias: "t0".to_owned(), object: Arc::clone(self.object) };
        let (mut steps, mut joined) = (Vec::new(), String::new());
        let (name, relationships) = names.split_last().map_or(("", names), |(name, rest)| (name.as_str(), rest));
        for relationship in relationships {
            let step = match &reached {
                Reached::One { alias, object } => {
                    object.parent(relationship).map(|field| (alias.clone(), Arc::clone(object), field.clone()))
                }
                Reached::Any { .. } => None,
            };
            let Some((alias, object, field)) = step else {
                return Err(self.no_such_relationship(path, relationship));
            };
            joined = format!("{joined}.{}", relationship.to_ascii_lowercase());
            reached = self.parent(&alias, &object, &field, &joined)?;
            steps.push((field.relationship_name.unwrap_or_else(|| relationship.clone()), reached.clone()));
        }
        Ok(Resolved { steps, reached, name: name.to_owned() })
    }

    fn parent(&mut self, alias: &str, object: &SObject, field: &Field, path: &str) -> Result<Reached, Error> {
        let targets = self.targets(field);
        if field.reference_to.len() > 1 {
            let targets = self.any_of(targets);
            return Ok(Reached::Any { reference: format!("{alias}.\"{}\"", field.name), targets });
        }
        let Some(target) = targets.first() else {
            return Err(Error::gap(format!("paths through {}.{}", object.name, field.name)));
        };
        self.join(path, alias, field, target)
    }

    /// Any of these: their tables are read.
    pub(super) fn any_of(&mut self, targets: Vec<Arc<SObject>>) -> Vec<Target> {
        for target in &targets {
            self.read(target);
        }
        let seen = |object: &Arc<SObject>| self.schema.rows_seen(object, "p");
        targets.into_iter().map(|object| Target { seen: seen(&object), object }).collect()
    }

    /// The objects of the org that a reference may point to.
    pub(super) fn targets(&self, field: &Field) -> Vec<Arc<SObject>> {
        field.reference_to.iter().filter_map(|name| self.schema.object(name).cloned()).collect()
    }

    /// The table of a parent; one that was joined before is used again.
    pub(super) fn join(
        &mut self,
        path: &str,
        alias: &str,
        field: &Field,
        target: &Arc<SObject>,
    ) -> Result<Reached, Error> {
        let number = match self.joins.iter().position(|join| join.path == path) {
            Some(at) => at + 1,
            None => {
                let number = self.joins.len() + 1;
                if number > MOST_PARENTS {
                    let message = format!("a query may follow {MOST_PARENTS} relationships to parents at most");
                    return Err(Error::malformed(message));
                }
                let (table, id) = (&target.name, &field.name);
                let seen = self.schema.rows_seen(target, &format!("t{number}"));
                let seen = seen.map(|seen| format!(" AND {seen}")).unwrap_or_default();
                let sql = format!(" LEFT JOIN \"{table}\" t{number} ON t{number}.\"Id\"={alias}.\"{id}\"{seen}");
                self.joins.push(Join { path: path.to_owned(), object: Arc::clone(target), sql });
                self.read(target);
                number
            }
        };
        Ok(Reached::One { alias: format!("t{number}"), object: Arc::clone(&self.joins[number - 1].object) })
    }

    /// The names of a path without the query's own alias, or its object's name, before them.
    pub(super) fn without_own_name<'p>(&self, path: &'p FieldPath) -> &'p [String] {
        let own = |name: &str| {
            [Some(&self.query.from), self.query.alias.as_ref(), Some(&self.object.name)]
                .into_iter()
                .flatten()
                .any(|own| name.eq_ignore_ascii_case(own))
        };
        match path.names.as_slice() {
            [first, rest @ ..] if !rest.is_empty() && own(first) && self.object.parent(first).is_none() => rest,
            names => names,
        }
    }

    /// What is shown, compared, grouped or ordered by, aggregates of rows aside.
    pub(super) fn operand(&mut self, operand: &Operand) -> Result<Column, Error> {
        let path = operand.path();
        let Resolved { reached, name, .. } = self.resolve(path)?;
        let column = reached.column(&name).ok_or_else(|| self.no_such_column(path, &name, &reached))?;
        match operand {
            Operand::Field(_) => Ok(column),
            Operand::DatePart { function, local, .. } => {
                let refused = |message: String| Error::at("MALFORMED_QUERY", &self.query.text, path.span, &message);
                let Some(kind) = function.makes(column.kind) else {
                    return Err(refused(format!(
                        "field {} does not support function {}",
                        column.name,
                        function.name()
                    )));
                };
                if *local && column.kind != FieldType::DateTime {
                    return Err(refused(format!("convertTimezone() can not be used with field {}", column.name)));
                }
                // Names of zones are those of the time zone database.
                let zone = self
                    .asker
                    .zone
                    .iana_name()
                    .filter(|_| *local)
                    .map_or("NULL".to_owned(), |zone| format!("'{zone}'"));
                let value =
                    format!("date_part('{}',{},{zone},{})", function.name(), column.value, self.asker.fiscal_month);
                Ok(Column { kind, shown: value.clone(), value, groupable: true, ..column })
            }
            Operand::Aggregate { .. } => {
                let message = "Aggregate expressions are allowed in SELECT, HAVING and ORDER BY only";
                Err(Error::at("MALFORMED_QUERY", &self.query.text, path.span, message))
            }
            Operand::Label(_) => Err(Error::gap("toLabel(…) outside the select list")),
        }
    }

    /// Picklists are ordered as the administrator arranged them: the SQL of a value's place, for one that has an order.
    pub(super) fn place_in_picklist(&mut self, operand: &Operand, value: &str) -> Result<Option<String>, Error> {
        let Operand::Field(path) = operand else { return Ok(None) };
        let Resolved { reached, name, .. } = self.resolve(path)?;
        let Some(field) = reached.field(&name).filter(|field| field.kind == FieldType::Picklist) else {
            return Ok(None);
        };
        let mut values: String = field.picklist().flat_map(|value| ["\n", value]).collect();
        if values.is_empty() {
            return Ok(None);
        }
        values.push('\n');
        let values = self.bind(values.into());
        let place = format!("instr({values},char(10)||{value}||char(10))");
        Ok(Some(format!("CASE {place} WHEN 0 THEN 1000000 ELSE {place} END")))
    }

    pub(super) fn no_such_column(&self, path: &FieldPath, name: &str, reached: &Reached) -> Error {
        let message = format!(
            "No such column '{name}' on entity '{}'. If you are attempting to use a custom field, be sure to append the '__c' after \
             the custom field name. Please reference your WSDL or the describe call for the appropriate names.",
            reached.entity()
        );
        Error::at("INVALID_FIELD", &self.query.text, path.span, &message)
    }

    pub(super) fn no_such_relationship(&self, path: &FieldPath, relationship: &str) -> Error {
        let message = format!(
            "Didn't understand relationship '{relationship}' in field path. If you are attempting to use a custom \
             relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or \
             the describe call for the appropriate names."
        );
        Error::at("INVALID_FIELD", &self.query.text, path.span, &message)
    }
}
