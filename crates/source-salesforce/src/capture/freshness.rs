//! Which of two rows is newer: the rule that keeps an older row from following a newer one.
//!
//! Three feeds write rows of one object: events of its channel, pages of its history, and fetches by id. Salesforce gives
//! no version number to order them by. `SystemModstamp` has a resolution of one second, events of one transaction arrive in
//! reverse, and an event may be delivered long after a read has seen its change. So comparing decides only where it cannot
//! err; in all other cases the row is fetched by id, because a read that *starts* now sees everything that was announced
//! before now.
//!
//! The argument, for one row:
//!
//! 1. Each written row stands for a state of the record. Let its *second* be the `SystemModstamp` of an event's row, or the
//!    time at which a read was answered (plus [`CLOCK_SKEW`], because that time comes from another machine's clock).
//!    No later change of the record can carry a stamp below that of an earlier one: modstamps never go back.
//! 2. An event whose stamp is **greater** than every second noted for its row is newer than every row written: it was changed
//!    after all of them. It is written as it is. Equal or smaller: nobody can tell, so it is fetched.
//! 3. What this structure forgets, it forgets upwards: a dropped entry raises [`Freshness::floor`], which stands for every row. A
//!    restart forgets everything, so the newest second ever noted is part of the state and becomes the floor.
//!    Forgetting costs fetches; it never costs order.
//! 4. A page row is written unless its record was written or announced while the page was being read, see [`PageRead`].

use std::collections::{BTreeMap, HashMap, VecDeque};

use foldhash::fast::RandomState;
use salesforce_client::RecordId;

use super::second::Second;

/// How far the clock behind a reply's `Date` header may lag the clock that stamps records.
pub const CLOCK_SKEW: i64 = 2;

/// An event tells when it was created, not when its change was committed; a delete event tells nothing else. Salesforce
/// evaluates topics about once a second; ten times that is allowed for. A transaction that deletes *and* restores one record, and
/// takes longer than this, is the one case that is not.
pub const EVALUATION_LAG: i64 = 10;

/// Records whose last written second is remembered one by one.
const RECENT: usize = 20_000;

/// Pages whose time of reading is remembered one by one.
const PAGES: usize = 64;

/// What is remembered of the rows written for one binding.
#[derive(Debug, Clone)]
pub struct Freshness {
    floor: Second,
    newest: Second,
    recent: HashMap<RecordId, Second, RandomState>,
    noted: VecDeque<(RecordId, Second)>,
    pages: VecDeque<(RecordId, Second)>,
}

impl Freshness {
    /// Nothing is known but that no row newer than `floor` was written.
    pub fn new(floor: Second) -> Self {
        Self { floor, newest: floor, recent: HashMap::default(), noted: VecDeque::new(), pages: VecDeque::new() }
    }

    /// The newest second noted for any row: the floor of a successor that remembers nothing else.
    pub fn newest(&self) -> Second {
        self.newest
    }

    /// Whether a state of `id` stamped `second` is newer than all that was written for it, beyond doubt.
    pub fn is_newer(&self, id: RecordId, second: Second) -> bool {
        let page = self.pages.iter().find(|(upper, _)| id <= *upper).map(|(_, read)| *read);
        let covered = [self.recent.get(&id).copied(), page, Some(self.floor)].into_iter().flatten().max();
        covered.is_none_or(|covered| second > covered)
    }

    /// A row of `id` stamped `second` was written from an event.
    pub fn wrote_event(&mut self, id: RecordId, second: Second) {
        self.note(id, second);
    }

    /// A row of `id`, read by id and answered at `answered`, was written.
    pub fn wrote_fetched(&mut self, id: RecordId, answered: Second) {
        self.note(id, answered.plus(CLOCK_SKEW));
    }

    /// All rows of a page up to and including `upper` were written; the page was answered at `answered`.
    /// Pages of one read come in the order of their ids; parts of a page in the same order.
    pub fn wrote_page(&mut self, upper: RecordId, answered: Second) {
        let read = answered.plus(CLOCK_SKEW);
        self.newest = self.newest.max(read);
        match self.pages.back_mut() {
            Some(last) if last.1 == read => last.0 = upper,
            _ => self.pages.push_back((upper, read)),
        }
        if self.pages.len() > PAGES
            && let Some((_, read)) = self.pages.pop_front()
        {
            self.floor = self.floor.max(read);
        }
    }

    /// Another read through the object begins at its lowest id.
    pub fn read_begins(&mut self) {
        let last = self.pages.iter().map(|(_, read)| *read).max();
        self.floor = self.floor.max(last.unwrap_or(self.floor));
        self.pages.clear();
    }

