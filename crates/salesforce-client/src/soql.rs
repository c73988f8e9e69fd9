//! Queries as values: names are checked types, literals are escaped by their type, so that a query cannot say
//! anything but what its parts say.

use std::fmt;

use jiff::{Timestamp, civil::Date};

use crate::{FieldName, RecordId, SObjectName, datetime::soql_literal, decimal::Decimal};

/// `SELECT fields FROM object [WHERE …] [ORDER BY …] [LIMIT n]`; [`Display`](fmt::Display) writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Select {
    /// The fields, in the order of the answer.
    pub fields: Vec<FieldName>,
    /// The object.
    pub from: SObjectName,
    /// Which rows; all if `None`.
    pub filter: Option<Condition>,
    /// In which order; none if empty.
    pub order: Vec<Order>,
    /// How many rows at most.
    pub limit: Option<u32>,
}

impl Select {
    /// A query of these fields over all rows.
    #[must_use]
    pub fn new(from: SObjectName, fields: impl IntoIterator<Item = FieldName>) -> Select {
        Select { fields: fields.into_iter().collect(), from, filter: None, order: Vec::new(), limit: None }
    }

    /// Adds a condition; with others before it, all must hold.
    #[must_use]
    pub fn filter(mut self, condition: Condition) -> Select {
        self.filter = Some(match self.filter {
            None => condition,
            Some(Condition::All(mut conditions)) => {
                conditions.push(condition);
                Condition::All(conditions)
            }
            Some(earlier) => Condition::All(vec![earlier, condition]),
        });
        self
    }

    /// Sorts by a field, ascending, after those before it.
    #[must_use]
    pub fn order_by(mut self, field: FieldName) -> Select {
        self.order.push(Order { field, descending: false });
        self
    }

    /// Answers at most this many rows.
    #[must_use]
    pub fn limit(mut self, rows: u32) -> Select {
        self.limit = Some(rows);
        self
    }
}

/// One term of `ORDER BY`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The field to sort by.
    pub field: FieldName,
    /// Largest first.
    pub descending: bool,
}

/// What must hold of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The field compares so with the value.
    Compare(FieldName, Operator, Literal),
    /// The field is one of the values, of which there must be some: Salesforce refuses an empty list.
    In(FieldName, Vec<Literal>),
    /// The field's text starts so; case does not matter.
    StartsWith(FieldName, String),
    /// All of these hold; there must be some.
    All(Vec<Condition>),
    /// One of these holds; there must be some.
    Any(Vec<Condition>),
    /// This does not hold.
    Not(Box<Condition>),
}

impl Condition {
    /// `field = value`
    pub fn equal(field: FieldName, value: impl Into<Literal>) -> Condition {
        Condition::Compare(field, Operator::Equal, value.into())
    }

    /// `field > value`
    pub fn above(field: FieldName, value: impl Into<Literal>) -> Condition {
        Condition::Compare(field, Operator::Above, value.into())
    }

    /// `field >= value`
    pub fn at_least(field: FieldName, value: impl Into<Literal>) -> Condition {
        Condition::Compare(field, Operator::AtLeast, value.into())
    }

    /// `field < value`
    pub fn below(field: FieldName, value: impl Into<Literal>) -> Condition {
        Condition::Compare(field, Operator::Below, value.into())
    }

    /// `field <= value`
    pub fn at_most(field: FieldName, value: impl Into<Literal>) -> Condition {
        Condition::Compare(field, Operator::AtMost, value.into())
    }

    /// `field IN (values)`
    pub fn one_of<V: Into<Literal>>(field: FieldName, values: impl IntoIterator<Item = V>) -> Condition {
        Condition::In(field, values.into_iter().map(Into::into).collect())
    }
}

/// How a field compares with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
}

/// A value in a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// An integer.
    Integer(i64),
    /// A number with or without places after the point.
    Number(Decimal),
    /// A text, quoted and escaped.
    Text(String),
    /// A day, unquoted.
    Date(Date),
    /// A point in time, unquoted, in UTC.
    DateTime(Timestamp),
    /// A record id, quoted.
    Id(RecordId),
}

