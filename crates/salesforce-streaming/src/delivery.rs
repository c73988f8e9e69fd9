//! The events of one HTTP reply.

use std::fmt;

use crate::{Notification, bayeux::Body};

/// The events of one HTTP reply, parsed once and borrowed from its bytes, in the order of the wire.
///
/// Within it, ids of a channel need not grow: notifications of one transaction come in reverse order. Write all of
/// them before telling the stream the highest id of each channel.
pub struct Delivery(Body);

impl Delivery {
    /// `None` if the reply brought no events.
    pub(crate) fn new(body: Body) -> Option<Delivery> {
        if body.messages().notifications.is_empty() { None } else { Some(Delivery(body)) }
    }

    /// The events, at least one.
    #[must_use]
    pub fn notifications(&self) -> &[Notification<'_>] {
        &self.0.messages().notifications
    }

    /// How many bytes it holds in memory: those of the reply.
    #[must_use]
    pub fn size(&self) -> usize {
        self.0.size()
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.notifications()).finish()
    }
}
