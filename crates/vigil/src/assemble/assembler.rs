//! The assembler's thread: one round after the other.
//!
//! A round drains every buffer, joins, completes, derives, and hands on. Rounds run every 100 ms, at once
//! when a buffer fills up, and twice for a flush or shutdown (see [`join`](super::join) for why twice).

use super::carry::Carry;
use super::join::{Applied, Joiner, Open, Pieces, is_outer};
use super::outputs::{Outputs, Place};
use super::privacy::Gate;
use super::rollup::Rates;
use super::series::Series;
use super::{complete, derive, privacy};
use crate::clock::{Anchor, monotonic};
use crate::deliver::{DestinationReceipt, Diagnostic, Diagnostics, LossReason, tell};
use crate::ending::{Answer, Cause};
use crate::receipt::Receipt;
use crate::record::file::KEYS;
use crate::record::format::Record;
use crate::record::{Reader, Recorder};
use crate::settings::Settings;
use crate::span::RemoteParent;
use crate::vitals::{SLOW_AFTER, Tracker};
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use vigil_core::contract::{EventKind, attr};
use vigil_core::fact::{EventData, EventRecord, Fact, SpanData, SpanStart, UnixNanos};
use vigil_core::id::{SpanContext, SpanId};
use vigil_core::vocab::{Originator, Severity};

/// Between two rounds when nothing presses.
const TICK: Duration = Duration::from_millis(100);
/// A span of an inner kind is told of before it ends when it has taken this long.
const ANNOUNCE_AFTER: Duration = Duration::from_secs(5);
/// Bytes of records that are handed to the spool before their batch is full, so that lanes are given back.
const UNSETTLED_BYTES: usize = 1 << 20;
/// Between two `vigil.loss` events.
const LOSS_INTERVAL: Duration = Duration::from_secs(10);

/// What the assembler is asked to do.
pub(crate) enum Command {
    /// Assemble everything recorded before this.
    Assemble { reply: Sender<()> },
    /// Send everything recorded before this; the reply comes when it was delivered, or at the deadline.
    Flush { deadline: Instant, reply: Sender<bool> },
    /// Close what is open, send everything, and answer with the receipt by the deadline. What is in a spool is waited
    /// for when `wait` says so.
    Shutdown { deadline: Instant, wait: bool, cause: Cause, answer: Answer },
}

/// How the rest of the crate talks to the assembler.
///
/// `None` when the assembler is gone: whoever waits for an answer then learns that there is none.
#[derive(Clone)]
pub(crate) struct Mailbox(Arc<Mutex<Option<Vec<Command>>>>);

impl Default for Mailbox {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Some(Vec::new()))))
    }
}

impl Mailbox {
    fn commands(&self) -> MutexGuard<'_, Option<Vec<Command>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn send(&self, command: Command) {
        if let Some(commands) = &mut *self.commands() {
            commands.push(command);
        }
    }

    fn take(&self) -> Vec<Command> {
        self.commands().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// From here on nobody answers.
    fn close(&self) {
        drop(self.commands().take());
    }
}

pub(crate) struct Assembler {
    recorder: &'static Recorder,
    mailbox: Mailbox,
    joiner: Joiner,
    series: Series,
    outputs: Outputs,
    /// Whether anybody takes metrics.
    counts: bool,
    originator: Originator,
    gate: Gate,
    /// The parent this process was given.
    parent: Option<RemoteParent>,
    compat: bool,
    metric_interval: Duration,
    metrics_due: UnixNanos,
    /// Depths of spans that adapters said have started.
    foreign: HashMap<SpanId, u16>,
    /// Events of spans whose start was not seen yet.
    early: Vec<(u64, EventRecord)>,
    rates: Rates,
    told_loss: u64,
    told_loss_at: Option<UnixNanos>,
    vitals: Tracker,
    /// Where open spans outlive the process, if records do.
    carry: Option<Carry>,
    keeps: bool,
    diagnostics: Diagnostics,
    told_not_kept: bool,
    /// Bytes that were read and not settled.
    unsettled_bytes: usize,
}

