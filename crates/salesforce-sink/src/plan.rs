//! Which rows go next, and how. One batch holds rows of one target and one operation, so that no header is meant for half of it.
//! Parents are written before their children, and deleted after them. Pure.

use std::collections::HashMap;

use salesforce_client::SObjectName;

use crate::{
    Operation,
    prepare::Prepared,
    target::MatchBy,
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
}

/// What planning knows of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Site {
    /// Targets whose records this one refers to. There is no circle.
    pub(crate) parents: Vec<TargetId>,
    /// Operations that Bulk can do: it knows records by Id, and by an external id for upserts only.
    pub(crate) bulk: Vec<Operation>,
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
    let mut sites: Vec<Site> = targets.iter().map(|it| Site { parents: Vec::new(), bulk: bulk(it.as_ref()) }).collect();
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
    let by_id = prepared.target.match_by == MatchBy::Id;
    let can = |operation: &Operation| match operation {
        Operation::Insert | Operation::Upsert => true,
        Operation::Update | Operation::Delete => by_id,
    };
    Operation::ALL.into_iter().filter(can).collect()
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
            let bulk = site.bulk.contains(&operation)
                && match sizes.route {
                    Route::Bulk => true,
                    Route::Auto => ready >= sizes.bulk_from,
                    Route::Single | Route::Collections => false,
                };
            let mut take = |way, rows, bytes, fits: &dyn Fn(&Part<T>) -> bool| {
                let runs = window.take(id, operation, rows, bytes, |part| part.seq < bound && fits(part));
                (!runs.is_empty()).then_some(Batch { target: id, operation, way, runs })
            };
            let job = bulk.then(|| take(Way::Bulk, sizes.bulk_rows, sizes.bulk_bytes, &fits_csv)).flatten();
            let batch = job.or_else(|| match sizes.route {
                Route::Single => take(Way::Single, 1, sizes.bytes, &|_| true),
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
/// What is written waits for records that are being made above it. What is deleted waits for everything below it that came before.
/// Nothing waits for what waits for it: makers wait only for makers above them, and deletes only for what came earlier.
fn bound<T>(window: &Window<T>, sites: &[Site], site: &Site, id: TargetId, operation: Operation) -> Option<Seq> {
    const END: Seq = Seq(u64::MAX);
    if operation == Operation::Delete {
        let children = (0..).map(TargetId).zip(sites).filter(|(_, child)| child.parents.contains(&id));
        return Some(children.filter_map(|(child, _)| window.oldest_open(child)).min().unwrap_or(END));
    }
    let being_made = |parent: &TargetId| {
        [Operation::Insert, Operation::Upsert]
            .into_iter()
            .any(|making| window.ready(*parent, making) > 0 || window.travelling(*parent, making) > 0)
    };
    (!site.parents.iter().any(being_made)).then_some(END)
}
