//! Several users of one org: made, signing in, and told apart.

use reqwest::Method;
use salesforce_emulator::{Config, Settings};
use serde_json::{Value as Json, json};

use crate::client::{Answer, Client, still};
use crate::{authorize, jwt, soap};

/// What `/__emulator/…` answers.
pub(crate) async fn administer(client: &Client, resource: &str, body: Json) -> Answer {
    client.send(Method::POST, &format!("/__emulator/{resource}"), &[], Some(body.to_string())).await.unwrap()
}

/// Makes a user with a permission set or a profile of their own, and signs them in: their id and a session.
pub(crate) async fn user(client: &Client, body: Json) -> (String, String) {
    let made = administer(client, "users", body).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let made = made.json();
    let granted = sign_in(client, made["refresh_token"].as_str().unwrap()).await.json();
    (made["id"].as_str().unwrap().to_owned(), granted["access_token"].as_str().unwrap().to_owned())
}

async fn sign_in(client: &Client, refresh_token: &str) -> Answer {
    client.grant(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]).await
}

/// Whose session it is.
async fn who(client: &Client, token: &str) -> Json {
    let answer = client.call_as(token, Method::GET, "/services/oauth2/userinfo", None).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let info = answer.json();
    json!([info["user_id"], info["preferred_username"], info["name"]])
}

fn body(username: &str, profile: &Json) -> Json {
    json!({
        "Username": username, "LastName": "Babbage", "FirstName": "Charles", "Email": "charles@example.com", "Alias": "cbabb",
        "CommunityNickname": username, "TimeZoneSidKey": "Europe/London", "LocaleSidKey": "en_GB", "EmailEncodingKey": "UTF-8",
        "LanguageLocaleKey": "en_US", "IsActive": true, "ProfileId": profile,
    })
}

async fn profile(client: &Client, name: &str) -> Json {
    let sets = client.send(Method::GET, "/__emulator/permission_sets", &[], None).await.unwrap().json();
    sets.as_array().unwrap().iter().find(|set| set["name"] == name).unwrap()["id"].clone()
}

