//! `source-salesforce`: see the library.

use std::{io::IsTerminal as _, process::ExitCode};

use clap::Parser as _;
use flow_protocol::log;
use source_salesforce::cli::{Arguments, Surroundings};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let is_terminal = std::io::stderr().is_terminal();
    // The runtime says LOG_FORMAT=json; so does everyone who pipes stderr into a file.
    let format = match (env("LOG_FORMAT").as_deref(), is_terminal) {
        (Some("json"), _) | (_, false) => log::Format::Json,
        _ => log::Format::Human,
    };
    let level = env("LOG_LEVEL").unwrap_or_else(|| arguments.default_log_level().into());
    log::init(&level, format, &["source_salesforce", "salesforce_client", "salesforce_streaming"]);

    // One thread, with helpers for the pipes: what a reply brings and what is made of it follow each other closely, and handing it
    // from thread to thread costs CPU time and memory.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            log::final_error(&error);
            return ExitCode::FAILURE;
        }
    };
    let surroundings = Surroundings { is_terminal, prints_to_terminal: std::io::stdout().is_terminal() };
    let result = runtime.block_on(arguments.run(surroundings));
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

#[expect(clippy::disallowed_methods, reason = "main reads the environment and hands it on")]
fn env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
