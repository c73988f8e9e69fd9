//! [`Query`] × schema → SQL. Names are resolved here, literals checked against the types of their fields, and every value
//! becomes a bound parameter.

use std::sync::Arc;

use rusqlite::types::Value as Stored;

use super::query::{FieldPath, NullsOrder, Query, Select, SelectItem};
use super::{Error, column};
use crate::org::{Field, FieldType, SObject, Schema};

/// Most parameters of one statement; SQLite's default is 32,766.
const MOST_PARAMETERS: usize = 32_000;

/// A query ready to run.
#[derive(Debug)]
pub struct Compiled {
    /// The object asked for.
    pub object: Arc<SObject>,
    /// What each row becomes; empty for `COUNT()`.
    pub outputs: Vec<Output>,
    /// `COUNT()`
    pub count: bool,
    columns: Vec<String>,
    joins: Vec<Join>,
    condition: Option<String>,
    /// Which rows of the object there are for whoever asks.
    seen: Option<String>,
    with_deleted: bool,
    order: Vec<String>,
    limit: Option<u64>,
    offset: Option<u64>,
    /// Parameters of the condition.
    pub parameters: Vec<Stored>,
}

/// One member of a record.
#[derive(Debug)]
pub enum Output {
    /// A field and the column its value is in.
    Field {
        /// Canonical name.
        name: String,
        /// Type.
        kind: FieldType,
        /// Place in the row.
        column: usize,
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
}

#[derive(Debug)]
struct Join {
    /// Lower-case path of relationships, for finding the join again.
    path: String,
    object: Arc<SObject>,
    sql: String,
}

/// Resolves a query against the schema. `with_deleted` includes the recycle bin.
pub fn compile(schema: &Schema, query: &Query, with_deleted: bool) -> Result<Compiled, Error> {
    let Some(object) = schema.object(&query.from) else {
        let message = format!(
            "sObject type '{}' is not supported. If you are attempting to use a custom object, be sure to append the '__c' \
             after the entity name. Please reference your WSDL or the describe call for the appropriate names.",
            query.from
        );
        return Err(Error::at("INVALID_TYPE", &query.text, query.from_span, &message));
    };
    if query.offset.is_some_and(|offset| offset > 2000) {
        return Err(Error::Refused {
            code: "NUMBER_OUTSIDE_VALID_RANGE",
            message: "Maximum SOQL offset allowed is 2000".to_owned(),
        });
    }
    let mut compiler = Compiler {
        schema,
        query,
        object,
        columns: vec!["t0.\"Id\"".to_owned()],
        joins: Vec::new(),
        parameters: Vec::new(),
    };
    let outputs = compiler.select()?;
    let condition = query.condition.as_ref().map(|condition| compiler.condition(condition)).transpose()?;
    let order = compiler.order()?;
    let Compiler { columns, joins, parameters, .. } = compiler;
    if parameters.len() > MOST_PARAMETERS {
        return Err(Error::Refused { code: "QUERY_TOO_COMPLICATED", message: "Query is too complicated".to_owned() });
    }
    Ok(Compiled {
        object: Arc::clone(object),
        outputs,
        count: query.select == Select::Count,
        columns,
        joins,
        condition,
        seen: schema.rows_seen(object, "t0"),
        with_deleted,
        order,
        limit: query.limit,
        offset: query.offset,
        parameters,
    })
}

/// The condition of a query as SQL over alias `t0`, with its parameters; `None` when every row matches. For conditions
/// without parents, such as a PushTopic's.
pub fn filter(schema: &Schema, object: &Arc<SObject>, query: &Query) -> Result<Option<(String, Vec<Stored>)>, Error> {
    let mut compiler =
        Compiler { schema, query, object, columns: Vec::new(), joins: Vec::new(), parameters: Vec::new() };
    let sql = query.condition.as_ref().map(|condition| compiler.condition(condition)).transpose()?;
    Ok(sql.map(|sql| (sql, compiler.parameters)))
}

impl Compiled {
    /// The objects it reads.
    pub fn objects(&self) -> impl Iterator<Item = &Arc<SObject>> {
        std::iter::once(&self.object).chain(self.joins.iter().map(|join| &join.object))
    }

