//! The WHERE of a query as SQL: literals are checked against the types of their fields and bound.

use std::sync::Arc;

use rusqlite::types::Value as Stored;

use super::compile::Compiler;
use super::lexer::{like_pattern, unescape};
use super::query::{Comparison, Condition, FieldPath, Literal};
use super::{Error, column};
use crate::org::{Field, FieldType, Id, SObject, stamp};

impl Compiler<'_> {
    pub(super) fn condition(&mut self, condition: &Condition) -> Result<String, Error> {
        match condition {
            Condition::And(parts) => self.joined(parts, "AND"),
            Condition::Or(parts) => self.joined(parts, "OR"),
            // In SOQL a comparison with null is false, not unknown, so that its negation is true.
            Condition::Not(part) => Ok(format!("NOT COALESCE({},0)", self.condition(part)?)),
            Condition::Compare { field, comparison, literal } => self.compare(field, *comparison, literal),
            Condition::In { field, negated, literals } => self.member(field, *negated, literals),
        }
    }

    /// A balanced tree: SQLite refuses expressions deeper than a thousand.
    fn joined(&mut self, parts: &[Condition], word: &str) -> Result<String, Error> {
        match parts {
            [only] => self.condition(only),
            _ => {
                let (left, right) = parts.split_at(parts.len() / 2);
                Ok(format!("({} {word} {})", self.joined(left, word)?, self.joined(right, word)?))
            }
        }
    }

    fn compare(&mut self, path: &FieldPath, comparison: Comparison, literal: &Literal) -> Result<String, Error> {
        let (column, object, at) = self.filterable(path)?;
        let field = &object.fields[at];
        if comparison == Comparison::Like {
            let Literal::Text(raw) = literal else { return Err(self.wrong_type(path, field)) };
            if !field.kind.is_text() {
                let message = format!("invalid operator on {} field", field.kind.name());
                return Err(Error::at("INVALID_QUERY_FILTER_OPERATOR", &self.query.text, path.span, &message));
            }
            let pattern = like_pattern(raw)?;
            let place = self.bind(Stored::Text(pattern));
            return Ok(format!("{column} LIKE {place} ESCAPE '\\'"));
        }
        let value = self.value(path, field, literal)?;
        let operator = match (comparison, &value) {
            (Comparison::Equal, Stored::Null) => return Ok(format!("{column} IS NULL")),
            (Comparison::NotEqual, Stored::Null) => return Ok(format!("{column} IS NOT NULL")),
            (_, Stored::Null) => return Ok("0".to_owned()),
            (Comparison::NotEqual, _) => {
                let place = self.bind(value);
                return Ok(format!("({column} IS NULL OR {column}<>{place})"));
            }
            (Comparison::Equal | Comparison::Like, _) => "=",
            (Comparison::Less, _) => "<",
            (Comparison::LessOrEqual, _) => "<=",
            (Comparison::Greater, _) => ">",
            (Comparison::GreaterOrEqual, _) => ">=",
        };
        let place = self.bind(value);
        Ok(format!("{column}{operator}{place}"))
    }

    fn member(&mut self, path: &FieldPath, negated: bool, literals: &[Literal]) -> Result<String, Error> {
        let (column, object, at) = self.filterable(path)?;
        let field = &object.fields[at];
        let mut places = Vec::with_capacity(literals.len());
        let mut null = false;
        for literal in literals {
            match self.value(path, field, literal)? {
                Stored::Null => null = true,
                value => places.push(self.bind(value)),
            }
        }
        let places = places.join(",");
        Ok(match (negated, null) {
            (false, false) => format!("{column} IN ({places})"),
            (false, true) => format!("({column} IS NULL OR {column} IN ({places}))"),
            (true, false) => format!("({column} IS NULL OR {column} NOT IN ({places}))"),
            (true, true) => format!("({column} IS NOT NULL AND {column} NOT IN ({places}))"),
        })
    }

    fn filterable(&mut self, path: &FieldPath) -> Result<(String, Arc<SObject>, usize), Error> {
        let (alias, object, names) = self.resolve(path)?;
        let name = &names[names.len() - 1];
        let at = object.position(name).ok_or_else(|| self.no_such_column(path, name, &object))?;
        let field = &object.fields[at];
        if !field.filterable || field.kind.is_compound() {
            let message = format!("field '{}' can not be filtered in a query call", field.name);
            return Err(Error::at("INVALID_FIELD", &self.query.text, path.span, &message));
        }
        Ok((column::value(&alias, field), object, at))
    }

    fn bind(&mut self, value: Stored) -> String {
        self.parameters.push(value);
        format!("?{}", self.parameters.len())
    }

    /// A literal as a value of the field's type.
    fn value(&self, path: &FieldPath, field: &Field, literal: &Literal) -> Result<Stored, Error> {
        Ok(match (field.kind, literal) {
            (_, Literal::Null) => Stored::Null,
            (FieldType::Boolean, Literal::Flag(flag)) => Stored::Integer((*flag).into()),
            (FieldType::Id | FieldType::Reference, Literal::Text(raw)) if raw.is_empty() => Stored::Null,
            (FieldType::Id | FieldType::Reference, Literal::Text(raw)) => match Id::parse(&unescape(raw)?) {
                Some(id) => Stored::Text(id.to_string()),
                None => {
                    let message = format!("invalid ID field: {raw}");
                    return Err(Error::at("INVALID_QUERY_FILTER_OPERATOR", &self.query.text, path.span, &message));
                }
            },
            (kind, Literal::Text(raw)) if kind.is_text() => match unescape(raw)? {
                text if text.is_empty() => Stored::Null,
                text => Stored::Text(text),
            },
            (kind, Literal::Number(n)) if kind.is_number() => Stored::Real(*n),
            (FieldType::Date, Literal::Date(date)) => Stored::Text(date.to_string()),
            (FieldType::DateTime, Literal::DateTime(at)) => Stored::Text(stamp(*at)),
            _ => return Err(self.wrong_type(path, field)),
        })
    }

    fn wrong_type(&self, path: &FieldPath, field: &Field) -> Error {
        let quotes = if field.kind.is_text() || matches!(field.kind, FieldType::Id | FieldType::Reference) {
            "should"
        } else {
            "should not"
        };
        let kind = if field.kind.is_text() { "string" } else { field.kind.name() };
        let message = format!(
            "value of filter criterion for field '{}' must be of type {kind} and {quotes} be enclosed in quotes",
            field.name
        );
        Error::at("INVALID_FIELD", &self.query.text, path.span, &message)
    }
}