impl Assembler {
    pub(crate) fn new(
        recorder: &'static Recorder,
        mailbox: Mailbox,
        settings: &Settings,
        originator: Originator,
        outputs: Outputs,
        vitals: Tracker,
        diagnostics: Diagnostics,
    ) -> Self {
        let now = recorder.clock.now();
        let mut outputs = outputs;
        let keeps = recorder.keeps();
        if keeps {
            outputs.remember(recorder);
        }
        Self {
            series: Series::new(now, settings.temporality),
            metrics_due: after(now, settings.metric_interval),
            metric_interval: settings.metric_interval,
            gate: Gate::new(settings),
            parent: settings.parent,
            compat: settings.compat,
            recorder,
            mailbox,
            joiner: if keeps { Joiner::carrying() } else { Joiner::default() },
            counts: outputs.takes_metrics(),
            outputs,
            originator,
            foreign: HashMap::new(),
            early: Vec::new(),
            rates: Rates::default(),
            told_loss: 0,
            told_loss_at: None,
            vitals,
            carry: None,
            keeps,
            diagnostics,
            told_not_kept: false,
            unsettled_bytes: 0,
        }
    }

    /// Runs until it is shut down.
    pub(crate) fn run(mut self) {
        loop {
            std::thread::park_timeout(TICK);
            self.round();
            for command in self.mailbox.take() {
                match command {
                    Command::Assemble { reply } => {
                        self.round();
                        self.round();
                        reply.send(()).ok();
                    }
                    Command::Flush { deadline, reply } => self.flush(deadline, reply),
                    Command::Shutdown { deadline, wait, cause, answer } => {
                        answer.settle(self.shutdown(deadline, wait, cause));
                        self.mailbox.close();
                        return;
                    }
                }
            }
        }
    }

    fn round(&mut self) {
        let recorder = self.recorder;
        recorder.clock.calibrate();
        let anchor = recorder.clock.anchor();
        let now = anchor.unix(recorder.clock.ticks());
        self.note_time(anchor);
        recorder.drain(&mut Round { assembler: self, anchor, now });
        self.take_early(now);
        for span in self.joiner.end_round() {
            self.finish(span, anchor, now);
            if self.keeps && self.outputs.unsettled() >= KEYS / 2 {
                self.settle_all();
            }
        }
        for fact in recorder.take_facts() {
            self.fact(fact, now);
        }
        for (start, depth) in self.joiner.announce(recorder.clock.ticks(), anchor, ANNOUNCE_AFTER) {
            self.announce(&start, depth, now);
        }
        self.tell_loss(now, false);
        if now >= self.metrics_due {
            self.metrics_due = after(now, self.metric_interval);
            let series = self.series.collect(now);
            self.outputs.metrics(series, now);
        }
        self.outputs.send_due(now);
        self.settle();
        self.show_vitals(anchor, now);
    }

    fn take_early(&mut self, now: UnixNanos) {
        for (key, event) in std::mem::take(&mut self.early) {
            self.outputs.begin(key);
            self.happened(event, now);
        }
    }

    // === Records that outlive the process ===

    fn note_time(&mut self, anchor: Anchor) {
        if let Some(file) = self.recorder.file() {
            file.note_time(self.recorder.clock.ticks(), anchor);
        }
        if self.recorder.is_not_kept() {
            self.tell_not_kept();
        }
    }

    fn tell_not_kept(&mut self) {
        if !std::mem::replace(&mut self.told_not_kept, true) {
            tell(&self.diagnostics, Diagnostic::RecordsNotKept);
        }
    }

    /// Where the record file is, which is made when something is recorded.
    fn find_file(&mut self) {
        if self.carry.is_none()
            && let Some(file) = self.recorder.file()
        {
            self.carry = Some(Carry::beside(file.path()));
        }
    }

