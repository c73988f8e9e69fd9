//! SOAP: `login()`, `logout()`, `undelete()`.

use reqwest::Method;
use roxmltree::Document;
use salesforce_emulator::org::{LoginHours, Network, Policies, UserStatus};
use serde_json::{Value as Json, json};

use crate::client::{Answer, Client};

const LOGIN: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/"><env:Body>
<n1:login xmlns:n1="urn:partner.soap.sforce.com"><n1:username>USERNAME</n1:username><n1:password>PASSWORD</n1:password></n1:login>
</env:Body></env:Envelope>"#;

async fn post(client: &Client, url: &str, version: &str, envelope: String) -> Answer {
    let headers = [("content-type", "text/xml; charset=UTF-8"), ("soapaction", "login")];
    let path = format!("/services/Soap/u/{version}");
    client.send_to(url, Method::POST, &path, &headers, Some(envelope)).await.unwrap()
}

pub(crate) async fn login(client: &Client, username: &str, password: &str) -> Answer {
    let envelope = LOGIN.replace("USERNAME", username).replace("PASSWORD", password);
    post(client, client.emulator.url(), "62.0", envelope).await
}

/// With the right credentials.
async fn right(client: &Client) -> Answer {
    let credentials = client.emulator.credentials();
    login(client, &credentials.username, &format!("{}{}", credentials.password, credentials.security_token)).await
}

pub(crate) fn text(answer: &Answer, element: &str) -> String {
    let document = Document::parse(&answer.text).unwrap();
    let found = document.descendants().find(|node| node.tag_name().name() == element);
    found.and_then(|node| node.text()).unwrap_or_else(|| panic!("no {element} in {}", answer.text)).to_owned()
}

fn fault(answer: &Answer) -> String {
    format!("{} {}: {}", answer.status.as_u16(), text(answer, "exceptionCode"), text(answer, "exceptionMessage"))
}

