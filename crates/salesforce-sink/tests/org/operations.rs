//! What is written, by every operation, way of naming records, and route.

use salesforce_sink::{
    Lookup, MatchBy, Missing, Nulls, Operation, Operation::*, Options, OtherReferences, References, Route, Target,
    Targets,
};
use serde_json::{Value, json};

use crate::world::{World, hurried};

const ROUTES: [Route; 3] = [Route::Single, Route::Collections, Route::Bulk];

/// Operation by way of naming by route: the same outcomes and the same records, whatever the route.
#[tokio::test(flavor = "multi_thread")]
async fn every_operation_by_every_name_and_route() {
    let mut shown = Vec::new();
    for route in ROUTES {
        let world = World::start().await;
        let options = Options { route, ..hurried() };
        let mut table = String::new();
        let mut note = |title: &str, outcomes: Vec<String>| {
            table += &format!("{title}\n");
            for outcome in outcomes {
                table += &format!("  {outcome}\n");
            }
        };
        let text = |text: &str| json!({"Text__c": text, "Id": "003000000000000AAA"});
        // By external id.
        let outcomes = world
            .write(
                World::things(),
                &options,
                &[
                    (Insert, "a", text("a1")),
                    (Insert, "b", text("b1")),
                    (Insert, "c", text("c1")),
                    (Insert, "d", text("d1")),
                ],
            )
            .await;
        note("insert by key", outcomes);
        let outcomes = world.write(World::things(), &options, &[(Insert, "a", text("a2"))]).await;
        note("insert of what is there", outcomes.iter().map(|line| without_ids(line)).collect());
        note(
            "update by key",
            world
                .write(World::things(), &options, &[(Update, "a", text("a3")), (Update, "none", text("x"))])
                .await
                .iter()
                .map(|line| without_message(line))
                .collect(),
        );
        note(
            "upsert by key",
            world.write(World::things(), &options, &[(Upsert, "b", text("b3")), (Upsert, "e", text("e1"))]).await,
        );
        note(
            "delete by key",
            world.write(World::things(), &options, &[(Delete, "c", json!({})), (Delete, "none", json!({}))]).await,
        );
        let strict = || Target { missing: Missing::Rejected, ..World::things() };
        note(
            "delete by key of what must be there",
            world
                .write(strict(), &options, &[(Delete, "none", json!({}))])
                .await
                .iter()
                .map(|line| without_message(line))
                .collect(),
        );
        // By Id.
        let records = world.records("Thing__c");
        // Calls go side by side: Ids are in no order.
        let id = |key| records.iter().find(|it| it["Key__c"] == key).and_then(|it| it["Id"].as_str()).unwrap();
        let (a, b, d) = (id("a"), id("b"), id("d"));
        let gone = world.create("Thing__c", json!({"Key__c": "gone"}));
        world.delete("Thing__c", gone);
        let gone = gone.to_string();
        note("insert by Id", world.write(World::things_by_id(), &options, &[(Insert, "", text("f1"))]).await);
        note(
            "update by Id",
            world
                .write(
                    World::things_by_id(),
                    &options,
                    &[
                        (Update, a, text("a4")),
                        (Update, &b[..15], text("b4")),
                        (Update, &gone, text("x")),
                        (Update, "no id", text("x")),
                    ],
                )
                .await
                .iter()
                .map(|line| without_message(line).replace(&gone, "GONE"))
                .collect(),
        );
        note(
            "delete by Id",
            world.write(World::things_by_id(), &options, &[(Delete, d, json!({})), (Delete, &gone, json!({}))]).await,
        );
        note(
            "upsert by Id",
            world
                .write(World::things_by_id(), &options, &[(Upsert, a, text("x"))])
                .await
                .iter()
                .map(|line| without_message(line).replace(a, "A"))
                .collect(),
        );
        note("records", world.things_with(&["Text__c"]).into_iter().map(|(key, it)| format!("{key} {it}")).collect());
        shown.push(table);
    }
    assert_eq!(shown[0], shown[1], "by single calls, and by collections");
    assert_eq!(shown[0], shown[2], "by single calls, and by jobs where Bulk can");
    insta::assert_snapshot!(shown[0]);
}

