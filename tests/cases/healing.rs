//! Sessions, tokens, positions, replies and topics are lost. Each time the capture ends with what the org holds, and the log
//! says what happened.

use std::time::Duration;

use futures::StreamExt as _;
use salesforce_emulator::{
    FaultAction, FaultRule, Settings,
    cometd::{Disguise, Fault, Occasion, Rule},
    org::Id,
};
use serde_json::{Value, json};

use super::{org::Org, side_by_side::side_by_side, task::Task};

/// Wide rows that are fetched, and narrow ones that their events carry.
const STREAMS: [&str; 2] = ["Account", "Custom__c"];

/// Stories told at a time: most of them consist of waiting.
const AT_ONCE: usize = 4;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Something that goes wrong in a session.
struct Trouble {
    what: &'static str,
    when: When,
    make: fn(&Org),
    /// What the log says of it.
    says: &'static [&'static str],
}

#[derive(Clone, Copy, PartialEq)]
enum When {
    /// Before the session is opened: it strikes the start or the history.
    Before,
    /// While the session streams, with changes right behind it.
    Live,
}

const TROUBLES: &[Trouble] = &[
    Trouble {
        what: "the access token expires",
        when: When::Live,
        make: |org| _ = org.emulator().org().expire_sessions(),
        says: &["the streaming session is lost", "401", "a streaming session is established"],
    },
    Trouble {
        what: "the access token expires in the middle of the history",
        when: When::Before,
        make: |org| rest(org, "query", 4, FaultAction::ExpireSession),
        says: &[],
    },
    Trouble {
        what: "the server forgets the client",
        when: When::Live,
        make: |org| org.emulator().streaming().forget_all(),
        says: &["the streaming session is lost", "403::Unknown client", "a streaming session is established"],
    },
    Trouble {
        what: "the server ends the session",
        when: When::Live,
        make: |org| org.emulator().streaming().disconnect_all(),
        says: &["the streaming session is lost", "a streaming session is established"],
    },
    Trouble {
        what: "the edge is down for the first connects",
        when: When::Before,
        make: |org| streaming(org, Rule::new(Fault::Http { status: 503 }), Occasion::Connect),
        says: &["the streaming session is lost", "503"],
    },
    Trouble {
        what: "the server is too busy for subscriptions and says so in disguise",
        when: When::Before,
        make: |org| streaming(org, Rule::new(Fault::Busy { disguise: Disguise::Denied }), Occasion::Subscribe),
        says: &["Salesforce refuses the subscription for now", "too busy"],
    },
    Trouble {
        what: "the server is too busy for a handshake and says so in disguise",
        when: When::Before,
        make: |org| streaming(org, Rule::new(Fault::Busy { disguise: Disguise::Denied }), Occasion::Handshake),
        says: &["the streaming session is lost", "too busy"],
    },
    Trouble {
        what: "the server is too busy for a connect and blames the token",
        when: When::Before,
        make: |org| {
            streaming(org, Rule::new(Fault::Busy { disguise: Disguise::AuthenticationInvalid }), Occasion::Connect);
        },
        says: &["the streaming session is lost", "too busy"],
    },
    Trouble {
        what: "a reply is lost after its events were taken",
        when: When::Live,
        make: |org| streaming(org, Rule::new(Fault::DropReply).times(2), Occasion::Delivery),
        says: &["the streaming session is lost", "a streaming session is established"],
    },
    Trouble {
        what: "a reply breaks off among its events",
        when: When::Live,
        make: |org| streaming(org, Rule::new(Fault::Truncate { bytes: 300 }), Occasion::Delivery),
        says: &["the streaming session is lost", "a streaming session is established"],
    },
    Trouble {
        what: "a reply halts among its events",
        when: When::Live,
        make: |org| streaming(org, Rule::new(Fault::Stall { bytes: 300, millis: 300 }), Occasion::Delivery),
        says: &[],
    },
    Trouble {
        what: "events come twice",
        when: When::Live,
        make: |org| streaming(org, Rule::new(Fault::Duplicate).times(3), Occasion::Delivery),
        says: &[],
    },
    Trouble {
        what: "a position is refused",
        when: When::Live,
        make: |org| {
            org.emulator().streaming().script(Rule::new(Fault::RefuseReplay));
            org.emulator().streaming().forget_all();
        },
        says: &["events may be missing", "a streaming session is established"],
    },
    Trouble {
        what: "a day passes",
        when: When::Live,
        make: |org| org.emulator().org().advance(DAY + DAY / 24).expect("the clock moves"),
        says: &[],
    },
    Trouble {
        what: "the edge is down for a page of history",
        when: When::Before,
        make: |org| rest(org, "query", 3, FaultAction::Html503),
        says: &["querying", "will be repeated", "503"],
    },
    Trouble {
        what: "a page of history is refused for now",
        when: When::Before,
        make: |org| {
            let body = json!([{ "message": "Server Unavailable", "errorCode": "SERVER_UNAVAILABLE" }]);
            rest(org, "query", 3, FaultAction::Reply { status: 503, body: Some(body) });
        },
        says: &["querying", "will be repeated", "SERVER_UNAVAILABLE"],
    },
    Trouble {
        what: "a page of history breaks off",
        when: When::Before,
        make: |org| rest(org, "query", 4, FaultAction::Truncate { bytes: 1_000 }),
        says: &["querying", "will be repeated"],
    },
    Trouble {
        what: "the connection breaks before a page of history",
        when: When::Before,
        make: |org| rest(org, "query", 4, FaultAction::Drop),
        says: &["querying", "will be repeated"],
    },
    Trouble {
        what: "a fetch of changed records is lost on its way back",
        when: When::Live,
        // Records of one object, or of several at once.
        make: |org| {
            let path = Some("/services/data/v62.0/composite".to_owned());
            let action = FaultAction::DropReply;
            org.emulator().add_fault(FaultRule { method: None, path, kind: None, nth: 1, count: Some(1), action });
        },
        says: &["reading records of", "will be repeated"],
    },
    Trouble {
        what: "the sign-in is down",
        when: When::Before,
        make: |org| rest(org, "token", 1, FaultAction::Html503),
        says: &["signing in", "will be repeated", "503"],
    },
];

