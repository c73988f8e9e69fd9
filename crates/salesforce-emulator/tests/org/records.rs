//! Single records over REST: what is written, read and refused.

use reqwest::Method;
use serde_json::json;

use crate::client::Client;

#[tokio::test]
async fn life_of_a_record() {
    let client = Client::new().await;
    let id = "0015900000000G8AAI";
    let transcript = client
        .transcript(&[
            r#"POST /services/data/v62.0/sobjects/Account/ {"Name":"Ærø Ltd","BillingCity":"Ærøskøbing","AnnualRevenue":15000000,"NumberOfEmployees":"12"}"#,
            &format!("GET /services/data/v62.0/sobjects/Account/{id}?fields=Name,BillingAddress,AnnualRevenue,NumberOfEmployees,CreatedDate"),
            &format!(r#"PATCH /services/data/v62.0/sobjects/account/{id} {{"annualrevenue":1.5,"BillingCity":null}}"#),
            &format!("GET /services/data/v62.0/sobjects/Account/{}/?fields=AnnualRevenue,BillingAddress", &id[..15]),
            &format!("DELETE /services/data/v62.0/sobjects/Account/{id}"),
            &format!("DELETE /services/data/v62.0/sobjects/Account/{id}"),
            &format!("GET /services/data/v62.0/sobjects/Account/{id}"),
            &format!(r#"PATCH /services/data/v62.0/sobjects/Account/{id} {{"Name":"late"}}"#),
            "GET /services/data/v62.0/queryAll?q=SELECT~Id,IsDeleted~FROM~Account",
        ])
        .await;
    insta::assert_snapshot!(transcript);
}

/// Every way a write can be wrong that the org knows.
#[tokio::test]
async fn refused_writes() {
    let client = Client::new().await;
    let long = "x".repeat(81);
    let transcript = client
        .transcript(&[
            r#"POST /services/data/v62.0/sobjects/Contact {}"#,
            r#"POST /services/data/v62.0/sobjects/Lead {"Company":"only"}"#,
            r#"POST /services/data/v62.0/sobjects/Contact {"LastName":"x","foo":1}"#,
            r#"POST /services/data/v62.0/sobjects/Contact {"LastName":"x","Id":"0035900000000G8AAI"}"#,
            r#"POST /services/data/v62.0/sobjects/Contact {"LastName":"x","CreatedDate":"2020-01-01T00:00:00Z"}"#,
            r#"POST /services/data/v62.0/sobjects/Contact {"LastName":"x","MailingAddress":{"city":"y"}}"#,
            &format!(r#"POST /services/data/v62.0/sobjects/Contact {{"LastName":"{long}"}}"#),
            r#"POST /services/data/v62.0/sobjects/Contact {"LastName":"x","Email":"not an address"}"#,
            r#"POST /services/data/v62.0/sobjects/Contact {"LastName":"x","Birthdate":"yesterday"}"#,
            r#"POST /services/data/v62.0/sobjects/Contact {"LastName":"x","AccountId":"nobody"}"#,
            r#"POST /services/data/v62.0/sobjects/Contact {"LastName":"x","AccountId":"0035900000000G8AAI"}"#,
            r#"POST /services/data/v62.0/sobjects/Contact {"LastName":"x","AccountId":"0015900000000G8AAI"}"#,
            r#"POST /services/data/v62.0/sobjects/Account {"Name":"x","NumberOfEmployees":"many"}"#,
            r#"POST /services/data/v62.0/sobjects/Account {"Name":"x","NumberOfEmployees":3000000000}"#,
            r#"POST /services/data/v62.0/sobjects/LeadHistory {}"#,
            r#"POST /services/data/v62.0/sobjects/Nothing__c {}"#,
            r#"PATCH /services/data/v62.0/sobjects/Account/0015900000000zzAAA {}"#,
            r#"PATCH /services/data/v62.0/sobjects/Account/abc {}"#,
            r#"DELETE /services/data/v62.0/sobjects/User/005590000000001AAA"#,
            r#"PUT /services/data/v62.0/sobjects/Account {}"#,
            r#"POST /services/data/v62.0/composite/tree/Account {}"#,
            r#"GET /services/data/v62.0/nonsense"#,
            r#"GET /services/data/v99.0/sobjects"#,
        ])
        .await;
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn broken_json_and_edge_pages() {
    let client = Client::new().await;
    let authorization = format!("Bearer {}", client.token);
    let headers = [("authorization", authorization.as_str())];
    let broken = client
        .send(Method::POST, "/services/data/v62.0/sobjects/Account", &headers, Some("{\"Name\":".to_owned()))
        .await
        .unwrap();
    assert_eq!((broken.status.as_u16(), broken.json()[0]["errorCode"].as_str()), (400, Some("JSON_PARSER_ERROR")));
    let lost = client.get("/secur/frontdoor.jsp").await;
    assert_eq!(lost.status, 404);
    assert!(lost.headers["content-type"].to_str().unwrap().starts_with("text/html"));
    let long = client.get(&format!("/services/data/v62.0/query?q={}", "x".repeat(17_000))).await;
    assert_eq!(long.status, 414);
    let cookie = "x".repeat(16_000);
    let heavy = client
        .send(Method::GET, "/services/data", &[("cookie", &cookie), ("x-more", &cookie[..500])], None)
        .await
        .unwrap();
    assert_eq!(heavy.status, 431);
}

#[tokio::test]
async fn names_and_closings_follow_from_their_parts() {
    let client = Client::new().await;
    let person =
        client.create("Contact", json!({"FirstName": "Ada", "LastName": "Lovelace", "Salutation": "Ms."})).await;
    let case = client.create("Case", json!({"Status": "Closed"})).await;
    let deal = client
        .create(
            "Opportunity",
            json!({"Name": "x", "StageName": "Closed Won", "CloseDate": "2026-05-02", "Amount": 200}),
        )
        .await;
    let read = async |object: &str, id: &str, fields: &str| {
        client.get(&format!("/services/data/v62.0/sobjects/{object}/{id}?fields={fields}")).await.text
    };
    let answers = [
        read("Contact", &person, "Name").await,
        read("Case", &case, "CaseNumber,IsClosed,ClosedDate").await,
        read("Opportunity", &deal, "IsWon,Probability,ExpectedRevenue,Fiscal,FiscalQuarter").await,
    ];
    insta::assert_snapshot!(answers.join("\n"));
}

/// What a describe calls not nillable is never null, whatever the object.
#[tokio::test]
async fn required_values_are_there() {
    let rows = [
        ("Account", 3),
        ("Campaign", 3),
        ("Case", 3),
        ("Contact", 3),
        ("Custom__c", 3),
        ("Entitlement", 3),
        ("Event", 3),
        ("Lead", 3),
        ("LiveChatTranscript", 3),
        ("MessagingSession", 3),
        ("Opportunity", 3),
        ("OpportunityContactRole", 3),
        ("Quote", 3),
        ("ServiceAppointment", 3),
        ("ServiceContract", 3),
        ("ContractLineItem", 3),
        ("Task", 3),
        ("User", 3),
        ("Wide__c", 3),
        ("WorkOrder", 3),
        ("WorkOrderLineItem", 3),
    ];
    let client = Client::with_rows(&rows).await;
    for (object, _) in rows {
        let describe = client.get(&format!("/services/data/v62.0/sobjects/{object}/describe")).await.json();
        let records = client.emulator.org().records(object, true).unwrap();
        let records: serde_json::Value = serde_json::from_slice(&records).unwrap();
        assert!(records.as_array().unwrap().len() >= 3, "{object}");
        for record in records.as_array().unwrap() {
            for field in describe["fields"].as_array().unwrap() {
                let (name, kind) = (field["name"].as_str().unwrap(), field["type"].as_str().unwrap());
                let value = &record[name];
                assert!(field["nillable"] == true || !value.is_null(), "{object}.{name} is null");
                let fits = match kind {
                    _ if value.is_null() => true,
                    "boolean" => value.is_boolean(),
                    "int" | "long" => value.is_i64(),
                    "double" | "currency" | "percent" => value.is_f64(),
                    "address" | "location" => value.is_object(),
                    "anyType" => value.is_string() || value.is_i64(),
                    _ => value.is_string(),
                };
                assert!(fits, "{object}.{name} of type {kind} is {value}");
            }
        }
    }
}
