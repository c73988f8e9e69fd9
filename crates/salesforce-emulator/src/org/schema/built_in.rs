//! The describes that come with this crate. `describe/ORIGIN.md` says where each came from.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use super::field::Field;
use super::object::{ChildRelationship, NAME, PREFIX, SObject};
use super::wide;

/// A feature without which an org lacks some objects, and the fields that refer to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// LiveChatTranscript.
    Chat,
    /// MessagingSession.
    Messaging,
    /// Quote, QuoteLineItem.
    Quotes,
    /// ServiceAppointment, WorkOrder, WorkOrderLineItem.
    FieldService,
    /// UserServicePresence.
    OmniChannel,
    /// Entitlement, ServiceContract, ContractLineItem.
    Entitlements,
}

impl Feature {
    /// Is the object there only with this feature?
    pub(super) fn brings(self, object: &str) -> bool {
        let objects: &[&str] = match self {
            Self::Chat => &["LiveChatTranscript"],
            Self::Messaging => &["MessagingSession"],
            Self::Quotes => &["Quote", "QuoteLineItem"],
            Self::FieldService => &["ServiceAppointment", "WorkOrder", "WorkOrderLineItem"],
            Self::OmniChannel => &["UserServicePresence"],
            Self::Entitlements => &["Entitlement", "ServiceContract", "ContractLineItem"],
        };
        objects.contains(&object)
    }
}

/// What every schema begins with.
#[derive(Debug)]
pub(super) struct BuiltIn {
    pub(super) objects: Vec<Arc<SObject>>,
    pub(super) mould: Mould,
}

impl BuiltIn {
    /// Reads the describes, once in the life of the process.
    pub(super) fn get() -> Result<&'static Self, serde_json::Error> {
        static READ: OnceLock<BuiltIn> = OnceLock::new();
        if let Some(read) = READ.get() {
            return Ok(read);
        }
        let mut objects = DESCRIBES.iter().map(|text| parse(text).map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
        let mould = Mould::of(&parse(MOULD)?)?;
        objects.push(Arc::new(wide::object(&mould)));
        Ok(READ.get_or_init(|| Self { objects, mould }))
    }
}

/// When the built-in schema was last changed, as far as clients are told: before any of them looked.
pub(super) fn modified() -> Timestamp {
    const NEW_YEAR_OF_2025: i64 = 1_735_689_600;
    Timestamp::from_second(NEW_YEAR_OF_2025).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The object without references that could only point to what the org lacks.
pub(super) fn without_references(object: &Arc<SObject>, without: &[Feature]) -> Arc<SObject> {
    let dangling = |field: &Field| {
        let lacks = |target: &String| without.iter().any(|feature| feature.brings(target));
        !field.reference_to.is_empty() && field.reference_to.iter().all(lacks)
    };
    if without.is_empty() || !object.fields.iter().any(dangling) {
        return Arc::clone(object);
    }
    let kept: Vec<Field> = object.fields.iter().filter(|field| !dangling(field)).cloned().collect();
    Arc::new(SObject { fields: kept.into(), ..SObject::clone(object) })
}

/// What custom objects are made after: a recorded one.
#[derive(Debug, Clone)]
pub(super) struct Mould {
    pub(super) members: Arc<Map<String, Json>>,
    /// Id, owner, name and the fields that the org maintains.
    pub(super) fields: Arc<[Field]>,
}

impl Mould {
    fn of(recorded: &SObject) -> Result<Self, serde_json::Error> {
        let text = Json::from(Map::clone(&recorded.members)).to_string();
        let text = text.replace("/000/e", &format!("/{PREFIX}/e")).replace(&recorded.name, NAME);
        let fields = recorded.fields.iter().filter(|field| !field.custom).cloned().collect();
        Ok(Self { members: Arc::new(serde_json::from_str(&text)?), fields })
    }
}

fn parse(text: &str) -> Result<SObject, serde_json::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Describe {
        name: String,
        label: String,
        label_plural: String,
        key_prefix: Option<String>,
        custom: bool,
        createable: bool,
        updateable: bool,
        deletable: bool,
        undeletable: bool,
        replicateable: bool,
        deprecated_and_hidden: bool,
        fields: Vec<Field>,
        child_relationships: Vec<ChildRelationship>,
    }
    let mut members: Map<String, Json> = serde_json::from_str(text)?;
    let described: Describe = serde_json::from_str(text)?;
    for above in ["fields", "childRelationships"] {
        members.insert(above.to_owned(), Json::Null);
    }
    Ok(SObject {
        name: described.name,
        label: described.label,
        plural: described.label_plural,
        key_prefix: described.key_prefix,
        custom: described.custom,
        createable: described.createable,
        updateable: described.updateable,
        deletable: described.deletable,
        undeletable: described.undeletable,
        replicateable: described.replicateable,
        deprecated: described.deprecated_and_hidden,
        fields: described.fields.into(),
        children: described.child_relationships,
        members: Arc::new(members),
        modified: modified(),
        hidden: false,
        hidden_fields: BTreeSet::new(),
    })
}

/// The custom object that was recorded.
const MOULD: &str = include_str!("../../../describe/Custom__c.json");

macro_rules! describes {
    ($($name:literal)*) => {
        const DESCRIBES: &[&str] = &[$(include_str!(concat!("../../../describe/", $name, ".json"))),*];
    };
}

describes! {
    "Account" "Campaign" "Case" "Contact" "ContractLineItem" "Custom__c" "Entitlement" "Event" "Lead" "LeadHistory"
    "LiveChatTranscript" "MessagingSession" "Opportunity" "OpportunityContactRole" "OpportunityFieldHistory"
    "Organization" "PushTopic" "Quote" "QuoteLineItem" "ServiceAppointment" "ServiceContract" "StreamingChannel" "Task"
    "Topic" "User" "UserServicePresence" "WorkOrder" "WorkOrderLineItem"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing of a recorded describe is lost or spelled otherwise by being understood.
    #[test]
    fn describes_are_answered_as_they_were_recorded() {
        for (text, object) in DESCRIBES.iter().zip(&BuiltIn::get().unwrap().objects) {
            let recorded: Json = serde_json::from_str(text).unwrap();
            let recorded =
                recorded.to_string().replace("/vXX.X/", "/v62.0/").replace("https://INSTANCE", "http://HOST");
            assert!(object.describe("62.0", "http://HOST") == recorded, "{}", object.name);
        }
    }
}
