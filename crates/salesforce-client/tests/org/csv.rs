//! The reader of CSV, which needs no org: bytes in, rows out.

use bytes::Bytes;
use proptest::prelude::*;
use salesforce_client::bulk::{
    Column,
    csv::{Defect, Found, Reader},
};

use crate::server::names;

type Table = Vec<Vec<String>>;

/// The rows of a text that arrives in these pieces.
fn read(columns: &[Column], pieces: impl IntoIterator<Item = Bytes>) -> Result<Table, Defect> {
    let mut reader = Reader::new(columns);
    let mut table = Table::new();
    let mut keep = |reader: &Reader, found| -> Result<(), Defect> {
        if found == Found::Row {
            let row = reader.row()?;
            table.push(row.cells().map(str::to_owned).collect());
            assert_eq!((row.number(), reader.rows()), (table.len() as u64, table.len() as u64));
        }
        Ok(())
    };
    for mut piece in pieces {
        while let Some(found) = reader.read(&mut piece)? {
            keep(&reader, found)?;
        }
        assert!(piece.is_empty());
    }
    while let Some(found) = reader.end()? {
        keep(&reader, found)?;
    }
    Ok(table)
}

fn read_whole(columns: &[&str], text: impl Into<Bytes>) -> Result<Table, Defect> {
    read(&names(columns), [text.into()])
}

#[test]
fn dialects() {
    for (text, expect) in [
        ("", &[][..]),
        ("\"Id\",\"Name\"\n", &[]),
        ("\"Id\",\"Name\"", &[]),
        ("\"Id\",\"Name\"\n\"1\",\"a\"\n\"2\",\"\"\n", &[["1", "a"], ["2", ""]]),
        ("\"Id\",\"Name\"\r\n\"1\",\"a\"\r\n", &[["1", "a"]]),
        ("\"Id\",\"Name\"\n\"1\",\"a\"", &[["1", "a"]]),
        ("\u{feff}\"Id\",\"Name\"\n\"1\",\"a\"\n", &[["1", "a"]]),
        ("Id,Name\n1,a\n2,\n", &[["1", "a"], ["2", ""]]),
        ("\"name\",\"ID\"\n\"a\",\"1\"\n", &[["1", "a"]]),
        ("\"Id\",\"Name\"\n\"1\",\"a,\"\"b\"\"\r\n\nc\"\n", &[["1", "a,\"b\"\r\n\nc"]]),
        ("\"Id\",\"Name\"\n\"1\",\"a\0b\"\n", &[["1", "a\0b"]]),
        ("\"Id\",\"Name\"\n\"1\",\" ü😀 \"\n", &[["1", " ü😀 "]]),
    ] {
        assert_eq!(read_whole(&["Id", "Name"], text).expect(text), expect, "{text:?}");
    }
}

#[test]
fn rows_of_one_empty_cell_are_rows() {
    let table = read_whole(&["Name"], "\"Name\"\n\"\"\n\"\"\n\"a\"\n").expect("rows");
    assert_eq!(table, [[""], [""], ["a"]]);
}

#[test]
fn defects() {
    for (text, expect) in [
        (&b"\"Id\"\n"[..], "the header has no column Name"),
        (b"<html><body>", "it ends within the header"),
        (b"<html>\n<body>\n", "the header has no column Id"),
        (b"\"Id\",\"Name\",\"Secret\"\n", "nobody asked for column 3 of the header, or it is there twice"),
        (b"\"Name\",\"Id\",\"Id\"\n", "nobody asked for column 3 of the header, or it is there twice"),
        (b"\"Id\",\"Name\",\"A\",\"B\"\n", "the header does not have 2 cells"),
        (b"\"Id\",\"Name\"\n\"1\",\"a\"\n\"2\"\n", "row 2 does not have 2 cells"),
        (b"\"Id\",\"Name\"\n\"1\",\"a\",\"canary\"\n", "row 1 does not have 2 cells"),
        (b"\"Id\",\"Name\"\n\"1\",\"a\",,,,,,,,,,,,,,\n", "row 1 does not have 2 cells"),
        (b"\"Id\",\"Name\"\n\"1\",\"a\"\n\"2\",\"caf\xe9\"\n", "row 2, column Name: no UTF-8"),
        (b"\"Name\",\"Id\"\n\"\xff\",\"2\"\n", "row 1, column Name: no UTF-8"),
        // Together they are a letter.
        (b"\"Id\",\"Name\"\n\"\xc3\",\"\xa9\"\n", "row 1, column Id: no UTF-8"),
    ] {
        let text = Bytes::from_static(text);
        let defect = read_whole(&["Id", "Name"], text.clone()).expect_err("a defect");
        assert_eq!(defect.to_string(), expect, "{text:?}");
    }
}

