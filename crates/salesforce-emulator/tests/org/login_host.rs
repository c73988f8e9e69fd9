//! The org's second address, which plays login.salesforce.com.

use reqwest::Method;

use crate::client::Client;

/// The grants that need no more than the credentials, as forms.
fn forms(client: &Client) -> [Vec<(&str, String)>; 2] {
    let credentials = client.emulator.credentials();
    let password = format!("{}{}", credentials.password, credentials.security_token);
    [
        vec![("grant_type", "refresh_token".to_owned()), ("refresh_token", credentials.refresh_token.clone())],
        vec![("grant_type", "password".to_owned()), ("username", credentials.username.clone()), ("password", password)],
    ]
}

fn borrowed<'a>(form: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    form.iter().map(|(name, value)| (*name, value.as_str())).collect()
}

#[tokio::test]
async fn one_signs_in_there_and_works_at_my_domain() {
    let client = Client::new().await;
    let (url, login_url) = (client.emulator.url(), client.emulator.login_url());
    for form in forms(&client) {
        let granted = client.grant_at(login_url, &borrowed(&form)).await.json();
        assert_eq!(granted["instance_url"], url, "{form:?}");
        let authorization = format!("Bearer {}", granted["access_token"].as_str().unwrap());
        let headers = [("authorization", authorization.as_str())];
        let path = granted["id"].as_str().unwrap().strip_prefix(login_url).unwrap();
        let identity = client.send_to(login_url, Method::GET, path, &headers, None).await.unwrap().json();
        assert!(identity["urls"]["query"].as_str().unwrap().starts_with(url));
        let worked = client.send(Method::GET, "/services/data/v62.0/limits", &headers, None).await.unwrap();
        assert_eq!(worked.status, 200);
    }
}

#[tokio::test]
async fn nothing_else_is_there() {
    let client = Client::new().await;
    let login_url = client.emulator.login_url();
    let authorization = format!("Bearer {}", client.token);
    let headers = [("authorization", authorization.as_str())];
    for (method, path, status) in [
        (Method::GET, "/services/data", 200),
        (Method::GET, "/services/oauth2/userinfo", 200),
        (Method::GET, "/services/data/v62.0/limits", 404),
        (Method::POST, "/cometd/62.0", 404),
        (Method::GET, "/__emulator/calls", 404),
        (Method::GET, "/", 404),
    ] {
        let answer = client.send_to(login_url, method, path, &headers, None).await.unwrap();
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        assert_eq!(answer.text.starts_with("<html>"), status == 404, "{path}: {}", answer.text);
        assert!(!answer.headers.contains_key("sforce-limit-info"), "{path}");
    }
}

#[tokio::test]
async fn client_credentials_belong_to_my_domain() {
    let client = Client::new().await;
    let form = [("grant_type", "client_credentials")];
    assert_eq!(client.grant(&form).await.status, 200);
    let refused = client.grant_at(client.emulator.login_url(), &form).await;
    insta::assert_snapshot!(client.shown(&refused), @r#"
    400 {
      "error": "invalid_grant",
      "error_description": "request not supported on this domain"
    }
    "#);
}

#[tokio::test]
async fn my_domain_can_close_it() {
    let client = Client::new().await;
    client.emulator.org().change_policies(|policies| policies.org.login_host = false);
    for form in forms(&client) {
        let refused = client.grant_at(client.emulator.login_url(), &borrowed(&form)).await;
        assert_eq!(
            (refused.status.as_u16(), refused.json()["error_description"].as_str()),
            (400, Some("authentication failure"))
        );
        assert_eq!(client.grant(&borrowed(&form)).await.status, 200);
    }
}
