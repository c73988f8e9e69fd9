//! Which rows go next, and how. One batch holds rows of one target and one operation, so that no header is meant for half of it.
//! Parents are written before their children, and deleted after them. Pure.

use std::collections::HashMap;

use salesforce_client::SObjectName;

use crate::{
    Operation,
    prepare::Prepared,
    target::{MatchBy, WriteOptions},
    window::{Part, Run, Seq, TargetId, Window},
};

/// How rows travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Route {
    /// Up to 200 rows a call; jobs when so many rows wait that they are cheaper.
    #[default]
    Auto,
    /// One row a call, for who must have it so.
    Single,
    /// Up to 200 rows a call, however many wait.
    Collections,
    /// Jobs, wherever Bulk can do the operation; else up to 200 rows a call.
    Bulk,
}

/// How the rows of one batch travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    Single,
    Collection,
    Bulk,
}

/// How large batches are.
#[derive(Clone, Debug)]
pub(crate) struct Sizes {
    pub(crate) route: Route,
    /// Rows of a call.
    pub(crate) rows: usize,
    /// After so many bytes a call gets no more rows.
    pub(crate) bytes: usize,
    /// With so many rows waiting a job is cheaper than calls.
    pub(crate) bulk_from: usize,
    /// Rows of a job.
    pub(crate) bulk_rows: usize,
    /// After so many bytes a job gets no more rows.
    pub(crate) bulk_bytes: usize,
    /// Rows whose Ids are asked for together, where they go by calls.
    pub(crate) lookup_rows: usize,
}

impl Sizes {
    /// Whether so many rows go as a job, where Bulk can do it.
    pub(crate) fn are_worth_a_job(&self, rows: usize) -> bool {
        match self.route {
            Route::Bulk => true,
            Route::Auto => rows >= self.bulk_from,
            Route::Single | Route::Collections => false,
        }
    }
}

/// What planning knows of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Site {
    /// Targets whose records this one refers to. There is no circle.
    pub(crate) parents: Vec<TargetId>,
    /// Operations that Bulk can do.
    pub(crate) bulk: Vec<Operation>,
    /// Operations that are done by Id, which is asked for first: only an upsert can name many records by an external id.
    pub(crate) asks: Vec<Operation>,
}

/// Rows of one target and operation.
#[derive(Debug)]
pub(crate) struct Batch<T> {
    pub(crate) target: TargetId,
    pub(crate) operation: Operation,
    pub(crate) way: Way,
    pub(crate) runs: Vec<Run<T>>,
}

/// The sites of targets, in their order. Of references that run in a circle, those that close it order nothing.
pub(crate) fn sites(targets: &[impl AsRef<Prepared>]) -> Vec<Site> {
    let ids: HashMap<&SObjectName, Vec<TargetId>> = (0_u32..).zip(targets).fold(HashMap::new(), |mut ids, (id, it)| {
        ids.entry(&it.as_ref().target.object).or_insert_with(Vec::new).push(TargetId(id));
        ids
    });
    let parents_of = |id: usize| -> Vec<TargetId> {
        let parents = targets[id].as_ref().parents.iter().filter_map(|object| ids.get(object)).flatten();
        parents.copied().filter(|parent| parent.0 as usize != id).collect()
    };
    let site = |prepared: &Prepared| Site { parents: Vec::new(), bulk: bulk(prepared), asks: asks(prepared) };
    let mut sites: Vec<Site> = targets.iter().map(|target| site(target.as_ref())).collect();
    for child in 0..targets.len() {
        for parent in parents_of(child) {
            if !leads_to(&sites, parent, TargetId(child as u32)) {
                sites[child].parents.push(parent);
            }
        }
    }
    sites
}

/// Whether one site is another or has it among those above it.
fn leads_to(sites: &[Site], from: TargetId, to: TargetId) -> bool {
    from == to || sites[from.0 as usize].parents.iter().any(|&parent| leads_to(sites, parent, to))
}

fn bulk(prepared: &Prepared) -> Vec<Operation> {
    // Jobs take no headers that change how they write.
    if prepared.target.options != WriteOptions::default() {
        return Vec::new();
    }
    vec![Operation::Insert, Operation::Update, Operation::Upsert, Operation::Delete]
}

