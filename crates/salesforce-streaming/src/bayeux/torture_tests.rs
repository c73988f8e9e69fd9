//! Random scripts against a server that does anything: whatever comes, the machine keeps its word.

use std::{collections::HashMap, time::Duration};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    codec::Body,
    exchange::{Answer, Effect, Fault, Input, Level, Line},
    message::Request,
    script::{channel, event, replay_id, show},
    session::Session,
};
use crate::{Channel, Error, Event, Failure, FailureKind, ReplayFrom, ReplayId};

const CHANNELS: [&str; 4] = ["/topic/A", "/topic/B", "/topic/C", "/topic/D"];

/// Something that happens, if it can: a reply needs a request, and so on.
#[derive(Clone, Debug)]
enum Happening {
    SignIn { works: bool },
    Reply { connect: bool, mood: u8, events: u8 },
    Fail { connect: bool, fault: u8 },
    Pass { seconds: u16 },
    Written { channel: usize },
    Subscribe { channel: usize, from: u8 },
    Queue { level: u8 },
    Close,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        8 => prop::bool::weighted(0.9).prop_map(|works| Happening::SignIn { works }),
        30 => (any::<bool>(), 0_u8..24, 0_u8..3)
            .prop_map(|(connect, mood, events)| Happening::Reply { connect, mood, events }),
        3 => (any::<bool>(), 0_u8..4).prop_map(|(connect, fault)| Happening::Fail { connect, fault }),
        8 => prop_oneof![0_u16..5, 5_u16..4_000].prop_map(|seconds| Happening::Pass { seconds }),
        4 => (0_usize..4).prop_map(|channel| Happening::Written { channel }),
        2 => (0_usize..4, 0_u8..3).prop_map(|(channel, from)| Happening::Subscribe { channel, from }),
        2 => (0_u8..3).prop_map(|level| Happening::Queue { level }),
        1 => prop::bool::weighted(0.05).prop_map(|close| match close {
            true => Happening::Close,
            false => Happening::Pass { seconds: 0 },
        }),
    ]
}

/// The machine with a server, and what both must remember.
struct World {
    session: Session,
    now: Duration,
    connect: Option<Request>,
    other: Option<Request>,
    signing_in: bool,
    level: Level,
    ended: bool,
    clients: u32,
    next_event: i64,
    channels: HashMap<Channel, Expected>,
    log: Vec<String>,
}

/// What must be true of a channel.
#[derive(Clone, Debug)]
struct Expected {
    start: ReplayFrom,
    started: bool,
    written: Option<ReplayId>,
    rests: bool,
    /// The client it is subscribed for on the server.
    client: Option<u32>,
}

impl Expected {
    fn new(start: ReplayFrom) -> Expected {
        Expected { start, started: false, written: None, rests: false, client: None }
    }

    fn resume(&self) -> ReplayFrom {
        match self.written {
            Some(id) => ReplayFrom::After(id),
            None if self.started && self.start == ReplayFrom::Tip => ReplayFrom::Earliest,
            None => self.start,
        }
    }
}

impl World {
    fn new() -> World {
        let starts = [ReplayFrom::Tip, ReplayFrom::Earliest, ReplayFrom::After(replay_id(5)), ReplayFrom::Tip];
        let wanted: Vec<_> = CHANNELS.iter().map(|name| channel(name)).zip(starts).collect();
        let mut world = World {
            session: Session::new(wanted.clone()),
            now: Duration::ZERO,
            connect: None,
            other: None,
            signing_in: false,
            level: Level::Empty,
            ended: false,
            clients: 0,
            next_event: 100,
            channels: wanted.into_iter().map(|(channel, from)| (channel, Expected::new(from))).collect(),
            log: Vec::new(),
        };
        world.feed(Input::Start);
        world
    }

