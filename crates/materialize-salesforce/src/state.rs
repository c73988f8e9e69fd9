//! What is remembered from commit to commit: the org that each binding is written to.

use std::collections::BTreeMap;

use salesforce_client::RecordId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;

/// The state document of one task.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The layout of this document; [`VERSION`] when this program wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    /// By `stateKey`.
    #[serde(default)]
    bindings: BTreeMap<String, BindingState>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct BindingState {
    org: RecordId,
}

/// The layout written by this program.
pub const VERSION: u32 = 1;

impl State {
    /// The persisted state, `{}` for a task that never committed.
    ///
    /// # Errors
    /// If this program has not written it: to take it for an empty one would be to write to any org.
    pub fn parse(value: &Value) -> Result<Self, Error> {
        let state: Self =
            flow_protocol::parse::from_str(&value.to_string()).map_err(|source| Error::State { source })?;
        match state.version {
            None | Some(VERSION) => Ok(state),
            Some(found) => Err(Error::StateVersion { found, known: VERSION }),
        }
    }

    /// What is to be remembered of bindings that are written to an org, by `stateKey`.
    #[must_use]
    pub fn of<'a>(state_keys: impl Iterator<Item = &'a str>, org: RecordId) -> Self {
        let bindings = state_keys.map(|key| (key.to_owned(), BindingState { org })).collect();
        Self { version: Some(VERSION), bindings }
    }

    /// A binding goes on in the org in which it began. `object` is for the message.
    ///
    /// # Errors
    /// If it began in another one.
    pub fn check(&self, state_key: &str, object: &str, org: RecordId) -> Result<(), Error> {
        match self.bindings.get(state_key) {
            Some(known) if known.org != org => {
                Err(Error::OtherOrg { object: object.to_owned(), known: known.org, found: org })
            }
            _ => Ok(()),
        }
    }

    /// As it is persisted.
    #[must_use]
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HERE: &str = "00D5f000000aaaaEAA";
    const THERE: &str = "00D5f000000bbbbEAA";

    #[test]
    fn a_binding_goes_on_where_it_began() {
        let (here, there) = (HERE.parse().unwrap(), THERE.parse().unwrap());
        let state = State::parse(&State::of(["Lead.v1"].into_iter(), here).to_value()).unwrap();
        assert_eq!(state, State::of(["Lead.v1"].into_iter(), here));
        assert!(state.check("Lead.v1", "Lead", here).is_ok());
        // A backfill begins a new key.
        assert!(state.check("Lead.v2", "Lead", there).is_ok());
        assert!(state.check("Lead.v1", "Lead", there).is_err());
        assert!(State::parse(&json!({})).unwrap().check("Lead.v1", "Lead", there).is_ok());
    }

    #[test]
    fn what_this_program_has_not_written_is_refused() {
        for state in
            [json!(7), json!({ "bindings": [] }), json!({ "bindings": { "Lead.v1": {} } }), json!({ "version": 2 })]
        {
            assert!(State::parse(&state).is_err(), "{state}");
        }
    }
}
