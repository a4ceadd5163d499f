//! One destination's queue and books, shared by those who offer and by its lanes.
//!
//! Everything is under one lock that is taken a few times a batch, never across a request. That makes the
//! receipt exact: when the books are closed, what is neither delivered nor lost is lost, and a verdict that
//! comes later changes nothing.

use super::breaker::Breaker;
use super::diagnostic::{Diagnostic, Diagnostics, Problem, tell};
use super::queue::Queue;
use super::receipt::{DestinationReceipt, LossReason, Receipt};
use super::spool::Missing;
use super::throttle::Telling;
use crate::clock::monotonic;
use crate::encode::{Batch, Signal};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::{Notify, watch};
use vigil_core::throttle::Throttle;

const SIGNALS: usize = Signal::ALL.len();

/// From which failed attempt in a row a destination counts as failing. One hiccup is not worth a line.
const FAILURES_TO_TELL: u32 = 2;

/// Where a batch waited before a lane took it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Origin {
    /// In the queue in memory.
    #[default]
    Memory,
    /// In the spool, recorded by this process.
    Spool,
    /// In the spool, recorded by a process that is gone.
    LeftBehind,
}

pub(super) struct Destination {
    name: String,
    /// The signals it takes.
    takes: [bool; SIGNALS],
    diagnostics: Diagnostics,
    books: Mutex<Books>,
    /// Wakes the lane of a signal.
    wake: [Notify; SIGNALS],
    /// One for all signals that go to the same address.
    breakers: [Arc<Mutex<Breaker>>; SIGNALS],
    /// Ticks whenever a batch of any destination has its verdict.
    progress: watch::Sender<u64>,
}

struct Books {
    queue: Queue,
    receipt: Receipt,
    /// Batches that came, and of those the ones with a verdict.
    offered: [u64; SIGNALS],
    settled: [u64; SIGNALS],
    /// Records of the batch a lane has in hand that have no verdict yet, and where it came from.
    in_hand: [u64; SIGNALS],
    origin: [Origin; SIGNALS],
    /// Records of ours in the spool that have no verdict yet.
    in_spool: [u64; SIGNALS],
    failing: [bool; SIGNALS],
    disturbed_since: Option<Instant>,
    last_problem: [Option<Problem>; SIGNALS],
    throttled: Telling,
    /// A bit for each signal and reason a loss was told of.
    told: u64,
    /// What becomes of records that come now; set when the books are closed.
    closed: Option<LossReason>,
}

/// How far the books have to be for a flush to be done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    offered: [u64; SIGNALS],
    lost: u64,
}

