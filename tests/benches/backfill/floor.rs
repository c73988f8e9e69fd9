//! The least that anyone must do with rows: read them once, and write what they say.

use std::{
    io::{PipeWriter, Read as _, Write as _},
    time::Duration,
};

use csv::{ReaderBuilder, StringRecord};
use e2e::measure::{cpu_of_this_thread, with_pipe};
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Result, sample::Sample};

/// What the least took, as CPU time of one thread.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Floor {
    pub(crate) unpacking: Duration,
    /// Reading the rows and writing them.
    pub(crate) copying: Duration,
    pub(crate) rows: usize,
    /// Bytes of the replies, unpacked.
    pub(crate) bytes: usize,
}

/// Bytes after which what is written goes to the pipe.
const PIECE: usize = 1 << 20;

impl Floor {
    pub(crate) fn measure(sample: &Sample) -> Result<Self> {
        with_pipe(|out| Self::measure_here(sample, out))?
    }

    fn measure_here(sample: &Sample, mut out: PipeWriter) -> Result<Self> {
        let start = cpu_of_this_thread()?;
        let bodies = match sample {
            Sample::Pages(pages) => pages.iter().map(|page| unpacked(page)).collect::<Result<Vec<_>>>()?,
            Sample::Results(results, _) => vec![unpacked(results)?],
        };
        let is_unpacked = cpu_of_this_thread()?;
        let mut rows = 0;
        for body in &bodies {
            rows += match sample {
                Sample::Pages(_) => copy_page(body, &mut out)?,
                Sample::Results(_, texts) => copy_results(body, texts, &mut out)?,
            };
        }
        Ok(Self {
            unpacking: is_unpacked - start,
            copying: cpu_of_this_thread()? - is_unpacked,
            rows,
            bytes: bodies.iter().map(Vec::len).sum(),
        })
    }
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    records: Vec<&'a RawValue>,
}

fn copy_page(body: &[u8], out: &mut PipeWriter) -> Result<usize> {
    let page: Page<'_> = serde_json::from_slice(body)?;
    let mut lines = Vec::with_capacity(body.len());
    for record in &page.records {
        lines.extend_from_slice(record.get().as_bytes());
        lines.push(b'\n');
    }
    out.write_all(&lines)?;
    Ok(page.records.len())
}

fn copy_results(body: &[u8], texts: &[bool], out: &mut PipeWriter) -> Result<usize> {
    let mut reader = ReaderBuilder::new().from_reader(body);
    let keys: Vec<String> = reader.headers()?.iter().map(|name| format!(",\"{name}\":")).collect();
    let (mut row, mut lines, mut rows) = (StringRecord::new(), Vec::new(), 0);
    while reader.read_record(&mut row)? {
        for ((key, cell), is_text) in keys.iter().zip(&row).zip(texts) {
            lines.extend_from_slice(key.as_bytes());
            match (cell, is_text) {
                ("", _) => lines.extend_from_slice(b"null"),
                (text, true) => serde_json::to_writer(&mut lines, text)?,
                (plain, false) => lines.extend_from_slice(plain.as_bytes()),
            }
        }
        lines.extend_from_slice(b"}\n");
        rows += 1;
        if lines.len() >= PIECE {
            out.write_all(&lines)?;
            lines.clear();
        }
    }
    out.write_all(&lines)?;
    Ok(rows)
}

/// A reply as it was before it was compressed.
pub(crate) fn unpacked(reply: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    MultiGzDecoder::new(reply).read_to_end(&mut body)?;
    Ok(body)
}
