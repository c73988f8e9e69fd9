//! What the state remembers: where each binding stands, and in which org.

use std::collections::BTreeMap;

use salesforce_client::{
    RecordId,
    bulk::{JobId, ResultLocator},
};
use salesforce_streaming::ReplayId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{budget::Calls, second::Second};
use crate::{error::Error, shard::Shard};

/// The state document of one task, as it is persisted between sessions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The layout of this document; [`VERSION`] when this program wrote it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The org whose rows were captured. Positions mean nothing in another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<RecordId>,
    /// The shard that this process was, where the capture is split: `calls` are those of its bindings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// The API calls made, by the hour: the budget is one of 24 hours, whatever restarts there are.
    #[serde(default, skip_serializing_if = "Calls::is_empty")]
    pub calls: Calls,
    /// The events delivered, by the hour: their allocation is one of 24 hours, too.
    #[serde(default, skip_serializing_if = "Calls::is_empty")]
    pub deliveries: Calls,
    /// By `stateKey`. Keys of bindings that this shard does not serve are left alone.
    #[serde(default, rename = "bindingStateV1", skip_serializing_if = "BTreeMap::is_empty")]
    pub bindings: BTreeMap<String, Position>,
}

/// The layout written by this program.
pub const VERSION: u32 = 1;

/// Where one binding stands. All times are the org's.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// The PushTopic whose numbering `replay` belongs to: its Id, as a topic of the same name made again counts anew. Absent
    /// where changes are polled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<RecordId>,
    /// When the topic was last looked at and found in order, and its own modstamp at that moment: if somebody changed it
    /// since, it may have announced nothing since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<Checked>,
    /// The last event whose row is written, and those of all events before it. Absent before the first: the
    /// subscription then resumes with all that Salesforce retains, never at the tip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<ReplayId>,
    /// Up to here every change of the object that is announced is written. Where changes are polled: every change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live: Option<Second>,
    /// Up to here every change of the object is written, announced or not. Absent where changes are polled, as `live` says it
    /// there, and while history is read for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swept: Option<Second>,
    /// Up to here the org's list of deletions is read: it tells of rows that were purged before a read could see them. Absent while
    /// history is read for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listed: Option<Second>,
    /// When all rows were last read again on a schedule, or that was first asked for: the next such read is due at the first time of
    /// the schedule after it. If that read is under way, it stands among `reads`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refreshed: Option<Second>,
    /// The newest second of any row written, see [`super::freshness`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<Second>,
    /// Reads through the object that are still to be done, the first of them possibly begun. Empty when history is complete.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<Read>,
    /// Records of pages already passed that must still be fetched by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fetch: Vec<RecordId>,
    /// Where the read at hand goes by a job: the records behind its last row that were written since the job was asked for,
    /// with the second of each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub written: BTreeMap<RecordId, Second>,
}

impl Position {
    /// Whether nothing was captured yet.
    pub fn is_new(&self) -> bool {
        self.live.is_none() && self.reads.is_empty()
    }
}

/// A look at a topic that found it in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// When.
    pub at: Second,
    /// The topic's `SystemModstamp` then.
    pub modstamp: Second,
}

/// One read through an object in the order of its ids.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Read {
    /// Rows up to and including this id are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<RecordId>,
    /// Only rows changed at or after this second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Second>,
    /// Deleted rows too, as deletions: set where they may have been captured before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// Once it is done, every change of the object up to here is captured: set for the first read of an object, for polls and
    /// for sweeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covers: Option<Second>,
    /// It reads rows again that may not have changed, on a schedule.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub refresh: bool,
    /// The Bulk job by which its next rows come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bulk: Option<Bulk>,
}

/// How far the results of a Bulk job are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bulk {
    /// The job.
    pub job: JobId,
    /// The page of its results at hand; absent for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<ResultLocator>,
    /// Rows of that page that are written.
    #[serde(default)]
    pub rows: u64,
}

impl Read {
    /// Whether it reads what a gap may have cost.
    pub fn is_repair(&self) -> bool {
        self.covers.is_none() && !self.refresh
    }
}

impl Bulk {
    /// Nothing of the job's results is written.
    pub fn new(job: JobId) -> Self {
        Self { job, page: None, rows: 0 }
    }
}

impl State {
    /// The persisted state, `{}` for a task that never ran.
    pub fn parse(value: &Value) -> Result<Self, Error> {
        let state: Self =
            flow_protocol::parse::from_str(&value.to_string()).map_err(|source| Error::State { source })?;
        match state.version {
            None | Some(VERSION) => Ok(state),
            Some(found) => Err(Error::StateVersion { found, known: VERSION }),
        }
    }

    /// As it is persisted.
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_what_it_wrote_and_what_others_left() {
        let written = json!({
            "version": 1,
            "org": "00D5f000000aaaaEAA",
            "bindingStateV1": {
                "Account.v1": {
                    "topic": "0IF5f000000aaaaGAA",
                    "replay": 17,
                    "live": "2026-11-22T10:00:00Z",
                    "fence": "2026-11-22T10:00:02Z",
                    "reads": [
                        {
                            "after": "0015f000000aaaaAAA",
                            "bulk": {"job": "7505f000000aaaaAAA", "page": "MTAwMDA", "rows": 17},
                        },
                        {"since": "2026-11-22T09:00:00Z", "deleted": true},
                    ],
                    "written": {"0015f000000bbbbAAA": "2026-11-22T10:00:01Z"},
                },
                "Old.v0": {},
            }
        });
        let state = State::parse(&written).unwrap();
        assert_eq!(state.to_value(), written);
        assert_eq!(State::parse(&json!({})).unwrap(), State::default());
        assert_eq!(
            State::parse(&json!({"version": 2})).unwrap_err().to_string(),
            "the state has layout 2, this program knows layout 1 only: run the version that wrote it, or backfill the bindings"
        );
    }
}
