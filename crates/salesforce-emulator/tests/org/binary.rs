//! The program itself.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};

use serde_json::Value as Json;

const BINARY: &str = env!("CARGO_BIN_EXE_salesforce-emulator");

fn serve(arguments: &[&str]) -> Child {
    Command::new(BINARY).arg("serve").args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
#[cfg(unix)]
fn one_line_when_ready_and_a_clean_end() {
    for signal in ["TERM", "INT"] {
        let mut child = serve(&["--seed", "7", "--rows", "Account=20,Contact=1_0"]);
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let ready: Json = serde_json::from_str(&line).unwrap();
        let keys: Vec<&String> = ready.as_object().unwrap().keys().collect();
        let credentials =
            ["client_id", "client_secret", "refresh_token", "username", "password", "security_token", "private_key"];
        assert_eq!(keys, [&["url", "login_url"], &credentials[..]].concat());
        for url in ["url", "login_url"] {
            assert!(ready[url].as_str().unwrap().starts_with("http://127.0.0.1:"));
        }
        assert!(Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap().success());
        assert!(child.wait().unwrap().success());
        let mut rest = String::new();
        output.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
    }
}

#[test]
#[cfg(unix)]
fn objects_from_a_file_and_made_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("schema.yaml");
    let schema = "Invoice__c:\n  label: Invoice\n  fields:\n    Amount__c: {type: currency}\nAccount:\n  fields:\n    Tier__c: {type: picklist, values: [A, B]}\n";
    std::fs::write(&file, schema).unwrap();
    let rows = "Invoice__c=2,Asset_Action_000__c=2,AssetAction=2,Account=1";
    let mut child = serve(&[
        "--schema",
        file.to_str().unwrap(),
        "--objects",
        "standard=5,custom=2x40",
        "--without",
        "quotes,chat",
        "--rows",
        rows,
    ]);
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    let errors = child.wait_with_output().unwrap().stderr;
    assert!(line.starts_with("{\"url\""), "{}", String::from_utf8_lossy(&errors));
}

#[test]
fn what_it_does_not_do() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = folder.path().join("foreign.sqlite").to_str().unwrap().to_owned();
    rusqlite::Connection::open(&foreign).unwrap().execute("CREATE TABLE theirs(x)", []).unwrap();
    let before = std::fs::read(&foreign).unwrap();
    let theirs = folder.path().join("theirs.sqlite").to_str().unwrap().to_owned();
    let mut other = serve(&["--data", &theirs]);
    BufReader::new(other.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    for (arguments, reason) in [
        (&["--listen", "0.0.0.0:0"][..], "is not a loopback address"),
        (&["--login-listen", "0.0.0.0:0"], "is not a loopback address"),
        (&["--rows", "Nothing=3"], "no object 'Nothing'"),
        (&["--rows", "Account"], "expected OBJECT=COUNT"),
        (&["--rows", "Quote=1", "--without", "quotes"], "no object 'Quote'"),
        (&["--without", "gravity"], "unknown variant `gravity`"),
        (&["--objects", "custom=12"], "expected standard=1000 or custom=300x150"),
        (&["--objects", "custom=9000x1"], "at most 3000 objects of a kind"),
        (&["--schema", "/nowhere/schema.yaml"], "reading the schema from /nowhere/schema.yaml"),
        (&["--schema", "Cargo.toml"], "the schema in Cargo.toml"),
        (&["--data", "/nowhere/at/all/org.sqlite"], "opening the org's database"),
        (&["--data", "Cargo.toml"], "file is not a database"),
        (&["--data", &foreign], "the file is the database of another program"),
        (&["--data", &theirs], "another process has the file open"),
        (&["--listen", &taken], "listening on 127.0.0.1"),
        (&["--login-listen", &taken], "listening on 127.0.0.1"),
    ] {
        let output = serve(arguments).wait_with_output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(errors.contains(reason), "{arguments:?}: {errors}");
        // What is wrong with the arguments themselves takes some lines more, to say where help is.
        match output.status.code() {
            Some(1) => assert!(errors.starts_with("error: ") && errors.lines().count() == 1, "{arguments:?}: {errors}"),
            code => assert_eq!(code, Some(2), "{arguments:?}: {errors}"),
        }
    }
    assert_eq!(std::fs::read(&foreign).unwrap(), before, "it is left as it was");
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn help_teaches() {
    let output = Command::new(BINARY).args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for word in [
        "--rows",
        "--schema",
        "--objects",
        "--without",
        "--data",
        "--allow-remote",
        "client_secret",
        "/services/oauth2/token",
        "/__emulator/workload",
    ] {
        assert!(help.contains(word), "{word} is missing from\n{help}");
    }
}

#[test]
fn the_first_help_names_the_way_on() {
    for (arguments, words) in [
        (&["--help"][..], &["serve --rows Account=10000", "Exit codes: 0", "serve --help"][..]),
        (&["completions", "bash"], &["complete -F"]),
        (&["completions", "fish"], &["complete -c salesforce-emulator"]),
    ] {
        let output = Command::new(BINARY).args(arguments).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && words.iter().all(|word| said.contains(word)), "{arguments:?}: {said}");
    }
}

/// A million rows take a while; nobody who thinks better of it waits for them.
#[test]
#[cfg(target_os = "linux")]
fn it_can_be_ended_before_it_is_ready() {
    let mut child = serve(&["--rows", "Account=1_000_000"]);
    let id = child.id().to_string();
    while !catches_sigterm(&id) {
        std::thread::yield_now();
    }
    assert!(Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success());
    assert!(child.wait().unwrap().success());
    let mut line = String::new();
    child.stdout.take().unwrap().read_to_string(&mut line).unwrap();
    assert_eq!(line, "", "it was never ready");
}

/// Has the process a handler for SIGTERM, the fifteenth?
#[cfg(target_os = "linux")]
fn catches_sigterm(id: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t")).unwrap();
    u64::from_str_radix(caught, 16).unwrap() & 1 << 14 != 0
}
