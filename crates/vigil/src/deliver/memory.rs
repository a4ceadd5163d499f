//! A destination in the memory of this process.

use crate::encode::{Batch, Signal};
use std::sync::{Arc, Mutex, PoisonError};

/// The bytes kept at most, 64 MiB; batches beyond are refused.
const LIMIT_BYTES: usize = 64 << 20;

/// Keeps the batches delivered to it, for tests. Clones share what they keep. Holds at most 64 MiB; what comes
/// after that is lost as `queue_full`.
#[derive(Clone, Debug, Default)]
pub struct MemoryDestination {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    batches: Vec<Batch>,
    bytes: usize,
    #[cfg(test)]
    panic_next: bool,
}

impl MemoryDestination {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was delivered so far, in order.
    pub fn batches(&self) -> Vec<Batch> {
        self.with(|kept| kept.batches.clone())
    }

    /// What was delivered of `signal` so far, in order.
    pub fn of(&self, signal: Signal) -> Vec<Batch> {
        let mut batches = self.batches();
        batches.retain(|batch| batch.signal() == signal);
        batches
    }

    /// What was delivered so far; forgets it.
    pub fn take(&self) -> Vec<Batch> {
        self.with(|kept| std::mem::take(kept).batches)
    }

    /// Makes the delivery of the next batch panic.
    #[cfg(test)]
    pub(super) fn panic_next(&self) {
        self.with(|kept| kept.panic_next = true);
    }

    /// Keeps `batch` if there is room for it.
    pub(super) fn keep(&self, batch: &Batch) -> bool {
        self.with(|kept| {
            #[cfg(test)]
            assert!(!std::mem::take(&mut kept.panic_next), "as asked by a test");
            let bytes = kept.bytes.saturating_add(batch.memory_bytes());
            let fits = bytes <= LIMIT_BYTES;
            if fits {
                kept.bytes = bytes;
                kept.batches.push(batch.clone());
            }
            fits
        })
    }

    fn with<T>(&self, action: impl FnOnce(&mut Kept) -> T) -> T {
        action(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
