//! Transactions that stay open while others come and go. Their rows carry the modstamps of when they were written and
//! become visible when the transaction commits, perhaps much later: what a poller that goes by modstamps has to survive.
//!
//! The database has one connection and no second transaction, so what was written is kept aside as rows and put in place at
//! the commit. Until then the records belong to the transaction: whoever else writes one is refused with
//! `UNABLE_TO_LOCK_ROW`, and therefore no record's modstamp ever goes back.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rusqlite::types::Value as Stored;
use serde::Serialize;

use super::permitted::USER;
use super::transaction::{Actor, Change};
use crate::org::schema::Edit;
use crate::org::storage::{DELETED_AT, converted, initial};
use crate::org::{Id, Org, Refusal, SObject, Transaction};

/// An open transaction of an org. It stays open, whatever becomes of this handle, until it is committed or rolled back, or
/// until the org is reset or closed.
#[derive(Clone)]
#[must_use]
pub struct LateTransaction {
    org: Org,
    number: u64,
}

/// An open transaction, described.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LateReport {
    /// Its number.
    pub transaction: u64,
    /// Modstamp of its first row, in UTC; `None` as long as it wrote nothing.
    pub since: Option<String>,
    /// The records it wrote and therefore keeps from others.
    pub records: Vec<String>,
}

/// All open transactions of an org.
#[derive(Debug, Default)]
pub(in crate::org) struct LateTransactions {
    last: u64,
    open: BTreeMap<u64, Written>,
    kept: HashMap<Id, u64>,
}

/// What a transaction wrote so far.
#[derive(Debug, Clone, Default)]
struct Written {
    since: Option<String>,
    rows: Vec<Row>,
    changes: Vec<Change>,
    topics_changed: bool,
}

/// A record as it will be.
#[derive(Debug, Clone)]
struct Row {
    object: String,
    id: Id,
    columns: Vec<(String, Stored)>,
}

impl Org {
    /// Opens a transaction that commits when it is told to.
    pub fn begin_late(&self) -> LateTransaction {
        let mut late = self.0.late();
        late.last += 1;
        let number = late.last;
        late.open.insert(number, Written::default());
        LateTransaction { org: self.clone(), number }
    }

    /// The open transaction of that number.
    pub fn late(&self, number: u64) -> Option<LateTransaction> {
        self.0.late().open.contains_key(&number).then(|| LateTransaction { org: self.clone(), number })
    }

    /// The open transactions, in the order of their numbers.
    pub fn late_transactions(&self) -> Vec<LateReport> {
        self.0.late().open.iter().map(|(number, written)| written.report(*number)).collect()
    }
}

impl LateTransaction {
    /// Its number, by which [`Org::late`] finds it again.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Writes records. They are checked and stamped now and see what the transaction wrote before; nobody else sees them.
    /// If `work` fails, nothing of it was written.
    pub fn write<T>(&self, work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let org = &self.org.0;
        let mut database = org.database();
        let before = org.late().open.get(&self.number).cloned().ok_or_else(|| self.closed())?;
        let (value, rows, changes, topics_changed, stamp) = database.tentatively(|database| {
            let mut transaction = Transaction::open(org, database, self.org.user_id(), Actor::Client);
            transaction.late = Some(self.number);
            transaction.put(&before.rows)?;
            let value = work(&mut transaction)?;
            let rows = transaction.rows_written()?;
            let Transaction { changes, topics_changed, stamp, .. } = transaction;
            Ok::<_, Refusal>((value, rows, changes, topics_changed, stamp))
        })??;
        org.late().keep(self.number, rows, changes, topics_changed, stamp);
        Ok(value)
    }

    /// Makes what was written visible, with its old stamps, and announces it.
    ///
    /// # Errors
    /// If somebody else took a unique value meanwhile, or if an object is gone. The transaction is then rolled back.
    pub fn commit(self) -> Result<(), Refusal> {
        self.org.transaction(|transaction| {
            let written = transaction.org.late().close(self.number).ok_or_else(|| self.closed())?;
            transaction.put(&written.rows)?;
            transaction.touch_users(&written.rows)?;
            transaction.check_again(&written.rows)?;
            let changes = written.changes.into_iter();
            transaction.changes = changes.filter_map(|change| change.renewed(&transaction.views.whole)).collect();
            transaction.topics_changed = written.topics_changed;
            Ok(())
        })
    }

    /// Forgets what was written.
    pub fn roll_back(self) {
        self.org.0.late().close(self.number);
    }

    fn closed(&self) -> Refusal {
        Refusal::missing(format!("late transaction {} is not open: it was committed or rolled back", self.number))
    }
}

impl LateTransactions {
    /// Does a transaction keep this record from whoever is `asking`?
    pub(super) fn keeps_from(&self, asking: Option<u64>, id: Id) -> bool {
        self.kept.get(&id).is_some_and(|keeper| Some(*keeper) != asking)
    }

    /// The oldest modstamp that may still become visible.
    pub(in crate::org) fn since(&self) -> Option<String> {
        self.open.values().filter_map(|written| written.since.clone()).min()
    }

