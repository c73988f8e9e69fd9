//! The commands for people: what they print, how they end.

use std::{collections::BTreeMap, fs, process::Stdio, time::Duration};

use demo::runtime::Collection;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
    time::timeout,
};

use super::{
    org::Org,
    program::{self, PATIENCE, lines},
};

#[tokio::test(flavor = "multi_thread")]
async fn commands_answer_as_the_protocol_does() {
    let org = Org::start(&[]).await;
    let config = org.config();
    let resource = |stream: &str| json!({ "resourceConfig": { "stream": stream }, "resourcePath": [stream] });
    let bindings = [resource("Account"), resource("Custom__c")];
    let capture = json!({ "name": "local/salesforce", "config": config, "bindings": bindings });
    let streams = ["--stream", "Account", "Custom__c"];
    let cases: [(&[&str], Value); 4] = [
        (&["spec"], json!({ "spec": {} })),
        (&["discover"], json!({ "discover": { "config": config } })),
        (&["validate"], json!({ "validate": { "config": config, "bindings": bindings } })),
        (&["apply"], json!({ "apply": { "capture": capture } })),
    ];
    for (command, request) in cases {
        // Twice, so that there is nothing left to apply.
        program::serve(lines(std::slice::from_ref(&request))).await.json();
        let asked = program::serve(lines(&[request])).await.json();
        let mut arguments = command.to_vec();
        if command != ["spec"] {
            arguments.extend(["--config", "-"]);
        }
        if ["validate", "apply"].contains(&command[0]) {
            arguments.extend(streams);
        }
        let run = program::run(&arguments, config.to_string()).await;
        assert_eq!(run.json(), asked, "{command:?}");
        assert_eq!(run.stderr, "", "{command:?} has nothing to say besides");
        assert!(run.stdout.lines().count() > 1, "{command:?} prints for people");
    }
    org.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_config_may_be_yaml_or_json_in_a_file_or_on_stdin() {
    let org = Org::start(&[]).await;
    let config = org.config();
    let text = |pointer: &str| config.pointer(pointer).and_then(Value::as_str).expect("a text").to_owned();
    let yaml = format!(
        "# A comment\ncredentials:\n  client_id: {}\n  client_secret: '{}'\n  refresh_token: \"{}\"\nis_sandbox: false\nadvanced:\n  login_url: {}\n",
        text("/credentials/client_id"),
        text("/credentials/client_secret"),
        text("/credentials/refresh_token"),
        text("/advanced/login_url"),
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        fs::write(folder.path().join(name), text).expect("the folder can be written");
        folder.path().join(name).display().to_string()
    };
    let json = config.to_string();
    let cases = [
        (file("config.yaml", &yaml), ""),
        (file("config.json", &json), ""),
        // What a file is called does not matter.
        (file("config.txt", &json), ""),
        ("-".to_owned(), yaml.as_str()),
        ("-".to_owned(), json.as_str()),
    ];
    for (file, stdin) in cases {
        let run = program::run(&["validate", "--config", &file, "--stream", "Account"], stdin).await;
        assert_eq!(run.json(), json!({ "validated": { "bindings": [{ "resourcePath": ["Account"] }] } }), "{file}");
    }
    org.shutdown().await;
}

/// A key that is misspelt says so; one that is nobody's passes, and no value is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_key_of_the_config_is_warned_about() {
    let org = Org::start(&[]).await;
    let mut config = org.config();
    (config["mydomain"], config["owner"]) = (json!("acme.my.salesforce.com"), json!("somebody"));
    let arguments = ["validate", "--config", "-", "--stream", "Account"];
    let run = program::run(&arguments, config.to_string()).await;
    assert_eq!((run.code, run.stderr.lines().count()), (Some(0), 1), "{}", run.stderr);
    assert!(run.stderr.contains("my_domain was probably meant") && !run.stderr.contains("acme"), "{}", run.stderr);
    org.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn help_is_at_hand_and_wrong_arguments_are_told_apart() {
    for (arguments, expect) in [
        (vec!["--help"], "pull --config config.yaml --stream Account"),
        (vec!["pull", "--help"], "--until-caught-up"),
        (vec!["--version"], concat!("source-salesforce ", env!("CARGO_PKG_VERSION"))),
        (vec!["completions", "bash"], "complete -F"),
        (vec!["completions", "fish"], "complete -c source-salesforce"),
    ] {
        let run = program::run(&arguments, "").await;
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(run.stdout.contains(expect), "{arguments:?}: {}", run.stdout);
    }
    for arguments in [
        vec!["dance"],
        vec!["discover"],
        vec!["validate", "--config", "-"],
        vec!["pull", "--config", "-", "--stream", "Account", "--until-caught-up", "--for", "1s"],
        vec!["pull", "--config", "-", "--stream", "Account", "--for", "soon"],
        vec!["completions", "tcl"],
    ] {
        let run = program::run(&arguments, "").await;
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(run.stderr.starts_with("error: "), "{arguments:?}: {}", run.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn blank_lines_between_requests_mean_nothing() {
    let run = program::serve("\n{\"spec\":{}}\n\r\n\n").await;
    assert_eq!(run.json()["spec"]["protocol"], 3_032_023);
}

/// Documents of `--tagged` lines, reduced.
fn reduce(stdout: &str, collections: &mut BTreeMap<String, Collection>) -> usize {
    for line in stdout.lines() {
        let (stream, document): (String, Value) = serde_json::from_str(line).expect("a tagged document");
        collections.entry(stream).or_default().reduce(document).expect("a whole document");
    }
    stdout.lines().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn pulls_continue_from_their_state_and_miss_nothing() {
    let org = Org::start(&[("Account", 30), ("Custom__c", 30)]).await;
    let streams = ["Account", "Custom__c"];
    let folder = tempfile::tempdir().expect("a folder");
    let state = folder.path().join("state.json").display().to_string();
    let mut arguments = vec!["pull", "--config", "-", "--stream"];
    arguments.extend(streams);
    arguments.extend(["--state", &state, "--until-caught-up", "--tagged"]);
    let pull = async || {
        let run = program::run(&arguments, org.config().to_string()).await;
        assert_eq!(run.code, Some(0), "{}", run.stderr);
        run.stdout
    };

    let mut collections = BTreeMap::new();
    assert_eq!(reduce(&pull().await, &mut collections), 60);
    let report = org.change(&streams, 40, 9).await;
    let created = usize::try_from(report.created).expect("a small number");
    // What changed minutes before a pull may come again with the next: Salesforce vouches for nothing younger.
    org.emulator().org().advance(Duration::from_secs(600)).expect("the clock moves");
    let changes = reduce(&pull().await, &mut collections);
    assert!((created..60).contains(&changes), "{changes} documents for {report:?}");
    assert_eq!(pull().await, "", "nothing changed since");
    for stream in streams {
        let difference = demo::verdict::Difference::between(stream, collections[stream].rows(), &org.truth(stream));
        assert!(difference.is_empty(), "{difference}");
    }
    org.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_ends_after_its_time() {
    let org = Org::start(&[("Account", 3)]).await;
    let arguments = ["pull", "--config", "-", "--stream", "Account", "--for", "0s"];
    let run = program::run(&arguments, org.config().to_string()).await;
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    org.shutdown().await;
}

/// Two pulls with one state file, as of a schedule whose last run has not ended, would write over each other's positions.
#[tokio::test(flavor = "multi_thread")]
async fn a_state_file_is_one_pulls_at_a_time() {
    let org = Org::start(&[("Account", 3)]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("config.json"), org.config().to_string()).expect("the folder can be written");
    let (config, state) = (path("config.json"), path("state.json"));
    let arguments = ["pull", "--config", &config, "--stream", "Account", "--state", &state];
    let mut first = Command::new(program::path());
    first.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut first = first.spawn().expect("the program starts");
    let mut lines = BufReader::new(first.stdout.take().expect("stdout is piped")).lines();
    timeout(PATIENCE, lines.next_line()).await.expect("a line in time").expect("pipes work").expect("a document");

    let words = program::run(&arguments, "").await.last_words("a second pull");
    assert!(words.ends_with("state.json is in use by another pull: end that one, or name another file"), "{words}");
    first.kill().await.expect("it can be killed");
    let after = program::run(&[&arguments[..], &["--until-caught-up"]].concat(), "").await;
    assert_eq!(after.code, Some(0), "a lock ends with its process: {}", after.stderr);
    org.shutdown().await;
}

/// A state file that is a link stays one, also where the file behind it is not there yet.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_kept_behind_a_link() {
    let org = Org::start(&[("Account", 3)]).await;
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("kept")).expect("the folder can be written");
    let (link, file) = (folder.path().join("state.json"), folder.path().join("kept/state.json"));
    std::os::unix::fs::symlink("kept/state.json", &link).expect("a link can be made");
    let state = link.display().to_string();
    let arguments = ["pull", "--config", "-", "--stream", "Account", "--until-caught-up", "--state", &state];
    for documents in [3, 0] {
        let run = program::run(&arguments, org.config().to_string()).await;
        assert_eq!((run.code, run.stdout.lines().count()), (Some(0), documents), "{}", run.stderr);
        assert!(link.is_symlink() && file.is_file(), "the link is replaced");
        org.emulator().org().advance(Duration::from_secs(600)).expect("the clock moves");
    }
    org.shutdown().await;
}

/// `pull | head`: a reader that goes ends the pull, which is no failure. What it could not hand over comes again.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_ends_a_pull_without_a_word() {
    let org = Org::start(&[("Account", 500)]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("config.json"), org.config().to_string()).expect("the folder can be written");
    let (config, state) = (path("config.json"), path("state.json"));
    let arguments = ["pull", "--config", &config, "--stream", "Account", "--state", &state];
    let mut command = Command::new(program::path());
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
    timeout(PATIENCE, lines.next_line()).await.expect("a line in time").expect("pipes work").expect("a document");
    // All rows are one group, which is many times what a pipe holds.
    drop(lines);
    let end = timeout(PATIENCE, child.wait_with_output()).await.expect("it ends").expect("its output");
    let log = String::from_utf8(end.stderr).expect("a log is text");
    assert_eq!(end.status.code(), Some(0), "{log}");
    assert!(!log.contains(r#""level":"error""#) && !log.contains(r#""level":"warn""#), "{log}");

    let again = program::run(&[&arguments[..], &["--until-caught-up"]].concat(), "").await;
    assert_eq!((again.code, again.stdout.lines().count()), (Some(0), 500), "{}", again.stderr);
    org.shutdown().await;
}

/// Ctrl-C ends a pull well, and its state is that of the last line printed.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_pull_ends_well() {
    let org = Org::start(&[("Account", 3)]).await;
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("config.json");
    fs::write(&config, org.config().to_string()).expect("the folder can be written");
    let mut command = Command::new(program::path());
    command.args(["pull", "--stream", "Account", "--state"]).arg(folder.path().join("state.json"));
    command.arg("--config").arg(&config);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
    let mut documents = 0;
    let mut next = async || timeout(PATIENCE, lines.next_line()).await.expect("a line in time").expect("pipes work");
    while documents < 3 {
        let line = next().await.expect("three documents");
        assert!(serde_json::from_str::<Value>(&line).is_ok_and(|document| document["Id"].is_string()), "{line}");
        documents += 1;
    }
    // A document of an event says that it streams.
    org.create("Account", json!({ "Name": "live" }));
    let live = next().await.expect("another document");
    assert!(live.contains("\"live\""), "{live}");

    let id = child.id().expect("it runs").to_string();
    let killed = Command::new("kill").args(["-s", "INT", &id]).status().await.expect("kill(1) runs");
    assert!(killed.success());
    assert_eq!(next().await, None);
    let status = timeout(PATIENCE, child.wait()).await.expect("it ends").expect("it can be awaited");
    assert_eq!(status.code(), Some(0));
    let state: Value =
        serde_json::from_slice(&fs::read(folder.path().join("state.json")).expect("a state")).expect("JSON");
    assert!(state["bindingStateV1"]["Account"]["live"].is_string(), "{state}");
    org.shutdown().await;
}
