//! References by external id, and what is unique.

use reqwest::Method;
use salesforce_emulator::Config;
use serde_json::{Value as Json, json};

use crate::client::{Client, still};

/// An org whose accounts are known elsewhere by a number and by a name that several may have, and parts that refer to them.
pub(crate) async fn parts() -> Client {
    let objects = json!({
        "Account": {"fields": {
            "Number__c": {"type": "string", "length": 20, "external_id": true, "unique": true},
            "Group__c": {"type": "string", "length": 20, "external_id": true},
            "Code__c": {"type": "string", "length": 20, "external_id": true, "unique": true, "case_sensitive": true},
        }},
        "Part__c": {"prefix": "a55", "fields": {
            "Key__c": {"type": "string", "length": 20, "external_id": true, "unique": true},
            "Maker__c": {"type": "reference", "to": ["Account"], "children": "Parts"},
            "Needed__c": {"type": "reference", "to": ["Contact"], "children": "Needing", "required": true},
            "Whole__c": {"type": "reference", "to": ["Part__c"], "children": "Halves"},
            "Any__c": {"type": "reference", "to": ["Account", "Contact"], "children": "AnyParts"},
        }},
    });
    let objects = serde_json::from_value(objects).unwrap();
    Client::with(Config { objects, settings: still(), ..Config::default() }).await
}

const PART: &str = "/services/data/v62.0/sobjects/Part__c";