macro_rules! literal_from {
    ($($from:ty => |$value:ident| $literal:expr,)*) => {
        $(impl From<$from> for Literal {
            fn from($value: $from) -> Literal {
                $literal
            }
        })*
    };
}

literal_from! {
    bool => |value| Literal::Bool(value),
    i64 => |value| Literal::Integer(value),
    &str => |value| Literal::Text(value.to_owned()),
    String => |value| Literal::Text(value),
    Date => |value| Literal::Date(value),
    Timestamp => |value| Literal::DateTime(value),
    RecordId => |value| Literal::Id(value),
}

impl fmt::Display for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SELECT ")?;
        joined(f, &self.fields, ", ")?;
        write!(f, " FROM {}", self.from)?;
        if let Some(filter) = &self.filter {
            write!(f, " WHERE {filter}")?;
        }
        if !self.order.is_empty() {
            f.write_str(" ORDER BY ")?;
            joined(f, &self.order, ", ")?;
        }
        self.limit.map_or(Ok(()), |limit| write!(f, " LIMIT {limit}"))
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.field, if self.descending { " DESC" } else { "" })
    }
}

/// Conditions inside another are always in parentheses: SOQL refuses a mixture of AND and OR without them.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Compare(field, operator, value) => write!(f, "{field} {operator} {value}"),
            Condition::In(field, values) => {
                write!(f, "{field} IN (")?;
                joined(f, values, ", ")?;
                f.write_str(")")
            }
            Condition::StartsWith(field, text) => {
                write!(f, "{field} LIKE '")?;
                escaped(f, text, Quoted::Pattern)?;
                f.write_str("%'")
            }
            Condition::All(conditions) => joined(f, conditions.iter().map(Inner), " AND "),
            Condition::Any(conditions) => joined(f, conditions.iter().map(Inner), " OR "),
            Condition::Not(condition) => write!(f, "NOT {}", Inner(condition)),
        }
    }
}

/// A condition inside another.
struct Inner<'a>(&'a Condition);

impl fmt::Display for Inner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Condition::All(_) | Condition::Any(_) | Condition::Not(_) => write!(f, "({})", self.0),
            Condition::Compare(..) | Condition::In(..) | Condition::StartsWith(..) => self.0.fmt(f),
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operator::Equal => "=",
            Operator::NotEqual => "!=",
            Operator::Below => "<",
            Operator::AtMost => "<=",
            Operator::Above => ">",
            Operator::AtLeast => ">=",
        })
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Null => f.write_str("null"),
            Literal::Bool(value) => write!(f, "{value}"),
            Literal::Integer(value) => write!(f, "{value}"),
            Literal::Number(value) => write!(f, "{value}"),
            Literal::Text(text) => {
                f.write_str("'")?;
                escaped(f, text, Quoted::Text)?;
                f.write_str("'")
            }
            Literal::Date(day) => write!(f, "{day}"),
            Literal::DateTime(at) => write!(f, "{}", soql_literal(*at)),
            Literal::Id(id) => write!(f, "'{id}'"),
        }
    }
}

/// What a quoted text is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quoted {
    Text,
    /// The operand of `LIKE`, where `%` and `_` are wildcards unless escaped.
    Pattern,
}

fn escaped(f: &mut fmt::Formatter<'_>, text: &str, quoted: Quoted) -> fmt::Result {
    use fmt::Write as _;
    for c in text.chars() {
        match c {
            '\\' => f.write_str(r"\\")?,
            '\'' => f.write_str(r"\'")?,
            '\n' => f.write_str(r"\n")?,
            '\r' => f.write_str(r"\r")?,
            '\t' => f.write_str(r"\t")?,
            '\u{8}' => f.write_str(r"\b")?,
            '\u{c}' => f.write_str(r"\f")?,
            '%' | '_' if quoted == Quoted::Pattern => write!(f, "\\{c}")?,
            c => f.write_char(c)?,
        }
    }
    Ok(())
}