    fn feed(&mut self, input: Input) {
        let effects = self.session.step(input, self.now);
        for effect in effects {
            self.log.push(show(&effect));
            assert!(!self.ended, "nothing comes after the end: {:#?}", self.log);
            self.perform(effect);
        }
        let busy = self.connect.is_some() || self.other.is_some() || self.signing_in;
        let rests = self.level != Level::Empty && self.log.iter().any(|line| line.contains("/meta/disconnect"));
        let due = self.session.due();
        assert!(busy || due.is_some() || self.ended || rests, "stuck: {:#?} {:#?}", self.session, self.log);
        assert!(due.is_none_or(|due| due > self.now), "due now: {:#?} {:#?}", self.session, self.log);
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::SignIn { .. } => {
                assert!(!self.signing_in);
                self.signing_in = true;
            }
            Effect::ClearCookies => {}
            Effect::HangUp => (self.connect, self.other) = (None, None),
            Effect::End(_) => self.ended = true,
            Effect::Send(post) => {
                let slot = match post.line {
                    Line::Connect => &mut self.connect,
                    Line::Other => &mut self.other,
                };
                assert!(slot.is_none(), "two requests on one connection: {:#?}", self.log);
                if let Request::Subscribe { channels, .. } = &post.request {
                    for (channel, from) in channels {
                        let expected = &self.channels[channel];
                        assert_eq!(*from, expected.resume(), "{channel} {expected:?} {:#?}", self.log);
                        assert!(!expected.rests, "{channel} rests: {:#?}", self.log);
                    }
                }
                assert!(post.request.to_json(post.id).len() < 32_768);
                *slot = Some(post.request);
            }
            Effect::Tell(Event::Subscribed { channel, .. }) => {
                let clients = self.clients;
                let expected = self.channels.get_mut(&channel).expect("a channel");
                (expected.started, expected.client) = (true, Some(clients));
            }
            Effect::Tell(Event::Gap { channel, .. }) => self.channels.get_mut(&channel).expect("known").rests = true,
            Effect::Tell(Event::Refused { channel, failure }) if failure.retry_in.is_none() => {
                self.channels.get_mut(&channel).expect("known").rests = true;
            }
            Effect::Tell(_) => {}
        }
    }

    fn happen(&mut self, happening: &Happening) {
        match *happening {
            Happening::SignIn { works } if self.signing_in => {
                self.signing_in = false;
                self.feed(if works { Input::SignedIn } else { Input::NotSignedIn(passing()) });
            }
            Happening::Reply { connect: true, mood, events } if self.connect.is_some() => {
                self.connect = None;
                let reply = self.connect_reply(mood, events);
                self.reply(Line::Connect, reply);
            }
            Happening::Reply { connect: false, mood, events } => {
                if let Some(request) = self.other.take() {
                    let reply = self.other_reply(&request, mood, events);
                    self.reply(Line::Other, reply);
                }
            }
            Happening::Fail { connect, fault } => {
                let (line, slot) =
                    if connect { (Line::Connect, &mut self.connect) } else { (Line::Other, &mut self.other) };
                if slot.take().is_some() {
                    let faults = [Fault::Unsent, Fault::Lost, Fault::Unauthenticated, Fault::Refused];
                    self.feed(Input::Failed(line, faults[usize::from(fault)], "it broke".to_owned()));
                }
            }
            Happening::Pass { seconds } => self.pass(seconds),
            Happening::Written { channel: index } => {
                let (name, id) = (channel(CHANNELS[index]), replay_id(self.next_event));
                let expected = self.channels.get_mut(&name).expect("known");
                expected.written = expected.written.max(Some(id));
                self.feed(Input::Written(name, id));
            }
            Happening::Subscribe { channel: index, from } => {
                let froms = [ReplayFrom::Tip, ReplayFrom::Earliest, ReplayFrom::After(replay_id(self.next_event))];
                let (name, from) = (channel(CHANNELS[index]), froms[usize::from(from)]);
                self.channels.insert(name.clone(), Expected::new(from));
                self.feed(Input::Subscribe(name, from));
            }
            Happening::Queue { level } => {
                self.level = [Level::Empty, Level::Room, Level::Full][usize::from(level)];
                self.feed(Input::Queue(self.level));
            }
            Happening::Close => self.feed(Input::Close),
            Happening::SignIn { .. } | Happening::Reply { .. } => {}
        }
    }

    fn pass(&mut self, seconds: u16) {
        let until = self.now + Duration::from_secs(seconds.into());
        while let Some(due) = self.session.due().filter(|due| *due <= until) {
            self.now = due;
            self.feed(Input::Due);
        }
        self.now = until;
    }

    fn reply(&mut self, line: Line, mut reply: Vec<Value>) {
        if reply.len() > 2 && self.next_event % 3 == 0 {
            reply.reverse();
        }
        let body = Body::parse(Value::from(reply).to_string().into()).expect("a body");
        self.feed(Input::Reply(line, Answer { at: "2024-01-02T03:04:05Z".parse().expect("a timestamp"), body }));
    }

    fn events(&mut self, count: u8) -> Vec<Value> {
        let ids = (0..count).map(|_| {
            self.next_event += 3;
            event(CHANNELS[usize::try_from(self.next_event % 4).expect("small")], self.next_event)
        });
        ids.collect()
    }

    fn connect_reply(&mut self, mood: u8, events: u8) -> Vec<Value> {
        let mut messages = self.events(events);
        messages.push(match mood {
            0 => json!({"channel": "/meta/connect", "successful": false, "error": "401::Authentication invalid"}),
            1 => json!({"channel": "/meta/connect", "successful": false, "error": "403::Unknown client",
                "advice": {"reconnect": "handshake"}}),
            2 => json!({"channel": "/meta/connect", "successful": false, "error": "401::x",
                "ext": {"sfdc": {"failureReason": "503::Server is too busy"}}}),
            3 => json!({"channel": "/meta/connect", "successful": true, "advice": {"reconnect": "handshake"}}),
            4 => json!({"channel": "/meta/disconnect"}),
            5 => json!({"channel": "/topic/A", "data": {"strange": true}}),
            6 => json!({"channel": "/meta/connect", "successful": true, "advice": {"interval": 2000, "timeout": -1}}),
            _ => json!({"channel": "/meta/connect", "successful": true}),
        });
        messages
    }

    fn other_reply(&mut self, request: &Request, mood: u8, events: u8) -> Vec<Value> {
        match request {
            Request::Handshake => {
                self.clients += 1;
                self.channels.values_mut().for_each(|expected| expected.client = None);
                vec![match mood {
                    0 => json!({"channel": "/meta/handshake", "successful": false, "error": "403::Handshake denied",
                        "ext": {"sfdc": {"failureReason": "401::Authentication invalid"}}}),
                    1 => json!({"channel": "/meta/handshake", "successful": false,
                        "error": "403::Organization concurrent user limit exceeded"}),
                    2 => json!({"channel": "/meta/handshake", "successful": true}),
                    3 => json!({"channel": "/meta/other", "successful": true}),
                    _ => json!({"channel": "/meta/handshake", "successful": true,
                        "clientId": format!("client{}", self.clients)}),
                }]
            }
            Request::Subscribe { channels, .. } => {
                let mut messages = self.events(events);
                for (index, (channel, _)) in channels.iter().enumerate() {
                    let error = match usize::from(mood) + 24 * index {
                        0 => "401::Authentication invalid",
                        1 => "403::Unknown client",
                        2 | 26 => "400::The replayId {1} you provided was invalid.",
                        3 | 27 => "403::No access on channel",
                        4 | 28 => "503::Server is too busy",
                        5 => continue,
                        _ => "",
                    };
                    messages.push(json!({"channel": "/meta/subscribe", "subscription": channel.as_str(),
                        "successful": error.is_empty(), "error": error}));
                }
                messages
            }
            Request::Disconnect { .. } => vec![json!({"channel": "/meta/disconnect", "successful": true})],
            Request::Connect { .. } => unreachable!("connects have their own connection"),
        }
    }

    /// A server that is well, for long enough.
    fn recover(&mut self) {
        self.happen(&Happening::Queue { level: 0 });
        for _ in 0..60 {
            self.happen(&Happening::SignIn { works: true });
            self.happen(&Happening::Reply { connect: false, mood: 20, events: 0 });
            if matches!(self.connect, Some(Request::Connect { at_once: true, .. })) {
                self.happen(&Happening::Reply { connect: true, mood: 20, events: 0 });
            }
            self.pass(60);
        }
    }
}

/// An error that may pass.
fn passing() -> Error {
    let retry_in = Some(Duration::ZERO);
    Error::Session(Failure { kind: FailureKind::Busy, text: "busy".to_owned(), retry_in })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_the_session_comes_back_complete(script in prop::collection::vec(happening(), 0..120)) {
        let mut world = World::new();
        for happening in &script {
            world.happen(happening);
        }
        world.recover();
        if !world.ended {
            let parked = matches!(world.connect, Some(Request::Connect { at_once: false, .. }));
            prop_assert!(parked, "no connect is parked: {:#?} {:#?}", world.session, world.log);
            for (channel, expected) in &world.channels {
                let subscribed = expected.rests || expected.client == Some(world.clients);
                prop_assert!(subscribed, "{} is not subscribed: {:?} {:#?}", channel, expected, world.log);
            }
        }
    }
}
