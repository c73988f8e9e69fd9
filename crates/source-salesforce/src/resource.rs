//! The resource configuration: one stream, that is one SObject, and how it is captured.

use std::time::Duration;

use jiff::Timestamp;
use salesforce_client::{Describe, FieldName, FieldType, SObjectName};
use salesforce_endpoint::setting;
use salesforce_streaming::push_topic::TopicName;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{error::Error, schedule::Schedule};

/// What the user writes for one binding.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(title = "Stream", description = "One object of the org.", extend("additionalProperties" = true))]
#[serde(deny_unknown_fields)]
pub struct RawResource {
    /// The API name of the object, such as Account or Invoice__c.
    #[schemars(title = "Stream", extend("order" = 0))]
    pub stream: String,
    /// auto streams changes where Salesforce's PushTopics support the object and the org has one left, and polls otherwise. stream insists on streaming, poll on polling.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    #[schemars(with = "Option<String>", title = "Mode", extend("order" = 1, "enum" = ["auto", "stream", "poll"], "default" = "auto"))]
    pub mode: Option<String>,
    /// How often changes are asked for when the object is polled: an ISO 8601 duration. Each time costs at most two API calls, which objects polled at the same time share. When empty it is five minutes, or longer where all polls and sweeps would take more than half of the API budget. Objects without a date of their last change are read as a whole, once a day by default.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    #[schemars(with = "Option<String>", title = "Polling Interval", extend("order" = 2, "format" = "duration"))]
    pub interval: Option<String>,
    /// Which fields are captured; all that the user may read when empty.
    #[serde(default, deserialize_with = "setting::object")]
    #[schemars(with = "RawFields", title = "Fields", extend("order" = 3))]
    pub fields: RawFields,
    /// What documents hold for files (base64 fields): link is the path to fetch the bytes from, omit leaves such fields out.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    #[schemars(with = "Option<String>", title = "Files", extend("order" = 4, "enum" = ["link", "omit"], "default" = "link"))]
    pub base64: Option<String>,
    /// History of this stream starts here instead of at the start date of the capture.
    #[serde(default, deserialize_with = "setting::time")]
    #[schemars(with = "Option<String>", title = "Start Date", extend("order" = 5, "format" = "date-time"))]
    pub start_date: Option<Timestamp>,
    /// The name of a PushTopic that an administrator made for this stream. The capture then makes none, and its user needs no right to.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    #[schemars(with = "Option<String>", title = "PushTopic", extend("order" = 6))]
    pub push_topic: Option<String>,
    /// What a deletion does: remove takes the record out of the collection, keep leaves it there as a row with IsDeleted true and, where the org still shows them, its last values. A record kept has true in /_meta/deleted until it is restored.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    #[schemars(with = "Option<String>", title = "Deletions", extend("order" = 7, "enum" = ["remove", "keep"], "default" = "remove"))]
    pub deletions: Option<String>,
    /// When all rows are read again and written as they are: a cron expression in UTC, such as 30 3 * * * for each day at 03:30. Formula fields, and roll-ups of other records, change without a change of their record, so nothing else brings their new values. Never when empty.
    #[serde(default, deserialize_with = "setting::blank_is_absent")]
    #[schemars(with = "Option<String>", title = "Refresh", extend("order" = 8))]
    pub refresh: Option<String>,
    /// Adds _meta/complete_until to each document: a time before which no change of the object is missing from the documents so far.
    #[serde(default)]
    #[schemars(title = "Complete Until", extend("order" = 9, "default" = false))]
    pub complete_until: bool,
    /// Kept by the user interface for itself.
    #[serde(default, rename = "_meta")]
    #[schemars(skip)]
    pub meta: Option<serde::de::IgnoredAny>,
}

/// What the user writes about fields.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawFields {
    /// Only these, and what the capture itself needs: SystemModstamp and IsDeleted. Id must be among them.
    #[serde(default)]
    #[schemars(title = "Include", extend("order" = 0))]
    pub include: Vec<String>,
    /// All but these.
    #[serde(default)]
    #[schemars(title = "Exclude", extend("order" = 1))]
    pub exclude: Vec<String>,
}

