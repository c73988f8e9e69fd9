//! The lines a connector writes, byte for byte.

use std::collections::BTreeMap;

use flow_protocol::{
    capture::{DiscoveredBinding, OAuth2, Response, Spec},
    group::Group,
    state,
    stdio::Responses,
};
use proptest::prelude::*;
use serde_json::{Value, json};

fn lines(responses: &[Response]) -> String {
    let mut output = Vec::new();
    let mut writer = Responses::new(&mut output);
    block_on(async {
        for response in responses {
            writer.send(response).await.expect("memory takes everything");
        }
    });
    String::from_utf8(output).expect("JSON is UTF-8")
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

#[test]
fn unary_responses() {
    let spec = Spec {
        config_schema: json!({"type": "object"}),
        resource_config_schema: json!({"type": "object"}),
        documentation_url: "https://example.com/docs".into(),
        oauth2: None,
        resource_path_pointers: vec!["/stream".into()],
    };
    let oauth2 = OAuth2 {
        provider: "salesforce".into(),
        auth_url_template: "https://{{{ config.my_domain }}}/services/oauth2/authorize".into(),
        access_token_url_template: "https://{{{ config.my_domain }}}/services/oauth2/token".into(),
        access_token_body: "code={{{ code }}}".into(),
        access_token_response_map: BTreeMap::from([("refresh_token".into(), "/refresh_token".into())]),
        ..OAuth2::default()
    };
    let binding = DiscoveredBinding {
        recommended_name: "Account".into(),
        resource_config: json!({"stream": "Account"}),
        document_schema: json!({"type": "object", "required": ["Id"]}),
        key: vec!["/Id".into()],
        disable: false,
        resource_path: vec!["Account".into()],
        is_fallback_key: false,
    };
    let disabled = DiscoveredBinding { disable: true, is_fallback_key: true, ..binding.clone() };
    insta::assert_snapshot!(lines(&[
        Response::Spec(spec.clone()),
        Response::Spec(Spec { oauth2: Some(oauth2), ..spec }),
        Response::Discovered(vec![]),
        Response::Discovered(vec![binding, disabled]),
        Response::Validated(vec![]),
        Response::Validated(vec![vec!["Account".into()], vec!["Lead".into(), "v2".into()]]),
        Response::Applied { action_description: String::new() },
        Response::Applied { action_description: "created the topic \"a\nb\"".into() },
        Response::Opened { explicit_acknowledgements: true },
        Response::Opened { explicit_acknowledgements: false },
    ]));
}

#[test]
fn a_session() {
    let mut output = Vec::new();
    let mut writer = Responses::new(&mut output);

    let mut group = Group::new();
    assert!(group.is_empty());
    group.sourced_schema(0, &json!({"type": "object", "additionalProperties": false}));
    group.captured(0, |doc| doc.extend_from_slice(br#"{"Id":"001","Amount":1.10}"#));
    group.captured(12, |doc| doc.extend_from_slice(b"{\n  \"Id\": \"002\",\r\n  \"Text\": \"a\\nb\"\n}"));
    assert_eq!(group.documents(), 2);
    let size = group.size();
    let old = json!({"bindingStateV1": {"Account.v1": {"cursor": 1, "window": {}}}});
    let new = json!({"bindingStateV1": {"Account.v1": {"cursor": 2}}});
    let first = group.checkpoint(state::diff(&old, &new).as_ref());
    assert_eq!(first.documents(), 2);
    assert_eq!(first.bytes()[..size].iter().filter(|byte| **byte == b'\n').count(), 3);

    block_on(async {
        writer.write(&first).await.unwrap();
        // In the room of the first, and nothing of it is left.
        let second = first.into_empty().checkpoint(None);
        assert_eq!(second.documents(), 0);
        writer.write(&second).await.unwrap();
    });
    insta::assert_snapshot!(String::from_utf8(output).unwrap());
}

fn document() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[a-z]{1,4}", any::<String>(), 0..4).prop_map(|members| json!(members))
}

proptest! {
    /// Whatever a document holds, and however it is laid out, it is one line, and means the same.
    #[test]
    fn a_document_is_one_line(docs in prop::collection::vec((any::<u32>(), document(), any::<bool>()), 0..6)) {
        let mut group = Group::new();
        for (binding, doc, pretty) in &docs {
            group.captured(*binding, |bytes| match pretty {
                true => serde_json::to_writer_pretty(bytes, doc).unwrap(),
                false => serde_json::to_writer(bytes, doc).unwrap(),
            });
        }
        let finished = group.checkpoint(None);
        let text = std::str::from_utf8(finished.bytes()).unwrap();
        prop_assert!(text.ends_with('\n'));
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut expected: Vec<Value> =
            docs.iter().map(|(binding, doc, _)| json!({"captured": {"binding": binding, "doc": doc}})).collect();
        expected.push(json!({"checkpoint": {}}));
        prop_assert_eq!(text.matches('\n').count(), expected.len());
        prop_assert_eq!(lines, expected);
    }
}
