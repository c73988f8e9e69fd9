//! Reading: queries with their cursors, single records, the truth.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rusqlite::OptionalExtension as _;

use super::database::Database;
use super::id::Id;
use super::refusal::Refusal;
use super::schema::{Field, SObject};
use super::{Inner, Org, render};
use crate::soql::{self, Compiled, FieldPath, Query, Select, SelectItem, Span};

/// Cursors a user may have open; opening another drops the oldest.
const MOST_CURSORS: usize = 10;
/// API version in the URLs of the truth.
const TRUTH: &str = "62.0";
/// How long a cursor lives, in virtual time.
const CURSOR_LIFE: SignedDuration = SignedDuration::from_hours(48);

/// A query as a client asks it.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The SOQL.
    pub soql: &'a str,
    /// Include the recycle bin, as `/queryAll` does.
    pub deleted: bool,
    /// API version of the request, such as `62.0`; record URLs carry it.
    pub version: &'a str,
    /// Page size the client would like.
    pub batch: Option<usize>,
}

/// The cursors of large results.
#[derive(Debug, Default)]
pub(super) struct Cursors {
    open: HashMap<String, Arc<Cursor>>,
    order: VecDeque<String>,
}

/// A result too large for one page. Which rows belong to it was settled when the query ran; their values are read when
/// they are fetched, and rows deleted meanwhile are left out.
#[derive(Debug)]
struct Cursor {
    query: Query,
    deleted: bool,
    rows: Vec<i64>,
    page: usize,
    opened: Timestamp,
}

impl Org {
    /// Answers a query with the JSON of its first page.
    pub fn query(&self, ask: Ask<'_>) -> Result<Vec<u8>, Refusal> {
        let query = soql::parse(ask.soql).map_err(refuse)?;
        let page = ask.batch.map_or(2000, |batch| batch.clamp(200, 2000)).min(self.0.settings.query_page).max(1);
        let mut database = self.0.database();
        let plan = self.plan(&mut database, &query, ask.deleted)?;
        let parameters = || rusqlite::params_from_iter(plan.parameters.iter());
        if plan.count {
            let mut statement = database.connection.prepare_cached(&plan.count_sql())?;
            let count: i64 = statement.query_row(parameters(), |row| row.get(0))?;
            return Ok(format!("{{\"totalSize\":{count},\"done\":true,\"records\":[]}}").into_bytes());
        }
        let mut records = Vec::new();
        let mut found = 0;
        {
            let mut statement = database.connection.prepare_cached(&plan.rows_sql(page as u64 + 1))?;
            let mut rows = statement.query(parameters())?;
            while let Some(row) = rows.next()? {
                found += 1;
                if found <= page {
                    separate(&mut records);
                    render::record(&mut records, &plan, row, ask.version)?;
                }
            }
        }
        if found <= page {
            return Ok(envelope(found, None, &records));
        }
        let row_ids: Vec<i64> = {
            let mut statement = database.connection.prepare_cached(&plan.row_ids_sql())?;
            let rows = statement.query_map(parameters(), |row| row.get(0))?;
            rows.collect::<Result<_, _>>()?
        };
        drop(database);
        let total = row_ids.len();
        let locator = self.open_cursor(Cursor { query, deleted: ask.deleted, rows: row_ids, page, opened: self.now() });
        Ok(envelope(total, Some(&next(ask.version, &locator, page)), &records))
    }

    /// Answers a query locator with the JSON of the page it names. The query is read anew, by the schema as it is now.
    pub fn query_more(&self, locator: &str, version: &str) -> Result<Vec<u8>, Refusal> {
        let invalid = || Refusal::bad("INVALID_QUERY_LOCATOR", "invalid query locator");
        let (name, offset) = locator.rsplit_once('-').ok_or_else(invalid)?;
        let offset: usize = offset.parse().map_err(|_| invalid())?;
        let cursor = self.cursor(name).ok_or_else(invalid)?;
        let until = cursor.rows.len().min(offset.saturating_add(cursor.page));
        let wanted = cursor.rows.get(offset..until).filter(|rows| !rows.is_empty()).ok_or_else(invalid)?;
        let mut records = Vec::new();
        let mut database = self.0.database();
        let plan = self.plan(&mut database, &cursor.query, cursor.deleted)?;
        let mut statement = database.connection.prepare_cached(&plan.row_sql())?;
        for row_id in wanted {
            let mut rows = statement.query([row_id])?;
            if let Some(row) = rows.next()? {
                separate(&mut records);
                render::record(&mut records, &plan, row, version)?;
            }
        }
        let next = (until < cursor.rows.len()).then(|| next(version, name, until));
        Ok(envelope(cursor.rows.len(), next.as_deref(), &records))
    }

