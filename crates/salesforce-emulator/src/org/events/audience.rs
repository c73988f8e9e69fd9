//! What of a topic's events reaches whom. Events are logged once, as the administrator sees them; for others they are cut
//! when they are delivered. Who saw a record is settled when it is announced, what of it may be seen when it is delivered.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::push_topic::{self, Access, Topic};
use crate::org::permission::RowAction;
use crate::org::schema::{SObject, Schema, Viewer};
use crate::org::storage::Database;
use crate::org::value::write_text;
use crate::org::{Announced, Id, Org, Refusal};

/// On whom it depends who hears of a record: its owner, or those of its masters, each with the object that they own a record
/// of. Empty if records are open to everybody who reads the object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Audience(Box<[(String, Id)]>);

/// How a user hears a topic.
pub(crate) enum Hearing {
    /// Everything, as it is.
    Everything,
    Nothing,
    /// What is announced of records that the user sees, without these fields.
    Some {
        viewer: Arc<Viewer>,
        without: Vec<String>,
    },
}

impl Org {
    /// May the user subscribe to a topic?
    pub(crate) fn access_to(&self, topic: &Topic) -> Access {
        let views = self.views();
        if views.visible.object(push_topic::OBJECT).is_none() { Access::NoTopics } else { topic.access_of(&views) }
    }

    /// How the user hears a topic now.
    pub(crate) fn hearing(&self, stream: u64) -> Hearing {
        let visible = self.schema();
        let Some(viewer) = visible.viewer() else { return Hearing::Everything };
        let topic = self.0.topics().into_iter().find(|topic| topic.stream == stream);
        let Some(topic) = topic.filter(|topic| self.access_to(topic) == Access::Granted) else {
            return Hearing::Nothing;
        };
        Hearing::Some { viewer: Arc::clone(viewer), without: topic.unseen(&visible) }
    }
}

impl Hearing {
    /// The data of an event as the user hears it; none if they do not hear of it.
    pub(crate) fn of(&self, event: Announced) -> Option<Bytes> {
        match self {
            Self::Everything => Some(event.data),
            Self::Nothing => None,
            Self::Some { viewer, without } => {
                let sees = |(object, owner): &(String, Id)| viewer.rights.may(RowAction::Read, object, *owner);
                let heard = event.audience.0.iter().all(sees);
                heard.then(|| if without.is_empty() { Some(event.data) } else { cut(&event.data, without) }).flatten()
            }
        }
    }
}

impl Audience {
    /// Of a record as it is now, deleted or not.
    pub(in crate::org) fn of(database: &Database, whole: &Schema, object: &SObject, id: Id) -> Result<Self, Refusal> {
        let mut owners = Vec::new();
        let mut next = vec![(object.name.clone(), id)];
        while let Some((name, id)) = next.pop() {
            let masters = whole.masters_of(&name);
            let owner = whole.object(&name).is_some_and(|object| object.position("OwnerId").is_some());
            if !database.tables.contains(&name) {
                continue;
            }
            for (field, master) in masters.iter().map(|master| (&*master.field, Some(&master.object.name))) {
                let parent = reference(database, &name, field, id)?;
                next.extend(master.cloned().zip(parent));
            }
            if masters.is_empty() && owner {
                owners.extend(reference(database, &name, "OwnerId", id)?.map(|owner| (name, owner)));
            }
        }
        Ok(Self(owners.into()))
    }

    pub(in crate::org) fn is_everybody(&self) -> bool {
        self.0.is_empty()
    }

    /// As the file of an org keeps it, and back.
    pub(in crate::org) fn text(&self) -> String {
        self.0.iter().map(|(object, owner)| format!("{object}={owner}")).collect::<Vec<_>>().join(",")
    }

    pub(in crate::org) fn parse(text: &str) -> Self {
        let owner = |pair: &str| {
            let (object, owner) = pair.split_once('=')?;
            Some((object.to_owned(), Id::parse(owner)?))
        };
        Self(text.split(',').filter_map(owner).collect())
    }
}

fn reference(database: &Database, object: &str, field: &str, id: Id) -> Result<Option<Id>, Refusal> {
    let sql = format!("SELECT \"{field}\" FROM \"{object}\" WHERE \"Id\"=?");
    let mut statement = database.connection.prepare_cached(&sql)?;
    let mut rows = statement.query([id.as_str()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(row.get_ref(0)?.as_str().ok().and_then(Id::parse))
}

/// An event without some members of its `sobject`; the others keep their bytes.
fn cut(data: &[u8], without: &[String]) -> Option<Bytes> {
    let Members(members) = serde_json::from_slice(data).ok()?;
    let mut out = Vec::with_capacity(data.len());
    for (name, value) in members {
        separate(&mut out);
        write_text(&mut out, &name);
        out.push(b':');
        if name != "sobject" {
            out.extend_from_slice(value.get().as_bytes());
            continue;
        }
        let Members(fields) = serde_json::from_str(value.get()).ok()?;
        let mut sobject = Vec::with_capacity(value.get().len());
        for (name, value) in fields.into_iter().filter(|(name, _)| !without.contains(name)) {
            separate(&mut sobject);
            write_text(&mut sobject, &name);
            sobject.push(b':');
            sobject.extend_from_slice(value.get().as_bytes());
        }
        sobject.push(b'}');
        out.extend_from_slice(&sobject);
    }
    out.push(b'}');
    Some(out.into())
}

/// Opens the braces, or puts a comma.
fn separate(out: &mut Vec<u8>) {
    out.push(if out.is_empty() { b'{' } else { b',' });
}

/// The members of a JSON object in their order, values as they are written.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Reader).map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_cut_out_and_the_others_keep_their_spelling() {
        let event = r#"{"event":{"replayId":3,"type":"updated"},"sobject":{"Id":"a","Amount":1.5E7,"Note":"a \"b\" }","City":{"Lat":1.0}}}"#;
        for (without, sobject) in [
            (&["Note"][..], r#"{"Id":"a","Amount":1.5E7,"City":{"Lat":1.0}}"#),
            (&["Amount", "City"], r#"{"Id":"a","Note":"a \"b\" }"}"#),
            (&["Nothing"], r#"{"Id":"a","Amount":1.5E7,"Note":"a \"b\" }","City":{"Lat":1.0}}"#),
        ] {
            let without: Vec<String> = without.iter().map(|name| (*name).to_owned()).collect();
            let expected = format!(r#"{{"event":{{"replayId":3,"type":"updated"}},"sobject":{sobject}}}"#);
            assert_eq!(cut(event.as_bytes(), &without).unwrap(), expected);
        }
    }

    #[test]
    fn audiences_are_kept() {
        for audience in [
            Audience::default(),
            Audience(Box::new([("Lead".to_owned(), Id::new("005", *b"5f", 1))])),
            Audience(Box::new([
                ("A__c".to_owned(), Id::new("005", *b"5f", 1)),
                ("B".to_owned(), Id::new("00G", *b"5f", 2)),
            ])),
        ] {
            assert_eq!(Audience::parse(&audience.text()), audience);
        }
    }
}
