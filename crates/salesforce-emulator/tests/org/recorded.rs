//! Our replies against recorded ones: the same members, in the same order, of the same types.

use reqwest::Method;
use salesforce_emulator::org::Feature;
use salesforce_emulator::{Config, Settings};
use serde_json::{Value as Json, json};

use crate::client::{Client, still};

macro_rules! fixture {
    ($name:literal) => {
        serde_json::from_str::<Json>(include_str!(concat!("../fixtures/", $name))).unwrap()
    };
}

/// What stays of a value when the values are taken out. Null fits everything, so it is told apart.
fn shape(value: &Json) -> Json {
    match value {
        Json::Null => json!("null"),
        Json::Bool(_) => json!("boolean"),
        Json::Number(_) => json!("number"),
        Json::String(_) => json!("string"),
        Json::Array(items) => items.iter().map(shape).collect(),
        Json::Object(members) => {
            members.iter().map(|(key, value)| (key.clone(), shape(value))).collect::<serde_json::Map<_, _>>().into()
        }
    }
}

/// Keys in order, and for each whose value is there on both sides, its shape.
#[track_caller]
pub(crate) fn assert_alike(ours: &Json, theirs: &Json) {
    let (ours, theirs) = (ours.as_object().unwrap(), theirs.as_object().unwrap());
    assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
    for (key, value) in theirs {
        if !value.is_null() && !ours[key].is_null() {
            assert_eq!(shape(&ours[key]), shape(value), "{key}");
        }
    }
}

#[tokio::test]
async fn errors() {
    let client = Client::new().await;
    let get = async |path: &str| client.get(&format!("/services/data/v62.0/{path}")).await;

    let dead = client
        .send(Method::GET, "/services/data/v62.0/limits", &[("authorization", "Bearer dead")], None)
        .await
        .unwrap();
    assert_eq!((dead.status.as_u16(), dead.json()), (401, fixture!("session-expired-401.json")));

    let unknown = get("sobjects/Nothing/describe").await;
    assert_eq!((unknown.status.as_u16(), unknown.json()), (404, fixture!("describe-404.json")));

    let recorded = &fixture!("get-record-404.json")[0]["response"];
    let missing = get("sobjects/Account/0014S000007Ny26QAC").await;
    assert_eq!((missing.status.as_u16(), missing.json().to_string()), (404, recorded["body"].to_string()));

    let foreign = get("sobjects/Account/0035f00002JUZPD").await;
    let mut expected = fixture!("malformed-id.json");
    expected[0]["message"] = "Account ID: id value of incorrect type: 0035f00002JUZPD".into();
    assert_eq!((foreign.status.as_u16(), foreign.json()), (400, expected));

    let mut expected = fixture!("write-invalid-field.json");
    expected[0]["message"] = "No such column 'foo' on sobject of type Account".into();
    let body = json!({"foo": 1, "Name": "x"});
    let refused = client.call(Method::POST, "/services/data/v62.0/sobjects/Account", Some(body)).await;
    assert_eq!((refused.status.as_u16(), refused.json().to_string()), (400, expected.to_string()));

    let recorded: Json =
        serde_json::from_str(fixture!("record-count-errors.json")[0]["response"]["body"].as_str().unwrap()).unwrap();
    let refused = client.query("select count() from XYZZY").await;
    assert_eq!(
        (refused.status.as_u16(), refused.json().to_string()),
        (400, recorded["compositeResponse"][1]["body"].to_string())
    );
}

#[tokio::test]
async fn composites() {
    let client = Client::new().await;
    let ask = async |requests: Json| {
        let body = json!({"compositeRequest": requests});
        client.call(Method::POST, "/services/data/v62.0/composite", Some(body)).await.json()
    };
    let reply =
        |recorded: Json| -> Json { serde_json::from_str(recorded[0]["response"]["body"].as_str().unwrap()).unwrap() };
    let unknown = ask(json!([
        {"referenceId": "CCI__RefId__0__", "method": "GET", "url": "/services/data/v62.0/sobjects/Foo"},
    ]));
    assert_eq!(unknown.await.to_string(), reply(fixture!("composite-subrequest-404.json")).to_string());

    let counts = ask(json!([
        {"referenceId": "refAccount", "method": "GET", "url": "/services/data/v62.0/query/?q=select+count()+from+Account"},
        {"referenceId": "refXYZZY", "method": "GET", "url": "/services/data/v62.0/query/?q=select+count()+from+XYZZY"},
    ]));
    let mut recorded = reply(fixture!("record-count-errors.json"));
    recorded["compositeResponse"][0]["body"]["totalSize"] = 0.into();
    assert_eq!(counts.await.to_string(), recorded.to_string());
}

