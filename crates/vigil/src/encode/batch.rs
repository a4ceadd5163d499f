//! Batches: complete OTLP requests that can be split without being encoded again.

mod fit;
mod reread;

use super::logs::write_event;
use super::metrics::{MetricSeries, POINTS_PER_MESSAGE, Temporality, write_metric};
use super::options::EncodeOptions;
use super::resource::Resource;
use super::traces::write_span;
use bytes::Bytes;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use vigil_core::fact::{EventData, SpanData};

/// The most bytes one record may take, 16 MiB. A span that carries whole conversations stays far below; what
/// is beyond would be refused by every backend known.
pub const MAX_RECORD_BYTES: usize = 16 << 20;

/// One of OTLP's three kinds of telemetry.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Events.
    Logs,
    /// Data points.
    Metrics,
}

impl Signal {
    /// All of them, in the order of [`Signal::index`].
    pub const ALL: [Signal; 3] = [Signal::Traces, Signal::Logs, Signal::Metrics];

    /// A number from 0 to 2, to index arrays with.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// `traces`, `logs` or `metrics`, as in paths, file names and variables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Logs => "logs",
            Signal::Metrics => "metrics",
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A record takes more than [`MAX_RECORD_BYTES`] and was not written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordTooLarge {
    /// How many records that are: one, or the data points of a metric.
    pub records: u32,
    /// How many bytes it would have taken.
    pub bytes: usize,
}

impl fmt::Display for RecordTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the record takes {} bytes, more than {MAX_RECORD_BYTES}", self.bytes)
    }
}

impl std::error::Error for RecordTooLarge {}

/// A piece of a batch that stays whole: a span, an event, or a metric with its points.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Part {
    /// Where it ends in the records.
    end: usize,
    /// How many records it counts for.
    records: u32,
}

/// A complete, encoded OTLP request. Cheap to clone: the bytes are shared.
#[derive(Clone)]
pub struct Batch {
    signal: Signal,
    records: u32,
    body: Bytes,
    /// The part of the body that holds the records.
    span: Range<usize>,
    parts: Arc<[Part]>,
    resource: Resource,
}

impl Batch {
    /// What it carries.
    pub fn signal(&self) -> Signal {
        self.signal
    }

    /// How many spans, events or data points it carries.
    pub fn records(&self) -> u32 {
        self.records
    }

    /// The request, uncompressed: an `Export…ServiceRequest` and at the same time a `TracesData`, `LogsData` or
    /// `MetricsData`.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// What it takes in memory, about: what queues count.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.body.len() + size_of_val(&*self.parts)
    }

    /// Two batches with the records of this one, halved by bytes. Hands the batch back when it has one part.
    pub fn split(self) -> Result<(Batch, Batch), Batch> {
        let records = self.body.get(self.span.clone()).unwrap_or_default();
        let middle = records.len() / 2;
        // The first part always goes left and the last always right.
        let cut = self.parts.partition_point(|part| part.end <= middle).max(1);
        let Some((left, right)) = self.parts.split_at_checked(cut).filter(|(_, right)| !right.is_empty()) else {
            return Err(self);
        };
        let at = left.last().map_or(0, |part| part.end);
        let Some((left_records, right_records)) = records.split_at_checked(at) else {
            return Err(self);
        };
        let shifted = right.iter().map(|part| Part { end: part.end - at, ..*part }).collect();
        Ok((
            Self::wrap(self.signal, &self.resource, left_records, left.into()),
            Self::wrap(self.signal, &self.resource, right_records, shifted),
        ))
    }

    fn wrap(signal: Signal, resource: &Resource, records: &[u8], parts: Arc<[Part]>) -> Self {
        let (body, at) = resource.wrap(records);
        Self {
            signal,
            records: parts.iter().fold(0, |sum, part| sum.saturating_add(part.records)),
            body: body.into(),
            span: at..at + records.len(),
            parts,
            resource: resource.clone(),
        }
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("signal", &self.signal)
            .field("records", &self.records)
            .field("bytes", &self.body.len())
            .finish()
    }
}

/// Memory of batches that nobody holds any more, for those to come. Blocks of this size would go back to the system, and
/// every page of the next be asked for again.
#[derive(Debug, Default)]
struct Spare(Mutex<Vec<Vec<u8>>>);

/// What is kept at most: so many, of this size each. Some requests are under way at a time.
const SPARE_MAX: usize = 4;
const SPARE_BYTES: usize = 1 << 20;

impl Spare {
    /// Memory for a batch of about `len` bytes.
    fn take(&self, len: usize) -> Vec<u8> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let fits = |kept: &Vec<u8>| (len..=len + len / 8).contains(&kept.capacity());
        kept.filter(fits).unwrap_or_else(|| Vec::with_capacity(len))
    }

    fn give_back(&self, mut bytes: Vec<u8>) {
        bytes.clear();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < SPARE_MAX && bytes.capacity() <= SPARE_BYTES {
            kept.push(bytes);
        }
    }
}