/// One binding: the name it goes by, the object it means, and how that is captured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// As written: the resource path, which must never change.
    pub stream: String,
    /// The object.
    pub object: SObjectName,
    /// How its changes are learned of.
    pub mode: Mode,
    /// Time between two polls, if the user chose one.
    pub interval: Option<Duration>,
    /// Which of its fields are captured.
    pub fields: FieldChoice,
    /// Where its history starts, if the user chose that for this stream.
    pub start_date: Option<Timestamp>,
    /// The name of the PushTopic that an administrator made for it.
    pub push_topic: Option<TopicName>,
    /// What deletions do.
    pub deletions: Deletions,
    /// When all its rows are read again.
    pub refresh: Option<Schedule>,
    /// Whether documents tell up to when the stream is complete.
    pub complete_until: bool,
}

/// What the deletion of a record does to its row in the collection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Deletions {
    /// The row is removed.
    #[default]
    Remove,
    /// The row stays, and says that it is deleted.
    Keep,
}

/// How changes of an object are learned of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mode {
    /// Streamed where that is possible, polled otherwise.
    #[default]
    Auto,
    /// Streamed, or not captured.
    Stream,
    /// Polled.
    Poll,
}

/// Names that the published documentation misspells, and users have copied since.
const MISSPELLED: [(&str, &str); 2] =
    [("OpportunityFilledHistory", "OpportunityFieldHistory"), ("ContactLineItem", "ContractLineItem")];

/// Polling more often than once a second brings nothing; less often than once a day loses deletions from the recycle bin's
/// fifteen days after a weekend.
const INTERVALS: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(86_400);

/// For the message about intervals.
const EXAMPLE_INTERVAL: Duration = Duration::from_secs(300);

impl Resource {
    /// Reads a resource config.
    ///
    /// # Errors
    /// Names the place and what is expected there.
    pub fn parse(raw: &RawValue) -> Result<Self, Error> {
        flow_protocol::parse::<RawResource>(raw, "resource config").map_err(Error::Protocol)?.try_into()
    }

    /// The resource of a stream named on the command line, with defaults for all else.
    ///
    /// # Errors
    /// When it cannot be the API name of an object.
    pub fn named(stream: String) -> Result<Self, Error> {
        let object = MISSPELLED.iter().find(|(wrong, _)| *wrong == stream).map_or(stream.as_str(), |(_, right)| right);
        let object = object.parse().map_err(|source| Error::setting("stream", source))?;
        Ok(Self {
            stream,
            object,
            mode: Mode::Auto,
            interval: None,
            fields: FieldChoice::default(),
            start_date: None,
            push_topic: None,
            deletions: Deletions::default(),
            refresh: None,
            complete_until: false,
        })
    }

    /// The resource path: the identity of the binding.
    pub fn path(&self) -> Vec<String> {
        vec![self.stream.clone()]
    }
}

impl TryFrom<RawResource> for Resource {
    type Error = Error;

    fn try_from(raw: RawResource) -> Result<Self, Error> {
        let RawResource {
            stream,
            mode,
            interval,
            fields,
            base64,
            start_date,
            push_topic,
            deletions,
            refresh,
            complete_until,
            meta: _,
        } = raw;
        let resource = Self::named(stream)?;
        let bad = |key: &str, problem: String| Error::option(&resource.stream, key, problem);
        let mode = match mode.as_deref() {
            None | Some("auto") => Mode::Auto,
            Some("stream") => Mode::Stream,
            Some("poll") => Mode::Poll,
            Some(_) => return Err(bad("mode", "it is auto, stream or poll".into())),
        };
        let interval = interval
            .map(|text| setting::duration(&text, INTERVALS, EXAMPLE_INTERVAL))
            .transpose()
            .map_err(|problem| bad("interval", problem))?;
        let omit_base64 = match base64.as_deref() {
            None | Some("link") => false,
            Some("omit") => true,
            Some(_) => return Err(bad("base64", "it is link or omit".into())),
        };
        let deletions = match deletions.as_deref() {
            None | Some("remove") => Deletions::Remove,
            Some("keep") => Deletions::Keep,
            Some(_) => return Err(bad("deletions", "it is remove or keep".into())),
        };
        let refresh =
            refresh.map(|text| Schedule::parse(&text)).transpose().map_err(|problem| bad("refresh", problem))?;
        if push_topic.is_some() && mode == Mode::Poll {
            return Err(bad(
                "push_topic",
                "a stream that is polled uses no PushTopic: remove it, or set mode to stream".into(),
            ));
        }
        let push_topic = push_topic.map(|name| name.parse()).transpose().map_err(|_| {
            bad(
                "push_topic",
                "it is the name of a PushTopic, without /topic/: a letter, then letters and digits, 25 at most".into(),
            )
        })?;
        let names = |list: &str, names: Vec<String>| {
            let name = |(n, name): (usize, String)| {
                name.trim()
                    .parse()
                    .map_err(|_| bad(&format!("fields.{list}[{n}]"), "it cannot be the API name of a field".into()))
            };
            names.into_iter().enumerate().map(name).collect::<Result<Vec<FieldName>, _>>()
        };
        let (include, exclude) = (names("include", fields.include)?, names("exclude", fields.exclude)?);
        let fields = FieldChoice { include, exclude, omit_base64 };
        fields.keeps_the_essential().map_err(|(place, problem)| bad(&place, problem))?;
        Ok(Self { mode, interval, fields, start_date, push_topic, deletions, refresh, complete_until, ..resource })
    }
}

