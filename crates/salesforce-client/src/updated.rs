//! Which records changed and which were deleted in a span of time, and up to when that is the whole truth.
//!
//! A transaction that is still running may yet leave rows with an earlier time. The org knows, and says up to when
//! nothing is missing; the next span starts there, not where this one was meant to end.

use jiff::{SignedDuration, Timestamp, tz::Offset};
use serde::{Deserialize, Deserializer};

use crate::{Action, Error, Org, RecordId, SObjectName, call::Call, composite::MOST_SUBREQUESTS};

/// The records that were created or changed in a span, by `SystemModstamp`. Deleted ones are not among them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Updated {
    /// Their ids.
    pub ids: Vec<RecordId>,
    /// Up to when nothing is missing; it can lie before the end that was asked for.
    #[serde(rename = "latestDateCovered")]
    pub covered: Timestamp,
}

/// The records that were deleted in a span, as far as the org's log of deletes goes back.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Deleted {
    /// Their ids, and when they were deleted.
    #[serde(rename = "deletedRecords", deserialize_with = "deleted_records")]
    pub records: Vec<(RecordId, Timestamp)>,
    /// Since when the log is whole.
    #[serde(rename = "earliestDateAvailable", default)]
    pub earliest: Option<Timestamp>,
    /// Up to when nothing is missing; it can lie before the end that was asked for.
    #[serde(rename = "latestDateCovered")]
    pub covered: Timestamp,
}

fn deleted_records<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(RecordId, Timestamp)>, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Entry {
        id: RecordId,
        deleted_date: Timestamp,
    }

    let entries = Vec::<Entry>::deserialize(deserializer)?;
    Ok(entries.into_iter().map(|entry| (entry.id, entry.deleted_date)).collect())
}

impl Org {
    /// The records of an object that changed between two points in time, at most 30 days ago.
    ///
    /// The org reads both without their seconds and refuses less than two minutes; the start is moved back where it
    /// is too late.
    ///
    /// # Errors
    /// `EXCEEDED_ID_LIMIT` above 600,000 records: ask for less time. An object that is not `replicateable` is refused.
    /// Otherwise as any call.
    pub async fn updated(&self, object: &SObjectName, from: Timestamp, until: Timestamp) -> Result<Updated, Error> {
        self.send(&self.updated_call(object, from, until), |reply| reply.json()).await
    }

    /// As [`Org::updated`], of several objects, in their order: one call for every 25 of them.
    ///
    /// # Errors
    /// Of a call as a whole; what the org refuses of one object only is that object's outcome.
    pub async fn updated_many(
        &self,
        objects: &[SObjectName],
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Result<Updated, Error>>, Error> {
        let calls: Vec<_> = objects.iter().map(|object| self.updated_call(object, from, until)).collect();
        self.send_together(&calls, MOST_SUBREQUESTS, |_, reply| reply.json()).await
    }

    fn updated_call(&self, object: &SObjectName, from: Timestamp, until: Timestamp) -> Call {
        let path = self.data_path(format_args!("/sobjects/{object}/updated/"));
        Call::read(Action::Updated(object.clone())).path(path).query(span(from, until))
    }

    /// The records of an object that were deleted between two points in time, at most 15 days ago. The span is read
    /// as by [`Org::updated`].
    ///
    /// The log does not prove that nothing else was deleted: the org shortens it when it grows long.
    ///
    /// # Errors
    /// As [`Org::updated`]; `INVALID_REPLICATION_DATE` if the recycle bin was emptied within the span.
    pub async fn deleted(&self, object: &SObjectName, from: Timestamp, until: Timestamp) -> Result<Deleted, Error> {
        self.send(&self.deleted_call(object, from, until), |reply| reply.json()).await
    }

    /// As [`Org::deleted`], of several objects, each since its own time, in their order: one call for every 25 of them.
    ///
    /// # Errors
    /// Of a call as a whole; what the org refuses of one object only is that object's outcome.
    pub async fn deleted_many(
        &self,
        objects: &[(SObjectName, Timestamp)],
        until: Timestamp,
    ) -> Result<Vec<Result<Deleted, Error>>, Error> {
        let calls: Vec<_> = objects.iter().map(|(object, from)| self.deleted_call(object, *from, until)).collect();
        self.send_together(&calls, MOST_SUBREQUESTS, |_, reply| reply.json()).await
    }

    fn deleted_call(&self, object: &SObjectName, from: Timestamp, until: Timestamp) -> Call {
        let path = self.data_path(format_args!("/sobjects/{object}/deleted/"));
        Call::read(Action::Deleted(object.clone())).path(path).query(span(from, until))
    }
}

/// "More than one minute" of whole minutes.
const SHORTEST: SignedDuration = SignedDuration::from_mins(2);

fn span(from: Timestamp, until: Timestamp) -> String {
    let from = from.min(until.checked_sub(SHORTEST).unwrap_or(until));
    let minute = |at: Timestamp| Offset::UTC.to_datetime(at).strftime("%Y-%m-%dT%H:%M:00+00:00").to_string();
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("start", &minute(from)).append_pair("end", &minute(until)).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_of_whole_minutes_and_of_two_at_least() {
        let at = |time: &str| format!("2024-01-02T{time}Z").parse::<Timestamp>().unwrap();
        for (from, until, start, end) in [
            ("03:04:05", "05:06:59.999", "03:04", "05:06"),
            ("03:04:00", "03:06:00", "03:04", "03:06"),
            ("03:05:00", "03:06:59", "03:04", "03:06"),
            ("03:06:01", "03:06:02", "03:04", "03:06"),
            ("04:00:00", "03:06:02", "03:04", "03:06"),
        ] {
            let minute = |time: &str| format!("2024-01-02T{}%3A00%2B00%3A00", time.replace(':', "%3A"));
            let expect = format!("start={}&end={}", minute(start), minute(end));
            assert_eq!(span(at(from), at(until)), expect, "{from} {until}");
        }
        assert!(span(Timestamp::MIN, Timestamp::MIN).starts_with("start="));
    }
}
