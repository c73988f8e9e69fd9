//! What an administrator changes under a running capture, and what the capture makes of it: a table. Each change is made to three
//! objects at once, one whose events carry its rows, one whose rows are fetched, and one that is polled; each story has an org of
//! its own. Whatever the change, the schema of the collections, which was settled before it, admits every document.

use demo::{runtime::Capture, verdict::Difference};
use futures::StreamExt as _;
use salesforce_emulator::org::{Id, SchemaChange};
use serde_json::{Value, json};
use tokio::{task::block_in_place, time::timeout};

use super::{
    org::Org,
    program::PATIENCE,
    side_by_side::side_by_side,
    task::{Running, Task, id_of},
    validator::assert_valid,
};

/// Objects alike but for how their changes are learned of.
const OBJECTS: [&str; 3] = ["Carried__c", "Fetched__c", "Polled__c"];

/// Stories told at a time: most of them consist of waiting.
const AT_ONCE: usize = 3;

/// Something an administrator does.
struct Change {
    what: &'static str,
    make: fn(&Org),
    then: Then,
}

/// What the capture does about it.
enum Then {
    /// It goes on. Each new schema shows the change before or with the next rows.
    Declares(fn(&Value) -> bool),
    /// It goes on as if nothing had happened: documents look the same.
    Unmoved,
    /// It goes on, and says so.
    Mends(&'static str),
    /// It ends with this, and once the change is undone it goes on with nothing lost.
    Ends { says: &'static str, undo: fn(&Org) },
}

/// The type of a property, or null.
fn kind<'a>(schema: &'a Value, field: &str) -> &'a Value {
    &schema["properties"][field]["type"]
}

