//! Rows as a sheet of CSV, and results of a job back to rows. Pure.
//!
//! The header is the union of all rows' columns: a row says nothing of a column that it lacks, and its cell there is empty. Results come in
//! any order, with numbers spelled anew and without anything of ours, so that rows are known again by what they are called, or, where
//! they are called nothing, by all they say.

use std::collections::{HashMap, HashSet};

use salesforce_client::{Error, FieldName, bulk};

use crate::{
    fields::{Address, one_spelling},
    row::{Cell, Column, Row},
};

/// Rows as CSV.
#[derive(Debug)]
pub(crate) struct Sheet {
    pub(crate) columns: Vec<bulk::Column>,
    pub(crate) csv: String,
    /// By what a result tells of a row: which rows these can be. Only rows that say the same share one.
    known_by: HashMap<String, Vec<usize>>,
    /// Whether rows are known by the first cell alone, which names them.
    named: bool,
}

impl Sheet {
    /// The sheet of these rows; `name` is the column of what they are called, if they are.
    pub(crate) fn new<'a>(
        name: Option<&FieldName>,
        rows: impl Iterator<Item = (&'a Address, &'a Row)> + Clone,
    ) -> Result<Sheet, Error> {
        let mut seen: HashSet<&Column> = HashSet::new();
        let all = rows.clone().flat_map(|(_, row)| row.iter().map(|(column, _)| &**column));
        let columns: Vec<&Column> = all.filter(|column| seen.insert(column)).collect();
        let headers = name.map(|name| Ok(bulk::Column::from(name)));
        let headers = headers.into_iter().chain(columns.iter().map(|column| column.header().parse()));
        let headers = headers.collect::<Result<Vec<bulk::Column>, Error>>()?;
        let mut sheet = Sheet { columns: headers, csv: String::new(), known_by: HashMap::new(), named: name.is_some() };
        sheet.line(sheet.columns.iter().map(ToString::to_string).collect::<Vec<_>>().iter().map(String::as_str));
        for (nth, (address, row)) in rows.enumerate() {
            let named = name.map(|_| called(address));
            let cells: HashMap<&Column, &Cell> = row.iter().map(|(column, cell)| (&**column, cell)).collect();
            let cells = columns.iter().map(|column| cells.get(*column).map_or("", |cell| cell.in_csv()));
            let cells: Vec<&str> = named.into_iter().chain(cells).collect();
            sheet.line(cells.iter().copied());
            let known_by = sheet.known_by(cells.into_iter());
            sheet.known_by.entry(known_by).or_default().push(nth);
        }
        Ok(sheet)
    }

    fn line<'a>(&mut self, cells: impl Iterator<Item = &'a str>) {
        for (nth, cell) in cells.enumerate() {
            if nth > 0 {
                self.csv.push(',');
            }
            quoted(cell, &mut self.csv);
        }
        self.csv.push('\n');
    }

    fn known_by<'a>(&self, cells: impl Iterator<Item = &'a str>) -> String {
        let cells = cells.take(if self.named { 1 } else { usize::MAX });
        // Nothing that CSV carries has a NUL. Case is nothing by which a key differs within a sheet.
        let folded: Vec<String> = cells.map(|cell| one_spelling(cell).to_lowercase()).collect();
        folded.join("\0")
    }

    /// Which row a result is about, by its cells; each row is found once.
    pub(crate) fn find<'a>(&mut self, cells: impl Iterator<Item = &'a str>) -> Option<usize> {
        let known_by = self.known_by(cells);
        self.known_by.get_mut(&known_by)?.pop()
    }
}

/// What a row is called, as a cell.
fn called(address: &Address) -> &str {
    match address {
        Address::Id(id) => id.as_str(),
        Address::Key(cell) | Address::Delivery(cell) => cell.as_str().unwrap_or_default(),
        Address::New => "",
    }
}

/// A cell, in quotes where it needs them.
fn quoted(cell: &str, out: &mut String) {
    let plain = !cell.contains([',', '"', '\n', '\r']) && cell.trim() == cell;
    if plain {
        out.push_str(cell);
        return;
    }
    out.push('"');
    for (nth, part) in cell.split('"').enumerate() {
        if nth > 0 {
            out.push_str("\"\"");
        }
        out.push_str(part);
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::row::Parent;

    fn row(cells: &[(&str, Cell)]) -> Row {
        let mut row = Row::default();
        for (name, cell) in cells {
            let parent = (*name == "Owner__c").then(|| Parent {
                relationship: "Owner__r".parse().unwrap(),
                object: None,
                by: "Number__c".parse().unwrap(),
            });
            row.set(Arc::new(Column { field: name.parse().unwrap(), createable: true, parent }), cell.clone());
        }
        row
    }

    #[test]
    fn the_header_is_the_union_and_a_cell_says_null_or_nothing() {
        let key = |key: &str| Address::Key(Cell::text(key));
        let rows = [
            (key("a"), row(&[("Text__c", Cell::text("x, \"y\"\nz")), ("Amount__c", Cell::Null)])),
            (key("b"), row(&[("Owner__c", Cell::text("n1"))])),
            (key(" c"), row(&[("Amount__c", Cell::literal("1.50"))])),
        ];
        let sheet = Sheet::new(Some(&"Key__c".parse().unwrap()), rows.iter().map(|(address, row)| (address, row)));
        let expect =
            "Key__c,Text__c,Amount__c,Owner__r.Number__c\na,\"x, \"\"y\"\"\nz\",#N/A,\nb,,,n1\n\" c\",,1.50,\n";
        assert_eq!(sheet.unwrap().csv, expect);
    }

    #[test]
    fn results_find_their_rows() {
        let rows = [
            (Address::New, row(&[("Text__c", Cell::text("one")), ("Amount__c", Cell::literal("1.50"))])),
            (Address::New, row(&[("Text__c", Cell::text("one")), ("Amount__c", Cell::literal("2"))])),
            (Address::New, row(&[("Text__c", Cell::text("one")), ("Amount__c", Cell::literal("2.0"))])),
        ];
        let mut sheet = Sheet::new(None, rows.iter().map(|(address, row)| (address, row))).unwrap();
        assert_eq!(sheet.find(["one", "1.5"].into_iter()), Some(0));
        // Rows that say the same are the same, each once.
        let same = [sheet.find(["one", "2.0"].into_iter()), sheet.find(["one", "2"].into_iter())];
        assert_eq!(same, [Some(2), Some(1)]);
        assert_eq!(sheet.find(["one", "2"].into_iter()), None);
    }
}
