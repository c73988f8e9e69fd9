//! SOQL beyond fields and filters: children, aggregates, semi-joins, relative dates, parents of several types.

use salesforce_emulator::{Config, Settings};
use serde_json::{Value as Json, json};

use crate::client::{Client, still};

/// Two accounts with people, deals and tasks, at noon of Wednesday, the 18th of March 2026, in UTC; the user is in Los
/// Angeles, seven hours behind.
async fn org() -> Client {
    let settings = Settings { frozen_at: Some("2026-03-18T12:00:00Z".parse().unwrap()), ..still() };
    let client = Client::with(Config { settings, ..Config::default() }).await;
    let alpha = client.create("Account", json!({"Name": "Alpha", "NumberOfEmployees": 3, "Rating": "Hot"})).await;
    let beta = client.create("Account", json!({"Name": "Beta", "NumberOfEmployees": 4, "ParentId": alpha})).await;
    client.create("Account", json!({"Name": "École", "Rating": "Cold"})).await;
    for (account, name, title) in
        [(&alpha, "Ada", "CTO"), (&alpha, "Bob", "CEO"), (&alpha, "Cyd", "CFO"), (&beta, "Dan", "CTO")]
    {
        client.create("Contact", json!({"LastName": name, "Title": title, "AccountId": account})).await;
    }
    let ada = client.query("SELECT Id FROM Contact WHERE LastName = 'Ada'").await.json()["records"][0]["Id"].clone();
    for (name, amount, close, stage, account) in [
        ("One", json!(100), "2026-03-17", "Prospecting", &alpha),
        ("Two", json!(200.5), "2026-03-18", "Qualification", &alpha),
        ("Three", json!(null), "2026-04-01", "Prospecting", &beta),
        ("Four", json!(1e7), "2025-12-31", "Closed Won", &beta),
    ] {
        let body =
            json!({"Name": name, "Amount": amount, "CloseDate": close, "StageName": stage, "AccountId": account});
        client.create("Opportunity", body).await;
    }
    let lead = client.create("Lead", json!({"LastName": "Lea", "Company": "x"})).await;
    client.create("Task", json!({"Subject": "about", "WhatId": alpha, "WhoId": ada})).await;
    client.create("Task", json!({"Subject": "lead", "WhoId": lead})).await;
    client.create("Task", json!({"Subject": "none"})).await;
    client
}

/// Each query with its answer; in one line, without attributes, if all went well.
async fn answers(client: &Client, table: &[&str]) -> String {
    let mut lines = Vec::new();
    for soql in table {
        let answer = client.query(soql).await;
        let shown = match answer.json() {
            Json::Object(answer) => Json::from(answer).to_string(),
            error => {
                format!("{} {}", answer.status.as_u16(), error[0]["errorCode"])
                    + &error[0]["message"].as_str().unwrap().replace('\n', "\n    ")
            }
        };
        lines.push(format!("{soql}\n  {}", shown.replace("/services/data/v62.0/sobjects", "…")));
    }
    lines.join("\n")
}

/// Conditions → names of what they find.
async fn found(client: &Client, object: &str, name: &str, table: &[&str]) -> String {
    let mut lines = Vec::new();
    for condition in table {
        let answer = client.query(&format!("SELECT {name} FROM {object} WHERE {condition} ORDER BY Id")).await;
        let names: Vec<&str> = match answer.json()["records"].as_array() {
            Some(_) => Vec::new(),
            None => vec![&answer.text],
        };
        let json = answer.json();
        let records = json["records"].as_array().into_iter().flatten().filter_map(|record| record[name].as_str());
        lines.push(format!("{condition} → {}", names.into_iter().chain(records).collect::<Vec<_>>().join(" ")));
    }
    lines.join("\n")
}

#[tokio::test]
async fn children() {
    let table = [
        "SELECT Name, (SELECT LastName FROM Contacts WHERE Title LIKE 'C_O' ORDER BY LastName DESC LIMIT 2) FROM Account ORDER BY Name",
        "select name, (select id, account.name from account.CONTACTS offset 1) from Account where Name = 'Alpha'",
        "SELECT Name, (SELECT Name, (SELECT LastName FROM Contacts) FROM ChildAccounts), (SELECT Name FROM Opportunities) FROM Account WHERE Name = 'Alpha'",
        "SELECT (SELECT Id FROM Nothings) FROM Account",
        "SELECT (SELECT foo FROM Contacts) FROM Account",
        "SELECT (SELECT COUNT() FROM Contacts) FROM Account",
        "SELECT (SELECT Id FROM Contacts), (SELECT Id FROM Contacts) FROM Account",
        "SELECT Name, (SELECT FIELDS(ALL) FROM Contacts) FROM Account",
    ];
    insta::assert_snapshot!(answers(&org().await, &table).await);
}

