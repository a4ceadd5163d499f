//! The handle to the thread that delivers.

use super::config::DestinationConfig;
use super::destination::Mark;
use super::diagnostic::Diagnostics;
use super::post::Post;
use super::receipt::{DestinationReceipt, LossReason};
use super::spool::SpoolConfig;
use super::thread::{self, SPOOL_PATIENCE};
use crate::clock::monotonic;
use crate::encode::{Batch, Signal};
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};

/// How long after a deadline the thread has to answer before the caller closes the books itself.
const GRACE: Duration = Duration::from_millis(50);
/// Instead of a deadline too far away for the clock.
const FAR_AWAY: Duration = Duration::from_secs(365 * 24 * 3600);

thread_local! {
    pub(super) static IS_DELIVERY_THREAD: Cell<bool> = const { Cell::new(false) };
}

/// Whether the current thread belongs to a [`Delivery`]. What happens there must not be recorded, or telemetry
/// about telemetry would never end.
pub fn is_delivery_thread() -> bool {
    IS_DELIVERY_THREAD.try_with(Cell::get).unwrap_or(false)
}

/// What the thread is asked for.
pub(super) enum Command {
    Flush { marks: Vec<Mark>, until: Instant, reply: Reply<bool> },
    Shutdown { until: Instant, reply: Reply<()> },
}

pub(super) type Reply<T> = Box<dyn FnOnce(T) + Send>;

/// Delivers batches to destinations from a thread of its own.
///
/// Dropping it without [`Delivery::shutdown`] stops the thread at once; what is under way is lost and told.
pub struct Delivery {
    post: Arc<Post>,
    /// Absent when there is no destination, or no thread could be made.
    commands: Option<mpsc::UnboundedSender<Command>>,
    /// The process the thread is in. A fork does not take threads along.
    process: u32,
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("receipts", &self.receipts()).finish()
    }
}

impl Delivery {
    /// Starts delivering to `destinations`; without any, no thread is made. Cannot fail: where the system gives
    /// no thread, everything is counted as lost (`internal`) and `diagnostics` is told.
    pub fn start(destinations: Vec<DestinationConfig>, diagnostics: Diagnostics) -> Self {
        Self::start_with(destinations, None, diagnostics)
    }

    /// Starts delivering to `destinations`, those that are reached over a network through `spool`: what they did not
    /// take outlives the process, and what earlier processes left for them is delivered first.
    pub fn start_with(
        destinations: Vec<DestinationConfig>,
        spool: Option<SpoolConfig>,
        diagnostics: Diagnostics,
    ) -> Self {
        let progress = watch::Sender::new(0);
        let configs: Vec<_> = destinations.into_iter().map(Arc::new).collect();
        let post = Arc::new(Post::new(&configs, spool, &diagnostics, &progress));
        let process = std::process::id();
        if configs.is_empty() {
            return Self { post, commands: None, process };
        }

        let (commands, receiver) = mpsc::unbounded_channel();
        let of_thread = Arc::clone(&post);
        let thread = crate::shell::spawn("deliver", move || {
            IS_DELIVERY_THREAD.set(true);
            thread::run(&configs, &of_thread, &progress, receiver);
        });
        match thread {
            Ok(_detached) => Self { post, commands: Some(commands), process },
            Err(_) => {
                disable(&post);
                Self { post, commands: None, process }
            }
        }
    }

    /// Hands `batch` to every destination that takes its signal. Never waits for a network; with a spool it is on
    /// the disk when this returns. What finds no room is counted.
    pub fn offer(&self, batch: Batch) {
        if !self.is_forked() {
            self.post.offer(&batch);
        }
    }

    /// Counts `records` that were lost before they could become part of a batch, at every destination that takes
    /// `signal`.
    pub fn lost(&self, signal: Signal, reason: LossReason, records: u64) {
        if records == 0 || self.is_forked() {
            return;
        }
        for destination in &self.post.destinations {
            destination.lost_before(signal, reason, records);
        }
    }

    /// Whether what is offered is in a spool before it is sent.
    pub fn has_spool(&self) -> bool {
        self.post.spool.is_some()
    }

    /// Takes over what dead processes left in the spool for destinations of ours, now rather than within 10 s.
    pub fn look_into_spool(&self) {
        if !self.is_forked() {
            self.post.look();
        }
    }

    /// How many records wait in the spool for destinations of ours, those of earlier processes included.
    pub fn waiting_in_spool(&self) -> u64 {
        match &self.post.spool {
            Some(spool) if !self.is_forked() => (0..self.post.destinations.len()).map(|at| spool.waiting(at)).sum(),
            _ => 0,
        }
    }

    /// Waits until everything offered so far has its verdict, `within` at most. True when all of it was delivered
    /// everywhere. Blocks the calling thread and nothing else; destinations that are waiting out a backoff of
    /// ours are tried at once.
    pub fn flush(&self, within: Duration) -> bool {
        let (reply, answer) = sync_channel(1);
        let sent = self.send_flush(
            within,
            Box::new(move |done| {
                reply.try_send(done).ok();
            }),
        );
        match sent {
            Some(true) => answer.recv_timeout(within.min(FAR_AWAY) + GRACE).unwrap_or(false),
            Some(false) => false,
            None => true,
        }
    }

