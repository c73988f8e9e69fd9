//! Objects that say they are queryable and resist a plain query. Found by those who tried: Salesforce has no flag for them.

use salesforce_client::SObjectName;

/// Queries of these must filter by certain fields, for single records.
const NEED_FILTERS: [&str; 28] = [
    "Announcement",
    "AppTabMember",
    "CollaborationGroupRecord",
    "ColorDefinition",
    "ContentDocumentLink",
    "ContentFolderItem",
    "ContentFolderMember",
    "DataStatistics",
    "EntityParticle",
    "FieldDefinition",
    "FieldHistoryArchive",
    "FlexQueueItem",
    "FlowVariableView",
    "FlowVersionView",
    "IconDefinition",
    "IdeaComment",
    "NetworkUserHistoryRecent",
    "OwnerChangeOptionInfo",
    "PicklistValueInfo",
    "PlatformAction",
    "RecordActionHistory",
    "RelationshipDomain",
    "RelationshipInfo",
    "SearchLayout",
    "SiteDetail",
    "UserEntityAccess",
    "UserFieldAccess",
    "Vote",
];

/// These cannot be queried at all, whatever their describe says.
const UNQUERYABLE: [&str; 23] = [
    "ActivityHistory",
    "AggregateResult",
    "AttachedContentDocument",
    "AttachedContentNote",
    "CombinedAttachment",
    "ContentBody",
    "DataType",
    "EmailStatus",
    "FeedLike",
    "FeedSignal",
    "FeedTrackedChange",
    "FolderedContentDocument",
    "ListViewChartInstance",
    "LookedUpFromActivity",
    "Name",
    "NoteAndAttachment",
    "OpenActivity",
    "OutgoingEmail",
    "OutgoingEmailRelation",
    "OwnedContentDocument",
    "ProcessInstanceHistory",
    "QuoteTemplateRichTextData",
    "UserRecordAccess",
];

/// Why an object cannot be read as a whole, if it cannot.
pub fn demand(object: &SObjectName) -> Option<&'static str> {
    let among = |names: &[&str]| names.iter().any(|name| object.same_as(name));
    if among(&NEED_FILTERS) {
        Some(
            "Salesforce answers queries of this object only with a filter for single records, so it cannot be captured as a whole; remove the binding",
        )
    } else if among(&UNQUERYABLE) {
        Some("Salesforce answers no queries of this object, whatever it says of it; remove the binding")
    } else if object.as_str().ends_with("__b") {
        Some(
            "big objects can be queried by their index only, so they cannot be captured as a whole; remove the binding",
        )
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_that_resist_are_told_from_their_likes() {
        let demand = |name: &str| demand(&name.parse().unwrap());
        for (name, says) in [
            ("ContentDocumentLink", "only with a filter"),
            ("vote", "only with a filter"),
            ("ActivityHistory", "no queries"),
            ("Readings__b", "big objects"),
        ] {
            assert!(demand(name).is_some_and(|why| why.contains(says)), "{name}");
        }
        for name in ["ContentDocument", "Vote__c", "LeadHistory", "OpportunityFieldHistory", "User"] {
            assert_eq!(demand(name), None, "{name}");
        }
    }
}
