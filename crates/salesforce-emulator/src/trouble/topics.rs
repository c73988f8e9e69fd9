//! PushTopics that are deleted, deactivated or changed under their subscribers, and how they come back.

use serde_json::{Map, Value as Json};

use super::strike::Mishap;
use crate::org::{Id, Org, Refusal};

const TOPIC: &str = "PushTopic";

/// The topics that are not as their owners left them.
#[derive(Debug, Default)]
pub(super) struct Topics {
    wounds: Vec<Wound>,
    /// Changes of the org so far.
    changes: u64,
}

#[derive(Debug)]
struct Wound {
    id: Id,
    /// Heals after so many changes of the org.
    due: u64,
    cure: Cure,
}

/// How a topic becomes what it was.
#[derive(Debug)]
enum Cure {
    /// By a record of the same content.
    Create(Map<String, Json>),
    /// By writing these fields again.
    Update(Map<String, Json>),
}

impl Topics {
    /// Something in the org was changed: some topics are due.
    pub(super) fn changed(&mut self, org: &Org) {
        self.changes += 1;
        let now = self.changes;
        for wound in self.wounds.extract_if(.., |wound| wound.due <= now) {
            wound.heal(org);
        }
    }

    /// Heals all.
    pub(super) fn heal(&mut self, org: &Org) {
        self.wounds.drain(..).for_each(|wound| wound.heal(org));
    }

    /// One of the topics that are whole and active, if there is one, is no more what it was.
    pub(super) fn befall(&mut self, org: &Org, mishap: Mishap) -> Result<(), Refusal> {
        let (Mishap::TopicDeleted { which, changes }
        | Mishap::TopicDeactivated { which, changes }
        | Mishap::TopicChanged { which, changes }) = mishap
        else {
            return Ok(());
        };
        let records: Vec<Map<String, Json>> = serde_json::from_slice(&org.records(TOPIC, false)?).unwrap_or_default();
        let id = |record: &Map<String, Json>| record.get("Id").and_then(Json::as_str).and_then(Id::parse);
        let hurt = |id: Id| self.wounds.iter().any(|wound| wound.id == id);
        let mut whole: Vec<(Id, Map<String, Json>)> =
            records.into_iter().filter_map(|record| Some((id(&record)?, record))).collect();
        whole.retain(|(id, record)| record.get("IsActive") == Some(&Json::Bool(true)) && !hurt(*id));
        if whole.is_empty() {
            return Ok(());
        }
        let (id, record) = whole.swap_remove((which % whole.len() as u64) as usize);
        let one = |name: &str, value: Json| Map::from_iter([(name.to_owned(), value)]);
        let cure = match mishap {
            Mishap::TopicDeactivated { .. } => {
                org.update(TOPIC, id, &one("IsActive", false.into()))?;
                Cure::Update(one("IsActive", true.into()))
            }
            Mishap::TopicChanged { .. } => {
                let query = record.get("Query").cloned().unwrap_or_default();
                org.update(TOPIC, id, &one("Query", least(query.as_str().unwrap_or_default()).into()))?;
                Cure::Update(one("Query", query))
            }
            _ => {
                org.delete(TOPIC, id)?;
                let object = org.object(TOPIC)?;
                let written = |name: &str| object.field(name).is_some_and(|field| field.createable);
                Cure::Create(record.into_iter().filter(|(name, value)| written(name) && !value.is_null()).collect())
            }
        };
        let wound = Wound { id, due: self.changes + changes, cure };
        if changes == 0 {
            wound.heal(org);
        } else {
            self.wounds.push(wound);
        }
        Ok(())
    }
}

impl Wound {
    /// Somebody may have been faster: then the topic is left as it is.
    fn heal(self, org: &Org) {
        let healed = match &self.cure {
            Cure::Create(record) => org.create(TOPIC, record).map(drop),
            Cure::Update(fields) => org.update(TOPIC, self.id, fields),
        };
        if let Err(refusal) = healed {
            tracing::debug!(%refusal, topic = %self.id, "a topic does not become what it was");
        }
    }
}

/// The query that selects least of the same records.
fn least(query: &str) -> String {
    let mut words = query.split_whitespace().skip_while(|word| !word.eq_ignore_ascii_case("from")).skip(1);
    format!("SELECT Id FROM {}", words.next().unwrap_or_default())
}
