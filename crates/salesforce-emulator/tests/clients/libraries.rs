//! The libraries of the clients, installed by npm and by pip below the target folder, in the versions locked beside
//! this file.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// The oldest Node that will do.
const NODE: u32 = 18;

/// The oldest Python that will do is 3.11.
const PYTHON: u32 = 11;

/// The folder of this file, with the scripts and the locked versions.
pub(crate) fn here() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients"))
}

/// The folder of the libraries for Node; `None`, after a word about it, where they cannot be had.
pub(crate) fn node_modules() -> Option<&'static Path> {
    static FOLDER: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let folder = had("clients written in JavaScript", node_is_missing(), || {
            installed("javascript-clients", &["package.json", "package-lock.json"], npm)
        });
        folder.map(|folder| folder.join("node_modules"))
    });
    FOLDER.as_deref()
}

/// A Python that has the libraries; `None`, after a word about it, where they cannot be had.
pub(crate) fn python() -> Option<&'static Path> {
    static PROGRAM: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let folder = had("clients written in Python", python_is_missing(), || {
            installed("python-clients", &["requirements.txt"], pip)
        });
        folder.map(|folder| folder.join("venv/bin/python"))
    });
    PROGRAM.as_deref()
}

/// What was installed, if it could be.
fn had(what: &str, missing: Option<String>, install: impl FnOnce() -> Result<PathBuf, String>) -> Option<PathBuf> {
    let why = match missing {
        Some(missing) => missing,
        None => match install() {
            Ok(folder) => return Some(folder),
            // Where there is the language and a change is judged, nothing is passed over.
            Err(why) if std::env::var_os("CI").is_some() => panic!("{why}"),
            Err(why) => why.lines().next().unwrap_or_default().to_owned(),
        },
    };
    // Past the harness, which keeps to itself what a passing test prints.
    let _ = writeln!(io::stderr(), "skipped: {why}; the emulated org is not tried by {what}");
    None
}

fn node_is_missing() -> Option<String> {
    let major = version("node").and_then(|version| version.trim_start_matches('v').split('.').next()?.parse().ok());
    let old = major.is_none_or(|major: u32| major < NODE) || version("npm").is_none();
    old.then(|| format!("node {NODE} or later with npm is needed"))
}

fn python_is_missing() -> Option<String> {
    let minor =
        version("python3").and_then(|version| version.strip_prefix("Python 3.")?.split('.').next()?.parse().ok());
    minor.is_none_or(|minor: u32| minor < PYTHON).then(|| format!("python 3.{PYTHON} or later is needed"))
}

fn version(tool: &str) -> Option<String> {
    let output = Command::new(tool).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Installs the locked versions below the target folder, unless they are there. One process does it, others wait.
fn installed(name: &str, locked: &[&str], install: fn(&Path) -> Result<(), String>) -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a folder");
    let guard = File::create(folder.join("guard")).expect("a file");
    guard.lock().expect("a lock");

    // Written last: it says that everything is there.
    let done = folder.join("installed");
    let wanted: Vec<u8> = locked.iter().flat_map(|file| fs::read(here().join(file)).expect("a file")).collect();
    if fs::read(&done).ok().as_ref() != Some(&wanted) {
        for file in locked {
            fs::copy(here().join(file), folder.join(file)).expect("a copy");
        }
        install(&folder)?;
        fs::write(done, wanted).expect("a file");
    }
    Ok(folder)
}

fn npm(folder: &Path) -> Result<(), String> {
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        // Whoever is offline need not wait for long.
        .args(["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"])
        .current_dir(folder);
    run(npm)
}

fn pip(folder: &Path) -> Result<(), String> {
    let venv = folder.join("venv");
    let mut made = Command::new("python3");
    made.args(["-m", "venv", "--clear"]).arg(&venv);
    run(made)?;
    let mut pip = Command::new(venv.join("bin/python"));
    pip.args(["-m", "pip", "install", "--require-hashes", "--only-binary=:all:", "--quiet"])
        .args(["--disable-pip-version-check", "--retries=1", "--requirement"])
        .arg(folder.join("requirements.txt"));
    run(pip)
}

fn run(mut command: Command) -> Result<(), String> {
    let output = command.output().expect("a program that starts");
    let said = [output.stdout, output.stderr].concat();
    let failed = || format!("{} fails: {}", command.get_program().display(), String::from_utf8_lossy(&said).trim());
    output.status.success().then_some(()).ok_or_else(failed)
}
