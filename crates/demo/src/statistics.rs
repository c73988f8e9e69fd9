//! What was captured so far, in numbers.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

/// Rates are those of the last few seconds.
const RATE_WINDOW: SignedDuration = SignedDuration::from_secs(5);

/// Percentiles are those of the last so many documents.
const LATENCY_WINDOW: usize = 2000;

/// Numbers of all streams.
#[derive(Debug)]
pub(crate) struct Statistics {
    streams: BTreeMap<String, Stream>,
}

/// Numbers of one stream.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    documents: u64,
    /// Arrivals within the last seconds, oldest first.
    recent: VecDeque<Timestamp>,
    /// Latest latencies, oldest first.
    latencies: VecDeque<SignedDuration>,
}

/// Latency from the org's event to the document's arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Latency {
    /// Half of the documents took at most this long.
    pub(crate) median: SignedDuration,
    /// 99 of 100 documents took at most this long.
    pub(crate) p99: SignedDuration,
}

impl Statistics {
    /// No documents yet of these streams.
    pub(crate) fn new<'a>(streams: impl IntoIterator<Item = &'a str>) -> Self {
        Self { streams: streams.into_iter().map(|stream| (stream.to_owned(), Stream::default())).collect() }
    }

    /// Counts a document of one of the streams. `event` is when the org sent the event behind it, if one was.
    pub(crate) fn note(&mut self, stream: &str, arrived: Timestamp, event: Option<Timestamp>) {
        let Some(numbers) = self.streams.get_mut(stream) else { return };
        numbers.documents += 1;
        numbers.recent.push_back(arrived);
        if let Some(event) = event {
            numbers.latencies.push_back(arrived.duration_since(event).max(SignedDuration::ZERO));
            if numbers.latencies.len() > LATENCY_WINDOW {
                numbers.latencies.pop_front();
            }
        }
    }

    /// Forgets arrivals that no longer count for a rate.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        for stream in self.streams.values_mut() {
            while stream.recent.front().is_some_and(|arrived| now.duration_since(*arrived) > RATE_WINDOW) {
                stream.recent.pop_front();
            }
        }
    }

    /// The streams, by name.
    pub(crate) fn streams(&self) -> impl Iterator<Item = (&str, &Stream)> {
        self.streams.iter().map(|(name, stream)| (name.as_str(), stream))
    }

    /// Documents of all streams.
    pub(crate) fn documents(&self) -> u64 {
        self.streams.values().map(|stream| stream.documents).sum()
    }

    /// Latency over all streams; `None` before the first event.
    pub(crate) fn latency(&self) -> Option<Latency> {
        Latency::of(self.streams.values().flat_map(|stream| &stream.latencies))
    }
}

impl Stream {
    /// Documents so far.
    pub(crate) fn documents(&self) -> u64 {
        self.documents
    }

    /// Documents per second, lately.
    pub(crate) fn rate(&self) -> f64 {
        self.recent.len() as f64 / RATE_WINDOW.as_secs_f64()
    }

    /// Latency; `None` before the first event.
    pub(crate) fn latency(&self) -> Option<Latency> {
        Latency::of(&self.latencies)
    }
}

impl Latency {
    fn of<'a>(latencies: impl IntoIterator<Item = &'a SignedDuration>) -> Option<Self> {
        let mut sorted: Vec<SignedDuration> = latencies.into_iter().copied().collect();
        sorted.sort_unstable();
        let last = sorted.len().checked_sub(1)?;
        Some(Self { median: sorted[last / 2], p99: sorted[last * 99 / 100] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let start = Timestamp::UNIX_EPOCH;
        let at = |milliseconds| start + SignedDuration::from_millis(milliseconds);
        let mut statistics = Statistics::new(["Lead", "Account", "Case"]);
        assert_eq!(statistics.latency(), None);
        for n in 1..=100 {
            statistics.note("Account", at(1000 + n), Some(at(1000)));
        }
        statistics.note("Lead", at(1000), None);
        // A clock that differs a little must not make a document arrive before its event.
        statistics.note("Case", at(1000), Some(at(1001)));

        assert_eq!(statistics.documents(), 102);
        let numbers: Vec<_> =
            statistics.streams().map(|(name, stream)| (name, stream.documents(), stream.rate())).collect();
        assert_eq!(numbers, [("Account", 100, 20.0), ("Case", 1, 0.2), ("Lead", 1, 0.2)]);
        let milliseconds = SignedDuration::from_millis;
        let (_, account) = statistics.streams().next().unwrap();
        assert_eq!(account.latency(), Some(Latency { median: milliseconds(50), p99: milliseconds(99) }));
        assert_eq!(statistics.latency(), Some(Latency { median: milliseconds(50), p99: milliseconds(99) }));

        statistics.advance(at(6050));
        let rates: Vec<_> = statistics.streams().map(|(_, stream)| stream.rate()).collect();
        assert_eq!(rates, [10.2, 0.0, 0.0]);
        assert_eq!(statistics.documents(), 102);
    }
}
