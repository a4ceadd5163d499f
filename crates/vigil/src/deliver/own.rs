//! A destination of the user's own making: whatever takes encoded batches.

use super::receipt::LossReason;
use super::retry::Verdict;
use super::transport::Attempt;
use crate::encode::{Batch, Signal};
use std::sync::Arc;

/// What takes batches in a way of its own: hands them to another pipeline, a queue, a database.
///
/// It is called on threads of delivery, where nothing is recorded and it may block: it delays itself alone, and what
/// does not fit into its queue meanwhile is counted. There are 8 of these threads; one that never comes back is gone. Its batches are not spooled, and not offered again: an answer is a verdict. What it
/// still has in hand when the deadline of the shutdown comes is lost as `deadline`, whatever it answers later. A panic
/// in it costs the batch (`internal`).
pub trait OwnDestination: std::fmt::Debug + Send + Sync {
    /// Whether it wants batches of `signal`; always the same answer.
    fn takes(&self, signal: Signal) -> bool;

    /// Takes `batch` and says how many of its records were refused. Batches of one signal come one at a time and in
    /// order; several signals may come at once.
    ///
    /// # Errors
    /// Why the whole batch is lost.
    fn take(&self, batch: &Batch) -> Result<u64, LossReason>;
}

pub(super) struct OwnSender(Arc<dyn OwnDestination>);

impl OwnSender {
    pub(super) fn new(own: &Arc<dyn OwnDestination>) -> Self {
        Self(Arc::clone(own))
    }

    pub(super) async fn send(&mut self, batch: &Batch) -> Attempt {
        let (own, batch) = (Arc::clone(&self.0), batch.clone());
        match tokio::task::spawn_blocking(move || own.take(&batch)).await {
            Ok(Ok(rejected)) => Attempt::delivered(rejected),
            Ok(Err(reason)) => Attempt { verdict: Verdict::Drop(reason), problem: None, throttle: None },
            Err(_) => Attempt { verdict: Verdict::Drop(LossReason::Internal), problem: None, throttle: None },
        }
    }
}