#[tokio::test]
async fn made_over_rest() {
    let client = Client::new().await;
    let standard = profile(&client, "Standard User").await;
    let made = client.create("User", body("charles@example.com", &standard)).await;
    let lines = [
        format!("POST /sobjects/User {}", body("Charles@Example.com", &standard)),
        format!("POST /sobjects/User {}", body("other@example.com", &json!("00e000000000001AAA"))),
        format!("DELETE /sobjects/User/{made}"),
    ];
    let told: Vec<String> =
        client.told(&client.token, &lines).await.lines().skip(1).step_by(2).map(str::to_owned).collect();
    insta::assert_snapshot!(told.join("\n"), @r"
    400 DUPLICATE_USERNAME: Duplicate Username.<br>The username already exists in this or another Salesforce organization. Usernames must be unique across all Salesforce organizations. To resolve, use a different username (it doesn't need to match the user's email address).
    400 INVALID_CROSS_REFERENCE_KEY: invalid cross reference id
    403 INSUFFICIENT_ACCESS_OR_READONLY: entity type cannot be deleted: User
    ");

    // Nobody was told the password; the administrator sets one.
    let secrets = json!({"username": "charles@example.com", "password": "difference", "security_token": "engine"});
    assert_eq!(administer(&client, "users", secrets).await.status, 200);
    let form = [("grant_type", "password"), ("username", "charles@example.com"), ("password", "differenceengine")];
    let granted = client.grant(&form).await.json();
    assert!(granted["id"].as_str().unwrap().ends_with(&made));
    let token = granted["access_token"].as_str().unwrap();
    assert_eq!(who(&client, token).await, json!([made, "charles@example.com", "Charles Babbage"]));

    let answer = client
        .call_as(
            token,
            Method::POST,
            "/services/data/v62.0/sobjects/Lead",
            Some(json!({"LastName": "x", "Company": "y"})),
        )
        .await;
    let lead = answer.json()["id"].as_str().unwrap().to_owned();
    client.update("Lead", &lead, json!({"LastName": "z"})).await;
    let found = client.query("SELECT CreatedById, LastModifiedById, OwnerId, Owner.Name FROM Lead").await.json();
    let record = &found["records"][0];
    let admin = client.emulator.org().user_id();
    let expected = json!([made, admin.as_str(), made, "Charles Babbage"]);
    assert_eq!(
        json!([record["CreatedById"], record["LastModifiedById"], record["OwnerId"], record["Owner"]["Name"]]),
        expected
    );
}

#[tokio::test]
async fn deactivated_by_their_record_or_by_the_administrator() {
    let client = Client::new().await;
    let made = administer(&client, "users", json!({"username": "ben@example.com"})).await.json();
    let (id, refresh_token) = (made["id"].as_str().unwrap(), made["refresh_token"].as_str().unwrap());
    let active = async || {
        client.get(&format!("/services/data/v62.0/sobjects/User/{id}?fields=IsActive")).await.json()["IsActive"].clone()
    };
    let limits = async |token: &str| {
        client.call_as(token, Method::GET, "/services/data/v62.0/limits", None).await.status.as_u16()
    };
    for by_record in [true, false] {
        let set = async |is: bool| {
            if by_record {
                client.update("User", id, json!({"IsActive": is})).await;
            } else {
                let status = if is { "active" } else { "inactive" };
                let answer =
                    administer(&client, "users", json!({"username": "BEN@example.com", "status": status})).await;
                assert_eq!(answer.json()["status"], status, "{}", answer.text);
            }
        };
        let token = sign_in(&client, refresh_token).await.json()["access_token"].as_str().unwrap().to_owned();
        assert_eq!(limits(&token).await, 200);
        set(false).await;
        assert_eq!((limits(&token).await, active().await), (401, json!(false)));
        assert_eq!(sign_in(&client, refresh_token).await.json()["error"], "inactive_user");
        assert_eq!(client.get("/services/data/v62.0/limits").await.status, 200, "others go on");
        set(true).await;
        assert_eq!((limits(&token).await, active().await), (401, json!(true)));
        assert_eq!(sign_in(&client, refresh_token).await.status, 200);
    }
}

#[tokio::test]
async fn every_grant_is_somebodys() {
    let client = Client::new().await;
    let made = administer(&client, "users", json!({"username": "ben@example.com", "fields": {"LastName": "Ten"}}))
        .await
        .json();
    let secret = |name: &str| made[name].as_str().unwrap().to_owned();
    let password = format!("{}{}", secret("password"), secret("security_token"));
    let hinted = authorize::code(&client, &[("login_hint", "Ben@example.com")]).await;
    assert_eq!(
        administer(&client, "app", json!({"run_as_user": "ben@example.com", "signed_in": "ben@example.com"}))
            .await
            .status,
        200
    );
    let signed_in = authorize::code(&client, &[]).await;
    let another = administer(&client, "grants", json!({"username": "ben@example.com"})).await.json();
    let form = [("grant_type", "password"), ("username", "ben@example.com"), ("password", &password)];
    for granted in [
        sign_in(&client, &secret("refresh_token")).await,
        sign_in(&client, another["refresh_token"].as_str().unwrap()).await,
        client.grant(&form).await,
        client.grant(&[("grant_type", "client_credentials")]).await,
        jwt::bearer(&client, &jwt::speaking_for(&client, "ben@example.com")).await,
        authorize::exchange(&client, &hinted, &[]).await,
        authorize::exchange(&client, &signed_in, &[]).await,
    ] {
        let granted = granted.json();
        assert!(granted["id"].as_str().unwrap().ends_with(&secret("id")), "{granted}");
        let token = granted["access_token"].as_str().unwrap();
        assert_eq!(who(&client, token).await, json!([secret("id"), "ben@example.com", "Ten"]));
    }
    let answer = soap::login(&client, "ben@example.com", &password).await;
    let told = ["userId", "userName", "userFullName"].map(|element| soap::text(&answer, element));
    assert_eq!(told, [secret("id"), "ben@example.com".to_owned(), "Ten".to_owned()]);
    assert_eq!(who(&client, &soap::text(&answer, "sessionId")).await[0], secret("id"));

    administer(&client, "app", json!({"run_as_user": "nobody@example.com"})).await;
    let refused = client.grant(&[("grant_type", "client_credentials")]).await;
    assert_eq!(refused.json()["error_description"], "no client credentials user enabled");
}

#[tokio::test]
async fn each_is_treated_alone() {
    let client = Client::new().await;
    let made = administer(&client, "users", json!({"username": "ben@example.com"})).await.json();
    let refresh_token = made["refresh_token"].as_str().unwrap();
    for (change, expected) in [
        (json!({"status": "frozen"}), "user is inactive"),
        (json!({"status": "active", "network": "restricted"}), "ip restricted"),
        (json!({"network": "unknown", "login_hours": {"from": 1, "until": 2}}), "invalid login hours"),
    ] {
        let mut change = change;
        change["username"] = "ben@example.com".into();
        assert_eq!(administer(&client, "users", change).await.status, 200);
        assert_eq!(sign_in(&client, refresh_token).await.json()["error_description"], expected);
        assert_eq!(client.refresh().await.status, 200);
    }
    administer(&client, "users", json!({"username": "ben@example.com", "login_hours": null})).await;
    administer(&client, "org", json!({"logins_per_hour": 4})).await;
    let statuses =
        [sign_in(&client, refresh_token).await, client.refresh().await, sign_in(&client, refresh_token).await];
    assert_eq!(statuses.map(|answer| answer.status.as_u16()), [200, 400, 200], "the first user has used up the hour");
}

/// Whoever makes a user is told their secrets; nobody is told again, and what is wrong makes no user.
#[tokio::test]
async fn secrets_are_told_once() {
    let client = Client::new().await;
    let made = administer(&client, "users", json!({"username": "ben@example.com", "password": "opensesame"})).await;
    assert_eq!((made.status.as_u16(), made.json()["password"].as_str()), (201, Some("opensesame")));
    let again = administer(&client, "users", json!({"username": "ben@example.com", "password": "opensesame"})).await;
    let list = client.send(Method::GET, "/__emulator/users", &[], None).await.unwrap();
    for answer in [&again, &list] {
        assert!(answer.status == 200 && !answer.text.contains("opensesame"), "{}", answer.text);
    }
    let before = client.emulator.org().users();
    for wrong in [
        json!({"username": "eve@example.com", "profile": "Nobody"}),
        json!({"username": "eve@example.com", "permission_sets": ["Nothing"]}),
        json!({"username": "eve@example.com", "status": "gone"}),
        json!({"username": "eve@example.com", "fields": {"Nothing": 1}}),
        json!({"username": 7}),
        json!({"username": "ben@example.com", "fields": {"LastName": "x"}}),
        json!({"profile": "Standard User"}),
    ] {
        let answer = administer(&client, "users", wrong.clone()).await;
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.text);
    }
    assert_eq!(client.emulator.org().users(), before);
}

