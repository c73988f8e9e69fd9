//! The README tells the truth: its blocks are run, word by word and in their order.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use salesforce_emulator::org::Credentials;
use salesforce_emulator::{Config, Emulator};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

const README: &str = include_str!("../../README.md");

/// A reply that is an error fails the script, and nobody closes a pipe early.
const STRICT: &str = r#"
set -euo pipefail
curl() { command curl --fail-with-body "$@"; }
head() { cat; }
"#;

/// An org with some records, and a folder with the line it would have printed.
async fn org() -> (Emulator, TempDir) {
    let rows = vec![("Account".to_owned(), 10), ("Contact".to_owned(), 10)];
    let emulator = Emulator::start(Config { rows, ..Config::default() }).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let credentials: &Credentials = emulator.credentials();
    let mut ready = json!({"url": emulator.url(), "login_url": emulator.login_url()});
    let Json::Object(known) = serde_json::to_value(credentials).unwrap() else {
        unreachable!("credentials are an object")
    };
    ready.as_object_mut().unwrap().extend(known);
    std::fs::write(folder.path().join("org.json"), ready.to_string()).unwrap();
    (emulator, folder)
}

/// The blocks of a language.
fn blocks(language: &str) -> String {
    let opening = format!("```{language}\n");
    let blocks = README.split(&opening).skip(1).map(|block| block.split_once("```").unwrap().0);
    blocks.collect::<Vec<_>>().join("\n")
}

/// Runs a script in a folder, and says what it printed; `None` where there is no such program.
fn run(program: &Path, arguments: &[&str], folder: &TempDir, environment: &[(&str, &Path)]) -> Option<String> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder.path()).stdin(Stdio::null()).envs(environment.iter().copied());
    let output = match command.output() {
        Ok(output) => output,
        Err(_) => {
            leave_out(&program.display());
            return None;
        }
    };
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {out}\n{errors}", program.display());
    Some(out.into_owned())
}

/// Past the harness, which keeps to itself what a passing test prints.
fn leave_out(missing: &dyn std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "left out: there is no {missing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn its_shell_blocks_work() {
    let tools = ["curl", "python3", "openssl"];
    let missing = tools.iter().find(|tool| Command::new(tool).arg("--version").output().is_err());
    if let Some(missing) = missing {
        leave_out(missing);
        return;
    }
    let (emulator, folder) = org().await;
    let script = format!("{STRICT}{}", blocks("sh"));
    let Some(said) = run(Path::new("bash"), &["-c", &script], &folder, &[]) else { return };
    for word in ["\"type\":\"created\"", "Babbage", "sessionId", "access_token", "serverUrl"] {
        assert!(said.contains(word), "{word} is missing from\n{said}");
    }
    emulator.shutdown().await;
}

/// With the libraries that the tests of other people's clients install.
#[tokio::test(flavor = "multi_thread")]
async fn its_programs_work() {
    let libraries = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (python, modules) =
        (libraries.join("python-clients/venv/bin/python"), libraries.join("javascript-clients/node_modules"));
    let (emulator, folder) = org().await;
    if let Some(said) = run(&python, &["-c", &blocks("python")], &folder, &[]) {
        assert!(said.contains("grace@example.com"), "{said}");
    }
    if !modules.exists() {
        leave_out(&modules.display());
        return;
    }
    if let Some(said) = run(Path::new("node"), &["-e", &blocks("js")], &folder, &[("NODE_PATH", &modules)]) {
        assert!(said.contains("Lamarr"), "{said}");
    }
    emulator.shutdown().await;
}
