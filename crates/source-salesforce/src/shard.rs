//! Which bindings of a capture a process serves. Pure.
//!
//! A capture can be split into shards: processes that each own a part of the space of 32-bit keys, and have a state of their own. A
//! binding has one key and belongs, as a whole, to the shard that owns it. The key is that of the binding's *name*: its state key counts
//! the backfills, and with each of them the binding would go to another process while the one before may still be writing.

use std::fmt;

use flow_protocol::capture::Range;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// A part of the key space: both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shard {
    key_begin: u32,
    key_end: u32,
}

impl Shard {
    /// The whole space: a capture that is not split.
    pub const WHOLE: Self = Self { key_begin: 0, key_end: u32::MAX };

    /// The shard that a session is opened for.
    ///
    /// # Errors
    /// When it has no keys, or only a part of the time: two such shards would both capture everything.
    pub fn of(range: Range) -> Result<Self, Error> {
        let Range { key_begin, key_end, r_clock_begin, r_clock_end } = range;
        // Absent bounds are zeros: nothing was said about time then.
        let has_all_time = r_clock_begin == 0 && matches!(r_clock_end, 0 | u32::MAX);
        if !has_all_time {
            return Err(Error::OutOfPlace {
                request: "open",
                why: "its range is a part of the clock, and a capture can be split by key only",
            });
        }
        if key_begin > key_end {
            return Err(Error::OutOfPlace { request: "open", why: "its range ends before it begins" });
        }
        Ok(Self { key_begin, key_end })
    }

    /// Whether it owns the binding of this name.
    pub fn owns(&self, stream: &str) -> bool {
        (self.key_begin..=self.key_end).contains(&key(stream))
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self::WHOLE
    }
}

/// First and last key, as the runtime's own ids of shards spell them.
impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{:08x}", self.key_begin, self.key_end)
    }
}

/// Where a binding stands in the key space: FNV-1a of its name, 32 bits. It may never change: bindings would change places
/// with their states left behind.
fn key(stream: &str) -> u32 {
    const OFFSET: u32 = 0x811c_9dc5;
    const PRIME: u32 = 0x0100_0193;
    stream.bytes().fold(OFFSET, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(PRIME))
}

/// What a process serves of its capture, in bindings of the capture as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Serving {
    /// Its shard.
    pub shard: Shard,
    /// The shard that wrote the state: another one after a split.
    pub before: Shard,
    /// Bindings of its own.
    pub own: usize,
    /// Bindings that `before` would serve today.
    pub inherited: usize,
    /// Bindings of the capture.
    pub all: usize,
}

impl Serving {
    /// A process that serves so many bindings, and there are no others.
    pub fn everything(bindings: usize) -> Self {
        Self { shard: Shard::WHOLE, before: Shard::WHOLE, own: bindings, inherited: bindings, all: bindings }
    }

    /// What a shard serves of a capture with these bindings, with a state that `before` wrote.
    pub fn of(shard: Shard, before: Shard, streams: &[&str]) -> Self {
        let owned = |by: Shard| streams.iter().filter(|stream| by.owns(stream)).count();
        Self { shard, before, own: owned(shard), inherited: owned(before), all: streams.len() }
    }

    /// Why there is nothing to do, for one without bindings.
    pub fn idle(&self) -> String {
        match self.all {
            0 => "No bindings are enabled".into(),
            all => format!("None of the {all} bindings belongs to it"),
        }
    }

    /// What a process does, with the part that it is of a split capture.
    pub fn of_shard(&self, status: String) -> String {
        match self.is_split() {
            true => format!("Shard {} ({} of {} bindings): {status}", self.shard, self.own, self.all),
            false => status,
        }
    }

    /// Whether there are other shards.
    pub fn is_split(&self) -> bool {
        self.shard != Shard::WHOLE
    }

    /// The part of the capture's allowance that is this process's: each binding has the same. One without bindings needs none, and
    /// counts as if it had one.
    pub fn part(&self) -> f64 {
        self.own.max(1) as f64 / self.all.max(1) as f64
    }

