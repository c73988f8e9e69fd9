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
fn what_it_does_not_do() {
    for (arguments, reason) in [
        (&["--listen", "0.0.0.0:0"][..], "is not a loopback address"),
        (&["--login-listen", "0.0.0.0:0"], "is not a loopback address"),
        (&["--rows", "Nothing=3"], "no object 'Nothing'"),
        (&["--rows", "Account"], "expected OBJECT=COUNT"),
        (&["--data", "/nowhere/at/all/org.sqlite"], "opening the org's database"),
    ] {
        let output = serve(arguments).wait_with_output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}");
        assert!(errors.contains(reason), "{arguments:?}: {errors}");
    }
}

#[test]
fn help_teaches() {
    let output = Command::new(BINARY).args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for word in
        ["--rows", "--data", "--allow-remote", "client_secret", "/services/oauth2/token", "/__emulator/workload"]
    {
        assert!(help.contains(word), "{word} is missing from\n{help}");
    }
}
