//! A server written by others, in a process of its own.

use std::{path::PathBuf, process::Stdio};

use salesforce_client::{Credentials, Org, Settings};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::modules;

/// What the server is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Library {
    /// `cometd-nodejs-server`.
    Cometd,
    /// `faye`.
    Faye,
}

impl Library {
    fn script(self) -> PathBuf {
        modules::here().join(match self {
            Library::Cometd => "cometd.js",
            Library::Faye => "faye.js",
        })
    }
}

/// The server. It ends when this is dropped.
pub(crate) struct Server {
    url: String,
    commands: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    /// Every message of the protocol received so far, as it came.
    pub(crate) received: Vec<Value>,
    /// How many connects were held and are held no longer.
    released: usize,
    _process: Child,
}

impl Server {
    /// A server on a free port.
    pub(crate) async fn start(library: Library) -> Server {
        Server::with_settings(library, json!({})).await
    }

    /// A server that holds a connect for so many milliseconds.
    pub(crate) async fn with_timeout(library: Library, timeout: u32) -> Server {
        Server::with_settings(library, json!({ "timeout": timeout })).await
    }

    async fn with_settings(library: Library, settings: Value) -> Server {
        let mut process = Command::new("node")
            .arg(library.script())
            .arg(settings.to_string())
            .env("NODE_PATH", modules::installed().expect("the libraries"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node starts");
        let mut server = Server {
            url: String::new(),
            commands: process.stdin.take().expect("a pipe"),
            lines: BufReader::new(process.stdout.take().expect("a pipe")).lines(),
            received: Vec::new(),
            released: 0,
            _process: process,
        };
        server.url = server.line().await["url"].as_str().expect("a URL").to_owned();
        server
    }

    /// An org whose every URL is this server's.
    pub(crate) fn org(&self) -> Org {
        let credentials = Credentials::RefreshToken {
            client_id: "app".to_owned(),
            client_secret: "app secret".to_owned().into(),
            refresh_token: "refresh".to_owned().into(),
        };
        Org::new(Settings::new(self.url.parse().expect("a login URL"), credentials)).expect("an org")
    }

    /// Makes events as those of a PushTopic. Answers how many connects were held at that moment.
    pub(crate) async fn publish(&mut self, events: &[(&str, i64)]) -> u64 {
        let events: Value = events.iter().map(|(channel, id)| json!({"channel": channel, "data": data(*id)})).collect();
        self.command(json!({"do": "publish", "events": events})).await
    }

    /// Drops all sessions without a word.
    pub(crate) async fn forget(&mut self) {
        self.command(json!({"do": "forget"})).await;
    }

    /// Ends all sessions with a word.
    pub(crate) async fn dismiss(&mut self) {
        self.command(json!({"do": "dismiss"})).await;
    }

    /// Refuses subscriptions to a channel from now on, or all handshakes.
    pub(crate) async fn refuse(&mut self, channel: &str) {
        self.command(json!({"do": "refuse", "channel": channel})).await;
    }

    /// Refuses it no longer.
    pub(crate) async fn allow(&mut self, channel: &str) {
        self.command(json!({"do": "allow", "channel": channel})).await;
    }

    /// Breaks the connections on which connects are held.
    pub(crate) async fn cut(&mut self) {
        self.command(json!({"do": "cut"})).await;
    }

    /// Forgets everything and starts anew on the same port.
    pub(crate) async fn restart(&mut self) {
        self.command(json!({"do": "restart"})).await;
    }

    /// Waits until a message has come that is like this, and answers it.
    pub(crate) async fn until_received(&mut self, like: impl Fn(&Value) -> bool) -> Value {
        loop {
            if let Some(message) = self.received.iter().find(|message| like(message)) {
                return message.clone();
            }
            self.line().await;
        }
    }

    /// Waits until so many connects have been held and are held no longer.
    pub(crate) async fn until_released(&mut self, connects: usize) {
        while self.released < connects {
            self.line().await;
        }
    }

    /// The messages received on a channel of the protocol.
    pub(crate) fn received_on<'a>(&'a self, meta: &'a str) -> impl Iterator<Item = &'a Value> {
        self.received.iter().filter(move |message| message["channel"] == meta)
    }

    async fn command(&mut self, command: Value) -> u64 {
        self.commands.write_all(format!("{command}\n").as_bytes()).await.expect("the server listens");
        loop {
            let line = self.line().await;
            if line["done"] == command["do"] {
                return line["held"].as_u64().expect("a number");
            }
        }
    }

    async fn line(&mut self) -> Value {
        let line = self.lines.next_line().await.expect("text").expect("the server goes on");
        let line: Value = serde_json::from_str(&line).expect("JSON");
        if let Some(message) = line.get("received") {
            self.received.push(message.clone());
        }
        if line.get("released").is_some() {
            self.released += 1;
        }
        line
    }
}

fn data(id: i64) -> Value {
    json!({
        "event": {"createdDate": "2024-01-02T03:04:05.678Z", "replayId": id, "type": "created"},
        "sobject": {"Id": "001D000000IRFmaIAH", "Name": "Grüße\u{2028}\"", "Amount": null},
    })
}