#[tokio::test]
async fn levels_of_children() {
    let client = org().await;
    let nested = |levels: usize| {
        let (open, close) = ("SELECT Id, (".repeat(levels), " FROM ChildAccounts)".repeat(levels - 1));
        format!("{open}SELECT Id FROM ChildAccounts){close} FROM Account")
    };
    assert_eq!(client.query(&nested(4)).await.status, 200);
    assert_eq!(client.query(&nested(5)).await.status, 400);
    let old = |soql: &str| format!("/services/data/v57.0/query?q={}", crate::client::encode(soql));
    assert_eq!(client.get(&old(&nested(1))).await.status, 200);
    assert_eq!(client.get(&old(&nested(2))).await.status, 400);
}

/// Children fill pages like other records; those that do not fit have a locator of their own.
#[tokio::test]
async fn pages_of_children() {
    let settings = Settings { query_page: 5, ..still() };
    let client = Client::with(Config { settings, ..Config::default() }).await;
    for (account, contacts) in [("A", 2), ("B", 7), ("C", 0), ("D", 1)] {
        let account = client.create("Account", json!({"Name": account})).await;
        for number in 0..contacts {
            client.create("Contact", json!({"LastName": format!("{number}"), "AccountId": account})).await;
        }
    }
    let first =
        client.query("SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName) FROM Account ORDER BY Name").await;
    let names = |page: &Json, name: &str| {
        let records = page["records"].as_array().unwrap().iter();
        records.map(|record| record[name].as_str().unwrap().to_owned()).collect::<Vec<_>>().join("")
    };
    let page = first.json();
    assert_eq!((names(&page, "Name").as_str(), &page["totalSize"], &page["done"]), ("AB", &json!(4), &json!(false)));
    assert_eq!(names(&page["records"][0]["Contacts"], "LastName"), "01");
    let mut brood = page["records"][1]["Contacts"].clone();
    assert_eq!((&brood["totalSize"], &brood["done"]), (&json!(7), &json!(false)));
    let mut children = names(&brood, "LastName");
    while let Some(next) = brood["nextRecordsUrl"].as_str() {
        brood = client.get(next).await.json();
        children.push('|');
        children.push_str(&names(&brood, "LastName"));
    }
    assert_eq!(children, "0|12345|6");
    let page = client.get(page["nextRecordsUrl"].as_str().unwrap()).await.json();
    assert_eq!((names(&page, "Name").as_str(), &page["done"]), ("CD", &json!(true)));
    assert_eq!(
        (&page["records"][0]["Contacts"], names(&page["records"][1]["Contacts"], "LastName").as_str()),
        (&Json::Null, "0")
    );
}

