//! The way of one signal to one destination: takes batches in order, hands them over, waits, tries again.

use super::config::DestinationConfig;
use super::destination::Destination;
use super::diagnostic::Problem;
use super::receipt::LossReason;
use super::retry::{Backoff, Verdict};
use super::transport::Transport;
use super::worker::task;
use crate::encode::{Batch, Signal};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

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

struct Lane {
    destination: Arc<Destination>,
    signal: Signal,
    transport: Transport,
    control: watch::Receiver<Control>,
    /// Failed attempts in a row.
    failures: u32,
    turn: Option<Turn>,
}

/// Delivers `signal` to `destination` until the runtime ends. A panic costs the batch in hand and is counted.
pub(super) async fn run(
    config: Arc<DestinationConfig>,
    destination: Arc<Destination>,
    signal: Signal,
    control: watch::Receiver<Control>,
) {
    loop {
        let transport = match Transport::new(&config, signal) {
            Ok(Some(transport)) => transport,
            Ok(None) => return,
            // Without a TLS configuration there is no way out.
            Err(_) => return destination.close(LossReason::Internal, LossReason::Internal),
        };
        let destination_of_lane = Arc::clone(&destination);
        let lane = Lane {
            destination: destination_of_lane,
            signal,
            transport,
            control: control.clone(),
            failures: 0,
            turn: None,
        };
        match task(lane.run()).await {
            Err(error) if error.is_panic() => destination.panicked(signal),
            _ => return,
        }
    }
}

impl Lane {
    async fn run(mut self) {
        loop {
            let batch = self.destination.next(self.signal).await;
            self.carry(batch).await;
            self.destination.settle(self.signal);
        }
    }

    /// Delivers `batch`, in parts where it must be, and enters the verdicts into the books.
    async fn carry(&mut self, batch: Batch) {
        let mut parts = vec![batch];
        while let Some(batch) = parts.pop() {
            let records = u64::from(batch.records());
            let (verdict, problem) = self.deliver(&batch).await;
            match verdict {
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

    /// Makes attempts until one has a verdict that stands.
    async fn deliver(&mut self, batch: &Batch) -> (Verdict, Option<Problem>) {
        if batch.body().len() > self.transport.max_request_bytes() {
            return (Verdict::Split, None);
        }
        let body = self.transport.request_body(batch);
        let mut again = false;
        loop {
            if !self.wait_for_turn().await {
                return (Verdict::Drop(LossReason::Deadline), None);
            }
            if std::mem::replace(&mut again, true) {
                self.destination.resent(self.signal);
            }
            let attempt = self.transport.send(batch, &body).await;
            let Verdict::Retry { after } = attempt.verdict else {
                self.failures = 0;
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
            self.turn = Some(Turn { at: Instant::now() + delay, asked: after.is_some() });
        }
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
                    }
                }
            }
        }
        true
    }
}

/// A number from 0 to 1, never the same in two processes; not for secrets.
fn chance() -> f64 {
    // Every `RandomState` has its own keys, seeded by the system.
    let bits = RandomState::new().hash_one(0u8) >> 11;
    bits as f64 / (1u64 << 53) as f64
}