/// By which requests each operation travels, by way of naming and route. Only an upsert can name many records by an external id: of the
/// others Ids are asked for first.
#[tokio::test(flavor = "multi_thread")]
async fn what_each_operation_by_every_name_and_route_asks_of_the_org() {
    const KINDS: [&str; 10] = [
        "query",
        "create",
        "update",
        "upsert",
        "delete",
        "create_rows",
        "update_rows",
        "upsert_rows",
        "delete_rows",
        "bulk_ingest_create",
    ];
    let mut table = String::new();
    for operation in [Insert, Update, Upsert, Delete] {
        for (name, target) in [("key", World::things()), ("Id", World::things_by_id())] {
            for route in ROUTES {
                let world = World::start().await;
                let id = world.create("Thing__c", json!({"Key__c": "a"})).to_string();
                let key = match (operation, name) {
                    (Insert, "key") => "b",
                    (Insert, _) => "",
                    (_, "key") => "a",
                    (_, _) => &id,
                };
                let options = Options { route, ..hurried() };
                let outcomes =
                    world.write(target.clone(), &options, &[(operation, key, json!({"Text__c": "t"}))]).await;
                let refused = outcomes[0].contains("OPERATION_NOT_ALLOWED");
                assert!(refused || !outcomes[0].contains("rejected"), "{outcomes:?}");
                let asked = if refused { "not allowed".to_owned() } else { world.kinds(&KINDS).join(", ") };
                table += &format!("{operation} by {name}, {route:?}: {asked}\n");
            }
        }
    }
    insta::assert_snapshot!(table);
}

/// The line without what differs between routes: Salesforce's words.
fn without_message(line: &str) -> String {
    line.splitn(3, ": ").take(2).collect::<Vec<_>>().join(": ")
}

fn without_ids(line: &str) -> String {
    let (head, _) = line.split_once(" with id").unwrap_or((line, ""));
    head.to_owned()
}

/// Null and absent mean the same on every route.
#[tokio::test(flavor = "multi_thread")]
async fn null_and_absent_on_every_route() {
    const FIELDS: [&str; 5] = ["Text__c", "Amount__c", "Day__c", "Choice__c", "Owner__c"];
    let full = |owner: &str| json!({"Text__c": "t", "Amount__c": 1.5, "Day__c": "2024-02-29", "Choice__c": "red", "Owner__c": owner});
    let nulls = json!({"Text__c": null, "Amount__c": null, "Day__c": null, "Choice__c": null, "Owner__c": null});
    let empty = json!({"Text__c": "", "Amount__c": "", "Day__c": "", "Choice__c": "", "Owner__c": ""});
    let mut shown = Vec::new();
    for route in ROUTES {
        let world = World::start().await;
        let owner = world.create("Account", json!({"Name": "Acme"})).to_string();
        let mut table = String::new();
        for policy in [Nulls::Clear, Nulls::Leave] {
            let target = || Target { nulls: policy, ..World::things() };
            for operation in [Update, Upsert, Insert] {
                for (what, fields) in
                    [("absent", json!({"Other__c": "o"})), ("null", nulls.clone()), ("empty", empty.clone())]
                {
                    let key = format!("{operation}{what}{policy:?}");
                    if operation != Insert {
                        world.write(target(), &hurried(), &[(Insert, &key, full(&owner))]).await;
                    }
                    let outcome =
                        world.write(target(), &Options { route, ..hurried() }, &[(operation, &key, fields)]).await;
                    let row = world.things_with(&FIELDS)[&key].to_string().replace(&owner, "OWNER");
                    table += &format!("{policy:?} {operation} {what}: {} → {row}\n", outcome[0]);
                }
            }
        }
        shown.push(table);
    }
    assert_eq!(shown[0], shown[1], "by single calls, and by collections");
    assert_eq!(shown[0], shown[2], "by single calls, and by jobs where Bulk can");
    insta::assert_snapshot!(shown[0]);
}