    /// Reads the rows, at most `most` of them. Columns are as [`Output`] says; column 0 is the id.
    pub fn rows_sql(&self, most: u64) -> String {
        let limit = self.limit.map_or(most, |limit| limit.min(most));
        format!(
            "SELECT {} FROM {} LIMIT {limit} OFFSET {}",
            self.columns.join(","),
            self.tail(),
            self.offset.unwrap_or(0)
        )
    }

    /// Reads the SQLite row ids of the whole result, in order.
    pub fn row_ids_sql(&self) -> String {
        let limit = self.limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(-1));
        format!("SELECT t0.rowid FROM {} LIMIT {limit} OFFSET {}", self.tail(), self.offset.unwrap_or(0))
    }

    /// Reads one row by its SQLite row id, as long as the query may still see it.
    pub fn row_sql(&self) -> String {
        let visible = if self.with_deleted { "" } else { " AND t0.\"IsDeleted\"=0" };
        format!("SELECT {} FROM {} WHERE t0.rowid=?1{visible}{}", self.columns.join(","), self.from(), self.and_seen())
    }

    /// Reads one row by its id, deleted or not.
    pub fn record_sql(&self) -> String {
        format!("SELECT {} FROM {} WHERE t0.\"Id\"=?1{}", self.columns.join(","), self.from(), self.and_seen())
    }

    /// Reads one row by its id, unless it is deleted.
    pub fn live_record_sql(&self) -> String {
        format!("{} AND t0.\"IsDeleted\"=0", self.record_sql())
    }

    /// Counts the rows.
    pub fn count_sql(&self) -> String {
        match (self.limit, self.offset) {
            (None, None) => format!("SELECT COUNT(*) FROM {}", self.tail()),
            _ => format!("SELECT COUNT(*) FROM ({})", self.row_ids_sql()),
        }
    }

    fn and_seen(&self) -> String {
        self.seen.as_ref().map(|seen| format!(" AND {seen}")).unwrap_or_default()
    }

    fn from(&self) -> String {
        let joins: String = self.joins.iter().map(|join| join.sql.as_str()).collect();
        format!("\"{}\" t0{joins}", self.object.name)
    }

    fn tail(&self) -> String {
        let visible = (!self.with_deleted).then(|| "t0.\"IsDeleted\"=0".to_owned());
        let conditions: Vec<String> =
            visible.into_iter().chain(self.seen.clone()).chain(self.condition.clone()).collect();
        let mut sql = self.from();
        if !conditions.is_empty() {
            sql.push_str(" WHERE ");
            sql.push_str(&conditions.join(" AND "));
        }
        if !self.order.is_empty() {
            sql.push_str(" ORDER BY ");
            sql.push_str(&self.order.join(","));
        }
        sql
    }
}

/// A compilation under way; `conditions` does the WHERE.
pub(super) struct Compiler<'a> {
    schema: &'a Schema,
    pub(super) query: &'a Query,
    object: &'a Arc<SObject>,
    columns: Vec<String>,
    joins: Vec<Join>,
    pub(super) parameters: Vec<Stored>,
}

