//! A script in a process of its own, beside an org of its own.

use std::collections::HashMap;
use std::process::Stdio;
use std::time::Duration;

use salesforce_emulator::org::Id;
use salesforce_emulator::{Config, Emulator};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

use crate::libraries;

/// Far more than any script needs. One that waits for an event that never comes shall say how far it got.
const LONGEST: Duration = Duration::from_secs(90);

/// A line of a script's output; see `transcript.mjs`.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
struct Told {
    call: String,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Result(Json),
    Error(String),
}

/// What a script tells of an org started for it: its calls, and below each what came of it. `None` where its language
/// or its libraries are missing.
pub(crate) async fn told(script: &str, config: Config) -> Option<String> {
    let path = libraries::here().join(script);
    let mut command = match path.extension().and_then(|extension| extension.to_str()) {
        Some("mjs") => {
            let mut node = Command::new("node");
            node.env("NODE_MODULES", libraries::node_modules()?);
            node
        }
        _ => {
            let mut python = Command::new(libraries::python()?);
            // It shall leave no compiled files beside the sources, and needs no advice.
            python
                .env("PYTHONPATH", libraries::here())
                .env("PYTHONDONTWRITEBYTECODE", "1")
                .env("PYTHONWARNINGS", "ignore");
            python
        }
    };
    let emulator = Emulator::start(config).await.expect("an org");
    let (url, login_url) = (emulator.url().to_owned(), emulator.login_url().to_owned());
    let mut way_in = serde_json::to_value(emulator.credentials()).expect("JSON");
    way_in["url"] = json!(url);
    way_in["login_url"] = json!(login_url);
    command.arg(&path).env("ORG", way_in.to_string());
    let told = play(command).await;
    emulator.shutdown().await;
    Some(without_ids(&told.replace(&url, "http://ORG").replace(&login_url, "http://LOGIN")))
}

async fn play(mut command: Command) -> String {
    let mut process =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("it starts");
    let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
    let mut told = String::new();
    let playing = async {
        while let Some(line) = lines.next_line().await.expect("text") {
            let Told { call, outcome } = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            told += &match outcome {
                Outcome::Result(result) => format!("{call}\n→ {result}\n"),
                Outcome::Error(error) => format!("{call}\n✗ {error}\n"),
            };
        }
        process.wait().await.expect("an end")
    };
    let ended = tokio::time::timeout(LONGEST, playing).await;
    assert!(ended.is_ok_and(|status| status.success()), "the script came no further than\n{told}");
    told
}

/// Ids by the first three characters and the order in which they appear, as they say nothing else.
fn without_ids(told: &str) -> String {
    let mut known: HashMap<&str, Vec<Id>> = HashMap::new();
    let words = told.split_inclusive(|letter: char| !letter.is_ascii_alphanumeric());
    words
        .map(|word| {
            let text = word.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
            let Some(id) = Id::parse(text).filter(|_| text.len() == 18) else { return word.to_owned() };
            let ids = known.entry(&text[..3]).or_default();
            let place = ids.iter().position(|seen| *seen == id).unwrap_or_else(|| {
                ids.push(id);
                ids.len() - 1
            });
            format!("{}#{}{}", &text[..3], place + 1, &word[text.len()..])
        })
        .collect()
}
