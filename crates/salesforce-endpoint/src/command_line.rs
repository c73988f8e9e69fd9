//! What the command lines of the connectors have in common.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use serde_json::value::RawValue;

use crate::{error::Error, file};

/// The option `--config`.
#[derive(Debug, Args)]
pub struct ConfigFile {
    /// The endpoint config, YAML or JSON; - is stdin.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl ConfigFile {
    /// The config.
    ///
    /// # Errors
    /// As [`file::read`].
    pub async fn read(&self) -> Result<Box<RawValue>, Error> {
        file::read(&self.config).await
    }
}

/// What a program's help ends with: examples of its commands, a config and what to know about it, the environment, and exit
/// codes.
pub fn after_help(examples: &[&str], about_configs: &str) -> String {
    let examples: String = examples.iter().map(|example| format!("\n  {example}")).collect();
    format!(
        "\
Examples:{examples}

A config file is YAML or JSON:
  credentials:
    client_id: …
    client_secret: …
  my_domain: acme.my.salesforce.com
{about_configs}

Environment:
  LOG_LEVEL   trace, debug, info, warn or error (info; warn for commands that print a result)
  LOG_FORMAT  json for JSON lines on stderr, also at a terminal
  HTTPS_PROXY a proxy to reach Salesforce through

Exit codes: 0 done, 1 failed (the last line on stderr says why), 2 wrong arguments."
    )
}

/// The completion script of a program for a shell.
pub fn completions<P: CommandFactory>(shell: Shell) -> Vec<u8> {
    let mut command = P::command();
    let program = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, program, &mut script);
    script
}
