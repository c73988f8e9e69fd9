//! Changes that wait, by record. Of one record at most one row is on its way; what comes after it waits behind it, in order. Changes
//! that come to the same when written at once are folded into one row. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use crate::{
    Operation,
    fields::{Address, Fitted},
    row::Row,
};

/// Which of the sink's targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TargetId(pub(crate) u32);

/// A number for each change, in the order of their coming.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Seq(pub(crate) u64);

/// One change that waits.
#[derive(Debug)]
pub(crate) struct Part<T> {
    pub(crate) seq: Seq,
    pub(crate) operation: Operation,
    pub(crate) address: Address,
    pub(crate) row: Row,
    /// Whether it has to be written by itself: it was part of a row that was rejected.
    alone: bool,
    /// What belongs to the change and is not looked at here.
    pub(crate) tag: T,
}

/// Changes of one record that are written as one row. There is at least one.
#[derive(Debug)]
pub(crate) struct Run<T> {
    record: Record,
    pub(crate) parts: Vec<Part<T>>,
    /// Whether others wait for it.
    travels: bool,
}

impl<T> Run<T> {
    pub(crate) fn first(&self) -> &Part<T> {
        &self.parts[0]
    }

    /// What is written: the later change over the earlier.
    pub(crate) fn row(&self) -> Row {
        let mut row = self.first().row.clone();
        for part in &self.parts[1..] {
            row.overlay(part.row.clone());
        }
        row
    }

    /// About how long it is when written, in bytes.
    pub(crate) fn size(&self) -> usize {
        const AROUND: usize = 64;
        AROUND + self.parts.iter().map(|part| part.row.size()).sum::<usize>()
    }
}

/// A record, or something without a name that is nobody else's business.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Record {
    Named(TargetId, Box<str>),
    Nameless(TargetId, Seq),
}

impl Record {
    fn target(&self) -> TargetId {
        match self {
            Record::Named(target, _) | Record::Nameless(target, _) => *target,
        }
    }
}

/// The changes of one record.
#[derive(Debug)]
struct Lane<T> {
    waiting: VecDeque<Part<T>>,
    on_its_way: bool,
}

/// All changes that wait or are on their way.
#[derive(Debug)]
pub(crate) struct Window<T> {
    lanes: HashMap<Record, Lane<T>>,
    /// The first change of each record that has none on its way.
    heads: BTreeMap<(TargetId, Operation), BTreeMap<Seq, Record>>,
    /// Everything without a receipt.
    open: BTreeMap<TargetId, BTreeSet<Seq>>,
    /// What is on its way, by target and operation.
    travelling: HashMap<(TargetId, Operation), usize>,
    next: Seq,
}

impl<T> Window<T> {
    pub(crate) fn new() -> Window<T> {
        Window {
            lanes: HashMap::new(),
            heads: BTreeMap::new(),
            open: BTreeMap::new(),
            travelling: HashMap::new(),
            next: Seq(0),
        }
    }

    /// Puts a change behind those of the same record.
    pub(crate) fn push(&mut self, target: TargetId, operation: Operation, fitted: Fitted, tag: T) {
        let seq = self.next;
        self.next = Seq(seq.0 + 1);
        self.open.entry(target).or_default().insert(seq);
        let record = match fitted.identity {
            Some(name) => Record::Named(target, name),
            None => Record::Nameless(target, seq),
        };
        let part = Part { seq, operation, address: fitted.address, row: fitted.row, alone: false, tag };
        let lane =
            self.lanes.entry(record.clone()).or_insert_with(|| Lane { waiting: VecDeque::new(), on_its_way: false });
        if lane.waiting.is_empty() && !lane.on_its_way {
            self.heads.entry((target, operation)).or_default().insert(seq, record);
        }
        lane.waiting.push_back(part);
    }

    /// How many changes have no receipt yet.
    pub(crate) fn len(&self) -> usize {
        self.open.values().map(BTreeSet::len).sum()
    }

    /// The number the next change will get.
    pub(crate) fn next_seq(&self) -> Seq {
        self.next
    }

    /// The oldest change that has no receipt.
    pub(crate) fn oldest(&self) -> Option<Seq> {
        self.open.values().filter_map(|open| open.first().copied()).min()
    }

    /// How many rows of a target and an operation could be sent now.
    pub(crate) fn ready(&self, target: TargetId, operation: Operation) -> usize {
        self.heads.get(&(target, operation)).map_or(0, BTreeMap::len)
    }

