//! The command line.

use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use flow_protocol::{materialize::Response, process, stdio};
use salesforce_endpoint::{
    command_line::{self, ConfigFile},
    file,
};

use crate::{
    config::Config,
    error::Error,
    resource::Resource,
    serve, spec,
    validate::{self, Wanted},
};

/// Writes Estuary Flow collections into Salesforce objects: creates, updates, upserts and deletes records.
///
/// Without a command it speaks the Flow materialization protocol: requests as JSON lines on stdin, answers on stdout, logs on
/// stderr. That is how the Flow runtime and flowctl start it. The commands are for people.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = command_line::after_help(&EXAMPLES, ABOUT_CONFIGS))]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: [&str; 2] = [
    "materialize-salesforce spec",
    "materialize-salesforce validate --config config.yaml --object '{object: Lead, match_field: Source_Id__c}'",
];

const ABOUT_CONFIGS: &str = "A config of source-salesforce serves as it is.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the configuration schemas and how to sign in.
    Spec,
    /// Check that objects can be written; print what can be written to each of their fields.
    Validate(Objects),
    /// Do what Flow asks for before a materialization starts: nothing needs to be made in the org.
    Apply(Objects),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
struct Objects {
    #[command(flatten)]
    config: ConfigFile,
    /// A resource config such as '{object: Lead, match_field: Source_Id__c}'. May be given several times, or several at once.
    #[arg(long = "object", visible_alias = "stream", value_name = "OBJECT", num_args = 1.., required = true)]
    objects: Vec<String>,
}

impl Arguments {
    /// The log level when `LOG_LEVEL` does not say: commands that print a result keep quiet about how they got it.
    pub fn default_log_level(&self) -> &'static str {
        if self.command.is_none() { "info" } else { "warn" }
    }

    /// Does what was asked.
    ///
    /// # Errors
    /// Whatever the command cannot do.
    pub async fn run(self) -> Result<(), Error> {
        let Some(command) = self.command else {
            return serve::serve(stdio::requests(), stdio::responses()).await;
        };
        match command {
            Command::Spec => process::print(&Response::Spec(spec::spec()))?,
            Command::Validate(objects) => {
                let (config, resources) = objects.read().await?;
                let org = crate::org(&config)?;
                let describes = validate::describes(&org, resources.iter()).await?;
                let wanted = resources.into_iter().zip(&describes).map(|(resource, describe)| {
                    let collection = Arc::new(validate::captured(describe));
                    Wanted::unselected(resource, collection, Vec::new(), Default::default())
                });
                let wanted: Vec<_> = wanted.collect();
                process::print(&Response::Validated(validate::validate(&org, &wanted).await?))?;
            }
            Command::Apply(objects) => {
                objects.read().await?;
                process::print(&Response::Applied { action_description: String::new() })?;
            }
            Command::Completions { shell } => process::print_text(&command_line::completions::<Self>(shell))?,
        }
        Ok(())
    }
}

impl Objects {
    async fn read(&self) -> Result<(Config, Vec<Resource>), Error> {
        let resource = |text: &String| match text.trim_start().starts_with('{') {
            true => Resource::parse(&file::as_json(text, "--object")?),
            false => Resource::named(text),
        };
        let resources = self.objects.iter().map(resource).collect::<Result<Vec<_>, _>>()?;
        Ok((Config::parse(&self.config.read().await?)?, resources))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
    }
}
