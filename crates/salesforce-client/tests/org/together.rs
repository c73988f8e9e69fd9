//! Several reads in one call: describes by the dozen, what is repeated, and what is one object's own failure.

use jiff::Timestamp;
use salesforce_client::{Class, Describe, Error, Org, SObjectName, query::Query};
use serde_json::{Value, json};

use crate::server::{
    COMPOSITE, Reply, Seen, Server, TOKEN_PATH, account, composite, composite_body, error, fault, html, json, names,
    reply, subrequests, with_header,
};

const DAY: &str = "Wed, 03 Jul 2024 19:43:31 GMT";

/// The object in `/services/data/v62.0/sobjects/{object}/describe`.
fn object(url: &str) -> &str {
    url.split('/').nth(5).expect("an object")
}

fn describe(name: &str) -> Value {
    json!({ "name": name, "fields": [{ "name": "Id", "type": "id" }], "whatever comes": [1, {}] })
}

fn described(subrequest: &Value) -> (u16, Value, Value) {
    (200, json!({}), describe(object(subrequest["url"].as_str().expect("a URL"))))
}

/// Describes every object, alone or in company.
fn any_describe(seen: &Seen) -> Reply {
    if seen.path == COMPOSITE { composite(seen, described) } else { json(200, &describe(object(&seen.path))) }
}

fn shown<T: std::fmt::Debug>(outcomes: &[Result<T, Error>], show: impl Fn(&T) -> String) -> Vec<String> {
    outcomes.iter().map(|outcome| outcome.as_ref().map_or_else(ToString::to_string, &show)).collect()
}

async fn three(org: &Org) -> Result<Vec<String>, Error> {
    let outcomes = org.describe_many(&names(&["Account", "Gone__c", "Lead"])).await?;
    Ok(shown(&outcomes, |describe| describe.name().to_string()))
}

#[tokio::test]
async fn objects_are_described_by_twenty_five() {
    for (objects, together, alone) in [(0, 0, 0), (1, 0, 1), (2, 1, 0), (25, 1, 0), (26, 1, 1), (53, 3, 0)] {
        let server = Server::granting(|seen| any_describe(&seen)).await;
        let org = server.org();
        let objects: Vec<SObjectName> = (0..objects).map(|n| format!("Thing{n}__c").parse().expect("a name")).collect();
        let describes = org.describe_many(&objects).await.expect("describes");
        let found: Vec<_> = describes.iter().map(|describe| describe.as_ref().expect("a describe").name()).collect();
        assert_eq!(found, objects.iter().collect::<Vec<_>>());
        assert_eq!((server.count(COMPOSITE), server.count("/services/data")), (together, together + alone));
        assert_eq!(org.calls() as usize, together + alone);
    }
}

/// What the org says of seven objects' rows, times and deletions; it refuses one of them.
fn of_seven(seen: &Seen) -> Reply {
    composite(seen, |subrequest| {
        let url = subrequest["url"].as_str().expect("a URL");
        let covered = "2024-01-01T10:02:00.000+0000";
        match url {
            url if url.contains("Thing3__c") => {
                (404, json!({}), fault("NOT_FOUND", "The requested resource does not exist"))
            }
            url if url.contains("/updated/") => (200, json!({}), json!({ "ids": [], "latestDateCovered": covered })),
            url if url.contains("/deleted/") => (
                200,
                json!({}),
                json!({ "deletedRecords": [], "earliestDateAvailable": covered, "latestDateCovered": covered }),
            ),
            url if url.contains("/queryAll") => {
                (200, json!({}), json!({ "totalSize": 0, "done": true, "records": [] }))
            }
            url => panic!("{url} is not asked for"),
        }
    })
}

