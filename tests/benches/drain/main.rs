//! Drains a backlog of PushTopic events through the real connector, and prints what a document costs.
//!
//! The *floor* is what no connector can avoid: each reply parsed once by `serde_json` into raw values, and the same bytes written.
//! It is measured after each drain, on the same replies and several times over, so that the ratio means something on a busy machine too. What unpacking
//! the replies takes is told apart: the org sends them compressed.
//!
//! `cargo bench -p e2e --bench drain`, or with another number of events `cargo bench -p e2e --bench drain -- 20000`. Linux only: `/proc` is
//! asked for CPU time and memory.

mod connector;
#[path = "../org/door.rs"]
mod door;
mod floor;
#[path = "../connector/history.rs"]
mod history;
mod org;
#[path = "../connector/session.rs"]
mod session;
mod subscription;
mod table;
#[path = "../org/token.rs"]
mod token;

use std::{error::Error, time::Duration};

use demo::{binaries, runtime::Connector};
use e2e::measure::Wanted;
use serde_json::json;
use tokio::time::timeout;

use self::{floor::Floor, org::Org, table::Run};

/// How the pieces fail: whatever it is, the benchmark ends with it.
type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const STREAM: &str = "Account";
/// Events in the backlog, unless another number is asked for.
const DOCUMENTS: usize = 100_000;
/// How often it is drained.
const RUNS: usize = 5;
/// What takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(300);
/// How often the program is started for the time that takes.
const STARTS: usize = 20;

fn main() -> Result<()> {
    let Some(wanted) = Wanted::here() else { return Ok(()) };
    let documents = wanted.number_or(DOCUMENTS, 10);
    tokio::runtime::Runtime::new()?.block_on(run(documents))
}

async fn run(documents: usize) -> Result<()> {
    let program = binaries::build("source-salesforce")?;
    let connector = Connector::new(&program);
    let mut out = std::io::stdout();
    table::write_start_up(
        &mut out,
        &connector::start_up(&connector, STARTS).await?,
        std::fs::metadata(&program)?.len(),
    )?;

    let org = Org::start(STREAM).await?;
    let mut capture = session::capture(&connector, org.config(), json!({ "stream": STREAM })).await?;
    history::read(&connector, &mut capture).await?;
    org.make_events(documents)?;
    let replies = subscription::replies(&org, documents).await?;

    let mut runs = Vec::new();
    for _ in 0..RUNS {
        let drain = timeout(PATIENCE, connector::drain(&connector, &capture, documents)).await??;
        let floor = Floor::measure(&replies)?;
        runs.push(Run { drain, floor });
    }
    table::write_runs(&mut out, STREAM, &runs)?;
    org.shutdown().await;
    Ok(())
}
