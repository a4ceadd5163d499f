//! Where assembled work goes: the encoder and delivery, the log, and whoever watches in a test.

use crate::deliver::{Delivery, DestinationReceipt};
use crate::encode::{BatchBuilder, EncodeOptions, MetricSeries, Resource, Signal, Temporality};
use crate::log::{CallLines, Log};
use crate::record::Recorder;
use crate::record::file::RecordFile;
use crate::settings::Settings;
use crate::testing::Captured;
use std::sync::Arc;
use std::time::Duration;
use vigil_core::fact::{EventData, SpanData, SpanStart, UnixNanos};

/// A batch is sent when it has as many records as the settings say, this many bytes, or is as old as the schedule
/// delay.
const BATCH_BYTES: usize = 512 << 10;

/// What the outputs need to know of a span beside what it says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// How many spans are above it.
    pub(crate) depth: u16,
    /// Orders spans that started at the same time.
    pub(crate) number: u64,
    pub(crate) sampled: bool,
}

pub(crate) struct Outputs {
    builders: [BatchBuilder; 3],
    /// Since when each builder holds something.
    since: [Option<UnixNanos>; 3],
    unwanted: [bool; 3],
    batch_records: [u32; 3],
    delay: [Duration; 3],
    span_links: usize,
    temporality: Temporality,
    delivery: Option<Delivery>,
    pub(crate) log: Option<Log>,
    calls: Option<CallLines>,
    captured: Option<Captured>,
    /// Where it is remembered what was handed to the spool, where records outlive the process.
    kept: Option<Kept>,
    /// Records handed on, and records the encoder could not take, by signal.
    pub(crate) recorded: [u64; 3],
    pub(crate) too_large: [u64; 3],
}

/// What was handed to the spool, for whoever reads the record file when this process is gone.
struct Kept {
    recorder: &'static Recorder,
    /// The recorder's, once it has one.
    file: Option<Arc<RecordFile>>,
    /// Keys of what is in the builders.
    waiting: Vec<u64>,
    /// How many were written since the records behind them were settled.
    unsettled: usize,
}

/// What one span or one recorded event puts into the builders of spans and of events at most.
const UNIT_RECORDS: u32 = 3;

impl std::fmt::Debug for Outputs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outputs").field("recorded", &self.recorded).finish_non_exhaustive()
    }
}

impl Outputs {
    pub(crate) fn new(
        settings: &Settings,
        resource: &Resource,
        delivery: Option<Delivery>,
        log: Option<Log>,
        calls: Option<CallLines>,
        captured: Option<Captured>,
    ) -> Self {
        let options = EncodeOptions {
            compat: settings.compat,
            langsmith: settings.langsmith,
            span_limits: settings.span_limits,
            event_limits: settings.log_limits,
        };
        Self {
            builders: Signal::ALL.map(|signal| BatchBuilder::new(signal, resource.clone(), options)),
            since: [None; 3],
            unwanted: settings.unwanted,
            batch_records: settings.batch_records,
            delay: settings.schedule_delay,
            span_links: settings.span_links,
            temporality: settings.temporality,
            delivery,
            log,
            calls,
            captured,
            kept: None,
            recorded: [0; 3],
            too_large: [0; 3],
        }
    }

    /// Whether anybody takes metrics.
    pub(crate) fn takes_metrics(&self) -> bool {
        self.wants(Signal::Metrics) || self.captured.is_some()
    }

    fn wants(&self, signal: Signal) -> bool {
        self.delivery.is_some() && !self.unwanted[signal.index()]
    }

    pub(crate) fn started(&mut self, start: &SpanStart, depth: u16) {
        if let Some(log) = &mut self.log {
            log.started(start, depth);
        }
    }

    pub(crate) fn span(&mut self, span: &SpanData<'_>, place: Place, now: UnixNanos) {
        if let Some(log) = &mut self.log {
            log.span(span, place.depth);
        }
        if let Some(calls) = &mut self.calls {
            calls.span(span);
        }
        if let Some(captured) = &self.captured {
            captured.span(span.to_record(), place.number);
        }
        if !place.sampled {
            return;
        }
        self.recorded[Signal::Traces.index()] += 1;
        if self.wants(Signal::Traces) {
            let builder = &mut self.builders[Signal::Traces.index()];
            let result = if span.links.len() > self.span_links {
                let mut fewer = span.clone();
                fewer.links.truncate(self.span_links);
                builder.push_span(&fewer)
            } else {
                builder.push_span(span)
            };
            self.pushed(Signal::Traces, result.map_err(|error| error.records), now);
        }
    }

    pub(crate) fn event(&mut self, event: &EventData<'_>, now: UnixNanos) {
        if let Some(log) = &mut self.log {
            log.event(event);
        }
        if let Some(captured) = &self.captured {
            captured.event(event.to_record());
        }
        self.recorded[Signal::Logs.index()] += 1;
        if self.wants(Signal::Logs) {
            let result = self.builders[Signal::Logs.index()].push_event(event);
            self.pushed(Signal::Logs, result.map_err(|error| error.records), now);
        }
    }

