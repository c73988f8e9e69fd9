//! From a receipt to what it means for the task: counted, reported and kept, or the end.

use salesforce_sink::{Outcome, Receipt, Receipts, Rejection, TargetKey};
use tokio::sync::watch;

use crate::{
    document::Origin,
    error::Error,
    letters::{Letters, Mailbox},
    resource::{OnError, Resource},
    tally::{Tally, Verdict},
};

/// Takes the receipts of a session.
pub struct Settling {
    policies: Vec<(OnError, Option<TargetKey>)>,
    letters: Option<Letters>,
    tally: watch::Sender<Tally>,
}

impl Settling {
    /// For these bindings, in their order.
    pub fn new(resources: &[Resource], letters: Option<Letters>, keys: &[Option<TargetKey>]) -> Self {
        let policies = resources.iter().zip(keys).map(|(resource, key)| (resource.on_error, *key)).collect();
        Self { policies, letters, tally: watch::Sender::new(Tally::default()) }
    }

    /// What has become of rows, from now on.
    pub fn tally(&self) -> watch::Receiver<Tally> {
        self.tally.subscribe()
    }

    /// Where letters can be waited for.
    pub fn mailbox(&self) -> Option<Mailbox> {
        self.letters.as_ref().map(Letters::mailbox)
    }

    /// Takes receipts until something ends the task.
    pub async fn run(mut self, mut receipts: Receipts<Origin>) -> Error {
        let keeping = self.letters.as_mut().and_then(Letters::keeping);
        let kept = async {
            match keeping {
                Some(keeping) => keeping.run().await,
                None => std::future::pending().await,
            }
        };
        let settled = async {
            while let Some(Receipt { origin, outcome }) = receipts.next().await {
                if let Err(error) = self.settle(origin, outcome).await {
                    return error;
                }
            }
            std::future::pending().await
        };
        tokio::select! {
            error = kept => error,
            error = settled => error,
        }
    }

    async fn settle(&self, origin: Origin, outcome: Outcome) -> Result<(), Error> {
        let (on_error, letter) = self.policies[origin.binding];
        let mut tally = *self.tally.borrow();
        let verdict = tally.note(origin, outcome, on_error);
        match verdict {
            Verdict::Settled => {}
            Verdict::Fatal(why) if why.lacks_parent() => return Err(Error::NoParent(why)),
            Verdict::Fatal(why) => return Err(Error::Rejected(why)),
            Verdict::Reported(why) => {
                report(&why);
                if let (Some(letters), Some(target)) = (&self.letters, letter) {
                    letters.send(target, &why).await?;
                    tally.letters += 1;
                }
            }
        }
        // Only now: whoever waits for the count must find the letter on its way.
        self.tally.send_replace(tally);
        Ok(())
    }
}

/// A line for each rejected row. What was sent is for dead letters, not for logs.
fn report(why: &Rejection) {
    let Rejection { object, operation, key, code, message, fields, .. } = why;
    let key = key.as_deref().unwrap_or_default();
    let fields = fields.join(", ");
    tracing::warn!(%object, %operation, key, code = &**code, reason = &**message, fields, "a row was rejected");
}
