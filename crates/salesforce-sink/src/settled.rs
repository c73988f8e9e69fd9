//! What became of a row, as far as its batch is concerned. Pure.

use salesforce_client::{Fault, RecordId};

/// What became of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    Applied {
        id: Option<RecordId>,
        created: bool,
    },
    Rejected {
        code: String,
        message: String,
        fields: Vec<String>,
    },
    /// Refused, as a record that it refers to is not there.
    Orphaned {
        code: String,
        message: String,
        fields: Vec<String>,
    },
}

impl Settled {
    pub(crate) fn rejected(code: &str, message: impl Into<String>) -> Settled {
        Settled::Rejected { code: code.to_owned(), message: message.into(), fields: Vec::new() }
    }

    /// Why the org refused it.
    pub(crate) fn refused(faults: &[Fault]) -> Settled {
        let (code, message, fields) = told(faults);
        Settled::Rejected { code, message, fields }
    }

    /// The same, without hope that it will be taken later.
    pub(crate) fn for_good(self) -> Settled {
        match self {
            Settled::Orphaned { code, message, fields } => Settled::Rejected { code, message, fields },
            settled => settled,
        }
    }

    /// Why the org refused it, for want of another record.
    pub(crate) fn orphaned(faults: &[Fault]) -> Settled {
        let (code, message, fields) = told(faults);
        Settled::Orphaned { code, message, fields }
    }
}

/// The first code, all that was said, and the fields concerned.
pub(crate) fn told(faults: &[Fault]) -> (String, String, Vec<String>) {
    let Some(first) = faults.first() else {
        return ("UNKNOWN".to_owned(), "no reason was given".to_owned(), Vec::new());
    };
    let more = faults[1..].iter().map(|fault| format!("; {fault}"));
    let message = std::iter::once(first.message.clone()).chain(more).collect();
    let fields = faults.iter().flat_map(|fault| fault.fields.iter().cloned()).collect();
    (first.code.clone(), message, fields)
}
