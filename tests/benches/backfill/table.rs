//! What is printed of several runs.

use std::io::{self, Write};

use e2e::measure::{Figure, micros, write_table};

use crate::{Way, floor::Floor, org::FIELDS, reading::Reading};

/// One run: the connector, and the floor on rows of the same org.
pub(crate) struct Run {
    pub(crate) reading: Reading,
    pub(crate) floor: Floor,
}

impl Run {
    fn rate(&self) -> f64 {
        self.reading.rows as f64 / self.reading.wall.as_secs_f64()
    }

    fn connector(&self) -> f64 {
        micros(self.reading.used.cpu, self.reading.rows)
    }

    fn floor(&self) -> f64 {
        micros(self.floor.copying, self.floor.rows)
    }

    fn unpacking(&self) -> f64 {
        micros(self.floor.unpacking, self.floor.rows)
    }

    fn ratio(&self) -> f64 {
        self.connector() / self.floor()
    }

    fn ratio_with_unpacking(&self) -> f64 {
        self.connector() / (self.floor() + self.unpacking())
    }

    fn peak(&self) -> f64 {
        self.reading.used.peak as f64 / 1024.0
    }
}

const FIGURES: [Figure<Run>; 7] = [
    ("rows/s", 0, Run::rate),
    ("connector CPU, µs/row", 2, Run::connector),
    ("floor: read and write, µs/row", 2, Run::floor),
    ("ratio", 2, Run::ratio),
    ("unpacking the replies, µs/row", 2, Run::unpacking),
    ("ratio to both of these", 2, Run::ratio_with_unpacking),
    ("VmHWM, MiB", 1, Run::peak),
];

pub(crate) fn write_runs(out: &mut impl Write, way: Way, rows: usize, runs: &[Run]) -> io::Result<()> {
    let Some(Run { reading, floor }) = runs.first() else { return Ok(()) };
    writeln!(
        out,
        "{rows} rows of {FIELDS} fields {way}: {} bytes each on the wire once unpacked, {} as a document's line",
        floor.bytes / floor.rows,
        reading.bytes / reading.rows,
    )?;
    write_table(out, &FIGURES, runs)
}
