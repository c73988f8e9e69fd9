//! `salesforce-emulator serve`: the library behind a command line.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, CommandFactory as _, Parser, Subcommand};
use salesforce_emulator::org::{Crowd, Feature};
use salesforce_emulator::{Config, Credentials, Emulator, Settings, StartError};
use serde::Serialize;

/// A local Salesforce org for development and tests: OAuth, REST, SOQL, and PushTopics over CometD.
#[derive(Parser)]
#[command(version, about, max_term_width = 100, arg_required_else_help = true, after_help = FIRST_STEPS)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve an org until SIGINT or SIGTERM.
    ///
    /// When it is ready, one JSON line on standard output says where it is and how to sign in: url, login_url, client_id,
    /// client_secret, refresh_token, username, password, security_token, private_key. Logs go to standard error.
    #[command(after_long_help = EXAMPLES)]
    Serve(Box<Serve>),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

const FIRST_STEPS: &str = "\
Examples:
  salesforce-emulator serve
  salesforce-emulator serve --rows Account=10000,Contact=20000 --listen 127.0.0.1:8080 --data org.sqlite
  salesforce-emulator completions bash

It prints one line of JSON when the org is ready: where it is, and how to sign in. Ctrl-C ends it.
`salesforce-emulator serve --help` shows every option, and how to talk to the org with curl.

Exit codes: 0 told to end, 1 failed (the last line on stderr says why), 2 wrong arguments.";

const EXAMPLES: &str = "\
Examples:
  An org with ten thousand accounts and some contacts, in memory:
    salesforce-emulator serve --rows Account=10000,Contact=20000

  An org that is kept in a file, on a fixed port:
    salesforce-emulator serve --listen 127.0.0.1:8080 --data org.sqlite

  A token, and a query:
    curl -s $url/services/oauth2/token -d grant_type=refresh_token -d client_id=$client_id \\
         -d client_secret=$client_secret -d refresh_token=$refresh_token
    curl -s -H \"Authorization: Bearer $token\" -G $url/services/data/v62.0/query \\
         --data-urlencode 'q=SELECT Id, Name FROM Account LIMIT 3'

  Random changes, ten a second, and trouble:
    curl -s $url/__emulator/workload -d '{\"rate\": 10, \"objects\": [\"Account\"]}'
    curl -s $url/__emulator/faults -d '{\"kind\": \"query\", \"action\": \"html503\"}'

In Python, with simple-salesforce, and in JavaScript, with jsforce: see the README.
Exit codes: 0 told to end, 1 failed (the last line on stderr says why), 2 wrong arguments.";

#[derive(Args)]
struct Serve {
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Address that plays login.salesforce.com; a free port beside the other by default.
    #[arg(long, value_name = "ADDRESS:PORT")]
    login_listen: Option<SocketAddr>,
    /// A sandbox: that address plays test.salesforce.com.
    #[arg(long)]
    sandbox: bool,
    /// Allow an address that other machines can reach. Anyone who reaches it can read, change and reset the org.
    #[arg(long)]
    allow_remote: bool,
    /// SQLite file that keeps the org between runs. Without it the org is in memory.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Seeds ids, credentials and rows: the same seed makes the same org.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    seed: u64,
    /// Objects and fields a new org has beyond the built-in ones: YAML or JSON, as the README describes.
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Made-up objects of a new org: so many like standard ones, so many custom ones of so many fields each.
    #[arg(long, value_name = "standard=COUNT,custom=COUNTxFIELDS", value_parser = crowd)]
    objects: Option<Crowd>,
    /// Features the org lacks, out of chat, messaging, quotes, field_service, omni_channel, entitlements.
    #[arg(long, value_name = "FEATURE", value_delimiter = ',', value_parser = feature)]
    without: Vec<Feature>,
    /// Rows a new org starts with, such as Account=10000,Lead=500; none by default.
    #[arg(long, value_name = "OBJECT=COUNT", value_delimiter = ',', value_parser = rows)]
    rows: Vec<(String, u64)>,
    /// Minutes after which an unused session ends, in the org's virtual time.
    #[arg(long, default_value_t = 120, value_name = "MINUTES")]
    session_timeout: u64,
    /// Replace the refresh token at every use.
    #[arg(long)]
    rotate_refresh_tokens: bool,
    /// REST calls per day; beyond, REQUEST_LIMIT_EXCEEDED.
    #[arg(long, default_value_t = 100_000, value_name = "CALLS")]
    daily_api_calls: u64,
    /// Active PushTopics the org may hold.
    #[arg(long, default_value_t = 50, value_name = "COUNT")]
    push_topics: usize,
}