    /// The oldest change that could be sent now.
    pub(crate) fn oldest_ready(&self, target: TargetId, operation: Operation) -> Option<&Part<T>> {
        let (_, record) = self.heads.get(&(target, operation))?.first_key_value()?;
        self.lanes.get(record)?.waiting.front()
    }

    /// The newest change that could be sent now.
    pub(crate) fn newest_ready(&self, target: TargetId, operation: Operation) -> Option<&Part<T>> {
        let (_, record) = self.heads.get(&(target, operation))?.last_key_value()?;
        self.lanes.get(record)?.waiting.front()
    }

    /// The oldest change of a target that has no receipt.
    pub(crate) fn oldest_open(&self, target: TargetId) -> Option<Seq> {
        self.open.get(&target)?.first().copied()
    }

    /// How many rows of a target and an operation are on their way.
    pub(crate) fn travelling(&self, target: TargetId, operation: Operation) -> usize {
        self.travelling.get(&(target, operation)).copied().unwrap_or(0)
    }

    /// Takes rows that may be sent now, oldest first, until there are enough or they are long enough, and marks their records as on
    /// their way.
    pub(crate) fn take(
        &mut self,
        target: TargetId,
        operation: Operation,
        rows: usize,
        bytes: usize,
        mut fits: impl FnMut(&Part<T>) -> bool,
    ) -> Vec<Run<T>> {
        let Some(heads) = self.heads.get_mut(&(target, operation)) else { return Vec::new() };
        let mut runs: Vec<Run<T>> = Vec::new();
        let mut size = 0;
        let mut taken = Vec::new();
        for (&seq, record) in heads.iter() {
            if runs.len() >= rows || (size >= bytes && !runs.is_empty()) {
                break;
            }
            let Some(lane) = self.lanes.get_mut(record) else { continue };
            if !lane.waiting.front().is_some_and(&mut fits) {
                continue;
            }
            lane.on_its_way = true;
            let run = Run { record: record.clone(), parts: lane.fold(), travels: true };
            size += run.size();
            runs.push(run);
            taken.push(seq);
        }
        for seq in &taken {
            heads.remove(seq);
        }
        *self.travelling.entry((target, operation)).or_default() += runs.len();
        runs
    }

    /// Closes the changes of a row, which have their receipts; what waits behind them may go.
    pub(crate) fn settle(&mut self, mut run: Run<T>) -> Vec<T> {
        self.park(&mut run);
        let open = self.open.entry(run.record.target()).or_default();
        for part in &run.parts {
            open.remove(&part.seq);
        }
        self.release(run.record);
        run.parts.into_iter().map(|part| part.tag).collect()
    }

    /// Puts the changes of a row back, before all others of the record, to be written one by one.
    pub(crate) fn take_apart(&mut self, mut run: Run<T>) {
        self.park(&mut run);
        if let Some(lane) = self.lanes.get_mut(&run.record) {
            for part in run.parts.into_iter().rev() {
                lane.waiting.push_front(Part { alone: true, ..part });
            }
        }
        self.release(run.record);
    }

    /// A row is not on its way any more. Other records need not wait for it; those of its own record still do.
    pub(crate) fn park(&mut self, run: &mut Run<T>) {
        let kind = (run.record.target(), run.first().operation);
        if let (true, Some(count)) = (std::mem::take(&mut run.travels), self.travelling.get_mut(&kind)) {
            *count -= 1;
        }
    }

    /// Lets the next change of a record go, or forgets the record.
    fn release(&mut self, record: Record) {
        let Some(lane) = self.lanes.get_mut(&record) else { return };
        lane.on_its_way = false;
        match lane.waiting.front() {
            Some(next) => {
                let kind = (record.target(), next.operation);
                self.heads.entry(kind).or_default().insert(next.seq, record);
            }
            None => {
                self.lanes.remove(&record);
            }
        }
    }
}

impl<T> Lane<T> {
    /// The first change, with all behind it that come to the same when written with it.
    fn fold(&mut self) -> Vec<Part<T>> {
        let mut parts: Vec<Part<T>> = self.waiting.pop_front().into_iter().collect();
        while let (Some(before), Some(next)) = (parts.first(), self.waiting.front()) {
            if !folds(before, next) {
                break;
            }
            parts.extend(self.waiting.pop_front());
        }
        parts
    }
}

