//! Secrets are told to Salesforce's sign-in and to nobody else: whatever a command does, succeeding or failing, at the most
//! talkative log level, none is in what it writes.

use std::{collections::BTreeSet, fs};

use base64::{Engine as _, engine::general_purpose};
use futures::StreamExt as _;
use salesforce_emulator::{Credentials, FaultAction, FaultRule};
use serde_json::{Value, json};

use super::{
    house::{self, ACME, House, known_as},
    org::Org,
    program::{self, Run, lines},
    side_by_side::side_by_side,
    task::Task,
    way::{PASSPHRASE, PKCS12, WAYS, Way},
    writing::desk::{Desk, MATCH, document, make_matchable, target},
};

/// All that must not be seen, and everything that was written.
struct Search {
    secrets: BTreeSet<String>,
    written: Vec<(String, String)>,
}

impl Search {
    /// A canary is found in whatever spelling it left.
    fn spellings(secret: &str) -> Vec<String> {
        let percent = |kept: fn(u8) -> bool| -> String {
            let encode = |byte: u8| if kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
            secret.bytes().map(encode).collect()
        };
        let mut spellings = vec![
            secret.to_owned(),
            percent(|byte| byte.is_ascii_alphanumeric()),
            percent(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)),
            percent(|byte| byte.is_ascii_alphanumeric() || b"-._*".contains(&byte)),
            secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
            json!(secret).to_string().trim_matches('"').to_owned(),
        ];
        // In base64 a text looks different at each of three offsets; the ends depend on their neighbours.
        for offset in 0..3 {
            let padded = [&vec![b' '; offset], secret.as_bytes()].concat();
            for engine in [general_purpose::STANDARD_NO_PAD, general_purpose::URL_SAFE_NO_PAD] {
                let encoded = engine.encode(&padded);
                spellings.push(encoded[4.min(encoded.len())..encoded.len().saturating_sub(2)].to_owned());
            }
        }
        spellings
    }

    /// What opens the doors of this org, and of the house.
    fn of(org: &Org, known: &Credentials) -> Self {
        let whole = [
            &known.client_id,
            &known.client_secret,
            &known.refresh_token,
            &known.password,
            &known.security_token,
            PASSPHRASE,
            house::PASSWORD,
            // Every access token begins with the org's id and an exclamation mark, every assertion with its header.
            &format!("{}!", org.emulator().org().org_id().short()),
            &general_purpose::URL_SAFE_NO_PAD.encode(r#"{"typ":"JWT","#),
        ];
        // A key may leak in part.
        let lines = known.private_key.lines().filter(|line| !line.starts_with("-----"));
        let pieces = PKCS12.as_bytes().chunks(64).map(|piece| std::str::from_utf8(piece).expect("base64"));
        let long_enough = |piece: &&str| piece.len() > 16;
        let secrets = whole.into_iter().chain(lines.chain(pieces).filter(long_enough)).map(str::to_owned);
        Self { secrets: secrets.collect(), written: Vec::new() }
    }

    fn note(&mut self, what: &str, run: Run) {
        self.written.extend([(format!("stdout of {what}"), run.stdout), (format!("stderr of {what}"), run.stderr)]);
    }

    fn assert_nothing_found(&self) {
        for secret in &self.secrets {
            for spelling in Self::spellings(secret) {
                for (place, text) in &self.written {
                    let found = text.find(&spelling).map(|at| text[..at].lines().last().unwrap_or_default());
                    assert_eq!(found, None, "{place} holds a secret as {spelling}");
                }
            }
        }
    }
}

const TRACE: &[(&str, &str)] = &[("LOG_LEVEL", "trace")];

/// Each way to sign in, with a password in which forms, URLs and XML have something to escape.
#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_in_nothing_that_is_written() {
    let mut ends = side_by_side(&WAYS, WAYS.len(), search);
    while let Some((way, end)) = ends.next().await {
        end.unwrap_or_else(|_| panic!("{}: something is found", way.name));
    }
}

async fn search(way: &Way) {
    let org = Org::start_with(1, &[("Account", 20)], known_as(ACME)).await;
    let mut known = org.emulator().credentials().clone();
    known.password = "canary <pass>&word+%".to_owned();
    org.emulator().org().set_password(&*known.password);
    let house = House::of(&org).await;
    let mut search = Search::of(&org, &known);
    let right = house.config(&(way.credentials)(&known));

    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state.json").display().to_string();
    let commands: [&[&str]; 5] = [
        &["discover", "--config", "-"],
        &["validate", "--config", "-", "--stream", "Account"],
        &["apply", "--config", "-", "--stream", "Account"],
        &["schema", "--config", "-", "--stream", "Account"],
        &["pull", "--config", "-", "--stream", "Account", "--state", &state, "--until-caught-up"],
    ];
    for arguments in commands {
        let run = program::run_with(arguments, right.to_string(), TRACE).await;
        assert_eq!(run.code, Some(0), "{}: {}", way.name, run.stderr);
        search.note(&format!("{arguments:?}"), run);
    }
    search.written.push(("the state file".to_owned(), fs::read_to_string(&state).expect("a state")));

    for wrong in wrong(&right, &mut search.secrets) {
        search.note("a wrong secret", program::run_with(commands[0], wrong.to_string(), TRACE).await);
    }
    let requests = [json!({ "spec": {} }), json!({ "discover": { "config": right } })];
    let broken = format!("{{\"discover\":{{\"config\":{right}}},");
    for stdin in [lines(&requests), broken.clone().into_bytes(), format!("{broken}\n").into_bytes()] {
        search.note("the protocol", program::run_with::<&str>(&[], stdin, TRACE).await);
    }

    search.written.extend(written(&org, right.clone()).await);
    let (log, state) = session(&org, right).await;
    assert!(log.contains("\"level\":\"debug\"") || log.contains("\"level\":\"trace\""), "the log is talkative:\n{log}");
    search.written.extend([("a session's log".to_owned(), log), ("a session's state".to_owned(), state)]);
    search.assert_nothing_found();
    org.shutdown().await;
}

