//! What those who offer, the lanes and the keeper of the spool share: the destinations and the spool, and the books
//! kept right between the two.

use super::breaker::Breaker;
use super::config::{DestinationConfig, Target};
use super::destination::Destination;
use super::diagnostic::{Diagnostic, Diagnostics, tell};
use super::queue::Queue;
use super::receipt::{DestinationReceipt, LossReason};
use super::spool::{News, Party, Spool, SpoolConfig, Ticket, patiently};
use crate::assemble::recover::recover_spool;
use crate::clock::monotonic;
use crate::encode::{Batch, Signal};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long the books wait for a disk that hangs when they are closed, at least and at most: between the two until the
/// deadline of whoever closes them first. What the disk had to tell by then is not in them.
const SPOOL_CLOSE_WITHIN: [Duration; 2] = [Duration::from_millis(40), Duration::from_millis(100)];
/// As much of it is for the spool itself, whatever those who ask it are about.
const SPOOL_SHARE: Duration = Duration::from_millis(20);

pub(super) struct Post {
    pub(super) destinations: Vec<Arc<Destination>>,
    pub(super) spool: Option<Arc<Spool>>,
    diagnostics: Diagnostics,
    /// The spool could not be written the last time.
    spool_failing: AtomicBool,
    /// Shared from when the spool is asked until what it told is in the books, and held alone while these are closed: no
    /// receipt misses what was told meanwhile.
    telling: RwLock<()>,
    /// Until when the books are closed: one end for everybody who closes them.
    closing: OnceLock<Instant>,
    /// Held while they are being closed; true once they are.
    closed: Mutex<bool>,
}

impl Post {
    pub(super) fn new(
        configs: &[Arc<DestinationConfig>],
        spool: Option<SpoolConfig>,
        diagnostics: &Diagnostics,
        progress: &watch::Sender<u64>,
    ) -> Self {
        let destination = |config: &Arc<DestinationConfig>| {
            let (name, diagnostics) = (config.name.clone(), Arc::clone(diagnostics));
            let queue = Queue::new(config.queue_bytes, config.queue_records);
            Arc::new(Destination::new(name, takes(config), queue, diagnostics, progress.clone(), breakers(config)))
        };
        let spool =
            spool.map(|spool| Arc::new(Spool::new(spool, configs.iter().map(|config| party(config)).collect())));
        Self {
            destinations: configs.iter().map(destination).collect(),
            spool,
            diagnostics: Arc::clone(diagnostics),
            spool_failing: AtomicBool::new(false),
            telling: RwLock::default(),
            closing: OnceLock::new(),
            closed: Mutex::new(false),
        }
    }

    /// Whether the destination at `at` is delivered to through the spool.
    pub(super) fn is_spooled(&self, at: usize) -> bool {
        self.spool.as_ref().is_some_and(|spool| spool.serves(at))
    }

    /// Whether every destination is.
    pub(super) fn is_all_spooled(&self) -> bool {
        (0..self.destinations.len()).all(|at| self.is_spooled(at))
    }

    /// Hands `batch` to every destination that takes its signal: through the spool where it can be, else in memory.
    pub(super) fn offer(&self, batch: &Batch) {
        let (signal, records) = (batch.signal(), u64::from(batch.records()));
        let (spooled, direct): (Vec<_>, Vec<_>) =
            self.destinations.iter().enumerate().partition(|(at, _)| self.is_spooled(*at));
        direct.into_iter().for_each(|(_, destination)| destination.offer(batch.clone()));
        let Some(spool) = &self.spool else { return };
        let (expecting, ended): (Vec<_>, Vec<_>) = spooled
            .into_iter()
            .map(|(_, one)| one)
            .partition(|destination| destination.expect_spooled(signal, records));
        ended.into_iter().for_each(|destination| destination.offer(batch.clone()));
        if expecting.is_empty() {
            return;
        }
        self.bring_home(spool);
        let kept = self.told(|| spool.append(batch));
        self.tell_spool(kept.as_ref().err());
        for destination in expecting {
            destination.spooled(signal, records, kept.is_ok());
            if kept.is_err() {
                destination.offer(batch.clone());
            }
        }
    }

    /// Moves what waits in memory since the spool failed into it, if it can be written again. Only where one
    /// destination has a spool: of several each may have got another part of it already.
    fn bring_home(&self, spool: &Spool) {
        let mut spooled = self.destinations.iter().enumerate().filter(|(at, _)| self.is_spooled(*at));
        let (Some((_, only)), None) = (spooled.next(), spooled.next()) else { return };
        if !self.spool_failing.load(Ordering::Relaxed) {
            return;
        }
        let keep = |batch: &Batch| self.told(|| spool.append(batch)).is_ok();
        while only.move_to_spool(keep) {}
    }

    /// Says once that the spool fails, and once that it does no more.
    fn tell_spool(&self, error: Option<&io::Error>) {
        let failed_before = self.spool_failing.swap(error.is_some(), Ordering::Relaxed);
        let news = match error {
            Some(error) if !failed_before => Diagnostic::SpoolFailing { problem: error.kind() },
            None if failed_before => Diagnostic::SpoolRecovered,
            _ => return,
        };
        tell(&self.diagnostics, news);
    }