/// Whether two changes of one record may be written as one. A delete is an end, and what follows it a beginning. An insert takes up an
/// update, unless that empties a field: an insert leaves nulls out, and a default would take their place.
fn folds<T>(first: &Part<T>, next: &Part<T>) -> bool {
    use Operation::{Insert, Update, Upsert};
    let together = match (first.operation, next.operation) {
        (Update, Update) | (Upsert, Upsert) => true,
        (Insert, Update) => !next.row.clears() && next.row.can_be_created(),
        _ => false,
    };
    together && !first.alone && !next.alone
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::row::{Cell, Column};

    fn row(fields: &[(&str, Cell)]) -> Row {
        let mut row = Row::default();
        for (name, cell) in fields {
            let column = Column { field: name.parse().unwrap(), createable: *name != "Late", parent: None };
            row.set(Arc::new(column), cell.clone());
        }
        row
    }

    const HERE: TargetId = TargetId(0);

    /// Changes of one record, given as operation and row: what is sent, one row after the other.
    fn sent(changes: &[(Operation, Row)]) -> Vec<String> {
        let mut window = Window::new();
        for (nth, (operation, row)) in changes.iter().enumerate() {
            let fitted =
                Fitted { address: Address::New, identity: Some("k".into()), row: row.clone(), unknown: Vec::new() };
            window.push(HERE, *operation, fitted, nth);
        }
        let mut sent = Vec::new();
        while window.len() > 0 {
            let run =
                Operation::ALL.into_iter().find_map(|operation| window.take(HERE, operation, 1, 1, |_| true).pop());
            let run = run.expect("something can go as long as anything is there");
            // While it is on its way, nothing else of this record is.
            assert!(Operation::ALL.into_iter().all(|operation| window.ready(HERE, operation) == 0));
            sent.push(format!("{} {}", run.first().operation, run.row().shown(None)));
            window.settle(run);
        }
        sent
    }

    #[test]
    fn changes_of_one_record_are_folded_or_sent_in_order() {
        use Operation::{Delete, Insert, Update, Upsert};
        let one = || row(&[("A", Cell::text("1")), ("B", Cell::text("1"))]);
        let two = || row(&[("B", Cell::Null), ("C", Cell::literal("2"))]);
        let three = || row(&[("B", Cell::text("3"))]);
        let late = || row(&[("Late", Cell::text("4"))]);
        let none = Row::default;
        for (changes, expect) in [
            (&[(Update, one()), (Update, two())][..], &[r#"update {"A":"1","B":null,"C":2}"#][..]),
            (&[(Upsert, one()), (Upsert, three())], &[r#"upsert {"A":"1","B":"3"}"#]),
            (&[(Insert, one()), (Update, three())], &[r#"insert {"A":"1","B":"3"}"#]),
            // An insert cannot say null, nor write what only an update can.
            (&[(Insert, one()), (Update, two())], &[r#"insert {"A":"1","B":"1"}"#, r#"update {"B":null,"C":2}"#]),
            (&[(Insert, one()), (Update, late())], &[r#"insert {"A":"1","B":"1"}"#, r#"update {"Late":"4"}"#]),
            (&[(Update, one()), (Delete, none())], &[r#"update {"A":"1","B":"1"}"#, "delete {}"]),
            (&[(Delete, none()), (Upsert, three())], &["delete {}", r#"upsert {"B":"3"}"#]),
            (&[(Delete, none()), (Delete, none())], &["delete {}", "delete {}"]),
            (&[(Insert, none()), (Insert, three())], &["insert {}", r#"insert {"B":"3"}"#]),
            (&[(Update, three()), (Upsert, three())], &[r#"update {"B":"3"}"#, r#"upsert {"B":"3"}"#]),
        ] {
            assert_eq!(sent(changes), expect);
        }
    }

    #[test]
    fn what_was_refused_together_is_sent_one_by_one_before_what_came_later() {
        let mut window = Window::new();
        let change = |name: &str| Fitted {
            address: Address::New,
            identity: Some("k".into()),
            row: row(&[(name, Cell::text("1"))]),
            unknown: Vec::new(),
        };
        window.push(HERE, Operation::Update, change("A"), 'a');
        window.push(HERE, Operation::Update, change("B"), 'b');
        let together = window.take(HERE, Operation::Update, 9, 9_999, |_| true).pop().unwrap();
        assert_eq!(together.row().shown(None).get(), r#"{"A":"1","B":"1"}"#);
        window.push(HERE, Operation::Update, change("C"), 'c');
        window.take_apart(together);
        let mut order = Vec::new();
        while let Some(run) = window.take(HERE, Operation::Update, 9, 9_999, |_| true).pop() {
            order.extend(window.settle(run));
        }
        assert_eq!((order, window.len()), (vec!['a', 'b', 'c'], 0));
    }
}
