//! How many calls may be under way at once: few at first, more while all goes well, half as many when they get into each other's way.
//! Pure.

/// How many calls may be under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    now: usize,
    most: usize,
    /// Calls that went well since the last change.
    went_well: usize,
}

/// Calls at once in the beginning.
const FIRST: usize = 2;
/// So many calls have to go well, for each that is allowed, before one more is.
const PATIENCE: usize = 4;

impl Pace {
    /// At most so many, and at least one.
    pub(crate) fn new(most: usize) -> Pace {
        let most = most.max(1);
        Pace { now: FIRST.min(most), most, went_well: 0 }
    }

    /// Whether another call may begin.
    pub(crate) fn allows(&self, under_way: usize) -> bool {
        under_way < self.now
    }

    pub(crate) fn went_well(&mut self) {
        self.went_well += 1;
        if self.went_well >= self.now * PATIENCE {
            *self = Pace { now: (self.now + 1).min(self.most), went_well: 0, ..*self };
        }
    }

    /// Rows were locked, or too many long calls ran at once.
    pub(crate) fn congested(&mut self) {
        *self = Pace { now: (self.now / 2).max(1), went_well: 0, ..*self };
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_grows_slowly_and_is_halved() {
        let mut pace = Pace::new(5);
        let mut seen = Vec::new();
        for nth in 0..60 {
            if nth == 57 {
                pace.congested();
            }
            seen.push(pace.now);
            pace.went_well();
        }
        seen.dedup();
        assert_eq!(seen, [2, 3, 4, 5, 2]);
    }

    proptest! {
        #[test]
        fn it_stays_within_bounds(most in 0_usize..9, events in proptest::collection::vec(any::<bool>(), 200)) {
            let mut pace = Pace::new(most);
            for well in events {
                if well { pace.went_well() } else { pace.congested() }
                prop_assert!(pace.allows(0) && !pace.allows(most.max(1)));
            }
        }
    }
}