/// The bytes of a request, from `start` on.
struct Body {
    bytes: Vec<u8>,
    start: usize,
    spare: Arc<Spare>,
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.spare.give_back(std::mem::take(&mut self.bytes));
    }
}

/// Collects records of one signal.
#[derive(Debug)]
pub struct BatchBuilder {
    signal: Signal,
    resource: Resource,
    options: EncodeOptions,
    /// Room for what comes in front of the records, and the records.
    body: Vec<u8>,
    spare: Arc<Spare>,
    parts: Vec<Part>,
    /// How many records the parts count for.
    count: u32,
}

impl BatchBuilder {
    /// A builder without records.
    pub fn new(signal: Signal, resource: Resource, options: EncodeOptions) -> Self {
        let spare = Arc::default();
        Self { signal, resource, options, body: Vec::new(), spare, parts: Vec::new(), count: 0 }
    }

    /// Appends a span; for a builder of [`Signal::Traces`].
    ///
    /// # Errors
    /// The span takes more than [`MAX_RECORD_BYTES`].
    pub fn push_span(&mut self, span: &SpanData<'_>) -> Result<(), RecordTooLarge> {
        debug_assert_eq!(self.signal, Signal::Traces);
        let options = self.options;
        self.push(1, |out| write_span(out, span, &options))
    }

    /// Appends an event; for a builder of [`Signal::Logs`].
    ///
    /// # Errors
    /// The event takes more than [`MAX_RECORD_BYTES`].
    pub fn push_event(&mut self, event: &EventData<'_>) -> Result<(), RecordTooLarge> {
        debug_assert_eq!(self.signal, Signal::Logs);
        let options = self.options;
        self.push(1, |out| write_event(out, event, &options))
    }

    /// Appends series, for a builder of [`Signal::Metrics`]. Neighbours of the same metric become one message, so
    /// sort them by metric. Each series counts as one record (one data point).
    ///
    /// # Errors
    /// A message takes more than [`MAX_RECORD_BYTES`]; those before and after it are written.
    pub fn push_metrics(&mut self, series: &[MetricSeries], temporality: Temporality) -> Result<(), RecordTooLarge> {
        debug_assert_eq!(self.signal, Signal::Metrics);
        let mut result = Ok(());
        for metric in series.chunk_by(|a, b| a.metric == b.metric) {
            for points in metric.chunks(POINTS_PER_MESSAGE) {
                let count = points.len() as u32;
                result = result.and(self.push(count, |out| write_metric(out, points, temporality)));
            }
        }
        result
    }

    fn push(&mut self, records: u32, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), RecordTooLarge> {
        let room = self.resource.before_max();
        if self.body.is_empty() {
            self.body.resize(room, 0);
        }
        let before = self.body.len();
        write(&mut self.body);
        let bytes = self.body.len() - before;
        if bytes > MAX_RECORD_BYTES {
            self.body.truncate(before);
            return Err(RecordTooLarge { records, bytes });
        }
        self.parts.push(Part { end: self.body.len() - room, records });
        self.count = self.count.saturating_add(records);
        Ok(())
    }

    /// How many bytes the request would have now, a few too many at most.
    pub fn len_bytes(&self) -> usize {
        self.body.len() + self.resource.overhead()
    }

    /// How many spans, events or data points there are.
    pub fn records(&self) -> u32 {
        self.count
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The batch of what was pushed, if anything was; the builder is empty again.
    ///
    /// The records stay where they were written: what comes in front of them is put there. Where they fill the memory
    /// they are in, the batch keeps that; where much of it is empty they are copied, so that what waits in a queue takes
    /// about the memory it is counted for.
    pub fn take(&mut self) -> Option<Batch> {
        if self.parts.is_empty() {
            return None;
        }
        let room = self.resource.before_max();
        let records_len = self.body.len() - room;
        let before = self.resource.before(records_len);
        let start = room - before.len();
        self.body[start..room].copy_from_slice(&before);
        self.resource.write_after(&mut self.body);

        // The next batch is about as large as this one, unless this was an exceptional one.
        let len = self.body.len();
        let usual = (len + len / 16).min(1 << 20);
        let body = if self.body.capacity() <= len + len / 8 {
            let bytes = std::mem::replace(&mut self.body, self.spare.take(usual));
            Bytes::from_owner(Body { bytes, start, spare: self.spare.clone() })
        } else {
            let body = Bytes::copy_from_slice(&self.body[start..]);
            self.body.clear();
            self.body.shrink_to(usual);
            body
        };
        let batch = Batch {
            signal: self.signal,
            records: self.count,
            body,
            span: before.len()..before.len() + records_len,
            parts: self.parts.as_slice().into(),
            resource: self.resource.clone(),
        };
        self.parts.clear();
        self.count = 0;
        Some(batch)
    }
}