#[tokio::test]
async fn aggregates() {
    let table = [
        "SELECT COUNT(Id), SUM(Amount), AVG(Amount), MIN(CloseDate), MAX(Name) last FROM Opportunity",
        "SELECT SUM(NumberOfEmployees), MIN(NumberOfEmployees), COUNT(Rating), COUNT_DISTINCT(OwnerId) FROM Account",
        "SELECT SUM(Amount) FROM Opportunity WHERE Name = 'none'",
        "SELECT StageName stage, COUNT(Id) n, SUM(Amount) FROM Opportunity GROUP BY StageName ORDER BY StageName",
        "SELECT Account.Name, COUNT(Id) FROM Opportunity GROUP BY Account.Name HAVING COUNT(Id) > 1 AND Account.Name != 'Beta'",
        "SELECT CALENDAR_YEAR(CloseDate) year, CALENDAR_MONTH(CloseDate), COUNT(Id) FROM Opportunity GROUP BY CALENDAR_YEAR(CloseDate), CALENDAR_MONTH(CloseDate) ORDER BY COUNT(Id) DESC, CALENDAR_YEAR(CloseDate), CALENDAR_MONTH(CloseDate)",
        "SELECT DAY_ONLY(CreatedDate), HOUR_IN_DAY(convertTimezone(CreatedDate)) FROM Account GROUP BY DAY_ONLY(CreatedDate), HOUR_IN_DAY(convertTimezone(CreatedDate))",
        "SELECT Rating FROM Account GROUP BY Rating ORDER BY Rating NULLS LAST LIMIT 2",
        "SELECT Name FROM Account GROUP BY Name ORDER BY Name LIMIT 1 OFFSET 1",
        "SELECT Name, COUNT(Id) FROM Account",
        "SELECT Name, COUNT(Id) FROM Account GROUP BY Rating",
        "SELECT COUNT(Id) FROM Account ORDER BY Name",
        "SELECT COUNT(Id) FROM Account LIMIT 1",
        "SELECT Id, COUNT(Id) FROM Account GROUP BY Id",
        "SELECT SUM(Name) FROM Account",
        "SELECT MAX(IsDeleted) FROM Account",
        "SELECT MAX(Rating) FROM Account",
        "SELECT COUNT(Id) FROM Account GROUP BY AnnualRevenue",
        "SELECT Name, Owner.Name FROM Account GROUP BY Name, Owner.Name",
        "SELECT COUNT(Id) a, COUNT(Name) A FROM Account",
        "SELECT COUNT() FROM Account GROUP BY Name",
        "SELECT Id FROM Account WHERE COUNT(Id) > 1",
        "SELECT Name FROM Account HAVING Name = 'x'",
        "SELECT Name n FROM Account",
        "SELECT CALENDAR_YEAR(CreatedDate) FROM Account",
        "SELECT CALENDAR_YEAR(Name) FROM Account GROUP BY CALENDAR_YEAR(Name)",
        "SELECT Name, (SELECT Id FROM Contacts) FROM Account GROUP BY Name",
        "SELECT Name FROM Account GROUP BY CUBE(Name)",
    ];
    insta::assert_snapshot!(answers(&org().await, &table).await);
}

#[tokio::test]
async fn groups_fit_on_a_page_or_are_refused() {
    let client = Client::with_rows(&[("Lead", 2001)]).await;
    let refused = client.query("SELECT Id, COUNT(Email) FROM Lead GROUP BY Id").await;
    assert_eq!((refused.status.as_u16(), &refused.json()[0]["errorCode"]), (400, &json!("EXCEEDED_ID_LIMIT")));
    let limited = client.query("SELECT Id, COUNT(Email) FROM Lead GROUP BY Id LIMIT 2000").await.json();
    assert_eq!((&limited["totalSize"], &limited["done"]), (&json!(2000), &json!(true)));
}

#[tokio::test]
async fn semi_joins() {
    let client = org().await;
    let table = [
        "Id IN (SELECT AccountId FROM Contact WHERE Title = 'CTO')",
        "Id IN (SELECT AccountId FROM Contact WHERE Title = 'CFO') AND Id IN (SELECT AccountId FROM Opportunity)",
        "Id NOT IN (SELECT AccountId FROM Contact)",
        "Id NOT IN (SELECT AccountId FROM Contact WHERE Account.Name = 'Alpha') AND Name != 'x'",
        "Name != 'Beta' AND OwnerId IN (SELECT Id FROM User WHERE IsActive = TRUE) AND Name LIKE '%a'",
    ];
    insta::assert_snapshot!(found(&client, "Account", "Name", &table).await);
    let refused = [
        "SELECT Id FROM Account WHERE Name = 'x' OR Id IN (SELECT AccountId FROM Contact)",
        "SELECT Id FROM Account WHERE (Name = 'x' AND Id IN (SELECT AccountId FROM Contact)) AND Name = 'y'",
        "SELECT Id FROM Account WHERE NOT Id IN (SELECT AccountId FROM Contact)",
        "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact) AND Id IN (SELECT AccountId FROM Contact) AND Id IN (SELECT AccountId FROM Contact)",
        "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact WHERE Id IN (SELECT ContactId FROM Case))",
        "SELECT Id FROM Account WHERE Name IN (SELECT AccountId FROM Contact)",
        "SELECT Id FROM Account WHERE Id IN (SELECT LastName FROM Contact)",
        "SELECT Id FROM Account WHERE Id IN (SELECT OwnerId FROM Contact)",
        "SELECT Id FROM Account WHERE Id IN (SELECT Account.Id FROM Contact)",
        "SELECT Id FROM Contact WHERE Account.Id IN (SELECT Id FROM Account)",
        "SELECT Id FROM Account WHERE Id IN (SELECT ParentId FROM Account)",
        "SELECT Id FROM Account WHERE Id IN (SELECT WhatId FROM Task)",
        "SELECT Id FROM Account WHERE Id IN (SELECT AccountId FROM Contact LIMIT 1)",
        "SELECT Id FROM Account WHERE Id IN (SELECT Id, AccountId FROM Contact)",
        "SELECT Id FROM Account WHERE Id IN (SELECT COUNT() FROM Contact)",
        "SELECT Id FROM Account WHERE Id IN (SELECT Id FROM Nothing__c)",
    ];
    insta::assert_snapshot!(answers(&client, &refused).await);
}

