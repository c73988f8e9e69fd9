//! The queue between the stream's task and its consumer: bounded by bytes, never blocking the task.
//!
//! The task may always put something in, since it must go on talking to the server; it watches the level and stops
//! asking for more when the queue is full.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{Notify, mpsc};

use crate::{Error, Event, bayeux::Level};

/// What a queue holds: an event, or the end.
type Item = Result<Event, Error>;

/// A queue that counts as full at this many bytes.
pub(crate) fn queue(capacity: usize) -> (Sender, Receiver) {
    let (items_in, items_out) = mpsc::unbounded_channel();
    let load = Arc::new(Load { bytes: AtomicUsize::new(0), taken: Notify::new() });
    let sender = Sender { items: items_in, load: Arc::clone(&load), capacity };
    (sender, Receiver { items: items_out, load, held: 0 })
}

#[derive(Debug)]
struct Load {
    bytes: AtomicUsize,
    taken: Notify,
}

/// The end things are put into.
pub(crate) struct Sender {
    items: mpsc::UnboundedSender<Item>,
    load: Arc<Load>,
    capacity: usize,
}

impl Sender {
    /// Puts an item in; without effect if nobody listens any more.
    pub(crate) fn send(&self, item: Item) {
        self.load.bytes.fetch_add(weight(&item), Ordering::AcqRel);
        // Nobody listens only while the stream is being dropped, which ends the task anyway.
        let _ = self.items.send(item);
    }

    /// How full it is now; a queue that was full stays so until half of it is taken.
    pub(crate) fn level(&self, before: Level) -> Level {
        let enough = if before == Level::Full { self.capacity / 2 } else { self.capacity };
        match self.load.bytes.load(Ordering::Acquire) {
            0 => Level::Empty,
            bytes if bytes <= enough => Level::Room,
            _ => Level::Full,
        }
    }

    /// Waits until something is taken out.
    pub(crate) async fn taken(&self) {
        self.load.taken.notified().await;
    }
}

/// The end things are taken from.
#[derive(Debug)]
pub(crate) struct Receiver {
    items: mpsc::UnboundedReceiver<Item>,
    load: Arc<Load>,
    /// The weight of the item the consumer is busy with: it counts until the consumer asks for the next.
    held: usize,
}

impl Receiver {
    /// The next item; `None` when the task is gone. Nothing is lost if the future is dropped.
    pub(crate) async fn recv(&mut self) -> Option<Item> {
        self.load.bytes.fetch_sub(std::mem::take(&mut self.held), Ordering::AcqRel);
        self.load.taken.notify_one();
        let item = self.items.recv().await?;
        self.held = weight(&item);
        Some(item)
    }
}

/// What an item counts for. A parsed event takes about twice its bytes again: a name and a place for each field.
fn weight(item: &Item) -> usize {
    match item {
        Ok(Event::Delivered(delivery)) => 3 * delivery.size(),
        _ => 256,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_the_consumer_is_busy_with_counts() {
        let (sender, mut receiver) = queue(1_000);
        assert_eq!(sender.level(Level::Empty), Level::Empty);
        for _ in 0..4 {
            sender.send(Ok(Event::Connected));
        }
        assert_eq!(sender.level(Level::Empty), Level::Full);
        receiver.recv().await.expect("an item").expect("an event");
        assert_eq!(sender.level(Level::Full), Level::Full, "1024 bytes");
        receiver.recv().await.expect("an item").expect("an event");
        assert_eq!((sender.level(Level::Full), sender.level(Level::Room)), (Level::Full, Level::Room), "768 bytes");
        receiver.recv().await.expect("an item").expect("an event");
        receiver.recv().await.expect("an item").expect("an event");
        assert_eq!(sender.level(Level::Full), Level::Room, "256 bytes");
        drop(sender);
        assert!(receiver.recv().await.is_none());
    }
}
