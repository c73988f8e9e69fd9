//! Org-wide defaults: what users may do with records they do not own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What an object's records are to users who do not own them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// "Private": they are not there.
    Private,
    /// "Public Read Only"
    Read,
    /// "Public Read/Write": all but deleting them.
    #[default]
    Edit,
    /// "Public Full Access", which Salesforce offers for campaigns.
    Full,
}

/// The levels of the objects that have another than the default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sharing(BTreeMap<String, Level>);

impl Sharing {
    /// The level of an object.
    pub fn of(&self, object: &str) -> Level {
        self.0.get(object).copied().unwrap_or_default()
    }

    /// Is every object at the default?
    pub fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn set(&mut self, object: &str, level: Level) {
        if level == Level::default() {
            self.0.remove(object);
        } else {
            self.0.insert(object.to_owned(), level);
        }
    }
}
