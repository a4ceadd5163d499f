//! The assembler's thread: one round after the other.
//!
//! A round drains every buffer, joins, completes, derives, and hands on. Rounds run every 100 ms, at once
//! when a buffer fills up, and twice for a flush or shutdown (see [`join`](super::join) for why twice).

use super::join::{Joiner, is_outer};
use super::outputs::Outputs;
use super::privacy::Gate;
use super::series::Series;
use super::{complete, derive, privacy};
use crate::clock::monotonic;
use crate::deliver::{DestinationReceipt, LossReason};
use crate::receipt::Receipt;
use crate::record::Recorder;
use crate::settings::Settings;
use crate::span::RemoteParent;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use vigil_core::contract::{EventKind, attr};
use vigil_core::fact::{EventRecord, Fact, SpanRecord, SpanStart, UnixNanos};
use vigil_core::id::SpanId;
use vigil_core::vocab::{Originator, Severity};

/// Between two rounds when nothing presses.
const TICK: Duration = Duration::from_millis(100);
/// A span of an inner kind is told of before it ends when it has taken this long.
const ANNOUNCE_AFTER: Duration = Duration::from_secs(5);
/// Between two `vigil.loss` events.
const LOSS_INTERVAL: Duration = Duration::from_secs(10);

/// What the assembler is asked to do.
pub(crate) enum Command {
    /// Assemble everything recorded before this.
    Assemble { reply: Sender<()> },
    /// Send everything recorded before this, and wait for delivery until the deadline.
    Flush { deadline: Instant, reply: Sender<bool> },
    /// Close what is open, send everything, and answer with the receipt by the deadline.
    Shutdown { deadline: Instant, reply: Sender<Receipt> },
}

/// Something to tell of.
enum Item {
    Event(EventRecord),
    Ended(SpanId),
}

/// How the rest of the crate talks to the assembler.
#[derive(Clone, Default)]
pub(crate) struct Mailbox(Arc<Mutex<Vec<Command>>>);

impl Mailbox {
    pub(crate) fn send(&self, command: Command) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(command);
    }

    fn take(&self) -> Vec<Command> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(crate) struct Assembler {
    recorder: &'static Recorder,
    mailbox: Mailbox,
    joiner: Joiner,
    series: Series,
    outputs: Outputs,
    originator: Originator,
    gate: Gate,
    /// The parent this process was given.
    parent: Option<RemoteParent>,
    compat: bool,
    metric_interval: Duration,
    metrics_due: UnixNanos,
    /// Depths of spans that adapters said have started.
    foreign: HashMap<SpanId, u16>,
    /// Events of the round before.
    happened: Vec<EventRecord>,
    told_loss: u64,
    told_loss_at: Option<UnixNanos>,
}