    /// Which part of the calls that the state counts are this process's. Children of a split shard begin with its state, each
    /// of them: together they have made what it has made.
    pub fn heritage(&self) -> f64 {
        match (self.shard == self.before, self.inherited) {
            (true, _) | (_, 0) => 1.0,
            (false, inherited) => self.own as f64 / inherited as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALVES: [Shard; 2] =
        [Shard { key_begin: 0, key_end: 0x7fff_ffff }, Shard { key_begin: 0x8000_0000, key_end: u32::MAX }];
    const STREAMS: [&str; 6] = ["Account", "Contact", "Lead", "Case", "Opportunity", "Custom__c"];

    /// Golden: of a running capture, no binding may change its place.
    #[test]
    fn keys_never_change() {
        for (stream, expect) in [
            ("", 0x811c_9dc5),
            ("a", 0xe40c_292c),
            ("foobar", 0xbf9c_f968),
            ("Account", 0x59f8_a2fc),
            ("Contact", 0x73ac_94c3),
            ("Lead", 0xa475_164f),
            ("Case", 0x1b51_84d1),
            ("Custom__c", 0xef36_5e15),
            ("ns__Näme__c", 0x39aa_fc66),
        ] {
            assert_eq!(key(stream), expect, "{stream}: {:#010x}", key(stream));
        }
    }

    #[test]
    fn a_range_is_a_shard_or_is_refused() {
        let range =
            |key_begin, key_end, r_clock_begin, r_clock_end| Range { key_begin, key_end, r_clock_begin, r_clock_end };
        let last = u32::MAX;
        for (range, expect) in [
            (Range::FULL, Ok("00000000-ffffffff")),
            (range(0, 0x7fff_ffff, 0, last), Ok("00000000-7fffffff")),
            (range(0x8000_0000, last, 0, 0), Ok("80000000-ffffffff")),
            (range(7, 7, 0, last), Ok("00000007-00000007")),
            (range(8, 7, 0, last), Err("its range ends before it begins")),
            (range(0, last, 0, 0x7fff_ffff), Err("split by key only")),
            (range(0, last, 0x8000_0000, last), Err("split by key only")),
        ] {
            match (Shard::of(range), expect) {
                (Ok(shard), Ok(expect)) => assert_eq!(shard.to_string(), expect),
                (Err(error), Err(expect)) => assert!(error.to_string().contains(expect), "{error}"),
                (found, expect) => panic!("{range:?}: {found:?}, not {expect:?}"),
            }
        }
    }

    #[test]
    fn each_binding_has_one_shard_however_they_are_cut() {
        let cuts = [&[0x8000_0000][..], &[0x4000_0000, 0x8000_0000, 0xc000_0000], &[1, 2, u32::MAX]];
        for cut in cuts {
            let begins = std::iter::once(0).chain(cut.iter().copied());
            let ends = cut.iter().map(|begin| begin - 1).chain([u32::MAX]);
            let shards: Vec<_> = begins.zip(ends).map(|(key_begin, key_end)| Shard { key_begin, key_end }).collect();
            for stream in (0..500).map(|n| format!("Object_{n}__c")) {
                assert_eq!(shards.iter().filter(|shard| shard.owns(&stream)).count(), 1, "{stream} of {cut:x?}");
            }
        }
    }

    #[test]
    fn shards_share_what_the_capture_may_and_has_done() {
        let [low, high] = HALVES;
        let quarter = Shard { key_begin: 0, key_end: 0x3fff_ffff };
        let none = Shard { key_begin: 1, key_end: 1 };
        // Shard, who wrote the state, part of the allowance, part of the calls counted.
        for (shard, before, part, heritage) in [
            (Shard::WHOLE, Shard::WHOLE, 1.0, 1.0),
            (low, Shard::WHOLE, 0.5, 0.5),
            (high, Shard::WHOLE, 0.5, 0.5),
            (low, low, 0.5, 1.0),
            (quarter, low, 1.0 / 6.0, 1.0 / 3.0),
            (none, low, 1.0 / 6.0, 0.0),
            (low, none, 0.5, 1.0),
            // Never to be seen: shards are split and not joined.
            (Shard::WHOLE, low, 1.0, 2.0),
        ] {
            let serving = Serving::of(shard, before, &STREAMS);
            assert_eq!((serving.part(), serving.heritage()), (part, heritage), "{shard} from {before}: {serving:?}");
        }
        for streams in [&STREAMS[..1], &STREAMS[..3], &STREAMS] {
            let served = HALVES.map(|shard| Serving::of(shard, Shard::WHOLE, streams));
            let all: f64 = served.iter().filter(|it| it.own > 0).map(Serving::part).sum();
            assert!((all - 1.0).abs() < 1e-9, "{streams:?}: {all}");
        }
        let idle = Serving::of(low, low, &[]);
        assert_eq!((idle.part(), idle.heritage()), (1.0, 1.0));
    }
}
