//! Records out of the recycle bin: what is sent, and what the answers mean.

use salesforce_client::{Class, RecordId};

use crate::server::{Server, account, json, reply, token};

const PATH: &str = "/services/Soap/u/62.0";
const SESSION: &str = "00D!session<canary";

fn ids(count: usize) -> Vec<RecordId> {
    (0..count).map(|nth| format!("001{nth:012}").parse().expect("an id")).collect()
}

/// A server that grants a session and answers SOAP with this body, the second time as if all were well.
async fn server(status: u16, body: &'static str) -> Server {
    Server::start(move |seen| async move {
        if seen.path.ends_with("/token") {
            return json(200, &token(&seen.origin(), SESSION));
        }
        if seen.nth > 1 { reply(200, "text/xml", DONE) } else { reply(status, "text/xml", body) }
    })
    .await
}

const DONE: &str = r#"<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com"><e:Body><undeleteResponse><result><id>001000000000000AAA</id><success>true</success></result></undeleteResponse></e:Body></e:Envelope>"#;

/// A reply as Salesforce gives it, with a header nobody asked for.
const MIXED: &str = r#"<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Header><LimitInfoHeader><limitInfo><current>3917</current><limit>15000</limit><type>API REQUESTS</type></limitInfo></LimitInfoHeader></soapenv:Header><soapenv:Body><undeleteResponse><result><id>001000000000000AAA</id><success>true</success></result><result><errors><message>Entity type is not undeletable</message><statusCode>CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY</statusCode></errors><id>001000000000001AAA</id><success>false</success></result><result><errors><fields>Id</fields><message>malformed id</message><statusCode>MALFORMED_ID</statusCode></errors><id xsi:nil="true"/><success>false</success></result></undeleteResponse></soapenv:Body></soapenv:Envelope>"#;

#[tokio::test]
async fn each_record_has_its_own_outcome() {
    let server = server(200, MIXED).await;
    let outcomes = server.org().undelete(&account(), &ids(3)).await.expect("outcomes");
    let told: Vec<String> =
        outcomes.iter().map(|it| it.as_ref().map_or_else(ToString::to_string, |()| "back".to_owned())).collect();
    assert_eq!(
        told,
        [
            "back",
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY: Entity type is not undeletable",
            "MALFORMED_ID: malformed id (fields: Id)"
        ]
    );
    let seen = &server.seen(PATH)[0];
    let sent = std::str::from_utf8(&seen.body).expect("text");
    assert!(sent.contains("<sessionId>00D!session&lt;canary</sessionId>"), "{sent}");
    assert!(
        sent.contains(r#"<undelete xmlns="urn:partner.soap.sforce.com"><ids>001000000000000AAA</ids><ids>"#),
        "{sent}"
    );
    assert_eq!(
        (seen.header("content-type"), seen.header("soapaction")),
        (Some("text/xml; charset=UTF-8"), Some("\"\""))
    );
}

/// A session that has ended is renewed, and what passes is repeated; the rest is told without the session.
#[tokio::test]
async fn refusals_of_the_whole() {
    let fault = |code: &str, message: &str| -> &'static str {
        format!("<e:Envelope xmlns:e=\"http://schemas.xmlsoap.org/soap/envelope/\"><e:Body><e:Fault><faultcode>sf:{code}</faultcode><faultstring>{code}: {message}</faultstring></e:Fault></e:Body></e:Envelope>").leak()
    };
    for (code, class) in [
        ("INVALID_SESSION_ID", None),
        ("SERVER_UNAVAILABLE", None),
        ("UNKNOWN_EXCEPTION", None),
        ("REQUEST_LIMIT_EXCEEDED", Some(Class::Wait)),
        ("INSUFFICIENT_ACCESS", Some(Class::Fatal)),
    ] {
        let server = server(500, fault(code, "said Salesforce")).await;
        let outcome = server.org().undelete(&account(), &ids(1)).await;
        match (outcome, class) {
            (Ok(outcomes), None) => assert!(outcomes[0].is_ok() && server.count(PATH) == 2, "{code}"),
            (Err(error), Some(class)) => {
                let shown = format!("{error} {error:?}");
                assert_eq!(error.class(), class, "{shown}");
                assert!(shown.starts_with("restoring 1 records of Account") && shown.contains(code), "{shown}");
                assert!(!shown.contains("canary"), "{shown}");
            }
            (outcome, _) => panic!("{code}: {outcome:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_no_answer() {
    for body in ["<html", DONE, MIXED] {
        let server = Server::start(move |seen| async move {
            if seen.path.ends_with("/token") {
                json(200, &token(&seen.origin(), SESSION))
            } else {
                reply(200, "text/xml", body)
            }
        })
        .await;
        let org = server.org().with_retry(salesforce_client::retry::Policy::never());
        let error = org.undelete(&account(), &ids(2)).await.expect_err("no answer");
        assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
    }
    let server = server(200, DONE).await;
    for count in [0, 201] {
        server.org().undelete(&account(), &ids(count)).await.expect_err("as many as a call takes");
    }
    assert_eq!(server.count(PATH), 0);
}
