//! The answers of queries as JSON, as far as they fit on one page.

use super::render;
use crate::org::refusal::Refusal;
use crate::org::storage::Database;
use crate::soql::Compiled;

/// Most groups of an aggregate query.
const MOST_GROUPS: usize = 2000;

/// The answer of `COUNT()`.
pub(in crate::org) fn count(database: &Database, plan: &Compiled) -> Result<Vec<u8>, Refusal> {
    let mut statement = database.connection.prepare_cached(&plan.count_sql())?;
    let count: i64 = statement.query_row(rusqlite::params_from_iter(plan.parameters.iter()), |row| row.get(0))?;
    Ok(format!("{{\"totalSize\":{count},\"done\":true,\"records\":[]}}").into_bytes())
}

/// The records of the first page, and how many rows there are: those of the page, or one more.
pub(super) fn first_page(
    database: &Database,
    plan: &Compiled,
    page: usize,
    version: &str,
) -> Result<(Vec<u8>, usize), Refusal> {
    let (mut records, mut found) = (Vec::new(), 0);
    let mut statement = database.connection.prepare_cached(&plan.rows_sql(page as u64 + 1))?;
    let mut rows = statement.query(rusqlite::params_from_iter(plan.parameters.iter()))?;
    while let Some(row) = rows.next()? {
        found += 1;
        if found <= page {
            separate(&mut records);
            render::record(&mut records, plan, row, version)?;
        }
    }
    Ok((records, found))
}

/// The rows of the whole result.
pub(in crate::org) fn row_ids(database: &Database, plan: &Compiled) -> Result<Vec<i64>, Refusal> {
    let mut statement = database.connection.prepare_cached(&plan.row_ids_sql())?;
    let rows = statement.query_map(rusqlite::params_from_iter(plan.parameters.iter()), |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The groups of an aggregate query, which must fit on one page.
pub(in crate::org) fn groups(database: &Database, plan: &Compiled) -> Result<Vec<u8>, Refusal> {
    let mut statement = database.connection.prepare_cached(&plan.rows_sql(MOST_GROUPS as u64 + 1))?;
    let mut rows = statement.query(rusqlite::params_from_iter(plan.parameters.iter()))?;
    let (mut records, mut found) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        found += 1;
        if found > MOST_GROUPS {
            let message =
                "Aggregate query does not support queryMore(), use LIMIT to restrict the results to a single batch";
            return Err(Refusal::bad("EXCEEDED_ID_LIMIT", message));
        }
        separate(&mut records);
        render::group(&mut records, plan, row)?;
    }
    Ok(write_envelope(found, None, &records))
}

/// The address of the page that begins at `offset`.
pub(in crate::org) fn next(version: &str, locator: &str, offset: usize) -> String {
    format!("/services/data/v{version}/query/{locator}-{offset}")
}

/// A comma, unless this is the first record.
pub(in crate::org) fn separate(records: &mut Vec<u8>) {
    if !records.is_empty() {
        records.push(b',');
    }
}

/// The answer of a query around its records.
pub(super) fn write_envelope(total: usize, next: Option<&str>, records: &[u8]) -> Vec<u8> {
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
