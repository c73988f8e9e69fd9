//! What a stream says.

use jiff::Timestamp;

use crate::{Channel, Delivery, Failure, Gap, ReplayFrom};

/// Something that happened on a stream.
#[derive(Debug)]
pub enum Event {
    /// A channel is subscribed: changes made after `at` will be delivered, and those before it from `from` on.
    Subscribed {
        /// Which channel.
        channel: Channel,
        /// Where reading starts. After a lost session that is the id last written, see [`crate::Stream::written`].
        from: ReplayFrom,
        /// The org's time of the reply, in whole seconds.
        at: Timestamp,
    },
    /// Events arrived.
    Delivered(Delivery),
    /// The org had nothing to deliver: whatever happened until about `at` on the subscribed channels has been
    /// delivered before this.
    ///
    /// `at` is the `Date` of a reply, which some servers write when they begin to wait: it may be as old as the long
    /// poll, up to two minutes, and is never ahead of the org.
    Alive {
        /// The org's time, in whole seconds.
        at: Timestamp,
    },
    /// Events of a channel may be missing. Read again what may have changed, then subscribe again with
    /// [`crate::Stream::resubscribe`]; until then the channel rests.
    Gap {
        /// Which channel.
        channel: Channel,
        /// Why.
        why: Gap,
    },
    /// Salesforce refuses to subscribe a channel. If `failure.retry_in` is `None` the channel rests until
    /// [`crate::Stream::resubscribe`].
    Refused {
        /// Which channel.
        channel: Channel,
        /// Why, and what to do.
        failure: Failure,
    },
    /// The session is lost, or could not be made; the stream goes on trying. For the operator: no channel's position
    /// is affected, but events that were delivered and not yet written come again.
    Lost {
        /// Why, and when the next attempt is due.
        why: String,
    },
    /// A session is there, the first one or one after a loss, and every channel was asked for.
    Connected,
}