    /// Gives back what was read of the lanes, where all that came of it is in the spool, or it is time.
    fn settle(&mut self) {
        if self.unsettled_bytes == 0 {
            return;
        }
        let most = UNSETTLED_BYTES.min(self.recorder.lane_bytes() / 4);
        if self.outputs.has_waiting() && self.unsettled_bytes < most && self.outputs.unsettled() < KEYS / 4 {
            return;
        }
        self.settle_all();
    }

    fn settle_all(&mut self) {
        self.make_safe();
        self.recorder.settle_drained();
    }

    /// Hands on what was read, and writes down what is open.
    fn make_safe(&mut self) {
        self.find_file();
        self.outputs.send_spans_and_events();
        self.carry_over();
    }

    /// Writes down the spans that are open. What a disk does not take is in memory: the agent goes on, and a kill would
    /// take it.
    fn carry_over(&mut self) {
        if let Some(carry) = &mut self.carry {
            let noted = self.recorder.file().map_or(0, |file| file.keys_noted());
            if carry.write(&mut self.joiner, noted).is_err() {
                self.tell_not_kept();
            }
        }
        self.outputs.settled();
        self.unsettled_bytes = 0;
    }

    fn show_vitals(&mut self, anchor: Anchor, now: UnixNanos) {
        if self.vitals.is_due(now) {
            self.vitals.lost(self.outputs.lost());
        }
        self.vitals.show(now, self.joiner.glance(self.recorder.clock.ticks(), anchor, SLOW_AFTER));
    }

    /// Takes in records of one lane, in order.
    fn read(&mut self, mut bytes: &[u8], anchor: Anchor, now: UnixNanos) {
        if self.keeps {
            self.unsettled_bytes += bytes.len();
        }
        while let Some(applied) = self.joiner.apply(bytes) {
            // Looked at where it is: a whole span is large.
            let len = applied.1;
            match applied.0 {
                Applied::Noted => {}
                Applied::Finished(span) => self.finish(span, anchor, now),
                Applied::Whole(ref open, ref pieces) => self.finished(open, pieces, anchor, now),
                Applied::Event(record) => {
                    self.happening(record, bytes.get(..len).unwrap_or_default(), anchor, now);
                }
            }
            bytes = bytes.get(len..).unwrap_or_default();
        }
        debug_assert!(bytes.is_empty(), "the recorder wrote a record the assembler can't read");
    }

    fn happening(&mut self, record: Record<'_>, raw: &[u8], anchor: Anchor, now: UnixNanos) {
        let Record::Event { event, span, severity, time, attributes } = record else { return };
        let mut data = EventData {
            kind: event,
            span: span.map(|(trace_id, span_id)| SpanContext { trace_id, span_id }),
            time: anchor.unix(time),
            severity,
            attributes: Default::default(),
        };
        attributes.apply("", &mut data.attributes);
        match data.span {
            Some(span) if !self.joiner.is_open(span.span_id) => self.early.push((event_key(raw), data.to_record())),
            _ => {
                self.outputs.begin(event_key(raw));
                self.happened(data, now);
            }
        }
    }

    fn happened(&mut self, mut event: EventData<'_>, now: UnixNanos) {
        if let Some(span) = event.span {
            self.joiner.note_event(span.span_id, event.kind, &mut event.attributes);
        }
        self.event(event, now);
    }

    fn finish(&mut self, span: SpanId, anchor: Anchor, now: UnixNanos) {
        let Some(open) = self.joiner.take(span) else { return };
        self.finished(&open, &open.pieces(), anchor, now);
        self.joiner.recycle(open.into_records());
    }

    fn finished(&mut self, open: &Open, pieces: &Pieces<'_>, anchor: Anchor, now: UnixNanos) {
        self.outputs.begin(span_key(open.context.span_id));
        let mut span = open.untold(pieces, anchor);
        open.tell(pieces, anchor, &mut span);
        if self.recorder.replay {
            span.attributes.set(attr::VIGIL_REPLAY, true);
        }
        let below = open.rollup.as_deref();
        let call = complete::joined(&mut span, below, &mut self.rates, self.originator);
        self.joiner.roll_up(&span, open.counted, below, call.as_ref());
        let exception = complete::exception_of(&span);
        let own = below.map(|below| below.own).unwrap_or_default();
        let usage = call.as_ref().map(|call| call.usage);
        if self.counts {
            derive::span(&mut self.series, &span, Some(own), usage, self.compat);
        }
        if !self.recorder.replay {
            self.vitals.span(&span, usage);
        }
        self.hand_on(&mut span, Place { depth: open.depth, number: open.number, sampled: open.sampled }, now);
        if let Some(exception) = exception {
            self.event(*exception, now);
        }
    }