    /// Asks the spool, and enters what it has to tell into the books before these can be closed.
    fn told<T>(&self, ask: impl FnOnce() -> (T, News)) -> T {
        let telling = self.telling.read().unwrap_or_else(PoisonError::into_inner);
        let (answer, news) = ask();
        let told = self.enter(news);
        drop(telling);
        self.tell(told);
        answer
    }

    /// Enters what the spool has to tell into the books; answers with what somebody is to hear of.
    fn enter(&self, news: News) -> Vec<Diagnostic> {
        let missing = news.missing.iter().filter_map(|missing| self.destinations.get(missing.party)?.missing(missing));
        let set_aside = news.set_aside.into_iter().map(|file| Diagnostic::SetAside { file });
        missing.chain(set_aside).collect()
    }

    /// Whoever hears of it may do what they like: nothing is held meanwhile.
    fn tell(&self, told: Vec<Diagnostic>) {
        told.into_iter().for_each(|diagnostic| tell(&self.diagnostics, diagnostic));
    }

    /// The next batch in the spool for a lane. Blocks on the disk.
    pub(super) fn take_spooled(&self, at: usize, signal: Signal) -> io::Result<Option<(Batch, Ticket)>> {
        let Some(spool) = &self.spool else { return Ok(None) };
        let next = self.told(|| spool.next(at, signal));
        if let (Ok(Some((batch, ticket))), Some(destination)) = (&next, self.destinations.get(at)) {
            destination.took_spooled(signal, u64::from(batch.records()), ticket.own);
        }
        next
    }

    /// The batch a lane took out of the spool has its verdict. Blocks on the disk.
    pub(super) fn settle_spooled(&self, at: usize, signal: Signal, ticket: &Ticket) {
        if let Some(spool) = &self.spool {
            self.told(|| ((), spool.settle(at, signal, ticket)));
        }
    }

    /// The batch a lane has in hand is not to come again.
    pub(super) fn give_up(&self, at: usize, signal: Signal) {
        if let Some(spool) = &self.spool {
            self.told(|| ((), spool.give_up(at, signal)));
        }
    }

    /// Looks for what dead processes left, and wakes the lanes when there is something.
    pub(super) fn look(&self) {
        if let Some(spool) = &self.spool {
            recover_spool(spool.directory());
        }
        if self.spool.as_ref().is_some_and(|spool| spool.look()) {
            self.destinations.iter().for_each(|destination| destination.wake_all());
        }
    }

    /// Closes the books: what is not delivered and not in the spool is lost as `pending`, what comes later as `later`.
    pub(super) fn close(&self, pending: LossReason, later: LossReason, deadline: Instant) {
        let [least, most] = SPOOL_CLOSE_WITHIN;
        let now = monotonic();
        let until = *self.closing.get_or_init(|| now + deadline.saturating_duration_since(now).clamp(least, most));
        let closed = patiently(until, || self.closed.try_lock());
        if closed.as_deref() == Some(&true) {
            return;
        }
        let mut told = Vec::new();
        let alone = self.spool.as_ref().and_then(|spool| {
            let alone = patiently(until.checked_sub(SPOOL_SHARE).unwrap_or(now), || self.telling.try_write());
            if let Some(news) = spool.close(until.saturating_duration_since(monotonic())) {
                told = self.enter(news);
            }
            alone
        });
        told.extend(self.destinations.iter().flat_map(|destination| destination.end(pending, later)));
        drop(alone);
        if let Some(mut closed) = closed {
            *closed = true;
        }
        self.tell(told);
    }

    pub(super) fn receipts(&self) -> Vec<DestinationReceipt> {
        self.destinations.iter().map(|destination| destination.receipt()).collect()
    }
}

/// Which signals a destination takes.
fn takes(config: &DestinationConfig) -> [bool; 3] {
    Signal::ALL.map(|signal| match &config.target {
        Target::Otlp(otlp) => otlp.signal(signal).is_some(),
        Target::Directory(_) | Target::Memory(_) => true,
        Target::Own(own) => own.takes(signal),
    })
}

/// A destination as the spool knows it. What is on the disk anyway, or in memory by wish, needs no spool.
fn party(config: &DestinationConfig) -> Option<Party> {
    match &config.target {
        Target::Otlp(_) => Some(Party { id: config.id(), name: config.name.clone(), takes: takes(config) }),
        Target::Directory(_) | Target::Memory(_) | Target::Own(_) => None,
    }
}

/// Those of the destinations that are delivered to through a spool, where there is one.
pub(crate) fn spool_parties(configs: &[DestinationConfig]) -> Vec<Party> {
    configs.iter().filter_map(party).collect()
}

/// A breaker for each address among the signals of a destination.
fn breakers(config: &DestinationConfig) -> [Arc<Mutex<Breaker>>; 3] {
    let address = |signal| match &config.target {
        Target::Otlp(otlp) => otlp.signal(signal).map(|config| config.endpoint.to_string()),
        Target::Directory(_) | Target::Memory(_) | Target::Own(_) => None,
    };
    let mut known: Vec<(Option<String>, Arc<Mutex<Breaker>>)> = Vec::new();
    Signal::ALL.map(|signal| {
        let address = address(signal);
        let found = known.iter().find(|(other, _)| *other == address && address.is_some());
        let breaker = found.map(|(_, breaker)| Arc::clone(breaker)).unwrap_or_default();
        known.push((address, Arc::clone(&breaker)));
        breaker
    })
}
