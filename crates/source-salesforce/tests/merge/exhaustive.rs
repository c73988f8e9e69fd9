//! All histories of a small world, none left out: up to three changes of the same record and of others, in one transaction, within one
//! second or later; the first read through the object, page by page; everything that was delivered comes again once; one crash. Each step
//! may come at any moment at which it can.
//!
//! Two histories that have led to the same state have the same future. So each state is looked at once, with the number of histories that
//! go on from it; a state is all there is: the org, the machine, what is on its way, what a crash would bring back, the last document of
//! each record.

use std::{
    collections::HashMap,
    fmt::{self, Write as _},
    hash::{DefaultHasher, Hasher as _},
};

use source_salesforce::capture::freshness::{CLOCK_SKEW, EVALUATION_LAG};

use super::{
    capture::{Capture, Lie, Setup},
    org::{Change, LATE_TWICE, Org},
};

/// Records that changes choose from.
const RECORDS: u8 = 3;

/// Records that are there from the beginning: a page each.
const ROWS: u8 = 2;

/// Changes in a history.
const CHANGES: usize = 2;

/// Seconds after which two changes are apart for any clock.
const LATER: i64 = 20;

/// Two pages with their rows, three changes, all of them delivered twice, a crash.
const SETUP: Setup = Setup {
    whole: true,
    tells: true,
    page: 1,
    job: 0,
    keeps: false,
    unacknowledged: 1,
    lie: Lie { event: 0, created: 0, row: 0, answered: 0, state: None },
};

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    /// A transaction is visible, in the second of what was before or later.
    Transact {
        changes: Vec<Change>,
        later: bool,
    },
    Subscribe,
    Deliver,
    DeliverAgain,
    ReadPage,
    WritePage,
    ReadFetch,
    WriteFetch,
    /// So many commits were not acknowledged.
    Crash(usize),
}

/// What may still happen.
#[derive(Debug, Clone, Copy)]
struct Left {
    changes: usize,
    again: bool,
    crash: bool,
}

impl Step {
    /// All that may happen, possible or not.
    fn all(left: Left) -> impl Iterator<Item = Self> {
        let transactions = [false, true]
            .into_iter()
            .flat_map(move |later| transactions(left.changes).map(move |changes| Self::Transact { changes, later }));
        let session =
            [Self::Subscribe, Self::Deliver, Self::ReadPage, Self::WritePage, Self::ReadFetch, Self::WriteFetch];
        let again = left.again.then_some(Self::DeliverAgain);
        let crashes = (0..=SETUP.unacknowledged).filter(move |_| left.crash).map(Self::Crash);
        transactions.chain(session).chain(again).chain(crashes)
    }

    /// It happens. Answers whether it could.
    fn happens(&self, capture: &mut Capture, left: &mut Left) -> bool {
        match self {
            Self::Transact { changes, later } => {
                left.changes -= changes.len();
                capture.org.now += if *later { LATER } else { 0 };
                let late = if changes.len() > 1 { LATE_TWICE } else { 0 };
                capture.org.transact(changes, late);
                true
            }
            Self::Crash(lost) => {
                left.crash = false;
                capture.crash(*lost);
                true
            }
            Self::Subscribe => capture.subscribe(),
            _ if !capture.is_subscribed() => false,
            Self::Deliver => capture.deliver(),
            Self::DeliverAgain => {
                left.again = false;
                capture.deliver_again()
            }
            Self::ReadPage => capture.read_page(),
            Self::WritePage => capture.write_page(SETUP.page),
            Self::ReadFetch => capture.read_fetch(),
            Self::WriteFetch => capture.write_fetch(),
        }
    }
}