/// Trouble for the `nth` REST call of a kind.
fn rest(org: &Org, kind: &str, nth: u64, action: FaultAction) {
    let kind = Some(kind.to_owned());
    org.emulator().add_fault(FaultRule { method: None, path: None, kind, nth, count: Some(1), action });
}

fn streaming(org: &Org, rule: Rule, on: Occasion) {
    org.emulator().streaming().script(rule.on(on).expect("it can strike there"));
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_passes_and_leaves_no_trace_but_the_log() {
    let mut ends = side_by_side(TROUBLES, AT_ONCE, survive);
    while let Some((trouble, end)) = ends.next().await {
        end.unwrap_or_else(|_| panic!("{}: no good end", trouble.what));
    }
}

async fn survive(Trouble { what, when, make, says }: &Trouble) {
    let settings = Settings { query_page: 20, ..Settings::default() };
    let org = Org::start_with(1, &STREAMS.map(|stream| (stream, 50)), settings).await;
    let mut task = Task::prepare(&org, &STREAMS).await;
    if *when == When::Before {
        make(&org);
    }
    let mut running = task.open().await;
    running.until_live().await;
    org.change(&STREAMS, 10, 3).await;
    running.agree(&org).await;
    if *when == When::Live {
        make(&org);
    }
    org.change(&STREAMS, 40, 4).await;
    running.agree(&org).await;
    let log = running.end().await.join("\n");
    task.assert_faithful(&org);
    assert_eq!(org.emulator().faults(), [], "{what}: it never happened");
    assert_eq!(org.emulator().streaming().rules(), [], "{what}: it never happened");
    for phrase in *says {
        assert!(log.contains(phrase), "{what}: the log does not say \"{phrase}\":\n{log}");
    }
    org.shutdown().await;
}

/// A task that has captured the org and some changes of it, and does not run now.
async fn a_task_at_rest(org: &Org) -> Task {
    let mut task = Task::prepare(org, &STREAMS).await;
    let mut running = task.open().await;
    running.until_live().await;
    // A position exists only once an event came.
    org.change(&STREAMS, 20, 1).await;
    running.agree(org).await;
    running.end().await;
    task
}

/// Nothing runs for more than a day: Salesforce has forgotten the events after the position. What was created, changed
/// and deleted meanwhile is found all the same.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_long_weekend_everything_is_found() {
    let org = Org::start(&STREAMS.map(|stream| (stream, 40))).await;
    let mut task = a_task_at_rest(&org).await;

    org.emulator().org().advance(DAY / 2).expect("the clock moves");
    let report = org.change(&STREAMS, 120, 2).await;
    assert!(report.deleted >= 5, "{report:?}");
    org.emulator().org().advance(3 * DAY).expect("the clock moves");
    let before = task.capture.documents();
    let log = task.catch_up(&org).await.join("\n");
    task.assert_faithful(&org);
    assert!(log.contains("events may be missing"), "{log}");
    assert!(task.capture.documents() - before < 120, "only what changed is read again");
    org.shutdown().await;
}