fn joined<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    parts: impl IntoIterator<Item = T>,
    separator: &str,
) -> fmt::Result {
    for (index, part) in parts.into_iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        part.fmt(f)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(name: &str) -> FieldName {
        name.parse().unwrap()
    }

    fn object(name: &str) -> SObjectName {
        name.parse().unwrap()
    }

    #[test]
    fn literals_are_escaped_by_their_type() {
        let at: Timestamp = "2024-01-02T03:04:05Z".parse().unwrap();
        let id: RecordId = "001D000000IRFma".parse().unwrap();
        for (literal, expect) in [
            (Literal::Null, "null"),
            (true.into(), "true"),
            (Literal::Integer(-7), "-7"),
            (Literal::Number(Decimal::parse("-1.50e3").unwrap()), "-1500"),
            ("".into(), "''"),
            ("O'Brien".into(), r"'O\'Brien'"),
            (r"C:\temp".into(), r"'C:\\temp'"),
            (r"\'".into(), r"'\\\''"),
            ("a\nb\r\tc\u{8}\u{c}".into(), r"'a\nb\r\tc\b\f'"),
            ("日本 \"é\" 100%_".into(), "'日本 \"é\" 100%_'"),
            ("' OR Name != '".into(), r"'\' OR Name != \''"),
            (jiff::civil::date(2024, 1, 2).into(), "2024-01-02"),
            (at.into(), "2024-01-02T03:04:05Z"),
            ((at + jiff::SignedDuration::from_millis(120)).into(), "2024-01-02T03:04:05.120Z"),
            (id.into(), "'001D000000IRFmaIAH'"),
        ] {
            assert_eq!(literal.to_string(), expect);
        }
    }

    #[test]
    fn queries() {
        let fields = || ["Id", "Name"].map(field);
        let id: RecordId = "001D000000IRFma".parse().unwrap();
        let at: Timestamp = "2024-01-02T03:04:05Z".parse().unwrap();
        let all = Select::new(object("Account"), fields());
        let mut latest = all.clone();
        latest.order.push(Order { field: field("SystemModstamp"), descending: true });
        for (query, expect) in [
            (all.clone(), "SELECT Id, Name FROM Account"),
            (
                all.clone().filter(Condition::above(field("Id"), id)).order_by(field("Id")).limit(2000),
                "SELECT Id, Name FROM Account WHERE Id > '001D000000IRFmaIAH' ORDER BY Id LIMIT 2000",
            ),
            (
                all.clone()
                    .filter(Condition::at_least(field("SystemModstamp"), at))
                    .filter(Condition::equal(field("IsDeleted"), true))
                    .filter(Condition::below(field("Id"), id)),
                "SELECT Id, Name FROM Account WHERE SystemModstamp >= 2024-01-02T03:04:05Z AND IsDeleted = true AND \
                 Id < '001D000000IRFmaIAH'",
            ),
            (
                all.clone().filter(Condition::Any(vec![
                    Condition::StartsWith(field("Name"), "100%_'s\\".to_owned()),
                    Condition::Not(Box::new(Condition::one_of(field("Rating"), ["Hot", "Cold"]))),
                    Condition::All(vec![
                        Condition::Compare(field("Parent__c"), Operator::NotEqual, Literal::Null),
                        Condition::at_most(field("Count__c"), 5),
                    ]),
                ])),
                r"SELECT Id, Name FROM Account WHERE Name LIKE '100\%\_\'s\\%' OR (NOT Rating IN ('Hot', 'Cold')) OR (Parent__c != null AND Count__c <= 5)",
            ),
            (latest, "SELECT Id, Name FROM Account ORDER BY SystemModstamp DESC"),
        ] {
            assert_eq!(query.to_string(), expect);
        }
    }

    proptest! {
        /// Read as SOQL reads it, a literal ends where it should and says what was put in.
        #[test]
        fn a_text_literal_says_what_was_put_in(text in any::<String>()) {
            let literal = Literal::Text(text.clone()).to_string();
            let inner = literal.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).unwrap();
            let (mut read, mut chars) = (String::new(), inner.chars());
            while let Some(c) = chars.next() {
                prop_assert!(c != '\'', "the literal ends early");
                read.push(match c {
                    '\\' => match chars.next().unwrap() {
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        'b' => '\u{8}',
                        'f' => '\u{c}',
                        other => other,
                    },
                    c => c,
                });
            }
            prop_assert_eq!(read, text);
        }
    }
}
