//! The end of a session that is asked to end: what it has counted is kept, and nobody needs to be there to take it.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _},
    process::Command,
    task::block_in_place,
    time::timeout,
};

use super::{
    org::Org,
    program::{self, PATIENCE},
    task::Task,
};

/// Its object and its topics are looked at again and again, which is nothing to commit.
async fn watchful(org: &Org) -> Task {
    let mut config = org.config();
    config["advanced"]["inspection_interval"] = json!("PT1S");
    Task::prepare_bindings(config, &[json!({ "stream": "Custom__c", "mode": "poll", "interval": "PT1H" })]).await
}

/// Calls that the org charges for: neither long polls nor sign-ins.
fn charged(org: &Org) -> u64 {
    let calls = org.emulator().org().calls().into_iter();
    calls.filter(|(kind, _)| !["token", "cometd"].contains(kind)).map(|(_, calls)| calls).sum()
}

/// Waits until the org was asked for more, twice.
async fn is_asked_twice(org: &Org) {
    let begun = charged(org);
    org.replied_until(|_| charged(org) >= begun + 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_counted_since_the_last_commit_is_kept() {
    let org = Org::start(&[("Custom__c", 5)]).await;
    let mut task = watchful(&org).await;
    let before = charged(&org);
    let mut running = task.open().await;
    running.until_live().await;
    is_asked_twice(&org).await;
    running.end().await;
    let made = charged(&org) - before;
    let counted = task.capture.state()["calls"].as_object().expect("calls by hour").values();
    let counted: u64 = counted.filter_map(Value::as_u64).sum();
    // One may have been under way when it was asked to end.
    assert!((made..=made + 1).contains(&counted), "{counted} calls are counted, {made} were made");
    org.shutdown().await;
}

/// Who has closed stdin may be gone, or leave the output unread.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_whether_its_output_is_read_or_not() {
    use std::os::fd::AsRawFd as _;

    let org = Org::start(&[("Custom__c", 5)]).await;
    let task = watchful(&org).await;
    for is_gone in [true, false] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let held = writer.try_clone().expect("its other end");
        let mut command = Command::new(program::path());
        command.stdin(Stdio::piped()).stdout(writer).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().expect("the connector starts");
        drop(command);
        let mut stdin = child.stdin.take().expect("stdin is piped");
        let open = format!("{}\n", task.capture.open_request());
        stdin.write_all(open.as_bytes()).await.expect("the connector listens");
        let mut reader = BufReader::new(reader);
        let mut line = String::new();
        while !(line.starts_with(r#"{"checkpoint""#) && line.contains(r#""live":"#)) {
            line.clear();
            block_in_place(|| reader.read_line(&mut line)).expect("a line");
            assert!(!line.is_empty(), "it ends before it is live");
        }
        is_asked_twice(&org).await;
        match is_gone {
            true => drop((reader.into_inner(), held)),
            false => fill(&format!("/proc/self/fd/{}", held.as_raw_fd())).await,
        }
        drop(stdin);
        let end = timeout(PATIENCE, child.wait()).await.expect("it does not hang").expect("its end");
        assert_eq!(end.code(), Some(0), "the reader is gone: {is_gone}");
    }
    org.shutdown().await;
}

/// The reader stops in the midst of a commit that is larger than the pipe, then the runtime asks for the end: nobody waits for the reader.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_nobody_reads_holds_nobody() {
    let org = Org::start(&[("Account", 500)]).await;
    let task = Task::prepare(&org, &["Account"]).await;
    let mut command = Command::new(program::path());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().expect("the connector starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let open = format!("{}\n", task.capture.open_request());
    stdin.write_all(open.as_bytes()).await.expect("the connector listens");
    let mut lines = tokio::io::BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
    let mut line = String::new();
    while !line.starts_with(r#"{"captured""#) {
        let next = timeout(PATIENCE, lines.next_line()).await.expect("a line in time").expect("pipes work");
        line = next.expect("it runs");
    }
    drop(stdin);
    let end = timeout(PATIENCE, child.wait()).await.expect("it does not hang").expect("its end");
    assert_eq!(end.code(), Some(0));
    drop(lines);
    org.shutdown().await;
}

/// Fills a pipe to the last byte.
#[cfg(target_os = "linux")]
async fn fill(pipe: &str) {
    let sender = tokio::net::unix::pipe::OpenOptions::new().open_sender(pipe).expect("the pipe can be opened anew");
    sender.writable().await.expect("it is empty");
    while sender.try_write(b" ").is_ok() {}
}
