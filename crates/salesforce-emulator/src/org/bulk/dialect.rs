//! How a job's CSV is spelled: what stands between cells and at the end of rows. Cells are always quoted.

use serde::{Deserialize, Serialize};

/// What stands between two cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum ColumnDelimiter {
    Backquote,
    Caret,
    #[default]
    Comma,
    Pipe,
    Semicolon,
    Tab,
}

/// What ends a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum LineEnding {
    #[default]
    Lf,
    Crlf,
}

/// The CSV of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Dialect {
    pub(crate) delimiter: ColumnDelimiter,
    pub(crate) line_ending: LineEnding,
}

impl ColumnDelimiter {
    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::Backquote => b'`',
            Self::Caret => b'^',
            Self::Comma => b',',
            Self::Pipe => b'|',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
        }
    }
}

impl LineEnding {
    /// As job infos and errors spell it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Lf => "LF",
            Self::Crlf => "CRLF",
        }
    }

    fn bytes(self) -> &'static [u8] {
        match self {
            Self::Lf => b"\n",
            Self::Crlf => b"\r\n",
        }
    }
}

impl Dialect {
    /// Appends a row.
    pub(crate) fn row<'a>(self, out: &mut Vec<u8>, cells: impl IntoIterator<Item = &'a [u8]>) {
        for (at, cell) in cells.into_iter().enumerate() {
            if at > 0 {
                out.push(self.delimiter.byte());
            }
            quote(out, cell);
        }
        self.end_row(out);
    }

    pub(crate) fn end_row(self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.line_ending.bytes());
    }
}

/// Appends a cell in quotes, its own quotes doubled.
pub(crate) fn quote(out: &mut Vec<u8>, cell: &[u8]) {
    out.push(b'"');
    let mut rest = cell;
    while let Some(at) = rest.iter().position(|byte| *byte == b'"') {
        out.extend_from_slice(&rest[..=at]);
        out.push(b'"');
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_in_every_dialect() {
        let row = |delimiter: &str, line_ending: &str| {
            let dialect = Dialect {
                delimiter: serde_json::from_value(delimiter.into()).unwrap(),
                line_ending: serde_json::from_value(line_ending.into()).unwrap(),
            };
            let mut out = Vec::new();
            dialect.row(&mut out, [&b"a"[..], b"", b"say \"x\"", b"two\nlines, one cell"]);
            String::from_utf8(out).unwrap()
        };
        let rest = "\"two\nlines, one cell\"";
        assert_eq!(row("COMMA", "LF"), format!("\"a\",\"\",\"say \"\"x\"\"\",{rest}\n"));
        for (name, byte) in [("BACKQUOTE", '`'), ("CARET", '^'), ("PIPE", '|'), ("SEMICOLON", ';'), ("TAB", '\t')] {
            assert_eq!(row(name, "CRLF"), format!("\"a\"{byte}\"\"{byte}\"say \"\"x\"\"\"{byte}{rest}\r\n"), "{name}");
        }
        assert_eq!(
            serde_json::to_value((ColumnDelimiter::Tab, LineEnding::Crlf)).unwrap().to_string(),
            r#"["TAB","CRLF"]"#
        );
    }
}