fn rows(text: &str) -> Result<(String, u64), String> {
    let (object, count) = text.split_once('=').ok_or("expected OBJECT=COUNT, such as Account=10000")?;
    let count = count.replace('_', "").parse().map_err(|_| format!("'{count}' is not a number of rows"))?;
    Ok((object.to_owned(), count))
}

fn crowd(text: &str) -> Result<Crowd, String> {
    let number = |text: &str| text.replace('_', "").parse().map_err(|_| format!("'{text}' is not a number"));
    let mut crowd = Crowd::default();
    for part in text.split(',') {
        match part.split_once('=').map(|(kind, count)| (kind, count.split_once('x'))) {
            Some(("standard", None)) => crowd.standard = number(&part["standard=".len()..])?,
            Some(("custom", Some((count, fields)))) => (crowd.custom, crowd.fields) = (number(count)?, number(fields)?),
            _ => return Err(format!("expected standard=1000 or custom=300x150, not '{part}'")),
        }
    }
    Ok(crowd)
}

fn feature(name: &str) -> Result<Feature, String> {
    serde_json::from_value(name.into()).map_err(|error| error.to_string())
}

/// The line that tells a caller how to get in.
#[derive(Serialize)]
struct Ready<'a> {
    url: &'a str,
    login_url: &'a str,
    #[serde(flatten)]
    credentials: &'a Credentials,
}

fn main() -> ExitCode {
    let colours = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .with_max_level(tracing::Level::WARN)
        .init();
    let done = match Cli::parse().command {
        Command::Serve(arguments) => run(*arguments),
        Command::Completions { shell } => complete(shell),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {}", chain(&error));
            ExitCode::FAILURE
        }
    }
}

fn complete(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "salesforce-emulator", &mut script);
    Ok(std::io::stdout().write_all(&script)?)
}

fn run(arguments: Serve) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::Runtime)?;
    let done = runtime.block_on(serve(arguments));
    // An org that was still being filled when we were told to end is not waited for.
    runtime.shutdown_background();
    done
}

/// Why the program ends early.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the org did not start")]
    Start(#[from] StartError),
    #[error("starting threads")]
    Runtime(#[source] std::io::Error),
    #[error("writing to standard output")]
    Output(#[from] std::io::Error),
    #[error("reading the schema from {}", .0.display())]
    SchemaFile(PathBuf, #[source] std::io::Error),
    #[error("the schema in {}", .0.display())]
    Schema(PathBuf, #[source] Box<serde_saphyr::Error>),
    #[error("describing the org")]
    Describe(#[from] serde_json::Error),
}

async fn serve(arguments: Serve) -> Result<(), Failure> {
    let settings = Settings {
        session_timeout: Duration::from_secs(arguments.session_timeout.saturating_mul(60)),
        sandbox: arguments.sandbox,
        rotate_refresh_tokens: arguments.rotate_refresh_tokens,
        daily_api_calls: arguments.daily_api_calls,
        push_topics: arguments.push_topics,
        without: arguments.without,
        ..Settings::default()
    };
    let Serve { listen, login_listen, allow_remote, data, seed, rows, schema, objects, .. } = arguments;
    let crowd = objects.unwrap_or_default();
    let objects = match schema {
        None => BTreeMap::new(),
        Some(file) => {
            let text = std::fs::read_to_string(&file).map_err(|error| Failure::SchemaFile(file.clone(), error))?;
            serde_saphyr::from_str(&text).map_err(|error| Failure::Schema(file, Box::new(error)))?
        }
    };
    // Taken before the line is printed: whoever reads it may stop us at once.
    let ended = ended()?;
    let config = Config { listen, login_listen, allow_remote, data, seed, objects, crowd, rows, settings };
    let mut ended = std::pin::pin!(ended);
    let emulator = tokio::select! {
        started = Emulator::start(config) => started?,
        () = &mut ended => return Ok(()),
    };
    let (url, login_url, credentials) = (emulator.url(), emulator.login_url(), emulator.credentials());
    let line = serde_json::to_string(&Ready { url, login_url, credentials })?;
    {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}")?;
        out.flush()?;
    }
    ended.await;
    emulator.shutdown().await;
    Ok(())
}

/// Waits for SIGINT or SIGTERM. They are caught from the moment this is called.
#[cfg(unix)]
fn ended() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
fn ended() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

/// An error and what caused it, in one line. A parser's drawing of the place below its message is left out.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let lines = causes.map(|error| error.to_string().lines().next().unwrap_or_default().to_owned());
    lines.collect::<Vec<_>>().join(": ").replace(": error: ", ": ")
}
