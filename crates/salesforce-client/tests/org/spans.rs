//! Changed and deleted records of a span of time, and the org's list of limits.

use salesforce_client::{Allocation, Deleted, Updated};
use serde_json::json;

use crate::server::{Server, account, error, json, reply};

#[test]
fn real_replies() {
    let updated: Updated = serde_json::from_str(include_str!("../fixtures/query/get-updated.json")).unwrap();
    assert_eq!((updated.ids.len(), updated.ids[6].as_str()), (7, "003q000000KwYFaAAN"));
    assert_eq!(updated.covered.to_string(), "2015-08-19T08:17:00Z");

    let deleted: Deleted = serde_json::from_str(include_str!("../fixtures/query/get-deleted.json")).unwrap();
    let records: Vec<_> = deleted.records.iter().map(|(id, at)| format!("{id} {at}")).collect();
    assert_eq!(records, ["a00D0000008pQRAIA2 2013-05-07T22:07:19Z"]);
    assert_eq!(deleted.earliest.expect("a time").to_string(), "2013-05-03T15:57:00Z");
    assert_eq!(deleted.covered.to_string(), "2013-05-08T21:20:00Z");

    let unknown: Deleted =
        serde_json::from_str(r#"{"deletedRecords":[],"latestDateCovered":"2013-05-08T21:20:00.000Z","x":1}"#).unwrap();
    assert_eq!((unknown.records.len(), unknown.earliest), (0, None));
}

#[tokio::test]
async fn a_span_over_http() {
    let server = Server::granting(|seen| match seen.path.as_str() {
        "/services/data/v62.0/sobjects/Account/updated/" => {
            reply(200, "application/json", include_str!("../fixtures/query/get-updated.json"))
        }
        "/services/data/v62.0/sobjects/Account/deleted/" => {
            reply(200, "application/json", include_str!("../fixtures/query/get-deleted.json"))
        }
        _ => error(404, "NOT_FOUND", "The requested resource does not exist"),
    })
    .await;
    let org = server.org();
    let (from, until) = ("2024-01-02T03:04:05Z".parse().unwrap(), "2024-01-02T05:06:07Z".parse().unwrap());
    assert_eq!(org.updated(&account(), from, until).await.expect("ids").ids.len(), 7);
    assert_eq!(org.deleted(&account(), from, until).await.expect("ids").records.len(), 1);
    for door in ["updated", "deleted"] {
        let [seen] = &server.seen(&format!("/services/data/v62.0/sobjects/Account/{door}/"))[..] else {
            panic!("one request")
        };
        let expect = "start=2024-01-02T03%3A04%3A00%2B00%3A00&end=2024-01-02T05%3A06%3A00%2B00%3A00";
        assert_eq!(seen.query.as_deref(), Some(expect));
    }
    let unknown = "Gone__c".parse().unwrap();
    let failed = org.deleted(&unknown, from, until).await.expect_err("a refusal");
    assert!(failed.to_string().starts_with("listing deleted records of Gone__c failed: NOT_FOUND"), "{failed}");
    let failed = org.updated(&unknown, from, until).await.expect_err("a refusal");
    assert!(failed.to_string().starts_with("listing changed records of Gone__c failed: NOT_FOUND"), "{failed}");
}

#[tokio::test]
async fn limits_over_http() {
    let server = Server::granting(|seen| match seen.path.as_str() {
        "/services/data/v62.0/limits" => {
            json(200, &json!({ "DailyApiRequests": { "Max": 15000, "Remaining": 14998 } }))
        }
        _ => error(404, "NOT_FOUND", "The requested resource does not exist"),
    })
    .await;
    let limits = server.org().limits().await.expect("limits");
    assert_eq!(limits.get("DailyApiRequests"), Some(Allocation { max: 15_000, remaining: 14_998 }));
}
