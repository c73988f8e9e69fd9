//! A connector's process: its environment, its threads, how it ends, and what it prints for people.

use std::{
    error,
    future::Future,
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use serde::Serialize;

use crate::{error::Error, log};

/// Does a connector's work: starts logging, runs, and logs the error that ends it, if one does.
///
/// `default_level` is the log level where `LOG_LEVEL` does not say; `ours` are the targets that it applies to, as in [`log::init`].
/// Called once, by `main`.
pub fn run<E: error::Error + 'static>(
    default_level: &str,
    ours: &[&str],
    work: impl Future<Output = Result<(), E>>,
) -> ExitCode {
    // The runtime says LOG_FORMAT=json; so does everyone who pipes stderr into a file.
    let format = match (env("LOG_FORMAT").as_deref(), io::stderr().is_terminal()) {
        (Some("json"), _) | (_, false) => log::Format::Json,
        _ => log::Format::Human,
    };
    log::init(&env("LOG_LEVEL").unwrap_or_else(|| default_level.into()), format, ours);

    // One thread, with helpers for the pipes: what a reply brings and what is made of it follow each other closely, and handing it
    // from thread to thread costs CPU time and memory.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            log::final_error(&error);
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(work);
    // A thread that waits for stdin never ends by itself.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::final_error(&error);
            ExitCode::FAILURE
        }
    }
}

/// Prints a value on stdout as JSON with indents.
///
/// # Errors
/// When stdout takes no more.
pub fn print(value: &impl Serialize) -> Result<(), Error> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| Error::Print(error.into()))?;
    text.push(b'\n');
    print_text(&text)
}

/// Prints a text on stdout as it is.
///
/// # Errors
/// When stdout takes no more.
pub fn print_text(text: &[u8]) -> Result<(), Error> {
    io::stdout().write_all(text).map_err(Error::Print)
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment, on behalf of main")]
fn env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
