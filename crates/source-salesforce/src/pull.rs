//! A capture without a Flow runtime: documents as JSON lines on stdout, the position in a file.

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use flow_protocol::state;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::{
    capture::{
        output::Output,
        position::State,
        session::{self, Session, Signal},
    },
    config::Config,
    error::Error,
    interrupt,
    open::{self, Wanted},
    resource::Resource,
};

/// How to pull.
#[derive(Debug)]
pub struct Options {
    /// The capture's name.
    pub name: String,
    /// Where the position is kept.
    pub state: Option<PathBuf>,
    /// Whether each document comes with its stream's name.
    pub tagged: bool,
    /// When to end.
    pub until: Until,
    /// Whether to show progress on stderr.
    pub progress: bool,
}

/// When to end. Ctrl-C always does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Never, otherwise.
    Interrupted,
    /// When history is complete and no change waits.
    CaughtUp,
    /// After this time.
    Elapsed(Duration),
}

/// Captures the streams to stdout.
///
/// # Errors
/// Whatever ends the session early. The position in the file is that of the documents printed before.
pub async fn pull(config: &Config, resources: Vec<Resource>, options: Options) -> Result<(), Error> {
    let known = options.state.as_deref().map(read_state).transpose()?.unwrap_or_else(|| json!({}));
    let state = State::parse(&known)?;
    let streams: Vec<_> = resources.iter().map(|resource| resource.stream.clone()).collect();
    let wanted =
        (0..).zip(resources).map(|(index, resource)| Wanted { index, state_key: resource.stream.clone(), resource });
    let wanted: Vec<_> = wanted.collect();
    let org = crate::org(config)?;

    let (signal, mut signals) = mpsc::unbounded_channel();
    if let Until::Elapsed(time) = options.until {
        let signal = signal.clone();
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            let _ = signal.send(Signal::Stop);
        });
    }
    tokio::spawn(interrupt::stop(signal));
    let prepared = open::prepare(&org, &options.name, &wanted, &state, &mut signals).await?;
    let Some(prepared) = prepared else { return Ok(()) };
    let output = Lines::new(streams, known, &options);
    let until_caught_up = options.until == Until::CaughtUp;
    let session_options = session::Options { until_caught_up, ..session::Options::of(config) };
    let output = Session::new(org, &options.name, prepared, output, session_options).run(signals).await?;
    output.finish();
    Ok(())
}

fn read_state(file: &Path) -> Result<Value, Error> {
    match std::fs::read_to_string(file) {
        Ok(text) => flow_protocol::parse::from_str(&text).map_err(|source| Error::State { source }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(json!({})),
        Err(source) => Err(Error::File { doing: "reading", file: file.display().to_string(), source }),
    }
}

/// Documents as lines, the state as a file.
struct Lines {
    streams: Vec<String>,
    tagged: bool,
    collected: Vec<u8>,
    state: Value,
    file: Option<PathBuf>,
    counts: BTreeMap<u32, u64>,
    progress: ProgressBar,
}

impl Lines {
    fn new(streams: Vec<String>, state: Value, options: &Options) -> Self {
        let progress = if options.progress { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {pos} documents, {per_sec} {msg}") {
            progress.set_style(style);
        }
        Self {
            streams,
            tagged: options.tagged,
            collected: Vec::new(),
            state,
            file: options.state.clone(),
            counts: BTreeMap::new(),
            progress,
        }
    }

    fn finish(self) {
        self.progress.finish_and_clear();
        let count = |(index, stream): (u32, &String)| (stream.clone(), self.counts.get(&index).copied().unwrap_or(0));
        for (stream, documents) in (0..).zip(&self.streams).map(count) {
            tracing::info!(stream, documents, "pulled");
        }
    }

    fn write_state(&self) -> Result<(), Error> {
        let Some(file) = &self.file else { return Ok(()) };
        let failed = |source| Error::File { doing: "writing", file: file.display().to_string(), source };
        // Renaming replaces the file at once: there is no moment at which it holds half a state.
        let mut fresh = file.clone().into_os_string();
        fresh.push(".new");
        let text = format!("{:#}\n", self.state);
        std::fs::write(&fresh, &text).map_err(failed)?;
        std::fs::rename(&fresh, file).map_err(failed)
    }
}

impl Output for Lines {
    fn document(&mut self, binding: u32, write: impl FnOnce(&mut Vec<u8>)) {
        if self.tagged
            && let Some(stream) = self.streams.get(binding as usize)
        {
            self.collected.extend_from_slice(format!("[\"{stream}\",").as_bytes());
        }
        let start = self.collected.len();
        write(&mut self.collected);
        // Replies may be pretty-printed; between tokens a line feed means nothing.
        self.collected[start..].iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
        self.collected.extend_from_slice(if self.tagged { b"]\n" } else { b"\n" });
        *self.counts.entry(binding).or_default() += 1;
        self.progress.inc(1);
    }

    fn sourced_schema(&mut self, _binding: u32, _schema: &Value) {}

    fn collected(&self) -> usize {
        self.collected.len()
    }

    async fn commit(&mut self, patch: Option<&Value>) -> Result<(), Error> {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(&self.collected).and_then(|()| stdout.flush()).map_err(Error::Stdout)?;
        self.collected.clear();
        if let Some(patch) = patch {
            state::apply(&mut self.state, patch);
            self.write_state()?;
        }
        Ok(())
    }

    fn is_durable_at_once(&self) -> bool {
        true
    }

    fn acknowledged(&mut self, _commits: u32) {}

    fn is_congested(&self) -> bool {
        false
    }
}
