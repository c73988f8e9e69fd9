//! What a connector's process leaves on stderr. Each case runs in a process of its own: this test binary again, told by an
//! environment variable which part to play.

use std::{
    env, fmt,
    process::{Command, Output},
};

use flow_protocol::log::{self, Format};
use serde_json::Value;

const PART: &str = "FLOW_PROTOCOL_LOG_PART";

/// The part that runs in the child. Does nothing when the tests run as usual.
#[test]
fn part() {
    let Some(part) = env::var_os(PART) else { return };
    let part = part.into_string().unwrap();
    let (level, format, act) = match part.split(' ').collect::<Vec<_>>()[..] {
        [level, "json", act] => (level.to_owned(), Format::Json, act.to_owned()),
        [level, "human", act] => (level.to_owned(), Format::Human, act.to_owned()),
        _ => panic!("no such part: {part}"),
    };
    log::init(&level, format, &["log"]);
    match act.as_str() {
        "events" => events(),
        "panic" => panic!("the value is\nodd"),
        "thread" => {
            let dead = std::thread::spawn(|| panic!("in a thread")).join();
            tracing::error!(dead = dead.is_err(), "never reached");
        }
        "error" => log::final_error(&chain()),
        _ => panic!("no such act: {act}"),
    }
    std::process::exit(0);
}

fn events() {
    tracing::info!(count = 3, rate = 1.5, ready = true, name = "Account", path = ?["a", "b"], "two\nlines \"quoted\"");
    tracing::debug!("a detail");
    tracing::trace!("a trifle");
    tracing::info_span!("binding", stream = "Lead", rows = tracing::field::Empty).in_scope(|| {
        tracing::Span::current().record("rows", 7);
        tracing::warn!(stream = "Contact", error = &chain() as &dyn std::error::Error, "retrying");
    });
    log::connector_status("Backfilling 2 out of 5 bindings");
    tracing::warn!(target: "hyper::proto", "a warning of another crate");
    tracing::info!(target: "hyper::proto", "authorization: Bearer SECRET");
    tracing::trace!(target: "reqwest::connect", "authorization: Bearer SECRET");
    tracing::trace!(target: "rustls::client", "authorization: Bearer SECRET");
    tracing::debug!(target: "h2::codec", "authorization: Bearer SECRET");
}

#[derive(Debug)]
struct Link(&'static str, Option<Box<Link>>);

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Link {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.1.as_deref().map(|link| link as _)
    }
}

fn chain() -> Link {
    let root = Link("connection\nrefused", None);
    let same = Link("sending: connection\nrefused", Some(Box::new(root)));
    Link("signing in", Some(Box::new(same)))
}

fn run(part: &str) -> Output {
    Command::new(env::current_exe().expect("this test binary"))
        .args(["--exact", "part", "--nocapture"])
        .env(PART, part)
        .env("RUST_BACKTRACE", "full")
        .output()
        .expect("a child process")
}

/// Exit code and stderr, with the changing parts made constant.
fn stderr(part: &str) -> String {
    let output = run(part);
    let stderr = String::from_utf8(output.stderr).expect("logs are UTF-8");
    let lines = stderr.lines().map(|line| match serde_json::from_str::<Value>(line) {
        Ok(mut line) => {
            let ts: jiff::Timestamp = line["ts"].as_str().unwrap_or_default().parse().expect("RFC 3339");
            assert!(ts > jiff::Timestamp::UNIX_EPOCH);
            line["ts"] = "TS".into();
            without_place(&line.to_string())
        }
        // The time at the start of a line for people.
        Err(_) => without_place(&format!("TS {}", &line[9..])),
    });
    let lines: Vec<String> = std::iter::once(format!("exit code {:?}", output.status.code())).chain(lines).collect();
    lines.join("\n")
}

/// Line numbers change whenever this file does.
fn without_place(line: &str) -> String {
    let file = concat!(file!(), ":");
    match line.split_once(file) {
        Some((before, after)) => {
            format!("{before}PLACE{}", after.trim_start_matches(|c: char| c == ':' || c.is_ascii_digit()))
        }
        None => line.to_owned(),
    }
}

#[test]
fn events_as_json() {
    insta::assert_snapshot!(stderr("trace json events"));
}

#[test]
fn events_for_people() {
    insta::assert_snapshot!(stderr("debug human events"));
}

#[test]
fn the_level_counts() {
    insta::assert_snapshot!(stderr("warn json events"));
    assert_eq!(stderr("error json events"), "exit code Some(0)");
}

#[test]
fn an_unknown_level_is_said_and_counts_as_info() {
    insta::assert_snapshot!(stderr("loud json events"));
}

#[test]
fn a_panic_is_one_line_and_the_end() {
    insta::assert_snapshot!(stderr("error json panic"));
    insta::assert_snapshot!(stderr("error human panic"));
    insta::assert_snapshot!(stderr("error json thread"));
}

#[test]
fn the_last_error_is_one_line_with_its_sources() {
    insta::assert_snapshot!(stderr("error json error"));
    insta::assert_snapshot!(stderr("error human error"));
}
