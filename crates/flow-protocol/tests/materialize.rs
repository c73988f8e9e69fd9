//! Requests of a materialization as runtimes write them, and its responses.

use flow_protocol::{
    Error,
    materialize::{Constraint, ConstraintKind, Exists, Range, Request, Response, Spec, ValidatedBinding},
    stdio::{Requests, Responses},
};
use serde_json::{Value, json, value::RawValue};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

/// What an input of one line comes to.
fn read(line: &str) -> Result<Request, Error> {
    let line = format!("{line}\n");
    let mut requests = Requests::new(line.as_bytes());
    block_on(async { requests.next().await.map(|request| request.expect("a request")) })
}

#[track_caller]
fn one(line: &Value) -> Request {
    read(&line.to_string()).unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn texts(elements: &[Box<RawValue>]) -> Vec<&str> {
    elements.iter().map(|element| element.get()).collect()
}

#[test]
fn every_field_may_be_absent_or_null() {
    assert!(matches!(one(&json!({"spec": {}})), Request::Spec));
    assert!(matches!(one(&json!({"acknowledge": {}, "spec": null})), Request::Acknowledge));
    assert!(matches!(one(&json!({"flush": {"statePatches": []}})), Request::Flush));
    assert!(matches!(one(&json!({"startCommit": {"runtimeCheckpoint": {}}})), Request::StartCommit));
    let Request::Validate(validate) = one(&json!({"validate": {"bindings": [{}]}})) else { panic!() };
    assert_eq!((validate.name.as_str(), validate.config.get(), validate.bindings.len()), ("", "{}", 1));
    assert_eq!(validate.bindings[0].collection.projections, []);
    let Request::Apply(apply) = one(&json!({"apply": {"lastMaterialization": null}})) else { panic!() };
    assert!(apply.last_task.is_none() && apply.task.bindings.is_empty());
    let Request::Open(open) = one(&json!({"open": {"materialization": {"bindings": [{"fieldSelection": null}]}}}))
    else {
        panic!()
    };
    assert_eq!((open.state, open.range), (json!({}), Range::FULL));
    assert!(open.task.bindings[0].field_selection.keys.is_empty());
    let Request::Load(load) = one(&json!({"load": {}})) else { panic!() };
    assert_eq!((load.binding, load.key.len()), (0, 0));
    let Request::Store(store) = one(&json!({"store": {}})) else { panic!() };
    assert_eq!((store.binding, store.exists, store.delete, store.doc.is_none()), (0, false, false, true));
}

#[test]
fn a_binding_to_be_validated() {
    let Request::Validate(validate) = one(&json!({"validate": {
        "name": "acmeCo/to-salesforce", "connectorType": "IMAGE", "config": {"amount": 1.10},
        "bindings": [{
            "resourceConfig": {"object": "Account"},
            "collection": {"name": "acmeCo/Account", "key": ["/email"], "writeSchema": {"type": "object"}, "projections": [
                {"ptr": "/email", "field": "email", "isPrimaryKey": true, "explicit": true,
                 "inference": {"types": ["string"], "exists": "MUST", "string": {"format": "email", "maxLength": 80}}},
                {"ptr": "", "field": "flow_document", "inference": {"types": ["object"], "exists": "LATER"}},
                {"ptr": "/b", "field": "b", "isPartitionKey": true,
                 "inference": {"exists": "IMPLICIT", "string": {"contentEncoding": "base64"}, "later": 1}}]},
            "fieldConfig": {"email": {"property": "Email__c"}},
            "backfill": "1", "groupBy": ["email"]}],
        "lastVersion": "aa",
    }})) else {
        panic!()
    };
    insta::assert_debug_snapshot!((validate.bindings, validate.last_version));
}

#[test]
fn a_session_is_opened() {
    let collection = |name: &str| json!({"name": name, "key": ["/id"], "projections": [{"ptr": "/id", "field": "id"}]});
    let selection = json!({"keys": ["id"], "values": ["_meta/op", "name"], "document": "flow_document"});
    let binding = |more: Value| {
        let mut binding = json!({"resourceConfig": {"object": "Account"}, "resourcePath": ["Account"],
            "fieldSelection": selection, "deltaUpdates": true, "backfill": 1, "stateKey": "Account.v1"});
        binding.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        binding
    };
    let inline = json!({"bindings": [binding(json!({"collection": collection("a")})), binding(json!({"collection": collection("b")}))]});
    let linked = json!({
        "bindings": [binding(json!({})), binding(json!({"collectionIndex": 1}))],
        "linkedCollections": [collection("a"), collection("b")],
    });
    for spec in [inline, linked] {
        let Request::Open(open) = one(&json!({"open": {
            "materialization": spec, "version": "aa", "range": {"keyEnd": "4294967295", "rClockEnd": 4294967295_u32},
            "state": {"txn": 7},
        }})) else {
            panic!()
        };
        assert_eq!((open.version.as_str(), open.range, open.state), ("aa", Range::FULL, json!({"txn": 7})));
        let names: Vec<&str> = open.task.bindings.iter().map(|binding| binding.collection.name.as_str()).collect();
        assert_eq!(names, ["a", "b"]);
        let binding = &open.task.bindings[1];
        assert_eq!((binding.resource_path.as_slice(), binding.delta_updates), (&["Account".to_owned()][..], true));
        assert_eq!((binding.backfill, binding.state_key.as_str()), (1, "Account.v1"));
        let selection = &binding.field_selection;
        assert_eq!(
            (&selection.keys[..], &selection.values[..]),
            (&["id".to_owned()][..], &["_meta/op".to_owned(), "name".to_owned()][..])
        );
        assert_eq!(selection.document.as_deref(), Some("flow_document"));
        let id = binding.collection.projection("id").expect("a projection");
        assert_eq!((id.ptr.as_str(), id.inference.exists), ("/id", Exists::Unsaid));
        assert!(binding.collection.projection("Id").is_none());
    }
}

/// The same keys and values as JSON, packed, and both.
#[test]
fn stores_in_every_encoding() {
    for (key, packed, values, values_packed) in [
        (Some(json!(["a@example.com"])), None, Some(json!(["u", "Ann B."])), None),
        (None, Some("AmFAZXhhbXBsZS5jb20A"), None, Some("AnUAAkFubiBCLgA=")),
        (
            Some(json!(["a@example.com"])),
            Some("AmFAZXhhbXBsZS5jb20A"),
            Some(json!(["u", "Ann B."])),
            Some("AnUAAkFubiBCLgA="),
        ),
        (Some(json!([])), Some("AmFAZXhhbXBsZS5jb20A"), Some(json!([])), Some("AnUAAkFubiBCLgA=")),
    ] {
        let Request::Store(store) =
            one(&json!({"store": {"binding": 2, "key": key, "keyPacked": packed, "values": values,
            "valuesPacked": values_packed, "doc": {"email": "a@example.com"}, "exists": true, "delete": true}}))
        else {
            panic!()
        };
        assert_eq!((store.binding, store.exists, store.delete), (2, true, true));
        assert_eq!(texts(&store.key), [r#""a@example.com""#]);
        assert_eq!(texts(&store.values), [r#""u""#, r#""Ann B.""#]);
        assert_eq!(store.doc.expect("a document").get(), r#"{"email":"a@example.com"}"#);
        let Request::Load(load) = one(&json!({"load": {"key": key, "keyPacked": packed}})) else { panic!() };
        assert_eq!(texts(&load.key), [r#""a@example.com""#]);
    }
    let line = r#"{"store":{"key":[12345678901234567890.10,null],"values":[{"b":1.0,"a":2}]}}"#;
    let Ok(Request::Store(store)) = read(line) else { panic!() };
    assert_eq!(
        (texts(&store.key), texts(&store.values)),
        (vec!["12345678901234567890.10", "null"], vec![r#"{"b":1.0,"a":2}"#])
    );
}

#[test]
fn what_is_no_request() {
    let lines = [
        "{}",
        r#"{"load":{},"flush":{}}"#,
        r#"{"discover":{}}"#,
        "[1]",
        r#"{"store":{"keyPacked":"canary!"}}"#,
        r#"{"store":{"keyPacked":"AmFi"}}"#,
        r#"{"store":{"key":[1],"valuesPacked":"Aw=="}}"#,
        r#"{"load":{"keyPacked":7}}"#,
        r#"{"open":{"materialization":{"bindings":[{"collectionIndex":2}],"linkedCollections":[{}]}}}"#,
        r#"{"open":{"materialization":{"bindings":[{"resourcePath":"canary"}]}}}"#,
    ];
    let errors: Vec<String> = lines.iter().map(|line| read(line).expect_err(line).to_string()).collect();
    assert!(errors.iter().all(|error| !error.contains("canary")), "{errors:?}");
    insta::assert_snapshot!(errors.join("\n"));
}

#[test]
fn responses() {
    let constraint = |field: &str, kind, folded: Option<&str>| Constraint {
        field: field.to_owned(),
        kind,
        reason: "because".to_owned(),
        folded_field: folded.map(str::to_owned),
    };
    let binding = ValidatedBinding {
        projection_constraints: vec![
            constraint("email", ConstraintKind::LocationRequired, Some("Email__c")),
            constraint("flow_document", ConstraintKind::FieldForbidden, None),
            constraint("name", ConstraintKind::FieldOptional, None),
            constraint("id", ConstraintKind::FieldRequired, None),
            constraint("no", ConstraintKind::Incompatible, None),
        ],
        resource_path: vec!["Account".to_owned()],
        delta_updates: false,
    };
    let responses = [
        Response::Spec(Spec {
            config_schema: json!({"type": "object"}),
            resource_config_schema: json!({"type": "object"}),
            documentation_url: "https://example.com".to_owned(),
            oauth2: None,
        }),
        Response::Validated(vec![binding.clone(), ValidatedBinding { delta_updates: true, ..binding }]),
        Response::Applied { action_description: String::new() },
        Response::Opened { disable_load_optimization: true },
        Response::Acknowledged { state: None },
        Response::Loaded { binding: 1, doc: RawValue::from_string(r#"{"n":1.10}"#.to_owned()).unwrap() },
        Response::Flushed,
        Response::StartedCommit { state: Some(json!({"txn": 7})) },
        Response::Acknowledged { state: Some(json!({"txn": null})) },
    ];
    let mut written = Vec::new();
    let mut output = Responses::new(&mut written);
    block_on(async {
        for response in &responses {
            output.send(response).await.expect("memory takes all");
        }
    });
    insta::assert_snapshot!(String::from_utf8(written).unwrap());
}
