//! A query as a value. Names are as written; the compiler knows which exist.

pub(crate) use super::condition::{Comparison, Condition, Literal};
pub(crate) use super::date_function::DateFunction;

/// Where something stands in the text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// `SELECT … FROM …`
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Query {
    /// The text it was parsed from, for messages that point into it.
    pub text: String,
    /// What to return.
    pub select: Select,
    /// The object, or in a sub-query the relationship to the children, as written.
    pub from: String,
    /// Where the object's name stands.
    pub from_span: Span,
    /// Its alias.
    pub alias: Option<String>,
    /// `USING SCOPE`
    pub scope: Scope,
    /// `WHERE`
    pub condition: Option<Condition>,
    /// `GROUP BY`
    pub group: Vec<Operand>,
    /// `HAVING`
    pub having: Option<Condition>,
    /// `ORDER BY`
    pub order: Vec<Order>,
    /// `LIMIT`
    pub limit: Option<u64>,
    /// `OFFSET`
    pub offset: Option<u64>,
}

/// Whose records are meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Scope {
    /// All that the user may see.
    #[default]
    Everything,
    /// Those the user owns.
    Mine,
}

/// The select list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Select {
    /// `COUNT()`
    Count,
    /// Fields.
    Items(Vec<SelectItem>),
}

/// One element of a select list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SelectItem {
    /// `Name`, `Owner.Name`
    Field(FieldPath),
    /// A function of a field, or a field with a name of its own: `COUNT(Id) total`.
    Value {
        /// What to show.
        operand: Operand,
        /// The name of the member it becomes.
        alias: Option<String>,
    },
    /// `(SELECT … FROM Contacts)`
    Children(Box<Query>),
    /// `TYPEOF What WHEN Account THEN Phone ELSE Name END`
    TypeOf(TypeOf),
    /// `FIELDS(ALL)`
    AllFields,
    /// `FIELDS(STANDARD)`
    StandardFields,
    /// `FIELDS(CUSTOM)`
    CustomFields,
}

/// Fields of a parent that may be of several types.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TypeOf {
    /// The relationship, such as `What`.
    pub parent: FieldPath,
    /// Object names as written and the fields to read of each, never empty.
    pub branches: Vec<(FieldPath, Vec<FieldPath>)>,
    /// What to read of parents of any other type.
    pub otherwise: Vec<FieldPath>,
}

/// A field, perhaps of a parent: `Name`, `Account.Owner.Name`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FieldPath {
    /// Relationship names and, last, the field's.
    pub names: Vec<String>,
    /// Where it stands.
    pub span: Span,
}

/// What is compared, grouped or ordered by: a field, or a function of one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Operand {
    /// The field itself.
    Field(FieldPath),
    /// `CALENDAR_YEAR(CreatedDate)`
    DatePart {
        /// Which part.
        function: DateFunction,
        /// Of which date.
        field: FieldPath,
        /// `convertTimezone(…)`: in the user's zone instead of UTC.
        local: bool,
    },
    /// `SUM(Amount)`
    Aggregate {
        /// Which.
        function: Aggregate,
        /// Of which field.
        field: FieldPath,
    },
    /// `toLabel(Status)`
    Label(FieldPath),
}

/// A function of many rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aggregate {
    Count,
    CountDistinct,
    Sum,
    Average,
    Minimum,
    Maximum,
}

/// One key of an `ORDER BY`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Order {
    /// What to order by.
    pub by: Operand,
    /// `DESC`
    pub descending: bool,
    /// `NULLS FIRST`, which is the default, or `NULLS LAST`.
    pub nulls: NullsOrder,
}

/// Where rows without a value go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NullsOrder {
    First,
    Last,
}

impl Query {
    /// Answers with groups of records: an aggregate function or `GROUP BY`. `COUNT()` alone is something else.
    pub(crate) fn has_aggregates(&self) -> bool {
        let aggregate = |operand: &Operand| matches!(operand, Operand::Aggregate { .. });
        let selected = |item: &SelectItem| matches!(item, SelectItem::Value { operand, .. } if aggregate(operand));
        !self.group.is_empty()
            || self.having.is_some()
            || self.items().iter().any(selected)
            || self.order.iter().any(|key| aggregate(&key.by))
    }

    /// Selects children of its records.
    pub(crate) fn has_sub_queries(&self) -> bool {
        self.sub_queries().next().is_some()
    }

    /// Compares with the answers of other queries.
    pub(crate) fn has_semi_joins(&self) -> bool {
        self.condition.as_ref().is_some_and(Condition::has_semi_joins)
    }

    /// Selects by the type of a parent.
    pub(crate) fn has_type_of(&self) -> bool {
        self.items().iter().any(|item| matches!(item, SelectItem::TypeOf(_)))
    }

    /// Selects sets of fields: `FIELDS(…)`.
    pub(crate) fn has_field_sets(&self) -> bool {
        use SelectItem::{AllFields, CustomFields, StandardFields};
        self.items().iter().any(|item| matches!(item, AllFields | StandardFields | CustomFields))
    }

    /// The queries of its children, in their order.
    pub(crate) fn sub_queries(&self) -> impl Iterator<Item = &Query> {
        self.items()
            .iter()
            .filter_map(|item| if let SelectItem::Children(query) = item { Some(&**query) } else { None })
    }

    /// How many levels of children it reads; none is zero.
    pub(crate) fn levels(&self) -> usize {
        self.sub_queries().map(|query| 1 + query.levels()).max().unwrap_or(0)
    }

    /// The elements of the select list; none for `COUNT()`.
    pub(crate) fn items(&self) -> &[SelectItem] {
        match &self.select {
            Select::Count => &[],
            Select::Items(items) => items,
        }
    }
}

impl Operand {
    /// The field it reads.
    pub(crate) fn path(&self) -> &FieldPath {
        match self {
            Self::Field(field) | Self::DatePart { field, .. } | Self::Aggregate { field, .. } | Self::Label(field) => {
                field
            }
        }
    }
}

impl FieldPath {
    /// The field's own name, as written.
    pub(crate) fn name(&self) -> &str {
        self.names.last().map_or("", String::as_str)
    }
}

impl Aggregate {
    /// The function of that name in any case.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        const ALL: [Aggregate; 6] = [
            Aggregate::Count,
            Aggregate::CountDistinct,
            Aggregate::Sum,
            Aggregate::Average,
            Aggregate::Minimum,
            Aggregate::Maximum,
        ];
        ALL.into_iter().find(|function| function.name().eq_ignore_ascii_case(name))
    }

    /// Its name in SOQL.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Count => "COUNT",
            Self::CountDistinct => "COUNT_DISTINCT",
            Self::Sum => "SUM",
            Self::Average => "AVG",
            Self::Minimum => "MIN",
            Self::Maximum => "MAX",
        }
    }
}