/// Collections in which one row failed, against ours with the same mistake.
#[tokio::test]
async fn rows() {
    let client = Client::new().await;
    let path = "/services/data/v62.0/composite/sobjects";
    let record = |mut fields: Json| {
        fields["attributes"] = json!({"type": "Contact"});
        fields
    };
    let made = client.create("Contact", json!({"LastName": "x"})).await;
    let other = client.create("Contact", json!({"LastName": "x"})).await;
    let records = [
        record(json!({"LastName": "Test", "id": made})),
        record(json!({"LastName": "x", "Email": "badone", "id": other})),
    ];
    let ours = client.call(Method::PATCH, path, Some(json!({"allOrNone": false, "records": records}))).await;
    let mut theirs = fixture!("collections-row-errors.json")[0]["response"]["body"].clone();
    theirs[0]["id"] = made.into();
    theirs[1]["errors"][0]["message"] = "Email: invalid email address: badone".into();
    theirs[1]["errors"][0]["fields"] = json!(["Email"]);
    assert_eq!((ours.status.as_u16(), ours.json().to_string()), (200, theirs.to_string()));

    let recorded = fixture!("collections-row-errors.json");
    let is_create = |exchange: &&Json| exchange["request"]["method"] == "POST";
    let missing = recorded.as_array().unwrap().iter().find(is_create).unwrap();
    let ours = client.call(Method::POST, path, Some(missing["request"]["body"].clone())).await;
    assert_eq!(ours.json().to_string(), missing["response"]["body"].to_string());
}

#[tokio::test]
async fn token_replies() {
    let client = Client::new().await;
    let granted = client.refresh().await.json();
    for (key, value) in fixture!("password-grant-success.json").as_object().unwrap() {
        assert_eq!(shape(&granted[key]), shape(value), "{key}");
    }
    let dead = client.grant(&[("grant_type", "refresh_token"), ("refresh_token", "x")]).await;
    assert_eq!((dead.status.as_u16(), dead.json()), (400, fixture!("error-refresh-expired.json")));
    assert!(fixture!("oauth-errors.json").as_array().unwrap().iter().any(|error| error["body"] == dead.json()));
}

#[tokio::test]
async fn identity() {
    let client = Client::new().await;
    let granted = client.refresh().await.json();
    let path = granted["id"].as_str().unwrap().strip_prefix(client.emulator.url()).unwrap().to_owned();
    let ours = client.get(&path).await.json();
    for (key, value) in fixture!("identity.json").as_object().unwrap() {
        // Their user has an address and a phone, ours has none.
        if !ours[key].is_null() && key != "urls" {
            assert_eq!(shape(&ours[key]), shape(value), "{key}");
        }
        assert!(ours.get(key).is_some(), "{key} is missing");
    }
    for key in fixture!("identity.json")["urls"].as_object().unwrap().keys() {
        assert!(ours["urls"][key].is_string(), "urls.{key} is missing");
    }
}

#[tokio::test]
async fn describe_of_account() {
    // The recorded org lacked these.
    let without = vec![Feature::Chat, Feature::Messaging, Feature::Quotes, Feature::Entitlements];
    let settings = Settings { without, ..still() };
    let client = Client::with(Config { settings, ..Config::default() }).await;
    let ours = client.get("/services/data/v48.0/sobjects/Account/describe").await.json();
    let theirs = fixture!("describe-Account.json");
    for (key, value) in theirs.as_object().unwrap() {
        match key.as_str() {
            // Only relationships to objects of this org, and this org's own address.
            "childRelationships" => {
                let relations = value.as_array().unwrap();
                assert!(ours[key].as_array().unwrap().iter().all(|relation| relations.contains(relation)));
            }
            "urls" => assert_eq!(shape(&ours[key]), shape(value)),
            "fields" => {
                for (ours, theirs) in ours[key].as_array().unwrap().iter().zip(value.as_array().unwrap()) {
                    let mut theirs = theirs.clone();
                    if theirs["name"] == "ns__LinkedAccount__c" {
                        theirs["nillable"] = true.into();
                    }
                    assert_eq!(*ours, theirs, "{}", theirs["name"]);
                }
                assert_eq!(ours[key].as_array().unwrap().len(), value.as_array().unwrap().len());
            }
            _ => assert_eq!(ours[key], *value, "{key}"),
        }
    }
}

#[tokio::test]
async fn describe_global() {
    let client = Client::new().await;
    let (ours, theirs) = (client.get("/services/data/v52.0/sobjects").await.json(), fixture!("describe-global.json"));
    assert_alike(&ours["sobjects"][0], &theirs["sobjects"][0]);
    for recorded in theirs["sobjects"].as_array().unwrap() {
        let found = ours["sobjects"].as_array().unwrap().iter().find(|object| object["name"] == recorded["name"]);
        for (key, value) in recorded.as_object().unwrap() {
            // Which resources of an object exist is told object by object; the ones named here are the same.
            if key != "urls" {
                assert_eq!(found.unwrap()[key], *value, "{}.{key}", recorded["name"]);
            }
        }
    }
}

#[tokio::test]
async fn queries_and_counts() {
    let client = Client::with_rows(&[("Account", 6)]).await;
    let recorded = fixture!("updates_task.json");
    for exchange in recorded.as_array().unwrap().iter().filter(|exchange| exchange["request"]["method"] == "GET") {
        let path = exchange["request"]["url"].as_str().unwrap().replace("vxx.0", "v62.0");
        let theirs: Json = serde_json::from_str(exchange["response"]["body"].as_str().unwrap()).unwrap();
        assert_eq!(shape(&client.get(&path).await.json()), shape(&theirs), "{path}");
    }
}

