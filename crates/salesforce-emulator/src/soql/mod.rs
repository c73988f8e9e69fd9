//! SOQL: text → tokens → a query as a value → SQL with bound parameters.
//!
//! What Salesforce would refuse is an [`Error::Refused`] with its code and text; what it would accept and the emulated
//! org cannot answer is an [`Error::Gap`]. Nothing is passed over in silence.

mod lexer;
mod parser;

mod condition;
mod date_function;
mod date_literal;
mod query;

mod asker;
mod children;
mod column;
mod compile;
mod conditions;
mod groups;
mod path;
mod select;
mod semi_join;
mod sqlite;

pub(crate) use asker::Asker;
pub(crate) use children::Children;
pub(crate) use compile::{Answer, Compiled, Output, compile, filter};
pub(crate) use parser::parse;
pub(crate) use query::{
    Comparison, Condition, FieldPath, Literal, NullsOrder, Operand, Order, Query, Scope, Select, SelectItem, Span,
};
pub(crate) use sqlite::install;

/// Why a query is not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Salesforce refuses it too.
    #[error("{code}: {message}")]
    Refused {
        /// Salesforce's `errorCode`.
        code: &'static str,
        /// Salesforce's text, with the snippet that points at the place where it has one.
        message: String,
    },
    /// Salesforce would answer it.
    #[error("the emulated org's SOQL lacks {0}")]
    Gap(Gap),
}

/// What Salesforce's SOQL has and ours has not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Gap {
    /// Something of aggregates.
    #[error("{0}")]
    Aggregate(String),
    /// Anything else.
    #[error("{0}")]
    Feature(String),
}

impl Error {
    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::Refused { code: "MALFORMED_QUERY", message: message.into() }
    }

    pub(crate) fn too_complicated() -> Self {
        Self::Refused { code: "QUERY_TOO_COMPLICATED", message: "Query is too complicated".to_owned() }
    }

    pub(crate) fn gap(what: impl Into<String>) -> Self {
        Self::Gap(Gap::Feature(what.into()))
    }

    /// A refusal that points into the query, as Salesforce prints it: the text around, a caret below, row and column.
    pub(crate) fn at(code: &'static str, text: &str, span: Span, message: &str) -> Self {
        const AROUND: usize = 60;
        let start = floor_char_boundary(text, span.start);
        let from = floor_char_boundary(text, start.saturating_sub(AROUND));
        let to = floor_char_boundary(text, span.end.saturating_add(AROUND).min(text.len())).max(start);
        let line: String = text[from..to].chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let caret = " ".repeat(text[from..start].chars().count());
        let row = 1 + text[..start].matches('\n').count();
        let column = 1 + text[..start].chars().rev().take_while(|c| *c != '\n').count();
        Self::Refused { code, message: format!("\n{line}\n{caret}^\nERROR at Row:{row}:Column:{column}\n{message}") }
    }
}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
