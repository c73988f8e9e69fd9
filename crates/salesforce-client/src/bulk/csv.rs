//! Rows out of CSV as it arrives: pieces in, rows out, nothing kept but the row at hand. Pure.
//!
//! The dialect is RFC 4180: cells in double quotes, quotes within them doubled, line ends within them as they are. A
//! null is an empty cell, as an empty text would be. Whatever else a cell holds, a NUL included, is handed on.

use std::fmt;

use bytes::{Buf, Bytes};
use csv_core::ReadRecordResult;

use crate::{Error, RecordId, bulk::Column};

/// The longest row that is read, in bytes. Of the text fields of one object, all together hold less.
const LONGEST_ROW: usize = 16 << 20;
/// Room for most rows.
const FIRST_ROW: usize = 16 << 10;

/// Reads rows out of pieces of CSV that are cut anywhere.
///
/// ```
/// use bytes::Bytes;
/// use salesforce_client::bulk::csv::{Found, Reader};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut reader = Reader::new(&["Id".parse()?, "Name".parse()?]);
/// let mut names = Vec::new();
/// for piece in ["\"Name\",\"Id\"\n\"Dick's \"", "\"Diner\"\"\",\"001D000000IRFmaIAH\"\n"] {
///     let mut piece = Bytes::from(piece);
///     while let Some(found) = reader.read(&mut piece)? {
///         if found == Found::Row {
///             names.push(reader.row()?.get("Name").map(str::to_owned));
///         }
///     }
/// }
/// assert_eq!(reader.end()?, None);
/// assert_eq!(names, [Some(r#"Dick's "Diner""#.to_owned())]);
/// # Ok(())
/// # }
/// ```
pub struct Reader {
    core: csv_core::Reader,
    columns: Columns,
    /// The cells of the row at hand, one after the other, up to `filled`; where each ends, up to `ended`.
    cells: Vec<u8>,
    filled: usize,
    ends: Vec<usize>,
    ended: usize,
    /// Whether the row at hand is whole, so that the next byte begins another.
    whole: bool,
    /// How many rows came before the one at hand, it included once it is whole; `None` before the header.
    rows: Option<u64>,
    /// The last byte that was read.
    last: u8,
}

/// What came next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The header, and it fits.
    Header,
    /// A row, to be looked at by [`Reader::row`].
    Row,
}

/// Why the text cannot be read on. Nothing here shows what a cell holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// The text ends before its last row does.
    #[error("it ends within {}", place(*.row))]
    Cut {
        /// The row, from 1; 0 is the header.
        row: u64,
    },
    /// The header lacks a column.
    #[error("the header has no column {column}")]
    NoColumn {
        /// The column that was asked for.
        column: Column,
    },
    /// The header has a column too many.
    #[error("nobody asked for column {position} of the header, or it is there twice")]
    StrangeColumn {
        /// Its position, from 1.
        position: usize,
    },
    /// A row has too few cells or too many.
    #[error("{}{} does not have {expected} cells", place(*.row), named(*.id))]
    Cells {
        /// The row, from 1; 0 is the header.
        row: u64,
        /// Its record, as far as it can be told.
        id: Option<RecordId>,
        /// How many there should be.
        expected: usize,
    },
    /// A row is longer than any that makes sense.
    #[error("{} is longer than {LONGEST_ROW} bytes", place(*.row))]
    TooLong {
        /// The row, from 1; 0 is the header.
        row: u64,
    },
    /// A cell is no text.
    #[error("row {row}{}, column {column}: no UTF-8", named(*.id))]
    NoText {
        /// The row, from 1.
        row: u64,
        /// Its record, as far as it can be told.
        id: Option<RecordId>,
        /// The column.
        column: Column,
    },
}

fn place(row: u64) -> String {
    if row == 0 { "the header".to_owned() } else { format!("row {row}") }
}

fn named(id: Option<RecordId>) -> String {
    id.map(|id| format!(" ({id})")).unwrap_or_default()
}