#[tokio::test]
async fn dates_in_a_query() {
    let client = Client::new().await;
    client.create("Wide__c", json!({"Date_000__c": "2025-12-16", "Name": "1"})).await;
    let theirs = &fixture!("nifi-query.json");
    let ours = client.query("SELECT Name, Date_000__c, CreatedDate FROM Wide__c").await.json();
    assert_eq!(
        ours.as_object().unwrap().keys().collect::<Vec<_>>(),
        theirs.as_object().unwrap().keys().collect::<Vec<_>>()
    );
    let (ours, theirs) = (&ours["records"][0], &theirs["records"][0]);
    assert_eq!(shape(&ours["attributes"]), shape(&theirs["attributes"]));
    assert_eq!(ours["Date_000__c"], theirs["date__c"]);
    assert_eq!(ours["CreatedDate"].as_str().unwrap().len(), theirs["datetime__c"].as_str().unwrap().len());
    assert!(
        theirs["datetime__c"].as_str().unwrap().ends_with(".000+0000")
            && ours["CreatedDate"].as_str().unwrap().ends_with(".000+0000")
    );
}

#[tokio::test]
async fn records() {
    let client = Client::new().await;
    let org = client.emulator.org();
    let organization = client.get(&format!("/services/data/v62.0/sobjects/Organization/{}", org.org_id())).await.json();
    assert_alike(&organization, &fixture!("organization-record.json"));

    // Another org's Contact has other custom fields; the standard ones keep order and types.
    let id =
        client.create("Contact", json!({"LastName": "Jones", "FirstName": "John", "Email": "x@example.com"})).await;
    let ours = client.get(&format!("/services/data/v62.0/sobjects/Contact/{id}")).await.json();
    let theirs = &fixture!("records-contact-account.json")[1]["response"]["body"];
    let standard = |record: &Json, other: &Json| -> Vec<String> {
        record.as_object().unwrap().keys().filter(|key| other.get(key.as_str()).is_some()).cloned().collect()
    };
    assert_eq!(standard(&ours, theirs), standard(theirs, &ours));
    assert!(standard(&ours, theirs).len() > 50);
    for key in
        standard(&ours, theirs).iter().filter(|key| !ours[key.as_str()].is_null() && !theirs[key.as_str()].is_null())
    {
        assert_eq!(shape(&ours[key]), shape(&theirs[key]), "{key}");
    }
    assert_eq!(ours["Name"], theirs["Name"]);
}

/// The recorded topic selected every field of Lead; ours has most of them.
#[tokio::test]
async fn push_topic_event() {
    let client = Client::new().await;
    let theirs = fixture!("pushtopic-lead-updated.json");
    let described = client.get("/services/data/v62.0/sobjects/Lead/describe").await.json();
    let known = |name: &&String| described["fields"].as_array().unwrap().iter().any(|field| field["name"] == ***name);
    let fields: Vec<String> = theirs["data"]["sobject"].as_object().unwrap().keys().filter(known).cloned().collect();
    assert!(fields.len() > 45, "{fields:?}");
    let query = format!("SELECT {} FROM Lead", fields.join(","));
    client.create("PushTopic", json!({"Name": "IncomingLeads", "Query": query, "ApiVersion": 36.0})).await;
    let body = json!({"FirstName": "Test", "LastName": "Lead", "Company": "Some Company", "Salutation": "Mr.", "Street": "adsf"});
    let id = client.create("Lead", body).await;
    client.update("Lead", &id, json!({"Title": "Testing", "Industry": "Agriculture"})).await;

    let mut streaming = crate::streaming::Subscriber::connect(&client).await;
    let events = streaming.subscribe("/topic/IncomingLeads", -2).await;
    let ours = &events[1];
    assert_eq!(
        (&ours["channel"], &ours["data"]["event"]["type"]),
        (&theirs["channel"], &theirs["data"]["event"]["type"])
    );
    assert_eq!(shape(&ours["data"]["event"]), shape(&theirs["data"]["event"]));
    let (ours, theirs) = (&ours["data"]["sobject"], &theirs["data"]["sobject"]);
    assert_eq!(ours.as_object().unwrap().len(), fields.len());
    for field in &fields {
        let (ours, theirs) = (&ours[field], &theirs[field]);
        match field.as_str() {
            "Address" => {
                let sorted = |address: &Json| {
                    address.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>()
                };
                assert_eq!(sorted(ours), sorted(theirs));
            }
            _ if !ours.is_null() && !theirs.is_null() => assert_eq!(shape(ours), shape(theirs), "{field}"),
            _ => {}
        }
    }
    assert_eq!(ours["Name"], theirs["Name"]);
    for field in ["LastModifiedDate", "CreatedDate", "SystemModstamp"] {
        assert!(ours[field].as_str().unwrap().ends_with(".000Z") && theirs[field].as_str().unwrap().ends_with(".000Z"));
    }
}
