//! The connector's process: fed as the runtime feeds it, its output only looked at as far as needed.

use std::{
    fs,
    time::{Duration, Instant},
};

use demo::runtime::{Capture, Connector, Process};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::Result;

/// A second in the unit of `/proc/PID/stat`: 100 ticks on every Linux that tells it to programs.
const TICKS: u64 = 100;

/// What draining the backlog took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drain {
    pub(crate) documents: usize,
    /// Bytes of the documents' lines.
    pub(crate) bytes: usize,
    /// From `opened` to the last document.
    pub(crate) wall: Duration,
    /// CPU time in the same span, of user and system.
    pub(crate) cpu: Duration,
    /// The most memory that was ever resident, in KiB.
    pub(crate) peak: u64,
}

/// An open session.
pub(crate) struct Session {
    process: Process,
    pid: u32,
    opened: Instant,
    spent_before: Duration,
}

/// How long it takes from the start of the program to its answer to `spec`, sorted.
pub(crate) async fn start_up(connector: &Connector, times: usize) -> Result<Vec<Duration>> {
    let mut taken = Vec::new();
    for _ in 0..times {
        let started = now();
        let (mut process, _) = connector.start().await?;
        taken.push(started.elapsed());
        process.ended().await?;
    }
    taken.sort_unstable();
    Ok(taken)
}

/// The capture of one stream, applied.
pub(crate) async fn capture(connector: &Connector, config: Value, stream: &str) -> Result<Capture> {
    let name = "acmeCo/benchmark";
    let mut discovered = Capture::discover(connector, name, &config).await?;
    discovered.retain(|binding| binding.stream() == stream);
    let capture = Capture::new(name, config, discovered);
    capture.apply(connector).await?;
    Ok(capture)
}

/// Runs a session until history is captured and the channel is subscribed. The capture keeps the state.
pub(crate) async fn read_history(connector: &Connector, capture: &mut Capture) -> Result<()> {
    let mut session = capture.open(connector).await?;
    let key = capture.bindings()[0].state_key();
    let is_live = |position: &Value| position["live"].is_string() && position["reads"].is_null();
    while !is_live(&capture.state()["bindingStateV1"][&key]) {
        capture.commit(session.group().await?.ok_or("the connector ended before history did")?)?;
        session.acknowledge(1).await?;
    }
    session.close();
    while let Some(group) = session.group().await? {
        capture.commit(group)?;
    }
    session.ended().await?;
    Ok(())
}

impl Session {
    /// Opens a session from the state of the capture.
    pub(crate) async fn open(connector: &Connector, capture: &Capture) -> Result<Self> {
        let (mut process, _) = connector.start().await?;
        process.send(&capture.open_request()).await?;
        process.message().await?.filter(|(kind, _)| kind == "opened").ok_or("the session is not opened")?;
        let pid = process.id().ok_or("the connector ended")?;
        Ok(Self { process, pid, opened: now(), spent_before: cpu(pid)? })
    }

    /// Takes so many documents.
    pub(crate) async fn drain(&mut self, documents: usize) -> Result<Drain> {
        let mut bytes = 0;
        for _ in 0..documents {
            bytes += self.document().await?.len();
        }
        let (wall, cpu) = (self.opened.elapsed(), cpu(self.pid)? - self.spent_before);
        Ok(Drain { documents, bytes, wall, cpu, peak: peak(self.pid)? })
    }

    /// Takes so many documents, and tells how long after its event was made each of them came. Sorted.
    pub(crate) async fn latencies(&mut self, documents: usize, now: impl Fn() -> Timestamp) -> Result<Vec<Duration>> {
        let mut latencies = Vec::with_capacity(documents);
        for _ in 0..documents {
            let line = self.document().await?;
            let arrived = now();
            let created: Timestamp = created(&line).ok_or("an event without createdDate")?.parse()?;
            latencies.push(arrived.duration_since(created).try_into().unwrap_or_default());
        }
        latencies.sort_unstable();
        Ok(latencies)
    }

    /// The line of the next document. Checkpoints on the way are acknowledged.
    async fn document(&mut self) -> Result<String> {
        loop {
            let Some(line) = self.process.line().await? else {
                return Err(format!("the connector ended {}", self.process.ended().await?).into());
            };
            if line.starts_with(r#"{"checkpoint""#) {
                self.process.send(&json!({ "acknowledge": { "checkpoints": 1 } })).await?;
            } else if created(&line).is_some() {
                return Ok(line);
            } else if line.starts_with(r#"{"captured""#) {
                return Err(format!("a document came from no event: {line}").into());
            }
        }
    }

    /// Ends the session as the runtime does.
    pub(crate) async fn end(mut self) -> Result<()> {
        self.process.close_stdin();
        while self.process.line().await?.is_some() {}
        self.process.ended().await?;
        Ok(())
    }
}

/// When the event was made that a document's line tells of. Without parsing: reading must not be what is measured.
fn created(line: &str) -> Option<&str> {
    let meta = line.strip_prefix(r#"{"captured":{"binding":0,"doc":{"_meta":"#)?;
    let (_, rest) = meta.split_once(r#""createdDate":""#)?;
    rest.split('"').next()
}

/// CPU time of a process: `utime` and `stime`, the 14th and 15th field of its `stat`.
fn cpu(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').ok_or("/proc/PID/stat has no name")?;
    let ticks =
        fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<std::result::Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks * 1_000 / TICKS))
}

/// The most memory of a process that was ever resident, in KiB.
fn peak(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("/proc/PID/status has no VmHWM")?;
    Ok(peak.trim_end_matches("kB").trim().parse()?)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