    pub(crate) fn metrics(&mut self, series: Vec<MetricSeries>, now: UnixNanos) {
        if self.wants(Signal::Metrics) && !series.is_empty() {
            self.recorded[Signal::Metrics.index()] += series.len() as u64;
            let result = self.builders[Signal::Metrics.index()].push_metrics(&series, self.temporality);
            self.pushed(Signal::Metrics, result.map_err(|error| error.records), now);
            self.send(Signal::Metrics);
        }
        if let Some(captured) = &self.captured {
            captured.metrics(series);
        }
    }

    fn pushed(&mut self, signal: Signal, result: Result<(), u32>, now: UnixNanos) {
        if let Err(records) = result {
            self.too_large[signal.index()] += u64::from(records);
        }
        self.since[signal.index()].get_or_insert(now);
        if self.kept.is_some() && signal != Signal::Metrics {
            // What belongs together goes together: `begin` sends what is full.
            return;
        }
        let builder = &self.builders[signal.index()];
        if builder.records() >= self.batch_records[signal.index()] || builder.len_bytes() >= BATCH_BYTES {
            self.send(signal);
        }
    }

    /// From here on what is handed to the spool is remembered by its key.
    pub(crate) fn remember(&mut self, recorder: &'static Recorder) {
        self.kept = Some(Kept { recorder, file: None, waiting: Vec::new(), unsettled: 0 });
    }

    /// Begins what the record with this key comes to: a span with its events, or an event. It goes to the spool as a
    /// whole or not at all.
    pub(crate) fn begin(&mut self, key: u64) {
        let Some(kept) = &mut self.kept else { return };
        kept.waiting.push(key);
        let is_full = |signal: Signal| {
            let (builder, most) = (&self.builders[signal.index()], self.batch_records[signal.index()]);
            builder.records().saturating_add(UNIT_RECORDS) > most || builder.len_bytes() >= BATCH_BYTES
        };
        if is_full(Signal::Traces) || is_full(Signal::Logs) {
            // Its own key is of what is not there yet.
            let key = kept.waiting.pop();
            self.send(Signal::Traces);
            self.kept.iter_mut().for_each(|kept| kept.waiting.extend(key));
        }
    }

    /// How many keys were handed on, or wait to be, since [`settled`](Self::settled) was said last.
    pub(crate) fn unsettled(&self) -> usize {
        self.kept.as_ref().map_or(0, |kept| kept.unsettled + kept.waiting.len())
    }

    /// Whether spans or events wait to be handed on.
    pub(crate) fn has_waiting(&self) -> bool {
        [Signal::Traces, Signal::Logs].into_iter().any(|signal| self.builders[signal.index()].records() > 0)
    }

    /// Says that no record is left that was handed on and not settled.
    pub(crate) fn settled(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.unsettled = 0;
            // Of what is not exported.
            kept.waiting.clear();
        }
    }

    /// Hands on spans and events. What belongs to one span goes together: its events first, since a span whose key is
    /// known is not looked at again.
    pub(crate) fn send_spans_and_events(&mut self) {
        self.hand_over(Signal::Logs);
        self.hand_over(Signal::Traces);
        if let Some(kept) = &mut self.kept {
            if kept.file.is_none() {
                kept.file = kept.recorder.file();
            }
            if let Some(file) = &kept.file {
                file.note_keys(&kept.waiting);
            }
            kept.unsettled += kept.waiting.len();
            kept.waiting.clear();
        }
    }

    fn send(&mut self, signal: Signal) {
        match signal {
            Signal::Traces | Signal::Logs if self.kept.is_some() => self.send_spans_and_events(),
            _ => self.hand_over(signal),
        }
    }

    fn hand_over(&mut self, signal: Signal) {
        self.since[signal.index()] = None;
        if let (Some(batch), Some(delivery)) = (self.builders[signal.index()].take(), &self.delivery) {
            delivery.offer(batch);
        }
    }

    /// A round ends: writes lines, and sends what has waited long enough.
    pub(crate) fn send_due(&mut self, now: UnixNanos) {
        self.log.iter_mut().for_each(Log::write);
        self.calls.iter_mut().for_each(CallLines::flush);
        for signal in Signal::ALL {
            if self.since[signal.index()].is_some_and(|since| since.until(now) >= self.delay[signal.index()]) {
                self.send(signal);
            }
        }
    }

    pub(crate) fn send_all(&mut self) {
        self.calls.iter_mut().for_each(CallLines::flush);
        Signal::ALL.into_iter().for_each(|signal| self.send(signal));
    }

    /// Records that were lost on the way so far; of several destinations the one that lost most counts.
    pub(crate) fn lost(&self) -> u64 {
        let receipts = self.delivery.as_ref().map(Delivery::receipts).unwrap_or_default();
        let lost = |one: &DestinationReceipt| {
            Signal::ALL.iter().map(|signal| one.receipt.signal(*signal).lost.total()).sum::<u64>()
        };
        self.too_large.iter().sum::<u64>() + receipts.iter().map(lost).max().unwrap_or(0)
    }

    pub(crate) fn delivery(&mut self) -> Option<&mut Delivery> {
        self.delivery.as_mut()
    }

    pub(crate) fn take_delivery(&mut self) -> Option<Delivery> {
        self.delivery.take()
    }
}
