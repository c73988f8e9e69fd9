//! `source-salesforce`: see the library.

use std::{io::IsTerminal as _, process::ExitCode};

use clap::Parser as _;
use flow_protocol::process;
use source_salesforce::cli::{Arguments, Surroundings};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let surroundings = Surroundings {
        is_terminal: std::io::stderr().is_terminal(),
        prints_to_terminal: std::io::stdout().is_terminal(),
    };
    let ours = ["source_salesforce", "salesforce_endpoint", "salesforce_client", "salesforce_streaming"];
    process::run(arguments.default_log_level(), &ours, arguments.run(surroundings))
}
