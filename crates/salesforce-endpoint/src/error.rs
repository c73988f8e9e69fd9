//! What can be wrong with a config. One line each, for the person who wrote it.

/// A config that leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value cannot be used.
    #[error("{key}: {problem}")]
    BadSetting {
        /// Its place in the config.
        key: &'static str,
        /// Why, and what is expected.
        problem: String,
    },

    /// A value cannot be used, as the part that reads it says.
    #[error("{key} cannot be used")]
    Setting {
        /// Its place in the config.
        key: &'static str,
        /// What is wrong with it.
        source: Box<salesforce_client::Error>,
    },

    /// A config file that is neither YAML nor JSON.
    #[error("{file} is neither YAML nor JSON: it breaks off at {place}")]
    NotYaml {
        /// The file, or where else the text stood.
        file: String,
        /// Line and column.
        place: String,
    },

    /// A file that cannot be read.
    #[error("reading {file}")]
    File {
        /// Which one.
        file: String,
        /// Why not.
        source: std::io::Error,
    },
}

impl Error {
    /// A value that cannot be used; `key` is its place in the config.
    pub fn bad(key: &'static str, problem: impl Into<String>) -> Self {
        Self::BadSetting { key, problem: problem.into() }
    }

    pub(crate) fn setting(key: &'static str, source: salesforce_client::Error) -> Self {
        Self::Setting { key, source: Box::new(source) }
    }
}
