//! Random histories of everything that the rules argue about: changes within one second, events in reverse and again, rows that become visible
//! late, long transactions, reads answered late, crashes that lose what was not acknowledged, topics made anew, positions refused, rows
//! loaded in bulk and deletions in cascade that nothing announces, purged rows, Bulk jobs whose rows are read one by one while others change,
//! and sessions that poll where others streamed, and begin to stream when there is room for a topic.

use proptest::prelude::*;

use super::{
    capture::{Capture, Lie, Setup},
    org::{Change, LATE, LATE_TWICE, Org},
};

/// Records in the org.
const RECORDS: u8 = 4;

/// Rows of a page.
const PAGE: usize = 2;

/// Seconds between two readings of the list of deletions, where not each read ends with it.
const LISTS: i64 = 1_000;

/// One thing that happens.
#[derive(Debug, Clone)]
enum Step {
    /// A transaction writes its record so many times, and is visible `late` seconds after its stamp.
    Change {
        change: Change,
        late: i64,
        times: u8,
    },
    /// A record is changed in silence.
    Silent {
        change: Change,
        late: i64,
    },
    /// A long transaction begins, if none is open and the org tells of it.
    Begin {
        change: Change,
        silent: bool,
    },
    /// It is committed.
    Commit,
    /// A deleted record is purged.
    Purge(u8),
    /// A record is deleted in silence, and purged before anybody can see it in the recycle bin.
    Vanish(u8),
    /// Time passes.
    Wait(i64),
    /// The next events are delivered.
    Deliver(usize),
    /// The streaming session is lost.
    Reconnect,
    ReadPage,
    /// So many rows of the page on its way are written.
    WritePage(usize),
    CreateJob,
    RunJob,
    WriteJob(usize),
    LoseJob,
    ReadFetch,
    WriteFetch,
    /// The process dies; so many of the last commits were not acknowledged.
    Crash(usize),
    Refuse,
    /// The topic is made anew while no session runs.
    Recreate,
    /// The next session polls where this one streams, or the other way round.
    Switch,
    /// There is room for the topic of a session that polls.
    Room,
    /// The time of a poll or sweep has come.
    Sweep,
    /// It has come, and nothing happens until all is read.
    Turn,
    /// The time of a refresh has come.
    Refresh,
}

fn change() -> impl Strategy<Value = Change> {
    (0..RECORDS, any::<bool>()).prop_map(|(record, delete)| Change { record, delete })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (change(), 0..=LATE, 1..3_u8).prop_map(|(change, late, times)| Step::Change { change, late, times }),
        2 => (change(), 0..=LATE).prop_map(|(change, late)| Step::Silent { change, late }),
        1 => (change(), any::<bool>()).prop_map(|(change, silent)| Step::Begin { change, silent }),
        1 => Just(Step::Commit),
        1 => (0..RECORDS).prop_map(Step::Purge),
        1 => (0..RECORDS).prop_map(Step::Vanish),
        4 => (1..4_i64).prop_map(Step::Wait),
        2 => Just(Step::Wait(90)),
        // So long that what was just written is covered.
        2 => Just(Step::Wait(400)),
        6 => (1..4_usize).prop_map(Step::Deliver),
        1 => Just(Step::Reconnect),
        5 => Just(Step::ReadPage),
        5 => (1..3_usize).prop_map(Step::WritePage),
        4 => Just(Step::CreateJob),
        8 => Just(Step::RunJob),
        4 => (1..3_usize).prop_map(Step::WriteJob),
        1 => Just(Step::LoseJob),
        4 => Just(Step::ReadFetch),
        4 => Just(Step::WriteFetch),
        1 => (0..4_usize).prop_map(Step::Crash),
        1 => Just(Step::Refuse),
        1 => Just(Step::Recreate),
        1 => Just(Step::Switch),
        1 => Just(Step::Room),
        3 => Just(Step::Sweep),
        3 => Just(Step::Turn),
        1 => Just(Step::Refresh),
    ]
}

