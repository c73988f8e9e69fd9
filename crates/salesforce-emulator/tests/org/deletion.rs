//! What a deletion does to others.

use reqwest::Method;
use salesforce_emulator::org::Id;
use salesforce_emulator::{Config, LookupsToDeleted, Settings};
use serde_json::{Value as Json, json};

use crate::client::{Client, still};
use crate::lookups::parts;
use crate::streaming::{Subscriber, kinds};

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

#[tokio::test]
async fn what_others_need_stays() {
    let client = parts().await;
    let account = client.create("Account", json!({"Name": "Acme"})).await;
    let contact = client
        .create("Contact", json!({"Salutation": "Mr.", "FirstName": "Josh", "LastName": "Davis", "AccountId": account}))
        .await;
    let case = client.create("Case", json!({"ContactId": contact})).await;
    let path = "/services/data/v62.0/sobjects";
    let mut answers = Vec::new();
    // A child that has to go along keeps its parent by being kept itself.
    for path in [format!("{path}/Contact/{contact}"), format!("{path}/Account/{account}")] {
        answers.push(client.shown(&client.call(Method::DELETE, &path, None).await));
    }
    assert_eq!(client.query("SELECT COUNT() FROM Contact").await.json()["totalSize"], 1);
    client.delete("Case", &case).await;
    let part = client.create("Part__c", json!({"Name": "Bolt", "Needed__c": contact})).await;
    answers.push(client.shown(&client.call(Method::DELETE, &format!("{path}/Contact/{contact}"), None).await));
    client.delete("Part__c", &part).await;
    client.delete("Account", &account).await;
    insta::assert_snapshot!(answers.join("\n"));
}

/// Which lookups come back with their record, and what is told of it.
#[tokio::test]
async fn lookups_are_emptied_and_filled_again() {
    let client = parts().await;
    let topic = json!({"Name": "P", "Query": "SELECT Id FROM Part__c", "ApiVersion": 62.0, "NotifyForFields": "All"});
    client.create("PushTopic", topic).await;
    let needed = client.create("Contact", json!({"LastName": "x"})).await;
    let account = client.create("Account", json!({"Name": "a"})).await;
    let other = client.create("Account", json!({"Name": "b"})).await;
    let mut parts = Vec::new();
    for _ in 0..2 {
        parts
            .push(client.create("Part__c", json!({"Maker__c": account, "Any__c": account, "Needed__c": needed})).await);
    }
    let child = client.create("Account", json!({"Name": "c", "ParentId": account})).await;
    let order = client.create("WorkOrder", json!({"AccountId": account})).await;
    let now = async || {
        let part = client.query("SELECT Maker__r.Name, Any__c, SystemModstamp FROM Part__c ORDER BY Id").await.json();
        let maker = |at: usize| part["records"][at]["Maker__r"]["Name"].clone();
        let account = client.get(&format!("/services/data/v62.0/sobjects/Account/{child}")).await.json();
        let order = client.get(&format!("/services/data/v62.0/sobjects/WorkOrder/{order}")).await.json();
        let stamp = part["records"][0]["SystemModstamp"].as_str().unwrap()[11..19].to_owned();
        (maker(0), maker(1), !account["ParentId"].is_null(), !order["AccountId"].is_null(), stamp)
    };
    let a = || json!("a");
    assert_eq!(now().await, (a(), a(), true, true, "00:00:00".to_owned()));
    client.emulator.org().advance(std::time::Duration::from_secs(5)).unwrap();
    client.delete("Account", &account).await;
    assert_eq!(now().await, (Json::Null, Json::Null, false, false, "00:00:05".to_owned()));
    client.update("Part__c", &parts[1], json!({"Maker__c": other})).await;
    client.emulator.org().undelete("Account", id(&account)).unwrap();
    assert_eq!(now().await, (a(), json!("b"), true, false, "00:00:05".to_owned()));
    let mut subscriber = Subscriber::connect(&client).await;
    assert_eq!(kinds(&subscriber.subscribe("/topic/P", -2).await), ["created", "created", "updated"]);
}

#[tokio::test]
async fn what_becomes_of_lookups_is_a_setting() {
    for (kept, maker, stamp) in [
        (LookupsToDeleted::Kept, true, "00:00:00"),
        (LookupsToDeleted::Emptied, false, "00:00:05"),
        (LookupsToDeleted::EmptiedSilently, false, "00:00:00"),
    ] {
        let settings = Settings { lookups_to_deleted: kept, ..still() };
        let client = Client::with(Config { settings, ..Config::default() }).await;
        let account = client.create("Account", json!({"Name": "a"})).await;
        let child = client.create("Account", json!({"Name": "c", "ParentId": account})).await;
        client.emulator.org().advance(std::time::Duration::from_secs(5)).unwrap();
        client.delete("Account", &account).await;
        let read = client.get(&format!("/services/data/v62.0/sobjects/Account/{child}")).await.json();
        let told = (!read["ParentId"].is_null(), &read["SystemModstamp"].as_str().unwrap()[11..19]);
        assert_eq!(told, (maker, stamp), "{kept:?}");
    }
}

#[tokio::test]
async fn hard_deletes() {
    let client = Client::new().await;
    let topic = json!({"Name": "A", "Query": "SELECT Id FROM Account", "ApiVersion": 62.0});
    client.create("PushTopic", topic).await;
    let account = client.create("Account", json!({"Name": "a"})).await;
    let child = client.create("Account", json!({"Name": "c", "ParentId": account})).await;
    client.create("Contact", json!({"LastName": "x", "AccountId": account})).await;
    let gone = client.create("Account", json!({"Name": "gone"})).await;
    client.delete("Account", &gone).await;
    let org = client.emulator.org();
    let count = async |soql: &str| client.query_all(soql).await.json()["totalSize"].clone();
    // From where it is, with what goes along; its lookups are emptied for good.
    org.transaction(|transaction| transaction.hard_delete("Account", id(&account))).unwrap();
    assert_eq!(count("SELECT COUNT() FROM Contact").await, 0);
    assert_eq!(count(&format!("SELECT COUNT() FROM Account WHERE Id = '{account}'")).await, 0);
    let read = client.get(&format!("/services/data/v62.0/sobjects/Account/{child}")).await.json();
    assert_eq!(read["ParentId"], Json::Null);
    // From the recycle bin, over the wire.
    let purge = |id: &str| format!("/__emulator/recycle_bin/{id}");
    assert_eq!(client.call(Method::DELETE, &purge(&gone), None).await.status, 204);
    assert_eq!(client.call(Method::DELETE, &purge(&gone), None).await.status, 404);
    assert_eq!(client.call(Method::DELETE, &purge(&child), None).await.status, 404);
    assert_eq!(client.call(Method::DELETE, &purge("x"), None).await.status, 400);
    assert_eq!(count("SELECT COUNT() FROM Account").await, 1);
    // The delete log does not know them, and neither does any event.
    org.advance(std::time::Duration::from_secs(600)).unwrap();
    let client = client.renewed().await;
    let (start, end) = ("2026-01-01T00:00:00Z", "2026-01-01T00:10:00Z");
    let log = crate::replication::ask(&client, "Account/deleted", start, end).await.json();
    assert_eq!(log["deletedRecords"], json!([]));
    let mut subscriber = Subscriber::connect(&client).await;
    assert_eq!(kinds(&subscriber.subscribe("/topic/A", -2).await), ["created", "created", "created", "deleted"]);
    let late = client.emulator.org().begin_late();
    let refused = late.write(|transaction| transaction.hard_delete("Account", id(&child)));
    assert_eq!(refused.unwrap_err().code, "NOT_IMITATED");
}