impl Destination {
    pub(super) fn new(
        name: String,
        takes: [bool; SIGNALS],
        queue: Queue,
        diagnostics: Diagnostics,
        progress: watch::Sender<u64>,
        breakers: [Arc<Mutex<Breaker>>; SIGNALS],
    ) -> Self {
        let books = Books {
            queue,
            receipt: Receipt::default(),
            offered: [0; SIGNALS],
            settled: [0; SIGNALS],
            in_hand: [0; SIGNALS],
            origin: [Origin::Memory; SIGNALS],
            in_spool: [0; SIGNALS],
            failing: [false; SIGNALS],
            disturbed_since: None,
            last_problem: Default::default(),
            throttled: Telling::default(),
            told: 0,
            closed: None,
        };
        Self { name, takes, diagnostics, books: Mutex::new(books), wake: Default::default(), breakers, progress }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What stands between the lane of `signal` and a destination that does not answer.
    pub(super) fn breaker(&self, signal: Signal) -> Arc<Mutex<Breaker>> {
        Arc::clone(&self.breakers[signal.index()])
    }

    /// Whether the last attempt to deliver anything to it came to nothing.
    pub(super) fn is_failing(&self) -> bool {
        let failing =
            |breaker: &Arc<Mutex<Breaker>>| breaker.lock().unwrap_or_else(PoisonError::into_inner).is_failing();
        self.breakers.iter().any(failing)
    }

    fn tell(&self, diagnostics: impl IntoIterator<Item = Diagnostic>) {
        diagnostics.into_iter().for_each(|diagnostic| tell(&self.diagnostics, diagnostic));
    }

    // === Those who offer ===

    /// Takes `batch` on, or counts what had to give way.
    pub(super) fn offer(&self, batch: Batch) {
        let signal = batch.signal();
        if !self.takes[signal.index()] {
            return;
        }
        let mut told = Vec::new();
        let mut books = self.books();
        let records = u64::from(batch.records());
        books.receipt.signal_mut(signal).recorded += records;
        if let Some(reason) = books.closed {
            told.extend(books.lose(&self.name, signal, records, reason, None));
        } else {
            books.offered[signal.index()] += 1;
            for displaced in books.queue.push(batch) {
                let signal = displaced.signal();
                books.settled[signal.index()] += 1;
                let problem = books.last_problem[signal.index()].clone();
                let records = u64::from(displaced.records());
                told.extend(books.lose(&self.name, signal, records, LossReason::QueueFull, problem));
            }
        }
        drop(books);
        self.wake[signal.index()].notify_one();
        self.tell(told);
    }

    /// Takes on a batch of `records` that is about to be in the spool; entered first, so that no lane has a verdict
    /// on it before. False when nothing is taken on any more.
    pub(super) fn expect_spooled(&self, signal: Signal, records: u64) -> bool {
        let mut books = self.books();
        if books.closed.is_some() {
            return false;
        }
        if self.takes[signal.index()] {
            books.receipt.signal_mut(signal).recorded += records;
            books.offered[signal.index()] += 1;
            books.in_spool[signal.index()] += records;
        }
        true
    }

    /// The batch is in the spool, or (`kept` is false) could not be kept there and is offered otherwise.
    pub(super) fn spooled(&self, signal: Signal, records: u64, kept: bool) {
        if !self.takes[signal.index()] {
            return;
        }
        if !kept {
            let mut books = self.books();
            books.receipt.signal_mut(signal).recorded -= records;
            books.offered[signal.index()] -= 1;
            match books.closed {
                Some(_) => books.receipt.signal_mut(signal).spooled -= records,
                None => books.in_spool[signal.index()] -= records,
            }
        }
        self.wake[signal.index()].notify_one();
    }

    /// Hands a batch that waits in memory to `keep`, which puts it into the spool or hands it back. True when it is there.
    pub(super) fn move_to_spool(&self, keep: impl FnOnce(&Batch) -> bool) -> bool {
        let batch = {
            let mut books = self.books();
            if books.closed.is_some() {
                return false;
            }
            let Some(batch) = books.queue.take_back() else { return false };
            // Before a lane can have a verdict on it.
            books.in_spool[batch.signal().index()] += u64::from(batch.records());
            batch
        };
        let (signal, kept) = (batch.signal(), keep(&batch));
        if !kept {
            let records = u64::from(batch.records());
            let mut books = self.books();
            let mut told = None;
            if let Some(reason) = books.closed {
                // It was taken for spooled when they were closed.
                let spooled = &mut books.receipt.signal_mut(signal).spooled;
                *spooled = spooled.saturating_sub(records);
                told = books.lose(&self.name, signal, records, reason, None);
            } else {
                let in_spool = &mut books.in_spool[signal.index()];
                *in_spool = in_spool.saturating_sub(records);
                books.queue.put_back(batch);
            }
            drop(books);
            self.tell(told);
        }
        kept
    }

    /// Counts records that are no longer in the spool, other than by a lane. Answers with what is to be told.
    pub(super) fn missing(&self, missing: &Missing) -> Option<Diagnostic> {
        let mut told = None;
        let mut books = self.books();
        let signal = missing.signal;
        let mut records = missing.tally.records;
        if !missing.own {
            books.receipt.signal_mut(signal).left_behind.lost.add(missing.reason, records);
        } else if books.closed.is_none() {
            // Of a batch under way some may have arrived.
            let in_spool = &mut books.in_spool[signal.index()];
            records = records.min(*in_spool);
            *in_spool -= records;
            books.settled[signal.index()] += missing.tally.batches;
            let problem = books.last_problem[signal.index()].clone();
            told = books.lose(&self.name, signal, records, missing.reason, problem);
        }
        drop(books);
        self.progress.send_modify(|ticks| *ticks = ticks.wrapping_add(1));
        told
    }

    /// Tells the lanes that there may be something for them.
    pub(super) fn wake_all(&self) {
        self.wake.iter().for_each(Notify::notify_one);
    }

    /// Texts of a batch were cut to fit.
    pub(super) fn cut(&self, signal: Signal, texts: u64) {
        self.books().receipt.signal_mut(signal).cut_texts += texts;
    }

    /// Counts records that were lost before they came here.
    pub(super) fn lost_before(&self, signal: Signal, reason: LossReason, records: u64) {
        if !self.takes[signal.index()] {
            return;
        }
        let mut books = self.books();
        books.receipt.signal_mut(signal).recorded += records;
        let told = books.lose(&self.name, signal, records, reason, None);
        drop(books);
        self.tell(told);
    }

    pub(super) fn mark(&self) -> Mark {
        let books = self.books();
        Mark { offered: books.offered, lost: books.lost() }
    }

    /// Whether everything offered before `mark` has its verdict, and if so, whether nothing was lost since.
    pub(super) fn reached(&self, mark: &Mark) -> Option<bool> {
        let books = self.books();
        let all_settled = books.settled.iter().zip(&mark.offered).all(|(settled, offered)| settled >= offered);
        (all_settled || books.closed.is_some()).then(|| all_settled && books.lost() == mark.lost)
    }

    /// The receipt so far.
    pub(super) fn receipt(&self) -> DestinationReceipt {
        DestinationReceipt { destination: self.name.clone(), receipt: self.books().receipt }
    }

    /// The receipt so far, if nobody holds the books; for a forked process, where the holder may be gone.
    pub(super) fn try_receipt(&self) -> Option<DestinationReceipt> {
        let receipt = self.books.try_lock().ok()?.receipt;
        Some(DestinationReceipt { destination: self.name.clone(), receipt })
    }

    /// Closes the books: what is under way is lost as `pending`, what comes later as `later`. Does nothing when they
    /// are closed already.
    pub(super) fn close(&self, pending: LossReason, later: LossReason) {
        self.tell(self.end(pending, later));
    }

    /// Does the same and answers with what is to be told.
    pub(super) fn end(&self, pending: LossReason, later: LossReason) -> Vec<Diagnostic> {
        let mut told = Vec::new();
        let mut books = self.books();
        if books.closed.is_none() {
            for signal in Signal::ALL {
                let spooled = std::mem::take(&mut books.in_spool[signal.index()]);
                books.receipt.signal_mut(signal).spooled += spooled;
                let records = books.receipt.signal(signal).pending();
                let problem = books.last_problem[signal.index()].clone();
                told.extend(books.lose(&self.name, signal, records, pending, problem));
            }
            books.queue.clear();
            books.closed = Some(later);
        }
        drop(books);
        self.progress.send_modify(|ticks| *ticks = ticks.wrapping_add(1));
        told
    }

    /// Keeps the books locked, as a fork at the wrong moment does.
    #[cfg(test)]
    pub(super) fn hold(&self) -> impl Sized + '_ {
        self.books()
    }

