//! A capture without a Flow runtime: documents as JSON lines on stdout, the position in a file.

use std::{
    fs::{File, TryLockError},
    io::{ErrorKind, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use flow_protocol::state;
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::Instant};

use salesforce_client::Org;

use crate::{
    capture::{
        output::Output,
        position::{Position, State},
        report::Standing,
        session::{self, Prepared, Session, Signal},
    },
    config::Config,
    error::Error,
    interrupt,
    open::{self, Wanted},
    progress::{Moved, Progress, terminal::Terminal},
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
    /// Whether stderr is a terminal, which shows how far it has come.
    pub is_terminal: bool,
    /// Whether stdout is a terminal: documents then share it with that.
    pub prints_to_terminal: bool,
}

/// When to end. Ctrl-C always does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Never, otherwise.
    Interrupted,
    /// When all that was there at its start is captured.
    CaughtUp,
    /// After this time.
    Elapsed(Duration),
}

/// Captures the streams to stdout.
///
/// # Errors
/// Whatever ends the session early, but for a reader that has gone: who prints no more is done. The position in the file is that of the
/// documents printed before.
pub async fn pull(config: &Config, resources: Vec<Resource>, mut options: Options) -> Result<(), Error> {
    options.state = options.state.map(behind_links);
    let _lock = options.state.as_deref().map(lock).transpose()?;
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
    interrupt::stop(signal);
    let prepared = open::prepare(&org, &options.name, &wanted, &state, &mut signals).await?;
    let Some(prepared) = prepared else { return Ok(()) };
    let output = Lines::new(streams, known, &options);
    if options.is_terminal {
        output.expect_rows(&org, &prepared, config).await;
    }
    let until_caught_up = options.until == Until::CaughtUp;
    let session_options = session::Options { until_caught_up, ..session::Options::of(config) };
    match Session::new(org, &options.name, prepared, output, session_options).run(signals).await {
        Err(Error::Protocol(flow_protocol::Error::Print(error))) if error.kind() == ErrorKind::BrokenPipe => {
            tracing::debug!("nobody reads the documents any more");
            Ok(())
        }
        result => result.map(Lines::finish),
    }
}

/// Links that lead to a file, one after the other: as many as Linux follows.
const LINKS: usize = 40;

/// The file that a path leads to, whether it is there yet or not. What is renamed over a link would take its place, and leave the file as
/// it was.
fn behind_links(mut file: PathBuf) -> PathBuf {
    for _ in 0..LINKS {
        let Ok(target) = std::fs::read_link(&file) else { break };
        file = file.parent().map(|folder| folder.join(&target)).unwrap_or(target);
    }
    file
}

/// Keeps other pulls from a state file for as long as it lives: they would write over each other's positions.
fn lock(file: &Path) -> Result<File, Error> {
    let name = || file.display().to_string();
    let failed = |source| Error::File { doing: "writing", file: name(), source };
    let mut beside = file.as_os_str().to_owned();
    beside.push(".lock");
    let lock = File::create(beside).map_err(failed)?;
    match lock.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Error::StateInUse { file: name() }),
        Err(TryLockError::Error(error)) if error.kind() != ErrorKind::Unsupported => Err(failed(error)),
        _ => Ok(lock),
    }
}

fn read_state(file: &Path) -> Result<Value, Error> {
    let name = || file.display().to_string();
    match std::fs::read_to_string(file) {
        Ok(text) => flow_protocol::parse::from_str(&text).map_err(|source| Error::StateFile { file: name(), source }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(json!({})),
        Err(source) => Err(Error::File { doing: "reading", file: name(), source }),
    }
}

/// Time between two looks at what moved, for the log.
const LOOKS: Duration = Duration::from_secs(10);

/// Documents as lines, the state as a file.
struct Lines {
    streams: Vec<String>,
    tagged: bool,
    collected: Vec<u8>,
    state: Value,
    file: Option<PathBuf>,
    progress: Arc<Mutex<Progress>>,
    /// `None` where progress goes to the log.
    terminal: Option<Terminal>,
    prints_to_terminal: bool,
    /// When the log is told of it next.
    due: Instant,
}

impl Lines {
    fn new(streams: Vec<String>, state: Value, options: &Options) -> Self {
        let now = now();
        let progress = Arc::new(Mutex::new(Progress::new(streams.clone(), now)));
        Self {
            terminal: options.is_terminal.then(|| Terminal::show(Arc::clone(&progress))),
            progress,
            streams,
            tagged: options.tagged,
            collected: Vec::new(),
            state,
            file: options.state.clone(),
            prints_to_terminal: options.prints_to_terminal,
            due: now + LOOKS,
        }
    }

    /// Asks about how many rows there are to be read, of streams that begin and have no start date.
    async fn expect_rows(&self, org: &Org, prepared: &Prepared, config: &Config) {
        let is_whole = |start_date: Option<_>| start_date.or(config.start_date).is_none();
        let begins = |position: &Position| *position == Position::default();
        let bound = prepared.bound.iter();
        let new: Vec<_> =
            bound.filter(|bound| begins(&bound.position) && is_whole(bound.resource.start_date)).collect();
        let objects: Vec<_> = new.iter().map(|bound| bound.feed.object.clone()).collect();
        match org.record_counts(&objects).await {
            Ok(counts) => {
                for bound in new {
                    if let Some(rows) = counts.get(bound.feed.object.as_str()) {
                        self.progress().expects(bound.index as usize, *rows);
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "how many rows there are is not known"),
        }
    }

    fn finish(mut self) {
        self.terminal = None;
        for stream in self.progress().streams() {
            let complete_until = stream.complete().map(|until| until.to_string());
            tracing::info!(stream = stream.name, documents = stream.documents, complete_until, "pulled");
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the log how far it has come, now and then.
    fn tell(&mut self) {
        let now = now();
        if self.terminal.is_some() || now < self.due {
            return;
        }
        self.due = now + LOOKS;
        for Moved { stream, documents, per_second, of_about } in self.progress().moved(now) {
            tracing::info!(stream, documents, per_second, of_about, "pulling");
        }
    }

    fn print(&mut self) -> std::io::Result<()> {
        let write = || {
            let mut stdout = std::io::stdout().lock();
            stdout.write_all(&self.collected).and_then(|()| stdout.flush())
        };
        match self.terminal.as_ref().filter(|_| self.prints_to_terminal) {
            Some(terminal) => terminal.above(write)?,
            None => write()?,
        }
        self.collected.clear();
        Ok(())
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
        self.progress().wrote(binding as usize);
    }

    fn sourced_schema(&mut self, _binding: u32, _schema: &Value) {}

    fn collected(&self) -> usize {
        self.collected.len()
    }

    fn stands(&mut self, binding: u32, standing: Standing) {
        self.progress().stands(binding as usize, standing);
        self.tell();
    }

    async fn commit(&mut self, patch: Option<&Value>) -> Result<(), Error> {
        self.print().map_err(flow_protocol::Error::Print)?;
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

#[expect(clippy::disallowed_methods, reason = "progress is shown at times of this machine")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
