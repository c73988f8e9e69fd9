//! How a query job reads: not at one moment, but chunk by chunk, and each chunk as the rows are when the job gets there.
//!
//! Without `ORDER BY` and `LIMIT` the job is divided by ids, as Salesforce does: where the pieces begin is settled at the
//! start, which rows of a piece belong to the result only when it is read. Otherwise the rows are settled at the start, and
//! what is read later are their values. Unless the query orders them, rows come in an order that the seed settles and that
//! is not that of their ids.

use std::collections::VecDeque;
use std::sync::Arc;

use rusqlite::params_from_iter;
use rusqlite::types::Value as Stored;

use super::cells::Cells;
use super::job::{Reads, Terms};
use super::spool::{Rows, Spool};
use super::{Done, Stopped};
use crate::draw::Draw;
use crate::org::reading::field;
use crate::org::storage::Database;
use crate::org::{Id, Org, Refusal};
use crate::soql::{Comparison, Condition, FieldPath, Literal, NullsOrder, Operand, Order, Query, Select, Span};

/// Bytes of rows that are gathered before they are set aside.
const GATHERED: usize = 4 << 20;

/// A query job at work.
#[derive(Debug)]
pub(crate) struct Reading {
    reads: Arc<Reads>,
    results: Arc<Spool>,
    /// What is still to be read; `None` before the start.
    pieces: Option<VecDeque<Piece>>,
}

/// What is read at one moment.
#[derive(Debug)]
enum Piece {
    /// Whatever has an id of this range.
    Between { from: Option<Id>, until: Option<Id> },
    /// These records.
    These(Vec<Id>),
}

impl Reading {
    pub(super) fn new(reads: Arc<Reads>, results: Arc<Spool>) -> Self {
        Self { reads, results, pieces: None }
    }

    /// Reads one piece.
    pub(super) fn step(&mut self, org: &Org, terms: &Terms) -> Result<Done, Stopped> {
        let mut rows = Rows::default();
        let read = self.read(org, terms, &mut rows)?;
        self.results.append(&rows)?;
        Ok(Done { processed: read.unwrap_or(0), failed: 0, finished: read.is_none() })
    }

    /// How many rows there were; `None` if nothing was left to read. The last of them are still to be set aside.
    fn read(&mut self, org: &Org, terms: &Terms, rows: &mut Rows) -> Result<Option<u64>, Stopped> {
        let Self { reads, results, pieces } = self;
        let Reads { query, deleted } = &**reads;
        let deleted = *deleted;
        let mut database = org.0.database();
        let database = &mut *database;
        let plan = org.plan(database, query, deleted)?;
        let cells = Cells::of(&plan, &terms.version, terms.dialect, org.settings().bulk.datetimes)?;
        let pieces = match pieces {
            Some(pieces) => pieces,
            none => {
                results.entitle(cells.header());
                none.insert(settle(org, database, terms, query, deleted)?)
            }
        };
        let Some(piece) = pieces.pop_front() else { return Ok(None) };
        let (sql, keys): (_, Vec<Stored>) = match piece {
            Piece::These(ids) => {
                let sql = if deleted { plan.record_sql() } else { plan.live_record_sql() };
                (sql, ids.iter().map(|id| id.to_string().into()).collect())
            }
            Piece::Between { from, until } => {
                let mut keys = row_ids(org, database, &within(query, from, until), deleted)?;
                shuffle(&mut keys, &mut draw(org, terms, pieces.len() as u64));
                (plan.row_sql(), keys)
            }
        };
        let mut statement = database.connection.prepare_cached(&sql)?;
        let mut read = 0;
        for key in keys {
            let mut found = statement.query([key])?;
            let Some(row) = found.next()? else { continue };
            cells.row(rows, row)?;
            read += 1;
            if rows.bytes.len() >= GATHERED {
                results.append(rows)?;
                *rows = Rows::default();
            }
        }
        Ok(Some(read))
    }
}

