//! Profiles and permission sets, as clients see them.

use reqwest::Method;
use serde_json::{Value as Json, json};

use crate::client::Client;
use crate::streaming::Subscriber;
use crate::users::{administer, user};

async fn grant(client: &Client, set: Json) {
    let answer = administer(client, "permission_sets", set).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

/// A user of a profile that grants so much, and their session.
async fn ben(client: &Client, profile: Json) -> String {
    let mut profile = profile;
    (profile["name"], profile["profile"]) = ("Sales".into(), true.into());
    profile["permissions"] = json!(["api_enabled"]);
    grant(client, profile).await;
    user(client, json!({"username": "ben@example.com", "profile": "Sales"})).await.1
}

#[tokio::test]
async fn objects_and_fields_that_are_not_there() {
    let client = Client::new().await;
    let lead = client.create("Lead", json!({"LastName": "x", "Company": "y", "Email": "x@example.com"})).await;
    let account = client.create("Account", json!({"Name": "a"})).await;
    let objects = json!({"Lead": ["edit", "create"], "Account": [], "Contact": ["read"]});
    let fields = json!({"Lead.*": ["edit"], "Lead.Email": [], "Lead.Phone": ["read"]});
    let token = ben(&client, json!({"objects": objects, "fields": fields})).await;
    let global = client.call_as(&token, Method::GET, "/services/data/v62.0/sobjects", None).await.json();
    let names: Vec<&str> =
        global["sobjects"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Contact", "Lead", "LeadHistory", "Organization", "User"]);
    let lines = [
        "GET /sobjects/Account/describe".to_owned(),
        format!("GET /sobjects/Account/{account}"),
        "GET /query?q=SELECT~Id~FROM~Account".to_owned(),
        "POST /sobjects/Account {\"Name\": \"b\"}".to_owned(),
        "GET /query?q=SELECT~Email~FROM~Lead".to_owned(),
        "GET /query?q=SELECT~Id~FROM~Lead~WHERE~Email~=~null".to_owned(),
        "GET /query?q=SELECT~LastName,~Phone~FROM~Lead".to_owned(),
        "POST /sobjects/Lead {\"LastName\": \"x\", \"Company\": \"y\", \"Email\": \"z@example.com\"}".to_owned(),
        "POST /sobjects/Lead {\"LastName\": \"x\", \"Company\": \"y\", \"Phone\": \"1\"}".to_owned(),
        format!("PATCH /sobjects/Lead/{lead} {{\"Phone\": \"1\"}}"),
        format!("PATCH /sobjects/Lead/{lead} {{\"Title\": \"Dr\"}}"),
        format!("DELETE /sobjects/Lead/{lead}"),
        "POST /sobjects/Contact {\"LastName\": \"c\"}".to_owned(),
        "POST /sobjects/User {\"LastName\": \"c\"}".to_owned(),
        format!("GET /composite/sobjects/Lead?ids={lead}&fields=Id,Email"),
        "POST /composite/sobjects {\"records\": [{\"attributes\": {\"type\": \"Account\"}, \"Name\": \"b\"}, {\"attributes\": {\"type\": \"Contact\"}, \"LastName\": \"b\"}]}".to_owned(),
        "GET /limits/recordCount?sObjects=Account,Lead".to_owned(),
    ];
    let told = client.told(&token, &lines).await;
    insta::assert_snapshot!(told.replace(&lead, "LEAD").replace(&account, "ACCOUNT"));
    let all =
        client.call_as(&token, Method::GET, &format!("/services/data/v62.0/sobjects/Lead/{lead}"), None).await.json();
    assert_eq!((all.get("Email"), &all["Title"]), (None, &json!("Dr")));
}

/// What describes say of an object, by what a user was granted.
#[tokio::test]
async fn described_flags() {
    let client = Client::new().await;
    let token = ben(&client, json!({})).await;
    let mut rows = Vec::new();
    for (objects, fields) in [
        (json!(["read"]), json!({})),
        (json!(["create"]), json!({"Lead.Email": ["read"]})),
        (json!(["edit"]), json!({"Lead.Email": ["edit"]})),
        (json!(["delete"]), json!({"*": ["read"]})),
        (json!(["modify_all"]), json!({"Lead.*": ["edit"], "Lead.Address": []})),
    ] {
        let row = format!("{objects} {fields}");
        grant(&client, json!({"name": "Sales", "objects": {"Lead": objects}, "fields": fields})).await;
        let lead =
            client.call_as(&token, Method::GET, "/services/data/v62.0/sobjects/Lead/describe", None).await.json();
        let flags: Vec<&str> = ["createable", "updateable", "deletable", "undeletable"]
            .into_iter()
            .filter(|flag| lead[flag].as_bool().unwrap())
            .collect();
        let field = |name: &str| {
            let fields = lead["fields"].as_array().unwrap();
            let found = fields.iter().find(|field| field["name"] == name)?;
            Some(format!("createable {} updateable {}", found["createable"], found["updateable"]))
        };
        let shown =
            ["LastName", "Email", "Address", "City"].map(|name| format!("{name}: {}", field(name).unwrap_or_default()));
        rows.push(format!("{row}\n  {}\n  {}", flags.join(" "), shown.join(", ")));
    }
    insta::assert_snapshot!(rows.join("\n"));
}

/// A permission set adds to a profile, and conditional requests notice.
#[tokio::test]
async fn describes_date_from_the_last_grant() {
    let client = Client::new().await;
    let token = ben(&client, json!({"objects": {"Lead": ["read"]}})).await;
    let describe = async |tag: Option<&str>| {
        let authorization = format!("Bearer {token}");
        let headers: Vec<(&str, &str)> = [("authorization", authorization.as_str())]
            .into_iter()
            .chain(tag.map(|tag| ("if-none-match", tag)))
            .collect();
        client.send(Method::GET, "/services/data/v62.0/sobjects/Lead/describe", &headers, None).await.unwrap()
    };
    let tag = |answer: &crate::client::Answer| answer.headers["etag"].to_str().unwrap().to_owned();
    let has_email = |answer: &crate::client::Answer| answer.text.contains("\"name\":\"Email\"");
    let first = describe(None).await;
    assert!(!has_email(&first));
    assert_eq!(describe(Some(&tag(&first))).await.status, 304);

    grant(&client, json!({"name": "Mail", "fields": {"lead.email": ["read"]}})).await;
    administer(&client, "users", json!({"username": "ben@example.com", "permission_sets": ["Mail"]})).await;
    let second = describe(Some(&tag(&first))).await;
    assert!(second.status == 200 && has_email(&second));
    administer(&client, "users", json!({"username": "ben@example.com", "permission_sets": []})).await;
    let third = describe(Some(&tag(&second))).await;
    assert!(third.status == 200 && !has_email(&third));
}

#[tokio::test]
async fn the_api_is_a_permission_too() {
    let client = Client::new().await;
    let token = ben(&client, json!({})).await;
    let words = async || client.told(&token, &["GET /limits".to_owned()]).await.lines().nth(1).unwrap().to_owned();
    assert!(words().await.starts_with("  200"));
    grant(&client, json!({"name": "Sales", "permissions": []})).await;
    insta::assert_snapshot!(words().await, @"  403 API_CURRENTLY_DISABLED: API is disabled for this User");
    grant(&client, json!({"name": "API", "permissions": ["api_enabled"]})).await;
    administer(&client, "users", json!({"username": "ben@example.com", "permission_sets": ["API"]})).await;
    assert!(words().await.starts_with("  200"));
}

/// Migrations may say who made a record, and when.
#[tokio::test]
async fn audit_fields_may_be_given_by_permission() {
    let client = Client::new().await;
    let record = json!({
        "LastName": "x", "Company": "y", "CreatedDate": "2020-02-02T02:02:02Z", "LastModifiedDate": "2021-01-01T00:00:00Z",
    });
    let post = async || client.call(Method::POST, "/services/data/v62.0/sobjects/Lead", Some(record.clone())).await;
    assert_eq!(post().await.json()[0]["errorCode"], "INVALID_FIELD_FOR_INSERT_UPDATE");
    grant(&client, json!({"name": "Migration", "permissions": ["set_audit_fields"]})).await;
    administer(&client, "users", json!({"permission_sets": ["Migration"]})).await;
    let id = post().await.json()["id"].as_str().unwrap().to_owned();
    let fields = "CreatedDate,LastModifiedDate,SystemModstamp";
    let read = client.get(&format!("/services/data/v62.0/sobjects/Lead/{id}?fields={fields}")).await.json();
    let dates = json!([read["CreatedDate"], read["LastModifiedDate"], read["SystemModstamp"]]);
    let expected =
        json!(["2020-02-02T02:02:02.000+0000", "2021-01-01T00:00:00.000+0000", "2026-01-01T00:00:00.000+0000"]);
    assert_eq!(dates, expected);
}

#[tokio::test]
async fn topics_by_permission() {
    let client = Client::new().await;
    let topic =
        |name: &str, query: &str| json!({"Name": name, "Query": query, "ApiVersion": 62.0, "NotifyForFields": "All"});
    client.create("PushTopic", topic("Leads", "SELECT Id, LastName, Email, AnnualRevenue FROM Lead")).await;
    client.create("PushTopic", topic("Mails", "SELECT Id FROM Lead WHERE Email != null")).await;
    let token = ben(&client, json!({})).await;
    let mut ears = Subscriber::connect_as(&client, &token).await;
    let read = json!({"Lead": ["read"], "PushTopic": ["read"]});
    for (objects, fields, leads, mails) in [
        (
            json!({"Lead": ["read"]}),
            json!({"*": ["edit"]}),
            "403::User not enabled for streaming",
            "403::User not enabled for streaming",
        ),
        (
            json!({"PushTopic": ["read"]}),
            json!({"*": ["edit"]}),
            "403::Subscriber does not have access to the entity in this topic",
            "403::Subscriber does not have access to the entity in this topic",
        ),
        (
            read.clone(),
            json!({"Lead.AnnualRevenue": ["read"]}),
            "",
            "403::Subscriber does not have access to all fields referenced in the where clause of the PushTopic",
        ),
        (read, json!({"Lead.Email": ["read"]}), "", ""),
    ] {
        grant(&client, json!({"name": "Sales", "objects": objects, "fields": fields})).await;
        for (channel, expected) in [("/topic/Leads", leads), ("/topic/Mails", mails)] {
            let reply = ears.try_subscribe(channel, -1).await;
            let reply = reply.iter().find(|message| message["channel"] == "/meta/subscribe").unwrap();
            assert_eq!(reply["error"].as_str().unwrap_or_default(), expected, "{objects} {fields} {channel}");
        }
    }
    // Fields are cut from what is delivered; the administrator hears everything.
    let id =
        client.create("Lead", json!({"LastName": "x", "Company": "y", "Email": "x@y.z", "AnnualRevenue": 1.5e7})).await;
    let heard = |events: Vec<Json>| -> Vec<Json> {
        events
            .iter()
            .filter(|event| event["channel"] == "/topic/Leads")
            .map(|event| event["data"]["sobject"].clone())
            .collect()
    };
    let cut = json!({"Id": id, "LastName": "x", "Email": "x@y.z", "FirstName": null, "Salutation": null});
    assert_eq!(heard(ears.poll().await), std::slice::from_ref(&cut));
    let everything = Subscriber::connect(&client).await.subscribe("/topic/Leads", -2).await;
    let mut whole = cut;
    whole["AnnualRevenue"] = json!(1.5e7);
    assert_eq!(heard(everything), [whole]);
    // A live subscription falls silent when the object is taken, and what was missed is not made up for.
    grant(&client, json!({"name": "Sales", "objects": {"PushTopic": ["read"]}})).await;
    client.update("Lead", &id, json!({"LastName": "missed"})).await;
    assert_eq!(ears.poll().await, [] as [Json; 0]);
    grant(&client, json!({"name": "Sales", "objects": {"Lead": ["read"], "PushTopic": ["read"]}})).await;
    client.update("Lead", &id, json!({"LastName": "heard"})).await;
    assert_eq!(
        heard(ears.poll().await),
        [json!({"Id": id, "LastName": "heard", "Email": "x@y.z", "FirstName": null, "Salutation": null})]
    );

    let body = topic("Mine", "SELECT Id FROM Lead");
    let made = client.call_as(&token, Method::POST, "/services/data/v62.0/sobjects/PushTopic", Some(body)).await;
    assert_eq!(made.json()[0]["errorCode"], "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY");
}

#[tokio::test]
async fn sets_that_are_refused() {
    let client = Client::new().await;
    ben(&client, json!({})).await;
    let mut said = Vec::new();
    for (resource, body) in [
        ("permission_sets", json!({})),
        ("permission_sets", json!({"name": "A", "objects": {"Leed": ["read"]}})),
        ("permission_sets", json!({"name": "A", "objects": {"Lead": ["look"]}})),
        ("permission_sets", json!({"name": "A", "fields": {"Lead.Mail": ["read"]}})),
        ("permission_sets", json!({"name": "A", "fields": {"Email": ["read"]}})),
        ("permission_sets", json!({"name": "A", "fields": {"Lead.City": ["read"]}})),
        ("permission_sets", json!({"name": "A", "permissions": ["everything"]})),
        ("permission_sets", json!({"name": "Standard User", "objects": {}})),
        ("permission_sets", json!({"name": "Sales", "profile": false})),
        ("users", json!({"username": "ben@example.com", "permission_sets": ["Sales"]})),
        ("users", json!({"username": "ben@example.com", "profile": "Nothing"})),
        ("sharing", json!({"QuoteLineItem": "private"})),
        ("sharing", json!({"Lead": "secret"})),
    ] {
        let answer = administer(&client, resource, body.clone()).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        said.push(format!("{resource} {body}\n  {}", answer.json()["error"].as_str().unwrap()));
    }
    let removed = client.send(Method::DELETE, "/__emulator/permission_sets/Sales", &[], None).await.unwrap();
    said.push(format!("DELETE Sales\n  {}", removed.json()["error"].as_str().unwrap()));
    insta::assert_snapshot!(said.join("\n"));
}
