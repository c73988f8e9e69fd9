//! A `WHERE` or `HAVING` as a value.

use jiff::Timestamp;
use jiff::civil::{Date, Time};

use super::date_literal::RelativeDate;
use super::query::{FieldPath, Operand, Query};

/// A condition on rows or groups.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Condition {
    /// Every part holds.
    And(Vec<Condition>),
    /// Some part holds.
    Or(Vec<Condition>),
    /// The part does not hold.
    Not(Box<Condition>),
    /// `operand op literal`
    Compare {
        /// Left side.
        operand: Operand,
        /// Operator.
        comparison: Comparison,
        /// Right side.
        literal: Literal,
    },
    /// `operand [NOT] IN (…)`
    In {
        /// Left side.
        operand: Operand,
        /// `NOT IN`
        negated: bool,
        /// The list, never empty.
        literals: Vec<Literal>,
    },
    /// `field [NOT] IN (SELECT …)`
    InQuery {
        /// Left side.
        field: FieldPath,
        /// `NOT IN`
        negated: bool,
        /// Whose answers to compare with.
        query: Box<Query>,
    },
    /// `field INCLUDES ('a;b', 'c')`: some set is chosen in whole.
    Includes {
        /// A multi-select picklist.
        field: FieldPath,
        /// `EXCLUDES`
        negated: bool,
        /// The sets as written, escapes still in place; never empty.
        sets: Vec<String>,
    },
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
}

/// A literal in a condition.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Literal {
    /// Quoted text as written, its escapes still in place: what `\%` means depends on the operator.
    Text(String),
    /// Whole or fractional number.
    Number(f64),
    /// `TRUE`, `FALSE`
    Flag(bool),
    /// `NULL`
    Null,
    /// `2024-01-02`
    Date(Date),
    /// `2024-01-02T03:04:05Z`
    DateTime(Timestamp),
    /// `03:04:05Z`
    Time(Time),
    /// `LAST_N_DAYS:3`
    Relative(RelativeDate),
}

impl Condition {
    /// Calls `visit` for everything that is compared. Queries inside are another object's affair.
    pub(crate) fn operands<'a>(&'a self, visit: &mut impl FnMut(&'a FieldPath, Option<&'a Operand>)) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.operands(visit)),
            Self::Not(part) => part.operands(visit),
            Self::Compare { operand, .. } | Self::In { operand, .. } => visit(operand.path(), Some(operand)),
            Self::InQuery { field, .. } | Self::Includes { field, .. } => visit(field, None),
        }
    }

    /// Calls `visit` for every field in the condition.
    pub(crate) fn fields<'a>(&'a self, visit: &mut impl FnMut(&'a FieldPath)) {
        self.operands(&mut |path, _| visit(path));
    }

    /// Contains the `NOT` operator (`NOT IN` and `!=` are others).
    pub(crate) fn has_not(&self) -> bool {
        self.any(&|part| matches!(part, Self::Not(_)))
    }

    /// Compares with the answers of other queries.
    pub(crate) fn has_semi_joins(&self) -> bool {
        self.any(&|part| matches!(part, Self::InQuery { .. }))
    }

    /// Compares with dates that depend on the day it is asked.
    pub(crate) fn has_relative_dates(&self) -> bool {
        let relative = |literal: &Literal| matches!(literal, Literal::Relative(_));
        self.any(&|part| match part {
            Self::Compare { literal, .. } => relative(literal),
            Self::In { literals, .. } => literals.iter().any(relative),
            _ => false,
        })
    }

    /// Compares functions of fields.
    pub(crate) fn has_functions(&self) -> bool {
        let mut found = false;
        self.operands(&mut |_, operand| found |= operand.is_some_and(|operand| !matches!(operand, Operand::Field(_))));
        found
    }

    /// Is it, or some part of it, as `wanted` says?
    pub(super) fn any(&self, wanted: &impl Fn(&Self) -> bool) -> bool {
        wanted(self)
            || match self {
                Self::And(parts) | Self::Or(parts) => parts.iter().any(|part| part.any(wanted)),
                Self::Not(part) => part.any(wanted),
                _ => false,
            }
    }
}