fn topic_of(org: &Org, object: &str) -> (Id, Value) {
    let topics = org.truth("PushTopic");
    let ours = topics.values().find(|topic| topic["Query"].as_str().is_some_and(|query| query.ends_with(object)));
    let ours = ours.expect("a topic for the object");
    (Id::parse(ours["Id"].as_str().expect("an id")).expect("an id"), ours.clone())
}

/// Somebody deletes the topic between two sessions. The next makes it anew: its numbering is another one, and what
/// happened meanwhile was announced to nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_deleted_between_sessions_is_made_anew() {
    let org = Org::start(&STREAMS.map(|stream| (stream, 30))).await;
    let mut task = a_task_at_rest(&org).await;

    for stream in STREAMS {
        org.delete("PushTopic", topic_of(&org, stream).0);
    }
    org.change(&STREAMS, 60, 2).await;
    let log = task.catch_up(&org).await.join("\n");
    assert!(log.contains("created PushTopic") && log.contains("was deleted and made anew"), "{log}");
    task.assert_faithful(&org);

    org.change(&STREAMS, 20, 3).await;
    task.catch_up(&org).await;
    task.assert_faithful(&org);
    org.shutdown().await;
}

/// Somebody deletes the topic and makes one of the same name and query, which looks the same and counts anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_replaced_by_its_likeness_is_noticed() {
    let org = Org::start(&STREAMS.map(|stream| (stream, 30))).await;
    let mut task = a_task_at_rest(&org).await;

    for stream in STREAMS {
        let (id, old) = topic_of(&org, stream);
        org.delete("PushTopic", id);
        org.change(&[stream], 20, 2).await;
        let likeness = old.as_object().expect("a record").iter().filter(|(name, value)| {
            ["Name", "Query", "ApiVersion", "Description"].contains(&name.as_str())
                || name.starts_with("Notify") && !value.is_null() && name.as_str() != "NotifyForOperations"
        });
        org.create("PushTopic", likeness.map(|(name, value)| (name.clone(), value.clone())).collect());
        org.change(&[stream], 20, 3).await;
    }
    let log = task.catch_up(&org).await.join("\n");
    assert!(log.contains("was deleted and made anew"), "{log}");
    task.assert_faithful(&org);
    org.shutdown().await;
}

/// Somebody deletes the topic under a running session, which is told so when it subscribes the next time. It makes the topic anew
/// and reads what that one would have announced.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_deleted_under_a_session_is_made_anew_by_it() {
    meddle(
        |org| org.delete("PushTopic", topic_of(org, "Account").0),
        ["looking after the PushTopic", "created PushTopic", "was deleted and is made anew"],
    )
    .await;
}

/// Somebody switches the topic off, and the session subscribes once more before it has looked: it is refused, switches the topic on, and reads
/// what was not announced.
#[tokio::test(flavor = "multi_thread")]
async fn a_topic_switched_off_when_it_is_subscribed_is_switched_on() {
    meddle(
        |org| org.update("PushTopic", topic_of(org, "Account").0, json!({ "IsActive": false })),
        ["looking after the PushTopic", "updated PushTopic", "the PushTopic was changed"],
    )
    .await;
}

/// Meddles with a topic under a running session, which has to subscribe anew after changes that were not announced.
async fn meddle(with_topic: impl Fn(&Org), says: [&str; 3]) {
    let org = Org::start(&STREAMS.map(|stream| (stream, 30))).await;
    let mut task = Task::prepare(&org, &STREAMS).await;
    let mut running = task.open().await;
    running.until_live().await;
    with_topic(&org);
    org.change(&STREAMS, 30, 1).await;
    org.emulator().streaming().forget_all();
    running.agree(&org).await;
    org.change(&STREAMS, 30, 2).await;
    running.agree(&org).await;
    let log = running.end().await.join("\n");
    for says in says {
        assert!(log.contains(says), "{says}: {log}");
    }
    task.assert_faithful(&org);
    org.shutdown().await;
}
