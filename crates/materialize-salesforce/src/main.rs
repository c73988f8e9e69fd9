//! `materialize-salesforce`: see the library.

use std::process::ExitCode;

use clap::Parser as _;
use flow_protocol::process;
use materialize_salesforce::cli::Arguments;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ours = ["materialize_salesforce", "salesforce_endpoint", "salesforce_client", "salesforce_sink"];
    process::run(arguments.default_log_level(), &ours, arguments.run())
}
