//! What is wrong is said once, in the last line of the log: what, where, and what to do about it. The golden table.

use salesforce_emulator::{Settings, cometd};
use serde_json::{Value, json};

use super::{
    org::Org,
    program::{self, lines, masked},
};

/// The most bytes a request may have.
const MOST: usize = 128 << 20;

/// A way to start the program wrongly.
struct Case {
    what: &'static str,
    arguments: Vec<String>,
    stdin: Vec<u8>,
}

impl Case {
    fn requests(what: &'static str, requests: &[Value]) -> Self {
        Self::bytes(what, lines(requests))
    }

    fn bytes(what: &'static str, stdin: impl Into<Vec<u8>>) -> Self {
        Self { what, arguments: Vec::new(), stdin: stdin.into() }
    }

    fn command(what: &'static str, arguments: &[&str], stdin: impl Into<Vec<u8>>) -> Self {
        Self { what, arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(), stdin: stdin.into() }
    }
}

/// Runs the cases and shows their last words.
async fn table(org: &Org, cases: Vec<Case>) -> String {
    let mut table = String::new();
    for Case { what, arguments, stdin } in cases {
        let run = program::run(&arguments, stdin).await;
        let last_words = run.last_words(what).replace(org.host(), "ORG");
        // The length of the port moves columns.
        let last_words = masked(&last_words, "column ");
        table += &format!("{what}:\n    {last_words}\n");
    }
    table
}

fn validate(config: &Value, streams: &[&str]) -> Value {
    let binding = |stream: &&str| {
        json!({
            "resourceConfig": { "stream": stream },
            "collection": { "name": format!("acmeCo/{stream}"), "key": ["/Id"] },
        })
    };
    let bindings: Vec<Value> = streams.iter().map(binding).collect();
    json!({ "validate": { "name": "acmeCo/salesforce", "config": config, "bindings": bindings } })
}

fn open(config: &Value, state: &Value) -> Value {
    let binding = json!({
        "resourceConfig": { "stream": "Account" },
        "resourcePath": ["Account"],
        "collection": { "name": "acmeCo/Account", "key": ["/Id"] },
        "stateKey": "Account.v0",
    });
    let capture = json!({ "name": "acmeCo/salesforce", "config": config, "bindings": [binding] });
    json!({ "open": { "capture": capture, "version": "1", "range": { "keyEnd": u32::MAX }, "state": state } })
}

/// Credentials of JWT bearer with this for a private key.
fn jwt(private_key: &str) -> Value {
    json!({ "client_id": "id", "username": "ada@example.com", "private_key": private_key })
}

