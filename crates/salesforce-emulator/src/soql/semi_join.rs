//! Semi-joins and anti-joins: `Id IN (SELECT AccountId FROM Contact)`. The rules and most of the texts are Salesforce's.

use std::sync::Arc;

use super::Error;
use super::compile::{Compiler, object_of};
use super::conditions::Clause;
use super::path::Resolved;
use super::query::{Condition, FieldPath, Operand, Query, Scope, SelectItem};
use crate::org::{Field, FieldType};

/// Most of them in one query.
const MOST: usize = 2;
/// Objects that cannot stand inside.
const NOT_INSIDE: [&str; 8] =
    ["ActivityHistory", "Attachment", "Event", "EventAttendee", "Note", "OpenActivity", "Tag", "Task"];

impl Compiler<'_> {
    /// Where semi-joins stand in a WHERE, and how many.
    pub(super) fn check_semi_joins(&self, condition: &Condition) -> Result<(), Error> {
        let refused = |message: &str| Err(Error::malformed(message));
        let itself = |part: &Condition| matches!(part, Condition::InQuery { .. });
        if !condition.has_semi_joins() {
            return Ok(());
        }
        let within_or = |part: &Condition| matches!(part, Condition::Or(parts) if parts.iter().any(itself));
        if within_or(condition) {
            return refused("Semi join sub-selects are not allowed with the 'OR' operator");
        }
        let top = match condition {
            Condition::And(parts) => parts.as_slice(),
            other => std::slice::from_ref(other),
        };
        if top.iter().any(|part| !itself(part) && part.has_semi_joins()) {
            return refused(
                "Semi join sub-selects are only allowed at the top level WHERE expressions and not in nested WHERE expressions.",
            );
        }
        if top.iter().filter(|part| itself(part)).count() > MOST {
            return refused("Maximum 2 semi join sub-selects are allowed.");
        }
        Ok(())
    }

    pub(super) fn semi_join(&mut self, path: &FieldPath, negated: bool, query: &Query) -> Result<String, Error> {
        let refused = |message: String| Error::at("MALFORMED_QUERY", &self.query.text, path.span, &message);
        if self.clause == Clause::Having {
            return Err(refused("Semi join sub-selects are not allowed in HAVING".to_owned()));
        }
        let Resolved { steps, reached, name } = self.resolve(path)?;
        let refused = |message: String| Error::at("MALFORMED_QUERY", &self.query.text, path.span, &message);
        let left = reached.field(&name).cloned().ok_or_else(|| self.no_such_column(path, &name, &reached))?;
        if !matches!(left.kind, FieldType::Id | FieldType::Reference) {
            let message =
                "The left operand field in the where expression for outer query should be an ID or reference field";
            return Err(refused(format!("{message}, cannot use: '{}'", left.name)));
        }
        if !steps.is_empty() {
            return Err(refused("The left operand of a semi join can not traverse relationships".to_owned()));
        }
        let inner_path = inner_field(query)?;
        let inner = object_of(self.schema, query)?;
        let refused = |message: String| Error::at("MALFORMED_QUERY", &self.query.text, inner_path.span, &message);
        if NOT_INSIDE.contains(&inner.name.as_str()) {
            return Err(refused(format!("Entity '{}' is not supported for semi join inner selects", inner.name)));
        }
        if Arc::ptr_eq(inner, self.object) {
            return Err(refused("The inner and outer selects should not be on the same object type".to_owned()));
        }
        let mut compiler = Compiler::new(self.schema, self.asker, query, inner);
        let Resolved { steps, reached, name } = compiler.resolve(inner_path)?;
        let right = reached.field(&name).ok_or_else(|| compiler.no_such_column(inner_path, &name, &reached))?;
        if !steps.is_empty() || !matches!(right.kind, FieldType::Id | FieldType::Reference) {
            let message = "The inner select field for the semi join query should be an ID or reference field";
            return Err(refused(format!("{message}, cannot use: '{}'", inner_path.names.join("."))));
        }
        let points_to = |object: &str, field: &Field| match field.kind {
            FieldType::Id => vec![object.to_owned()],
            _ => field.reference_to.clone(),
        };
        let (ours, theirs) = (points_to(&self.object.name, &left), points_to(&inner.name, right));
        if !ours.iter().any(|object| theirs.contains(object)) {
            return Err(refused(format!(
                "The selected field '{}' in the subquery and the left operand field '{}' in the where expression in the outer \
                 query should point to the same object type",
                right.name, left.name
            )));
        }
        // Its parameters are numbered on behind ours.
        compiler.parameters = std::mem::take(&mut self.parameters);
        let condition = query.condition.as_ref().map(|condition| compiler.condition(condition)).transpose()?;
        let Compiler { joins, parameters, reads, .. } = compiler;
        self.parameters = parameters;
        for object in &reads {
            self.read(object);
        }
        let joins: String = joins.iter().map(|join| join.sql.as_str()).collect();
        let conditions = condition.into_iter().chain(self.schema.rows_seen(inner, "t0"));
        let condition: String = conditions.map(|condition| format!(" AND {condition}")).collect();
        let right = format!("t0.\"{}\"", right.name);
        let sql = format!(
            "SELECT {right} FROM \"{}\" t0{joins} WHERE t0.\"IsDeleted\"=0 AND {right} IS NOT NULL{condition}",
            inner.name
        );
        let left = format!("t0.\"{}\"", left.name);
        Ok(if negated { format!("({left} IS NULL OR {left} NOT IN ({sql}))") } else { format!("{left} IN ({sql})") })
    }
}

/// The one field that the inner query selects, if it is nothing but that.
fn inner_field(query: &Query) -> Result<&FieldPath, Error> {
    let refused = |message: &str| Err(Error::malformed(message));
    if query.has_semi_joins() {
        return refused("Nesting of semi join sub-selects is not supported");
    }
    if !query.order.is_empty() || query.limit.is_some() || query.offset.is_some() {
        return refused("ORDER BY, LIMIT and OFFSET are not allowed in semi join sub-selects");
    }
    if query.has_aggregates() || query.scope != Scope::Everything {
        return refused("semi join sub-selects select one field of an object");
    }
    match query.items() {
        [SelectItem::Field(path)] => Ok(path),
        [SelectItem::Value { operand: Operand::Field(path), .. }] => Ok(path),
        _ => refused("semi join sub-selects select one field of an object"),
    }
}
