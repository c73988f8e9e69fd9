//! The stream against servers of the protocol that others have written: `cometd-nodejs-server`, by the authors of
//! CometD, and `faye`. Neither knows the replay extension: what is asked of it is read from what they received.

mod modules;
mod server;

use std::time::Duration;

use salesforce_streaming::{Channel, Delivery, Event, Kind, Options, ReplayFrom, ReplayId, Stream};
use serde_json::{Value, json};
use server::{Library, Server};

const X: &str = "/topic/X";
const Y: &str = "/topic/Y";
const Z: &str = "/topic/Z";

/// Makes each scenario a test against either server, named after it.
macro_rules! against_both {
    ($($scenario:ident),* $(,)?) => {
        mod cometd {
            $(#[tokio::test] async fn $scenario() { super::within_reason(super::$scenario(super::Library::Cometd)).await; })*
        }
        mod faye {
            $(#[tokio::test] async fn $scenario() { super::within_reason(super::$scenario(super::Library::Faye)).await; })*
        }
    };
}

against_both![
    events_arrive_in_order_and_a_close_says_farewell,
    events_made_while_no_connect_is_held_come_in_one_reply,
    a_connect_that_runs_out_is_followed_by_another,
    a_hundred_channels_are_subscribed_bit_by_bit,
    a_channel_can_be_added_while_a_connect_is_held,
    a_forgotten_session_is_followed_by_one_that_reads_on,
    a_refused_subscription_is_told_and_can_be_repeated,
    a_refused_handshake_is_told,
    a_server_that_restarts_is_found_again,
    a_connection_that_breaks_costs_no_more_than_the_session,
];

async fn events_arrive_in_order_and_a_close_says_farewell(library: Library) {
    let mut server = Server::start(library).await;
    let mut stream = open(&server, &[(X, ReplayFrom::Tip), (Y, ReplayFrom::Earliest), (Z, after(7))]);
    assert_eq!(next(&mut stream).await, "subscribed /topic/X from the tip");
    assert_eq!(next(&mut stream).await, "subscribed /topic/Y from the earliest event kept");
    assert_eq!(next(&mut stream).await, "subscribed /topic/Z after event 7");
    assert_eq!(next(&mut stream).await, "connected");
    server.until_received(holdable).await;

    server.publish(&[(X, 1), (Y, 1), (X, 2), (Z, 8), (X, 5_000_000_000)]).await;
    assert_eq!(
        deliveries(&mut stream, 5).await.concat(),
        ["/topic/X 1", "/topic/Y 1", "/topic/X 2", "/topic/Z 8", "/topic/X 5000000000"]
    );
    server.publish(&[("/topic/Other", 1), (X, 5_000_000_001)]).await;
    let delivery = next_delivery(&mut stream).await;
    let [event] = delivery.notifications() else { panic!("{delivery:?}") };
    assert_eq!((event.kind, event.created.as_millisecond()), (Kind::Created, 1_704_164_645_678));
    let name: String = serde_json::from_str(event.record.get("Name").expect("a name").get()).expect("a string");
    assert_eq!(name, "Grüße\u{2028}\"");
    stream.close().await;

    let farewell = server.until_received(|message| message["channel"] == "/meta/disconnect").await;
    let handshakes: Vec<_> = server.received_on("/meta/handshake").collect();
    assert_eq!((handshakes.len(), &handshakes[0]["ext"]), (1, &json!({"replay": true})));
    let mut clients: Vec<_> = server.received[1..].iter().map(|message| message["clientId"].to_string()).collect();
    clients.dedup();
    assert_eq!(clients, [farewell["clientId"].to_string()]);
    let mut ids: Vec<_> = server.received.iter().map(|message| message["id"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), server.received.len(), "each message has its own id");
}

async fn events_made_while_no_connect_is_held_come_in_one_reply(library: Library) {
    let mut server = Server::start(library).await;
    let options = Options { queue_bytes: 1, ..Options::default() };
    let mut stream = Stream::open(server.org(), options, subscriptions(&[(X, ReplayFrom::Tip)]));
    assert_eq!(next(&mut stream).await, "subscribed /topic/X from the tip");
    assert_eq!(next(&mut stream).await, "connected");
    server.until_received(holdable).await;
    assert_eq!(server.publish(&[(X, 1)]).await, 1, "a connect is held");
    // The first connect was answered at once, the second by the event. While that is not taken, no third is sent.
    server.until_released(2).await;
    assert_eq!(server.publish(&[(X, 2), (X, 3), (X, 4)]).await, 0, "no connect is held");
    let together = [vec!["/topic/X 1"], vec!["/topic/X 2", "/topic/X 3", "/topic/X 4"]];
    assert_eq!(deliveries(&mut stream, 4).await, together);
}

async fn a_connect_that_runs_out_is_followed_by_another(library: Library) {
    // Faye forgets a client that does not connect again within its timeout, which must not be too short for that.
    let timeout = if library == Library::Faye { 3_000 } else { 100 };
    let mut server = Server::with_timeout(library, timeout).await;
    let mut stream = open(&server, &[(X, ReplayFrom::Tip)]);
    assert_eq!(next(&mut stream).await, "subscribed /topic/X from the tip");
    assert_eq!(next(&mut stream).await, "connected");
    assert!(matches!(stream.next().await, Ok(Event::Alive { .. })));
    server.publish(&[(X, 1)]).await;
    assert_eq!(next(&mut stream).await, "delivered /topic/X 1");
    assert_eq!(server.received_on("/meta/handshake").count(), 1);
}

async fn a_hundred_channels_are_subscribed_bit_by_bit(library: Library) {
    let mut server = Server::start(library).await;
    let names: Vec<String> = (0..100).map(|n| format!("/topic/T{n}")).collect();
    let wanted: Vec<_> = names.iter().map(|name| (name.as_str(), ReplayFrom::Tip)).collect();
    let mut stream = open(&server, &wanted);
    for name in &names {
        assert_eq!(next(&mut stream).await, format!("subscribed {name} from the tip"));
    }
    assert_eq!(next(&mut stream).await, "connected");
    let events: Vec<_> = names.iter().map(|name| (name.as_str(), 1)).collect();
    server.publish(&events).await;
    let expect: Vec<_> = names.iter().map(|name| format!("{name} 1")).collect();
    assert_eq!(deliveries(&mut stream, 100).await.concat(), expect);
}

async fn a_channel_can_be_added_while_a_connect_is_held(library: Library) {
    let mut server = Server::start(library).await;
    let mut stream = open(&server, &[(X, ReplayFrom::Tip)]);
    assert_eq!(next(&mut stream).await, "subscribed /topic/X from the tip");
    assert_eq!(next(&mut stream).await, "connected");
    server.until_received(holdable).await;
    stream.resubscribe(channel(Y), after(3));
    assert_eq!(next(&mut stream).await, "subscribed /topic/Y after event 3");
    server.publish(&[(Y, 4), (X, 1)]).await;
    assert_eq!(deliveries(&mut stream, 2).await.concat(), ["/topic/Y 4", "/topic/X 1"]);
}

async fn a_forgotten_session_is_followed_by_one_that_reads_on(library: Library) {
    let mut server = Server::start(library).await;
    let mut stream = open(&server, &[(X, ReplayFrom::Tip), (Y, after(3)), (Z, ReplayFrom::Tip)]);
    for _ in 0..4 {
        next(&mut stream).await;
    }
    server.until_received(holdable).await;
    server.publish(&[(X, 1), (X, 2), (Y, 4)]).await;
    deliveries(&mut stream, 3).await;
    stream.written(&channel(X), id(1));
    server.forget().await;
    let lost = next(&mut stream).await;
    assert!(lost.starts_with("lost: the connect is refused: 40") && lost.to_lowercase().contains("unknown"), "{lost}");
    assert_eq!(next(&mut stream).await, "subscribed /topic/X after event 1");
    assert_eq!(next(&mut stream).await, "subscribed /topic/Y after event 3");
    assert_eq!(next(&mut stream).await, "subscribed /topic/Z from the earliest event kept");
    assert_eq!(next(&mut stream).await, "connected");
    server.publish(&[(Z, 5)]).await;
    assert_eq!(next(&mut stream).await, "delivered /topic/Z 5");

    let asked: Vec<_> = server.received_on("/meta/subscribe").map(|message| message["ext"]["replay"].clone()).collect();
    let expect = [json!({X: -1}), json!({Y: 3}), json!({Z: -1}), json!({X: 1}), json!({Y: 3}), json!({Z: -2})];
    assert_eq!(asked, expect);
}

async fn a_refused_subscription_is_told_and_can_be_repeated(library: Library) {
    let mut server = Server::start(library).await;
    server.refuse(Y).await;
    let mut stream = open(&server, &[(X, ReplayFrom::Tip), (Y, ReplayFrom::Tip), (Z, ReplayFrom::Tip)]);
    assert_eq!(next(&mut stream).await, "subscribed /topic/X from the tip");
    let refused = next(&mut stream).await;
    assert!(refused.starts_with("refused /topic/Y for good: 403:"), "{refused}");
    assert_eq!(next(&mut stream).await, "subscribed /topic/Z from the tip");
    assert_eq!(next(&mut stream).await, "connected");
    server.allow(Y).await;
    stream.resubscribe(channel(Y), ReplayFrom::Earliest);
    assert_eq!(next(&mut stream).await, "subscribed /topic/Y from the earliest event kept");
    server.publish(&[(Z, 1), (Y, 1)]).await;
    assert_eq!(deliveries(&mut stream, 2).await.concat(), ["/topic/Z 1", "/topic/Y 1"]);
}

async fn a_refused_handshake_is_told(library: Library) {
    let mut server = Server::start(library).await;
    server.refuse("/meta/handshake").await;
    let mut stream = open(&server, &[(X, ReplayFrom::Tip)]);
    let lost = next(&mut stream).await;
    assert!(lost.starts_with("lost: the handshake is refused: 403:"), "{lost}");
    stream.close().await;
    server.allow("/meta/handshake").await;
    assert_eq!(server.received_on("/meta/handshake").count(), server.received.len(), "{:?}", server.received);
}

async fn a_server_that_restarts_is_found_again(library: Library) {
    let mut server = Server::start(library).await;
    let mut stream = open(&server, &[(X, ReplayFrom::Tip), (Y, ReplayFrom::Earliest)]);
    for _ in 0..3 {
        next(&mut stream).await;
    }
    server.until_received(holdable).await;
    server.publish(&[(X, 4)]).await;
    assert_eq!(next(&mut stream).await, "delivered /topic/X 4");
    stream.written(&channel(X), id(4));
    server.restart().await;
    assert_eq!(next_after_losses(&mut stream).await, "subscribed /topic/X after event 4");
    assert_eq!(next(&mut stream).await, "subscribed /topic/Y from the earliest event kept");
    assert_eq!(next(&mut stream).await, "connected");
    server.publish(&[(Y, 1), (X, 5)]).await;
    assert_eq!(deliveries(&mut stream, 2).await.concat(), ["/topic/Y 1", "/topic/X 5"]);
}

async fn a_connection_that_breaks_costs_no_more_than_the_session(library: Library) {
    let mut server = Server::start(library).await;
    let mut stream = open(&server, &[(X, after(3))]);
    assert_eq!(next(&mut stream).await, "subscribed /topic/X after event 3");
    assert_eq!(next(&mut stream).await, "connected");
    let first = server.until_received(holdable).await;
    server.cut().await;
    assert!(next(&mut stream).await.starts_with("lost: "));
    assert_eq!(next(&mut stream).await, "subscribed /topic/X after event 3");
    assert_eq!(next(&mut stream).await, "connected");
    // The server still holds the first connect, and must not take the two sessions for one browser's.
    server.until_received(|message| holdable(message) && message["clientId"] != first["clientId"]).await;
    assert_eq!(server.publish(&[(X, 4)]).await, 1, "the new session's connect is held");
    assert_eq!(next(&mut stream).await, "delivered /topic/X 4");
}

#[tokio::test]
async fn a_farewell_of_the_server_is_followed_by_a_new_session() {
    within_reason(async {
        let mut server = Server::start(Library::Cometd).await;
        let mut stream = open(&server, &[(X, after(3))]);
        assert_eq!(next(&mut stream).await, "subscribed /topic/X after event 3");
        assert_eq!(next(&mut stream).await, "connected");
        server.until_received(holdable).await;
        server.dismiss().await;
        assert_eq!(next(&mut stream).await, "lost: Salesforce ended the session");
        assert_eq!(next(&mut stream).await, "subscribed /topic/X after event 3");
    })
    .await;
}

/// Plays a scenario where there is Node, but not for ever: a server in another process may fall silent.
async fn within_reason(scenario: impl Future<Output = ()>) {
    if modules::installed().is_none() {
        return;
    }
    tokio::time::timeout(Duration::from_secs(90), scenario).await.expect("an end");
}

/// Whether a message is a connect that the server may hold.
fn holdable(message: &Value) -> bool {
    message["channel"] == "/meta/connect" && message["advice"].is_null()
}

fn open(server: &Server, wanted: &[(&str, ReplayFrom)]) -> Stream {
    Stream::open(server.org(), Options::default(), subscriptions(wanted))
}

fn subscriptions(wanted: &[(&str, ReplayFrom)]) -> Vec<(Channel, ReplayFrom)> {
    wanted.iter().map(|(name, from)| (channel(name), *from)).collect()
}

fn channel(name: &str) -> Channel {
    name.parse().expect("a channel")
}

fn id(id: i64) -> ReplayId {
    ReplayId::new(id).expect("an id")
}

fn after(event: i64) -> ReplayFrom {
    ReplayFrom::After(id(event))
}

/// The next event but those that only say the server is there.
async fn next_event(stream: &mut Stream) -> Event {
    loop {
        match stream.next().await.expect("an event") {
            Event::Alive { .. } => {}
            event => return event,
        }
    }
}

/// The same, in a word.
async fn next(stream: &mut Stream) -> String {
    match next_event(stream).await {
        Event::Subscribed { channel, from, .. } => format!("subscribed {channel} {from}"),
        Event::Delivered(delivery) => format!("delivered {}", ids(&delivery).join(", ")),
        Event::Alive { .. } => "alive".to_owned(),
        Event::Gap { channel, why } => format!("gap on {channel}: {why}"),
        Event::Refused { channel, failure } => {
            let again = if failure.retry_in.is_some() { "for now" } else { "for good" };
            format!("refused {channel} {again}: {}", failure.text)
        }
        Event::Lost { why } => format!("lost: {}", why.split(';').next().unwrap_or_default()),
        Event::Connected => "connected".to_owned(),
    }
}

async fn next_after_losses(stream: &mut Stream) -> String {
    loop {
        let event = next(stream).await;
        if !event.starts_with("lost: ") {
            return event;
        }
    }
}

async fn next_delivery(stream: &mut Stream) -> Delivery {
    match next_event(stream).await {
        Event::Delivered(delivery) => delivery,
        other => panic!("{other:?}"),
    }
}

/// The next events, so many in all, by reply.
async fn deliveries(stream: &mut Stream, events: usize) -> Vec<Vec<String>> {
    let mut replies: Vec<Vec<String>> = Vec::new();
    while replies.iter().map(Vec::len).sum::<usize>() < events {
        replies.push(ids(&next_delivery(stream).await));
    }
    replies
}

fn ids(delivery: &Delivery) -> Vec<String> {
    delivery.notifications().iter().map(|event| format!("{} {}", event.channel, event.replay_id)).collect()
}
