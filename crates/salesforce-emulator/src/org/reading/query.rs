//! Queries: page after page of what their SOQL finds, as the user sees it now.

use std::sync::{Arc, MutexGuard};

use jiff::tz::TimeZone;
use rusqlite::OptionalExtension as _;

use super::cursors::Cursor;
use super::query_result::{count, first_page, groups, next, row_ids, write_envelope};
use super::sub_queries::{Layout, Rest};
use crate::org::schema::{SObject, Views};
use crate::org::storage::Database;
use crate::org::{Org, Refusal};
use crate::soql::{self, Answer, Asker, Compiled, Query};

/// API version from which on sub-queries may have sub-queries.
const DEEP_SUB_QUERIES: f64 = 58.0;

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

impl Org {
    /// Answers a query with the JSON of its first page.
    pub fn query(&self, ask: Ask<'_>) -> Result<Vec<u8>, Refusal> {
        let query = soql::parse(ask.soql).map_err(refuse)?;
        if query.levels() > 1 && ask.version.parse::<f64>().is_ok_and(|version| version < DEEP_SUB_QUERIES) {
            return Err(Refusal::bad(
                "MALFORMED_QUERY",
                "sub-queries reach two levels at most before API version 58.0",
            ));
        }
        let mut database = self.0.database();
        let plan = self.plan(&mut database, &query, ask.deleted)?;
        let page = self.page_size(ask.batch, &plan);
        match plan.answer {
            Answer::Count => return count(&database, &plan),
            Answer::Groups => return groups(&database, &plan),
            Answer::Rows => {}
        }
        let cursor = |rows| {
            let (path, opened) = (Vec::new(), self.now());
            Arc::new(Cursor { query: query.clone(), deleted: ask.deleted, path, rows, page, opened })
        };
        if !plan.children.is_empty() {
            let cursor = cursor(row_ids(&database, &plan)?);
            return self.read_on(database, cursor, None, 0, ask.version);
        }
        let (records, found) = first_page(&database, &plan, page, ask.version)?;
        if found <= page {
            return Ok(write_envelope(found, None, &records));
        }
        let rows = row_ids(&database, &plan)?;
        drop(database);
        let total = rows.len();
        let locator = self.open_cursor(cursor(rows));
        Ok(write_envelope(total, Some(&next(ask.version, &locator, page)), &records))
    }

    /// Answers a query locator with the JSON of the page it names. The query is read anew, by the schema as it is now.
    pub fn query_more(&self, locator: &str, version: &str) -> Result<Vec<u8>, Refusal> {
        let invalid = || Refusal::bad("INVALID_QUERY_LOCATOR", "invalid query locator");
        let (name, offset) = locator.rsplit_once('-').ok_or_else(invalid)?;
        let offset: usize = offset.parse().map_err(|_| invalid())?;
        let cursor = self.cursor(name).filter(|cursor| offset < cursor.rows.len()).ok_or_else(invalid)?;
        self.read_on(self.0.database(), cursor, Some(name), offset, version)
    }

    /// The page of a cursor that begins at `offset`. A cursor without a name gets one if there is more to read.
    fn read_on(
        &self,
        mut database: MutexGuard<'_, Database>,
        cursor: Arc<Cursor>,
        name: Option<&str>,
        offset: usize,
        version: &str,
    ) -> Result<Vec<u8>, Refusal> {
        let whole = self.plan(&mut database, &cursor.query, cursor.deleted)?;
        let plan = cursor.path.iter().fold(&whole, |plan, at| &plan.children[*at].plan);
        let layout = Layout { org: self, database: &mut database, version, room: cursor.page, rests: Vec::new() };
        let page = layout.page(plan, &cursor.path, &cursor.rows[offset..])?;
        drop(database);
        for Rest { locator, path, rows } in page.rests {
            let (query, opened) = (cursor.query.clone(), self.now());
            self.0
                .cursors()
                .entry(self.1)
                .or_default()
                .keep_children(locator, Cursor { query, path, rows, opened, ..*cursor });
        }
        let (total, until) = (cursor.rows.len(), offset + page.taken);
        let name = (until < total).then(|| name.map_or_else(|| self.open_cursor(cursor), str::to_owned));
        let next = name.map(|name| next(version, &name, until));
        Ok(write_envelope(total, next.as_deref(), &page.records))
    }

    /// Rows of a page, children counted.
    fn page_size(&self, asked: Option<usize>, plan: &Compiled) -> usize {
        let settings = &self.0.settings;
        let widest =
            if plan.long_texts < 2 { settings.query_page } else { settings.query_page.min(settings.wide_query_page) };
        asked.map_or(2000, |batch| batch.clamp(200, 2000)).min(widest).max(1)
    }

