//! The thread that delivers, and the handle to it.

use super::config::{DestinationConfig, Target};
use super::destination::{Destination, Mark};
use super::diagnostic::Diagnostics;
use super::lane::{self, Control};
use super::receipt::{DestinationReceipt, LossReason};
use crate::clock::monotonic;
use crate::encode::{Batch, Signal};
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// How long after a deadline the thread has to answer before the caller closes the books itself.
const GRACE: Duration = Duration::from_millis(50);
/// Instead of a deadline too far away for the clock.
const FAR_AWAY: Duration = Duration::from_secs(365 * 24 * 3600);

thread_local! {
    static IS_DELIVERY_THREAD: Cell<bool> = const { Cell::new(false) };
}

/// Whether the current thread belongs to a [`Delivery`]. What happens there must not be recorded, or telemetry
/// about telemetry would never end.
pub fn is_delivery_thread() -> bool {
    IS_DELIVERY_THREAD.try_with(Cell::get).unwrap_or(false)
}

/// What the thread is asked for.
enum Command {
    Flush { marks: Vec<Mark>, until: Instant, reply: Reply<bool> },
    Shutdown { until: Instant, reply: Reply<()> },
}

type Reply<T> = Box<dyn FnOnce(T) + Send>;

/// Delivers batches to destinations from a thread of its own.
///
/// Dropping it without [`Delivery::shutdown`] stops the thread at once; what is under way is lost and told.
pub struct Delivery {
    destinations: Arc<[Arc<Destination>]>,
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
        let progress = watch::Sender::new(0);
        let lanes: Vec<_> = destinations
            .into_iter()
            .map(|config| {
                let takes = Signal::ALL.map(|signal| match &config.target {
                    Target::Otlp(otlp) => otlp.signal(signal).is_some(),
                    Target::Directory(_) | Target::Memory(_) => true,
                });
                let (name, diagnostics) = (config.name.clone(), Arc::clone(&diagnostics));
                let destination = Destination::new(name, takes, config.queue_bytes, diagnostics, progress.clone());
                (Arc::new(config), Arc::new(destination))
            })
            .collect();
        let destinations: Arc<[_]> = lanes.iter().map(|(_, destination)| Arc::clone(destination)).collect();
        let process = std::process::id();
        if lanes.is_empty() {
            return Self { destinations, commands: None, process };
        }

        let (commands, receiver) = mpsc::unbounded_channel();
        let of_thread = Arc::clone(&destinations);
        let thread = crate::shell::spawn("deliver", move || {
            IS_DELIVERY_THREAD.set(true);
            run(&lanes, &of_thread, &progress, receiver);
        });
        match thread {
            Ok(_detached) => Self { destinations, commands: Some(commands), process },
            Err(_) => {
                disable(&destinations);
                Self { destinations, commands: None, process }
            }
        }
    }

    /// Hands `batch` to every destination that takes its signal. Never blocks on more than a short lock; what
    /// finds no room is counted.
    pub fn offer(&self, batch: Batch) {
        if self.is_forked() {
            return;
        }
        for destination in &*self.destinations {
            destination.offer(batch.clone());
        }
    }

    /// Counts `records` that were lost before they could become part of a batch, at every destination that takes
    /// `signal`.
    pub fn lost(&self, signal: Signal, reason: LossReason, records: u64) {
        if records == 0 || self.is_forked() {
            return;
        }
        for destination in &*self.destinations {
            destination.lost_before(signal, reason, records);
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
        if self.destinations.is_empty() {
            return None;
        }
        if self.is_forked() {
            return Some(false);
        }
        let marks = self.destinations.iter().map(|destination| destination.mark()).collect();
        let command = Command::Flush { marks, until: after(within), reply };
        Some(self.commands.as_ref().is_some_and(|commands| commands.send(command).is_ok()))
    }

    /// Delivers what it can `within` the given time and stops. Returns what became of everything: afterwards
    /// nothing is pending, and what is offered later is lost as `closed`. Returns at the latest 100 ms after
    /// the time is up, and earlier when all is settled or every destination asked to be left alone for longer.
    pub fn shutdown(&self, within: Duration) -> Vec<DestinationReceipt> {
        if self.is_forked() {
            return self.receipts();
        }
        let (reply, answer) = sync_channel(1);
        let reply = move |()| {
            reply.try_send(()).ok();
        };
        if self.send_shutdown(within, Box::new(reply)) {
            // Not answering in time is as good as an answer: the books are closed here.
            answer.recv_timeout(within.min(FAR_AWAY) + GRACE).ok();
        }
        close(&self.destinations);
        self.receipts()
    }

    /// [`Delivery::shutdown`] for async code of any runtime.
    pub fn shutdown_async(&self, within: Duration) -> impl Future<Output = Vec<DestinationReceipt>> + Send + 'static {
        let destinations = Arc::clone(&self.destinations);
        let forked = self.is_forked();
        let (reply, answer) = oneshot::channel();
        let reply = move |()| {
            reply.send(()).ok();
        };
        let sent = !forked && self.send_shutdown(within, Box::new(reply));
        async move {
            if sent {
                drop(answer.await);
            }
            if !forked {
                close(&destinations);
            }
            receipts(&destinations)
        }
    }

    fn send_shutdown(&self, within: Duration, reply: Reply<()>) -> bool {
        let command = Command::Shutdown { until: after(within), reply };
        self.commands.as_ref().is_some_and(|commands| commands.send(command).is_ok())
    }

    /// What became of everything so far.
    pub fn receipts(&self) -> Vec<DestinationReceipt> {
        match self.is_forked() {
            true => self.destinations.iter().filter_map(|destination| destination.try_receipt()).collect(),
            false => receipts(&self.destinations),
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
            close(&self.destinations);
        }
    }
}

