//! Queries nobody would write: each is answered or refused, and never by a failure of the org.

use std::sync::LazyLock;

use proptest::prelude::*;
use salesforce_emulator::org::Ask;
use salesforce_emulator::{Org, Settings};
use serde_json::{Map, json};

static ORG: LazyLock<Org> = LazyLock::new(|| {
    let (org, _) = Org::open(None, 1, Settings::default()).unwrap();
    let record = |value: serde_json::Value| -> Map<_, _> { serde_json::from_value(value).unwrap() };
    let account = org.create("Account", &record(json!({"Name": "It's \"one\"", "NumberOfEmployees": 1}))).unwrap();
    let contact = json!({"LastName": "x", "AccountId": account.as_str()});
    let contact = org.create("Contact", &record(contact)).unwrap();
    let task = json!({"WhatId": account.as_str(), "WhoId": contact.as_str()});
    org.create("Task", &record(task)).unwrap();
    org
});

/// Valid queries, of every kind.
const SEEDS: [&str; 14] = [
    "SELECT Id , Name , Owner.Name FROM Account WHERE Name LIKE 'a%' AND ( NOT Rating = 'Hot' OR AnnualRevenue > 1.5 ) ORDER BY Name DESC NULLS LAST LIMIT 10 OFFSET 5",
    "SELECT COUNT ( ) FROM Account WHERE CreatedDate >= LAST_N_DAYS : 3 AND CreatedDate < 2030-01-01T00:00:00Z",
    "SELECT Name , ( SELECT LastName , Account.Name FROM Contacts WHERE Title != null ORDER BY LastName LIMIT 2 ) FROM Account a USING SCOPE mine WHERE a.Name != 'x'",
    "SELECT Name , ( SELECT Name , ( SELECT Id FROM Contacts ) FROM ChildAccounts ) FROM Account",
    "SELECT StageName stage , COUNT ( Id ) n , SUM ( Amount ) FROM Opportunity GROUP BY StageName HAVING COUNT ( Id ) > 1 ORDER BY COUNT ( Id ) DESC LIMIT 5",
    "SELECT CALENDAR_YEAR ( convertTimezone ( CreatedDate ) ) , MAX ( CloseDate ) FROM Opportunity GROUP BY CALENDAR_YEAR ( convertTimezone ( CreatedDate ) )",
    "SELECT Account.Name , MIN ( CreatedDate ) FROM Contact WHERE DAY_ONLY ( CreatedDate ) = TODAY GROUP BY Account.Name ORDER BY Account.Name",
    "SELECT Id FROM Account WHERE Id IN ( SELECT AccountId FROM Contact WHERE Name LIKE '%x%' ) AND Id NOT IN ( SELECT AccountId FROM Opportunity )",
    "SELECT What.Name , Who.Type , Owner.Name FROM Task WHERE What.Type IN ( 'Account' , null ) ORDER BY Who.Name",
    "SELECT TYPEOF What WHEN Account THEN Name , Phone WHEN Opportunity THEN Amount ELSE Name END , Subject FROM Task",
    "SELECT FIELDS ( ALL ) FROM Contact LIMIT 200 FOR VIEW",
    "SELECT toLabel ( Rating ) r , toLabel ( Industry ) FROM Account WITH SECURITY_ENFORCED",
    "SELECT Text_000__c FROM Wide__c WHERE Choices__c INCLUDES ( 'Red;Blue' , 'Green' ) AND Hour__c < 10:00:00Z AND Flag_000__c = TRUE",
    "SELECT Id , IsActive , Profile.Name FROM User WHERE Id = '00559000000000B' AND CreatedDate IN ( TODAY , LAST_WEEK )",
];