#[tokio::test]
async fn relative_dates() {
    let client = org().await;
    let table = [
        "CloseDate = TODAY",
        "CloseDate = YESTERDAY",
        "CloseDate != TODAY",
        "CloseDate < THIS_MONTH",
        "CloseDate <= THIS_MONTH",
        "CloseDate > THIS_MONTH",
        "CloseDate >= THIS_MONTH",
        "CloseDate = LAST_N_DAYS:1",
        "CloseDate = NEXT_QUARTER",
        "CloseDate = LAST_FISCAL_YEAR",
        "CloseDate IN (YESTERDAY, NEXT_MONTH)",
        "CloseDate NOT IN (YESTERDAY, NEXT_MONTH, 2025-12-31)",
        "CreatedDate = TODAY AND Name = 'One'",
        "CreatedDate >= TOMORROW",
        "CALENDAR_YEAR(CloseDate) = 2025",
        "CALENDAR_MONTH(CloseDate) IN (4, 12)",
        "DAY_ONLY(CreatedDate) = 2026-03-18 AND Name = 'One'",
        "DAY_ONLY(convertTimezone(CreatedDate)) = TODAY AND Name = 'One'",
        "HOUR_IN_DAY(convertTimezone(CreatedDate)) = 5 AND Name = 'One'",
        "Name = TODAY",
        "DAY_ONLY(CloseDate) = TODAY",
        "CALENDAR_YEAR(convertTimezone(CloseDate)) = 2025",
    ];
    insta::assert_snapshot!(found(&client, "Opportunity", "Name", &table).await);
    // Two in the morning in UTC is the evening before where the user is.
    client.emulator.org().advance(std::time::Duration::from_secs(14 * 3600)).unwrap();
    let client = client.renewed().await;
    assert_eq!(found(&client, "Opportunity", "Name", &["CloseDate = TODAY"]).await, "CloseDate = TODAY → Two");
}

#[tokio::test]
async fn parents_of_several_types() {
    let table = [
        "SELECT Subject, What.Name, Who.Name, Who.Type, Owner.Name FROM Task ORDER BY Id",
        "SELECT Subject FROM Task WHERE What.Type = 'account' OR Who.Type = 'Lead' ORDER BY Who.Name",
        "SELECT Who.Type, COUNT(Id) FROM Task GROUP BY Who.Type ORDER BY Who.Type",
        "SELECT TYPEOF What WHEN Account THEN Name, NumberOfEmployees WHEN Opportunity THEN Amount END, TYPEOF Who WHEN Contact THEN LastName, Title ELSE Name, Email END FROM Task ORDER BY Id",
        "SELECT What.Amount FROM Task",
        "SELECT What.Owner.Name FROM Task",
        "SELECT TYPEOF Account WHEN Account THEN Name END FROM Contact",
        "SELECT TYPEOF What WHEN Lead THEN Name END FROM Task",
        "SELECT TYPEOF What WHEN Account THEN foo END FROM Task",
        "SELECT What.Name, TYPEOF What WHEN Account THEN Name END FROM Task",
        "SELECT COUNT(Id), TYPEOF What WHEN Account THEN Name END FROM Task",
    ];
    insta::assert_snapshot!(answers(&org().await, &table).await);
}