fn asks(prepared: &Prepared) -> Vec<Operation> {
    match prepared.target.match_by {
        MatchBy::Id => Vec::new(),
        MatchBy::ExternalId(_) => vec![Operation::Update, Operation::Delete],
    }
}

/// The next batch, if any is `due`: there are rows enough for a full one, or the oldest of them must wait no longer.
pub(crate) fn next<T>(
    window: &mut Window<T>,
    sites: &[Site],
    sizes: &Sizes,
    due: impl Fn(&Part<T>) -> bool,
    fits_csv: impl Fn(&Part<T>) -> bool,
) -> Option<Batch<T>> {
    for (id, site) in (0..).map(TargetId).zip(sites) {
        for operation in Operation::ALL {
            let Some(bound) = bound(window, sites, site, id, operation) else { continue };
            let ready = window.ready(id, operation);
            let oldest = window.oldest_ready(id, operation).filter(|part| part.seq < bound);
            let Some(oldest) = oldest else { continue };
            if ready < sizes.rows && !due(oldest) {
                continue;
            }
            let bulk = site.bulk.contains(&operation) && sizes.are_worth_a_job(ready);
            // They are parted when their Ids are known: what fills no call waits for others, as long as it may.
            let rest = if window.newest_ready(id, operation).is_some_and(&due) { 0 } else { ready % sizes.rows };
            let looked_up = if ready > rest { (ready - rest).min(sizes.lookup_rows) } else { ready };
            let mut take = |way, rows, bytes, fits: &dyn Fn(&Part<T>) -> bool| {
                let runs = window.take(id, operation, rows, bytes, |part| part.seq < bound && fits(part));
                (!runs.is_empty()).then_some(Batch { target: id, operation, way, runs })
            };
            let job = bulk.then(|| take(Way::Bulk, sizes.bulk_rows, sizes.bulk_bytes, &fits_csv)).flatten();
            let batch = job.or_else(|| match sizes.route {
                Route::Single => take(Way::Single, 1, sizes.bytes, &|_| true),
                _ if site.asks.contains(&operation) => take(Way::Collection, looked_up, sizes.bulk_bytes, &|_| true),
                Route::Auto | Route::Collections | Route::Bulk => {
                    take(Way::Collection, sizes.rows, sizes.bytes, &|_| true)
                }
            });
            if batch.is_some() {
                return batch;
            }
        }
    }
    None
}

