//! All histories of small worlds, none left out: changes of one record and of several, in one transaction, within one second or apart; the
//! first read through the object, page by page; a crash, or all that was delivered once more, or both. Each step may come at any moment
//! at which it can.
//!
//! Two things keep them few enough to be played:
//!
//! - A history that has led to a state met before goes on as that one did. So each state is looked at once, and remembered with the
//!   number of histories that begin there. A state is all that the future depends on, as [`Capture::state`] says.
//! - A transaction happens just before something that looks at it: a read, or the delivery of its events. Any moment between that and
//!   the step before would be the same history.
//!
//! Some worlds have two changes. More: `just histories`, or `CHANGES=3 cargo test --release -p source-salesforce --test merge`.

use std::{collections::HashMap, fmt::Write as _};

use salesforce_streaming::ReplayId;
use source_salesforce::capture::freshness::{CLOCK_SKEW, EVALUATION_LAG};

use super::{
    capture::{Capture, Lie, Setup},
    org::{Change, LATE_TWICE, Org},
};

/// What may happen in a world.
#[derive(Debug, Clone, Copy)]
struct World {
    /// Whether events carry whole rows, or announce rows to be fetched.
    whole: bool,
    /// Changes in a history.
    changes: usize,
    /// Records that they choose from. The first is there from the beginning.
    records: u8,
    /// Seconds that may pass before a transaction.
    seconds: &'static [i64],
    /// Changes in one transaction, at most.
    together: usize,
    /// What may happen once.
    trouble: &'static [Trouble],
}

const ONE_RECORD_IN_A_SECOND: World =
    World { whole: true, changes: 3, records: 1, seconds: &[0], together: 1, trouble: &[Trouble::Crash] };

const ONE_RECORD: World = World { seconds: &[20], ..ONE_RECORD_IN_A_SECOND };

const TWO_RECORDS: World =
    World { whole: true, changes: 2, records: 2, seconds: &[20], together: 2, trouble: &[Trouble::Crash] };

const TWICE: World = World {
    whole: true,
    changes: 2,
    records: 1,
    seconds: &[0],
    together: 2,
    trouble: &[Trouble::Again, Trouble::CrashAndAgain],
};

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    /// So many seconds pass, and a transaction is visible.
    Transact(i64, Vec<Change>),
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
    /// The process dies, and the next one takes up what is committed. That some commits are not is the same as to die earlier, as
    /// what a capture does leaves no trace in the org.
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
    /// Changes of the transactions just made, at which nothing has looked yet.
    unseen: usize,
}

impl Step {
    /// All that may come next, possible or not.
    fn all(world: World, left: Left) -> impl Iterator<Item = Self> {
        let transactions = transactions(world.records, left.changes.min(world.together));
        let transactions = transactions.flat_map(move |changes| {
            world.seconds.iter().map(move |seconds| Self::Transact(*seconds, changes.clone()))
        });
        let trouble = world.trouble.iter().filter(move |_| left.trouble).map(|trouble| Self::Trouble(*trouble));
        let ours = [Self::Subscribe, Self::Deliver, Self::ReadPage, Self::WritePage, Self::ReadFetch, Self::WriteFetch];
        transactions.chain(ours).chain(trouble)
    }

    /// Whether it can come after transactions that nothing has looked at yet.
    fn looks(&self, capture: &Capture, left: Left) -> bool {
        match self {
            Self::Transact(..) | Self::Subscribe | Self::ReadPage | Self::ReadFetch => true,
            Self::Deliver => capture.announced() == left.unseen,
            Self::WritePage | Self::WriteFetch | Self::Trouble(_) => false,
        }
    }

