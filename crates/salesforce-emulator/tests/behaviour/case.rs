//! What a case says.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value as Json};

/// Something an org does.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    /// A sentence.
    pub(crate) name: String,
    /// Who says so: `guide`, `recorded`, `seen` or `assumed`, as in `COVERAGE.md`.
    pub(crate) authority: String,
    /// Left out where this is missing.
    #[serde(default)]
    pub(crate) needs: Option<Needs>,
    /// Requests, one after the other.
    pub(crate) steps: Vec<Step>,
}

/// What not every org or caller has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Needs {
    /// An org whose time and faults can be commanded; it gets one of its own.
    Emulator,
    /// Client id, client secret and refresh token.
    Client,
}

/// A request, and the reply it is owed.
///
/// In every text `{name}` stands for what an earlier reply had at `<… as name>`, `{version}` for the API version, `{prefix}`
/// for the beginning of names, `{now}`, `{now-2d}`, `{now+5m}` for a time and `{x*300}` for as many letters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    /// `METHOD path`.
    pub(crate) request: String,
    /// The query string, before it is encoded.
    #[serde(default)]
    pub(crate) query: Map<String, Json>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// `nobody` for no session, otherwise another `Authorization`.
    #[serde(default, rename = "as")]
    pub(crate) caller: Option<String>,
    /// JSON, in which `{times: N, of: …}` is a list whose elements say `{n}`; a text is sent as it is.
    #[serde(default)]
    pub(crate) body: Option<Json>,
    /// A form instead.
    #[serde(default)]
    pub(crate) form: Map<String, Json>,
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) reply_headers: BTreeMap<String, String>,
    /// A pattern; see [`crate::pattern`].
    #[serde(default)]
    pub(crate) reply: Option<Json>,
    /// How often to ask again until the reply is right: an org announces events when it is ready to.
    #[serde(default)]
    pub(crate) again: u32,
}

impl Case {
    /// The cases of a file.
    pub(crate) fn load(file: &str) -> Vec<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/behaviour/cases").join(format!("{file}.yaml"));
        let text = std::fs::read_to_string(&path).unwrap();
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}
