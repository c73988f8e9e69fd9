//! Formulas as far as the org computes them: one operand, or several joined by arithmetic, or several joined by `&`.
//!
//! `Amount__c * 1.2`, `FirstName & ' ' & LastName`, `CloseDate`. Operands are fields of the same record, numbers and texts
//! in quotes; there are no parentheses and no functions. Blank numbers count as zero, blank texts as nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A formula the org can compute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Formula {
    text: String,
    first: Operand,
    rest: Vec<(Operator, Operand)>,
}

#[derive(Debug, Clone, PartialEq)]
enum Operand {
    Field(String),
    Number(String),
    Text(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Arithmetic(char),
    Join,
}

/// What a formula makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Makes {
    /// The value of its one operand, as it is.
    Same,
    Number,
    Text,
}

/// The text is no formula this org can compute.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the org computes formulas of fields, numbers and quoted texts joined by + - * / or by &, not '{0}'")]
pub struct NotComputed(String);

impl Formula {
    /// Names of the fields it reads, as written.
    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.operands()
            .filter_map(|operand| if let Operand::Field(name) = operand { Some(name.as_str()) } else { None })
    }

    pub(super) fn makes(&self) -> Makes {
        match self.rest.first() {
            None => Makes::Same,
            Some((Operator::Arithmetic(_), _)) => Makes::Number,
            Some((Operator::Join, _)) => Makes::Text,
        }
    }

    /// The formula as SQL over the columns of a table's alias.
    pub fn sql(&self, alias: &str) -> String {
        let makes = self.makes();
        let operand = |operand: &Operand| match (operand, makes) {
            (Operand::Field(name), Makes::Same) => format!("{alias}.\"{name}\""),
            (Operand::Field(name), Makes::Number) => format!("CAST(COALESCE({alias}.\"{name}\",0) AS REAL)"),
            (Operand::Field(name), Makes::Text) => format!("COALESCE({alias}.\"{name}\",'')"),
            (Operand::Number(digits), _) => format!("CAST({digits} AS REAL)"),
            (Operand::Text(text), _) => format!("'{}'", text.replace('\'', "''")),
        };
        let mut sql = format!("({}", operand(&self.first));
        for (operator, next) in &self.rest {
            match operator {
                Operator::Arithmetic(sign) => sql.push(*sign),
                Operator::Join => sql.push_str("||"),
            }
            sql.push_str(&operand(next));
        }
        sql.push(')');
        sql
    }

    fn operands(&self) -> impl Iterator<Item = &Operand> {
        std::iter::once(&self.first).chain(self.rest.iter().map(|(_, operand)| operand))
    }
}

impl TryFrom<String> for Formula {
    type Error = NotComputed;

    fn try_from(text: String) -> Result<Self, NotComputed> {
        let mut left = text.as_str();
        let parsed = operand(&mut left).and_then(|first| {
            let mut rest: Vec<(Operator, Operand)> = Vec::new();
            while !left.trim_start().is_empty() {
                let sign = left.trim_start().chars().next()?;
                left = &left.trim_start()[sign.len_utf8()..];
                let operator = match sign {
                    '+' | '-' | '*' | '/' => Operator::Arithmetic(sign),
                    '&' => Operator::Join,
                    _ => return None,
                };
                // Texts are joined or numbers reckoned with; SQL and Salesforce rank the two differently.
                let mixed =
                    rest.first().is_some_and(|(first, _)| (*first == Operator::Join) != (operator == Operator::Join));
                if mixed {
                    return None;
                }
                rest.push((operator, operand(&mut left)?));
            }
            Some((first, rest))
        });
        match parsed {
            Some((first, rest)) => Ok(Self { first, rest, text }),
            None => Err(NotComputed(text)),
        }
    }
}

impl From<Formula> for String {
    fn from(formula: Formula) -> Self {
        formula.text
    }
}

impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Takes one operand from the front of the text.
fn operand(left: &mut &str) -> Option<Operand> {
    let text = left.trim_start();
    let quote = text.chars().next().filter(|first| matches!(first, '\'' | '"'));
    if let Some(quote) = quote {
        let (inside, rest) = text[1..].split_once(quote)?;
        *left = rest;
        return Some(Operand::Text(inside.to_owned()));
    }
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.').unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    *left = rest;
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        return word.parse::<f64>().ok().map(|_| Operand::Number(word.to_owned()));
    }
    (word.starts_with(|c: char| c.is_ascii_alphabetic()) && !word.contains('.'))
        .then(|| Operand::Field(word.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understood_and_refused() {
        for (text, sql) in [
            ("Amount__c", Some(r#"(t0."Amount__c")"#)),
            ("Amount__c*2", Some(r#"(CAST(COALESCE(t0."Amount__c",0) AS REAL)*CAST(2 AS REAL))"#)),
            ("'it''s' & Name", None),
            ("First & ' ' & \"it's\"", Some(r#"(COALESCE(t0."First",'')||' '||'it''s')"#)),
            ("A + B & C", None),
            ("IF(A, B, C)", None),
            ("Owner.Name", None),
            ("A +", None),
            ("", None),
            ("1; DROP TABLE Account", None),
        ] {
            let parsed = Formula::try_from(text.to_owned()).map(|formula| formula.sql("t0")).ok();
            assert_eq!(parsed.as_deref(), sql, "{text}");
        }
    }
}
