//! The way of one signal to one destination: takes batches in order, hands them over, waits, tries again.

use super::backend::Limits;
use super::breaker::{Admission, Breaker};
use super::config::{DestinationConfig, Target};
use super::destination::Destination;
use super::diagnostic::Problem;
use super::post::Post;
use super::receipt::LossReason;
use super::retry::{Backoff, Verdict};
use super::spool::{Spool, Ticket};
use super::thread::task;
use super::transport::Transport;
use crate::clock::monotonic;
use crate::encode::{Batch, Signal};
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use vigil_core::id::TraceId;

/// What all lanes are told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Control {
    /// Grows when somebody waits for the queues to empty: a lane that only waits by its own choice tries at once.
    pub(super) urge: u64,
    /// When the shutdown ends, once it has begun.
    pub(super) deadline: Option<Instant>,
}

/// When the next attempt may be made.
#[derive(Clone, Copy, Debug)]
struct Turn {
    at: Instant,
    /// The destination asked for the wait, so nothing cuts it short.
    asked: bool,
}

/// How long a lane leaves a spool alone that could not be read just now.
const SPOOL_PAUSE: Duration = Duration::from_secs(1);

struct Lane {
    post: Arc<Post>,
    /// The index of the destination.
    at: usize,
    destination: Arc<Destination>,
    /// Where batches come from first, when there is one.
    spool: Option<Arc<Spool>>,
    signal: Signal,
    transport: Transport,
    limits: Limits,
    traces: TraceCounts,
    breaker: Arc<Mutex<Breaker>>,
    control: watch::Receiver<Control>,
    /// Failed attempts in a row.
    failures: u32,
    turn: Option<Turn>,
}

/// Delivers `signal` to the destination at `at` until the runtime ends. A panic costs the batch in hand and is
/// counted.
pub(super) async fn run(
    post: Arc<Post>,
    at: usize,
    config: Arc<DestinationConfig>,
    signal: Signal,
    control: watch::Receiver<Control>,
) {
    let Some(destination) = post.destinations.get(at).map(Arc::clone) else { return };
    let spool = post.spool.clone().filter(|spool| spool.serves(at));
    let limits = match &config.target {
        Target::Otlp(otlp) => otlp.signal(signal).map(|config| config.limits).unwrap_or_default(),
        Target::Directory(_) | Target::Memory(_) | Target::Own(_) => Limits::default(),
    };
    loop {
        let transport = match Transport::new(&config, signal) {
            Ok(Some(transport)) => transport,
            Ok(None) => return,
            // Without a TLS configuration there is no way out.
            Err(_) => return destination.close(LossReason::Internal, LossReason::Internal),
        };
        let lane = Lane {
            post: Arc::clone(&post),
            at,
            destination: Arc::clone(&destination),
            spool: spool.clone(),
            signal,
            transport,
            limits,
            traces: TraceCounts::default(),
            breaker: destination.breaker(signal),
            control: control.clone(),
            failures: 0,
            turn: None,
        };
        match task(lane.run()).await {
            Err(error) if error.is_panic() => {
                destination.panicked(signal);
                // A batch that makes us panic must not come again.
                let post = Arc::clone(&post);
                drop(tokio::task::spawn_blocking(move || post.give_up(at, signal)).await);
            }
            _ => return,
        }
    }
}

impl Lane {
    async fn run(mut self) {
        loop {
            let (batch, ticket) = self.next().await;
            self.carry(batch, ticket.is_some()).await;
            if let Some(ticket) = ticket {
                let (post, at, signal) = (Arc::clone(&self.post), self.at, self.signal);
                drop(tokio::task::spawn_blocking(move || post.settle_spooled(at, signal, &ticket)).await);
            }
            self.destination.settle(self.signal);
        }
    }

    /// The next batch, waiting until there is one: first what is in the spool, then what is in memory.
    async fn next(&self) -> (Batch, Option<Ticket>) {
        loop {
            let mut pause = None;
            if self.spool.is_some() {
                let (post, at, signal) = (Arc::clone(&self.post), self.at, self.signal);
                match tokio::task::spawn_blocking(move || post.take_spooled(at, signal)).await {
                    Ok(Ok(Some((batch, ticket)))) => return (batch, Some(ticket)),
                    Ok(Ok(None)) => {}
                    Ok(Err(_)) | Err(_) => pause = Some(Instant::now() + SPOOL_PAUSE),
                }
            }
            if let Some(batch) = self.destination.take(self.signal) {
                return (batch, None);
            }
            match pause {
                Some(until) => sleep_until(until).await,
                None => self.destination.something(self.signal).await,
            }
        }
    }

    /// Delivers `batch`, in parts where it must be, and enters the verdicts into the books.
    async fn carry(&mut self, batch: Batch, spooled: bool) {
        let Some(batch) = self.fitted(batch) else { return };
        let mut parts = vec![batch];
        while let Some(batch) = parts.pop() {
            let records = u64::from(batch.records());
            let (verdict, problem) = self.deliver(&batch).await;
            match verdict {
                // It stays in the spool for the next process.
                Verdict::Drop(LossReason::Deadline) if spooled => std::future::pending::<()>().await,
                Verdict::Delivered { rejected } => self.destination.delivered(self.signal, records, rejected),
                Verdict::Drop(reason) => self.destination.dropped(self.signal, records, reason, problem),
                Verdict::Split => match batch.split() {
                    Ok((first, second)) => parts.extend([second, first]),
                    Err(_) => {
                        let problem = problem.unwrap_or(Problem::TooLarge(self.transport.max_request_bytes()));
                        self.destination.dropped(self.signal, records, LossReason::TooLarge, Some(problem));
                    }
                },
                // `deliver` goes on until there is another verdict.
                Verdict::Retry { .. } => self.destination.dropped(self.signal, records, LossReason::Internal, problem),
            }
        }
    }

