//! A connector process: requests in, lines out, logs aside.

use std::{
    fmt, mem,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout},
    task::JoinHandle,
};

use super::Connector;
use crate::error::Error;

/// A started connector. It is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    /// The line being read.
    line: Vec<u8>,
    log: Arc<Mutex<Vec<String>>>,
    /// The last log line that was taken.
    last_log: Option<String>,
    logging: JoinHandle<()>,
}

/// How a connector ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// The lines it left on stderr that nobody took before.
    pub log: Vec<String>,
    /// The last line of all, taken before or not.
    pub last_log: Option<String>,
}

impl Process {
    /// Starts a connector.
    ///
    /// # Errors
    /// When its program cannot be started.
    pub fn start(connector: &Connector) -> Result<Self, Error> {
        let mut command = tokio::process::Command::new(&connector.program);
        command.args(&connector.arguments).envs(connector.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        // Ctrl-C at the terminal is for the runtime, which then ends the connector in its own way.
        #[cfg(unix)]
        command.process_group(0);

        let failed = |source| Error::Start { program: connector.program.clone(), source };
        let mut child = command.spawn().map_err(failed)?;
        let (stdin, stdout, stderr) = match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (Some(stdin), Some(stdout), Some(stderr)) => (stdin, stdout, stderr),
            _ => unreachable!("all three are piped"),
        };
        let log = Arc::default();
        let logging = tokio::spawn(collect(BufReader::new(stderr), Arc::clone(&log)));
        Ok(Self {
            child,
            stdin: Some(stdin),
            stdout: BufReader::new(stdout),
            line: Vec::new(),
            log,
            last_log: None,
            logging,
        })
    }

    /// The process id, until the process has ended.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Sends a request.
    ///
    /// # Errors
    /// When the connector takes no more.
    pub async fn send(&mut self, request: &Value) -> Result<(), Error> {
        self.send_bytes(format!("{request}\n").as_bytes()).await
    }

    /// Sends bytes as they are, to see what the connector makes of them.
    ///
    /// # Errors
    /// When the connector takes no more, or stdin was closed before.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let failed = |source| Error::Pipe { doing: "sending a request", source };
        let stdin = self.stdin.as_mut().ok_or_else(|| failed(std::io::ErrorKind::BrokenPipe.into()))?;
        stdin.write_all(bytes).await.map_err(failed)?;
        stdin.flush().await.map_err(failed)
    }

    /// Ends the connector's stdin: nothing more will be asked.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// The next line of stdout, without its line feed; `None` at its end. Cancel-safe.
    ///
    /// # Errors
    /// When the pipe breaks, or the output ends within a line.
    pub async fn line(&mut self) -> Result<Option<String>, Error> {
        let failed = |source| Error::Pipe { doing: "reading from the connector", source };
        self.stdout.read_until(b'\n', &mut self.line).await.map_err(failed)?;
        if self.line.is_empty() {
            return Ok(None);
        }
        let line = String::from_utf8(mem::take(&mut self.line))
            .map_err(|error| Error::protocol("not UTF-8", String::from_utf8_lossy(error.as_bytes()).trim_end()))?;
        match line.strip_suffix('\n') {
            Some(whole) => Ok(Some(whole.to_owned())),
            None => Err(Error::protocol("the output ends within a line", &line)),
        }
    }

    /// The next message on stdout; `None` at its end. Cancel-safe.
    ///
    /// # Errors
    /// As [`line`](Self::line), and when the line is no JSON object of exactly one member.
    pub async fn message(&mut self) -> Result<Option<(String, Value)>, Error> {
        let Some(line) = self.line().await? else { return Ok(None) };
        match serde_json::from_str(&line) {
            Ok(Value::Object(members)) if members.len() == 1 => Ok(members.into_iter().next()),
            _ => Err(Error::protocol("not an object of exactly one kind", &line)),
        }
    }

    /// The log lines that came since the last call.
    pub fn take_log(&mut self) -> Vec<String> {
        let lines = mem::take(&mut *self.log.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(last) = lines.last() {
            self.last_log = Some(last.clone());
        }
        lines
    }

    /// Kills the connector (SIGKILL) and waits until it is gone. What it had written and nobody read is lost.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn kill(mut self) -> Result<Exit, Error> {
        self.child.kill().await.map_err(|source| Error::Pipe { doing: "killing the connector", source })?;
        self.ended().await
    }

    /// Waits for the connector to end by itself. Its stdin is closed, and what it still writes is not read: the caller has
    /// read to the end, or does not care.
    ///
    /// # Errors
    /// When its end cannot be awaited.
    pub async fn ended(&mut self) -> Result<Exit, Error> {
        self.stdin = None;
        let status = self.child.wait().await;
        let status = status.map_err(|source| Error::Pipe { doing: "waiting for the connector's end", source })?;
        // Ends with the pipe. Should a grandchild hold it open, what was read so far is all there is to say.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(5), &mut self.logging).await;
        let log = self.take_log();
        Ok(Exit { code: status.code(), log, last_log: self.last_log.clone() })
    }
}

impl Exit {
    /// The message of the last log line: what the user of a failed task sees.
    pub fn last_message(&self) -> Option<String> {
        let last = self.last_log.as_ref()?;
        let message =
            serde_json::from_str::<Value>(last).ok().and_then(|line| line["message"].as_str().map(str::to_owned));
        Some(message.unwrap_or_else(|| last.clone()))
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "with exit code {code}")?,
            None => f.write_str("by a signal")?,
        }
        match self.last_message() {
            Some(message) => write!(f, " ({message})"),
            None => f.write_str(" (no log output)"),
        }
    }
}

async fn collect(stderr: BufReader<tokio::process::ChildStderr>, log: Arc<Mutex<Vec<String>>>) {
    let mut lines = stderr.split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let line = String::from_utf8_lossy(&line).into_owned();
        log.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}
