//! Requests as the runtime writes them, and as it never should.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use flow_protocol::{
    Error,
    capture::{Range, Request},
    codec::Lines,
    stdio::Requests,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, ReadBuf};

/// All requests of an input, up to its end or the first error.
fn read(input: impl AsyncRead + Unpin) -> (Vec<Request>, Option<Error>) {
    let mut requests = Requests::new(input);
    let mut read = Vec::new();
    block_on(async {
        loop {
            match requests.next().await {
                Ok(Some(request)) => read.push(request),
                Ok(None) => return (read, None),
                Err(error) => return (read, Some(error)),
            }
        }
    })
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

#[track_caller]
fn one(line: &Value) -> Request {
    match read(format!("{line}\n").as_bytes()) {
        (mut requests, None) if requests.len() == 1 => requests.remove(0),
        (requests, error) => panic!("{line} gave {requests:?} and {error:?}"),
    }
}

#[track_caller]
fn error_of(input: impl AsRef<[u8]>) -> String {
    let (_, error) = read(input.as_ref());
    error.expect("an error").to_string()
}

#[test]
fn every_field_may_be_absent() {
    assert!(matches!(one(&json!({"spec": {}})), Request::Spec));
    let Request::Discover(discover) = one(&json!({"discover": {}})) else { panic!() };
    assert_eq!((discover.name.as_str(), discover.config.get()), ("", "{}"));
    let Request::Validate(validate) = one(&json!({"validate": {}})) else { panic!() };
    assert_eq!((validate.config.get(), validate.bindings.len()), ("{}", 0));
    assert!(validate.last_task.is_none());
    let Request::Validate(validate) = one(&json!({"validate": {"bindings": [{}]}})) else { panic!() };
    assert_eq!(validate.bindings[0].resource_config.get(), "{}");
    assert_eq!(validate.bindings[0].collection.name, "");
    let Request::Apply(apply) = one(&json!({"apply": {}})) else { panic!() };
    assert_eq!((apply.task.name.as_str(), apply.version.as_str()), ("", ""));
    let Request::Open(open) = one(&json!({"open": {}})) else { panic!() };
    assert_eq!(open.state, json!({}));
    assert_eq!(open.range, Range::FULL);
    assert!(open.task.config.is_none());
    assert!(matches!(one(&json!({"acknowledge": {}})), Request::Acknowledge { checkpoints: 0 }));
}

#[test]
fn null_is_absent() {
    let Request::Open(open) = one(&json!({
        "spec": null,
        "open": {"capture": {"name": null, "bindings": null, "config": null}, "range": null, "state": null},
    })) else {
        panic!()
    };
    assert_eq!(open.state, json!({}));
    assert_eq!(open.range, Range::FULL);
    assert!(open.task.bindings.is_empty());
}

#[test]
fn unknown_fields_are_ignored() {
    let Request::Open(open) = one(&json!({
        "$internal": "c2VjcmV0",
        "later": [{"kind": 1}],
        "open": {
            "capture": {
                "name": "acmeCo/capture",
                "later": {},
                "shardTemplate": {"ttl": "60s"},
                "redactSalt": "AAAA",
                "bindings": [{"stateKey": "A.v1", "later": 1, "collection": {"name": "acmeCo/A", "uuidPtr": "/_meta/uuid"}}],
            },
            "sealedConfig": {"sops": {}},
        },
    })) else {
        panic!()
    };
    assert_eq!(open.task.name, "acmeCo/capture");
    assert_eq!(open.task.bindings[0].state_key, "A.v1");
}

#[test]
fn a_whole_open() {
    let Request::Open(open) = one(&json!({"open": {
        "capture": {
            "name": "acmeCo/capture",
            "connectorType": "IMAGE",
            "config": {"credentials": {"client_id": "id"}, "amount": 1.10},
            "bindings": [{
                "resourceConfig": {"stream": "Account"},
                "resourcePath": ["Account"],
                "collection": {
                    "name": "acmeCo/Account",
                    "key": ["/Id"],
                    "writeSchema": {"type": "object", "properties": {"Id": {"type": "string"}}},
                    "projections": [{"ptr": "", "field": "flow_document"}],
                },
                "backfill": 2,
                "stateKey": "Account.v2",
            }],
            "inactiveBindings": [{"resourcePath": ["Lead"], "stateKey": "Lead.v1", "collection": {"name": "acmeCo/Lead"}}],
            "intervalSeconds": 300,
        },
        "version": "0f0e0d0c0b0a0908",
        "range": {"keyEnd": 2147483647_u32, "rClockEnd": "4294967295"},
        "state": {"bindingStateV1": {"Account.v2": {"cursor": "2026-08-01T00:00:00Z"}}},
    }})) else {
        panic!()
    };
    insta::assert_debug_snapshot!(open.task);
    assert_eq!(open.task.config.unwrap().get(), r#"{"credentials":{"client_id":"id"},"amount":1.1}"#);
    assert_eq!(open.version, "0f0e0d0c0b0a0908");
    assert_eq!(open.range, Range { key_begin: 0, key_end: 2_147_483_647, r_clock_begin: 0, r_clock_end: u32::MAX });
    assert!(open.range.contains(0) && open.range.contains(2_147_483_647) && !open.range.contains(2_147_483_648));
    assert_eq!(open.state["bindingStateV1"]["Account.v2"]["cursor"], "2026-08-01T00:00:00Z");
}

#[test]
fn both_ways_to_refer_to_a_collection() {
    let linked = json!([{"name": "acmeCo/A", "key": ["/Id"]}, {"name": "acmeCo/B", "key": ["/Id"]}]);
    let names = |bindings: &[flow_protocol::capture::Binding]| -> Vec<String> {
        bindings.iter().map(|binding| binding.collection.name.clone()).collect()
    };

    let Request::Open(inline) = one(&json!({"open": {"capture": {
        "bindings": [{"collection": {"name": "acmeCo/A"}}, {"collection": {"name": "acmeCo/B"}}],
    }}})) else {
        panic!()
    };
    assert_eq!(names(&inline.task.bindings), ["acmeCo/A", "acmeCo/B"]);

    let Request::Open(by_index) = one(&json!({"open": {"capture": {
        "bindings": [{"collectionIndex": 1}, {}, {"collectionIndex": "1"}],
        "inactiveBindings": [{"collectionIndex": 1}],
        "linkedCollections": linked,
    }}})) else {
        panic!()
    };
    assert_eq!(names(&by_index.task.bindings), ["acmeCo/B", "acmeCo/A", "acmeCo/B"]);
    assert_eq!(names(&by_index.task.inactive_bindings), ["acmeCo/B"]);

    let Request::Validate(validate) = one(&json!({"validate": {
        "bindings": [{"collectionIndex": 1}],
        "linkedCollections": linked,
        "lastCapture": {"bindings": [{}], "linkedCollections": [{"name": "acmeCo/Old"}]},
    }})) else {
        panic!()
    };
    assert_eq!(validate.bindings[0].collection.name, "acmeCo/B");
    assert_eq!(names(&validate.last_task.unwrap().bindings), ["acmeCo/Old"]);
}

#[test]
fn several_requests_and_blank_lines() {
    let (requests, error) = read(
        &b"{\"spec\":{}}\n\n  \t\r\n{\"acknowledge\":{\"checkpoints\":2}}\r\n{\"acknowledge\":{\"checkpoints\":\"3\"}}\n \n "[..],
    );
    assert!(error.is_none());
    assert!(matches!(
        requests[..],
        [Request::Spec, Request::Acknowledge { checkpoints: 2 }, Request::Acknowledge { checkpoints: 3 }]
    ));
}

#[test]
fn what_is_no_request() {
    let cases: &[(&str, &[u8])] = &[
        ("no kind", b"{}\n"),
        ("no kind we know", b"{\"flush\":{}}\n"),
        ("two kinds", b"{\"spec\":{},\"open\":{}}\n"),
        ("three kinds", b"{\"open\":{},\"acknowledge\":{},\"discover\":{}}\n"),
        ("a kind twice", b"{\"spec\":{},\"spec\":{}}\n"),
        ("not an object", b"[]\n"),
        ("not JSON", b"GET / HTTP/1.1\n"),
        ("cut within the line", b"{\"spec\":{\n"),
        ("more than one value", b"{\"spec\":{}} {}\n"),
        ("half a line at the end", b"{\"spec\":{}}\n{\"disc"),
        ("a whole request without line feed", b"{\"spec\":{}}"),
        ("not UTF-8", b"{\"discover\":{\"name\":\"caf\xe9\"}}\n"),
        ("UTF-16", b"\xff\xfe{\x00\n"),
        ("a byte order mark", b"\xef\xbb\xbf{\"spec\":{}}\n"),
        ("binary", b"\x00\x01\x02\n"),
        ("wrong type, deep", b"{\"open\":{\"capture\":{\"bindings\":[{},{\"stateKey\":[\"SECRET\"]}]}}}\n"),
        ("number out of range", b"{\"acknowledge\":{\"checkpoints\":4294967296}}\n"),
        ("negative number", b"{\"acknowledge\":{\"checkpoints\":-1}}\n"),
        ("a string that is no number", b"{\"acknowledge\":{\"checkpoints\":\"SECRET\"}}\n"),
        ("state that is no object", b"{\"open\":{\"state\":[\"SECRET\"]}}\n"),
        (
            "collection out of range",
            br#"{"validate":{"linkedCollections":[{"name":"SECRET"}],"bindings":[{},{"collectionIndex":7}]}}
"#,
        ),
        ("index without table", b"{\"open\":{\"capture\":{\"inactiveBindings\":[{\"collectionIndex\":1}]}}}\n"),
        (
            "index out of range in the last capture",
            b"{\"apply\":{\"lastCapture\":{\"bindings\":[{\"collectionIndex\":1}],\"linkedCollections\":[{}]}}}\n",
        ),
    ];
    let messages: Vec<String> = cases.iter().map(|(what, input)| format!("{what}: {}", error_of(input))).collect();
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn lines_have_a_limit() {
    let read = |input: &'static [u8]| {
        block_on(async move {
            let mut lines = Lines::with_limit(input, 4);
            let mut read = Vec::new();
            loop {
                match lines.next().await {
                    Ok(Some(line)) => read.push(String::from_utf8_lossy(line.bytes).into_owned()),
                    Ok(None) => break,
                    Err(error) => {
                        read.push(error.to_string());
                        break;
                    }
                }
            }
            read
        })
    };
    assert_eq!(read(b"1234\n12\n"), ["1234", "12"]);
    let too_long = "request line 2 is longer than 134217728 bytes, the most that is read: \
                    split the task into several with fewer bindings each";
    assert_eq!(read(b"1234\n12345\n"), ["1234", too_long]);
    assert_eq!(read(b"1234\n12345"), ["1234", too_long]);
    assert_eq!(
        read(b"1234\n1234"),
        [
            "1234",
            "the input ended within request line 2, after 4 bytes and without a line feed: it is not a whole request"
        ]
    );
}

/// Wherever an input breaks, and whatever value stands at the wrong place: the error does not repeat it.
#[test]
fn errors_never_repeat_the_input() {
    let canary = "CANARY";
    let spec = json!({
        "name": canary, "config": {"password": canary, canary: [canary]}, canary: {canary: canary},
        "bindings": [{"resourceConfig": {canary: canary}, "resourcePath": [canary], "stateKey": canary, canary: canary,
                      "collection": {"name": canary, "key": [canary], "writeSchema": {canary: canary}}}],
    });
    let whole =
        json!({"open": {"capture": spec, "version": canary, "state": {canary: canary}, canary: canary}}).to_string();
    for end in 1..whole.len() {
        for tail in ["\n", "", "\u{1}\n", "}\n", "]\n", "\"\n", "x\n", ",,\n"] {
            if let (_, Some(error)) = read(format!("{}{tail}", &whole[..end]).as_bytes()) {
                assert!(!format!("{error} {error:?}").contains(canary), "{error:?}");
            }
        }
    }
    // Each value of the request in turn is replaced by one of another kind.
    let whole: Value = serde_json::from_str(&whole).unwrap();
    let mut failures = 0;
    for pointer in pointers(&whole) {
        for wrong in [json!(canary), json!([canary]), json!({canary: canary}), json!([[canary]])] {
            let mut line = whole.clone();
            *line.pointer_mut(&pointer).unwrap() = wrong;
            if let (_, Some(error)) = read(format!("{line}\n").as_bytes()) {
                failures += 1;
                assert!(!format!("{error} {error:?}").contains(canary), "{error:?}");
            }
        }
    }
    assert!(failures > 20, "only {failures} inputs were refused");
}

fn pointers(value: &Value) -> Vec<String> {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    let below = children
        .into_iter()
        .flat_map(|(key, value)| pointers(value).into_iter().map(move |pointer| format!("/{key}{pointer}")));
    std::iter::once(String::new()).chain(below).collect()
}

/// An input that comes in pieces of given sizes, with a wait before each.
struct Pieces<'a> {
    rest: &'a [u8],
    sizes: std::iter::Cycle<std::vec::IntoIter<usize>>,
    ready: bool,
}

impl AsyncRead for Pieces<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.ready = !self.ready;
        if self.ready {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let size = self.sizes.next().unwrap_or(1).min(self.rest.len()).min(buffer.remaining());
        let (piece, rest) = self.rest.split_at(size);
        buffer.put_slice(piece);
        self.rest = rest;
        Poll::Ready(Ok(()))
    }
}

proptest! {
    /// However the bytes come in pieces, and although each wait is cancelled and begun anew, the lines are the same.
    #[test]
    fn pieces_and_cancellation_change_nothing(
        lines in prop::collection::vec("[a-zé]{0,30}", 0..20),
        sizes in prop::collection::vec(1..20_usize, 1..8),
    ) {
        let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let expected: Vec<&String> = lines.iter().filter(|line| !line.is_empty()).collect();
        let pieces = Pieces { rest: input.as_bytes(), sizes: sizes.into_iter().cycle(), ready: false };
        let mut lines = Lines::new(pieces);
        let read = block_on(async {
            let mut read = Vec::new();
            loop {
                let next = tokio::select! {
                    biased;
                    next = lines.next() => next.unwrap().map(|line| String::from_utf8(line.bytes.to_vec()).unwrap()),
                    () = std::future::ready(()) => continue,
                };
                match next {
                    Some(line) => read.push(line),
                    None => return read,
                }
            }
        });
        prop_assert_eq!(read.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn no_bytes_bring_the_reader_down(input in prop::collection::vec(any::<u8>(), 0..200)) {
        read(input.as_slice());
    }
}
