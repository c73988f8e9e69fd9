//! Builds the programs that are started.
//!
//! `cargo run -p demo` and `cargo test -p …` build one package and its libraries; the binaries of other packages are
//! built here, by the same cargo, in the same profile, into the same folder.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;

use crate::error::Error;

/// Builds the binary of a package of this workspace that has the package's name, and says where it is. Quick when
/// nothing changed; cargo shows its progress on stderr otherwise.
///
/// # Errors
/// When it does not build.
pub fn build(package: &str) -> Result<PathBuf, Error> {
    let failed = |source| Error::Build { package: package.to_owned(), source };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let mut command = Command::new(cargo);
    command.args(["build", "--message-format=json-render-diagnostics", "--package", package, "--bin", package]);
    command.arg("--manifest-path").arg(manifest);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let output = command.stderr(Stdio::inherit()).output().map_err(failed)?;
    if !output.status.success() {
        return Err(failed(io::Error::other(format!("cargo ended with {}", output.status))));
    }
    executable(&output.stdout, package).ok_or_else(|| failed(io::Error::other("cargo built no such binary")))
}

/// A message of `cargo build`, as far as it tells where a binary is.
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
}

/// Where cargo put a binary, from its messages.
fn executable(messages: &[u8], name: &str) -> Option<PathBuf> {
    let messages =
        messages.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Message>(line).ok());
    let mut of_name = messages.filter(|message| message.target.as_ref().is_some_and(|target| target.name == name));
    of_name.find_map(|message| message.executable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_found_among_the_messages() {
        let messages = br#"{"reason":"compiler-artifact","target":{"name":"tool","kind":["lib"]},"executable":null}
{"reason":"build-script-executed","package_id":"x"}
{"reason":"compiler-artifact","target":{"name":"other"},"executable":"/target/other"}
{"reason":"compiler-artifact","target":{"name":"tool","kind":["bin"]},"executable":"/target/tool"}
{"reason":"build-finished","success":true}
"#;
        assert_eq!(executable(messages, "tool"), Some(PathBuf::from("/target/tool")));
        assert_eq!(executable(messages, "absent"), None);
    }
}