impl Reader {
    /// A reader of a text with these columns, in whatever order its header has them.
    #[must_use]
    pub fn new(columns: &[Column]) -> Reader {
        Reader {
            core: csv_core::Reader::new(),
            columns: Columns::asked(columns),
            cells: vec![0; FIRST_ROW],
            filled: 0,
            // One more, to see whether a row has too many.
            ends: vec![0; columns.len() + 1],
            ended: 0,
            whole: false,
            rows: None,
            last: 0,
        }
    }

    /// Reads on to the end of the next row and takes what it read from `piece`; `None` if the next piece is needed.
    ///
    /// # Errors
    /// A [`Defect`] of the header or the row; there is no reading on after it.
    pub fn read(&mut self, piece: &mut Bytes) -> Result<Option<Found>, Defect> {
        if self.whole {
            (self.filled, self.ended, self.whole) = (0, 0, false);
        }
        while let Some(&last) = piece.last() {
            let (cells, ends) = (&mut self.cells[self.filled..], &mut self.ends[self.ended..]);
            let (result, read, filled, ended) = self.core.read_record(piece, cells, ends);
            piece.advance(read);
            self.filled += filled;
            self.ended += ended;
            match result {
                ReadRecordResult::InputEmpty => self.last = last,
                ReadRecordResult::OutputFull => self.grow()?,
                ReadRecordResult::OutputEndsFull => return Err(self.misshapen()),
                ReadRecordResult::Record => return self.found().map(Some),
                // Said of the end of the text only, which is not told to it.
                ReadRecordResult::End => break,
            }
        }
        Ok(None)
    }

    /// Says that there are no more pieces; `None` if all rows were read. A last row without a line end is one if its
    /// last cell is closed.
    ///
    /// # Errors
    /// [`Defect::Cut`].
    pub fn end(&mut self) -> Result<Option<Found>, Defect> {
        let (last, row) = (self.last, self.number());
        // A line end is all that may be missing. Within quotes it becomes part of the cell.
        match self.read(&mut Bytes::from_static(b"\n")) {
            Ok(Some(found)) if last == b'"' => Ok(Some(found)),
            Ok(None) if self.filled == 0 => Ok(None),
            _ => Err(Defect::Cut { row }),
        }
    }

    /// The row that was just found.
    ///
    /// # Errors
    /// [`Defect::NoText`] if one of its cells is no text.
    pub fn row(&self) -> Result<Row<'_>, Defect> {
        let (cells, ends) = (&self.cells[..self.filled], &self.ends[..self.ended]);
        let number = self.rows.unwrap_or_default();
        match std::str::from_utf8(cells) {
            // Halves of a character in neighbouring cells make no text of either.
            Ok(text) if ends.iter().all(|end| text.is_char_boundary(*end)) => {
                Ok(Row { number, text, ends, columns: &self.columns })
            }
            _ => Err(Defect::NoText { row: number, id: self.id(), column: self.first_without_text() }),
        }
    }

    /// How many rows were found.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows.unwrap_or_default()
    }

    /// The number of the row that is being read.
    fn number(&self) -> u64 {
        self.rows.map_or(0, |rows| rows + 1)
    }

    fn grow(&mut self) -> Result<(), Defect> {
        let room = self.cells.len();
        if room >= LONGEST_ROW {
            return Err(Defect::TooLong { row: self.number() });
        }
        self.cells.resize(room * 2, 0);
        Ok(())
    }

    fn found(&mut self) -> Result<Found, Defect> {
        self.whole = true;
        let Some(rows) = self.rows else {
            let header = cells(&self.cells, &self.ends[..self.ended]);
            self.columns.find_in(&header.collect::<Vec<_>>())?;
            self.rows = Some(0);
            return Ok(Found::Header);
        };
        if self.ended != self.columns.names.len() {
            return Err(self.misshapen());
        }
        self.rows = Some(rows + 1);
        Ok(Found::Row)
    }

    fn misshapen(&self) -> Defect {
        Defect::Cells { row: self.number(), id: self.id(), expected: self.columns.names.len() }
    }

    /// The record of the row at hand, if the cell in the place of its `Id` names one.
    fn id(&self) -> Option<RecordId> {
        self.rows?;
        let cell = cells(&self.cells, &self.ends[..self.ended]).nth(self.columns.places[self.columns.id?])?;
        std::str::from_utf8(cell).ok()?.parse().ok()
    }

    fn first_without_text(&self) -> Column {
        let no_text = cells(&self.cells, &self.ends[..self.ended]).position(|cell| std::str::from_utf8(cell).is_err());
        self.columns.name_at(no_text.unwrap_or_default())
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reader {{ {} rows so far }}", self.rows())
    }
}

