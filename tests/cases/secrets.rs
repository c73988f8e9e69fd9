//! Secrets are told to Salesforce's sign-in and to nobody else: whatever a command does, succeeding or failing, at the most
//! talkative log level, none is in what it writes.

use std::{collections::BTreeSet, fs};

use base64::{Engine as _, engine::general_purpose};
use salesforce_emulator::{FaultAction, FaultRule};
use serde_json::json;

use super::{
    org::Org,
    program::{self, lines},
    task::Task,
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
            secret.escape_debug().to_string(),
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

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_in_nothing_that_is_written() {
    let org = Org::start(&[("Account", 20)]).await;
    let credentials = org.emulator().credentials();
    let mut search = Search { secrets: BTreeSet::new(), written: Vec::new() };
    search.secrets.extend([credentials.client_secret.clone(), credentials.refresh_token.clone()]);
    // Every access token begins with the org's id and an exclamation mark.
    search.secrets.insert(format!("{}!", org.emulator().org().org_id().short()));
    let config = org.config();
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state.json").display().to_string();

    // Each with the right secrets, with wrong ones (canaries of their own), and where they are of the wrong shape.
    let mut wrong = config.clone();
    wrong["credentials"]["client_secret"] = json!("canary/secret+=&%");
    let mut revoked = config.clone();
    revoked["credentials"]["refresh_token"] = json!("5Aep861canary.refresh_token==");
    let mut misplaced = config.clone();
    misplaced["credentials"] = json!(["canary-in-a-list-12345"]);
    let canaries = ["canary/secret+=&%", "5Aep861canary.refresh_token==", "canary-in-a-list-12345"];
    search.secrets.extend(canaries.map(str::to_owned));
    let commands: [&[&str]; 6] = [
        &["spec"],
        &["discover", "--config", "-"],
        &["validate", "--config", "-", "--stream", "Account"],
        &["apply", "--config", "-", "--stream", "Account"],
        &["schema", "--config", "-", "--stream", "Account"],
        &["pull", "--config", "-", "--stream", "Account", "--state", &state, "--until-caught-up"],
    ];
    for config in [&config, &wrong, &revoked, &misplaced] {
        for arguments in commands {
            let run = program::run_with(arguments, config.to_string(), TRACE).await;
            let name = format!("{arguments:?}");
            search
                .written
                .extend([(format!("stdout of {name}"), run.stdout), (format!("stderr of {name}"), run.stderr)]);
        }
        let requests = [json!({ "spec": {} }), json!({ "discover": { "config": config } })];
        let broken = format!("{{\"discover\":{{\"config\":{config}}},");
        for stdin in [lines(&requests), broken.clone().into_bytes(), format!("{broken}\n").into_bytes()] {
            let run = program::run_with::<&str>(&[], stdin, TRACE).await;
            search.written.extend([("stdout".to_owned(), run.stdout), ("stderr".to_owned(), run.stderr)]);
        }
    }
    search.written.push(("the state file".to_owned(), fs::read_to_string(&state).expect("a state")));

    let (log, state) = session(&org).await;
    assert!(log.contains("\"level\":\"debug\"") || log.contains("\"level\":\"trace\""), "the log is talkative:\n{log}");
    search.written.extend([("a session's log".to_owned(), log), ("a session's state".to_owned(), state)]);
    search.assert_nothing_found();
    org.shutdown().await;
}

/// A session in which tokens expire and calls fail: its log and its state.
async fn session(org: &Org) -> (String, String) {
    let mut task = Task::prepare(org, &["Account"]).await;
    task.connector = task.connector.clone().with_env("LOG_LEVEL", "trace");
    let mut running = task.open().await;
    running.until_live().await;
    for seed in 0..2 {
        org.emulator().org().expire_sessions();
        for (kind, action) in [("query_all", FaultAction::Html503), ("token", FaultAction::DropReply)] {
            let kind = Some(kind.to_owned());
            org.emulator().add_fault(FaultRule { method: None, path: None, kind, nth: 1, count: Some(1), action });
        }
        org.change(&["Account"], 10, seed).await;
        running.agree(org).await;
    }
    let log = running.end().await.join("\n");
    (log, task.capture.state().to_string())
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
