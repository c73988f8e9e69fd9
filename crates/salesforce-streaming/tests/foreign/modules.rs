//! The libraries of the servers, installed by npm.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

/// The oldest Node that will do.
const NODE: u32 = 18;

/// The folder of this file, with the scripts and the locked versions.
pub(crate) fn here() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign"))
}

/// The folder of the libraries; `None`, after a word about it, where they cannot be had.
pub(crate) fn installed() -> Option<&'static Path> {
    static FOLDER: LazyLock<Option<PathBuf>> = LazyLock::new(|| {
        let why = match unavailable() {
            Some(why) => why,
            None => match install() {
                Ok(folder) => return Some(folder),
                // Where there is Node and a change is judged, nothing is passed over.
                Err(why) if std::env::var_os("CI").is_some() => panic!("npm cannot install the servers: {why}"),
                Err(why) => format!("npm cannot install the servers ({})", why.lines().next().unwrap_or_default()),
            },
        };
        // Past the harness, which keeps to itself what a passing test prints.
        let _ = writeln!(io::stderr(), "skipped: {why}; the stream is not tried against servers written by others");
        None
    });
    FOLDER.as_deref()
}

/// Why the servers cannot run here, if they cannot.
fn unavailable() -> Option<String> {
    let version = |tool| {
        let output = Command::new(tool).arg("--version").output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(node) = version("node") else { return Some("node is not installed".to_owned()) };
    let major = node.trim_start_matches('v').split('.').next().and_then(|number| number.parse().ok());
    if major.is_none_or(|major: u32| major < NODE) {
        return Some(format!("node {node} is installed, but {NODE} or later is needed"));
    }
    version("npm").is_none().then(|| "npm is not installed".to_owned())
}

/// Installs the locked versions below the target folder, unless they are there. One process does it, others wait.
fn install() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("foreign-servers");
    fs::create_dir_all(&folder).expect("a folder");
    let guard = File::create(folder.join("guard")).expect("a file");
    guard.lock().expect("a lock");

    let modules = folder.join("node_modules");
    let [wanted, there] = [here(), &modules].map(|folder| fs::read(folder.join("package-lock.json")).ok());
    if wanted == there {
        return Ok(modules);
    }
    for file in ["package.json", "package-lock.json"] {
        fs::copy(here().join(file), folder.join(file)).expect("a copy");
    }
    let npm = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"])
        // Whoever is offline need not wait for long.
        .args(["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"])
        .current_dir(&folder)
        .output()
        .expect("npm starts");
    if !npm.status.success() {
        return Err(String::from_utf8_lossy(&npm.stderr).trim().to_owned());
    }
    // Written last: it says that everything is there.
    fs::copy(folder.join("package-lock.json"), modules.join("package-lock.json")).expect("a copy");
    Ok(modules)
}
