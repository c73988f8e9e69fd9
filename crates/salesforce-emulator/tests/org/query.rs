//! SOQL over HTTP: results, pages, refusals.

use reqwest::Method;
use salesforce_emulator::{Config, Settings};
use serde_json::{Value as Json, json};

use crate::client::{Client, still};

async fn org() -> Client {
    let client = Client::new().await;
    let parent = client
        .create(
            "Account",
            json!({"Name": "Alpha", "BillingCity": "Paris", "BillingCountry": "France", "AnnualRevenue": 10}),
        )
        .await;
    client.create("Account", json!({"Name": "beta", "AnnualRevenue": 20.5, "NumberOfEmployees": 3})).await;
    client.create("Account", json!({"Name": "50% off", "Phone": "1"})).await;
    client.create("Account", json!({"Name": "O'Neil \\ Sons", "ParentId": parent})).await;
    let gone = client.create("Account", json!({"Name": "gone"})).await;
    client.delete("Account", &gone).await;
    client
}

/// WHERE and ORDER BY → names in order.
#[tokio::test]
async fn conditions() {
    let client = org().await;
    let table = [
        "ORDER BY Name",
        "ORDER BY Name DESC",
        "ORDER BY AnnualRevenue, Name",
        "ORDER BY AnnualRevenue DESC NULLS LAST, Name DESC",
        "ORDER BY AnnualRevenue DESC",
        "ORDER BY Id LIMIT 2",
        "ORDER BY Id LIMIT 2 OFFSET 3",
        "WHERE Name = 'ALPHA'",
        "WHERE Name LIKE 'a%'",
        "WHERE Name LIKE '50\\%%'",
        "WHERE Name LIKE '_eta'",
        "WHERE Name = 'O\\'Neil \\\\ Sons'",
        "WHERE AnnualRevenue > 10",
        "WHERE AnnualRevenue != 10 ORDER BY Id",
        "WHERE NOT AnnualRevenue = 10 ORDER BY Id",
        "WHERE NOT (AnnualRevenue > 10) ORDER BY Id",
        "WHERE Phone = null ORDER BY Id",
        "WHERE Phone != null",
        "WHERE Name IN ('alpha', 'beta') ORDER BY Name",
        "WHERE Name NOT IN ('alpha', 'beta') ORDER BY Name",
        "WHERE Phone IN (null, '1') AND Name LIKE '%e%' ORDER BY Name",
        "WHERE (Name = 'alpha' OR Name = 'beta') AND IsDeleted = FALSE ORDER BY Name",
        "WHERE CreatedDate >= 2026-01-01T00:00:00Z AND CreatedDate < 2026-01-01T01:00:00+01:00",
        "WHERE CreatedDate = 2026-01-01T01:00:00.000+0100 ORDER BY Id LIMIT 1",
        "WHERE Id > '0015900000000G9' ORDER BY Id",
        "WHERE Parent.Name = 'alpha'",
        "WHERE Account.Owner.FirstName = 'ada' ORDER BY Account.Name LIMIT 1",
    ];
    let mut answers = Vec::new();
    for tail in table {
        let answer = client.query(&format!("SELECT Name FROM Account {tail}")).await;
        let found: Vec<String> = match answer.json()["records"].as_array() {
            Some(records) => records.iter().map(|record| record["Name"].to_string()).collect(),
            None => vec![client.shown(&answer)],
        };
        answers.push(format!("{tail} → {}", found.join(" ")));
    }
    insta::assert_snapshot!(answers.join("\n"));
}