/// What Salesforce says of a row comes back with the row; the others are written.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_row_is_told_with_its_reason_and_what_was_sent() {
    let world = World::start().await;
    let fields = |fields: Value| fields;
    let outcomes = world
        .write(
            World::things(),
            &hurried(),
            &[
                (Upsert, "good", fields(json!({"Text__c": "fine"}))),
                (Upsert, "long", json!({"Text__c": "longer than ten"})),
                (Upsert, "choice", json!({"Choice__c": "blue"})),
                (Upsert, "misfit", json!({"Amount__c": "many"})),
                (Upsert, "day", json!({"Day__c": "2023-02-29"})),
                (Upsert, "parent", json!({"Owner__c": "001QAA000001ABC"})),
                (Upsert, "id", json!({"Owner__c": "somebody"})),
                (Upsert, "", json!({"Text__c": "x"})),
                (
                    Upsert,
                    "unknown",
                    json!({"Nothing__c": 1, "attributes": {"type": "Thing__c"}, "_EventType": "created"}),
                ),
                (Update, "good", json!({"CreatedDate": "2024-01-01T00:00:00Z"})),
            ],
        )
        .await;
    insta::assert_snapshot!(outcomes.join("\n"));
    assert_eq!(world.things_with(&["Text__c"]).len(), 2);
}

/// Fields go by the rules of the target, in their order.
#[tokio::test(flavor = "multi_thread")]
async fn fields_are_ignored_renamed_and_looked_up() {
    let world = World::start().await;
    world.create("Account", json!({"Name": "Acme", "Number__c": "n1"}));
    let target = Target {
        ignored: vec!["OTHER__C".to_owned()],
        renamed: vec![("title".to_owned(), "Text__c".parse().unwrap())],
        references: References {
            others: OtherReferences::Drop,
            lookups: vec![
                Lookup { reference: "Owner__c".parse().unwrap(), object: None, by: "Number__c".parse().unwrap() },
                Lookup {
                    reference: "Any__c".parse().unwrap(),
                    object: Some("Account".parse().unwrap()),
                    by: "Number__c".parse().unwrap(),
                },
            ],
            kept: Vec::new(),
            nested: true,
        },
        ..World::things()
    };
    let outcomes = world.write(target.clone(), &hurried(), &[
        (Upsert, "a", json!({"title": "t", "Other__c": "o", "OWNER__C": "n1", "Any__c": "n1", "Whole__c": "not even an id"})),
        (Upsert, "b", json!({"Owner__r": {"Number__c": "n1"}})),
        (Upsert, "c", json!({"Owner__c": "nobody"})),
        (Upsert, "d", json!({"Owner__r": {"Number__c": "n1", "Name": "Acme"}})),
    ]).await;
    insta::assert_snapshot!(outcomes.join("\n"));
    let things = world.records("Thing__c");
    let acme = world.records("Account")[0]["Id"].clone();
    let shown: Vec<Value> = things
        .iter()
        .map(|it| json!([it["Text__c"], it["Other__c"], it["Owner__c"] == acme, it["Any__c"] == acme]))
        .collect();
    assert_eq!(shown, [json!(["t", null, true, true]), json!([null, null, true, false])]);
    world.write(target, &hurried(), &[(Upsert, "a", json!({"Owner__c": null}))]).await;
    assert_eq!(world.things_with(&["Owner__c", "Any__c"])["a"], json!([null, acme]));
}