fn after(duration: Duration) -> Instant {
    let now = monotonic();
    now.checked_add(duration.min(FAR_AWAY)).unwrap_or(now)
}

fn close(destinations: &[Arc<Destination>]) {
    destinations.iter().for_each(|destination| destination.close(LossReason::Deadline, LossReason::Closed));
}

fn disable(destinations: &[Arc<Destination>]) {
    destinations.iter().for_each(|destination| destination.close(LossReason::Internal, LossReason::Internal));
}

fn receipts(destinations: &[Arc<Destination>]) -> Vec<DestinationReceipt> {
    destinations.iter().map(|destination| destination.receipt()).collect()
}

// === The thread ===

/// Starts a task on delivery's own runtime, the only one there is on its thread.
#[expect(clippy::disallowed_methods, reason = "called on the delivery thread only")]
pub(super) fn task<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    tokio::spawn(future)
}

fn run(
    lanes: &[(Arc<DestinationConfig>, Arc<Destination>)],
    destinations: &Arc<[Arc<Destination>]>,
    progress: &watch::Sender<u64>,
    commands: mpsc::UnboundedReceiver<Command>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Names are resolved and files written on these.
        .max_blocking_threads(8)
        .thread_name("vigil-deliver-io")
        .on_thread_start(|| IS_DELIVERY_THREAD.set(true))
        .build();
    let Ok(runtime) = runtime else {
        disable(destinations);
        return;
    };
    let control = watch::Sender::new(Control::default());
    let reply = runtime.block_on(async {
        for (config, destination) in lanes {
            for signal in Signal::ALL {
                task(lane::run(Arc::clone(config), Arc::clone(destination), signal, control.subscribe()));
            }
        }
        obey(destinations, progress, &control, commands).await
    });
    // A resolver or a disk that hangs keeps its thread but not us.
    runtime.shutdown_background();
    if let Some(reply) = reply {
        reply(());
    }
}

/// Carries out commands until the shutdown is done, or nobody is left to give one.
async fn obey(
    destinations: &Arc<[Arc<Destination>]>,
    progress: &watch::Sender<u64>,
    control: &watch::Sender<Control>,
    mut commands: mpsc::UnboundedReceiver<Command>,
) -> Option<Reply<()>> {
    while let Some(command) = commands.recv().await {
        match command {
            Command::Flush { marks, until, reply } => {
                control.send_modify(|control| control.urge = control.urge.wrapping_add(1));
                let (destinations, progress) = (Arc::clone(destinations), progress.subscribe());
                task(async move { reply(settled(&destinations, &marks, until, progress).await) });
            }
            Command::Shutdown { until, reply } => {
                control.send_modify(|control| control.deadline = Some(until.into()));
                let marks: Vec<_> = destinations.iter().map(|destination| destination.mark()).collect();
                settled(destinations, &marks, until, progress.subscribe()).await;
                close(destinations);
                return Some(reply);
            }
        }
    }
    None
}

/// Waits until all `destinations` reached their marks; false when the time is up or something was lost.
async fn settled(
    destinations: &[Arc<Destination>],
    marks: &[Mark],
    until: Instant,
    mut progress: watch::Receiver<u64>,
) -> bool {
    loop {
        progress.mark_unchanged();
        let reached: Vec<_> = destinations.iter().zip(marks).map(|(one, mark)| one.reached(mark)).collect();
        if reached.iter().all(Option::is_some) {
            return reached.iter().all(|complete| *complete == Some(true));
        }
        let changed = tokio::time::timeout_at(until.into(), progress.changed()).await;
        if !matches!(changed, Ok(Ok(()))) {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deliver::{DestinationConfig, MemoryDestination};

    #[test]
    fn in_the_child_of_a_fork_nothing_blocks() {
        let memory = Target::Memory(MemoryDestination::new());
        let mut delivery = Delivery::start(vec![DestinationConfig::new("memory", memory)], Arc::new(|_| {}));
        // What a fork leaves behind: another process, and books held by a thread that is not there.
        delivery.process = delivery.process.wrapping_add(1);
        let destination = Arc::clone(&delivery.destinations[0]);
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