#[tokio::test]
async fn texts_and_picklists() {
    let client = org().await;
    for (text, choices, hour) in [("a", json!("Red;Blue"), json!("09:30:00.000Z")), ("b", json!("Green"), json!(null))]
    {
        client.create("Wide__c", json!({"Text_000__c": text, "Choices__c": choices, "Hour__c": hour})).await;
    }
    let table = [
        "Choices__c INCLUDES ('Red')",
        "Choices__c INCLUDES ('blue;red', 'Green')",
        "Choices__c INCLUDES ('Red;Green')",
        "Choices__c INCLUDES ('%', 'R_d', '')",
        "Choices__c EXCLUDES ('Red')",
        "Choices__c > 'Red'",
        "Hour__c < 10:00:00.000Z",
        "Hour__c != 09:30:00Z",
    ];
    insta::assert_snapshot!(found(&client, "Wide__c", "Text_000__c", &table).await);
    let table = [
        "Name = 'éCOLE'",
        "Name LIKE 'É%'",
        "Name IN ('ÉCOLE', 'beta')",
        "Name > 'beta'",
        "Rating != 'hot'",
        "Id = '001'",
    ];
    insta::assert_snapshot!(found(&client, "Account", "Name", &table).await);
    let table = [
        "SELECT Rating FROM Account WHERE Rating != null ORDER BY Rating",
        "SELECT StageName FROM Opportunity ORDER BY StageName DESC",
        "SELECT toLabel(Rating) FROM Account WHERE Name = 'Alpha'",
        "SELECT toLabel(UserType), toLabel(TimeZoneSidKey) zone FROM User",
        "SELECT toLabel(Name) FROM Account",
        "SELECT Name FROM Account WHERE toLabel(Rating) = 'Hot'",
        "SELECT Name FROM Account WHERE Rating INCLUDES ('Hot')",
    ];
    insta::assert_snapshot!(answers(&client, &table).await);
}

#[tokio::test]
async fn scopes_and_words_that_change_nothing() {
    let table = [
        "SELECT COUNT() FROM Account USING SCOPE everything",
        "SELECT COUNT() FROM Account USING SCOPE mine WHERE Name != 'Alpha'",
        "SELECT COUNT() FROM User USING SCOPE mine",
        "SELECT COUNT() FROM Account WITH SECURITY_ENFORCED",
        "SELECT Name FROM Account WHERE Name = 'Alpha' WITH USER_MODE LIMIT 1 FOR VIEW",
        "SELECT Name FROM Account WHERE Name = 'Alpha' FOR REFERENCE",
    ];
    insta::assert_snapshot!(answers(&org().await, &table).await);
}

#[tokio::test]
async fn limits_of_a_query() {
    let client = org().await;
    let ask = async |soql: String| {
        let answer = client.query(&soql).await;
        (answer.status.as_u16(), answer.json()[0]["errorCode"].as_str().map(str::to_owned))
    };
    let refused = |code: &str| (400, Some(code.to_owned()));
    let text = |length| format!("SELECT Id FROM Account WHERE Name = '{}'", "x".repeat(length));
    assert_eq!(ask(text(4_000)).await, (200, None));
    assert_eq!(ask(text(4_001)).await, refused("MALFORMED_QUERY"));
    let children = |count| format!("SELECT Id{} FROM Account", ", (SELECT Id FROM Contacts)".repeat(count));
    assert_eq!(ask(children(2)).await, refused("INVALID_FIELD"));
    // Three users of an account, nine of those, and so on: as many relationships as wanted.
    let users = ["CreatedBy", "LastModifiedBy", "Manager"];
    let mut paths: Vec<String> = ["CreatedBy", "LastModifiedBy", "Owner"].map(str::to_owned).to_vec();
    for at in 0..20 {
        let deeper = users.map(|user| format!("{}.{user}", paths[at]));
        paths.extend(deeper);
    }
    let parents = |count| format!("SELECT {}.Name FROM Account", paths[..count].join(".Name, "));
    assert_eq!(ask(parents(55)).await, (200, None));
    assert_eq!(ask(parents(56)).await, refused("MALFORMED_QUERY"));
}

/// Two long texts make a row wide.
#[tokio::test]
async fn wide_rows_make_small_pages() {
    let settings = Settings { wide_query_page: 2, ..still() };
    let client = Client::with(Config { settings, rows: vec![("Wide__c".to_owned(), 3)], ..Config::default() }).await;
    for (fields, size) in [("Long_Text__c, Rich_Text__c", 2), ("Long_Text__c, Note__c", 3)] {
        let page = client.query(&format!("SELECT {fields} FROM Wide__c")).await.json();
        assert_eq!(page["records"].as_array().unwrap().len(), size, "{fields}");
    }
}