#[tokio::test]
async fn the_session_works_where_the_server_url_points() {
    let mut client = Client::new().await;
    let credentials = client.emulator.credentials();
    let password = format!("{}{}", credentials.password, credentials.security_token);
    let envelope = LOGIN.replace("USERNAME", &credentials.username).replace("PASSWORD", &password);
    for url in [client.emulator.url().to_owned(), client.emulator.login_url().to_owned()] {
        let answer = post(&client, &url, "64.0", envelope.clone()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let server = format!("{}/services/Soap/u/64.0/", client.emulator.url());
        assert!(text(&answer, "serverUrl").starts_with(&server), "{}", answer.text);
        assert_eq!(text(&answer, "sessionSecondsValid"), "7200");
        assert_eq!(text(&answer, "organizationId"), client.emulator.org().org_id().as_str());
        client.token = text(&answer, "sessionId");
        assert_eq!(client.get("/services/data/v62.0/limits").await.status, 200);
    }
}

/// The same elements in the same order as a recorded reply.
#[tokio::test]
async fn as_recorded() {
    let recorded: Json = serde_json::from_str(include_str!("../fixtures/soap-login.json")).unwrap();
    let elements = |xml: &str| -> Vec<String> {
        let document = Document::parse(xml).unwrap();
        document.descendants().filter(|node| node.is_element()).map(|node| format!("{:?}", node.tag_name())).collect()
    };
    let client = Client::new().await;
    assert_eq!(elements(&right(&client).await.text), elements(recorded["response"]["body"].as_str().unwrap()));
    let theirs = recorded["request"]["body"].as_str().unwrap().to_owned();
    let refused = post(&client, client.emulator.url(), "42.0", theirs).await;
    assert_eq!(text(&refused, "exceptionCode"), "INVALID_LOGIN", "their request is understood");
}

#[tokio::test]
async fn a_fault_word_for_word() {
    let client = Client::new().await;
    let answer = login(&client, "nobody@example.com", "x").await;
    assert_eq!(answer.headers["content-type"], "text/xml;charset=UTF-8");
    insta::assert_snapshot!(client.shown(&answer), @r#"500 <?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:sf="urn:fault.partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><soapenv:Fault><faultcode>sf:INVALID_LOGIN</faultcode><faultstring>INVALID_LOGIN: Invalid username, password, security token; or user locked out.</faultstring><detail><sf:LoginFault xsi:type="sf:LoginFault"><sf:exceptionCode>INVALID_LOGIN</sf:exceptionCode><sf:exceptionMessage>Invalid username, password, security token; or user locked out.</sf:exceptionMessage></sf:LoginFault></detail></soapenv:Fault></soapenv:Body></soapenv:Envelope>"#);
}

#[tokio::test]
async fn faults() {
    type Change = fn(&mut Policies);
    let changes: [(&str, Change); 9] = [
        ("frozen", |it| it.user.status = UserStatus::Frozen),
        ("locked out", |it| it.user.status = UserStatus::LockedOut),
        ("hours", |it| it.user.login_hours = Some(LoginHours { from: 8, until: 18 })),
        ("address", |it| it.user.network = Network::Restricted),
        ("API Enabled", |it| it.user.api_enabled = false),
        ("edition", |it| it.org.api = false),
        ("SOAP login", |it| it.org.soap_login = false),
        ("org", |it| it.org.active = false),
        ("rate", |it| it.org.logins_per_hour = Some(0)),
    ];
    let client = Client::new().await;
    let credentials = client.emulator.credentials();
    let mut said =
        vec![format!("no token → {}", fault(&login(&client, &credentials.username, &credentials.password).await))];
    for (name, change) in changes {
        client.emulator.org().change_policies(|policies| {
            *policies = Policies::default();
            change(policies);
        });
        said.push(format!("{name} → {}", fault(&right(&client).await)));
    }
    insta::assert_snapshot!(said.join("\n"));
}

#[tokio::test]
async fn trusted_addresses_need_no_security_token() {
    let client = Client::new().await;
    let credentials = client.emulator.credentials();
    client.emulator.org().change_policies(|policies| policies.user.network = Network::Trusted);
    assert_eq!(login(&client, &credentials.username, &credentials.password).await.status, 200);
}

#[tokio::test]
async fn logout_ends_the_session() {
    let client = Client::new().await;
    let envelope = format!(
        r#"<se:Envelope xmlns:se="http://schemas.xmlsoap.org/soap/envelope/"><se:Header>
        <SessionHeader xmlns="urn:partner.soap.sforce.com"><sessionId>{}</sessionId></SessionHeader></se:Header>
        <se:Body><logout xmlns="urn:partner.soap.sforce.com"/></se:Body></se:Envelope>"#,
        client.token
    );
    let answer = post(&client, client.emulator.url(), "62.0", envelope.clone()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(
        Document::parse(&answer.text).unwrap().descendants().next_back().unwrap().tag_name().name(),
        "logoutResponse"
    );
    assert_eq!(client.get("/services/data/v62.0/limits").await.status, 401);
    let again = post(&client, client.emulator.url(), "62.0", envelope).await;
    assert_eq!(fault(&again), "500 INVALID_SESSION_ID: Invalid Session ID found in SessionHeader: Illegal Session");
}

fn undelete(session: &str, ids: &[&str]) -> String {
    let ids: String = ids.iter().map(|id| format!("<urn:ids>{id}</urn:ids>")).collect();
    format!(
        r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:urn="urn:partner.soap.sforce.com">
        <soapenv:Header><urn:SessionHeader><urn:sessionId>{session}</urn:sessionId></urn:SessionHeader></soapenv:Header>
        <soapenv:Body><urn:undelete>{ids}</urn:undelete></soapenv:Body></soapenv:Envelope>"#
    )
}

/// Records come back from the recycle bin, each judged by itself, for one of the org's daily calls.
#[tokio::test]
async fn undelete_restores_records() {
    let client = Client::new().await;
    let url = client.emulator.url();
    let ids =
        [client.create("Account", json!({"Name": "a"})).await, client.create("Account", json!({"Name": "b"})).await];
    client.delete("Account", &ids[0]).await;
    let history = client.get("/services/data/v62.0/query?q=SELECT+Id+FROM+Organization").await.json();
    let organization = history["records"][0]["Id"].as_str().unwrap().to_owned();
    let used = async || {
        client.get("/services/data/v62.0/limits").await.json()["DailyApiRequests"]["Remaining"].as_u64().unwrap()
    };
    let before = used().await;
    let asked = [&*ids[0], &*ids[1], "001000000000xyzAAA", "nonsense", &organization];
    let answer = post(&client, url, "62.0", undelete(&client.token, &asked)).await;
    assert_eq!(before - used().await, 2, "this one and the one that asks");
    assert_eq!(answer.status, 200, "{}", answer.text);
    let shown = answer.text.replace(&ids[0], "FIRST").replace(&ids[1], "SECOND").replace(&organization, "ORG");
    let results = shown.split_once("<undeleteResponse>").unwrap().1.split_once("</undeleteResponse>").unwrap().0;
    insta::assert_snapshot!(results.replace("</result>", "</result>\n"));
    assert_eq!(client.query("SELECT Id FROM Account WHERE IsDeleted = false").await.json()["totalSize"], 2);
}

/// No session, too many records, no calls left.
#[tokio::test]
async fn undelete_as_a_whole_refused() {
    let client = Client::new().await;
    let url = client.emulator.url();
    let many = vec!["001000000000001AAA"; 201];
    let mut said = Vec::new();
    for (session, ids) in [("00D!nobody", &many[..1]), (client.token.as_str(), &many[..])] {
        said.push(fault(&post(&client, url, "62.0", undelete(session, ids)).await));
    }
    assert_eq!(
        said,
        [
            "500 INVALID_SESSION_ID: Invalid Session ID found in SessionHeader: Illegal Session",
            "500 EXCEEDED_ID_LIMIT: record limit reached. cannot submit more than 200 records into this call",
        ]
    );
}

#[tokio::test]
async fn what_is_no_login() {
    let client = Client::new().await;
    let url = client.emulator.url();
    let mut answers = Vec::new();
    for (version, envelope) in [
        ("65.0", LOGIN),
        ("30.0", LOGIN),
        ("nonsense", LOGIN),
        ("62.0", "no envelope"),
        ("62.0", &LOGIN.replace("n1:login", "n1:query")),
    ] {
        let answer = post(&client, url, version, envelope.to_owned()).await;
        let words = match Document::parse(&answer.text) {
            Ok(_) => text(&answer, "faultstring"),
            Err(_) => answer.json()[0]["message"].to_string(),
        };
        answers.push(format!("{version}: {} {words}", answer.status.as_u16()));
    }
    let without_action = client.send(Method::POST, "/services/Soap/u/62.0", &[], Some(LOGIN.to_owned())).await.unwrap();
    answers.push(format!("no SOAPAction: {} {}", without_action.status.as_u16(), text(&without_action, "faultstring")));
    insta::assert_snapshot!(answers.join("\n"));
}
