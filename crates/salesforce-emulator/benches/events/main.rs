//! How many events of a kilobyte reach one CometD subscriber in a second, and how many changes a workload commits meanwhile.
//!
//! The *floor* is measured in the same run: the same bodies over the same sockets from a bare axum route to the same client, so
//! that the ratio means something on a busy machine too. `cargo bench -p salesforce-emulator --bench events`, or with another
//! number of events `… -- 20000`.

mod floor;
mod http;
mod org;

use std::error::Error;
use std::io::Write as _;
use std::time::{Duration, Instant};

use bytes::Bytes;

use self::http::Line;
use self::org::Org;

/// How the pieces fail: whatever it is, the benchmark ends with it.
type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const EVENTS: usize = 100_000;
/// Length of a record's long text; with its other fields and the envelope an event has a kilobyte.
const TEXT: usize = 950;
const RUNS: usize = 3;
/// Changes of a workload.
const CHANGES: u64 = 20_000;

/// What a drain took.
struct Drained {
    events: usize,
    bodies: Vec<Bytes>,
    took: Duration,
}

impl Drained {
    fn bytes(&self) -> usize {
        self.bodies.iter().map(Bytes::len).sum()
    }

    fn rate(&self) -> f64 {
        self.events as f64 / self.took.as_secs_f64()
    }
}

fn main() -> Result<()> {
    // `cargo bench` says so; `cargo test --all-targets` starts benchmarks too, and does not want minutes of it.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let events = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(EVENTS);
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(run(events))
}

async fn run(events: usize) -> Result<()> {
    let mut out = std::io::stdout();
    let org = Org::start().await?;
    let quiet = org.changes(CHANGES).await?;
    org.listen_to("SELECT Id, Name, Description FROM Account").await?;
    let announced = org.changes(CHANGES).await?;
    let rate = |took: Duration| CHANGES as f64 / took.as_secs_f64();
    writeln!(out, "a workload commits, changes per second: {:.0}; with a topic: {:.0}", rate(quiet), rate(announced))?;

    org.make_events(events, TEXT)?;
    writeln!(out, "{events} events, a subscriber who has to catch up with all of them")?;
    writeln!(out, "{:>12} {:>10} {:>9} {:>9} {:>10}", "", "events/s", "MB/s", "bytes", "of floor")?;
    for gzip in [false, true] {
        for _ in 0..RUNS {
            let drained = org.drain(gzip).await?;
            let floor = floor::drained(&drained.bodies, gzip).await?;
            let share = drained.took.as_secs_f64() / floor.as_secs_f64();
            let (name, bytes) = (if gzip { "gzip" } else { "plain" }, drained.bytes() / drained.events.max(1));
            let pace = drained.bytes() as f64 / drained.took.as_secs_f64() / 1e6;
            writeln!(out, "{name:>12} {:>10.0} {pace:>9.0} {bytes:>9} {share:>9.1}×", drained.rate())?;
        }
    }
    org.shutdown().await;
    Ok(())
}

/// Events in a body, told by how each of them begins.
fn count(body: &[u8]) -> Result<usize> {
    Ok(std::str::from_utf8(body)?.matches(r#"{"data":"#).count())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
}
