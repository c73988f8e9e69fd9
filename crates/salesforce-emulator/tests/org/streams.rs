//! The objects a connector captures: each can be created, changed and deleted as far as Salesforce lets it be.

use salesforce_emulator::{Config, Mix, Workload};
use serde_json::json;

use crate::client::{Client, still};

const STREAMS: [&str; 21] = [
    "Account",
    "Contact",
    "User",
    "OpportunityFieldHistory",
    "LeadHistory",
    "Opportunity",
    "Campaign",
    "Case",
    "ContractLineItem",
    "Entitlement",
    "Lead",
    "LiveChatTranscript",
    "MessagingSession",
    "Quote",
    "QuoteLineItem",
    "ServiceAppointment",
    "ServiceContract",
    "Task",
    "UserServicePresence",
    "WorkOrder",
    "WorkOrderLineItem",
];

#[tokio::test]
async fn a_workload_changes_every_one() {
    let histories = ["OpportunityFieldHistory", "LeadHistory"];
    let parents = ["Account", "Contact", "Opportunity", "ServiceContract", "WorkOrder", "Quote"];
    let rows = parents.map(|object| (object.to_owned(), 10)).to_vec();
    let client = Client::with(Config { rows, settings: still(), ..Config::default() }).await;
    for (seed, object) in (1..).zip(STREAMS.iter().filter(|object| !histories.contains(object))) {
        let workload = Workload {
            rate: 0.0,
            seed,
            objects: vec![(*object).to_owned()],
            mix: Mix { create: 4, update: 4, delete: 2, undelete: 1, ..Mix::default() },
            total: Some(60),
            cascade: true,
            ..Workload::default()
        };
        client.emulator.start_workload(workload).unwrap();
        let report = client.emulator.finish_workload().await;
        assert_eq!(report.failure, None, "{object}");
        assert!(report.created > 0 && report.updated > 0, "{object}: {report:?}");
        let deletes = *object != "User";
        assert_eq!((report.deleted > 0, report.undeleted > 0), (deletes, deletes), "{object}: {report:?}");
    }
    for history in histories {
        let rows = client.query(&format!("SELECT Field FROM {history} WHERE Field != 'created' LIMIT 1")).await.json();
        assert_eq!(rows["totalSize"], 1, "{history}");
    }
}

/// Users are made and changed, deactivated, and never deleted.
#[tokio::test]
async fn users() {
    let client = Client::new().await;
    let body = |name: &str| {
        json!({
            "Username": format!("{name}@example.com"), "LastName": name, "Email": format!("{name}@example.com"), "Alias": name,
            "CommunityNickname": name, "TimeZoneSidKey": "Europe/Paris", "LocaleSidKey": "en_US", "EmailEncodingKey": "UTF-8",
            "ProfileId": "00e590000000001AAA", "LanguageLocaleKey": "en_US", "IsActive": true,
        })
    };
    let id = client.create("User", body("grace")).await;
    client.update("User", &id, json!({"IsActive": false, "Title": "Rear Admiral"})).await;
    let transcript = client
        .transcript(&[
            &format!("GET /services/data/v62.0/sobjects/User/{id}?fields=Name,IsActive,Title"),
            &format!("DELETE /services/data/v62.0/sobjects/User/{id}"),
            "GET /services/data/v62.0/query?q=SELECT~IsDeleted~FROM~User",
            "POST /services/data/v62.0/sobjects/User {\"LastName\":\"x\"}",
        ])
        .await;
    insta::assert_snapshot!(transcript);
}

/// An agent's presence is made by the platform, and announced.
#[tokio::test]
async fn what_only_the_platform_makes() {
    let client = Client::new().await;
    let topic = json!({"Name": "P", "Query": "SELECT Id FROM UserServicePresence", "ApiVersion": 62.0});
    client.create("PushTopic", topic).await;
    let org = client.emulator.org();
    let body = serde_json::from_value(json!({"UserId": org.user_id().as_str()})).unwrap();
    assert_eq!(org.create("UserServicePresence", &body).unwrap_err().code, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY");
    org.as_platform(|transaction| transaction.create("UserServicePresence", &body)).unwrap();
    let mut subscriber = crate::streaming::Subscriber::connect(&client).await;
    assert_eq!(crate::streaming::kinds(&subscriber.subscribe("/topic/P", -2).await), ["created"]);
}
