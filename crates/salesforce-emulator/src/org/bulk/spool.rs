//! Rows of CSV set aside: in memory while they are few, in a file without a name once they are many.

use std::io::{self, Read, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::{SpooledTempFile, spooled_tempfile};

/// Bytes of rows that stay in memory, for each spool.
const IN_MEMORY: usize = 1 << 18;

/// A header and rows, to be written once and read often, from any row on.
#[derive(Debug)]
pub(crate) struct Spool(Mutex<Kept>);

#[derive(Debug)]
struct Kept {
    header: Vec<u8>,
    rows: SpooledTempFile,
    /// The byte after each row, eight bytes each.
    ends: SpooledTempFile,
    count: u64,
    bytes: u64,
}

/// Rows on their way into a spool.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) bytes: Vec<u8>,
    ends: Vec<u64>,
}

/// A part of a spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) header: Vec<u8>,
    /// Where its rows stand.
    pub(crate) bytes: Range<u64>,
    pub(crate) rows: u64,
    /// The first row after it, if there is one.
    pub(crate) next: Option<u64>,
}

impl Rows {
    /// Ends a row whose bytes were appended.
    pub(crate) fn end(&mut self) {
        self.ends.push(self.bytes.len() as u64);
    }
}

impl Spool {
    pub(crate) fn new() -> Self {
        let file = || spooled_tempfile(IN_MEMORY);
        Self(Mutex::new(Kept { header: Vec::new(), rows: file(), ends: file(), count: 0, bytes: 0 }))
    }

    /// Sets the header, which every page repeats.
    pub(crate) fn entitle(&self, header: Vec<u8>) {
        self.kept().header = header;
    }

    pub(crate) fn append(&self, rows: &Rows) -> io::Result<()> {
        let mut kept = self.kept();
        let (bytes, count) = (kept.bytes, kept.count);
        kept.rows.seek(SeekFrom::Start(bytes))?;
        kept.rows.write_all(&rows.bytes)?;
        let ends: Vec<u8> = rows.ends.iter().flat_map(|end| (bytes + end).to_le_bytes()).collect();
        kept.ends.seek(SeekFrom::Start(count * 8))?;
        kept.ends.write_all(&ends)?;
        kept.count += rows.ends.len() as u64;
        kept.bytes += rows.bytes.len() as u64;
        Ok(())
    }

    pub(crate) fn rows(&self) -> u64 {
        self.kept().count
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.kept().bytes
    }

    /// The rows from `first` on: at most `most` of them, in at most `largest` bytes, but one at least.
    pub(crate) fn page(&self, first: u64, most: u64, largest: u64) -> io::Result<Page> {
        let mut kept = self.kept();
        let first = first.min(kept.count);
        let start = kept.end_of(first)?;
        let mut last = first.saturating_add(most).min(kept.count);
        if kept.end_of(last)? - start > largest {
            let (mut fits, mut too_many) = (first + 1, last);
            while fits + 1 < too_many {
                let middle = fits.midpoint(too_many);
                if kept.end_of(middle)? - start > largest { too_many = middle } else { fits = middle }
            }
            last = fits;
        }
        Ok(Page {
            header: kept.header.clone(),
            bytes: start..kept.end_of(last)?,
            rows: last - first,
            next: (last < kept.count).then_some(last),
        })
    }

    /// Some of these bytes, from their beginning: empty only if there are none.
    pub(crate) fn read(&self, bytes: &Range<u64>, most: usize) -> io::Result<Vec<u8>> {
        let mut kept = self.kept();
        read(&mut kept.rows, bytes, most)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Where the first so many rows end.
    fn end_of(&mut self, rows: u64) -> io::Result<u64> {
        let Some(last) = rows.checked_sub(1) else { return Ok(0) };
        let mut end = [0; 8];
        self.ends.seek(SeekFrom::Start(last * 8))?;
        self.ends.read_exact(&mut end)?;
        Ok(u64::from_le_bytes(end))
    }
}

/// At most `most` of these bytes of a file.
pub(super) fn read(file: &mut SpooledTempFile, bytes: &Range<u64>, most: usize) -> io::Result<Vec<u8>> {
    let length = usize::try_from(bytes.end.saturating_sub(bytes.start)).unwrap_or(most).min(most);
    let mut piece = vec![0; length];
    file.seek(SeekFrom::Start(bytes.start))?;
    file.read_exact(&mut piece)?;
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spool(rows: &[&str]) -> Spool {
        let spool = Spool::new();
        spool.entitle(b"h\n".to_vec());
        for chunk in rows.chunks(2) {
            let mut rows = Rows::default();
            for row in chunk {
                rows.bytes.extend_from_slice(row.as_bytes());
                rows.end();
            }
            spool.append(&rows).unwrap();
        }
        spool
    }

    #[test]
    fn pages() {
        let spool = spool(&["a\n", "bb\n", "ccc\n", "dddd\n", "e\n"]);
        let table = [
            ((0, 2, 100), "a\nbb\n", Some(2)),
            ((2, 2, 100), "ccc\ndddd\n", Some(4)),
            ((4, 2, 100), "e\n", None),
            ((0, 9, 100), "a\nbb\nccc\ndddd\ne\n", None),
            ((5, 9, 100), "", None),
            ((9, 9, 100), "", None),
            ((0, 9, 5), "a\nbb\n", Some(2)),
            ((0, 9, 8), "a\nbb\n", Some(2)),
            ((0, 9, 9), "a\nbb\nccc\n", Some(3)),
            ((3, 9, 1), "dddd\n", Some(4)),
        ];
        for ((first, most, largest), text, next) in table {
            let page = spool.page(first, most, largest).unwrap();
            let bytes = spool.read(&page.bytes, usize::MAX).unwrap();
            assert_eq!((std::str::from_utf8(&bytes).unwrap(), page.next), (text, next), "{first} {most} {largest}");
            assert_eq!(page.rows, text.lines().count() as u64);
            assert_eq!(page.header, b"h\n");
        }
    }

    #[test]
    fn many_rows_are_no_matter_of_memory() {
        let row = format!("{}\n", "x".repeat(99));
        let mut rows = Rows::default();
        for _ in 0..10_000 {
            rows.bytes.extend_from_slice(row.as_bytes());
            rows.end();
        }
        let spool = Spool::new();
        spool.append(&rows).unwrap();
        spool.append(&rows).unwrap();
        assert!(spool.0.lock().unwrap().rows.is_rolled());
        let page = spool.page(19_999, 5, u64::MAX).unwrap();
        assert_eq!(spool.read(&page.bytes, 1_000).unwrap(), row.as_bytes());
        assert_eq!((spool.rows(), spool.bytes()), (20_000, 2_000_000));
    }
}
