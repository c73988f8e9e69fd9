//! The command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};
use flow_protocol::{capture::Response, process, stdio};
use salesforce_endpoint::{
    command_line::{self, ConfigFile},
    file,
};

use crate::{
    apply,
    config::Config,
    discover,
    error::Error,
    feed::Feed,
    pull::{self, Until},
    resource::{self, Resource},
    serve, spec, validate,
};

/// Captures Salesforce objects into Estuary Flow: their history, and every change within seconds.
///
/// Without a command it speaks the Flow capture protocol: requests as JSON lines on stdin, answers on stdout, logs on
/// stderr. That is how the Flow runtime and flowctl start it. The commands are for people.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = command_line::after_help(&EXAMPLES, ABOUT_CONFIGS))]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: [&str; 3] = [
    "source-salesforce spec",
    "source-salesforce discover --config config.yaml",
    "source-salesforce pull --config config.yaml --stream Account --state state.json --until-caught-up",
];

const ABOUT_CONFIGS: &str = "\
With a refresh_token it signs in by that; with username and private_key by JWT bearer; the README shows each way.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the configuration schemas and how to sign in.
    Spec,
    /// List the streams of an org.
    Discover(ConfigFile),
    /// Check that streams can be captured; say what is missing.
    Validate(Streams),
    /// Make the PushTopics that a capture of these streams needs, and remove those it no longer needs.
    Apply {
        #[command(flatten)]
        streams: Streams,
        #[command(flatten)]
        name: Name,
    },
    /// Print the exact JSON schema of a stream's documents.
    Schema {
        #[command(flatten)]
        config: ConfigFile,
        /// The stream: an object's API name, or a resource config such as '{stream: Account, fields: {exclude: [Fax]}}'.
        #[arg(long, value_name = "NAME")]
        stream: String,
    },
    /// Capture without a Flow runtime: documents as JSON lines on stdout.
    Pull {
        #[command(flatten)]
        streams: Streams,
        #[command(flatten)]
        name: Name,
        /// Keep the position in FILE, and go on from there.
        #[arg(long, value_name = "FILE")]
        state: Option<PathBuf>,
        /// Print ["Stream",{document}] instead of {document}.
        #[arg(long)]
        tagged: bool,
        /// End once all that was there when it started is captured: the history, and every change since the last time, announced
        /// by Salesforce or not.
        #[arg(long, conflicts_with = "for_")]
        until_caught_up: bool,
        /// End after this time, such as 30s, 5m or 2h. Without either, Ctrl-C ends it.
        #[arg(long = "for", id = "for_", value_name = "TIME", value_parser = duration)]
        for_: Option<Duration>,
    },
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
struct Streams {
    #[command(flatten)]
    config: ConfigFile,
    /// A stream: an object's API name, or a resource config such as '{stream: User, interval: PT1M}'. May be given several times, or several at once.
    #[arg(long = "stream", value_name = "NAME", num_args = 1.., required = true)]
    streams: Vec<String>,
}

#[derive(Debug, Args)]
struct Name {
    /// The capture's name. Its PushTopics belong to it: two captures on one org need two names.
    #[arg(long, value_name = "CAPTURE", default_value = "local/salesforce")]
    name: String,
}

/// What `main` knows of the world outside.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings {
    /// Whether stderr is a terminal.
    pub is_terminal: bool,
    /// Whether stdout is.
    pub prints_to_terminal: bool,
}

impl Arguments {
    /// The log level when `LOG_LEVEL` does not say: commands that print a result keep quiet about how they got it.
    pub fn default_log_level(&self) -> &'static str {
        match self.command {
            None | Some(Command::Pull { .. }) => "info",
            Some(_) => "warn",
        }
    }

    /// Does what was asked.
    ///
    /// # Errors
    /// Whatever the command cannot do.
    pub async fn run(self, surroundings: Surroundings) -> Result<(), Error> {
        let Some(command) = self.command else {
            return serve::serve(stdio::requests(), stdio::responses()).await;
        };
        match command {
            Command::Spec => process::print(&Response::Spec(spec::spec()))?,
            Command::Discover(config) => {
                let org = crate::org(&Config::parse(&config.read().await?)?)?;
                process::print(&Response::Discovered(discover::discover(&org).await?))?;
            }
            Command::Validate(streams) => {
                let (config, resources) = streams.read().await?;
                validate::validate(&crate::org(&config)?, &resources).await?;
                process::print(&Response::Validated(resources.iter().map(Resource::path).collect()))?;
            }
            Command::Apply { streams, name: Name { name } } => {
                let (config, resources) = streams.read().await?;
                let action_description = apply::apply(&crate::org(&config)?, &name, &resources).await?;
                process::print(&Response::Applied { action_description })?;
            }
            Command::Schema { config, stream } => {
                let resource = resource(stream)?;
                let org = crate::org(&Config::parse(&config.read().await?)?)?;
                let describe = validate::describe(&org, &resource).await?;
                process::print(&Feed::of(&describe, &resource)?.schema())?;
            }
            Command::Pull { streams, name: Name { name }, state, tagged, until_caught_up, for_ } => {
                let (config, resources) = streams.read().await?;
                let until = match (until_caught_up, for_) {
                    (true, _) => Until::CaughtUp,
                    (false, Some(time)) => Until::Elapsed(time),
                    (false, None) => Until::Interrupted,
                };
                let Surroundings { is_terminal, prints_to_terminal } = surroundings;
                let options = pull::Options { name, state, tagged, until, is_terminal, prints_to_terminal };
                pull::pull(&config, resources, options).await?;
            }
            Command::Completions { shell } => process::print_text(&command_line::completions::<Self>(shell))?,
        }
        Ok(())
    }
}

impl Streams {
    async fn read(&self) -> Result<(Config, Vec<Resource>), Error> {
        let resources = self.streams.iter().cloned().map(resource).collect::<Result<Vec<_>, _>>()?;
        resource::check_distinct(&resources)?;
        Ok((Config::parse(&self.config.read().await?)?, resources))
    }
}

/// A stream as it is named on the command line, or as a resource config has it.
fn resource(argument: String) -> Result<Resource, Error> {
    match argument.trim_start().starts_with('{') {
        true => Resource::parse(&file::as_json(&argument, "--stream")?),
        false => Resource::named(argument),
    }
}

/// `30`, `30s`, `5m`, `2h`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err("it is a number of seconds, or a number with s, m or h".into()),
    };
    let number: u64 = digits.parse().map_err(|_| "it is a number of seconds, or a number with s, m or h")?;
    number.checked_mul(unit).map(Duration::from_secs).ok_or_else(|| "it is too long".into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn durations() {
        for (text, seconds) in [("30", 30), ("30s", 30), ("5m", 300), ("2h", 7200)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "s", "1d", "-1", "1.5s", "99999999999999999999h", "9999999999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