fn cells<'a>(all: &'a [u8], ends: &'a [usize]) -> impl Iterator<Item = &'a [u8]> {
    let starts = std::iter::once(0).chain(ends.iter().copied());
    starts.zip(ends).map(|(start, &end)| &all[start..end])
}

/// The columns that were asked for, and where the text has them.
struct Columns {
    names: Box<[Column]>,
    places: Box<[usize]>,
    id: Option<usize>,
}

impl Columns {
    fn asked(names: &[Column]) -> Columns {
        let id = names.iter().position(|name| name.same_as("Id"));
        Columns { names: names.into(), places: (0..names.len()).collect(), id }
    }

    fn find_in(&mut self, header: &[&[u8]]) -> Result<(), Defect> {
        for (name, place) in self.names.iter().zip(&mut self.places) {
            let found = header.iter().position(|cell| cell.eq_ignore_ascii_case(name.as_str().as_bytes()));
            *place = found.ok_or_else(|| Defect::NoColumn { column: name.clone() })?;
        }
        match (0..header.len()).find(|place| !self.places.contains(place)) {
            Some(place) => Err(Defect::StrangeColumn { position: place + 1 }),
            None => Ok(()),
        }
    }

    /// The name of the column in this place of the text.
    fn name_at(&self, place: usize) -> Column {
        let nth = self.places.iter().position(|&at| at == place).unwrap_or_default();
        self.names[nth].clone()
    }
}

/// One row, borrowed from its [`Reader`].
#[derive(Clone, Copy)]
pub struct Row<'a> {
    number: u64,
    text: &'a str,
    ends: &'a [usize],
    columns: &'a Columns,
}

impl<'a> Row<'a> {
    /// Which row of its page it is, from 1.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The cells in the order in which the columns were asked for; a null is empty.
    pub fn cells(&self) -> impl ExactSizeIterator<Item = &'a str> + use<'a> {
        let row = *self;
        row.columns.places.iter().map(move |&place| row.at(place))
    }

    /// The cell of a column, empty if it is null; `None` if the column was not asked for.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&'a str> {
        let nth = self.columns.names.iter().position(|name| name.same_as(column))?;
        self.cell(nth)
    }

    /// The record's own id.
    ///
    /// # Errors
    /// [`Error::Invalid`] if `Id` was not asked for or is no record id.
    pub fn id(&self) -> Result<RecordId, Error> {
        match self.columns.id {
            Some(nth) => self.at(self.columns.places[nth]).parse(),
            None => Err(Error::invalid_unseen("row", "it has no Id; was the field selected?")),
        }
    }

    /// The cell of the column that was asked for as the `nth`, from 0; empty if it is null.
    #[must_use]
    pub fn cell(&self, nth: usize) -> Option<&'a str> {
        self.columns.places.get(nth).map(|&place| self.at(place))
    }

    fn at(&self, place: usize) -> &'a str {
        let start = if place == 0 { 0 } else { self.ends[place - 1] };
        &self.text[start..self.ends[place]]
    }
}

impl fmt::Debug for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.columns.names.iter().zip(self.cells())).finish()
    }
}