    fn hand_on(&mut self, span: &mut SpanData<'_>, place: Place, now: UnixNanos) {
        let details = privacy::span(span, self.gate);
        self.outputs.span(span, place, now);
        if let Some(details) = details {
            self.event(*details, now);
        }
    }

    fn event(&mut self, mut event: EventData<'_>, now: UnixNanos) {
        event.attributes.set_absent(attr::VIGIL_ORIGINATOR, Some(self.originator.as_str()));
        if self.recorder.replay {
            event.attributes.set(attr::VIGIL_REPLAY, true);
        }
        if self.counts {
            derive::event(&mut self.series, &event);
        }
        if !self.recorder.replay {
            let retried = event.span.filter(|_| event.kind == EventKind::Retry);
            let provider = retried.and_then(|span| self.joiner.provider_of(span.span_id));
            self.vitals.event(&event, provider.as_deref());
        }
        if event.kind == EventKind::Headroom {
            return;
        }
        privacy::event(&mut event, self.gate);
        self.outputs.event(&event, now);
    }

    fn fact(&mut self, fact: Fact, now: UnixNanos) {
        match fact {
            Fact::Started(start) => {
                let depth = start.parent.and_then(|parent| self.foreign.get(&parent)).map_or(0, |depth| depth + 1);
                self.foreign.insert(start.context.span_id, depth);
                if is_outer(start.kind) {
                    self.announce(&start, depth, now);
                }
            }
            Fact::Ended(mut span) => {
                let below = span.parent.and_then(|parent| self.foreign.get(&parent)).map(|depth| depth + 1);
                let depth = self.foreign.remove(&span.context.span_id).or(below).unwrap_or(0);
                complete::common(&mut span, self.originator);
                if self.counts {
                    derive::span(&mut self.series, &span, None, None, self.compat);
                }
                if !self.recorder.replay {
                    self.vitals.span(&span, None);
                }
                let inherited = self.parent.filter(|parent| parent.context.trace_id == span.context.trace_id);
                let sampled = self.recorder.sampler.keep(span.context.trace_id, inherited.map(|parent| parent.sampled));
                self.hand_on(&mut span, Place { depth, number: u64::MAX, sampled }, now);
            }
            Fact::Event(event) => self.event(event, now),
        }
    }

    fn announce(&mut self, start: &SpanStart, depth: u16, now: UnixNanos) {
        self.outputs.started(start, depth);
        let mut event = EventRecord {
            kind: EventKind::SpanStarted,
            span: Some(start.context),
            time: start.start,
            severity: Severity::Debug,
            attributes: Default::default(),
        };
        event.attributes.set(attr::VIGIL_SPAN_KIND, start.kind.id());
        if !start.target.is_empty() {
            event.attributes.set(attr::VIGIL_SPAN_TARGET, start.target.clone());
        }
        self.event(event, now);
    }

    /// Says once in a while, and at the end, what did not fit in the buffers.
    fn tell_loss(&mut self, now: UnixNanos, last: bool) {
        let refused = &self.recorder.refused;
        let (spans, events) = (refused.spans.load(Ordering::Relaxed), refused.events.load(Ordering::Relaxed));
        let total = spans + events + refused.sets.load(Ordering::Relaxed) + self.joiner.without_start;
        let due = last || self.told_loss_at.is_none_or(|at| at.until(now) >= LOSS_INTERVAL);
        if total == self.told_loss || !due {
            return;
        }
        let lost = total - self.told_loss;
        self.told_loss = total;
        self.told_loss_at = Some(now);
        let mut event = EventRecord {
            kind: EventKind::Loss,
            span: None,
            time: now,
            severity: Severity::Warn,
            attributes: Default::default(),
        };
        event.attributes.set(attr::VIGIL_LOSS_REASON, LossReason::BufferFull.as_str());
        event.attributes.set(attr::VIGIL_LOSS_STAGE, "record");
        event.attributes.set(attr::VIGIL_LOSS_RECORDS, lost);
        self.event(event, now);
    }