    // === The lane of a signal ===

    /// Waits until there may be a batch of `signal`.
    pub(super) async fn something(&self, signal: Signal) {
        self.wake[signal.index()].notified().await;
    }

    /// The next batch of `signal` in memory, if there is one.
    pub(super) fn take(&self, signal: Signal) -> Option<Batch> {
        let mut books = self.books();
        let batch = books.queue.take(signal)?;
        books.in_hand[signal.index()] = u64::from(batch.records());
        books.origin[signal.index()] = Origin::Memory;
        Some(batch)
    }

    /// A lane took a batch of `records` out of the spool.
    pub(super) fn took_spooled(&self, signal: Signal, records: u64, own: bool) {
        let mut books = self.books();
        books.in_hand[signal.index()] = records;
        books.origin[signal.index()] = if own { Origin::Spool } else { Origin::LeftBehind };
    }

    /// `records` of the batch in hand arrived, and `rejected` of them were refused.
    pub(super) fn delivered(&self, signal: Signal, records: u64, rejected: u64) {
        let mut books = self.books();
        if books.closed.is_some() {
            return;
        }
        let rejected = rejected.min(records);
        let problem = Some(Problem::PartialSuccess(rejected));
        if books.took_off_hand(signal, records) == Origin::LeftBehind {
            let left_behind = &mut books.receipt.signal_mut(signal).left_behind;
            left_behind.delivered += records - rejected;
            left_behind.lost.add(LossReason::Rejected, rejected);
            return;
        }
        books.receipt.signal_mut(signal).delivered += records - rejected;
        let lost = books.lose(&self.name, signal, rejected, LossReason::Rejected, problem);
        drop(books);
        self.tell(lost);
    }