impl Assembler {
    pub(crate) fn new(
        recorder: &'static Recorder,
        mailbox: Mailbox,
        settings: &Settings,
        originator: Originator,
        outputs: Outputs,
    ) -> Self {
        let now = recorder.clock.now();
        Self {
            series: Series::new(now, settings.temporality),
            metrics_due: after(now, settings.metric_interval),
            metric_interval: settings.metric_interval,
            gate: Gate::new(settings),
            parent: settings.parent,
            compat: settings.compat,
            recorder,
            mailbox,
            joiner: Joiner::default(),
            outputs,
            originator,
            foreign: HashMap::new(),
            happened: Vec::new(),
            told_loss: 0,
            told_loss_at: None,
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
                    Command::Flush { deadline, reply } => {
                        // The caller may have stopped waiting.
                        reply.send(self.flush(deadline)).ok();
                    }
                    Command::Shutdown { deadline, reply } => {
                        reply.send(self.shutdown(deadline)).ok();
                        return;
                    }
                }
            }
        }
    }

    fn round(&mut self) {
        self.recorder.clock.calibrate();
        let now = self.recorder.clock.now();
        let mut events = Vec::new();
        let joiner = &mut self.joiner;
        self.recorder.drain(|bytes| joiner.read(bytes, &self.recorder.clock, &mut |_, event| events.push(event)));
        events.iter_mut().for_each(|event| self.joiner.note_event(event));
        // What happened and what ended is told in the order of time: events wait as long as ends do.
        let happened = std::mem::replace(&mut self.happened, events);
        let mut items: Vec<_> = happened.into_iter().map(|event| (event.time, Item::Event(event))).collect();
        let clock = &self.recorder.clock;
        let ended = self.joiner.end_round(clock);
        items.extend(ended.into_iter().map(|span| (self.joiner.end_of(span, clock), Item::Ended(span))));
        items.sort_by_key(|(time, _)| *time);
        for (_, item) in items {
            match item {
                Item::Event(event) => self.event(event, now),
                Item::Ended(span) => self.finish(span, now),
            }
        }
        for fact in self.recorder.take_facts() {
            self.fact(fact, now);
        }
        for (start, depth) in self.joiner.announce(self.recorder.clock.ticks(), &self.recorder.clock, ANNOUNCE_AFTER) {
            self.announce(&start, depth, now);
        }
        self.tell_loss(now, false);
        if now >= self.metrics_due {
            self.metrics_due = after(now, self.metric_interval);
            let series = self.series.collect(now);
            self.outputs.metrics(series, now);
        }
        self.outputs.send_due(now);
    }

    fn finish(&mut self, span: SpanId, now: UnixNanos) {
        let Some(mut joined) = self.joiner.take(span, &self.recorder.clock) else { return };
        let call = complete::joined(&mut joined, self.originator);
        self.joiner.roll_up(&joined, call.as_ref());
        let exception = complete::exception_of(&joined.span);
        derive::span(&mut self.series, &joined.span, Some(joined.rollup.own), self.compat);
        self.hand_on(joined.span, joined.depth, joined.sampled, now);
        if let Some(exception) = exception {
            self.event(exception, now);
        }
    }

    fn hand_on(&mut self, mut span: SpanRecord, depth: u16, sampled: bool, now: UnixNanos) {
        let details = privacy::span(&mut span, self.gate);
        self.outputs.span(&span, depth, sampled, now);
        if let Some(details) = details {
            self.event(details, now);
        }
    }

    fn event(&mut self, mut event: EventRecord, now: UnixNanos) {
        if event.attributes.get(attr::VIGIL_ORIGINATOR).is_none() {
            event.attributes.set(attr::VIGIL_ORIGINATOR, self.originator.as_str());
        }
        derive::event(&mut self.series, &event);
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
                derive::span(&mut self.series, &span, None, self.compat);
                let inherited = self.parent.filter(|parent| parent.context.trace_id == span.context.trace_id);
                let sampled = self.recorder.sampler.keep(span.context.trace_id, inherited.map(|parent| parent.sampled));
                self.hand_on(span, depth, sampled, now);
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

    fn flush(&mut self, deadline: Instant) -> bool {
        self.round();
        self.round();
        let now = self.recorder.clock.now();
        let left = self.send_all(now, deadline);
        self.outputs.delivery().is_none_or(|delivery| delivery.flush(left))
    }

    fn shutdown(&mut self, deadline: Instant) -> Receipt {
        self.recorder.close();
        self.round();
        self.round();
        let now = self.recorder.clock.now();
        for event in std::mem::take(&mut self.happened) {
            self.event(event, now);
        }
        for span in self.joiner.close_open(self.recorder.clock.ticks()) {
            self.finish(span, now);
        }
        self.tell_loss(now, true);
        let left = self.send_all(now, deadline);
        let destinations: Vec<DestinationReceipt> =
            self.outputs.take_delivery().map(|delivery| delivery.shutdown(left)).unwrap_or_default();
        let refused = &self.recorder.refused;
        Receipt::settle(
            destinations,
            self.outputs.recorded,
            self.outputs.too_large,
            [refused.spans.load(Ordering::Relaxed), refused.events.load(Ordering::Relaxed), 0],
        )
    }
}

fn after(now: UnixNanos, interval: Duration) -> UnixNanos {
    UnixNanos(now.0.saturating_add(u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX)))
}
