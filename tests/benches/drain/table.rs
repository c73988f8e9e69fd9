//! What is printed.

use std::{
    io::{self, Write},
    time::Duration,
};

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
        micros(self.drain.cpu, self.drain.documents)
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
        self.drain.peak as f64 / 1024.0
    }
}

/// A figure of a run: its name, how many decimals matter, and where it comes from.
type Row = (&'static str, usize, fn(&Run) -> f64);

const ROWS: [Row; 8] = [
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
    write!(out, "{:<38}{:>10}", "", "median")?;
    (1..=runs.len()).try_for_each(|n| write!(out, "{:>10}", format!("run {n}")))?;
    writeln!(out)?;
    for (name, decimals, figure) in ROWS {
        let figures: Vec<f64> = runs.iter().map(figure).collect();
        let mut sorted = figures.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        write!(out, "{name:<38}{:>10.decimals$}", sorted[sorted.len() / 2])?;
        figures.iter().try_for_each(|figure| write!(out, "{figure:>10.decimals$}"))?;
        writeln!(out)?;
    }
    writeln!(out)
}

/// `latencies` are sorted.
pub(crate) fn write_latencies(out: &mut impl Write, pace: Duration, latencies: &[Duration]) -> io::Result<()> {
    let rate = 1.0 / pace.as_secs_f64();
    let [half, most, all] = [50, 99, 100].map(|percent| millis(latencies, percent));
    writeln!(
        out,
        "event made → line read, {} events at {rate:.0}/s: p50 {half:.1} ms, p99 {most:.1} ms, longest {all:.1} ms",
        latencies.len()
    )
}

fn micros(cpu: Duration, documents: usize) -> f64 {
    cpu.as_secs_f64() * 1e6 / documents as f64
}

/// A percentile of sorted durations.
fn millis(sorted: &[Duration], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(0.0, |duration| duration.as_secs_f64() * 1e3)
}