/// All transactions of at most so many changes.
fn transactions(most: usize) -> impl Iterator<Item = Vec<Change>> {
    let mut all = vec![Vec::new()];
    let mut last = all.clone();
    for _ in 0..most {
        let longer = |begun: &Vec<Change>| {
            let begun = begun.clone();
            (0..RECORDS).flat_map(|record| [false, true].map(|delete| Change { record, delete })).map(move |change| {
                let mut changes = begun.clone();
                changes.push(change);
                changes
            })
        };
        last = last.iter().flat_map(longer).collect();
        all.extend(last.iter().cloned());
    }
    all.into_iter().skip(1)
}

/// A state, as good as itself.
fn fingerprint(state: &impl fmt::Debug) -> u64 {
    struct Hashing(DefaultHasher);
    impl fmt::Write for Hashing {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.write(text.as_bytes());
            Ok(())
        }
    }
    let mut hashing = Hashing(DefaultHasher::new());
    write!(hashing, "{state:?}").expect("a hash takes any text");
    hashing.0.finish()
}

#[derive(Default)]
struct Search {
    /// How many histories begin in each state that was met.
    known: HashMap<u64, u64>,
    /// What has happened so far.
    trail: Vec<Step>,
}

impl Search {
    /// How many histories go on from here.
    ///
    /// # Errors
    /// The first that is wrong, and how.
    fn histories(&mut self, capture: &Capture, left: Left) -> Result<u64, String> {
        let state = fingerprint(&(capture, left));
        if let Some(known) = self.known.get(&state) {
            return Ok(*known);
        }
        if let Some(wrong) =
            capture.wrong().map(str::to_owned).or_else(|| capture.difference().filter(|_| capture.rests()))
        {
            return Err(format!("{wrong}, after {:?}", self.trail));
        }
        let mut count = 0;
        for step in Step::all(left) {
            let (mut next, mut left) = (capture.clone(), left);
            if step.happens(&mut next, &mut left) {
                self.trail.push(step);
                count += self.histories(&next, left)?;
                self.trail.pop();
            }
        }
        if count == 0 && !capture.rests() {
            return Err(format!("the capture does not come to rest after {:?}", self.trail));
        }
        let count = count.max(1);
        self.known.insert(state, count);
        Ok(count)
    }
}

/// All histories: how many there are, and how many states they go through.
fn play(setup: Setup) -> Result<(u64, usize), String> {
    let mut search = Search::default();
    let left = Left { changes: CHANGES, again: true, crash: true };
    let count = search.histories(&Capture::new(setup, Org::with(ROWS)), left)?;
    Ok((count, search.known.len()))
}

#[test]
fn no_history_is_wrong_where_events_carry_rows() {
    let (histories, states) = play(SETUP).unwrap();
    println!("{histories} histories through {states} states, none wrong");
    assert!(histories >= 100_000, "{histories}");
}

#[test]
fn no_history_is_wrong_where_rows_are_fetched() {
    let (histories, states) = play(Setup { whole: false, ..SETUP }).unwrap();
    println!("{histories} histories through {states} states, none wrong");
    assert!(histories >= 100_000, "{histories}");
}

/// A shell that says something false is as good as a rule that is wrong: it is found out.
#[test]
fn a_wrong_rule_is_found_out() {
    let lies = [
        ("an event of a second that was written in is newer", Lie { event: 1, ..Lie::default() }),
        ("clocks do not lag", Lie { answered: -CLOCK_SKEW, ..Lie::default() }),
        ("clocks lag less", Lie { answered: -1, ..Lie::default() }),
        ("a deletion is announced when it is made", Lie { created: EVALUATION_LAG, ..Lie::default() }),
        ("a deletion is announced sooner", Lie { created: 1, ..Lie::default() }),
        ("a page's row of the second that was written in is newer", Lie { row: 1, ..Lie::default() }),
        ("a restart knows of no row", Lie { state: Some(|position| position.fence = None), ..Lie::default() }),
        ("a restart has nothing to fetch", Lie { state: Some(|position| position.fetch.clear()), ..Lie::default() }),
    ];
    for (rule, lie) in lies {
        assert!(play(Setup { lie, ..SETUP }).is_err(), "{rule}");
    }
}