/// N rows cost ⌈N/200⌉ calls. What has to be resolved costs further ones, which ask for all that wait: never more than there are calls.
#[tokio::test(flavor = "multi_thread")]
async fn calls_for_rows() {
    let world = World::start().await;
    let keys: Vec<String> = (0..1_001).map(|nth| format!("k{nth}")).collect();
    let changes = |operation: Operation| -> Vec<_> {
        keys.iter().map(|key| (operation, key.as_str(), json!({"Text__c": operation.to_string()}))).collect()
    };
    let writes = ["create_rows", "update_rows", "upsert_rows", "delete_rows", "create", "update", "upsert", "delete"];
    for (operation, questions) in [(Upsert, 0..=0), (Update, 1..=6), (Delete, 1..=6)] {
        let before = (world.calls(&writes), world.calls(&["query", "composite"]));
        let outcomes = world.write(World::things(), &Options::default(), &changes(operation)).await;
        assert!(outcomes.iter().all(|outcome| matches!(outcome.as_str(), "created" | "applied")), "{outcomes:?}");
        let after = (world.calls(&writes), world.calls(&["query", "composite"]));
        assert_eq!(after.0 - before.0, 6, "{operation}");
        assert!(questions.contains(&(after.1 - before.1)), "{operation}: {}", after.1 - before.1);
    }
}

/// Numbers may be keys, however they are spelled; a key that several records have is nobody's.
#[tokio::test(flavor = "multi_thread")]
async fn keys_of_other_kinds() {
    let world = World::start().await;
    let by = |field: &str| {
        let target = Target::new("Thing__c".parse().unwrap(), MatchBy::ExternalId(field.parse().unwrap()));
        Target { operations: vec![Update, Upsert, Delete], ..target }
    };
    let outcomes = world
        .write(
            by("Count_Key__c"),
            &hurried(),
            &[
                (Upsert, "1.5", json!({"Text__c": "one"})),
                (Upsert, "2", json!({"Text__c": "two"})),
                (Upsert, "two", json!({})),
            ],
        )
        .await;
    assert_eq!(outcomes[..2], ["created", "created"]);
    assert!(outcomes[2].contains("VALUE_DOES_NOT_FIT: Count_Key__c: \"two\" is no number"), "{}", outcomes[2]);
    let outcomes = world
        .write(
            by("Count_Key__c"),
            &hurried(),
            &[(Update, "1.50", json!({"Text__c": "uno"})), (Delete, "2.0", json!({}))],
        )
        .await;
    assert_eq!(outcomes, ["applied", "applied"]);
    // No URL can hold it.
    for (route, expect) in [(Route::Single, "KEY_FITS_NO_URL"), (Route::Collections, "created")] {
        let options = Options { route, ..hurried() };
        let outcomes =
            world.write(World::things(), &options, &[(Upsert, "..", json!({})), (Upsert, "a/b?.inc", json!({}))]).await;
        assert!(outcomes[0].contains(expect), "{outcomes:?}");
        assert!(["created", "applied"].contains(&outcomes[1].as_str()), "{outcomes:?}");
    }
    world.create("Thing__c", json!({"Group__c": "g"}));
    world.create("Thing__c", json!({"Group__c": "G"}));
    for (route, code) in [(Route::Collections, "MULTIPLE_MATCHES"), (Route::Single, "DUPLICATE_EXTERNAL_ID")] {
        let outcomes = world
            .write(by("Group__c"), &Options { route, ..hurried() }, &[(Update, "g", json!({"Text__c": "x"}))])
            .await;
        assert!(outcomes[0].contains(code), "{}", outcomes[0]);
    }
}

/// Parents are there before their children, whichever came first.
#[tokio::test(flavor = "multi_thread")]
async fn parents_and_children_in_one_sink() {
    use salesforce_sink::{Change, Fields, Sink, Traffic};
    let world = World::start().await;
    let lookup = Lookup { reference: "Owner__c".parse().unwrap(), object: None, by: "Number__c".parse().unwrap() };
    let things =
        Target { references: References { lookups: vec![lookup], ..References::default() }, ..World::things() };
    let accounts = Target::new("Account".parse().unwrap(), MatchBy::ExternalId("Number__c".parse().unwrap()));
    let mut targets = Targets::new();
    let things = targets.add(world.prepare(things).await);
    let accounts = targets.add(world.prepare(accounts).await);
    let (sink, mut receipts) = Sink::start(&world.org, &Traffic::default(), targets, &hurried());
    for nth in 0..20 {
        let change = |key: String, fields: Value| {
            let fields = Fields::parse(&fields.to_string()).unwrap();
            Change { operation: Upsert, key: Some(key.into()), fields, origin: nth }
        };
        sink.submit(things, change(format!("t{nth}"), json!({"Owner__c": format!("a{nth}")}))).await.unwrap();
        sink.submit(accounts, change(format!("a{nth}"), json!({"Name": "Acme"}))).await.unwrap();
    }
    // Without a flush: what waits for others does not wait for ever.
    let mut outcomes = Vec::new();
    while outcomes.len() < 40 {
        outcomes.push(crate::world::shown(&receipts.next().await.unwrap()));
    }
    assert_eq!(outcomes, vec!["created"; 40]);
}

