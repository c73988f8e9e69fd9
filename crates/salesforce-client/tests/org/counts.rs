//! About how many records objects have.

use salesforce_client::SObjectName;
use serde_json::json;

use crate::server::{Seen, Server, json};

const COUNTS: &str = "/services/data/v62.0/limits/recordCount";

/// Names go together as long as they fit into a URL; what the org has not counted is missing.
#[tokio::test]
async fn hundreds_of_objects_are_counted_in_few_calls() {
    let counted = |seen: &Seen| {
        let names = seen.query.as_deref().and_then(|query| query.strip_prefix("sObjects=")).unwrap_or_default();
        let known = names.split(',').filter(|name| !name.ends_with("7__c"));
        known.map(|name| json!({ "name": name, "count": name.len() })).collect::<Vec<_>>()
    };
    let server = Server::granting(move |seen| json(200, &json!({ "sObjects": counted(&seen) }))).await;
    let objects: Vec<SObjectName> = (0..250).map(|n| format!("X{n}__c").parse().expect("a name")).collect();
    let counts = server.org().record_counts(&objects).await.expect("counts");
    assert_eq!(counts.len(), 225);
    assert_eq!((counts.get("X0__c"), counts.get("X249__c"), counts.get("X17__c")), (Some(&5), Some(&7), None));
    assert_eq!(server.count(COUNTS), 2);
    assert_eq!(server.org().record_counts(&[]).await.expect("no counts").len(), 0);
    assert_eq!(server.count(COUNTS), 2, "nothing is asked for nothing");
}
