//! Bulk jobs that nobody needs any more. They are deleted only once the commit that says so is durable: until then, the state before it
//! may be gone on with, and that needs them. Pure.

use std::collections::VecDeque;

use salesforce_client::{SObjectName, bulk::JobId};

/// The commits of a session, and the jobs that wait for them to be durable.
#[derive(Debug, Default)]
pub(super) struct Obsolete {
    /// Commits so far, and how many of them are durable.
    commits: u64,
    durable: u64,
    /// Jobs to be deleted once so many commits are durable.
    jobs: VecDeque<(u64, SObjectName, JobId)>,
    /// Deletions under way.
    deletions: usize,
}

impl Obsolete {
    /// A commit is handed over, and may be durable at once.
    pub(super) fn committed(&mut self, is_durable: bool) {
        self.commits += 1;
        if is_durable {
            self.durable = self.commits;
        }
    }

    /// So many more commits are durable.
    pub(super) fn durable(&mut self, commits: u32) {
        self.durable += u64::from(commits);
    }

    /// Nobody needs these jobs once the latest commit is durable.
    pub(super) fn add(&mut self, object: &SObjectName, jobs: Vec<JobId>) {
        self.jobs.extend(jobs.into_iter().map(|job| (self.commits, object.clone(), job)));
    }

    /// The next job to be deleted, if there is one. Its deletion counts as under way.
    pub(super) fn next(&mut self) -> Option<(SObjectName, JobId)> {
        self.jobs.front().filter(|(commits, ..)| *commits <= self.durable)?;
        let (.., object, job) = self.jobs.pop_front()?;
        self.deletions += 1;
        Some((object, job))
    }

    /// A deletion is over.
    pub(super) fn deleted(&mut self) {
        self.deletions -= 1;
    }

    /// Whether no job waits to be deleted, and no deletion is under way.
    pub(super) fn is_tidy(&self) -> bool {
        self.jobs.is_empty() && self.deletions == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_deleted_when_the_commit_that_ends_it_is_durable() {
        let object: SObjectName = "Account".parse().unwrap();
        let job = |n: char| -> JobId { format!("7505f000000000{n}").parse().unwrap() };
        let mut obsolete = Obsolete::default();
        obsolete.committed(false);
        obsolete.add(&object, vec![job('A'), job('B')]);
        obsolete.committed(false);
        obsolete.add(&object, vec![job('C')]);
        let mut due = |durable| {
            obsolete.durable(durable);
            let jobs: Vec<_> = std::iter::from_fn(|| obsolete.next()).map(|(_, job)| job).collect();
            (jobs, obsolete.is_tidy())
        };
        assert_eq!(due(0), (vec![], false));
        assert_eq!(due(1), (vec![job('A'), job('B')], false));
        assert_eq!(due(1), (vec![job('C')], false));
        (0..3).for_each(|_| obsolete.deleted());
        assert!(obsolete.is_tidy());
        obsolete.committed(true);
        obsolete.add(&object, vec![job('D')]);
        assert_eq!(obsolete.next().map(|(_, job)| job), Some(job('D')));
    }
}