/// Divides a job into what it will read at one moment each.
fn settle(
    org: &Org,
    database: &mut Database,
    terms: &Terms,
    query: &Query,
    deleted: bool,
) -> Result<VecDeque<Piece>, Refusal> {
    let size = org.settings().bulk.query_chunk.max(1);
    let mut draw = draw(org, terms, u64::MAX);
    if query.order.is_empty() && query.limit.is_none() {
        let bounds = bounds(org, database, query, deleted, size)?;
        let piece = |bounds: &[Option<Id>]| Piece::Between { from: bounds[0], until: bounds[1] };
        let mut pieces: Vec<Piece> = bounds.windows(2).map(piece).collect();
        shuffle(&mut pieces, &mut draw);
        return Ok(pieces.into());
    }
    let mut ids = Vec::new();
    each_id(org, database, query, deleted, |id| ids.push(id))?;
    if query.order.is_empty() {
        shuffle(&mut ids, &mut draw);
    }
    Ok(ids.chunks(size).map(|ids| Piece::These(ids.to_vec())).collect())
}

/// The ids between which so many rows lie each. Before the first and after the last there is no bound.
fn bounds(
    org: &Org,
    database: &mut Database,
    query: &Query,
    deleted: bool,
    size: usize,
) -> Result<Vec<Option<Id>>, Refusal> {
    let mut bounds = vec![None];
    let mut seen = 0;
    each_id(org, database, &within(query, None, None), deleted, |id| {
        if seen > 0 && seen % size == 0 {
            bounds.push(Some(id));
        }
        seen += 1;
    })?;
    bounds.push(None);
    Ok(bounds)
}

/// Calls `visit` for every id of the whole result, in its order.
fn each_id(
    org: &Org,
    database: &mut Database,
    query: &Query,
    deleted: bool,
    mut visit: impl FnMut(Id),
) -> Result<(), Refusal> {
    let select = Select::Items(vec![field("Id")]);
    let plan = org.plan(database, &Query { select, ..query.clone() }, deleted)?;
    let mut statement = database.connection.prepare_cached(&plan.rows_sql(u64::from(u32::MAX)))?;
    let mut rows = statement.query(params_from_iter(&plan.parameters))?;
    while let Some(row) = rows.next()? {
        row.get_ref(0)?.as_str().ok().and_then(Id::parse).into_iter().for_each(&mut visit);
    }
    Ok(())
}

/// SQLite's own keys of the rows: good as long as the database is kept locked.
fn row_ids(org: &Org, database: &mut Database, query: &Query, deleted: bool) -> Result<Vec<Stored>, Refusal> {
    let plan = org.plan(database, query, deleted)?;
    let mut statement = database.connection.prepare_cached(&plan.row_ids_sql())?;
    let ids = statement.query_map(params_from_iter(&plan.parameters), |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// The same query for some ids, in their order.
fn within(query: &Query, from: Option<Id>, until: Option<Id>) -> Query {
    let path = || Operand::Field(FieldPath { names: vec!["Id".to_owned()], span: Span { start: 0, end: 0 } });
    let bound =
        |comparison, id: Id| Condition::Compare { operand: path(), comparison, literal: Literal::Text(id.to_string()) };
    let from = from.map(|id| bound(Comparison::GreaterOrEqual, id));
    let until = until.map(|id| bound(Comparison::Less, id));
    let conditions: Vec<Condition> = query.condition.iter().cloned().chain(from).chain(until).collect();
    let condition = (!conditions.is_empty()).then_some(Condition::And(conditions));
    let order = vec![Order { by: path(), descending: false, nulls: NullsOrder::First }];
    Query { condition, order, ..query.clone() }
}

fn draw(org: &Org, terms: &Terms, piece: u64) -> Draw {
    let id = terms.id.as_str().bytes().fold(org.seed(), |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    Draw::new(id ^ piece.rotate_left(32))
}

fn shuffle<T>(items: &mut [T], draw: &mut Draw) {
    for last in (1..items.len()).rev() {
        items.swap(last, draw.below(last as u64 + 1) as usize);
    }
}
