//! An org in memory that announces what a test tells it to.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use bytes::Bytes;
use tokio::sync::watch;

use crate::cometd::{
    AuthFailure, Bus, Event, Limit, Principal, Refusal, Replay, Start, Stream, SubscribeRequest, Unavailable,
};

/// The token that is good from the start.
pub(super) const TOKEN: &str = "good";

pub(super) struct FakeBus {
    pub state: Mutex<State>,
    ticks: watch::Sender<u64>,
}

pub(super) struct State {
    pub tokens: HashMap<String, Result<Principal, AuthFailure>>,
    pub refusals: HashMap<String, Refusal>,
    pub deliveries_left: u64,
    pub delivered: u64,
    pub broken: bool,
    topics: Vec<Topic>,
    order: u64,
}

struct Topic {
    name: String,
    events: Vec<Event>,
    /// Replay id given to an event that was never retained; all later ids are greater.
    tip: i64,
}

impl FakeBus {
    pub(super) fn new(topics: &[&str]) -> Self {
        let topics = topics.iter().map(|name| Topic { name: (*name).to_owned(), events: Vec::new(), tip: 0 }).collect();
        let state = State {
            tokens: HashMap::from([(TOKEN.to_owned(), Ok(user("005000000000001AAA")))]),
            refusals: HashMap::new(),
            deliveries_left: u64::MAX,
            delivered: 0,
            broken: false,
            topics,
            order: 0,
        };
        Self { state: Mutex::new(state), ticks: watch::Sender::new(0) }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Announces an event with this `data`; its replay id must be greater than those before.
    pub(super) fn announce(&self, topic: &str, replay_id: i64, data: impl Into<Bytes>) {
        let mut state = self.state();
        state.order += 1;
        let order = state.order;
        let topic = state.topics.iter_mut().find(|one| one.name == topic).unwrap();
        assert!(replay_id > topic.tip);
        topic.tip = replay_id;
        topic.events.push(Event { replay_id, order, data: data.into() });
        drop(state);
        self.ticks.send_modify(|ticks| *ticks += 1);
    }

    /// Announces a small event.
    pub(super) fn change(&self, topic: &str, replay_id: i64) {
        self.announce(
            topic,
            replay_id,
            format!(r#"{{"event":{{"replayId":{replay_id}}},"sobject":{{"Name":"N{replay_id}"}}}}"#),
        );
    }

    /// Purges the events up to a replay id.
    pub(super) fn purge(&self, topic: &str, upto: i64) {
        let mut state = self.state();
        let topic = state.topics.iter_mut().find(|one| one.name == topic).unwrap();
        topic.events.retain(|event| event.replay_id > upto);
    }
}

pub(super) fn user(id: &str) -> Principal {
    Principal { user_id: id.to_owned(), org_id: "00D000000000001AAA".to_owned() }
}

impl Bus for FakeBus {
    fn authenticate(&self, token: &str) -> Result<Principal, AuthFailure> {
        self.state().tokens.get(token).cloned().unwrap_or(Err(AuthFailure::Invalid))
    }

    fn subscribe(&self, _who: &Principal, request: &SubscribeRequest<'_>) -> Result<Start, Refusal> {
        let state = self.state();
        if let Some(refusal) = state.refusals.get(request.channel) {
            return Err(refusal.clone());
        }
        let found = state.topics.iter().enumerate().find(|(_, topic)| topic.name == request.channel);
        let (at, topic) = found.ok_or(Refusal::UnknownChannel)?;
        let odd: Vec<String> =
            request.filter_fields.iter().filter(|field| **field != "Name").map(|field| (*field).to_owned()).collect();
        if !odd.is_empty() {
            return Err(Refusal::UnknownFilterFields(odd));
        }
        let known = |id: i64| topic.events.iter().any(|event| event.replay_id == id);
        let after = match request.replay {
            Replay::Tip => topic.tip,
            Replay::Earliest => 0,
            Replay::After(id) if known(id) => id,
            Replay::After(id) => return Err(Refusal::InvalidReplayId(id)),
        };
        Ok(Start { stream: Stream(at as u64), after })
    }

    fn read(&self, _who: &Principal, stream: Stream, after: i64, limit: Limit) -> Result<Vec<Event>, Unavailable> {
        let state = self.state();
        if state.broken {
            return Err(Unavailable("the disk is gone".into()));
        }
        let mut bytes = 0;
        let events = &state.topics[usize::try_from(stream.0).unwrap()].events;
        let later = events.partition_point(|event| event.replay_id <= after);
        let fitting = events[later..].iter().take(limit.events).take_while(|event| {
            let fits = bytes == 0 || bytes + event.data.len() <= limit.bytes;
            bytes += event.data.len();
            fits
        });
        Ok(fitting.cloned().collect())
    }

    fn appended(&self) -> watch::Receiver<u64> {
        self.ticks.subscribe()
    }

    fn deliveries_left(&self) -> u64 {
        self.state().deliveries_left
    }

    fn expire_sessions(&self) {
        self.state().tokens.clear();
    }

    fn delivered(&self, _who: &Principal, count: u64) {
        let mut state = self.state();
        state.delivered += count;
        state.deliveries_left -= count;
    }
}
