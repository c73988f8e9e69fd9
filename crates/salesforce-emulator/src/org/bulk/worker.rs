//! The thread that does the jobs' chunks, one after the other, and is there only while there is something to do.
//!
//! Between two chunks it lets go of everything, so that others may change rows, and looks anew at whose turn it is.

use std::sync::{Arc, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use super::jobs::Turn;
use crate::org::{Inner, Org};

/// Real time between two chunks. The database's lock is not fair; without a breath others would hardly get it.
const BREATH: Duration = Duration::from_micros(100);

/// Where the worker is.
#[derive(Debug, Default)]
pub(super) enum Worker {
    /// There is none: no job can go on, whatever the time.
    #[default]
    Away,
    Works,
    /// Until the next job's time comes.
    Waits(Thread),
}

impl Org {
    /// Tells the worker to look whose turn it is.
    pub(super) fn wake_worker(&self) {
        let mut worker = self.0.bulk.worker();
        match &*worker {
            Worker::Works => {}
            Worker::Waits(thread) => {
                thread.unpark();
                *worker = Worker::Works;
            }
            Worker::Away => {
                let org = Arc::downgrade(&self.0);
                let spawned = thread::Builder::new().name("bulk jobs".to_owned()).spawn(move || work(&org));
                match spawned {
                    Ok(_) => *worker = Worker::Works,
                    Err(error) => tracing::error!(%error, "no thread for bulk jobs"),
                }
            }
        }
    }

    /// Waits until no job can go on by itself: each has ended, is held, waits for data or for time.
    pub(crate) fn bulk_rest(&self) {
        let bulk = &self.0.bulk;
        let works = |worker: &mut Worker| matches!(worker, Worker::Works);
        drop(bulk.rested.wait_while(bulk.worker(), works).unwrap_or_else(PoisonError::into_inner));
    }
}

/// Says that the worker is away when its thread ends in a way nobody expected.
struct Leaves<'a>(&'a Weak<Inner>);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        if let Some(org) = self.0.upgrade().filter(|_| thread::panicking()) {
            *org.bulk.worker() = Worker::Away;
            org.bulk.rested.notify_all();
        }
    }
}

fn work(org: &Weak<Inner>) {
    let _leaves = Leaves(org);
    while let Some(inner) = org.upgrade() {
        let administrator = inner.administrator;
        let org = Org(inner, administrator);
        match chunk(&org) {
            None => {
                drop(org);
                thread::sleep(BREATH);
            }
            Some(Rest::Until(time)) => {
                drop(org);
                thread::park_timeout(time);
            }
            Some(Rest::Done) => return,
        }
    }
}

enum Rest {
    Until(Duration),
    Done,
}

/// Does a chunk of the job whose turn it is, or rests.
fn chunk(org: &Org) -> Option<Rest> {
    let bulk = &org.0.bulk;
    let settings = &org.settings().bulk;
    // Whoever ends jobs waits for the chunk at work.
    let _working = bulk.working();
    // Held from the decision to rest until it is known, lest somebody come in between unnoticed.
    let mut worker = bulk.worker();
    let turn = bulk.jobs().turn(settings, org.now());
    let (terms, mut work) = match turn {
        Turn::Do(terms, work) => (terms, work),
        Turn::Wait(time) if !org.0.clock.stands() => {
            *worker = Worker::Waits(thread::current());
            bulk.rested.notify_all();
            // Virtual time runs as fast as real time.
            return Some(Rest::Until(Duration::try_from(time).unwrap_or_default() + Duration::from_millis(1)));
        }
        Turn::Wait(_) | Turn::Rest => {
            *worker = Worker::Away;
            bulk.rested.notify_all();
            return Some(Rest::Done);
        }
    };
    *worker = Worker::Works;
    drop(worker);
    // Whoever made the job does it, as far as they may now.
    let done = work.step(&org.acting_as(terms.created_by), &terms);
    bulk.jobs().done(terms.id, work, done, settings, org.now());
    None
}