/// The config with one secret after the other replaced by a canary, which is noted, and by something that is no text.
fn wrong(right: &Value, canaries: &mut BTreeSet<String>) -> Vec<Value> {
    let keys = right["credentials"].as_object().expect("credentials").keys();
    let mut wrong = Vec::new();
    for key in keys.filter(|key| *key != "credentials_title") {
        let canary = format!("canary/{key}+=&%");
        let mut config = right.clone();
        config["credentials"][key] = json!(canary);
        wrong.push(config.clone());
        config["credentials"][key] = json!([canary]);
        wrong.push(config);
        // The name of a user is no secret.
        canaries.extend((key != "username").then_some(canary));
    }
    let canary = "canary/misplaced+=&%";
    let mut config = right.clone();
    config["credentials"] = json!([canary]);
    wrong.push(config);
    canaries.insert(canary.to_owned());
    let canary = "canary-of-the-proxy";
    let mut config = right.clone();
    for proxy in [format!("socks5://house:{canary}@127.0.0.1"), format!("house:{canary}"), canary.to_owned()] {
        config["advanced"]["proxy"] = json!(proxy);
        wrong.push(config.clone());
    }
    canaries.insert(canary.to_owned());
    wrong
}

/// A session in which tokens expire and calls fail: its log and its state.
async fn session(org: &Org, config: Value) -> (String, String) {
    let sign_in = if config["credentials"]["client_id"].is_null() { "soap" } else { "token" };
    let mut task = Task::prepare_as("acmeCo/salesforce", config, &["Account"]).await;
    task.connector = task.connector.clone().with_env("LOG_LEVEL", "trace");
    let mut running = task.open().await;
    running.until_live().await;
    for seed in 0..2 {
        org.emulator().org().expire_sessions();
        for (kind, action) in [("retrieve", FaultAction::Html503), (sign_in, FaultAction::DropReply)] {
            let kind = Some(kind.to_owned());
            org.emulator().add_fault(FaultRule { method: None, path: None, kind, nth: 1, count: Some(1), action });
        }
        org.change(&["Account"], 10, seed).await;
        running.agree(org).await;
    }
    assert_eq!(org.emulator().faults(), [], "it never happened");
    let log = running.end().await.join("\n");
    (log, task.capture.state().to_string())
}

/// What the connector that writes leaves behind: the log of a session in which a token expires and a row is rejected, and its state.
async fn written(org: &Org, config: Value) -> [(String, String); 2] {
    make_matchable(org, &["Lead"]);
    let resource = json!({ "object": "Lead", "match_field": MATCH, "on_error": "continue" });
    let mut desk =
        Desk::prepare_with(config, vec![target(resource, &["LastName", "Company"])]).await.expect("it is valid");
    desk.connector = desk.connector.clone().with_env("LOG_LEVEL", "trace");
    org.emulator().org().expire_sessions();
    let row = |id: &str, company: &str| (0, document("c", id, json!({ "LastName": "Ngo", "Company": company })));
    let exit = desk.write([row("00Q000000000001AAA", "Acme"), row("00Q000000000002AAA", "")]).await;
    assert!(exit.log.iter().any(|line| line.contains("a row was rejected")), "{:?}", exit.log);
    let state = desk.task.state().to_string();
    [("a writing session's log".to_owned(), exit.log.join("\n")), ("its state".to_owned(), state)]
}

/// The search itself finds what it is to find.
#[test]
fn a_leaked_secret_is_found() {
    let secret = "s3cret/with+signs=";
    for leak in [
        secret.to_owned(),
        "s3cret%2Fwith%2Bsigns%3D".to_owned(),
        general_purpose::STANDARD.encode(format!("id:{secret}")),
        general_purpose::STANDARD.encode(format!("user:{secret}\n")),
        general_purpose::URL_SAFE_NO_PAD.encode(secret),
    ] {
        let text = format!("{{\"message\":\"it was {leak}\"}}");
        assert!(Search::spellings(secret).iter().any(|spelling| text.contains(spelling)), "{leak}");
    }
}
