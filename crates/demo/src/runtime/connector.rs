//! A connector to be started, and requests with one answer.

use std::{path::PathBuf, time::Duration};

use serde_json::{Value, json};

use super::Process;
use crate::error::Error;

/// How long a single answer may take. A connector that needs longer hangs.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// A connector's program and how it is started.
#[derive(Debug, Clone)]
pub struct Connector {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
}

impl Connector {
    /// A connector started as the runtime starts an image: logs as JSON, from `warn`.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), arguments: Vec::new(), environment: Vec::new() }
            .with_env("LOG_FORMAT", "json")
            .with_env("LOG_LEVEL", "warn")
    }

    /// With one more environment variable, or another value for one.
    #[must_use]
    pub fn with_env(mut self, name: &str, value: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With one more argument.
    #[must_use]
    pub fn with_argument(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Starts a process and awaits its answer to `spec`, which comes first in every process.
    ///
    /// # Errors
    /// When the connector does not start, or does not answer as it should.
    pub async fn start(&self) -> Result<(Process, Value), Error> {
        let mut process = Process::start(self)?;
        process.send(&json!({ "spec": {} })).await?;
        let Some((kind, spec)) = process.message().await? else {
            return Err(Error::Ended { awaited: "spec", exit: process.ended().await? });
        };
        if kind != "spec" || spec["protocol"] != 3_032_023 {
            return Err(Error::protocol("not a spec of protocol 3032023", &json!({ kind: spec }).to_string()));
        }
        Ok((process, spec))
    }

    /// What the connector says of itself.
    ///
    /// # Errors
    /// As [`start`](Self::start), or when it does not end well.
    pub async fn spec(&self) -> Result<Value, Error> {
        let (mut process, spec) = self.start().await?;
        finish(&mut process).await?;
        Ok(spec)
    }

    /// The JSON schema of a stream's documents, from the connector's command line.
    ///
    /// # Errors
    /// When it does not print one.
    pub async fn schema(&self, config: &Value, stream: &str) -> Result<Value, Error> {
        let schema = self.clone().with_argument("schema").with_argument("--config").with_argument("-");
        let mut process = Process::start(&schema.with_argument("--stream").with_argument(stream))?;
        process.send(config).await?;
        process.close_stdin();
        let mut text = String::new();
        while let Some(line) = process.line().await? {
            text += &line;
        }
        let exit = process.ended().await?;
        match serde_json::from_str(&text) {
            Ok(schema) if exit.code == Some(0) => Ok(schema),
            _ => Err(Error::Ended { awaited: "a schema", exit }),
        }
    }

    /// Sends one request that has one answer, in a process of its own, and returns the answer's content. `answer` is its
    /// kind, like `discovered`.
    ///
    /// # Errors
    /// As [`start`](Self::start), when the answer is of another kind, or more than one comes, or the process does not end
    /// well; and when it takes longer than [`PATIENCE`].
    pub async fn ask(&self, request: &Value, answer: &'static str) -> Result<Value, Error> {
        let asked = tokio::time::timeout(PATIENCE, self.ask_patiently(request, answer)).await;
        asked.unwrap_or(Err(Error::Silent { awaited: answer, after: PATIENCE }))
    }

    async fn ask_patiently(&self, request: &Value, answer: &'static str) -> Result<Value, Error> {
        let (mut process, _) = self.start().await?;
        // A connector that fails early may not take the whole request; how it ended then says more than the broken pipe.
        let sent = process.send(request).await;
        let Some((kind, content)) = process.message().await? else {
            return Err(Error::Ended { awaited: answer, exit: process.ended().await? });
        };
        sent?;
        if kind != answer {
            return Err(Error::protocol("an answer of another kind", &json!({ kind: content }).to_string()));
        }
        finish(&mut process).await?;
        Ok(content)
    }
}

/// After the last answer: no more output, exit code 0.
async fn finish(process: &mut Process) -> Result<(), Error> {
    process.close_stdin();
    if let Some(line) = process.line().await? {
        return Err(Error::protocol("output after the answer", &line));
    }
    let exit = process.ended().await?;
    if exit.code == Some(0) { Ok(()) } else { Err(Error::Untidy(format!("ended {exit}"))) }
}