    /// One record as JSON: all its fields, or those named.
    pub fn record(&self, object: &SObject, id: Id, fields: Option<&[&str]>, version: &str) -> Result<Vec<u8>, Refusal> {
        let select = match fields {
            None => all_fields(object),
            // The id closes the record, asked for or not.
            Some(names) => {
                names.iter().copied().filter(|name| !name.eq_ignore_ascii_case("Id")).chain(["Id"]).map(field).collect()
            }
        };
        let mut database = self.0.database();
        let plan = self.plan(&mut database, &everything(object, select), true)?;
        let mut statement = database.connection.prepare_cached(&plan.record_sql())?;
        let mut rows = statement.query([id.as_str()])?;
        let row = rows.next()?.ok_or_else(Refusal::not_found)?;
        let mut json = Vec::new();
        render::record(&mut json, &plan, row, version)?;
        drop(rows);
        if database.is_deleted(object, id)? { Err(Refusal::deleted()) } else { Ok(json) }
    }

    /// Records by their ids, as a JSON array with one element for each: null where there is no such record, or not any
    /// more. An unknown field fails the whole.
    pub fn retrieve(
        &self,
        object: &SObject,
        ids: &[impl AsRef<str>],
        fields: &[&str],
        version: &str,
    ) -> Result<Vec<u8>, Refusal> {
        // The id is there, asked for or not.
        let id = (!fields.iter().any(|name| name.eq_ignore_ascii_case("Id"))).then_some("Id");
        let select = fields.iter().copied().chain(id).map(field).collect();
        let mut database = self.0.database();
        let plan = self.plan(&mut database, &everything(object, select), false)?;
        let mut statement = database.connection.prepare_cached(&plan.live_record_sql())?;
        let mut json = vec![b'['];
        for id in ids {
            if json.len() > 1 {
                json.push(b',');
            }
            let Some(id) = Id::parse(id.as_ref()) else {
                json.extend_from_slice(b"null");
                continue;
            };
            let mut rows = statement.query([id.as_str()])?;
            match rows.next()? {
                Some(row) => render::record(&mut json, &plan, row, version)?,
                None => json.extend_from_slice(b"null"),
            }
        }
        json.push(b']');
        Ok(json)
    }

    /// The binary content of a field.
    pub fn blob(&self, object: &SObject, id: Id, field: &Field) -> Result<Vec<u8>, Refusal> {
        let mut database = self.0.database();
        database.ensure(&self.0.views().whole, &object.name)?;
        let sql = format!("SELECT \"{}\" FROM \"{}\" WHERE \"Id\"=? AND \"IsDeleted\"=0", field.name, object.name);
        let mut statement = database.connection.prepare_cached(&sql)?;
        let content = statement.query_row([id.as_str()], |row| row.get::<_, Option<Vec<u8>>>(0)).optional()?;
        content.flatten().ok_or_else(Refusal::not_found)
    }

    /// The truth to compare with: every row of an object as a JSON array, by id, spelled as the REST API spells it.
    /// With `deleted`, the recycle bin too.
    pub fn records(&self, object: &str, deleted: bool) -> Result<Vec<u8>, Refusal> {
        let mut database = self.0.database();
        let object = self.object(object)?;
        let plan = self.plan(&mut database, &everything(&object, all_fields(&object)), deleted)?;
        let mut statement = database.connection.prepare_cached(&plan.rows_sql(u64::from(u32::MAX)))?;
        let mut rows = statement.query([])?;
        let mut json = vec![b'['];
        while let Some(row) = rows.next()? {
            if json.len() > 1 {
                json.push(b',');
            }
            render::record(&mut json, &plan, row, TRUTH)?;
        }
        json.push(b']');
        Ok(json)
    }

    /// Ids of an object's live records, or of those in the recycle bin, in their order.
    pub fn ids(&self, object: &str, deleted: bool) -> Result<Vec<Id>, Refusal> {
        let mut database = self.0.database();
        let object = self.object(object)?;
        database.ensure(&self.0.views().whole, &object.name)?;
        let sql = format!("SELECT \"Id\" FROM \"{}\" WHERE \"IsDeleted\"=?1 ORDER BY \"Id\"", object.name);
        let mut statement = database.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([deleted])?;
        let mut ids = Vec::new();
        while let Some(row) = rows.next()? {
            ids.extend(row.get_ref(0)?.as_str().ok().and_then(Id::parse));
        }
        Ok(ids)
    }

    /// Live rows of each object.
    pub fn counts(&self) -> Result<HashMap<String, u64>, Refusal> {
        Ok(self.0.database().counts()?)
    }

    /// Compiles a query by the schema that the user sees now, and sees to the tables it reads.
    pub(super) fn plan(&self, database: &mut Database, query: &Query, deleted: bool) -> Result<Compiled, Refusal> {
        let views = self.0.views();
        let plan = soql::compile(&views.visible, query, deleted).map_err(refuse)?;
        for object in plan.objects() {
            database.ensure(&views.whole, &object.name)?;
        }
        Ok(plan)
    }

