//! The stream against a server in this process.

mod double;

use axum::Router;
use double::Double;
use salesforce_streaming::{Channel, Error, Event, FailureKind, Options, ReplayFrom, ReplayId, Stream};

const X: &str = "/topic/X";

fn channel() -> Channel {
    X.parse().expect("a channel")
}

fn open(double: &Double, from: ReplayFrom, options: Options) -> Stream {
    Stream::open(double.org(), options, vec![(channel(), from)])
}

fn id(id: i64) -> ReplayId {
    ReplayId::new(id).expect("an id")
}

/// The next event, in a word.
async fn next(stream: &mut Stream) -> String {
    match stream.next().await.expect("an event") {
        Event::Subscribed { channel, from, .. } => format!("subscribed {channel} {from}"),
        Event::Delivered(delivery) => {
            let ids = delivery.notifications().iter().map(|event| event.replay_id.to_string());
            format!("delivered {}", ids.collect::<Vec<_>>().join(" "))
        }
        Event::Alive { .. } => "alive".to_owned(),
        Event::Gap { channel, why } => format!("gap on {channel}: {why}"),
        Event::Refused { channel, failure } => format!("refused {channel}: {failure}"),
        Event::Lost { why } => format!("lost: {}", why.split(';').next().unwrap_or_default()),
        Event::Connected => "connected".to_owned(),
    }
}

#[tokio::test]
async fn events_arrive_and_a_close_says_farewell() {
    let double = Double::start(Router::new()).await;
    let mut stream = open(&double, ReplayFrom::Tip, Options::default());
    assert_eq!(next(&mut stream).await, "subscribed /topic/X from the tip");
    assert_eq!(next(&mut stream).await, "connected");
    double.publish(X, 4);
    assert_eq!(next(&mut stream).await, "delivered 4");
    double.publish("/topic/Other", 5);
    double.publish(X, 6);
    assert_eq!(next(&mut stream).await, "delivered 6");
    stream.close().await;

    let mut log = double.log();
    log.dedup();
    let expect = ["token", "/meta/handshake", "/meta/connect", "/meta/subscribe /topic/X -1", "/meta/connect"];
    assert_eq!(log, expect.into_iter().chain(["/meta/disconnect"]).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_revoked_token_is_renewed_and_reading_goes_on_from_what_was_written() {
    let double = Double::start(Router::new()).await;
    let mut stream = open(&double, ReplayFrom::Earliest, Options::default());
    assert_eq!(next(&mut stream).await, "subscribed /topic/X from the earliest event kept");
    assert_eq!(next(&mut stream).await, "connected");
    double.publish(X, 4);
    assert_eq!(next(&mut stream).await, "delivered 4");
    stream.written(&channel(), id(4));
    double.revoke();
    assert_eq!(next(&mut stream).await, "lost: the connect is refused: 401::Authentication invalid");
    double.publish(X, 9);
    assert_eq!(next(&mut stream).await, "subscribed /topic/X after event 4");
    let mut rest = [next(&mut stream).await, next(&mut stream).await];
    rest.sort();
    assert_eq!(rest, ["connected", "delivered 9"]);
    let tokens = double.log().iter().filter(|line| *line == "token").count();
    assert_eq!(tokens, 2);
}

#[tokio::test]
async fn a_reply_that_breaks_off_is_read_again() {
    let double = Double::start(Router::new()).await;
    let mut stream = open(&double, ReplayFrom::Earliest, Options::default());
    let _ = [next(&mut stream).await, next(&mut stream).await];
    double.break_next();
    double.publish(X, 4);
    assert!(next(&mut stream).await.starts_with("lost: "));
    assert_eq!(next(&mut stream).await, "subscribed /topic/X from the earliest event kept");
    let mut rest = [next(&mut stream).await, next(&mut stream).await];
    rest.sort();
    assert_eq!(rest, ["connected", "delivered 4"]);
}

#[tokio::test]
async fn a_full_queue_asks_for_no_more() {
    let double = Double::start(Router::new()).await;
    let mut stream = open(&double, ReplayFrom::Earliest, Options { queue_bytes: 1, ..Options::default() });
    let _ = [next(&mut stream).await, next(&mut stream).await];
    for id in 1..=3 {
        double.publish(X, id);
    }
    let mut delivered = Vec::new();
    while delivered.len() < 3 {
        let event = next(&mut stream).await;
        delivered.extend(event.strip_prefix("delivered ").expect("a delivery").split(' ').map(str::to_owned));
        // The reply that was parked before the queue was full may come on top, and no other.
        let connects = double.log().iter().filter(|line| *line == "/meta/connect").count();
        assert!(connects <= delivered.len() + 3, "{:?}", double.log());
    }
    assert_eq!(delivered, ["1", "2", "3"]);
}

#[tokio::test]
async fn a_subscription_can_be_added_and_repeated() {
    let double = Double::start(Router::new()).await;
    let mut stream = open(&double, ReplayFrom::Tip, Options::default());
    let _ = [next(&mut stream).await, next(&mut stream).await];
    let other: Channel = "/topic/Other".parse().expect("a channel");
    stream.resubscribe(other, ReplayFrom::Tip);
    assert_eq!(next(&mut stream).await, "subscribed /topic/Other from the tip");
    stream.resubscribe(channel(), ReplayFrom::After(id(3)));
    assert_eq!(next(&mut stream).await, "subscribed /topic/X after event 3");
}

#[tokio::test]
async fn what_cannot_be_overcome_ends_the_stream() {
    let double = Double::start(Router::new()).await;
    double.refuse("403::User not enabled for streaming");
    let mut stream = open(&double, ReplayFrom::Tip, Options::default());
    match stream.next().await {
        Err(Error::Session(failure)) => assert_eq!(failure.kind, FailureKind::NotEnabled),
        other => panic!("{other:?}"),
    }
    assert!(matches!(stream.next().await, Err(Error::Ended)));
    stream.close().await;
}
