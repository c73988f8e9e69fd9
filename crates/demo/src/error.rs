//! Everything that can go wrong while a connector is driven.

use std::{io, path::PathBuf, time::Duration};

use crate::runtime::process::Exit;

/// A failure to build, start or drive a connector.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A package of this workspace does not build.
    #[error("building {package}")]
    Build {
        /// Which package.
        package: String,
        /// Why; cargo has said more on stderr.
        source: io::Error,
    },
    /// The connector's program cannot be started.
    #[error("starting {}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A pipe to the connector broke, or its end could not be awaited.
    #[error("{doing}")]
    Pipe {
        /// What was tried.
        doing: &'static str,
        /// What happened.
        source: io::Error,
    },
    /// The connector ended where it should have answered.
    #[error("the connector ended {exit} while {awaited} was awaited")]
    Ended {
        /// What should have come.
        awaited: &'static str,
        /// How it ended.
        exit: Exit,
    },
    /// The connector neither answered nor ended.
    #[error("the connector did not answer with {awaited} within {} s", after.as_secs())]
    Silent {
        /// What should have come.
        awaited: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// The connector said what it should, but did not end as it should: with nothing left unsaid and exit code 0.
    #[error("the connector answered, but then {0}")]
    Untidy(String),
    /// A field that must be selected cannot be.
    #[error("the field {field} is wanted, and the connector forbids it: {reason}")]
    Unselectable {
        /// The field.
        field: String,
        /// What the connector says.
        reason: String,
    },
    /// The connector wrote what the protocol does not allow.
    #[error("the connector broke the protocol: {what}: {line}")]
    Protocol {
        /// Which rule.
        what: &'static str,
        /// The line, shortened.
        line: String,
    },
}

impl Error {
    pub(crate) fn protocol(what: &'static str, line: &str) -> Self {
        Self::Protocol { what, line: shortened(line, 300) }
    }
}

/// At most so many characters of a text.
fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
