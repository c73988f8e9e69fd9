//! Records with a file.

use reqwest::Method;
use serde_json::json;

use crate::client::{Answer, Client};

async fn send(client: &Client, method: Method, path: &str, parts: &[(&str, &str)]) -> Answer {
    let parts: String = parts.iter().map(|(head, content)| format!("--b b\r\n{head}\r\n\r\n{content}\r\n")).collect();
    let authorization = format!("Bearer {}", client.token);
    let headers =
        [("authorization", authorization.as_str()), ("content-type", "multipart/form-data; boundary=\"b b\"")];
    let path = format!("/services/data/v62.0/{path}");
    client.send(method, &path, &headers, Some(format!("{parts}--b b--\r\n"))).await.unwrap()
}

const RECORD: &str = "Content-Disposition: form-data; name=\"entity_attachment\"\r\nContent-Type: application/json";
const FILE: &str =
    "Content-Disposition: form-data; name=\"Body\"; filename=\"a.txt\"\r\nContent-Type: text/plain; charset=utf-8";

#[tokio::test]
async fn a_record_and_its_file() {
    let client = Client::new().await;
    let account = client.create("Account", json!({"Name": "Acme"})).await;
    let record = json!({"ParentId": account, "Name": "a.txt"}).to_string();
    let made = send(&client, Method::POST, "sobjects/Attachment", &[(RECORD, &record), (FILE, "--b\r\nhello")]).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let path = format!("sobjects/Attachment/{}", made.json()["id"].as_str().unwrap());
    assert_eq!(client.get(&format!("/services/data/v62.0/{path}/Body")).await.text, "--b\r\nhello");

    let changed = send(&client, Method::PATCH, &path, &[(RECORD, r#"{"Name": "b.txt"}"#), (FILE, "bye")]).await;
    assert_eq!(changed.status, 204, "{}", changed.text);
    assert_eq!(client.get(&format!("/services/data/v62.0/{path}/Body")).await.text, "bye");
    assert_eq!(client.get(&format!("/services/data/v62.0/{path}")).await.json()["Name"], "b.txt");
}

#[tokio::test]
async fn refused() {
    let client = Client::new().await;
    let xml = "Content-Disposition: form-data; name=x\r\nContent-Type: application/xml";
    let text = "Content-Disposition: form-data; name=x\r\nContent-Type: text/plain";
    let mut said = Vec::new();
    for (path, parts) in [
        ("sobjects/Attachment", &[(FILE, "hello")][..]),
        ("sobjects/Attachment", &[(RECORD, "{}"), (RECORD, "{}"), (FILE, "hello")]),
        ("sobjects/Attachment", &[(RECORD, "{}"), (FILE, "hello"), (FILE, "hello")]),
        ("sobjects/Attachment", &[(text, "{}"), (FILE, "hello")]),
        ("sobjects/Attachment", &[(xml, "<Attachment/>"), (FILE, "hello")]),
        ("sobjects/Attachment", &[(RECORD, "{"), (FILE, "hello")]),
        ("sobjects/Attachment", &[("", "")]),
        ("sobjects/Attachment", &[]),
        ("sobjects/Account", &[(RECORD, r#"{"Name": "Acme"}"#), (FILE, "hello")]),
        ("composite/sobjects", &[(RECORD, "{}"), (FILE, "hello")]),
    ] {
        let answer = send(&client, Method::POST, path, parts).await;
        let error = &answer.json()[0];
        said.push(format!("{} {}: {}", answer.status.as_u16(), error["errorCode"], error["message"]).replace('"', ""));
    }
    insta::assert_snapshot!(said.join("\n"));
}