    /// The batch with no more than the destination takes of a record and of a trace; `None` when nothing is left.
    fn fitted(&mut self, batch: Batch) -> Option<Batch> {
        if self.limits.text_bytes.is_none() && self.limits.spans_per_trace.is_none() {
            return Some(batch);
        }
        let most = self.limits.spans_per_trace.unwrap_or(u32::MAX);
        let traces = &mut self.traces;
        let fitted = batch.fitted(self.limits.text_bytes, |trace| traces.count(trace) <= most);
        self.destination.cut(self.signal, fitted.cut);
        if fitted.left_out > 0 {
            let problem = Some(Problem::TooManySpans(most));
            self.destination.dropped(self.signal, u64::from(fitted.left_out), LossReason::TooMany, problem);
        }
        fitted.batch
    }

    /// Makes attempts until one has a verdict that stands.
    async fn deliver(&mut self, batch: &Batch) -> (Verdict, Option<Problem>) {
        let Some(body) = self.transport.request_body(batch) else { return (Verdict::Split, None) };
        let mut again = false;
        loop {
            if !self.wait_for_turn().await {
                return (Verdict::Drop(LossReason::Deadline), None);
            }
            if std::mem::replace(&mut again, true) {
                self.destination.resent(self.signal);
            }
            let asking = Asking(Arc::clone(&self.breaker));
            let attempt = self.transport.send(batch, &body).await;
            if let Some(throttle) = attempt.throttle {
                self.destination.throttled(throttle);
            }
            let Verdict::Retry { after } = attempt.verdict else {
                self.failures = 0;
                asking.breaker().answered();
                if matches!(attempt.verdict, Verdict::Delivered { .. }) {
                    self.destination.recovered(self.signal);
                }
                return (attempt.verdict, attempt.problem);
            };
            self.failures = self.failures.saturating_add(1);
            self.destination.failed(self.signal, attempt.problem.unwrap_or(Problem::Closed), self.failures);
            let draining = self.control.borrow().deadline.is_some();
            let backoff = if draining { Backoff::DRAINING } else { Backoff::STEADY };
            let delay = backoff.delay(self.failures, after, chance());
            asking.breaker().failed(monotonic(), delay, after.is_some());
            self.turn = Some(Turn { at: Instant::now() + delay, asked: after.is_some() });
        }
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the next attempt may be made; false when that is after the end of the shutdown.
    async fn wait_for_turn(&mut self) -> bool {
        while let Some(turn) = self.turn {
            let deadline = self.control.borrow_and_update().deadline;
            if turn.asked && deadline.is_some_and(|deadline| turn.at > deadline) {
                // The turn stays, so the batches behind this one do not pester the destination either.
                return false;
            }
            tokio::select! {
                () = sleep_until(turn.at) => self.turn = None,
                Ok(()) = self.control.changed() => {
                    if !turn.asked {
                        self.turn = None;
                        self.breaker().hurry();
                    }
                }
            }
        }
        // The end is no time to wait for what another lane learns.
        while self.control.borrow_and_update().deadline.is_none() {
            let admission = self.breaker().ask(monotonic());
            match admission {
                Admission::Go => return true,
                Admission::Wait(time) => {
                    if matches!(tokio::time::timeout(time, self.control.changed()).await, Ok(Ok(()))) {
                        self.breaker().hurry();
                    }
                }
            }
        }
        true
    }
}

/// An attempt of which the breaker has not heard yet. A lane that ends meanwhile does not keep the others waiting.
struct Asking(Arc<Mutex<Breaker>>);

impl Asking {
    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.breaker().left();
    }
}

/// How many spans of each trace went to the destination: of the last [`TRACES_MAX`] traces, as good as all that are
/// under way at a time.
#[derive(Debug, Default)]
struct TraceCounts {
    counts: HashMap<TraceId, u32>,
    order: VecDeque<TraceId>,
}

/// The traces that are counted at a time: 4096, about 200 KB.
const TRACES_MAX: usize = 4096;

impl TraceCounts {
    /// The number of the next span of `trace`, from 1.
    fn count(&mut self, trace: TraceId) -> u32 {
        if !self.counts.contains_key(&trace) {
            self.order.push_back(trace);
            if self.order.len() > TRACES_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.counts.remove(&oldest);
            }
        }
        let count = self.counts.entry(trace).or_insert(0);
        *count = count.saturating_add(1);
        *count
    }
}

/// A number from 0 to 1, never the same in two processes; not for secrets.
fn chance() -> f64 {
    // Every `RandomState` has its own keys, seeded by the system.
    let bits = RandomState::new().hash_one(0u8) >> 11;
    bits as f64 / (1u64 << 53) as f64
}
