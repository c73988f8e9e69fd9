//! A query as a value. Names are as written; the compiler knows which exist.

use jiff::Timestamp;
use jiff::civil::Date;

/// Where something stands in the text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// `SELECT … FROM …`
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The text it was parsed from, for messages that point into it.
    pub text: String,
    /// What to return.
    pub select: Select,
    /// The object, as written.
    pub from: String,
    /// Where the object's name stands.
    pub from_span: Span,
    /// Its alias.
    pub alias: Option<String>,
    /// `WHERE`
    pub condition: Option<Condition>,
    /// `ORDER BY`
    pub order: Vec<Order>,
    /// `LIMIT`
    pub limit: Option<u64>,
    /// `OFFSET`
    pub offset: Option<u64>,
}

/// The select list.
#[derive(Debug, Clone, PartialEq)]
pub enum Select {
    /// `COUNT()`
    Count,
    /// Fields.
    Items(Vec<SelectItem>),
}

/// One element of a select list.
#[derive(Debug, Clone, PartialEq)]
pub enum SelectItem {
    /// `Name`, `Owner.Name`
    Field(FieldPath),
    /// `FIELDS(ALL)`
    AllFields,
    /// `FIELDS(STANDARD)`
    StandardFields,
    /// `FIELDS(CUSTOM)`
    CustomFields,
}

/// A field, perhaps of a parent: `Name`, `Account.Owner.Name`.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldPath {
    /// Relationship names and, last, the field's.
    pub names: Vec<String>,
    /// Where it stands.
    pub span: Span,
}

/// A `WHERE` expression.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// Every part holds.
    And(Vec<Condition>),
    /// Some part holds.
    Or(Vec<Condition>),
    /// The part does not hold.
    Not(Box<Condition>),
    /// `field op literal`
    Compare {
        /// Left side.
        field: FieldPath,
        /// Operator.
        comparison: Comparison,
        /// Right side.
        literal: Literal,
    },
    /// `field [NOT] IN (…)`
    In {
        /// Left side.
        field: FieldPath,
        /// `NOT IN`
        negated: bool,
        /// The list, never empty.
        literals: Vec<Literal>,
    },
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "operators explain themselves")]
pub enum Comparison {
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
pub enum Literal {
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
}

/// One key of an `ORDER BY`.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The field.
    pub field: FieldPath,
    /// `DESC`
    pub descending: bool,
    /// `NULLS FIRST`, which is the default, or `NULLS LAST`.
    pub nulls: NullsOrder,
}

/// Where rows without a value go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the keywords explain themselves")]
pub enum NullsOrder {
    First,
    Last,
}

impl Condition {
    /// Calls `visit` for every field in the condition.
    pub fn fields<'a>(&'a self, visit: &mut impl FnMut(&'a FieldPath)) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.fields(visit)),
            Self::Not(part) => part.fields(visit),
            Self::Compare { field, .. } | Self::In { field, .. } => visit(field),
        }
    }

    /// Contains the `NOT` operator (`NOT IN` and `!=` are others).
    pub fn has_not(&self) -> bool {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().any(Self::has_not),
            Self::Not(_) => true,
            Self::Compare { .. } | Self::In { .. } => false,
        }
    }
}