#[tokio::test]
async fn query_locators_are_personal() {
    let settings = Settings { query_page: 2, ..still() };
    let rows = vec![("Lead".to_owned(), 5)];
    let client = Client::with(Config { rows, settings, ..Config::default() }).await;
    let (_, ben) = user(&client, json!({"username": "ben@example.com"})).await;
    let next = client.query("SELECT Id FROM Lead").await.json()["nextRecordsUrl"].as_str().unwrap().to_owned();
    let refused = client.call_as(&ben, Method::GET, &next, None).await;
    assert_eq!(refused.json()[0]["errorCode"], "INVALID_QUERY_LOCATOR");
    assert_eq!(client.get(&next).await.status, 200);
}

#[tokio::test]
async fn they_survive_in_a_file_and_not_a_reset() {
    let folder = tempfile::tempdir().unwrap();
    let config = || Config { data: Some(folder.path().join("org.sqlite")), settings: still(), ..Config::default() };
    let client = Client::with(config()).await;
    administer(&client, "permission_sets", json!({"name": "Mail", "fields": {"Lead.Email": ["read"]}})).await;
    administer(&client, "permission_sets", json!({"name": "Sales", "profile": true, "objects": {"Lead": ["read"]}}))
        .await;
    administer(&client, "sharing", json!({"lead": "private"})).await;
    let made = json!({"username": "ben@example.com", "profile": "Sales", "permission_sets": ["Mail"]});
    let made = administer(&client, "users", made).await.json();
    let (users, sharing) = (client.emulator.org().users(), client.emulator.org().sharing());
    client.emulator.shutdown().await;

    let client = Client::with(config()).await;
    assert_eq!((client.emulator.org().users(), client.emulator.org().sharing()), (users, sharing));
    let password = ["password", "security_token"].map(|name| made[name].as_str().unwrap()).concat();
    let form = [("grant_type", "password"), ("username", "ben@example.com"), ("password", &password)];
    assert_eq!(client.grant(&form).await.status, 200, "secrets are drawn from the seed");

    client.send(Method::POST, "/__emulator/reset", &[], None).await.unwrap();
    assert_eq!(client.emulator.org().users().len(), 1);
    assert_eq!(client.emulator.org().permission_sets().len(), 3);
    assert_eq!(client.grant(&form).await.status, 400);
    assert_eq!(client.get("/services/data/v62.0/limits").await.status, 200);
}
