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

/// Which changes are played.
#[derive(Debug, Clone, Copy)]
struct Changes {
    most: usize,
    /// Records that they choose from. The first is there from the beginning.
    records: u8,
    /// Seconds between two transactions.
    seconds: &'static [i64],
    /// Changes in one transaction.
    together: usize,
    /// What happens once.
    trouble: &'static [Trouble],
}

/// A page for each record.
const SETUP: Setup = Setup {
    whole: true,
    tells: true,
    page: 1,
    job: 0,
    unacknowledged: 0,
    lie: Lie { event: 0, created: 0, row: 0, answered: 0, state: None },
};

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    /// A transaction is visible, in the second of what was before or later.
    Transact { changes: Vec<Change>, seconds: i64 },
    Subscribe,
    Deliver,
    ReadPage,
    WritePage,
    ReadFetch,
    WriteFetch,
    Trouble(Trouble),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Trouble {
    /// The process dies, and the next one takes up what is committed.
    Crash,
    /// All that was delivered comes again.
    Again,
    /// Both.
    CrashAndAgain,
}

/// What may still happen.
#[derive(Debug, Clone, Copy)]
struct Left {
    changes: usize,
    trouble: bool,
    /// Events of the transactions just made, at which the session has not looked.
    unseen: usize,
}

impl Step {
    /// All that may happen, possible or not.
    fn all(world: Changes, left: Left) -> impl Iterator<Item = Self> {
        let transactions = transactions(world.records, left.changes.min(world.together)).flat_map(move |changes| {
            world.seconds.iter().map(move |seconds| Self::Transact { changes: changes.clone(), seconds: *seconds })
        });
        let session = [Self::Subscribe, Self::Deliver, Self::ReadPage, Self::WritePage, Self::ReadFetch, Self::WriteFetch];
        let trouble = world.trouble.iter().filter(move |_| left.trouble).map(|trouble| Self::Trouble(*trouble));
        transactions.chain(session).chain(trouble)
    }

    /// Whether the order of this step and of transactions just before it makes a difference: whether it looks at the org.
    fn looks(&self, capture: &Capture, left: Left) -> bool {
        match self {
            Self::Transact { .. } | Self::Subscribe | Self::ReadPage | Self::ReadFetch => true,
            Self::Deliver => capture.announced() == left.unseen,
            Self::WritePage | Self::WriteFetch | Self::Trouble(_) => false,
        }
    }

    /// It happens. Answers whether it could.
    fn happens(&self, capture: &mut Capture, left: &mut Left) -> bool {
        if left.unseen > 0 && !self.looks(capture, *left) {
            return false;
        }
        let unseen = std::mem::take(&mut left.unseen);
        match self {
            Self::Transact { changes, seconds } => {
                left.changes -= changes.len();
                left.unseen = unseen + changes.len();
                capture.org.now += seconds;
                let late = if changes.len() > 1 { LATE_TWICE } else { 0 };
                capture.org.transact(changes, late);
                true
            }
            Self::Trouble(trouble) => {
                left.trouble = false;
                if *trouble != Trouble::Again {
                    capture.crash(0);
                }
                *trouble == Trouble::Crash || capture.deliver_again()
            }
            Self::Subscribe => capture.subscribe(),
            _ if !capture.is_subscribed() => false,
            Self::Deliver => capture.deliver(),
            Self::ReadPage => capture.read_page(),
            Self::WritePage => capture.write_page(SETUP.page),
            Self::ReadFetch => capture.read_fetch(),
            Self::WriteFetch => capture.write_fetch(),
        }
    }
}

/// All transactions of at most so many changes.
fn transactions(records: u8, most: usize) -> impl Iterator<Item = Vec<Change>> {
    let mut all = vec![Vec::new()];
    let mut last = all.clone();
    for _ in 0..most {
        let longer = move |begun: &Vec<Change>| {
            let begun = begun.clone();
            (0..records).flat_map(|record| [false, true].map(|delete| Change { record, delete })).map(move |change| {
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

struct Search {
    world: Changes,
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
        let state = fingerprint(&(capture.state(left.trouble, left.trouble), left));
        if let Some(known) = self.known.get(&state) {
            return Ok(*known);
        }
        if let Some(wrong) = capture.wrong().map(str::to_owned).or_else(|| capture.difference().filter(|_| capture.rests())) {
            return Err(format!("{wrong}, after {:?}", self.trail));
        }
        let mut count = 0;
        for step in Step::all(self.world, left) {
            let (mut next, mut left) = (capture.clone(), left);
            if step.happens(&mut next, &mut left) {
                self.trail.push(step);
                count += self.histories(&next, left)?;
                self.trail.pop();
            }
        }
        // Where nothing looks at the last transaction, its place is elsewhere.
        if count == 0 && left.unseen == 0 {
            if !capture.rests() {
                return Err(format!("the capture does not come to rest after {:?}", self.trail));
            }
            count = 1;
        }
        self.known.insert(state, count);
        Ok(count)
    }
}

/// All histories: how many there are, and how many states they go through.
fn play(setup: Setup, world: Changes) -> Result<(u64, usize), String> {
    let mut search = Search { world, known: HashMap::new(), trail: Vec::new() };
    let left = Left { changes: world.most, trouble: true, unseen: 0 };
    let count = search.histories(&Capture::new(setup, Org::with(1)), left)?;
    Ok((count, search.known.len()))
}

#[test]
fn measure() {
    for world in [
        Changes { most: 2, records: 2, seconds: &[20], together: 2, trouble: &[Trouble::Crash] },
        Changes { most: 2, records: 1, seconds: &[0, 20], together: 2, trouble: &[Trouble::Crash, Trouble::Again, Trouble::CrashAndAgain] },
        Changes { most: 3, records: 1, seconds: &[20], together: 1, trouble: &[Trouble::Crash] },
        Changes { most: 3, records: 2, seconds: &[0], together: 1, trouble: &[Trouble::Crash] },
        Changes { most: 3, records: 1, seconds: &[0], together: 1, trouble: &[Trouble::Again] },
    ] {
        let start = std::time::Instant::now();
        println!("{world:?}: {:?} {:?}", play(SETUP, world).unwrap(), start.elapsed());
    }
}