#[tokio::test]
async fn records_named_by_what_others_call_them() {
    let client = parts().await;
    let acme = client.create("Account", json!({"Name": "Acme", "Number__c": "A/1", "Group__c": "g"})).await;
    client.create("Account", json!({"Name": "Bolt", "Number__c": "B", "Group__c": "G"})).await;
    let ada = client.create("Contact", json!({"LastName": "Lovelace", "Email": "ada@example.com"})).await;
    let part = |more: Json| {
        let mut body = json!({"Needed__r": {"Email": "ADA@example.com"}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let mut answers = Vec::new();
    for more in [
        json!({"Maker__r": {"Number__c": "a/1"}}),
        json!({"maker__R": {"number__C": "B"}}),
        json!({"Maker__r": {"Id": acme}}),
        json!({"Maker__r": {"attributes": {"type": "Account"}, "Number__c": "B"}}),
        json!({"Maker__r": null}),
        json!({"Any__r": {"attributes": {"type": "Contact"}, "Email": "ada@example.com"}}),
        json!({"Any__r": {"attributes": {"type": "account"}, "Number__c": "B"}}),
        json!({"Maker__r": {"Number__c": "123"}}),
        json!({"Maker__r": {"Group__c": "g"}}),
        json!({"Maker__r": {"Number__c": null}}),
        json!({"Maker__r": {"Number__c": "B", "Group__c": "g"}}),
        json!({"Maker__r": {}}),
        json!({"Maker__r": {"Phone": "1"}}),
        json!({"Maker__r": {"Nothing__c": "1"}}),
        json!({"Maker__r": {"attributes": {"type": "Contact"}, "Email": "ada@example.com"}}),
        json!({"Any__r": {"Email": "ada@example.com"}}),
        json!({"Any__r": {"Email": "ada@example.com", "attributes": {"type": "Contact"}}}),
        json!({"Any__r": {"attributes": {"type": "Lead"}, "Email": "ada@example.com"}}),
        json!({"Maker__r": "A/1"}),
        json!({"Nothing__r": {"Number__c": "B"}}),
    ] {
        let answer = client.call(Method::POST, PART, Some(part(more.clone()))).await;
        let told = match answer.json()["id"].as_str() {
            Some(id) => {
                let path = format!("{PART}/{id}?fields=Maker__c,Any__c");
                let read = client.get(&path).await.json();
                format!("Maker {} Any {}", read["Maker__c"], read["Any__c"]).replace(&acme, "ACME").replace(&ada, "ADA")
            }
            None => format!("{} {}", answer.status.as_u16(), answer.text),
        };
        answers.push(format!("{more}\n  {told}"));
    }
    insta::assert_snapshot!(answers.join("\n"));
}

/// Every way in which a record is written.
#[tokio::test]
async fn by_every_write() {
    let client = parts().await;
    for number in ["A", "B", "C", "D", "E", "F"] {
        client.create("Account", json!({"Name": number, "Number__c": number})).await;
    }
    client.create("Contact", json!({"LastName": "x", "Email": "x@example.com"})).await;
    let of = |number: &str| json!({"Maker__r": {"Number__c": number}, "Needed__r": {"Email": "x@example.com"}});
    let typed = |number: &str, more: Json| {
        let mut row = json!({"attributes": {"type": "Part__c"}});
        row.as_object_mut().unwrap().extend(of(number).as_object().unwrap().clone());
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        row
    };
    let id = client.create("Part__c", of("A")).await;
    client.update("Part__c", &id, of("B")).await;
    let rows = "/services/data/v62.0/composite/sobjects";
    let keyed = |key: &str| json!({"Key__c": key});
    let composite = json!({"compositeRequest": [
        {"method": "POST", "url": PART, "referenceId": "p", "body": of("F")},
        {"method": "PATCH", "url": format!("{PART}/Key__c/up"), "referenceId": "q", "body": of("E")},
    ]});
    for (method, path, body) in [
        (Method::PATCH, format!("{PART}/Key__c/up"), of("C")),
        (Method::POST, rows.to_owned(), json!({"records": [typed("D", keyed("row"))]})),
        (Method::PATCH, format!("{rows}/Part__c/Key__c"), json!({"records": [typed("E", keyed("row"))]})),
        (Method::PATCH, rows.to_owned(), json!({"records": [typed("D", json!({"id": id}))]})),
        (Method::POST, "/services/data/v62.0/composite".to_owned(), composite),
    ] {
        let answer = client.call(method, &path, Some(body)).await;
        assert!(answer.status.is_success() && !answer.text.contains("errorCode"), "{path}: {}", answer.text);
    }
    let found = client.query("SELECT Maker__r.Name FROM Part__c ORDER BY Id").await.json();
    let makers = found["records"].as_array().unwrap().iter().map(|part| part["Maker__r"]["Name"].as_str().unwrap());
    assert_eq!(makers.collect::<Vec<_>>(), ["D", "E", "E", "F"]);
}

#[tokio::test]
async fn deleted_by_what_others_call_them() {
    let client = parts().await;
    for (name, number) in [("one", "1/2"), ("two", "2")] {
        client.create("Account", json!({"Name": name, "Number__c": number, "Group__c": "g"})).await;
    }
    let path = "/services/data/v62.0/sobjects/Account";
    let transcript = client
        .transcript(&[
            &format!("DELETE {path}/Group__c/g"),
            &format!("DELETE {path}/Number__c/1%2F2"),
            &format!("DELETE {path}/Number__c/1%2F2"),
            &format!("DELETE {path}/Phone/1"),
            &format!("GET {path}/Number__c/1%2F2"),
            // What is in the recycle bin is not found again.
            &format!(r#"PATCH {path}/Number__c/1%2F2 {{"Name":"new"}}"#),
        ])
        .await;
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn no_two_live_records_share_what_is_unique() {
    let client = parts().await;
    let id = client.create("Account", json!({"Name": "one", "Number__c": "abc", "Code__c": "abc"})).await;
    let post = async |body: Json| {
        let answer = client.call(Method::POST, "/services/data/v62.0/sobjects/Account", Some(body)).await.json();
        answer[0]["errorCode"].as_str().unwrap_or("made").to_owned()
    };
    assert_eq!(post(json!({"Name": "two", "Number__c": "ABC"})).await, "DUPLICATE_VALUE");
    assert_eq!(post(json!({"Name": "two", "Code__c": "ABC"})).await, "made");
    // Within one collection, too.
    let row = |number: &str| json!({"attributes": {"type": "Account"}, "Name": "row", "Number__c": number});
    let body = json!({"records": [row("x"), row("X"), row("y")]});
    let rows = client.call(Method::POST, "/services/data/v62.0/composite/sobjects", Some(body)).await.json();
    let codes: Vec<&Json> = rows.as_array().unwrap().iter().map(|row| &row["errors"][0]["statusCode"]).collect();
    assert_eq!(codes, [&Json::Null, &json!("DUPLICATE_VALUE"), &Json::Null]);
    // Who comes back finds his place taken.
    client.delete("Account", &id).await;
    assert_eq!(post(json!({"Name": "three", "Number__c": "Abc"})).await, "made");
    let back = client.emulator.org().undelete("Account", salesforce_emulator::org::Id::parse(&id).unwrap());
    assert_eq!(back.unwrap_err().code, "DUPLICATE_VALUE");
    assert!(client.query_all("SELECT Id FROM Account WHERE IsDeleted = true").await.text.contains(&id));
}

/// In one request no two rows are the same record, however its key is spelled.
#[tokio::test]
async fn keys_of_one_request() {
    let client = parts().await;
    let rows = |field: &str| {
        let row = |key: &str| json!({"attributes": {"type": "Account"}, "Name": "x", field: key});
        json!({"records": [row("k"), row("K")]})
    };
    for (field, second) in [("Number__c", json!("DUPLICATE_VALUE")), ("Code__c", Json::Null)] {
        let path = format!("/services/data/v62.0/composite/sobjects/Account/{field}");
        let answer = client.call(Method::PATCH, &path, Some(rows(field))).await.json();
        assert_eq!(answer[1]["errors"][0]["statusCode"], second, "{field}");
    }
}

#[tokio::test]
async fn numbers_and_dates_have_bounds() {
    let client = Client::new().await;
    let mut answers = Vec::new();
    for (object, field, value) in [
        ("Contact", "Birthdate", json!("1699-12-31")),
        ("Contact", "Birthdate", json!("1700-01-01")),
        ("Opportunity", "CloseDate", json!("4001-01-01")),
        ("Event", "StartDateTime", json!("9999-12-31T23:59:59Z")),
        ("Opportunity", "Probability", json!(1000)),
        ("Opportunity", "Probability", json!(999)),
        ("Account", "NumberOfEmployees", json!(3_000_000_000_i64)),
        ("Account", "AnnualRevenue", json!(1e18)),
        ("Account", "BillingLatitude", json!(1000)),
    ] {
        let path = format!("/services/data/v62.0/sobjects/{object}");
        let mut body = match object {
            "Contact" => json!({"LastName": "x"}),
            "Opportunity" => json!({"Name": "x", "StageName": "Prospecting", "CloseDate": "2026-01-01"}),
            "Event" => json!({"DurationInMinutes": 5}),
            _ => json!({"Name": "x"}),
        };
        body[field] = value.clone();
        let answer = client.call(Method::POST, &path, Some(body)).await;
        let told = if answer.status == 201 { "201".to_owned() } else { answer.text };
        answers.push(format!("{object}.{field} {value} → {told}"));
    }
    insta::assert_snapshot!(answers.join("\n"));
}