/// The config with one value replaced, at a JSON pointer whose parent exists.
fn with(config: &Value, pointer: &str, value: Value) -> Value {
    let mut config = config.clone();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer");
    config.pointer_mut(parent).expect("the parent exists")[key] = value;
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_user_configures() {
    let org = Org::start(&[]).await;
    let good = org.config();
    let config = |what, pointer, value| Case::requests(what, &[validate(&with(&good, pointer, value), &["Account"])]);
    let streams = |what, streams: &[&str]| Case::requests(what, &[validate(&good, streams)]);
    let binding = |what, resource: Value| {
        let mut request = validate(&good, &["Account"]);
        request["validate"]["bindings"][0]["resourceConfig"] = resource;
        Case::requests(what, &[request])
    };
    for (name, query) in
        [("Narrow", "SELECT Id FROM Account"), ("Filtered", "SELECT Id FROM Account WHERE Name != 'x'")]
    {
        org.create(
            "PushTopic",
            json!({ "Name": name, "Query": query, "ApiVersion": 62.0, "NotifyForFields": "Referenced" }),
        );
    }
    let topic = |what, name: &str| binding(what, json!({ "stream": "Account", "push_topic": name }));
    let fields = |what, fields: Value| binding(what, json!({ "stream": "Account", "fields": fields }));
    let without_credentials = json!({ "advanced": good["advanced"] });
    let my_domain = |what, domain: &str| {
        let config = json!({ "credentials": good["credentials"], "my_domain": domain });
        Case::requests(what, &[validate(&config, &["Account"])])
    };
    let cases = vec![
        config("wrong client id", "/credentials/client_id", json!("3MVG9nobody")),
        config("wrong client secret", "/credentials/client_secret", json!("canary")),
        config("unknown refresh token", "/credentials/refresh_token", json!("5Aepcanary")),
        Case::requests("no credentials", &[validate(&without_credentials, &["Account"])]),
        config("empty refresh token", "/credentials/refresh_token", json!("")),
        config("a number for a secret", "/credentials/client_secret", json!(42)),
        config("a text for the credentials", "/credentials", json!("canary")),
        config("another way to sign in", "/credentials/credentials_title", json!("Smoke Signals")),
        config("a text for a switch", "/is_sandbox", json!("yes")),
        config("login URL over plain http", "/advanced/login_url", json!("http://login.salesforce.com")),
        config("login URL with a password", "/advanced/login_url", json!("https://me:canary@login.salesforce.com")),
        config("login URL that is none", "/advanced/login_url", json!("salesforce")),
        my_domain("My Domain with a scheme", "https://acme.my.salesforce.com"),
        my_domain("My Domain of the Lightning pages", "acme.lightning.force.com"),
        my_domain("My Domain of somebody else", "acme.my.salesforce.com.evil.example"),
        config("API version in words", "/advanced/api_version", json!("latest")),
        config("API version as a number", "/advanced/api_version", json!(62.0)),
        config("API version too old", "/advanced/api_version", json!("36.0")),
        config("API version that the org does not have yet", "/advanced/api_version", json!("99.0")),
        config("a key file that is no key", "/credentials", jwt("canary")),
        config(
            "a certificate for a key",
            "/credentials",
            jwt("-----BEGIN CERTIFICATE-----\ncanary\n-----END CERTIFICATE-----"),
        ),
        config("a key without a user", "/credentials", json!({ "client_id": "id", "private_key": "canary" })),
        config("a password without a user", "/credentials", json!({ "password": "canary" })),
        config("a proxy that is none", "/advanced/proxy", json!("proxy.example.com:canary")),
        config("root certificates that are none", "/advanced/root_certificates", json!("canary")),
        config("inspections without a pause", "/advanced/inspection_interval", json!("PT0S")),
        config("start date without a zone", "/start_date", json!("2024-01-01")),
        config("start date in words", "/start_date", json!("yesterday")),
        config("coalescing for an hour", "/advanced/coalescing_interval", json!("PT1H")),
        config("coalescing in words", "/advanced/coalescing_interval", json!("a second")),
        streams("unknown stream", &["Acount"]),
        streams("unknown stream like no other", &["Invoice__c"]),
        streams("stream that is no name", &["Account; DROP"]),
        binding("streaming of what PushTopic does not know", json!({ "stream": "User", "mode": "stream" })),
        binding("a mode that is none", json!({ "stream": "User", "mode": "push" })),
        binding("an interval of zero", json!({ "stream": "User", "interval": "PT0S" })),
        binding("an interval in words", json!({ "stream": "User", "interval": "hourly" })),
        fields("fields that are not there", json!({ "include": ["Id", "Name", "Industy"] })),
        fields("fields left out that are not there", json!({ "exclude": ["Horoscope__c"] })),
        fields("fields without Id", json!({ "include": ["Name"] })),
        fields("fields that drop Id", json!({ "exclude": ["Name", "ID"] })),
        fields("fields that drop the modstamp", json!({ "exclude": ["SystemModstamp"] })),
        fields("fields as a list", json!(["Id"])),
        topic("a PushTopic that is not there", "Accounts"),
        topic("a PushTopic in another case", "narrow"),
        topic("a PushTopic that selects too little", "Narrow"),
        topic("a PushTopic with a filter", "Filtered"),
        binding("a PushTopic of another object", json!({ "stream": "Contact", "push_topic": "Narrow" })),
        binding("a channel for a PushTopic", json!({ "stream": "Account", "push_topic": "/topic/Narrow" })),
        binding("a PushTopic for polls", json!({ "stream": "Account", "push_topic": "Narrow", "mode": "poll" })),
        binding("files as bytes", json!({ "stream": "Account", "base64": "bytes" })),
        streams("the same object twice", &["Account", "account"]),
        Case::requests(
            "resource config with a typo",
            &[{
                let mut request = validate(&good, &["Account"]);
                request["validate"]["bindings"][0]["resourceConfig"] = json!({ "strem": "Account" });
                request
            }],
        ),
    ];
    insta::assert_snapshot!(table(&org, cases).await);
    org.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_org_answers() {
    let revoked = Org::start(&[]).await;
    // A user keeps five grants of an app; a sixth silently revokes the oldest.
    for _ in 0..5 {
        revoked.emulator().org().grant();
    }
    let mut table =
        table(&revoked, vec![Case::requests("revoked refresh token", &[validate(&revoked.config(), &[])])]).await;
    revoked.shutdown().await;

    let foreign = |instance: &str| Settings { instance_url: Some(instance.to_owned()), ..Settings::default() };
    for (what, settings) in [
        ("token reply that leads to a foreign host", foreign("https://salesforce.com.evil.example")),
        ("token reply that leads to plain http", foreign("http://acme.my.salesforce.com")),
        ("API calls used up", Settings { daily_api_calls: 0, ..Settings::default() }),
        ("no room for another PushTopic", Settings { push_topics: 0, ..Settings::default() }),
    ] {
        let org = Org::start_with(1, &[], settings).await;
        let mut capture = open(&org.config(), &json!({}))["open"]["capture"].take();
        capture["bindings"][0]["resourceConfig"]["mode"] = json!("stream");
        let apply = json!({ "apply": { "capture": capture } });
        table += &self::table(&org, vec![Case::requests(what, &[apply])]).await;
        org.shutdown().await;
    }
    let rotating = Org::start_with(1, &[], Settings { rotate_refresh_tokens: true, ..Settings::default() }).await;
    let request = validate(&rotating.config(), &["Account"]);
    table += &self::table(&rotating, vec![Case::requests("refresh tokens that are rotated", &[request])]).await;
    rotating.shutdown().await;

    // What the user may not do is hidden from its describes, or refused at the handshake.
    let describe = "/services/data/v62.0/sobjects/PushTopic/describe";
    let hidden = json!([{ "errorCode": "NOT_FOUND", "message": "The requested resource does not exist" }]);
    let read_only = json!({ "name": "PushTopic", "queryable": true, "createable": false, "fields": [] });
    for (what, status, body) in [("PushTopics are hidden", 404, hidden), ("PushTopics are read-only", 200, read_only)] {
        let org = Org::start(&[]).await;
        let fault = json!({ "path": describe, "action": { "reply": { "status": status, "body": body } } });
        org.emulator().add_fault(serde_json::from_value(fault).expect("a fault"));
        table += &self::table(&org, vec![Case::requests(what, &[validate(&org.config(), &["Account"])])]).await;
        org.shutdown().await;
    }
    let org = Org::start(&[]).await;
    let refused = cometd::Rule::new(cometd::Fault::Refuse { error: "403::User not enabled for streaming".into() });
    org.emulator().streaming().script(refused.on(cometd::Occasion::Handshake).expect("a handshake can be refused"));
    let request = validate(&org.config(), &["Account"]);
    table += &self::table(&org, vec![Case::requests("the Streaming API is closed to the user", &[request])]).await;
    org.shutdown().await;
    insta::assert_snapshot!(table);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_over_stdin() {
    let org = Org::start(&[]).await;
    let good = org.config();
    let spec = json!({ "spec": {} });
    let mut too_long = b"{\"spec\":{\"padding\":\"".to_vec();
    too_long.resize(MOST + 1, b'x');
    let mut no_such_collection = open(&good, &json!({}));
    let capture = &mut no_such_collection["open"]["capture"];
    capture["linkedCollections"] = json!([{ "name": "acmeCo/Account", "key": ["/Id"] }]);
    capture["bindings"][0].as_object_mut().expect("a binding").remove("collection");
    capture["bindings"][0]["collectionIndex"] = json!(7);
    let session = |what, second: Value| Case::requests(what, &[open(&good, &json!({})), second]);
    let cases = vec![
        Case::bytes("garbage", "hello\n"),
        Case::bytes("half a line", "{\"spec\":{"),
        Case::bytes("a whole request without its line feed", "{\"spec\":{}}"),
        Case::bytes("invalid UTF-8", b"{\"spec\":{\"name\":\"\xff\"}}\n".to_vec()),
        Case::bytes("a list", "[1,2]\n"),
        Case::bytes("no kind", "{}\n"),
        Case::bytes("two kinds", "{\"spec\":{},\"discover\":{\"config\":{}}}\n"),
        Case::bytes("an unknown kind", "{\"dance\":{}}\n"),
        Case::bytes("a request beyond 128 MiB", too_long),
        Case::requests("garbage after a good request", &[spec.clone(), json!("hello")]),
        Case::requests("acknowledge outside a session", &[json!({ "acknowledge": { "checkpoints": 1 } })]),
        session("spec within a session", spec),
        session("open within a session", open(&good, &json!({}))),
        Case::requests("a collection that is not linked", &[no_such_collection]),
        Case::requests("open without a config", &[json!({ "open": { "capture": { "name": "acmeCo/salesforce" } } })]),
        Case::requests("state of another layout", &[open(&good, &json!({ "version": 99 }))]),
        Case::requests("state that is garbage", &[open(&good, &json!({ "version": 1, "bindingStateV1": "canary" }))]),
        Case::requests(
            "state of another org",
            &[open(
                &good,
                &json!({ "version": 1, "org": "00D000000000001EAA", "bindingStateV1": { "Account.v0": {} } }),
            )],
        ),
    ];
    insta::assert_snapshot!(table(&org, cases).await);
    org.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_in_files() {
    let org = Org::start(&[]).await;
    let good = org.config().to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("the folder can be written");
        path.display().to_string()
    };
    let config = file("config.json", &good);
    let broken = file("broken.yaml", "credentials:\n  client_secret: canary\n  - refresh_token\n");
    let scalar = file("scalar.yaml", "canary\n");
    let state = file("state.json", "{\"version\":");
    let empty = file("empty.json", "");
    let foreign =
        file("foreign.json", "{\"version\":1,\"org\":\"00D000000000001EAA\",\"bindingStateV1\":{\"Account\":{}}}");
    let missing = folder.path().join("missing.yaml").display().to_string();
    let pull = |what, state: &str| {
        Case::command(what, &["pull", "--config", &config, "--stream", "Account", "--state", state], "")
    };
    let cases = vec![
        Case::command("a config file that is missing", &["discover", "--config", &missing], ""),
        Case::command(
            "a config file that is a folder",
            &["discover", "--config", &folder.path().display().to_string()],
            "",
        ),
        Case::command("a config file that is no YAML", &["discover", "--config", &broken], ""),
        Case::command("a config file that is one word", &["discover", "--config", &scalar], ""),
        Case::command("an empty config on stdin", &["discover", "--config", "-"], ""),
        Case::command("a stream that is unknown", &["schema", "--config", "-", "--stream", "Acount"], good.clone()),
        pull("a state file that is cut off", &state),
        pull("a state file that is empty", &empty),
        pull("a state file of another org", &foreign),
        pull("a state file in no folder", &format!("{missing}/state.json")),
    ];
    let table = table(&org, cases).await.replace(&folder.path().display().to_string(), "FOLDER");
    insta::assert_snapshot!(table);
    org.shutdown().await;
}
