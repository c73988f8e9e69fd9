//! Pages of records with their children: what fits on one, and how it is written.
//!
//! Children count towards a page as records of their own do. A page ends behind the record that fills it; children that
//! no longer fit are fetched by a locator of their own.

use rusqlite::types::Value as Stored;

use super::query_result::{next, separate, write_envelope};
use super::render;
use crate::org::storage::Database;
use crate::org::{Id, Org, Refusal};
use crate::soql::{Children, Compiled};

/// Parents whose children are looked up at one time.
const TOGETHER: usize = 100;

/// A record on a page.
#[derive(Debug)]
struct Placed {
    row: i64,
    /// One for each sub-query.
    children: Vec<Brood>,
}

/// The children of one record by one sub-query.
#[derive(Debug)]
struct Brood {
    total: usize,
    placed: Vec<Placed>,
    /// Names the cursor of the whole brood, if not all of them are placed.
    locator: Option<String>,
}

/// Children that did not fit.
#[derive(Debug)]
pub(in crate::org) struct Rest {
    pub(in crate::org) locator: String,
    /// The sub-query, by its place at each level.
    pub(in crate::org) path: Vec<usize>,
    /// All children of the brood, those that did fit among them.
    pub(in crate::org) rows: Vec<i64>,
}

/// A page as JSON, and what it leaves behind.
#[derive(Debug)]
pub(in crate::org) struct Page {
    pub(in crate::org) records: Vec<u8>,
    /// Rows it disposes of.
    pub(in crate::org) taken: usize,
    pub(in crate::org) rests: Vec<Rest>,
}

/// Lays out a page and writes it.
pub(super) struct Layout<'a> {
    pub(in crate::org) org: &'a Org,
    pub(in crate::org) database: &'a mut Database,
    pub(in crate::org) version: &'a str,
    /// Records that still fit.
    pub(in crate::org) room: usize,
    pub(in crate::org) rests: Vec<Rest>,
}

impl Layout<'_> {
    /// The page that begins with the first of these rows. `path` leads from the query of the client to `plan`.
    pub(in crate::org) fn page(mut self, plan: &Compiled, path: &[usize], rows: &[i64]) -> Result<Page, Refusal> {
        let placed = self.place(plan, path, rows)?;
        let mut records = Vec::new();
        self.write(&mut records, plan, &placed)?;
        Ok(Page { records, taken: placed.len(), rests: self.rests })
    }

    fn place(&mut self, plan: &Compiled, path: &[usize], rows: &[i64]) -> Result<Vec<Placed>, Refusal> {
        let mut placed = Vec::new();
        for some in rows.chunks(TOGETHER) {
            if self.room == 0 {
                break;
            }
            let broods = plan.children.iter().map(|children| broods(self.database, children, some));
            let mut broods = broods.collect::<Result<Vec<_>, _>>()?;
            for (at, row) in some.iter().enumerate() {
                if self.room == 0 {
                    break;
                }
                self.room -= 1;
                let mut children = Vec::with_capacity(broods.len());
                for (number, brood) in broods.iter_mut().enumerate() {
                    let path = [path, &[number]].concat();
                    children.push(self.brood(&plan.children[number].plan, path, std::mem::take(&mut brood[at]))?);
                }
                placed.push(Placed { row: *row, children });
            }
        }
        Ok(placed)
    }

    fn brood(&mut self, plan: &Compiled, path: Vec<usize>, rows: Vec<i64>) -> Result<Brood, Refusal> {
        let placed = self.place(plan, &path, &rows)?;
        let total = rows.len();
        let locator = (placed.len() < total).then(|| {
            let locator = Id::new("01g", self.org.0.pod, self.database.next_id).to_string();
            self.database.next_id += 1;
            self.rests.push(Rest { locator: locator.clone(), path, rows });
            locator
        });
        Ok(Brood { total, placed, locator })
    }

    fn write(&self, out: &mut Vec<u8>, plan: &Compiled, placed: &[Placed]) -> Result<(), Refusal> {
        let mut statement = self.database.connection.prepare_cached(&plan.row_sql())?;
        for one in placed {
            let mut children = Vec::with_capacity(one.children.len());
            for (brood, children_of) in one.children.iter().zip(&plan.children) {
                children.push(self.written(&children_of.plan, brood)?);
            }
            let mut rows = statement.query([one.row])?;
            if let Some(row) = rows.next()? {
                separate(out);
                render::family(out, plan, row, self.version, &children)?;
            }
        }
        Ok(())
    }

    /// The children as the answer of a query, or null if there are none.
    fn written(&self, plan: &Compiled, brood: &Brood) -> Result<Vec<u8>, Refusal> {
        if brood.total == 0 {
            return Ok(b"null".to_vec());
        }
        let mut records = Vec::new();
        self.write(&mut records, plan, &brood.placed)?;
        let next = brood.locator.as_ref().map(|locator| next(self.version, locator, brood.placed.len()));
        Ok(write_envelope(brood.total, next.as_deref(), &records))
    }
}

/// The children of each parent, as row ids in their order.
fn broods(database: &Database, children: &Children, parents: &[i64]) -> Result<Vec<Vec<i64>>, Refusal> {
    let mut broods = vec![Vec::new(); parents.len()];
    let parents = Stored::Text(serde_json::Value::from(parents).to_string());
    let mut statement = database.connection.prepare_cached(&children.row_ids_sql())?;
    let mut rows = statement.query(rusqlite::params_from_iter(children.plan.parameters.iter().chain([&parents])))?;
    while let Some(row) = rows.next()? {
        let at: i64 = row.get(0)?;
        broods[at as usize].push(row.get(1)?);
    }
    for brood in &mut broods {
        let (offset, limit) = children.plan.window();
        brood.drain(..offset.min(brood.len()));
        brood.truncate(limit);
    }
    Ok(broods)
}