/// Which fields of an object are captured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldChoice {
    include: Vec<FieldName>,
    exclude: Vec<FieldName>,
    omit_base64: bool,
}

/// What documents cannot do without, and why.
const ESSENTIAL: [(&str, &str); 3] = [
    ("Id", "it is the key of the collection"),
    ("SystemModstamp", "changes are ordered by it"),
    ("IsDeleted", "deletions are recognised by it"),
];

impl FieldChoice {
    /// Whether the documents carry this field, apart from what the capture itself needs.
    pub fn admits(&self, name: &FieldName, kind: &FieldType) -> bool {
        let among = |names: &[FieldName]| names.iter().any(|other| other.same_as(name.as_str()));
        let is_chosen = (self.include.is_empty() || among(&self.include)) && !among(&self.exclude);
        Self::is_essential(name) || (is_chosen && !(self.omit_base64 && *kind == FieldType::Base64))
    }

    /// Whether the capture needs the field, chosen or not.
    pub fn is_essential(name: &FieldName) -> bool {
        ESSENTIAL.iter().any(|(essential, _)| name.same_as(essential))
    }

    /// The names that the object does not have, or hides from this user, each with its place.
    pub fn unknown<'a>(&'a self, describe: &'a Describe) -> impl Iterator<Item = (String, &'a FieldName)> {
        let lists = [("include", &self.include), ("exclude", &self.exclude)];
        let named = lists.into_iter().flat_map(|(list, names)| names.iter().enumerate().map(move |name| (list, name)));
        named
            .filter(|(_, (_, name))| describe.field(name.as_str()).is_none())
            .map(|(list, (n, name))| (format!("fields.{list}[{n}]"), name))
    }

    fn keeps_the_essential(&self) -> Result<(), (String, String)> {
        if !self.include.is_empty() && !self.include.iter().any(|name| name.same_as("Id")) {
            return Err(("fields.include".into(), "Id is missing: it is the key of the collection".into()));
        }
        for (n, name) in self.exclude.iter().enumerate() {
            if let Some((essential, why)) = ESSENTIAL.iter().find(|(essential, _)| name.same_as(essential)) {
                return Err((format!("fields.exclude[{n}]"), format!("{essential} cannot be left out: {why}")));
            }
        }
        Ok(())
    }
}

/// Refuses two bindings to one object under different names: they would share a topic, and one state would answer for both.
///
/// # Errors
/// Names both.
pub fn check_distinct(resources: &[Resource]) -> Result<(), Error> {
    for (n, resource) in resources.iter().enumerate() {
        if let Some(first) = resources[..n].iter().find(|other| other.object.same_as(resource.object.as_str())) {
            return Err(Error::SameObject {
                first: first.stream.clone(),
                second: resource.stream.clone(),
                object: resource.object.clone(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Resource, Error> {
        Resource::parse(&RawValue::from_string(json.into()).unwrap())
    }

    #[test]
    fn documented_misspellings_keep_their_path() {
        for (json, stream, object) in [
            (r#"{"stream":"Account"}"#, "Account", "Account"),
            (r#"{"stream":"ContactLineItem","_meta":{"path":["x"]}}"#, "ContactLineItem", "ContractLineItem"),
            (r#"{"stream":"OpportunityFilledHistory"}"#, "OpportunityFilledHistory", "OpportunityFieldHistory"),
        ] {
            let resource = parse(json).unwrap();
            assert_eq!((resource.path(), resource.object.as_str()), (vec![stream.to_owned()], object));
        }
    }

    #[test]
    fn one_object_is_captured_once() {
        let resources = ["Account", "Contact", "account"].map(|name| Resource::named(name.into()).unwrap());
        assert_eq!(
            check_distinct(&resources).unwrap_err().to_string(),
            "streams Account and account are the same object account: remove one of the bindings"
        );
        check_distinct(&resources[..2]).unwrap();
    }
}