    /// It happens. Answers whether it can.
    fn happens(&self, capture: &mut Capture, left: &mut Left) -> bool {
        if left.unseen > 0 && !self.looks(capture, *left) {
            return false;
        }
        let unseen = std::mem::take(&mut left.unseen);
        match self {
            Self::Transact(seconds, changes) => {
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
            Self::WritePage => capture.write_page(1),
            Self::ReadFetch => capture.read_fetch(),
            Self::WriteFetch => capture.write_fetch(),
        }
    }
}

/// All transactions of at most so many changes.
fn transactions(records: u8, most: usize) -> impl Iterator<Item = Vec<Change>> {
    let changes = move || (0..records).flat_map(|record| [false, true].map(|delete| Change { record, delete }));
    let longer = move |begun: &Vec<Change>| {
        let begun = begun.clone();
        changes().map(move |change| begun.iter().copied().chain([change]).collect())
    };
    let lengths =
        std::iter::successors(Some(vec![Vec::new()]), move |last| Some(last.iter().flat_map(longer).collect()));
    lengths.skip(1).take(most).flatten()
}

/// Stands for a text. Of some hundred thousand, no two are the same in 64 bits.
fn fingerprint(text: &str) -> u64 {
    text.as_bytes().chunks(8).fold(0, |hash: u64, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        let mixed = (hash ^ u64::from_le_bytes(word)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^ (mixed >> 32)
    })
}

struct Search {
    world: World,
    /// How many histories begin in each state that was met.
    known: HashMap<u64, u64>,
    /// What has happened so far.
    trail: Vec<Step>,
    /// The state at hand, as text.
    text: String,
}

impl Search {
    /// How many histories go on from here.
    ///
    /// # Errors
    /// The first that is wrong, and how.
    fn histories(&mut self, capture: &Capture, left: Left) -> Result<u64, String> {
        self.text.clear();
        write!(self.text, "{left:?}{:?}", capture.state(left.trouble)).expect("a string takes any text");
        let state = fingerprint(&self.text);
        if let Some(known) = self.known.get(&state) {
            return Ok(*known);
        }
        let difference = || capture.difference().filter(|_| capture.rests());
        if let Some(wrong) = capture.wrong().map(str::to_owned).or_else(difference) {
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
        // Where nothing can look at the last transaction, it belongs elsewhere.
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

/// Plays all histories of a world. Answers how many there are, and how many states they go through.
fn play(world: World, lie: Lie) -> Result<(u64, usize), String> {
    let setup =
        Setup { whole: world.whole, tells: true, page: 1, job: 0, keeps: false, lists: 0, unacknowledged: 0, lie };
    let mut search = Search { world, known: HashMap::new(), trail: Vec::new(), text: String::new() };
    let left = Left { changes: world.changes, trouble: true, unseen: 0 };
    let count = search.histories(&Capture::new(setup, Org::with(1)), left)?;
    Ok((count, search.known.len()))
}

/// Says how many histories were played.
#[expect(clippy::print_stdout, reason = "the count is what the proof is worth")]
fn none_is_wrong(mut world: World) {
    #[expect(clippy::disallowed_methods, reason = "whoever runs the tests says how long")]
    if let Ok(changes) = std::env::var("CHANGES") {
        world.changes = world.changes.max(changes.parse().expect("CHANGES is a number"));
    }
    let (histories, states) = play(world, Lie::default()).unwrap_or_else(|wrong| panic!("{wrong}"));
    println!("{histories} histories through {states} states, none wrong: {world:?}");
    assert!(histories >= 100_000, "{histories}");
}

#[test]
fn no_history_is_wrong_of_one_record_within_a_second() {
    none_is_wrong(ONE_RECORD_IN_A_SECOND);
}

#[test]
fn no_history_is_wrong_of_one_record() {
    none_is_wrong(ONE_RECORD);
}

#[test]
fn no_history_is_wrong_of_two_records() {
    none_is_wrong(TWO_RECORDS);
}

#[test]
fn no_history_is_wrong_in_which_all_comes_twice() {
    none_is_wrong(TWICE);
}

#[test]
fn no_history_is_wrong_where_rows_are_fetched() {
    none_is_wrong(World { whole: false, ..ONE_RECORD_IN_A_SECOND });
}

/// A shell that says what is not so is as good as a rule that is wrong. Each is found out in one of the worlds.
#[test]
fn a_wrong_rule_is_found_out() {
    let truth = Lie::default();
    let lies = [
        ("an event of a second already written is newer", Lie { event: 1, ..truth }),
        ("the clocks of replies do not lag", Lie { answered: -CLOCK_SKEW, ..truth }),
        ("they lag by less", Lie { answered: -1, ..truth }),
        ("a deletion is announced at once", Lie { created: EVALUATION_LAG, ..truth }),
        ("it is announced sooner", Lie { created: 1, ..truth }),
        ("a page's row of a second already written is newer", Lie { row: 1, ..truth }),
        ("a restart may forget what was written", Lie { state: Some(|position| position.fence = None), ..truth }),
        ("it may forget the rest of history", Lie { state: Some(|position| position.reads.clear()), ..truth }),
        (
            "a position may be that of an event not written",
            Lie {
                state: Some(|position| {
                    position.replay = position.replay.and_then(|replay| ReplayId::new(replay.get() + 2));
                }),
                ..truth
            },
        ),
    ];
    for (rule, lie) in lies {
        let worlds = [ONE_RECORD_IN_A_SECOND, World { changes: 2, ..TWO_RECORDS }];
        assert!(worlds.into_iter().any(|world| play(world, lie).is_err()), "{rule}");
    }
}