/// Words that no seed has, or that mean something elsewhere.
const WORDS: [&str; 34] = [
    "ASC",
    "AVG",
    "COUNT_DISTINCT",
    "CUSTOM",
    "DAY_IN_WEEK",
    "Description",
    "EXCLUDES",
    "FISCAL_QUARTER",
    "FORMAT",
    "IsDeleted",
    "MailingAddress",
    "Parent.Parent.Name",
    "REFERENCE",
    "ROLLUP",
    "STANDARD",
    "Secret__c",
    "Sum__c",
    "SystemModstamp",
    "THIS_FISCAL_YEAR",
    "USER_MODE",
    "YESTERDAY",
    "'",
    "''",
    "'\\'",
    "\"",
    ";",
    "--",
    "?1",
    "1e308",
    "-0",
    "9999999999999",
    "é",
    "\u{0}",
    "'x' OR 1=1; DROP TABLE Account --'",
];

fn answered(soql: &str) {
    for deleted in [false, true] {
        let ask = Ask { soql, deleted, version: "62.0", batch: None };
        if let Err(refusal) = ORG.query(ask) {
            assert!(matches!(refusal.status, 400 | 501), "{soql}: {refusal}");
        }
    }
}

/// A word of some seed, or a strange one.
fn word() -> impl Strategy<Value = &'static str> {
    let known: Vec<&str> = SEEDS.iter().flat_map(|seed| seed.split(' ')).chain(WORDS).collect();
    proptest::sample::select(known)
}

/// What is done to a seed at one place.
#[derive(Debug, Clone)]
enum Mutation {
    Remove,
    Replace(&'static str),
    Insert(&'static str),
    Swap(usize),
    Repeat(usize),
}

fn mutation() -> impl Strategy<Value = (usize, Mutation)> {
    let kinds = prop_oneof![
        Just(Mutation::Remove),
        word().prop_map(Mutation::Replace),
        word().prop_map(Mutation::Insert),
        any::<usize>().prop_map(Mutation::Swap),
        (2..40_usize).prop_map(Mutation::Repeat),
    ];
    (any::<usize>(), kinds)
}

fn mutated(seed: &str, mutations: &[(usize, Mutation)]) -> String {
    let mut words: Vec<&str> = seed.split(' ').collect();
    for (at, mutation) in mutations {
        if words.is_empty() {
            break;
        }
        let at = at % words.len();
        match mutation {
            Mutation::Remove => drop(words.remove(at)),
            Mutation::Replace(word) => words[at] = word,
            Mutation::Insert(word) => words.insert(at, word),
            Mutation::Swap(other) => {
                let other = other % words.len();
                words.swap(at, other);
            }
            Mutation::Repeat(times) => {
                let end = words.len().min(at + 4);
                let some = words[at..end].repeat(*times);
                words.splice(end..end, some);
            }
        }
    }
    words.join(" ")
}

#[test]
fn seeds_are_answered() {
    for soql in SEEDS {
        let ask = Ask { soql, deleted: false, version: "62.0", batch: None };
        let refusal = ORG.query(ask).err().filter(|refusal| !refusal.message.contains("Profile"));
        assert_eq!(refusal, None, "{soql}");
    }
}

proptest! {
    #[test]
    fn mutated_queries(
        seed in proptest::sample::select(SEEDS.to_vec()),
        mutations in proptest::collection::vec(mutation(), 1..6),
    ) {
        answered(&mutated(seed, &mutations));
    }

    #[test]
    fn words_in_any_order(words in proptest::collection::vec(word(), 0..30)) {
        answered(&format!("SELECT {}", words.join(" ")));
    }

    /// Whatever stands in quotes is a text and nothing else.
    #[test]
    fn texts_stay_texts(text in any::<String>()) {
        let quoted = text.replace('\\', "\\\\").replace('\'', "\\'");
        let soql = format!("SELECT Id FROM Account WHERE Name = '{quoted}' AND Name LIKE '{quoted}' AND Rating IN ('{quoted}')");
        prop_assert!(ORG.query(Ask { soql: &soql, deleted: false, version: "62.0", batch: None }).is_ok(), "{}", soql);
    }
}
