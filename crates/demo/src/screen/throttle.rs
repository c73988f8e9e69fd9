//! No more lines than can be read.

use jiff::Timestamp;

/// Lines per second.
const LINES: u32 = 12;

/// Lets so many documents of each second through, and counts the others.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    second: i64,
    shown: u32,
    passed_over: u64,
}

impl Throttle {
    /// Whether a document that arrived then is shown; if so, how many were passed over before it.
    pub(super) fn admit(&mut self, arrived: Timestamp) -> Option<u64> {
        if arrived.as_second() != self.second {
            *self = Self { second: arrived.as_second(), shown: 0, passed_over: self.passed_over };
        }
        if self.shown == LINES {
            self.passed_over += 1;
            return None;
        }
        self.shown += 1;
        Some(std::mem::take(&mut self.passed_over))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted() {
        let mut throttle = Throttle::default();
        let second = |second| Timestamp::from_second(second).unwrap();
        let admitted: Vec<_> = (0..20).map(|_| throttle.admit(second(1))).collect();
        assert!(admitted[..12].iter().all(|admitted| *admitted == Some(0)));
        assert!(admitted[12..].iter().all(Option::is_none));
        assert_eq!(throttle.admit(second(2)), Some(8));
        assert_eq!(throttle.admit(second(2)), Some(0));
    }
}
