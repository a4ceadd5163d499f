//! How a journal is opened.

use super::error::OpenError;
use super::journal::Journal;
use std::path::Path;

/// When a record is safe. In every setting records reach the file whole and in order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Durability {
    /// When `append` returns: it is on the disk, and survives a power cut. Threads share a sync where they meet.
    /// Costs a sync of the disk an append, some 0.1 to 10 ms.
    EachWrite,
    /// When `flush` returns, and by itself: written after 10 ms, on the disk a sync or two later. A process that is
    /// killed loses what it appended in the last 10 ms, a machine that loses power that and what was being synced.
    #[default]
    Group,
    /// When the system writes it. `flush` hands records to the system, which also happens by itself within 10 ms:
    /// they survive the death of the process then, not a power cut.
    None,
}

/// How a journal is opened. Made by [`Journal::options`].
#[derive(Clone, Debug)]
#[must_use = "call open"]
pub struct Options {
    pub(super) stream: String,
    pub(super) durability: Durability,
}

impl Options {
    /// When a record is safe. Defaults to [`Durability::Group`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Opens the journal at `path`, or makes it, readable by its owner only. Reads it once to find its end, and cuts
    /// what a crash left there; [`Journal::recovery`] tells.
    ///
    /// # Errors
    /// Fails if:
    /// - the file cannot be opened, locked, read or written,
    /// - it is not a journal, of a later version, or of another stream (it is not touched then),
    /// - the stream id is not 1 to 100 bytes without control characters.
    pub fn open(self, path: impl AsRef<Path>) -> Result<Journal, OpenError> {
        Journal::open(self, path.as_ref())
    }
}
