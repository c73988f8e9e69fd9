//! The plan in force, as those who carry it out ask for it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::plan::Plan;
use super::strike::{Late, Mishap, Strike};
use super::topics::Topics;
use super::{Trouble, TroubleError, TroubleReport};
use crate::cometd::{Fault, Occasion, Planned};
use crate::fault::FaultAction;
use crate::org::Org;

/// The trouble of an org, if there is any.
#[derive(Debug, Default)]
pub(crate) struct Ongoing {
    plan: Mutex<Option<Plan>>,
    /// Held while the org is changed, unlike `plan`, which is asked under other locks.
    topics: Mutex<Topics>,
}

impl Ongoing {
    /// Puts a plan in force, in place of the one that may be.
    pub(crate) fn start(&self, trouble: Trouble) -> Result<(), TroubleError> {
        *self.plan() = Some(Plan::new(trouble)?);
        Ok(())
    }

    /// Ends the trouble and heals what it left behind. Returns what it was.
    pub(crate) fn stop(&self, org: &Org) -> TroubleReport {
        let plan = self.plan().take();
        self.topics().heal(org);
        org.usage().replenish();
        plan.map(|plan| TroubleReport { planned: Vec::new(), ..plan.report() }).unwrap_or_default()
    }

    pub(crate) fn report(&self) -> TroubleReport {
        self.plan().as_ref().map(Plan::report).unwrap_or_default()
    }

    /// A request of a kind comes.
    pub(crate) fn request(&self, kind: &str) -> Option<FaultAction> {
        match self.meet(kind)? {
            Strike::Request(action) => Some(action),
            _ => None,
        }
    }

    /// A change of a workload is about to be made: does it become visible so many changes late?
    pub(crate) fn late(&self) -> Option<u64> {
        match self.meet("late")? {
            Strike::Late(Late { late_by }) => Some(late_by),
            _ => None,
        }
    }

    /// Something in the org was changed. Blocks.
    pub(crate) fn changed(&self, org: &Org) {
        let strike = self.meet("change");
        let mut topics = self.topics();
        topics.changed(org);
        let Some(Strike::Org(mishap)) = strike else { return };
        let done = match mishap {
            Mishap::ClockJump { hours } => org.advance(Duration::from_secs(60 * 60 * hours)),
            Mishap::RecycleBinEmptied => org.empty_recycle_bin(),
            Mishap::TopicDeleted { .. } | Mishap::TopicDeactivated { .. } | Mishap::TopicChanged { .. } => {
                topics.befall(org, mishap)
            }
        };
        if let Err(refusal) = done {
            tracing::debug!(%refusal, ?mishap, "planned trouble was refused");
        }
    }

    fn meet(&self, on: &str) -> Option<Strike> {
        self.plan().as_mut()?.meet(on)
    }

    fn plan(&self) -> MutexGuard<'_, Option<Plan>> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn topics(&self) -> MutexGuard<'_, Topics> {
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Planned for Ongoing {
    fn meet(&self, occasion: Occasion) -> Option<Fault> {
        let on = match occasion {
            Occasion::Handshake => "handshake",
            Occasion::Connect => "connect",
            Occasion::Subscribe => "subscribe",
            Occasion::Replay => "replay",
            Occasion::Delivery => "delivery",
            Occasion::Unsubscribe | Occasion::Disconnect | Occasion::Any => return None,
        };
        match Self::meet(self, on)? {
            Strike::Streaming(fault) => Some(fault),
            _ => None,
        }
    }
}
