//! [`Query`] × schema → SQL. Names are resolved here, literals checked against the types of their fields, and every value
//! becomes a bound parameter.

use std::sync::Arc;

use rusqlite::types::Value as Stored;

use super::asker::Asker;
use super::children::Children;
use super::path::Join;
use super::query::{NullsOrder, Query, Scope, Select};
use super::{Error, conditions};
use crate::org::{FieldType, SObject, Schema, is_archived};

/// Most parameters of one statement; SQLite's default is 32,766.
const MOST_PARAMETERS: usize = 32_000;
/// Most columns of one statement, which is SQLite's default.
const MOST_COLUMNS: usize = 2_000;

/// A query ready to run.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// The object asked for.
    pub object: Arc<SObject>,
    /// What it answers with.
    pub answer: Answer,
    /// What each row becomes; empty for `COUNT()`.
    pub outputs: Vec<Output>,
    /// The sub-queries, in their order.
    pub children: Vec<Children>,
    /// Parameters of the condition and the order.
    pub parameters: Vec<Stored>,
    /// How many long texts of the administrator's it selects.
    pub long_texts: usize,
    pub(super) columns: Vec<String>,
    pub(super) joins: Vec<Join>,
    pub(super) condition: Option<String>,
    /// Which rows of the object there are for whoever asks.
    seen: Option<String>,
    pub(super) with_deleted: bool,
    /// Include archived activities.
    pub with_archived: bool,
    pub(super) order: Vec<String>,
    pub(super) limit: Option<u64>,
    pub(super) offset: Option<u64>,
    group: Vec<String>,
    having: Option<String>,
    reads: Vec<Arc<SObject>>,
}

/// What a query answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Records.
    Rows,
    /// Groups of records.
    Groups,
    /// A number of records: `COUNT()`.
    Count,
}

/// One member of a record.
#[derive(Debug)]
pub(crate) enum Output {
    /// A field and the column its value is in.
    Field {
        /// Canonical name, or the alias.
        name: String,
        /// Type.
        kind: FieldType,
        /// Place in the row.
        column: usize,
    },
    /// What people see of a picklist's value.
    Label {
        /// Canonical name, or the alias.
        name: String,
        /// Place of the value.
        column: usize,
        /// Values and labels, where they differ.
        labels: Vec<(String, String)>,
    },
    /// Binary content, which is read at an address of its own.
    Blob {
        /// Canonical name.
        name: String,
        /// Place of whether there is any.
        column: usize,
    },
    /// An address or a location, and where its parts are.
    Compound {
        /// Canonical name.
        name: String,
        /// Key in events, type, and place in the row.
        parts: Vec<(&'static str, FieldType, usize)>,
    },
    /// Fields of a parent record.
    Parent {
        /// Relationship name.
        name: String,
        /// Object of the parent.
        object: Arc<SObject>,
        /// Place of the parent's id.
        id: usize,
        /// The selected fields.
        outputs: Vec<Output>,
    },
    /// Fields of a parent that may be of several types; it says of itself that it is a `Name`.
    AnyParent {
        /// Relationship name.
        name: String,
        /// Objects the parent may be of.
        targets: Vec<Arc<SObject>>,
        /// Place of the parent's id.
        id: usize,
        /// The selected fields.
        outputs: Vec<Output>,
    },
    /// A parent read by its type: the first of these whose id is there.
    OneOf {
        /// Relationship name.
        name: String,
        /// [`Output::Parent`]s and, last, an [`Output::AnyParent`].
        parents: Vec<Output>,
    },
    /// The answer of a sub-query.
    Children {
        /// Relationship name.
        name: String,
        /// Place among the sub-queries.
        at: usize,
    },
}

/// Resolves a query against the schema. `with_deleted` includes the recycle bin and archived activities.
pub(crate) fn compile(schema: &Schema, query: &Query, with_deleted: bool, asker: &Asker) -> Result<Compiled, Error> {
    Compiler::new(schema, asker, query, object_of(schema, query)?).compiled(with_deleted)
}

pub(super) fn object_of<'a>(schema: &'a Schema, query: &Query) -> Result<&'a Arc<SObject>, Error> {
    schema.object(&query.from).ok_or_else(|| {
        let message = format!(
            "sObject type '{}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' \
             after the entity name. Please reference your WSDL or the describe call for the appropriate names.",
            query.from
        );
        Error::at("INVALID_TYPE", &query.text, query.from_span, &message)
    })
}

/// The condition of a query as SQL over alias `t0`, with its parameters; `None` when every row matches. For conditions
/// without parents, such as a PushTopic's.
pub(crate) fn filter(
    schema: &Schema,
    object: &Arc<SObject>,
    query: &Query,
) -> Result<Option<(String, Vec<Stored>)>, Error> {
    let nobody = Asker::nobody();
    let mut compiler = Compiler::new(schema, &nobody, query, object);
    let sql = query.condition.as_ref().map(|condition| compiler.condition(condition)).transpose()?;
    Ok(sql.map(|sql| (sql, compiler.parameters)))
}

