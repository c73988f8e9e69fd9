//! Describes beyond the recorded ones.

use reqwest::Method;

use crate::client::Client;

#[tokio::test]
async fn not_modified() {
    let client = Client::new().await;
    let path = "/services/data/v62.0/sobjects/Account/describe";
    let fresh = client.get(path).await;
    let (etag, date) = (fresh.headers["etag"].to_str().unwrap(), fresh.headers["last-modified"].to_str().unwrap());
    let authorization = format!("Bearer {}", client.token);
    for (name, value, status) in [
        ("if-none-match", etag, 304),
        ("if-none-match", "\"other\"", 200),
        ("if-modified-since", date, 304),
        ("if-modified-since", "Mon, 01 Jan 2024 00:00:00 GMT", 200),
        ("if-modified-since", "yesterday", 200),
    ] {
        let headers = [("authorization", authorization.as_str()), (name, value)];
        let answer = client.send(Method::GET, path, &headers, None).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.text.is_empty()), (status, status == 304), "{name}: {value}");
        assert!(answer.headers.contains_key("sforce-limit-info"), "a 304 is a call too");
    }
}

#[tokio::test]
async fn versions_and_hosts_are_those_of_the_request() {
    let client = Client::new().await;
    let text = client.get("/services/data/v58.0/sobjects/contact/describe").await.text;
    assert!(text.contains("/services/data/v58.0/sobjects/Contact/describe") && text.contains(client.emulator.url()));
    assert!(!text.contains("XX.X") && !text.contains("INSTANCE"));
}

/// Clients read describes member by member; an object without one of them breaks them.
#[tokio::test]
async fn all_objects_have_the_same_members() {
    let client = Client::new().await;
    let global = client.get("/services/data/v62.0/sobjects").await.json();
    let reference = client.get("/services/data/v62.0/sobjects/Account/describe").await.json();
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    for object in global["sobjects"].as_array().unwrap() {
        let name = object["name"].as_str().unwrap();
        let describe = client.get(&format!("/services/data/v62.0/sobjects/{name}/describe")).await.json();
        assert_eq!(keys(&describe), keys(&reference), "{name}");
        for field in describe["fields"].as_array().unwrap() {
            assert_eq!(keys(field), keys(&reference["fields"][0]), "{name}.{}", field["name"]);
        }
        for (key, value) in object.as_object().unwrap().iter().filter(|(key, _)| *key != "urls") {
            assert_eq!(describe[key], *value, "{name}.{key}");
        }
    }
}
