//! Logs on stderr, as the runtime reads them.
//!
//! One line per event: `{"ts":"…","level":"info","message":"…","fields":{…}}` as JSON, or a line for people. A process
//! that fails ends with exactly one line of level error, which is what the user of the task sees: a panic's, or the one
//! of [`final_error`].

use std::{
    error::Error,
    io::Write as _,
    panic::{self, PanicHookInfo},
    str::FromStr,
    sync::{Arc, OnceLock, RwLock},
};

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer as _, filter::Targets, layer::SubscriberExt as _, registry};

use self::{layer::Lines, line::Line};

mod layer;
mod line;

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// An object per line, for the Flow runtime.
    #[default]
    Json,
    /// A sentence per line, for people.
    Human,
}

static FORMAT: OnceLock<Format> = OnceLock::new();

/// Makes room on a terminal, writes a line, and takes the room again.
pub type Shared = Arc<dyn Fn(&mut dyn FnMut()) + Send + Sync>;

static SHARED: RwLock<Option<Shared>> = RwLock::new(None);

/// Starts logging to stderr, and makes a panic end the process with one line and exit code 1.
///
/// `level` is one of `trace`, `debug`, `info`, `warn`, `error`, in any case; anything else counts as `info`, with a
/// warning. `ours` are the prefixes of the targets it applies to, like `["source_salesforce"]`. All other crates log from `warn`
/// at most: the details of an HTTP stack contain headers, and headers contain tokens.
///
/// Called once, by `main`; a second call changes nothing.
pub fn init(level: &str, format: Format, ours: &[&str]) {
    let _ = FORMAT.set(format);
    let known = LevelFilter::from_str(level);
    let own_level = known.as_ref().map_or(LevelFilter::INFO, |level| *level);

    let subscriber = registry().with(Lines::new(format, std::io::stderr, now).with_filter(targets(own_level, ours)));
    let _ = tracing::subscriber::set_global_default(subscriber);
    panic::set_hook(Box::new(exit_on_panic));
    if known.is_err() {
        tracing::warn!("the log level is none of trace, debug, info, warn, error: using info");
    }
}

/// From now on lines of the log are written inside a call of this, for somebody who draws on the same terminal; `None` ends that.
pub fn share_terminal(shared: Option<Shared>) {
    if let Ok(mut place) = SHARED.write() {
        *place = shared;
    }
}

/// Writes something to the terminal that may be shared.
fn shared(mut write: impl FnMut()) {
    let shared = SHARED.read().ok().and_then(|shared| shared.clone());
    match shared {
        Some(shared) => shared(&mut write),
        None => write(),
    }
}

/// Shows the user of the task what the connector is doing, in one sentence.
pub fn connector_status(message: &str) {
    tracing::info!(eventType = "connectorStatus", "{message}");
}

/// Prints the last line of a process that fails: the error with all its sources. Nothing may be logged after it.
pub fn final_error(error: &dyn Error) {
    print(&chain(error));
}

/// An error and its sources on one line, joined by `: `. What an error already says of its source is not repeated.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let part = source.to_string();
        if !text.ends_with(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        next = source.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Which events are logged: ours at their level, those of others from warn at most.
fn targets(level: LevelFilter, ours: &[&str]) -> Targets {
    let own = ours.iter().copied().chain([env!("CARGO_CRATE_NAME")]);
    Targets::new().with_default(level.min(LevelFilter::WARN)).with_targets(own.map(|target| (target, level)))
}

/// A panic is a failure like any other: its line is the last one. No backtrace, and no thread lives on without the one
/// that died.
fn exit_on_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let payload = panic.payload();
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    let message = owned.or(payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
    print(&format!("a defect in the connector, please report it: panicked at {place}: {message}"));
    std::process::exit(1);
}

/// Prints an error past the subscriber, which may be the thing that failed.
fn print(message: &str) {
    let line = Line { ts: now(), level: tracing::Level::ERROR, message, fields: &Map::<String, Value>::new() };
    let text = line.render(FORMAT.get().copied().unwrap_or_default());
    // Without stderr there is nobody to tell.
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

#[expect(clippy::disallowed_methods, reason = "the time of a log line is the time of writing it")]
fn now() -> Timestamp {
    Timestamp::now()
}
