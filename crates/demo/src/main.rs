//! Shows the connectors at work: an emulated org with a live workload, the real `source-salesforce`, and what the Flow runtime
//! would see of it; if asked for, `materialize-salesforce` writes it into a second org. Ends with a verdict: do the captured
//! collections, and the second org, agree with the first?

use std::{io::IsTerminal as _, process::ExitCode};

use clap::Parser as _;

use crate::{arguments::Arguments, screen::Screen};

mod arguments;
mod desk;
mod org;
mod screen;
mod show;
mod statistics;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut screen = match (arguments.json, std::io::stdout().is_terminal()) {
        (true, _) => Screen::json(),
        (false, true) => Screen::terminal(),
        (false, false) => Screen::plain(),
    };
    match show::run(&arguments, &mut screen).await {
        Ok(agreement) if agreement.is_complete() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            screen.failure(&error);
            ExitCode::FAILURE
        }
    }
}
