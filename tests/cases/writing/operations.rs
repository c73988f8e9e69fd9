//! What documents become: by operation, null policy, deletion policy, and what is said of references and single fields.

use demo::runtime::Dialect;
use serde_json::{Value, json};

use super::desk::{Desk, MATCH, by_match, document, make_matchable, target, with};
use crate::org::Org;

const A: &str = "00Q000000000001AAA";
const B: &str = "00Q000000000002AAA";

async fn leads() -> Org {
    let org = Org::start(&[]).await;
    make_matchable(&org, &["Lead", "Account", "Contact"]);
    org
}

fn lead(id: &str, fields: Value) -> (usize, Value) {
    (0, document("u", id, with(json!({ "LastName": "Ngo", "Company": "Acme" }), fields)))
}

/// What it shows, options of the binding, transactions, and what is in the org afterwards.
type Story = (&'static str, Value, Vec<Vec<(usize, Value)>>, Value);

/// What a sequence of transactions leaves in the org, for each policy. In the field `Phone` a null means something, and so does its
/// absence.
#[tokio::test(flavor = "multi_thread")]
async fn policies() {
    let stories: [Story; 7] = [
        (
            "upsert makes and changes; a null empties, what is absent stays",
            json!({}),
            vec![
                vec![lead(A, json!({ "Phone": "1" })), lead(B, json!({ "Phone": "2" }))],
                vec![lead(A, json!({ "Phone": null })), lead(B, json!({}))],
            ],
            json!({ A: { "Phone": null }, B: { "Phone": "2" } }),
        ),
        (
            "nulls can be left alone",
            json!({ "nulls": "leave" }),
            vec![vec![lead(A, json!({ "Phone": "1" }))], vec![lead(A, json!({ "Phone": null }))]],
            json!({ A: { "Phone": "1" } }),
        ),
        (
            "deletions are ignored unless something else is said",
            json!({}),
            vec![vec![lead(A, json!({ "Phone": "1" }))], vec![(0, document("d", A, json!({})))]],
            json!({ A: { "Phone": "1" } }),
        ),
        (
            "deletions are carried out, twice without harm",
            json!({ "deletions": "delete" }),
            vec![
                vec![lead(A, json!({ "Phone": "1" })), lead(B, json!({ "Phone": "2" }))],
                vec![(0, document("d", A, json!({})))],
                vec![(0, document("d", A, json!({})))],
            ],
            json!({ B: { "Phone": "2" } }),
        ),
        (
            "a deletion sets a field, and nothing where the record is not there",
            json!({ "deletions": "set_field", "deletion_field": "Phone", "deletion_value": "gone" }),
            vec![
                vec![lead(A, json!({ "Phone": "1" }))],
                vec![(0, document("d", A, json!({ "LastName": null }))), (0, document("d", B, json!({})))],
            ],
            json!({ A: { "Phone": "gone" } }),
        ),
        (
            "what is deleted and comes back is made again",
            json!({ "deletions": "delete" }),
            vec![
                vec![lead(A, json!({ "Phone": "1" }))],
                vec![(0, document("d", A, json!({})))],
                vec![lead(A, json!({ "Phone": "3" }))],
            ],
            json!({ A: { "Phone": "3" } }),
        ),
        (
            "an insert that comes again finds its own record",
            json!({ "operation": "insert" }),
            vec![vec![lead(A, json!({ "Phone": "1" }))], vec![lead(A, json!({ "Phone": "1" })), lead(B, json!({}))]],
            json!({ A: { "Phone": "1" }, B: { "Phone": null } }),
        ),
    ];
    for (story, options, transactions, expected) in stories {
        let org = leads().await;
        let resource = with(json!({ "object": "Lead", "match_field": MATCH }), options);
        let mut desk = Desk::prepare(&org, vec![target(resource, &["LastName", "Company", "Phone"])]).await;
        for documents in transactions {
            desk.write(documents).await;
        }
        let found = by_match(&org, "Lead", &["Phone"]);
        assert_eq!(json!(found), expected, "{story}");
        assert_eq!(org.ids("Lead").len(), found.len(), "{story}: nothing is made twice");
        org.shutdown().await;
    }
}

/// What is deleted and comes back is the same record again where the binding restores, and a new one where it does not.
#[tokio::test(flavor = "multi_thread")]
async fn deleted_records_come_back() {
    for (restores, operation) in [(false, "upsert"), (true, "upsert"), (true, "update")] {
        let org = leads().await;
        org.create("Lead", json!({ "LastName": "Ngo", "Company": "Acme", "Phone": "1", MATCH: A }));
        let before = org.ids("Lead");
        let options = json!({ "object": "Lead", "match_field": MATCH, "operation": operation, "deletions": "delete" });
        let resource = with(options, json!({ "restore_deleted": restores }));
        let mut desk = Desk::prepare(&org, vec![target(resource, &["LastName", "Company"])]).await;
        for _ in 0..2 {
            desk.write([(0, document("d", A, json!({})))]).await;
            assert_eq!(by_match(&org, "Lead", &[]).len(), 0, "{operation}");
            desk.write([(0, document("c", A, json!({ "LastName": "Tran", "Company": "Acme" })))]).await;
        }
        let phone = if restores { json!("1") } else { Value::Null };
        let found = by_match(&org, "Lead", &["LastName", "Phone"]);
        assert_eq!(json!(found), json!({ A: { "LastName": "Tran", "Phone": phone } }), "{restores} {operation}");
        assert_eq!(org.ids("Lead") == before, restores, "{restores} {operation}");
        org.shutdown().await;
    }
}

/// `update` writes to what is there, by the record's own Id or by an external id, and never makes anything.
#[tokio::test(flavor = "multi_thread")]
async fn updates_by_id_and_by_external_id() {
    let org = leads().await;
    let fields = json!({ "LastName": "Ngo", "Company": "Acme", "Phone": "1", MATCH: A });
    let own = org.create("Lead", fields).to_string();
    for (match_field, key) in [("Id", own.as_str()), (MATCH, A)] {
        let resource =
            json!({ "object": "Lead", "match_field": match_field, "operation": "update", "on_error": "continue" });
        let mut desk = Desk::prepare(&org, vec![target(resource, &["Phone"])]).await;
        let change = |key: &str| (0, document("u", key, json!({ "Phone": match_field })));
        let exit = desk.write([change(key), change("00Q00000000zzzzAAA")]).await;
        assert_eq!(json!(by_match(&org, "Lead", &["Phone"])), json!({ A: { "Phone": match_field } }), "{match_field}");
        assert_eq!(org.ids("Lead").len(), 1, "{match_field}");
        assert!(exit.log.iter().any(|line| line.contains("a row was rejected")), "{match_field}: {:?}", exit.log);
    }
    org.shutdown().await;
}

/// Both forms in which runtimes send keys and values, and both at once, come to the same.
#[tokio::test(flavor = "multi_thread")]
async fn packed_tuples_and_arrays() {
    for dialect in [Dialect::Packed, Dialect::Arrays, Dialect::Both] {
        let org = leads().await;
        let resource = json!({ "object": "Lead", "match_field": MATCH });
        let mut desk = Desk::prepare(&org, vec![target(resource, &["LastName", "Company", "Phone"])]).await;
        let transaction = desk.transaction([lead(A, json!({ "Phone": "1" })), lead(B, json!({ "Phone": "ü\"\\" }))]);
        let mut delivery = desk.open().await;
        delivery.speak(dialect);
        desk.commit(&mut delivery, &transaction).await.expect("the transaction is taken");
        assert_eq!(delivery.close().await.expect("it ends").code, Some(0));
        let expected = json!({ A: { "Phone": "1" }, B: { "Phone": "ü\"\\" } });
        assert_eq!(json!(by_match(&org, "Lead", &["Phone"])), expected, "{dialect:?}");
        org.shutdown().await;
    }
}

/// A reference to what another binding writes leads to the copy of the parent, parents first although both come at once; any other
/// reference is left out unless the user says what becomes of it.
#[tokio::test(flavor = "multi_thread")]
async fn references() {
    const PARENT: &str = "001000000000001AAA";
    let org = leads().await;
    let owner = org.truth("User").keys().next().expect("a user").clone();
    let account = json!({ "object": "Account", "match_field": MATCH });
    let contact = json!({ "object": "Contact", "match_field": MATCH });
    let mut contact = target(contact, &["LastName", "AccountId", "OwnerId", "ReportsToId"]);
    contact.require.insert("OwnerId".into(), json!({ "values": { "005000000000001AAA": owner } }));
    // Contacts come first in the request, and accounts in the org.
    let mut desk = Desk::prepare(&org, vec![contact, target(account, &["Name", "OwnerId"])]).await;
    let validated = &desk.task.targets()[1].validated;
    assert!(validated.forbidden["OwnerId"].contains("refers to records of"), "{:?}", validated.forbidden);
    let fields = json!({ "LastName": "Ngo", "AccountId": PARENT, "OwnerId": "005000000000001AAA" });
    desk.write([
        (0, document("c", "003000000000001AAA", fields)),
        (1, document("c", PARENT, json!({ "Name": "Acme", "OwnerId": "005000000000009AAA" }))),
    ])
    .await;
    let contact = by_match(&org, "Contact", &["AccountId", "OwnerId"]).into_values().next().expect("the contact");
    let account = org.truth("Account").into_iter().next().expect("the account");
    assert_eq!(account.1[MATCH], PARENT);
    assert_eq!(contact, json!({ "AccountId": account.0, "OwnerId": owner }));
    org.shutdown().await;
}

/// New records that refer to each other, across objects and within one, lead to each other's copies when their one transaction is committed; a
/// second time nothing changes.
#[tokio::test(flavor = "multi_thread")]
async fn records_that_refer_to_each_other() {
    const ACCOUNTS: [&str; 2] = ["001000000000001AAA", "001000000000002AAA"];
    const CONTACT: &str = "003000000000001AAA";
    let org = leads().await;
    let definition = json!({ "type": "reference", "to": ["Contact"], "children": "Headed" });
    org.change_schema(json!({ "add_field": { "object": "Account", "field": "Head__c", "definition": definition } }));
    let account = target(json!({ "object": "Account", "match_field": MATCH }), &["Name", "ParentId", "Head__c"]);
    let contact =
        target(json!({ "object": "Contact", "match_field": MATCH }), &["LastName", "AccountId", "ReportsToId"]);
    let mut desk = Desk::prepare(&org, vec![account, contact]).await;
    let account = |at: usize| {
        let fields = json!({ "Name": "Acme", "ParentId": ACCOUNTS[1 - at], "Head__c": CONTACT });
        (0, document("c", ACCOUNTS[at], fields))
    };
    let contact = json!({ "LastName": "Ngo", "AccountId": ACCOUNTS[0], "ReportsToId": CONTACT });
    let contact = (1, document("c", CONTACT, contact));
    for _ in 0..2 {
        desk.write([account(0), account(1), contact.clone()]).await;
        let ids = |object: &str| -> std::collections::BTreeMap<String, Value> {
            by_match(&org, object, &["Id"]).into_iter().map(|(key, record)| (key, record["Id"].clone())).collect()
        };
        let (accounts, contacts) = (ids("Account"), ids("Contact"));
        let copy = |at: usize| &accounts[ACCOUNTS[at]];
        let expected = json!({
            ACCOUNTS[0]: { "ParentId": copy(1), "Head__c": contacts[CONTACT] },
            ACCOUNTS[1]: { "ParentId": copy(0), "Head__c": contacts[CONTACT] },
        });
        assert_eq!(json!(by_match(&org, "Account", &["ParentId", "Head__c"])), expected);
        let expected = json!({ CONTACT: { "AccountId": copy(0), "ReportsToId": contacts[CONTACT] } });
        assert_eq!(json!(by_match(&org, "Contact", &["AccountId", "ReportsToId"])), expected);
        assert_eq!((org.ids("Account").len(), org.ids("Contact").len()), (2, 1));
    }
    org.shutdown().await;
}

/// Names, nested places and values as the field config says.
#[tokio::test(flavor = "multi_thread")]
async fn fields_have_rules_of_their_own() {
    let org = leads().await;
    let resource = json!({ "object": "Lead", "match_field": MATCH });
    let mut target = target(resource, &["Surname", "Firm", "Rank"]);
    target.projections.push(demo::runtime::Projection {
        pointer: "/where/city".into(),
        field: "where/city".into(),
        types: vec!["string".into()],
    });
    for (field, rule) in [
        ("Surname", json!({ "name": "LastName" })),
        ("Firm", json!({ "name": "company" })),
        ("where/city", json!({ "name": "City" })),
        ("Rank", json!({ "name": "Phone", "values": { "1": "one", "true": "yes" }, "otherwise": "many" })),
    ] {
        target.require.insert(field.into(), rule);
    }
    let mut desk = Desk::prepare(&org, vec![target]).await;
    let fields = |rank: Value| json!({ "Surname": "Ngo", "Firm": "Acme", "where": { "city": "Hue" }, "Rank": rank });
    let ranks =
        [(A, json!(1)), (B, json!(7)), ("00Q000000000003AAA", json!(null)), ("00Q000000000004AAA", json!(true))];
    desk.write(ranks.map(|(id, rank)| (0, document("c", id, fields(rank))))).await;
    let found = by_match(&org, "Lead", &["LastName", "Company", "City", "Phone"]);
    let phones: Vec<_> = found.values().map(|lead| lead["Phone"].clone()).collect();
    assert_eq!(phones, [json!("one"), json!("many"), json!(null), json!("yes")]);
    assert_eq!(found[A]["City"], "Hue");
    assert_eq!(found[A]["Company"], "Acme");
    org.shutdown().await;
}

/// Two thousand rows take ten calls and a few, or one job.
#[tokio::test(flavor = "multi_thread")]
async fn calls_are_counted_like_money() {
    for (threshold, most_calls) in [(0, 16), (1000, 30)] {
        let org = leads().await;
        let mut config = org.config();
        config["advanced"]["bulk_threshold"] = json!(threshold);
        let resource = json!({ "object": "Lead", "match_field": MATCH });
        let targets = vec![target(resource, &["LastName", "Company", "Phone"])];
        let mut desk = Desk::prepare_with(config, targets).await.expect("it is valid");
        let calls = |org: &Org| org.emulator().org().calls().values().sum::<u64>();
        let before = calls(&org);
        desk.write((0..2000).map(|number| lead(&format!("00Q{number:012}AAA"), json!({ "Phone": "1" })))).await;
        let calls = calls(&org) - before;
        assert_eq!(org.ids("Lead").len(), 2000);
        assert!((10..=most_calls).contains(&calls) || threshold > 0 && calls <= most_calls, "{calls} calls");
        let jobs = tokio::task::block_in_place(|| org.emulator().org().bulk_jobs()).len();
        assert_eq!(jobs > 0, threshold > 0, "{jobs} jobs");
        org.shutdown().await;
    }
}

/// Fields that Salesforce takes in existing records only are left out of new ones, where a binding requires them, and written later.
#[tokio::test(flavor = "multi_thread")]
async fn fields_of_existing_records() {
    const FIELDS: [&str; 2] = ["EmailBouncedReason", "EmailBouncedDate"];
    let org = leads().await;
    let resource = json!({ "object": "Lead", "match_field": MATCH });
    let mut target = target(resource, &["LastName", "Company", "Phone", FIELDS[0], FIELDS[1]]);
    let plain = Desk::prepare(&org, vec![target.clone()]).await;
    let forbidden = &plain.task.targets()[0].validated.forbidden;
    assert!(FIELDS.iter().all(|field| forbidden[*field].contains("existing records only")), "{forbidden:?}");

    target.require = FIELDS.map(|field| (field.to_owned(), json!({}))).into();
    let mut desk = Desk::prepare(&org, vec![target]).await;
    let row = || lead(A, json!({ "Phone": "1", FIELDS[0]: "no such box", FIELDS[1]: "2026-01-02T03:04:05.000Z" }));
    desk.write([row()]).await;
    let found = || by_match(&org, "Lead", &["Phone", FIELDS[0]]);
    assert_eq!(json!(found()), json!({ A: { "Phone": "1", FIELDS[0]: null } }));
    desk.write([row()]).await;
    assert_eq!(json!(found()), json!({ A: { "Phone": "1", FIELDS[0]: "no such box" } }));
    org.shutdown().await;
}
