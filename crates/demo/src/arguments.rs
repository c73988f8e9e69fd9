//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Parser, Subcommand};

/// Shows the connectors at work on emulated orgs. Without a command `source-salesforce` captures one: history first, then every change as
/// it happens.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// How long the org goes on changing before the captured collections are compared with it.
    #[arg(global = true, long = "for", value_name = "TIME", default_value = "30s", value_parser = duration)]
    pub(crate) time: Duration,
    /// Go on until Ctrl-C.
    #[arg(global = true, long, conflicts_with = "time")]
    pub(crate) forever: bool,
    /// Print JSON lines, every document in full, and nothing else.
    #[arg(global = true, long)]
    pub(crate) json: bool,
    /// How many rows the org starts with.
    #[arg(global = true, long, value_name = "N", default_value_t = 3000)]
    pub(crate) rows: u64,
    /// How many changes per second are made to them.
    #[arg(global = true, long, value_name = "N", default_value_t = 20)]
    pub(crate) rate: u32,
    /// Starting rows and changes follow from this number.
    #[arg(global = true, long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Start this connector instead of building the workspace's.
    #[arg(global = true, long, value_name = "FILE")]
    pub(crate) connector: Option<PathBuf>,
}

/// What else is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub(crate) enum Command {
    /// One org into another: what source-salesforce captures is written by materialize-salesforce, and both orgs are compared.
    Sync,
}

/// `500ms`, `30s`, `5m`, `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err("expected a number and one of ms, s, m, h, like 30s".into()),
    };
    let number: u64 = number.parse().map_err(|_| "expected a whole number before the unit, like 30s")?;
    number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(|| "too long".into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn durations() {
        for (text, milliseconds) in [("500ms", 500), ("30s", 30_000), ("0s", 0), ("5m", 300_000), ("1h", 3_600_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)));
        }
        for text in ["", "30", "s", "1.5s", "-1s", "30 s", "99999999999999999999h", "18446744073709551615h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
