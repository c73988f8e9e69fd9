//! Configs in files: YAML, of which JSON is a part.

use std::path::Path;

use serde_json::value::{RawValue, to_raw_value};
use tokio::io::AsyncReadExt as _;

use crate::error::Error;

/// Reads a config; `-` is stdin.
///
/// # Errors
/// When the file cannot be read, or is neither YAML nor JSON.
pub async fn read(path: &Path) -> Result<Box<RawValue>, Error> {
    let is_stdin = path.as_os_str() == "-";
    let file = if is_stdin { "stdin".into() } else { path.display().to_string() };
    let mut text = String::new();
    let read = match is_stdin {
        true => tokio::io::stdin().read_to_string(&mut text).await.map(|_| text),
        false => tokio::fs::read_to_string(path).await,
    };
    let text = read.map_err(|source| Error::File { file: file.clone(), source })?;
    as_json(&text, &file)
}

/// A text that stood in `file`, as JSON. One parser reads both; its messages quote the text around an error, which may be a
/// secret: only the place is told.
///
/// # Errors
/// When it is neither YAML nor JSON.
pub fn as_json(text: &str, file: &str) -> Result<Box<RawValue>, Error> {
    let bad = |place: String| Error::NotYaml { file: file.to_owned(), place };
    let value: serde_json::Value = serde_saphyr::from_str(text).map_err(|error| {
        let place = error.location().map(|at| format!("line {} column {}", at.line(), at.column()));
        bad(place.unwrap_or_else(|| "its end".into()))
    })?;
    to_raw_value(&value).map_err(|error| bad(error.to_string()))
}
