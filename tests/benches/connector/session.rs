//! The connector's process: fed as the runtime feeds it, its output only looked at as far as needed.

use std::time::{Duration, Instant};

use demo::runtime::{Capture, Connector, Process};
use e2e::measure::{Usage, now};
use serde_json::{Value, json};

use crate::Result;

/// The capture of one stream, applied.
pub(crate) async fn capture(connector: &Connector, config: Value, resource: Value) -> Result<Capture> {
    let name = "acmeCo/benchmark";
    let mut discovered = Capture::discover(connector, name, &config).await?;
    discovered.retain(|binding| resource["stream"] == binding.stream());
    let mut capture = Capture::new(name, config, discovered);
    capture.configure(0, resource);
    capture.apply(connector).await?;
    Ok(capture)
}

/// An open session.
pub(crate) struct Session {
    process: Process,
    pid: u32,
    opened: Instant,
    spent_before: Duration,
}

impl Session {
    /// Opens a session from the state of the capture.
    pub(crate) async fn open(connector: &Connector, capture: &Capture) -> Result<Self> {
        let (mut process, _) = connector.start().await?;
        process.send(&capture.open_request()).await?;
        process.message().await?.filter(|(kind, _)| kind == "opened").ok_or("the session is not opened")?;
        let pid = process.id().ok_or("the connector ended")?;
        Ok(Self { process, pid, opened: now(), spent_before: Usage::of(pid)?.cpu })
    }

    /// The line of the next document. Checkpoints on the way are acknowledged.
    pub(crate) async fn document(&mut self) -> Result<String> {
        loop {
            let Some(line) = self.process.line().await? else {
                return Err(format!("the connector ended {}", self.process.ended().await?).into());
            };
            if line.starts_with(r#"{"checkpoint""#) {
                self.process.send(&json!({ "acknowledge": { "checkpoints": 1 } })).await?;
            } else if line.starts_with(r#"{"captured""#) {
                return Ok(line);
            }
        }
    }

    /// What the session took so far: real time, and what the process used, CPU since it was opened.
    pub(crate) fn spent(&self) -> Result<(Duration, Usage)> {
        let Usage { cpu, peak } = Usage::of(self.pid)?;
        Ok((self.opened.elapsed(), Usage { cpu: cpu - self.spent_before, peak }))
    }

    /// Ends the session as the runtime does.
    pub(crate) async fn end(mut self) -> Result<()> {
        self.process.close_stdin();
        while self.process.line().await?.is_some() {}
        self.process.ended().await?;
        Ok(())
    }
}
