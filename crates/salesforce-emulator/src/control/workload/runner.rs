//! A workload at its pace, in a task of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::changer::Changer;
use super::{Workload, WorkloadReport, locked};
use crate::org::Org;
use crate::trouble::Ongoing;

/// A workload at work.
pub(crate) struct Runner {
    stop: Arc<AtomicBool>,
    report: Arc<Mutex<WorkloadReport>>,
    task: JoinHandle<()>,
}

impl Runner {
    pub(crate) fn start(org: Org, trouble: Arc<Ongoing>, workload: Workload) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let report = Arc::new(Mutex::new(WorkloadReport { running: true, ..WorkloadReport::default() }));
        let task = tokio::spawn(run(org, trouble, workload, Arc::clone(&stop), Arc::clone(&report)));
        Self { stop, report, task }
    }

    pub(crate) fn report(&self) -> WorkloadReport {
        locked(&self.report).clone()
    }

    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Waits for the end; with `now`, brings it about.
    pub(crate) async fn finish(self, now: bool) -> WorkloadReport {
        if now {
            self.stop();
        }
        let _ = self.task.await;
        let report = locked(&self.report);
        report.clone()
    }
}

/// Makes the changes that are due, rests a little, and again.
async fn run(
    org: Org,
    trouble: Arc<Ongoing>,
    workload: Workload,
    stop: Arc<AtomicBool>,
    report: Arc<Mutex<WorkloadReport>>,
) {
    const REST: Duration = Duration::from_millis(10);
    const MOST_AT_ONCE: u64 = 200;
    let started = real_now();
    let mut done = 0;
    let mut changer = match tokio::task::spawn_blocking(move || Changer::new(org, trouble, workload)).await {
        Ok(Ok(changer)) => changer,
        Ok(Err(refusal)) => return end(&report, Some(refusal.to_string())),
        Err(failure) => return end(&report, Some(failure.to_string())),
    };
    let failure = loop {
        let elapsed = real_now().duration_since(started);
        let over = changer.workload.seconds.is_some_and(|seconds| elapsed.as_secs_f64() >= seconds);
        let most = changer.workload.total.unwrap_or(u64::MAX);
        if stop.load(Ordering::Relaxed) || over || done >= most {
            break None;
        }
        let rate = changer.workload.rate;
        let due = if rate == 0.0 { u64::MAX } else { (elapsed.as_secs_f64() * rate) as u64 + 1 };
        let count = due.min(most).saturating_sub(done).min(MOST_AT_ONCE);
        if count == 0 {
            tokio::time::sleep(REST).await;
            continue;
        }
        let sink = Arc::clone(&report);
        let worked = tokio::task::spawn_blocking(move || {
            let made = (0..count).try_for_each(|_| changer.step(&sink));
            (changer, made)
        });
        match worked.await {
            Ok((back, Ok(()))) => changer = back,
            Ok((back, Err(refusal))) => {
                changer = back;
                break Some(refusal.to_string());
            }
            Err(failure) => return end(&report, Some(failure.to_string())),
        }
        done += count;
    };
    let sink = Arc::clone(&report);
    let committed = tokio::task::spawn_blocking(move || changer.commit(u64::MAX, &sink)).await;
    let committed =
        committed.map_err(|failure| failure.to_string()).and_then(|made| made.map_err(|why| why.to_string()));
    end(&report, failure.or(committed.err()));
}

fn end(report: &Mutex<WorkloadReport>, failure: Option<String>) {
    let mut report = locked(report);
    report.running = false;
    report.failure = failure;
}

#[expect(clippy::disallowed_methods, reason = "the pace of a workload is real time")]
fn real_now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}