fn apply(capture: &mut Capture, tells: bool, step: &Step) {
    match *step {
        Step::Change { change, late, times } => {
            let late = if times > 1 { late.min(LATE_TWICE) } else { late };
            capture.org.transact(&vec![change; times.into()], late);
        }
        Step::Silent { change, late } => capture.org.change_in_silence(change, late),
        Step::Begin { change, silent } if tells => capture.org.begin(change, silent),
        Step::Begin { .. } => {}
        Step::Commit => capture.org.commit(),
        Step::Purge(record) => capture.org.purge(record),
        Step::Vanish(record) => {
            capture.org.change_in_silence(Change { record, delete: true }, 0);
            capture.org.purge(record);
        }
        Step::Wait(seconds) => capture.org.now += seconds,
        Step::Deliver(events) => (0..events).for_each(|_| _ = capture.deliver()),
        Step::Reconnect => capture.reconnect(),
        Step::ReadPage => _ = capture.read_page(),
        Step::WritePage(rows) => _ = capture.write_page(rows),
        Step::CreateJob => _ = capture.create_job(),
        Step::RunJob => capture.run_job(),
        Step::WriteJob(rows) => capture.write_job(rows),
        Step::LoseJob => capture.lose_job(),
        Step::ReadFetch => _ = capture.read_fetch(),
        Step::WriteFetch => _ = capture.write_fetch(),
        Step::Crash(lost) => capture.crash(lost),
        Step::Refuse => capture.refuse(),
        Step::Recreate => {
            capture.org.recreate_topic();
            capture.crash(0);
        }
        Step::Switch => {
            capture.polls = !capture.polls;
            capture.crash(0);
        }
        Step::Room => capture.find_room(),
        Step::Sweep => capture.sweep(),
        Step::Turn => {
            capture.sweep();
            for _ in 0..RECORDS {
                capture.read_page();
                capture.write_page(PAGE);
                capture.read_fetch();
                capture.write_fetch();
            }
        }
        Step::Refresh => capture.refresh(),
    }
}

/// Nothing changes any more, all that is on its way arrives, and a last sweep passes.
fn settle(capture: &mut Capture) {
    capture.org.commit();
    capture.org.now += 600 + LISTS;
    let mut swept = false;
    for _ in 0..1_000 {
        if swept && capture.rests() {
            return;
        }
        capture.deliver();
        if !swept && capture.awaits_sweep() {
            swept = true;
            capture.sweep();
        }
        capture.read_page();
        capture.write_page(PAGE);
        capture.run_job();
        capture.write_job(PAGE);
        capture.read_fetch();
        capture.write_fetch();
    }
    panic!("the capture does not come to rest: {capture:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the order of things, no row is followed by an older one, and after a last sweep the collection is the org.
    #[test]
    fn whatever_happens_the_collection_becomes_the_org(
        tells in any::<bool>(),
        keeps in any::<bool>(),
        // The last sweep reads the list in any case.
        lists in prop_oneof![Just(0), Just(LISTS)],
        // A transaction that was begun so many seconds before the first session.
        open in prop::option::of((change(), any::<bool>(), 0..1_000_i64)),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut org = Org::with(RECORDS / 2);
        if let Some((change, silent, age)) = open.filter(|_| tells) {
            org.begin(change, silent);
            org.now += age;
        }
        let setup = Setup { whole: true, tells, page: PAGE, job: 3, keeps, lists, unacknowledged: 4, lie: Lie::default() };
        let mut capture = Capture::new(setup, org);
        for step in &steps {
            apply(&mut capture, tells, step);
        }
        settle(&mut capture);
        prop_assert_eq!(capture.wrong(), None);
        prop_assert_eq!(capture.difference(), None);
    }
}

/// A binding whose history was polled, and not to its end, is streamed: what is left of its reads is in the state although it has not
/// subscribed yet. The last session is killed before it has.
#[test]
fn reads_outlive_a_session_that_never_subscribes() {
    use Step::{CreateJob, Recreate, Refuse, RunJob, Switch, WriteJob};
    let change = |times| Step::Change { change: Change { record: 0, delete: true }, late: 0, times };
    let steps =
        [CreateJob, RunJob, change(1), Refuse, RunJob, RunJob, change(2), Switch, Switch, WriteJob(1), Recreate];
    let setup = Setup {
        whole: true,
        tells: false,
        page: PAGE,
        job: 3,
        keeps: false,
        lists: 0,
        unacknowledged: 4,
        lie: Lie::default(),
    };
    let mut capture = Capture::new(setup, Org::with(RECORDS / 2));
    for step in &steps {
        apply(&mut capture, false, step);
    }
    settle(&mut capture);
    assert_eq!((capture.wrong(), capture.difference()), (None, None));
}
