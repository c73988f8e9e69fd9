//! What a subscriber costs who does not keep up: the same, however much is announced.

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::fake::TOKEN;
use super::http::{A, Client, connect, served};
use crate::cometd::Settings;

const EVENTS: i64 = 100_000;

/// An event of a kilobyte; the padding is shared, as the log shares an event among its readers.
fn event(replay_id: i64) -> Bytes {
    let mut event = format!(r#"{{"event":{{"replayId":{replay_id}}},"sobject":{{"Name":""#);
    event.push_str(&"x".repeat(1_024 - event.len() - 3));
    event.push_str(r#""}}"#);
    event.into()
}

/// The ids of a reply's events; parsing a hundred megabytes would take longer than all the rest.
fn replay_ids(body: &str) -> impl Iterator<Item = i64> {
    let digits = |rest: &str| rest.split('}').next().and_then(|digits| digits.parse().ok());
    body.split(r#""replayId":"#).skip(1).filter_map(digits)
}

#[tokio::test]
async fn subscribers_who_stall_cost_what_they_cost_before() {
    let settings = Settings { max_reply_bytes: 256 << 10, ..Settings::default() };
    let bound = settings.max_reply_bytes;
    let served = served(settings).await;
    let (silent, deaf) = (Client::new(&served), Client::new(&served));
    // One subscribes and never comes again.
    let client = silent.connected().await;
    silent.subscribe(&client, -1).await;
    // Another asks and does not read the answer.
    let client = deaf.connected().await;
    deaf.subscribe(&client, -1).await;
    let before = served.control.memory();
    assert_eq!(before.outgoing, 0);
    let mut line = TcpStream::connect(served.url.trim_start_matches("http://")).await.unwrap();
    let body = format!("[{}]", connect(&client));
    let cookies = deaf.cookies();
    let request = format!(
        "POST /cometd/62.0 HTTP/1.1\r\nhost: x\r\nauthorization: OAuth {TOKEN}\r\ncookie: {cookies}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    line.write_all(format!("{request}{body}").as_bytes()).await.unwrap();
    for replay_id in 1..=EVENTS {
        served.bus.announce(A, replay_id, event(replay_id));
        if replay_id % 100 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let after = served.control.memory();
    assert_eq!(after.sessions, before.sessions, "queues are positions");
    assert!(after.outgoing <= bound + 4_096, "{} bytes of a reply nobody reads", after.outgoing);

    // Whoever does read is served in replies of that size, and they are let go.
    let reader = Client::new(&served);
    let client = reader.connected().await;
    let mut replies = vec![reader.subscribe(&client, -2).await];
    while replay_ids(&replies[replies.len() - 1]).last() != Some(EVENTS) {
        replies.push(reader.say(connect(&client)).await);
    }
    let largest = replies.iter().map(String::len).max().unwrap();
    // Each event is wrapped in some fifty bytes more.
    assert!(largest < bound + bound / 10, "{largest} bytes in a reply");
    assert!(replies.iter().flat_map(|reply| replay_ids(reply)).eq(1..=EVENTS));
    drop(line);
    while served.control.memory().outgoing > 0 {
        tokio::task::yield_now().await;
    }
}