    /// [`Delivery::flush`] that waits nowhere: `reply` is called on the delivery thread, or dropped where the end of
    /// delivery comes first.
    pub(crate) fn flush_then(&self, within: Duration, reply: impl FnOnce(bool) + Send + 'static) {
        if self.post.destinations.is_empty() || self.is_forked() {
            return reply(!self.is_forked());
        }
        // Where there is no thread any more the reply is dropped, which says as much.
        self.send_flush(within, Box::new(reply));
    }

    /// [`Delivery::flush`] for async code of any runtime.
    pub fn flush_async(&self, within: Duration) -> impl Future<Output = bool> + Send + 'static {
        let (reply, answer) = oneshot::channel();
        let sent = self.send_flush(
            within,
            Box::new(move |done| {
                reply.send(done).ok();
            }),
        );
        async move {
            match sent {
                Some(true) => answer.await.unwrap_or(false),
                Some(false) => false,
                None => true,
            }
        }
    }

    /// Whether the thread will answer; `None` when there is nothing to wait for.
    fn send_flush(&self, within: Duration, reply: Reply<bool>) -> Option<bool> {
        if self.post.destinations.is_empty() {
            return None;
        }
        if self.is_forked() {
            return Some(false);
        }
        let marks = self.post.destinations.iter().map(|destination| destination.mark()).collect();
        let command = Command::Flush { marks, until: after(within), reply };
        Some(self.commands.as_ref().is_some_and(|commands| commands.send(command).is_ok()))
    }

    /// Delivers what it can `within` the given time and stops. Returns what became of everything: afterwards
    /// nothing is pending, and what is offered later is lost as `closed`. Returns at the latest 100 ms after
    /// the time is up, and earlier when all is settled or every destination asked to be left alone for longer.
    /// What is in the spool is not waited for (5 ms at most, and not where the last attempt failed) and stays there:
    /// [`Delivery::flush`] first where waiting is wanted. A disk that hangs is waited for until then, 100 ms at most.
    pub fn shutdown(&self, within: Duration) -> Vec<DestinationReceipt> {
        if self.is_forked() {
            return self.receipts();
        }
        let deadline = after(within);
        let (reply, answer) = sync_channel(1);
        let reply = move |()| {
            reply.try_send(()).ok();
        };
        if self.send_shutdown(deadline, Box::new(reply)) {
            // With a spool everywhere there is little to wait for, whenever the thread comes to it.
            let most = if self.post.is_all_spooled() { SPOOL_PATIENCE } else { within.min(FAR_AWAY) + GRACE };
            // Not answering in time is as good as an answer: the books are closed here.
            answer.recv_timeout(most).ok();
        }
        close(&self.post, deadline);
        self.receipts()
    }

    /// [`Delivery::shutdown`] for async code of any runtime.
    pub fn shutdown_async(&self, within: Duration) -> impl Future<Output = Vec<DestinationReceipt>> + Send + 'static {
        let post = Arc::clone(&self.post);
        let forked = self.is_forked();
        let (reply, answer) = oneshot::channel();
        let reply = move |()| {
            reply.send(()).ok();
        };
        let deadline = after(within);
        let sent = !forked && self.send_shutdown(deadline, Box::new(reply));
        async move {
            if sent {
                drop(answer.await);
            }
            if !forked {
                close(&post, deadline);
            }
            post.receipts()
        }
    }

    fn send_shutdown(&self, until: Instant, reply: Reply<()>) -> bool {
        let command = Command::Shutdown { until, reply };
        self.commands.as_ref().is_some_and(|commands| commands.send(command).is_ok())
    }

    /// What became of everything so far.
    pub fn receipts(&self) -> Vec<DestinationReceipt> {
        match self.is_forked() {
            true => self.post.destinations.iter().filter_map(|destination| destination.try_receipt()).collect(),
            false => self.post.receipts(),
        }
    }

    /// In the child of a fork there is no thread, and the books may be locked by one that does not exist.
    fn is_forked(&self) -> bool {
        std::process::id() != self.process
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        // Closing the channel, as dropping the sender does, ends the thread.
        if !self.is_forked() {
            close(&self.post, monotonic());
        }
    }
}

fn after(duration: Duration) -> Instant {
    let now = monotonic();
    now.checked_add(duration.min(FAR_AWAY)).unwrap_or(now)
}

pub(super) fn close(post: &Post, deadline: Instant) {
    post.close(LossReason::Deadline, LossReason::Closed, deadline);
}

pub(super) fn disable(post: &Post) {
    post.close(LossReason::Internal, LossReason::Internal, monotonic());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::{DestinationConfig, MemoryDestination, Target};

    #[test]
    fn in_the_child_of_a_fork_nothing_blocks() {
        let memory = Target::Memory(MemoryDestination::new());
        let mut delivery = Delivery::start(vec![DestinationConfig::new("memory", memory)], Arc::new(|_| {}));
        // What a fork leaves behind: another process, and books held by a thread that is not there.
        delivery.process = delivery.process.wrapping_add(1);
        let destination = Arc::clone(&delivery.post.destinations[0]);
        let held = destination.hold();
        let before = monotonic();
        delivery.lost(Signal::Logs, LossReason::BufferFull, 1);
        assert!(!delivery.flush(Duration::from_secs(5)));
        assert_eq!(delivery.shutdown(Duration::from_secs(5)), []);
        drop(delivery);
        assert!(before.elapsed() < Duration::from_secs(1));
        drop(held);
    }
}