#[tokio::test]
async fn rows_go_together_by_five_and_spans_by_twenty_five() {
    let server = Server::granting(|seen| of_seven(&seen)).await;
    let org = server.org();
    let objects: Vec<SObjectName> = (0..7).map(|n| format!("Thing{n}__c").parse().expect("a name")).collect();
    let (from, until) = ("2024-01-01T10:00:00Z", "2024-01-01T10:05:00Z");
    let [from, until] = [from, until].map(|time| time.parse::<Timestamp>().expect("a time"));
    let query = |object: &SObjectName| Query {
        object: object.clone(),
        soql: format!("SELECT Id FROM {object}"),
        deleted: true,
    };
    let queries: Vec<_> = objects.iter().map(query).collect();
    let since: Vec<_> = objects.iter().map(|object| (object.clone(), from)).collect();

    let rows = shown(&org.query_many(&queries).await.expect("outcomes"), |page| page.rows().len().to_string());
    assert_eq!(server.count(COMPOSITE), 2);
    let updated =
        shown(&org.updated_many(&objects, from, until).await.expect("outcomes"), |it| it.ids.len().to_string());
    let deleted = shown(&org.deleted_many(&since, until).await.expect("outcomes"), |it| it.records.len().to_string());
    assert_eq!((server.count(COMPOSITE), org.calls()), (4, 4));
    for outcomes in [rows, updated, deleted] {
        for (n, outcome) in outcomes.iter().enumerate() {
            let is_refused = outcome.contains("Thing3__c") && outcome.contains("NOT_FOUND");
            assert!(if n == 3 { is_refused } else { outcome == "0" }, "{n}: {outcome}");
        }
    }
}

#[tokio::test]
async fn a_composite_request_on_the_wire() {
    let server = Server::granting(|seen| any_describe(&seen)).await;
    server.org().describe_many(&names(&["Account", "Lead"])).await.expect("describes");
    let [seen] = &server.seen(COMPOSITE)[..] else { panic!("one request") };
    assert_eq!((seen.method.as_str(), seen.header("content-type")), ("POST", Some("application/json; charset=UTF-8")));
    let expect = concat!(
        r#"{"allOrNone":false,"compositeRequest":["#,
        r#"{"method":"GET","url":"/services/data/v62.0/sobjects/Account/describe","referenceId":"r0"},"#,
        r#"{"method":"GET","url":"/services/data/v62.0/sobjects/Lead/describe","referenceId":"r1"}]}"#
    );
    assert_eq!(seen.body, expect);
}

#[tokio::test]
async fn one_object_that_is_refused_costs_the_others_nothing() {
    let server = Server::granting(|seen| {
        composite(&seen, |subrequest| match object(subrequest["url"].as_str().expect("a URL")) {
            "Gone__c" => (404, json!({}), fault("NOT_FOUND", "The requested resource does not exist")),
            _ => described(subrequest),
        })
    })
    .await;
    let org = server.org();
    let refused =
        "describing Gone__c failed: NOT_FOUND: The requested resource does not exist [HTTP 404, request whole-1]";
    assert_eq!(three(&org).await.expect("outcomes"), ["Account", refused, "Lead"]);
    assert_eq!((server.count(COMPOSITE), org.calls()), (1, 1));
}

#[tokio::test]
async fn one_object_alone_that_is_refused_is_an_outcome_too() {
    let server = Server::granting(|_| error(404, "NOT_FOUND", "The requested resource does not exist")).await;
    let outcomes = server.org().describe_many(&[account()]).await.expect("outcomes");
    let [Err(failed)] = &outcomes[..] else { panic!("one refusal") };
    assert_eq!((failed.code(), failed.object(), failed.class()), (Some("NOT_FOUND"), Some(&account()), Class::Fatal));
}

#[tokio::test]
async fn answers_are_told_apart_by_their_reference() {
    let server = Server::granting(|seen| {
        let mut body = composite_body(&seen, described);
        body["compositeResponse"].as_array_mut().expect("answers").reverse();
        body["unknown"] = json!({ "x": null });
        json(200, &body)
    })
    .await;
    assert_eq!(three(&server.org()).await.expect("outcomes"), ["Account", "Gone__c", "Lead"]);
}

/// What the second of three subrequests is answered with at first.
fn passing(n: usize) -> (u16, Value, Value) {
    let body = match n {
        0 => return (503, json!({}), fault("SERVER_UNAVAILABLE", "too busy")),
        1 => return (500, json!({}), fault("UNKNOWN_EXCEPTION", "An unexpected error occurred")),
        2 => return (504, json!({}), Value::Null),
        _ => fault("INVALID_SESSION_ID", "Session expired or invalid"),
    };
    (401, json!({}), body)
}

fn second(subrequest: &Value, answer: (u16, Value, Value)) -> (u16, Value, Value) {
    if subrequest["referenceId"] == "r1" { answer } else { described(subrequest) }
}