#[tokio::test]
async fn results() {
    let client = org().await;
    let transcript = client
        .transcript(&[
            "GET /services/data/v62.0/query?q=select~id,~name,~billingaddress,~annualrevenue,~owner.name,~parent.id,~createddate~from~account~order~by~id~limit~1",
            "GET /services/data/v62.0/query?q=SELECT~a.Name,~a.Parent.Owner.Name~FROM~Account~a~WHERE~a.ParentId~!=~null",
            "GET /services/data/v62.0/query?q=SELECT~COUNT()~FROM~Account",
            "GET /services/data/v62.0/queryAll?q=SELECT~COUNT()~FROM~Account",
            "GET /services/data/v62.0/query?q=SELECT~COUNT()~FROM~Account~LIMIT~2",
            "GET /services/data/v62.0/query?q=SELECT~Id~FROM~Case",
            "GET /services/data/v62.0/query?q=SELECT~FIELDS(CUSTOM)~FROM~Custom__c~LIMIT~200",
            "GET /services/data/v62.0/limits/recordCount?sObjects=account,Case,Nothing",
        ])
        .await;
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn refused() {
    let client = Client::new().await;
    let mut answers = Vec::new();
    for soql in [
        "SELECT foo FROM Account",
        "SELECT Id FROM Account WHERE foo = 1",
        "SELECT Id FROM Account ORDER BY foo",
        "SELECT Foo.Name FROM Account",
        "SELECT Id, id FROM Account",
        "SELECT Id FROM Nothing__c",
        "SELECT Id FROM Account WHERE Description = 'x'",
        "SELECT Id FROM Account ORDER BY Description",
        "SELECT Id FROM Account WHERE BillingAddress = 'x'",
        "SELECT Id FROM Account WHERE CreatedDate > '2026-01-01'",
        "SELECT Id FROM Account WHERE CreatedDate > 2026-01-01",
        "SELECT Id FROM Account WHERE Name = 1",
        "SELECT Id FROM Account WHERE AnnualRevenue = 'x'",
        "SELECT Id FROM Account WHERE Id = 'x'",
        "SELECT Id FROM Account WHERE Id LIKE '001%'",
        "SELECT Id FROM Account OFFSET 2001",
        "SELECT FIELDS(ALL) FROM Account",
        "SELECT IsDeleted FROM User",
        "SELECT",
        "",
    ] {
        answers.push(format!("> {soql}\n{}", client.shown(&client.query(soql).await)));
    }
    insta::assert_snapshot!(answers.join("\n"));
}

/// All pages of a query: their sizes, and every id once.
async fn walk(client: &Client, first: Json) -> (Vec<usize>, Vec<String>) {
    let (mut sizes, mut ids, mut page) = (Vec::new(), Vec::new(), first);
    loop {
        let records = page["records"].as_array().unwrap();
        sizes.push(records.len());
        ids.extend(records.iter().map(|record| record["Id"].as_str().unwrap().to_owned()));
        assert_eq!(page["done"] == false, page["nextRecordsUrl"].is_string());
        match page["nextRecordsUrl"].as_str() {
            Some(next) => page = client.get(next).await.json(),
            None => return (sizes, ids),
        }
    }
}

#[tokio::test]
async fn pages() {
    let settings = Settings { query_page: 250, ..still() };
    let rows = vec![("Lead".to_owned(), 600)];
    let client = Client::with(Config { rows, settings, ..Config::default() }).await;
    let first = client.query("SELECT Id FROM Lead ORDER BY Id").await.json();
    assert_eq!(first["totalSize"], 600);
    let second_url = first["nextRecordsUrl"].as_str().unwrap().to_owned();
    let (sizes, ids) = walk(&client, first).await;
    assert_eq!(sizes, [250, 250, 100]);
    assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));

    // A page can be fetched again; a row deleted meanwhile is gone from it, and `/queryAll` keeps it.
    client.delete("Lead", &ids[300]).await;
    assert_eq!(client.get(&second_url).await.json()["records"].as_array().unwrap().len(), 249);
    let all = client.query_all("SELECT Id FROM Lead ORDER BY Id").await.json();
    assert_eq!(walk(&client, all).await.1.len(), 600);

    let limited = client.query("SELECT Id FROM Lead LIMIT 300").await.json();
    assert_eq!((&limited["totalSize"], walk(&client, limited.clone()).await.0), (&json!(300), vec![250, 50]));
}

#[tokio::test]
async fn the_client_asks_for_smaller_pages() {
    let client = Client::with_rows(&[("Lead", 600)]).await;
    for (options, size) in
        [("batchSize=500", 500), ("batchSize=1", 200), ("BATCHSIZE = 300, x=y", 300), ("batchSize=x", 600)]
    {
        let authorization = format!("Bearer {}", client.token);
        let headers = [("authorization", authorization.as_str()), ("sforce-query-options", options)];
        let answer =
            client.send(Method::GET, "/services/data/v62.0/query?q=SELECT+Id+FROM+Lead", &headers, None).await.unwrap();
        assert_eq!(answer.json()["records"].as_array().unwrap().len(), size, "{options}");
    }
}

#[tokio::test]
async fn locators_die() {
    let settings = Settings { query_page: 1, ..still() };
    let rows = vec![("Lead".to_owned(), 3)];
    let client = Client::with(Config { rows, settings, ..Config::default() }).await;
    let mut urls = Vec::new();
    for _ in 0..11 {
        urls.push(client.query("SELECT Id FROM Lead").await.json()["nextRecordsUrl"].as_str().unwrap().to_owned());
    }
    let oldest = client.get(&urls[0]).await;
    assert_eq!((oldest.status.as_u16(), oldest.json()[0]["errorCode"].as_str()), (400, Some("INVALID_QUERY_LOCATOR")));
    assert_eq!(client.get(&urls[1]).await.status, 200);
    client.emulator.org().advance(std::time::Duration::from_secs(49 * 3600)).unwrap();
    let fresh = client.renewed().await;
    assert_eq!(fresh.get(&urls[1]).await.status, 400);
    assert_eq!(fresh.get("/services/data/v62.0/query/nonsense").await.status, 400);
}