    fn open_cursor(&self, cursor: Cursor) -> String {
        let name = self.0.new_id("01g").to_string();
        let mut cursors = self.0.cursors();
        if cursors.order.len() == MOST_CURSORS
            && let Some(oldest) = cursors.order.pop_front()
        {
            cursors.open.remove(&oldest);
        }
        cursors.order.push_back(name.clone());
        cursors.open.insert(name.clone(), Arc::new(cursor));
        name
    }

    fn cursor(&self, name: &str) -> Option<Arc<Cursor>> {
        let cursor = self.0.cursors().open.get(name).cloned()?;
        (self.now().duration_since(cursor.opened) <= CURSOR_LIFE).then_some(cursor)
    }
}

impl Inner {
    /// An id outside the tables, such as a cursor's.
    pub(super) fn new_id(&self, prefix: &str) -> Id {
        let mut database = self.database();
        database.next_id += 1;
        Id::new(prefix, self.pod, database.next_id - 1)
    }
}

/// How SOQL's errors are answered.
pub(super) fn refuse(error: soql::Error) -> Refusal {
    match error {
        soql::Error::Refused { code, message } => Refusal::bad(code, message),
        soql::Error::Gap(gap) => Refusal::not_imitated(format!("{gap} in SOQL")),
    }
}

fn all_fields(object: &SObject) -> Vec<SelectItem> {
    object.fields.iter().map(|described| field(&described.name)).collect()
}

pub(super) fn field(name: &str) -> SelectItem {
    SelectItem::Field(FieldPath {
        names: name.split('.').map(str::to_owned).collect(),
        span: Span { start: 0, end: 0 },
    })
}

/// `SELECT … FROM object ORDER BY Id`, made without text.
fn everything(object: &SObject, select: Vec<SelectItem>) -> Query {
    let span = Span { start: 0, end: 0 };
    let id = FieldPath { names: vec!["Id".to_owned()], span };
    Query {
        text: String::new(),
        select: Select::Items(select),
        from: object.name.clone(),
        from_span: span,
        alias: None,
        condition: None,
        order: vec![soql::Order { field: id, descending: false, nulls: soql::NullsOrder::First }],
        limit: None,
        offset: None,
    }
}

fn next(version: &str, locator: &str, offset: usize) -> String {
    format!("/services/data/v{version}/query/{locator}-{offset}")
}

fn separate(records: &mut Vec<u8>) {
    if !records.is_empty() {
        records.push(b',');
    }
}

fn envelope(total: usize, next: Option<&str>, records: &[u8]) -> Vec<u8> {
    let head = match next {
        Some(next) => format!("{{\"totalSize\":{total},\"done\":false,\"nextRecordsUrl\":\"{next}\",\"records\":["),
        None => format!("{{\"totalSize\":{total},\"done\":true,\"records\":["),
    };
    let mut json = Vec::with_capacity(head.len() + records.len() + 2);
    json.extend_from_slice(head.as_bytes());
    json.extend_from_slice(records);
    json.extend_from_slice(b"]}");
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A million rows are ordinary only if what clients page by is found by an index.
    #[test]
    fn keysets_and_modstamps_use_indexes() {
        let (org, _) = Org::open(None, 1, crate::Settings::default()).unwrap();
        let table = [
            (
                "SELECT Id, Name FROM Account WHERE Id > '0015900000000G8' ORDER BY Id LIMIT 2000",
                "sqlite_autoindex_Account_1 (Id>?)",
            ),
            ("SELECT Id FROM Account ORDER BY Id", "sqlite_autoindex_Account_1"),
            (
                "SELECT Id FROM Account WHERE Id IN ('0015900000000G8', '0015900000000G9')",
                "sqlite_autoindex_Account_1 (Id=?)",
            ),
            (
                "SELECT Id, Name FROM Account WHERE SystemModstamp >= 2026-01-01T00:00:00Z AND SystemModstamp < 2026-01-02T00:00:00Z \
                 ORDER BY SystemModstamp, Id",
                "Account~modstamp (SystemModstamp>? AND SystemModstamp<?)",
            ),
            ("SELECT Id FROM Lead WHERE CreatedDate > 2026-01-01T00:00:00Z", "Lead~CreatedDate (CreatedDate>?)"),
        ];
        for (soql, index) in table {
            for deleted in [false, true] {
                let plan = org.plan(&mut org.0.database(), &soql::parse(soql).unwrap(), deleted).unwrap();
                for sql in [plan.rows_sql(2001), plan.row_ids_sql()] {
                    let database = org.0.database();
                    let mut statement = database.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
                    let steps = statement
                        .query_map(rusqlite::params_from_iter(&plan.parameters), |row| row.get::<_, String>(3))
                        .unwrap();
                    let steps = steps.collect::<Result<Vec<_>, _>>().unwrap().join("; ");
                    assert!(steps.contains(index) && !steps.contains("TEMP B-TREE"), "{sql}: {steps}");
                }
            }
        }
    }
}
