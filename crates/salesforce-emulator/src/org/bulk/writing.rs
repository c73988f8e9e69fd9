//! How an ingest job writes: 200 rows in a transaction, each judged by itself; what became of them is set aside.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use csv::{ByteRecord, Reader, ReaderBuilder, Terminator};
use rusqlite::types::Value as Stored;
use serde_json::{Map, Value as Json};

use super::dialect::{Dialect, LineEnding, quote};
use super::header::{self, Column};
use super::job::{Operation, Terms, Writes};
use super::spool::{Rows, Spool};
use super::upload::{Place, Upload, first_ending, well_quoted};
use super::{Done, Stopped};
use crate::org::value::{parse, write_double};
use crate::org::{FieldType, Id, Org, Refusal, Transaction, Upserted};

/// Rows of one transaction.
const CHUNK: usize = 200;
/// Most columns.
const MOST_COLUMNS: usize = 5_000;

/// What an ingest job is given and what it leaves.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) upload: OnceLock<Arc<Upload>>,
    pub(crate) succeeded: Arc<Spool>,
    pub(crate) failed: Arc<Spool>,
    /// The header row of the data.
    header: OnceLock<Vec<u8>>,
    /// Where in the data the first row stands that was not processed.
    done: AtomicU64,
}

/// An ingest job at work.
#[derive(Debug)]
pub(crate) struct Writing {
    writes: Arc<Writes>,
    files: Arc<Files>,
    /// `None` before the start.
    begun: Option<Begun>,
}

/// The data, being read.
#[derive(Debug)]
struct Begun {
    reader: Reader<Place>,
    upload: Arc<Upload>,
    /// The header's names.
    names: Arc<[String]>,
}

/// A row as it stands in the data.
struct Row {
    cells: Vec<String>,
    well_quoted: bool,
}

impl Files {
    pub(super) fn new() -> Self {
        let spool = || Arc::new(Spool::new());
        Self {
            upload: OnceLock::new(),
            succeeded: spool(),
            failed: spool(),
            header: OnceLock::new(),
            done: AtomicU64::new(0),
        }
    }

    /// The header row of the data; none before the data was looked at, when it is still part of the rows.
    pub(crate) fn header(&self) -> Vec<u8> {
        self.header.get().cloned().unwrap_or_default()
    }

    /// The bytes of the rows that were not processed.
    pub(crate) fn unprocessed(&self) -> std::ops::Range<u64> {
        let end = self.upload.get().map_or(0, |upload| upload.bytes);
        self.done.load(Ordering::Relaxed).min(end)..end
    }
}

impl Writing {
    pub(super) fn new(writes: Arc<Writes>, files: Arc<Files>) -> Self {
        Self { writes, files, begun: None }
    }

    /// Is there another row?
    pub(super) fn goes_on(&self) -> bool {
        self.begun.is_none() || !self.files.unprocessed().is_empty()
    }

    /// Writes the next rows.
    pub(super) fn step(&mut self, org: &Org, terms: &Terms) -> Result<Done, Stopped> {
        let Self { writes, files, begun } = self;
        let Writes { operation, external_id, .. } = &**writes;
        let (operation, external_id) = (*operation, external_id.as_deref());
        let begun = match begun {
            Some(begun) => begun,
            none => none.insert(Begun::open(terms.dialect, files)?),
        };
        let schema = org.schema();
        let object = schema
            .object(&terms.object)
            .ok_or_else(|| Stopped(format!("InvalidBatch : Unable to find object: {}", terms.object)))?;
        let names = Arc::clone(&begun.names);
        let columns = header::columns(&schema, object, &names, operation, external_id).map_err(Stopped)?;
        let (rows, until) = begun.next_rows(terms.dialect)?;
        if rows.is_empty() {
            return Ok(Done { processed: 0, failed: 0, finished: true });
        }
        let mut seen = HashSet::new();
        let results = org.silently(|transaction| {
            let write = |row: &Row| {
                if !row.well_quoted {
                    return (None, Err(Refusal::bad("INVALID_INPUT", "a quote inside a cell, or a blank beside one")));
                }
                let body = match header::body(&columns, row.cells.iter().map(String::as_str)) {
                    Ok(body) => body,
                    Err(refusal) => return (None, Err(refusal)),
                };
                let named = id_of(&body);
                let written = transaction.attempt(|transaction| {
                    let one = One { object: &terms.object, external_id, body };
                    one.write(transaction, operation, &mut seen)
                });
                (named, written)
            };
            Ok(rows.iter().map(write).collect::<Vec<_>>())
        })?;
        let (mut succeeded, mut failed) = (Rows::default(), Rows::default());
        for (row, (named, written)) in rows.iter().zip(&results) {
            let (into, id, told) = match written {
                Ok((id, created)) => (&mut succeeded, id.to_string(), created.to_string()),
                Err(refusal) => (&mut failed, named.clone().unwrap_or_default(), header::error(refusal)),
            };
            // A row that was cut short is repeated in full.
            let given = row.cells.iter().map(String::as_str).chain(std::iter::repeat(""));
            let cells = given.zip(&columns).map(|(cell, column)| shown(column, cell, written.is_ok()));
            let cells: Vec<Vec<u8>> = [id.into_bytes(), told.into_bytes()].into_iter().chain(cells).collect();
            terms.dialect.row(&mut into.bytes, cells.iter().map(Vec::as_slice));
            into.end();
        }
        files.succeeded.append(&succeeded)?;
        files.failed.append(&failed)?;
        files.done.store(until, Ordering::Relaxed);
        let failed = results.iter().filter(|(_, written)| written.is_err()).count() as u64;
        Ok(Done { processed: rows.len() as u64, failed, finished: false })
    }
}