const CHANGES: &[Change] = &[
    Change {
        what: "a text field is added",
        make: |org| {
            each(
                org,
                |object| json!({ "add_field": { "object": object, "field": "New__c", "definition": { "type": "string" } } }),
            );
        },
        then: Then::Declares(|schema| *kind(schema, "New__c") == json!(["string", "null"])),
    },
    Change {
        what: "a checkbox with a default is added",
        make: |org| {
            let definition = json!({ "type": "boolean", "default": true });
            each(
                org,
                |object| json!({ "add_field": { "object": object, "field": "New__c", "definition": definition } }),
            );
        },
        then: Then::Declares(|schema| *kind(schema, "New__c") == json!("boolean")),
    },
    Change {
        what: "a formula is added",
        make: |org| {
            let definition = json!({ "type": "string", "formula": "Text__c" });
            each(
                org,
                |object| json!({ "add_field": { "object": object, "field": "New__c", "definition": definition } }),
            );
        },
        then: Then::Declares(|schema| schema["properties"]["New__c"].is_object()),
    },
    Change {
        what: "a field is removed",
        make: |org| each(org, |object| json!({ "remove_field": { "object": object, "field": "Text__c" } })),
        then: Then::Declares(|schema| schema["properties"]["Text__c"].is_null()),
    },
    Change {
        what: "a field is renamed",
        make: |org| {
            each(org, |object| json!({ "rename_field": { "object": object, "field": "Text__c", "to": "Renamed__c" } }));
        },
        then: Then::Declares(|schema| {
            schema["properties"]["Text__c"].is_null() && *kind(schema, "Renamed__c") == json!(["string", "null"])
        }),
    },
    Change {
        what: "a field is hidden from the user",
        make: |org| each(org, |object| json!({ "hide_field": { "object": object, "field": "Text__c" } })),
        then: Then::Declares(|schema| schema["properties"]["Text__c"].is_null()),
    },
    Change {
        what: "a hidden field becomes readable",
        make: |org| each(org, |object| json!({ "show_field": { "object": object, "field": "Secret__c" } })),
        then: Then::Declares(|schema| *kind(schema, "Secret__c") == json!(["string", "null"])),
    },
    Change {
        what: "a text becomes a number",
        make: |org| {
            let definition = json!({ "type": "double", "precision": 10, "scale": 2 });
            each(
                org,
                |object| json!({ "retype_field": { "object": object, "field": "Text__c", "definition": definition } }),
            );
        },
        then: Then::Declares(|schema| *kind(schema, "Text__c") == json!(["number", "null"])),
    },
    Change {
        what: "a number becomes a text",
        make: |org| {
            let definition = json!({ "type": "string", "length": 40 });
            each(
                org,
                |object| json!({ "retype_field": { "object": object, "field": "Amount__c", "definition": definition } }),
            );
        },
        then: Then::Declares(|schema| *kind(schema, "Amount__c") == json!(["string", "null"])),
    },
    Change {
        what: "a text becomes a picklist",
        make: |org| {
            let definition = json!({ "type": "picklist", "values": ["one", "two"] });
            each(
                org,
                |object| json!({ "retype_field": { "object": object, "field": "Text__c", "definition": definition } }),
            );
        },
        then: Then::Declares(|schema| schema["properties"]["Text__c"]["maxLength"] == 255),
    },
    Change {
        what: "a text gets longer",
        make: |org| {
            let definition = json!({ "type": "string", "length": 200 });
            each(
                org,
                |object| json!({ "retype_field": { "object": object, "field": "Text__c", "definition": definition } }),
            );
        },
        then: Then::Declares(|schema| schema["properties"]["Text__c"]["maxLength"] == 200),
    },
    Change {
        what: "a field gets another label",
        make: |org| {
            each(org, |object| json!({ "relabel": { "object": object, "field": "Text__c", "label": "Words" } }));
        },
        then: Then::Declares(|schema| schema["properties"]["Text__c"]["title"] == "Words"),
    },
    Change {
        what: "a field must have a value",
        make: |org| {
            each(org, |object| json!({ "require_field": { "object": object, "field": "Text__c", "required": true } }));
        },
        then: Then::Declares(|schema| *kind(schema, "Text__c") == json!("string")),
    },
    Change {
        what: "a field is deprecated and hidden",
        make: |org| each(org, |object| json!({ "deprecate": { "object": object, "field": "Text__c" } })),
        then: Then::Declares(|schema| schema["properties"]["Text__c"].is_null()),
    },
    Change {
        what: "a picklist is restricted",
        make: |org| {
            each(
                org,
                |object| json!({ "change_picklist": { "object": object, "field": "Stage__c", "restricted": true } }),
            );
        },
        then: Then::Unmoved,
    },
    Change {
        what: "picklist values are added and deactivated",
        make: |org| {
            let (add, deactivate) = (json!(["Late"]), json!(["Won"]));
            each(
                org,
                |object| json!({ "change_picklist": { "object": object, "field": "Stage__c", "add": add, "deactivate": deactivate } }),
            );
        },
        then: Then::Unmoved,
    },
    Change {
        what: "the topics are switched off",
        make: |org| topics(org, &json!({ "IsActive": false })),
        then: Then::Mends("the PushTopic was changed"),
    },
    Change {
        what: "the topics stop announcing updates",
        make: |org| topics(org, &json!({ "NotifyForOperationUpdate": false })),
        then: Then::Mends("the PushTopic was changed"),
    },
    Change {
        what: "the topics get a filter",
        make: |org| {
            for (id, topic) in org.truth("PushTopic") {
                let query = format!("{} WHERE Name = 'nothing'", topic["Query"].as_str().expect("a query"));
                org.update("PushTopic", Id::parse(&id).expect("an id"), json!({ "Query": query }));
            }
        },
        then: Then::Mends("the PushTopic was changed"),
    },
    Change {
        what: "the topics are deleted",
        make: |org| {
            let ids: Vec<String> = org.truth("PushTopic").into_keys().collect();
            ids.iter().for_each(|id| org.delete("PushTopic", Id::parse(id).expect("an id")));
        },
        then: Then::Mends("the PushTopic was deleted and is made anew"),
    },
    Change {
        what: "an object is hidden from the user",
        make: |org| change(org, json!({ "hide_object": { "object": "Fetched__c" } })),
        then: Then::Ends {
            says: "stream Fetched__c: the org has no such object, or the user may not see it",
            undo: |org| change(org, json!({ "restore_object": { "object": "Fetched__c" } })),
        },
    },
    Change {
        what: "an object is deleted",
        make: |org| change(org, json!({ "delete_object": { "object": "Polled__c" } })),
        then: Then::Ends {
            says: "stream Polled__c: the org has no such object, or the user may not see it",
            undo: |org| change(org, json!({ "restore_object": { "object": "Polled__c" } })),
        },
    },
    Change {
        what: "the user is frozen",
        make: |org| {
            org.emulator()
                .org()
                .change_policies(|policies| policies.user.status = salesforce_emulator::org::UserStatus::Frozen);
        },
        then: Then::Ends {
            says: "the user who authorised the app is frozen or deactivated",
            undo: |org| {
                org.emulator()
                    .org()
                    .change_policies(|policies| policies.user.status = salesforce_emulator::org::UserStatus::Active);
            },
        },
    },
];

