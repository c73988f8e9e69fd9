//! References by lookup, held against the objects that they lead to: a field that cannot tell records apart is found out before the first
//! change. Pure.

use salesforce_client::{Describe, FieldName, SObjectName};

use crate::{
    Prepared,
    prepare::{Complaint, Slot, Way},
};

/// A reference whose value is what the parent is called in a field of its own.
#[derive(Clone, Copy)]
struct Path<'a> {
    reference: &'a FieldName,
    parent: &'a SObjectName,
    by: &'a FieldName,
}

impl<'a> Path<'a> {
    fn of(slot: &'a Slot) -> Option<Path<'a>> {
        let parent = slot.column.parent.as_ref()?;
        // Only a reference that may lead to several objects says to which.
        let object = parent.object.as_ref().or(slot.field.reference_to.first())?;
        Some(Path { reference: &slot.field.name, parent: object, by: &parent.by })
    }
}

impl Prepared {
    /// The objects that are looked up, each once: [`Prepared::check_parents`] wants their describes.
    #[must_use]
    pub fn looked_up(&self) -> Vec<SObjectName> {
        let mut objects: Vec<_> = self.paths().into_iter().map(|path| path.parent.clone()).collect();
        objects.sort();
        objects.dedup();
        objects
    }

    /// What is wrong with the lookups, as far as `describes` has the objects that they lead to. One that it does not have is complained of:
    /// the user may not see it.
    #[must_use]
    pub fn check_parents(&self, describes: &[Describe]) -> Vec<Complaint> {
        let wrong = |path: &Path<'_>| {
            let Some(parent) = describes.iter().find(|describe| describe.name().same_as(path.parent.as_str())) else {
                return Some("the org has no such object, or the user may not see it");
            };
            match parent.field(path.by.as_str()) {
                None => Some("there is no such field, or the user may not see it"),
                Some(field) if !field.external_id && !field.id_lookup => Some("it is no external id"),
                Some(_) => None,
            }
        };
        let complaint = |path: Path<'_>| {
            let Path { reference, parent, by } = path;
            wrong(&path).map(|why| Complaint::LookupInVain {
                object: self.target.object.clone(),
                reference: reference.clone(),
                parent: parent.clone(),
                by: by.clone(),
                why,
            })
        };
        self.paths().into_iter().filter_map(complaint).collect()
    }

    /// By the reference's name, so that complaints have an order.
    fn paths(&self) -> Vec<Path<'_>> {
        let looked_up = self.slots.values().filter(|slot| slot.way == Way::Lookup);
        let mut paths: Vec<_> = looked_up.filter_map(Path::of).collect();
        paths.sort_by_key(|path| path.reference);
        paths
    }
}

#[cfg(test)]
mod tests {
    use crate::{Lookup, MatchBy, References, Target};

    use super::*;

    fn describe(text: &str) -> Describe {
        serde_json::from_str(text).expect("a describe")
    }

    #[test]
    fn lookups_that_lead_nowhere() {
        let child = describe(
            r#"{"name":"Contact","createable":true,"updateable":true,"deletable":true,"fields":[{"name":"Id","type":"id"},
            {"name":"AccountId","type":"reference","relationshipName":"Account","referenceTo":["Account"],"createable":true,"updateable":true},
            {"name":"OwnerId","type":"reference","relationshipName":"Owner","referenceTo":["User","Group"],"createable":true,"updateable":true}]}"#,
        );
        let parents = [
            describe(
                r#"{"name":"Account","fields":[{"name":"Ext__c","type":"string","externalId":true},{"name":"Plain__c","type":"string"}]}"#,
            ),
            describe(r#"{"name":"User","fields":[{"name":"Email","type":"email","idLookup":true}]}"#),
        ];
        let mut table = String::new();
        for (reference, object, by) in [
            ("AccountId", None, "ext__C"),
            ("AccountId", None, "Plain__c"),
            ("AccountId", None, "Nothing__c"),
            ("OwnerId", Some("User"), "Email"),
            ("OwnerId", Some("Group"), "Ext__c"),
        ] {
            let lookup = Lookup {
                reference: reference.parse().unwrap(),
                object: object.map(|object| object.parse().unwrap()),
                by: by.parse().unwrap(),
            };
            let references = References { lookups: vec![lookup], ..References::default() };
            let target = Target { references, ..Target::new("Contact".parse().unwrap(), MatchBy::Id) };
            let prepared = target.prepare(&child).unwrap();
            let complaints = prepared.check_parents(&parents);
            let said = complaints.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            table += &format!("{:?} by {by}: {}\n", prepared.looked_up(), if said.is_empty() { "good" } else { &said });
        }
        insta::assert_snapshot!(table);
    }
}