    /// What was written is changed as the tables are.
    pub(in crate::org) fn alter(&mut self, edits: &[Edit]) {
        for row in self.open.values_mut().flat_map(|written| &mut written.rows) {
            edits.iter().for_each(|edit| row.alter(edit));
        }
    }

    pub(in crate::org) fn forget_all(&mut self) {
        self.open.clear();
        self.kept.clear();
    }

    fn keep(&mut self, number: u64, rows: Vec<Row>, changes: Vec<Change>, topics_changed: bool, stamp: String) {
        let Some(written) = self.open.get_mut(&number) else { return };
        if !rows.is_empty() {
            written.since.get_or_insert(stamp);
        }
        for row in rows {
            self.kept.insert(row.id, number);
            match written.rows.iter_mut().find(|known| known.id == row.id) {
                Some(known) => *known = row,
                None => written.rows.push(row),
            }
        }
        written.changes.extend(changes);
        written.topics_changed |= topics_changed;
    }

    fn close(&mut self, number: u64) -> Option<Written> {
        self.kept.retain(|_, keeper| *keeper != number);
        self.open.remove(&number)
    }
}

impl Row {
    fn alter(&mut self, edit: &Edit) {
        match edit {
            _ if edit.object() != self.object => {}
            Edit::Add { field, .. } => self.columns.push((field.name.clone(), initial(field))),
            Edit::Drop { field, .. } => self.columns.retain(|(name, _)| name != field),
            Edit::Rename { from, to, .. } => {
                if let Some((name, _)) = self.columns.iter_mut().find(|(name, _)| name == from) {
                    name.clone_from(to);
                }
            }
            Edit::Convert { from, to, .. } => {
                if let Some((name, value)) = self.columns.iter_mut().find(|(name, _)| *name == from.name) {
                    name.clone_from(&to.name);
                    *value = match converted(std::mem::replace(value, Stored::Null), from, to) {
                        Stored::Null => initial(to),
                        converted => converted,
                    };
                }
            }
        }
    }
}

impl Written {
    fn report(&self, transaction: u64) -> LateReport {
        let since = self.since.as_ref().map(|stamp| format!("{stamp}Z"));
        LateReport { transaction, since, records: self.rows.iter().map(|row| row.id.to_string()).collect() }
    }
}

impl Transaction<'_> {
    /// The records this transaction wrote, as they are now.
    fn rows_written(&self) -> Result<Vec<Row>, Refusal> {
        let mut rows: Vec<Row> = Vec::new();
        for (object, id) in &self.touched {
            if rows.iter().any(|row| row.id == *id) {
                continue;
            }
            let sql = format!("SELECT * FROM \"{}\" WHERE \"Id\"=?", object.name);
            let mut statement = self.database.connection.prepare_cached(&sql)?;
            let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
            let columns = statement.query_row([id.as_str()], |row| {
                names.into_iter().enumerate().map(|(at, name)| Ok((name, row.get(at)?))).collect()
            })?;
            rows.push(Row { object: object.name.clone(), id: *id, columns });
        }
        Ok(rows)
    }

    /// Puts rows in place, whatever was there.
    fn put(&mut self, rows: &[Row]) -> Result<(), Refusal> {
        for Row { object, id, columns } in rows {
            let object = self.written(object)?;
            let quoted = |template: &dyn Fn(&str) -> String| {
                columns.iter().map(|(name, _)| template(name)).collect::<Vec<_>>().join(",")
            };
            let sql = format!(
                "INSERT INTO \"{}\"({}) VALUES({}) ON CONFLICT(\"Id\") DO UPDATE SET {}",
                object.name,
                quoted(&|name| format!("\"{name}\"")),
                quoted(&|_| "?".to_owned()),
                quoted(&|name| format!("\"{name}\"=excluded.\"{name}\"")),
            );
            let values = columns.iter().map(|(_, value)| value);
            self.database.connection.prepare_cached(&sql)?.execute(rusqlite::params_from_iter(values))?;
            let value = |wanted: &str| columns.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
            self.database.forget_deletion(&object, *id)?;
            if let Some(Stored::Text(at)) = value(DELETED_AT) {
                self.database.log_deletion(&object, *id, at)?;
            }
        }
        Ok(())
    }

    /// Users that appear or change now sign in otherwise from now on.
    fn touch_users(&mut self, rows: &[Row]) -> Result<(), Refusal> {
        for Row { object, id, .. } in rows.iter().filter(|row| row.object == USER) {
            let object = self.written(object)?;
            self.touched.push((object, *id));
        }
        Ok(())
    }

    /// What was unique when it was written may be taken by now.
    fn check_again(&mut self, rows: &[Row]) -> Result<(), Refusal> {
        for Row { object, id, .. } in rows {
            let object = self.written(object)?;
            if let Some(row) = self.database.row(&object, *id)?.filter(|row| !row.deleted) {
                self.check_unique(&object, &row.values, *id)?;
            }
        }
        Ok(())
    }

    /// The object of a row, hidden or not, with its table.
    fn written(&mut self, object: &str) -> Result<Arc<SObject>, Refusal> {
        self.database.ensure(&self.views.whole, object)?;
        self.views.whole.object(object).cloned().ok_or_else(Refusal::not_found)
    }
}
