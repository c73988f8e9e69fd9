//! What is printed.

use std::{
    io::{self, Write},
    time::Duration,
};

use e2e::measure::{Figure, micros, millis, write_table};

use crate::{connector::Drain, floor::Floor};

/// One run: the connector, and the floor on the same replies.
pub(crate) struct Run {
    pub(crate) drain: Drain,
    pub(crate) floor: Floor,
}

impl Run {
    fn rate(&self) -> f64 {
        self.drain.documents as f64 / self.drain.wall.as_secs_f64()
    }

    fn connector(&self) -> f64 {
        micros(self.drain.used.cpu, self.drain.documents)
    }

    fn floor(&self) -> f64 {
        micros(self.floor.records, self.floor.events)
    }

    fn floor_of_fields(&self) -> f64 {
        micros(self.floor.fields, self.floor.events)
    }

    fn unpacking(&self) -> f64 {
        micros(self.floor.unpacking, self.floor.events)
    }

    fn ratio(&self) -> f64 {
        self.connector() / self.floor()
    }

    fn ratio_of_fields(&self) -> f64 {
        self.connector() / (self.floor_of_fields() + self.unpacking())
    }

    fn peak(&self) -> f64 {
        self.drain.used.peak as f64 / 1024.0
    }
}

const FIGURES: [Figure<Run>; 8] = [
    ("documents/s", 0, Run::rate),
    ("connector CPU, µs/document", 2, Run::connector),
    ("floor: parse and write, µs/document", 2, Run::floor),
    ("ratio", 2, Run::ratio),
    ("floor with fields apart", 2, Run::floor_of_fields),
    ("unpacking the replies", 2, Run::unpacking),
    ("ratio to both of these", 2, Run::ratio_of_fields),
    ("VmHWM, MiB", 1, Run::peak),
];

pub(crate) fn write_start_up(out: &mut impl Write, taken: &[Duration], size: u64) -> io::Result<()> {
    let median = millis(taken, 50);
    writeln!(out, "spec on stdin → response: {median:.1} ms (median of {})", taken.len())?;
    writeln!(out, "release binary: {:.1} MB\n", size as f64 / 1e6)
}

pub(crate) fn write_runs(out: &mut impl Write, stream: &str, runs: &[Run]) -> io::Result<()> {
    let Some(Run { drain, floor }) = runs.first() else { return Ok(()) };
    writeln!(
        out,
        "a backlog of {} events of {stream}: {} bytes each on the wire once unpacked, {} as a document's line",
        floor.events,
        floor.bytes / floor.events,
        drain.bytes / drain.documents,
    )?;
    write_table(out, &FIGURES, runs)
}
