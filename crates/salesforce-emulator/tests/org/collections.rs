//! sObject collections: many records in one request.

use reqwest::Method;
use salesforce_emulator::org::SchemaChange;
use serde_json::{Value as Json, json};

use crate::client::Client;

#[tokio::test]
async fn retrieve_answers_every_id_in_its_place() {
    let client = Client::new().await;
    let one = client.create("Account", json!({"Name": "one", "AnnualRevenue": 5, "BillingCity": "Oslo"})).await;
    let two = client.create("Account", json!({"Name": "two"})).await;
    let gone = client.create("Account", json!({"Name": "gone"})).await;
    client.delete("Account", &gone).await;
    let lead = client.create("Lead", json!({"LastName": "x", "Company": "y"})).await;
    let ids = json!([two, gone, &one[..15], "0015900000000zzAAA", lead, "nonsense", two]);
    let path = "/services/data/v62.0/composite/sobjects/account";
    let body = json!({"ids": ids, "fields": ["name", "AnnualRevenue", "BillingAddress", "Owner.Name"]});
    let transcript = client
        .transcript(&[
            &format!("POST {path} {body}"),
            &format!("GET {path}?ids={one},{gone}&fields=id,name"),
            &format!("POST {path} {}", json!({"ids": [one], "fields": ["Name", "Nothing__c"]})),
            &format!("POST {path} {}", json!({"ids": [one]})),
            &format!("GET {path}?ids={one}"),
            "POST /services/data/v62.0/composite/sobjects/Nothing__c {\"ids\":[],\"fields\":[\"Id\"]}",
        ])
        .await;
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn two_thousand_at_once() {
    let client = Client::with_rows(&[("Lead", 2000)]).await;
    let mut ids: Vec<String> =
        client.emulator.org().ids("Lead", false).unwrap().iter().map(ToString::to_string).collect();
    let retrieve = async |ids: &[String]| {
        let body = json!({"ids": ids, "fields": ["Id"]});
        client.call(Method::POST, "/services/data/v62.0/composite/sobjects/Lead", Some(body)).await
    };
    let found = retrieve(&ids).await.json();
    let found: Vec<&Json> = found.as_array().unwrap().iter().map(|record| &record["Id"]).collect();
    assert_eq!(found, ids.iter().collect::<Vec<_>>());
    ids.push(ids[0].clone());
    let refused = retrieve(&ids).await;
    assert_eq!((refused.status.as_u16(), &refused.json()[0]["errorCode"]), (400, &json!("EXCEEDED_ID_LIMIT")));
}

#[tokio::test]
async fn what_is_hidden_cannot_be_retrieved() {
    let client = Client::new().await;
    let id = client.create("Account", json!({"Name": "one", "Phone": "1"})).await;
    let retrieve = async |fields: Json| {
        let path = "/services/data/v62.0/composite/sobjects/Account";
        let answer = client.call(Method::POST, path, Some(json!({"ids": [id], "fields": fields}))).await;
        (answer.status.as_u16(), answer.json()[0]["errorCode"].clone())
    };
    let change = |change| client.emulator.org().change_schema([change]).unwrap();
    change(SchemaChange::HideField { object: "Account".into(), field: "Phone".into() });
    assert_eq!(retrieve(json!(["Name"])).await, (200, Json::Null));
    assert_eq!(retrieve(json!(["Name", "Phone"])).await, (400, "INVALID_FIELD".into()));
    change(SchemaChange::HideObject { object: "Account".into() });
    assert_eq!(retrieve(json!(["Name"])).await, (404, "NOT_FOUND".into()));
    change(SchemaChange::RestoreObject { object: "Account".into() });
    change(SchemaChange::ShowField { object: "Account".into(), field: "Phone".into() });
    assert_eq!(retrieve(json!(["Name", "Phone"])).await, (200, Json::Null));
}

const ROWS: &str = "/services/data/v62.0/composite/sobjects";

fn record(kind: &str, mut fields: Json) -> Json {
    fields["attributes"] = json!({"type": kind});
    fields
}

fn lead(name: &str) -> Json {
    record("Lead", json!({"LastName": name, "Company": "y"}))
}

#[tokio::test]
async fn rows_are_judged_by_themselves() {
    let client = Client::new().await;
    let one = client.create("Lead", json!({"LastName": "one", "Company": "y", "Email": "one@example.com"})).await;
    let gone = client.create("Lead", json!({"LastName": "gone", "Company": "y"})).await;
    client.delete("Lead", &gone).await;
    for name in ["twin", "Twin"] {
        client.create("Lead", json!({"LastName": name, "Company": "y", "Email": "twin@example.com"})).await;
    }
    let by_mail = |name: &str, mail: Json| record("Lead", json!({"LastName": name, "Company": "y", "Email": mail}));
    let requests = [
        (
            "POST",
            ROWS.to_owned(),
            json!([lead("new"), record("Account", json!({"Name": null})), record("Nothing", json!({})), lead("more")]),
        ),
        (
            "PATCH",
            ROWS.to_owned(),
            json!([
                record("Lead", json!({"id": one, "Title": "Dr."})),
                record("Lead", json!({"Id": one, "Title": "again"})),
                record("Lead", json!({"Title": "nobody"})),
                record("Lead", json!({"id": gone, "Title": "late"})),
                record("Lead", json!({"id": "00Q590000000zzzAAA", "Title": "never"})),
                record("Lead", json!({"id": "x", "Title": "never"})),
            ]),
        ),
        (
            "PATCH",
            format!("{ROWS}/Lead/Email"),
            json!([
                by_mail("changed", "ONE@example.com".into()),
                by_mail("made", "made@example.com".into()),
                by_mail("made twice", "made@example.com".into()),
                by_mail("which", "twin@example.com".into()),
                by_mail("nobody", Json::Null),
                by_mail("wrong", "no address".into()),
            ]),
        ),
        (
            "PATCH",
            format!("{ROWS}/Lead/Id"),
            json!([
                record("Lead", json!({"Id": one, "Title": "by id"})),
                record("Lead", json!({"Id": null, "LastName": "z", "Company": "z"}))
            ]),
        ),
        ("DELETE", format!("{ROWS}?ids={one},{gone},x,0015900000000zzAAA&allOrNone=false"), Json::Null),
    ];
    let mut answers = Vec::new();
    for (method, path, records) in requests {
        let body = (!records.is_null()).then(|| json!({"allOrNone": false, "records": records}));
        let answer = client.call(method.parse().unwrap(), &path, body).await;
        let rows: Vec<String> = answer.json().as_array().unwrap().iter().map(Json::to_string).collect();
        answers.push(format!("{method} {} {}\n{}", answer.status.as_u16(), path.replace(ROWS, "…"), rows.join("\n")));
    }
    let found = client.query("SELECT LastName, Title FROM Lead ORDER BY LastName").await.json();
    let left = found["records"].as_array().unwrap().iter().map(|record| record["LastName"].to_string());
    answers.push(left.collect::<Vec<_>>().join(" "));
    insta::assert_snapshot!(answers.join("\n\n"));
}

#[tokio::test]
async fn all_or_none() {
    let client = Client::new().await;
    client.create("PushTopic", json!({"Name": "L", "Query": "SELECT Id FROM Lead", "ApiVersion": 62.0})).await;
    let send = async |all_or_none: bool| {
        let records = [lead("first"), record("Lead", json!({"LastName": "no company"})), lead("third")];
        let body = json!({"allOrNone": all_or_none, "records": records});
        let answer = client.call(Method::POST, ROWS, Some(body)).await.json();
        let codes = answer.as_array().unwrap().iter().map(|row| row["errors"][0]["statusCode"].clone());
        codes.collect::<Vec<_>>()
    };
    let rolled_back = json!("ALL_OR_NONE_OPERATION_ROLLED_BACK");
    assert_eq!(send(true).await, [rolled_back.clone(), json!("REQUIRED_FIELD_MISSING"), rolled_back]);
    assert_eq!(client.query("SELECT COUNT() FROM Lead").await.json()["totalSize"], 0);
    assert_eq!(send(false).await, [Json::Null, json!("REQUIRED_FIELD_MISSING"), Json::Null]);
    let mut subscriber = crate::streaming::Subscriber::connect(&client).await;
    assert_eq!(crate::streaming::kinds(&subscriber.subscribe("/topic/L", -2).await), ["created", "created"]);
}

#[tokio::test]
async fn limits() {
    let client = Client::new().await;
    let send = async |records: Vec<Json>| client.call(Method::POST, ROWS, Some(json!({"records": records}))).await;
    let alternating =
        |runs: usize| (0..runs).map(|n| if n % 2 == 0 { lead("x") } else { record("Account", json!({"Name": "x"})) });
    assert_eq!(send((0..200).map(|_| lead("x")).collect()).await.json().as_array().unwrap().len(), 200);
    assert_eq!(send(alternating(10).collect()).await.status, 200);
    let mut answers = Vec::new();
    for refused in [
        send((0..201).map(|_| lead("x")).collect()).await,
        send(alternating(11).collect()).await,
        send(vec![json!({"Name": "no type"})]).await,
        client.call(Method::PATCH, &format!("{ROWS}/Account/Nothing"), Some(json!({"records": [lead("x")]}))).await,
        client.call(Method::DELETE, ROWS, None).await,
    ] {
        answers.push(client.shown(&refused));
    }
    let body = json!({"records": [record("Lead", json!({"Nothing__c": 1, "LastName": "x"}))]});
    answers.push(client.shown(&client.call(Method::PATCH, &format!("{ROWS}/Lead/Nothing__c"), Some(body)).await));
    insta::assert_snapshot!(answers.join("\n"));
}

#[tokio::test]
async fn one_record_by_its_external_id() {
    let client = Client::new().await;
    for mail in ["twin@example.com", "twin@example.com"] {
        client.create("Contact", json!({"LastName": "x", "Email": mail})).await;
    }
    let path = "/services/data/v62.0/sobjects/Contact/Email";
    let transcript = client
        .transcript(&[
            &format!(r#"PATCH {path}/ada%2Bx@example.com?updateOnly=true {{"LastName":"Lovelace"}}"#),
            &format!(r#"PATCH {path}/ada%2Bx@example.com {{"LastName":"Lovelace"}}"#),
            &format!(r#"PATCH {path}/ADA+x@example.com {{"FirstName":"Ada"}}"#),
            r#"PATCH /services/data/v45.0/sobjects/Contact/Email/ada+x@example.com {"Title":"Countess"}"#,
            &format!("GET {path}/ada+x@example.com?fields=Name,Email,Title"),
            &format!(r#"PATCH {path}/twin@example.com {{"LastName":"which"}}"#),
            &format!("GET {path}/twin@example.com"),
            &format!("GET {path}/nobody@example.com"),
            &format!(r#"PATCH {path}/ada+x@example.com {{"Email":"other@example.com"}}"#),
            &format!(r#"PATCH {path}/ada+x@example.com {{"Id":"0035900000000G8AAI"}}"#),
            r#"PATCH /services/data/v62.0/sobjects/Contact/Title/x {"LastName":"x"}"#,
            r#"PATCH /services/data/v62.0/sobjects/Nothing/Title/x {"LastName":"x"}"#,
        ])
        .await;
    insta::assert_snapshot!(transcript);
}

/// A row that fails takes the table with it that it was the first to touch; hidden fields identify nothing.
#[tokio::test]
async fn schemas_and_rows() {
    let client = Client::new().await;
    let codes = async |method: Method, path: &str, records: Vec<Json>| {
        let answer = client.call(method, path, Some(json!({"records": records}))).await.json();
        let codes = answer.as_array().unwrap().iter().map(|row| match row["errors"][0]["statusCode"].as_str() {
            Some(code) => code.to_owned(),
            None => row["errorCode"].as_str().unwrap_or("made").to_owned(),
        });
        codes.collect::<Vec<_>>()
    };
    let nameless = record("Lead", json!({"Company": "x"}));
    let rows = vec![nameless.clone(), record("Account", json!({"Name": "x"})), nameless.clone(), lead("x"), nameless];
    let missing = "REQUIRED_FIELD_MISSING";
    assert_eq!(codes(Method::POST, ROWS, rows).await, [missing, "made", missing, "made", missing]);
    let by_mail = format!("{ROWS}/Lead/Email");
    let change = |change| client.emulator.org().change_schema([change]).unwrap();
    change(SchemaChange::HideField { object: "Lead".into(), field: "Email".into() });
    assert_eq!(codes(Method::PATCH, &by_mail, vec![lead("y")]).await, ["NOT_FOUND"]);
    change(SchemaChange::HideObject { object: "Lead".into() });
    assert_eq!(codes(Method::POST, ROWS, vec![lead("y")]).await, ["INVALID_TYPE"]);
    assert_eq!(codes(Method::PATCH, &by_mail, vec![lead("y")]).await, ["NOT_FOUND"]);
}
