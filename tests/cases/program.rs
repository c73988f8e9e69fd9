//! The connector as a program: built once per test process, started with pipes.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::OnceLock,
    time::Duration,
};

use demo::{binaries, runtime::Connector};
use serde_json::Value;
use tokio::{io::AsyncWriteExt as _, process::Command, time::timeout};

/// Nothing here takes this long; what does, hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(100);

/// Where the connector is. The first caller builds it, in the profile of the tests.
pub(crate) fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| binaries::build("source-salesforce").expect("source-salesforce builds"))
}

/// The connector as the runtime starts it.
pub(crate) fn connector() -> Connector {
    Connector::new(path()).with_env("LOG_LEVEL", "info")
}

/// The connector that writes, as the runtime starts it.
pub(crate) fn writer() -> Connector {
    Connector::new(writer_path()).with_env("LOG_LEVEL", "info")
}

/// The program that writes.
pub(crate) fn writer_path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| binaries::build("materialize-salesforce").expect("materialize-salesforce builds"))
}

/// The exact schema of a stream's documents, as the program prints it.
pub(crate) async fn schema(config: &Value, stream: &str) -> Value {
    run(&["schema", "--config", "-", "--stream", stream], config.to_string()).await.json()
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Run {
    /// Its exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    /// Everything on stdout.
    pub(crate) stdout: String,
    /// Everything on stderr.
    pub(crate) stderr: String,
}

/// Runs the program to its end, with `stdin` as all of its input.
pub(crate) async fn run<A: AsRef<str>>(arguments: &[A], stdin: impl Into<Vec<u8>>) -> Run {
    run_with(arguments, stdin, &[]).await
}

/// Runs the program as the runtime does: requests on stdin, no arguments.
pub(crate) async fn serve(stdin: impl Into<Vec<u8>>) -> Run {
    run::<&str>(&[], stdin).await
}

/// As [`run`], with these environment variables.
pub(crate) async fn run_with<A: AsRef<str>>(
    arguments: &[A],
    stdin: impl Into<Vec<u8>>,
    environment: &[(&str, &str)],
) -> Run {
    run_program(path(), arguments, stdin, environment).await
}

/// As [`run_with`], of any program.
pub(crate) async fn run_program<A: AsRef<str>>(
    program: &Path,
    arguments: &[A],
    stdin: impl Into<Vec<u8>>,
    environment: &[(&str, &str)],
) -> Run {
    let mut command = Command::new(program);
    command.args(arguments.iter().map(AsRef::as_ref)).kill_on_drop(true);
    // Whoever runs the tests may have set these; a backtrace must not appear even where it is asked for.
    command.env_remove("LOG_LEVEL").env_remove("LOG_FORMAT").env("RUST_BACKTRACE", "1");
    for proxy in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(proxy).env_remove(proxy.to_lowercase());
    }
    command.envs(environment.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");

    let (mut input, text) = (child.stdin.take().expect("stdin is piped"), stdin.into());
    // A program that has seen enough closes its end.
    tokio::spawn(async move { input.write_all(&text).await });
    let Ok(output) = timeout(PATIENCE, child.wait_with_output()).await else {
        panic!("it never ends: {:?}", arguments.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    };
    let output = output.expect("pipes work");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program writes UTF-8");
    Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

impl Run {
    /// The result of a run that ended well, as JSON.
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        serde_json::from_str(&self.stdout).expect("stdout is JSON")
    }

    /// The log: one object a line.
    pub(crate) fn log(&self) -> Vec<Value> {
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not a JSON line: {line}"));
        self.stderr.lines().map(parse).collect()
    }

    /// The message of the one error line, after everything else about a run that failed was checked. Ids of requests, which
    /// are drawn by chance, are masked.
    pub(crate) fn last_words(&self, what: &str) -> String {
        assert_eq!(self.code, Some(1), "{what}: {}", self.stderr);
        assert!(self.stdout.is_empty() || self.stdout.ends_with('\n'), "{what}: half a line on stdout");
        for line in self.stdout.lines() {
            serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("{what}: not JSON on stdout: {line}"));
        }
        let log = self.log();
        let errors = log.iter().filter(|line| line["level"] == "error").count();
        assert_eq!(errors, 1, "{what}: {}", self.stderr);
        let last = log.last().expect("a last line");
        assert_eq!(last["level"], "error", "{what}: the error is the last line");
        masked(last["message"].as_str().expect("a message"), ", request ")
    }
}

/// The text with the word that follows each `mark` masked.
pub(crate) fn masked(text: &str, mark: &str) -> String {
    let mut parts = text.split(mark);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |masked, part| {
        let rest = part.trim_start_matches(|letter: char| letter.is_ascii_alphanumeric());
        format!("{masked}{mark}N{rest}")
    })
}

/// Requests as the runtime writes them: one a line.
pub(crate) fn lines(requests: &[Value]) -> Vec<u8> {
    requests.iter().flat_map(|request| format!("{request}\n").into_bytes()).collect()
}