    /// Hands everything on that waits anywhere, and says what is left until the deadline.
    fn send_all(&mut self, now: UnixNanos, deadline: Instant) -> Duration {
        let series = self.series.collect(now);
        self.outputs.metrics(series, now);
        self.outputs.send_all();
        if let Some(log) = &mut self.outputs.log {
            log.flush();
        }
        deadline.saturating_duration_since(monotonic())
    }

    /// Delivery is not waited for here: the end may come meanwhile, and has a deadline of its own.
    fn flush(&mut self, deadline: Instant, reply: Sender<bool>) {
        self.round();
        self.round();
        let now = self.recorder.clock.now();
        let left = self.send_all(now, deadline);
        // The caller may have stopped waiting.
        let reply = move |done| {
            reply.send(done).ok();
        };
        match self.outputs.delivery() {
            Some(delivery) => delivery.flush_then(left, reply),
            None => reply(true),
        }
    }

    fn shutdown(&mut self, deadline: Instant, wait: bool, cause: Cause) -> Receipt {
        self.recorder.close();
        self.round();
        self.round();
        let anchor = self.recorder.clock.anchor();
        let ticks = self.recorder.clock.ticks();
        let now = anchor.unix(ticks);
        for span in self.joiner.close_open(ticks, &cause.outcome()) {
            self.finish(span, anchor, now);
        }
        self.tell_loss(now, true);
        let mut left = self.send_all(now, deadline);
        if let Some(delivery) = self.outputs.delivery().filter(|delivery| wait && delivery.has_spool()) {
            delivery.flush(left);
            left = deadline.saturating_duration_since(monotonic());
        }
        let destinations: Vec<DestinationReceipt> =
            self.outputs.take_delivery().map(|delivery| delivery.shutdown(left)).unwrap_or_default();
        // All of it is in the spool, delivered, or lost and counted.
        self.carry.iter_mut().for_each(Carry::remove);
        self.recorder.end_file();
        self.recorder.abandon();
        let refused = &self.recorder.refused;
        Receipt::settle(
            destinations,
            self.outputs.recorded,
            self.outputs.too_large,
            [refused.spans.load(Ordering::Relaxed), refused.events.load(Ordering::Relaxed), 0],
        )
    }
}

/// A round's reading of the lanes.
struct Round<'a> {
    assembler: &'a mut Assembler,
    anchor: Anchor,
    now: UnixNanos,
}

impl Reader for Round<'_> {
    fn read(&mut self, bytes: &[u8]) {
        self.assembler.read(bytes, self.anchor, self.now);
    }

    fn make_safe(&mut self) -> bool {
        let assembler = &mut *self.assembler;
        // More keys than are remembered must never be of records that are not settled.
        let is_due = assembler.keeps && assembler.outputs.unsettled() >= KEYS / 2;
        if is_due {
            assembler.take_early(self.now);
            assembler.make_safe();
        }
        is_due
    }
}

/// What tells that a span was handed to the spool.
pub(super) fn span_key(span: SpanId) -> u64 {
    u64::from_le_bytes(span.0)
}

/// The same for a recorded event.
pub(super) fn event_key(raw: &[u8]) -> u64 {
    let (front, back) = raw.split_at(raw.len() / 2);
    u64::from(crc32c::crc32c(front)) << 32 | u64::from(crc32c::crc32c_append(1, back))
}

fn after(now: UnixNanos, interval: Duration) -> UnixNanos {
    UnixNanos(now.0.saturating_add(u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX)))
}