impl Compiler<'_> {
    fn select(&mut self) -> Result<Vec<Output>, Error> {
        let Select::Items(items) = &self.query.select else { return Ok(Vec::new()) };
        let mut outputs = Vec::new();
        for item in items {
            match item {
                SelectItem::Field(path) => self.select_path(&mut outputs, path)?,
                SelectItem::AllFields => self.select_set(&mut outputs, true, |_| true)?,
                SelectItem::StandardFields => self.select_set(&mut outputs, false, |field| !field.custom)?,
                SelectItem::CustomFields => self.select_set(&mut outputs, true, |field| field.custom)?,
            }
        }
        Ok(outputs)
    }

    fn select_set(
        &mut self,
        outputs: &mut Vec<Output>,
        bounded: bool,
        wanted: fn(&Field) -> bool,
    ) -> Result<(), Error> {
        if bounded && self.query.limit.is_none_or(|limit| limit > 200) {
            return Err(Error::malformed("The SOQL FIELDS function must have a LIMIT of at most 200"));
        }
        let object = Arc::clone(self.object);
        for field in object.fields.iter().filter(|field| wanted(field)) {
            if named(outputs, &field.name).is_none() {
                let output = self.output(&object, "t0", field);
                outputs.push(output);
            }
        }
        Ok(())
    }

    fn select_path(&mut self, outputs: &mut Vec<Output>, path: &FieldPath) -> Result<(), Error> {
        let (alias, object, names) = self.resolve(path)?;
        let Some(field) = object.field(&names[names.len() - 1]) else {
            return Err(self.no_such_column(path, &names[names.len() - 1], &object));
        };
        let output = self.output(&object, &alias, field);
        let mut level = outputs;
        let mut joined = String::new();
        for relationship in &names[..names.len() - 1] {
            joined = format!("{joined}.{}", relationship.to_ascii_lowercase());
            let at = match named(level, relationship) {
                Some(at) => at,
                None => {
                    let (parent, number) = self.join(&joined);
                    let id = self.column(format!("t{number}.\"Id\""));
                    let name = self.canonical(&joined).unwrap_or_else(|| relationship.clone());
                    level.push(Output::Parent { name, object: parent, id, outputs: Vec::new() });
                    level.len() - 1
                }
            };
            let Output::Parent { outputs, .. } = &mut level[at] else {
                return Err(Error::malformed(format!("duplicate field selected: {relationship}")));
            };
            level = outputs;
        }
        if named(level, &field.name).is_some() {
            return Err(Error::Refused {
                code: "INVALID_FIELD",
                message: format!("duplicate field selected: {}", names.join(".")),
            });
        }
        level.push(output);
        Ok(())
    }

    fn output(&mut self, object: &SObject, alias: &str, field: &Field) -> Output {
        let name = field.name.clone();
        if field.kind == FieldType::Base64 {
            return Output::Blob { name, column: self.column(column::shown(alias, field)) };
        }
        if !field.kind.is_compound() {
            return Output::Field { name, kind: field.kind, column: self.column(column::shown(alias, field)) };
        }
        let parts = column::parts(object, field).into_iter().map(|(key, part)| match part {
            Some(part) => (key, part.kind, self.column(column::shown(alias, part))),
            None => (key, FieldType::String, self.column("NULL".to_owned())),
        });
        Output::Compound { name, parts: parts.collect() }
    }

    fn column(&mut self, sql: String) -> usize {
        self.columns.push(sql);
        self.columns.len() - 1
    }

    /// Walks the relationships of a path, joining parents on the way: alias and object of the last one, and the names
    /// without the query's own alias.
    pub(super) fn resolve(&mut self, path: &FieldPath) -> Result<(String, Arc<SObject>, Vec<String>), Error> {
        let mut names = path.names.clone();
        let own = |name: &str| {
            name.eq_ignore_ascii_case(&self.query.from)
                || self.query.alias.as_deref().is_some_and(|alias| name.eq_ignore_ascii_case(alias))
        };
        if names.len() > 1 && own(&names[0]) && self.object.parent(&names[0]).is_none() {
            names.remove(0);
        }
        if names.len() > 6 {
            return Err(Error::malformed("SOQL relationship paths reach five levels at most"));
        }
        let (mut alias, mut object) = ("t0".to_owned(), Arc::clone(self.object));
        let mut joined = String::new();
        for relationship in &names[..names.len() - 1] {
            let Some(field) = object.parent(relationship) else {
                let message = format!(
                    "Didn't understand relationship '{relationship}' in field path. If you are attempting to use a custom \
                     relationship, be sure to append the '__r' after the custom relationship name. Please reference your WSDL or \
                     the describe call for the appropriate names."
                );
                return Err(Error::at("INVALID_FIELD", &self.query.text, path.span, &message));
            };
            // Of a polymorphic owner the user is meant; other polymorphic parents have only the fields of `Name`.
            let targets: Vec<_> = field.reference_to.iter().filter_map(|name| self.schema.object(name)).collect();
            let [target] = targets[..] else {
                return Err(Error::gap(format!("paths through {}.{relationship}", object.name)));
            };
            joined = format!("{joined}.{}", relationship.to_ascii_lowercase());
            let number = match self.joins.iter().position(|join| join.path == joined) {
                Some(at) => at + 1,
                None => {
                    let number = self.joins.len() + 1;
                    let seen = self.schema.rows_seen(target, &format!("t{number}"));
                    let seen = seen.map(|seen| format!(" AND {seen}")).unwrap_or_default();
                    let sql = format!(
                        " LEFT JOIN \"{}\" t{number} ON t{number}.\"Id\"={alias}.\"{}\"{seen}",
                        target.name, field.name
                    );
                    self.joins.push(Join { path: joined.clone(), object: Arc::clone(target), sql });
                    number
                }
            };
            alias = format!("t{number}");
            object = Arc::clone(target);
        }
        Ok((alias, object, names))
    }

    fn join(&self, path: &str) -> (Arc<SObject>, usize) {
        let at = self.joins.iter().position(|join| join.path == path).unwrap_or(0);
        (Arc::clone(&self.joins[at].object), at + 1)
    }

    /// The relationship's name in its canonical case, by its path of lower-case names.
    fn canonical(&self, path: &str) -> Option<String> {
        let (above, name) = path.rsplit_once('.')?;
        let object = if above.is_empty() { Arc::clone(self.object) } else { self.join(above).0 };
        object.parent(name)?.relationship_name.clone()
    }

    pub(super) fn no_such_column(&self, path: &FieldPath, name: &str, object: &SObject) -> Error {
        let message = format!(
            "No such column '{name}' on entity '{}'. If you are attempting to use a custom field, be sure to append the '__c' after \
             the custom field name. Please reference your WSDL or the describe call for the appropriate names.",
            object.name
        );
        Error::at("INVALID_FIELD", &self.query.text, path.span, &message)
    }

    fn order(&mut self) -> Result<Vec<String>, Error> {
        let query = self.query;
        let mut keys = Vec::with_capacity(query.order.len());
        for key in &query.order {
            let (alias, object, names) = self.resolve(&key.field)?;
            let name = &names[names.len() - 1];
            let field = object.field(name).ok_or_else(|| self.no_such_column(&key.field, name, &object))?;
            if !field.sortable || field.kind.is_compound() {
                let message = format!("field '{}' can not be sorted in a query call", field.name);
                return Err(Error::at("INVALID_FIELD", &query.text, key.field.span, &message));
            }
            let direction = if key.descending { " DESC" } else { "" };
            // Spelled out only where it matters, because it keeps SQLite from walking an index backwards.
            let nulls = match (field.nillable || alias != "t0", key.nulls, key.descending) {
                (true, NullsOrder::First, true) => " NULLS FIRST",
                (true, NullsOrder::Last, false) => " NULLS LAST",
                _ => "",
            };
            keys.push(format!("{}{direction}{nulls}", column::value(&alias, field)));
        }
        Ok(keys)
    }
}

fn named(outputs: &[Output], wanted: &str) -> Option<usize> {
    outputs.iter().position(|output| output.name().eq_ignore_ascii_case(wanted))
}