impl Begun {
    /// Reads the header, and gives the results theirs.
    fn open(dialect: Dialect, files: &Files) -> Result<Self, Stopped> {
        let empty = || Stopped("InvalidBatch : The job has no data".to_owned());
        let upload = Arc::clone(files.upload.get().ok_or_else(empty)?);
        let beginning = upload.read(&(0..upload.bytes), 2 * header::LONGEST)?;
        if first_ending(&beginning).is_some_and(|ending| ending != dialect.line_ending) {
            let declared = dialect.line_ending.name();
            return Err(Stopped(format!(
                "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {declared}"
            )));
        }
        let terminator = match dialect.line_ending {
            LineEnding::Lf => Terminator::Any(b'\n'),
            LineEnding::Crlf => Terminator::CRLF,
        };
        let mut reader = ReaderBuilder::new()
            .delimiter(dialect.delimiter.byte())
            .terminator(terminator)
            .has_headers(false)
            .flexible(true)
            .from_reader(upload.from_start());
        let mut record = ByteRecord::new();
        if !reader.read_byte_record(&mut record)? {
            return Err(empty());
        }
        let names = texts(&record)?;
        let characters: usize = names.iter().map(|name| name.chars().count() + 1).sum();
        if characters > header::LONGEST || names.len() > MOST_COLUMNS {
            let most = header::LONGEST;
            return Err(Stopped(format!(
                "InvalidBatch : the header row has more than {most} characters or {MOST_COLUMNS} columns"
            )));
        }
        files.done.store(reader.position().byte(), Ordering::Relaxed);
        let mut header = names.join(char::from(dialect.delimiter.byte()).encode_utf8(&mut [0; 4])).into_bytes();
        dialect.end_row(&mut header);
        // The results' own columns come in quotes, the data's as they are.
        for (spool, own) in [(&files.succeeded, "sf__Created"), (&files.failed, "sf__Error")] {
            let mut entitled = Vec::new();
            for own in ["sf__Id", own] {
                quote(&mut entitled, own.as_bytes());
                entitled.push(dialect.delimiter.byte());
            }
            entitled.extend_from_slice(&header);
            spool.entitle(entitled);
        }
        files.header.get_or_init(|| header);
        Ok(Self { reader, upload, names: names.into() })
    }

    /// The next rows, and where the ones after them begin.
    fn next_rows(&mut self, dialect: Dialect) -> Result<(Vec<Row>, u64), Stopped> {
        let start = self.reader.position().byte();
        let mut records = Vec::new();
        let mut record = ByteRecord::new();
        while records.len() < CHUNK && self.reader.read_byte_record(&mut record)? {
            if record.len() > self.names.len() {
                let (line, columns) = (self.reader.position().line(), self.names.len());
                return Err(Stopped(format!(
                    "InvalidBatch : the row before line {line} has more than {columns} columns"
                )));
            }
            records.push((texts(&record)?, self.reader.position().byte()));
        }
        let until = self.reader.position().byte();
        let raw = self.upload.read(&(start..until), usize::MAX)?;
        let mut from = 0;
        let rows = records.into_iter().map(|(cells, end)| {
            let end = usize::try_from(end - start).unwrap_or(raw.len());
            let row = alone(&raw[from..end]);
            from = end;
            Row { cells, well_quoted: well_quoted(row, dialect.delimiter.byte()) }
        });
        Ok((rows.collect(), until))
    }
}