fn change(org: &Org, change: Value) {
    let change: SchemaChange = serde_json::from_value(change).expect("a change");
    block_in_place(|| org.emulator().org().change_schema([change])).expect("Salesforce offers this change");
}

fn each(org: &Org, make: impl Fn(&str) -> Value) {
    OBJECTS.iter().for_each(|object| change(org, make(object)));
}

/// Changes every topic in the same way.
fn topics(org: &Org, fields: &Value) {
    for id in org.truth("PushTopic").keys() {
        org.update("PushTopic", Id::parse(id).expect("an id"), fields.clone());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_an_administrator_are_followed() {
    let mut ends = side_by_side(CHANGES, AT_ONCE, story);
    while let Some((change, end)) = ends.next().await {
        end.unwrap_or_else(|_| panic!("{}: no good end", change.what));
    }
}

/// An org with the three objects, and rows in them.
async fn org() -> Org {
    let org = Org::start(&[]).await;
    for object in OBJECTS {
        let mut fields = json!({
            "Text__c": { "type": "string", "length": 80 },
            "Secret__c": { "type": "string", "length": 80 },
            "Amount__c": { "type": "currency" },
            "Stage__c": { "type": "picklist", "values": ["Open", "Won", "Lost"] },
        });
        if object == "Fetched__c" {
            // A topic cannot carry them.
            fields["File__c"] = json!({ "type": "textarea", "length": 32_000 });
            for n in 0..60 {
                fields[format!("A_field_with_a_long_name_{n}__c")] = json!({ "type": "double" });
            }
        }
        change(&org, json!({ "create_object": { "object": object, "definition": { "fields": fields } } }));
        change(&org, json!({ "hide_field": { "object": object, "field": "Secret__c" } }));
        for n in 0..6 {
            create(&org, object, n);
        }
    }
    org
}

fn create(org: &Org, object: &str, n: usize) -> Id {
    let fields = json!({ "Name": format!("row {n}"), "Text__c": n.to_string(), "Amount__c": n, "Stage__c": "Open" });
    let has = |name: &str| {
        block_in_place(|| {
            org.emulator().org().schema().object(object).is_some_and(|object| object.field(name).is_some())
        })
    };
    let fields = fields.as_object().expect("fields").iter().filter(|(name, _)| has(name));
    org.create(object, fields.map(|(name, value)| (name.clone(), value.clone())).collect())
}

async fn story(Change { what, make, then }: &'static Change) {
    let org = org().await;
    let mut config = org.config();
    config["advanced"]["inspection_interval"] = json!("PT1S");
    let mode = |object| if object == "Polled__c" { "poll" } else { "stream" };
    let resources = OBJECTS.map(|object| json!({ "stream": object, "mode": mode(object), "interval": "PT1S" }));
    let mut task = Task::prepare_bindings(config, &resources).await;
    let mut running = task.open().await;
    running.agree(&org).await;

    make(&org);
    let log = match then {
        Then::Ends { says, undo } => {
            // Nobody listens to these; what can be changed is.
            let exit =
                timeout(PATIENCE, running.fail()).await.unwrap_or_else(|_| panic!("{what}: the capture goes on"));
            assert!(exit.log.iter().any(|line| line.contains(says)), "{what}: {:#?}", exit.log);
            undo(&org);
            running = task.open().await;
            rows_change(&mut running, &org, what, Knows::Surely).await;
            running.end().await
        }
        Then::Declares(shows) => {
            rows_change(&mut running, &org, what, Knows::Perhaps).await;
            let declared = |capture: &Capture| (0..OBJECTS.len()).all(|n| capture.sourced_schema(n).is_some_and(shows));
            running.until(declared).await;
            rows_change(&mut running, &org, what, Knows::Surely).await;
            running.end().await
        }
        Then::Unmoved => {
            rows_change(&mut running, &org, what, Knows::Surely).await;
            running.end().await
        }
        Then::Mends(says) => {
            rows_change(&mut running, &org, what, Knows::Surely).await;
            rows_change(&mut running, &org, what, Knows::Surely).await;
            let log = running.end().await;
            assert!(log.iter().any(|line| line.contains(says)), "{what}: the log does not say {says:?}: {log:#?}");
            log
        }
    };
    let failures: Vec<&String> = log.iter().filter(|line| line.contains("\"level\":\"error\"")).collect();
    assert_eq!(failures, [&""; 0], "{what}");
    assert_eq!(task.capture.regressions(), [], "{what}");
    org.shutdown().await;
}

/// Whether the capture can know of the change yet.
#[derive(Clone, Copy, PartialEq)]
enum Knows {
    /// Perhaps not: a document may lack a new field, or still have one that is gone.
    Perhaps,
    /// Documents have exactly the fields of the declared schema.
    Surely,
}

fn is_same(row: &Value, truth: &Value, declared: Option<&Value>, knows: Knows) -> bool {
    let (mut known, mut there) = (row.clone(), truth.clone());
    let members = |value: &mut Value, keeps: &dyn Fn(&str) -> bool| {
        value.as_object_mut().expect("a row").retain(|field, _| keeps(field));
    };
    match knows {
        Knows::Perhaps => {
            members(&mut known, &|field| truth.get(field).is_some());
            members(&mut there, &|field| row.get(field).is_some());
        }
        Knows::Surely => {
            members(&mut there, &|field| declared.is_some_and(|schema| schema["properties"].get(field).is_some()));
        }
    }
    let one = |value| std::iter::once(("one".to_owned(), value)).collect();
    Difference::between("", &one(known), &one(there)).is_empty()
}

/// Rows are changed, made and deleted in each object, and arrive as the org has them, each valid against the schema declared
/// before it and against that of its collection.
async fn rows_change(running: &mut Running<'_>, org: &Org, what: &str, knows: Knows) {
    let mut expected = Vec::new();
    for (binding, object) in OBJECTS.iter().enumerate() {
        let ids = org.ids(object);
        // An update that changes nothing is not announced.
        let name = format!("{} again", org.truth(object)[ids[0].as_str()]["Name"].as_str().expect("a name"));
        org.update(object, ids[0], json!({ "Name": name }));
        org.delete(object, ids[1]);
        let new = create(org, object, ids.len());
        expected.extend([(binding, ids[0]), (binding, ids[1]), (binding, new)]);
    }
    let arrived = |capture: &Capture| {
        expected.iter().all(|(binding, id)| {
            let truth = org.truth(OBJECTS[*binding]);
            let id = id.to_string();
            match (capture.collection(*binding).rows().get(&id), truth.get(&id)) {
                (Some(row), Some(truth)) => is_same(row, truth, capture.sourced_schema(*binding), knows),
                (row, truth) => row.is_none() && truth.is_none(),
            }
        })
    };
    running.until(arrived).await;
    for captured in std::mem::take(&mut running.captured) {
        let collection = &running.task.capture.bindings()[captured.binding].document_schema;
        assert_valid(collection, std::iter::once(&captured.document));
        assert!(!id_of(&captured.document).is_empty(), "{what}");
    }
}
