//! Every type of field: what a client writes, what it reads by REST, and what an event carries.

use reqwest::{Method, StatusCode};
use serde_json::{Value as Json, json};

use crate::client::Client;
use crate::streaming::Subscriber;

/// Field of `Wide__c`, what is written, what REST and events say. Of what a topic cannot select there is no event.
fn every_type() -> Vec<(&'static str, Json, Json, Option<Json>)> {
    let same = |field, value: Json| (field, value.clone(), value.clone(), Some(value));
    let read = |field, written: Json, rest: Json, event: Json| (field, written, rest, Some(event));
    vec![
        same("Text_000__c", json!("Zoë")),
        same("Flag_000__c", json!(true)),
        same("Date_000__c", json!("2024-01-02")),
        read("Number_000__c", json!("3"), json!(3.0), json!(3.0)),
        same("Any__c", json!("text")),
        same("Category__c", json!("Products")),
        same("Choice__c", json!("Green")),
        // The order of the picklist, not that of the writing.
        read("Choices__c", json!("Blue;Red"), json!("Red;Blue"), json!("Red;Blue")),
        same("Code__c", json!("K-1")),
        same("Combo__c", json!("Violet")),
        same("Count__c", json!(41)),
        read("Hour__c", json!("03:04:05.000Z"), json!("03:04:05.000Z"), json!("03:04:05.000Z")),
        same("Huge__c", json!(9_007_199_254_740_993_i64)),
        same("Long_Text__c", json!("line\nline")),
        same("Mail__c", json!("someone@example.com")),
        read(
            "Moment__c",
            json!("2024-01-02T03:04:05Z"),
            json!("2024-01-02T03:04:05.000+0000"),
            json!("2024-01-02T03:04:05.000Z"),
        ),
        same("Note__c", json!("a note")),
        same("Phone__c", json!("+1 555 0100")),
        same("Price__c", json!(15000.0)),
        same("Rich_Text__c", json!("<b>bold</b>")),
        same("Share__c", json!(12.5)),
        same("Site__c", json!("https://example.com")),
        same("Strict__c", json!("Red")),
        // Masked for who has no permission to see it.
        read("Card__c", json!("5500000000001234"), json!("XXXXXXXXXXXX1234"), json!("XXXXXXXXXXXX1234")),
        read("Secret__c", json!("hush"), json!("XXXX"), json!("XXXX")),
        same("Place__Latitude__s", json!(1.5)),
        same("Place__Longitude__s", json!(2.5)),
        same("Postal__City__s", json!("Wien")),
        same("Postal__CountryCode__s", json!("AT")),
    ]
}

#[tokio::test]
async fn every_type_by_rest_and_in_events() {
    let client = Client::new().await;
    let types = every_type();
    // The values of a topic's query are bounded, so there are several.
    for (number, chunk) in types.chunks(12).enumerate() {
        let names: Vec<&str> = chunk.iter().map(|(name, ..)| *name).collect();
        let query = format!("SELECT Id, Place__c, Postal__c, Sum__c, {} FROM Wide__c", names.join(", "));
        let topic = json!({"Name": format!("T{number}"), "Query": query, "ApiVersion": 62.0, "NotifyForFields": "All"});
        client.create("PushTopic", topic).await;
    }
    let mut body: serde_json::Map<String, Json> =
        types.iter().map(|(name, written, ..)| ((*name).to_owned(), written.clone())).collect();
    body.insert("Attachment__c".to_owned(), json!("aGVsbG8="));
    let id = client.create("Wide__c", body.into()).await;
    let path = format!("/services/data/v62.0/sobjects/Wide__c/{id}");
    let record = client.get(&path).await.json();
    let mut events = serde_json::Map::new();
    let mut listener = Subscriber::connect(&client).await;
    for number in 0..types.len().div_ceil(12) {
        for event in listener.subscribe(&format!("/topic/T{number}"), -2).await {
            events.extend(event["data"]["sobject"].as_object().unwrap().clone());
        }
    }
    for (name, _, rest, event) in &types {
        assert_eq!(record[name], *rest, "{name} by REST");
        assert_eq!(events.get(*name), event.as_ref(), "{name} in an event");
    }
    // Compounds, a formula, and content that is read at an address of its own.
    assert_eq!(record["Place__c"], json!({"latitude": 1.5, "longitude": 2.5}));
    assert_eq!(events["Place__c"], json!({"Latitude": 1.5, "Longitude": 2.5}));
    let postal = json!({
        "city": "Wien", "country": "AT", "countryCode": "AT", "geocodeAccuracy": null, "latitude": null, "longitude": null,
        "postalCode": null, "state": null, "stateCode": null, "street": null,
    });
    assert_eq!(record["Postal__c"], postal);
    assert_eq!(events["Postal__c"]["CountryCode"], "AT");
    assert_eq!((&record["Sum__c"], &events["Sum__c"]), (&json!(3.0), &json!(3.0)));
    assert_eq!(record["Attachment__c"], format!("{path}/Attachment__c"));
    let content = client.get(record["Attachment__c"].as_str().unwrap()).await;
    assert_eq!(
        (content.text.as_str(), &content.headers["content-type"]),
        ("hello", &"application/octet-stream".parse().unwrap())
    );
}

