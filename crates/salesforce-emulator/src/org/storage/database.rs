//! The SQLite side of the org: a table per object, one column per field, and a few tables of its own whose names begin
//! with `~`, which no object's can.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::types::{Type, Value as Stored};
use rusqlite::{Connection, OptionalExtension, params};

use super::bracket::Bracket;
use super::table::{DELETED_AT, ROOT, Statements, stored_fields, table};
use crate::org::OpenError;
use crate::org::id::Id;
use crate::org::schema::{SObject, Schema, SchemaChange};
use crate::org::value::stamp;

/// An open database and the counters that must survive it.
#[derive(Debug)]
pub(in crate::org) struct Database {
    pub(in crate::org) connection: Connection,
    /// Kept in a file.
    pub(in crate::org) durable: bool,
    /// Next number for an id; one sequence for all objects.
    pub(in crate::org) next_id: u64,
    /// Next number for the id of a history row; their sequence is their own.
    pub(in crate::org) next_history: u64,
    /// Latest modstamp given, which no later one may precede.
    pub(super) last_stamp: String,
    /// Transactions of one thread that count together.
    pub(in crate::org) bracket: Option<Bracket>,
    /// Objects that have a table. It is made when an object is first touched: large orgs have thousands that nobody uses.
    pub(in crate::org) tables: HashSet<String>,
    /// Tables made by the transaction that is open, in their order: they go with it.
    fresh_tables: Vec<String>,
    /// By object name, as the whole schema has it.
    pub(super) statements: HashMap<String, Statements>,
}

/// A transaction of the database's own, or a savepoint in one, to be committed or rolled back.
#[derive(Debug, Clone, Copy)]
pub(in crate::org) struct Begun {
    outermost: bool,
    /// How many tables were fresh before.
    fresh_tables: usize,
}

/// A transaction during its work: a panic undoes it, and does not leave it to whoever comes next.
struct Open<'a>(&'a mut Database, Option<Begun>);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if let Some(begun) = self.1
            && let Err(error) = self.0.roll_back(begun)
        {
            tracing::error!(%error, "a transaction was not undone");
        }
    }
}

/// Does the database hold tables, and not ours?
const IS_FOREIGN: &str = "SELECT COUNT(*)>0 AND SUM(name='~meta')=0 FROM sqlite_master WHERE type='table'";

