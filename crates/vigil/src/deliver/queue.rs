//! Batches waiting for one destination: a first-in-first-out queue for each signal under one limit in bytes.
//!
//! When a batch does not fit, the oldest batches of the signal that takes the most room give way, so a flood
//! of one signal costs that signal, and what is kept is the recent past. A batch that is under way counts
//! until it is released and cannot be displaced.

use crate::encode::{Batch, Signal};
use std::collections::VecDeque;

#[derive(Debug)]
pub(super) struct Queue {
    limit: usize,
    /// The records each signal may have waiting.
    records_max: [Option<u64>; Signal::ALL.len()],
    lanes: [Lane; Signal::ALL.len()],
}

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Batch>,
    waiting_records: u64,
    waiting_bytes: usize,
    under_way_bytes: usize,
}

impl Queue {
    pub(super) fn new(limit: usize, records_max: [Option<u64>; Signal::ALL.len()]) -> Self {
        Self { limit, records_max, lanes: Default::default() }
    }

    /// Appends `batch` and hands back what had to give way for it: older batches, or itself when it is larger
    /// than what the waiting ones could free.
    pub(super) fn push(&mut self, batch: Batch) -> Vec<Batch> {
        let bytes = batch.memory_bytes();
        let under_way: usize = self.lanes.iter().map(|lane| lane.under_way_bytes).sum();
        if under_way.saturating_add(bytes) > self.limit {
            return vec![batch];
        }
        let mut displaced = Vec::new();
        while self.bytes().saturating_add(bytes) > self.limit {
            let fullest = self.lanes.iter_mut().max_by_key(|lane| lane.waiting_bytes);
            match fullest.and_then(Lane::pop) {
                Some(oldest) => displaced.push(oldest),
                None => break,
            }
        }
        let records_max = self.records_max[batch.signal().index()].unwrap_or(u64::MAX);
        let lane = &mut self.lanes[batch.signal().index()];
        while lane.waiting_records.saturating_add(u64::from(batch.records())) > records_max {
            match lane.pop() {
                Some(oldest) => displaced.push(oldest),
                // Larger than the limit alone, it still goes: what is encoded is one batch.
                None => break,
            }
        }
        lane.waiting_bytes += bytes;
        lane.waiting_records += u64::from(batch.records());
        lane.waiting.push_back(batch);
        displaced
    }

    /// The oldest batch of `signal`, which counts as under way until [`Queue::release`].
    pub(super) fn take(&mut self, signal: Signal) -> Option<Batch> {
        let lane = &mut self.lanes[signal.index()];
        let batch = lane.pop()?;
        lane.under_way_bytes = batch.memory_bytes();
        Some(batch)
    }

    /// The batch of `signal` that was under way has its verdict.
    pub(super) fn release(&mut self, signal: Signal) {
        self.lanes[signal.index()].under_way_bytes = 0;
    }

    /// The oldest waiting batch of the signal that has most, to be kept elsewhere.
    pub(super) fn take_back(&mut self) -> Option<Batch> {
        self.lanes.iter_mut().max_by_key(|lane| lane.waiting_bytes).and_then(Lane::pop)
    }

    /// Puts back what was taken back.
    pub(super) fn put_back(&mut self, batch: Batch) {
        let lane = &mut self.lanes[batch.signal().index()];
        lane.waiting_bytes += batch.memory_bytes();
        lane.waiting_records += u64::from(batch.records());
        lane.waiting.push_front(batch);
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.lanes = Default::default();
    }

    /// The bytes that are waiting or under way.
    pub(super) fn bytes(&self) -> usize {
        self.lanes.iter().map(|lane| lane.waiting_bytes + lane.under_way_bytes).sum()
    }
}

impl Lane {
    fn pop(&mut self) -> Option<Batch> {
        let batch = self.waiting.pop_front()?;
        self.waiting_bytes -= batch.memory_bytes();
        self.waiting_records -= u64::from(batch.records());
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::{BatchBuilder, EncodeOptions, Resource};
    use vigil_core::contract::{EventKind, SpanKind};
    use vigil_core::fact::{Attributes, EventRecord, Outcome, SpanRecord, UnixNanos};
    use vigil_core::id::{SpanContext, SpanId, TraceId};
    use vigil_core::vocab::Severity;

    fn traces(records: u32) -> Batch {
        let mut builder = BatchBuilder::new(Signal::Traces, Resource::new([]), EncodeOptions::default());
        let span = SpanRecord {
            context: SpanContext { trace_id: TraceId::derived(&["t"]), span_id: SpanId::derived(&["s"]) },
            parent: None,
            kind: SpanKind::Tool,
            target: "t".into(),
            start: UnixNanos(1),
            end: UnixNanos(2),
            outcome: Outcome::Ok,
            attributes: Attributes::new(),
            links: vec![],
        };
        (0..records).for_each(|_| builder.push_span(&span).unwrap());
        builder.take().unwrap()
    }

    fn logs() -> Batch {
        let mut builder = BatchBuilder::new(Signal::Logs, Resource::new([]), EncodeOptions::default());
        let (kind, severity) = (EventKind::Loss, Severity::Warn);
        let event = EventRecord { kind, span: None, time: UnixNanos(1), severity, attributes: Attributes::new() };
        builder.push_event(&event).unwrap();
        builder.take().unwrap()
    }

    fn records(batches: &[Batch]) -> Vec<u32> {
        batches.iter().map(Batch::records).collect()
    }

    #[test]
    fn the_oldest_of_the_fullest_signal_gives_way() {
        let room =
            traces(1).memory_bytes() + traces(2).memory_bytes() + traces(3).memory_bytes() + logs().memory_bytes();
        let mut queue = Queue::new(room, [None; 3]);
        for batch in [logs(), traces(1), traces(2), traces(3)] {
            assert!(queue.push(batch).is_empty());
        }
        assert_eq!(queue.bytes(), room);
        assert_eq!(records(&queue.push(traces(1))), [1]);
        let displaced = queue.push(traces(4));
        assert_eq!(records(&displaced), [2, 3]);
        assert!(displaced.iter().all(|batch| batch.signal() == Signal::Traces), "the flood costs its own signal");
        assert!(queue.bytes() <= room);
        assert_eq!(queue.take(Signal::Logs).map(|batch| batch.records()), Some(1));
        assert_eq!(queue.take(Signal::Traces).map(|batch| batch.records()), Some(1));
        assert_eq!(queue.take(Signal::Metrics).map(|batch| batch.records()), None);
    }

    #[test]
    fn a_limit_in_records_lets_the_oldest_of_its_own_signal_go() {
        let mut queue = Queue::new(1 << 20, [Some(5), None, None]);
        assert!(queue.push(logs()).is_empty());
        assert!(queue.push(traces(3)).is_empty());
        assert!(queue.push(traces(2)).is_empty());
        assert_eq!(records(&queue.push(traces(3))), [3]);
        assert_eq!(records(&queue.push(traces(9))), [2, 3]);
    }

    #[test]
    fn a_batch_under_way_counts_and_stays() {
        let mut queue = Queue::new(traces(1).memory_bytes() + 10, [None; 3]);
        queue.push(traces(1));
        assert!(queue.take(Signal::Traces).is_some());
        assert_eq!(records(&queue.push(traces(1))), [1], "the newcomer has to go");
        queue.release(Signal::Traces);
        assert_eq!(queue.bytes(), 0);
        assert!(queue.push(traces(1)).is_empty());
        assert_eq!(records(&queue.push(traces(100))), [100], "larger than the whole queue: nothing else is displaced");
        queue.clear();
        assert_eq!(queue.bytes(), 0);
    }
}