impl Compiled {
    /// The objects it reads.
    pub(crate) fn objects(&self) -> impl Iterator<Item = &Arc<SObject>> {
        self.reads.iter()
    }

    /// Reads the rows, at most `most` of them. Columns are as [`Output`] says; column 0 is the id, unless they are groups.
    pub(crate) fn rows_sql(&self, most: u64) -> String {
        let limit = self.limit.map_or(most, |limit| limit.min(most));
        format!(
            "SELECT {} FROM {} LIMIT {limit} OFFSET {}",
            self.columns.join(","),
            self.tail(),
            self.offset.unwrap_or(0)
        )
    }

    /// Reads the SQLite row ids of the whole result, in order.
    pub(crate) fn row_ids_sql(&self) -> String {
        let limit = self.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(-1));
        format!("SELECT t0.rowid FROM {} LIMIT {limit} OFFSET {}", self.tail(), self.offset.unwrap_or(0))
    }

    /// Reads one row by its SQLite row id, as long as the query may still see it.
    pub(crate) fn row_sql(&self) -> String {
        let conditions: Vec<&str> = std::iter::once("t0.rowid=?1").chain(self.visible()).collect();
        format!("SELECT {} FROM {} WHERE {}", self.columns.join(","), self.from(), conditions.join(" AND "))
    }

    /// Reads one row by its id, deleted or not.
    pub(crate) fn record_sql(&self) -> String {
        format!("SELECT {} FROM {} WHERE t0.\"Id\"=?1{}", self.columns.join(","), self.from(), self.and_seen())
    }

    /// Reads one row by its id, unless it is deleted.
    pub(crate) fn live_record_sql(&self) -> String {
        format!("{} AND t0.\"IsDeleted\"=0", self.record_sql())
    }

    /// Counts the rows.
    pub(crate) fn count_sql(&self) -> String {
        match (self.limit, self.offset) {
            (None, None) => format!("SELECT COUNT(*) FROM {}", self.tail()),
            _ => format!("SELECT COUNT(*) FROM ({})", self.row_ids_sql()),
        }
    }

    /// How many rows to pass over, and how many to answer with at most.
    pub(crate) fn window(&self) -> (usize, usize) {
        let whole = |rows: u64| usize::try_from(rows).unwrap_or(usize::MAX);
        (self.offset.map_or(0, whole), self.limit.map_or(usize::MAX, whole))
    }

    fn and_seen(&self) -> String {
        self.seen.as_ref().map(|seen| format!(" AND {seen}")).unwrap_or_default()
    }

    fn from(&self) -> String {
        format!("\"{}\" t0{}", self.object.name, self.joined())
    }

    /// The parents, behind the table itself.
    pub(super) fn joined(&self) -> String {
        self.joins.iter().map(|join| join.sql.as_str()).collect()
    }

    /// Which rows, from WHERE on; empty if all of them.
    pub(super) fn matching(&self) -> String {
        let conditions: Vec<&str> = self.visible().chain(self.condition.as_deref()).collect();
        if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) }
    }

    /// What keeps rows from being seen.
    fn visible(&self) -> impl Iterator<Item = &str> {
        let deleted = (!self.with_deleted).then_some("t0.\"IsDeleted\"=0");
        let archived = (!self.with_archived).then_some("t0.\"IsArchived\"=0");
        deleted.into_iter().chain(archived).chain(self.seen.as_deref())
    }

    fn tail(&self) -> String {
        let mut sql = format!("{}{}", self.from(), self.matching());
        for (word, keys) in [(" GROUP BY ", &self.group), (" HAVING ", &self.having.iter().cloned().collect())] {
            if !keys.is_empty() {
                sql.push_str(word);
                sql.push_str(&keys.join(","));
            }
        }
        if !self.order.is_empty() {
            sql.push_str(" ORDER BY ");
            sql.push_str(&self.order.join(","));
        }
        sql
    }
}

/// A compilation under way. Its steps are in the files that know the clauses.
pub(super) struct Compiler<'a> {
    pub(super) schema: &'a Schema,
    pub(super) asker: &'a Asker,
    pub(super) query: &'a Query,
    pub(super) object: &'a Arc<SObject>,
    pub(super) columns: Vec<String>,
    pub(super) joins: Vec<Join>,
    pub(super) children: Vec<Children>,
    pub(super) parameters: Vec<Stored>,
    pub(super) long_texts: usize,
    /// What is compared: rows, or the groups they make.
    pub(super) clause: conditions::Clause,
    pub(super) reads: Vec<Arc<SObject>>,
}