#[tokio::test]
async fn what_passes_for_one_is_repeated_for_all() {
    for n in 0..4 {
        let server = Server::granting(move |seen| match seen.nth {
            1 => composite(&seen, |subrequest| second(subrequest, passing(n))),
            _ => composite(&seen, described),
        })
        .await;
        let org = server.org();
        assert_eq!(three(&org).await.expect("outcomes"), ["Account", "Gone__c", "Lead"], "{n}");
        assert_eq!((server.count(COMPOSITE), org.calls()), (2, 2), "{n}");
        assert_eq!(server.count(TOKEN_PATH), if n == 3 { 2 } else { 1 }, "{n}");
    }
}

#[tokio::test]
async fn what_does_not_pass_in_the_end_is_one_object_s_failure() {
    for (n, calls, class, code) in [
        (0, 4, Class::Retry, Some("SERVER_UNAVAILABLE")),
        (2, 4, Class::Retry, None),
        (3, 4, Class::Reauthenticate, Some("INVALID_SESSION_ID")),
    ] {
        let server = Server::granting(move |seen| composite(&seen, |subrequest| second(subrequest, passing(n)))).await;
        let outcomes = server.org().describe_many(&names(&["Account", "Gone__c", "Lead"])).await.expect("outcomes");
        let [Ok(_), Err(failed), Ok(_)] = &outcomes[..] else { panic!("{outcomes:?}") };
        assert_eq!((server.count(COMPOSITE), failed.class(), failed.code()), (calls, class, code));
    }
}

/// Composite replies that are asked for again.
fn broken(seen: &Seen, n: usize) -> Reply {
    let text = composite_body(seen, described).to_string();
    match n {
        0 => reply(200, "application/json", text[..text.len() / 2].to_owned()),
        1 => html(200, "<html><title>Loading</title></html>"),
        2 => error(503, "SERVER_UNAVAILABLE", "too busy"),
        _ => error(401, "INVALID_SESSION_ID", "Session expired or invalid"),
    }
}

#[tokio::test]
async fn a_whole_that_passes_is_repeated() {
    for n in 0..4 {
        let server =
            Server::granting(move |seen| if seen.nth == 1 { broken(&seen, n) } else { any_describe(&seen) }).await;
        let org = server.org();
        let task = tokio::spawn(async move { three(&org).await });
        assert_eq!(task.await.expect("no panic").expect("outcomes"), ["Account", "Gone__c", "Lead"], "{n}");
        assert_eq!(server.count(COMPOSITE), 2, "{n}");
    }
}