    fn note(&mut self, id: RecordId, second: Second) {
        self.newest = self.newest.max(second);
        let known = self.recent.entry(id).or_insert(second);
        *known = second.max(*known);
        self.noted.push_back((id, second));
        while self.noted.len() > RECENT {
            let Some((id, second)) = self.noted.pop_front() else { break };
            if self.recent.get(&id).is_some_and(|known| *known == second) {
                self.recent.remove(&id);
                self.floor = self.floor.max(second);
            }
        }
    }
}

/// What is to be done with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is newer than all that was written for its record: write it.
    Write,
    /// A newer row of its record was written already: leave it out.
    Drop,
    /// Nobody can tell: fetch the record by id.
    Fetch,
}

/// One page of history, or the results of one Bulk job, on the way: from the moment the request is sent until the last row is written.
///
/// The rows were read at some moment in between. What was written for a record *before* the request was sent is older
/// than its page row or the same. What is written *since* may be either, and is remembered here with its stamp.
#[derive(Debug, Clone, Default)]
pub struct PageRead {
    since: BTreeMap<RecordId, Second>,
}

impl PageRead {
    /// One that an earlier session has begun, in which this was written since.
    pub fn resuming(since: BTreeMap<RecordId, Second>) -> Self {
        Self { since }
    }

    /// A row of `id` stamped `second` was written while the page is on its way.
    pub fn wrote(&mut self, id: RecordId, second: Second) {
        let known = self.since.entry(id).or_insert(second);
        *known = second.max(*known);
    }

    /// What to do with the page's row of `id`. A row without a stamp is older than anything.
    pub fn judge(&self, id: RecordId, stamp: Option<Second>) -> Verdict {
        match (self.since.get(&id), stamp) {
            (None, _) => Verdict::Write,
            (Some(written), Some(stamp)) if stamp > *written => Verdict::Write,
            (Some(written), Some(stamp)) if stamp < *written => Verdict::Drop,
            _ => Verdict::Fetch,
        }
    }

    /// Rows up to and including `upper` have been passed: what is remembered of their records is not needed any more.
    pub fn passed(&mut self, upper: RecordId) {
        self.since = self.since.split_off(&upper);
        self.since.remove(&upper);
    }

    /// What was written since, of the records that are not passed.
    pub fn since(&self) -> &BTreeMap<RecordId, Second> {
        &self.since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> RecordId {
        format!("0015f000000000{}", char::from(b'A' + n)).parse().unwrap()
    }

    fn at(second: i64) -> Second {
        Second::new(second)
    }

    #[test]
    fn equality_decides_nothing() {
        let mut known = Freshness::new(at(0));
        assert!(known.is_newer(id(1), at(10)));
        known.wrote_event(id(1), at(10));
        assert!(!known.is_newer(id(1), at(10)));
        assert!(known.is_newer(id(1), at(11)));
        assert!(known.is_newer(id(2), at(10)), "another record is another matter");
    }

    #[test]
    fn a_read_covers_what_it_may_have_seen() {
        let mut known = Freshness::new(at(0));
        known.wrote_fetched(id(1), at(10));
        assert!(!known.is_newer(id(1), at(10 + CLOCK_SKEW)));
        assert!(known.is_newer(id(1), at(11 + CLOCK_SKEW)));
        known.wrote_page(id(3), at(20));
        assert!(!known.is_newer(id(2), at(20)));
        assert!(known.is_newer(id(4), at(20)), "beyond the page nothing was read");
        known.wrote_page(id(5), at(30));
        assert!(known.is_newer(id(2), at(25)), "its own page was answered at 20");
        assert!(!known.is_newer(id(5), at(25)));
    }

    #[test]
    fn forgetting_raises_the_floor() {
        let mut known = Freshness::new(at(0));
        known.wrote_page(id(1), at(10));
        known.read_begins();
        assert!(!known.is_newer(id(9), at(10)), "after a second read began, the first covers every id");
        for n in 0..=RECENT {
            let id = format!("0015f00000{n:05}").parse().unwrap();
            known.wrote_event(id, at(100));
        }
        assert!(!known.is_newer("0015f0000000000".parse().unwrap(), at(100)));
        assert!(!known.is_newer(id(9), at(100)), "the floor stands for every record");
        assert_eq!(known.newest(), at(100));
    }

    #[test]
    fn a_page_row_yields_to_what_was_written_meanwhile() {
        let mut page = PageRead::default();
        page.wrote(id(1), at(10));
        let cases = [
            (id(2), Some(at(10)), Verdict::Write),
            (id(2), None, Verdict::Write),
            (id(1), Some(at(9)), Verdict::Drop),
            (id(1), Some(at(10)), Verdict::Fetch),
            (id(1), Some(at(11)), Verdict::Write),
            (id(1), None, Verdict::Fetch),
        ];
        for (id, stamp, verdict) in cases {
            assert_eq!(page.judge(id, stamp), verdict, "{id} {stamp:?}");
        }
        page.wrote(id(3), at(10));
        page.passed(id(1));
        assert_eq!(page.since().keys().collect::<Vec<_>>(), [&id(3)]);
    }
}
