//! Reads the history of an object with 40 fields through the real connector, by REST and by Bulk, and prints what a row costs and how
//! much memory it takes, however many there are.
//!
//! The *floor* is what no connector can avoid. By REST: each page parsed once by `serde_json`, with each record as one raw value, and the
//! same bytes written. By Bulk: the same CSV read by the `csv` crate, and the same JSON written. It is measured in the same run, on
//! rows of the same org, so that the ratio means something on a busy machine too. What unpacking the replies takes is told apart.
//!
//! `cargo bench -p e2e --bench backfill`; a first run makes a million rows, which takes minutes, and keeps them below `target/tmp`.
//! `… --bench backfill -- short` makes do with a tenth, and one run; a number is that of the many rows. Linux only.

#[path = "../org/door.rs"]
mod door;
mod floor;
mod org;
mod reading;
mod sample;
#[path = "../connector/session.rs"]
mod session;
mod table;
#[path = "../org/token.rs"]
mod token;

use std::{error::Error, fmt, io::Write as _, time::Duration};

use demo::{binaries, runtime::Connector};
use e2e::measure::Wanted;
use tokio::time::timeout;

use self::{floor::Floor, org::Org, sample::Sample, table::Run};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Rows of the small org, and of the large one.
const FEW: usize = 10_000;
const MANY: usize = 1_000_000;
/// Rows that are read in one run, and how many runs there are.
const ROWS: usize = 200_000;
const RUNS: usize = 3;
/// Rows on which the floor is measured.
const SAMPLE: usize = 20_000;
/// What takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(900);

/// How rows are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Rest,
    Bulk,
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rest => "by REST",
            Self::Bulk => "by Bulk",
        })
    }
}

fn main() -> Result<()> {
    let Some(wanted) = Wanted::here() else { return Ok(()) };
    let many = wanted.number_or(MANY, 10);
    tokio::runtime::Runtime::new()?.block_on(run(many, ROWS.min(many / 5), if wanted.is_short { 1 } else { RUNS }))
}

async fn run(many: usize, rows: usize, runs: usize) -> Result<()> {
    let connector = Connector::new(binaries::build("source-salesforce")?);
    let mut out = std::io::stdout();
    let large = Org::open(many).await?;
    let mut peaks = Vec::new();
    for way in [Way::Rest, Way::Bulk] {
        let sample = Sample::take(&large, way, SAMPLE).await?;
        let mut measured = Vec::new();
        for _ in 0..runs {
            let reading = timeout(PATIENCE, reading::read(&connector, &large, way, rows)).await??;
            measured.push(Run { reading, floor: Floor::measure(&sample)? });
        }
        table::write_runs(&mut out, way, rows, &measured)?;
        peaks.push((way, many, timeout(PATIENCE, reading::read(&connector, &large, way, many)).await??.used.peak));
    }
    large.shutdown().await;

    let small = Org::open(FEW).await?;
    for way in [Way::Rest, Way::Bulk] {
        peaks.push((way, FEW, timeout(PATIENCE, reading::read(&connector, &small, way, FEW)).await??.used.peak));
    }
    small.shutdown().await;
    peaks.sort_by_key(|(way, rows, _)| (*way == Way::Bulk, *rows));
    for (way, rows, peak) in peaks {
        writeln!(out, "VmHWM, {rows:>9} rows {way}: {:6.1} MiB", peak as f64 / 1024.0)?;
    }
    Ok(())
}