    /// `records` of the batch in hand will never arrive.
    pub(super) fn dropped(&self, signal: Signal, records: u64, reason: LossReason, problem: Option<Problem>) {
        let mut books = self.books();
        if books.closed.is_some() {
            return;
        }
        if books.took_off_hand(signal, records) == Origin::LeftBehind {
            books.receipt.signal_mut(signal).left_behind.lost.add(reason, records);
            return;
        }
        let problem = problem.or_else(|| books.last_problem[signal.index()].clone());
        let lost = books.lose(&self.name, signal, records, reason, problem);
        drop(books);
        self.tell(lost);
    }

    /// The batch in hand has its verdict in all its parts.
    pub(super) fn settle(&self, signal: Signal) {
        let mut books = self.books();
        match books.origin[signal.index()] {
            Origin::Memory => {
                books.queue.release(signal);
                books.settled[signal.index()] += 1;
            }
            Origin::Spool => books.settled[signal.index()] += 1,
            Origin::LeftBehind => {}
        }
        drop(books);
        self.progress.send_modify(|ticks| *ticks = ticks.wrapping_add(1));
    }

    /// The lane panicked over the batch in hand, if it had one.
    pub(super) fn panicked(&self, signal: Signal) {
        let records = self.books().in_hand[signal.index()];
        if records > 0 {
            self.dropped(signal, records, LossReason::Internal, Some(Problem::Panicked));
            self.settle(signal);
        }
    }

    /// A request is sent again.
    pub(super) fn resent(&self, signal: Signal) {
        let mut books = self.books();
        if books.closed.is_none() {
            books.receipt.signal_mut(signal).retries += 1;
        }
    }

    /// An attempt failed, the `failures`th in a row, and will be repeated.
    pub(super) fn failed(&self, signal: Signal, problem: Problem, failures: u32) {
        let mut books = self.books();
        if books.closed.is_some() {
            return;
        }
        books.last_problem[signal.index()] = Some(problem.clone());
        books.disturbed_since.get_or_insert_with(monotonic);
        let mut news = None;
        if failures >= FAILURES_TO_TELL {
            let others_told = books.failing.contains(&true);
            books.failing[signal.index()] = true;
            news = (!others_told).then(|| Diagnostic::Failing { destination: self.name.clone(), signal, problem });
        }
        drop(books);
        self.tell(news);
    }

    /// The destination throttled a request.
    pub(super) fn throttled(&self, throttle: Throttle) {
        let due = self.books().throttled.met(monotonic());
        self.tell(due.map(|count| Diagnostic::Throttled { destination: self.name.clone(), throttle, count }));
    }

    /// The destination took a batch.
    pub(super) fn recovered(&self, signal: Signal) {
        let mut books = self.books();
        books.last_problem[signal.index()] = None;
        let was_failing = std::mem::take(&mut books.failing[signal.index()]);
        let mut news = None;
        if books.closed.is_none() && !books.failing.contains(&true) {
            let since = books.disturbed_since.take();
            news = since
                .filter(|_| was_failing)
                .map(|since| Diagnostic::Recovered { destination: self.name.clone(), after: since.elapsed() });
        }
        drop(books);
        self.tell(news);
    }
}

impl Books {
    fn lost(&self) -> u64 {
        Signal::ALL.iter().map(|signal| self.receipt.signal(*signal).lost.total()).sum()
    }

    /// `records` of the batch in hand have their verdict. Answers with where the batch came from.
    fn took_off_hand(&mut self, signal: Signal, records: u64) -> Origin {
        let in_hand = &mut self.in_hand[signal.index()];
        *in_hand = in_hand.saturating_sub(records);
        let origin = self.origin[signal.index()];
        if origin == Origin::Spool {
            let in_spool = &mut self.in_spool[signal.index()];
            *in_spool = in_spool.saturating_sub(records);
        }
        origin
    }

    /// Counts a loss; the first of its kind is worth telling.
    fn lose(
        &mut self,
        name: &str,
        signal: Signal,
        records: u64,
        reason: LossReason,
        problem: Option<Problem>,
    ) -> Option<Diagnostic> {
        if records == 0 {
            return None;
        }
        self.receipt.signal_mut(signal).lost.add(reason, records);
        let bit = 1 << (signal.index() * LossReason::ALL.len() + reason as usize);
        let first = self.told & bit == 0;
        self.told |= bit;
        first.then(|| Diagnostic::Lost { destination: name.to_owned(), signal, reason, records, problem })
    }
}
