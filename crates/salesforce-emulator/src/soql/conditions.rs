//! The WHERE and HAVING of a query as SQL: literals are checked against the types of what they are compared with, and
//! bound.

use rusqlite::types::Value as Stored;

use super::Error;
use super::column::Column;
use super::compile::Compiler;
use super::date_literal::RelativeDate;
use super::lexer::{like_pattern, unescape};
use super::query::{Comparison, Condition, FieldPath, Literal, Operand};
use crate::org::{FieldType, Id, stamp};

/// Which clause a condition stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clause {
    Where,
    Having,
}

impl Compiler<'_> {
    pub(super) fn condition(&mut self, condition: &Condition) -> Result<String, Error> {
        if self.clause == Clause::Where {
            self.check_semi_joins(condition)?;
        }
        self.part(condition)
    }

    fn part(&mut self, condition: &Condition) -> Result<String, Error> {
        match condition {
            Condition::And(parts) => self.joined(parts, "AND"),
            Condition::Or(parts) => self.joined(parts, "OR"),
            // In SOQL a comparison with null is false, not unknown, so that its negation is true.
            Condition::Not(part) => Ok(format!("NOT COALESCE({},0)", self.part(part)?)),
            Condition::Compare { operand, comparison, literal } => self.compare(operand, *comparison, literal),
            Condition::In { operand, negated, literals } => self.member(operand, *negated, literals),
            Condition::InQuery { field, negated, query } => self.semi_join(field, *negated, query),
            Condition::Includes { field, negated, sets } => self.includes(field, *negated, sets),
        }
    }

    /// A balanced tree: SQLite refuses expressions deeper than a thousand.
    fn joined(&mut self, parts: &[Condition], word: &str) -> Result<String, Error> {
        match parts {
            [only] => self.part(only),
            _ => {
                let (left, right) = parts.split_at(parts.len() / 2);
                Ok(format!("({} {word} {})", self.joined(left, word)?, self.joined(right, word)?))
            }
        }
    }

    fn compare(&mut self, operand: &Operand, comparison: Comparison, literal: &Literal) -> Result<String, Error> {
        let path = operand.path();
        let column = self.filterable(operand)?;
        let sql = &column.value;
        if comparison == Comparison::Like {
            let Literal::Text(raw) = literal else { return Err(self.wrong_type(path, &column)) };
            if !column.kind.is_text() {
                return Err(self.wrong_operator(path, &column));
            }
            let pattern = like_pattern(raw)?;
            let place = self.bind(Stored::Text(pattern));
            return Ok(format!("{sql} LIKE {place} ESCAPE '\\'"));
        }
        if let Literal::Relative(date) = literal {
            let [start, end] = self.span(path, &column, *date)?;
            let mut place = |bound: &Stored| self.bind(bound.clone());
            return Ok(match comparison {
                Comparison::Equal | Comparison::Like => format!("({sql}>={} AND {sql}<{})", place(&start), place(&end)),
                Comparison::NotEqual => {
                    format!("({sql} IS NULL OR {sql}<{} OR {sql}>={})", place(&start), place(&end))
                }
                Comparison::Less => format!("{sql}<{}", place(&start)),
                Comparison::LessOrEqual => format!("{sql}<{}", place(&end)),
                Comparison::Greater => format!("{sql}>={}", place(&end)),
                Comparison::GreaterOrEqual => format!("{sql}>={}", place(&start)),
            });
        }
        let operator = match comparison {
            Comparison::Equal | Comparison::Like => "=",
            Comparison::NotEqual => "<>",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        };
        // What has no order is only equal or not.
        let ordered = !matches!(column.kind, FieldType::Boolean | FieldType::MultiPicklist);
        if !ordered && !matches!(comparison, Comparison::Equal | Comparison::NotEqual) {
            return Err(self.wrong_operator(path, &column));
        }
        Ok(match (comparison, self.value(path, &column, literal)?) {
            (Comparison::Equal, Stored::Null) => format!("{sql} IS NULL"),
            (Comparison::NotEqual, Stored::Null) => format!("{sql} IS NOT NULL"),
            (_, Stored::Null) => "0".to_owned(),
            (Comparison::NotEqual, value) => {
                let place = self.bind(value);
                format!("({sql} IS NULL OR {sql}<>{place})")
            }
            (_, value) => {
                let place = self.bind(value);
                format!("{sql}{operator}{place}")
            }
        })
    }

    fn member(&mut self, operand: &Operand, negated: bool, literals: &[Literal]) -> Result<String, Error> {
        let path = operand.path();
        let column = self.filterable(operand)?;
        let sql = &column.value;
        let (mut places, mut spans, mut null) = (Vec::with_capacity(literals.len()), Vec::new(), false);
        for literal in literals {
            if let Literal::Relative(date) = literal {
                let [start, end] = self.span(path, &column, *date)?.map(|bound| self.bind(bound));
                spans.push(format!("({sql}>={start} AND {sql}<{end})"));
                continue;
            }
            match self.value(path, &column, literal)? {
                Stored::Null => null = true,
                value => places.push(self.bind(value)),
            }
        }
        let places = places.join(",");
        let listed = match (negated, null) {
            (false, false) => format!("{sql} IN ({places})"),
            (false, true) => format!("({sql} IS NULL OR {sql} IN ({places}))"),
            (true, false) => format!("({sql} IS NULL OR {sql} NOT IN ({places}))"),
            (true, true) => format!("({sql} IS NOT NULL AND {sql} NOT IN ({places}))"),
        };
        Ok(match (spans.join(" OR "), negated) {
            (spans, _) if spans.is_empty() => listed,
            (spans, false) => format!("({listed} OR {spans})"),
            (spans, true) => format!("({listed} AND NOT COALESCE(({spans}),0))"),
        })
    }

    /// Each set is chosen in whole or not; `;` stands between the values of a set, as it does in the stored text.
    fn includes(&mut self, path: &FieldPath, negated: bool, sets: &[String]) -> Result<String, Error> {
        let column = self.filterable(&Operand::Field(path.clone()))?;
        if column.kind != FieldType::MultiPicklist {
            return Err(self.wrong_operator(path, &column));
        }
        let mut chosen = Vec::with_capacity(sets.len());
        for set in sets {
            let mut values = Vec::new();
            for value in unescape(set)?.split(';') {
                let value = value.trim().replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
                let place = self.bind(Stored::Text(format!("%;{value};%")));
                values.push(format!("';'||{}||';' LIKE {place} ESCAPE '\\'", column.value));
            }
            chosen.push(balanced(&values, "AND"));
        }
        let chosen = balanced(&chosen, "OR");
        Ok(if negated { format!("NOT COALESCE({chosen},0)") } else { chosen })
    }

    fn filterable(&mut self, operand: &Operand) -> Result<Column, Error> {
        let column = match self.clause {
            Clause::Where => self.operand(operand)?,
            Clause::Having => self.grouped(operand, "Field must be grouped or aggregated")?,
        };
        if !column.filterable {
            let message = format!("field '{}' can not be filtered in a query call", column.name);
            return Err(Error::at("INVALID_FIELD", &self.query.text, operand.path().span, &message));
        }
        Ok(column)
    }

    /// The first value that a relative date covers, and the first that is too late.
    fn span(&self, path: &FieldPath, column: &Column, date: RelativeDate) -> Result<[Stored; 2], Error> {
        let days = self.asker.days(date);
        let bounds = match column.kind {
            FieldType::Date => [days.start.to_string(), days.end.to_string()],
            FieldType::DateTime => [days.start, days.end].map(|day| stamp(self.asker.midnight(day))),
            _ => return Err(self.wrong_type(path, column)),
        };
        Ok(bounds.map(Stored::Text))
    }

    /// A literal as a value of the type it is compared with.
    fn value(&self, path: &FieldPath, column: &Column, literal: &Literal) -> Result<Stored, Error> {
        Ok(match (column.kind, literal) {
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
            (FieldType::Time, Literal::Time(time)) => Stored::Text(time.strftime("%H:%M:%S").to_string()),
            _ => return Err(self.wrong_type(path, column)),
        })
    }

    fn wrong_operator(&self, path: &FieldPath, column: &Column) -> Error {
        let message = format!("invalid operator on {} field", column.kind.name());
        Error::at("INVALID_QUERY_FILTER_OPERATOR", &self.query.text, path.span, &message)
    }

    fn wrong_type(&self, path: &FieldPath, column: &Column) -> Error {
        let quotes = if column.kind.is_text() || matches!(column.kind, FieldType::Id | FieldType::Reference) {
            "should"
        } else {
            "should not"
        };
        let kind = if column.kind.is_text() { "string" } else { column.kind.name() };
        let message = format!(
            "value of filter criterion for field '{}' must be of type {kind} and {quotes} be enclosed in quotes",
            column.name
        );
        Error::at("INVALID_FIELD", &self.query.text, path.span, &message)
    }
}

/// Joined in a balanced tree.
fn balanced(parts: &[String], word: &str) -> String {
    match parts {
        [only] => only.clone(),
        _ => {
            let (left, right) = parts.split_at(parts.len() / 2);
            format!("({} {word} {})", balanced(left, word), balanced(right, word))
        }
    }
}
