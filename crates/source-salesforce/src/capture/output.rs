//! Where documents and positions go.

use std::collections::VecDeque;

use flow_protocol::{group::Group, stdio::Responses};
use serde_json::Value;
use tokio::io::AsyncWrite;

use super::report::Standing;
use crate::error::Error;

/// Bytes after which what is written is committed, so that nothing else waits behind it for long.
pub(super) const GROUP: usize = 1 << 20;

/// The one writer of a session. Documents collect in it; a commit hands them over together with the state that they
/// justify.
pub trait Output {
    /// Adds a document of a binding; `write` appends its JSON.
    fn document(&mut self, binding: u32, write: impl FnOnce(&mut Vec<u8>));

    /// Adds the exact schema of a binding's documents.
    fn sourced_schema(&mut self, binding: u32, schema: &Value);

    /// Bytes collected since the last commit.
    fn collected(&self) -> usize;

    /// Where a binding stands, now that what it has written is committed.
    fn stands(&mut self, _binding: u32, _standing: Standing) {}

    /// Hands over what was collected, with the patch that brings the persisted state up to it.
    fn commit(&mut self, patch: Option<&Value>) -> impl Future<Output = Result<(), Error>>;

    /// Whether a commit is durable when it is handed over, so that nobody says so later.
    fn is_durable_at_once(&self) -> bool {
        false
    }

    /// So many commits are durable.
    fn acknowledged(&mut self, commits: u32);

    /// Whether so much is handed over and not yet durable that no more should be read.
    fn is_congested(&self) -> bool;
}

/// Bytes handed to the runtime and not acknowledged, above which no more is read. The runtime prefers transactions of about
/// 64 MiB: this is two of them.
const UNACKNOWLEDGED: usize = 128 << 20;

/// A Flow runtime at the other end of stdout.
#[derive(Debug)]
pub struct Runtime<W> {
    responses: Responses<W>,
    group: Group,
    unacknowledged: VecDeque<usize>,
    bytes: usize,
}

impl<W: AsyncWrite + Unpin> Runtime<W> {
    /// Writes to `responses`, to which `opened` was already sent.
    pub fn new(responses: Responses<W>) -> Self {
        Self { responses, group: Group::new(), unacknowledged: VecDeque::new(), bytes: 0 }
    }
}

impl<W: AsyncWrite + Unpin> Output for Runtime<W> {
    fn document(&mut self, binding: u32, write: impl FnOnce(&mut Vec<u8>)) {
        self.group.captured(binding, write);
    }

    fn sourced_schema(&mut self, binding: u32, schema: &Value) {
        self.group.sourced_schema(binding, schema);
    }

    fn collected(&self) -> usize {
        self.group.size()
    }

    async fn commit(&mut self, patch: Option<&Value>) -> Result<(), Error> {
        let group = std::mem::take(&mut self.group).checkpoint(patch);
        self.responses.write(&group).await?;
        self.unacknowledged.push_back(group.bytes().len());
        self.bytes += group.bytes().len();
        self.group = group.into_empty();
        Ok(())
    }

    fn acknowledged(&mut self, commits: u32) {
        for bytes in self.unacknowledged.drain(..self.unacknowledged.len().min(commits as usize)) {
            self.bytes -= bytes;
        }
    }

    fn is_congested(&self) -> bool {
        self.bytes > UNACKNOWLEDGED
    }
}