#[tokio::test]
async fn nothing_is_null() {
    let client = Client::new().await;
    let id = client.create("Wide__c", json!({})).await;
    let record = client.get(&format!("/services/data/v62.0/sobjects/Wide__c/{id}")).await.json();
    for (name, ..) in every_type() {
        let nothing = if name == "Flag_000__c" { json!(false) } else { Json::Null };
        assert_eq!(record[name], nothing, "{name}");
    }
    assert_eq!((&record["Place__c"], &record["Postal__c"]), (&Json::Null, &Json::Null));
    assert_eq!(
        (&record["Attachment__c"], &record["Sum__c"]),
        (&Json::Null, &json!(0.0)),
        "blank numbers count as zero"
    );
    let missing = client.get(&format!("/services/data/v62.0/sobjects/Wide__c/{id}/Attachment__c")).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    // One part of a location is enough for it not to be null.
    client.update("Wide__c", &id, json!({"Place__Latitude__s": 7})).await;
    let record = client.get(&format!("/services/data/v62.0/sobjects/Wide__c/{id}")).await.json();
    assert_eq!(record["Place__c"], json!({"latitude": 7.0, "longitude": null}));
}

/// `Wide__c` describes at least one field of every type there is.
#[tokio::test]
async fn every_type_is_described() {
    let client = Client::new().await;
    let describe = client.get("/services/data/v62.0/sobjects/Wide__c/describe").await.json();
    let fields = describe["fields"].as_array().unwrap();
    assert_eq!(fields.iter().filter(|field| field["custom"] == true).count(), 300);
    let all = [
        "id",
        "reference",
        "string",
        "textarea",
        "url",
        "email",
        "phone",
        "picklist",
        "multipicklist",
        "combobox",
        "encryptedstring",
        "datacategorygroupreference",
        "boolean",
        "int",
        "long",
        "double",
        "currency",
        "percent",
        "date",
        "datetime",
        "time",
        "address",
        "location",
        "base64",
        "anyType",
    ];
    for kind in all {
        assert!(fields.iter().any(|field| field["type"] == kind), "no field of type {kind}");
    }
}

#[tokio::test]
async fn what_types_do_not_allow() {
    let client = Client::new().await;
    let topic = |query: &str| json!({"Name": "T", "Query": query, "ApiVersion": 62.0});
    for (query, message) in [
        ("SELECT Id, Attachment__c FROM Wide__c", "field 'Attachment__c' is not supported in a push topic"),
        ("SELECT Id FROM Wide__c WHERE Sum__c > 1", "field 'Sum__c' can not be filtered in a query call"),
        ("SELECT Id FROM Wide__c WHERE Note__c = 'x'", "field 'Note__c' can not be filtered in a query call"),
    ] {
        let answer = client.call(Method::POST, "/services/data/v62.0/sobjects/PushTopic", Some(topic(query))).await;
        assert_eq!(answer.json()[0]["message"], message);
    }
    for (soql, answers) in [
        ("SELECT Id FROM Wide__c WHERE Sum__c > 1 ORDER BY Sum__c", true),
        ("SELECT Id FROM Wide__c WHERE Place__Latitude__s > 1", true),
        ("SELECT Id FROM Wide__c WHERE Place__c != null", false),
        ("SELECT Id FROM Wide__c WHERE Card__c = '5500000000001234'", false),
        ("SELECT Id FROM Wide__c ORDER BY Card__c", false),
        ("SELECT Id FROM Wide__c WHERE Attachment__c != null", false),
        ("SELECT Id FROM Wide__c WHERE Any__c = 'text'", false),
        ("SELECT Id FROM Wide__c WHERE Long_Text__c = 'x'", false),
    ] {
        let answer = client.query(soql).await;
        assert_eq!(answer.status == StatusCode::OK, answers, "{soql}: {}", answer.text);
    }
    let refused =
        client.call(Method::POST, "/services/data/v62.0/sobjects/Wide__c", Some(json!({"Attachment__c": "?"}))).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.text);
}

#[tokio::test]
async fn restricted_picklists_refuse_each_wrong_value() {
    let client = Client::new().await;
    let restrict = json!({"change_picklist": {"object": "Wide__c", "field": "Choices__c", "restricted": true}});
    assert_eq!(client.call(Method::POST, "/__emulator/schema", Some(restrict)).await.status, StatusCode::NO_CONTENT);
    for (field, value, code) in [
        ("Choices__c", "Red;Blue", None),
        ("Choices__c", "Red;Violet", Some("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST")),
        ("Strict__c", "Red", None),
        ("Strict__c", "Red;Blue", Some("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST")),
        ("Choice__c", "Violet", None),
    ] {
        let body = json!({field: value});
        let answer = client.call(Method::POST, "/services/data/v62.0/sobjects/Wide__c", Some(body)).await;
        assert_eq!(answer.json()[0]["errorCode"].as_str(), code, "{field}: {value}");
    }
}

#[tokio::test]
async fn attachments() {
    let client = Client::new().await;
    let account = client.create("Account", json!({"Name": "Acme"})).await;
    let id = client.create("Attachment", json!({"ParentId": account, "Name": "a.txt", "Body": "aGVsbG8="})).await;
    let record = client.query("SELECT Id, BodyLength, Body FROM Attachment").await.json()["records"][0].clone();
    let path = format!("/services/data/v62.0/sobjects/Attachment/{id}/Body");
    assert_eq!((&record["BodyLength"], &record["Body"]), (&json!(5), &json!(path)));
    assert_eq!(client.get(&path).await.text, "hello");
    client.delete("Account", &account).await;
    assert_eq!(client.get(&path).await.status, StatusCode::NOT_FOUND, "it goes with its parent");
}