impl Database {
    /// Opens or makes the database. The second value is true when it was empty.
    pub(in crate::org) fn open(path: Option<&Path>) -> Result<(Self, bool), OpenError> {
        let connection = match path {
            Some(path) => Connection::open(path)?,
            None => Connection::open_in_memory()?,
        };
        // Locked from the first reading on until it is closed, or its process ends: two orgs on one file would tear it apart.
        connection.busy_timeout(Duration::ZERO)?;
        connection.execute_batch("PRAGMA locking_mode=EXCLUSIVE")?;
        if connection.query_row(IS_FOREIGN, [], |row| row.get(0))? {
            return Err(OpenError::Foreign);
        }
        connection.execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-65536;
             CREATE TABLE IF NOT EXISTS \"~meta\"(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
             CREATE TABLE IF NOT EXISTS \"~event\"(stream INTEGER, replay INTEGER PRIMARY KEY, at INTEGER, data BLOB);
             CREATE TABLE IF NOT EXISTS \"~audience\"(replay INTEGER PRIMARY KEY, owners TEXT);
             CREATE TABLE IF NOT EXISTS \"~deletion\"(object TEXT, at TEXT, id TEXT, PRIMARY KEY(object, at, id)) WITHOUT ROWID;
             CREATE INDEX IF NOT EXISTS \"~deletion~id\" ON \"~deletion\"(id);
             CREATE TABLE IF NOT EXISTS \"~orphan\"(parent TEXT, object TEXT, id TEXT, field TEXT, at TEXT,
                 PRIMARY KEY(parent, object, id, field)) WITHOUT ROWID;
             CREATE TABLE IF NOT EXISTS \"~schema\"(number INTEGER PRIMARY KEY, at INTEGER, change TEXT);",
        )?;
        crate::soql::install(&connection)?;
        connection.set_prepared_statement_cache_capacity(256);
        let tables = connection
            .prepare("SELECT name FROM sqlite_master WHERE type='table' AND name NOT LIKE '~%'")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let mut database = Self {
            connection,
            durable: path.is_some(),
            next_id: 1000,
            next_history: 1,
            last_stamp: String::new(),
            bracket: None,
            tables,
            fresh_tables: Vec::new(),
            statements: HashMap::new(),
        };
        let fresh = match database.meta::<i64>("next_id")? {
            Some(next) => {
                database.next_id = next.unsigned_abs();
                database.next_history = database.meta::<i64>("next_history")?.unwrap_or(1).unsigned_abs();
                database.last_stamp = database.meta("last_stamp")?.unwrap_or_default();
                false
            }
            None => true,
        };
        Ok((database, fresh))
    }

    /// Makes sure that an object of the whole schema has its table.
    pub(in crate::org) fn ensure(&mut self, schema: &Schema, object: &str) -> rusqlite::Result<()> {
        if self.statements.contains_key(object) {
            return Ok(());
        }
        let Some(object) = schema.object(object) else { return Ok(()) };
        // A table may be there already, made when other columns were worth an index.
        self.connection.execute_batch(&table(schema, object))?;
        if self.tables.insert(object.name.clone()) {
            self.fresh_tables.push(object.name.clone());
        }
        self.statements.insert(object.name.clone(), Statements::of(object));
        Ok(())
    }

    /// Works in a transaction, or in a savepoint of the one that is open: all of it is kept, or none if `work` fails.
    pub(in crate::org) fn atomically<T, E: From<rusqlite::Error>>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let begun = self.begin()?;
        let mut open = Open(self, Some(begun));
        let worked = work(open.0).and_then(|value| {
            open.0.commit(begun)?;
            Ok(value)
        });
        open.1 = None;
        if worked.is_err() {
            open.0.roll_back(begun)?;
        }
        worked
    }

    /// Works in a transaction, or in a savepoint of the one that is open, of which nothing is kept.
    pub(in crate::org) fn tentatively<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> rusqlite::Result<T> {
        let begun = self.begin()?;
        let mut open = Open(self, Some(begun));
        let worked = work(open.0);
        open.1 = None;
        open.0.roll_back(begun)?;
        Ok(worked)
    }

    /// Begins a transaction, or a savepoint of the one that is open.
    pub(in crate::org) fn begin(&mut self) -> rusqlite::Result<Begun> {
        let outermost = self.connection.is_autocommit();
        if outermost {
            self.fresh_tables.clear();
        }
        self.connection.execute_batch(if outermost { "BEGIN IMMEDIATE" } else { "SAVEPOINT \"~one\"" })?;
        Ok(Begun { outermost, fresh_tables: self.fresh_tables.len() })
    }

    /// If it fails, the transaction is still open.
    pub(in crate::org) fn commit(&self, begun: Begun) -> rusqlite::Result<()> {
        self.connection.execute_batch(if begun.outermost { "COMMIT" } else { "RELEASE \"~one\"" })
    }

    pub(in crate::org) fn roll_back(&mut self, begun: Begun) -> rusqlite::Result<()> {
        let sql = if begun.outermost { "ROLLBACK" } else { "ROLLBACK TO \"~one\"; RELEASE \"~one\"" };
        self.connection.execute_batch(sql)?;
        for table in self.fresh_tables.drain(begun.fresh_tables..) {
            self.tables.remove(&table);
            self.statements.remove(&table);
        }
        Ok(())
    }

    /// The changes an administrator made to the schema so far, with their times.
    pub(in crate::org) fn schema_changes(&self) -> rusqlite::Result<Vec<(Timestamp, SchemaChange)>> {
        let mut statement = self.connection.prepare("SELECT at,change FROM \"~schema\" ORDER BY number")?;
        let changes = statement.query_map([], |row| {
            let at = Timestamp::from_second(row.get(0)?).unwrap_or(Timestamp::UNIX_EPOCH);
            let change: String = row.get(1)?;
            let broken = |error| rusqlite::Error::FromSqlConversionFailure(1, Type::Text, Box::new(error));
            Ok((at, serde_json::from_str(&change).map_err(broken)?))
        })?;
        changes.collect()
    }

    pub(in crate::org) fn keep_schema_change(&self, at: Timestamp, change: &SchemaChange) -> rusqlite::Result<()> {
        let broken = |error| rusqlite::Error::ToSqlConversionFailure(Box::new(error));
        let change = serde_json::to_string(change).map_err(broken)?;
        self.connection
            .prepare_cached("INSERT INTO \"~schema\"(at,change) VALUES(?,?)")?
            .execute(params![at.as_second(), change])?;
        Ok(())
    }

    pub(in crate::org) fn meta<T: rusqlite::types::FromSql>(&self, key: &str) -> rusqlite::Result<Option<T>> {
        self.connection
            .prepare_cached("SELECT value FROM \"~meta\" WHERE key=?")?
            .query_row([key], |row| row.get(0))
            .optional()
    }

    pub(in crate::org) fn set_meta(&self, key: &str, value: impl rusqlite::ToSql) -> rusqlite::Result<()> {
        self.connection.prepare_cached("INSERT OR REPLACE INTO \"~meta\" VALUES(?,?)")?.execute(params![key, value])?;
        Ok(())
    }

    /// Writes the counters; part of every transaction of a durable org.
    pub(in crate::org) fn keep_counters(&self) -> rusqlite::Result<()> {
        if self.durable {
            self.set_meta("next_id", i64::try_from(self.next_id).unwrap_or(i64::MAX))?;
            self.set_meta("next_history", i64::try_from(self.next_history).unwrap_or(i64::MAX))?;
            self.set_meta("last_stamp", &self.last_stamp)?;
        }
        Ok(())
    }

    /// A modstamp for now: whole seconds, and never before an earlier one.
    pub(in crate::org) fn next_stamp(&mut self, now: Timestamp) -> String {
        let now = stamp(now);
        if now > self.last_stamp {
            self.last_stamp = now;
        }
        self.last_stamp.clone()
    }

    /// The row of a record, in the order of the object's fields as the whole schema has them; what is not stored is null.
    pub(in crate::org) fn row(&self, object: &SObject, id: Id) -> rusqlite::Result<Option<StoredRow>> {
        let read = |row: &rusqlite::Row<'_>| {
            let values = (0..object.fields.len()).map(|at| row.get(at)).collect::<Result<Vec<Stored>, _>>()?;
            Ok(StoredRow { values, deleted: row.get(object.fields.len())? })
        };
        self.connection.prepare_cached(&self.statements(object).row)?.query_row([id.as_str()], read).optional()
    }

    /// An object may have a table, and be found as somebody's child, before anybody asked for it since the org was opened
    /// or its schema changed.
    fn statements(&self, object: &SObject) -> Cow<'_, Statements> {
        self.statements.get(&object.name).map_or_else(|| Cow::Owned(Statements::of(object)), Cow::Borrowed)
    }

    /// Is the record in the recycle bin?
    pub(in crate::org) fn is_deleted(&self, object: &SObject, id: Id) -> rusqlite::Result<bool> {
        let sql = format!("SELECT 1 FROM \"{}\" WHERE \"Id\"=? AND \"IsDeleted\"=1", object.name);
        self.connection.prepare_cached(&sql)?.exists([id.as_str()])
    }

    /// Does a live record with this id exist?
    pub(in crate::org) fn lives(&self, object: &SObject, id: Id) -> rusqlite::Result<bool> {
        if !self.tables.contains(&object.name) {
            return Ok(false);
        }
        let sql = format!("SELECT 1 FROM \"{}\" WHERE \"Id\"=? AND \"IsDeleted\"=0", object.name);
        self.connection.prepare_cached(&sql)?.exists([id.as_str()])
    }

    /// Adds a row; values are in the order of the object's fields.
    pub(in crate::org) fn insert(&self, object: &SObject, values: &[Stored]) -> rusqlite::Result<()> {
        let stored = stored_fields(object).map(|(at, _)| &values[at]);
        self.connection.prepare_cached(&self.statements(object).insert)?.execute(rusqlite::params_from_iter(stored))?;
        Ok(())
    }

    /// Changes some fields of a record and its modstamp.
    pub(in crate::org) fn update(
        &self,
        object: &SObject,
        id: Id,
        values: &[Stored],
        changed: &[usize],
        stamp: &str,
    ) -> rusqlite::Result<()> {
        let named = |name: &str| format!("\"{name}\"=?");
        let mut assignments: Vec<String> = changed.iter().map(|at| named(&object.fields[*at].name)).collect();
        assignments.push(named("SystemModstamp"));
        let sql = format!("UPDATE \"{}\" SET {} WHERE \"Id\"=?", object.name, assignments.join(","));
        let parameters = changed.iter().map(|at| values[*at].clone());
        let parameters = parameters.chain([Stored::Text(stamp.to_owned()), Stored::Text(id.to_string())]);
        self.connection.prepare_cached(&sql)?.execute(rusqlite::params_from_iter(parameters))?;
        Ok(())
    }

    /// Moves a record to the recycle bin.
    pub(in crate::org) fn bin(&self, object: &SObject, id: Id, root: Id, stamp: &str) -> rusqlite::Result<()> {
        let sql = format!(
            "UPDATE \"{}\" SET \"IsDeleted\"=1,\"SystemModstamp\"=?1,\"{DELETED_AT}\"=?1,\"{ROOT}\"=?2 WHERE \"Id\"=?3",
            object.name
        );
        self.connection.prepare_cached(&sql)?.execute(params![stamp, root.as_str(), id.as_str()])?;
        self.log_deletion(object, id, stamp)
    }

    /// The records of an object that are in the recycle bin because of one deletion.
    pub(in crate::org) fn gone_with(&self, object: &SObject, root: Id) -> rusqlite::Result<Vec<Id>> {
        if !self.tables.contains(&object.name) {
            return Ok(Vec::new());
        }
        let sql = format!("SELECT \"Id\" FROM \"{}\" WHERE \"{ROOT}\"=?", object.name);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([root.as_str()])?;
        let mut ids = Vec::new();
        while let Some(row) = rows.next()? {
            ids.extend(row.get_ref(0)?.as_str().ok().and_then(Id::parse));
        }
        Ok(ids)
    }

    /// Takes a record out of the recycle bin, and with it those that its deletion had taken along.
    pub(in crate::org) fn restore(&self, object: &SObject, root: Id, stamp: &str) -> rusqlite::Result<()> {
        if !self.tables.contains(&object.name) {
            return Ok(());
        }
        self.forget_deletions(object, root)?;
        let sql = format!(
            "UPDATE \"{}\" SET \"IsDeleted\"=0,\"SystemModstamp\"=?1,\"{DELETED_AT}\"=NULL,\"{ROOT}\"=NULL WHERE \"{ROOT}\"=?2",
            object.name
        );
        self.connection.prepare_cached(&sql)?.execute(params![stamp, root.as_str()])?;
        Ok(())
    }

    /// Removes for good what was deleted before `before`, and the memory of it.
    pub(in crate::org) fn purge(&self, before: &str) -> rusqlite::Result<()> {
        self.trim_deletions(before)?;
        self.connection.execute("DELETE FROM \"~orphan\" WHERE at<?", [before])?;
        for table in &self.tables {
            let sql = format!("DELETE FROM \"{table}\" WHERE \"{ROOT}\" IS NOT NULL AND \"{DELETED_AT}\"<?");
            self.connection.execute(&sql, [before])?;
        }
        Ok(())
    }

    /// Live rows of each object that was ever touched.
    pub(in crate::org) fn counts(&self) -> rusqlite::Result<HashMap<String, u64>> {
        let mut counts = HashMap::new();
        for table in &self.tables {
            let all = format!("SELECT COUNT(*) FROM \"{table}\"");
            let sql = format!("SELECT ({all})-({all} WHERE \"{ROOT}\" IS NOT NULL)");
            let count: i64 = self.connection.prepare_cached(&sql)?.query_row([], |row| row.get(0))?;
            counts.insert(table.clone(), count.unsigned_abs());
        }
        Ok(counts)
    }

    /// Empties every table. The counters go on: ids are never given twice.
    pub(in crate::org) fn clear(&self) -> rusqlite::Result<()> {
        for table in &self.tables {
            self.connection.execute(&format!("DELETE FROM \"{table}\""), [])?;
        }
        self.connection.execute_batch(
            "DELETE FROM \"~event\"; DELETE FROM \"~audience\"; DELETE FROM \"~deletion\"; DELETE FROM \"~orphan\";",
        )?;
        Ok(())
    }
}

/// A record as the database holds it.
#[derive(Debug, Clone)]
pub(in crate::org) struct StoredRow {
    pub(in crate::org) values: Vec<Stored>,
    pub(in crate::org) deleted: bool,
}
