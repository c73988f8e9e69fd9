//! Which streams an org offers: one global describe, whatever the size of the org.

use flow_protocol::capture::DiscoveredBinding;
use salesforce_client::{GlobalDescribe, Org, SObjectSummary};
use serde_json::json;

use crate::{error::Error, resisting, schema};

/// The standard objects that PushTopic streams: all that the published connector documents but [`POLLED`].
const STREAMED: [&str; 18] = [
    "Account",
    "Campaign",
    "Case",
    "Contact",
    "ContractLineItem",
    "Entitlement",
    "Lead",
    "LiveChatTranscript",
    "MessagingSession",
    "Opportunity",
    "Quote",
    "QuoteLineItem",
    "ServiceAppointment",
    "ServiceContract",
    "Task",
    "UserServicePresence",
    "WorkOrder",
    "WorkOrderLineItem",
];

/// The objects that the published connector documents and PushTopic does not stream.
const POLLED: [&str; 3] = ["LeadHistory", "OpportunityFieldHistory", "User"];

/// Asks the org for its objects and proposes a binding for each that can be read as a whole: documented and custom objects
/// enabled, all others disabled.
///
/// # Errors
/// When the answer is not complete: a partial one would drop the bindings it lacks.
pub async fn discover(org: &Org) -> Result<Vec<DiscoveredBinding>, Error> {
    Ok(propose(&org.describe_global().await?))
}

/// The bindings for the objects of a global describe, sorted by name.
pub fn propose(objects: &GlobalDescribe) -> Vec<DiscoveredBinding> {
    let mut bindings: Vec<_> = objects
        .sobjects
        .iter()
        .filter(|object| object.queryable && !object.deprecated_and_hidden && resisting::demand(&object.name).is_none())
        .map(binding)
        .collect();
    bindings.sort_by(|a, b| a.recommended_name.cmp(&b.recommended_name));
    bindings
}

fn binding(object: &SObjectSummary) -> DiscoveredBinding {
    let name = object.name.as_str();
    DiscoveredBinding {
        recommended_name: name.into(),
        resource_config: json!({ "stream": name }),
        document_schema: schema::document(),
        key: vec!["/Id".into()],
        disable: !is_streamable(object) && !POLLED.contains(&name),
        resource_path: vec![name.into()],
        is_fallback_key: false,
    }
}

/// Whether PushTopic streams the object: the standard objects above and all custom objects.
pub fn is_streamable(object: &SObjectSummary) -> bool {
    let name = object.name.as_str();
    let is_custom = object.custom && !object.custom_setting && name.ends_with("__c");
    is_custom || STREAMED.contains(&name)
}