/// Rows of one object that refer to each other arrive whatever their order, by every route; one whose parent is nowhere is rejected, and
/// so are those that hang on it.
#[tokio::test(flavor = "multi_thread")]
async fn trees_of_one_object() {
    const DEPTH: usize = 5;
    for route in ROUTES {
        let world = World::start().await;
        let lookup = Lookup { reference: "Whole__c".parse().unwrap(), object: None, by: "Key__c".parse().unwrap() };
        let things =
            Target { references: References { lookups: vec![lookup], ..References::default() }, ..World::things() };
        let keys: Vec<String> = (0..=DEPTH).map(|nth| format!("t{nth}")).collect();
        let branch = |nth: usize| match nth {
            0 => json!({}),
            _ => json!({ "Whole__c": keys[nth - 1] }),
        };
        let mut changes: Vec<_> = (0..DEPTH).rev().map(|nth| (Upsert, keys[nth].as_str(), branch(nth))).collect();
        changes.push((Upsert, "lost", json!({ "Whole__c": "nowhere" })));
        changes.push((Upsert, "lost too", json!({ "Whole__c": "lost" })));
        let outcomes = world.write(things, &Options { route, ..hurried() }, &changes).await;
        assert_eq!(outcomes[..DEPTH], vec!["created"; DEPTH], "{route:?}");
        for lost in &outcomes[DEPTH..] {
            assert!(lost.contains("Foreign key external ID"), "{route:?}: {lost}");
        }
        assert_eq!(
            world.things_with(&["Whole__c"]).values().filter(|whole| whole[0].is_null()).count(),
            1,
            "{route:?}"
        );
        assert_eq!(world.records("Thing__c").len(), DEPTH, "{route:?}");
    }
}

/// Many rows go as a job, whatever is in them, and each is answered: a text that CSV takes for null goes another way.
#[tokio::test(flavor = "multi_thread")]
async fn many_rows_are_a_job() {
    let world = World::start().await;
    world.create("Account", json!({"Name": "Acme", "Number__c": "n1"}));
    let lookup = Lookup { reference: "Owner__c".parse().unwrap(), object: None, by: "Number__c".parse().unwrap() };
    let target = || Target {
        references: References { lookups: vec![lookup.clone()], ..References::default() },
        ..World::things()
    };
    let options = Options { bulk_threshold: 100, linger: std::time::Duration::from_secs(60), ..hurried() };
    let keys: Vec<String> = (0..300).map(|nth| format!("k{nth}")).collect();
    for (operation, done) in [(Insert, "created"), (Upsert, "applied")] {
        let changes: Vec<_> = keys
            .iter()
            .enumerate()
            .map(|(nth, key)| {
                let fields = match nth % 6 {
                    0 => json!({"Text__c": "#N/A"}),
                    1 => json!({"Text__c": "a \"b\",\nc"}),
                    2 => json!({"Amount__c": 1.50, "Day__c": "2024-02-29"}),
                    3 => json!({"Owner__c": "n1"}),
                    4 => json!({"Choice__c": "blue"}),
                    _ => json!({"Other__c": "=1+1"}),
                };
                (operation, key.as_str(), fields)
            })
            .collect();
        let before = world.calls(&["create_rows", "upsert_rows"]);
        let outcomes = world.write(target(), &options, &changes).await;
        for (nth, outcome) in outcomes.iter().enumerate() {
            let expect = if nth % 6 == 4 { "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST" } else { done };
            assert!(outcome.contains(expect), "{nth}: {outcome}");
        }
        assert_eq!(world.calls(&["create_rows", "upsert_rows"]) - before, 1, "the fifty of #N/A");
    }
    let acme = world.records("Account")[0]["Id"].clone();
    let things = world.things_with(&["Text__c", "Amount__c", "Day__c", "Owner__c", "Other__c"]);
    assert_eq!(things["k0"], json!(["#N/A", null, null, null, null]));
    assert_eq!(things["k1"], json!(["a \"b\",\nc", null, null, null, null]));
    assert_eq!(things["k2"], json!([null, 1.5, "2024-02-29", null, null]));
    assert_eq!(things["k3"], json!([null, null, null, acme, null]));
    assert_eq!(things["k5"], json!([null, null, null, null, "=1+1"]));
    assert_eq!(things.len(), 250);
}

