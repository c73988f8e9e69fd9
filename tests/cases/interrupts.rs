//! Being asked to end at a bad moment: when the org does not answer, and when nobody reads what is printed.

use std::process::Stdio;

use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpListener,
    process::{Child, Command},
    time::timeout,
};

use super::{
    org::Org,
    program::{self, PATIENCE},
};

/// A pull that runs, and the folder with its config.
fn pull(config: &serde_json::Value) -> (Child, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.json");
    std::fs::write(&file, config.to_string()).expect("the folder can be written");
    let mut command = Command::new(program::path());
    command.args(["pull", "--stream", "Account", "--config"]).arg(file);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    (command.spawn().expect("the program starts"), folder)
}

async fn send(signal: &str, child: &Child) {
    let id = child.id().expect("it runs").to_string();
    let sent = Command::new("kill").args(["-s", signal, &id]).status().await.expect("kill(1) runs");
    assert!(sent.success());
}

async fn exit_code(mut child: Child) -> Option<i32> {
    timeout(PATIENCE, child.wait()).await.expect("it ends").expect("it can be awaited").code()
}

/// The login host takes the connection and never answers, as a broken proxy does: nobody waits for the minutes of all tries.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_login_host_holds_nobody() {
    for signal in ["INT", "TERM"] {
        let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", silent.local_addr().expect("an address"));
        let credentials = json!({ "client_id": "a", "client_secret": "b", "refresh_token": "c" });
        let (child, _folder) = pull(&json!({ "credentials": credentials, "advanced": { "login_url": url } }));
        let _held = timeout(PATIENCE, silent.accept()).await.expect("it signs in").expect("a connection");
        send(signal, &child).await;
        assert_eq!(exit_code(child).await, Some(0), "{signal}");
    }
}

/// A pager shows the first lines and reads no more: what is printed then waits, and a pull that is asked a second time ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_reads_no_more_holds_nobody() {
    let org = Org::start(&[("Account", 500)]).await;
    let (mut child, _folder) = pull(&org.config());
    let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
    // All rows are one group, which is many times what a pipe holds.
    timeout(PATIENCE, lines.next_line()).await.expect("a line in time").expect("pipes work").expect("a document");
    // Two of a kind may arrive as one.
    send("INT", &child).await;
    send("TERM", &child).await;
    let code = exit_code(child).await;
    assert!(matches!(code, Some(130 | 143)), "{code:?}");
    org.shutdown().await;
}