#[tokio::test]
async fn a_whole_that_fails_is_named_after_its_first() {
    let server = Server::granting(|_| error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")).await;
    let failed = three(&server.org()).await.expect_err("a refusal");
    assert_eq!((server.count(COMPOSITE), failed.class(), failed.object()), (1, Class::Wait, None));
    assert_eq!(
        failed.to_string(),
        "describing Account and 2 more failed: REQUEST_LIMIT_EXCEEDED: TotalRequests Limit exceeded. [HTTP 403]; the org has \
         used up its API requests of the last 24 hours (Setup, Company Information): wait, or ask Salesforce for more"
    );
}

#[tokio::test]
async fn composite_replies_that_contradict_the_request_are_refused() {
    let answer = |reference: &str| json!({ "body": describe("X"), "httpStatusCode": 200, "referenceId": reference });
    let odd = json!({ "body": null, "httpHeaders": {}, "httpStatusCode": 7, "referenceId": "r2" });
    for (answers, why) in [
        (json!([answer("r0"), answer("r2")]), "without an answer"),
        (json!([answer("r0"), answer("r0"), answer("r1"), answer("r2")]), "twice"),
        (json!([answer("r0"), answer("r1"), answer("r2"), answer("r3")]), "not sent"),
        (json!([answer("r0"), answer("r1"), answer("canary")]), "not sent"),
        (json!([answer("r0"), answer("r1"), odd]), "no HTTP status"),
        (json!([answer("r0"), answer("r1"), { "referenceId": "r2" }]), "missing something"),
        (json!({}), "another type"),
    ] {
        let body = json!({ "compositeResponse": answers });
        let server = Server::granting(move |_| json(200, &body)).await;
        let failed = three(&server.org()).await.expect_err("a bad reply");
        assert_eq!((server.count(COMPOSITE), failed.class()), (1, Class::Fatal));
        assert!(failed.to_string().contains(why) && !failed.to_string().contains("canary"), "{failed}");
    }
}

#[tokio::test]
async fn an_answer_of_another_shape_is_one_object_s_failure() {
    let server = Server::granting(|seen| {
        composite(&seen, |subrequest| second(subrequest, (200, json!({}), json!({ "name": "canary" }))))
    })
    .await;
    let outcomes = three(&server.org()).await.expect("outcomes");
    assert_eq!((outcomes[0].as_str(), outcomes[2].as_str(), server.count(COMPOSITE)), ("Account", "Lead", 1));
    assert!(outcomes[1].contains("not what was expected") && !outcomes[1].contains("canary"), "{}", outcomes[1]);
}

/// Answers 304 where the request says it knows the newest.
fn conditional(subrequest: &Value) -> (u16, Value, Value) {
    match subrequest["httpHeaders"]["If-Modified-Since"].as_str() {
        Some(DAY) => (304, json!({}), Value::Null),
        _ => (200, json!({ "Last-Modified": DAY, "Odd": 7, "not a header": "x" }), described(subrequest).2),
    }
}

fn conditionally(seen: &Seen) -> Reply {
    let body = if seen.path == "/services/data/v62.0/sobjects" {
        json!({ "sobjects": [] })
    } else {
        describe(object(&seen.path))
    };
    match seen.header("if-modified-since") {
        Some(DAY) => reply(304, "application/json", ""),
        _ => with_header(json(200, &body), "last-modified", DAY),
    }
}

fn known(describes: &[Result<Describe, Error>]) -> Vec<(SObjectName, Option<salesforce_client::LastModified>)> {
    let describes = describes.iter().map(|describe| describe.as_ref().expect("a describe"));
    describes.map(|describe| (describe.name().clone(), describe.last_modified.clone())).collect()
}

#[tokio::test]
async fn only_what_changed_is_described_again() {
    for objects in [&["Account"][..], &["Account", "Gone__c", "Lead"]] {
        let server = Server::granting(|seen| match seen.path.as_str() {
            COMPOSITE => composite(&seen, conditional),
            _ => conditionally(&seen),
        })
        .await;
        let org = server.org();
        let mut known = known(&org.describe_many(&names(objects)).await.expect("describes"));
        assert!(known.iter().all(|(_, time)| time.as_ref().is_some_and(|time| time.as_str() == DAY)));

        let show = |describe: &Option<Describe>| format!("{:?}", describe.as_ref().map(Describe::name));
        let unchanged = org.describe_changed(&known).await.expect("outcomes");
        assert_eq!(shown(&unchanged, show), vec!["None"; objects.len()]);

        let (_, time) = known.first_mut().expect("an object");
        *time = None;
        let first_unknown = org.describe_changed(&known).await.expect("outcomes");
        assert_eq!(shown(&first_unknown, show)[0], "Some(Account)");
        assert!(shown(&first_unknown[1..], show).iter().all(|outcome| outcome == "None"));
        assert_eq!(org.calls(), 3);
    }
}

#[tokio::test]
async fn the_condition_travels_in_the_subrequest() {
    let server = Server::granting(|seen| composite(&seen, conditional)).await;
    let org = server.org();
    let known = known(&org.describe_many(&names(&["Account", "Lead"])).await.expect("describes"));
    org.describe_changed(&known).await.expect("outcomes");
    let seen = &server.seen(COMPOSITE)[1];
    assert_eq!(seen.header("if-modified-since"), None);
    for subrequest in subrequests(seen) {
        assert_eq!(subrequest["httpHeaders"], json!({ "If-Modified-Since": DAY }));
    }
}

#[tokio::test]
async fn a_list_of_objects_is_sent_again_only_if_it_changed() {
    let server = Server::granting(|seen| conditionally(&seen)).await;
    let org = server.org();
    let since = org.describe_global().await.expect("a list").last_modified.expect("a time");
    assert!(org.describe_global_changed(&since).await.expect("an answer").is_none());
    assert_eq!(org.calls(), 2);
}

#[tokio::test]
async fn unchanged_since_nothing_is_a_refusal() {
    let server = Server::granting(|_| reply(304, "application/json", "")).await;
    let failed = server.org().describe(&account()).await.expect_err("a refusal");
    assert_eq!((failed.status(), failed.class()), (Some(304), Class::Fatal));
}