/// Up to where changes of a site may go now; `None` if none may.
///
/// What is written waits for records that are being made above it. What is deleted waits for records that are being deleted below it, and
/// for everything below it that came before. Nothing waits for what waits for it: of each record only the first change is waited for, makers
/// wait for makers above them only, and deletes for deletes below them or for what came earlier.
fn bound<T>(window: &Window<T>, sites: &[Site], site: &Site, id: TargetId, operation: Operation) -> Option<Seq> {
    const END: Seq = Seq(u64::MAX);
    let under_way =
        |target: TargetId, operation| window.ready(target, operation) > 0 || window.travelling(target, operation) > 0;
    if operation == Operation::Delete {
        let children = (0..).map(TargetId).zip(sites).filter(|(_, child)| child.parents.contains(&id));
        let children: Vec<TargetId> = children.map(|(child, _)| child).collect();
        let being_deleted = children.iter().any(|child| under_way(*child, Operation::Delete));
        let earlier = children.iter().filter_map(|child| window.oldest_open(*child)).min();
        return (!being_deleted).then(|| earlier.unwrap_or(END));
    }
    let being_made = |parent: &TargetId| under_way(*parent, Operation::Insert) || under_way(*parent, Operation::Upsert);
    (!site.parents.iter().any(being_made)).then_some(END)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use proptest::prelude::*;

    use super::*;
    use crate::{
        fields::{Address, Fitted},
        row::Row,
    };

    const SIZES: Sizes = Sizes {
        route: Route::Auto,
        rows: 4,
        bytes: 1 << 20,
        bulk_from: 9,
        bulk_rows: 20,
        bulk_bytes: 1 << 20,
        lookup_rows: 8,
    };

    /// A window of changes, each a target, an operation and a key; the tag is its place.
    fn window(changes: &[(u32, Operation, Option<u8>)]) -> Window<usize> {
        let mut window = Window::new();
        for (nth, &(target, operation, key)) in changes.iter().enumerate() {
            let identity = key.map(|key| key.to_string().into());
            let fitted = Fitted { address: Address::New, identity, row: Row::default(), unknown: Vec::new() };
            window.push(TargetId(target), operation, fitted, nth);
        }
        window
    }

    fn site(parents: &[u32]) -> Site {
        let parents = parents.iter().copied().map(TargetId).collect();
        Site { parents, bulk: vec![Operation::Insert, Operation::Upsert], asks: vec![Operation::Update] }
    }

    /// Every batch until nothing is left, one after the other: target, operation, way and places.
    fn batches(changes: &[(u32, Operation, Option<u8>)], sites: &[Site], sizes: &Sizes) -> Vec<String> {
        let mut window = window(changes);
        let mut batches = Vec::new();
        while let Some(batch) = next(&mut window, sites, sizes, |_| true, |_| true) {
            let places: Vec<usize> = batch.runs.into_iter().flat_map(|run| window.settle(run)).collect();
            batches.push(format!("{} {} {:?} {places:?}", batch.target.0, batch.operation, batch.way));
        }
        assert_eq!(window.len(), 0);
        batches
    }

    #[test]
    fn batches_are_of_one_kind_and_no_larger_than_allowed() {
        use Operation::{Delete, Insert, Update, Upsert};
        let alone = [site(&[])];
        let of = |operation, count: u8| (0..count).map(|key| (0, operation, Some(key))).collect::<Vec<_>>();
        let mixed = [of(Upsert, 1), vec![(0, Delete, Some(7))]].concat();
        for (changes, route, expect) in [
            (of(Upsert, 6), Route::Auto, &["0 upsert Collection [0, 1, 2, 3]", "0 upsert Collection [4, 5]"][..]),
            (of(Upsert, 9), Route::Auto, &["0 upsert Bulk [0, 1, 2, 3, 4, 5, 6, 7, 8]"]),
            (of(Insert, 2), Route::Bulk, &["0 insert Bulk [0, 1]"]),
            (of(Delete, 2), Route::Bulk, &["0 delete Collection [0, 1]"]),
            (of(Upsert, 2), Route::Single, &["0 upsert Single [0]", "0 upsert Single [1]"]),
            // Ids are asked for many at a time.
            (of(Update, 7), Route::Auto, &["0 update Collection [0, 1, 2, 3, 4, 5, 6]"]),
            (of(Update, 9), Route::Auto, &["0 update Collection [0, 1, 2, 3, 4, 5, 6, 7]", "0 update Collection [8]"]),
            (of(Update, 1), Route::Single, &["0 update Single [0]"]),
            (mixed, Route::Auto, &["0 upsert Collection [0]", "0 delete Collection [1]"]),
        ] {
            assert_eq!(batches(&changes, &alone, &Sizes { route, ..SIZES }), expect);
        }
    }

    #[test]
    fn a_full_batch_goes_and_a_small_one_waits_until_it_is_due() {
        let change = |key| (0, Operation::Update, Some(key));
        let mut few = window(&[change(1), change(2), change(3)]);
        assert!(next(&mut few, &[site(&[])], &SIZES, |_| false, |_| true).is_none());
        let mut enough = window(&[change(1), change(2), change(3), change(4)]);
        assert_eq!(next(&mut enough, &[site(&[])], &SIZES, |_| false, |_| true).unwrap().runs.len(), 4);
        // Of those whose Ids are asked for, as many go as fill calls, or all that are due.
        let some = || window(&(0..7).map(change).collect::<Vec<_>>());
        for (due, taken) in [(0, 4), (6, 4), (7, 7)] {
            let batch = next(&mut some(), &[site(&[])], &SIZES, |part| part.tag < due, |_| true).unwrap();
            assert_eq!(batch.runs.len(), taken, "{due} are due");
        }
    }

    #[test]
    fn what_csv_cannot_say_goes_by_collections() {
        let changes: Vec<_> = (0..9).map(|key| (0, Operation::Upsert, Some(key))).collect();
        let mut window = window(&changes);
        let job = next(&mut window, &[site(&[])], &SIZES, |_| true, |part| part.tag != 3).unwrap();
        assert_eq!((job.way, job.runs.len()), (Way::Bulk, 8));
        let rest = next(&mut window, &[site(&[])], &SIZES, |_| true, |part| part.tag != 3).unwrap();
        assert_eq!((rest.way, rest.runs[0].first().tag), (Way::Collection, 3));
    }

    #[test]
    fn parents_come_first_and_go_last() {
        use Operation::{Delete, Insert, Upsert};
        // 0 refers to 1, and 2 to both.
        let sites = [site(&[1]), site(&[]), site(&[0, 1])];
        let made = [(0, Insert, Some(1)), (2, Insert, Some(1)), (1, Upsert, Some(1))];
        let expect = ["1 upsert Collection [2]", "0 insert Collection [0]", "2 insert Collection [1]"];
        assert_eq!(batches(&made, &sites, &SIZES), expect);
        let gone = [(0, Delete, Some(1)), (1, Delete, Some(1)), (2, Delete, Some(2)), (0, Delete, Some(2))];
        let expect = ["2 delete Collection [2]", "0 delete Collection [0, 3]", "1 delete Collection [1]"];
        assert_eq!(batches(&gone, &sites, &SIZES), expect);
        // While a parent is on its way, its children wait.
        let mut window = window(&[(1, Insert, None), (0, Insert, None)]);
        let parent = next(&mut window, &sites, &SIZES, |_| true, |_| true).unwrap();
        assert!(next(&mut window, &sites, &SIZES, |_| true, |_| true).is_none());
        parent.runs.into_iter().for_each(|run| drop(window.settle(run)));
        assert!(next(&mut window, &sites, &SIZES, |_| true, |_| true).is_some());
        // The parent is made anew after its delete: nothing waits for ever.
        let anew = [(0, Upsert, Some(1)), (1, Delete, Some(7)), (1, Upsert, Some(7))];
        let expect = ["0 upsert Collection [0]", "1 delete Collection [1]", "1 upsert Collection [2]"];
        assert_eq!(batches(&anew, &sites, &SIZES), expect);
    }

    proptest! {
        /// Whatever comes, and in whatever order batches end: every change is sent once, those of one key in their order, never two
        /// of one key at a time, and something can always go.
        #[test]
        fn nothing_is_lost_doubled_or_reordered(
            changes in proptest::collection::vec((0_u32..3, 0_usize..4, proptest::option::of(0_u8..6)), 0..80),
            ends in proptest::collection::vec((any::<prop::sample::Index>(), any::<bool>()), 400),
        ) {
            let changes: Vec<_> = changes.into_iter().map(|(target, op, key)| (target, Operation::ALL[op], key)).collect();
            let sites = [site(&[1]), site(&[]), site(&[0, 1])];
            let mut window = window(&changes);
            let (mut under_way, mut settled) = (Vec::<Batch<usize>>::new(), Vec::new());
            let mut ends = ends.into_iter().cycle();
            while window.len() > 0 {
                if let Some(batch) = next(&mut window, &sites, &SIZES, |_| true, |_| true) {
                    under_way.push(batch);
                    let keys: Vec<_> = under_way.iter().flat_map(|batch| batch.runs.iter().filter_map(|run| {
                        let (target, _, key) = changes[run.first().tag];
                        Some((target, key?))
                    })).collect();
                    prop_assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "one key twice");
                    if under_way.len() < 3 { continue }
                }
                prop_assert!(!under_way.is_empty(), "nothing can go");
                let (which, refused) = ends.next().unwrap();
                for run in under_way.swap_remove(which.index(under_way.len())).runs {
                    if refused && run.parts.len() > 1 { window.take_apart(run) } else { settled.extend(window.settle(run)) }
                }
            }
            let mut last: HashMap<(u32, u8), usize> = HashMap::new();
            for &nth in &settled {
                if let (target, _, Some(key)) = changes[nth] {
                    prop_assert!(last.insert((target, key), nth).is_none_or(|before| before < nth), "out of order");
                }
            }
            settled.sort_unstable();
            prop_assert_eq!(settled, (0..changes.len()).collect::<Vec<_>>());
        }
    }
}
