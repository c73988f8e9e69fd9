//! Conditions and the literals in them.

use super::super::Error;
use super::super::date_literal::RelativeDate;
use super::super::lexer::Kind;
use super::super::query::{Comparison, Condition, Literal, Operand};
use super::{FieldPath, Parser};

/// Longest quoted text in a condition, in characters.
const LONGEST_TEXT: usize = 4_000;

impl Parser<'_> {
    pub(super) fn condition(&mut self) -> Result<Condition, Error> {
        self.deeper(|parser| {
            let first = parser.term()?;
            Ok(if parser.is_word("AND") {
                Condition::And(parser.joined(first, "AND", "OR")?)
            } else if parser.is_word("OR") {
                Condition::Or(parser.joined(first, "OR", "AND")?)
            } else {
                first
            })
        })
    }

    /// SOQL has no precedence between AND and OR: mixing them without parentheses is an error.
    fn joined(&mut self, first: Condition, word: &str, other: &str) -> Result<Vec<Condition>, Error> {
        let mut parts = vec![first];
        while self.accept_word(word) {
            parts.push(self.term()?);
        }
        if self.is_word(other) { Err(self.unexpected()) } else { Ok(parts) }
    }

    fn term(&mut self) -> Result<Condition, Error> {
        if self.accept_word("NOT") {
            return self.deeper(|parser| Ok(Condition::Not(Box::new(parser.term()?))));
        }
        if self.accept_symbol("(") {
            let inner = self.condition()?;
            self.expect_symbol(")")?;
            return Ok(inner);
        }
        let operand = self.operand()?;
        let comparison = match &self.peek().kind {
            Kind::Symbol("=") => Comparison::Equal,
            Kind::Symbol("!=") => Comparison::NotEqual,
            Kind::Symbol("<") => Comparison::Less,
            Kind::Symbol("<=") => Comparison::LessOrEqual,
            Kind::Symbol(">") => Comparison::Greater,
            Kind::Symbol(">=") => Comparison::GreaterOrEqual,
            Kind::Word(word) => match word.to_ascii_uppercase().as_str() {
                "LIKE" => Comparison::Like,
                "IN" => return self.list(operand, false),
                "NOT" if self.word_follows(1, "IN") => {
                    self.at += 1;
                    return self.list(operand, true);
                }
                "INCLUDES" => return self.includes(operand, false),
                "EXCLUDES" => return self.includes(operand, true),
                _ => return Err(self.unexpected()),
            },
            _ => return Err(self.unexpected()),
        };
        self.at += 1;
        let literal = self.literal()?;
        Ok(Condition::Compare { operand, comparison, literal })
    }

    fn list(&mut self, operand: Operand, negated: bool) -> Result<Condition, Error> {
        self.at += 1;
        self.expect_symbol("(")?;
        if self.is_word("SELECT") {
            let field = self.bare(operand)?;
            let query = Box::new(self.inner_query()?);
            self.expect_symbol(")")?;
            return Ok(Condition::InQuery { field, negated, query });
        }
        let mut literals = vec![self.literal()?];
        while self.accept_symbol(",") {
            literals.push(self.literal()?);
        }
        self.expect_symbol(")")?;
        Ok(Condition::In { operand, negated, literals })
    }

    fn includes(&mut self, operand: Operand, negated: bool) -> Result<Condition, Error> {
        let field = self.bare(operand)?;
        self.at += 1;
        self.expect_symbol("(")?;
        let mut sets = Vec::new();
        loop {
            let Literal::Text(set) = self.literal()? else {
                self.at -= 1;
                return Err(self.unexpected());
            };
            sets.push(set);
            if !self.accept_symbol(",") {
                break;
            }
        }
        self.expect_symbol(")")?;
        Ok(Condition::Includes { field, negated, sets })
    }

    fn bare(&self, operand: Operand) -> Result<FieldPath, Error> {
        match operand {
            Operand::Field(field) => Ok(field),
            _ => Err(self.unexpected()),
        }
    }

    fn literal(&mut self) -> Result<Literal, Error> {
        let literal = match &self.peek().kind {
            Kind::Text(raw) if raw.chars().count() > LONGEST_TEXT => {
                let message = format!("the maximum length of a string in a WHERE clause is {LONGEST_TEXT} characters");
                return Err(Error::malformed(message));
            }
            Kind::Text(raw) => Literal::Text(raw.clone()),
            Kind::Number(number) => Literal::Number(*number),
            Kind::Date(date) => Literal::Date(*date),
            Kind::DateTime(at) => Literal::DateTime(*at),
            Kind::Time(time) => Literal::Time(*time),
            Kind::Word(word) if word.eq_ignore_ascii_case("true") => Literal::Flag(true),
            Kind::Word(word) if word.eq_ignore_ascii_case("false") => Literal::Flag(false),
            Kind::Word(word) if word.eq_ignore_ascii_case("null") => Literal::Null,
            Kind::Word(word) if RelativeDate::is_meant(word) => return self.relative_date(&word.clone()),
            Kind::Word(word) if is_money(word) => return Err(Error::gap("currency literals")),
            Kind::Word(_) | Kind::Symbol(":") => {
                let message = "Bind variables only allowed in Apex code";
                return Err(Error::at("MALFORMED_QUERY", self.text, self.peek().span, message));
            }
            Kind::Symbol(_) | Kind::End => return Err(self.unexpected()),
        };
        self.at += 1;
        Ok(literal)
    }

    fn relative_date(&mut self, name: &str) -> Result<Literal, Error> {
        self.at += 1;
        let n = if self.accept_symbol(":") { Some(self.count()?) } else { None };
        RelativeDate::parse(name, n).map(Literal::Relative).ok_or_else(|| self.unexpected())
    }
}

/// `USD5000`
fn is_money(word: &str) -> bool {
    word.get(..3).is_some_and(|code| code.chars().all(|c| c.is_ascii_alphabetic()))
        && word[3..].starts_with(|c: char| c.is_ascii_digit())
        && word[3..].parse::<f64>().is_ok()
}
