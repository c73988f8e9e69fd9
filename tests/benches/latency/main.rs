//! How long it takes from a change in the org to its document on stdout, where events carry whole rows and where their rows must
//! be fetched.
//!
//! The time begins before the change is made, so the emulated org's own work is in it. On a machine that is busy with other things the
//! figures say little.
//!
//! `cargo bench -p e2e --bench latency`, or with another number of changes `… --bench latency -- 500`. Linux only.

#[path = "../org/door.rs"]
mod door;
#[path = "../connector/history.rs"]
mod history;
mod org;
#[path = "../connector/session.rs"]
mod session;

use std::{
    error::Error,
    io::Write as _,
    time::{Duration, Instant},
};

use demo::{
    binaries,
    runtime::{Capture, Connector},
};
use e2e::measure::{Wanted, micros, millis};
use serde_json::json;
use tokio::time::timeout;

use self::{
    org::{Changes, Org},
    session::Session,
};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Objects with a field of each whose changes are captured: the events of the first carry whole rows, of the second there are too many
/// fields for that.
const STREAMS: [(&str, &str, &str); 2] =
    [("Account", "Description", "the event's own row"), ("Wide__c", "Text_000__c", "a row fetched by id")];
/// Changes that are measured, unless another number is asked for.
const CHANGES: usize = 2_000;
/// One each.
const PACE: Duration = Duration::from_millis(5);
/// What takes longer than this hangs.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() -> Result<()> {
    let Some(wanted) = Wanted::here() else { return Ok(()) };
    let changes = wanted.number_or(CHANGES, 4);
    tokio::runtime::Runtime::new()?.block_on(run(changes))
}

async fn run(count: usize) -> Result<()> {
    let connector = Connector::new(binaries::build("source-salesforce")?);
    let mut out = std::io::stdout();
    writeln!(out, "change made → document read, {count} changes at {:.0}/s", 1.0 / PACE.as_secs_f64())?;
    for (stream, field, way) in STREAMS {
        // Each record is changed once: a change within the second of the one before is fetched, whatever its event carries.
        let org = Org::start(stream, count + 1).await?;
        let mut capture = session::capture(&connector, org.config(), json!({ "stream": stream })).await?;
        history::read(&connector, &mut capture).await?;
        org.pass_time()?;
        let (latencies, cpu) = timeout(PATIENCE, measure(&connector, &capture, &org, field, count)).await??;
        let [half, most, all] = [50, 99, 100].map(|percent| millis(&latencies, percent));
        writeln!(
            out,
            "{:<42} p50 {half:7.1} ms   p99 {most:7.1} ms   longest {all:7.1} ms   connector CPU {:6.1} µs each",
            format!("{stream}: {way}"),
            micros(cpu, count),
        )?;
        org.shutdown().await;
    }
    Ok(())
}

/// Latencies, sorted, and what the connector spent.
async fn measure(
    connector: &Connector,
    capture: &Capture,
    org: &Org,
    field: &'static str,
    count: usize,
) -> Result<(Vec<Duration>, Duration)> {
    let mut session = Session::open(connector, capture).await?;
    let mut changes = org.changes(field);
    // Once its document is there, the channel is subscribed.
    changes.make(1)?;
    arrival(&mut session).await?;
    let (_, before) = session.spent()?;
    let making = changes.make_steadily(count, PACE);
    let mut arrived = Vec::with_capacity(count);
    for _ in 0..count {
        arrived.push(arrival(&mut session).await?);
    }
    let (_, after) = session.spent()?;
    let made = making.await??;
    session.end().await?;
    let since = |(n, at): (usize, Instant)| Ok(at - *made.get(n).ok_or("a document of no change")?);
    let mut latencies = arrived.into_iter().map(since).collect::<Result<Vec<_>>>()?;
    latencies.sort_unstable();
    Ok((latencies, after.cpu - before.cpu))
}

/// The number of the change whose document comes next, and when it came.
async fn arrival(session: &mut Session) -> Result<(usize, Instant)> {
    let line = session.document().await?;
    let at = e2e::measure::now();
    Ok((Changes::number_in(&line).ok_or("a document of no change")?, at))
}
