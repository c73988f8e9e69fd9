//! What was announced: one log per PushTopic, kept for a day of virtual time.
//!
//! The log is in memory, because streaming clients read it far more often than it is written; a durable org writes it to
//! its file as well.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::audience::Audience;

/// An announced event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Announced {
    /// Increases over the whole org, with gaps: an id issued on one channel was never issued on another.
    pub replay_id: i64,
    /// When the transaction committed.
    pub at: Timestamp,
    /// The message's `data`.
    pub data: Bytes,
    /// Whose records it tells of.
    pub audience: Audience,
}

/// All logs of an org.
#[derive(Debug)]
pub(crate) struct EventLog {
    logs: Mutex<Logs>,
    appended: watch::Sender<u64>,
    retention: Duration,
}

#[derive(Debug)]
struct Logs {
    streams: HashMap<u64, VecDeque<Announced>>,
    last_replay: i64,
    /// State of the generator that makes gaps.
    gaps: u64,
}

impl EventLog {
    pub(crate) fn new(seed: u64, last_replay: i64, retention: Duration) -> Self {
        let logs = Logs { streams: HashMap::new(), last_replay, gaps: seed | 1 };
        Self { logs: Mutex::new(logs), appended: watch::Sender::new(0), retention }
    }

    /// The replay id for the next event. Not every id is used: subscribers must not count on it.
    pub(crate) fn issue(&self) -> i64 {
        let mut logs = self.lock();
        logs.gaps ^= logs.gaps << 13;
        logs.gaps ^= logs.gaps >> 7;
        logs.gaps ^= logs.gaps << 17;
        let draw = logs.gaps >> 33;
        let gap = if draw.is_multiple_of(4) { draw / 4 % 4 + 1 } else { 0 };
        logs.last_replay += 1 + gap.cast_signed();
        logs.last_replay
    }

    /// Appends events in the order of their ids.
    pub(crate) fn append(&self, events: Vec<(u64, Announced)>) {
        if events.is_empty() {
            return;
        }
        let count = events.len() as u64;
        {
            let mut logs = self.lock();
            for (stream, event) in events {
                logs.streams.entry(stream).or_default().push_back(event);
            }
        }
        self.appended.send_modify(|total| *total += count);
    }

    /// Events of a stream after an id, oldest first, until `full` says that the next one is too much.
    pub(crate) fn read(
        &self,
        stream: u64,
        after: i64,
        now: Timestamp,
        mut full: impl FnMut(&Announced) -> bool,
    ) -> Vec<Announced> {
        let mut logs = self.lock();
        let Some(log) = logs.streams.get_mut(&stream) else { return Vec::new() };
        expire(log, now, self.retention);
        let from = log.partition_point(|event| event.replay_id <= after);
        log.range(from..).take_while(|event| !full(event)).cloned().collect()
    }

    /// Was this id issued on this stream, and is it still retained?
    pub(crate) fn retains(&self, stream: u64, replay_id: i64, now: Timestamp) -> bool {
        let mut logs = self.lock();
        logs.streams.get_mut(&stream).is_some_and(|log| {
            expire(log, now, self.retention);
            log.binary_search_by_key(&replay_id, |event| event.replay_id).is_ok()
        })
    }

    /// The latest id issued on any stream.
    pub(crate) fn last_replay(&self) -> i64 {
        self.lock().last_replay
    }

    /// Drops the logs of streams that no longer exist, and old events of the others.
    pub(crate) fn retain(&self, now: Timestamp, live: impl Fn(u64) -> bool) {
        let mut logs = self.lock();
        logs.streams.retain(|stream, _| live(*stream));
        for log in logs.streams.values_mut() {
            expire(log, now, self.retention);
        }
    }

    /// Ticks with the number of events appended so far.
    pub(crate) fn appended(&self) -> watch::Receiver<u64> {
        self.appended.subscribe()
    }

    /// The oldest moment whose events are still kept.
    pub(crate) fn horizon(&self, now: Timestamp) -> Timestamp {
        horizon(now, self.retention)
    }

    fn lock(&self) -> MutexGuard<'_, Logs> {
        self.logs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn horizon(now: Timestamp, retention: Duration) -> Timestamp {
    let retention = SignedDuration::try_from(retention).unwrap_or(SignedDuration::MAX);
    now.saturating_sub(retention).unwrap_or(Timestamp::MIN)
}

fn expire(log: &mut VecDeque<Announced>, now: Timestamp, retention: Duration) {
    let horizon = horizon(now, retention);
    while log.front().is_some_and(|event| event.at < horizon) {
        log.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn ids_grow_with_gaps_and_events_age() {
        let log = EventLog::new(7, 0, Duration::from_secs(100));
        let ids: Vec<i64> = (0..50).map(|_| log.issue()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ids.windows(2).any(|pair| pair[1] > pair[0] + 1), "no gap in {ids:?}");

        for (second, id) in ids.iter().enumerate() {
            log.append(vec![(
                1,
                Announced { replay_id: *id, at: at(second as i64), data: Bytes::new(), audience: Audience::default() },
            )]);
        }
        let read = |after, now| log.read(1, after, at(now), |_| false).len();
        assert_eq!(read(0, 50), 50);
        assert_eq!(read(ids[9], 50), 40);
        assert!(log.retains(1, ids[0], at(100)) && !log.retains(1, ids[0], at(101)));
        assert!(!log.retains(2, ids[20], at(100)), "issued on another stream");
        assert_eq!(read(0, 120), 30);
    }
}