/// With many updates and deletes by an external id, Ids are asked for in few questions, and the rest is a job: what is missing or not alone
/// is told as by any other route.
#[tokio::test(flavor = "multi_thread")]
async fn many_updates_and_deletes_by_key_are_jobs() {
    let world = World::start().await;
    let by_group = Target {
        operations: vec![Update, Delete],
        missing: Missing::Rejected,
        ..Target::new("Thing__c".parse().unwrap(), MatchBy::ExternalId("Group__c".parse().unwrap()))
    };
    // Fewer than a call holds, so that nothing goes before all are there.
    let options = Options { bulk_threshold: 60, linger: std::time::Duration::from_secs(60), ..hurried() };
    let keys: Vec<String> = (0..180).map(|nth| format!("g{nth}")).collect();
    for (nth, key) in keys.iter().enumerate() {
        for _ in 0..[1, 1, 0, 2, 1, 1][nth % 6] {
            world.create("Thing__c", json!({"Group__c": key, "Other__c": "o"}));
        }
    }
    for operation in [Update, Delete] {
        let changes: Vec<_> = keys
            .iter()
            .enumerate()
            .map(|(nth, key)| match nth % 6 {
                0 => (operation, key.as_str(), json!({"Text__c": "#N/A"})),
                1 => (operation, key.as_str(), json!({"Text__c": "t", "Other__c": null})),
                4 if operation == Update => (operation, key.as_str(), json!({"Choice__c": "blue"})),
                _ => (operation, key.as_str(), json!({"Text__c": "t"})),
            })
            .collect();
        let before = (world.calls(&["bulk_ingest_create"]), world.calls(&["query", "composite"]));
        let outcomes = world.write(by_group.clone(), &options, &changes).await;
        for (nth, outcome) in outcomes.iter().enumerate() {
            let expect = match nth % 6 {
                2 => "NOT_FOUND",
                3 => "MULTIPLE_MATCHES",
                4 if operation == Update => "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                _ => "applied",
            };
            assert!(outcome.contains(expect), "{operation} {nth}: {outcome}");
        }
        let after = (world.calls(&["bulk_ingest_create"]), world.calls(&["query", "composite"]));
        // A delete says nothing that CSV cannot say.
        let questions = if operation == Update { 2 } else { 1 };
        assert_eq!((after.0 - before.0, after.1 - before.1), (1, questions), "{operation}");
        if operation == Update {
            let records = world.records("Thing__c");
            let shown = |nth: usize| -> Vec<Value> {
                let of_key = records.iter().filter(|it| it["Group__c"] == keys[nth].as_str());
                of_key.map(|it| json!([it["Text__c"], it["Other__c"]])).collect()
            };
            assert_eq!(shown(0), [json!(["#N/A", "o"])]);
            assert_eq!(shown(1), [json!(["t", null])]);
            assert_eq!(shown(2), Vec::<Value>::new(), "nothing is created");
            assert_eq!(shown(3), [json!([null, "o"]), json!([null, "o"])]);
            assert_eq!(shown(4), [json!([null, "o"])]);
        }
    }
    assert_eq!(world.records("Thing__c").len(), 60, "those that share their key");
}