/// One record to be written.
struct One<'a> {
    object: &'a str,
    external_id: Option<&'a str>,
    body: Map<String, Json>,
}

impl One<'_> {
    /// Writes it. The id and whether it is new.
    fn write(
        mut self,
        transaction: &mut Transaction<'_>,
        operation: Operation,
        seen: &mut HashSet<String>,
    ) -> Result<(Id, bool), Refusal> {
        let object = self.object;
        match operation {
            Operation::Insert => Ok((transaction.create(object, &self.body)?, true)),
            Operation::Update => {
                let id = self.id(operation)?;
                if !seen.insert(id.to_string()) {
                    return Err(Refusal::bad("DUPLICATE_VALUE", format!("Duplicate id in batch: {id}")));
                }
                transaction.update(object, id, &self.body).map_err(crossed)?;
                Ok((id, false))
            }
            Operation::Upsert => {
                let field = self.external_id.unwrap_or("Id");
                let value = self.body.shift_remove(field).unwrap_or_default();
                if let Some(text) = value.as_str()
                    && !seen.insert(text.to_owned())
                {
                    let message = format!("Duplicate external id specified: {text}");
                    return Err(Refusal::field("DUPLICATE_VALUE", message, field));
                }
                match transaction.upsert(object, field, &value, self.body).map_err(crossed)? {
                    Upserted::Created(id) => Ok((id, true)),
                    Upserted::Updated(id) => Ok((id, false)),
                    Upserted::Ambiguous(ids) => {
                        let message = format!("{field}: more than one record found for external id field: {ids:?}");
                        Err(Refusal::field("DUPLICATE_EXTERNAL_ID", message, field))
                    }
                }
            }
            Operation::Delete | Operation::HardDelete => {
                let id = self.id(operation)?;
                match operation {
                    Operation::HardDelete => transaction.hard_delete(object, id),
                    _ => transaction.delete(object, id),
                }
                .map_err(crossed)?;
                Ok((id, false))
            }
        }
    }

    /// The record's id, which leaves the body.
    fn id(&mut self, operation: Operation) -> Result<Id, Refusal> {
        let id = self.body.shift_remove("Id").filter(|id| !id.is_null());
        let call = if operation == Operation::Update { "an update" } else { "a delete" };
        let id = id.ok_or_else(|| Refusal::bad("MISSING_ARGUMENT", format!("Id not specified in {call} call")))?;
        let text = id.as_str().unwrap_or_default();
        Id::parse(text).ok_or_else(|| Refusal::field("MALFORMED_ID", format!("malformed id {text}"), "Id"))
    }
}

/// In a row, a record that is not there is a reference that leads nowhere.
fn crossed(refusal: Refusal) -> Refusal {
    match refusal.code {
        "NOT_FOUND" => Refusal::bad("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id"),
        _ => refusal,
    }
}

/// The id a row names, for the results.
fn id_of(body: &Map<String, Json>) -> Option<String> {
    body.get("Id")?.as_str().map(str::to_owned)
}

/// A cell as the results repeat it: numbers that were taken are spelled anew.
fn shown(column: &Column<'_>, cell: &str, taken: bool) -> Vec<u8> {
    if let Column::Field(field) = column
        && taken
        && matches!(field.kind, FieldType::Double | FieldType::Currency | FieldType::Percent)
        && let Ok(Stored::Real(n)) = parse(field, &cell.into())
    {
        let mut out = Vec::new();
        write_double(&mut out, n);
        return out;
    }
    cell.as_bytes().to_vec()
}

/// A row alone, without the ends of lines around it, of empty lines too.
fn alone(row: &[u8]) -> &[u8] {
    let ends_line = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let from = row.iter().position(|byte| !ends_line(byte)).unwrap_or(row.len());
    let until = row.iter().rposition(|byte| !ends_line(byte)).map_or(from, |last| last + 1);
    &row[from..until]
}

fn texts(record: &ByteRecord) -> Result<Vec<String>, Stopped> {
    let text = |cell: &[u8]| String::from_utf8(cell.to_vec());
    record
        .iter()
        .map(text)
        .collect::<Result<_, _>>()
        .map_err(|_| Stopped("InvalidBatch : the data is not UTF-8".to_owned()))
}

impl From<csv::Error> for Stopped {
    fn from(error: csv::Error) -> Self {
        Self(format!("InvalidBatch : {error}"))
    }
}