    /// Compiles a query by the schema that the user sees now, and sees to the tables it reads.
    pub(in crate::org) fn plan(
        &self,
        database: &mut Database,
        query: &Query,
        deleted: bool,
    ) -> Result<Compiled, Refusal> {
        let views = self.views();
        let asker = self.asker(database)?;
        let plan = soql::compile(&views.visible, query, deleted, &asker).map_err(refuse)?;
        for object in plan.objects() {
            database.ensure(&views.whole, &object.name)?;
            self.sight(database, object)?;
        }
        Ok(plan)
    }

    /// The user as one who asks now: his time zone is that of his record, or the org's.
    fn asker(&self, database: &Database) -> Result<Asker, Refusal> {
        let (user, org) = (self.user_id(), self.0.org_id);
        let mut statement = database.connection.prepare_cached(
            "SELECT (SELECT TimeZoneSidKey FROM User WHERE Id=?1),TimeZoneSidKey,FiscalYearStartMonth FROM Organization \
             WHERE Id=?2",
        )?;
        let found = statement.query_row([user.as_str(), org.as_str()], |row| {
            let zones: [Option<String>; 2] = [row.get(0)?, row.get(1)?];
            Ok((zones.into_iter().flatten().find_map(|zone| TimeZone::get(&zone).ok()), row.get::<_, Option<i8>>(2)?))
        });
        let (zone, month) = found.optional()?.unwrap_or_default();
        let fiscal_month = month.filter(|month| (1..=12).contains(month)).unwrap_or(1);
        Ok(Asker { user: Some(user), now: self.now(), zone: zone.unwrap_or(TimeZone::UTC), fiscal_month })
    }

    /// What a WHERE over `t0` must add so that it finds no rows of an object that are not there for the user; the tables it
    /// names are there when this returns.
    pub(in crate::org) fn sight(&self, database: &mut Database, object: &SObject) -> Result<String, Refusal> {
        let Views { whole, visible } = self.views();
        let Some(condition) = visible.rows_seen(object, "t0") else { return Ok(String::new()) };
        database.ensure(&whole, &object.name)?;
        for master in visible.viewer().iter().flat_map(|viewer| viewer.masters(object)) {
            database.ensure(&whole, &master.name)?;
        }
        Ok(format!(" AND {condition}"))
    }
}

/// How SOQL's errors are answered.
pub(in crate::org) fn refuse(error: soql::Error) -> Refusal {
    match error {
        soql::Error::Refused { code, message } => Refusal::bad(code, message),
        soql::Error::Gap(gap) => Refusal::not_imitated(format!("{gap} in SOQL")),
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::types::Value as Stored;

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
            ("SELECT Id FROM Lead WHERE CreatedDate = TODAY", "Lead~CreatedDate (CreatedDate>? AND CreatedDate<?)"),
            (
                "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact) ORDER BY Id",
                "sqlite_autoindex_Account_1 (Id=?)",
            ),
        ];
        for (soql, index) in table {
            for deleted in [false, true] {
                let plan = org.plan(&mut org.0.database(), &soql::parse(soql).unwrap(), deleted).unwrap();
                for sql in [plan.rows_sql(2001), plan.row_ids_sql()] {
                    let steps = steps(&org, &sql, &plan.parameters);
                    assert!(steps.contains(index) && !steps.contains("TEMP B-TREE"), "{sql}: {steps}");
                }
            }
        }
    }

    #[test]
    fn children_are_found_by_their_index() {
        let (org, _) = Org::open(None, 1, crate::Settings::default()).unwrap();
        let soql = "SELECT Id, (SELECT Id FROM Contacts WHERE Title = 'x' ORDER BY Name) FROM Account";
        let plan = org.plan(&mut org.0.database(), &soql::parse(soql).unwrap(), false).unwrap();
        let children = &plan.children[0];
        let parents = Stored::Text("[1,2]".to_owned());
        let parameters: Vec<Stored> = children.plan.parameters.iter().cloned().chain([parents]).collect();
        let steps = steps(&org, &children.row_ids_sql(), &parameters);
        assert!(steps.contains("SEARCH t0 USING INDEX Contact~AccountId (AccountId=?)"), "{steps}");
        assert!(steps.contains("SEARCH parent USING INTEGER PRIMARY KEY"), "{steps}");
    }

    fn steps(org: &Org, sql: &str, parameters: &[Stored]) -> String {
        let database = org.0.database();
        let mut statement = database.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = statement.query_map(rusqlite::params_from_iter(parameters), |row| row.get::<_, String>(3)).unwrap();
        steps.collect::<Result<Vec<_>, _>>().unwrap().join("; ")
    }
}
