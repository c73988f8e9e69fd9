//! Everything that can go wrong between the runtime and a connector.
//!
//! No message here repeats a part of the input: requests carry credentials, and users can read task logs.

use std::{fmt, io};

use crate::{codec::LINE_LIMIT, materialize::Unpackable};

/// A failure of the protocol's plumbing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Stdin cannot be read.
    #[error("reading a request from the runtime")]
    Read(#[source] io::Error),
    /// Stdout cannot be written; the runtime is most likely gone.
    #[error("writing a response to the runtime")]
    Write(#[source] io::Error),
    /// What a command prints for people cannot be written.
    #[error("writing to stdout")]
    Print(#[source] io::Error),
    /// A request is longer than [`LINE_LIMIT`].
    #[error(
        "request line {line} is longer than {LINE_LIMIT} bytes, the most that is read: \
         split the task into several with fewer bindings each"
    )]
    TooLong {
        /// Which line, from 1.
        line: u64,
    },
    /// Stdin ended before the line feed that ends a request.
    #[error(
        "the input ended within request line {line}, after {bytes} bytes and without a line feed: it is not a whole request"
    )]
    Partial {
        /// Which line, from 1.
        line: u64,
        /// How many bytes of it there are.
        bytes: usize,
    },
    /// A line is no request.
    #[error("request line {line}: {fault}")]
    Request {
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        fault: RequestFault,
    },
    /// A value within a request, such as a configuration, has not the expected shape.
    #[error("{what}: {mismatch}")]
    Value {
        /// What was parsed, in the user's words, like `endpoint config`.
        what: String,
        /// Where it differs from what was expected.
        mismatch: Mismatch,
    },
}

/// What is wrong with a request line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestFault {
    /// It is not JSON of the expected shape.
    #[error(transparent)]
    Shape(#[from] Mismatch),
    /// It is not UTF-8.
    #[error("column {column}: not UTF-8")]
    Utf8 {
        /// First byte that is not, from 1.
        column: usize,
    },
    /// It holds no kind of request, or several.
    #[error("expected exactly one of {}, found {}", expected.join(", "), kinds(found))]
    Kinds {
        /// Those there are.
        expected: &'static [&'static str],
        /// Those it holds.
        found: Vec<&'static str>,
    },
    /// A key or values in the packed form cannot be read.
    #[error("{path}: {why}")]
    Packed {
        /// JSON path of the packed bytes.
        path: &'static str,
        /// What is wrong with them, never what they hold.
        why: Unpackable,
    },
    /// A binding refers to a collection that is not in the message.
    #[error("{binding}: there is no collection {index} among the message's {count} linked collections")]
    Collection {
        /// JSON path of the binding.
        binding: String,
        /// The index it gives, or implies.
        index: u32,
        /// How many collections there are.
        count: usize,
    },
}

/// Where a JSON text differs from what was expected, and what that was. Never what stands there instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Path to the value, like `open.capture.bindings[3]`. Empty for the whole text, and where the text is no JSON.
    pub path: String,
    /// Line within the text, from 1.
    pub line: usize,
    /// Byte within that line, from 1; 0 before the first.
    pub column: usize,
    /// What was expected, in a few words.
    pub expected: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, column, expected } = self;
        if !path.is_empty() {
            write!(f, "{path}, ")?;
        }
        if *line > 1 {
            write!(f, "line {line} ")?;
        }
        write!(f, "column {column}: {expected}")
    }
}

impl std::error::Error for Mismatch {}

fn kinds(found: &[&str]) -> String {
    if found.is_empty() { "none of them".into() } else { found.join(" and ") }
}