impl<'a> Compiler<'a> {
    pub(super) fn new(schema: &'a Schema, asker: &'a Asker, query: &'a Query, object: &'a Arc<SObject>) -> Self {
        Self {
            schema,
            asker,
            query,
            object,
            columns: Vec::new(),
            joins: Vec::new(),
            children: Vec::new(),
            parameters: Vec::new(),
            long_texts: 0,
            clause: conditions::Clause::Where,
            reads: vec![Arc::clone(object)],
        }
    }

    pub(super) fn compiled(mut self, with_deleted: bool) -> Result<Compiled, Error> {
        let query = self.query;
        if query.offset.is_some_and(|offset| offset > 2000) {
            return Err(Error::Refused {
                code: "NUMBER_OUTSIDE_VALID_RANGE",
                message: "Maximum SOQL offset allowed is 2000".to_owned(),
            });
        }
        let answer = match query.select {
            Select::Count if query.has_aggregates() => {
                return Err(Error::malformed("COUNT() can not be grouped; use COUNT(Id)"));
            }
            Select::Count => Answer::Count,
            Select::Items(_) if query.has_aggregates() => Answer::Groups,
            Select::Items(_) => Answer::Rows,
        };
        let outputs = match answer {
            Answer::Groups => self.select_groups()?,
            Answer::Rows | Answer::Count => {
                self.columns.push("t0.\"Id\"".to_owned());
                self.select(with_deleted)?
            }
        };
        let condition = self.scoped_condition()?;
        let group = self.group()?;
        self.clause = conditions::Clause::Having;
        let having = query.having.as_ref().map(|having| self.condition(having)).transpose()?;
        let order = self.order(answer)?;
        if self.parameters.len() > MOST_PARAMETERS || self.columns.len() > MOST_COLUMNS {
            return Err(Error::too_complicated());
        }
        Ok(Compiled {
            object: Arc::clone(self.object),
            answer,
            outputs,
            children: self.children,
            parameters: self.parameters,
            long_texts: self.long_texts,
            columns: self.columns,
            joins: self.joins,
            condition,
            seen: self.schema.rows_seen(self.object, "t0"),
            with_deleted,
            with_archived: with_deleted || !is_archived(self.object),
            order,
            limit: query.limit,
            offset: query.offset,
            group,
            having,
            reads: self.reads,
        })
    }

    fn scoped_condition(&mut self) -> Result<Option<String>, Error> {
        let condition = self.query.condition.as_ref().map(|condition| self.condition(condition)).transpose()?;
        if self.query.scope == Scope::Everything {
            return Ok(condition);
        }
        if self.object.field("OwnerId").is_none() {
            let message = format!("The requested scope 'mine' is not supported for entity {}", self.object.name);
            return Err(Error::Refused { code: "INVALID_QUERY_SCOPE", message });
        }
        let user = self.asker.user.map_or(Stored::Null, |user| Stored::Text(user.to_string()));
        let mine = format!("t0.\"OwnerId\"={}", self.bind(user));
        Ok(Some(condition.map_or_else(|| mine.clone(), |condition| format!("({mine} AND {condition})"))))
    }

    fn order(&mut self, answer: Answer) -> Result<Vec<String>, Error> {
        let query = self.query;
        let mut keys = Vec::with_capacity(query.order.len());
        for key in &query.order {
            let path = key.by.path();
            let column = match answer {
                Answer::Groups => self.grouped(&key.by, "Ordered field must be grouped or aggregated")?,
                Answer::Rows | Answer::Count => self.operand(&key.by)?,
            };
            if !column.sortable {
                let message = format!("field '{}' can not be sorted in a query call", column.name);
                return Err(Error::at("INVALID_FIELD", &query.text, path.span, &message));
            }
            let direction = if key.descending { " DESC" } else { "" };
            // Spelled out only where it matters, because it keeps SQLite from walking an index backwards.
            let nulls = match (column.nillable, key.nulls, key.descending) {
                (true, NullsOrder::First, true) => " NULLS FIRST",
                (true, NullsOrder::Last, false) => " NULLS LAST",
                _ => "",
            };
            if let Some(place) = self.place_in_picklist(&key.by, &column.value)? {
                keys.push(format!("{place}{direction}{nulls}"));
            }
            keys.push(format!("{}{direction}{nulls}", column.value));
        }
        Ok(keys)
    }

    pub(super) fn column(&mut self, sql: String) -> usize {
        self.columns.push(sql);
        self.columns.len() - 1
    }

    pub(super) fn bind(&mut self, value: Stored) -> String {
        self.parameters.push(value);
        format!("?{}", self.parameters.len())
    }

    pub(super) fn read(&mut self, object: &Arc<SObject>) {
        if !self.reads.iter().any(|known| Arc::ptr_eq(known, object)) {
            self.reads.push(Arc::clone(object));
        }
    }
}