#[test]
fn a_text_that_is_cut_off_is_no_text() {
    let rows = ["\"Id\",\"Name\"\n", "\"1\",\"a, \"\"b\"\"\n\"\n", "\"2\",\"\"\n", "\"3\",\"é\"\n"];
    let text = rows.concat();
    let whole: Vec<usize> = (1..=rows.len()).map(|rows_read| rows[..rows_read].concat().len()).collect();
    for length in 1..text.len() {
        // A line end is what a last row may lack.
        let complete = whole.iter().filter(|&&end| end <= length + 1).count();
        let is_complete = whole.iter().any(|&end| length == end || length + 1 == end);
        match read_whole(&["Id", "Name"], text.as_bytes()[..length].to_vec()) {
            Ok(table) => {
                // What remains of an escaped quote cannot be told from a closing one.
                let shown = &text.as_bytes()[..length];
                assert!(is_complete || shown.ends_with(b"\"a, \"") || shown.ends_with(b"b\""), "{length}");
                assert!(!is_complete || table.len() == complete - 1, "{length}");
            }
            Err(defect) => {
                assert!(!is_complete, "{length}: {defect}");
                let row = complete as u64;
                assert_eq!(defect, Defect::Cut { row }, "{length}");
            }
        }
    }
}

#[test]
fn long_cells_are_read_and_endless_ones_are_not() {
    for length in [131_072, 10_000_000] {
        let text = format!("\"Name\"\n\"{}\"\n", "\"\"\n".repeat(length));
        let pieces: Vec<Bytes> = text.as_bytes().chunks(60_000).map(Bytes::copy_from_slice).collect();
        let cell = "\"\n".repeat(length);
        match read(&names(&["Name"]), pieces) {
            Ok(table) => assert!(length < 1_000_000 && table == [[cell]]),
            Err(defect) => {
                assert!(length > 1_000_000);
                assert_eq!(defect.to_string(), "row 1 is longer than 16777216 bytes");
            }
        }
    }
}

#[test]
fn what_a_row_offers() {
    let mut reader = Reader::new(&names(&["Id", "Name", "Industry"]));
    let text = "\"Industry\",\"Id\",\"Name\"\n\"\",\"001D000000IRFma\",\"Acme\"\n";
    let mut piece = Bytes::from(text);
    assert_eq!(reader.read(&mut piece), Ok(Some(Found::Header)));
    assert_eq!(reader.read(&mut piece), Ok(Some(Found::Row)));
    let row = reader.row().expect("a row");
    assert_eq!(row.id().expect("an id").as_str(), "001D000000IRFmaIAH");
    assert_eq!((row.get("name"), row.get("Industry"), row.get("Other")), (Some("Acme"), Some(""), None));
    assert_eq!(row.cells().len(), 3);
    assert_eq!(format!("{row:?}"), r#"{Id: "001D000000IRFma", Name: "Acme", Industry: ""}"#);
    assert_eq!(format!("{reader:?}"), "Reader { 1 rows so far }");

    let mut nameless = Reader::new(&names(&["Name"]));
    let mut piece = Bytes::from("\"Name\"\n\"Acme\"\n");
    assert_eq!(nameless.read(&mut piece).and_then(|_| nameless.read(&mut piece)), Ok(Some(Found::Row)));
    let error = nameless.row().expect("a row").id().expect_err("no id");
    assert_eq!(error.to_string(), "bad row: it has no Id; was the field selected?");
}

fn cell() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => "[\"\n\r, a\u{0}é😀]{0,12}",
        1 => "\\PC{0,40}",
        1 => (1_usize..40_000).prop_map(|length| "x\"".repeat(length)),
    ]
}

/// A table, its columns in the order of the text, and which of them are asked for first.
fn tables() -> impl Strategy<Value = (Table, Vec<usize>)> {
    (1_usize..6).prop_flat_map(|width| {
        let rows = proptest::collection::vec(proptest::collection::vec(cell(), width), 0..6);
        (rows, Just((0..width).collect::<Vec<_>>()).prop_shuffle())
    })
}

fn written(header: &[Column], table: &Table, line_end: &str, last_line_end: bool) -> Vec<u8> {
    let quoted = |cell: &str| format!("\"{}\"", cell.replace('"', "\"\""));
    let line = |cells: &[String]| cells.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",");
    let header: Vec<String> = header.iter().map(|name| name.to_string()).collect();
    let lines: Vec<String> = std::iter::once(&header).chain(table).map(|cells| line(cells)).collect();
    let text = lines.join(line_end);
    if last_line_end { text + line_end } else { text }.into_bytes()
}

proptest! {
    /// Whatever the cells hold and wherever the text is cut into pieces.
    #[test]
    fn a_table_that_was_written_is_read(
        (table, order) in tables(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
        line_end in prop_oneof![Just("\n"), Just("\r\n")],
        last_line_end in any::<bool>(),
    ) {
        let header: Vec<Column> = (0..order.len()).map(|nth| format!("F{nth}__c").parse().unwrap()).collect();
        let text = Bytes::from(written(&header, &table, line_end, last_line_end));
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len())).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|cut| text.slice(cut[0]..cut[1]));

        let asked: Vec<Column> = order.iter().map(|&nth| header[nth].clone()).collect();
        let expect: Table = table.iter().map(|row| order.iter().map(|&nth| row[nth].clone()).collect()).collect();
        prop_assert_eq!(read(&asked, pieces).expect("a table"), expect);
    }

    /// Whatever the bytes are, it ends without a panic.
    #[test]
    fn nothing_upsets_it(pieces in proptest::collection::vec("[\"\n\r,Idx\u{0}é]{0,20}", 0..8)) {
        let _ = read(&names(&["Id"]), pieces.into_iter().map(Bytes::from));
    }
}
